//! What is damaged on the disk is found, named, not handed out, and mended from what is whole.

use super::storages::servers;
use super::targets::{folder_target, settled};
use crate::support::App;
use crate::support::people::Person;
use crate::support::program::Machine;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkeep::keeping::integrity::{Cause, check_all};
use testkeep::kernel::access::{Role, StorageKeep, Tx};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::keyring::{Keyring, Unlock, default_key_file};
use testkeep::kernel::sql::named_params;

const EVIDENCE: &str = "/api/v1/projects/SHOP/evidence";

async fn get(app: &App, who: &Person, path: &str) -> Value {
    let reply = app.with_token(&who.token, Method::GET, path).send().await.unwrap();
    assert_eq!(reply.status(), 200, "{path}");
    reply.json().await.unwrap()
}

async fn post(app: &App, who: &Person, path: &str, body: Value) -> Value {
    let reply = app.with_token(&who.token, Method::POST, path).json(&body).send().await.unwrap();
    let status = reply.status();
    let text = reply.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Looks again until it is so, but not for ever.
async fn until(app: &App, who: &Person, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let checks = get(app, who, "/api/v1/checks").await;
        if is_so(&checks) {
            return checks;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came to be so: {}", get(app, who, "/api/v1/checks").await);
}

/// All checks, made now.
async fn checked(app: &App, who: &Person) -> Value {
    let before = get(app, who, "/api/v1/checks").await["checks"].as_array().unwrap().len();
    app.submit(who, "/instance/storage/checks", &[]).await;
    until(app, who, |now| {
        let all = now["checks"].as_array().unwrap();
        all.len() >= (before + 5).min(40) && now["running"] == false
    })
    .await
}

async fn back_up(app: &App, owner: &Person) {
    let folder = app.folder().join("keep");
    if !folder.exists() {
        let fields = folder_target("Keep", folder.to_str().unwrap(), "", "");
        assert_eq!(app.submit(owner, "/instance/backups/targets", &fields).await.status(), 303);
    }
    app.submit(owner, "/instance/backups", &[]).await;
    assert_eq!(settled(app, owner).await["backups"][0]["state"], "good");
}

fn blobs(data: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(data.join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| !path.ends_with("tmp")).flat_map(|path| fs::read_dir(path).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

fn flip(path: &Path, place: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

/// A case of SHOP with a file of this content.
async fn attached(app: &App, owner: &Person, bytes: Vec<u8>) -> String {
    let suite = post(app, owner, "/api/v1/projects/SHOP/suites", json!({ "name": "Cart" })).await;
    let case = json!({ "title": "Pay", "suite": suite["id"], "kind": "text" });
    let case = post(app, owner, "/api/v1/projects/SHOP/cases", case).await;
    let number = case["number"].to_string();
    let form = Form::new()
        .part("file", Part::bytes(bytes).file_name("receipt.bin"))
        .text("case", format!("SHOP-C{number}"));
    let reply = app.with_token(&owner.token, Method::POST, EVIDENCE).multipart(form).send().await.unwrap();
    assert_eq!(reply.status(), 201);
    format!("{EVIDENCE}/{}", reply.json::<Value>().await.unwrap()["id"])
}

#[actix_web::test]
async fn t_dp_3_t_de_4_f15_a_flipped_byte_in_a_file_is_named_never_served_and_mended_from_a_backup() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let url = attached(&app, &owner, bytes.clone()).await;
    back_up(&app, &owner).await;
    assert_eq!(checked(&app, &owner).await["good"], true);

    let [blob] = &blobs(&app.data())[..] else { panic!("one file") };
    flip(blob, 150_000);
    // The damage is in the third chunk: whoever streamed from the start would hand out the first two.
    let reply = app.with_token(&owner.token, Method::GET, &url).send().await.unwrap();
    assert_eq!(reply.status(), 503);
    let said: Value = reply.json().await.unwrap();
    assert_eq!(said["code"], "damaged", "{said}");
    assert!(said["detail"].as_str().unwrap().contains("is damaged on the disk"), "{said}");
    // The download has told already.
    let now = until(&app, &owner, |now| now["good"] == false).await;
    assert_eq!(now["findings"][0]["place"], "receipt.bin of SHOP-C1", "{now}");

    let now = checked(&app, &owner).await;
    let finding = &now["findings"][0];
    let name = blob.file_name().unwrap().to_str().unwrap();
    assert_eq!(finding["object"], format!("file {name}"), "{now}");
    assert!(app.page(&owner, "/instance").await.contains("The file receipt.bin of SHOP-C1 is damaged"));
    assert!(app.page(&owner, "/p/SHOP/cases/1").await.contains("Damaged</span>"));
    let page = app.page(&owner, "/instance/storage/checks").await;
    assert!(page.contains("Bring 1 files back from the newest backup") && page.contains("SHOP-C1"), "{page}");
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("testkeep_alarms{kind=\"corruption\"} 1"), "{metrics}");

    let page = app.submit_and_follow(&owner, "/instance/storage/repair", &[]).await;
    assert!(page.contains("1 files are brought back"), "{page}");
    let reply = app.with_token(&owner.token, Method::GET, &url).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.bytes().await.unwrap(), bytes);
    assert_eq!(get(&app, &owner, "/api/v1/checks").await["good"], true);
    assert!(app.get("/metrics").await.text().await.unwrap().contains("{kind=\"corruption\"} 0"));
    app.stop().await;
}

#[actix_web::test]
async fn a_check_that_cannot_be_made_keeps_no_other_from_being_made() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let gate = app.house.shell.operator().gate::<StorageKeep>(());
    let begun = gate.write(|tx| {
        tx.run(
            "INSERT INTO checks (kind, cause, state, started_at) VALUES ('database', 'schedule', 'running', :now)",
            named_params! { ":now": tx.now() },
        )?;
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    begun.await.unwrap();
    let caller = app.house.shell.operator();
    let refused = check_all(&app.house.instance, &caller, Cause::Schedule).await.unwrap_err();
    assert!(refused.sentence().contains("is being made already"), "{refused:?}");
    let now = get(&app, &owner, "/api/v1/checks").await;
    for kind in ["files", "trail", "keys", "sums"] {
        let mut all = now["checks"].as_array().unwrap().iter();
        assert!(all.any(|check| check["kind"] == kind && check["state"] == "good"), "{kind}: {now}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_file_that_was_damaged_before_its_last_backup_comes_from_an_older_one() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let url = attached(&app, &owner, vec![7; 5_000]).await;
    back_up(&app, &owner).await;
    flip(&blobs(&app.data())[0], 400);
    back_up(&app, &owner).await;
    fs::remove_file(&blobs(&app.data())[0]).unwrap();
    let now = checked(&app, &owner).await;
    assert_eq!(now["findings"][0]["sentence"], "A file of evidence is missing.", "{now}");
    app.submit(&owner, "/instance/storage/repair", &[]).await;
    let reply = app.with_token(&owner.token, Method::GET, &url).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.bytes().await.unwrap().len()), (200, 5_000));
    app.stop().await;
}

/// The first target is gone, so the file comes from the next one, over the network.
#[actix_web::test]
async fn f15_a_damaged_file_comes_back_from_a_bucket_where_the_folder_is_gone() {
    let Some(server) = servers::s3() else { return };
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let url = attached(&app, &owner, vec![9; 70_000]).await;
    let secrets = json!({ "user": "testkeep", "password": "much-secret" });
    let bucket = json!({ "name": "Bucket", "address": server.place, "schedule": "", "secrets": secrets });
    back_up(&app, &owner).await;
    post(&app, &owner, "/api/v1/backup-targets", bucket).await;
    back_up(&app, &owner).await;
    fs::remove_dir_all(app.folder().join("keep")).unwrap();
    flip(&blobs(&app.data())[0], 400);
    checked(&app, &owner).await;
    let page = app.submit_and_follow(&owner, "/instance/storage/repair", &[]).await;
    assert!(page.contains("1 files are brought back"), "{page}");
    let reply = app.with_token(&owner.token, Method::GET, &url).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.bytes().await.unwrap().len()), (200, 70_000));
    app.stop().await;
}

#[actix_web::test]
async fn a_repair_wants_a_person_who_proved_lately_who_they_are() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    app.clock.advance(11 * 60_000);
    assert_eq!(app.submit(&owner, "/instance/storage/repair", &[]).await.status(), 403);
    let auditor = app.as_role(Role::Auditor, None).await;
    let page = app.page(&auditor, "/instance/storage/checks").await;
    assert!(!page.contains("action=\"/instance/storage"), "{page}");
    app.stop().await;
}

