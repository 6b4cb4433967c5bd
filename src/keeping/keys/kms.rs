//! Key service: has the secret of its slot encrypted and decrypted by a Vault-style transit engine.
//!
//! The service never sees the master key, and its own key never leaves it. What it decrypts is a secret of 256
//! random bits that opens one slot of the keyring; taking that slot, or the key there, away is enough. Speaks
//! the HTTP of HashiCorp Vault and of OpenBao: `transit/encrypt`, `transit/decrypt`, `auth/approle/login`.

use crate::keeping::backup::storage::Limits;
use crate::keeping::backup::storage::http::{Ask, Http};
use crate::keeping::backup::storage::line::{Beat, Line, Party};
use crate::keeping::backup::storage::retry::{Failed, Tried};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::KmsNote;
use crate::kernel::limits;
use crate::kernel::options::{Kms, KmsIdentity};
use crate::kernel::random;
use crate::kernel::secret::Secret;
use bytes::Bytes;
use data_encoding::BASE64;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use zeroize::Zeroizing;

const SERVICE: Party = Party {
    what: "key service",
    way: "See that it runs, and look at the network on the way there. The recovery kit opens the instance without it.",
    trust: "If an authority of your own signed it, name that authority's certificate with `kms_ca`.",
    waits_for_names: true,
};

/// How long to wait for a service that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// Somebody sits at a command.
    Command,
    /// A server starts, perhaps together with the service.
    Start,
}

/// A key service.
pub struct KeyService {
    options: Kms,
    /// Folder in which the service manager hands over files that are guarded by means of its own.
    guarded: Option<std::path::PathBuf>,
    http: Http,
}

/// What shows the service who we are: a token, and whether it is to be given back.
struct Pass {
    token: Secret<String>,
    is_lent: bool,
}

impl KeyService {
    /// The service of these options; asks it nothing yet. `guarded` is the folder of the service manager.
    pub fn new(options: &Kms, guarded: Option<&Path>, patience: Patience) -> Result<KeyService> {
        let ca = options.authority.as_deref().map(|path| text(path, limits::CERTIFICATE_FILE_BYTES_MAX));
        let ca = ca.transpose()?.unwrap_or_default();
        let line = Line::to(&SERVICE, patience.limits(), options.address.clone());
        let (options, guarded) = (options.clone(), guarded.map(Path::to_owned));
        Ok(KeyService { options, guarded, http: Http::new(line, &ca)? })
    }

    /// A new secret for the slot of the service, and what the service made of it. Has it decrypted once as well:
    /// a token that may not do that would lock the next start out.
    pub fn make_secret(&self) -> Result<(Secret<[u8; 32]>, KmsNote)> {
        let secret = Secret::new(random::bytes::<32>());
        let key = self.options.key.clone();
        let body = json!({ "plaintext": BASE64.encode(secret.expose()) });
        let answer = self.ask("encrypt", &key, &body)?;
        let ciphertext = answer["data"]["ciphertext"].as_str().ok_or_else(|| self.wrong("no ciphertext"))?;
        let note = KmsNote { key, ciphertext: ciphertext.to_owned() };
        if self.secret(&note)? != secret {
            return Err(self.wrong("something else than what it was given"));
        }
        Ok((secret, note))
    }

    /// The secret that was made into this.
    pub fn secret(&self, note: &KmsNote) -> Result<Secret<[u8; 32]>> {
        let answer = self.ask("decrypt", &note.key, &json!({ "ciphertext": note.ciphertext }))?;
        let plain = answer["data"]["plaintext"].as_str().map(|text| BASE64.decode(text.as_bytes()));
        let plain = plain.and_then(std::result::Result::ok).map(Zeroizing::new);
        let plain = plain.and_then(|plain| <[u8; 32]>::try_from(plain.as_slice()).ok());
        plain.map(Secret::new).ok_or_else(|| self.wrong("no secret of ours"))
    }

    /// Has one thing done with a key there, as often as it takes while a cause may pass.
    fn ask(&self, verb: &'static str, key: &str, body: &Value) -> Result<Value> {
        let path = format!("{}/{verb}/{key}", self.options.mount);
        let (path, body) = (&path, &body.to_string());
        alone(self.http.line.attempts(|beat| async move {
            let pass = self.sign_in(&beat).await?;
            let done = self.post(path, Some(&pass.token), body, &beat).await;
            if pass.is_lent {
                // It ends by itself as well; whether this succeeds changes nothing.
                let _ = self.post("auth/token/revoke-self", Some(&pass.token), "{}", &beat).await;
            }
            done.map_err(|refused| self.refused(refused, verb, key))
        }))
    }

    async fn sign_in(&self, beat: &Beat) -> Tried<Pass> {
        match &self.options.identity {
            KmsIdentity::Token(file) => Ok(Pass { token: self.word_in(file)?, is_lent: false }),
            KmsIdentity::Role { id, secret_file, mount } => {
                let secret = self.word_in(secret_file)?;
                let body = Zeroizing::new(json!({ "role_id": id, "secret_id": secret.expose() }).to_string());
                let answer = self.post(&format!("auth/{mount}/login"), None, &body, beat).await;
                let answer = answer.map_err(|refused| match refused {
                    Refused::Passing(failed) => failed,
                    Refused::Answered(_, said) => Error::unauthenticated(format!(
                        "The {} does not let the role `{id}` sign in.",
                        self.http.line.end()
                    ))
                    .hint("Look at `kms_role_id`, `kms_secret_id_file` and `kms_role_mount`; secret ids expire.")
                    .because(said)
                    .into(),
                })?;
                let token = answer["auth"]["client_token"].as_str();
                let token = token.ok_or_else(|| self.wrong("no token"))?;
                Ok(Pass { token: Secret::new(token.to_owned()), is_lent: true })
            }
        }
    }

