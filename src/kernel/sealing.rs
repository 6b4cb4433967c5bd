//! Sealing small values: XChaCha20-Poly1305 with a random nonce in front, and key derivation.

use super::random;
use super::secret::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;

/// A key of 256 bits.
pub type Key = Secret<[u8; 32]>;

/// Bytes of the nonce that stands before what is sealed.
const NONCE_BYTES: usize = 24;

/// The nonce, the sealed bytes and their tag. `about` is bound to them and must be given again.
pub fn seal(key: &Key, about: &str, plain: &[u8]) -> Vec<u8> {
    let nonce = random::bytes::<NONCE_BYTES>();
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: about.as_bytes() })
        .expect("the cipher takes values of this size");
    [&nonce[..], &sealed].concat()
}

/// What was sealed; `None` if the key is another one or a bit was changed.
pub fn unseal(key: &Key, about: &str, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let plain = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: about.as_bytes() });
    plain.ok().map(Secret::new)
}

/// Another key from a secret of full strength: HKDF-SHA256 without salt. `purpose` keeps its uses apart.
pub fn derive(secret: &[u8], purpose: &str) -> Key {
    let mut key = [0; 32];
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(purpose.as_bytes(), &mut key);
    expanded.expect("HKDF gives 32 bytes");
    Secret::new(key)
}
