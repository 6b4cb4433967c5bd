//! Receipts: signed proof of each backup, chained to the one before.
//!
//! A restic snapshot carries neither signature nor order: whoever has the password can invent or
//! drop one. A receipt names snapshot, tree, manifest and totals; the next one names its hash.

use super::Say;
use super::home::{stored_at_home, unreadable};
use super::manifest::{Anchor, sha256};
use super::storage::Storage;
use crate::kernel::access::Position;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tracing::warn;

/// Who makes backups: goes into snapshots and receipts.
pub struct Identity {
    /// Stable id of the instance.
    pub instance: String,
    /// Host name for the snapshot: explicit, or the engine would publish the machine's own.
    pub host: String,
    /// Signs receipts. It lies in the key ring, which the recovery kit opens.
    pub signing: SigningKey,
}

/// What one run proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Layout of this receipt.
    pub version: u32,
    /// Instance that made the backup.
    pub instance: String,
    /// 1, 2, 3 … without gaps.
    pub number: u64,
    /// Snapshot id, 64 hex digits.
    pub snapshot: String,
    /// Tree id: fixes the content even if the snapshot object were rewritten.
    pub tree: String,
    /// SHA-256 of `manifest.json`.
    pub manifest_sha256: String,
    /// Files in the snapshot.
    pub files: u64,
    /// Bytes in the snapshot before compression.
    pub bytes: u64,
    /// Bytes this run added to the repository.
    pub bytes_added: u64,
    /// Attached files that were missing from the instance already.
    pub blobs_missing: u64,
    /// RFC 3339 in UTC.
    pub finished_at: String,
    /// The place in the log of the database that its state is: from there the log can be followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Place>,
    /// The end of the audit trail at that moment. Older receipts name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Anchor>,
    /// SHA-256 of the previous receipt's file; empty for the first.
    pub previous: String,
    /// The public key by which the receipts after this one are signed, 64 hex digits, when it changes here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<String>,
}

/// A place in the log of the database, and the moment at which it was the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The place.
    #[serde(flatten)]
    pub position: Position,
    /// Milliseconds since 1970 in UTC.
    pub at: i64,
}

/// The signed text travels as it was signed: writing it anew could change a byte.
#[derive(Serialize, Deserialize)]
struct Sealed {
    body: String,
    signature: String,
}

/// How many receipts are read from a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// All of them.
    All,
    /// The newest ones, and those that this side lacks or that have another length: each costs a request, and a
    /// year of backups by the hour leaves thousands.
    Newest,
}

/// All receipts of an instance, at home and at the target.
pub struct Chain {
    home: Option<PathBuf>,
    stored: BTreeMap<u64, Bytes>,
    /// Numbers of receipts that the target does not hold, though this instance does.
    pub lost_at_target: Vec<u64>,
    lost_at_home: Vec<u64>,
    /// In order, verified.
    pub receipts: Vec<Receipt>,
    /// The key by which the next receipt must be signed.
    in_force: VerifyingKey,
}

impl Chain {
    /// Joins both copies, so that losing one of them loses nothing, and verifies the whole.
    /// Without a home, as on a blank machine, the copy at the target stands alone.
    pub fn load(home: Option<&Path>, target: &dyn Storage, key: &VerifyingKey) -> Result<Chain> {
        Chain::load_within(home, target, key, Reach::All)
    }

    /// The same, with as many receipts read from the target as asked for.
    pub fn load_within(
        home: Option<&Path>,
        target: &dyn Storage,
        key: &VerifyingKey,
        reach: Reach,
    ) -> Result<Chain> {
        let own = home.map_or(Ok(BTreeMap::new()), |home| stored_at_home(home).say(|| unreadable(home)))?;
        let mut theirs = BTreeMap::new();
        let listed = target.list("receipts")?;
        let listed: BTreeMap<u64, (String, u64)> =
            listed.into_iter().filter_map(|object| Some((number_of(&object.0)?, object))).collect();
        let newest = listed.len().saturating_sub(limits::RECEIPTS_COMPARED);
        for (place, (number, (name, length))) in listed.into_iter().enumerate() {
            let known = own.get(&number).filter(|own| own.len() as u64 == length);
            let bytes = match known {
                Some(own) if reach == Reach::Newest && place < newest => own.clone(),
                _ => target.get(&name)?,
            };
            if own.get(&number).is_some_and(|own| *own != bytes) {
                return Err(Error::invalid(format!(
                    "Receipt {number} differs between this instance and the backup target."
                ))
                .hint("Somebody changed one of them. Delete nothing, and find out who wrote it."));
            }
            theirs.insert(number, bytes);
        }
        let lost = |from: &BTreeMap<u64, Bytes>, by: &BTreeMap<u64, Bytes>| {
            from.keys().filter(|number| !by.contains_key(number)).copied().collect::<Vec<_>>()
        };
        let (lost_at_target, lost_at_home) = (lost(&own, &theirs), lost(&theirs, &own));
        theirs.extend(own);
        let (receipts, in_force) = verify(&theirs, key)?;
        let home = home.map(Path::to_owned);
        Ok(Chain { home, stored: theirs, lost_at_target, lost_at_home, receipts, in_force })
    }

