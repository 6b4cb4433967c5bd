//! SIGTERM to the real program: what has begun is finished, then it ends with 0.

use super::sandbox::status;
use super::story::{get, post};
use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use futures_util::stream;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use tokio::sync::oneshot;

#[actix_web::test]
async fn f38_a_request_that_has_begun_is_answered_after_sigterm_and_kept() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let (token, server) = (machine.token("SHOP"), machine.serve());
    let client = machine.client("data");
    let runs = "/api/v1/projects/SHOP/runs";
    assert_eq!(post(&client, &server, &token, runs, json!({"title": "Slow"})).await.0, 201);

    // The second half of the body waits until the server was asked to stop.
    let (release, released) = oneshot::channel::<()>();
    let halves = stream::unfold((0, Some(released)), |(half, mut released)| async move {
        let text = match half {
            0 => r#"{"results": [{"automation_key": "shop.Slow.check", "#,
            1 => {
                released.take()?.await.ok()?;
                r#""status": "passed"}]}"#
            }
            _ => return None,
        };
        Some((Ok::<_, std::io::Error>(text), (half + 1, released)))
    });
    let request = client
        .post(server.at(&format!("{runs}/1/results")))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(halves));
    let slow = tokio::spawn(request.send());
    while under_way(&client, &server.at("/metrics")).await < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.ask_to_stop();
    // A stranger is turned away from here on.
    let stranger = machine.client("data");
    while stranger.get(server.at("/healthz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    release.send(()).unwrap();
    assert_eq!(slow.await.unwrap().unwrap().status(), 201);
    assert_eq!(server.wait(), Some(0));

    let server = machine.serve();
    let (_, run) = get(&machine.client("data"), &server, &token, &format!("{runs}/1")).await;
    assert_eq!(run["counts"]["passed"], json!(1));
    server.stop();
}

/// Requests under way as the instance counts them, the one that asks included.
async fn under_way(client: &reqwest::Client, metrics: &str) -> u64 {
    let text = client.get(metrics).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("testkeep_requests_under_way ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until the counters of the old program are gone.
async fn answers_anew(client: &reqwest::Client, server: &Server) {
    for _ in 0..600 {
        if let Ok(answer) = client.get(server.at("/metrics")).send().await
            && answer.status().is_success()
            && !answer.text().await.unwrap().contains("testkeep_requests_total{")
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server did not begin anew");
}

async fn begins_anew(machine: &Machine, command: std::process::Command) {
    let server = Server::start(command);
    let client = machine.client("data");
    assert!(client.get(server.at("/healthz")).send().await.unwrap().status().is_success());
    let filters = status(&server, "Seccomp_filters");
    server.signal(Signal::HUP);
    answers_anew(&client, &server).await;
    // The filter of system calls goes along, and no second one is put on.
    assert_eq!((filters.as_str(), status(&server, "Seccomp_filters")), ("2", filters.clone()));
    // Its number is the old one: this is the child that was started.
    server.stop();
}

#[actix_web::test]
async fn a_server_begins_anew_at_sighup_in_the_same_process() {
    let machine = Machine::claimed();
    let mut command = machine.command("data");
    command.args(["serve", "--log", "warn", "--listen", &format!("127.0.0.1:{}", free_port())]);
    begins_anew(&machine, command).await;
}

#[actix_web::test]
async fn a_server_that_a_passphrase_opened_opens_again_without_anybody_at_the_terminal() {
    let machine = Machine::new();
    machine.write("words", "six words that nobody found in books");
    let serve = format!(
        "exec \"$0\" serve --log warn --listen 127.0.0.1:{} --passphrase-fd 3 3<'{}'",
        free_port(),
        machine.text("words")
    );
    let program = machine.command("data");
    let mut command = std::process::Command::new("sh");
    command.env("TESTKEEP_DATA", machine.path("data")).arg("-c").arg(serve).arg(program.get_program());
    begins_anew(&machine, command).await;
}

#[actix_web::test]
async fn a_server_that_is_asked_to_stop_while_it_begins_anew_stops() {
    let machine = Machine::claimed();
    let server = machine.serve();
    server.signal(Signal::HUP);
    server.stop();
}

#[actix_web::test]
async fn a_server_that_shares_opened_opens_again_though_their_file_is_gone() {
    let machine = Machine::claimed();
    let printed = machine.json(&["key", "shares", "--of", "3", "--need", "2"]);
    let shares: Vec<&str> =
        printed["shares"].as_array().unwrap().iter().map(|share| share.as_str().unwrap()).collect();
    std::fs::remove_file(machine.path("data.key")).unwrap();
    machine.write("shares", &shares[1..].join("\n"));
    let listen = format!("127.0.0.1:{}", free_port());
    let command = |flag: &str| {
        let mut command = machine.command("data");
        command.args(["serve", "--log", "warn", "--listen", &listen, flag]);
        command
    };
    // From standard input, which is at its end by then; and from a file that is taken away.
    let mut piped = command("--shares=-");
    piped.stdin(std::fs::File::open(machine.path("shares")).unwrap());
    begins_anew(&machine, piped).await;
    let mut named = command("--shares-file");
    named.arg(machine.path("shares"));
    let server = Server::start(named);
    std::fs::remove_file(machine.path("shares")).unwrap();
    let client = machine.client("data");
    for _ in 0..2 {
        assert!(client.get(server.at("/healthz")).send().await.unwrap().status().is_success());
        server.signal(Signal::HUP);
        answers_anew(&client, &server).await;
    }
    server.stop();
}
