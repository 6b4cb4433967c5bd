//! The pages of runs, over real HTTPS and without script.

use crate::library::title;
use crate::support::App;
use crate::support::people::Person;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::json;
use testkeep::kernel::access::{CaseWrite, Place, Role};
use testkeep::library::cases::{self, Draft, Kind, Step};
use testkeep::library::suites::Paths;
use testkeep::web::csrf;

const RUNS: &str = "/p/SHOP/runs";

/// An instance with a project of six cases in two suites, a tester and a viewer.
async fn shop() -> (App, Person, Person) {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let gate = app.house.shell.operator().gate::<CaseWrite>(Place::Project("SHOP".into()));
    let writing = gate.write(|tx| {
        let mut paths = Paths::default();
        let mut proof = None;
        for (suite, count) in [("Cart", 2), ("Payment", 4)] {
            let suite = paths.find_or_create(tx, &[title("Checkout"), title(suite)])?;
            for n in 0..count {
                let step =
                    |action: &str| Step { action: action.into(), expected: format!("**{action}** is done") };
                let draft = Draft::new(title(&format!("Pay <{n}> of {}", suite.0)), Kind::Steps);
                let draft = draft.with_text("Signed *in*", "", vec![step("Press"), step("Wait")])?;
                proof = Some(cases::create(tx, suite, &draft)?);
            }
        }
        Ok(proof.unwrap())
    });
    writing.await.unwrap();
    let tester = app.as_role(Role::Tester, Some(shop)).await;
    let viewer = app.as_role(Role::Viewer, Some(shop)).await;
    (app, tester, viewer)
}

/// The address behind the first link or form after a mark.
fn address<'t>(page: &'t str, before: &str) -> &'t str {
    let at = page.find(before).unwrap_or_else(|| panic!("{before} is not in {page}")) + before.len();
    &page[at..at + page[at..].find('"').unwrap()]
}

/// Sends the form of an item; the token stands first, as the page has it.
async fn judge(app: &App, who: &Person, path: &str, fields: &[(&str, &str)]) -> Response {
    judge_with(app, who, path, fields, None).await
}

async fn judge_with(
    app: &App,
    who: &Person,
    path: &str,
    fields: &[(&str, &str)],
    file: Option<Part>,
) -> Response {
    let mut form = Form::new().text("_csrf", csrf::token(&who.cookie));
    for (name, value) in fields {
        form = form.text((*name).to_owned(), (*value).to_owned());
    }
    if let Some(file) = file {
        form = form.part("file", file);
    }
    app.browse(who, Method::POST, path).header("Origin", app.url()).multipart(form).send().await.unwrap()
}

fn leads_to(reply: &Response) -> String {
    assert_eq!(reply.status(), 303, "{reply:?}");
    reply.headers()["location"].to_str().unwrap().to_owned()
}

async fn start(app: &App, who: &Person, fields: &[(&str, &str)]) -> String {
    leads_to(&app.submit(who, RUNS, fields).await)
}

