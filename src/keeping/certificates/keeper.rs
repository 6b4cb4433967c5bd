//! The keeper: looks every few seconds, renews what is due, raises alarms, and learns what others have changed.
//!
//! The only one that orders certificates; pages and commands ask it to, by a note in the database.

use super::acme::{Directory, Failure, Issued, next_try};
use super::authority::{self, Authority};
use super::clients::Clients;
use super::pair::Pair;
use super::state::{self, State};
use super::tls::Tls;
use super::{ACCOUNT_GONE, ACCOUNT_MADE, FAILED, ISSUED, Source, names, sql};
use crate::kernel::access::{Gate, InstanceKeep, Job, Permission};
use crate::kernel::audit::Quiet;
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::options::{Acme, Options};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use instant_acme::Account;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tracing::{info, warn};

/// Renews certificates and watches their end; may do nothing else.
const KEEPER: Job = Job {
    name: "certificate",
    meaning: "Renews the certificate and warns of its end.",
    may: &[InstanceKeep::INFO],
};
/// What keys of certificates are sealed for.
pub(super) const KEY_ABOUT: &str = "certificate";
/// What the account at a directory is sealed for.
pub(super) const ACCOUNT_ABOUT: &str = "acme account";

/// Looks after the certificate of a running instance.
pub struct Keeper {
    instance: Arc<Instance>,
    tls: Arc<Tls>,
    clients: Arc<Clients>,
    directory: Option<(Acme, Vec<String>)>,
    host_names: Vec<String>,
    has_client_file: bool,
    /// Source and moment of issue of the stored pair that is served.
    taken: Mutex<Option<(Source, Timestamp)>>,
    told: Mutex<Option<super::standing::Told>>,
    one_at_a_time: tokio::sync::Mutex<()>,
    is_ordering: AtomicBool,
    nudge: Notify,
}

/// What is stored at one moment.
pub(super) struct Kept {
    pub source: Source,
    pub state: State,
    pub authority: Option<Authority>,
    serials: Vec<Vec<u8>>,
}

impl Keeper {
    /// Takes up what is stored. Nothing is ordered yet.
    pub async fn open(options: &Options, instance: Arc<Instance>, tls: Arc<Tls>) -> Result<Arc<Keeper>> {
        let clients = Arc::new(Clients::new());
        let client_file = options.admin.as_ref().and_then(|admin| admin.authority.as_deref());
        if let Some(path) = client_file {
            clients.trust_file(path)?;
        }
        let directory = match &options.acme {
            Some(acme) if options.tls_files.is_none() => Some((acme.clone(), names::to_ask_for(options)?)),
            _ => None,
        };
        let keeper = Keeper {
            has_client_file: client_file.is_some(),
            host_names: names::of_this_host(options),
            taken: Mutex::new(None),
            told: Mutex::new(None),
            one_at_a_time: tokio::sync::Mutex::new(()),
            is_ordering: AtomicBool::new(false),
            nudge: Notify::new(),
            instance,
            tls,
            clients,
            directory,
        };
        keeper.learn().await?;
        Ok(Arc::new(keeper))
    }

    /// The certificate that is served.
    pub fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// Who may come in at the listener of the administrators.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// The instance whose certificate it is.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Every name under which somebody may reach us.
    pub fn host_names(&self) -> &[String] {
        &self.host_names
    }

    /// The directory that is called; none while nobody is.
    pub fn directory(&self) -> Option<&str> {
        self.directory.as_ref().map(|(acme, _)| acme.directory.as_str())
    }

    /// Whether an order is under way.
    pub fn is_ordering(&self) -> bool {
        self.is_ordering.load(Ordering::Relaxed)
    }

    /// Looks now instead of at the next tick.
    pub fn hurry(&self) {
        self.nudge.notify_one();
    }

