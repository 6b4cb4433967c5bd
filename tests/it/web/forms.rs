//! Forms from a browser, and forms that another site sends in its name.

use super::demo::{Reply, get, send, server};
use actix_web::cookie::Cookie;
use actix_web::test::TestRequest;
use testkeep::web::csrf;

const SESSION: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A form sent from a page of ours by somebody who is signed in.
fn post(address: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri(address)
        .insert_header(("accept", "text/html"))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("sec-fetch-site", "same-origin"))
        .cookie(Cookie::new("__Host-testkeep", SESSION))
        .set_payload(body.to_owned())
}

fn with_token(fields: &str) -> String {
    format!("_csrf={}&{fields}", csrf::token(SESSION))
}

fn assert_refused(reply: &Reply) {
    assert_eq!(reply.status, 403, "{}", reply.body);
}

#[actix_web::test]
async fn a_form_that_was_sent_well_leads_on_and_says_so_once() {
    let server = server().await;
    let reply = send(&server, post("/p/SHOP/cases", &with_token("title=Pay&is_draft=on"))).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/p/SHOP/cases"));

    let said = Cookie::parse(reply.cookie("__Host-testkeep-said").unwrap()).unwrap();
    assert!(said.secure().unwrap() && said.http_only().unwrap());
    let page = send(&server, get("/p/SHOP/cases").cookie(said.into_owned())).await;
    assert!(page.body.contains("“Pay” is kept as a draft."), "{}", page.body);
    assert!(page.cookie("__Host-testkeep-said").unwrap().contains("Max-Age=0"));
}

#[actix_web::test]
async fn a_form_that_does_not_do_comes_back_with_what_was_typed() {
    let server = server().await;
    let page = send(&server, post("/p/SHOP/cases", &with_token("title=+"))).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("role=\"alert\">A case needs a title.</small>"), "{}", page.body);
    assert!(page.body.contains("aria-invalid=\"true\" aria-describedby=\"title-wrong\""), "{}", page.body);

    let page = send(&server, post("/p/SHOP/cases", &with_token("title=a&role=owner"))).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("This form has no field `role`."), "{}", page.body);
}

#[actix_web::test]
async fn asvs_v3_5_1_another_site_changes_nothing() {
    let server = server().await;
    let body = with_token("title=Pay");
    for site in ["cross-site", "same-site"] {
        assert_refused(
            &send(&server, post("/p/SHOP/cases", &body).insert_header(("sec-fetch-site", site))).await,
        );
    }
    let unsaid = |origin: Option<&'static str>| {
        let mut request = TestRequest::post()
            .uri("/p/SHOP/cases")
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .insert_header(("host", "keep.example:8443"))
            .cookie(Cookie::new("__Host-testkeep", SESSION))
            .set_payload(body.clone());
        if let Some(origin) = origin {
            request = request.insert_header(("origin", origin));
        }
        request
    };
    assert_refused(&send(&server, unsaid(None)).await);
    assert_refused(&send(&server, unsaid(Some("null"))).await);
    assert_refused(&send(&server, unsaid(Some("https://evil.example"))).await);
    assert_eq!(send(&server, unsaid(Some("https://keep.example:8443"))).await.status, 303);
}

#[actix_web::test]
async fn asvs_v3_5_1_a_change_needs_the_token_of_its_own_session() {
    let server = server().await;
    for body in ["title=Pay", "_csrf=&title=Pay", "_csrf=AAAA&title=Pay"] {
        assert_refused(&send(&server, post("/p/SHOP/cases", body)).await);
    }
    let foreign = format!("_csrf={}&title=Pay", csrf::token(&SESSION.replace('A', "B")));
    assert_refused(&send(&server, post("/p/SHOP/cases", &foreign)).await);

    let by_script = |token: &str| post("/p/SHOP/cases", "title=Pay").insert_header(("x-csrf-token", token));
    assert_refused(&send(&server, by_script("AAAA")).await);
    assert_eq!(send(&server, by_script(&csrf::token(SESSION))).await.status, 303);

    let json = post("/api/v1/runs", "{}").insert_header(("content-type", "application/json"));
    assert_refused(&send(&server, json).await);
    let program = TestRequest::post().uri("/api/v1/runs").insert_header(("authorization", "Bearer tk_x"));
    assert_eq!(send(&server, program).await.status, 401);
}

#[actix_web::test]
async fn a_form_with_files_names_its_token_first_and_arrives_whole() {
    let server = server().await;
    let kind = "multipart/form-data; boundary=----X";
    let sent = |token: &str| {
        let file = "x".repeat(20_000);
        let body = format!(
            "------X\r\nContent-Disposition: form-data; name=\"_csrf\"\r\n\r\n{token}\r\n------X\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{file}\r\n------X--\r\n"
        );
        (post("/p/SHOP/upload", &body).insert_header(("content-type", kind)), body)
    };
    let (request, body) = sent(&csrf::token(SESSION));
    let reply = send(&server, request).await;
    assert_eq!((reply.status, reply.body), (200, body));

    assert_refused(&send(&server, sent("AAAA").0).await);
    let late =
        post("/p/SHOP/upload", "------X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n------X--")
            .insert_header(("content-type", kind));
    assert_refused(&send(&server, late).await);
}

#[actix_web::test]
async fn forms_of_visitors_are_bound_to_a_cookie_of_their_own() {
    let server = server().await;
    let page = send(&server, get("/p/SHOP/cases")).await;
    let cookie = page.cookie("__Host-testkeep-form").unwrap();
    for flag in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let cookie = Cookie::parse(cookie).unwrap().into_owned();
    let (_, field) = page.body.split_once("name=\"_csrf\" value=\"").unwrap();
    let token = field.split('"').next().unwrap();

    let sent = |cookie: Option<Cookie<'static>>| {
        let mut request = TestRequest::post()
            .uri("/p/SHOP/cases")
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_payload(format!("_csrf={token}&title=Pay"));
        if let Some(cookie) = cookie {
            request = request.cookie(cookie);
        }
        request
    };
    assert_eq!(send(&server, sent(Some(cookie.clone()))).await.status, 303);
    assert_refused(&send(&server, sent(None)).await);
    let again = send(&server, get("/p/SHOP/cases").cookie(cookie)).await;
    assert_eq!(again.cookie("__Host-testkeep-form"), None);
}

#[actix_web::test]
async fn a_script_is_told_where_to_go() {
    let server = server().await;
    let request = post("/p/SHOP/cases", &with_token("title=Pay")).insert_header(("hx-request", "true"));
    let reply = send(&server, request).await;
    assert_eq!((reply.status, reply.header("hx-redirect")), (204, "/p/SHOP/cases"));
}
