//! The first start: what waits for the first owner as long as nobody has claimed the instance.

use super::House;
use crate::keeping::keys;
use crate::kernel::access::Claim;
use crate::kernel::error::Result;
use crate::kernel::keyring::RecoveryKit;
use crate::kernel::secret::Secret;
use crate::people::setup::{self, PendingKit};
use std::sync::Arc;

/// What waits for the first owner.
pub struct First {
    /// The code of the link for claiming the instance; none once it is claimed.
    pub code: Option<Secret<String>>,
    /// The recovery kit, to be shown once.
    pub kit: PendingKit,
}

/// Gives out a new link, and a kit that nobody has seen.
pub async fn first(house: &House) -> Result<First> {
    let uuid = house.instance.keyring()?.uuid().to_owned();
    let gate = house.shell.operator().gate::<Claim>(());
    let code = gate.write(move |tx| setup::issue_link(tx, &uuid)).await?;
    let kit = if code.is_some() { kit(house).await? } else { None };
    Ok(First { code, kit: PendingKit::new(kit) })
}

/// The kit for the first owner: the one of a new instance, else another one, because a kit that nobody
/// has seen is gone with its process. None once a backup was made with it.
pub async fn kit(house: &House) -> Result<Option<RecoveryKit>> {
    match &house.kit {
        Some(kit) => Ok(Some(kit.clone())),
        None => {
            let (gate, instance) = (house.shell.operator().gate::<Claim>(()), Arc::clone(&house.instance));
            gate.write(move |tx| keys::renew_kit(tx, &instance)).await
        }
    }
}
