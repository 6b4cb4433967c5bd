//! Drills: a backup is brought back and proven, and what is wrong with it is found before it is needed.

use crate::support::App;
use crate::support::program::{Machine, copy};
use crate::support::site::Site;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use testkeep::keeping::drills::Evidence;
use testkeep::kernel::access::Role;

/// A machine with a project, evidence and two backups in `keep`.
fn backed_up() -> Machine {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "40", "--results", "400", "--seed", "3"]);
    let keep = machine.text("keep");
    machine.json(&["backup", "--to", &keep]);
    machine.json(&["project", "create", "LATER"]);
    machine.json(&["backup", "--to", &keep]);
    machine
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(objects(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    found
}

fn is_wiped(machine: &Machine) -> bool {
    let scratch = machine.path("data/scratch");
    !scratch.exists() || fs::read_dir(scratch).unwrap().next().is_none()
}

#[test]
fn f11_f15_t_kf_5_t_sd_5_t_bc_3_a_drill_proves_the_newest_backup_and_leaves_a_signed_record() {
    let machine = backed_up();
    let digest = machine.json(&["digest"])["digest"].clone();
    let keep = machine.text("keep");
    let proof = machine.json(&["drill", "--target", &keep]);
    assert_eq!((&proof["receipt"], &proof["digest"]), (&json!(2), &digest));
    let names: Vec<&str> =
        proof["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Files", "Database", "Audit trail", "Rows", "Evidence", "Digest"]);
    assert!(proof["checks"].as_array().unwrap().iter().all(|check| check["is_good"] == true));
    assert!(proof["rto_ms"].as_i64().unwrap() > 0 && proof["rpo_ms"].as_i64().unwrap() > 0, "{proof}");
    assert!(is_wiped(&machine));
    let told = machine.run(&["drill", "--target", &keep]);
    assert!(told.code == 0 && told.out.contains("came back and was proven in"), "{told:?}");
    let trail = machine.json(&["audit", "list", "--event", "drill."]).to_string();
    assert!(trail.contains("drill.started") && trail.contains("drill.proven"), "{trail}");
    assert_eq!(machine.json(&["audit", "verify"])["whole"], json!(true));
}

/// What somebody or something does to a target.
enum Harm {
    Flip,
    Lose,
    SetBack,
}

fn harm(machine: &Machine, kind: &Harm) {
    let keep = machine.path("keep");
    // All of them: which pack holds what of which backup is up to the engine.
    let packs = objects(&keep.join("data"));
    match kind {
        Harm::Flip => packs.iter().for_each(|pack| {
            let mut bytes = fs::read(pack).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(pack, bytes).unwrap();
        }),
        Harm::Lose => packs.iter().for_each(|pack| fs::remove_file(pack).unwrap()),
        Harm::SetBack => {
            fs::remove_dir_all(&keep).unwrap();
            fs::rename(machine.path("older"), &keep).unwrap();
        }
    }
}

/// And the alarm is over once a drill is good again.
#[test]
fn f09_f11_f12_f14_a_drill_finds_a_flipped_byte_a_lost_pack_and_an_older_repository() {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "40", "--results", "400", "--seed", "3"]);
    let keep = machine.text("keep");
    machine.json(&["backup", "--to", &keep]);
    copy(&machine.path("keep"), &machine.path("older"));
    machine.json(&["project", "create", "LATER"]);
    machine.json(&["backup", "--to", &keep]);
    copy(&machine.path("keep"), &machine.path("good"));
    let digest = machine.json(&["digest"]);
    for kind in [Harm::Flip, Harm::Lose, Harm::SetBack] {
        harm(&machine, &kind);
        let told = machine.run(&["drill", "--target", &keep]);
        assert_eq!(told.code, 65, "{told:?}");
        assert!(told.err.contains("could not be read back") || told.err.contains("damaged"), "{told:?}");
        assert!(is_wiped(&machine));
        let trail = machine.json(&["audit", "list"]).to_string();
        assert!(trail.contains("drill.failed") && trail.contains("alarm.raised"), "{trail}");
        fs::remove_dir_all(&keep).unwrap();
        copy(&machine.path("good"), &machine.path("keep"));
        machine.json(&["drill", "--target", &keep]);
        let trail = machine.json(&["audit", "list"]).to_string();
        assert!(trail.contains("alarm.cleared"), "{trail}");
    }
    assert_eq!(machine.json(&["digest"]), digest, "a drill changes no user data");
}

/// A blob that was lost before the backup is told, one that the backup lacks is a failure; and a
/// target of another instance is refused.
#[test]
fn f15_f16_a_drill_refuses_the_backups_of_another_instance() {
    let (machine, other) = (backed_up(), Machine::claimed());
    let told = other.run(&["drill", "--target", &machine.text("keep")]);
    assert!(
        told.code != 0 && told.err.contains("of another instance") || told.err.contains("signature"),
        "{told:?}"
    );
    let none = other.run(&["drill", "--target", &other.text("nothing")]);
    assert_eq!(none.code, 66, "{none:?}");
    assert!(none.err.contains("There is no backup in"), "{none:?}");
}

