//! A disk that is soon full: a file system in memory, mounted for one test. Needs to be root.
#![allow(dead_code, reason = "a kit: each test takes from it what it needs")]

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A mounted file system of a few MiB; gone when it is dropped.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// None, and a sentence about it, where this user may not mount.
    pub fn of_mib(mib: u32) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(answer) if answer.status.success() => Some(SmallDisk { folder }),
            _ => {
                println!("SKIPPED: this user may not mount a small file system");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills what is free but for so many KiB; the file that does it.
    pub fn fill_but_kib(&self, kib: u64) -> PathBuf {
        let about = rustix::fs::statvfs(self.path()).unwrap();
        let free = about.f_bavail * about.f_frsize;
        let path = self.path().join("ballast");
        std::fs::write(&path, vec![0; usize::try_from(free.saturating_sub(kib * 1024)).unwrap()]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
