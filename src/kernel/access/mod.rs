//! Access: the only way to a connection.
//!
//! A `Gate<P>` is a claim not yet examined. Opening it runs in one transaction: the credential still
//! holds → the place is found → `decide` says yes → your closure. Nothing lies between asking and
//! acting, so there is no permission cache to go stale.

mod actor;
mod decide;
mod denials;
mod locate;
mod lookup;
mod permission;
mod presence;
mod tx;

pub use actor::{Actor, Bearer, Job, Origin, Power};
pub use decide::{Refusal, Role, decide};
pub use locate::{Found, Instance, Place, Project, Scope};
pub use permission::*;
pub(in crate::kernel) use tx::Opened;
pub use tx::{InProject, Read, Tx, Write};

pub use super::db::keeper::{Begun, Charge, Keeper, News};
pub use super::db::log::{Cursor, FRAME_HEADER_BYTES, Frames, Generation, Position};
pub use super::db::pin::{Pin, ReadAt};
pub use super::db::{Tuning, open::DatabaseKey};
pub use lookup::restamp;

use super::audit::chain::{self, Link};
use super::audit::{Audited, ChainKey, ChainKeys};
use super::db::{Database, exchange};
use super::distress::Distress;
use super::error::{Error, Result};
use super::limits;
use super::time::Clock;
use actor::Credential;
use denials::{Denials, Denied};
use hmac::{Hmac, KeyInit, Mac};
use presence::Presence;
use rusqlite::Connection;
use sha2::Sha256;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;
use zeroize::Zeroize as _;

/// The keys a door needs. They come from the key ring, each with a purpose of its own.
#[derive(Clone)]
pub struct Keys {
    /// Encrypts the database file.
    pub database: DatabaseKey,
    /// Bind the entries of the audit trail to each other, by generation.
    pub chain: ChainKeys,
    /// Turns tokens and cookies into the digests that are stored.
    pub tokens: [u8; 32],
    /// What it was before: what was given out then still holds.
    pub tokens_before: Vec<[u8; 32]>,
}

impl Keys {
    /// The keys of an instance in which none was ever exchanged.
    pub fn new(database: DatabaseKey, chain: ChainKey, tokens: [u8; 32]) -> Keys {
        Keys { database, chain: ChainKeys::from([(1, chain)]), tokens, tokens_before: Vec::new() }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.tokens.zeroize();
        self.tokens_before.zeroize();
    }
}

/// The door of an instance: hands out claims, never connections.
#[derive(Clone)]
pub struct Door(Arc<House>);

/// What every gate of an instance shares.
pub(in crate::kernel) struct House {
    database: Database,
    keys: RwLock<Keys>,
    clock: Clock,
    denials: Denials,
    presence: Presence,
    read_deadline: Duration,
    distress: Distress,
}

/// The right to act as the person at the machine. Whoever opens the house gets the only one.
pub struct Shell(Door);

impl Door {
    /// Makes the database at this path, where none may be, and opens it.
    pub fn create(path: &Path, keys: Keys, clock: Clock, tuning: &Tuning) -> Result<(Door, Shell)> {
        Ok(Door::hang(Database::create(path, &keys.database, tuning)?, keys, clock, tuning))
    }

    /// Opens the database at this path and brings its schema up to date. Never makes one.
    pub fn open(path: &Path, keys: Keys, clock: Clock, tuning: &Tuning) -> Result<(Door, Shell)> {
        Ok(Door::hang(Database::open(path, &keys.database, tuning)?, keys, clock, tuning))
    }

    fn hang(database: Database, keys: Keys, clock: Clock, tuning: &Tuning) -> (Door, Shell) {
        let (denials, presence) = (Denials::default(), Presence::default());
        let keys = RwLock::new(keys);
        let (read_deadline, distress) = (tuning.read_deadline, Distress::default());
        let house = House { database, keys, clock, denials, presence, read_deadline, distress };
        let door = Door(Arc::new(house));
        (door.clone(), Shell(door))
    }

    /// A caller who presents a token. Nothing is looked up yet.
    pub fn token<E: Effect>(&self, token: &str, origin: Origin) -> Caller<E> {
        self.caller(Credential::Token(self.0.digests(token)), origin)
    }

    /// A caller who presents the cookie of a session. Nothing is looked up yet.
    pub fn session<E: Effect>(&self, cookie: &str, origin: Origin) -> Caller<E> {
        self.caller(Credential::Session(self.0.digests(cookie)), origin)
    }

    /// Somebody who has not signed in: holds `SignIn` and `Claim`, and nothing else.
    pub fn visitor(&self, origin: Origin) -> Caller<Changes> {
        self.caller(Credential::Visitor, origin)
    }

