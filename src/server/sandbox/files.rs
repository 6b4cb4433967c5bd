//! Files that a server can open: its own, what the options name, and what the system must tell it.
//!
//! Landlock remembers files, not names: a name that points elsewhere later stays open at its old place only. So
//! where files are exchanged while the program runs (certificates), their folder is opened and not the file.

use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::default_key_file;
use crate::kernel::options::{Options, Row};
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// What the rules are written for; an older kernel takes what it knows of them.
const WRITTEN_FOR: ABI = ABI::V6;

/// What the system must tell: names of hosts, certificates of authorities, time zones, libraries, itself.
const SYSTEM: &[&str] = &[
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/run/NetworkManager/resolv.conf",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/etc/ca-certificates",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/locks",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/net/core",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
];

/// What every program writes to or takes randomness from.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// The loaders of the C library: a child of our own is started through them.
const LOADERS: &[&str] = &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// Whether this kernel can confine files at all.
pub fn kernel_confines_files() -> bool {
    // The list of security modules is not everywhere to be read; making a set of rules is harmless.
    let made = Ruleset::default()
        .set_compatibility(landlock::CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    made.is_ok()
}

/// Closes all other files. `false` where the kernel has no Landlock.
pub(super) fn close(options: &Options) -> Result<bool> {
    // A folder that is made later could not be opened.
    durable::create_folder(&options.data)?;
    let status = confine(options).map_err(Error::internal)?;
    Ok(status != RulesetStatus::NotEnforced)
}

fn confine(options: &Options) -> Result<RulesetStatus, RulesetError> {
    let everything = AccessFs::from_all(WRITTEN_FOR) & !AccessFs::Execute;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let running = AccessFs::ReadFile | AccessFs::Execute;
    let rules: [(Vec<PathBuf>, BitFlags<AccessFs>); 5] = [
        (own(options), everything),
        (named(options), reading),
        (paths(SYSTEM).collect(), reading),
        (paths(DEVICES).collect(), reading | AccessFs::WriteFile),
        (std::env::current_exe().into_iter().chain(paths(LOADERS)).collect(), running),
    ];
    let mut ruleset =
        Ruleset::default().handle_access(AccessFs::from_all(WRITTEN_FOR))?.scope(Scope::Signal)?.create()?;
    for (paths, access) in rules {
        ruleset = ruleset.add_rules(path_beneath_rules(paths, access))?;
    }
    ruleset.restrict_self().map(|status| status.ruleset)
}

fn paths(names: &'static [&'static str]) -> impl Iterator<Item = PathBuf> {
    names.iter().map(PathBuf::from)
}

/// What the program may write to.
fn own(options: &Options) -> Vec<PathBuf> {
    [options.data.clone()].into_iter().chain(options.backup_roots.iter().cloned()).collect()
}

/// The folders below which backups can go, as the system knows them, for sentences.
pub(super) fn writable_roots(options: &Options) -> Vec<PathBuf> {
    own(options).iter().filter_map(|root| root.canonicalize().ok()).collect()
}

/// What the options name for reading.
fn named(options: &Options) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(pair) = &options.tls_files {
        // Whoever renews a certificate puts a new file there, or points a link at one.
        for file in [&pair.certificate, &pair.key] {
            files.extend([folder_of(file)]);
            files.extend(file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned)));
        }
    }
    if let Some(acme) = &options.acme {
        files.extend(acme.authority.clone());
        files.extend(acme.binding.as_ref().map(|binding| binding.key_file.clone()));
    }
    files.extend(options.admin.as_ref().and_then(|admin| admin.authority.clone()));
    let is_file = |row: &Row| row.takes == "path" && row.name != "data";
    let said = options.values.iter().filter(|value| is_file(value.row) && !value.words.is_empty());
    files.extend(said.map(|value| PathBuf::from(&value.words)));
    files.extend(options.credentials.clone());
    files.push(options.key_file.clone().unwrap_or_else(|| default_key_file(&options.data)));
    files
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::reach;
    use std::fs;
    use std::io::ErrorKind;
    use std::process::Command;

    /// T-AS-5
    #[test]
    fn b24_t_as_5_what_is_not_its_own_is_closed_and_the_rest_goes_on() {
        if !kernel_confines_files() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["keep", "tls", "elsewhere"] {
            fs::create_dir(at(folder)).unwrap();
        }
        fs::write(at("elsewhere/secret"), "x").unwrap();
        fs::write(at("tls/key.pem"), "x").unwrap();
        fs::write(at("testkeep.key"), "x").unwrap();
        fs::write(at("token"), "x").unwrap();
        let pairs = [
            ("data", at("data")),
            ("tls_certificate", at("tls/certificate.pem")),
            ("tls_key", at("tls/key.pem")),
            ("backup_roots", at("keep")),
            ("key_file", at("testkeep.key")),
            ("metrics_token_file", at("token")),
        ];
        let flags = pairs.map(|(name, path)| (name.to_owned(), path.display().to_string()));
        let options = Options::load(&flags, []).unwrap();

        let refused =
            |outcome: std::io::Result<()>| outcome.unwrap_err().kind() == ErrorKind::PermissionDenied;
        let read = |path: PathBuf| fs::read(path).map(drop);
        let write = |path: PathBuf| fs::write(path, "x");
        // Landlock holds for a thread and those that come from it, so the others of this test stay free.
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                assert!(close(&options).unwrap());
                assert!(refused(read(at("elsewhere/secret"))));
                assert!(refused(read("/etc/passwd".into())));
                assert!(refused(write(at("elsewhere/new"))));
                assert!(refused(write(at("tls/key.pem"))));
                assert!(refused(fs::remove_file(at("elsewhere/secret"))));
                reach::ends_at(writable_roots(&options));
                let said = durable::create(&at("elsewhere/new"), b"x").unwrap_err();
                assert!(
                    said.sentence().contains("outside of the folders this program may write to"),
                    "{said:?}"
                );
                assert!(said.hint_text().unwrap().contains("`backup_roots`"), "{said:?}");
                assert!(refused(Command::new("/bin/true").status().map(drop)), "only itself can be started");

                write(at("data/database")).unwrap();
                fs::create_dir_all(at("keep/a/b")).unwrap();
                write(at("keep/a/b/c")).unwrap();
                fs::rename(at("keep/a/b/c"), at("keep/a/c")).unwrap();
                // As somebody who renews a certificate does it.
                read(at("tls/key.pem")).unwrap();
                read(at("testkeep.key")).unwrap();
                read(at("token")).unwrap();
                read("/etc/hosts".into()).unwrap();
                let itself = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
                assert!(itself.status.success(), "{itself:?}");
            });
            inside.join().unwrap();
        });
        assert!(read(at("elsewhere/secret")).is_ok());
    }
}