/// A connection of ours to the closed database of an instance.
fn opened(data: &Path) -> Connection {
    let keyring = Keyring::open(data, &Unlock::KeyFile(default_key_file(data))).unwrap();
    let key: String = keyring.database().0.iter().map(|byte| format!("{byte:02x}")).collect();
    let conn = Connection::open(data.join("testkeep.db")).unwrap();
    conn.pragma_update(None, "key", format!("x'{key}'")).unwrap();
    conn
}

/// The last page of a part of the database: a leaf, if it has more than one.
fn page_of(data: &Path, part: &str) -> u64 {
    let conn = opened(data);
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let sql = "SELECT max(pageno) FROM dbstat WHERE name = ?1";
    conn.query_row(sql, [part], |row| row.get::<_, i64>(0)).unwrap() as u64
}

fn damage(data: &Path, part: &str) -> u64 {
    let page = page_of(data, part);
    flip(&data.join("testkeep.db"), (page - 1) * 4_096 + 700);
    page
}

#[test]
fn t_de_4_f09_a_flipped_byte_in_an_index_is_named_and_the_index_is_built_anew() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--project", "SHOP", "--cases", "300", "--results", "2000"]);
    let data = machine.path("data");
    let before = machine.json(&["digest"]);
    let page = damage(&data, "items_of_a_run");

    let answer = machine.run(&["check", "--only", "database"]);
    assert_eq!(answer.code, 74, "{answer:?}");
    assert!(answer.out.contains("It belongs to the index items_of_a_run."), "{answer:?}");
    assert!(answer.out.contains(&format!("page {page}")), "{answer:?}");
    let plan = machine.run(&["repair", "--dry-run"]);
    assert!(plan.out.contains("Build the index items_of_a_run anew from its table."), "{plan:?}");

    let mended = machine.json(&["repair"]);
    assert_eq!(mended["indexes"], 1, "{mended}");
    assert_eq!(machine.json(&["digest"]), before);
    let answer = machine.run(&["check"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'items_of_a_run'";
    assert_eq!(opened(&data).query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    assert_eq!(machine.run(&["doctor"]).code, 0);
}

#[test]
fn t_de_4_f09_damaged_words_for_searching_are_built_anew_from_the_cases() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--project", "SHOP", "--cases", "2000", "--results", "2000"]);
    let data = machine.path("data");
    damage(&data, "cases_search_data");
    assert_eq!(machine.run(&["check", "--only", "database"]).code, 74);
    let answer = machine.run(&["repair"]);
    assert!(answer.out.contains("Indexes built anew: 1."), "{answer:?}");
    // The damaged page may lie in the way of writing the file anew. Then it stays, and holds nothing.
    let left = machine.run(&["check", "--only", "database"]);
    assert!(left.code == 0 || left.out.contains("It holds nothing, so nothing is lost"), "{left:?}");
    assert!(!left.out.contains("It belongs to"), "{left:?}");
    let found = "SELECT count(*) FROM cases_search WHERE cases_search MATCH 'cart OR pay OR order'";
    assert!(opened(&data).query_row(found, [], |row| row.get::<_, i64>(0)).unwrap() > 0);
}

#[test]
fn f09_a_repair_that_was_cut_short_is_finished_by_the_next_start() {
    let machine = Machine::claimed();
    let there = || {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name IN ('items_by_status', 'cases_search', 'cases_search_idx')";
        opened(&machine.path("data")).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    opened(&machine.path("data"))
        .execute_batch("DROP INDEX items_by_status; DROP TABLE cases_search")
        .unwrap();
    assert_eq!(there(), 0);
    machine.serve().stop();
    assert_eq!(there(), 3);
}

#[test]
fn t_de_4_f09_a_damaged_table_is_named_and_left_to_a_restore() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--project", "SHOP", "--cases", "300", "--results", "5000"]);
    damage(&machine.path("data"), "results");
    let answer = machine.run(&["check", "--only", "database"]);
    assert!(answer.code == 74 && answer.out.contains("It belongs to the table results."), "{answer:?}");
    let plan = machine.run(&["repair", "--dry-run"]);
    assert!(plan.out.contains("Cannot be mended alone: table results."), "{plan:?}");
    let answer = machine.run(&["repair"]);
    assert_eq!(answer.code, 74, "{answer:?}");
}

#[test]
fn counts_that_are_wrong_are_named_and_taken_anew() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--project", "SHOP", "--cases", "50", "--results", "500"]);
    let conn = opened(&machine.path("data"));
    conn.execute_batch(
        "UPDATE suites SET cases = cases + 5 WHERE id = (SELECT min(id) FROM suites);
         UPDATE runs SET passed = passed + 1 WHERE id = (SELECT min(id) FROM runs);
         UPDATE projects SET evidence_bytes = 99;
         UPDATE case_summaries SET passed = passed + 3, failed = 0 WHERE case_id = (SELECT min(case_id) FROM case_summaries);",
    )
    .unwrap();
    drop(conn);
    let answer = machine.run(&["check", "--only", "sums"]);
    for said in
        ["said to have 99 bytes", "The counts of SHOP-R1", "says that it holds", "What is known of case"]
    {
        assert!(answer.out.contains(said), "{said}: {answer:?}");
    }
    assert_eq!(machine.json(&["repair"])["sums"], 4);
    assert_eq!(machine.run(&["check"]).code, 0);
}

