//! The real program killed, frozen and told to stop: what was acknowledged over HTTPS is there, once, and the trail is
//! whole.

use crate::support::program::{Machine, Server};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const WRITERS: usize = 6;
/// Results of one request; they are stored together or not at all.
const BATCH: usize = 5;
/// Acknowledged requests of a round before the server is killed.
const REQUESTS_PER_ROUND: usize = 60;
const RESULTS: &str = "/api/v1/projects/SHOP/runs/1/results";

/// The key of one result: of which request, and which of its batch.
fn key(round: usize, writer: usize, request: usize, place: usize) -> String {
    format!("shop.Round{round}.writer_{writer}_request_{request}_place_{place}")
}

#[derive(Default)]
struct Told {
    /// Keys that were sent, whatever became of them.
    sent: Mutex<HashSet<String>>,
    /// Keys of requests that were answered with 201.
    acknowledged: Mutex<HashSet<String>>,
    requests: AtomicUsize,
}

/// A machine with a run that pipelines send results to, and what they were told.
struct Site {
    machine: Machine,
    token: String,
    told: Arc<Told>,
}

impl Site {
    async fn new() -> Site {
        let machine = Machine::claimed();
        machine.json(&["project", "create", "SHOP"]);
        let token = machine.token("SHOP");
        let server = machine.serve();
        let run = machine.client("data").post(server.at("/api/v1/projects/SHOP/runs")).bearer_auth(&token);
        assert_eq!(run.json(&json!({"title": "Durable"})).send().await.unwrap().status(), 201);
        server.stop();
        Site { machine, token, told: Arc::default() }
    }

    /// Pipelines that send until the server is gone.
    fn writers(&self, server: &Server, round: usize) -> Vec<tokio::task::JoinHandle<()>> {
        let writer = |writer| {
            let (client, address) = (self.machine.client("data"), server.at(RESULTS));
            tokio::spawn(write(client, address, self.token.clone(), Arc::clone(&self.told), (round, writer)))
        };
        (0..WRITERS).map(writer).collect()
    }

