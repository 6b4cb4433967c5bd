//! The one error: a kind for machines, a sentence and a hint for people, a cause for the log.

use std::error::Error as StdError;
use std::{fmt, sync::Arc};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can branch on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    TooMany,
    Busy,
    Internal,
}

/// How a kind appears outside: one row, and the reference page is printed from it.
#[derive(Debug)]
pub struct Appearance {
    pub kind: Kind,
    pub code: &'static str,
    pub http_status: u16,
    /// Exit code of the command line, after `sysexits.h`.
    pub exit_code: u8,
    pub log: Log,
}

/// Whether somebody must look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log {
    Quiet,
    Notice,
    Alarm,
}

#[rustfmt::skip]
pub const KINDS: [Appearance; 9] = [
    Appearance { kind: Kind::Invalid,         code: "invalid",         http_status: 422, exit_code: 65, log: Log::Quiet },
    Appearance { kind: Kind::Unauthenticated, code: "unauthenticated", http_status: 401, exit_code: 77, log: Log::Notice },
    Appearance { kind: Kind::Forbidden,       code: "forbidden",       http_status: 403, exit_code: 77, log: Log::Notice },
    Appearance { kind: Kind::NotFound,        code: "not_found",       http_status: 404, exit_code: 66, log: Log::Quiet },
    Appearance { kind: Kind::Conflict,        code: "conflict",        http_status: 409, exit_code: 73, log: Log::Quiet },
    Appearance { kind: Kind::TooLarge,        code: "too_large",       http_status: 413, exit_code: 65, log: Log::Quiet },
    Appearance { kind: Kind::TooMany,         code: "too_many",        http_status: 429, exit_code: 75, log: Log::Notice },
    Appearance { kind: Kind::Busy,            code: "busy",            http_status: 503, exit_code: 75, log: Log::Notice },
    Appearance { kind: Kind::Internal,        code: "internal",        http_status: 500, exit_code: 70, log: Log::Alarm },
];

impl Kind {
    pub fn appearance(self) -> &'static Appearance {
        &KINDS[self as usize]
    }
}

/// A failure, told once. Cloning is cheap: a lost commit answers every caller of its group.
#[derive(Clone)]
pub struct Error {
    kind: Kind,
    sentence: Arc<str>,
    hint: Option<Arc<str>>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    fn new(kind: Kind, sentence: impl Into<Arc<str>>) -> Error {
        Error { kind, sentence: sentence.into(), hint: None, cause: None }
    }

    pub fn invalid(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Invalid, sentence)
    }
    pub fn unauthenticated(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Unauthenticated, sentence)
    }
    pub fn forbidden(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Forbidden, sentence)
    }
    pub fn not_found(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::NotFound, sentence)
    }
    pub fn conflict(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Conflict, sentence)
    }
    pub fn too_large(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::TooLarge, sentence)
    }
    pub fn too_many(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::TooMany, sentence)
    }
    pub fn busy(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Busy, sentence)
    }
    /// Something nobody can act on but us. People see a fixed sentence, the log sees the cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::new(Kind::Internal, "Something went wrong on our side. The log has the details.")
            .because(cause)
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<Arc<str>>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps what lies beneath, for the log only.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{DatabaseBusy, OperationInterrupted};
        match cause.sqlite_error_code() {
            Some(DatabaseBusy) => Error::busy("Another process is writing to this instance."),
            Some(OperationInterrupted) => Error::busy("Reading this took too long.")
                .hint("Narrow the filter, or ask for a shorter period."),
            _ => return Error::internal(cause),
        }
        .because(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.appearance().code, self.sentence)
    }
}

/// The whole story, for the log and for tests.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.hint.iter().try_for_each(|hint| write!(f, " {hint}"))?;
        self.cause.iter().try_for_each(|cause| write!(f, " ({cause})"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_its_own_row() {
        for (place, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind as usize, place, "{}", row.code);
        }
    }
}
