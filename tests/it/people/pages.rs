//! The pages of people, over real HTTPS and without script.

use crate::support::App;
use crate::support::browser::{Browser, between};
use reqwest::Method;
use serde_json::{Value, json};
use testkeep::kernel::access::ProjectAdmin;
use testkeep::kernel::limits;
use testkeep::library::projects::{self, Key, NewProject};
use testkeep::library::text::Title;

const PASSPHRASE: &str = "kettle orbit walnut copper";
const EMAIL: &str = "owner@shop.example";

/// Sets the instance up in this browser; gives the secret of the owner's second factor.
async fn set_up(app: &App, browser: &mut Browser<'_>) -> Vec<u8> {
    let code = app.setup_code.as_ref().expect("a new instance has a link").expose().clone();
    browser.get(&format!("/setup/owner?code={code}")).await;
    let owner = [
        ("code", &*code),
        ("name", "Owner"),
        ("email", EMAIL),
        ("passphrase", PASSPHRASE),
        ("again", PASSPHRASE),
    ];
    let reply = browser.post("/setup/owner", &owner).await;
    assert_eq!(reply.location, "/setup/factor", "{}", reply.body);
    let (secret, reply) = browser.enrol("/setup/factor").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    secret
}

#[actix_web::test]
async fn a_new_instance_is_set_up_in_five_calm_steps() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    let code = app.setup_code.as_ref().unwrap().expose().clone();
    let claim = browser.get(&format!("/setup?code={code}")).await;
    assert!(claim.body.contains("Step 1 of 5") && claim.body.contains("Your link is good"));
    browser.get(&format!("/setup/owner?code={code}")).await;
    let weak =
        [("code", &*code), ("name", "O"), ("email", "x"), ("passphrase", "password1234"), ("again", "b")];
    let refused = browser.post("/setup/owner", &weak).await;
    assert_eq!(refused.status, 422);
    for sentence in ["too easy to guess", "no e-mail address", "not the same", "<meter", "value=\"x\""] {
        assert!(refused.body.contains(sentence), "{sentence} in {}", refused.body);
    }
    assert!(!refused.body.contains("password1234"), "what was typed as a passphrase is not sent back");
    let good = [
        ("code", &*code),
        ("name", "Owner"),
        ("email", EMAIL),
        ("passphrase", PASSPHRASE),
        ("again", PASSPHRASE),
    ];
    assert_eq!(browser.post("/setup/owner", &good).await.location, "/setup/factor");
    let before = browser.session();
    assert_eq!(browser.get("/account").await.location, "/signin?next=/account");
    let (_, kit) = browser.enrol("/setup/factor").await;
    assert_ne!(browser.session(), before);
    assert!(kit.body.contains("kit-key") && kit.body.contains("Step 4 of 5"), "{}", kit.body);
    assert_eq!(kit.body.matches("<li>").count(), 10 + 4, "ten codes and the steps that are not current");
    assert!(kit.body.contains("href=\"/projects/new\""));
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(browser.get(&format!("/setup?code={code}")).await.status, 409);
    app.stop().await;
}

#[actix_web::test]
async fn f32_the_session_cookie_is_new_after_signing_in_and_gone_after_signing_out() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    let secret = set_up(&app, &mut browser).await;
    app.clock.advance(30_000);
    let mut other = Browser::new(&app);
    other.jar.insert("__Host-testkeep".into(), "A".repeat(43));
    let reply = other.sign_in(EMAIL, PASSPHRASE, &secret).await;
    assert_eq!((reply.status.as_u16(), reply.location.as_str()), (303, "/"));
    assert_ne!(other.session(), "A".repeat(43));
    let cookie = reply
        .headers
        .get_all("set-cookie")
        .iter()
        .find(|line| line.to_str().unwrap().starts_with("__Host-testkeep="));
    let cookie = cookie.unwrap().to_str().unwrap();
    for flag in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let old = other.session();
    other.get("/account").await;
    let out = other.post("/signout", &[]).await;
    assert_eq!(out.location, "/signin");
    assert!(out.headers.contains_key("clear-site-data"));
    assert_eq!(other.session(), "");
    other.jar.insert("__Host-testkeep".into(), old);
    assert_eq!(other.get("/account").await.location, "/signin?next=/account");
    app.stop().await;
}

