//! Closed word lists: enums whose words stand in tables, forms and the API alike.

/// Makes an enum of fixed words that travels to and from a column guarded by a `CHECK`.
macro_rules! words {
    (#[doc = $meaning:literal] $name:ident = $thing:literal {
        $($(#[doc = $of_word:literal])+ $word:ident = $text:literal,)+
    }) => {
        #[doc = $meaning]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum $name {
            $($(#[doc = $of_word])+ $word,)+
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &[$name] = &[$($name::$word),+];

            /// The word in tables, forms and the API.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$word => $text,)+
                }
            }

            /// The one of this word; the error lists those there are.
            pub fn of_word(word: &str) -> $crate::kernel::error::Result<$name> {
                $name::ALL.iter().copied().find(|known| known.word() == word).ok_or_else(|| {
                    $crate::kernel::words::unknown($thing, word, &[$($text),+])
                })
            }
        }

        impl $crate::kernel::words::ToSql for $name {
            fn to_sql(&self) -> $crate::kernel::sql::Result<$crate::kernel::words::ToSqlOutput<'_>> {
                self.word().to_sql()
            }
        }

        impl $crate::kernel::words::FromSql for $name {
            fn column_result(
                value: $crate::kernel::words::ValueRef<'_>,
            ) -> $crate::kernel::words::FromSqlResult<Self> {
                let word = value.as_str()?;
                let known = $name::ALL.iter().copied().find(|known| known.word() == word);
                known.ok_or($crate::kernel::words::FromSqlError::InvalidType)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

pub use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::error::Error;

/// The error for a word that is on no list.
pub fn unknown(thing: &str, word: &str, known: &[&str]) -> Error {
    let short: String = word.chars().take(40).collect();
    Error::invalid(format!("There is no {thing} \"{short}\"."))
        .hint(format!("Use one of: {}.", known.join(", ")))
}
