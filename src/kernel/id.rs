//! Ids: integers in newtypes, so that a case is never taken for a project.

/// Lets a newtype around `i64` travel to and from a column.
macro_rules! stored_as_integer {
    ($name:ident) => {
        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }
        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                value.as_i64().map(Self)
            }
        }
    };
}
pub(super) use stored_as_integer;

/// What an audit entry may be about: something with a number, never a name.
pub trait Subject: Into<i64> {
    /// The word before its number in an entry.
    const WORD: &'static str;
}

macro_rules! ids {
    ($($name:ident = $word:literal)*) => {$(
        #[doc = concat!("Number of a ", $word, ", unique in the instance.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
        stored_as_integer!($name);
        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }
        impl Subject for $name {
            const WORD: &'static str = $word;
        }
    )*};
}

ids! {
    ProjectId = "project"
    SuiteId = "suite"
    CaseId = "case"
    RunId = "run"
    ItemId = "item"
    ResultId = "result"
    UploadId = "upload"
    EvidenceId = "evidence"
    BlobId = "blob"
    UserId = "user"
    SessionId = "session"
    TokenId = "token"
    GrantId = "grant"
    BackupId = "backup"
    TargetId = "target"
    AlarmId = "alarm"
    UpgradeId = "upgrade"
    DrillId = "drill"
    RestoreId = "restore"
    ClientCertificateId = "client_certificate"
    CheckId = "check"
    HoldId = "hold"
    DeletionId = "deletion"
}
