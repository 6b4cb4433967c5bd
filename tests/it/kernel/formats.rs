//! Reads `keyring.json` and a blob with nothing but what `docs/formats/` says.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use curve25519_dalek::MontgomeryPoint;
use data_encoding::{HEXLOWER, Specification};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use testkeep::kernel::blobs::Blobs;
use testkeep::kernel::keyring::{Keyring, RecoveryKit, Unlock, default_key_file};
use testkeep::kernel::layout;
use testkeep::kernel::time::Timestamp;

fn unseal(key: &[u8], nonce: &[u8], about: &[u8], sealed: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new_from_slice(key).unwrap();
    let nonce = XNonce::try_from(nonce).unwrap();
    cipher.decrypt(&nonce, Payload { msg: sealed, aad: about }).unwrap()
}

fn unwrap(key: &[u8], about: &str, wrapped: &Value) -> Vec<u8> {
    let wrapped = HEXLOWER.decode(wrapped.as_str().unwrap().as_bytes()).unwrap();
    unseal(key, &wrapped[..24], about.as_bytes(), &wrapped[24..])
}

fn derive(secret: &[u8], purpose: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(purpose.as_bytes(), &mut key).unwrap();
    key
}

fn find<'a>(list: &'a Value, field: &str, word: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry[field] == word).unwrap()
}

fn base32() -> data_encoding::Encoding {
    let mut crockford = Specification::new();
    crockford.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    crockford.encoding().unwrap()
}

/// What an independent reader has: the file and one secret.
struct Reader {
    json: Value,
    master: Vec<u8>,
}

impl Reader {
    fn slot(json: &Value, kind: &str, key: &[u8]) -> Vec<u8> {
        let (slot, uuid) = (find(&json["slots"], "kind", kind), json["instance"].as_str().unwrap());
        let own = derive(key, "testkeep keyring v2|x25519");
        let public = MontgomeryPoint::mul_base_clamped(own).0;
        assert_eq!(slot["recipient"]["public"], HEXLOWER.encode(&public));
        let anchor_key = derive(key, "testkeep keyring v2|anchor");
        let about = format!("testkeep keyring v2|{uuid}|{kind}|anchor");
        let anchor = unwrap(&anchor_key, &about, &slot["recipient"]["anchor"]);
        let sealed = HEXLOWER.decode(slot["master"].as_str().unwrap().as_bytes()).unwrap();
        let from: [u8; 32] = sealed[..32].try_into().unwrap();
        let shared = MontgomeryPoint(from).mul_clamped(own).0;
        let agreed = derive(&[&shared[..], &from, &public, &anchor].concat(), "testkeep keyring v2|slot");
        let (generation, made_at) = (&json["master"]["generation"], &json["master"]["made_at"]);
        let about = format!("testkeep keyring v2|{uuid}|{kind}|{generation}|{made_at}");
        unseal(&agreed, &sealed[32..56], about.as_bytes(), &sealed[56..])
    }

    fn with_key_file(data: &Path) -> Reader {
        let json: Value = serde_json::from_slice(&fs::read(data.join("keyring.json")).unwrap()).unwrap();
        assert_eq!((&json["format"], &json["version"]), (&"testkeep keyring".into(), &2.into()));
        let digits = fs::read_to_string(data.with_extension("key")).unwrap();
        let key = HEXLOWER.decode(digits.trim().as_bytes()).unwrap();
        let master = Reader::slot(&json, "key_file", &derive(&key, "testkeep keyring v1|key_file"));
        let print = HEXLOWER.encode(&derive(&key, "testkeep keyring v1|fingerprint")[..4]);
        assert_eq!(find(&json["slots"], "kind", "key_file")["fingerprint"], print);
        Reader { json, master }
    }

    fn key(&self, purpose: &str) -> Vec<u8> {
        let uuid = self.json["instance"].as_str().unwrap();
        let key = find(&self.json["keys"], "purpose", purpose);
        let (state, made_at) = (key["state"].as_str().unwrap(), &key["made_at"]);
        let about = format!("testkeep keyring v2|{uuid}|{purpose}|1|{state}|{made_at}|");
        unwrap(&self.master, &about, &key["key"])
    }
}

