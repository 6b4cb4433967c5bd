//! The overview of a project: what it counts is what the lists hold.

use super::{record, shop, start, verdict};
use crate::kernel::house::at;
use crate::support::App;
use reqwest::Method;
use serde_json::json;
use testkeep::kernel::access::{ProjectView, Role};
use testkeep::library::cases::list::Look;
use testkeep::library::verdicts::Status::{Failed, Passed};
use testkeep::running::home;
use testkeep::running::runs::Selection;

#[actix_web::test]
async fn the_overview_counts_what_needs_a_look() {
    let house = shop().await;
    for results in
        [vec![verdict(1, Passed), verdict(2, Failed)], vec![verdict(1, Passed), verdict(2, Passed)]]
    {
        let run = start(&house, Selection::Everything).await.unwrap().number;
        record(&house, run, results).await.unwrap();
    }
    start(&house, Selection::Nothing).await.unwrap();
    let home = house.operator::<ProjectView>(at("SHOP")).read(home::gather).await.unwrap();
    assert_eq!(home.looks, [(Look::Failing, 0), (Look::Flaky, 0), (Look::NeverRun, 8)]);
    assert_eq!((home.cases, home.open_runs, home.all_runs, home.mine), (10, 3, 3, 0));
    assert_eq!(home.judged().map(|run| run.number), Some(2));
    let trend: Vec<_> = home.trend().iter().map(|(run, rate)| (run.number, *rate)).collect();
    assert_eq!(trend, [(1, 500), (2, 1_000)]);
}

#[actix_web::test]
async fn the_overview_begins_with_the_first_action_and_ends_with_runs() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let tester = app.token(Role::Tester, Some(shop)).await;
    let viewer = app.token(Role::Viewer, Some(shop)).await;
    let page = async |who: &str| {
        app.with_token(who, Method::GET, "/p/SHOP").send().await.unwrap().text().await.unwrap()
    };
    let html = page(&tester).await;
    assert!(html.contains("Nothing here yet") && html.contains("/p/SHOP/cases/new"), "{html}");
    assert!(!page(&viewer).await.contains("/p/SHOP/cases/new\""));

    let api = "/api/v1/projects/SHOP/runs";
    for status in ["passed", "failed"] {
        let run: serde_json::Value = app
            .with_token(&tester, Method::POST, api)
            .json(&json!({"title": "Nightly <i>"}))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let results = json!({"results": [{"automation_key": "a.b", "status": status}, {"automation_key": "a.c", "status": "passed"}]});
        let path = format!("{api}/{}/results", run["number"]);
        assert_eq!(
            app.with_token(&tester, Method::POST, &path).json(&results).send().await.unwrap().status(),
            201
        );
    }
    let html = page(&viewer).await;
    for part in
        ["One failure in the newest run", "100 % in R1, 50 % in R2", "Nightly &#60;i&#62;", "?status=failed"]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("Nightly <i>") && !html.contains("style="), "{html}");
    app.stop().await;
}
