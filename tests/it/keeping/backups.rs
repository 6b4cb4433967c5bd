//! Backups as people and programs make them.

use super::targets::{begin, folder_target, listed, settled};
use crate::support::App;
use reqwest::Method;
use testkeep::kernel::access::Role;

#[actix_web::test]
async fn b03_an_owner_adds_a_folder_and_makes_a_backup_that_is_read_back() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("Not protected") && !page.contains("Back up now"), "{page}");
    assert_eq!(begin(&app, &owner, "").await.0, 409);

    let folder = app.folder().join("keep");
    let folder = folder.to_str().unwrap();
    let fields = folder_target("Second disk", folder, "30 2 * * *", "Europe/Berlin");
    let page = app.submit_and_follow(&owner, "/instance/backups/targets", &fields).await;
    for part in ["The target is added.", "No backup yet", "Every day at 02:30", "on the disk of the data"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The clock stands at 2026-01-02 03:04:05 UTC.
    for night in ["Sat 3 Jan 2026, 02:30 CET", "Wed 7 Jan 2026, 02:30 CET"] {
        assert!(page.contains(night), "{night}: {page}");
    }
    let page = app.submit_and_follow(&owner, "/instance/backups", &[]).await;
    assert!(page.contains("A backup is being made."), "{page}");
    let list = settled(&app, &owner).await;
    assert_eq!(
        (&list["state"], &list["backups"][0]["cause"]),
        (&"Verified".into(), &"person".into()),
        "{list}"
    );
    assert_eq!((&list["backups"][0]["receipt"], &list["backups"][0]["target_id"]), (&1.into(), &1.into()));
    let (status, second) = begin(&app, &owner, r#"{"target": 1}"#).await;
    assert_eq!((status, &second["state"]), (202, &"running".into()));
    assert_eq!(settled(&app, &owner).await["backups"][0]["id"], second["id"]);

    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("By hand") && page.contains("Good</span>") && page.contains("Verified"), "{page}");
    assert!(page.contains(&format!("testkeep restore --from {folder} --into ")), "{page}");
    let page = app.page(&owner, "/instance/backups/targets/1?last=1&daily=0&weekly=0&monthly=0").await;
    assert!(page.contains("1 of 2 backups there stay") && page.contains("Goes"), "{page}");
    let trail = app.page(&owner, "/instance/audit").await;
    for said in ["A target of backups was added", "A backup was started", "made, read back and signed"] {
        assert!(trail.contains(said), "{said}: {trail}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn several_targets_get_one_each_and_one_that_fails_stops_no_other() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let file = app.folder().join("no-folder");
    std::fs::write(&file, "a file").unwrap();
    let (good, other) = (app.folder().join("good"), app.folder().join("other"));
    for (name, place) in [("Broken", &file), ("Good", &good), ("Other", &other)] {
        let fields = folder_target(name, place.to_str().unwrap(), "", "");
        assert_eq!(app.submit(&owner, "/instance/backups/targets", &fields).await.status(), 303, "{name}");
    }
    let page = app.submit_and_follow(&owner, "/instance/backups", &[]).await;
    assert!(page.contains("3 backups are being made, one after the other."), "{page}");
    let list = settled(&app, &owner).await;
    let states: Vec<_> = (0..3).map(|at| list["backups"][at]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["good", "good", "failed"], "{list}");
    // Each repository has receipts of its own, so each can be verified alone.
    assert_eq!((&list["backups"][0]["receipt"], &list["backups"][1]["receipt"]), (&1.into(), &1.into()));
    assert_eq!(list["state"], "Failed");
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("Broken: The last backup failed.") && page.contains("role=\"alert\""), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn an_auditor_sees_backups_and_can_touch_none() {
    let app = App::start().await;
    let auditor = app.as_role(Role::Auditor, None).await;
    let page = app.page(&auditor, "/instance/backups").await;
    assert!(page.contains("Not protected") && !page.contains("action=\"/instance/backups"), "{page}");
    for path in ["/instance/backups", "/instance/backups/stop"] {
        assert_eq!(app.submit(&auditor, path, &[]).await.status(), 403, "{path}");
    }
    let fields = folder_target("Mine", "/mnt/keep", "", "");
    assert_eq!(app.submit(&auditor, "/instance/backups/targets", &fields).await.status(), 403);
    assert_eq!(begin(&app, &auditor, "").await.0, 403);
    assert_eq!(listed(&app, &auditor).await["state"], "Not protected");
    let get = app.request(Method::GET, "/api/v1/backup-targets").bearer_auth(&auditor.token);
    assert_eq!(get.send().await.unwrap().status(), 200);
    app.stop().await;
}
