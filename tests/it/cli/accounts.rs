//! Who a command works as: root gives commands to the server of another account, and that account upgrades itself
//! (C13, C14). Needs root, as the machine has only so many accounts otherwise.

use super::upgrade::{RELEASE, Site};
use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// The account that has nothing, on every Linux.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        println!("SKIPPED: only root can work as another account");
    }
    is_root
}

/// Everything below a folder, and itself.
fn below(path: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            found.extend(below(&entry.unwrap().path()));
        }
    }
    found
}

fn give(path: &Path) {
    below(path).iter().for_each(|path| lchown(path, Some(NOBODY), Some(NOBODY)).unwrap());
}

/// The folder of the machine is private; others have to get through it.
fn open(machine: &Machine) {
    fs::set_permissions(machine.path("."), Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn all_is_nobodys(path: &Path) {
    let others: Vec<_> =
        below(path).into_iter().filter(|path| path.symlink_metadata().unwrap().uid() != NOBODY).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn c13_what_root_does_is_done_as_the_account_of_the_server() {
    if !is_root() {
        return;
    }
    let machine = Machine::claimed();
    open(&machine);
    let keep = machine.path("keep");
    fs::create_dir(&keep).unwrap();
    give(&machine.path("data"));
    give(&keep);
    // The key stays root's own, and so do the files that root names.
    machine.json(&["project", "create", "SHOP"]);
    machine.json(&["target", "add", "--name", "Disk", "--address", keep.to_str().unwrap()]);
    machine.json(&["backup"]);
    machine.json(&["key", "rotate", "--only", "database"]);
    machine.json(&["key", "renew-kit", "--kit-to", &machine.text("kit2.txt")]);
    machine.json(&["backup"]);
    assert_eq!(machine.json(&["verify", "--from", "Disk"])["good"], true);
    all_is_nobodys(&machine.path("data"));
    all_is_nobodys(&keep);
    assert_eq!(fs::metadata(machine.path("kit2.txt")).unwrap().uid(), 0);
}

/// Says what the command answers, and what there is afterwards.
fn upgraded(site: &Site, mut upgrade: Command, newer: &Path, server: Server, port: u16) {
    upgrade.env_clear().env("TESTKEEP_DATA", site.machine.path("data"));
    upgrade.env("TESTKEEP_UPGRADE_KEY", site.machine.path("release.pub"));
    upgrade.env("TESTKEEP_KEY_FILE", site.machine.path("data.key"));
    upgrade.args(["upgrade", "--json", "--listen", &format!("127.0.0.1:{port}")]).arg(newer);
    let answer = upgrade.output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    let report: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert!(report["steps"].to_string().contains("began anew and answers"), "{report}");
    server.stop();
    assert_eq!(site.version(), Value::from("0.1.9"));
    all_is_nobodys(&site.machine.path("data"));
}

fn served(site: &Site, port: u16) -> Server {
    let mut serve = Command::new(site.program());
    serve.env_clear().env("TESTKEEP_DATA", site.machine.path("data")).uid(NOBODY).gid(NOBODY);
    Server::start({
        serve.args(["serve", "--log", "warn", "--listen", &format!("127.0.0.1:{port}")]);
        serve
    })
}

#[test]
fn c14_root_exchanges_a_program_that_only_root_may_and_the_data_stay_the_servers() {
    let Some(site) = Site::new().filter(|_| is_root()) else { return };
    open(&site.machine);
    let newer = site.newer();
    site.sign(&newer, RELEASE, "release");
    give(&site.machine.path("data"));
    give(&site.machine.path("data.key"));
    let port = free_port();
    let server = served(&site, port);
    upgraded(&site, Command::new(site.program()), &newer, server, port);
    let program = fs::metadata(site.program()).unwrap();
    assert_eq!((program.uid(), program.gid()), (0, 0));
}

#[test]
fn c14_the_account_that_owns_program_and_data_upgrades_both() {
    let Some(site) = Site::new().filter(|_| is_root()) else { return };
    open(&site.machine);
    let newer = site.newer();
    site.sign(&newer, RELEASE, "release");
    give(&site.machine.path("."));
    let port = free_port();
    let server = served(&site, port);
    let mut own = Command::new(site.program());
    own.uid(NOBODY).gid(NOBODY);
    upgraded(&site, own, &newer, server, port);
}
