//! A restore goes to any moment between two backups, and never silently to less (B05, f8, f11, f14, f15).

use super::targets::folder_target;
use crate::kernel::house::{add, at, titles};
use crate::support::people::Person;
use crate::support::{App, clock, start_on};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkeep::keeping::backup::Receipt;
use testkeep::keeping::backup::receipt::Place;
use testkeep::keeping::backup::storage::{Folder, Reach};
use testkeep::keeping::recovery::{self, Order, Restored};
use testkeep::keeping::shipping::replay::{Replayed, Shortfall, Until, base, replay};
use testkeep::kernel::access::{CaseWrite, InstanceView, ProjectView, Role};
use testkeep::kernel::digest;
use testkeep::kernel::error::{Kind, Result};
use testkeep::kernel::instance::Instance;
use testkeep::kernel::keyring::{Keyring, Paper, RecoverySecret, Unlock};
use testkeep::kernel::limits;
use testkeep::kernel::time::{Clock, Timestamp};

const PROGRAM: &str = env!("CARGO_BIN_EXE_testkeep");
const LOG: &str = "/api/v1/backups/log";
/// Longer than two looks at the log: what was committed before is seen then.
pub const A_LITTLE: Duration = Duration::from_millis(450);

pub fn now() -> Timestamp {
    Clock::System.now()
}

/// An instance that ships its log into `keep`, with the first backup made.
pub struct Shipped {
    pub app: App,
    pub owner: Person,
    pub kit: RecoverySecret,
}

impl Shipped {
    pub async fn start() -> Shipped {
        let app = App::start().await;
        let owner = app.as_role(Role::Owner, None).await;
        let kit = app.house.kit.clone().unwrap().secret;
        let shipped = Shipped { app, owner, kit };
        let folder = shipped.keep();
        let fields = folder_target("Second disk", folder.to_str().unwrap(), "", "");
        let added = shipped.app.submit(&shipped.owner, "/instance/backups/targets", &fields).await;
        assert_eq!(added.status(), 303);
        let switched = shipped.ask(Method::PUT, json!({"on": true, "seconds": 1})).await;
        assert_eq!((&switched["on"], &switched["seconds"]), (&json!(true), &json!(1)), "{switched}");
        shipped.app.project("SHOP").await;
        shipped.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
        shipped
    }

    pub fn keep(&self) -> PathBuf {
        self.app.folder().join("keep")
    }

    pub async fn ask(&self, method: Method, body: Value) -> Value {
        let request = self.app.request(method.clone(), LOG).bearer_auth(&self.owner.token);
        let request = if method == Method::PUT { request.json(&body) } else { request };
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the log of the one target is so.
    pub async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let log = self.ask(Method::GET, Value::Null).await;
            if is_so(&log["places"][0]) {
                return log["places"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the log stays at {}", self.ask(Method::GET, Value::Null).await);
    }

    /// Waits until everything up to now is at the target.
    pub async fn shipped(&self) -> Timestamp {
        let moment = now();
        self.until(|place| place["reached_at"].as_i64() > Some(moment.0)).await;
        moment
    }

    pub async fn add(&self, title: &str) {
        add(&self.app.house.shell.operator().gate::<CaseWrite>(at("SHOP")), title).await.unwrap();
    }

    pub async fn digest(&self) -> String {
        let gate = self.app.house.shell.operator().gate::<InstanceView>(());
        gate.read_at_length(digest::of_user_data).await.unwrap()
    }

    pub async fn restore(&self, into: &str, until: Until, shortfall: Shortfall) -> Result<Restored> {
        restore(self.app.folder(), &self.kit, into, until, shortfall).await
    }
}

pub async fn restore(
    folder: &Path,
    kit: &RecoverySecret,
    into: &str,
    until: Until,
    shortfall: Shortfall,
) -> Result<Restored> {
    let order = Order {
        from: Reach::folder(&folder.join("keep")).unwrap(),
        into: folder.join(into),
        key_file: folder.join(format!("{into}.key")),
        number: None,
        until: Some(until),
        shortfall,
    };
    recovery::restore(Path::new(PROGRAM), &order, &Paper::Kit(kit.clone())).await
}

/// Names of the logs at the target.
pub fn streams(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder.join("keep/log")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.split_once('-').unwrap().0.to_owned()).collect()
}

/// What a restored instance holds: its digest and its cases.
pub async fn held(folder: &Path, into: &str) -> (String, Vec<String>) {
    let unlock = Unlock::KeyFile(folder.join(format!("{into}.key")));
    let (instance, shell) = Instance::open(&folder.join(into), &unlock, clock()).unwrap();
    instance.blobs.verify_all().unwrap();
    let gate = shell.operator().gate::<InstanceView>(());
    let digest = gate.read_at_length(digest::of_user_data).await.unwrap();
    let titles = titles(&shell.operator().gate::<ProjectView>(at("SHOP"))).await;
    instance.door.shut_down().await;
    (digest, titles)
}

#[actix_web::test]
async fn a_restore_goes_to_the_moment_that_was_named() {
    let shipped = Shipped::start().await;
    let mut moments = Vec::new();
    for n in 0..3 {
        shipped.add(&format!("case {n}")).await;
        if n == 1 {
            let part = Part::bytes(b"what was on the screen".repeat(9_000)).file_name("screen.txt");
            let form = Form::new().part("file", part);
            let path = "/api/v1/projects/SHOP/evidence";
            let sent =
                shipped.app.with_token(&shipped.owner.token, Method::POST, path).multipart(form).send().await;
            assert_eq!(sent.unwrap().status(), 201);
        }
        tokio::time::sleep(A_LITTLE).await;
        moments.push((now(), shipped.digest().await));
        tokio::time::sleep(A_LITTLE).await;
    }
    shipped.shipped().await;

    let page = shipped.app.page(&shipped.owner, "/instance/backups/log").await;
    assert!(page.contains("Following") && page.contains("--at "), "{page}");
    assert!(page.contains("testkeep standby follow --from"), "{page}");
    let metrics = shipped.app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("testkeep_log_lag_seconds{target="), "{metrics}");