#[actix_web::test]
async fn a_run_is_started_from_what_was_chosen_and_its_size_is_said_before() {
    let (app, tester, viewer) = shop().await;
    let empty = app.page(&tester, RUNS).await;
    assert!(
        empty.contains("No run yet")
            && empty.contains("/p/SHOP/runs/new")
            && empty.contains("/p/SHOP/upload")
    );
    assert!(!app.page(&viewer, RUNS).await.contains("/p/SHOP/runs/new"));

    let form = app.page(&tester, "/p/SHOP/runs/new").await;
    assert!(form.contains("<b>6</b> cases"), "{form}");
    assert!(app.page(&tester, "/p/SHOP/runs/new?case=1&case=2&case=2").await.contains("<b>2</b> cases"));
    let payment =
        address(&form[..form.find("> Payment").unwrap_or(form.len())], "name=\"suite\" value=\"").to_owned();
    let count = app.page(&tester, &format!("/p/SHOP/runs/new/count?what=suites&suite={payment}")).await;
    assert!(count.contains("<b>"), "{count}");

    let refused = app.submit(&tester, RUNS, &[("title", " "), ("what", "suites")]).await;
    assert_eq!(refused.status(), 422);
    let refused = refused.text().await.unwrap();
    assert!(refused.contains("needs a title") && refused.contains("This choice holds no case"), "{refused}");
    assert_eq!(app.submit(&viewer, RUNS, &[("title", "Smoke"), ("what", "all")]).await.status(), 403);

    assert_eq!(start(&app, &tester, &[("title", "Smoke <4.8>"), ("what", "all")]).await, "/p/SHOP/runs/1");
    assert_eq!(
        start(&app, &tester, &[("title", "Two"), ("what", "cases"), ("case", "3"), ("case", "1")]).await,
        "/p/SHOP/runs/2"
    );
    let list = app.page(&viewer, RUNS).await;
    assert!(list.contains("Smoke &#60;4.8&#62;") && list.contains("2 open of 2"), "{list}");
    assert!(list.find("R2<").unwrap() < list.find("R1<").unwrap());
    assert!(app.page(&viewer, "/p/SHOP/runs?state=closed").await.contains("No run is in this state"));
    app.stop().await;
}

#[actix_web::test]
async fn executing_goes_from_item_to_item_and_ends_in_the_run() {
    let (app, tester, viewer) = shop().await;
    start(&app, &tester, &[("title", "Two"), ("what", "cases"), ("case", "1"), ("case", "2")]).await;
    let run = app.page(&tester, "/p/SHOP/runs/1").await;
    let first = address(&run, "id=\"to-execute\" href=\"").to_owned();
    assert!(!app.page(&viewer, "/p/SHOP/runs/1").await.contains("to-execute"));

    let page = app.page(&tester, &first).await;
    for part in [
        "Signed <em>in</em>",
        "<strong>Press</strong> is done",
        "name=\"step-2\"",
        "value=\"blocked\"",
        "data-key=\"p\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!app.page(&viewer, &first).await.contains("name=\"status\""));
    assert_eq!(judge(&app, &viewer, &first, &[("status", "passed")]).await.status(), 403);

    let passed_by = leads_to(&judge(&app, &tester, &first, &[("took", "0:09")]).await);
    assert_ne!(passed_by, first, "without a verdict it goes on and records nothing");
    let wrong =
        judge(&app, &tester, &first, &[("comment", "half <a>"), ("took", "soon"), ("step-2", "failed")])
            .await;
    assert_eq!(wrong.status(), 422);
    let wrong = wrong.text().await.unwrap();
    for kept in
        ["half &#60;a&#62;", "value=\"soon\"", "Choose a verdict", "Write the time as minutes and seconds"]
    {
        assert!(wrong.contains(kept), "{kept} in {wrong}");
    }

    let shot = Part::bytes(b"\x89PNG\r\n\x1a\nrest".to_vec()).file_name("grey.png");
    let fields =
        [("status", "failed"), ("comment", "It stays **grey**"), ("took", "1:02"), ("step-2", "failed")];
    let second = leads_to(&judge_with(&app, &tester, &first, &fields, Some(shot)).await);
    assert_ne!(second, first);
    let opened =
        app.page(&viewer, &format!("/p/SHOP/runs/1?item={}", first.rsplit('/').next().unwrap())).await;
    for part in [
        "It stays <strong>grey</strong>",
        "grey.png",
        "took 1 min 2 s",
        "Attempt 1, failed",
        "Verdicts of the steps",
    ] {
        assert!(opened.contains(part), "{part} in {opened}");
    }
    let file = address(&opened, "class=\"grow clip\" href=\"").to_owned();
    let png = app.browse(&viewer, Method::GET, &file).send().await.unwrap();
    assert_eq!(png.headers()["content-type"], "image/png");

    assert_eq!(leads_to(&judge(&app, &tester, &second, &[("status", "skipped")]).await), "/p/SHOP/runs/1");
    let done = app.page(&tester, "/p/SHOP/runs/1").await;
    assert!(done.contains("Every item has a verdict") && done.contains("id=\"to-close\""));
    // Judging again adds an attempt, and the last counts.
    leads_to(&judge(&app, &tester, &first, &[("status", "passed")]).await);
    let again = app.page(&tester, &first).await;
    assert!(again.contains("Attempt 2, passed") && again.contains("Attempt 1, failed"), "{again}");

    assert_eq!(app.submit(&viewer, "/p/SHOP/runs/1/close", &[]).await.status(), 403);
    let closed = app.submit_and_follow(&tester, "/p/SHOP/runs/1/close", &[]).await;
    assert!(closed.contains("Run SHOP-R1 is closed.") && closed.contains("data-live-end"), "{closed}");
    assert!(app.page(&tester, &first).await.contains("This run is closed."));
    assert_eq!(judge(&app, &tester, &first, &[("status", "passed")]).await.status(), 409);
    app.stop().await;
}