    /// The receipt of a snapshot, if it has one.
    pub fn of_snapshot(&self, snapshot: &str) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| receipt.snapshot == snapshot)
    }

    /// The number of that receipt; 0 without one.
    pub fn number_of(&self, snapshot: &str) -> u64 {
        self.of_snapshot(snapshot).map_or(0, |receipt| receipt.number)
    }

    /// The newest backup.
    pub fn newest(&self) -> Result<&Receipt> {
        self.receipts.last().ok_or_else(|| {
            Error::not_found("There is no backup: the target holds no receipt.")
                .hint("Make one with `testkeep backup`.")
        })
    }

    /// Fills in number and link, signs, and stores at the target first, then at home. Copies that
    /// one side has lost are written there again. The last of the keys is to be in force from the
    /// next receipt on.
    pub(super) fn append(
        &mut self,
        receipt: Receipt,
        target: &dyn Storage,
        keys: &[SigningKey],
    ) -> Result<Receipt> {
        let key = keys.iter().find(|key| key.verifying_key() == self.in_force).ok_or_else(|| {
            Error::conflict("The receipts there were last signed by a key that this instance does not have.")
                .hint("The key ring may be older than the repository. Bring the newer one back, or use an empty place.")
        })?;
        let next = keys.last().map(SigningKey::verifying_key).filter(|next| *next != self.in_force);
        let last = self.stored.last_key_value();
        let number = last.map_or(1, |(number, _)| number + 1);
        let previous = last.map(|(_, bytes)| sha256(bytes)).unwrap_or_default();
        let next_key = next.map(|next| HEXLOWER.encode(next.as_bytes()));
        let receipt = Receipt { number, previous, next_key, ..receipt };
        let body = serde_json::to_string(&receipt).map_err(Error::internal)?;
        let signature = HEXLOWER.encode(&key.sign(body.as_bytes()).to_bytes());
        let sealed = serde_json::to_vec_pretty(&Sealed { body, signature }).map_err(Error::internal)?;
        self.stored.insert(number, sealed.into());
        if !self.lost_at_target.is_empty() {
            warn!(receipts = self.lost_at_target.len(), "the backup target had lost receipts; written again");
        }
        for number in self.lost_at_target.drain(..).chain([number]) {
            target.put(&format!("receipts/{}", name_of(number)), &[self.stored[&number].clone()])?;
        }
        if let Some(home) = &self.home {
            for number in self.lost_at_home.drain(..).chain([number]) {
                durable::replace(&home.join(name_of(number)), &self.stored[&number])?;
            }
        }
        self.in_force = next.unwrap_or(self.in_force);
        self.receipts.push(receipt.clone());
        Ok(receipt)
    }
}

/// A receipt by itself, signed by one of these keys; the chain that it is part of is not looked at.
pub fn signed(bytes: &[u8], keys: &[VerifyingKey]) -> Result<Receipt> {
    let wrong = || Error::invalid("The newest receipt at the target was not signed by this instance.");
    let sealed: Sealed = serde_json::from_slice(bytes).say(wrong)?;
    let signature = HEXLOWER.decode(sealed.signature.as_bytes()).say(wrong)?;
    let signature = Signature::from_slice(&signature).say(wrong)?;
    let is_by = |key: &&VerifyingKey| key.verify_strict(sealed.body.as_bytes(), &signature).is_ok();
    keys.iter().find(is_by).ok_or_else(wrong)?;
    serde_json::from_str(&sealed.body).say(wrong)
}