    for (n, (moment, expected)) in moments.iter().enumerate() {
        let into = format!("then-{n}");
        let until = Until::At(*moment);
        let restored = shipped.restore(&into, until, Shortfall::Refused).await.unwrap();
        let replayed = restored.replayed.unwrap();
        assert!(replayed.missing.is_none() && replayed.lacking.is_empty(), "{replayed:?}");
        assert!(replayed.at == *moment && replayed.last_commit <= *moment, "{replayed:?}");
        let (digest, titles) = held(shipped.app.folder(), &into).await;
        assert_eq!((titles.len(), &digest), (n + 1, expected));
    }
    // Later than the log reaches: refused, or as far as it goes, and said.
    let later = Until::At(Timestamp(now().0 + 3_600_000));
    let refused = shipped.restore("later", later, Shortfall::Refused).await.err().unwrap();
    assert!(refused.sentence().contains("reaches to"), "{refused:?}");
    assert!(!shipped.app.folder().join("later").exists());
    let earlier = Until::At(Timestamp(1));
    let refused = shipped.restore("earlier", earlier, Shortfall::Refused).await.err().unwrap();
    assert_eq!(refused.kind(), Kind::NotFound, "{refused:?}");
    shipped.app.halt().await;
}

/// A log and the backup beneath it, to be damaged.
struct Damaged {
    folder: tempfile::TempDir,
    data: PathBuf,
    base: Place,
    kit: RecoverySecret,
}

impl Damaged {
    fn objects(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("keep/log")).unwrap();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.to_str().unwrap().ends_with("head"));
        files.sort();
        files
    }

    fn replay(&self, shortfall: Shortfall) -> Result<Replayed> {
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap();
        for name in ["testkeep.db", "keyring.json"] {
            fs::copy(self.data.join(name), scratch.path().join(name)).unwrap();
        }
        let key = Keyring::open(&self.data, &Unlock::Kit(self.kit.clone())).unwrap().log();
        let log = Folder::new(&self.folder.path().join("keep"));
        replay(&log, &key, &self.base, Until::Latest, shortfall, scratch.path())
    }

    /// Refused with these words; as far as possible, it ends before, and says why.
    #[track_caller]
    fn check(&self, said: &str) {
        let refused = self.replay(Shortfall::Refused).unwrap_err();
        assert!(refused.sentence().contains(said), "{said}: {refused:?}");
        let replayed = self.replay(Shortfall::Accepted).unwrap();
        assert!(replayed.missing.unwrap().contains(said));
    }
}

