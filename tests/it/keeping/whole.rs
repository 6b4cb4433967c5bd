//! The whole instance goes back to a moment between two backups, from the page of a living one, and to none that
//! cannot be had (B04, B05, C13, f8, f14).

use super::places::{add, opens, parsed, told};
use super::restores::{again, kept, serve_at};
use super::storages::servers::{self, Server};
use crate::support::port::free_port;
use crate::support::program::Machine;
use crate::support::site::{self, Site};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkeep::kernel::access::Role;

const WHOLE: &str = "/instance/backups/whole";
const RUNS: &str = "/api/v1/projects/SHOP/runs";
/// Longer than two looks at the log, and than the second that the page can name.
const A_WHILE: Duration = Duration::from_millis(2_100);

/// A machine whose log goes to its one target, and what was recorded in it when.
struct Story {
    machine: Machine,
    site: Site,
    /// Where results of its run are recorded.
    results: String,
    /// Moments between one result and the next.
    moments: Vec<Timestamp>,
}

impl Story {
    async fn told(machine: Machine) -> Story {
        machine.json(&["demo", "--cases", "12", "--results", "30", "--seed", "5"]);
        let person = site::person(&machine, Role::Owner).await;
        let server = serve_at(&machine, free_port());
        let site = Site { client: machine.client("data"), server, person };
        let (status, run) = site.json(Method::POST, RUNS, json!({ "title": "By hand", "cases": [3] })).await;
        assert_eq!(status, 201, "{run}");
        let results = format!("{RUNS}/{}/results", run["number"]);
        let mut story = Story { site, machine, results, moments: Vec::new() };
        let switch = json!({ "on": true, "seconds": 1 });
        assert_eq!(story.site.json(Method::PUT, "/api/v1/backups/log", switch).await.0, 200);
        story.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
        for number in 1..=3 {
            story.record(&format!("result {number}")).await;
            tokio::time::sleep(A_WHILE).await;
            story.moments.push(Timestamp::now());
            tokio::time::sleep(A_WHILE).await;
        }
        let now = Timestamp::now().as_millisecond();
        story.until(|place| place["reached_at"].as_i64() > Some(now)).await;
        story
    }

    async fn record(&self, message: &str) {
        let one = json!({ "results": [{ "case": 3, "status": "failed", "message": message }] });
        let (status, answer) = self.site.json(Method::POST, &self.results, one).await;
        assert!(status < 300, "{status}: {answer}");
    }

