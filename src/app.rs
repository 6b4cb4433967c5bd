//! Composition root: options → folder → keys → database → certificate → listeners; owns the shutdown.
//!
//! Every part is made here, once, and handed to those that need it.

mod closed;
mod first;
mod house;

pub use first::kit;
pub use house::{House, finish_swap, is_there, unlock};

use crate::exchange::uploads::{self, Leftover};
use crate::jobs::{Jobs, table};
use crate::keeping::backups::Desk;
use crate::keeping::certificates::{Keeper, Kept};
use crate::keeping::integrity;
use crate::keeping::keys;
use crate::keeping::overview::{About, Certificate};
use crate::keeping::restores::whole::Attempt;
use crate::keeping::shipping::Shipping;
use crate::keeping::trail;
use crate::keeping::upgrade;
use crate::kernel::access::{AuditView, InstanceKeep};
use crate::kernel::audit;
use crate::kernel::error::{Kind, Result};
use crate::kernel::hold::{self, Held};
use crate::kernel::keyring::Unlock;
use crate::kernel::modes;
use crate::kernel::options::Options;
use crate::kernel::restart::{Ended, Restart};
use crate::kernel::secret::Secret;
use crate::kernel::stopped;
use crate::kernel::swap;
use crate::kernel::time::{Clock, Timestamp};
use crate::kernel::upgrade::is_newer;
use crate::server::Manager;
use crate::server::listen::{self, Listening, Secure, StopOrder};
use crate::server::plain::Plain;
use crate::server::sandbox::{self, InForce};
use crate::server::stack::Shared;
use crate::server::status::Status;
use crate::server::tls::Tls;
use actix_web::web::Data;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tracing::info;

/// An instance that answers.
pub struct Running {
    /// Its keys, its door, and the right to act as the person at the machine.
    pub house: House,
    /// The certificate, unless a proxy does the TLS.
    pub tls: Option<Arc<Tls>>,
    /// Who looks after the certificate, unless a proxy does the TLS.
    pub keeper: Option<Arc<Keeper>>,
    /// The code of the link `/setup?code=…`, as long as nobody has claimed the instance.
    pub setup_code: Option<Secret<String>>,
    /// Where backups are made.
    pub desk: Arc<Desk>,
    shipping: Arc<Shipping>,
    /// None while it is on trial.
    jobs: Option<Jobs>,
    status: Data<Status>,
    listening: Listening,
    plain: Option<Plain>,
    tasks: Vec<JoinHandle<()>>,
    restart: Arc<Restart>,
    held: Held,
}

/// What a server does besides answering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Everything: jobs by their schedules as well.
    Whole,
    /// Nothing: it is on trial, and the data may be a copy that must not reach a backup target.
    AnswersOnly,
}

/// Opens the instance of these options, or makes it, and answers. `clock` is that of the data.
pub async fn start(options: Options, unlock: &Unlock, clock: Clock) -> Result<Running> {
    begin(options, unlock, clock, Duty::Whole).await
}

/// The same for a program that is on trial.
pub async fn start_on_trial(options: Options, unlock: &Unlock) -> Result<Running> {
    begin(options, unlock, Clock::System, Duty::AnswersOnly).await
}