#[actix_web::test]
async fn f14_a_log_that_somebody_changed_is_refused_by_name() {
    let shipped = Shipped::start().await;
    for n in 0..4 {
        shipped.add(&format!("case {n}")).await;
        shipped.shipped().await;
    }
    let log = Shipped::start().await;
    log.add("elsewhere").await;
    log.shipped().await;

    let kit = shipped.kit.clone();
    shipped.restore("plain", Until::Latest, Shortfall::Refused).await.unwrap();
    let receipts: Vec<Receipt> =
        recovery::find(&Reach::folder(&shipped.keep()).unwrap(), &Paper::Kit(kit.clone()))
            .unwrap()
            .receipts
            .into_iter()
            .collect();
    let place = base(&receipts, Until::Latest).unwrap().1.clone();
    let folder = shipped.app.halt().await;
    // The backup alone, without its log.
    let order = Order {
        from: Reach::folder(&folder.path().join("keep")).unwrap(),
        into: folder.path().join("base"),
        key_file: folder.path().join("base.key"),
        number: None,
        until: None,
        shortfall: Shortfall::Refused,
    };
    recovery::restore(Path::new(PROGRAM), &order, &Paper::Kit(kit.clone())).await.unwrap();
    let damaged = Damaged { data: folder.path().join("base"), folder, base: place, kit };
    damaged.replay(Shortfall::Refused).unwrap();
    let objects = damaged.objects();
    assert!(objects.len() >= 5, "{objects:?}");
    // The last but one, which certainly lies behind the backup.
    let (place, before) = (objects.len() - 2, &objects[objects.len() - 3]);
    let (object, last) = (&objects[place], &objects[place + 1]);
    let (kept, kept_last) = (fs::read(object).unwrap(), fs::read(last).unwrap());
    let number_of = |path: &Path| -> u32 {
        path.file_name().unwrap().to_str().unwrap().split('-').nth(1).unwrap().parse().unwrap()
    };
    // What is before the backup may have been taken away already.
    let (number, total) = (number_of(object), number_of(last));

    fs::remove_file(object).unwrap();
    damaged.check(&format!("Segment {number} of {total} of the log is missing"));
    let mut flipped = kept.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(object, &flipped).unwrap();
    damaged.check(&format!("Segment {number} of the log cannot be opened"));
    fs::write(object, &kept[..kept.len() / 2]).unwrap();
    damaged.check(&format!("Segment {number} of the log cannot be opened"));
    fs::write(object, fs::read(before).unwrap()).unwrap();
    damaged.check(&format!("Segment {number} of the log was exchanged"));
    fs::write(object, &kept).unwrap();

    // The end cut off: the head knows how many there were.
    fs::remove_file(last).unwrap();
    damaged.check(&format!("Segment {total} of {total} of the log is missing"));
    fs::write(last, &kept_last).unwrap();
    let head = fs::read_dir(damaged.folder.path().join("keep/log")).unwrap();
    let head = head.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().ends_with("head"));
    let (head, kept) = head.map(|path| (path.clone(), fs::read(path).unwrap())).unwrap();
    fs::remove_file(&head).unwrap();
    damaged.check("The head of the log is missing");
    let mut flipped = kept.clone();
    flipped[kept.len() - 3] ^= 1;
    fs::write(&head, flipped).unwrap();
    damaged.check("The head of the log was changed");

    // The log of another instance under these names.
    let foreign = log.app.halt().await;
    let mut others: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in fs::read_dir(foreign.path().join("keep/log")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap().1.to_owned();
        others.insert(name, fs::read(path).unwrap());
    }
    fs::write(&head, &kept).unwrap();
    fs::write(object, others.values().next().unwrap()).unwrap();
    damaged.check(&format!("Segment {number} of the log was exchanged"));
}

#[actix_web::test]
async fn a_target_that_is_away_for_a_while_holds_nobody_up_and_is_caught_up() {
    let shipped = Shipped::start().await;
    let (keep, away) = (shipped.keep(), shipped.app.folder().join("away"));
    fs::rename(&keep, &away).unwrap();
    for n in 0..5 {
        shipped.add(&format!("case {n}")).await;
    }
    let place =
        shipped.until(|place| place["trouble"].is_string() && place["waiting"].as_u64() > Some(0)).await;
    assert!(place["trouble"].as_str().unwrap().contains("keep"), "{place}");
    fs::rename(&away, &keep).unwrap();
    shipped.until(|place| place["trouble"].is_null() && place["waiting"] == 0).await;
    shipped.shipped().await;
    let expected = shipped.digest().await;
    shipped.restore("back", Until::Latest, Shortfall::Refused).await.unwrap();
    assert_eq!(held(shipped.app.folder(), "back").await.0, expected);
    assert_eq!(fs::read_dir(shipped.app.data().join("log")).unwrap().count(), 1, "nothing waits any more");
    shipped.app.halt().await;
}

