//! Clients: who may come in at the listener of the administrators, by the certificate they show.
//!
//! Asked at every handshake, so that a certificate taken out of service opens nothing from the next one on.

use super::x509::About;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, RwLock};

/// Judges certificates of clients by what is known at that moment.
#[derive(Debug)]
pub struct Clients {
    provider: CryptoProvider,
    known: RwLock<Known>,
}

/// Nobody comes in while no authority is known.
#[derive(Debug, Default)]
struct Known {
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// Numbers in service; none if the authority is somebody else's, who keeps that list.
    serials: Option<HashSet<Vec<u8>>>,
}

impl Clients {
    /// Nobody is known yet.
    pub(super) fn new() -> Clients {
        Clients { provider: ring::default_provider(), known: RwLock::default() }
    }

    /// From now on those come in whose certificate an authority in this file has signed.
    pub(super) fn trust_file(&self, path: &Path) -> Result<()> {
        let shown = path.display();
        let unreadable = |reason: String| {
            Error::invalid(format!("The authority of `admin_ca` in {shown} cannot be used: {reason}."))
                .hint("It is a PEM file with one certificate or several.")
        };
        let about = std::fs::metadata(path).map_err(|reason| unreadable(reason.to_string()))?;
        if about.len() > limits::CERTIFICATE_FILE_BYTES_MAX {
            return Err(unreadable("it is larger than 256 KiB".into()));
        }
        let pem = std::fs::read(path).map_err(|reason| unreadable(reason.to_string()))?;
        let roots = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let verifier = self.verifier(roots.map_err(|reason| unreadable(reason.to_string()))?);
        self.learn(Known { verifier: Some(verifier.map_err(unreadable)?), serials: None });
        Ok(())
    }

    /// From now on those come in whose certificate this root has signed and whose number is in the list.
    pub(super) fn trust_root(&self, root: CertificateDer<'static>, serials: HashSet<Vec<u8>>) -> Result<()> {
        let verifier = self.verifier(vec![root]).map_err(Error::internal)?;
        self.learn(Known { verifier: Some(verifier), serials: Some(serials) });
        Ok(())
    }

    fn verifier(&self, roots: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(|reason| reason.to_string())?;
        }
        let provider = Arc::new(self.provider.clone());
        WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|reason| reason.to_string())
    }

    fn learn(&self, known: Known) {
        *self.known.write().expect("nobody panics while holding it") = known;
    }
}

impl ClientCertVerifier for Clients {
    /// No hint: which authority it is concerns those who have its certificates, and it may change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let known = self.known.read().expect("nobody panics while holding it");
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let verifier = known.verifier.as_ref().ok_or_else(unknown)?;
        let verified = verifier.verify_client_cert(certificate, intermediates, now)?;
        let Some(serials) = &known.serials else { return Ok(verified) };
        let serial = About::read(certificate).map(|about| about.serial);
        match serial.is_some_and(|serial| serials.contains(&serial)) {
            true => Ok(verified),
            false => Err(rustls::Error::InvalidCertificate(CertificateError::Revoked)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
