//! The floor under a backup: a file is read once, and each 16 KiB of it is named and sealed as the repository wants it.
//!
//! One thread, nothing is written. SHA-256 names a chunk, AES-256 in counter mode with Poly1305-AES seals it; both come
//! from the libraries that the backup uses.
//!
//! `cargo bench --bench seal -- FILE`. Prints one JSON line: `{"bytes":…, "ms":…}`, milliseconds on the clock.
#![forbid(unsafe_code)]

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

/// Bytes of a chunk of the repository.
const CHUNK_BYTES: usize = 16 * 1024;

fn main() {
    // Cargo adds `--bench` of its own.
    let Some(path) = std::env::args().skip(1).find(|word| !word.starts_with("--")) else {
        // `cargo test --all-targets` runs it without a word.
        return;
    };
    let start = Instant::now();
    let mut file = File::open(path).expect("the file is there");
    let (mut chunk, mut bytes) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let length = file.by_ref().take(CHUNK_BYTES as u64).read(&mut chunk).expect("it can be read");
        if length == 0 {
            break;
        }
        bytes += length;
        black_box(Sha256::digest(&chunk[..length]));
        let cipher = Aes256CtrPoly1305Aes::new(&Key::default());
        let seal = cipher.encrypt_in_place_detached(&Nonce::default(), &[], &mut chunk[..length]);
        black_box(seal.expect("so few bytes can be sealed"));
    }
    println!("{{\"bytes\":{bytes},\"ms\":{}}}", start.elapsed().as_millis());
}