#[actix_web::test]
async fn every_refused_sign_in_looks_the_same() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    set_up(&app, &mut browser).await;
    let mut other = Browser::new(&app);
    other.get("/signin").await;
    let mut answers = Vec::new();
    for (email, passphrase) in [(EMAIL, "not the passphrase"), ("nobody@shop.example", PASSPHRASE)] {
        let reply = other.post("/signin", &[("email", email), ("passphrase", passphrase)]).await;
        assert_eq!(reply.status, 401);
        answers.push(reply.body.replace(email, "…"));
    }
    let token = |body: &str| between(body, "name=\"_csrf\" value=\"", "\"").unwrap().to_owned();
    let plain: Vec<String> = answers.iter().map(|body| body.replace(&token(body), "…")).collect();
    assert_eq!(plain[0], plain[1]);
    app.stop().await;
}

#[actix_web::test]
async fn signing_in_leads_to_pages_of_this_site_only() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    let secret = set_up(&app, &mut browser).await;
    let away = [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/ /evil.example",
        "/\u{0}/evil.example",
        "evil.example",
        "///evil.example",
        "//evil.example/%2f..",
    ];
    for (next, to) in away.into_iter().map(|next| (next, "/")).chain([("/p/SHOP/cases", "/p/SHOP/cases")]) {
        app.clock.advance(30_000);
        let mut other = Browser::new(&app);
        other.get("/signin").await;
        let first = [("email", EMAIL), ("passphrase", PASSPHRASE), ("next", next)];
        let reply = other.post("/signin", &first).await;
        assert!(reply.location.starts_with("/signin/code"), "{next:?}: {}", reply.location);
        other.get("/signin/code").await;
        let code = other.code(&secret);
        let reply = other.post("/signin/code", &[("code", &code), ("next", next)]).await;
        assert_eq!(reply.location, to, "{next:?}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_form_from_elsewhere_signs_nobody_in_or_out() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    set_up(&app, &mut browser).await;
    for path in ["/signin", "/signin/code", "/signout", "/account/name", "/setup/owner", "/invitation"] {
        assert_eq!(browser.post_from_elsewhere(path, &[("name", "x")]).await.status, 403, "{path}");
    }
    assert_eq!(browser.get("/account").await.status, 200);
    app.stop().await;
}

#[actix_web::test]
async fn people_change_their_account() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    let secret = set_up(&app, &mut browser).await;
    let page = browser.get("/account").await;
    assert!(page.body.contains("10 of your ten recovery codes") && page.body.contains("Firefox on Linux"));
    assert_eq!(browser.post("/account/name", &[("name", "Olivia")]).await.location, "/account");
    assert!(browser.get("/account").await.body.contains("<h1>Olivia</h1>"));
    let token = [("name", "laptop"), ("reach", "read"), ("project", ""), ("days", "30")];
    browser.get("/account/tokens/new").await;
    let issued = browser.post("/account/tokens", &token).await;
    let shown = between(&issued.body, "id=\"token\">", "</p>").expect("the token is shown");
    assert!(testkeep::kernel::random::is_api_token(shown));
    assert!(!browser.get("/account").await.body.contains(shown));
    let codes = browser.post("/account/codes", &[]).await;
    assert!(codes.body.contains("New recovery codes"));
    browser.get("/account").await;
    assert_eq!(browser.post("/account/factor", &[]).await.location, "/account/factor");
    app.clock.advance(30_000);
    let (new_secret, exchanged) = browser.enrol("/account/factor").await;
    assert!(exchanged.body.contains("New recovery codes"), "{}", exchanged.body);
    assert_ne!(new_secret, secret);
    browser.get("/account/passphrase").await;
    let wrong = [
        ("present", "wrong"),
        ("new", "marble lantern gravel sonnet"),
        ("again", "marble lantern gravel sonnet"),
    ];
    assert_eq!(browser.post("/account/passphrase", &wrong).await.status, 422);
    let right = [("present", PASSPHRASE), wrong[1], wrong[2]];
    assert_eq!(browser.post("/account/passphrase", &right).await.location, "/account");
    app.stop().await;
}

