//! Distress: word of damage that a reader came upon, for whoever looks after the instance.
//!
//! A read that meets a damaged page or file cannot write, so it leaves word here and its caller gets an
//! error. Nothing is kept over a restart: the checks find the same again.

use super::blobs::BlobName;
use super::error::{Error, Kind};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What somebody came upon.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Damage {
    /// A part of the database.
    Database,
    /// A file of evidence.
    Blob(BlobName),
}

/// Where word is left and taken. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Distress(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: Mutex<BTreeSet<Damage>>,
    news: Notify,
}

impl Distress {
    /// Leaves word.
    pub fn tell(&self, damage: Damage) {
        self.0.known.lock().expect("nobody panics while holding it").insert(damage);
        self.0.news.notify_one();
    }

    /// Leaves word if this error is about damage.
    pub fn hear(&self, error: &Error) {
        if error.kind() == Kind::Damaged {
            self.tell(Damage::Database);
        }
    }

    /// Waits until there is word, and takes all of it.
    pub async fn taken(&self) -> BTreeSet<Damage> {
        loop {
            let known = std::mem::take(&mut *self.0.known.lock().expect("nobody panics while holding it"));
            if !known.is_empty() {
                return known;
            }
            self.0.news.notified().await;
        }
    }
}
