//! The authority of the instance: a root of its own that signs its server certificate and those of clients.
//!
//! The root says which names it may sign for, so whoever trusts it trusts it for nothing else. Its key lies sealed
//! in the database and leaves it for the moment of a signature.

use super::pair::{self, Pair};
use super::{AUTHORITY_MADE, AUTHORITY_REPLACED, CLIENT_ISSUED, CLIENT_REVOKED, sql};
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ClientCertificateId;
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::people::sessions;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::IpAddr;

/// What its key is sealed for.
pub(super) const ABOUT: &str = "authority";
/// Bits of an address that a root may sign for: just this one.
const ADDRESS_BITS_V4: u8 = 32;
const ADDRESS_BITS_V6: u8 = 128;

/// The authority as it is stored.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The name it signs with.
    pub name: String,
    /// Its certificate in PEM: what people install.
    pub certificate: String,
    /// Its key, sealed.
    pub(super) key: Vec<u8>,
    /// Names and addresses it may sign for.
    pub names: Vec<String>,
    /// Since when it exists.
    pub made_at: Timestamp,
}

/// A client certificate as it is stored: its key is nowhere.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its number.
    pub id: ClientCertificateId,
    /// Whose it is.
    pub name: String,
    /// When it was issued.
    pub made_at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Since when it counts no more.
    pub revoked_at: Option<Timestamp>,
}

/// A client certificate with its key: shown once.
#[derive(Debug)]
pub struct NewClient {
    /// Its number.
    pub id: ClientCertificateId,
    /// Key, certificate and root, in PEM.
    pub pem: Secret<String>,
}

impl Authority {
    /// SHA-256 of its certificate, to compare before installing it.
    pub fn fingerprint(&self) -> String {
        self.der().map(|der| pair::fingerprint(&der)).unwrap_or_default()
    }

    /// Its certificate as verifiers take it.
    pub(super) fn der(&self) -> Option<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).ok()
    }

    /// Signs a server certificate for those of these names that it may sign for. Gives chain and key in PEM.
    pub(super) fn sign_server(
        &self,
        instance: &Instance,
        names: &[String],
        now: Timestamp,
    ) -> Result<(String, Secret<String>)> {
        let allowed: Vec<String> = names.iter().filter(|name| self.may_sign_for(name)).cloned().collect();
        let mut about = CertificateParams::new(allowed).map_err(Error::internal)?;
        about.distinguished_name = common_name("Testkeep");
        about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        pair::good_for(&mut about, now, limits::AUTHORITY_LEAF_DAYS);
        let signed = self.sign(instance, about)?;
        Ok((signed.certificate, signed.key))
    }

    /// Whether the root says that it may sign for this name: itself, or what lies below it.
    fn may_sign_for(&self, name: &str) -> bool {
        let is_below =
            |allowed: &String| name.strip_suffix(allowed.as_str()).is_some_and(|rest| rest.ends_with('.'));
        self.names.iter().any(|allowed| allowed == name || is_below(allowed))
    }

    fn sign(&self, instance: &Instance, mut about: CertificateParams) -> Result<Signed> {
        let key = pair::new_key().map_err(Error::internal)?;
        let serial = serial();
        about.serial_number = Some(serial.clone().into());
        about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        about.use_authority_key_identifier_extension = true;
        let unsealed = instance.unseal(ABOUT, &self.key)?;
        let pem = Secret::new(String::from_utf8_lossy(unsealed.expose()).into_owned());
        let root = KeyPair::from_pem(pem.expose()).map_err(Error::internal)?;
        let issuer = Issuer::new(root_params(&self.name, &self.names, self.made_at), root);
        let certificate = about.signed_by(&key, &issuer).map_err(Error::internal)?.pem();
        Ok(Signed { certificate, key: Secret::new(key.serialize_pem()), serial })
    }
}

struct Signed {
    certificate: String,
    key: Secret<String>,
    serial: Vec<u8>,
}

/// Makes the authority. Errors: `Conflict` if there is one.
pub fn make<'t>(
    tx: Write<'t, InstanceKeep>,
    instance: &Instance,
    names: &[String],
) -> Result<Audited<'t, Authority>> {
    sessions::demand_proof(tx)?;
    if sql::authority(tx)?.is_some() {
        return Err(Error::conflict("There is an authority already.").hint(
            "Replace it if its key or its names are wrong: every machine must trust the new one then.",
        ));
    }
    let authority = grown(tx, instance, names)?;
    tx.audited(AUTHORITY_MADE.alone(), authority)
}

/// Puts another one in its place. What the one before has signed counts no more.
pub fn replace<'t>(
    tx: Write<'t, InstanceKeep>,
    instance: &Instance,
    names: &[String],
) -> Result<Audited<'t, Authority>> {
    sessions::demand_proof(tx)?;
    let revoked = sql::revoke_all(tx)?;
    let authority = grown(tx, instance, names)?;
    tx.audited(AUTHORITY_REPLACED.alone().count("revoked", revoked), authority)
}