    async fn post(
        &self,
        path: &str,
        token: Option<&Secret<String>>,
        body: &str,
        beat: &Beat,
    ) -> std::result::Result<Value, Refused> {
        let url = Url::parse(&format!("{}/v1/{path}", self.options.address)).map_err(Error::internal)?;
        let mut ask = Ask::new(Method::POST, url).header("x-vault-request", "true")?;
        if let Some(namespace) = &self.options.namespace {
            ask = ask.header("x-vault-namespace", namespace)?;
        }
        if let Some(token) = token {
            ask = ask.header("x-vault-token", token.expose())?;
        }
        let ask = ask.body(&[Bytes::copy_from_slice(body.as_bytes())]);
        let answer = self.http.send(ask, beat).await?;
        let status = answer.status();
        let told = self.http.read(answer, limits::KMS_ANSWER_BYTES_MAX, beat).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&told).unwrap_or_default());
        }
        let said: String =
            String::from_utf8_lossy(&told).chars().filter(|c| !c.is_control()).take(500).collect();
        let end = self.http.line.end();
        let is_sealed = said.contains("sealed");
        match status.as_u16() {
            503 if is_sealed => Err(Failed::passing(
                Error::busy(format!("The {end} is sealed."))
                    .hint("Unseal it. The recovery kit opens the instance without it.")
                    .because(said),
            )
            .into()),
            408 | 412 | 425 | 429 | 472 | 473 | 500..=599 => Err(Failed::passing(
                Error::busy(format!("The {end} cannot answer now ({status})."))
                    .hint(SERVICE.way)
                    .because(said),
            )
            .into()),
            _ => Err(Refused::Answered(status, said)),
        }
    }

    /// A refusal that stays, in words.
    fn refused(&self, refused: Refused, verb: &str, key: &str) -> Failed {
        let (status, said) = match refused {
            Refused::Passing(failed) => return failed,
            Refused::Answered(status, said) => (status, said),
        };
        let (end, mount) = (self.http.line.end(), &self.options.mount);
        let error = match status.as_u16() {
            401 | 403 => Error::forbidden(format!("The {end} does not let us {verb} with the key `{key}`."))
                .hint(format!(
                    "The token may have expired, or its policy lacks `update` on {mount}/{verb}/{key}."
                )),
            404 => Error::not_found(format!("The {end} has no key `{key}` at `{mount}`."))
                .hint("Look at `kms_key`, `kms_mount` and `kms_namespace`."),
            300..=399 => Error::conflict(format!("The {end} sends us elsewhere."))
                .hint("Name the active node with `kms_address`; redirects are not followed with a token."),
            _ => Error::invalid(format!("The {end} could not {verb} with the key `{key}`.")).hint(
                "Its key may be another one by now, or the version that we need was retired there. The recovery \
                 kit opens the instance without it.",
            ),
        };
        error.because(format!("it answered {status}: {said}")).into()
    }

    /// The first line of a file that only its owner may read.
    fn word_in(&self, file: &Path) -> Result<Secret<String>> {
        let is_guarded = self.guarded.as_ref().is_some_and(|folder| file.starts_with(folder));
        let mode = std::fs::metadata(file).map_or(0, |about| about.permissions().mode());
        if !is_guarded && mode & 0o077 != 0 {
            let shown = file.display();
            return Err(Error::conflict(format!("Others may read {shown} (mode {:03o}).", mode & 0o777))
                .hint(format!("Close it with: chmod 600 {shown}")));
        }
        let text = Zeroizing::new(text(file, limits::KMS_TOKEN_BYTES_MAX)?);
        let word = text.trim();
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(format!("{} holds no token and no secret id.", file.display())));
        }
        Ok(Secret::new(word.to_owned()))
    }

    fn wrong(&self, what: &str) -> Error {
        Error::invalid(format!("The {} gave {what}.", self.http.line.end()))
            .hint("See that `kms_address` is Vault, OpenBao, or a service that speaks as they do.")
    }
}

/// Why a request came to nothing.
enum Refused {
    /// It did not get that far.
    Passing(Failed),
    /// The service said no.
    Answered(StatusCode, String),
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Refused {
        Refused::Passing(failed)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Passing(error.into())
    }
}

impl Patience {
    /// For how long a service may be away.
    pub fn longest(self) -> Duration {
        match self {
            Patience::Command => limits::KMS_COMMAND_WAIT,
            Patience::Start => limits::KMS_START_WAIT,
        }
    }

    fn limits(self) -> Limits {
        Limits {
            connect_wait: limits::KMS_CONNECT_WAIT,
            silence_max: limits::KMS_SILENCE_MAX,
            tries_max: u32::MAX,
            tries_for: self.longest(),
            retry_pause: limits::KMS_RETRY_PAUSE,
            ..Limits::default()
        }
    }
}

/// Runs this on a thread and a runtime of its own that end with it: a thread that began before the sandbox would
/// stay outside for good.
fn alone<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let run = || Builder::new_current_thread().enable_all().build().map_err(Error::internal)?.block_on(work);
    thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|_| Err(Error::internal("asking the key service panicked")))
}

/// A small file, whole.
fn text(path: &Path, bytes_max: u64) -> Result<String> {
    let unreadable = |cause: std::io::Error| {
        Error::not_found(format!("{} cannot be read: {cause}.", path.display()))
            .hint("Look at the options of the key service: `testkeep doctor` shows them.")
    };
    let mut text = String::new();
    File::open(path).map_err(unreadable)?.take(bytes_max).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}
