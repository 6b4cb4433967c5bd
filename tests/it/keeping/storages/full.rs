//! Targets whose disk is full.

use super::faults::{QUICK, large_files};
use super::servers::{self, Server};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A disk of a few megabytes in place of a folder.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(folder: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(folder).unwrap();
        let is_mounted = run("mount", &["-t", "tmpfs", "-o", "size=6m", "tmpfs"], folder);
        if !is_mounted {
            eprintln!("NOT RUN: a small disk can be mounted by root only.");
        }
        is_mounted.then(|| SmallDisk(folder.to_owned()))
    }

    fn grow(&self) {
        assert!(run("mount", &["-o", "remount,size=64m"], &self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, words: &[&str], folder: &Path) -> bool {
    let quiet = Command::new(program).args(words).arg(folder).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn refuses_what_does_not_fit(server: Option<Server>, says_space: bool) {
    let Some(server) = server else { return };
    let Some(disk) = SmallDisk::at(&server.folder) else { return };
    let target = server.open_with(QUICK);
    let storage = target.storage();
    storage.prepare().unwrap();
    let name = format!("data/ef/ef{}", "2".repeat(62));
    let content: Vec<Bytes> = (0..8_u8).map(|part| Bytes::from(vec![part; 1 << 20])).collect();
    let began = Instant::now();
    let error = storage.put(&name, &content).unwrap_err();
    println!("{}: {:?}: {error:?}", server.kind, began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(12), "{error:?}");
    assert_eq!(error.sentence().contains("no space left"), says_space, "{error:?}");
    assert!(error.hint_text().is_some(), "{error:?}");
    assert_eq!(storage.stat(&name).unwrap(), None, "{}", server.kind);
    storage.sweep().unwrap();
    assert_eq!(large_files(&server.folder), Vec::<PathBuf>::new());
    disk.grow();
    storage.put(&name, &content).unwrap();
    assert_eq!(storage.get(&name).unwrap(), content.concat());
}

#[test]
fn f04_a_full_folder_keeps_nothing_half() {
    refuses_what_does_not_fit(servers::folder(), true);
}

#[test]
fn f04_a_full_ssh_server_keeps_nothing_half() {
    refuses_what_does_not_fit(servers::sftp(), true);
}

#[test]
fn f04_a_full_bucket_keeps_nothing_half() {
    refuses_what_does_not_fit(servers::s3(), false);
}

#[test]
fn f04_a_full_webdav_server_keeps_nothing_half() {
    refuses_what_does_not_fit(servers::webdav(), false);
}

#[test]
fn f04_a_full_rest_server_keeps_nothing_half() {
    refuses_what_does_not_fit(servers::rest(&[]), false);
}
