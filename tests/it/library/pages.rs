//! Cases and suites in the browser, over real HTTPS and without script.

use crate::support::App;
use crate::support::browser::between;
use reqwest::Method;
use reqwest::header::LOCATION;
use testkeep::kernel::access::Role;
use testkeep::web::address::encoded;

/// Somebody at a browser, in a project of their own.
struct Desk {
    app: App,
    token: String,
}

/// What came back.
struct Reply {
    status: u16,
    location: String,
    body: String,
}

impl Desk {
    /// A tester in the project SHOP.
    async fn tester() -> Desk {
        let app = App::start().await;
        let project = app.project("SHOP").await;
        let token = app.token(Role::Tester, Some(project)).await;
        Desk { app, token }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(self.app.with_token(&self.token, Method::GET, path)).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = self.app.with_token(&self.token, Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.join("&"))).await
    }

    async fn by_script(&self, method: Method, path: &str, form: &str) -> Reply {
        let request = self.app.with_token(&self.token, method, path).header("hx-request", "true");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.to_owned())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.header("accept", "text/html").send().await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).or(response.headers().get("hx-push-url"));
        let location = location.map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        Reply { status, location, body: response.text().await.unwrap() }
    }

    /// Makes a suite and gives its number.
    async fn suite(&self, name: &str, parent: &str) -> String {
        let made = self.post("/p/SHOP/suites", &[("name", name), ("parent", parent)]).await;
        assert_eq!(made.status, 303, "{}", made.body);
        made.location.rsplit_once('=').expect("it leads to the list of the suite").1.to_owned()
    }

    /// Writes a case by its title and gives its number.
    async fn quick(&self, suite: &str, title: &str) -> String {
        let back = format!("/p/SHOP/cases?suite={suite}");
        let fields = [("suite", suite), ("title", title), ("back", &*back)];
        let made = self.post("/p/SHOP/cases/quick", &fields).await;
        assert_eq!(made.status, 303, "{}", made.body);
        made.location.rsplit_once('=').expect("it names the case").1.to_owned()
    }

    /// Titles of a list, in its order.
    async fn listed(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/p/SHOP/cases{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        titles(&page.body)
    }
}

fn titles(body: &str) -> Vec<String> {
    let rows = body.split("data-open class=\"title clip\">").skip(1);
    rows.map(|row| between(row, "</span> ", "</a>").unwrap().to_owned()).collect()
}

const FORM: [(&str, &str); 7] = [
    ("title", "Pay by card"),
    ("kind", "steps"),
    ("priority", "high"),
    ("suite", ""),
    ("precondition", "Signed in"),
    ("body", ""),
    ("automation_key", ""),
];

fn with<'f>(form: &[(&'f str, &'f str)], more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = form.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more).copied().collect()
}

#[actix_web::test]
async fn a_suite_lists_its_branch_and_a_search_stays_in_it() {
    let desk = Desk::tester().await;
    let checkout = desk.suite("Checkout", "").await;
    let payment = desk.suite("Payment", &checkout).await;
    let cart = desk.suite("Cart", "").await;
    desk.quick(&payment, "Pay by card").await;
    desk.quick(&checkout, "Order twice").await;
    desk.quick(&cart, "Pay later").await;

    assert_eq!(desk.listed("").await, ["Order twice", "Pay by card", "Pay later"]);
    assert_eq!(desk.listed(&format!("?suite={checkout}")).await, ["Order twice", "Pay by card"]);
    assert_eq!(desk.listed("?q=pay").await, ["Pay by card", "Pay later"]);
    assert_eq!(desk.listed(&format!("?q=pay&suite={cart}")).await, ["Pay later"]);
    assert_eq!(desk.listed("?q=SHOP-C2").await, ["Order twice"]);
    assert_eq!(desk.listed("?look=never-run").await.len(), 3);
    let tree = desk.get("/p/SHOP/cases").await.body;
    assert!(tree.contains("<span class=\"clip\">Checkout</span><span class=\"count\">2</span>"), "{tree}");
    assert!(desk.get("/p/SHOP/cases?q=zzz").await.body.contains("Nothing found"));
    assert_eq!(desk.get("/p/SHOP/cases?suite=99").await.status, 404);
    assert_eq!(desk.get("/p/SHOP/cases?look=odd").await.status, 422);
    desk.app.stop().await;
}

