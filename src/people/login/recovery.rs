//! Recovery codes: ten of 125 bits, each good once in the place of a code from the app.

use super::sql;
use crate::kernel::access::{Permission, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::random;
use crate::kernel::secret::Secret;

/// New codes for a person; the old ones are worth nothing from here on. Shown once, stored as digests.
pub(super) fn renew<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<Vec<Secret<String>>> {
    sql::forget_codes(tx, user)?;
    let codes = Vec::from(random::recovery_codes());
    for code in &codes {
        sql::insert_code(tx, user, &digest(tx, user, code.expose()))?;
    }
    Ok(codes)
}

/// Whether what was typed is an unused code of this person; it is used up.
pub(super) fn accept<P: Permission>(tx: Write<'_, P>, user: UserId, typed: &str) -> Result<bool> {
    let Some(code) = random::recovery_code(typed) else { return Ok(false) };
    // Written down on paper, a code may be older than the key of today.
    for digest in tx.digests(&worded(user, code.expose())) {
        if sql::use_code(tx, user, &digest)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn digest(tx: impl Tx, user: UserId, code: &str) -> [u8; 32] {
    tx.digest(&worded(user, code))
}

fn worded(user: UserId, code: &str) -> String {
    format!("recovery {} {code}", user.0)
}
