//! The whole engine on every kind of target, and Debian's restic on what it wrote.

use super::faults::{QUICK, through};
use super::proxy::Proxy;
use super::servers::{self, Server};
use crate::keeping::backup::bench::{Bench, PASSWORD, content, identity};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use testkeep::keeping::backup::manifest::{Manifest, sha256};
use testkeep::keeping::backup::storage::{Access, Folder, Storage};
use testkeep::keeping::backup::{Engine, Keep, Target};
use testkeep::kernel::secret::Secret;

fn engine(bench: &Bench, target: Target, master: Option<&Secret<Vec<u8>>>) -> Engine {
    let password = Secret::new(PASSWORD.to_owned());
    Engine::new(target, password, master, identity("bench"), &bench.path("home/receipts"))
}

/// Copies a target into a folder, object by object.
fn bring_home(from: &dyn Storage, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let to = Folder::new(folder);
    to.prepare().unwrap();
    for kind in ["data", "keys", "index", "snapshots", "receipts"] {
        for (name, bytes) in from.list(kind).unwrap() {
            let object = from.get(&name).unwrap();
            assert_eq!(object.len() as u64, bytes, "{name}");
            to.put(&name, &[object]).unwrap();
        }
    }
    for name in ["config", "testkeep.json"] {
        to.put(name, &[from.get(name).unwrap()]).unwrap();
    }
}

fn lives_on(server: Option<Server>) {
    let Some(server) = server else { return };
    let bench = Bench::new(600);
    let engine = engine(&bench, server.open(), None);
    let master = engine.init_if_absent().unwrap();
    let run = || bench.backup_with(&engine, &bench.pin(), &Arc::default()).unwrap();
    let before = content(&bench.sql());
    let first = run();
    bench.sql().execute_batch("UPDATE page SET body = randomblob(3800) WHERE id = 7").unwrap();
    let second = run();
    println!("{}: {} bytes, then {}", server.kind, first.bytes_added, second.bytes_added);
    assert!(second.bytes_added * 5 < first.bytes_added);
    assert_eq!((second.number, engine.list().unwrap().len()), (2, 2));
    let proof = engine.verify_latest().unwrap();
    assert_eq!((proof.receipts, proof.findings.errors.as_slice()), (2, &[][..]));
    restic_agrees(&bench, &server, &second.snapshot);

    // T-KF-5: the objects bring the older state back, byte for byte.
    bring_home(server.open().storage(), &bench.path("target"));
    fs::write(bench.path("master"), master.expose()).unwrap();
    bench.restore(&first).unwrap();
    assert_eq!(content(&bench.restored()), before);

    let keep = Keep { last: 1, daily: 0, weekly: 0, monthly: 0 };
    assert_eq!(engine.forget(&keep).unwrap().len(), 1);
    engine.prune().unwrap();
    assert_eq!(engine.verify_latest().unwrap().findings.errors, [""; 0]);
}

/// restic opens, checks and restores, where it speaks the protocol.
fn restic_agrees(bench: &Bench, server: &Server, snapshot: &str) {
    let Some(restic) = servers::tool("restic") else { return };
    let mut command = Command::new(restic);
    command.env("RESTIC_PASSWORD", PASSWORD).arg("--no-cache");
    match (&server.access, server.kind) {
        (_, "folder") => command.arg("-r").arg(&server.folder),
        (Access::S3(keys), _) => {
            command.env("AWS_ACCESS_KEY_ID", &keys.id).env("AWS_SECRET_ACCESS_KEY", keys.secret.expose());
            command.args(["-r", &format!("s3:http://127.0.0.1:{}/keep/deep/below", server.port)])
        }
        (_, "rest") => command
            .args(["-r", &format!("rest:http://mara:much%3A%20secret@127.0.0.1:{}/mara/", server.port)]),
        (_, "sftp") => {
            let home = server.folder.parent().unwrap().parent().unwrap();
            let ssh = format!(
                "ssh -p {} -i {}/client_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
                 127.0.0.1 -s sftp",
                server.port,
                home.display()
            );
            command.args([
                "-o",
                &format!("sftp.command={ssh}"),
                "-r",
                &format!("sftp:127.0.0.1:{}", server.folder.display()),
            ])
        }
        _ => return,
    };
    let base = format!("{command:?}");
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let said = |more: &[&str]| {
        let mut again = Command::new(command.get_program());
        again.args(&words).args(more);
        command.get_envs().for_each(|(name, value)| {
            again.env(name, value.unwrap());
        });
        let done = again.output().unwrap();
        let all = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{base} {more:?}: {all}");
        all
    };
    assert!(said(&["snapshots", "--json"]).contains(snapshot));
    said(&["check", "--read-data"]);
    let out = bench.path("by-restic");
    said(&["restore", snapshot, "--target", out.to_str().unwrap()]);
    let read = |path: &str| fs::read(out.join("testkeep").join(path)).unwrap();
    let manifest: Manifest = serde_json::from_slice(&read("manifest.json")).unwrap();
    let joined: Vec<u8> = manifest.slices.iter().flat_map(|slice| read(&slice.path)).collect();
    assert_eq!(sha256(&joined), manifest.database_sha256);
}

#[test]
fn t_dp_1_backups_live_in_a_folder() {
    lives_on(servers::folder());
}

#[test]
fn t_dp_1_backups_live_in_a_bucket() {
    lives_on(servers::s3());
}

#[test]
fn t_dp_1_backups_live_on_an_ssh_server() {
    lives_on(servers::sftp());
}

#[test]
fn t_dp_1_backups_live_on_a_webdav_server() {
    lives_on(servers::webdav());
}

#[test]
fn t_dp_1_backups_live_on_a_rest_server() {
    lives_on(servers::rest(&[]));
}

/// Failures 12 and 13: a run whose line is lost is no backup, and the next one is whole.
fn survives_a_lost_line(server: Option<Server>) {
    let Some(server) = server else { return };
    let proxy = Proxy::before(server.port);
    let bench = Bench::new(1_200);
    let made = engine(&bench, server.open(), None);
    let master = made.init_if_absent().unwrap();
    let engine = engine(&bench, through(&server, &proxy, QUICK), Some(&master));
    proxy.lose_after(2 << 20);
    let error = bench.backup_with(&engine, &bench.pin(), &Arc::default()).unwrap_err();
    println!("{}: {error:?}", server.kind);
    assert!(error.sentence().contains("backup target"), "{error:?}");
    proxy.mend();
    assert_eq!((made.list().unwrap().len(), made.chain().unwrap().receipts.len()), (0, 0));
    let receipt = bench.backup_with(&engine, &bench.pin(), &Arc::default()).unwrap();
    assert_eq!(receipt.number, 1);
    let proof = engine.verify_latest().unwrap();
    assert_eq!((proof.receipt, proof.findings.errors.as_slice()), (receipt, &[][..]));
}

#[test]
fn f12_f13_a_backup_that_loses_its_bucket_is_none_and_the_next_one_works() {
    survives_a_lost_line(servers::s3());
}

#[test]
fn f12_f13_a_backup_that_loses_its_ssh_server_is_none_and_the_next_one_works() {
    survives_a_lost_line(servers::sftp());
}

#[test]
fn f12_f13_a_backup_that_loses_its_webdav_server_is_none_and_the_next_one_works() {
    survives_a_lost_line(servers::webdav());
}

#[test]
fn f12_f13_a_backup_that_loses_its_rest_server_is_none_and_the_next_one_works() {
    survives_a_lost_line(servers::rest(&[]));
}
