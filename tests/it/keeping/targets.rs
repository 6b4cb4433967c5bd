//! Targets: where backups go, by page, by API and by command; what they refuse, and what they raise.

use crate::support::App;
use crate::support::people::Person;
use crate::support::program::Machine;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use testkeep::keeping::backups::BACKUP;
use testkeep::kernel::access::Role;

const TARGETS: &str = "/instance/backups/targets";
const HOUR_MS: i64 = 3_600_000;

/// The form of a folder target.
pub fn folder_target<'a>(
    name: &'a str,
    folder: &'a str,
    schedule: &'a str,
    zone: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("kind", "folder"),
        ("name", name),
        ("folder", folder),
        ("schedule", schedule),
        ("zone", zone),
        ("last", "3"),
        ("daily", "7"),
        ("weekly", "4"),
        ("monthly", "6"),
        ("rate_kib", "0"),
    ]
}

pub async fn listed(app: &App, person: &Person) -> Value {
    get(app, person, "/api/v1/backups").await
}

async fn get(app: &App, person: &Person, path: &str) -> Value {
    let request = app.request(Method::GET, path).bearer_auth(&person.token);
    request.send().await.unwrap().json().await.unwrap()
}

/// The list once nothing runs any more.
pub async fn settled(app: &App, person: &Person) -> Value {
    loop {
        let list = listed(app, person).await;
        let records = list["backups"].as_array().unwrap();
        if records.iter().all(|record| record["state"] != "running") {
            return list;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn begin(app: &App, person: &Person, body: &'static str) -> (u16, Value) {
    post(app, person, "/api/v1/backups", body).await
}

async fn post(app: &App, person: &Person, path: &str, body: impl Into<String>) -> (u16, Value) {
    let request = app.request(Method::POST, path).bearer_auth(&person.token);
    let reply = request.header("Content-Type", "application/json").body(body.into()).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap_or(Value::Null))
}

/// What is due is made, as the tick of the minute does it.
async fn tick(app: &App) -> String {
    (BACKUP.run)(Arc::clone(&app.desk)).await.unwrap()
}

async fn alarms(app: &App, owner: &Person) -> String {
    app.page(owner, "/instance").await
}

#[actix_web::test]
async fn what_protects_nothing_is_refused_beside_its_field() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let inside = app.data().join("backups");
    let cases = [
        (inside.to_str().unwrap(), "30 2 * * *", "", "lies inside the data folder"),
        ("backups", "30 2 * * *", "", "no address of a backup target"),
        ("/mnt/keep", "every day", "", "is no schedule"),
        ("/mnt/keep", "", "Middle/Earth", "is no time zone"),
    ];
    for (folder, schedule, zone, said) in cases {
        let reply = app.submit(&owner, TARGETS, &folder_target("Odd", folder, schedule, zone)).await;
        assert_eq!(reply.status(), 422, "{said}");
        let page = reply.text().await.unwrap();
        assert!(page.contains(said) && page.contains("aria-invalid"), "{said}: {page}");
    }
    let mut fields = folder_target("Odd", "/mnt/keep", "", "");
    fields.push(("blackouts", "daily 00:00-24:00"));
    let page = app.submit(&owner, TARGETS, &fields).await.text().await.unwrap();
    assert!(page.contains("leave no time for any backup"), "{page}");
    assert_eq!(get(&app, &owner, "/api/v1/backup-targets").await["targets"], json!([]));
    app.stop().await;
}

#[actix_web::test]
async fn t_dp_1_a_policy_of_regions_blocks_a_target_without_the_label() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.submit_and_follow(&owner, "/instance/backups/regions", &[("regions", "eu")]).await;
    assert!(page.contains("The policy of regions is saved."), "{page}");
    let folder = app.folder().join("keep");
    let add = |name: &str, region: &str| {
        json!({ "name": name, "address": folder.join(name).to_str().unwrap(), "region": region, "schedule": "" })
            .to_string()
    };
    for region in ["", "US"] {
        let (status, said) = post(&app, &owner, "/api/v1/backup-targets", add("Far", region)).await;
        assert_eq!(status, 422, "{said}");
        assert!(said.to_string().contains("Backups may go to EU only"), "{said}");
    }
    let (status, made) = post(&app, &owner, "/api/v1/backup-targets", add("Near", "NL")).await;
    assert_eq!((status, &made["id"]), (201, &1.into()));
    // The policy tightens: what is there is not used any more, and that is an alarm.
    app.submit(&owner, "/instance/backups/regions", &[("regions", "DE")]).await;
    let (status, said) = begin(&app, &owner, "").await;
    assert!(status == 422 && said.to_string().contains("DE only, not to NL"), "{said}");
    tick(&app).await;
    assert!(alarms(&app, &owner).await.contains("A backup target is in a forbidden region"));
    app.submit(&owner, "/instance/backups/regions", &[("regions", "DE NL")]).await;
    tick(&app).await;
    assert!(!alarms(&app, &owner).await.contains("A backup target is in a forbidden region"));
    app.stop().await;
}

