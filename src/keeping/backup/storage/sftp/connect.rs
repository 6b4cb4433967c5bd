//! Connect: reaches an SSH server, knows it again by its key, and signs in.

use super::session::Session;
use crate::keeping::backup::reader::Ledger;
use crate::keeping::backup::storage::access::{Limits, Login, SshAccess};
use crate::keeping::backup::storage::line::Line;
use crate::keeping::backup::storage::place::{Place, SftpPlace};
use crate::keeping::backup::storage::retry::{Failed, Tried};
use crate::keeping::backup::storage::trouble::{self, Cause};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
    decode_secret_key,
};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The key of a server, to be confirmed by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// To store: `ssh-ed25519 AAAA…`.
    pub line: String,
    /// To compare with what the server's owner reads from `ssh-keygen -lf`: `SHA256:…`.
    pub fingerprint: String,
}

impl HostKey {
    /// Reads a stored line.
    pub fn parse(line: &str) -> Result<HostKey> {
        public(line).map(|key| HostKey::of(&key))
    }

    fn of(key: &PublicKey) -> HostKey {
        let bare = PublicKey::new(key.key_data().clone(), "");
        let line = bare.to_openssh().unwrap_or_default().trim().to_owned();
        HostKey { line, fingerprint: fingerprint(key) }
    }
}

/// Remembers the key a server shows, and accepts only the one it knows.
struct Known {
    expected: Option<PublicKey>,
    seen: Arc<Mutex<Option<PublicKey>>>,
}

impl Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = shown.public_key();
        let is_known = self.expected.as_ref().is_some_and(|known| known.key_data() == shown.key_data());
        *self.seen.lock().expect("nobody panics while holding it") = Some(shown);
        Ok(is_known)
    }
}

/// Asks an SSH server for its key, without signing in. A person has to compare the fingerprint with what the
/// server's owner says, before anything secret is sent there.
pub fn learn(place: &Place, limits: Limits) -> Result<HostKey> {
    let Place::Sftp(at) = place else {
        return Err(Error::invalid(format!("{place} is no SFTP target, so it has no host key.")));
    };
    let (line, at) = (Line::new(limits, place.to_string()), at.clone());
    let own = Arc::clone(&line);
    line.call(&Ledger::default(), move |beat| {
        let (at, line) = (at.clone(), Arc::clone(&own));
        async move {
            let (refused, seen) = beat.through(greet(&at, None, &line)).await?;
            let seen = seen.lock().expect("nobody panics while holding it").take();
            seen.map(|key| HostKey::of(&key)).ok_or_else(|| match refused {
                Err(failed) => unfit(&line, failed),
                Ok(_) => Error::internal("a server was trusted without a key").into(),
            })
        }
    })
}

/// Credentials that were read and make sense. Unlocking a key takes a while, so it is done once.
pub struct Credentials {
    host_key: PublicKey,
    proof: Proof,
}

/// What proves to the server who we are.
enum Proof {
    Password(Secret<String>),
    Key(Arc<PrivateKey>),
}

impl Credentials {
    /// Says what is wrong with them before anything is sent.
    pub fn read(access: &SshAccess) -> Result<Credentials> {
        let host_key = public(&access.host_key)?;
        let proof = match &access.login {
            Login::Password(password) => Proof::Password(password.clone()),
            Login::Key { pem, passphrase } => {
                Proof::Key(Arc::new(private(pem.expose(), passphrase.expose())?))
            }
        };
        Ok(Credentials { host_key, proof })
    }
}

/// A session on a server whose key is the confirmed one. Each of its three steps may take `connect_wait`.
pub async fn connect(at: &SftpPlace, access: &Credentials, line: &Arc<Line>) -> Tried<Session> {
    let expected = &access.host_key;
    let (greeted, seen) = greet(at, Some(expected), line).await?;
    let seen = seen.lock().expect("nobody panics while holding it").take();
    let mut handle = greeted.map_err(|failed| match seen {
        Some(key) if key.key_data() != expected.key_data() => changed(line, expected, Some(&key)),
        None if matches!(failed, russh::Error::NoCommonAlgo { .. }) => changed(line, expected, None),
        _ => lost(line, failed),
    })?;
    let signed_in = timeout(line.limits.connect_wait, sign_in(&mut handle, at, access, line));
    signed_in.await.map_err(|_| trouble::of_cause(line, Cause::Slow, "signing in took too long"))??;
    let begun = timeout(line.limits.connect_wait, Session::begin(handle, line));
    begun.await.map_err(|_| trouble::of_cause(line, Cause::Slow, "beginning SFTP took too long"))?
}

type Greeted = std::result::Result<Handle<Known>, russh::Error>;

