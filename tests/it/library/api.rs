//! Projects, suites and cases as programs see them.

use super::{get, post, project};
use crate::kernel::house::House;
use actix_web::http::Method;
use serde_json::{Value, json};
use testkeep::kernel::access::Role;

async fn house() -> House {
    let house = House::start();
    let shop = project(&house, "SHOP").await;
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    house.person("viewer", Some((Role::Viewer, Some(shop)))).await;
    house.person("owner", Some((Role::Owner, None))).await;
    house
}

#[actix_web::test]
async fn a_project_is_made_listed_and_shown() {
    let house = house().await;
    let (status, made) =
        post(&house, "owner", "/api/v1/projects", json!({"key": "BANK", "name": "Bank"})).await;
    assert_eq!((status, &made["key"]), (201, &json!("BANK")));
    let (status, taken) =
        post(&house, "owner", "/api/v1/projects", json!({"key": "BANK", "name": "B"})).await;
    assert_eq!((status, &taken["code"]), (409, &json!("conflict")));
    let (_, list) = get(&house, "owner", "/api/v1/projects").await;
    assert_eq!(list["projects"].as_array().unwrap().len(), 2);
    assert_eq!(get(&house, "tester", "/api/v1/projects/SHOP").await.0, 200);
    assert_eq!(get(&house, "tester", "/api/v1/projects/BANK").await.0, 404);
    assert_eq!(post(&house, "tester", "/api/v1/projects", json!({"key": "NO", "name": "No"})).await.0, 403);
    let unknown = json!({"key": "NO", "name": "No", "colour": "red"});
    assert_eq!(post(&house, "owner", "/api/v1/projects", unknown).await.0, 422);
}

#[actix_web::test]
async fn a_case_is_written_changed_and_listed() {
    let house = house().await;
    let (status, suite) =
        post(&house, "tester", "/api/v1/projects/SHOP/suites", json!({"name": "Cart"})).await;
    assert_eq!(status, 201);
    let new = json!({
        "title": "Pay by card", "suite": suite["id"], "priority": "high",
        "steps": [{"action": "Press **Pay**", "expected": "A receipt"}],
    });
    let (status, case) = post(&house, "tester", "/api/v1/projects/SHOP/cases", new).await;
    assert_eq!((status, &case["reference"], &case["revision"]), (201, &json!("SHOP-C1"), &json!(1)));

    let change = |revision: i64| json!({"revision": revision, "title": "Pay by any card"});
    let path = "/api/v1/projects/SHOP/cases/SHOP-C1";
    let (status, changed) = super::call(&house, "tester", Method::PUT, path, Some(change(1))).await;
    assert_eq!((status, &changed["revision"], &changed["steps"]), (200, &json!(2), &json!([])));
    assert_eq!(super::call(&house, "tester", Method::PUT, path, Some(change(1))).await.0, 409);
    assert_eq!(super::call(&house, "viewer", Method::PUT, path, Some(change(2))).await.0, 403);

    let (_, shown) = get(&house, "viewer", "/api/v1/projects/SHOP/cases/1").await;
    assert_eq!(shown["title"], "Pay by any card");
    let (_, suites) = get(&house, "viewer", "/api/v1/projects/SHOP/suites").await;
    assert_eq!(suites["suites"][0]["total"], 1);
    assert_eq!(get(&house, "viewer", "/api/v1/projects/SHOP/cases/99").await.0, 404);
    assert_eq!(get(&house, "viewer", "/api/v1/projects/SHOP/cases/x").await.0, 404);
}

#[actix_web::test]
async fn a_case_without_a_suite_is_unsorted() {
    let house = house().await;
    post(&house, "tester", "/api/v1/projects/SHOP/cases", json!({"title": "Pay"})).await;
    let (_, suites) = get(&house, "tester", "/api/v1/projects/SHOP/suites").await;
    assert_eq!(suites["suites"][0]["name"], "Unsorted");
}

#[actix_web::test]
async fn pages_of_cases_are_walked_to_the_end() {
    let house = house().await;
    for n in 0..5 {
        let new = json!({"title": format!("Case {n}"), "automation_key": format!("k.{n}")});
        post(&house, "tester", "/api/v1/projects/SHOP/cases", new).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/projects/SHOP/cases?limit=2&q=case".to_owned());
    loop {
        let (status, page) = get(&house, "tester", &path).await;
        assert_eq!(status, 200);
        seen.extend(page["cases"].as_array().unwrap().iter().map(|case| case["number"].as_i64().unwrap()));
        let Value::Number(next) = &page["next"] else { break };
        path = format!("/api/v1/projects/SHOP/cases?limit=2&q=case&after={next}");
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_eq!(get(&house, "tester", "/api/v1/projects/SHOP/cases?limt=2").await.0, 422);
}

#[actix_web::test]
async fn a_body_that_does_not_fit_says_where() {
    let house = house().await;
    let (status, problem) =
        post(&house, "tester", "/api/v1/projects/SHOP/cases", json!({"title": "Pay", "kind": "charter"}))
            .await;
    assert_eq!(status, 422);
    assert!(problem.to_string().contains("steps, text, automated"), "{problem}");
    let (_, problem) = post(&house, "tester", "/api/v1/projects/SHOP/cases", json!({"titel": "Pay"})).await;
    assert!(problem.to_string().contains("titel"), "{problem}");
}