fn grown(tx: Write<'_, InstanceKeep>, instance: &Instance, names: &[String]) -> Result<Authority> {
    let name = format!("Testkeep authority {}", data_encoding::HEXLOWER.encode(&random::bytes::<4>()));
    // By the clock of the machine that others judge it by, which in tests is not that of the data.
    let now = crate::kernel::time::Clock::System.now();
    let key = pair::new_key().map_err(Error::internal)?;
    let mut about = root_params(&name, names, now);
    about.serial_number = Some(serial().into());
    let certificate = about.self_signed(&key).map_err(Error::internal)?.pem();
    let key = instance.seal(ABOUT, Secret::new(key.serialize_pem()).expose().as_bytes())?;
    let authority = Authority { name, certificate, key, names: names.to_vec(), made_at: now };
    sql::put_authority(tx, &authority)?;
    Ok(authority)
}

/// What the root says of itself. Signing needs the same words again.
fn root_params(name: &str, names: &[String], now: Timestamp) -> CertificateParams {
    let subtree = |name: &String| match name.parse::<IpAddr>() {
        Ok(address) => {
            let bits = if address.is_ipv4() { ADDRESS_BITS_V4 } else { ADDRESS_BITS_V6 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
        }
        Err(_) => GeneralSubtree::DnsName(name.clone()),
    };
    let mut about = CertificateParams::default();
    about.distinguished_name = common_name(name);
    about.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    about.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    about.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.iter().map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    });
    pair::good_for(&mut about, now, limits::AUTHORITY_DAYS);
    about
}

fn common_name(name: &str) -> DistinguishedName {
    let mut words = DistinguishedName::new();
    words.push(DnType::CommonName, name);
    words
}

/// A number nobody can guess; its first bit is clear, since it must not be negative.
fn serial() -> Vec<u8> {
    let mut bytes = random::bytes::<16>().to_vec();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes
}

/// Issues a client certificate. Its key is in the answer and nowhere else.
pub fn issue<'t>(
    tx: Write<'t, InstanceKeep>,
    instance: &Instance,
    name: &str,
    days: i64,
) -> Result<Audited<'t, NewClient>> {
    sessions::demand_proof(tx)?;
    let name = checked(name)?;
    if !(1..=limits::CLIENT_CERTIFICATE_DAYS_MAX).contains(&days) {
        let most = limits::CLIENT_CERTIFICATE_DAYS_MAX;
        return Err(Error::invalid(format!("A client certificate is good for 1 to {most} days.")));
    }
    let authority = sql::authority(tx)?.ok_or_else(missing)?;
    let mut about = CertificateParams::default();
    // With a space in it no verifier takes the name for that of a host, which the root may not sign for.
    about.distinguished_name = common_name(&format!("Testkeep client {name}"));
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let now = crate::kernel::time::Clock::System.now();
    pair::good_for(&mut about, now, days);
    let signed = authority.sign(instance, about)?;
    let until = Timestamp(now.0 + days * pair::DAY_MS);
    let id = sql::insert_client(tx, &signed.serial, name, until)?;
    let pem =
        Secret::new([signed.key.expose().as_str(), &signed.certificate, &authority.certificate].concat());
    tx.audited(CLIENT_ISSUED.of(id).count("days", days), NewClient { id, pem })
}

/// Takes a client certificate out of service, from the next handshake on.
pub fn revoke(tx: Write<'_, InstanceKeep>, id: ClientCertificateId) -> Result<Audited<'_, ()>> {
    sessions::demand_proof(tx)?;
    if !sql::revoke(tx, id)? {
        return Err(Error::not_found(format!("There is no client certificate {} in service.", id.0)));
    }
    tx.audited(CLIENT_REVOKED.of(id), ())
}

/// The authority, if there is one.
pub fn get(tx: impl Tx) -> Result<Option<Authority>> {
    sql::authority(tx)
}

/// The client certificates, those in service first.
pub fn clients(tx: impl Tx) -> Result<Vec<Client>> {
    sql::clients(tx)
}

/// There is none yet, and what to do.
pub fn missing() -> Error {
    Error::not_found("This instance has no authority of its own.")
        .hint("Make one on the page of the certificate, or with `testkeep ca init`.")
}

fn checked(name: &str) -> Result<&str> {
    let name = name.trim();
    let is_fine = |letter: char| !letter.is_control();
    if name.is_empty() || name.chars().count() > limits::NAME_CHARS_MAX || !name.chars().all(is_fine) {
        return Err(Error::invalid("This name does not fit.")
            .hint(format!("Write 1 to {} characters: whose certificate it is.", limits::NAME_CHARS_MAX)));
    }
    Ok(name)
}

/// Chain and key as a handshake needs them.
pub(super) fn paired(chain: &str, key: &Secret<String>) -> Result<Pair> {
    Pair::from_pem(chain.as_bytes(), key.expose().as_bytes()).map_err(|reason| {
        Error::invalid(format!("The stored certificate cannot be used: {reason}."))
            .hint("Press “Renew now” on the page of the certificate.")
    })
}