/// Connects and exchanges keys; what the server showed stands in the second part.
async fn greet(
    at: &SftpPlace,
    expected: Option<&PublicKey>,
    line: &Line,
) -> Tried<(Greeted, Arc<Mutex<Option<PublicKey>>>)> {
    let seen = Arc::new(Mutex::new(None));
    let known = Known { expected: expected.cloned(), seen: Arc::clone(&seen) };
    let mut config = client::Config {
        keepalive_interval: Some(line.limits.silence_max.max(Duration::from_secs(4)) / 4),
        nodelay: true,
        ..client::Config::default()
    };
    // A server has several keys; the confirmed one must be asked for.
    config.preferred.key = match expected {
        Some(key) => Cow::Owned(vec![key.algorithm()]),
        None => Cow::Owned(vec![
            Algorithm::Ed25519,
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        ]),
    };
    let work = async {
        let socket = reach(at, line).await?;
        Ok::<_, Failed>(client::connect_stream(Arc::new(config), socket, known).await)
    };
    let slow = |_| trouble::of_cause(line, Cause::Slow, "connecting took too long");
    Ok((timeout(line.limits.connect_wait, work).await.map_err(slow)??, seen))
}

async fn reach(at: &SftpPlace, line: &Line) -> Tried<TcpStream> {
    let host = at.host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((host, at.port)).await;
    let found = found.map_err(|cause| trouble::of_cause(line, Cause::Name, cause))?;
    let mut last = trouble::of_cause(line, Cause::Name, "the name has no address");
    for address in found {
        match TcpStream::connect(address).await {
            Ok(socket) => {
                // Small requests must not wait for one another.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(cause) => {
                last = trouble::of_cause(line, trouble::of_io(cause.kind()).unwrap_or(Cause::NoRoute), cause);
            }
        }
    }
    Err(last)
}

async fn sign_in(handle: &mut Handle<Known>, at: &SftpPlace, access: &Credentials, line: &Line) -> Tried<()> {
    let (tried, what) = match &access.proof {
        Proof::Password(password) => {
            (handle.authenticate_password(&at.user, password.expose().as_str()).await, "password")
        }
        Proof::Key(key) => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
            (handle.authenticate_publickey(&at.user, key).await, "key")
        }
    };
    match tried.map_err(|failed| lost(line, failed))? {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => {
            let (place, user) = (&line.place, &at.user);
            let error = format!("The backup target {place} does not accept the {what} of `{user}`.");
            let hint = match what {
                "key" => "See that its public half stands in authorized_keys of that account.",
                _ => "Type it in again, and see that the server lets this account sign in with a password.",
            };
            Err(Error::unauthenticated(error).hint(hint).into())
        }
    }
}

/// A failure of the connection itself.
pub fn lost(line: &Line, failed: russh::Error) -> Failed {
    let cause = match &failed {
        russh::Error::IO(io) => trouble::of_io(io.kind()).unwrap_or(Cause::Cut),
        russh::Error::ConnectionTimeout | russh::Error::KeepaliveTimeout => Cause::Slow,
        _ => Cause::Cut,
    };
    trouble::of_cause(line, cause, failed)
}

fn unfit(line: &Line, failed: russh::Error) -> Failed {
    if !matches!(failed, russh::Error::NoCommonAlgo { .. }) {
        return lost(line, failed);
    }
    let place = &line.place;
    Error::conflict(format!("The backup target {place} has no host key or cipher that we speak."))
        .hint("Give its SSH server an Ed25519 or ECDSA host key; RSA and older ones are not used.")
        .because(failed)
        .into()
}

fn changed(line: &Line, expected: &PublicKey, shown: Option<&PublicKey>) -> Failed {
    let (place, known) = (&line.place, fingerprint(expected));
    let now = shown.map_or("another kind of key".to_owned(), fingerprint);
    Error::conflict(format!(
        "The host key of the backup target {place} changed: it was {known}, and is {now} now."
    ))
    .hint(
        "Nothing was sent. Somebody may be in between. Ask the server's owner whether the key was replaced; \
             only then confirm the new one on the page of the target.",
    )
    .into()
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn public(line: &str) -> Result<PublicKey> {
    PublicKey::from_openssh(line.trim()).map_err(|_| {
        Error::invalid("The host key of the SFTP target is missing or cannot be read.")
            .hint("Ask the server for its key, compare the fingerprint with its owner, and confirm it.")
    })
}

fn private(pem: &str, passphrase: &str) -> Result<PrivateKey> {
    if pem.len() > limits::TARGET_SECRET_BYTES_MAX {
        return Err(Error::too_large("The private key is larger than 64 KiB."));
    }
    let passphrase = (!passphrase.is_empty()).then_some(passphrase);
    // What the parser says could quote the key.
    let key = decode_secret_key(pem, passphrase).map_err(|_| {
        Error::invalid("The private key cannot be read.")
            .hint("Paste the whole file that ssh-keygen wrote, and its passphrase if it has one.")
    })?;
    if !matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) {
        return Err(Error::invalid("The private key is neither Ed25519 nor ECDSA.")
            .hint("Make one with `ssh-keygen -t ed25519`."));
    }
    Ok(key)
}
