//! Whoever makes the backups need not be whoever reads what they hold (P-L5-3, B03).

use super::targets::folder_target;
use crate::door::{ask, guarded};
use crate::kernel::house::{add, at};
use crate::support::App;
use crate::support::people::Person;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use testkeep::kernel::access::{CaseWrite, InstanceKeep, Role, Tx as _};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::sql::named_params;

/// A word that stands in test data alone, and one that stands in a secret alone.
const TOLD: &str = "zebrafish";
const SECRET: &str = "quagga-password";
/// What is about backups and shows nothing that they hold.
const OPEN: [&str; 6] = [
    "/instance/backups",
    "/instance/backups/",
    "/api/v1/backups",
    "/api/v1/backups/",
    "/api/v1/backup-targets",
    "/api/v1/drills",
];
/// What every account has.
const OWN: [&str; 4] = ["/account", "/api/v1/me", "/api/v1/projects", "/"];

fn is_among(path: &str, known: &[&str]) -> bool {
    known.iter().any(|open| {
        path == *open || (open.len() > 1 && path.strip_prefix(open).is_some_and(|rest| rest.starts_with('/')))
    })
}

/// An instance with test data, a target with a secret, a backup, and a restore that quotes a case.
async fn furnished() -> (App, Person) {
    let app = App::start().await;
    app.person("nobody", None).await;
    app.project("SHOP").await;
    add(&app.house.shell.operator().gate::<CaseWrite>(at("SHOP")), &format!("The {TOLD} swims"))
        .await
        .unwrap();
    let owner = app.as_role(Role::Owner, None).await;
    let keep = app.folder().join("keep");
    let disk = folder_target("Disk", keep.to_str().unwrap(), "", "");
    assert_eq!(app.submit(&owner, "/instance/backups/targets", &disk).await.status(), 303);
    let away = json!({
        "name": "Away", "address": "webdav+http://127.0.0.1:1/keep", "enabled": false,
        "secrets": { "user": "mara", "password": SECRET },
    });
    let added = app.with_token(&owner.token, Method::POST, "/api/v1/backup-targets").json(&away);
    assert_eq!(added.send().await.unwrap().status(), 201);
    let preview = json!({
        "counts": {}, "created": [], "conflicts": [], "notes": [],
        "changed": [{ "reference": "SHOP-C1", "fields": [{ "name": "title", "now": "x", "then": TOLD }] }],
    });
    let gate = app.house.shell.operator().gate::<InstanceKeep>(());
    let noting = gate.write(move |tx| {
        tx.run(
            "INSERT INTO restores (target, what, mode, state, started_at, changed_at, preview)
             VALUES ('/keep', 'SHOP-C1', 'missing', 'previewed', :now, :now, :preview)",
            named_params! { ":now": tx.now(), ":preview": preview.to_string() },
        )?;
        Ok(tx.quiet(Quiet::Nothing, ()))
    });
    noting.await.unwrap();
    (app, owner)
}

/// What a person reads at every address that can be looked at.
async fn looked_at(app: &App, person: &Person) -> Vec<(String, u16, String)> {
    let mut seen = Vec::new();
    for one in guarded().into_iter().filter(|one| one.method == Method::GET) {
        let reply = ask(app, person, &one.method, &one.path).await;
        let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap_or_default());
        seen.push((one.path, status, text));
    }
    seen
}

fn check(seen: &[(String, u16, String)], kit: &str) {
    for (path, status, text) in seen {
        assert!(*status < 500, "{path}: {status}");
        assert!(!text.to_lowercase().contains(TOLD), "{path} tells test data: {text}");
        assert!(!text.contains(SECRET) && !text.contains(kit), "{path} tells a secret: {text}");
        let is_open = is_among(path, &OPEN) || is_among(path, &OWN);
        let is_of_restores = ["restore", "/whole"].iter().any(|word| path.contains(word));
        if *status == 200 {
            assert!(is_open && !is_of_restores, "{path} is open");
        }
        if path.contains("/SHOP") {
            assert_eq!(*status, 404, "{path}: not even that there is such a project");
        }
    }
}