#[actix_web::test]
async fn an_empty_project_says_what_a_case_is_and_how_to_begin() {
    let desk = Desk::tester().await;
    let page = desk.get("/p/SHOP/cases").await.body;
    assert!(page.contains("No case yet") && page.contains("href=\"/p/SHOP/cases/new\""), "{page}");
    assert!(page.contains("href=\"/p/SHOP/upload\""), "{page}");
    desk.app.stop().await;
}

#[actix_web::test]
async fn a_title_and_enter_make_a_case_and_the_field_waits_for_the_next() {
    let desk = Desk::tester().await;
    let cart = desk.suite("Cart", "").await;
    let back = format!("/p/SHOP/cases?suite={cart}");
    let made = desk
        .post("/p/SHOP/cases/quick", &[("suite", &*cart), ("title", "Add <b>one</b>"), ("back", &*back)])
        .await;
    assert_eq!(made.location, format!("{back}&added=1"));
    let page = desk.get(&made.location).await.body;
    assert!(page.contains("C1 is written.") && page.contains(" autofocus"), "{page}");
    assert_eq!(titles(&page), ["Add &#60;b&#62;one&#60;/b&#62;"]);
    let refused =
        desk.post("/p/SHOP/cases/quick", &[("title", " "), ("back", "https://evil.example/")]).await;
    assert_eq!((refused.status, refused.location.as_str()), (303, "/p/SHOP/cases"));
    desk.app.stop().await;
}

#[actix_web::test]
async fn chosen_cases_are_moved_thrown_away_and_taken_back_together() {
    let desk = Desk::tester().await;
    let (cart, payment) = (desk.suite("Cart", "").await, desk.suite("Payment", "").await);
    for title in ["One", "Two", "Three"] {
        desk.quick(&cart, title).await;
    }
    let chosen = [("case", "1"), ("case", "3"), ("back", "/p/SHOP/cases")];
    let ask = desk.post("/p/SHOP/cases/selected", &with(&chosen, &[("do", "move")])).await;
    assert!(ask.body.contains("Move 2 cases") && ask.body.contains(">Payment</option>"), "{}", ask.body);
    let moved =
        desk.post("/p/SHOP/cases/selected", &with(&chosen, &[("do", "move"), ("suite", &payment)])).await;
    assert_eq!(moved.location, format!("/p/SHOP/cases?suite={payment}"));
    assert_eq!(desk.listed(&format!("?suite={payment}")).await, ["One", "Three"]);

    let thrown = desk.post("/p/SHOP/cases/selected", &with(&chosen, &[("do", "trash")])).await;
    assert_eq!(thrown.location, "/p/SHOP/cases?trashed=1.3");
    let page = desk.get(&thrown.location).await.body;
    assert!(page.contains("2 cases are in the trash now.") && page.contains("Undo"), "{page}");
    assert_eq!(titles(&page), ["Two"]);
    assert_eq!(desk.listed("?look=trash").await, ["One", "Three"]);
    let back = desk.post("/p/SHOP/cases/selected", &with(&chosen, &[("do", "restore")])).await;
    assert_eq!(back.location, "/p/SHOP/cases");
    assert_eq!(desk.listed("").await, ["Two", "One", "Three"]);

    let unknown =
        desk.post("/p/SHOP/cases/selected", &[("case", "2"), ("case", "99"), ("do", "trash")]).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(desk.listed("?look=trash").await.len(), 0, "all of it or nothing");
    desk.app.stop().await;
}

