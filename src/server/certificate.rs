//! Certificates: a chain with its key, when it ends, and how the instance makes one itself.
//!
//! Reads and makes; which pair is served at the moment is `tls`.

use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use jiff::civil;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

/// Names in the folder of our own pair.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// One day in the unit of `Timestamp`.
const DAY_MS: i64 = 24 * 3_600_000;

/// A chain and the key that belongs to it.
#[derive(Debug)]
pub struct Pair {
    /// What a handshake needs.
    pub certified: Arc<CertifiedKey>,
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

    fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Pair, String> {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|reason| reason.to_string())?;
        let first = chain.first().ok_or("there is no certificate")?;
        let not_after = not_after(first).ok_or("the end of the certificate cannot be read")?;
        let fingerprint = fingerprint(first);
        // Without the reason: it could quote the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "there is no private key")?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = Arc::new(certified.map_err(|reason| reason.to_string())?);
        Ok(Pair { certified, not_after, fingerprint })
    }

    /// Days until the end, rounded down; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.0 - now.0).div_euclid(DAY_MS)
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>> {
    let read = fs::metadata(path).and_then(|about| match about.len() {
        0..=limits::CERTIFICATE_FILE_BYTES_MAX => fs::read(path),
        _ => Err(io::Error::other("it is larger than 256 KiB")),
    });
    read.map_err(|reason| Error::invalid(format!("{} cannot be read: {reason}.", path.display())))
}

fn fingerprint(certificate: &[u8]) -> String {
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
    // Text before the first line of PEM is for people, and here for us: reading the names back from the
    // certificate would take a parser of its own.
    let title = format!("Made by Testkeep for: {}\n", names.join(", "));
    if fs::read_to_string(&certificate).is_ok_and(|pem| pem.starts_with(&title)) {
        let kept = Pair::read(&certificate, &key)?;
        if kept.days_left(now) > limits::CERTIFICATE_WARNING_DAYS {
            return Ok(kept);
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
    // A P-256 key: signing with it costs a twenty-sixth of RSA, and every handshake signs.
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut about = CertificateParams::new(names)?;
    about.distinguished_name = DistinguishedName::new();
    about.distinguished_name.push(DnType::CommonName, "Testkeep");
    about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |days: i64| {
        let at = jiff::Timestamp::from_millisecond(now.0 + days * DAY_MS).unwrap_or(jiff::Timestamp::MAX);
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |number: i8| u8::try_from(number).expect("months and days count from one");
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    // From yesterday: the clocks of those who ask may lag.
    about.not_before = day(-1);
    about.not_after = day(limits::OWN_CERTIFICATE_DAYS);
    let certificate = about.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// The end of a certificate, by walking to the one field: RFC 5280 4.1 fixes what stands before it.
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, body, _) = element(certificate)?;
    let (_, mut rest, _) = element(body)?;
    // [0] version is left out of certificates of version 1.
    const VERSION: u8 = 0xa0;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    for _serial_algorithm_issuer in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (kind, digits, _) = element(rest)?;
    moment(kind, std::str::from_utf8(digits).ok()?)
}

/// Splits off the first element of DER: its tag, what it holds, what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (held, rest) = rest.split_at_checked(length)?;
    Some((tag, held, rest))
}

fn moment(kind: u8, digits: &str) -> Option<Timestamp> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = (digits.get(..2)?.parse::<i16>().ok()?, digits.get(2..)?);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let at = civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(at.timestamp().as_millisecond()))
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
    }

    #[test]
    fn both_spellings_of_a_moment_are_understood() {
        assert_eq!(moment(0x17, "700101000001Z"), Some(Timestamp(1_000)));
        assert_eq!(moment(0x17, "491231235959Z"), Some(Timestamp(2_524_607_999_000)));
        assert_eq!(moment(0x18, "20500101000000Z"), Some(Timestamp(2_524_608_000_000)));
        assert_eq!(moment(0x17, "7"), None);
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
