//! Pairs: a chain with its key, from files, from memory, or made by the instance for itself.
//!
//! Reads and makes; which pair is served at the moment is `tls`.

use super::x509::About;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use data_encoding::BASE64;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

/// Names in the folder of our own pair.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// One day in the unit of `Timestamp`.
pub(super) const DAY_MS: i64 = 24 * 3_600_000;

/// A chain and the key that belongs to it.
#[derive(Debug)]
pub struct Pair {
    /// What a handshake needs.
    pub certified: Arc<CertifiedKey>,
    /// What the first certificate of the chain says of itself.
    pub about: About,
    /// When the first certificate of the chain ends.
    pub not_after: Timestamp,
    /// SHA-256 of the first certificate, as browsers show it: `AB:CD:…`.
    pub fingerprint: String,
}

impl Pair {
    /// Reads both files and checks that the key belongs to the certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Pair> {
        let pair = Pair::from_pem(&bounded(certificate)?, &bounded(key)?);
        pair.map_err(|reason| {
            let (certificate, key) = (certificate.display(), key.display());
            Error::invalid(format!("{certificate} and {key} are no certificate with its key: {reason}."))
                .hint("Both are PEM; the certificate of this host comes first, those that signed it follow.")
        })
    }

    /// Takes both from memory and checks that they belong together; says in words what does not fit.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Pair, String> {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|reason| reason.to_string())?;
        let first = chain.first().ok_or("there is no certificate")?;
        let about = About::read(first).ok_or("the certificate cannot be read")?;
        let fingerprint = fingerprint(first);
        // Without the reason: it could quote the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "there is no private key")?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = Arc::new(certified.map_err(|reason| reason.to_string())?);
        Ok(Pair { certified, not_after: about.not_after, about, fingerprint })
    }

    /// Days until the end, rounded down; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.0 - now.0).div_euclid(DAY_MS)
    }

    /// How long it is good in all, in milliseconds.
    pub fn lifetime_ms(&self) -> i64 {
        self.not_after.0 - self.about.not_before.0
    }

    /// From how many days before its end it is warned of: a third of its life, and a month at most.
    pub fn warning_days(&self) -> i64 {
        limits::CERTIFICATE_WARNING_DAYS.min(self.lifetime_ms() / DAY_MS / 3)
    }

    /// Why it cannot take the place of one that is good; none if it can.
    pub fn refusal(&self, now: Timestamp) -> Option<String> {
        match now {
            now if now >= self.not_after => Some(format!("the new certificate ended at {}", self.not_after)),
            now if now < self.about.not_before => {
                Some(format!("the new certificate is good from {} only", self.about.not_before))
            }
            _ => None,
        }
    }

    /// The chain as it is shown in handshakes, in PEM.
    pub fn chain(&self) -> String {
        self.certified.cert.iter().map(|certificate| pem(certificate)).collect()
    }
}

/// A certificate in PEM.
pub(super) fn pem(certificate: &[u8]) -> String {
    const LINE_CHARS: usize = 64;
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let letters = BASE64.encode(certificate);
    for line in letters.as_bytes().chunks(LINE_CHARS) {
        let line = std::str::from_utf8(line).expect("base64 is ASCII");
        writeln!(text, "{line}").expect("writing to a string cannot fail");
    }
    text + "-----END CERTIFICATE-----\n"
}

fn bounded(path: &Path) -> Result<Vec<u8>> {
    let read = fs::metadata(path).and_then(|about| match about.len() {
        0..=limits::CERTIFICATE_FILE_BYTES_MAX => fs::read(path),
        _ => Err(io::Error::other("it is larger than 256 KiB")),
    });
    read.map_err(|reason| Error::invalid(format!("{} cannot be read: {reason}.", path.display())))
}

/// SHA-256 of a certificate, as browsers show it.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Whether the instance has made itself a pair in this folder.
pub fn is_in(folder: &Path) -> bool {
    folder.join(CERTIFICATE).exists()
}

