//! Once a week everything at every target is read back (B02, f09): damage to what only older backups need is found then,
//! and costs no new backup.

use super::targets::{begin, folder_target, settled};
use crate::support::App;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use testkeep::keeping::backups::READ;
use testkeep::kernel::access::{Role, StorageKeep};
use testkeep::kernel::integrity;

fn packs(keep: &Path) -> BTreeSet<PathBuf> {
    let folders = fs::read_dir(keep.join("data")).unwrap().map(|entry| entry.unwrap().path());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
}

#[actix_web::test]
async fn b02_f09_damage_to_an_older_backup_alarms_on_sunday_and_costs_no_new_one() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let keep = app.folder().join("keep");
    let fields = folder_target("Disk", keep.to_str().unwrap(), "", "");
    assert_eq!(app.submit(&owner, "/instance/backups/targets", &fields).await.status(), 303);
    let made = async || {
        assert_eq!(begin(&app, &owner, "").await.0, 202);
        settled(&app, &owner).await["backups"][0].clone()
    };
    assert_eq!(made().await["state"], "good");
    let first = packs(&keep);
    // Written anew, every page is another one: nothing of the first is needed by the second.
    integrity::rebuild_file(&app.house.shell.operator().gate::<StorageKeep>(())).await.unwrap();
    assert_eq!(made().await["state"], "good");
    let largest = |packs: &BTreeSet<PathBuf>| {
        packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap().clone()
    };
    let flip = |pack: &Path| {
        let mut bytes = fs::read(pack).unwrap();
        bytes[1_000] ^= 1;
        fs::write(pack, bytes).unwrap();
    };
    let read = async || (READ.run)(Arc::clone(&app.desk)).await;
    assert_eq!(read().await.unwrap(), "Everything at 1 targets was read back.");

    let old = largest(&first);
    flip(&old);
    let third = made().await;
    assert_eq!(third["state"], "good", "{third}");
    assert!(read().await.is_err());
    let page = app.page(&owner, "/instance").await;
    assert!(
        page.contains("Backups are damaged") && page.contains("“Disk” is not as it was written"),
        "{page}"
    );
    flip(&old);
    read().await.unwrap();
    assert!(!app.page(&owner, "/instance").await.contains("Backups are damaged"));

    // What the new one needs of earlier ones is read back with it.
    let shared = packs(&keep).difference(&first).cloned().collect();
    flip(&largest(&shared));
    let fourth = made().await;
    assert_eq!(fourth["state"], "failed", "{fourth}");
    assert!(fourth["message"].as_str().unwrap().contains("read back"), "{fourth}");
    app.stop().await;
}
