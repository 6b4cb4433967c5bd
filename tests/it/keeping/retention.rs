//! What is deleted lies in the trash first, goes by rules, never under a hold, and leaves a certificate.

use crate::support::people::Person;
use crate::support::program::Machine;
use crate::support::{App, NOW};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::time::{Duration, SystemTime};
use testkeep::keeping::retention::{Certificate, verify};
use testkeep::kernel::access::{Role, StorageKeep};
use testkeep::kernel::audit::Quiet;

const DAY_MS: i64 = 24 * 3_600_000;

async fn ask(app: &App, who: &Person, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = app.with_token(&who.token, method.clone(), path);
    let request = if method == Method::GET || body.is_null() { request } else { request.json(&body) };
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap_or(Value::Null))
}

async fn get(app: &App, who: &Person, path: &str) -> Value {
    let (status, body) = ask(app, who, Method::GET, path, Value::Null).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Changes rows as nobody else could, to let time pass.
async fn set(app: &App, sql: &'static str) {
    let gate = app.house.shell.operator().gate::<StorageKeep>(());
    gate.write(move |tx| {
        tx.run(sql, [])?;
        Ok(tx.quiet(Quiet::Unchanged, ()))
    })
    .await
    .unwrap();
}

/// A closed run of SHOP with a result for each of so many cases; answers its number.
async fn run(app: &App, owner: &Person, title: &str, statuses: &[&str]) -> i64 {
    let checks: Vec<String> = statuses
        .iter()
        .enumerate()
        .map(|(number, status)| {
            let inner = if *status == "failed" { "<failure message=\"no\"/>" } else { "" };
            format!(
                "<testcase classname=\"shop.Cart\" name=\"pays {number}\" time=\"0.1\">{inner}</testcase>"
            )
        })
        .collect();
    let xml = format!("<testsuite name=\"{title}\" tests=\"1\">{}</testsuite>", checks.concat());
    let path = "/api/v1/projects/SHOP/uploads";
    let part = reqwest::multipart::Part::bytes(xml.into_bytes()).file_name("report.xml");
    let form = reqwest::multipart::Form::new().part("file", part);
    let reply = app.with_token(&owner.token, Method::POST, path).multipart(form).send().await.unwrap();
    let status = reply.status();
    let made: Value = reply.json().await.unwrap();
    assert!(status.is_success(), "{made}");
    let runs = get(app, owner, "/api/v1/projects/SHOP/runs").await;
    runs["runs"][0]["number"].as_i64().unwrap_or_else(|| panic!("{runs} {made}"))
}

async fn numbers(app: &App, owner: &Person) -> Vec<i64> {
    let runs = get(app, owner, "/api/v1/projects/SHOP/runs").await;
    runs["runs"].as_array().unwrap().iter().map(|run| run["number"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn t_in_2_a_deleted_run_is_seen_by_nobody_and_comes_back_as_it_was() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let tester = app.as_role(Role::Tester, Some(shop)).await;
    let first = run(&app, &owner, "Monday", &["passed", "passed"]).await;
    let second = run(&app, &owner, "Tuesday", &["failed", "passed"]).await;
    let before = app.page(&tester, &format!("/p/SHOP/runs/{second}")).await;
    assert!(before.contains("Delete the run"));
    assert!(app.page(&tester, "/p/SHOP/cases?look=failing").await.contains("pays 0"));

    let page = app.submit_and_follow(&tester, &format!("/p/SHOP/runs/{second}/trash"), &[]).await;
    assert!(
        page.contains(&format!("SHOP-R{second} lies in the trash.")) && page.contains("Restore"),
        "{page}"
    );
    assert_eq!(numbers(&app, &owner).await, [first]);
    for path in [format!("/api/v1/projects/SHOP/runs/{second}"), format!("/p/SHOP/runs/{second}")] {
        assert_eq!(app.with_token(&tester.token, Method::GET, &path).send().await.unwrap().status(), 404);
    }
    // What is known of the case is what the other run said.
    let failing = app.page(&tester, "/p/SHOP/cases?look=failing").await;
    assert!(!failing.contains("pays 0"), "{failing}");
    let trash = get(&app, &tester, "/api/v1/projects/SHOP/trash").await;
    assert_eq!(trash["runs"][0]["number"], second);
    // The same report sent again is a run of its own, and deleted runs keep their numbers.
    let third = run(&app, &owner, "Tuesday", &["failed", "passed"]).await;
    assert_eq!(third, second + 1);

    app.submit(&tester, &format!("/p/SHOP/runs/{second}/recover"), &[]).await;
    assert_eq!(numbers(&app, &owner).await, [third, second, first]);
    assert!(app.page(&tester, "/p/SHOP/cases?look=failing").await.contains("pays 0"));
    app.stop().await;
}

#[actix_web::test]
async fn t_in_2_a_deleted_project_is_gone_for_its_members_and_an_owner_brings_it_back() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let manager = app.as_role(Role::Manager, Some(shop)).await;
    let page = app.submit_and_follow(&manager, "/p/SHOP/trash", &[("key", "SHIP")]).await;
    assert!(page.contains("Type SHOP to delete"), "{page}");
    app.submit(&manager, "/p/SHOP/trash", &[("key", "shop")]).await;
    for who in [&manager, &owner] {
        assert_eq!(
            app.with_token(&who.token, Method::GET, "/api/v1/projects/SHOP/runs")
                .send()
                .await
                .unwrap()
                .status(),
            404
        );
    }
    assert!(!app.page(&owner, "/").await.contains("SHOP"));
    assert_eq!(app.submit(&manager, "/projects/recover", &[("key", "SHOP")]).await.status(), 403);
    let page = app.page(&owner, "/instance/storage").await;
    assert!(page.contains("Projects in the trash") && page.contains("SHOP"), "{page}");
    let page = app.submit_and_follow(&owner, "/projects/recover", &[("key", "SHOP")]).await;
    assert!(page.contains("SHOP is out of the trash"), "{page}");
    assert!(!app.page(&manager, "/p/SHOP/runs").await.is_empty());
    app.stop().await;
}

#[actix_web::test]
async fn t_dp_2_an_expired_run_is_purged_a_held_one_stays_and_the_certificate_verifies() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let old = run(&app, &owner, "Old", &["failed", "passed"]).await;
    let held = run(&app, &owner, "Held", &["passed", "passed"]).await;
    let young = run(&app, &owner, "Young", &["passed", "passed"]).await;
    set(&app, "UPDATE runs SET closed_at = closed_at - 100 * 86400000 WHERE number < 3").await;
    let hold = [
        ("project", "SHOP"),
        ("run", &format!("SHOP-R{held}")),
        ("reason", "Asked for by the court, file 12"),
    ];
    let page = app.submit_and_follow(&owner, "/instance/storage/holds", &hold).await;
    assert!(page.contains("The hold is in force") && page.contains("file 12"), "{page}");
    let refused = app.submit(&owner, &format!("/p/SHOP/runs/{held}/trash"), &[]).await;
    assert_eq!(refused.status(), 409);

    let rule = [("class", "runs"), ("project", "SHOP"), ("days", "90")];
    let page = app.submit_and_follow(&owner, "/instance/storage/retention", &rule).await;
    assert!(page.contains("90 days") && page.contains("1 run<"), "{page}");
    let due = get(&app, &owner, "/api/v1/retention").await;
    assert_eq!((&due["due"][0]["runs"], &due["due"][0]["project"]), (&json!(1), &json!("SHOP")), "{due}");
    assert_eq!(numbers(&app, &owner).await.len(), 3, "looking changes nothing");

    let page = app.submit_and_follow(&owner, "/instance/storage/retention/run", &[]).await;
    assert!(page.contains("1 deletions"), "{page}");
    assert_eq!(numbers(&app, &owner).await, [young, held]);
    assert!(!numbers(&app, &owner).await.contains(&old));
    let done = get(&app, &owner, "/api/v1/retention").await;
    let deletion = &done["deletions"][0];
    assert_eq!(deletion["counts"], json!({ "items": 2, "results": 2, "runs": 1, "uploads": 1 }), "{done}");

    let path = format!("/api/v1/certificates/{}", deletion["id"]);
    let certificate: Certificate = serde_json::from_value(get(&app, &owner, &path).await).unwrap();
    let key = {
        let keyring = app.house.instance.keyring().unwrap();
        let signing = ed25519_dalek::SigningKey::from_bytes(keyring.backup_signing().expose());
        data_encoding::HEXLOWER.encode(signing.verifying_key().as_bytes())
    };
    let statement = verify(&certificate, &key).unwrap();
    assert_eq!((statement.class.as_str(), statement.counts["runs"]), ("runs", 1));
    assert!(statement.approved_by.starts_with("user:"), "{statement:?}");
    let forged =
        Certificate { statement: certificate.statement.replace("\"runs\":1", "\"runs\":0"), ..certificate };
    assert!(verify(&forged, &key).is_err());

    // The case whose only failure went is not failing any more.
    assert!(!app.page(&owner, "/p/SHOP/cases?look=failing").await.contains("pays 0"));
    let lifted = app.submit_and_follow(&owner, "/instance/storage/holds/1/lift", &[]).await;
    assert!(lifted.contains("The hold is lifted"), "{lifted}");
    app.submit(&owner, "/instance/storage/retention/run", &[]).await;
    assert_eq!(numbers(&app, &owner).await, [young]);
    app.stop().await;
}

#[actix_web::test]
async fn what_was_purged_gives_its_space_back_and_files_that_nothing_names_go_after_a_day() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let many: Vec<&str> = vec!["passed"; 4_000];
    run(&app, &owner, "Large", &many).await;
    let form = reqwest::multipart::Form::new()
        .part("file", reqwest::multipart::Part::bytes(vec![3; 9_000]).file_name("a.bin"))
        .text("case", "SHOP-C1");
    let path = "/api/v1/projects/SHOP/evidence";
    app.with_token(&owner.token, Method::POST, path).multipart(form).send().await.unwrap();
    set(&app, "UPDATE runs SET closed_at = closed_at - 100 * 86400000").await;
    let size = || std::fs::metadata(app.data().join("testkeep.db")).unwrap().len();
    app.submit(&owner, "/instance/storage/retention", &[("class", "runs"), ("days", "90")]).await;

    // All is in the file and not in the log, before and after.
    set(&app, "DELETE FROM sizes").await;
    checkpoint(&app).await;
    let before = size();
    app.submit(&owner, "/instance/storage/retention/run", &[]).await;
    checkpoint(&app).await;
    assert!(size() < before * 8 / 10, "{} of {before}", size());

    let page = app.submit_and_follow(&owner, "/instance/storage/rebuild", &[]).await;
    assert!(page.contains("The database is written anew."), "{page}");

    let files = || walk(&app.data().join("blobs"));
    assert_eq!(files().len(), 1);
    app.submit(&owner, "/p/SHOP/evidence/1/remove", &[]).await;
    app.submit(&owner, "/instance/storage/retention/run", &[]).await;
    assert_eq!(files().len(), 1, "it was only marked");
    set(&app, "UPDATE blobs SET unused_at = 1").await;
    app.submit(&owner, "/instance/storage/retention/run", &[]).await;
    assert_eq!(files().len(), 1, "somebody stored the same content a moment ago");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_millis((NOW.0 - 2 * DAY_MS).unsigned_abs());
    File::options().write(true).open(&files()[0]).unwrap().set_modified(long_ago).unwrap();
    app.submit(&owner, "/instance/storage/retention/run", &[]).await;
    assert_eq!(files().len(), 0);
    app.stop().await;
}

