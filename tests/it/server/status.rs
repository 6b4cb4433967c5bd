//! Status: alive, ready, counted; and who may see the counts.

use crate::support::App;
use crate::support::program::{Machine, Server};
use crate::support::site::{Site, person};
use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::process::Command;
use testkeep::kernel::access::Role;

#[actix_web::test]
async fn an_instance_says_that_it_is_alive_and_ready() {
    let app = App::start().await;
    for (path, words) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.text().await.unwrap(), words);
    }
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_never_by_address() {
    let app = App::start().await;
    app.get("/healthz?secret=1").await;
    app.get("/no/such/page").await;
    app.request(Method::from_bytes(b"BREW").unwrap(), "/coffee").send().await.unwrap();
    let text = app.get("/metrics").await.text().await.unwrap();
    for line in [
        r#"testkeep_requests_total{class="2xx",method="GET",route="/healthz"} 1"#,
        r#"testkeep_requests_total{class="4xx",method="GET",route="none"} 1"#,
        r#"testkeep_requests_total{class="4xx",method="other",route="none"} 1"#,
        r#"testkeep_request_seconds_count{route="/healthz"} 1"#,
        "process_resident_memory_bytes ",
        "testkeep_certificate_not_after_seconds ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("secret") && !text.contains("coffee"), "{text}");
}

#[actix_web::test]
async fn metrics_are_for_the_machine_itself_or_for_the_holder_of_their_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef0123\n").unwrap();
    let app = App::on(folder, &[("metrics_token_file", path.to_str().unwrap())]).await;
    let from_outside = || app.request(Method::GET, "/metrics").header("X-Forwarded-For", "198.51.100.1");
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(app.request(Method::GET, "/metrics")).await, 200);
    assert_eq!(status(from_outside()).await, 403);
    assert_eq!(status(from_outside().bearer_auth("0123456789abcdef0124")).await, 403);
    assert_eq!(status(from_outside().bearer_auth("0123456789abcdef0123")).await, 200);
}

/// An address that is not this machine's first, behind a name that is another: as in a container.
#[test]
fn a_server_with_a_public_name_is_healthy_at_whatever_address_it_listens() {
    let machine = Machine::claimed();
    let listen = format!("127.0.0.2:{}", crate::support::port::free_port());
    let with = |arguments: &[&str]| {
        let mut command = machine.command("data");
        command.env("TESTKEEP_LISTEN", &listen).env("TESTKEEP_PUBLIC_URL", "https://tests.example.org");
        command.args(arguments);
        command
    };
    let server = Server::start(with(&["serve", "--log", "warn"]));
    let answer = with(&["health"]).output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    server.stop();
}

/// Every write to a file of this process fails from now on, as on a disk that was mounted read-only after an
/// error; or succeeds again.
fn set_writable(server: &Server, is_writable: bool) {
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap());
    let current = (!is_writable).then_some(0);
    prlimit(process, Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}

#[actix_web::test]
async fn f06_a_disk_that_takes_no_writes_refuses_changes_is_not_ready_and_recovers() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let person = person(&machine, Role::Owner).await;
    let own = machine.command("data");
    // Without this the system ends a process whose write it refuses, which no disk does.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(own.get_program());
    command.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let server = Server::start(command);
    let site = Site { client: machine.client("data"), server, person };
    let suite = async |name: &str| {
        site.json(Method::POST, "/api/v1/projects/SHOP/suites", json!({ "name": name })).await
    };
    let ready = async || site.client.get(site.server.at("/readyz")).send().await.unwrap().status().as_u16();
    assert_eq!((suite("Cart").await.0, ready().await), (201, 200));

    set_writable(&site.server, false);
    for _ in 0..3 {
        let (status, said) = suite("Lost").await;
        assert_eq!((status, &said["code"]), (503, &"not_writable".into()), "{said}");
    }
    assert_eq!(ready().await, 503);
    // Reading goes on, and nothing of what was refused is there.
    let (status, suites) = site.json(Method::GET, "/api/v1/projects/SHOP/suites", json!(null)).await;
    assert!(status == 200 && suites.to_string().contains("Cart") && !suites.to_string().contains("Lost"));

    set_writable(&site.server, true);
    assert_eq!((suite("Found").await.0, ready().await), (201, 200));
    site.server.stop();
    assert_eq!(machine.json(&["audit", "verify"])["whole"], true);
}
