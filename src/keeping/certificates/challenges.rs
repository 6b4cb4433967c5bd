//! Challenges: what a directory finds when it looks whether a name is ours.
//!
//! They stand here while an order is under way and are gone afterwards; nothing of them is stored.

use rcgen::{CertificateParams, CustomExtension};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

/// The protocol of a handshake that is a challenge (RFC 8737).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// The answers that are ready.
#[derive(Debug, Default)]
pub struct Challenges {
    /// What is answered over plain HTTP, by token.
    files: RwLock<HashMap<String, String>>,
    /// What is shown in a handshake, by the name that is asked for.
    handshakes: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

/// Takes all answers away when it goes, however the order ended.
pub(super) struct Posted<'c>(&'c Challenges);

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        self.0.files.write().expect("nobody panics while holding it").clear();
        self.0.handshakes.write().expect("nobody panics while holding it").clear();
    }
}

impl Challenges {
    /// What is answered at `/.well-known/acme-challenge/TOKEN`.
    pub fn file(&self, token: &str) -> Option<String> {
        self.files.read().expect("nobody panics while holding it").get(token).cloned()
    }

    /// What is shown in a handshake for this name.
    pub(super) fn handshake(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.handshakes.read().expect("nobody panics while holding it").get(name).cloned()
    }

    /// Answers may be put up as long as the guard lives.
    pub(super) fn posting(&self) -> Posted<'_> {
        Posted(self)
    }

    pub(super) fn post_file(&self, token: &str, answer: &str) {
        let mut files = self.files.write().expect("nobody panics while holding it");
        files.insert(token.to_owned(), answer.to_owned());
    }

    /// Puts up a certificate that holds the digest of the answer, for handshakes only.
    pub(super) fn post_handshake(&self, name: &str, digest: &[u8]) -> Result<(), rcgen::Error> {
        let key = super::pair::new_key()?;
        let mut about = CertificateParams::new([name.to_owned()])?;
        about.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = about.self_signed(&key)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Not by `from_der`: it refuses the extension that makes this a challenge, because it does not know it.
        let signing =
            ring::sign::any_supported_type(&private).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], signing);
        let mut handshakes = self.handshakes.write().expect("nobody panics while holding it");
        handshakes.insert(asked_as(name), Arc::new(certified));
        Ok(())
    }
}

/// How a name is asked for in a handshake: an address goes by its reverse name (RFC 8738).
fn asked_as(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(address)) => {
            let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            digits.map(|digit| format!("{digit:x}.")).collect::<String>() + "ip6.arpa"
        }
        Err(_) => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_by_its_reverse_name() {
        assert_eq!(asked_as("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert!(asked_as("2001:db8::1").starts_with("1.0.0.0."));
        assert!(asked_as("2001:db8::1").ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
        assert_eq!(asked_as("Tests.example.org"), "tests.example.org");
    }

    #[test]
    fn nothing_of_a_challenge_stays() {
        let challenges = Challenges::default();
        let posted = challenges.posting();
        challenges.post_file("token", "answer");
        challenges.post_handshake("localhost", &[7; 32]).unwrap();
        assert_eq!(challenges.file("token").as_deref(), Some("answer"));
        assert!(challenges.handshake("localhost").is_some());
        drop(posted);
        assert_eq!(challenges.file("token"), None);
        assert!(challenges.handshake("localhost").is_none());
    }
}