#[actix_web::test]
async fn f12_a_failed_backup_by_schedule_is_an_alarm_is_retried_and_recovers() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let place = app.folder().join("disk");
    std::fs::write(&place, "not mounted").unwrap();
    let fields = folder_target("Second disk", place.to_str().unwrap(), "0 * * * *", "UTC");
    app.submit(&owner, TARGETS, &fields).await;
    assert_eq!(tick(&app).await, "Nothing was due.");
    app.clock.advance(HOUR_MS);
    assert!(tick(&app).await.starts_with("Second disk: "));
    let page = alarms(&app, &owner).await;
    assert!(page.contains("A backup failed") && page.contains("No backup leaves this machine"), "{page}");
    let page = app.page(&owner, "/instance/backups/targets/1").await;
    assert!(page.contains("It is tried again"), "{page}");
    assert_eq!(tick(&app).await, "Nothing was due.", "not before its pause is over");
    // Somebody mounts the disk; the retry finds it.
    std::fs::remove_file(&place).unwrap();
    app.clock.advance(5 * 60_000);
    let said = tick(&app).await;
    assert!(said.contains("is made and read back"), "{said}");
    assert!(!alarms(&app, &owner).await.contains("A backup failed"));
    // Nobody is there for a day: one is made for all that were missed.
    app.clock.advance(24 * HOUR_MS);
    tick(&app).await;
    assert_eq!(tick(&app).await, "Nothing was due.");
    // The session of before is over.
    let later = app.person("Later", Some((Role::Owner, None))).await;
    let list = listed(&app, &later).await;
    assert_eq!(list["backups"].as_array().unwrap().len(), 3, "{list}");
    // The disk is gone for good: what should have followed is missed.
    std::fs::rename(&place, app.folder().join("away")).unwrap();
    std::fs::write(&place, "not mounted").unwrap();
    app.clock.advance(3 * HOUR_MS);
    tick(&app).await;
    let page = alarms(&app, &later).await;
    assert!(page.contains("A backup was missed") && page.contains("A backup failed"), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn b03_a_blackout_postpones_and_what_is_off_is_not_missed() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let folder = app.folder().join("keep");
    let mut fields = folder_target("Nightly", folder.to_str().unwrap(), "0 4 * * *", "UTC");
    // The clock stands at 03:04 on a Friday.
    fields.push(("blackouts", "Fri 03:30-06:00"));
    app.submit(&owner, TARGETS, &fields).await;
    app.clock.advance(HOUR_MS);
    assert_eq!(tick(&app).await, "Nothing was due.", "04:04 lies in the window");
    let page = app.page(&owner, "/instance/backups/targets/1").await;
    assert!(page.contains("Not during Fri 03:30-06:00"), "{page}");
    app.clock.advance(2 * HOUR_MS);
    assert!(tick(&app).await.contains("is made and read back"), "06:04");
    // It is switched off for three days and then on: nothing is caught up, and nothing is missed.
    app.submit(&owner, "/instance/backups/targets/1/disable", &[]).await;
    app.clock.advance(72 * HOUR_MS);
    let later = app.person("Later", Some((Role::Owner, None))).await;
    app.submit(&later, "/instance/backups/targets/1/enable", &[]).await;
    assert_eq!(tick(&app).await, "Nothing was due.");
    assert!(!alarms(&app, &later).await.contains("A backup was missed"));
    app.stop().await;
}

