//! Keys as the owner changes them: the ways in which the instance opens. The keyring itself is the kernel's.

use super::backups;
use crate::kernel::access::{Claim, Gate, InstanceKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{Keyring, RecoveryKit};
use crate::people::setup;

const CHANGED: Event = Event::new("keys.changed", "The ways in which the instance opens were changed.");

const KIT_RENEWED: Event =
    Event::new("keys.kit_renewed", "The recovery kit that nobody had seen was exchanged for another one.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[CHANGED, KIT_RENEWED];

/// Changes the keyring, stores it, and leaves an entry.
pub async fn change(
    gate: &Gate<InstanceKeep>,
    instance: &Instance,
    with: impl FnOnce(&mut Keyring) -> Result<()>,
) -> Result<()> {
    gate.admit().await?;
    instance.change_keyring(with)?;
    gate.write(|tx| tx.audited(CHANGED.alone(), ())).await
}

/// Another recovery kit for an instance that nobody has claimed. None once a backup was made, because a
/// repository keeps the password it was made with.
///
/// The key ring is stored in the writer's transaction: nobody claims the instance meanwhile.
pub fn renew_kit<'t>(tx: Write<'t, Claim>, instance: &Instance) -> Result<Audited<'t, Option<RecoveryKit>>> {
    if setup::instance(tx)?.is_some_and(|instance| instance.claimed_at.is_some()) {
        return Err(Error::conflict("This instance has been set up already.")
            .hint("Its recovery kit was shown then, and nobody can show it again."));
    }
    if backups::is_any(tx)? {
        return Ok(tx.quiet(Quiet::Nothing, None));
    }
    let kit = instance.change_keyring(|keyring| keyring.renew_kit(tx.now()))?;
    tx.audited(KIT_RENEWED.alone(), Some(kit))
}
