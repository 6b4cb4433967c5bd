//! Certificates from files that somebody else puts there, in all the ways in which that is done.

use crate::support::{App, trusting_pem};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use testkeep::kernel::access::{InstanceView, Role};
use testkeep::kernel::alarms;
use testkeep::kernel::time::{Clock, Timestamp};

const DAY_MS: i64 = 24 * 3_600_000;

struct Pem {
    certificate: String,
    key: String,
}

/// A pair for localhost that is good from one year to another.
fn pair(from: i32, until: i32) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut about = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    (about.not_before, about.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    Pem { certificate: about.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn good() -> Pem {
    pair(2020, 2090)
}

fn put(folder: &Path, pem: &Pem) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("tls.crt"), &pem.certificate).unwrap();
    fs::write(folder.join("tls.key"), &pem.key).unwrap();
}

async fn with_files(first: &Pem) -> App {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("live"), first);
    serving(folder, "live").await
}

async fn serving(folder: tempfile::TempDir, name: &str) -> App {
    let path = |file: &str| folder.path().join(name).join(file).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    App::on(folder, &[("tls_certificate", &certificate), ("tls_key", &key)]).await
}

async fn looked(app: &App) {
    app.keeper.as_ref().unwrap().keep(Clock::System.now()).await.unwrap();
}

async fn is_served(app: &App, pem: &Pem) -> bool {
    trusting_pem(&pem.certificate).build().unwrap().get(app.at("/healthz")).send().await.is_ok()
}

async fn sentences(app: &App) -> Vec<String> {
    let gate = app.house.shell.operator().gate::<InstanceView>(());
    let open = gate.read(|tx| alarms::open(tx)).await.unwrap();
    open.into_iter().map(|raised| raised.sentence).collect()
}

#[actix_web::test]
async fn f21_a_pair_that_has_ended_or_is_not_good_yet_does_not_take_the_place_of_one_that_is_good() {
    let first = good();
    let app = with_files(&first).await;
    for (bad, word) in [(pair(2010, 2015), "ended at 2015"), (pair(2080, 2090), "good from 2080")] {
        put(&app.folder().join("live"), &bad);
        looked(&app).await;
        assert!(is_served(&app, &first).await);
        let said = sentences(&app).await;
        assert!(said.len() == 1 && said[0].contains(word), "{said:?}");
    }
    let second = good();
    put(&app.folder().join("live"), &second);
    looked(&app).await;
    assert!(is_served(&app, &second).await && !is_served(&app, &first).await);
    assert!(sentences(&app).await.is_empty());
    app.stop().await;
}

#[actix_web::test]
async fn f21_a_pair_is_taken_over_half_by_half() {
    let (first, second) = (good(), good());
    let app = with_files(&first).await;
    let live = app.folder().join("live");
    for half in [&second.certificate[..200], &second.certificate] {
        fs::write(live.join("tls.crt"), half).unwrap();
        looked(&app).await;
        assert!(is_served(&app, &first).await);
        assert!(sentences(&app).await[0].contains("are no certificate with its key"));
    }
    fs::write(live.join("tls.key"), &second.key).unwrap();
    looked(&app).await;
    assert!(is_served(&app, &second).await);
    assert!(sentences(&app).await.is_empty());
}

#[actix_web::test]
async fn f21_files_that_cannot_be_read_leave_the_old_pair_in_service_until_they_can() {
    let (first, second) = (good(), good());
    let app = with_files(&first).await;
    let live = app.folder().join("live");
    put(&live, &second);
    // A folder in the place of a file is unreadable for everybody, the superuser included.
    fs::remove_file(live.join("tls.key")).unwrap();
    fs::create_dir(live.join("tls.key")).unwrap();
    looked(&app).await;
    assert!(is_served(&app, &first).await);
    assert!(sentences(&app).await[0].contains("cannot be read"));
    fs::remove_dir(live.join("tls.key")).unwrap();
    fs::write(live.join("tls.key"), &second.key).unwrap();
    looked(&app).await;
    assert!(is_served(&app, &second).await);
}

#[actix_web::test]
async fn f21_a_folder_that_is_swapped_by_a_link_is_noticed() {
    let (first, second) = (good(), good());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    put(&at("..2026_01"), &first);
    put(&at("..2026_02"), &second);
    symlink("..2026_01", at("..data")).unwrap();
    fs::create_dir(at("live")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        symlink(Path::new("../..data").join(file), at("live").join(file)).unwrap();
    }
    let app = serving(folder, "live").await;
    assert!(is_served(&app, &first).await);
    symlink("..2026_02", app.folder().join("..next")).unwrap();
    fs::rename(app.folder().join("..next"), app.folder().join("..data")).unwrap();
    looked(&app).await;
    assert!(is_served(&app, &second).await);
}

#[actix_web::test]
async fn f21_a_pair_with_the_time_and_the_length_of_the_one_before_is_noticed() {
    let first = good();
    let app = with_files(&first).await;
    let live = app.folder().join("live");
    let same_length =
        |pem: &Pem| (pem.certificate.len(), pem.key.len()) == (first.certificate.len(), first.key.len());
    let second = std::iter::repeat_with(good).find(same_length).unwrap();
    let times: Vec<_> =
        ["tls.crt", "tls.key"].map(|file| fs::metadata(live.join(file)).unwrap().modified().unwrap()).into();
    put(&live, &second);
    for (file, time) in ["tls.crt", "tls.key"].iter().zip(times) {
        fs::File::options().write(true).open(live.join(file)).unwrap().set_modified(time).unwrap();
    }
    looked(&app).await;
    assert!(is_served(&app, &second).await);
}

#[actix_web::test]
async fn f21_t_kf_2_the_end_of_a_certificate_is_an_alarm_that_grows() {
    let app = with_files(&good()).await;
    let keeper = app.keeper.clone().unwrap();
    let end = keeper.tls().current().not_after;
    let mut last = String::new();
    for (days, word) in [
        (40, ""),
        (29, "less than 30 days"),
        (13, "less than 14 days"),
        (6, "less than 7 days"),
        (0, "less than 1 days"),
        (-1, "ended at"),
    ] {
        keeper.keep(Timestamp(end.0 - days * DAY_MS - 1)).await.unwrap();
        let said = sentences(&app).await;
        assert_eq!(said.len(), usize::from(!word.is_empty()), "{days}: {said:?}");
        last = said.first().cloned().unwrap_or_default();
        assert!(last.contains(word), "{days}: {last}");
    }
    let owner = app.as_role(Role::Owner, None).await;
    let client =
        trusting_pem(&fs::read_to_string(app.folder().join("live/tls.crt")).unwrap()).build().unwrap();
    let metrics = client.get(app.at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"testkeep_alarms{kind="certificate_ending"} 1"#), "{metrics}");
    assert!(metrics.contains("testkeep_certificate_expires_seconds "), "{metrics}");
    let said = client.get(app.at("/api/v1/certificate")).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(said.json::<serde_json::Value>().await.unwrap()["source"], "files");
    let renew =
        client.post(app.at("/api/v1/certificate/renew")).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(renew.status(), 409);
    assert!(last.contains("Browsers refuse"), "{last}");
}
