//! Another program reads our backups: Debian's restic, as `docs/formats/backup.md` promises.

use super::bench::{Bench, PASSWORD};
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use testkeep::keeping::backup::manifest::{Manifest, sha256};

#[test]
fn plain_restic_lists_checks_and_restores() {
    let bench = Bench::new(600);
    let restic = |words: &[&str]| {
        let mut command = Command::new("restic");
        command.arg("--no-cache").arg("-r").arg(bench.path("target")).args(words);
        command.env("RESTIC_PASSWORD", PASSWORD).output()
    };
    if restic(&["version"]).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        eprintln!("not run: there is no restic on this machine");
        return;
    }
    let receipt = bench.backup().unwrap();
    let out = bench.path("by-restic");
    let out = out.to_str().unwrap();
    let said = |words: &[&str]| {
        let done = restic(words).unwrap();
        let (said, complained) =
            (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{words:?}: {said} {complained}");
        said.into_owned()
    };
    let listed = said(&["snapshots", "--json"]);
    assert!(listed.contains(&receipt.snapshot) && listed.contains("\"hostname\":\"testkeep\""), "{listed}");
    said(&["check", "--read-data"]);
    said(&["restore", "latest", "--target", out]);
    // The documented way without Testkeep: cat testkeep/db/*/pages > testkeep.db
    let read = |path: &str| fs::read(format!("{out}/testkeep/{path}")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&read("manifest.json")).unwrap();
    let joined: Vec<u8> = manifest.slices.iter().flat_map(|slice| read(&slice.path)).collect();
    assert_eq!(sha256(&joined), manifest.database_sha256);
    for blob in &manifest.blobs {
        assert_eq!(sha256(&read(&blob.path)), blob.sha256, "{}", blob.path);
    }
}