#[actix_web::test]
async fn f09_a_page_that_a_reader_meets_damaged_is_said_and_raises_the_alarm() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let suite = post(&app, &owner, "/api/v1/projects/SHOP/suites", json!({ "name": "Cart" })).await;
    for number in 0..60 {
        let body = format!("{number} {}", "long ".repeat(700));
        let case = json!({ "title": "Pay", "suite": suite["id"], "kind": "text", "body": body });
        post(&app, &owner, "/api/v1/projects/SHOP/cases", case).await;
    }
    let folder = app.stop().await;
    damage(&folder.path().join("data"), "revisions");

    let app = App::on(folder, &[]).await;
    let mut statuses = Vec::new();
    for number in 1..=60 {
        let path = format!("/api/v1/projects/SHOP/cases/{number}");
        let reply = app.with_token(&owner.token, Method::GET, &path).send().await.unwrap();
        statuses.push(reply.status().as_u16());
        if reply.status() == 503 {
            let said: Value = reply.json().await.unwrap();
            assert_eq!(said["code"], "damaged", "{said}");
        }
    }
    assert!(statuses.contains(&503) && statuses.contains(&200), "{statuses:?}");
    assert!(!statuses.contains(&500), "{statuses:?}");
    let now = until(&app, &owner, |now| now["findings"].as_array().unwrap().len() == 1).await;
    assert!(now["findings"][0]["sentence"].as_str().unwrap().contains("the table revisions"), "{now}");
    assert!(app.page(&owner, "/instance").await.contains("Damage was found"));
    app.stop().await;
}

#[test]
fn after_a_kill_the_whole_database_is_checked_in_the_background_and_after_a_stop_it_is_not() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP", "--name", "Web shop"]);
    let checks = || {
        let conn = opened(&machine.path("data"));
        let sql = "SELECT count(*) FROM checks WHERE cause = 'start' AND state = 'good'";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    machine.serve().stop();
    let before = checks();
    machine.serve().stop();
    assert_eq!(checks(), before, "the stop before was in good order");
    machine.serve().kill();
    let server = machine.serve();
    for _ in 0..200 {
        if checks() > before {
            return server.stop();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no check was made after a kill");
}
