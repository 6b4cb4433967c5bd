//! Purposes: what each key of an instance is for.

/// What a data key is for. No key has two purposes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
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
}

impl Purpose {
    /// Every purpose there is.
    pub(super) const ALL: [Purpose; 9] = [
        Purpose::Database,
        Purpose::Blobs,
        Purpose::BlobNames,
        Purpose::Tokens,
        Purpose::Chain,
        Purpose::BackupPassword,
        Purpose::BackupSigning,
        Purpose::BackupMaster,
        Purpose::Vault,
    ];

    /// The word in `keyring.json`.
    pub(super) fn word(self) -> &'static str {
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
        }
    }

    /// Whether it is 32 random bytes, made with the instance.
    pub(super) fn is_plain_key(self) -> bool {
        !matches!(self, Purpose::BackupPassword) && !self.may_be_missing()
    }

    /// Whether it is made when it is first needed, and so may be missing.
    pub(super) fn may_be_missing(self) -> bool {
        matches!(self, Purpose::BackupMaster | Purpose::Vault)
    }
}
