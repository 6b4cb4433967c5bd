//! How errors look: a page for people, problem+json for programs.

use super::demo::{get, send, server};
use actix_web::http::Method;
use actix_web::test::TestRequest;

#[actix_web::test]
async fn people_get_a_page_that_says_what_now() {
    let server = server().await;
    let page = send(&server, get("/p/SHOP/busy?again=1")).await;

    assert_eq!((page.status, page.header("content-type")), (503, "text/html; charset=utf-8"));
    assert_eq!(page.header("retry-after"), "1");
    for part in
        ["<h1>Busy right now</h1>", "Too many changes wait at once. Try again in a moment.", "Try again</a>"]
    {
        assert!(page.body.contains(part), "{part} is missing in\n{}", page.body);
    }
    assert!(page.body.contains("href=\"/p/SHOP/busy?again=1\""));
}

#[actix_web::test]
async fn programs_get_a_problem_they_can_branch_on() {
    let server = server().await;
    let reply = send(&server, get("/api/v1/runs")).await;
    assert_eq!((reply.status, reply.header("content-type")), (401, "application/problem+json"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    assert_eq!(
        reply.body,
        r#"{"type":"urn:testkeep:error:unauthenticated","title":"Sign in first","status":401,"detail":"Sign in first.","code":"unauthenticated"}"#
    );
    let reply = send(&server, TestRequest::get().uri("/p/SHOP/busy")).await;
    assert_eq!((reply.status, reply.header("content-type")), (503, "application/problem+json"));
    let by_script = get("/p/SHOP/busy").insert_header(("hx-request", "true"));
    assert_eq!(send(&server, by_script).await.header("content-type"), "application/problem+json");
}

#[actix_web::test]
async fn whoever_must_sign_in_first_comes_back_to_the_page() {
    let server = server().await;
    let reply = send(&server, get("/p/SHOP/runs?state=open&q=a%26b")).await;
    assert_eq!(reply.status, 303);
    assert_eq!(reply.header("location"), "/signin?next=/p/SHOP/runs%3Fstate%3Dopen%26q%3Da%2526b");
}

#[actix_web::test]
async fn what_no_handler_answers_has_the_same_look() {
    let server = server().await;
    let page = send(&server, get("/p/SHOP/nowhere")).await;
    assert_eq!(page.status, 404);
    assert!(page.body.contains("<h1>There is nothing here</h1>"));

    let reply = send(&server, TestRequest::with_uri("/api/v1/runs").method(Method::DELETE)).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, POST, HEAD"));
    assert!(reply.body.contains("\"code\":\"method_not_allowed\""), "{}", reply.body);
    let reply = send(&server, TestRequest::get().uri("/p/SHOP/upload")).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
}