#[actix_web::test]
async fn b04_an_owner_holds_a_drill_in_the_browser_and_sees_what_was_proven() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance/backups/drills").await;
    assert!(
        page.contains("No backup was ever brought back") && !page.contains("Hold a drill now</button>"),
        "{page}"
    );
    let none = app.with_token(&owner.token, Method::POST, "/api/v1/drills").send().await.unwrap();
    assert_eq!(none.status(), 409);

    let auditor = app.as_role(Role::Auditor, None).await;
    assert_eq!(app.submit(&auditor, "/instance/backups/drills", &[]).await.status(), 403);
    let goals = [("schedule", "0 5 * * SUN"), ("rpo", "90"), ("rto", "0"), ("scratch", "somewhere")];
    let refused = app.submit(&owner, "/instance/backups/drills/plan", &goals).await;
    assert_eq!(refused.status(), 422);
    let refused = refused.text().await.unwrap();
    assert!(
        refused.contains("A goal is a number of minutes") && refused.contains("not a whole path"),
        "{refused}"
    );
    let goals = [("schedule", "0 5 * * SUN"), ("rpo", "90"), ("rto", "5"), ("scratch", "")];
    let page = app.submit_and_follow(&owner, "/instance/backups/drills/plan", &goals).await;
    assert!(page.contains("The plan of drills is saved.") && page.contains("value=\"90\""), "{page}");
    app.stop().await;
}

/// The restoring process is our own executable, so this one needs the real program.
#[actix_web::test]
async fn b04_a_drill_over_https_is_followed_and_gives_evidence_that_can_be_checked() {
    let machine = backed_up();
    let site = Site::start(&machine).await;
    let keep = machine.text("keep");
    let target = super::targets::folder_target("Keep", &keep, "", "");
    assert_eq!(site.submit("/instance/backups/targets", &target).await.0, 200);
    let (status, page) = site.submit("/instance/backups/drills", &[]).await;
    assert!(status == 200 && page.contains("<h1>Drills</h1>"), "{status}: {page}");
    let list = loop {
        let (_, list) = site.json(Method::GET, "/api/v1/drills", Value::Null).await;
        if list["drills"][0]["state"] != "running" {
            break list;
        }
        site.page("/instance/backups/drills").await;
    };
    assert_eq!(
        (&list["drills"][0]["state"], &list["drills"][0]["receipt"]),
        (&json!("good"), &json!(2)),
        "{list}"
    );
    let page = site.page("/instance/backups/drills").await;
    for said in ["Last proof", "Data at risk", "Back and proven in", "What was proven", "Signed record"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let at = format!("/api/v1/drills/{}/evidence", list["drills"][0]["id"]);
    let sealed = site.api(Method::GET, &at).send().await.unwrap().text().await.unwrap();
    assert_eq!(Evidence::parse(&sealed).unwrap().receipt, 2);
    assert!(Evidence::parse(&sealed.replace("\\\"receipt\\\":2", "\\\"receipt\\\":3")).is_none());
    assert_eq!(site.json(Method::GET, "/api/v1/drills/999/evidence", Value::Null).await.0, 404);
    assert_eq!(site.json(Method::POST, "/api/v1/drills", Value::Null).await.0, 202);
    let (_, page) = site.submit("/instance/backups/drills/stop", &[]).await;
    assert!(page.contains("<h1>Drills</h1>"), "{page}");
    site.server.stop();
    assert!(is_wiped(&machine));
}

/// A folder that somebody chose for scratch copies holds other things too, the repository for one.
#[actix_web::test]
async fn f16_what_lies_in_a_folder_that_was_chosen_for_scratch_copies_is_never_swept_away() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let mount = app.folder().join("mount");
    let foreign = ["keep/config", "backup-of-mine/photo", "testkeep-scratch/notes/text", "file"];
    let left = ["testkeep-scratch/backup-dead/lock", "testkeep-scratch/backup-dead/data/testkeep.db"];
    for path in foreign.iter().chain(&left).map(|name| mount.join(name)) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "words").unwrap();
    }
    fs::create_dir(mount.join("testkeep-scratch/backup-of-nobody")).unwrap();
    let goals =
        [("schedule", "0 5 * * SUN"), ("rpo", "90"), ("rto", "5"), ("scratch", mount.to_str().unwrap())];
    app.submit_and_follow(&owner, "/instance/backups/drills/plan", &goals).await;

    assert_eq!(app.desk.sweep_scratch().await.unwrap(), 2);
    assert!(foreign.iter().all(|name| mount.join(name).exists()), "{:?}", objects(&mount));
    assert!(!mount.join("testkeep-scratch/backup-dead").exists());
    app.stop().await;
}
