//! What targets refuse, and what we refuse to believe: credentials, certificates, host keys, rights.

use super::faults::QUICK;
use super::servers::{self, Server, make_key, tool};
use bytes::Bytes;
use std::process::Command;
use testkeep::keeping::backup::storage::protection::{Lock, probe};
use testkeep::keeping::backup::storage::{Access, HostKey, Limits, Login, Place, learn};
use testkeep::kernel::error::{Error, Kind};
use testkeep::kernel::secret::Secret;

fn refusal(place: &str, access: &Access) -> Error {
    let target = place.parse::<Place>().unwrap().open(access, QUICK).unwrap();
    let error = target.storage().put("index/x", &[Bytes::from_static(b"x")]).unwrap_err();
    assert!(error.hint_text().is_some() && !format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(!format!("{error:?}").contains("X-Amz-Signature"), "{error:?}");
    error
}

fn with_password(server: &Server, password: &str) -> Access {
    let mut access = server.access.clone();
    match &mut access {
        Access::Web(web) => web.password = Secret::new(password.to_owned()),
        Access::S3(keys) => keys.secret = Secret::new(password.to_owned()),
        Access::Ssh(ssh) => ssh.login = Login::Password(Secret::new(password.to_owned())),
        Access::Open => {}
    }
    access
}

#[test]
fn wrong_credentials_are_told_as_such() {
    for server in servers::every().into_iter().filter(|server| server.port != 0) {
        let error = refusal(&server.place, &with_password(&server, "hunter2"));
        let kind = error.kind();
        assert!(matches!(kind, Kind::Unauthenticated | Kind::Forbidden), "{}: {error:?}", server.kind);
        assert!(error.sentence().contains("accept") || error.sentence().contains("let these"), "{error:?}");
    }
}

#[test]
fn a_place_that_is_not_there_is_told_before_the_first_pack() {
    for server in [servers::s3(), servers::sftp(), servers::webdav()].into_iter().flatten() {
        let place = match server.kind {
            "s3" => server.place.replace("s3://keep/", "s3://nothing-here/"),
            _ => format!("{}/not/there", server.place),
        };
        let target = place.parse::<Place>().unwrap().open(&server.access, QUICK).unwrap();
        assert_eq!(target.storage().stat("config").unwrap(), None);
        let error = target.storage().prepare().unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{}: {error:?}", server.kind);
        assert!(error.hint_text().is_some(), "{error:?}");
    }
}

#[test]
fn a_host_name_without_an_address_is_told_as_such() {
    let Some(server) = servers::sftp() else { return };
    // Two dots: no resolver asks anybody for it.
    let place = server.place.replace("127.0.0.1", "keep..example");
    let error = refusal(&place, &server.access);
    assert!(error.sentence().starts_with("The name of the backup target sftp://"), "{error:?}");
}

#[test]
fn t_de_2_a_changed_host_key_is_refused_before_anything_is_sent() {
    let Some(server) = servers::sftp() else { return };
    let place: Place = server.place.parse().unwrap();
    let shown = learn(&place, QUICK).unwrap();
    let Access::Ssh(known) = &server.access else { panic!("it is an SSH server") };
    assert_eq!((&known.host_key, HostKey::parse(&known.host_key).unwrap()), (&shown.line, shown.clone()));
    let home = server.folder.parent().unwrap().parent().unwrap();
    let listed = Command::new("ssh-keygen").arg("-lf").arg(home.join("host_key.pub")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&shown.fingerprint), "{listed} {shown:?}");

    make_key(&home.join("other"));
    let other = std::fs::read_to_string(home.join("other.pub")).unwrap();
    let mut access = known.clone();
    access.host_key = other.trim().to_owned();
    access.login = Login::Password(Secret::new("hunter2".into()));
    let error = refusal(&server.place, &Access::Ssh(access.clone()));
    assert!(
        error.sentence().contains("The host key of the backup target")
            && error.sentence().contains(&shown.fingerprint),
        "{error:?}"
    );
    // A server that shows another kind of key than the one that was confirmed.
    access.host_key = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=".into();
    let error = refusal(&server.place, &Access::Ssh(access.clone()));
    assert!(error.sentence().contains("is another kind of key now"), "{error:?}");

    access.host_key = "hunter2".into();
    let error = place.open(&Access::Ssh(access), QUICK).err().unwrap();
    assert!(error.sentence().starts_with("The host key of the SFTP target is missing"), "{error:?}");
}

