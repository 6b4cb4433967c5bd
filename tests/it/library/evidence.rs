//! Evidence: the bytes that come out are those that went in, and no browser runs any of them.

use crate::support::App;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use testkeep::kernel::access::Role;

const PATH: &str = "/api/v1/projects/SHOP/evidence";

async fn attach(app: &App, token: &str, form: Form) -> (u16, Value) {
    let reply = app.with_token(token, Method::POST, PATH).multipart(form).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap_or(Value::Null))
}

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> Form {
    Form::new().part("file", Part::bytes(bytes.into()).file_name(name.to_owned()))
}

#[actix_web::test]
async fn a_file_comes_back_as_it_went_in_and_inert() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let tester = app.token(Role::Tester, Some(shop)).await;
    let samples: [(&str, &[u8], &str, &str); 3] = [
        ("shot.png", b"\x89PNG\r\n\x1a\nrest", "image/png", "inline"),
        (
            "evil.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "text/plain",
            "attachment",
        ),
        ("../up/page.html", b"<!doctype html><script>alert(1)</script>", "text/plain", "attachment"),
    ];
    for (name, bytes, kind, disposition) in samples {
        let (status, made) = attach(&app, &tester, file(name, bytes)).await;
        assert_eq!((status, made["media_type"].as_str()), (201, Some(kind)), "{made}");
        assert_eq!(made["bytes"], bytes.len());
        assert!(!made["name"].as_str().unwrap().contains('/'));
        let path = format!("{PATH}/{}", made["id"]);
        let reply = app.with_token(&tester, Method::GET, &path).send().await.unwrap();
        let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{name}");
        assert!(header("content-disposition").starts_with(disposition), "{name}");
        assert!(header("content-security-policy").contains("sandbox"), "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(reply.bytes().await.unwrap(), bytes);
    }
    app.stop().await;
}

#[actix_web::test]
async fn evidence_stays_in_its_project() {
    let app = App::start().await;
    let (shop, bank) = (app.project("SHOP").await, app.project("BANK").await);
    let tester = app.token(Role::Tester, Some(shop)).await;
    let banker = app.token(Role::Tester, Some(bank)).await;
    let viewer = app.token(Role::Viewer, Some(shop)).await;
    let (_, made) = attach(&app, &tester, file("a.txt", *b"secret")).await;
    let path = format!("{PATH}/{}", made["id"]);
    for (who, path, expected) in [
        (&viewer, path.clone(), 200),
        (&banker, path.clone(), 404),
        (&banker, path.replace("SHOP", "BANK"), 404),
    ] {
        let reply = app.with_token(who, Method::GET, &path).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), expected, "{path}");
    }
    assert_eq!(attach(&app, &viewer, file("a.txt", *b"x")).await.0, 403);
    assert_eq!(attach(&app, &tester, file("a.txt", *b"x").text("result", "99")).await.0, 404);
    assert_eq!(attach(&app, &tester, file("a.txt", *b"x").text("case", "SHOP-C9")).await.0, 404);
    app.stop().await;
}

#[actix_web::test]
async fn a_form_that_does_not_fit_stores_nothing() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let tester = app.token(Role::Tester, Some(shop)).await;
    for (form, expected) in [
        (Form::new().text("case", "1"), 422),
        (file("a.txt", *b"x").text("colour", "red"), 422),
        (file("a.txt", *b""), 422),
        (file("a.txt", *b"x").part("file", Part::bytes(b"y".to_vec()).file_name("b.txt")), 422),
        (file("big.bin", vec![1; 25 * 1024 * 1024 + 1]), 413),
    ] {
        let (status, problem) = attach(&app, &tester, form).await;
        assert_eq!(status, expected, "{problem}");
    }
    let bare = app.with_token(&tester, Method::POST, PATH).body("x").send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 422);
    let (status, made) = attach(&app, &tester, file("whole.bin", vec![1; 1024])).await;
    assert_eq!((status, made["id"].as_i64()), (201, Some(1)));
    app.stop().await;
}

#[actix_web::test]
async fn files_of_a_case_come_and_go_and_those_of_a_result_stay() {
    let app = App::start().await;
    let shop = app.project("SHOP").await;
    let tester = app.token(Role::Tester, Some(shop)).await;
    let post = async |path: &str, body: Value| -> Value {
        app.with_token(&tester, Method::POST, path).json(&body).send().await.unwrap().json().await.unwrap()
    };
    let form = async |path: &str, form: Form| {
        let reply = app.with_token(&tester, Method::POST, path).multipart(form).send().await.unwrap();
        (reply.status().as_u16(), reply.headers().get("location").map(|to| to.to_str().unwrap().to_owned()))
    };
    post("/api/v1/projects/SHOP/cases", serde_json::json!({"title": "Pay"})).await;
    let two = file("a.txt", *b"a").part("file", Part::bytes(b"b".to_vec()).file_name("b.txt"));
    let back = Some("/p/SHOP/cases/1#files".to_owned());
    assert_eq!(form("/p/SHOP/cases/1/evidence", two).await, (303, back.clone()));
    assert_eq!(form("/p/SHOP/cases/9/evidence", file("a.txt", *b"a")).await.0, 404);
    let reply = app.with_token(&tester, Method::GET, "/p/SHOP/evidence/2").send().await.unwrap();
    assert_eq!(reply.text().await.unwrap(), "b");
    assert_eq!(form("/p/SHOP/evidence/2/remove", Form::new()).await, (303, back));
    let gone = app.with_token(&tester, Method::GET, "/p/SHOP/evidence/2").send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 404);

    post("/api/v1/projects/SHOP/runs", serde_json::json!({"title": "Smoke", "cases": [1]})).await;
    let results = serde_json::json!({"results": [{"case": 1, "status": "failed"}]});
    let recorded = post("/api/v1/projects/SHOP/runs/1/results", results).await;
    let id = recorded["results"][0]["id"].to_string();
    let (status, made) = attach(&app, &tester, file("shot.txt", *b"c").text("result", id)).await;
    assert_eq!(status, 201);
    assert_eq!(form(&format!("/p/SHOP/evidence/{}/remove", made["id"]), Form::new()).await.0, 409);
    app.stop().await;
}
