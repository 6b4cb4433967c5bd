//! What a standby refuses, what it says when it is behind, and what becomes of the machine that it took over from.

use super::{Primary, Standby, now};
use crate::support::program::Answer;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Objects of the log at a target, by name.
fn objects(keep: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(keep.join("log")).unwrap().map(Result::unwrap);
    let named =
        files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()));
    named.collect()
}

/// Waits until a server says this among its metrics.
async fn says(primary: &Primary, words: &str) {
    for _ in 0..900 {
        let asked = primary.machine.client("data").get(primary.server().at("/metrics")).send().await.unwrap();
        if asked.text().await.unwrap().contains(words) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never says {words}");
}

/// T-KF-7: two machines that both reach the target cannot both go on there.
#[actix_web::test]
async fn t_kf_7_the_old_primary_comes_back_and_is_fenced_until_somebody_decides() {
    let mut primary = Primary::start(None).await;
    primary.add("before").await;
    let standby = Standby::begun(&primary).await;
    let keep = primary.machine.path("keep");
    primary.server.take().unwrap().kill();
    let promoted = standby.promote(&[]);
    let taken = objects(&keep);
    assert!(promoted["mark"].as_str().unwrap().starts_with("takeovers/"), "{promoted}");

    // It comes back, with people who write to it, and with a backup that is due.
    primary.server = Some(primary.machine.serve());
    primary.add("nowhere else").await;
    says(&primary, "testkeep_alarms{kind=\"taken_over\"} 1").await;
    assert_eq!(objects(&keep), taken, "nothing of the log was touched");
    let backup = primary.machine.run(&["backup"]);
    assert!(backup.code == 77 && backup.err.contains("took this instance over at"), "{backup:?}");
    assert!(backup.err.contains("standby reclaim"), "{backup:?}");
    let doctor = primary.machine.run(&["doctor", "--quick"]);
    assert!(doctor.out.contains("took this instance over at"), "{doctor:?}");

    // The new one goes on at the same target, with a log of its own, and is followed in its turn.
    let server = standby.serve(&primary);
    let next = Standby::new();
    for attempt in 0.. {
        let begun = next.begin(&primary, &["--once"]);
        if begun.code == 0 && begun.out.contains("backup 2") {
            break;
        }
        assert!(attempt < 120, "{begun:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for (name, bytes) in &taken {
        assert!(objects(&keep).get(name).is_none_or(|now| now == bytes), "{name} was written over");
    }

    // Somebody decides for the old one: then the new one is left behind.
    server.stop();
    let reclaimed = primary.machine.json(&["standby", "reclaim"]);
    assert_eq!(reclaimed[0]["target"], json!("Keep"), "{reclaimed}");
    assert_eq!(primary.machine.json(&["standby", "reclaim"]), json!([]), "once is enough");
    let refused = standby.command(&primary).args(["backup", "--target", "Keep"]).output().unwrap();
    let refused = Answer::from(refused);
    assert!(refused.code == 77 && refused.err.contains("took this instance over at"), "{refused:?}");
    says(&primary, "testkeep_alarms{kind=\"taken_over\"} 0").await;
}

/// P-L2-7: a lag above the bound is an exit code, and a silent primary is no lag of nothing.
#[actix_web::test]
async fn p_l2_7_a_standby_that_is_behind_says_so_and_catches_up() {
    let mut primary = Primary::start(None).await;
    let standby = Standby::begun(&primary).await;
    let (code, status) = standby.status();
    assert_eq!((code, &status["ready"], &status["process"]), (0, &json!(true), &json!(null)), "{status}");
    assert_eq!(status["last_good_backup"], status["base"], "{status}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (code, status) = standby.status_within("1");
    assert_eq!((code, &status["ready"]), (75, &json!(false)), "nobody follows: {status}");
    assert!(status["lag_seconds"].as_f64() > Some(1.0), "{status}");

    // The target is away: it says since when, and goes on by itself.
    let follower = standby.follow();
    let (keep, away) = (primary.machine.path("keep"), primary.machine.path("away"));
    std::fs::rename(&keep, &away).unwrap();
    let mut troubled = json!(null);
    for _ in 0..300 {
        troubled = standby.status().1["trouble"].clone();
        if troubled["since"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(troubled["sentence"].is_string() && troubled["since"].is_string(), "{troubled}");
    // Taking over without the target is for whoever says so.
    std::fs::rename(&away, &keep).unwrap();
    primary.add("after").await;
    let status = standby.reached(now()).await;
    assert!(status["trouble"].is_null(), "{status}");

    // A log that does not go on is left for the one after it, with the backup that it begins with.
    let base = status["base"]["number"].as_u64().unwrap();
    primary.machine.json(&["log", "off"]);
    tokio::time::sleep(Duration::from_secs(7)).await;
    primary.machine.json(&["log", "on"]);
    for attempt in 0.. {
        let status = standby.status().1;
        if status["base"]["number"].as_u64() > Some(base) && status["trouble"].is_null() {
            break;
        }
        assert!(attempt < 900, "{status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    primary.add("in the new log").await;
    standby.reached(now() + 1_000).await;
    drop(follower);

    primary.server.take().unwrap().kill();
    std::fs::rename(&keep, &away).unwrap();
    let refused = standby.machine.run(&["standby", "promote"]);
    assert!(refused.code != 0 && refused.err.contains("--as-it-is"), "{refused:?}");
    let promoted = standby.promote(&["--as-it-is"]);
    assert!(promoted["mark"].is_null() && !promoted["warnings"].as_array().unwrap().is_empty(), "{promoted}");
    let server = standby.machine.serve();
    let held = super::titles(&standby.machine.client("data"), &server, &primary.token).await;
    assert_eq!(held, ["after", "in the new log"]);
}

#[actix_web::test]
async fn t_sm_3_a_standby_is_no_instance_and_a_wrong_kit_begins_none() {
    let primary = Primary::start(None).await;
    let standby = Standby::begun(&primary).await;
    let data = standby.machine.text("data");
    for command in [&["serve"][..], &["setup", "--email", "a@shop.example", "--name", "A"], &["digest"]] {
        let refused = standby.machine.run(command);
        assert_ne!(refused.code, 0, "{command:?} {refused:?}");
    }
    let served = standby.machine.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(served.err.contains("holds a standby"), "{served:?}");
    assert_eq!(standby.status().0, 0, "it is as it was");

    // The instance says how to have one, and what to do then.
    let runbook = primary.machine.run(&["runbook"]).out;
    let follow = format!("testkeep standby follow --from {} --into ", primary.from);
    assert!(runbook.contains(&follow) && runbook.contains("testkeep standby promote --into"), "{runbook}");
    let doctor = primary.machine.run(&["doctor", "--quick"]).out;
    assert!(doctor.contains("no other machine took over") && doctor.contains(&follow), "{doctor}");

    // What lies there opens with its everyday key only.
    std::fs::rename(standby.machine.path("data.key"), standby.machine.path("elsewhere.key")).unwrap();
    let refused = standby.machine.run(&["standby", "follow", "--once"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    std::fs::rename(standby.machine.path("elsewhere.key"), standby.machine.path("data.key")).unwrap();
    assert_eq!(standby.machine.run(&["standby", "follow", "--once"]).code, 0);
    let kit = std::fs::read_to_string(primary.machine.path("kit.txt")).unwrap();
    let secret = kit.lines().find(|line| line.matches('-').count() == 14).unwrap();
    let mut looked = 0;
    for file in walk(Path::new(&data)) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
        looked += 1;
    }
    assert!(looked > 5);

    // Another kit, the folder of an instance, a folder without backups: refused with words.
    let other = Primary::start(None).await;
    let wrong = Standby::new();
    let (kit, from) = (other.machine.text("kit.txt"), primary.from.clone());
    let refused = wrong.machine.run(&["standby", "follow", "--once", "--from", &from, "--kit-file", &kit]);
    assert!(refused.code == 77 && refused.err.contains("does not open"), "{refused:?}");
    let into = primary.machine.run(&["standby", "follow", "--once", "--from", &from, "--kit-file", &kit]);
    assert!(into.err.contains("holds an instance"), "{into:?}");
    let nothing = wrong.machine.run(&["standby", "promote"]);
    assert!(nothing.err.contains("There is no copy yet"), "{nothing:?}");
    let none = Standby::new().machine.run(&["standby", "status"]);
    assert!(none.code == 66 && none.err.contains("holds no standby"), "{none:?}");
}

/// The log goes on over an exchange of the kit and of all keys; taking over needs the new kit.
#[actix_web::test]
async fn t_kf_7_an_exchanged_kit_is_asked_for_and_nothing_is_lost_meanwhile() {
    let mut primary = Primary::start(None).await;
    primary.add("before").await;
    primary.attach().await;
    let standby = Standby::begun(&primary).await;
    let follower = standby.follow();
    standby.reached(now()).await;
    let new = primary.machine.text("new-kit.txt");
    primary.machine.json(&["key", "renew-kit", "--kit-to", &new]);
    primary.add("after").await;
    let asked = now();
    let status = standby.reached(asked + 500).await;
    let mut trouble = status["trouble"].clone();
    for _ in 0..200 {
        trouble = standby.status().1["trouble"].clone();
        if trouble.is_object() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(trouble["sentence"].as_str().unwrap_or_default().contains("kit"), "{trouble}");
    drop(follower);
    let once = standby.machine.run(&["standby", "follow", "--once", "--kit-file", &new]);
    assert_eq!(once.code, 0, "{once:?}");

    let digest = primary.machine.json(&["digest"])["digest"].clone();
    primary.server.take().unwrap().kill();
    let promoted = standby.promote(&[]);
    assert_eq!(promoted["files_missing"], json!([]), "{promoted}");
    assert_eq!(standby.machine.json(&["digest"])["digest"], digest);
    let checked = standby.machine.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
