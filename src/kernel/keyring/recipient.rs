//! Wrapping for a recipient who is not there: the master key reaches a slot by its public key.
//!
//! X25519 with a fresh sender each time, so that the master key can change while the recovery kit
//! lies in its drawer. The anchor, a key that only an opened keyring and the slot's own secret give,
//! goes into the derivation too: who knows the public key alone can make nothing that opens, and
//! breaking X25519 alone opens nothing.

use crate::kernel::random;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
use curve25519_dalek::MontgomeryPoint;
use zeroize::Zeroizing;

/// Bytes of a public key.
pub(super) const PUBLIC_BYTES: usize = 32;
const PURPOSE: &str = "testkeep keyring v2|slot";

/// The public key of a slot.
pub(super) fn public(secret: &Key) -> [u8; PUBLIC_BYTES] {
    MontgomeryPoint::mul_base_clamped(*secret.expose()).0
}

/// The sender's public key and the sealed bytes.
pub(super) fn seal(to: &[u8; PUBLIC_BYTES], anchor: &Key, about: &str, plain: &[u8]) -> Vec<u8> {
    let sender: Key = Secret::new(random::bytes());
    let from = public(&sender);
    let key = agreed(&sender, to, &from, to, anchor);
    [&from[..], &sealing::seal(&key, about, plain)].concat()
}

/// What was sealed for this secret; `None` if it was for another one or a bit was changed.
pub(super) fn unseal(secret: &Key, anchor: &Key, about: &str, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (from, sealed) = sealed.split_first_chunk::<PUBLIC_BYTES>()?;
    let key = agreed(secret, from, from, &public(secret), anchor);
    sealing::unseal(&key, about, sealed)
}

fn agreed(
    own: &Key,
    other: &[u8; PUBLIC_BYTES],
    from: &[u8; PUBLIC_BYTES],
    to: &[u8; PUBLIC_BYTES],
    anchor: &Key,
) -> Key {
    let shared = Zeroizing::new(MontgomeryPoint(*other).mul_clamped(*own.expose()).0);
    let material = Zeroizing::new([&shared[..], from, to, anchor.expose()].concat());
    sealing::derive(&material, PURPOSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x25519_is_that_of_rfc_7748() {
        // Section 6.1.
        let hex = |text: &str| -> [u8; 32] {
            data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
        };
        let alice = Secret::new(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
        assert_eq!(public(&alice), hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    }

    #[test]
    fn only_secret_and_anchor_together_open_it() {
        let (secret, anchor, other): (Key, Key, Key) =
            (Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]));
        let sealed = seal(&public(&secret), &anchor, "a", b"master");
        assert_eq!(unseal(&secret, &anchor, "a", &sealed).unwrap().expose(), b"master");
        assert!(unseal(&other, &anchor, "a", &sealed).is_none());
        assert!(unseal(&secret, &other, "a", &sealed).is_none());
        assert!(unseal(&secret, &anchor, "b", &sealed).is_none());
    }
}
