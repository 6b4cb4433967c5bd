//! The first start: what waits for the first owner as long as nobody has claimed the instance.

use super::House;
use crate::keeping::backups;
use crate::kernel::access::{BackupView, Claim};
use crate::kernel::error::Result;
use crate::kernel::keyring::RecoveryKit;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::people::setup::{self, PendingKit};

/// What waits for the first owner.
pub struct First {
    /// The code of the link for claiming the instance; none once it is claimed.
    pub code: Option<Secret<String>>,
    /// The recovery kit, to be shown once.
    pub kit: PendingKit,
}

/// Gives out a new link, and a kit that nobody has seen: one from an earlier start is gone with its
/// process, so it is exchanged as long as no backup was made with it.
pub async fn first(house: &House, now: Timestamp) -> Result<First> {
    let uuid = house.instance.keyring()?.uuid().to_owned();
    let gate = house.shell.operator().gate::<Claim>(());
    let code = gate.write(move |tx| setup::issue_link(tx, &uuid)).await?;
    let kit = match (&code, &house.kit) {
        (None, _) => None,
        (Some(_), Some(kit)) => Some(kit.clone()),
        (Some(_), None) => renewed(house, now).await?,
    };
    let kit = kit.map(|kit| kit.print(setup::FIRST_NAME));
    Ok(First { code, kit: PendingKit::new(kit) })
}

async fn renewed(house: &House, now: Timestamp) -> Result<Option<RecoveryKit>> {
    let gate = house.shell.operator().gate::<BackupView>(());
    if !gate.read(backups::list).await?.is_empty() {
        return Ok(None);
    }
    house.instance.change_keyring(|keyring| keyring.renew_kit(now)).map(Some)
}