#[actix_web::test]
async fn more_cases_than_a_page_holds_are_paged() {
    let desk = Desk::tester().await;
    let cart = desk.suite("Cart", "").await;
    for n in 0..103 {
        desk.quick(&cart, &format!("Case {n}")).await;
    }
    let first = desk.get("/p/SHOP/cases").await.body;
    assert_eq!(titles(&first).len(), 100);
    assert!(first.contains("103 cases"));
    let next = between(&first, "rel=\"next\" href=\"", "\"").expect("there is a next page");
    let second = desk.get(&next.replace("&#38;", "&")).await.body;
    assert_eq!(titles(&second), ["Case 100", "Case 101", "Case 102"]);
    assert!(second.contains("From the start"));
    desk.app.stop().await;
}

#[actix_web::test]
async fn a_case_opens_beside_its_list_as_a_pane_and_as_a_page() {
    let desk = Desk::tester().await;
    let steps = [("action", "Press **Pay**"), ("expected", "<script>alert(1)</script>")];
    let made = desk.post("/p/SHOP/cases", &with(&FORM, &steps)).await;
    assert_eq!((made.status, made.location.as_str()), (303, "/p/SHOP/cases/1"), "{}", made.body);

    let page = desk.get("/p/SHOP/cases/1").await.body;
    for said in ["Press <strong>Pay</strong>", "&lt;script&gt;", "Unsorted", "High", "Signed in"] {
        assert!(page.contains(said), "{said} in {page}");
    }
    assert!(!page.contains("<script>alert"), "{page}");
    assert_eq!(desk.get("/p/SHOP/cases/SHOP-C1").await.status, 200);
    assert_eq!(desk.get("/p/SHOP/cases/2").await.status, 404);
    let beside = desk.get("/p/SHOP/cases?open=1").await.body;
    assert!(beside.contains("<article id=\"open\"") && beside.contains("Press <strong>Pay</strong>"));
    let pane = desk.by_script(Method::GET, "/p/SHOP/cases/1?from=%2Fp%2FSHOP%2Fcases%3Fq%3Dpay", "").await;
    assert!(pane.body.trim_start().starts_with("<article id=\"open\""), "{}", pane.body);
    assert_eq!(pane.location, "/p/SHOP/cases?q=pay&open=1");
    let pane = desk.by_script(Method::GET, "/p/SHOP/cases/1?from=//evil.example/", "").await;
    assert_eq!(pane.location, "/p/SHOP/cases?open=1");
    let results = desk.by_script(Method::GET, "/p/SHOP/cases/1/results", "").await.body;
    assert!(results.contains("This case was in no run yet."), "{results}");
    assert!(desk.get("/p/SHOP/cases/1/results").await.body.contains("<title>Results of C1"));
    desk.app.stop().await;
}

#[actix_web::test]
async fn whoever_only_reads_sees_no_button_that_would_be_refused() {
    let desk = Desk::tester().await;
    desk.post("/p/SHOP/cases", &FORM).await;
    let project = testkeep::kernel::id::ProjectId(1);
    let token = desk.app.token(Role::Viewer, Some(project)).await;
    let reader = Desk { token, ..desk };
    for path in ["/p/SHOP/cases?open=1", "/p/SHOP/cases/1", "/p/SHOP/cases/1/history"] {
        let page = reader.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let forms = page.body.matches("method=\"post\"").count();
        assert_eq!(forms, 1, "{path}: signing out is the only form of a reader");
        for dead in ["/edit\"", "/cases/new", "/suites/new"] {
            assert!(!page.body.contains(dead), "{path} offers {dead}");
        }
    }
    for path in ["/p/SHOP/cases/new", "/p/SHOP/cases/1/edit", "/p/SHOP/suites/new", "/p/SHOP/suites/1"] {
        assert_eq!(reader.get(path).await.status, 403, "{path}");
    }
    assert_eq!(reader.post("/p/SHOP/cases", &FORM).await.status, 403);
    assert_eq!(reader.post("/p/SHOP/cases/selected", &[("case", "1"), ("do", "trash")]).await.status, 403);
    reader.app.stop().await;
}