async fn begin(options: Options, unlock: &Unlock, clock: Clock, duty: Duty) -> Result<Running> {
    // Outgoing connections take their ciphers from here; a second start in one process finds it done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_clear = listen::speaks_cleartext(&options)?;
    let held = hold::hold(&options.data)?;
    for word in sandbox::in_force().into_iter().flat_map(InForce::words) {
        held.note(word)?;
    }
    let started_at = clock.now();
    let house = opened(&options, unlock, clock, &held)?;
    let first::First { code, kit } = first::first(&house).await?;
    // Before anybody can send another: none of those that are not done is under way.
    uploads::sweep(&house.instance.door, Leftover::All).await?;
    noted(&house).await?;
    // The clock of the system, always: strangers judge the certificate by theirs.
    let tls = if is_clear { None } else { Some(Tls::open(&options, Clock::System)?) };
    let keeper = match &tls {
        Some(tls) => Some(Keeper::open(&options, Arc::clone(&house.instance), Arc::clone(tls)).await?),
        None => None,
    };

    let status = Data::new(Status::new(&options, tls.clone())?);
    let desk = Arc::new(Desk::new(Arc::clone(&house.instance)));
    desk.sweep_scratch().await?;
    let restart = Arc::<Restart>::default();
    let shipping = Shipping::new(Arc::clone(&desk));
    let about = about(&options, started_at, tls.clone());
    let shared = Shared::new(house.instance.door.clone(), status.clone(), options.clone())
        .hand_out(Arc::clone(&house.instance))
        .hand_out(Arc::clone(&desk))
        .hand_out(Arc::clone(&restart))
        .hand_out(Arc::clone(&shipping))
        .hand_out(Arc::new(about))
        .hand_out(Arc::<Attempt>::default())
        .hand_out(Arc::<Kept>::new(keeper.clone()))
        .hand_out(Arc::new(kit));
    let closure = shared.closure();
    let watched = closed::watch(house.instance.door.clone(), closure).await?;
    let (listening, plain) = listening(&options, shared, keeper.as_deref())?;
    let mut tasks = vec![watched, tokio::spawn(Manager::keep_alive(house.instance.door.clone()))];
    let jobs = match duty {
        Duty::Whole => {
            shipping.start();
            tasks.extend(keeper.clone().map(|keeper| tokio::spawn(keeper.watch())));
            tasks.push(tokio::spawn(keys::Keeper::new(Arc::clone(&desk)).watch()));
            tasks.push(tokio::spawn(integrity::watch(Arc::clone(&desk))));
            integrity::at_start(Arc::clone(&desk)).await?;
            Some(Jobs::start(house.instance.door.clone(), table::JOBS, Arc::clone(&desk)).await?)
        }
        Duty::AnswersOnly => None,
    };
    let running = Running {
        house,
        setup_code: code,
        desk,
        shipping,
        jobs,
        tls,
        keeper,
        status,
        listening,
        plain,
        tasks,
        restart,
        held,
    };
    info!(url = running.url(), fingerprint = running.fingerprint(), "answering at {}", running.url());
    Manager.ready();
    Ok(running)
}

/// Notes which program starts, and with which state of the instance.
async fn noted(house: &House) -> Result<()> {
    let noting = house.instance.door.job(&upgrade::NOTER).gate::<InstanceKeep>(());
    noting.write(upgrade::note).await?;
    let data = house.instance.data.clone();
    noting.write(move |tx| trail::note_exchange(tx, &data)).await
}

/// Opens the instance; where another state was put in its place and is itself the reason that nothing opens, the one
/// before comes back. A missing key or a wrong passphrase is no fault of it, and neither is a full disk: who ordered
/// it gets it once that is mended.
fn opened(options: &Options, unlock: &Unlock, clock: Clock, held: &Held) -> Result<House> {
    for loose in modes::loose(options) {
        tracing::warn!(mend = loose.mend, "{loose}");
    }
    let swapped = swap::resume_at_start(&options.data)?;
    match (House::serve(options, unlock, clock.clone(), held), swapped) {
        (Err(reason), Some(kept))
            if matches!(reason.kind(), Kind::Invalid | Kind::Damaged) || is_newer(&reason) =>
        {
            tracing::error!(
                ?reason,
                kept = kept.name,
                "the new state does not open, so the one before comes back"
            );
            swap::go_back(&options.data, &kept.name, Clock::System.now())?;
            swap::resume_at_start(&options.data)?;
            House::serve(options, unlock, clock, held)
        }
        (opened, _) => opened,
    }
}