/// One target takes connections and never says a word. Neither the backup nor the log of the other waits for it.
#[actix_web::test]
async fn b05_f13_a_target_that_never_answers_holds_no_other_up() {
    let shipped = Shipped::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("webdav+http://{}/keep", silent.local_addr().unwrap());
    let added = json!({"name": "Silent", "address": address, "schedule": ""});
    let targets = "/api/v1/backup-targets";
    let request = shipped.app.request(Method::POST, targets).bearer_auth(&shipped.owner.token);
    assert_eq!(request.json(&added).send().await.unwrap().status(), 201);
    for n in 0..8 {
        let began = Instant::now();
        shipped.add(&format!("case {n}")).await;
        shipped.shipped().await;
        assert!(began.elapsed() < limits::TARGET_SILENCE_MAX / 3, "{n}: after {:?}", began.elapsed());
    }
    let log = shipped.ask(Method::GET, Value::Null).await;
    assert!(log["places"][1]["reached_at"].is_null(), "{log}");
    // A backup to each: that to the silent one is asked for first.
    let backups = |target: u32| {
        let order = shipped.app.request(Method::POST, "/api/v1/backups").bearer_auth(&shipped.owner.token);
        order.json(&json!({"target": target})).send()
    };
    assert_eq!(backups(2).await.unwrap().status(), 202);
    let began = Instant::now();
    let asked = backups(1).await.unwrap();
    assert_eq!(asked.status(), 202, "{}", asked.text().await.unwrap());
    let state = async || {
        let told = shipped.app.request(Method::GET, "/api/v1/backups").bearer_auth(&shipped.owner.token);
        let told: Value = told.send().await.unwrap().json().await.unwrap();
        (told["running"].clone(), told["backups"][0]["state"].clone())
    };
    while state().await.1 != "good" {
        assert!(began.elapsed() < limits::TARGET_SILENCE_MAX / 3, "{:?}", state().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(state().await.0[0]["step"], "reaching");
    let began = Instant::now();
    shipped.app.halt().await;
    assert!(began.elapsed() < limits::TARGET_SILENCE_MAX, "stopped after {:?}", began.elapsed());
    drop(silent);
}

#[actix_web::test]
async fn a_log_goes_on_over_a_restart_and_begins_anew_after_a_stranger() {
    let shipped = Shipped::start().await;
    shipped.add("before").await;
    let kit = shipped.kit.clone();
    let key = shipped.app.house.instance.keyring().unwrap().database();
    let folder = shipped.app.halt().await;
    assert_eq!(streams(folder.path()).len(), 1);
    let app = App::on(folder, &[]).await;
    let shipped = Shipped { app, owner: shipped.owner, kit };
    shipped.add("after").await;
    shipped.shipped().await;
    assert_eq!(streams(shipped.app.folder()).len(), 1, "the log goes on");
    let folder = shipped.app.halt().await;

    // Opened and closed with SQLite's own settings: the log is moved and removed.
    let conn = Connection::open(folder.path().join("data/testkeep.db")).unwrap();
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    conn.pragma_update(None, "key", format!("x'{hex}'")).unwrap();
    conn.execute_batch("INSERT INTO settings VALUES ('stranger', 'was here', 1)").unwrap();
    let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    conn.execute_batch("INSERT INTO settings VALUES ('stranger', 'came twice', 2) ON CONFLICT DO NOTHING")
        .unwrap();
    drop(conn);
    let app = App::on(folder, &[]).await;
    let shipped = Shipped { app, owner: shipped.owner, kit: shipped.kit };
    shipped.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
    assert_eq!(streams(shipped.app.folder()).len(), 2, "a new log begins");
    shipped.add("later").await;
    shipped.shipped().await;
    shipped.restore("anew", Until::Latest, Shortfall::Refused).await.unwrap();
    let (_, titles) = held(shipped.app.folder(), "anew").await;
    assert_eq!(titles, ["before", "after", "later"]);

    let switched = shipped.ask(Method::PUT, json!({"on": false})).await;
    assert_eq!(switched["on"], false);
    for _ in 0..100 {
        if !shipped.app.data().join("log").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!shipped.app.data().join("log").exists(), "what waits goes with the switch");
    shipped.app.halt().await;
}

/// Names the folder on which this process is to serve until it is killed.
const VICTIM: &str = "TESTKEEP_TEST_SHIPPING";
/// Names the milliseconds between two writes.
const PAUSE: &str = "TESTKEEP_TEST_PAUSE";
const MARK: &str = "stored ";
/// Between two writes of one that is killed often: else each start has all that to read, slowly in a build for tests.
const PAUSE_MS: u64 = 3;

/// Not a test of its own: the process that the next test starts and kills.
#[actix_web::test]
async fn serves_and_ships_until_it_is_killed_when_asked_to() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let running = start_on(Path::new(&folder), &[], clock()).await.unwrap();
    let gate = running.house.shell.operator().gate::<CaseWrite>(at("SHOP"));
    let pause = std::env::var(PAUSE).map_or(0, |text| text.parse().unwrap());
    let pause = Duration::from_millis(pause);
    for n in 0.. {
        let title = format!("{}-{n}-{}", std::process::id(), now().0);
        add(&gate, &title).await.unwrap();
        std::io::stdout().write_all(format!("\n{MARK}{title}\n").as_bytes()).unwrap();
        tokio::time::sleep(pause).await;
    }
}

/// Serves and writes, with such pauses, in another process, and kills it so long after its first write. Answers what
/// it acknowledged, each title with the moment before it was written, and the moment of the kill.
pub fn killed(folder: &Path, pause: u64, after: Duration) -> (Vec<String>, Timestamp) {
    let name = "keeping::shipping::serves_and_ships_until_it_is_killed_when_asked_to";
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, folder)
        .env(PAUSE, pause.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let out = victim.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&said).contains(MARK) {
        let length = out.read(&mut piece).unwrap();
        assert_ne!(length, 0, "the process ended by itself");
        said.extend(&piece[..length]);
    }
    let mut out = victim.stdout.take().unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        let at = now();
        victim.kill().unwrap();
        victim.wait().unwrap();
        at
    });
    out.read_to_end(&mut said).unwrap();
    let at = killer.join().unwrap();
    let said = String::from_utf8(said).unwrap();
    let whole = said.rsplit_once('\n').map_or("", |(lines, _)| lines);
    (whole.lines().filter_map(|line| line.strip_prefix(MARK)).map(str::to_owned).collect(), at)
}