/// A backup moves the log into the file; so does this.
async fn checkpoint(app: &App) {
    let gate = app.house.shell.operator().gate::<testkeep::kernel::access::BackupRun>(());
    drop(gate.pin().await.unwrap());
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files =
        folders.filter(|path| !path.ends_with("tmp")).flat_map(|path| std::fs::read_dir(path).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

#[actix_web::test]
async fn an_auditor_sees_rules_holds_and_certificates_and_changes_none() {
    let app = App::start().await;
    let auditor = app.as_role(Role::Auditor, None).await;
    for page in ["", "/checks", "/retention", "/holds", "/certificates"] {
        let text = app.page(&auditor, &format!("/instance/storage{page}")).await;
        assert!(!text.contains("action=\"/instance/storage"), "{page}: {text}");
    }
    for path in ["/instance/storage/retention/run", "/instance/storage/rebuild", "/instance/storage/checks"] {
        assert_eq!(app.submit(&auditor, path, &[]).await.status(), 403, "{path}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn rules_and_holds_are_kept_over_json_too() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let auditor = app.as_role(Role::Auditor, None).await;
    let old = run(&app, &owner, "Old", &["passed"]).await;
    set(&app, "UPDATE runs SET closed_at = closed_at - 100 * 86400000").await;
    let rule = json!({ "days": 90, "project": "SHOP" });
    let hold = json!({ "project": "SHOP", "run": old, "reason": "Asked for by the court" });
    assert_eq!(ask(&app, &auditor, Method::PUT, "/api/v1/retention/runs", rule.clone()).await.0, 403);
    assert_eq!(ask(&app, &auditor, Method::POST, "/api/v1/holds", hold.clone()).await.0, 403);
    let (status, set) = ask(&app, &owner, Method::PUT, "/api/v1/retention/runs", rule).await;
    assert_eq!((status, &set["due"][0]["runs"]), (200, &json!(1)), "{set}");
    for (class, wrong) in
        [("runs", json!({ "days": -1 })), ("sign_ins", json!({ "days": 1, "project": "SHOP" }))]
    {
        let path = format!("/api/v1/retention/{class}");
        assert_eq!(ask(&app, &owner, Method::PUT, &path, wrong).await.0, 422);
    }
    let (status, made) = ask(&app, &owner, Method::POST, "/api/v1/holds", hold).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(get(&app, &auditor, "/api/v1/holds").await["holds"][0]["run"], old);
    let (_, done) = ask(&app, &owner, Method::POST, "/api/v1/retention/run", json!({})).await;
    assert_eq!((&done["deletions"], numbers(&app, &owner).await), (&json!(0), vec![old]), "{done}");
    let path = format!("/api/v1/holds/{}", made["id"]);
    assert_eq!(ask(&app, &owner, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(ask(&app, &owner, Method::DELETE, &path, Value::Null).await.0, 404);
    let (_, done) = ask(&app, &owner, Method::POST, "/api/v1/retention/run", json!({})).await;
    assert_eq!((&done["deletions"], numbers(&app, &owner).await), (&json!(1), vec![]));
    app.stop().await;
}

#[test]
fn rules_and_holds_are_kept_at_the_machine_too() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "5", "--results", "10"]);
    let key = machine.json(&["project", "list"])[0]["key"].as_str().unwrap().to_owned();
    let set = machine.json(&["retention", "set", "runs", "--days", "90", "--project", &key.to_lowercase()]);
    assert!(
        set["rules"].as_array().unwrap().contains(&json!({ "class": "runs", "project": key, "days": 90 }))
    );
    let away = machine.json(&["retention", "set", "runs", "--project", &key]);
    assert!(away["rules"].as_array().unwrap().iter().all(|rule| rule["project"].is_null()), "{away}");
    assert_eq!(machine.run(&["retention", "set", "dust", "--days", "1"]).code, 65);
    let held = machine.json(&["hold", "set", &key, "--reason", "An audit"]);
    assert_eq!(held["holds"][0]["reason"], "An audit");
    assert_eq!(machine.json(&["hold", "lift", "1"])["holds"], json!([]));
    assert_eq!(machine.json(&["retention", "run"])["deletions"], 0);
}

#[actix_web::test]
async fn t_dp_2_t_in_2_what_is_held_or_recovered_while_a_deletion_is_cut_off_stays() {
    let app = App::start().await;
    app.project("SHOP").await;
    app.project("SHIP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let held = run(&app, &owner, "Held", &["passed"]).await;
    let back = run(&app, &owner, "Back", &["passed"]).await;
    let gone = run(&app, &owner, "Gone", &["passed", "passed"]).await;
    for number in [held, back, gone] {
        app.submit(&owner, &format!("/p/SHOP/runs/{number}/trash"), &[]).await;
    }
    // Begun one night and cut off before its first step.
    set(
        &app,
        "INSERT INTO deletions (class, rule, approved_by, state, started_at, subjects)
         SELECT 'trash', 'trash after 30 days (instance)', 'job:retention', 'running', 1,
                json_object('runs', (SELECT json_group_array(id) FROM runs), 'cases', json_array(),
                            'projects', (SELECT json_group_array(id) FROM projects), 'evidence', json_array(),
                            'before', NULL)",
    )
    .await;
    let hold =
        [("project", "SHOP"), ("run", &*format!("SHOP-R{held}")), ("reason", "Asked for by the court")];
    app.submit_and_follow(&owner, "/instance/storage/holds", &hold).await;
    app.submit(&owner, &format!("/p/SHOP/runs/{back}/recover"), &[]).await;

    app.submit_and_follow(&owner, "/instance/storage/retention/run", &[]).await;
    assert_eq!(numbers(&app, &owner).await, [back]);
    let trash = get(&app, &owner, "/api/v1/projects/SHOP/trash").await;
    let left: Vec<_> = trash["runs"].as_array().unwrap().iter().map(|run| &run["number"]).collect();
    assert_eq!(left, [&json!(held)], "{trash}");
    let deletion = &get(&app, &owner, "/api/v1/retention").await["deletions"][0];
    assert_eq!(
        deletion["counts"],
        json!({ "items": 2, "results": 2, "runs": 1, "uploads": 1 }),
        "{deletion}"
    );
    assert!(app.page(&owner, "/").await.contains("SHIP"));
    app.stop().await;
}
