//! The authority of the instance, and the listener that only client certificates open.

use crate::support::browser::between;
use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use crate::support::{App, trusting_pem};
use reqwest::{Identity, Method};
use serde_json::Value;
use std::process::Command;
use testkeep::kernel::access::Role;
use testkeep::kernel::time::{Clock, Timestamp};

const DAY_MS: i64 = 24 * 3_600_000;

async fn kept(app: &App, at: Timestamp) {
    app.keeper.as_ref().unwrap().keep(at).await.unwrap();
}

#[actix_web::test]
async fn t_de_2_an_authority_signs_the_certificate_of_its_instance_and_renews_it() {
    let app = App::with(&[("tls_names", "lab.example.org")]).await;
    let owner = app.as_role(Role::Owner, None).await;
    let page = app.page(&owner, "/instance/certificate").await;
    assert!(page.contains("Signed by itself") && page.contains("no other host hears"), "{page}");
    let auditor = app.as_role(Role::Auditor, None).await;
    assert_eq!(app.submit(&auditor, "/instance/certificate/authority", &[]).await.status(), 403);

    let page = app.submit_and_follow(&owner, "/instance/certificate/authority", &[]).await;
    assert!(page.contains("This instance has an authority."), "{page}");
    // Until its first certificate is there the connection is the one of before.
    let root = app.browse(&owner, Method::GET, "/instance/certificate/authority.pem").send().await.unwrap();
    let root = root.text().await.unwrap();
    let now = Clock::System.now();
    kept(&app, now).await;
    let trusting = trusting_pem(&root).build().unwrap();
    let port = app.address().port();
    for name in ["localhost", "127.0.0.1"] {
        let ready = trusting.get(format!("https://{name}:{port}/readyz")).send().await.unwrap();
        assert_eq!(ready.status(), 200, "{name}");
    }
    let first = app.fingerprint();
    kept(&app, Timestamp(now.0 + 50 * DAY_MS)).await;
    assert_eq!(app.fingerprint(), first);
    kept(&app, Timestamp(now.0 + 61 * DAY_MS)).await;
    assert_ne!(app.fingerprint(), first);
    let pair = app.tls.as_ref().unwrap().current();
    assert!(pair.about.names.contains(&"lab.example.org".to_owned()), "{:?}", pair.about);

    // The root says for which names it may sign.
    let shown = openssl(&["x509", "-noout", "-text"], &root);
    assert!(shown.contains("Name Constraints: critical"), "{shown}");
    assert!(shown.contains("DNS:lab.example.org") && shown.contains("pathlen:0"), "{shown}");
}

fn openssl(arguments: &[&str], input: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.pem");
    std::fs::write(&path, input).unwrap();
    let answer =
        Command::new("openssl").args(arguments).args(["-in", path.to_str().unwrap()]).output().unwrap();
    String::from_utf8(answer.stdout).unwrap() + &String::from_utf8(answer.stderr).unwrap()
}

/// The client part of a PEM file as the program takes it.
fn with_identity(root: &str, pem: &str) -> reqwest::Client {
    let identity = Identity::from_pem(pem.as_bytes()).unwrap();
    trusting_pem(root).identity(identity).build().unwrap()
}

struct Guarded {
    machine: Machine,
    server: Server,
    admin: String,
    root: String,
}

