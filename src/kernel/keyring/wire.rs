//! The keyring as it lies on the disk: wrapping of every key, and what is bound to each wrap.

use super::file::{self, Contents, State, WrappedKey};
use super::purpose::Purpose;
use super::{DataKey, Keyring};
use crate::kernel::error::Result;
use crate::kernel::sealing::{self, Key};
use crate::kernel::time::Timestamp;
use data_encoding::HEXLOWER;
use std::collections::BTreeMap;

impl Keyring {
    /// The contents of `keyring.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let wrap = |key: &DataKey| {
            let (made_at, retired_at) = (Some(key.made_at.0), key.retired_at.map(|at| at.0));
            let mut wrapped = WrappedKey {
                purpose: key.purpose.word().into(),
                generation: key.generation,
                state: Some(key.state),
                made_at,
                retired_at,
                key: String::new(),
            };
            let about = about(&self.uuid, &wrapped);
            wrapped.key = HEXLOWER.encode(&sealing::seal(&self.master.key, &about, key.bytes.expose()));
            wrapped
        };
        let contents = Contents {
            format: file::FORMAT.into(),
            version: file::VERSION,
            instance: self.uuid.clone(),
            created_at: self.created_at.0,
            master: Some(self.master.mark),
            slots: self.slots.clone(),
            keys: self.keys.iter().map(wrap).collect(),
        };
        let mut json = serde_json::to_vec_pretty(&contents).expect("names and numbers become JSON");
        json.push(b'\n');
        json
    }
}

/// One key of the file, with what format 1 leaves unsaid.
pub(super) fn unwrap(
    master: &Key,
    contents: &Contents,
    newest: &BTreeMap<String, u32>,
    wrapped: &WrappedKey,
) -> Result<DataKey> {
    let word = &wrapped.purpose;
    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.word() == word);
    let purpose =
        purpose.ok_or_else(|| file::damaged(format!("it has a key for {word}, which is nothing")))?;
    let bytes = sealing::unseal(master, &about(&contents.instance, wrapped), &file::hex(&wrapped.key)?);
    let bytes = bytes.ok_or_else(|| file::damaged(format!("its key for {word} was changed")))?;
    // Format 1 says neither: the newest is in use, and all came with the instance.
    let is_newest = newest.get(word) == Some(&wrapped.generation);
    let state = wrapped.state.unwrap_or(if is_newest { State::Current } else { State::Retired });
    let made_at = Timestamp(wrapped.made_at.unwrap_or(contents.created_at));
    let retired_at = wrapped.retired_at.map(Timestamp);
    Ok(DataKey { purpose, generation: wrapped.generation, state, made_at, retired_at, bytes })
}

/// What is bound to a wrapped key: with its state, so that nobody outside puts a retired one back into use.
fn about(uuid: &str, wrapped: &WrappedKey) -> String {
    let WrappedKey { purpose, generation, state, made_at, retired_at, .. } = wrapped;
    match state {
        None => format!("testkeep keyring v1|{uuid}|{purpose}|{generation}"),
        Some(state) => {
            let (state, made_at) = (state.word(), made_at.unwrap_or_default());
            let retired_at = retired_at.map(|at| at.to_string()).unwrap_or_default();
            format!("testkeep keyring v2|{uuid}|{purpose}|{generation}|{state}|{made_at}|{retired_at}")
        }
    }
}