#[actix_web::test]
async fn f13_a_backup_to_a_target_that_stalls_is_stopped_and_is_no_failure() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let wire = json!({
        "name": "Silent", "schedule": "",
        "address": format!("s3://keep/shop?endpoint=http://127.0.0.1:{port}&region=here"),
        "secrets": { "user": "key", "password": "not to be seen again" },
    });
    assert_eq!(post(&app, &owner, "/api/v1/backup-targets", wire.to_string()).await.0, 201);
    let shown = get(&app, &owner, "/api/v1/backup-targets/1").await;
    assert!(!shown.to_string().contains("not to be seen") && shown["secrets_set_at"].is_i64(), "{shown}");
    let page = app.page(&owner, "/instance/backups/targets/1").await;
    assert!(page.contains("set on ") && !page.contains("not to be seen"), "{page}");

    assert_eq!(begin(&app, &owner, "").await.0, 202);
    assert_eq!(begin(&app, &owner, "").await.0, 409, "one at a time per target");
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("Reaching Silent") && page.contains("data-live"), "{page}");
    let page = app.submit_and_follow(&owner, "/instance/backups/stop", &[("target", "1")]).await;
    assert!(page.contains("The backup stops."), "{page}");
    let list = settled(&app, &owner).await;
    assert_eq!(
        (&list["backups"][0]["state"], &list["backups"][0]["stopped"]),
        (&"failed".into(), &true.into()),
        "{list}"
    );
    assert!(!alarms(&app, &owner).await.contains("A backup failed"));
    let page = app.page(&owner, "/instance/backups").await;
    assert!(page.contains("Stopped</span>"), "{page}");
    app.stop().await;
}

#[actix_web::test]
async fn secrets_of_a_target_are_not_shown_to_another_server() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let wire = json!({
        "name": "Cloud", "address": "webdav+https://keep.shop.example/a", "schedule": "",
        "secrets": { "user": "mara", "password": "only for keep.shop.example" },
    });
    assert_eq!(post(&app, &owner, "/api/v1/backup-targets", wire.to_string()).await.0, 201);
    let change = async |address: &str| {
        let request = app.with_token(&owner.token, Method::PATCH, "/api/v1/backup-targets/1");
        let status = request.json(&json!({ "address": address })).send().await.unwrap().status().as_u16();
        (status, get(&app, &owner, "/api/v1/backup-targets/1").await["secrets_set_at"].is_i64())
    };
    assert_eq!(change("webdav+https://keep.shop.example/b").await, (204, true), "the same server");
    assert_eq!(change("webdav+https://keep.thief.example/b").await, (204, false), "another one");
    app.stop().await;
}

#[actix_web::test]
async fn a_target_is_tested_changed_and_removed_and_its_data_stays() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let folder = app.folder().join("keep");
    app.submit(&owner, TARGETS, &folder_target("Disk", folder.to_str().unwrap(), "", "")).await;
    let page = app.submit_and_follow(&owner, "/instance/backups/targets/1/test", &[]).await;
    assert!(page.contains("It was written, listed, read and deleted"), "{page}");
    assert!(page.contains("may delete"), "what it protects is told: {page}");
    assert!(!folder.join("receipts/probe").exists());

    let taken = app.submit(&owner, TARGETS, &folder_target("disk", "/mnt/other", "", "")).await;
    assert_eq!(taken.status(), 422);
    assert!(taken.text().await.unwrap().contains("Another target is called"));
    let twice = app.submit(&owner, TARGETS, &folder_target("Twice", folder.to_str().unwrap(), "", "")).await;
    assert!(twice.text().await.unwrap().contains("goes to this address already"));

    begin(&app, &owner, "").await;
    settled(&app, &owner).await;
    let page = app.submit_and_follow(&owner, "/instance/backups/targets/1/remove", &[]).await;
    assert!(page.contains("The data there is untouched."), "{page}");
    assert!(folder.join("config").exists() && page.contains("Only by hand"), "{page}");
    let (status, _) = begin(&app, &owner, r#"{"target": 1}"#).await;
    assert_eq!(status, 404);
    app.stop().await;
}

