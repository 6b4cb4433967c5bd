//! Backups as people and programs make them.

use crate::support::App;
use crate::support::people::Person;
use reqwest::Method;
use serde_json::Value;
use testkeep::kernel::access::Role;

const PLAN: &str = "/instance/backups/plan";

fn plan<'a>(folder: &'a str, schedule: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("folder", folder),
        ("schedule", schedule),
        ("last", "3"),
        ("daily", "7"),
        ("weekly", "4"),
        ("monthly", "6"),
    ]
}

async fn listed(app: &App, person: &Person) -> Value {
    let request = app.request(Method::GET, "/api/v1/backups").bearer_auth(&person.token);
    request.send().await.unwrap().json().await.unwrap()
}

/// The list once nothing runs any more.
async fn settled(app: &App, person: &Person) -> Value {
    loop {
        let list = listed(app, person).await;
        if list["backups"][0]["state"] != "running" {
            return list;
        }
    }
}

async fn start(app: &App, person: &Person) -> (u16, Value) {
    let reply = app.request(Method::POST, "/api/v1/backups").bearer_auth(&person.token).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

#[actix_web::test]
async fn an_owner_chooses_a_folder_and_makes_a_backup_that_is_read_back() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("Not protected") && !page.contains("Back up now"), "{page}");
    assert_eq!(start(&app, &owner).await.0, 409);

    let folder = app.folder().join("keep");
    let folder = folder.to_str().unwrap();
    let page = app.submit_and_follow(&owner, PLAN, &plan(folder, "30 2 * * *")).await;
    for part in
        ["The plan of backups is saved.", "No backup yet", "At 02:30", "The next times: ", "Same disk"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains(&format!("testkeep restore --from {folder} --into ")), "{page}");

    let page = app.submit_and_follow(&owner, "/instance/backups", &[]).await;
    assert!(page.contains("A backup is being made."), "{page}");
    let list = settled(&app, &owner).await;
    assert_eq!(
        (&list["state"], &list["backups"][0]["cause"]),
        (&"Verified".into(), &"person".into()),
        "{list}"
    );
    assert_eq!(list["backups"][0]["receipt"], 1);
    let (status, second) = start(&app, &owner).await;
    assert_eq!((status, &second["state"]), (202, &"running".into()));
    assert_eq!(settled(&app, &owner).await["backups"][0]["id"], second["id"]);

    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("By hand") && page.contains("Good</span>") && page.contains("Verified"), "{page}");
    let trail = app.page(&owner, "/instance/audit?event=backup.").await;
    for said in [
        "A backup was started",
        "A backup was made, read back and signed",
        "retention of backups were changed",
    ] {
        assert!(trail.contains(said), "{said}: {trail}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_plan_that_protects_nothing_is_refused_beside_its_field() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let inside = app.data().join("backups");
    let cases = [
        (inside.to_str().unwrap(), "30 2 * * *", "lies inside the data folder"),
        ("backups", "30 2 * * *", "is not a whole path"),
        ("/mnt/keep", "every day", "is no schedule"),
    ];
    for (folder, schedule, said) in cases {
        let reply = app.submit(&owner, PLAN, &plan(folder, schedule)).await;
        assert_eq!(reply.status(), 422);
        let page = reply.text().await.unwrap();
        assert!(page.contains(said) && page.contains("aria-invalid"), "{said}: {page}");
    }
    assert_eq!(listed(&app, &owner).await["plan"]["folder"], Value::Null);
    app.stop().await;
}

#[actix_web::test]
async fn an_auditor_sees_backups_and_can_touch_none() {
    let app = App::start().await;
    let auditor = app.as_role(Role::Auditor, None).await;
    let page = app.page(&auditor, "/instance/backups").await;
    assert!(page.contains("Not protected") && !page.contains("action=\"/instance/backups"), "{page}");
    for path in ["/instance/backups", "/instance/backups/stop", PLAN] {
        assert_eq!(
            app.submit(&auditor, path, &[]).await.status(),
            if path == PLAN { 422 } else { 403 },
            "{path}"
        );
    }
    assert_eq!(app.submit(&auditor, PLAN, &plan("/mnt/keep", "")).await.status(), 403);
    assert_eq!(start(&app, &auditor).await.0, 403);
    app.stop().await;
}

#[actix_web::test]
async fn a_backup_that_fails_says_why_in_red() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let file = app.folder().join("no-folder");
    std::fs::write(&file, "a file").unwrap();
    app.submit(&owner, PLAN, &plan(file.to_str().unwrap(), "")).await;
    assert_eq!(start(&app, &owner).await.0, 202);
    let list = settled(&app, &owner).await;
    assert_eq!(
        (&list["state"], &list["backups"][0]["state"]),
        (&"Failed".into(), &"failed".into()),
        "{list}"
    );
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("The last backup failed.") && page.contains("role=\"alert\""), "{page}");
    let overview = app.page(&owner, "/instance").await;
    assert!(overview.contains("The last backup failed."), "{overview}");
    app.stop().await;
}
