//! Status: alive, ready, counted; and who may see the counts.

use crate::support::App;
use reqwest::Method;

#[actix_web::test]
async fn an_instance_says_that_it_is_alive_and_ready() {
    let app = App::start().await;
    for (path, words) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.text().await.unwrap(), words);
    }
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_never_by_address() {
    let app = App::start().await;
    app.get("/healthz?secret=1").await;
    app.get("/no/such/page").await;
    app.request(Method::from_bytes(b"BREW").unwrap(), "/coffee").send().await.unwrap();
    let text = app.get("/metrics").await.text().await.unwrap();
    for line in [
        r#"testkeep_requests_total{class="2xx",method="GET",route="/healthz"} 1"#,
        r#"testkeep_requests_total{class="4xx",method="GET",route="none"} 1"#,
        r#"testkeep_requests_total{class="4xx",method="other",route="none"} 1"#,
        r#"testkeep_request_seconds_count{route="/healthz"} 1"#,
        "process_resident_memory_bytes ",
        "testkeep_certificate_not_after_seconds ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("secret") && !text.contains("coffee"), "{text}");
}

#[actix_web::test]
async fn metrics_are_for_the_machine_itself_or_for_the_holder_of_their_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef0123\n").unwrap();
    let app = App::on(folder, &[("metrics_token_file", path.to_str().unwrap())]).await;
    let from_outside = || app.request(Method::GET, "/metrics").header("X-Forwarded-For", "198.51.100.1");
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(app.request(Method::GET, "/metrics")).await, 200);
    assert_eq!(status(from_outside()).await, 403);
    assert_eq!(status(from_outside().bearer_auth("0123456789abcdef0124")).await, 403);
    assert_eq!(status(from_outside().bearer_auth("0123456789abcdef0123")).await, 200);
}
