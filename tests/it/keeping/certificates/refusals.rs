//! A directory that says no: how long it wants to be left alone is obeyed, and what it says is shown.

use crate::support::App;
use actix_web::http::Method;
use actix_web::{App as Web, HttpRequest, HttpResponse, HttpServer, web};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkeep::kernel::access::InstanceView;
use testkeep::kernel::alarms;
use testkeep::kernel::time::{Clock, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// Says yes to everybody's account and no to every order, in these words.
struct Stub {
    url: String,
    orders: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
    authority: String,
}

#[derive(Clone, Copy)]
struct No {
    status: u16,
    kind: &'static str,
    detail: &'static str,
    retry_after: Option<&'static str>,
}

impl Stub {
    fn start(no: No) -> Stub {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = rcgen::KeyPair::generate().unwrap();
        let about = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = about.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, certificate.pem()).unwrap();
        let private = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private.into())
            .unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        let orders = Arc::new(AtomicUsize::new(0));
        let (base, counted) = (url.clone(), Arc::clone(&orders));
        let server = HttpServer::new(move || {
            let (base, counted) = (base.clone(), Arc::clone(&counted));
            Web::new().default_service(web::to(move |request: HttpRequest| {
                let answer = answer(&request, &base, &counted, no);
                async move { answer }
            }))
        });
        tokio::spawn(server.workers(1).disable_signals().listen_rustls_0_23(socket, config).unwrap().run());
        Stub { url, orders, _folder: folder, authority: authority.to_str().unwrap().to_owned() }
    }

    async fn app(&self) -> App {
        let directory = format!("{}/dir", self.url);
        App::with(&[
            ("acme_directory", directory.as_str()),
            ("acme_ca", &self.authority),
            ("acme_terms_agreed", "yes"),
            ("acme_names", "localhost"),
        ])
        .await
    }

    fn orders(&self) -> usize {
        self.orders.load(Ordering::Relaxed)
    }
}

fn answer(request: &HttpRequest, base: &str, orders: &AtomicUsize, no: No) -> HttpResponse {
    let mut response = match request.path() {
        "/dir" => HttpResponse::Ok().json(serde_json::json!({
            "newNonce": format!("{base}/nonce"), "newAccount": format!("{base}/account"),
            "newOrder": format!("{base}/order"), "revokeCert": format!("{base}/revoke"),
            "keyChange": format!("{base}/key"),
        })),
        "/nonce" => {
            assert_eq!(request.method(), Method::HEAD);
            HttpResponse::Ok().finish()
        }
        "/account" => HttpResponse::Created()
            .insert_header(("Location", format!("{base}/account/1")))
            .json(serde_json::json!({ "status": "valid" })),
        _ => {
            orders.fetch_add(1, Ordering::Relaxed);
            let mut response = HttpResponse::build(actix_web::http::StatusCode::from_u16(no.status).unwrap());
            no.retry_after.iter().for_each(|wait| {
                response.insert_header(("Retry-After", *wait));
            });
            let kind = format!("urn:ietf:params:acme:error:{}", no.kind);
            response.content_type("application/problem+json");
            response.body(
                serde_json::json!({ "type": kind, "detail": no.detail, "status": no.status }).to_string(),
            )
        }
    };
    response.headers_mut().insert(
        actix_web::http::header::HeaderName::from_static("replay-nonce"),
        actix_web::http::header::HeaderValue::from_static("bm9uY2U"),
    );
    response
}

async fn sentence(app: &App) -> String {
    let gate = app.house.shell.operator().gate::<InstanceView>(());
    let open = gate.read(|tx| alarms::open(tx)).await.unwrap();
    open.into_iter().map(|raised| raised.sentence).collect()
}

#[actix_web::test]
async fn a_directory_that_asks_to_be_left_alone_is() {
    let detail = "too many new orders recently";
    let stub = Stub::start(No { status: 429, kind: "rateLimited", detail, retry_after: Some("7200") });
    let app = stub.app().await;
    let keeper = app.keeper.clone().unwrap();
    let now = Clock::System.now();
    keeper.keep(now).await.unwrap();
    assert_eq!(stub.orders(), 1);
    let said = sentence(&app).await;
    assert!(said.contains("asked too often: too many new orders recently."), "{said}");
    for (minutes, orders) in [(16, 1), (119, 1), (121, 2), (180, 2)] {
        keeper.keep(Timestamp(now.0 + minutes * MINUTE_MS)).await.unwrap();
        assert_eq!(stub.orders(), orders, "after {minutes} minutes");
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_directory_that_refuses_the_account_is_quoted_and_asked_again_less_and_less_often() {
    let detail = "account has been revoked";
    let stub = Stub::start(No { status: 401, kind: "unauthorized", detail, retry_after: None });
    let app = stub.app().await;
    let keeper = app.keeper.clone().unwrap();
    let now = Clock::System.now();
    keeper.keep(now).await.unwrap();
    let said = sentence(&app).await;
    assert!(said.contains("refuses our account: account has been revoked."), "{said}");
    for (minutes, orders) in [(14, 1), (16, 2), (40, 2), (47, 3), (100, 3), (108, 4)] {
        keeper.keep(Timestamp(now.0 + minutes * MINUTE_MS)).await.unwrap();
        assert_eq!(stub.orders(), orders, "after {minutes} minutes");
    }
    app.stop().await;
}