#[actix_web::test]
async fn what_does_not_do_is_said_at_its_field_and_nothing_typed_is_lost() {
    let desk = Desk::tester().await;
    let wrong = [("title", " "), ("automation_key", "a\nb"), ("action", "Press"), ("expected", "")];
    let refused = desk.post("/p/SHOP/cases", &with(&FORM, &wrong)).await;
    assert_eq!(refused.status, 422);
    for said in
        ["A case needs a title", "An automation key is text", ">Signed in</textarea>", "Press</textarea>"]
    {
        assert!(refused.body.replace(">\n", ">").contains(said), "{said} in {}", refused.body);
    }
    desk.post("/p/SHOP/cases", &with(&FORM, &[("automation_key", "shop.Pay")])).await;
    let taken = desk.post("/p/SHOP/cases", &with(&FORM, &[("automation_key", "shop.Pay")])).await;
    assert_eq!(taken.status, 422);
    assert!(taken.body.contains("This key belongs to SHOP-C1: Pay by card."), "{}", taken.body);
    desk.app.stop().await;
}

#[actix_web::test]
async fn rows_and_preview_come_without_script() {
    let desk = Desk::tester().await;
    let steps = [("action", "Press **Pay**"), ("expected", "")];
    let more = desk.post("/p/SHOP/cases", &with(&with(&FORM, &steps), &[("do", "more")])).await;
    assert_eq!((more.status, more.body.matches("name=\"action\"").count()), (200, 5));
    let form = with(&with(&FORM, &steps), &[("do", "preview")]);
    let page = desk.post("/p/SHOP/cases", &form).await;
    assert!(page.body.contains("Press <strong>Pay</strong>") && page.body.contains("<h1>New case</h1>"));
    let fields: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let part = desk.by_script(Method::POST, "/p/SHOP/cases", &fields.join("&")).await.body;
    assert!(part.contains("Press <strong>Pay</strong>") && !part.contains("<h1>"), "{part}");
    assert_eq!(desk.listed("").await.len(), 0, "looking writes nothing");
    desk.app.stop().await;
}

#[actix_web::test]
async fn two_who_write_at_once_see_both_texts_and_choose() {
    let desk = Desk::tester().await;
    desk.post("/p/SHOP/cases", &with(&FORM, &[("action", "Press"), ("expected", "Paid")])).await;
    let base = with(&FORM, &[("base_revision", "1"), ("suite", "1"), ("action", "Press")]);
    let theirs = desk.post("/p/SHOP/cases/1/edit", &with(&base, &[("expected", "Paid in 3 s")])).await;
    assert_eq!((theirs.status, theirs.location.as_str()), (303, "/p/SHOP/cases/1"), "{}", theirs.body);

    let mine = with(&base, &[("expected", "Paid at once")]);
    let conflict = desk.post("/p/SHOP/cases/1/edit", &mine).await;
    assert_eq!(conflict.status, 409);
    for said in
        ["was changed meanwhile", "<b>in 3 s</b>", "<b>at once</b>", "name=\"base_revision\" value=\"2\""]
    {
        assert!(conflict.body.contains(said), "{said} in {}", conflict.body);
    }
    let on_top = with(&mine, &[("base_revision", "2")]);
    let further = desk.post("/p/SHOP/cases/1/edit", &with(&on_top, &[("do", "further")])).await.body;
    assert!(further.contains("Save revision 3") && further.contains("Paid at once</textarea>"), "{further}");
    let left = desk.post("/p/SHOP/cases/1/edit", &with(&on_top, &[("do", "theirs")])).await;
    assert_eq!(left.location, "/p/SHOP/cases/1");
    assert!(desk.get("/p/SHOP/cases/1").await.body.contains("Paid in 3 s"));
    desk.post("/p/SHOP/cases/1/edit", &on_top).await;
    assert!(desk.get("/p/SHOP/cases/1").await.body.contains("Paid at once"));
    desk.app.stop().await;
}