    /// Looks for ever, every few seconds.
    pub async fn watch(self: Arc<Keeper>) {
        let mut ticks = tokio::time::interval(limits::CERTIFICATE_LOOK_EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.nudge.notified() => {}
            }
            if let Err(reason) = self.keep(self.tls.now()).await {
                warn!(?reason, "the certificate could not be looked after");
            }
        }
    }

    /// Looks at this moment: takes what has changed, renews what is due, says what is wrong.
    pub async fn keep(&self, now: Timestamp) -> Result<()> {
        let _mine = self.one_at_a_time.lock().await;
        self.tls.look_at(now);
        let kept = self.learn().await?;
        if self.is_due(&kept, now) {
            self.is_ordering.store(true, Ordering::Relaxed);
            let renewed = self.renew(&kept, now).await;
            self.is_ordering.store(false, Ordering::Relaxed);
            renewed?;
            return self.tell(&self.learn().await?.state, now).await;
        }
        self.tell(&kept.state, now).await
    }

    /// Takes up what is stored now: a pair that was issued, an authority, who may come in.
    pub(super) async fn learn(&self) -> Result<Kept> {
        let (has_directory, is_files) = (self.directory.is_some(), self.tls.served().source == Source::Files);
        let gate = self.gate();
        let kept = gate.read(move |tx| {
            let authority = sql::authority(tx)?;
            let source = Source::of(is_files, has_directory, authority.is_some());
            let state = sql::state(tx, source)?.unwrap_or_else(State::empty);
            Ok(Kept { source, state, authority, serials: sql::serials(tx)? })
        });
        let kept = kept.await?;
        if !self.has_client_file
            && let Some(root) = kept.authority.as_ref().and_then(Authority::der)
        {
            self.clients.trust_root(root, kept.serials.iter().cloned().collect())?;
        }
        self.take(&kept);
        Ok(kept)
    }

    /// Serves the pair that is stored, unless it is served already.
    fn take(&self, kept: &Kept) {
        let State { chain: Some(chain), key: Some(key), issued_at: Some(at), .. } = &kept.state else {
            return;
        };
        let stamp = Some((kept.source, *at));
        let mut taken = self.taken.lock().expect("nobody panics while holding it");
        if *taken == stamp {
            return;
        }
        match opened(&self.instance, chain, key) {
            Ok(pair) => self.tls.serve(pair, kept.source),
            Err(reason) => warn!(?reason, "the stored certificate cannot be served"),
        }
        *taken = stamp;
    }

    fn is_due(&self, kept: &Kept, now: Timestamp) -> bool {
        match (kept.source, &self.directory, &kept.authority) {
            (Source::Acme, Some((acme, names)), _) => kept.state.is_due(now, &acme.directory, names),
            (Source::Authority, _, Some(authority)) => {
                kept.state.is_due(now, &authority.fingerprint(), &self.host_names)
            }
            _ => false,
        }
    }

    async fn renew(&self, kept: &Kept, now: Timestamp) -> Result<()> {
        let (origin, names, outcome) = match (&self.directory, &kept.authority) {
            (Some((acme, names)), _) => (acme.directory.clone(), names, self.order(acme, names).await),
            (None, Some(authority)) => {
                let signed = authority.sign_server(&self.instance, &self.host_names, now);
                let signed = signed.map(|(chain, key)| Issued { chain, key });
                let outcome = signed.map_err(|reason| Failure::from(reason.sentence().to_owned()));
                (authority.fingerprint(), &self.host_names, outcome)
            }
            (None, None) => return Ok(()),
        };
        let outcome = outcome.and_then(|issued| self.examined(kept.source, &origin, names, issued, now));
        match outcome {
            Ok(state) => self.store(kept.source, state).await,
            Err(failure) => self.note(kept, failure, now).await,
        }
    }

    /// What was issued, if it can be served, as it is to be stored.
    fn examined(
        &self,
        source: Source,
        origin: &str,
        names: &[String],
        issued: Issued,
        now: Timestamp,
    ) -> Result<State, Failure> {
        let said = |reason: crate::kernel::error::Error| Failure::from(reason.sentence().to_owned());
        let pair = authority::paired(&issued.chain, &issued.key).map_err(said)?;
        // The order has taken its time, and the clock of whoever issued it may be ahead of ours.
        let seen = Timestamp(now.max(self.tls.now()).0 + limits::CERTIFICATE_CLOCK_MS);
        if let Some(reason) = pair.refusal(seen) {
            return Err(format!("What was issued is not served: {reason}.").into());
        }
        let lacks = |name: &&String| !pair.about.names.contains(name);
        let missing: Vec<&str> = names.iter().filter(lacks).map(String::as_str).collect();
        if source == Source::Acme && !missing.is_empty() {
            return Err(format!("What was issued is not for {}.", missing.join(", ")).into());
        }
        let message = match missing.is_empty() {
            true => "It was issued and is served.".to_owned(),
            false => format!(
                "It was issued without {}: the authority may not sign for it. Replace the authority to add it.",
                missing.join(", ")
            ),
        };
        let key = self.instance.seal(KEY_ABOUT, issued.key.expose().as_bytes()).map_err(said)?;
        Ok(State {
            chain: Some(issued.chain),
            key: Some(key),
            origin: origin.to_owned(),
            names: names.join("\n"),
            issued_at: Some(now),
            renew_at: Some(state::due(&pair, now)),
            message: Some(message),
            ..State::empty()
        })
    }

    async fn store(&self, source: Source, state: State) -> Result<()> {
        info!(source = source.word(), renew_at = ?state.renew_at, "a certificate was issued");
        let (gate, instance) = (self.gate(), Arc::clone(&self.instance));
        let stored = gate.write(move |tx| {
            // The key of the vault may have been exchanged since it was sealed.
            let again = state.key.as_deref().map(|key| {
                let plain = instance.unseal(KEY_ABOUT, key)?;
                instance.seal(KEY_ABOUT, plain.expose())
            });
            let state = State { key: again.transpose()?, ..state };
            sql::put_issued(tx, source, &state)?;
            tx.audited(ISSUED.alone(), ())
        });
        stored.await
    }

    async fn note(&self, kept: &Kept, failure: Failure, now: Timestamp) -> Result<()> {
        let (source, failures) = (kept.source, kept.state.failures + 1);
        let next = next_try(now, failures, failure.wait_ms);
        warn!(reason = failure.sentence, failures, next_at = %next, "the certificate could not be renewed");
        let gate = self.gate();
        let noted = gate.write(move |tx| {
            sql::put_failure(tx, source, &failure.sentence, now, next)?;
            tx.audited(FAILED.alone().count("failures", failures), ())
        });
        noted.await
    }

    async fn order(&self, acme: &Acme, names: &[String]) -> Result<Issued, Failure> {
        let directory = Directory::new(acme)?;
        let outcome = tokio::time::timeout(limits::ACME_ORDER_MAX, self.ordered(&directory, names)).await;
        let outcome = outcome
            .unwrap_or_else(|_| Err("The directory did not come to an end in time.".to_owned().into()));
        outcome.map_err(|failure| Failure { wait_ms: directory.wire.wait_ms(), ..failure })
    }

    async fn ordered(&self, directory: &Directory<'_>, names: &[String]) -> Result<Issued, Failure> {
        let account = match self.known_account(directory).await {
            Err(failure) if failure.is_account_unknown => None,
            known => known?,
        };
        let is_new = account.is_none();
        let account = match account {
            Some(account) => account,
            None => self.new_account(directory).await?,
        };
        let challenges = self.tls.challenges();
        match directory.order(&account, names, challenges).await {
            // The directory has lost its accounts, as one of a test house does.
            Err(failure) if failure.is_account_unknown && !is_new => {
                self.forget_account(directory).await.map_err(stored_not)?;
                directory.order(&self.new_account(directory).await?, names, challenges).await
            }
            outcome => outcome,
        }
    }

    async fn known_account(&self, directory: &Directory<'_>) -> Result<Option<Account>, Failure> {
        let url = directory.acme.directory.clone();
        let sealed = self.gate().read(move |tx| sql::account(tx, &url)).await.map_err(stored_not)?;
        let Some(sealed) = sealed else { return Ok(None) };
        let credentials = self.instance.unseal(ACCOUNT_ABOUT, &sealed).map_err(stored_not)?;
        directory.account(&credentials).await.map(Some)
    }

    /// Opens an account and stores it before anything is ordered with it.
    async fn new_account(&self, directory: &Directory<'_>) -> Result<Account, Failure> {
        let (account, credentials) = directory.new_account().await?;
        let (url, instance) = (directory.acme.directory.clone(), Arc::clone(&self.instance));
        let gate = self.gate();
        let stored = gate.write(move |tx| {
            let sealed = instance.seal(ACCOUNT_ABOUT, credentials.expose())?;
            sql::put_account(tx, &url, &sealed)?;
            tx.audited(ACCOUNT_MADE.alone(), ())
        });
        stored.await.map_err(stored_not)?;
        Ok(account)
    }

    async fn forget_account(&self, directory: &Directory<'_>) -> Result<()> {
        let url = directory.acme.directory.clone();
        let gate = self.gate();
        let gone = gate.write(move |tx| {
            sql::delete_account(tx, &url)?;
            tx.audited(ACCOUNT_GONE.alone(), ())
        });
        gone.await
    }

    /// Raises and clears alarms, when something about them is new.
    async fn tell(&self, state: &State, now: Timestamp) -> Result<()> {
        let news = super::standing::Told::of(&self.tls, state, now);
        if self.told.lock().expect("nobody panics while holding it").as_ref() == Some(&news) {
            return Ok(());
        }
        let told = news.clone();
        let gate = self.gate();
        let written = gate.write(move |tx| {
            told.write(tx)?;
            Ok(tx.quiet(Quiet::JobHeartbeat, ()))
        });
        written.await?;
        *self.told.lock().expect("nobody panics while holding it") = Some(news);
        Ok(())
    }

    fn gate(&self) -> Gate<InstanceKeep> {
        self.instance.door.job(&KEEPER).gate(())
    }
}

/// The stored pair, with its key unsealed.
pub(super) fn opened(instance: &Instance, chain: &str, key: &[u8]) -> Result<Pair> {
    let key = instance.unseal(KEY_ABOUT, key)?;
    authority::paired(chain, &Secret::new(String::from_utf8_lossy(key.expose()).into_owned()))
}

fn stored_not(reason: crate::kernel::error::Error) -> Failure {
    reason.sentence().to_owned().into()
}
