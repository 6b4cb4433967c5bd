//! Maintenance: the instance is closed to its people, and only to them.

use crate::support::App;
use crate::support::program::Machine;
use serde_json::json;
use std::time::Duration;
use testkeep::kernel::access::Role;

#[actix_web::test]
async fn t_sd_3_a_closed_instance_says_why_and_until_when_and_its_owner_opens_it_again() {
    let app = App::start().await;
    app.project("SHOP").await;
    let owner = app.as_role(Role::Owner, None).await;
    let closed = app
        .submit_and_follow(
            &owner,
            "/instance/maintenance/close",
            &[("minutes", "20"), ("reason", "New <disks>.")],
        )
        .await;
    assert!(closed.contains("The instance is closed") && closed.contains("New &#60;disks&#62;."), "{closed}");

    let turned_away = app.client().get(app.at("/p/SHOP")).header("accept", "text/html").send().await.unwrap();
    assert_eq!(turned_away.status(), 503);
    assert!(turned_away.headers()["retry-after"].to_str().unwrap().parse::<i64>().unwrap() >= 30);
    let page = turned_away.text().await.unwrap();
    assert!(page.contains("closed for maintenance") && page.contains("New &#60;disks&#62;."), "{page}");
    let program = app.client().get(app.at("/api/v1/projects")).send().await.unwrap();
    assert_eq!(program.status(), 503);
    assert!(program.text().await.unwrap().contains("closed for maintenance"));

    for open in ["/healthz", "/readyz", "/signin", "/metrics"] {
        assert_eq!(app.get(open).await.status(), 200, "{open}");
    }
    assert!(app.page(&owner, "/instance").await.contains("How it is kept"));
    let page = app.submit_and_follow(&owner, "/instance/maintenance/open", &[]).await;
    assert!(page.contains("The instance is open again."), "{page}");
    assert!(app.page(&owner, "/p/SHOP").await.contains("SHOP"));
    app.stop().await;
}

#[actix_web::test]
async fn only_owners_close_an_instance_and_not_for_ever() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    let auditor = app.as_role(Role::Auditor, None).await;
    assert_eq!(app.submit(&auditor, "/instance/maintenance/close", &[("minutes", "5")]).await.status(), 403);
    assert!(
        !app.page(&auditor, "/instance/maintenance").await.contains("action=\"/instance/maintenance/close\"")
    );
    for (minutes, reason) in [("0", ""), ("99999999", ""), ("5", &*"x".repeat(201))] {
        let refused = app
            .submit(&owner, "/instance/maintenance/close", &[("minutes", minutes), ("reason", reason)])
            .await;
        assert_eq!(refused.status(), 422, "{minutes}");
    }
    assert_eq!(app.get("/signin").await.status(), 200);
    app.stop().await;
}

#[actix_web::test]
async fn a_command_closes_and_opens_a_server_that_runs() {
    let machine = Machine::claimed();
    let server = machine.serve();
    let client = machine.client("data");
    let status = async || client.get(server.at("/api/v1/projects")).send().await.unwrap().status().as_u16();
    let becomes = async |wanted: u16| {
        for _ in 0..100 {
            if status().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it stayed {}", status().await);
    };
    becomes(401).await;
    let closed = machine.json(&["maintenance", "on", "--minutes", "5", "--reason", "Move."]);
    assert_eq!((&closed["closed"], &closed["reason"]), (&json!(true), &json!("Move.")));
    becomes(503).await;
    machine.json(&["maintenance", "off"]);
    becomes(401).await;
    assert_eq!(machine.json(&["maintenance", "status"])["closed"], json!(false));
    server.stop();
}
