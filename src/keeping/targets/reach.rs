//! How a target is reached: its address, its secrets, its cap. Opens nothing by itself until it is told to.

use super::{Regions, Target, sql};
use crate::keeping::backup::storage::{
    Access, KeyPair, Limits, Login, Place, Reach, SshAccess, Storage, WebAccess,
};
use crate::keeping::backup::{self, Keep};
use crate::keeping::takeover;
use crate::kernel::access::Tx;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::secret::Secret;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of the digest of an address that name the folder of its receipts.
const HOME_BYTES: usize = 8;

/// Where a backup goes or comes from: a target of the instance, or a place that somebody named this once.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The target, if it is one of the instance.
    pub id: Option<TargetId>,
    /// What people call it.
    pub name: String,
    /// How many backups stay there.
    pub keep: Option<Keep>,
    /// Its address.
    pub place: Place,
    access: Access,
    limits: Limits,
    /// The master key of the repository there, if it is known.
    pub master: Option<Secret<Vec<u8>>>,
    /// The takeovers that this copy of the instance knows.
    pub lineage: String,
}

impl Goal {
    /// A target of the instance, with its secrets opened.
    ///
    /// Errors: `Conflict` if it is switched off, `Invalid` if it stands where backups may not go.
    pub fn of(tx: impl Tx, instance: &Instance, target: &Target) -> Result<Goal> {
        if !target.is_enabled {
            return Err(Error::conflict(format!("“{}” is switched off.", target.name))
                .hint("Switch it on first, on its page."));
        }
        Regions::get(tx)?.check(&target.region)?;
        Goal::even_if_off(tx, instance, target)
    }

    /// The same for looking at what is there: also for a target that no backup may go to.
    pub fn even_if_off(tx: impl Tx, instance: &Instance, target: &Target) -> Result<Goal> {
        let sealed = sql::sealed(tx, target.id)?.unwrap_or(sql::Sealed { access: None, master: None });
        let secrets = sealed.access.map(|bytes| Secrets::opened(instance, target.id, &bytes)).transpose()?;
        let master = sealed.master.map(|bytes| instance.unseal(&about_master(target.id), &bytes));
        let place: Place = target.address.parse()?;
        let access = secrets.unwrap_or_default().access(&place, target.host_key.as_deref())?;
        Ok(Goal {
            id: Some(target.id),
            name: target.name.clone(),
            keep: Some(target.keep),
            place,
            access,
            limits: limits(target.bytes_per_second),
            // A key that cannot be opened is as good as none: the password opens the same repository.
            master: master.and_then(Result::ok),
            lineage: takeover::lineage(tx)?,
        })
    }

    /// A place that is no target of the instance.
    pub fn at(tx: impl Tx, instance: &Instance, place: Place, secrets: Option<&Secrets>) -> Result<Goal> {
        outside(&instance.data, &place)?;
        let access = secrets.unwrap_or(&Secrets::default()).access(&place, None)?;
        Ok(Goal {
            id: None,
            name: place.to_string(),
            keep: None,
            place,
            access,
            limits: limits(None),
            master: None,
            lineage: takeover::lineage(tx)?,
        })
    }

    /// The target of this name or address, also one that is switched off; else the place, with these secrets.
    pub fn named(
        tx: impl Tx,
        instance: &Instance,
        asked: &str,
        place: Result<Place>,
        secrets: Option<&Secrets>,
    ) -> Result<Goal> {
        let address = place.as_ref().ok().map(Place::to_string);
        let is_it = |target: &&Target| {
            target.name.eq_ignore_ascii_case(asked) || Some(&target.address) == address.as_ref()
        };
        match sql::all(tx)?.iter().find(is_it) {
            Some(target) => Goal::even_if_off(tx, instance, target),
            None => Goal::at(tx, instance, place?, secrets),
        }
    }

    /// What a child of ours needs to get there.
    pub fn reach(&self) -> Reach {
        Reach { place: self.place.clone(), access: self.access.clone(), limits: self.limits }
    }

    /// The same for somebody who waits for a page.
    pub fn brief(self) -> Goal {
        Goal { limits: self.limits.brief(), ..self }
    }

    /// The storage there. Nothing is touched yet.
    pub fn open(&self) -> Result<backup::Target> {
        self.place.open(&self.access, self.limits)
    }

    /// Refuses where another machine has taken this instance over: nothing of this one is to be written there.
    pub fn refuse_left_behind(&self, storage: &dyn Storage, instance: &Instance, known: u64) -> Result<u64> {
        // A copy: whoever seals or unseals something must not wait until a target answers.
        let keyring = instance.keyring()?.copy();
        takeover::refuse_left_behind(storage, &keyring, &self.lineage, known)
    }

    /// Errors: `Conflict` with the key that a server of SFTP shows, while nobody has confirmed it.
    pub fn refuse_unconfirmed(&self) -> Result<()> {
        self.reach().refuse_unconfirmed()
    }

    /// The folder with our own copies of its receipts. Each repository has a chain of its own.
    pub fn receipts(&self, data: &Path) -> PathBuf {
        Goal::receipts_of(&self.place, data)
    }

