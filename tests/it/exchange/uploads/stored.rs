//! What a good upload leaves: a run, its results, and the cases it names.

use super::{FAILED, Shop, UPLOADS, form, report};
use crate::exchange::uploads::answer;
use reqwest::Method;
use serde_json::{Value, json};
use testkeep::kernel::access::{CaseWrite, InProject, Role};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::sql::named_params;

#[actix_web::test]
async fn a_report_becomes_a_run_with_its_results_and_cases() {
    let shop = Shop::open().await;
    let xml = report(
        "shop.PayTest",
        &[
            ("pays", ""),
            ("refunds", FAILED),
            ("breaks", "<error message=\"null\"/>"),
            ("later", "<skipped/>"),
        ],
    );
    let sent = shop.bare("?file=reports/pay.xml", xml).await;
    assert_eq!(sent.counts(), [4, 1, 1, 1, 1]);
    assert_eq!(sent.body["counts"]["duration_ms"], 2_000);
    assert_eq!(
        sent.body["run"],
        json!({"id": 1, "number": 1, "reference": "SHOP-R1", "title": "pay.xml, 2 Jan 2026", "state": "closed",
               "url": "/p/SHOP/runs/1"})
    );
    let upload = &sent.body["upload"];
    assert_eq!(
        (&upload["format"], &upload["files"], &upload["cases_created"]),
        (&json!("junit"), &json!(1), &json!(4))
    );
    assert_eq!((&sent.body["replayed"], sent.is_replayed), (&json!(false), false));

    let run = shop.get("runs/1").await;
    assert_eq!(
        (&run["kind"], &run["counts"]["failed"], &run["counts"]["total"]),
        (&json!("automated"), &json!(1), &json!(4))
    );
    let results = shop.get("runs/1/results").await;
    let failed = &results["results"][1];
    assert_eq!(
        (&failed["automation_key"], &failed["message"], &failed["stack"], &failed["elapsed_ms"]),
        (&json!("shop.PayTest > refunds"), &json!("no receipt"), &json!("at Pay.java:3"), &json!(500))
    );
    let suites = shop.get("suites").await;
    assert!(suites.to_string().contains("\"shop.PayTest\""), "{suites}");

    // The next report finds the same cases again.
    let next = shop.bare("", report("shop.PayTest", &[("pays", FAILED), ("refunds", "")])).await;
    assert_eq!((next.run(), &next.body["upload"]["cases_created"]), (2, &json!(0)));
    let listed = shop.get("uploads").await;
    assert_eq!(
        (&listed["uploads"][0]["run"], &listed["uploads"][0]["counts"]["failed"]),
        (&json!("SHOP-R2"), &json!(1))
    );
    shop.stop().await;
}

#[actix_web::test]
async fn all_files_of_an_upload_become_one_run() {
    let shop = Shop::open().await;
    let (one, two) = (report("A", &[("x", "")]), report("B", &[("x", FAILED), ("y", "")]));
    let sent = shop.files("", &[("a.xml", one.as_bytes()), ("b.xml", two.as_bytes())]).await;
    assert_eq!(sent.counts(), [3, 2, 1, 0, 0]);
    assert_eq!(
        (&sent.body["run"]["title"], &sent.body["upload"]["files"]),
        (&json!("a.xml and 1 more, 2 Jan 2026"), &json!(2))
    );
    shop.stop().await;
}

#[actix_web::test]
async fn shards_join_the_open_run_of_their_title() {
    let shop = Shop::open().await;
    let first = shop.bare("?run=Nightly", report("A", &[("x", "")])).await;
    let second = shop.bare("?run=Nightly", report("B", &[("x", FAILED)])).await;
    let third = shop.bare("?run=1", report("C", &[("x", "")])).await;
    let fourth = shop.bare("?run=SHOP-R1", report("D", &[("x", "")])).await;
    assert_eq!([&first, &second, &third, &fourth].map(|sent| sent.run()), [1, 1, 1, 1]);
    assert_eq!(
        (&first.body["run"]["state"], &first.body["run"]["title"]),
        (&json!("open"), &json!("Nightly"))
    );
    assert_eq!(shop.get("runs/1").await["counts"]["total"], 4);

    let token = shop.app.token(Role::Tester, Some(testkeep::kernel::id::ProjectId(1))).await;
    let close = shop.app.with_token(&token, Method::POST, "/api/v1/projects/SHOP/runs/1/close");
    assert_eq!(close.send().await.unwrap().status(), 200);
    let late = shop.bare("?run=1", report("E", &[("x", "")])).await;
    assert_eq!((late.status, &late.body["code"]), (409, &json!("conflict")));
    assert!(late.body["hint"].as_str().unwrap().contains("new run"));
    assert_eq!(shop.bare("?run=Nightly", report("E", &[("x", "")])).await.run(), 2);
    shop.stop().await;
}

