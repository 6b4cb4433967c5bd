//! The one error: a kind for machines, a sentence and a hint for people, a cause for the log.

use std::error::Error as StdError;
use std::{fmt, sync::Arc};

/// What an operation answers; the error is ours unless it says otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can branch on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What was sent cannot be accepted as it is.
    Invalid,
    /// Nobody has signed in, or the credential no longer holds.
    Unauthenticated,
    /// Signed in, the thing is visible, and this may not be done to it.
    Forbidden,
    /// There is no such thing, or the caller may not know that there is.
    NotFound,
    /// The thing is in a state that does not allow it.
    Conflict,
    /// Beyond a named bound.
    TooLarge,
    /// Too often in too short a time.
    TooMany,
    /// Not now; the same request may succeed in a moment.
    Busy,
    /// The disk holds no more; what only reads goes on.
    Full,
    /// The disk takes no writes, or fails; reading may go on.
    Unwritable,
    /// What was stored cannot be read back as it was written, so it is not served at all.
    Damaged,
    /// Our fault: only the log tells the cause.
    Internal,
}

/// How a kind appears outside: one row, and the reference page is printed from it.
#[derive(Debug)]
pub struct Appearance {
    /// The kind this row is about.
    pub kind: Kind,
    /// The word in the API and in the log.
    pub code: &'static str,
    /// Status of the response.
    pub http_status: u16,
    /// Exit code of the command line, after `sysexits.h`.
    pub exit_code: u8,
    /// How loudly the log tells it.
    pub log: Log,
}

/// Whether somebody must look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log {
    /// Everyday: the caller is told, the log only counts the request.
    Quiet,
    /// Worth reading when somebody looks for a pattern.
    Notice,
    /// Somebody must act.
    Alarm,
}

/// One row for each kind, in the order of `Kind`.
#[rustfmt::skip]
pub const KINDS: [Appearance; 12] = [
    Appearance { kind: Kind::Invalid,         code: "invalid",         http_status: 422, exit_code: 65, log: Log::Quiet },
    Appearance { kind: Kind::Unauthenticated, code: "unauthenticated", http_status: 401, exit_code: 77, log: Log::Notice },
    Appearance { kind: Kind::Forbidden,       code: "forbidden",       http_status: 403, exit_code: 77, log: Log::Notice },
    Appearance { kind: Kind::NotFound,        code: "not_found",       http_status: 404, exit_code: 66, log: Log::Quiet },
    Appearance { kind: Kind::Conflict,        code: "conflict",        http_status: 409, exit_code: 73, log: Log::Quiet },
    Appearance { kind: Kind::TooLarge,        code: "too_large",       http_status: 413, exit_code: 65, log: Log::Quiet },
    Appearance { kind: Kind::TooMany,         code: "too_many",        http_status: 429, exit_code: 75, log: Log::Notice },
    Appearance { kind: Kind::Busy,            code: "busy",            http_status: 503, exit_code: 75, log: Log::Notice },
    Appearance { kind: Kind::Full,            code: "disk_full",       http_status: 507, exit_code: 74, log: Log::Alarm },
    Appearance { kind: Kind::Unwritable,      code: "not_writable",    http_status: 503, exit_code: 74, log: Log::Alarm },
    Appearance { kind: Kind::Damaged,         code: "damaged",         http_status: 503, exit_code: 74, log: Log::Alarm },
    Appearance { kind: Kind::Internal,        code: "internal",        http_status: 500, exit_code: 70, log: Log::Alarm },
];

impl Kind {
    /// How this kind appears outside.
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

    /// What was sent cannot be accepted; say which part and what would be.
    pub fn invalid(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Invalid, sentence)
    }
    /// Nobody has signed in, or not well enough.
    pub fn unauthenticated(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Unauthenticated, sentence)
    }
    /// They may see it and may not do this to it.
    pub fn forbidden(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Forbidden, sentence)
    }
    /// There is no such thing, as far as the caller may know.
    pub fn not_found(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::NotFound, sentence)
    }
    /// The state of the thing does not allow it; say the state.
    pub fn conflict(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Conflict, sentence)
    }
    /// Beyond a bound; say the bound.
    pub fn too_large(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::TooLarge, sentence)
    }
    /// Too often; say when it will be accepted again.
    pub fn too_many(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::TooMany, sentence)
    }
    /// Not now; the same request may succeed in a moment.
    pub fn busy(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Busy, sentence)
    }
    /// The disk holds no more; say what was not stored.
    pub fn full(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Full, sentence)
    }
    /// The disk takes no writes; say what was not stored.
    pub fn unwritable(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Unwritable, sentence)
    }
    /// What was stored cannot be read back as it was written; say what.
    pub fn damaged(sentence: impl Into<Arc<str>>) -> Error {
        Error::new(Kind::Damaged, sentence)
    }
    /// A failure that somebody else has told us of, kept as it was told.
    pub fn of_kind(kind: Kind, sentence: impl Into<Arc<str>>) -> Error {
        Error::new(kind, sentence)
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

    /// Says which of many it is about, such as `results[3]`.
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        if self.kind != Kind::Internal {
            self.sentence = format!("{place}: {}", self.sentence).into();
        }
        self
    }

    /// Keeps what lies beneath, for the log only.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// What a caller can branch on.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// What happened, for the person.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
    /// What to do next, if there is something.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, OperationInterrupted, SystemIoFailure,
        };
        match cause.sqlite_error_code() {
            Some(DiskFull) => Error::full("The disk of this instance is full, so nothing was changed.")
                .hint("Reading goes on. Once there is room again, the same change succeeds."),
            Some(SystemIoFailure) => Error::unwritable(
                "The disk of this instance fails or takes no writes, so nothing was changed.",
            )
            .hint("Reading goes on as far as it can. Once the disk works again, the same succeeds."),
            // SQLCipher says of a page whose tag is wrong that this is no database.
            Some(DatabaseCorrupt | NotADatabase) => Error::damaged(
                "A part of the database that this needs is damaged, so it is not shown.",
            )
            .hint("The rest goes on working. The owner of the instance finds what to do under Storage."),
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
