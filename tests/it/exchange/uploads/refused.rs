//! What cannot be read is refused whole and clearly, and nothing of it is stored.

use super::{Shop, UPLOADS, answer, form, report};
use crate::support::{App, raw};
use reqwest::Method;
use serde_json::json;
use testkeep::kernel::access::Role;

#[actix_web::test]
async fn a_bad_file_is_named_with_its_place_and_refuses_the_whole_upload() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let good = report("A", &[("x", "")]);
    let bad = "<testsuite>\n  <testcase name=\"a\"></testsuite>";
    let sent = shop.files("", &[("good.xml", good.as_bytes()), ("bad.xml", bad.as_bytes())]).await;
    assert_eq!((sent.status, &sent.body["code"]), (422, &json!("invalid")));
    let detail = sent.body["detail"].as_str().unwrap();
    assert!(detail.contains("bad.xml, line 2, column") && detail.contains("</testsuite> closes"), "{detail}");
    assert!(sent.body["hint"].as_str().unwrap().contains("nothing of it was stored"));
    assert_eq!(shop.rows().await, before);
    shop.stop().await;
}

#[actix_web::test]
async fn hostile_and_foreign_files_are_refused_and_leave_nothing() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let deep = "<testsuite>".repeat(5_000);
    let bomb = "<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]><testsuite><testcase name=\"&b;\">";
    let files: [(&str, &[u8]); 9] = [
        ("empty", b""),
        ("blank", b"  \n "),
        ("json", b"{\"tests\": 1}"),
        ("html", b"<html><body/></html>"),
        ("binary", b"\x7fELF\x02\x01\x01\0\0\0\0\0"),
        ("cut", b"<testsuite><testcase name="),
        ("deep", deep.as_bytes()),
        ("bomb", bomb.as_bytes()),
        ("zip", b"PK\x03\x04\x14\0\0\0"),
    ];
    for (name, content) in files {
        let sent = shop.bare(&format!("?file={name}.xml"), content).await;
        assert!(matches!(sent.status, 413 | 422), "{name}: {} {}", sent.status, sent.body);
        let detail = sent.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("{name}.xml, line ")), "{detail}");
        assert!(sent.body["hint"].is_string(), "{name}");
    }
    assert_eq!(shop.rows().await, before);
    shop.stop().await;
}

#[actix_web::test]
async fn a_suite_that_broke_before_any_check_is_refused_and_one_among_checks_is_not() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let broken = "<testsuite name=\"Checkout\"><error message=\"no driver\"/></testsuite>";
    let sent = shop.bare("", broken).await;
    assert_eq!(sent.status, 422);
    assert_eq!(sent.body["detail"], "No check ran: suite Checkout broke with \"no driver\".");
    assert_eq!(shop.rows().await, before);
    let good = report("A", &[("x", "")]);
    let sent = shop.files("", &[("a.xml", good.as_bytes()), ("b.xml", broken.as_bytes())]).await;
    assert_eq!(sent.counts(), [2, 1, 0, 1, 0]);
    shop.stop().await;
}

#[actix_web::test]
async fn requests_that_do_not_fit_are_refused_before_anything_is_read() {
    let shop = Shop::open().await;
    let xml = report("A", &[("x", "")]);
    for (query, sentence) in [
        ("?rum=1", "rum"),
        ("?format=trx", "There is no format"),
        ("?run=99", "There is no run R99"),
        ("?run=a%0Ab", "one line"),
    ] {
        let sent = shop.bare(query, xml.clone()).await;
        assert!(matches!(sent.status, 404 | 422), "{query}: {}", sent.body);
        assert!(sent.body.to_string().contains(sentence), "{query}: {}", sent.body);
    }
    let long = "k".repeat(201);
    assert_eq!(shop.bare_with("", Some(&long), xml.clone()).await.status, 422);
    assert_eq!(shop.bare_with("", Some(&long[1..]), xml.clone()).await.status, 201);

    let request = shop.app.with_token(&shop.robot, Method::POST, UPLOADS);
    let sent = answer(request.multipart(form(&[]).text("run", "Nightly")).send().await.unwrap()).await;
    assert_eq!(sent.status, 422);
    assert!(sent.body["hint"].as_str().unwrap().contains("?run=Nightly"), "{}", sent.body);
    let files: Vec<(&str, &[u8])> = vec![("a.xml", b"<testsuite/>"); 501];
    let sent = shop.files("", &files).await;
    assert_eq!((sent.status, sent.body["hint"].is_string()), (413, true), "{}", sent.body);
    shop.stop().await;
}

#[actix_web::test]
async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
    // In the clear, so that the bytes are ours.
    let shop = App::with(&[("cleartext_behind_proxy", "yes"), ("trusted_proxies", "192.0.2.1")]).await;
    let project = shop.project("SHOP").await;
    let robot = shop.token(Role::Automation, Some(project)).await;
    let head = format!(
        "POST {UPLOADS} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {robot}\r\nContent-Length: 900000000\r\nConnection: close\r\n\r\n<testsuite>",
        shop.address()
    );
    let answer = raw(shop.address(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("512 MiB"), "{answer}");
    shop.stop().await;
}