/// The receipts, each signed by the key that the ones before it lead to, and the key that is next.
pub(super) fn verify(
    stored: &BTreeMap<u64, Bytes>,
    first: &VerifyingKey,
) -> Result<(Vec<Receipt>, VerifyingKey)> {
    let wrong = |what: String| {
        Error::invalid(what)
            .hint("The receipts were changed or some are lost. Delete nothing, and find out why.")
    };
    let (mut receipts, mut previous, mut key) = (Vec::new(), String::new(), *first);
    for (expected, (&number, bytes)) in (1..).zip(stored) {
        if number != expected {
            return Err(wrong(format!("Receipt {expected} is missing from the chain.")));
        }
        let unreadable = || wrong(format!("Receipt {number} cannot be read."));
        let sealed: Sealed = serde_json::from_slice(bytes).say(unreadable)?;
        let signature = HEXLOWER.decode(sealed.signature.as_bytes()).say(unreadable)?;
        let signature = Signature::from_slice(&signature).say(unreadable)?;
        key.verify_strict(sealed.body.as_bytes(), &signature)
            .say(|| wrong(format!("The signature of receipt {number} is wrong.")))?;
        let receipt: Receipt = serde_json::from_str(&sealed.body).say(unreadable)?;
        if receipt.number != number {
            return Err(wrong(format!("Receipt {number} calls itself {}.", receipt.number)));
        }
        if receipt.previous != previous {
            return Err(wrong(format!("Receipt {number} does not follow the one before it.")));
        }
        if let Some(next) = &receipt.next_key {
            let bytes = HEXLOWER.decode(next.as_bytes()).say(unreadable)?;
            key = VerifyingKey::try_from(bytes.as_slice()).say(unreadable)?;
        }
        previous = sha256(bytes);
        receipts.push(receipt);
    }
    Ok((receipts, key))
}

pub(super) fn name_of(number: u64) -> String {
    format!("{number:08}.json")
}

/// The number in a receipt's name. Anything else that lies there is no receipt.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let name = name.rsplit('/').next()?;
    let number = name.strip_suffix(".json")?.parse().ok()?;
    (name == name_of(number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::storage::Folder;
    use super::*;
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// A folder that counts how many objects are fetched.
    struct Counted(Folder, Arc<AtomicUsize>);

    impl Storage for Counted {
        fn location(&self) -> String {
            self.0.location()
        }
        fn prepare(&self) -> Result<()> {
            self.0.prepare()
        }
        fn sweep(&self) -> Result<()> {
            self.0.sweep()
        }
        fn put(&self, name: &str, content: &[Bytes]) -> Result<()> {
            self.0.put(name, content)
        }
        fn get(&self, name: &str) -> Result<Bytes> {
            self.1.fetch_add(1, Relaxed);
            self.0.get(name)
        }
        fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes> {
            self.0.get_range(name, offset, length)
        }
        fn list(&self, folder: &str) -> Result<Vec<(String, u64)>> {
            self.0.list(folder)
        }
        fn stat(&self, name: &str) -> Result<Option<u64>> {
            self.0.stat(name)
        }
        fn delete(&self, name: &str) -> Result<()> {
            self.0.delete(name)
        }
    }

    fn receipt() -> Receipt {
        let words = String::new;
        Receipt {
            version: 1,
            instance: words(),
            number: 0,
            snapshot: words(),
            tree: words(),
            manifest_sha256: words(),
            files: 0,
            bytes: 0,
            bytes_added: 0,
            blobs_missing: 0,
            finished_at: words(),
            log: None,
            audit: None,
            previous: words(),
            next_key: None,
        }
    }

    #[test]
    fn f14_a_long_chain_costs_few_requests_and_what_is_missing_at_home_is_fetched() {
        let (home, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fetched = Arc::<AtomicUsize>::default();
        let target = Counted(Folder::new(place.path()), Arc::clone(&fetched));
        target.prepare().unwrap();
        let (key, count) = (SigningKey::from_bytes(&[7; 32]), limits::RECEIPTS_COMPARED + 24);
        let load = |reach| {
            fetched.store(0, Relaxed);
            let chain = Chain::load_within(Some(home.path()), &target, &key.verifying_key(), reach);
            (chain, fetched.load(Relaxed))
        };
        let (chain, _) = load(Reach::Newest);
        let mut chain = chain.unwrap();
        for _ in 0..count {
            chain.append(receipt(), &target, std::slice::from_ref(&key)).unwrap();
        }
        let (chain, requests) = load(Reach::Newest);
        assert_eq!((chain.unwrap().receipts.len(), requests), (count, limits::RECEIPTS_COMPARED));
        assert_eq!(load(Reach::All).1, count);
        // What this side lacks comes from there.
        fs::remove_file(home.path().join(name_of(3))).unwrap();
        let (chain, requests) = load(Reach::Newest);
        assert_eq!((chain.unwrap().receipts.len(), requests), (count, limits::RECEIPTS_COMPARED + 1));
        // One that was exchanged for another of the same length is found when all are compared, a new one at once.
        for (number, reach) in [(5, Reach::All), (count as u64, Reach::Newest)] {
            let path = place.path().join("receipts").join(name_of(number));
            let whole = fs::read(&path).unwrap();
            let other: Vec<u8> = whole.iter().map(|byte| if *byte == b'0' { b'1' } else { *byte }).collect();
            fs::write(&path, other).unwrap();
            let refused = load(reach).0.err().unwrap();
            assert!(refused.sentence().contains(&format!("Receipt {number} differs")), "{refused:?}");
            fs::write(&path, whole).unwrap();
        }
    }
}
