//! What stands in a certificate, as far as pages show it: names, issuer, validity.
//!
//! Walks the DER of RFC 5280 to the few fields that are wanted. Not a verifier: what is trusted is decided by rustls.

use crate::kernel::time::Timestamp;
use jiff::civil;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a certificate says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Its number, as its issuer counts.
    pub serial: Vec<u8>,
    /// Who signed it.
    pub issuer: String,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// Host names and addresses it is for.
    pub names: Vec<String>,
}

/// Tags of DER.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// 2.5.4.3 and 2.5.4.10: common name, organisation.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];
/// 2.5.29.17: names of the subject.
const SUBJECT_NAMES: &[u8] = &[0x55, 0x1d, 17];

impl About {
    /// Reads a certificate; none if it is not laid out as one.
    pub fn read(certificate: &[u8]) -> Option<About> {
        let (_, body, _) = element(certificate)?;
        let (_, mut rest, _) = element(body)?;
        // [0] version is left out of certificates of version 1.
        if rest.first() == Some(&VERSION) {
            rest = element(rest)?.2;
        }
        let (_, serial, rest) = element(rest)?;
        let (_, _algorithm, rest) = element(rest)?;
        let (_, issuer, rest) = element(rest)?;
        let (_, validity, rest) = element(rest)?;
        let (kind, from, until) = element(validity)?;
        let not_before = moment(kind, std::str::from_utf8(from).ok()?)?;
        let (kind, until, _) = element(until)?;
        let not_after = moment(kind, std::str::from_utf8(until).ok()?)?;
        let (_, _subject, rest) = element(rest)?;
        let (_, _key, rest) = element(rest)?;
        let names = Elements(rest).find(|(tag, _)| *tag == EXTENSIONS).map(|(_, held)| names(held));
        Some(About {
            serial: serial.to_vec(),
            issuer: spoken(issuer),
            not_before,
            not_after,
            names: names.flatten().unwrap_or_default(),
        })
    }
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

/// The elements of a sequence, up to the first that is broken.
struct Elements<'d>(&'d [u8]);

impl<'d> Iterator for Elements<'d> {
    type Item = (u8, &'d [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, held, rest) = element(self.0)?;
        self.0 = rest;
        Some((tag, held))
    }
}

/// The common name, else the organisation.
fn spoken(name: &[u8]) -> String {
    let parts: Vec<(&[u8], &[u8])> = Elements(name)
        .flat_map(|(_, set)| Elements(set))
        .filter_map(|(_, pair)| {
            let mut pair = Elements(pair);
            Some((pair.next()?.1, pair.next()?.1))
        })
        .collect();
    let of = |wanted: &[u8]| {
        let found = parts.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, words)| String::from_utf8_lossy(words).into_owned())
    };
    of(COMMON_NAME).or_else(|| of(ORGANISATION)).unwrap_or_else(|| "nobody".to_owned())
}

fn names(extensions: &[u8]) -> Option<Vec<String>> {
    let (_, list, _) = element(extensions)?;
    let extension = Elements(list).find_map(|(_, extension)| {
        let mut parts = Elements(extension);
        let is_wanted = parts.next()?.1 == SUBJECT_NAMES;
        parts.find(|(tag, _)| *tag == OCTETS).filter(|_| is_wanted)
    })?;
    let (_, names, _) = element(extension.1)?;
    let spoken = |(tag, held): (u8, &[u8])| match tag {
        DNS_NAME => Some(String::from_utf8_lossy(held).into_owned()),
        ADDRESS => match held.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(held).ok()?).to_string()),
            _ => Some(Ipv6Addr::from(<[u8; 16]>::try_from(held).ok()?).to_string()),
        },
        _ => None,
    };
    Some(Elements(names).filter_map(spoken).collect())
}

fn moment(kind: u8, digits: &str) -> Option<Timestamp> {
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

    #[test]
    fn both_spellings_of_a_moment_are_understood() {
        assert_eq!(moment(0x17, "700101000001Z"), Some(Timestamp(1_000)));
        assert_eq!(moment(0x17, "491231235959Z"), Some(Timestamp(2_524_607_999_000)));
        assert_eq!(moment(0x18, "20500101000000Z"), Some(Timestamp(2_524_608_000_000)));
        assert_eq!(moment(0x17, "7"), None);
        assert_eq!(About::read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }

    #[test]
    fn names_issuer_and_number_are_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["tests.example.org".to_owned(), "192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
        let mut about = rcgen::CertificateParams::new(names.clone()).unwrap();
        about.distinguished_name.push(rcgen::DnType::CommonName, "Site");
        about.serial_number = Some(vec![7, 8].into());
        let read = About::read(about.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!((read.serial, read.issuer.as_str()), (vec![7, 8], "Site"));
        assert_eq!(read.names, names);
    }
}
