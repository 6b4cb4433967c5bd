//! Certificates from a directory: a real one, which really looks at our listeners.

use crate::support::pebble::{BINDING, Manners, Pebble};
use crate::support::port::free_port;
use crate::support::{App, trusting_pem};
use reqwest::Client;
use std::sync::Arc;
use testkeep::keeping::certificates::{Keeper, Pair};
use testkeep::kernel::access::{InstanceView, Role};
use testkeep::kernel::alarms::{self, Raised};
use testkeep::kernel::time::{Clock, Timestamp};

const DAY_MS: i64 = 24 * 3_600_000;

/// An instance with the ports at which a directory looks.
struct Site {
    app: App,
    port: u16,
}

/// Ports that the instance will take, so that the directory can be told before.
fn ports() -> Manners {
    Manners { http: free_port(), tls: free_port(), bad_nonces: 5, ..Manners::default() }
}

impl Site {
    async fn with(pebble: &Pebble, manners: Manners, more: &[(&str, &str)]) -> Site {
        let (listen, http) = (format!("127.0.0.1:{}", manners.tls), format!("127.0.0.1:{}", manners.http));
        let (directory, authority) = (pebble.directory(), pebble.authority());
        let base = [
            ("listen", listen.as_str()),
            ("acme_http_listen", &http),
            ("acme_directory", &directory),
            ("acme_ca", &authority),
            ("acme_terms_agreed", "yes"),
            ("acme_names", "localhost"),
            ("acme_contact", "operations@shop.example"),
        ];
        let flags: Vec<_> = base.iter().chain(more).copied().collect();
        Site { app: App::with(&flags).await, port: manners.tls }
    }

    fn keeper(&self) -> Arc<Keeper> {
        self.app.keeper.clone().unwrap()
    }

    fn served(&self) -> Arc<Pair> {
        self.keeper().tls().current()
    }

    /// The keeper has begun by itself; this waits until it is done, and looks at this moment.
    async fn kept(&self, now: Timestamp) -> Arc<Pair> {
        self.keeper().keep(now).await.unwrap();
        self.served()
    }

    fn at(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    async fn alarms(&self) -> Vec<Raised> {
        let gate = self.app.house.shell.operator().gate::<InstanceView>(());
        gate.read(|tx| alarms::open(tx)).await.unwrap()
    }
}

fn now() -> Timestamp {
    Clock::System.now()
}

async fn client(pebble: &Pebble) -> Client {
    trusting_pem(&pebble.root().await).build().unwrap()
}

#[actix_web::test]
async fn t_de_2_a_directory_looks_over_plain_http_and_what_it_issues_is_served() {
    let manners = ports();
    let pebble = Pebble::start(manners).await;
    let site = Site::with(&pebble, manners, &[("acme_challenge", "http-01")]).await;
    let pair = site.kept(now()).await;
    assert!(pair.about.issuer.starts_with("Pebble"), "{:?}", pair.about);
    assert_eq!(pair.about.names, ["localhost"]);
    let ready = client(&pebble).await.get(site.at("/readyz")).send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.version()), (200, reqwest::Version::HTTP_2));

    // Nothing else is said in the clear, and nothing of the challenge stays.
    let plain = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let at = |path: &str| format!("http://127.0.0.1:{}{path}", manners.http);
    let gone = plain.get(at("/.well-known/acme-challenge/token")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let moved = plain.get(at("/p/SHOP?q=1")).send().await.unwrap();
    assert_eq!(moved.status(), 308);
    assert_eq!(moved.headers()["location"], format!("https://127.0.0.1:{}/p/SHOP?q=1", site.port));
    assert_eq!(plain.post(at("/signin")).body("passphrase=x").send().await.unwrap().status(), 405);
}

#[actix_web::test]
async fn t_de_2_a_directory_shakes_hands_and_what_it_issues_outlives_a_restart() {
    let manners = ports();
    let pebble = Pebble::start(manners).await;
    let site = Site::with(&pebble, manners, &[("acme_challenge", "tls-alpn-01")]).await;
    let pair = site.kept(now()).await;
    assert!(pair.about.issuer.starts_with("Pebble"), "{:?}", pair.about);
    let owner = site.app.as_role(Role::Owner, None).await;
    let client = client(&pebble).await;
    let page = client.get(site.at("/api/v1/certificate")).bearer_auth(&owner.token).send().await.unwrap();
    let said: serde_json::Value = page.json().await.unwrap();
    assert_eq!(
        (said["source"].as_str(), said["is_failing"].as_bool()),
        (Some("acme"), Some(false)),
        "{said}"
    );
    assert_eq!(said["directory"], pebble.directory());

    // Keys lie sealed in the database and nowhere else.
    let key_files = walked(&site.app.data());
    for file in key_files {
        let bytes = std::fs::read(&file).unwrap();
        let is_own = file.ends_with("tls/key.pem");
        assert!(is_own || !bytes.windows(11).any(|part| part == b"PRIVATE KEY"), "{file:?}");
    }
    let (directory, authority) = (pebble.directory(), pebble.authority());
    let listen = format!("127.0.0.1:{}", manners.tls);
    let flags = [
        ("listen", listen.as_str()),
        ("acme_directory", &directory),
        ("acme_ca", &authority),
        ("acme_terms_agreed", "yes"),
        ("acme_names", "localhost"),
    ];
    let app = App::on(site.app.stop().await, &flags).await;
    assert_eq!(app.fingerprint().unwrap(), pair.fingerprint);
}

