//! SIGTERM to the real program: what has begun is finished, then it ends with 0.

use super::story::{get, post};
use crate::support::program::Machine;
use futures_util::stream;
use serde_json::json;
use std::time::Duration;
use tokio::sync::oneshot;

/// f38
#[actix_web::test]
async fn a_request_that_has_begun_is_answered_after_sigterm_and_kept() {
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
