//! Throttle: failed sign-ins are counted by account and by address, and each more makes the next wait
//! longer. Nobody is locked out for good, and a browser that has signed in before is counted by itself,
//! so that strangers who guess do not keep the owner out.

use crate::kernel::access::{Permission, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::secret::Secret;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

/// What failures are counted for.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// Passphrases for this address, whether there is such an account or not.
    Account(String),
    /// Codes of this person.
    Factor(UserId),
    /// A browser in which this person has signed in before.
    Device(String),
    /// Whoever comes from there.
    Address,
}

impl Subject {
    fn digest(&self, tx: impl Tx) -> [u8; 32] {
        match self {
            Subject::Account(email) => tx.digest(&format!("failures account {email}")),
            Subject::Factor(user) => tx.digest(&format!("failures factor {}", user.0)),
            Subject::Device(nonce) => tx.digest(&format!("failures device {nonce}")),
            Subject::Address => tx.digest(&format!("failures address {}", tx.address())),
        }
    }

    fn free_failures(&self) -> i64 {
        match self {
            Subject::Address => limits::SIGN_IN_FREE_FAILURES_OF_ADDRESS,
            _ => limits::SIGN_IN_FREE_FAILURES,
        }
    }
}

/// Counts an attempt before it is examined, so that many at once cannot pass between look and count.
/// Answers no, and counts nothing, while it has to wait.
pub(super) fn admit<P: Permission>(tx: Write<'_, P>, subjects: &[Subject]) -> Result<bool> {
    for subject in subjects {
        if let Some(counted) = counted(tx, subject)?
            && tx.now().0 - counted.last_at.0 < wait_ms(counted.failures, subject.free_failures())
        {
            return Ok(false);
        }
    }
    for subject in subjects {
        count(tx, subject)?;
    }
    Ok(true)
}

/// Takes back what `admit` counted: the attempt was good. An address keeps what others did there.
pub(super) fn absolve<P: Permission>(tx: Write<'_, P>, subjects: &[Subject]) -> Result<()> {
    for subject in subjects {
        match subject {
            Subject::Address => discount(tx, subject)?,
            _ => forget(tx, subject)?,
        }
    }
    Ok(())
}

/// How long the next attempt waits after so many failures, in milliseconds.
fn wait_ms(failures: i64, free: i64) -> i64 {
    if failures < free {
        return 0;
    }
    let doublings = u32::try_from((failures - free).min(30)).unwrap_or(30);
    limits::SIGN_IN_WAIT_MS.saturating_mul(1 << doublings).min(limits::SIGN_IN_WAIT_MAX_MS)
}

struct Counted {
    failures: i64,
    last_at: Timestamp,
}

impl FromRow for Counted {
    fn from_row(row: &Row<'_>) -> sql::Result<Counted> {
        Ok(Counted { failures: row.get("failures")?, last_at: row.get("last_at")? })
    }
}

fn counted(tx: impl Tx, subject: &Subject) -> Result<Option<Counted>> {
    tx.row(
        "SELECT failures, last_at FROM sign_in_failures WHERE subject = :subject AND last_at > :forgotten",
        named_params! {
            ":subject": subject.digest(tx),
            ":forgotten": Timestamp(tx.now().0 - limits::SIGN_IN_MEMORY_MS),
        },
    )
}

fn count<P: Permission>(tx: Write<'_, P>, subject: &Subject) -> Result<()> {
    tx.run(
        "INSERT INTO sign_in_failures (subject, failures, last_at) VALUES (:subject, 1, :now)
             ON CONFLICT (subject)
             DO UPDATE SET failures = iif(last_at > :forgotten, failures + 1, 1), last_at = :now",
        named_params! {
            ":subject": subject.digest(tx), ":now": tx.now(),
            ":forgotten": Timestamp(tx.now().0 - limits::SIGN_IN_MEMORY_MS),
        },
    )
    .map(drop)
}

fn discount<P: Permission>(tx: Write<'_, P>, subject: &Subject) -> Result<()> {
    tx.run(
        "UPDATE sign_in_failures SET failures = max(failures - 1, 0) WHERE subject = :subject",
        named_params! { ":subject": subject.digest(tx) },
    )
    .map(drop)
}

/// Forgets all failures of this subject.
pub(super) fn forget<P: Permission>(tx: Write<'_, P>, subject: &Subject) -> Result<()> {
    tx.run(
        "DELETE FROM sign_in_failures WHERE subject = :subject",
        named_params! { ":subject": subject.digest(tx) },
    )
    .map(drop)
}

/// A mark for a browser in which this person has just signed in. It proves nothing but that.
pub(super) fn device_mark(tx: impl Tx, user: UserId) -> Secret<String> {
    let nonce = random::cookie();
    let seal = BASE64URL_NOPAD.encode(&seal(tx, user, nonce.expose()));
    Secret::new(format!("{}.{seal}", nonce.expose()))
}

/// The name of the device, if this mark was given to this person.
pub(super) fn known_device(tx: impl Tx, user: UserId, mark: Option<&str>) -> Option<String> {
    let (nonce, given) = mark?.split_once('.')?;
    let given = BASE64URL_NOPAD.decode(given.as_bytes()).ok()?;
    let is_ours = bool::from(seal(tx, user, nonce)[..].ct_eq(&given));
    is_ours.then(|| nonce.to_owned())
}

fn seal(tx: impl Tx, user: UserId, nonce: &str) -> [u8; 32] {
    tx.digest(&format!("device {} {nonce}", user.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_stays_below_a_bound() {
        let waits: Vec<i64> = [0, 4, 5, 6, 7, 13, 14, 1_000].map(|failures| wait_ms(failures, 5)).into();
        assert_eq!(waits, [0, 0, 2_000, 4_000, 8_000, 512_000, 900_000, 900_000]);
    }
}