/// Binds every address of the options. `keeper` has the certificate, unless a proxy does the TLS.
fn listening(
    options: &Options,
    shared: Shared,
    keeper: Option<&Keeper>,
) -> Result<(Listening, Option<Plain>)> {
    let secure = keeper.map(|keeper| Secure {
        tls: keeper.tls(),
        admin: options.admin.as_ref().map(|admin| (admin.listen, keeper.clients())),
    });
    let listening = Listening::start(&options.listen, shared, secure)?;
    let plain = match (options.http_listen, keeper) {
        (Some(at), Some(keeper)) => Some(Plain::start(at, keeper.tls(), options, listening.addresses[0])?),
        _ => None,
    };
    Ok((listening, plain))
}

/// What the page of the instance shows and only this file knows.
fn about(options: &Options, started_at: Timestamp, tls: Option<Arc<Tls>>) -> About {
    let certificate = move || {
        let pair = tls.as_ref()?.current();
        Some(Certificate { fingerprint: pair.fingerprint.clone(), not_after: pair.not_after })
    };
    About {
        started_at,
        address: address(options),
        certificate: Box::new(certificate),
        sandbox: sandbox::in_force().map(sandbox::InForce::sentence),
        options: options.values.clone(),
        jobs: table::JOBS.iter().map(|scheduled| (scheduled.job, scheduled.when)).collect(),
    }
}

/// Where people find the instance, as far as its options say.
pub fn address(options: &Options) -> String {
    let scheme = if options.cleartext_behind_proxy { "http" } else { "https" };
    let listening =
        || options.listen.first().map(|address| format!("{scheme}://{address}")).unwrap_or_default();
    options.public_url.as_ref().map_or_else(listening, |url| url.as_str().to_owned())
}

impl Running {
    /// The first address at which it answers, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.listening.addresses[0]
    }

    /// Where administrators come in with a certificate, if anywhere.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.listening.admin
    }

    /// Where plain HTTP is answered, if anywhere.
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref().map(|plain| plain.address)
    }

    /// The first address as a browser takes it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// SHA-256 of the certificate, to compare with what a browser shows.
    pub fn fingerprint(&self) -> Option<String> {
        self.tls.as_ref().map(|tls| tls.current().fingerprint.clone())
    }

    /// Requests that have begun and are not yet answered.
    pub fn requests_under_way(&self) -> i64 {
        self.status.requests_under_way()
    }

    /// Goes on until an order is given or a part wishes for a restart, then stops. Says what comes next.
    pub async fn until(self, mut order: StopOrder) -> Ended {
        let ended = tokio::select! {
            ended = order.given() => ended,
            () = self.restart.wished() => Ended::ToRestart,
        };
        if ended == Ended::Stopped {
            self.stop().await;
            return ended;
        }
        Manager.restarting();
        // Whoever asks us to stop meanwhile must not meet a server that begins anew.
        let (mut finishing, mut last) = (pin!(self.finish()), ended);
        loop {
            tokio::select! {
                () = &mut finishing => return last,
                ended = order.given() => last = ended,
            }
        }
    }

    /// Finishes the requests that have begun and the changes that wait, then lets the folder go.
    pub async fn stop(self) {
        Manager.stopping();
        self.finish().await;
    }

    async fn finish(self) {
        if let Some(plain) = self.plain {
            plain.stop().await;
        }
        self.listening.stop(&self.status).await;
        if let Some(jobs) = self.jobs {
            jobs.stop().await;
        }
        self.desk.close().await;
        self.shipping.stop().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        let end = self.house.shell.operator().gate::<AuditView>(()).read(audit::head).await;
        self.house.instance.door.shut_down().await;
        // Without it the next start looks at the whole database: nobody knows then how this one ended.
        if let Err(reason) = stopped::leave(&self.house.instance.data, end.ok().as_ref()) {
            tracing::warn!(?reason, "the mark of a stop in good order could not be left");
        }
        drop(self.held);
    }
}