    async fn until_answered(&self, requests: usize) {
        while self.told.requests.load(Relaxed) < requests {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What was acknowledged is there, once, and nothing that nobody sent. Answers how many there are of each.
    async fn nothing_is_lost(&self) -> (usize, usize) {
        let server = self.machine.serve();
        let found = all_results(&self.machine.client("data"), &server, &self.token).await;
        server.stop();
        let (sent, acknowledged) = (self.told.sent.lock().unwrap(), self.told.acknowledged.lock().unwrap());
        let lost: Vec<_> = acknowledged.iter().filter(|key| !found.contains_key(*key)).collect();
        assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
        let doubled: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
        let ghosts: Vec<_> = found.keys().filter(|key| !sent.contains(*key)).collect();
        assert!(ghosts.is_empty(), "nobody sent {ghosts:?}");
        assert_eq!(found.len() % BATCH, 0, "a request was stored in part");
        println!("{} acknowledged, {} found, {} sent", acknowledged.len(), found.len(), sent.len());
        let report = self.machine.json(&["doctor"]);
        assert_eq!(report["good"], json!(true), "{report}");
        (acknowledged.len(), found.len())
    }
}

async fn ended(writers: Vec<tokio::task::JoinHandle<()>>) {
    for writer in writers {
        writer.await.unwrap();
    }
}

#[actix_web::test]
async fn f01_kill_9_loses_and_doubles_nothing_that_was_acknowledged() {
    let site = Site::new().await;
    let mut anchor = None;
    for round in 0..ROUNDS {
        let server = site.machine.serve();
        let writers = site.writers(&server, round);
        site.until_answered((round + 1) * REQUESTS_PER_ROUND).await;
        server.kill();
        ended(writers).await;
        anchor = Some(trail(&site.machine, anchor.as_deref()));
    }
    site.nothing_is_lost().await;
}

#[actix_web::test]
async fn f02_a_server_that_was_frozen_goes_on_and_loses_and_doubles_nothing() {
    let site = Site::new().await;
    let server = site.machine.serve();
    let (writers, ready) = (site.writers(&server, 0), server.at("/readyz"));
    for round in 1..=3 {
        site.until_answered(round * REQUESTS_PER_ROUND).await;
        server.signal(Signal::STOP);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let frozen = site.told.requests.load(Relaxed);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(site.told.requests.load(Relaxed), frozen, "it was not frozen");
        // It is not gone: nobody takes its folder over meanwhile.
        let second = site.machine.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(second.code == 73 && second.err.contains("is in use by process"), "{second:?}");
        server.signal(Signal::CONT);
        let thawed = Instant::now();
        let answer = site.machine.client("data").get(&ready).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(thawed.elapsed() < Duration::from_secs(1), "ready after {:?}", thawed.elapsed());
    }
    site.until_answered(4 * REQUESTS_PER_ROUND).await;
    server.stop();
    ended(writers).await;
    let (acknowledged, found) = site.nothing_is_lost().await;
    assert_eq!(acknowledged, found, "what was stored was answered");
    trail(&site.machine, None);
}

#[actix_web::test]
async fn f38_in_a_storm_of_restarts_what_is_stored_was_answered_and_what_was_answered_is_stored() {
    let site = Site::new().await;
    for round in 0..ROUNDS {
        let server = site.machine.serve();
        let writers = site.writers(&server, round);
        site.until_answered((round + 1) * REQUESTS_PER_ROUND / 3).await;
        server.stop();
        ended(writers).await;
        // And some that have hardly begun.
        for after_ms in [1, 10, 40] {
            let mut command = site.machine.command("data");
            command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).stdout(Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(Duration::from_millis(after_ms * (round as u64 + 1)));
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }
    let (acknowledged, found) = site.nothing_is_lost().await;
    assert_eq!(acknowledged, found, "what was stored was answered");
    trail(&site.machine, None);
}

/// Sends request after request until the connection breaks; none is sent twice.
async fn write(client: Client, address: String, token: String, told: Arc<Told>, who: (usize, usize)) {
    let (round, writer) = who;
    for request in 0.. {
        let keys: Vec<String> = (0..BATCH).map(|place| key(round, writer, request, place)).collect();
        told.sent.lock().unwrap().extend(keys.iter().cloned());
        let results: Vec<Value> =
            keys.iter().map(|key| json!({"automation_key": key, "status": "passed"})).collect();
        let body = json!({ "results": results });
        match client.post(&address).bearer_auth(&token).json(&body).send().await {
            Ok(answer) if answer.status() == 201 => {
                told.acknowledged.lock().unwrap().extend(keys);
                told.requests.fetch_add(1, Relaxed);
            }
            // A server that stops may refuse, and says so.
            Ok(answer) => return assert_eq!(answer.status(), 503),
            Err(_) => return,
        }
    }
}

/// The trail is whole and reaches at least to where it reached before; answers its head.
fn trail(machine: &Machine, anchor: Option<&str>) -> String {
    let verified = match anchor {
        Some(anchor) => machine.json(&["audit", "verify", "--anchor", anchor]),
        None => machine.json(&["audit", "verify"]),
    };
    assert_eq!(verified["whole"], json!(true));
    verified["head"].as_str().unwrap().to_owned()
}

/// How often each key has a result.
async fn all_results(client: &Client, server: &Server, token: &str) -> HashMap<String, usize> {
    let (mut found, mut after) = (HashMap::new(), 0);
    loop {
        let address = server.at(&format!("{RESULTS}?limit=1000&after={after}"));
        let page: Value = client.get(address).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        for result in page["results"].as_array().unwrap() {
            *found.entry(result["automation_key"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return found,
        }
    }
}

#[test]
fn f10_a_database_that_lost_what_it_held_when_it_was_stopped_is_refused_and_left_as_it_is() {
    let machine = Machine::claimed();
    let at_stop = |key: &str| {
        let server = machine.serve();
        machine.json(&["project", "create", key]);
        server.stop();
        std::fs::read(machine.path("data/testkeep.db")).unwrap()
    };
    let (older, newer) = (at_stop("SHOP"), at_stop("LATER"));
    let database = machine.path("data/testkeep.db");
    std::fs::write(&database, &older).unwrap();
    let refused = machine.run(&["project", "list"]);
    assert!(refused.code == 73 && refused.err.contains("Changes of this instance are gone"), "{refused:?}");
    let served = machine.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(served.code == 73 && served.err.contains("Changes of this instance are gone"), "{served:?}");
    assert!(std::fs::read(&database).unwrap() == older, "no page was moved");

    std::fs::write(&database, &newer).unwrap();
    assert_eq!(machine.json(&["project", "list"]).as_array().unwrap().len(), 2);
    // And who wants to go on without the changes says so.
    std::fs::write(&database, &older).unwrap();
    std::fs::remove_file(machine.path("data/stopped")).unwrap();
    assert_eq!(machine.json(&["project", "list"]).as_array().unwrap().len(), 1);
}
