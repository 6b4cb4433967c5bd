//! Purposes: what each key of an instance is for.

/// What a data key is for. No key has two purposes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// Encrypts the database.
    Database,
    /// Encrypts files.
    Blobs,
    /// Names files by keyed digests of their content.
    BlobNames,
    /// Digests of tokens and cookies.
    Tokens,
    /// Binds the audit trail.
    Chain,
    /// Password of the backup repository, as text.
    BackupPassword,
    /// Signs proofs of backups: the seed of an Ed25519 key.
    BackupSigning,
    /// The master key of the backup repository, as its own JSON. Added with the first backup.
    BackupMaster,
    /// Encrypts secrets that lie in the database, such as those of backup targets. Added with the first.
    Vault,
    /// Goes into every wrap of the master key, so that nobody outside can make one. Added with format 2.
    Slots,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Purpose; 10] = [
        Purpose::Database,
        Purpose::Blobs,
        Purpose::BlobNames,
        Purpose::Tokens,
        Purpose::Chain,
        Purpose::BackupPassword,
        Purpose::BackupSigning,
        Purpose::BackupMaster,
        Purpose::Vault,
        Purpose::Slots,
    ];

    /// The word in `keyring.json`.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Database => "database",
            Purpose::Blobs => "blobs",
            Purpose::BlobNames => "blob_names",
            Purpose::Tokens => "tokens",
            Purpose::Chain => "chain",
            Purpose::BackupPassword => "backup_password",
            Purpose::BackupSigning => "backup_signing",
            Purpose::BackupMaster => "backup_master",
            Purpose::Vault => "vault",
            Purpose::Slots => "slots",
        }
    }

    /// Its name, for people.
    pub fn title(self) -> &'static str {
        match self {
            Purpose::Database => "Database",
            Purpose::Blobs => "Attached files",
            Purpose::BlobNames => "Names of files",
            Purpose::Tokens => "Digests of tokens",
            Purpose::Chain => "Audit trail",
            Purpose::BackupPassword => "Password of backups",
            Purpose::BackupSigning => "Signatures of backups",
            Purpose::BackupMaster => "Content of backups",
            Purpose::Vault => "Vault",
            Purpose::Slots => "Ways to open",
        }
    }

    /// What it does, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Purpose::Database => "encrypts the database",
            Purpose::Blobs => "encrypts attached files",
            Purpose::BlobNames => "names attached files by their content",
            Purpose::Tokens => "digests of cookies, tokens and links",
            Purpose::Chain => "binds the audit trail",
            Purpose::BackupPassword => "opens the backup repository; comes from the recovery kit",
            Purpose::BackupSigning => "signs receipts of backups",
            Purpose::BackupMaster => "encrypts the backup repository",
            Purpose::Vault => "encrypts secrets that lie in the database",
            Purpose::Slots => "goes into every wrap of the master key",
        }
    }

    /// Whether it is 32 random bytes, made with the instance.
    pub(super) fn is_plain_key(self) -> bool {
        !matches!(self, Purpose::BackupPassword | Purpose::BackupMaster | Purpose::Vault)
    }

    /// Whether a keyring may lack it: it is made when it is first needed, or a later format brought it.
    pub(super) fn may_be_missing(self) -> bool {
        matches!(self, Purpose::BackupMaster | Purpose::Vault | Purpose::Slots)
    }
}
