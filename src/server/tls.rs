//! TLS at the listeners: protocols, ciphers, and who must show a certificate.
//!
//! Which certificate is shown, and whose are believed, is decided in `keeping::certificates`.

pub use crate::keeping::certificates::{Tls, on_disk};

use crate::keeping::certificates::{ACME_TLS, Clients};
use crate::kernel::error::{Error, Result};
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ServerConfig, WantsServerCert};
use rustls::version::{TLS12, TLS13};
use rustls::{ConfigBuilder, WantsVerifier};
use std::sync::Arc;

/// Settings of the listeners for everybody: TLS 1.2 and 1.3, forward secrecy always. Understands as well the
/// protocol by which a directory looks whether a name is ours.
pub fn config(tls: &Arc<Tls>) -> Result<ServerConfig> {
    let mut config = shown(builder()?.with_no_client_auth(), tls);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), ACME_TLS.to_vec()];
    Ok(config)
}

/// Settings of the listener for administrators: the same, and nobody comes in without a certificate.
pub fn admin_config(tls: &Arc<Tls>, clients: &Arc<Clients>) -> Result<ServerConfig> {
    let mut config = shown(builder()?.with_client_cert_verifier(Arc::clone(clients) as _), tls);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A session that is taken up again is not asked for its certificate, and it may be revoked by then.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>> {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(Error::internal)
}

fn shown(builder: ConfigBuilder<ServerConfig, WantsServerCert>, tls: &Arc<Tls>) -> ServerConfig {
    builder.with_cert_resolver(Arc::clone(tls) as _)
}