#[test]
fn b03_t_inf_4_targets_are_kept_from_the_command_line() {
    let machine = Machine::claimed();
    let (keep, other) = (machine.text("keep"), machine.text("other"));
    let add = ["target", "add", "--name", "Second disk", "--address", &keep, "--region", "nl"];
    let plan = ["--schedule", "30 2 * * *", "--zone", "Europe/Berlin", "--blackout", "Mon-Fri 08:00-18:00"];
    let added = machine.json(&[&add[..], &plan[..]].concat());
    assert_eq!(
        (&added["id"], &added["region"], &added["state"]),
        (&1.into(), &"NL".into(), &"No backup yet".into())
    );
    assert_eq!(added["upcoming"].as_array().unwrap().len(), 5, "{added}");
    let tested = machine.json(&["target", "test", "second disk"]);
    assert!(tested["write_rate"].as_u64().unwrap() > 0, "{tested}");
    machine.json(&["target", "add", "--name", "Other", "--address", &other, "--schedule", ""]);
    let made = machine.json(&["backup"]);
    assert_eq!(made.as_array().unwrap().len(), 2, "all that are on: {made}");
    let one = machine.json(&["backup", "--target", "Other"]);
    assert_eq!((&one["target"], &one["number"]), (&"Other".into(), &2.into()), "{one}");
    assert_eq!(machine.json(&["verify", "--from", "Other"])["newest"]["number"], 2);
    // A folder that is no target works as before.
    let loose = machine.json(&["backup", "--to", &machine.text("loose")]);
    assert_eq!(loose["number"], 1, "{loose}");

    machine.json(&["target", "change", "Other", "--off"]);
    let refused = machine.run(&["backup", "--target", "Other"]);
    assert!(refused.code != 0 && refused.err.contains("switched off"), "{refused:?}");
    let list = machine.json(&["target", "list"]);
    assert_eq!(
        (&list[0]["state"], &list[1]["state"]),
        (&"Verified".into(), &"Switched off".into()),
        "{list}"
    );
    let report: Value = serde_json::from_str(&machine.run(&["--json", "doctor", "--quick"]).out).unwrap();
    let about: Vec<_> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["about"] == "backups").collect();
    assert!(
        about.iter().any(|check| check.to_string().contains("Second disk: it can be reached")),
        "{about:?}"
    );
    machine.json(&["target", "remove", "Other"]);
    assert!(machine.path("other/config").exists());
    assert_eq!(machine.json(&["target", "list"]).as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn b03_t_inf_4_an_hourly_plan_makes_a_backup_every_hour_and_old_ones_are_pruned() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let place = app.folder().join("disk");
    let mut fields = folder_target("Hourly", place.to_str().unwrap(), "0 * * * *", "UTC");
    fields.retain(|(name, _)| !["last", "daily", "weekly", "monthly"].contains(name));
    fields.extend([("last", "2"), ("daily", "0"), ("weekly", "0"), ("monthly", "0")]);
    app.submit(&owner, TARGETS, &fields).await;
    // The clock stands at 03:04.
    let page = app.page(&owner, "/instance/backups/targets/1").await;
    for hour in 4..9 {
        assert!(page.contains(&format!("0{hour}:00")), "the next five runs: {hour}: {page}");
    }
    let snapshots = || std::fs::read_dir(place.join("snapshots")).map_or(0, Iterator::count);
    for hour in 1..=5 {
        assert_eq!(tick(&app).await, "Nothing was due.");
        app.clock.advance(HOUR_MS);
        assert!(tick(&app).await.contains("is made and read back"), "hour {hour}");
        assert_eq!(snapshots(), hour.min(2), "the last two stay");
    }
    app.stop().await;
}

#[actix_web::test]
async fn b03_p_l5_2_a_schedule_that_was_skipped_is_an_alarm_within_one_interval() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let place = app.folder().join("disk");
    app.submit(&owner, TARGETS, &folder_target("Hourly", place.to_str().unwrap(), "0 * * * *", "UTC")).await;
    app.clock.advance(HOUR_MS);
    assert!(tick(&app).await.contains("is made and read back"), "04:04");
    // The one of 05:00 is skipped: what makes backups does not run, and no disk takes them either.
    std::fs::rename(&place, app.folder().join("away")).unwrap();
    std::fs::write(&place, "not mounted").unwrap();
    app.clock.advance(HOUR_MS - 5 * 60_000);
    tick(&app).await;
    assert!(!alarms(&app, &owner).await.contains("A backup was missed"), "04:59: nothing is missing yet");
    app.clock.advance(HOUR_MS + 6 * 60_000);
    tick(&app).await;
    let later = app.person("Later", Some((Role::Owner, None))).await;
    let page = alarms(&app, &later).await;
    assert!(page.contains("A backup was missed"), "06:05, one interval after 05:00: {page}");
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains(r#"testkeep_alarms{kind="backup_missed"} 1"#), "{metrics}");
    app.stop().await;
}