#[test]
fn private_keys_may_be_locked_and_must_be_modern() {
    let Some(server) = servers::sftp() else { return };
    let Access::Ssh(known) = &server.access else { panic!("it is an SSH server") };
    let home = server.folder.parent().unwrap().parent().unwrap();
    let key = |passphrase: &str| {
        let mut access = known.clone();
        let pem = Secret::new(std::fs::read_to_string(home.join("locked")).unwrap());
        access.login = Login::Key { pem, passphrase: Secret::new(passphrase.into()) };
        Access::Ssh(access)
    };
    let make = |words: &[&str]| {
        let _ = std::fs::remove_file(home.join("locked"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-f"])
            .arg(home.join("locked"))
            .args(words)
            .status()
            .unwrap();
        assert!(made.success());
        std::fs::copy(home.join("locked.pub"), home.join("authorized_keys")).unwrap();
    };
    let place: Place = server.place.parse().unwrap();
    make(&["-t", "ecdsa", "-N", "much secret"]);
    place.open(&key("much secret"), QUICK).unwrap().storage().prepare().unwrap();
    let refused = place.open(&key("hunter2"), QUICK).err().unwrap();
    assert_eq!(refused.sentence(), "The private key cannot be read.");
    make(&["-t", "rsa", "-N", ""]);
    let refused = place.open(&key(""), QUICK).err().unwrap();
    assert!(refused.sentence().starts_with("The private key"), "{refused:?}");
}

#[test]
fn t_de_2_only_a_trusted_certificate_is_believed() {
    let Some(rclone) = tool("rclone") else { return };
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (cert, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let mut command = Command::new(rclone);
    command.args([
        "serve",
        "webdav",
        "--config",
        "/dev/null",
        "--user",
        "mara",
        "--pass",
        "much: secret",
        "--cert",
    ]);
    command.arg(&cert).arg("--key").arg(&key);
    let server = servers::served(command, "webdav", "webdav+https", "/keep", servers::mara());
    let place = server.place.replace("127.0.0.1", "localhost");
    let Access::Web(web) = server.access.clone() else { panic!("it is a web server") };

    let trusting =
        Access::Web(testkeep::keeping::backup::storage::WebAccess { ca: own.cert.pem(), ..web.clone() });
    let target = place.parse::<Place>().unwrap().open(&trusting, QUICK).unwrap();
    target.storage().prepare().unwrap();
    target.storage().put("index/x", &[Bytes::from_static(b"x")]).unwrap();
    for (place, access) in [(place.clone(), server.access.clone()), (server.place.clone(), trusting.clone())]
    {
        let error = refusal(&place, &access);
        assert!(error.sentence().starts_with("The certificate of the backup target"), "{error:?}");
    }
    let broken =
        Access::Web(testkeep::keeping::backup::storage::WebAccess { ca: "no certificate".into(), ..web });
    let refused = place.parse::<Place>().unwrap().open(&broken, QUICK).err().unwrap();
    assert_eq!(refused.sentence(), "The certificate of the authority is not in PEM form.");
    // A server without TLS where TLS was asked for.
    let Some(clear) = servers::webdav_of_rclone() else { return };
    let error = refusal(&clear.place.replace("webdav+http:", "webdav+https:"), &clear.access);
    assert!(error.sentence().starts_with("The certificate of the backup target"), "{error:?}");
}

#[test]
fn a_rest_server_that_only_appends_is_found_to_protect_what_it_holds() {
    let Some(server) = servers::rest(&["--append-only"]) else { return };
    let target = server.open_with(QUICK);
    let storage = target.storage();
    storage.prepare().unwrap();
    let object = [Bytes::from_static(b"for ever")];
    storage.put("index/x", &object).unwrap();
    storage.put("index/x", &object).unwrap();
    storage.put("receipts/00000001.json", &object).unwrap();
    storage.put("receipts/00000001.json", &[Bytes::from_static(b"anew")]).unwrap();
    assert_eq!(storage.get("receipts/00000001.json").unwrap(), "anew");
    assert_eq!(storage.list("receipts").unwrap(), [("receipts/00000001.json".to_owned(), 4)]);
    for name in ["index/x", "receipts/00000001.json"] {
        assert_eq!(storage.delete(name).unwrap_err().kind(), Kind::Forbidden);
    }
    let found = probe(storage).unwrap();
    assert_eq!(found.may_delete, Some(false));
    assert!(found.words()[0].starts_with("These credentials may not delete"), "{:?}", found.words());
}

#[test]
fn an_object_lock_is_found_and_asked_for() {
    let Some(server) = servers::s3_with_lock() else { return };
    let target = server.open_with(QUICK);
    let found = target.storage().protection().unwrap();
    assert_eq!(found.lock, Some(Lock { mode: "GOVERNANCE".into(), days: 7 }));
    assert_eq!((found.keeps_versions, found.may_delete), (Some(true), None));
    assert!(found.words()[0].contains("locks each object for 7 days"), "{:?}", found.words());

    let place: Place = format!("{}&retain=compliance-30", server.place).parse().unwrap();
    let target = place.open(&server.access, Limits::default()).unwrap();
    target.storage().put("index/locked", &[Bytes::from_static(b"x")]).unwrap();
    assert_eq!(
        target.storage().protection().unwrap().lock,
        Some(Lock { mode: "COMPLIANCE".into(), days: 30 })
    );
    assert_eq!(servers::retention(&server, "index/locked"), "COMPLIANCE 30");
    let proof = probe(target.storage()).unwrap();
    assert_eq!(proof.may_delete, Some(true), "a mark of deletion hides an object; its version stays");
}