#[actix_web::test]
async fn after_ten_minutes_sensitive_changes_ask_for_a_code() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);
    let secret = set_up(&app, &mut browser).await;
    app.clock.advance(limits::SESSION_FRESH_MS);
    assert!(browser.get("/account").await.body.contains("Confirm that it is you"));
    assert_eq!(browser.post("/account/codes", &[]).await.status, 403);
    browser.get("/account/confirm?next=/account/tokens/new").await;
    let code = browser.code(&secret);
    let before = browser.session();
    let reply = browser.post("/account/confirm", &[("code", &code), ("next", "/account/tokens/new")]).await;
    assert_eq!(reply.location, "/account/tokens/new");
    assert_ne!(browser.session(), before);
    browser.get("/account").await;
    assert_eq!(browser.post("/account/codes", &[]).await.status, 200);
    app.stop().await;
}

#[actix_web::test]
async fn an_owner_invites_a_person_who_opens_their_account_and_is_suspended_later() {
    let app = App::start().await;
    let mut owner = Browser::new(&app);
    set_up(&app, &mut owner).await;
    owner.get("/instance/people/new").await;
    let person = [("name", "Tess <Tester>"), ("email", "tess@shop.example"), ("role", "")];
    let invited = owner.post("/instance/people", &person).await;
    let link = between(&invited.body, "id=\"link\">", "</p>").expect("the link is shown").to_owned();
    let path = link.strip_prefix(&app.url()).expect("the link leads here");
    assert!(invited.body.contains("Tess &#60;Tester&#62;") && !invited.body.contains("<Tester>"));

    let mut tess = Browser::new(&app);
    assert!(tess.get(path).await.body.contains("tess@shop.example"));
    let code = path.strip_prefix("/invitation?code=").unwrap();
    let weak = tess.post("/invitation", &[("code", code), ("passphrase", "short"), ("again", "short")]).await;
    assert_eq!(weak.status, 422);
    let chosen = [("code", code), ("passphrase", PASSPHRASE), ("again", PASSPHRASE)];
    assert_eq!(tess.post("/invitation", &chosen).await.location, "/signin/enrol");
    let (_, codes) = tess.enrol("/signin/enrol").await;
    assert!(codes.body.contains("Recovery codes"));
    assert_eq!(tess.get("/account").await.status, 200);
    assert_eq!(tess.get("/instance/people").await.status, 403);
    assert_eq!(Browser::new(&app).get(path).await.status, 404, "a link works once");

    let list = owner.get("/instance/people").await;
    let id = between(&list.body, "href=\"/instance/people/2\"", ">").map(|_| 2).expect("the second person");
    owner.get(&format!("/instance/people/{id}")).await;
    let reply = owner.post(&format!("/instance/people/{id}/suspend"), &[]).await;
    assert_eq!(reply.location, "/instance/people/2");
    assert_eq!(tess.get("/account").await.location, "/signin?next=/account");
    owner.get("/instance/people/1").await;
    assert_eq!(owner.post("/instance/people/1/role", &[("role", "")]).await.status, 409);
    assert!(owner.get("/instance/people/roles").await.body.contains("Automation"));
    app.stop().await;
}

#[actix_web::test]
async fn a_project_gets_members_and_a_service_token() {
    let app = App::start().await;
    let mut owner = Browser::new(&app);
    set_up(&app, &mut owner).await;
    open_project(&app).await;
    assert!(owner.get("/p/SHOP/members").await.body.contains("Nobody yet"));
    owner.get("/p/SHOP/members/new").await;
    let unknown = [("email", "tess@shop.example"), ("name", ""), ("role", "tester"), ("until", "")];
    assert!(owner.post("/p/SHOP/members", &unknown).await.body.contains("Give a name to invite them"));
    let wrong = [unknown[0], ("name", "Tess"), unknown[2], ("until", "soon")];
    assert!(owner.post("/p/SHOP/members", &wrong).await.body.contains("is no day"));
    let new = [unknown[0], ("name", "Tess"), unknown[2], ("until", "2026-12-31")];
    let invited = owner.post("/p/SHOP/members", &new).await;
    assert!(invited.body.contains("/invitation?code="), "{}", invited.body);
    let page = owner.get("/p/SHOP/members/2").await;
    assert!(page.body.contains("value=\"2026-12-31\""));
    let viewer = [("role", "viewer"), ("until", "")];
    assert_eq!(owner.post("/p/SHOP/members/2", &viewer).await.location, "/p/SHOP/members");
    owner.get("/p/SHOP/members/2").await;
    assert_eq!(owner.post("/p/SHOP/members/2/remove", &[]).await.location, "/p/SHOP/members");
    assert_eq!(owner.get("/p/SHOP/members/2").await.status, 404);

    owner.get("/p/SHOP/tokens/new").await;
    let service = [("name", "ci"), ("role", "automation"), ("days", "30")];
    let issued = owner.post("/p/SHOP/tokens", &service).await;
    let token = between(&issued.body, "id=\"token\">", "</p>").expect("the token is shown").to_owned();
    let me = api(&app, &token, Method::GET, "/api/v1/me", None).await;
    assert_eq!((me.0, &me.1["user"]["kind"], &me.1["user"]["name"]), (200, &"service".into(), &"ci".into()));
    assert_eq!(api(&app, &token, Method::GET, "/api/v1/projects/SHOP/members", None).await.0, 403);
    assert_eq!(api(&app, &token, Method::GET, "/api/v1/users", None).await.0, 403);
    owner.get("/p/SHOP/members").await;
    assert_eq!(owner.post("/p/SHOP/tokens/1/revoke", &[]).await.location, "/p/SHOP/members#tokens");
    assert_eq!(api(&app, &token, Method::GET, "/api/v1/me", None).await.0, 401);
    app.stop().await;
}

