//! The way of a request: names, hosts, addresses, bounds, and requests that mean two things at once.

use crate::support::{App, raw};
use reqwest::header::HOST;
use reqwest::{Method, StatusCode};

/// A listener in the clear, because a test must write bytes that no client would.
const CLEAR: [(&str, &str); 2] = [("cleartext_behind_proxy", "yes"), ("trusted_proxies", "192.0.2.1")];

#[actix_web::test]
async fn every_answer_names_its_request() {
    let app = App::start().await;
    let first = app.get("/nothing/here").await;
    assert_eq!(first.status(), StatusCode::NOT_FOUND);
    let id = first.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(id.len(), 24);
    let forged = app.request(Method::GET, "/healthz").header("X-Request-Id", "mine").send().await.unwrap();
    let second = forged.headers()["x-request-id"].to_str().unwrap();
    assert!(second != id && second != "mine", "{second}");
}

#[actix_web::test]
async fn t_as_4_refusals_carry_the_same_headers_as_pages() {
    let app = App::with(&[("sign_ins_per_minute", "1"), ("public_url", "https://tests.example.org")]).await;
    let old = app.client_builder().http1_only().build().unwrap();
    let mut answers = vec![
        (404, app.get("/no/such/page").await),
        (405, app.request(Method::DELETE, "/healthz").bearer_auth("none").send().await.unwrap()),
        (400, old.get(app.at("/signin")).header(HOST, "evil.example").send().await.unwrap()),
        (403, app.request(Method::POST, "/signin").send().await.unwrap()),
        (403, app.request(Method::POST, "/signin").send().await.unwrap()),
        (429, app.request(Method::POST, "/signin").send().await.unwrap()),
    ];
    for (status, answer) in answers.drain(..) {
        assert_eq!(answer.status(), status);
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
}

#[actix_web::test]
async fn head_is_get_without_its_body() {
    let app = App::start().await;
    for client in [app.client_builder(), app.client_builder().http1_only()] {
        let answer = client.build().unwrap().head(app.at("/healthz")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "");
    }
}

#[actix_web::test]
async fn f30_a_host_that_is_not_ours_is_refused() {
    let app = App::with(&[("public_url", "https://tests.example.org")]).await;
    let client = app.client_builder().http1_only().build().unwrap();
    for (host, status) in [
        ("tests.example.org", 200),
        ("Tests.Example.org:443", 200),
        ("localhost:8443", 200),
        ("[::1]", 200),
        ("evil.example", 400),
        ("tests.example.org.evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost:evil", 400),
        ("tests.example.org:8443", 400),
    ] {
        let answer = client.get(app.at("/signin")).header(HOST, host).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
        // Whoever watches it asks by an address.
        for probe in ["/healthz", "/readyz"] {
            let answer = client.get(app.at(probe)).header(HOST, host).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{probe} as {host}");
        }
    }
}

#[actix_web::test]
async fn one_address_signs_in_only_so_often_whatever_it_says_of_itself() {
    let app = App::with(&[("sign_ins_per_minute", "1")]).await;
    let mut statuses = Vec::new();
    for number in 0..4 {
        let attempt = app.request(Method::POST, "/signin");
        let forged = attempt.header("X-Forwarded-For", format!("198.51.100.{number}"));
        let answer = forged.send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
        statuses.push(answer.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(statuses, [false, false, true, true]);
}

#[actix_web::test]
async fn behind_a_trusted_proxy_each_client_counts_for_itself() {
    let app = App::with(&[("sign_ins_per_minute", "1"), ("trusted_proxies", "127.0.0.0/8")]).await;
    for number in 0..6 {
        let attempt = app.request(Method::POST, "/signin");
        let answer = attempt.header("X-Forwarded-For", format!("198.51.100.{number}")).send().await.unwrap();
        assert_ne!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{number}");
    }
}

#[actix_web::test]
async fn f30_a_request_that_means_two_things_is_refused_and_the_connection_closed() {
    let app = App::with(&CLEAR).await;
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    for head in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding: chunked\r\n X: folded",
        "Content-Length : 5",
        " Content-Length: 5",
        "Content\u{0}-Length: 5",
        "Host: b",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = raw(app.address(), bytes.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head:?}: {answer}");
    }
    for odd in ["GET / HTTP/1.1\r\n\r\n", "GET http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"] {
        let answer = raw(app.address(), odd.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{odd:?}: {answer}");
    }
}