/// A real process with a listener for administrators, whose certificate its own authority has signed.
async fn guarded() -> Guarded {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let machine = Machine::claimed();
    let made = machine.json(&["ca", "init"]);
    let root = made["certificate"].as_str().unwrap().to_owned();
    let port = free_port();
    let mut command = machine.command("data");
    let at = format!("127.0.0.1:{port}");
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--admin-listen", &at]);
    let server = Server::start(command);
    let plain = trusting_pem(&root).build().unwrap();
    for _ in 0..200 {
        if plain.get(server.at("/readyz")).send().await.is_ok() {
            return Guarded { machine, server, admin: format!("https://{at}"), root };
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the certificate of the authority is not served");
}

async fn comes_in(client: &reqwest::Client, admin: &str) {
    for _ in 0..200 {
        if client.get(format!("{admin}/readyz")).send().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the client certificate does not come in");
}

#[actix_web::test]
async fn t_de_2_p_l3_2_the_pages_of_the_instance_answer_only_to_those_who_show_a_certificate() {
    let Guarded { machine, server, admin, root } = guarded().await;
    let pem = |name: &str| {
        let file = machine.text(name);
        let issued = machine.json(&["ca", "issue", name, "--out", &file]);
        (issued["id"].as_i64().unwrap(), std::fs::read_to_string(file).unwrap())
    };
    let ((mara, mara_pem), (_, jon_pem)) = (pem("mara.pem"), pem("jon.pem"));
    let stranger = trusting_pem(&root).build().unwrap();
    let (mara_client, jon_client) = (with_identity(&root, &mara_pem), with_identity(&root, &jon_pem));

    assert!(stranger.get(format!("{admin}/readyz")).send().await.is_err());
    // Issued by another process: known within seconds.
    comes_in(&mara_client, &admin).await;
    let ready = mara_client.get(format!("{admin}/readyz")).send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.version()), (200, reqwest::Version::HTTP_2));

    for path in ["/instance", "/api/v1/backups", "/instance/certificate"] {
        let ask = |client: &reqwest::Client, base: &str| client.get(format!("{base}{path}")).send();
        let refused = ask(&stranger, &server.url).await.unwrap();
        let (status, text) = (refused.status(), refused.text().await.unwrap());
        assert_eq!(status, 403, "{path}: {text}");
        assert!(text.contains("not at this address"), "{path}: {text}");
        // Behind the handshake the door decides as ever.
        let inside = ask(&mara_client, &admin).await.unwrap();
        assert!(!inside.text().await.unwrap().contains("not at this address"), "{path}");
    }
    assert_eq!(stranger.get(server.at("/signin")).send().await.unwrap().status(), 200);

    // Another authority's certificate is no better than none.
    let other = Machine::claimed();
    other.json(&["ca", "init"]);
    other.json(&["ca", "issue", "eve", "--out", &other.text("eve.pem")]);
    let eve = with_identity(&root, &std::fs::read_to_string(other.path("eve.pem")).unwrap());
    assert!(eve.get(format!("{admin}/readyz")).send().await.is_err());

    // Revoked by another process: known within seconds, and no session is taken up again.
    machine.json(&["ca", "revoke", &mara.to_string()]);
    let mut is_out = false;
    for _ in 0..100 {
        let fresh = with_identity(&root, &mara_pem);
        is_out = fresh.get(format!("{admin}/readyz")).send().await.is_err();
        if is_out {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(is_out);
    assert_eq!(jon_client.get(format!("{admin}/readyz")).send().await.unwrap().status(), 200);
    let listed = machine.json(&["ca", "list"]);
    let states: Vec<bool> =
        listed.as_array().unwrap().iter().map(|line| line["revoked_at"] != Value::Null).collect();
    assert_eq!(states, [false, true]);
}

#[actix_web::test]
async fn programs_go_on_working_beside_a_listener_for_administrators() {
    let Guarded { machine, server, root, .. } = guarded().await;
    let listen = server.url.trim_start_matches("https://").to_owned();
    let healthy = machine.run(&["health", "--listen", &listen]);
    assert_eq!(healthy.code, 0, "{healthy:?}");
    machine.json(&["project", "create", "SHOP", "--name", "Shop"]);
    let token = machine.token("SHOP");
    machine.write("token", &token);
    machine.write("root.pem", &root);
    machine.write("report.xml", "<testsuite name=\"a\"><testcase classname=\"b\" name=\"c\"/></testsuite>");
    let (token, ca, report) = (machine.text("token"), machine.text("root.pem"), machine.text("report.xml"));
    let sent = machine.run(&[
        "upload",
        "--url",
        &server.url,
        "--token-file",
        &token,
        "--cacert",
        &ca,
        "--project",
        "SHOP",
        &report,
    ]);
    assert_eq!(sent.code, 0, "{sent:?}");
    let status = machine.json(&["certificate", "status"]);
    assert_eq!(
        (status["source"].as_str(), status["directory"].is_null()),
        (Some("authority"), true),
        "{status}"
    );
    let before = status["fingerprint"].clone();
    let renewed = machine.run(&["certificate", "renew"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_ne!(machine.json(&["certificate", "status"])["fingerprint"], before);
    server.stop();
    let late = machine.run(&["certificate", "renew"]);
    assert_eq!(late.code, 73, "{late:?}");
}

#[actix_web::test]
async fn client_certificates_are_issued_and_revoked_by_a_person_who_proved_who_they_are() {
    let app = App::start().await;
    let owner = app.as_role(Role::Owner, None).await;
    app.submit_and_follow(&owner, "/instance/certificate/authority", &[]).await;
    let again = app.submit(&owner, "/instance/certificate/authority", &[]).await;
    assert_eq!(again.status(), 409);
    let fields = [("name", "Mara's laptop"), ("days", "30")];
    let issued = app.submit(&owner, "/instance/certificate/clients", &fields).await;
    assert_eq!(issued.headers()["cache-control"], "no-store");
    let pem = issued.text().await.unwrap();
    assert!(pem.contains("PRIVATE KEY") && pem.matches("BEGIN CERTIFICATE").count() == 2, "{pem}");
    let page = app.page(&owner, "/instance/certificate").await;
    assert!(page.contains("Mara&#39;s laptop") && page.contains("In service"), "{page}");
    assert!(!page.contains("PRIVATE KEY"));
    let action = between(&page, "action=\"/instance/certificate/clients/", "/revoke\"").unwrap();
    let action = format!("/instance/certificate/clients/{action}/revoke");
    assert!(app.submit_and_follow(&owner, &action, &[]).await.contains("Revoked"));
    assert_eq!(app.submit(&owner, &action, &[]).await.status(), 404);

    app.clock.advance(11 * 60_000);
    for path in ["/instance/certificate/authority/replace", "/instance/certificate/clients"] {
        let fields = if path.ends_with("clients") { &fields[..] } else { &[] };
        let refused = app.submit(&owner, path, fields).await;
        assert_eq!(refused.status(), 403, "{path}");
    }
    assert!(app.page(&owner, "/instance/certificate").await.contains("Confirm that it is you"));
    let trail = app.with_token(&owner.token, Method::GET, "/api/v1/audit").send().await.unwrap();
    let trail = trail.text().await.unwrap();
    for event in ["authority.made", "client_certificate.issued", "client_certificate.revoked"] {
        assert!(trail.contains(event), "{event}: {trail}");
    }
    app.stop().await;
}