#[actix_web::test]
async fn programs_manage_members_and_tokens_over_json() {
    let app = App::start().await;
    let mut owner = Browser::new(&app);
    set_up(&app, &mut owner).await;
    open_project(&app).await;
    owner.get("/account/tokens/new").await;
    let all = [("name", "admin"), ("reach", "everything"), ("project", ""), ("days", "7")];
    let issued = owner.post("/account/tokens", &all).await;
    let token = between(&issued.body, "id=\"token\">", "</p>").expect("the token is shown").to_owned();
    let call = |method, path: &'static str, body| api(&app, &token, method, path, body);

    let members = "/api/v1/projects/SHOP/members";
    let new = json!({"email": "tess@shop.example", "name": "Tess", "role": "tester", "until": "2026-12-31"});
    let (status, put) = call(Method::PUT, members, Some(new)).await;
    assert!(status == 200 && put["invitation"].as_str().unwrap().starts_with("/invitation?code="), "{put}");
    let (_, listed) = call(Method::GET, members, None).await;
    assert_eq!(listed["members"][0]["expires_at"], "2027-01-01T00:00:00Z");
    let odd = json!({"email": "tess@shop.example", "role": "king"});
    assert_eq!(call(Method::PUT, members, Some(odd)).await.0, 422);
    let mass = json!({"email": "tess@shop.example", "role": "viewer", "state": "active"});
    assert_eq!(call(Method::PUT, members, Some(mass)).await.0, 422);
    assert_eq!(call(Method::DELETE, "/api/v1/projects/SHOP/members/2", None).await.0, 204);
    assert_eq!(call(Method::DELETE, "/api/v1/projects/SHOP/members/2", None).await.0, 404);

    let tokens = "/api/v1/projects/SHOP/tokens";
    let (status, service) = call(Method::POST, tokens, Some(json!({"name": "ci", "days": 1}))).await;
    assert!(status == 201 && service["token"].as_str().unwrap().starts_with("tk_"), "{service}");
    let (_, listed) = call(Method::GET, tokens, None).await;
    assert_eq!(
        (&listed["tokens"][0]["role"], &listed["tokens"][0]["name"]),
        (&json!("automation"), &json!("ci"))
    );
    assert_eq!(call(Method::DELETE, "/api/v1/projects/SHOP/tokens/2", None).await.0, 204);

    let person = json!({"email": "b@shop.example", "name": "B", "role": "auditor"});
    assert_eq!(call(Method::POST, "/api/v1/users", Some(person.clone())).await.0, 201);
    assert_eq!(call(Method::POST, "/api/v1/users", Some(person)).await.0, 409);
    let (_, listed) = call(Method::GET, "/api/v1/users", None).await;
    assert_eq!(listed["users"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains("argon2"));
    app.stop().await;
}

async fn open_project(app: &App) {
    let gate = app.house.shell.operator().gate::<ProjectAdmin>(());
    let new = NewProject {
        key: Key::new("SHOP").unwrap(),
        name: Title::new("project", "Shop").unwrap(),
        description: String::new(),
    };
    gate.write(move |tx| projects::create(tx, &new)).await.unwrap();
}

async fn api(app: &App, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = app.request(method, path).bearer_auth(token);
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
}