#[actix_web::test]
async fn history_tells_what_changed_and_leads_back() {
    let desk = Desk::tester().await;
    desk.post("/p/SHOP/cases", &with(&FORM, &[("action", "Press"), ("expected", "Paid in 5 s")])).await;
    let base = with(&FORM, &[("suite", "1"), ("action", "Press")]);
    for (revision, seconds) in [("1", "Paid in 4 s"), ("2", "Paid in 3 s")] {
        let saved = with(&base, &[("base_revision", revision), ("expected", seconds)]);
        assert_eq!(desk.post("/p/SHOP/cases/1/edit", &saved).await.status, 303);
    }
    let page = desk.get("/p/SHOP/cases/1/history").await.body;
    assert!(page.contains("Paid in <b>4</b> s") && page.contains("Paid in <b>3</b> s"), "{page}");
    let page = desk.get("/p/SHOP/cases/1/history?from=1&to=3").await.body;
    assert!(page.contains("Paid in <b>5</b> s") && page.contains("Paid in <b>3</b> s"), "{page}");
    assert_eq!(desk.get("/p/SHOP/cases/1/history?from=1&to=9").await.status, 404);
    let restored = desk.post("/p/SHOP/cases/1/restore", &[("revision", "1")]).await;
    assert_eq!(restored.location, "/p/SHOP/cases/1");
    assert!(desk.get("/p/SHOP/cases/1").await.body.contains("Paid in 5 s"));
    assert!(desk.get("/p/SHOP/cases/1/history?from=1&to=4").await.body.contains("Both say the same."));
    desk.app.stop().await;
}

#[actix_web::test]
async fn a_suite_is_renamed_moved_and_deleted_when_it_is_empty() {
    let desk = Desk::tester().await;
    let (cart, shop) = (desk.suite("Cart", "").await, desk.suite("Shop", "").await);
    let taken = desk.post("/p/SHOP/suites", &[("name", "Cart"), ("parent", "")]).await;
    assert_eq!(taken.status, 422);
    assert!(taken.body.contains("already a suite") && taken.body.contains("value=\"Cart\""));
    let url = format!("/p/SHOP/suites/{cart}");
    let saved = desk.post(&url, &[("name", "Basket"), ("parent", &*shop)]).await;
    assert_eq!(saved.location, format!("/p/SHOP/cases?suite={cart}"));
    let page = desk.get(&saved.location).await.body;
    assert!(page.contains(">Shop</a>") && page.contains("<h1>Basket"), "{page}");
    let within = desk.post(&format!("/p/SHOP/suites/{shop}"), &[("name", "Shop"), ("parent", &*cart)]).await;
    assert_eq!(within.status, 422);
    desk.quick(&cart, "One").await;
    assert!(!desk.get(&url).await.body.contains("/delete"), "a full suite offers no deletion");
    assert_eq!(desk.post(&format!("{url}/delete"), &[]).await.status, 409);
    let empty = desk.suite("Empty", &shop).await;
    let gone = desk.post(&format!("/p/SHOP/suites/{empty}/delete"), &[]).await;
    assert_eq!(gone.location, format!("/p/SHOP/cases?suite={shop}"));
    assert_eq!(desk.get(&format!("/p/SHOP/suites/{empty}")).await.status, 404);
    desk.app.stop().await;
}

#[actix_web::test]
async fn an_archived_project_offers_no_change() {
    let desk = Desk::tester().await;
    desk.post("/p/SHOP/cases", &FORM).await;
    let keeper = desk.app.token(Role::Owner, Some(testkeep::kernel::id::ProjectId(1))).await;
    let tester = Desk { token: keeper, ..desk };
    assert_eq!(tester.post("/p/SHOP/archive", &[]).await.status, 303);
    let page = tester.get("/p/SHOP/cases?open=1").await.body;
    assert!(!page.contains("/edit\"") && !page.contains("cases/quick"), "{page}");
    assert_eq!(tester.get("/p/SHOP/cases/new").await.status, 403);
    tester.app.stop().await;
}
