//! Starting and stopping: what is refused before the first request, what is finished after the last.

use crate::support::{App, clock, start_on};
use std::net::TcpListener;
use std::sync::{Arc, Barrier};
use testkeep::kernel::access::InstanceView;
use tokio::net::TcpStream;

async fn refusal(flags: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    format!("{:?}", start_on(folder.path(), flags, clock()).await.err().unwrap())
}

#[actix_web::test]
async fn t_kf_2_plain_http_is_refused_unless_a_proxy_on_this_machine_is_declared() {
    let open = [("cleartext_behind_proxy", "yes"), ("trusted_proxies", "10.0.0.1"), ("listen", "0.0.0.0:0")];
    assert!(refusal(&open).await.contains("Plain HTTP is refused at 0.0.0.0:0"));
    assert!(refusal(&open[..1]).await.contains("no proxy is declared"));
    let app = App::with(&[("cleartext_behind_proxy", "yes"), ("trusted_proxies", "127.0.0.1")]).await;
    assert!(app.url().starts_with("http://") && app.fingerprint().is_none());
    assert_eq!(app.get("/healthz").await.status(), 200);
}

#[actix_web::test]
async fn f37_a_second_server_on_the_same_folder_is_refused_and_told_who_is_there() {
    let app = App::start().await;
    let refusal = start_on(app.folder(), &[], clock()).await.err().unwrap();
    let holder = format!("in use by process {}.", std::process::id());
    assert!(refusal.sentence().ends_with(&holder), "{refusal:?}");
    assert_eq!(app.get("/readyz").await.status(), 200);
    App::on(app.stop().await, &[]).await;
}

#[actix_web::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refusal = refusal(&[("listen", &address)]).await;
    assert!(refusal.contains(&address) && refusal.contains("--listen"), "{refusal}");
}

#[actix_web::test]
async fn f38_a_request_under_way_is_answered_before_the_server_stops() {
    let app = App::start().await;
    // Every reader waits, so a request that reads has to wait as well: for as long as this test likes.
    let readers = std::thread::available_parallelism().unwrap().get().clamp(2, 8);
    let gate = app.house.shell.operator().gate::<InstanceView>(());
    let (taken, release) = (Arc::new(Barrier::new(readers + 1)), Arc::new(Barrier::new(readers + 1)));
    for _ in 0..readers {
        let (gate, taken, release) = (gate.clone(), Arc::clone(&taken), Arc::clone(&release));
        tokio::spawn(async move {
            gate.read(move |_| {
                taken.wait();
                release.wait();
                Ok(())
            })
            .await
        });
    }
    tokio::task::spawn_blocking(move || taken.wait()).await.unwrap();
    let (client, url) = (app.client().clone(), app.at("/readyz"));
    let request = tokio::spawn(async move { client.get(url).send().await.unwrap().text().await.unwrap() });
    while app.requests_under_way() == 0 {
        tokio::task::yield_now().await;
    }
    let address = app.address();
    let stopping = tokio::spawn(app.halt());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || release.wait()).await.unwrap();
    assert_eq!(request.await.unwrap(), "ready");
    stopping.await.unwrap();
}