    async fn until(&self, is_so: impl Fn(&Value) -> bool) {
        for _ in 0..600 {
            let (_, log) = self.site.json(Method::GET, "/api/v1/backups/log", Value::Null).await;
            if is_so(&log["places"][0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the log does not get there");
    }

    /// Messages of what was recorded here.
    async fn recorded(&self) -> Vec<String> {
        let (_, told) = self.site.json(Method::GET, &self.results, Value::Null).await;
        let all = told["results"].as_array().unwrap_or_else(|| panic!("{told}"));
        let messages = all.iter().filter_map(|one| one["message"].as_str());
        messages.filter(|message| message.starts_with("result ")).map(str::to_owned).collect()
    }

    /// Asks the page for this moment, as it is typed into the field.
    async fn look(&self, typed: &str) -> (u16, String) {
        let path = format!("{WHOLE}?target=1&until=moment&moment={typed}");
        let request = self.site.client.get(self.site.server.at(&path)).header("Accept", "text/html");
        let cookie = format!("{}={}", testkeep::web::cookies::SESSION, self.site.person.cookie);
        let answer = request.header("Cookie", cookie).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Orders what the page shows, and waits until the instance has started again with it.
    async fn go_back(&self, page: &str) {
        let field = |name: &str| {
            let after = page.split(&format!("type=\"hidden\" name=\"{name}\" value=\"")).last().unwrap();
            after.split('"').next().unwrap().to_owned()
        };
        let (moment, backup) = (field("moment"), field("backup"));
        let fields = [("target", "1"), ("backup", &backup), ("moment", &moment), ("name", "Testkeep")];
        let data = self.machine.path("data");
        let before = kept(&data).await.len();
        let (status, answer) = self.site.submit(WHOLE, &fields).await;
        assert_eq!(status, 200, "{answer}");
        let is_before = async || kept(&data).await.len() == before || data.join("swap.json").exists();
        for _ in 0..1_200 {
            if !is_before().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if is_before().await {
            panic!("{}", self.site.page(WHOLE).await);
        }
        for _ in 0..1_200 {
            let answered = self.site.api(Method::GET, "/readyz").send().await;
            if answered.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the instance does not start again");
    }
}

/// What the field of the page holds for a moment, in the zone of the machines of these tests.
fn typed(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

async fn to_a_folder() -> Story {
    let machine = Machine::claimed();
    machine.json(&["target", "add", "--name", "Disk", "--address", &machine.text("disk")]);
    Story::told(machine).await
}

#[actix_web::test]
async fn b05_the_page_of_the_whole_instance_goes_back_to_a_moment_between_two_results() {
    let story = to_a_folder().await;
    assert_eq!(story.recorded().await.len(), 3);
    let page = story.site.page("/instance/backups/log").await;
    assert!(page.contains("/instance/backups/whole?target=1&amp;until=moment"), "{page}");

    // Nothing is compared before a moment was chosen; the newest stands in the field, and the zone beside it.
    let (status, page) = story.look("").await;
    assert!(
        status == 200 && page.contains("type=\"datetime-local\"") && page.contains("By the clock of"),
        "{page}"
    );
    assert!(!page.contains("Bring the whole instance back</button>"), "{page}");

    // What cannot be had is said at the field, and what can.
    for (wrong, said) in [
        ("2020-01-01T00:00:00", "cannot be had here."),
        ("2090-01-01T00:00:00", "Choose one from "),
        ("yesterday", "Write date and time"),
    ] {
        let (status, page) = story.look(wrong).await;
        assert!(
            status == 422 && page.contains("id=\"moment-wrong\"") && page.contains(said),
            "{wrong}: {page}"
        );
        assert!(page.contains(&format!("value=\"{wrong}\"")), "what was typed stays: {page}");
        let fields = [("target", "1"), ("backup", "1"), ("moment", wrong), ("name", "Testkeep")];
        let (status, page) = story.site.submit(WHOLE, &fields).await;
        assert!(status == 422 && page.contains("id=\"moment-wrong\""), "{wrong}: {page}");
    }

    // Between the second result and the third.
    let (status, page) = story.look(&typed(story.moments[1])).await;
    assert!(status == 200 && page.contains("Made since, and lost"), "{page}");
    let row = page.split("<th scope=\"row\" class=\"full\">Results</th>").nth(1).unwrap();
    assert!(row.split("</tr>").next().unwrap().contains("data-word=\"Made since, and lost\">1<"), "{row}");
    story.go_back(&page).await;
    assert_eq!(story.recorded().await, ["result 1", "result 2"]);

    let Story { machine, site, results, moments } = story;
    site.server.stop();
    assert_eq!(machine.json(&["audit", "verify"])["whole"], json!(true));
    let trail = machine.json(&["audit", "list"]).to_string();
    let until = moments[1].as_millisecond() / 1_000 * 1_000;
    assert!(trail.contains("instance.restored") && trail.contains(&format!("until_ms={until}")), "{trail}");
    assert_eq!(machine.json(&["doctor"])["good"], json!(true));

    // The present of then was backed up and put aside; the way back is open.
    let person = again(&machine).await;
    let site = Site { server: serve_at(&machine, free_port()), person, ..site };
    let name = kept(&machine.path("data")).await.remove(0);
    assert!(site.page(WHOLE).await.contains(&name));
    let story = Story { machine, site, results, moments };
    // A new log has begun with a backup of its own; the moments of the old one can still be had.
    story.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
    let (status, page) = story.look(&typed(story.moments[2])).await;
    assert!(status == 200 && page.contains("Made since, and lost"), "{page}");
    story.go_back(&page).await;
    assert_eq!(story.recorded().await, ["result 1", "result 2", "result 3"]);
    story.site.server.stop();
}

fn segments(disk: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(disk.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| !path.to_str().unwrap().ends_with("head")).collect();
    files.sort();
    files
}

/// f14: what lies before the gap can be had, nothing behind it, and the page says why.
#[actix_web::test]
async fn f14_a_log_with_a_gap_says_so_and_leads_to_no_moment_behind_it() {
    let story = to_a_folder().await;
    // While nothing is stored, a target hears only once a minute that this is so.
    story.record("the end").await;
    let now = Timestamp::now().as_millisecond();
    story.until(|place| place["reached_at"].as_i64() > Some(now)).await;
    let there = segments(&story.machine.path("disk"));
    // That which holds the second result: sealed after the first moment, and before the second.
    let gone = there.iter().find(|path| {
        let line = std::fs::read(path).unwrap().split(|byte| *byte == b'\n').next().unwrap().to_vec();
        let label: Value = serde_json::from_slice(&line).unwrap();
        label["at"].as_i64() > Some(story.moments[0].as_millisecond())
    });
    let gone = gone.unwrap();
    let content = std::fs::read(gone).unwrap();
    std::fs::remove_file(gone).unwrap();
    let (status, page) = story.look(&typed(story.moments[2])).await;
    assert!(status == 422 && page.contains("The log there is not whole"), "{page}");
    assert!(page.contains("of the log is missing.") && page.contains("cannot be had here."), "{page}");

    // One that is there and was changed looks whole from outside; it is refused when it is opened.
    let mut flipped = content;
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(gone, flipped).unwrap();
    let (status, page) = story.look(&typed(story.moments[2])).await;
    assert_eq!(status, 200, "{page}");
    let exact = page.split("name=\"moment\" value=\"").last().unwrap().split('"').next().unwrap();
    let fields = [("target", "1"), ("backup", "1"), ("moment", exact), ("name", "Testkeep")];
    assert_eq!(story.site.submit(WHOLE, &fields).await.0, 200);
    let mut page = String::new();
    for _ in 0..600 {
        page = story.site.page(WHOLE).await;
        if page.contains("It was not brought back") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(page.contains("of the log cannot be opened") && page.contains("Nothing was changed."), "{page}");
    assert_eq!(story.recorded().await.len(), 3, "nothing was changed");
    assert!(kept(&story.machine.path("data")).await.is_empty());
    story.site.server.stop();
}

/// T-DP-1: by the command on a bare machine, and by the page.
async fn a_moment_comes_back_from(server: Option<Server>) {
    let Some(server) = server else { return };
    let machine = Machine::claimed();
    add(&machine, "Away", &server, &server.place);
    let story = Story::told(machine).await;
    let bare = Machine::new();
    std::fs::copy(story.machine.path("kit.txt"), bare.path("kit.txt")).unwrap();
    let (kit, into, at) = (bare.text("kit.txt"), bare.text("data"), story.moments[0].to_string());
    let restore = ["restore", "--from", &server.place, "--kit-file", &kit, "--into", &into, "--at", &at];
    let restored = parsed(&told(&bare, &opens(&server).0, &restore));
    assert!(restored["log"]["missing"].is_null(), "{restored}");
    let person = again(&bare).await;
    let server_there = bare.serve();
    let site = Site { client: bare.client("data"), server: server_there, person };
    let (_, found) = site.json(Method::GET, &story.results, Value::Null).await;
    let found = found.to_string();
    assert!(found.contains("result 1") && !found.contains("result 2"), "{found}");
    site.server.stop();

    let (status, page) = story.look(&typed(story.moments[1])).await;
    assert_eq!(status, 200, "{page}");
    story.go_back(&page).await;
    assert_eq!(story.recorded().await, ["result 1", "result 2"], "{}", server.kind);
    story.site.server.stop();
}

#[actix_web::test]
async fn b05_a_moment_comes_back_from_webdav_by_the_command_and_by_the_page() {
    a_moment_comes_back_from(servers::webdav()).await;
}

#[actix_web::test]
async fn b05_a_moment_comes_back_from_s3_by_the_command_and_by_the_page() {
    a_moment_comes_back_from(servers::s3()).await;
}

/// What is past its retention has a receipt and no data: a moment is reached from the backup before.
#[actix_web::test]
async fn a_moment_whose_newest_backup_is_gone_comes_from_the_one_before() {
    let machine = Machine::claimed();
    let disk = machine.text("disk");
    machine.json(&["target", "add", "--name", "Disk", "--address", &disk]);
    let story = Story::told(machine).await;
    let (_, made) = story.site.json(Method::POST, "/api/v1/backups", json!({})).await;
    assert!(made.is_object(), "{made}");
    loop {
        let (_, backups) = story.site.json(Method::GET, "/api/v1/backups", Value::Null).await;
        if backups["backups"][0]["state"] != "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(A_WHILE).await;
    let now = Timestamp::now();
    tokio::time::sleep(A_WHILE).await;
    // The head of a log in which nothing is new is written now and then only.
    story.record("result 4").await;
    let shipped = Timestamp::now().as_millisecond();
    story.until(|place| place["reached_at"].as_i64() > Some(shipped)).await;
    let newest = story.machine.path("disk/snapshots");
    let mut snapshots: Vec<PathBuf> =
        std::fs::read_dir(newest).unwrap().map(|entry| entry.unwrap().path()).collect();
    snapshots.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    assert!(snapshots.len() >= 2);
    std::fs::remove_file(snapshots.last().unwrap()).unwrap();
    let (kit, into, at) = (story.machine.text("kit.txt"), story.machine.text("then"), now.to_string());
    let key = story.machine.text("then.key");
    let restore =
        ["restore", "--from", &disk, "--kit-file", &kit, "--into", &into, "--at", &at, "--key-file", &key];
    let restored = story.machine.json(&restore);
    assert_eq!(restored["receipt"], json!(snapshots.len() - 1), "{restored}");
    story.site.server.stop();
}

/// A server that takes a connection and says nothing holds up what it is asked for, and not the page.
#[actix_web::test]
async fn the_page_of_restores_comes_at_once_though_its_target_is_silent() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Machine::claimed();
    machine.write("secrets.json", &json!({ "user": "mara", "password": "much" }).to_string());
    let address = format!("webdav+http://{}/keep", silent.local_addr().unwrap());
    let secrets = machine.text("secrets.json");
    machine.json(&["target", "add", "--name", "Silent", "--address", &address, "--access-file", &secrets]);
    let site = Site::start(&machine).await;
    let began = std::time::Instant::now();
    let page = site.page("/instance/backups/restore").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(page.contains("Silent is asked which backups are there.") && page.contains("list=now"), "{page}");
    let page = site.page("/instance/backups/restore?list=now").await;
    assert!(page.contains("The backups cannot be listed"), "{page}");
    site.server.stop();
}