/// The pair that the instance made itself.
pub fn in_folder(folder: &Path) -> Result<Pair> {
    Pair::read(&folder.join(CERTIFICATE), &folder.join(KEY))
}

/// The pair that the instance makes itself: kept in the folder, made anew when it nears its end or when the
/// names have changed.
pub fn own(folder: &Path, names: &[String], now: Timestamp) -> Result<Pair> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    // Text before the first line of PEM is for people, and here for us: which names were asked for.
    let title = format!("Made by Testkeep for: {}\n", names.join(", "));
    if fs::read_to_string(&certificate).is_ok_and(|pem| pem.starts_with(&title)) {
        // Two files cannot be exchanged at once: where the second of them was not, both are made anew.
        match Pair::read(&certificate, &key) {
            Ok(kept) if kept.days_left(now) > limits::CERTIFICATE_WARNING_DAYS => return Ok(kept),
            Ok(_) => {}
            Err(reason) => tracing::warn!(?reason, "our own certificate cannot be used, so it is made anew"),
        }
    }
    let (pem, private) = make(names, now).map_err(|reason| {
        Error::invalid(format!("No certificate can be made for {}: {reason}.", names.join(", ")))
            .hint("The option `tls_names` takes host names and addresses.")
    })?;
    durable::replace(&key, private.as_bytes())?;
    durable::replace(&certificate, (title + &pem).as_bytes())?;
    Pair::read(&certificate, &key)
}

fn make(names: &[String], now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let key = new_key()?;
    let mut about = CertificateParams::new(names)?;
    about.distinguished_name = DistinguishedName::new();
    about.distinguished_name.push(DnType::CommonName, "Testkeep");
    about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    good_for(&mut about, now, limits::OWN_CERTIFICATE_DAYS);
    let certificate = about.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// A P-256 key: signing with it costs a twenty-sixth of RSA, and every handshake signs.
pub(super) fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
}

/// Good for this many days, and from yesterday: the clocks of those who ask may lag.
pub(super) fn good_for(about: &mut CertificateParams, now: Timestamp, days: i64) {
    let second = |ms: i64| Duration::from_secs(u64::try_from(ms / 1_000).unwrap_or_default());
    let start = rcgen::date_time_ymd(1970, 1, 1);
    about.not_before = start + second(now.0 - DAY_MS);
    about.not_after = start + second(now.0 + days * DAY_MS);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_219_200_000);

    #[test]
    fn our_own_certificate_is_kept_until_it_nears_its_end_or_the_names_change() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let first = own(place.path(), &names, NOW).unwrap();
        assert_eq!(first.days_left(NOW), limits::OWN_CERTIFICATE_DAYS);
        let again = own(place.path(), &names, Timestamp(NOW.0 + 700 * DAY_MS)).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        let later = own(place.path(), &names, Timestamp(NOW.0 + 800 * DAY_MS)).unwrap();
        assert_ne!(first.fingerprint, later.fingerprint);
        let renamed = own(place.path(), &names[..1], NOW).unwrap();
        assert_ne!(later.fingerprint, renamed.fingerprint);
        let mode = fs::metadata(place.path().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Pair::from_pem(renamed.chain().as_bytes(), b"").unwrap_err(), "there is no private key");
    }

    #[test]
    fn f21_a_renewal_of_our_own_certificate_that_was_cut_between_its_files_is_made_up_for() {
        let place = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let first = own(place.path(), &names, NOW).unwrap();
        let key = new_key().unwrap().serialize_pem();
        for cut in [key.as_str(), &key[..100], ""] {
            fs::write(place.path().join(KEY), cut).unwrap();
            let next = own(place.path(), &names, NOW).unwrap();
            assert_ne!(first.fingerprint, next.fingerprint);
            assert_eq!(own(place.path(), &names, NOW).unwrap().fingerprint, next.fingerprint);
        }
    }
}