    /// The same for any place.
    pub fn receipts_of(place: &Place, data: &Path) -> PathBuf {
        let digest = Sha256::digest(place.to_string());
        layout::receipts(data).join(HEXLOWER.encode(&digest[..HOME_BYTES]))
    }
}

/// A backup inside the data folder would be lost with it.
pub(super) fn outside(data: &Path, place: &Place) -> Result<()> {
    let (data, Some(folder)) = (std::path::absolute(data).map_err(Error::internal)?, place.as_folder())
    else {
        return Ok(());
    };
    if folder.starts_with(&data) {
        return Err(Error::invalid(format!("{} lies inside the data folder.", folder.display())).hint(
            "Choose a folder outside of it, best on another disk: it must survive what it protects against.",
        ));
    }
    Ok(())
}

fn limits(bytes_per_second: Option<i64>) -> Limits {
    Limits::capped(bytes_per_second.and_then(|bytes| u64::try_from(bytes).ok()))
}

pub(super) fn about_access(id: TargetId) -> String {
    format!("target {} access", id.0)
}

pub(super) fn about_master(id: TargetId) -> String {
    format!("target {} master", id.0)
}

/// The master key of a repository as it is stored.
pub(super) fn seal_master(instance: &Instance, id: TargetId, master: &[u8]) -> Result<Vec<u8>> {
    instance.seal(&about_master(id), master)
}

/// The secrets of a target as somebody enters them; which of them count depends on the kind of place.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Who signs in, where the address does not say; the access key of an S3 store.
    #[serde(default)]
    pub user: String,
    /// Their password; the secret key of an S3 store.
    #[serde(default)]
    pub password: String,
    /// A private key for SFTP, as OpenSSH writes it.
    #[serde(default)]
    pub private_key: String,
    /// What opens that key.
    #[serde(default)]
    pub passphrase: String,
    /// A certificate in PEM that vouches for the server.
    #[serde(default)]
    pub authority: String,
    /// The host key of an SFTP server that is no target of the instance.
    #[serde(default)]
    pub host_key: String,
}

impl Secrets {
    /// Whether nothing was entered.
    pub fn is_empty(&self) -> bool {
        *self == Secrets::default()
    }

    /// Whether they open nothing: a host key and an authority only tell who the server is.
    pub fn open_nothing(&self) -> bool {
        self.user.is_empty() && self.password.is_empty() && self.private_key.is_empty()
    }

    /// Reads the file of secrets that commands take: JSON with the fields of this type.
    pub fn parse(text: &str) -> Result<Secrets> {
        serde_json::from_str(text).map_err(|cause| {
            // The cause would repeat what stands in the file.
            Error::invalid(format!(
                "The file of secrets cannot be read at line {}, column {}.",
                cause.line(),
                cause.column()
            ))
            .hint("Write JSON with any of: user, password, private_key, passphrase, authority, host_key.")
        })
    }

    /// As it lies in the database.
    pub(super) fn sealed(&self, instance: &Instance, id: TargetId) -> Result<Vec<u8>> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(Error::internal)?);
        instance.seal(&about_access(id), &plain)
    }

    fn opened(instance: &Instance, id: TargetId, sealed: &[u8]) -> Result<Secrets> {
        let plain = instance.unseal(&about_access(id), sealed)?;
        serde_json::from_slice(plain.expose()).map_err(Error::internal)
    }

    /// What the kind of place wants of it.
    pub fn access(&self, place: &Place, host_key: Option<&str>) -> Result<Access> {
        let secret = |text: &String| Secret::new(text.clone());
        let needs = |what: &str| {
            Error::invalid(format!("{place} needs {what}.")).hint(
                "Enter it on the page of the target, or hand it to the command: --access-file, --ask, or TESTKEEP_ACCESS_…",
            )
        };
        Ok(match place.kind() {
            "folder" => Access::Open,
            "s3" if self.user.is_empty() || self.password.is_empty() => {
                return Err(needs("an access key and its secret"));
            }
            "s3" => {
                let (id, secret, ca) = (self.user.clone(), secret(&self.password), self.authority.clone());
                Access::S3(KeyPair { id, secret, ca })
            }
            "sftp" => {
                let host_key = host_key.unwrap_or(&self.host_key).to_owned();
                let login = match (&self.private_key, &self.password) {
                    (key, _) if !key.is_empty() => {
                        Login::Key { pem: secret(key), passphrase: secret(&self.passphrase) }
                    }
                    (_, password) if !password.is_empty() => Login::Password(secret(password)),
                    _ => return Err(needs("a password or a private key")),
                };
                Access::Ssh(SshAccess { login, host_key })
            }
            _ => Access::Web(WebAccess {
                user: self.user.clone(),
                password: secret(&self.password),
                ca: self.authority.clone(),
            }),
        })
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        for field in [
            &mut self.user,
            &mut self.password,
            &mut self.private_key,
            &mut self.passphrase,
            &mut self.authority,
            &mut self.host_key,
        ] {
            field.zeroize();
        }
    }
}