    /// A job, limited to the permissions it declares.
    pub fn job(&self, job: &'static Job) -> Caller<Changes> {
        self.caller(Credential::Job(job), Origin { address: "job".into(), request: "".into() })
    }

    /// Takes other keys into use, except that of the database, which `rekey` exchanges.
    pub fn use_keys(&self, keys: Keys) {
        *self.0.keys.write().expect("nobody panics while holding it") = keys;
    }

    /// Moves the database to another key. Readers go on, changes wait for the time of writing every page.
    /// `settle` runs once the file has it, before anybody else may write.
    pub async fn rekey(
        &self,
        key: DatabaseKey,
        settle: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.0.database.rekey(key, settle).await
    }

    /// Moves all of the database's log into its file; answers whether nothing is left in it.
    pub async fn empty_log(&self) -> Result<bool> {
        self.0.database.empty_log().await
    }

    /// Which of these keys opens the database at this path; the error is that of the first.
    pub fn which(path: &Path, keys: &[(u32, DatabaseKey)]) -> Result<u32> {
        exchange::which(path, keys)
    }

    /// Where reads and changes leave word of damage that they met.
    pub fn distress(&self) -> &Distress {
        &self.0.distress
    }

    /// Why the disk did not take the last change, as long as it has taken none since.
    pub fn trouble(&self) -> Option<Error> {
        self.0.database.trouble()
    }

    /// Finishes the changes that wait, then closes.
    pub async fn shut_down(&self) {
        self.0.database.shut_down().await;
    }

    fn caller<E: Effect>(&self, credential: Credential, origin: Origin) -> Caller<E> {
        Caller { house: Arc::clone(&self.0), credential, origin, effect: PhantomData }
    }
}

impl House {
    /// A connection of its own, for looking at what is damaged.
    pub(in crate::kernel) fn another(&self) -> Result<Connection> {
        self.database.another()
    }

    /// Writes one entry at the end of the audit trail, in the transaction of this connection.
    pub(in crate::kernel) fn append(&self, conn: &Connection, entry: &Link) -> Result<()> {
        chain::append(conn, &self.keys().chain, entry)
    }

    /// The keys of this moment.
    pub(in crate::kernel) fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().expect("nobody panics while holding it")
    }

    /// Tokens are stored as keyed digests: a copy of the file signs nobody in.
    pub(in crate::kernel) fn digest(&self, token: &str) -> [u8; 32] {
        digest_under(&self.keys().tokens, token)
    }

    /// The digests of a token under the key in use and under those before it, the newest first.
    pub(in crate::kernel) fn digests(&self, token: &str) -> Vec<[u8; 32]> {
        let keys = self.keys();
        [&keys.tokens].into_iter().chain(&keys.tokens_before).map(|key| digest_under(key, token)).collect()
    }
}

fn digest_under(key: &[u8; 32], token: &str) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes any key length");
    mac.update(token.as_bytes());
    mac.finalize().into_bytes().into()
}

impl Shell {
    /// The person at the machine who holds the key; may do everything, and is named in the audit trail.
    pub fn operator(&self) -> Caller<Changes> {
        let origin = Origin { address: "console".into(), request: "".into() };
        self.0.caller(Credential::Operator, origin)
    }
}

/// Somebody with a credential and no place yet. Can do one thing: name a permission and a place.
pub struct Caller<E: Effect> {
    house: Arc<House>,
    credential: Credential,
    origin: Origin,
    effect: PhantomData<E>,
}

impl<E: Effect> Caller<E> {
    /// The claim to hold `P` at this place. Nothing is looked up yet.
    pub fn gate<P: Permission>(&self, place: <P::Scope as Scope>::Place) -> Gate<P>
    where
        E: Admits<P::Effect>,
    {
        Gate {
            house: Arc::clone(&self.house),
            credential: self.credential.clone(),
            origin: self.origin.clone(),
            place,
        }
    }
}

/// A claim to `P` at a place, examined each time it is used.
pub struct Gate<P: Permission> {
    house: Arc<House>,
    credential: Credential,
    origin: Origin,
    place: <P::Scope as Scope>::Place,
}

impl<P: Permission> Clone for Gate<P> {
    fn clone(&self) -> Self {
        let (house, credential) = (Arc::clone(&self.house), self.credential.clone());
        Gate { house, credential, origin: self.origin.clone(), place: self.place.clone() }
    }
}

impl<P: Permission> Gate<P> {
    /// Runs the closure on one snapshot, if the claim holds there.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(Read<'t, P>) -> Result<T> + Send + 'static,
    {
        self.read_within(self.house.read_deadline, work).await
    }

