//! Standing: how the certificate is doing, for the page, the API, the command and the alarms.

use super::pair::{self, Pair};
use super::state::State;
use super::tls::Tls;
use super::{ASKED, Keeper, Source, sql, tls};
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::Timestamp;

/// How the certificate is doing.
#[derive(Clone, Debug)]
pub struct Standing {
    /// `files`, `acme`, `authority` or `own`.
    pub source: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// Host names and addresses it is for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// SHA-256, as browsers write it.
    pub fingerprint: String,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// Days until then; negative afterwards.
    pub days_left: i64,
    /// How much of its life is over, of a hundred.
    pub used_percent: i64,
    /// Whether its end is so near that somebody should look.
    pub is_ending: bool,
    /// When another one is due; none where somebody else sees to that.
    pub renew_at: Option<Timestamp>,
    /// When it was last tried or looked at.
    pub tried_at: Option<Timestamp>,
    /// How that ended, in words.
    pub message: Option<String>,
    /// Whether what is tried now fails.
    pub is_failing: bool,
    /// The directory that is called; none while nobody is.
    pub directory: Option<String>,
}

impl Standing {
    /// In the running instance.
    pub fn of(tx: impl Tx, keeper: &Keeper) -> Result<Standing> {
        let tls = keeper.tls();
        let served = tls.served();
        let source = match keeper.directory() {
            Some(_) => Source::Acme,
            None => served.source,
        };
        let state = sql::state(tx, source)?.unwrap_or_else(State::empty);
        let mut standing = Standing::new(&served.pair, served.source, &state, tls.now());
        standing.directory = keeper.directory().map(str::to_owned);
        let (problem, looked_at) = tls.files();
        if served.source == Source::Files {
            standing.is_failing = problem.is_some();
            standing.tried_at = looked_at;
            standing.message = problem.or(Some("The files are as they are served.".to_owned()));
        }
        Ok(standing)
    }

    /// As a start of the server would find it: for commands, which have no listener.
    pub fn stored(
        tx: impl Tx,
        options: &Options,
        instance: &Instance,
        now: Timestamp,
    ) -> Result<Option<Standing>> {
        let source = source(tx, options)?;
        let state = sql::state(tx, source)?.unwrap_or_else(State::empty);
        let issued = match (&state.chain, &state.key) {
            (Some(chain), Some(key)) => Some(super::keeper::opened(instance, chain, key)?),
            _ => None,
        };
        let (pair, shown) = match issued {
            Some(pair) => (Some(pair), source),
            None if source == Source::Files => (tls::on_disk(options)?, Source::Files),
            None => (tls::on_disk(options)?, Source::Own),
        };
        let directory = options.acme.as_ref().map(|acme| acme.directory.clone());
        Ok(pair.map(|pair| Standing { directory, ..Standing::new(&pair, shown, &state, now) }))
    }

    fn new(pair: &Pair, source: Source, state: &State, now: Timestamp) -> Standing {
        let used = (now.0 - pair.about.not_before.0).clamp(0, pair.lifetime_ms().max(0));
        Standing {
            source: source.word(),
            title: source.title(),
            names: pair.about.names.clone(),
            issuer: pair.about.issuer.clone(),
            fingerprint: pair.fingerprint.clone(),
            not_before: pair.about.not_before,
            not_after: pair.not_after,
            days_left: pair.days_left(now),
            used_percent: used * 100 / pair.lifetime_ms().max(1),
            is_ending: pair.days_left(now) <= pair.warning_days(),
            renew_at: match source {
                Source::Own => {
                    Some(Timestamp(pair.not_after.0 - limits::CERTIFICATE_WARNING_DAYS * pair::DAY_MS))
                }
                _ => state.next_try(),
            },
            tried_at: state.tried_at,
            message: state.message.clone(),
            is_failing: state.is_failing(),
            directory: None,
        }
    }
}

/// Where the certificate comes from by these options.
pub fn source(tx: impl Tx, options: &Options) -> Result<Source> {
    let has_authority = sql::authority(tx)?.is_some();
    Ok(Source::of(options.tls_files.is_some(), options.acme.is_some(), has_authority))
}

/// Notes that another one is wanted now; the keeper of the running instance sees to it.
///
/// Errors: `Conflict` where there is nobody to ask.
pub fn ask(tx: Write<'_, InstanceKeep>, source: Source) -> Result<Audited<'_, ()>> {
    match source {
        Source::Acme | Source::Authority => {
            sql::ask(tx, source)?;
            tx.audited(ASKED.alone(), ())
        }
        Source::Files => Err(Error::conflict("The certificate comes from files that somebody else renews.")
            .hint("Put a new pair in their place; it is taken over within seconds.")),
        Source::Own => {
            Err(Error::conflict("The instance signs its certificate itself and renews it by itself.")
                .hint("Make an authority, or set `acme_directory`, to have one that others believe."))
        }
    }
}

/// What became of it: none while it is under way, else how it ended, and whether that is a failure.
pub fn answer(tx: impl Tx, source: Source) -> Result<Option<(String, bool)>> {
    let state = sql::state(tx, source)?.filter(|state| state.asked_at.is_none());
    Ok(state.map(|state| (state.message.clone().unwrap_or_default(), state.is_failing())))
}

/// What the alarms say, so that each thing is written once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    failing: Option<String>,
    ending: Option<(Alarm, String)>,
}

/// What alarms of certificates are about: there is one certificate.
const SUBJECT: &str = "";

impl Told {
    /// What there is to say at this moment.
    pub fn of(tls: &Tls, state: &State, now: Timestamp) -> Told {
        let served = tls.served();
        let failing = match served.source {
            Source::Files => tls.files().0,
            _ => state.message.clone().filter(|_| state.is_failing()),
        };
        let failing = failing.map(|reason| format!("{reason} The old certificate stays in service."));
        Told { failing, ending: ending(&served.pair, now) }
    }

    /// Raises what holds and clears what does not.
    pub fn write(&self, tx: Write<'_, InstanceKeep>) -> Result<()> {
        match &self.failing {
            Some(sentence) => alarms::raise(tx, Alarm::CertificateRenewal, SUBJECT, sentence)?,
            None => alarms::clear(tx, Alarm::CertificateRenewal, SUBJECT)?,
        }
        for alarm in [Alarm::CertificateExpiry, Alarm::CertificateEnding] {
            match &self.ending {
                Some((raised, sentence)) if *raised == alarm => alarms::raise(tx, alarm, SUBJECT, sentence)?,
                _ => alarms::clear(tx, alarm, SUBJECT)?,
            }
        }
        Ok(())
    }
}

/// The step of the days that are left; the words change from step to step and not each day.
fn ending(pair: &Pair, now: Timestamp) -> Option<(Alarm, String)> {
    let left = pair.days_left(now);
    if left > pair.warning_days() {
        return None;
    }
    let at = pair.not_after;
    let step = limits::CERTIFICATE_ALARM_DAYS.iter().rev().find(|days| left < **days);
    let step = step.copied().unwrap_or(limits::CERTIFICATE_WARNING_DAYS);
    Some(match left {
        ..0 => (
            Alarm::CertificateEnding,
            format!("The certificate ended at {at}. Browsers refuse to open the pages."),
        ),
        _ if step <= limits::CERTIFICATE_DANGER_DAYS => {
            (Alarm::CertificateEnding, format!("The certificate ends at {at}, in less than {step} days."))
        }
        _ => (Alarm::CertificateExpiry, format!("The certificate ends at {at}, in less than {step} days.")),
    })
}
