//! The targets in the runbook: what each needs on a machine that has nothing, and the commands for it.

use super::quoted;
use crate::keeping::backup::storage::{Access, HostKey, Login, Place};
use crate::keeping::backups::{self, Backup};
use crate::keeping::drills::{self, Drill};
use crate::keeping::shipping::{self, Switch};
use crate::keeping::targets::{Goal, Target};
use crate::kernel::access::Tx;
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;

/// A target as somebody needs it who has lost everything else.
pub struct Site {
    /// Its number.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The kind in words.
    pub kind: &'static str,
    /// The country or region where it stands, and where in the owner's words.
    pub stands: String,
    /// Whether backups go there now.
    pub is_on: bool,
    /// When.
    pub schedule: String,
    /// What opens it, and where its owner finds that.
    pub needs: String,
    /// The file `secrets.json` with words in the place of the secrets; empty if it needs none.
    pub secrets: &'static str,
    /// The fingerprint of the host key that was confirmed.
    pub fingerprint: Option<String>,
    /// The last good backup there.
    pub backup: Option<Backup>,
    /// The last one that was brought back from there and proven.
    pub drill: Option<Drill>,
    /// How the log goes there; none if it does not.
    pub log: Option<String>,
    /// Reads the newest backup there back.
    pub verify: String,
    /// Brings it back.
    pub restore: String,
    /// Has another machine follow from there.
    pub follow: String,
}

/// What it takes to get in: in words, and as JSON with words in the place of the secrets.
struct Needs {
    words: String,
    secrets: &'static str,
}

impl Site {
    /// A target at this moment. `data` is a word of a shell.
    pub fn of(tx: impl Tx, instance: &Instance, target: &Target, data: &str) -> Result<Site> {
        let place: Result<Place> = target.address.parse();
        // Without its secrets a general word has to do.
        let access = Goal::even_if_off(tx, instance, target).ok().map(|goal| goal.reach().access);
        let needs =
            place.as_ref().map_or_else(|_| Needs::unknown(), |place| Needs::of(place, access.as_ref()));
        let (from, how) = (quoted(&target.address), target.opening());
        let log = log(tx, target.id)?;
        let until = if log.is_some() { " --at latest" } else { "" };
        let stands = format!("{} {}", target.region, target.label).trim().to_owned();
        Ok(Site {
            id: target.id,
            name: target.name.clone(),
            address: target.address.clone(),
            kind: place.as_ref().map_or("unknown", kind),
            stands: if stands.is_empty() { "not said".into() } else { stands },
            is_on: target.is_enabled,
            schedule: target.schedule_words(),
            needs: needs.words,
            secrets: needs.secrets,
            fingerprint: target
                .host_key
                .as_ref()
                .and_then(|line| HostKey::parse(line).ok())
                .map(|key| key.fingerprint),
            backup: backups::newest_good_of(tx, target.id)?,
            drill: drills::newest_good_at(tx, &target.address)?,
            verify: format!("testkeep verify --from {from}{how}"),
            restore: format!("testkeep restore --from {from} --into {data}{how}{until}"),
            follow: target.following(&instance.data),
            log,
        })
    }
}

/// How often the log goes to a target, if it does.
fn log(tx: impl Tx, id: TargetId) -> Result<Option<String>> {
    let switch = Switch::get(tx)?;
    let chosen = shipping::chosen(tx)?.into_iter().find(|chosen| chosen.target.id == id);
    let goes = switch.is_on && chosen.is_some_and(|chosen| chosen.has_log && chosen.is_able());
    Ok(goes
        .then(|| format!("every {} s, so not much more than that is lost with --at latest", switch.seconds)))
}

fn kind(place: &Place) -> &'static str {
    match place {
        Place::Folder(_) => "a folder",
        Place::Sftp(_) => "an account on an SSH server",
        Place::S3(_) => "a bucket of an S3 store",
        Place::WebDav(_) => "a collection on a WebDAV server",
        Place::Rest(_) => "a repository on a rest-server",
    }
}

impl Needs {
    fn unknown() -> Needs {
        Needs { words: "Its address cannot be read; see its page.".into(), secrets: "" }
    }

    fn of(place: &Place, access: Option<&Access>) -> Needs {
        match place {
            Place::Folder(folder) => Needs {
                words: format!(
                    "No secret: attach its disk, or a copy of it. Where it lies elsewhere than in {}, name that \
                     folder with --from.",
                    folder.display()
                ),
                secrets: "",
            },
            Place::S3(at) => {
                let host = at.endpoint.host_str().unwrap_or_default();
                Needs::web(
                    format!(
                        "An access key that may list and read the bucket {}, and its secret. Its owner finds or makes \
                         one in the console of the store at {host}.",
                        at.bucket
                    ),
                    access,
                    r#"{"user": "ACCESS KEY", "password": "SECRET KEY"}"#,
                    r#"{"user": "ACCESS KEY", "password": "SECRET KEY", "authority": "PEM, with \n for each end of a line"}"#,
                )
            }
            Place::WebDav(url) | Place::Rest(url) => {
                let host = url.host_str().unwrap_or_default();
                Needs::web(
                    format!(
                        "The user and the password of the account at {host}. Whoever runs that server can set another one."
                    ),
                    access,
                    r#"{"user": "USER", "password": "PASSWORD"}"#,
                    r#"{"user": "USER", "password": "PASSWORD", "authority": "PEM, with \n for each end of a line"}"#,
                )
            }
            Place::Sftp(at) => {
                let (user, host) = (&at.user, &at.host);
                match access {
                    Some(Access::Ssh(ssh)) if matches!(ssh.login, Login::Password(_)) => Needs {
                        words: format!(
                            "The password of {user} at {host}. Whoever runs that server can set another one."
                        ),
                        secrets: r#"{"password": "PASSWORD"}"#,
                    },
                    _ => Needs {
                        words: format!(
                            "The private key of {user} at {host}. Where it is lost, make one (ssh-keygen -t ed25519): \
                             whoever runs that server puts its public half into authorized_keys of the account."
                        ),
                        secrets: r#"{"private_key": "THE FILE, with \n for each end of a line", "passphrase": ""}"#,
                    },
                }
            }
        }
    }

    /// With the certificate of an authority of its own, where the server has one.
    fn web(words: String, access: Option<&Access>, plain: &'static str, with_ca: &'static str) -> Needs {
        let ca = match access {
            Some(Access::Web(web)) => &web.ca,
            Some(Access::S3(keys)) => &keys.ca,
            _ => "",
        };
        if ca.is_empty() {
            return Needs { words, secrets: plain };
        }
        let more = "Its certificate is signed by an authority of its own: that authority's certificate is needed, too.";
        Needs { words: format!("{words} {more}"), secrets: with_ca }
    }
}