    /// The same for work over all data, such as verifying or hashing: for commands and jobs, not for pages.
    pub async fn read_at_length<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(Read<'t, P>) -> Result<T> + Send + 'static,
    {
        self.read_within(limits::LONG_READ_DEADLINE, work).await
    }

    async fn read_within<T, F>(&self, deadline: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(Read<'t, P>) -> Result<T> + Send + 'static,
    {
        let gate = self.clone();
        let reading = self.house.database.read_within(deadline, move |conn| match gate.examine(conn)? {
            Ok(opened) => work(Read::new(&opened)).map(Ok),
            Err(denied) => Ok(Err(denied)),
        });
        match reading.await.inspect_err(|error| self.house.distress.hear(error))? {
            Ok(value) => Ok(value),
            Err(denied) => {
                // A reader cannot write, so the entry goes by the writer, and only if it is news:
                // else whoever knocks without end would keep the disk busy. The refusal stands
                // even when its entry cannot be stored.
                if let Some(entry) = self.house.denials.entry(&denied) {
                    let house = Arc::clone(&self.house);
                    let note = move |conn: &Connection| house.append(conn, &entry);
                    let _ = self.house.database.write(note).await;
                }
                Err(denied.refusal.into())
            }
        }
    }

    /// Examines the claim and does nothing: asked before the first byte of a big body is read.
    pub async fn admit(&self) -> Result<()> {
        self.read(|_| Ok(())).await
    }

    fn examine<'t>(&'t self, conn: &'t Connection) -> Result<Result<Opened<'t>, Denied>> {
        let now = self.house.clock.now();
        let denied = |refusal, actor, found| {
            let origin = self.origin.clone();
            Denied { refusal, actor, asked: P::INFO, found, now, origin }
        };
        let Some(bearer) = lookup::bearer(conn, &self.credential, &self.house.presence, now)? else {
            return Ok(Err(denied(Refusal::NotSignedIn, None, Found::Nothing)));
        };
        self.house.presence.note(bearer.actor, now);
        let found = P::Scope::find(conn, &self.place)?;
        let roles = lookup::roles(conn, &bearer, found, now)?;
        Ok(match decide(&P::INFO, &bearer, found, &roles) {
            Ok(()) => {
                locate::refuse_archived(conn, found, &P::INFO)?;
                Ok(Opened { conn, house: &self.house, bearer, found, roles, now, origin: &self.origin })
            }
            Err(refusal) => Err(denied(refusal, Some(bearer.actor), found)),
        })
    }
}

impl Gate<BackupRun> {
    /// Examines the claim, then holds the database file still until the pin is dropped.
    pub async fn pin(&self) -> Result<Pin> {
        self.admit().await?;
        self.house.database.pin().await
    }

    /// Examines the claim, then copies the database into a new file under the same key; writers go on.
    pub async fn copy(&self, to: &Path) -> Result<()> {
        self.admit().await?;
        self.house.database.copy(to).await
    }

    /// Examines the claim, then leaves the log of the database to whoever ships it.
    pub async fn take_charge_of_log(&self) -> Result<Charge> {
        self.admit().await?;
        self.house.database.give_charge().await
    }

    /// Gives the log back to the database.
    pub async fn give_log_back(&self) -> Result<()> {
        self.house.database.take_charge_back().await
    }
}

impl Gate<StorageKeep> {
    /// Examines the claim, then works on the writing connection while no transaction is open: for what
    /// SQLite does in no transaction, such as writing the whole file anew. Changes wait meanwhile.
    pub(in crate::kernel) async fn between<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.admit().await?;
        self.house.database.between(work).await
    }
}

impl<P: Permission<Effect = Changes>> Gate<P> {
    /// Runs the closure in the writer's transaction and answers after the commit.
    ///
    /// Only a closure that returns the proof of *this* transaction is accepted.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(Write<'t, P>) -> Result<Audited<'t, T>> + Send + 'static,
    {
        let gate = self.clone();
        let writing = self.house.database.write(move |conn| match gate.examine(conn)? {
            Ok(opened) => work(Write::new(&opened)).map(|audited| Ok(audited.value)),
            Err(denied) => {
                if let Some(entry) = gate.house.denials.entry(&denied) {
                    gate.house.append(conn, &entry)?;
                }
                Ok(Err(denied.refusal))
            }
        });
        // A refusal that leaves an entry is a value here, not an error: an error would undo it.
        Ok(writing.await.inspect_err(|error| self.house.distress.hear(error))??)
    }
}
