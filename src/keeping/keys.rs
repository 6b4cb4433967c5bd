//! Keys as the owner changes them: the ways in which the instance opens. The keyring itself is the kernel's.

use crate::kernel::access::{Gate, InstanceKeep};
use crate::kernel::audit::Event;
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::keyring::Keyring;

const CHANGED: Event = Event::new("keys.changed", "The ways in which the instance opens were changed.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[CHANGED];

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