#[actix_web::test]
async fn p_l5_3_a_backup_operator_makes_backups_and_cannot_open_test_data() {
    let (app, owner) = furnished().await;
    let operator = app.as_role(Role::BackupOperator, None).await;
    let kit = app.house.kit.clone().unwrap().secret.repository_password().expose().clone();

    // They make a backup, test a target, and see how it went.
    assert_eq!(app.submit(&operator, "/instance/backups", &[("target", "1")]).await.status(), 303);
    let mut made = Value::Null;
    for _ in 0..600 {
        let answer = app.with_token(&operator.token, Method::GET, "/api/v1/backups").send().await.unwrap();
        made = answer.json().await.unwrap();
        if made["backups"][0]["state"] == "good" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(made["backups"][0]["state"], "good", "{made}");
    let tested = app.with_token(&operator.token, Method::POST, "/api/v1/backup-targets/1/test").send().await;
    assert_eq!(tested.unwrap().status(), 200);
    let page = app.page(&operator, "/instance/backups").await;
    assert!(page.contains("Back up now") && page.contains("Disk"), "{page}");
    assert!(!page.contains("/targets/new") && !page.contains("/backups/restore"), "{page}");

    // The owner sees what the operator must not; the search below would find it.
    let restore = app.page(&owner, "/instance/backups/restore/1").await;
    assert!(restore.contains(TOLD), "{restore}");
    let seen = looked_at(&app, &operator).await;
    assert!(seen.iter().filter(|(path, status, _)| *status == 200 && is_among(path, &OPEN)).count() >= 8);
    check(&seen, &kit);

    // Nothing that would bring test data out, send it elsewhere, or let it go.
    for (method, path, body) in [
        (Method::POST, "/api/v1/restores", json!({ "what": "SHOP" })),
        (Method::POST, "/api/v1/restores/1/apply", json!({})),
        (Method::POST, "/api/v1/backup-targets", json!({ "name": "Mine", "address": "/mine" })),
        (Method::PATCH, "/api/v1/backup-targets/1", json!({ "enabled": false })),
        (Method::DELETE, "/api/v1/backup-targets/1", Value::Null),
        (Method::PUT, "/api/v1/backups/log", json!({ "on": true })),
        (Method::POST, "/api/v1/keys/exchange", json!({ "keys": ["database"] })),
        (Method::GET, "/api/v1/restores/1", Value::Null),
        (Method::GET, "/api/v1/audit", Value::Null),
        (Method::GET, "/api/v1/keys", Value::Null),
    ] {
        let request = app.with_token(&operator.token, method.clone(), path).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 403, "{method} {path}");
    }
    for (path, fields) in [
        ("/instance/backups/whole", &[("target", "1"), ("backup", "1"), ("name", "Testkeep")][..]),
        ("/instance/backups/runbook", &[("contact", "me")]),
        ("/instance/backups/regions", &[("regions", "NL")]),
        ("/instance/backups/log", &[("on", "on"), ("seconds", "5")]),
        ("/instance/backups/targets/1/disable", &[]),
    ] {
        assert_eq!(app.submit(&operator, path, fields).await.status(), 403, "{path}");
    }
    app.stop().await;
}

/// The same for a program that an owner gave a token for backups.
#[actix_web::test]
async fn p_l5_3_a_token_for_backups_reads_no_test_data_though_its_owner_could() {
    let (app, owner) = furnished().await;
    let new = [("name", "nightly"), ("reach", "backups"), ("project", ""), ("days", "30")];
    let page = app.submit(&owner, "/account/tokens", &new).await.text().await.unwrap();
    let token = page.split("id=\"token\">").nth(1).unwrap().split("</p>").next().unwrap().to_owned();
    let account = app.page(&owner, "/account").await;
    assert!(account.contains("Making and checking backups"), "{account}");
    let program = Person { token, ..owner };
    for one in guarded().into_iter().filter(|one| one.method == Method::GET && one.path.starts_with("/api/"))
    {
        let reply = ask(&app, &program, &one.method, &one.path).await;
        let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap_or_default());
        assert!(!text.to_lowercase().contains(TOLD) && !text.contains(SECRET), "{}: {text}", one.path);
        if status == 200 {
            assert!(is_among(&one.path, &OPEN), "{} is open", one.path);
        }
    }
    let begun = app.with_token(&program.token, Method::POST, "/api/v1/backups").json(&json!({ "target": 1 }));
    assert_eq!(begun.send().await.unwrap().status(), 202);
    let one_project = [("name", "odd"), ("reach", "backups"), ("project", "SHOP"), ("days", "30")];
    let refused = app.submit(&program, "/account/tokens", &one_project).await;
    assert_eq!(refused.status(), 422);
    app.stop().await;
}

/// The role is one of the instance: nobody gets it in a project, by no door.
#[actix_web::test]
async fn p_l5_3_the_role_of_a_backup_operator_is_given_in_the_instance_alone() {
    let (app, owner) = furnished().await;
    let page = app.page(&owner, "/p/SHOP/members/new").await;
    assert!(!page.contains("backup_operator"), "{page}");
    let asked = json!({ "email": "mo@shop.example", "name": "Mo", "role": "backup_operator" });
    let given = app.with_token(&owner.token, Method::PUT, "/api/v1/projects/SHOP/members").json(&asked);
    assert_eq!(given.send().await.unwrap().status(), 422);
    let page = app.page(&owner, "/instance/people/new").await;
    assert!(page.contains("value=\"backup_operator\""), "{page}");
    let invited =
        app.with_token(&owner.token, Method::POST, "/api/v1/users").json(&asked).send().await.unwrap();
    assert!(invited.status().is_success() || invited.status() == 403, "{}", invited.text().await.unwrap());
    app.stop().await;
}

#[actix_web::test]
async fn p_l5_3_a_backup_operator_stops_drills_and_no_restore() {
    let (app, owner) = furnished().await;
    let operator = app.as_role(Role::BackupOperator, None).await;
    let stopped = async |what: &'static str, who: &Person, path: &str| {
        let turn = app.desk.bench.take(what).unwrap();
        let status = app.submit(who, path, &[]).await.status().as_u16();
        (status, turn.task.brake.go_on().is_err())
    };
    let (drill, restore) = ("/instance/backups/drills/stop", "/instance/backups/whole/stop");
    assert_eq!(stopped("A drill", &operator, drill).await, (303, true));
    assert_eq!(stopped("A restore", &operator, drill).await, (303, false));
    assert_eq!(stopped("A restore", &operator, restore).await, (403, false));
    assert_eq!(stopped("A restore", &owner, restore).await, (303, true));
    assert_eq!(stopped("Bringing the whole instance back", &owner, restore).await, (303, true));
    assert_eq!(stopped("A drill", &owner, restore).await, (303, false));
    app.stop().await;
}
