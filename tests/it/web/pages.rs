//! Pages, and the files they load.

use super::demo::{get, send, server};
use super::{assets, layout};
use actix_web::test::TestRequest;

#[actix_web::test]
async fn a_page_shows_the_frame_and_escapes_what_people_wrote() {
    let server = server().await;
    let page = send(&server, get("/p/SHOP/cases")).await;

    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for part in [
        "<title>Payment, SHOP · Testkeep</title>",
        "aria-current=\"page\">",
        "<b>SHOP</b> Web shop &#60;b&#62;",
        "aria-label=\"Tester &#60;b&#62;\"",
        "aria-label=\"1,031 passed, 12 failed, 9 blocked, 18 skipped, 214 untested\"",
        "<span class=\"count\">1,284</span>",
        "<option value=\"high\" selected>High</option>",
        "&#60;two&#62;</textarea>",
        "data-relative>",
    ] {
        assert!(page.body.contains(part), "{part} is missing in\n{}", page.body);
    }
    for inline in [" style=", " onclick", "<style", "<script>", "javascript:"] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    assert!(page.body.contains(layout::VERSION) || page.body.contains("Instance"));
}

#[actix_web::test]
async fn files_are_kept_for_a_year_and_sent_compressed() {
    let server = server().await;
    let page = send(&server, get("/p/SHOP/cases")).await;
    let mut bytes = 0;
    for file in
        [assets::APP_CSS, assets::APP_JS, assets::THEME_JS, assets::HTMX_JS, assets::ICONS, assets::MARK]
    {
        assert!(page.body.contains(file), "{file} is not on the page");
        let request = || TestRequest::get().uri(file).insert_header(("accept-encoding", "gzip, br"));
        let reply = send(&server, request()).await;
        assert_eq!((reply.status, reply.header("content-encoding")), (200, "br"));
        assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
        bytes += reply.bytes;

        let known = request().insert_header(("if-none-match", reply.header("etag")));
        assert_eq!(send(&server, known).await.status, 304);
        let plain = send(&server, TestRequest::get().uri(file)).await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("identity", "accept-encoding"));
    }
    // The budget of a first page is 60 kB with the page itself, so 20 are left for that.
    assert!(bytes < 40_000, "the files of a page come to {bytes} bytes");

    let packed = format!("{}.br", assets::APP_CSS);
    assert_eq!(send(&server, TestRequest::get().uri(&packed)).await.status, 404);
    assert_eq!(
        send(&server, TestRequest::get().uri("/robots.txt")).await.body,
        "User-agent: *\nDisallow: /\n"
    );
}

#[actix_web::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let server = server().await;
    for address in ["/p/SHOP/cases", "/p/SHOP/busy", "/nowhere", assets::APP_CSS, "/api/v1/runs"] {
        let reply = send(&server, get(address)).await;
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{address}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{address}");
        assert_eq!(reply.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
        let is_file = address.starts_with("/static/");
        assert_eq!(reply.header("cache-control") == "no-store", !is_file, "{address}");
        assert_eq!(reply.header("server"), "");
    }
}

#[actix_web::test]
async fn the_headers_of_a_page_can_be_asked_for_alone() {
    let server = server().await;
    let head = TestRequest::with_uri("/p/SHOP/cases").method(actix_web::http::Method::HEAD);
    assert_eq!(send(&server, head).await.status, 200);
}