fn walked(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walked(&path) } else { vec![path] }).collect()
}

#[actix_web::test]
async fn f21_a_certificate_is_renewed_after_two_thirds_of_its_life_and_open_connections_go_on() {
    let manners = ports();
    let pebble = Pebble::start(manners).await;
    let site = Site::with(&pebble, manners, &[]).await;
    let first = site.kept(now()).await;
    let client = client(&pebble).await;
    assert_eq!(client.get(site.at("/healthz")).send().await.unwrap().status(), 200);

    let life = first.not_after.0 - first.about.not_before.0;
    let early = Timestamp(first.about.not_before.0 + life / 2);
    assert_eq!(site.kept(early).await.fingerprint, first.fingerprint);
    let due = Timestamp(first.about.not_before.0 + life / 3 * 2 + DAY_MS);
    let second = site.kept(due).await;
    assert_ne!(second.fingerprint, first.fingerprint);
    assert_eq!(client.get(site.at("/healthz")).send().await.unwrap().status(), 200);
    assert!(site.alarms().await.is_empty());
}

#[actix_web::test]
async fn f21_t_kf_2_while_the_directory_is_away_the_old_certificate_stays_and_an_alarm_says_so() {
    let manners = ports();
    let mut pebble = Pebble::start(manners).await;
    let site = Site::with(&pebble, manners, &[]).await;
    let first = site.kept(now()).await;
    pebble.kill();

    let due = Timestamp(first.not_after.0 - 40 * DAY_MS);
    assert_eq!(site.kept(due).await.fingerprint, first.fingerprint);
    let alarms = site.alarms().await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0].sentence.contains("The directory cannot be used"), "{alarms:?}");
    // Not again at once, whoever looks.
    let told = alarms[0].raised_at;
    assert_eq!(site.kept(Timestamp(due.0 + 60_000)).await.fingerprint, first.fingerprint);
    assert_eq!(site.alarms().await[0].raised_at, told);

    // It comes back and knows its accounts no more.
    pebble.again().await;
    let second = site.kept(Timestamp(due.0 + DAY_MS)).await;
    assert_ne!(second.fingerprint, first.fingerprint, "{:?}", site.alarms().await);
    assert!(site.alarms().await.is_empty());
    assert!(client(&pebble).await.get(site.at("/healthz")).send().await.is_ok());
}

#[actix_web::test]
async fn f21_a_directory_that_cannot_convince_itself_is_quoted() {
    let manners = ports();
    let pebble = Pebble::start(Manners { tls: free_port(), ..manners }).await;
    let site = Site::with(&pebble, manners, &[]).await;
    assert!(!site.kept(now()).await.about.issuer.starts_with("Pebble"));
    let alarms = site.alarms().await;
    let sentence = &alarms.first().expect("there is an alarm").sentence;
    assert!(sentence.contains("could not convince itself that localhost is ours"), "{sentence}");
    assert!(sentence.contains("The old certificate stays in service."), "{sentence}");
    site.app.stop().await;
}

#[actix_web::test]
async fn an_account_that_the_directory_knows_already_is_bound_to() {
    let manners = Manners { wants_binding: true, ..ports() };
    let pebble = Pebble::start(manners).await;
    let without = Site::with(&pebble, manners, &[]).await;
    without.kept(now()).await;
    assert!(without.alarms().await[0].sentence.contains("acme_eab_id"), "{:?}", without.alarms().await);
    without.app.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("eab.key");
    std::fs::write(&key, format!("{}\n", BINDING.1)).unwrap();
    let binding = [("acme_eab_id", BINDING.0), ("acme_eab_key_file", key.to_str().unwrap())];
    let site = Site::with(&pebble, manners, &binding).await;
    assert!(site.kept(now()).await.about.issuer.starts_with("Pebble"), "{:?}", site.alarms().await);
}
