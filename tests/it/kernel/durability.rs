//! What was acknowledged is there after `kill -9`.

use super::house::{add, at, keys, project, titles};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkeep::kernel::access::*;
use testkeep::kernel::audit::{Verdict, verify};
use testkeep::kernel::time::Clock;

/// Names the file on which this process is to write until it is killed.
const VICTIM: &str = "TESTKEEP_TEST_VICTIM";
/// Before each acknowledged title, so that it is told from what the test harness prints.
const MARK: &str = "stored ";
const ROUNDS: u64 = 12;

fn open(path: &Path) -> (Door, Shell) {
    Door::open(path, keys(), Clock::System, &Tuning::default()).unwrap()
}

/// Not a test of its own: the process that the next test starts and kills.
#[actix_web::test]
async fn writes_until_it_is_killed_when_asked_to() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let (_door, shell) = open(Path::new(&path));
    if shell.operator().gate::<ProjectView>(at("SHOP")).admit().await.is_err() {
        project(&shell, "SHOP").await;
    }
    let writers = (0..8).map(|writer| {
        let gate = shell.operator().gate::<CaseWrite>(at("SHOP"));
        actix_web::rt::spawn(async move {
            for n in 0.. {
                let title = format!("{}-{writer}-{n}", std::process::id());
                add(&gate, &title).await.unwrap();
                // In one piece, so that a kill leaves at most one torn line.
                std::io::stdout().write_all(format!("\n{MARK}{title}\n").as_bytes()).unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[actix_web::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instance.db");
    let (door, _) = Door::create(&path, keys(), Clock::System, &Tuning::default()).unwrap();
    door.shut_down().await;
    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kernel::durability::writes_until_it_is_killed_when_asked_to", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Waits for the first answer, then strikes at a different moment each round.
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        let out = victim.stdout.as_mut().unwrap();
        while !String::from_utf8_lossy(&said).contains(MARK) {
            let length = out.read(&mut piece).unwrap();
            assert_ne!(length, 0, "the process ended by itself");
            said.extend(&piece[..length]);
        }
        std::thread::sleep(Duration::from_millis(20 + 11 * round));
        victim.kill().unwrap();
        victim.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        victim.wait().unwrap();
        let said = String::from_utf8(said).unwrap();
        let whole_lines = said.rsplit_once('\n').map_or("", |(lines, _)| lines);
        acknowledged
            .extend(whole_lines.lines().filter_map(|line| line.strip_prefix(MARK)).map(str::to_owned));

        let (door, shell) = open(&path);
        let stored = titles(&shell.operator().gate(at("SHOP"))).await.into_iter().collect();
        let lost = acknowledged.difference(&stored).collect::<Vec<_>>();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        let verdict = shell.operator().gate::<AuditView>(()).read(|tx| verify(tx, None)).await.unwrap();
        assert!(matches!(verdict, Verdict::Whole(_)), "round {round}: {verdict:?}");
        door.shut_down().await;
    }
    assert!(acknowledged.len() > 100, "only {} writes in {ROUNDS} rounds", acknowledged.len());
}