/// Killed while it ships, again and again.
#[actix_web::test]
async fn f01_f11_what_was_shipped_is_whole_after_every_kill() {
    let rounds = u64::from(super::killed::kills(3));
    let shipped = Shipped::start().await;
    let (kit, owner) = (shipped.kit.clone(), shipped.owner.clone());
    let folder = shipped.app.halt().await;
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..rounds {
        let moment = Duration::from_millis(300 + 1_237 * round % 3_000);
        acknowledged.extend(killed(folder.path(), PAUSE_MS, moment).0);

        // What is at the target is whole at every moment, though it may be a little behind: more than a little where
        // a kill found the log at its turn, and the backup of the new one was cut off by the next kill.
        let into = format!("round-{round}");
        restore(folder.path(), &kit, &into, Until::Latest, Shortfall::Accepted).await.unwrap();
        let (_, mut found) = held(folder.path(), &into).await;
        // The last change of each process may be stored and not acknowledged.
        let stored = found.len();
        found.retain(|title| acknowledged.contains(title));
        assert!(stored <= found.len() + usize::try_from(round).unwrap() + 1);
        assert!(acknowledged.starts_with(&found), "round {round}: {found:?} of {acknowledged:?}");
        fs::remove_dir_all(folder.path().join(&into)).unwrap();
    }
    let app = App::on(folder, &[]).await;
    let shipped = Shipped { app, owner, kit };
    shipped.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
    shipped.shipped().await;
    shipped.restore("end", Until::Latest, Shortfall::Refused).await.unwrap();
    let (digest, found) = held(shipped.app.folder(), "end").await;
    assert_eq!(digest, shipped.digest().await);
    let lost: Vec<_> = acknowledged.iter().filter(|title| !found.contains(title)).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    assert!(acknowledged.len() > 20, "only {} writes", acknowledged.len());
    shipped.app.halt().await;
}