#[actix_web::test]
async fn figures_of_a_run_lead_to_lists_of_that_length() {
    let (app, tester, viewer) = shop().await;
    start(&app, &tester, &[("title", "All"), ("what", "all")]).await;
    let results = json!({"results": [
        {"case": 1, "status": "passed"}, {"case": 2, "status": "failed", "message": "no <receipt>\nat line 3"},
        {"case": 3, "status": "errored"}, {"case": 4, "status": "blocked"},
    ]});
    let api = "/api/v1/projects/SHOP/runs/1/results";
    assert_eq!(
        app.with_token(&tester.token, Method::POST, api).json(&results).send().await.unwrap().status(),
        201
    );
    let items = async |question: &str| {
        app.page(&viewer, &format!("/p/SHOP/runs/1{question}")).await.matches("data-open>").count()
    };
    for (question, count) in [
        ("", 6),
        ("?status=passed", 1),
        ("?status=failures", 2),
        ("?status=errored", 1),
        ("?status=untested", 2),
        ("?q=SHOP-C2", 0),
        ("?q=Pay", 6),
        ("?who=me", 0),
        ("?message=no+%3Creceipt%3E", 1),
        ("?speechless=on", 1),
        ("?group=suite", 2),
        ("?group=message", 2),
    ] {
        assert_eq!(items(question).await, count, "{question}");
    }
    let page = app.page(&viewer, "/p/SHOP/runs/1").await;
    assert!(
        page.find("no &#60;receipt&#62;").unwrap() < page.find(">Blocked").unwrap(),
        "failures stand first"
    );
    assert!(!page.contains("at line 3"), "a row shows the first line only");
    for wrong in ["?status=green", "?after=x", "?colour=red"] {
        let reply = app.browse(&viewer, Method::GET, &format!("/p/SHOP/runs/1{wrong}")).send().await.unwrap();
        assert_eq!(reply.status(), 422, "{wrong}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn the_page_looks_again_only_when_something_changed() {
    let (app, tester, viewer) = shop().await;
    start(&app, &tester, &[("title", "All"), ("what", "all")]).await;
    let live = async || {
        let page = app.page(&viewer, "/p/SHOP/runs/1?status=untested").await;
        address(&page, "data-live=\"").replace("&#38;", "&")
    };
    let before = live().await;
    let again = app.browse(&viewer, Method::GET, &before).send().await.unwrap();
    assert_eq!(again.status(), 204);
    app.clock.advance(1_000);
    let results = json!({"results": [{"case": 1, "status": "failed"}]});
    let api = "/api/v1/projects/SHOP/runs/1/results";
    app.with_token(&tester.token, Method::POST, api).json(&results).send().await.unwrap();
    let part = app.page(&viewer, &before).await;
    assert!(part.contains("1 failed, 5 untested") && !part.contains("<html"), "{part}");
    assert_ne!(live().await, before);
    app.stop().await;
}

#[actix_web::test]
async fn items_are_given_to_people_who_then_execute_their_own() {
    let (app, tester, viewer) = shop().await;
    start(&app, &tester, &[("title", "All"), ("what", "all")]).await;
    let untested = app.page(&tester, "/p/SHOP/runs/1").await;
    assert!(untested.contains("name=\"to\""));
    assert!(!app.page(&viewer, "/p/SHOP/runs/1").await.contains("name=\"to\""));
    let chosen = address(&untested[untested.rfind("id=\"choose-").unwrap()..], "value=\"").to_owned();
    let who = tester.user.0.to_string();
    let path = "/p/SHOP/runs/1/assign";
    let fields =
        [("item", chosen.as_str()), ("to", who.as_str()), ("back", "/p/SHOP/runs/1?status=untested")];
    let given = app.submit_and_follow(&tester, path, &fields).await;
    assert!(given.contains("One item has a new owner.") && given.contains("Who has what"), "{given}");
    assert_eq!(app.submit(&viewer, path, &fields).await.status(), 403);
    let elsewhere = app.submit(&tester, path, &[("item", &chosen), ("back", "//evil.example/")]).await;
    assert_eq!(leads_to(&elsewhere), "/p/SHOP/runs/1");
    app.submit(&tester, path, &fields).await;

    let mine = app.page(&tester, "/p/SHOP/runs/1?who=me").await;
    assert_eq!(mine.matches("data-open>").count(), 1);
    let execute = address(&mine, "id=\"to-execute\" href=\"").to_owned();
    assert!(execute.ends_with(&format!("/items/{chosen}?who=me")), "{execute}");
    let next =
        judge(&app, &tester, execute.split('?').next().unwrap(), &[("status", "passed"), ("who", "me")])
            .await;
    assert_eq!(leads_to(&next), "/p/SHOP/runs/1?who=me");
    app.stop().await;
}

#[actix_web::test]
async fn a_file_that_came_before_its_verdict_belongs_to_it() {
    let (app, tester, viewer) = shop().await;
    start(&app, &tester, &[("title", "All"), ("what", "all")]).await;
    let first = address(&app.page(&tester, "/p/SHOP/runs/1").await, "id=\"to-execute\" href=\"").to_owned();
    let log = || Part::bytes(b"what the browser said".to_vec()).file_name("console.txt");
    let dropped = judge_with(&app, &tester, &format!("{first}/evidence"), &[], Some(log())).await;
    assert_eq!(dropped.status(), 200);
    let line = dropped.text().await.unwrap();
    let id = address(&line, "name=\"evidence\" value=\"").to_owned();
    assert!(line.starts_with("<li") && line.contains("console.txt"), "{line}");
    let refused = judge_with(&app, &viewer, &format!("{first}/evidence"), &[], Some(log())).await;
    assert_eq!(refused.status(), 403);
    leads_to(&judge(&app, &tester, &first, &[("status", "blocked"), ("evidence", &id)]).await);
    assert!(app.page(&viewer, &first).await.contains("console.txt"));
    app.stop().await;
}

#[actix_web::test]
async fn a_case_tells_how_it_fared_in_the_latest_runs() {
    let (app, tester, viewer) = shop().await;
    assert!(app.page(&viewer, "/p/SHOP/cases/1/results").await.contains("in no run yet"));
    for (run, status) in [(1, "failed"), (2, "passed")] {
        start(&app, &tester, &[("title", "All"), ("what", "all")]).await;
        let results = json!({"results": [{"case": 1, "status": status, "message": "why"}]});
        let api = format!("/api/v1/projects/SHOP/runs/{run}/results");
        app.with_token(&tester.token, Method::POST, &api).json(&results).send().await.unwrap();
    }
    let page = app.page(&viewer, "/p/SHOP/cases/1/results").await;
    assert!(
        page.contains("1 passed, 1 failed") && page.find(">R2<").unwrap() < page.find(">R1<").unwrap(),
        "{page}"
    );
    let part = app.browse(&viewer, Method::GET, "/p/SHOP/cases/1/results").header("HX-Request", "true");
    assert!(!part.send().await.unwrap().text().await.unwrap().contains("<html"));
    app.stop().await;
}