#[actix_web::test]
async fn a_case_that_the_report_names_is_found_before_the_key() {
    let shop = Shop::open().await;
    shop.bare("", report("A", &[("first", "")])).await;
    let property = "<properties><property name=\"testkeep\" value=\"SHOP-C1\"/></properties>";
    let sent = shop
        .bare("", report("B", &[("renamed", property), ("other [C77]", ""), ("third [SHOP-C1]", FAILED)]))
        .await;
    assert_eq!(sent.body["upload"]["cases_created"], 1, "a number that no case has counts for nothing");
    let results = shop.get(&format!("runs/{}/results", sent.run())).await;
    let told: Vec<(&Value, &Value)> =
        results["results"].as_array().unwrap().iter().map(|one| (&one["case"], &one["attempt"])).collect();
    assert_eq!(told, [(&json!(1), &json!(1)), (&json!(2), &json!(1)), (&json!(1), &json!(2))]);
    shop.stop().await;
}

#[actix_web::test]
async fn earlier_attempts_are_kept_before_the_last() {
    let shop = Shop::open().await;
    let flaky = "<flakyFailure message=\"timeout\">at Net.java:9</flakyFailure>";
    let sent = shop.bare("", report("A", &[("steady", ""), ("shaky", flaky)])).await;
    assert_eq!(sent.counts(), [2, 2, 0, 0, 0]);
    let results = shop.get("runs/1/results").await;
    let told: Vec<String> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {} {}", one["title"], one["attempt"], one["status"]))
        .collect();
    assert_eq!(told, ["\"steady\" 1 \"passed\"", "\"shaky\" 1 \"failed\"", "\"shaky\" 2 \"passed\""]);
    assert_eq!(shop.get("runs/1").await["counts"]["passed"], 2);
    shop.stop().await;
}

#[actix_web::test]
async fn a_report_never_makes_more_suites_than_a_project_holds() {
    let shop = Shop::open().await;
    let gate = shop.app.house.shell.operator().gate::<CaseWrite>(crate::kernel::house::at("SHOP"));
    let filling = gate.write(|tx| {
        tx.run(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 19997)
             INSERT INTO suites (project_id, name, position, created_at) SELECT :project, n, n, 0 FROM n",
            named_params! { ":project": tx.project() },
        )?;
        Ok(tx.quiet(Quiet::Nothing, ()))
    });
    filling.await.unwrap();
    let xml = ["A", "B", "C", "D"].map(|class| report(class, &[("x", "")])).concat();
    let sent = shop.bare("", format!("<testsuites>{xml}</testsuites>")).await;
    assert_eq!(sent.body["upload"]["cases_created"], 4);
    let suites = shop.get("suites").await.to_string();
    // 19,997 and the one that every project of these tests begins with; two more fit, one of them for the rest.
    assert!(suites.contains("\"A\"") && suites.contains("\"B\"") && suites.contains("\"Unsorted\""));
    assert!(!suites.contains("\"C\"") && !suites.contains("\"D\""));
    shop.stop().await;
}

#[actix_web::test]
async fn an_empty_report_is_an_empty_run_with_a_note() {
    let shop = Shop::open().await;
    let sent = shop.bare("", "<testsuites/>").await;
    assert_eq!(sent.counts(), [0; 5]);
    assert!(sent.body["upload"]["notes"][0].as_str().unwrap().contains("no results"), "{}", sent.body);
    shop.stop().await;
}

#[actix_web::test]
async fn who_may_not_upload_is_told_so_before_a_byte_is_read() {
    let shop = Shop::open().await;
    shop.app.project("BANK").await;
    let send = async |token: &str, path: &str| {
        let files = form(&[("a.xml", b"<testsuite/>")]);
        let request = shop.app.with_token(token, Method::POST, path).multipart(files);
        answer(request.send().await.unwrap()).await.status
    };
    assert_eq!(send(&shop.viewer, UPLOADS).await, 403);
    assert_eq!(send("nobody", UPLOADS).await, 401);
    assert_eq!(send(&shop.robot, "/api/v1/projects/BANK/uploads").await, 404);
    assert_eq!(send(&shop.robot, "/api/v1/projects/NONE/uploads").await, 404);
    let stranger = shop.app.request(Method::POST, UPLOADS).body("<testsuite/>").send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(shop.rows().await[0], ("uploads", 0));
    shop.stop().await;
}