/// The groups of a printed kit as numbers of 20 bits.
fn groups(printed: &str) -> Vec<u32> {
    let symbols = base32().specification().symbols;
    let value = |symbol| u32::try_from(symbols.find(symbol).unwrap()).unwrap();
    let group = |group: &str| group.chars().fold(0, |number, symbol| number * 32 + value(symbol));
    printed.split('-').map(group).collect()
}

fn create(folder: &Path) -> (PathBuf, Keyring, RecoveryKit) {
    let data = folder.join("data");
    let unlock = Unlock::KeyFile(default_key_file(&data));
    let (keyring, kit) = Keyring::create(&data, &unlock, Timestamp(1_700_000_000_000)).unwrap();
    (data, keyring, kit)
}

#[test]
fn a_keyring_is_as_its_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let (data, mut keyring, kit) = create(folder.path());
    keyring.add_slot(&Unlock::Passphrase(String::from("correct horse battery").into())).unwrap();
    keyring.save(&data).unwrap();
    let reader = Reader::with_key_file(&data);
    assert_eq!(reader.key("database"), keyring.database().0);

    let cost = &find(&reader.json["slots"], "kind", "passphrase")["argon2id"];
    let number = |field: &str| u32::try_from(cost[field].as_u64().unwrap()).unwrap();
    let params = Params::new(number("memory_kib"), number("passes"), number("lanes"), Some(32)).unwrap();
    let salt = HEXLOWER.decode(cost["salt"].as_str().unwrap().as_bytes()).unwrap();
    let mut stretched = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(b"correct horse battery", &salt, &mut stretched)
        .unwrap();
    assert_eq!(Reader::slot(&reader.json, "passphrase", &stretched), reader.master);

    let groups = groups(kit.secret.print().expose());
    assert_eq!(groups[..13].iter().fold(0, |sum, group| sum ^ group), groups[13]);
    let bits: Vec<u32> =
        groups[..13].iter().flat_map(|group| (0..20).rev().map(move |place| group >> place & 1)).collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit));
    let secret: Vec<u8> = bytes.map(|byte| u8::try_from(byte).unwrap()).collect();
    assert_eq!((secret.len(), &bits[256..]), (32, &[0; 4][..]));
    let slot_key = derive(&secret, "testkeep recovery kit v1|slot");
    assert_eq!(Reader::slot(&reader.json, "recovery", &slot_key), reader.master);
    // The encoder wants whole symbols: 32 bytes and four zero bits are 52 of them.
    let password = [&derive(&secret, "testkeep recovery kit v1|repository password")[..], &[0; 3]].concat();
    assert_eq!(reader.key("backup_password"), base32().encode(&password).as_bytes()[..52]);
}

#[test]
fn a_blob_is_as_its_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keyring, _) = create(folder.path());
    let content: Vec<u8> = (0..=250).cycle().take(150_000).collect();
    let blobs = Blobs::open(&layout::blobs(&data), keyring.blobs()).unwrap();
    let mut writer = blobs.writer().unwrap();
    writer.write_all(&content).unwrap();
    let name = writer.finish().unwrap().name.to_string();

    let reader = Reader::with_key_file(&data);
    let mac = <Hmac<Sha256>>::new_from_slice(&reader.key("blob_names")).unwrap();
    let digest = mac.chain_update(&content).finalize().into_bytes();
    assert_eq!(name, HEXLOWER.encode(&digest));
    let sealed = fs::read(data.join("blobs").join(&name[..2]).join(&name)).unwrap();
    let (preface, key) = (&sealed[..28], reader.key("blobs"));
    assert_eq!(preface[..8], *b"TKB1\x01\0\0\0");
    let nonce = |counter: u32| [&preface[8..], &counter.to_le_bytes()].concat();
    assert_eq!(unseal(&key, &nonce(u32::MAX), &[preface, &digest].concat(), &sealed[28..44]), b"");
    let chunks: Vec<&[u8]> = sealed[44..].chunks(65_536 + 16).collect();
    let mut read = Vec::new();
    for (number, chunk) in (0_u32..).zip(&chunks) {
        let last = if number as usize + 1 == chunks.len() { 1 << 31 } else { 0 };
        read.extend(unseal(&key, &nonce(number | last), preface, chunk));
    }
    assert!(read == content);
}
