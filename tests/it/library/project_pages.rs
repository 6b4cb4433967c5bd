//! Projects in a browser: the list, a new one, its settings.

use crate::support::App;
use reqwest::Method;
use testkeep::kernel::access::Role;

async fn page(app: &App, token: &str, path: &str) -> (u16, String) {
    let reply = app.with_token(token, Method::GET, path).send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

async fn send(app: &App, token: &str, path: &str, form: &[(&str, &str)]) -> (u16, String, String) {
    let body: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    let request = app.with_token(token, Method::POST, path);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
    let reply = request.send().await.unwrap();
    let to = reply.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (reply.status().as_u16(), to.unwrap_or_default(), reply.text().await.unwrap())
}

#[actix_web::test]
async fn an_empty_instance_offers_the_first_project_to_whoever_may_make_it() {
    let app = App::start().await;
    let owner = app.token(Role::Owner, None).await;
    let auditor = app.token(Role::Auditor, None).await;
    let (status, html) = page(&app, &owner, "/").await;
    assert!(status == 200 && html.contains("No project yet") && html.contains("/projects/new"), "{html}");
    let (_, html) = page(&app, &auditor, "/").await;
    assert!(html.contains("No project for you yet") && !html.contains("/projects/new\""), "{html}");
    assert_eq!(page(&app, &auditor, "/projects/new").await.0, 403);
    app.stop().await;
}

#[actix_web::test]
async fn a_new_project_is_made_by_a_form_that_keeps_what_was_typed() {
    let app = App::start().await;
    let owner = app.token(Role::Owner, None).await;
    let (status, _, html) = send(&app, &owner, "/projects/new", &[("name", "Web shop"), ("key", "1x")]).await;
    assert_eq!(status, 422);
    assert!(html.contains("This key does not fit.") && html.contains("value=\"Web shop\""), "{html}");

    let (status, to, _) = send(&app, &owner, "/projects/new", &[("name", "Web shop"), ("key", "shop")]).await;
    assert_eq!((status, to.as_str()), (303, "/p/SHOP"));
    let (status, _, html) = send(&app, &owner, "/projects/new", &[("name", "Again"), ("key", "SHOP")]).await;
    assert!(status == 422 && html.contains("The key SHOP is taken"), "{html}");
    let (_, html) = page(&app, &owner, "/").await;
    assert!(html.contains("<a href=\"/p/SHOP\" data-open>Web shop</a>"), "{html}");
    app.stop().await;
}

#[actix_web::test]
async fn settings_are_for_those_who_keep_the_project() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let manager = app.token(Role::Manager, Some(shop)).await;
    let tester = app.token(Role::Tester, Some(shop)).await;
    assert_eq!(page(&app, &tester, "/p/SHOP/settings").await.0, 403);
    assert_eq!(send(&app, &tester, "/p/SHOP/archive", &[]).await.0, 403);

    let form = [("name", "Shop <b>"), ("description", "**Pay** it")];
    assert_eq!(send(&app, &manager, "/p/SHOP/settings", &form).await.1, "/p/SHOP/settings");
    let (_, html) = page(&app, &manager, "/p/SHOP").await;
    assert!(html.contains("Shop &#60;b&#62;") && html.contains("<strong>Pay</strong>"), "{html}");
    assert_eq!(send(&app, &manager, "/p/SHOP/settings", &[("name", "")]).await.0, 422);

    assert_eq!(send(&app, &manager, "/p/SHOP/archive", &[]).await.0, 303);
    let (_, html) = page(&app, &tester, "/p/SHOP").await;
    assert!(html.contains("This project is archived") && !html.contains("/runs/new"), "{html}");
    let (_, html) = page(&app, &tester, "/").await;
    assert!(html.contains("id=\"archived\""), "{html}");
    assert_eq!(send(&app, &manager, "/p/SHOP/reopen", &[]).await.0, 303);
    app.stop().await;
}
