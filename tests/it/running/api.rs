//! Runs and results as programs see them.

use super::shop;
use crate::kernel::house::{House, at};
use crate::library::{get, post};
use serde_json::{Value, json};
use testkeep::kernel::access::{InProject, ProjectView, Role};

const RUNS: &str = "/api/v1/projects/SHOP/runs";

async fn house() -> House {
    let house = shop().await;
    let shop = house.operator::<ProjectView>(at("SHOP")).read(|tx| Ok(tx.project())).await.unwrap();
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    house.person("robot", Some((Role::Automation, Some(shop)))).await;
    house.person("viewer", Some((Role::Viewer, Some(shop)))).await;
    house
}

#[actix_web::test]
async fn a_run_is_started_fed_read_and_closed() {
    let house = house().await;
    let new = json!({"title": "Smoke", "cases": [1, "SHOP-C2", "C3"]});
    let (status, run) = post(&house, "tester", RUNS, new).await;
    assert_eq!(
        (status, &run["number"], &run["state"], &run["counts"]["untested"]),
        (201, &json!(1), &json!("open"), &json!(3))
    );

    let results = json!({"results": [
        {"case": 1, "status": "passed", "elapsed_ms": 1200},
        {"case": "SHOP-C2", "status": "failed", "message": "no receipt", "stack": "at Pay.java:3", "comment": "again"},
        {"automation_key": "shop.PayTest.card", "title": "Card", "status": "errored"},
    ]});
    let (status, recorded) = post(&house, "robot", &format!("{RUNS}/1/results"), results).await;
    assert_eq!(status, 201);
    let ids: Vec<i64> =
        recorded["results"].as_array().unwrap().iter().map(|result| result["id"].as_i64().unwrap()).collect();

    let (_, page) = get(&house, "viewer", &format!("{RUNS}/1/results?limit=2")).await;
    assert_eq!(page["next"], json!(ids[1]));
    assert_eq!(page["results"][1]["message"], "no receipt");
    let (_, rest) = get(&house, "viewer", &format!("{RUNS}/1/results?limit=2&after={}", page["next"])).await;
    assert_eq!((&rest["results"][0]["title"], &rest["next"]), (&json!("Card"), &Value::Null));

    let (_, shown) = get(&house, "viewer", &format!("{RUNS}/1")).await;
    let counts = json!({"total": 4, "passed": 1, "failed": 1, "errored": 1, "blocked": 0, "skipped": 0,
                        "untested": 1, "duration_ms": 1200});
    assert_eq!(shown["counts"], counts);

    assert_eq!(post(&house, "viewer", &format!("{RUNS}/1/close"), json!({})).await.0, 403);
    let (status, closed) = post(&house, "tester", &format!("{RUNS}/1/close"), json!({})).await;
    assert_eq!((status, &closed["state"]), (200, &json!("closed")));
    let late = json!({"results": [{"case": 1, "status": "passed"}]});
    let (status, problem) = post(&house, "robot", &format!("{RUNS}/1/results"), late).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    let (_, runs) = get(&house, "viewer", &format!("{RUNS}?state=closed")).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_bad_entry_is_named_by_its_place() {
    let house = house().await;
    post(&house, "tester", RUNS, json!({"title": "Smoke"})).await;
    let path = format!("{RUNS}/1/results");
    for bad in [
        json!({"case": 1, "status": "green"}),
        json!({"case": 1, "status": 5}),
        json!({"case": 1, "status": "passed", "colour": "red"}),
        json!({"status": "passed"}),
        json!({"case": 1, "automation_key": "k", "status": "passed"}),
        json!({"case": "BANK-C1", "status": "passed"}),
        json!({"case": 99, "status": "passed"}),
        json!({"case": 1, "status": "untested"}),
        json!({"automation_key": "two\nlines", "status": "passed"}),
    ] {
        let body = json!({"results": [{"case": 1, "status": "passed"}, bad]});
        let (status, problem) = post(&house, "robot", &path, body).await;
        assert_eq!(status, 422, "{bad}: {problem}");
        assert!(problem.to_string().contains("results[1]"), "{bad}: {problem}");
    }
    let (_, shown) = get(&house, "viewer", &format!("{RUNS}/1")).await;
    assert_eq!(shown["counts"]["total"], 0);
    let many = vec![json!({"case": 1, "status": "passed"}); 10_001];
    assert_eq!(post(&house, "robot", &path, json!({"results": many})).await.0, 413);
}

#[actix_web::test]
async fn a_run_of_another_project_is_not_there() {
    let house = house().await;
    post(&house, "tester", RUNS, json!({"title": "Smoke"})).await;
    crate::library::project(&house, "BANK").await;
    assert_eq!(get(&house, "tester", "/api/v1/projects/BANK/runs/1").await.0, 404);
    assert_eq!(get(&house, "tester", "/api/v1/projects/SHOP/runs/2").await.0, 404);
    assert_eq!(get(&house, "tester", "/api/v1/projects/SHOP/runs/x").await.0, 422);
}
