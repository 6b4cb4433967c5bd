//! What can be seen without the key: files and their modes, the certificate, the machine.

use super::Check;
use crate::keeping::keys::kms::{KeyService, Patience};
use crate::kernel::error::Result;
use crate::kernel::hold;
use crate::kernel::keyring::{SlotKind, default_key_file, kms_of, slots_of};
use crate::kernel::limits;
use crate::kernel::modes;
use crate::kernel::options::{Options, Sandboxing};
use crate::kernel::time::{Clock, Timestamp};
use crate::server::{sandbox, tls};
use rustix::process::{Resource, geteuid, getrlimit};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// 2025-01-01: no instance is older than its program.
const EARLIEST: Timestamp = Timestamp(1_735_689_600_000);
/// 2100-01-01: a clock that shows more is wrong.
const LATEST: Timestamp = Timestamp(4_102_444_800_000);

const KEY_SERVICE: &str = "key service";

/// Everything that needs no key.
pub fn checks(options: &Options) -> Vec<Check> {
    let mut checks = vec![folder(&options.data)];
    if !options.data.exists() {
        return checks;
    }
    let loose = modes::loose(options).into_iter();
    checks.extend(loose.map(|loose| Check::warn("modes", loose.to_string(), loose.mend)));
    checks.extend([server(&options.data), key(options), slots(&options.data)]);
    checks.extend(key_service(options).unwrap_or_else(|reason| Some(Check::failed(KEY_SERVICE, &reason))));
    checks.extend([certificate(options), disk(&options.data), descriptors(), clock(), locked_in(options)]);
    checks
}

fn folder(data: &Path) -> Check {
    let shown = data.display();
    let Ok(about) = fs::metadata(data) else {
        return Check::bad(
            "data folder",
            format!("{shown} is not there."),
            "Name the folder with --data, or make an instance with `testkeep serve`.",
        );
    };
    let mode = about.mode() & 0o777;
    // Root works as the owner.
    if about.uid() != geteuid().as_raw() && !geteuid().is_root() {
        let who =
            format!("{shown} belongs to user {}, and this is user {}.", about.uid(), geteuid().as_raw());
        return Check::warn("data folder", who, "Run the program as the user that owns the folder.");
    }
    Check::ok("data folder", format!("{shown}, mode {mode:03o}"))
}

fn server(data: &Path) -> Check {
    match hold::holder(data) {
        Some(process) => Check::ok("server", format!("It runs, as process {process}.")),
        None => Check::ok("server", "It is stopped."),
    }
}

/// Whether the key lies where it should. Whether it fits is seen when the instance is opened.
fn key(options: &Options) -> Check {
    if options.passphrase_fd.is_some() {
        return Check::ok("key", "A passphrase is handed over.");
    }
    let path = options.key_file.clone().unwrap_or_else(|| default_key_file(&options.data));
    let shown = path.display();
    let Ok(about) = fs::metadata(&path) else {
        return match options.credentials.is_some() || slots_of(&options.data).is_ok_and(opens_without_file) {
            true => Check::ok("key", "There is no key file; the instance opens in another way."),
            false => Check::bad(
                "key",
                format!("The key file {shown} is not there."),
                "Put it back from where you keep its copy, or open the instance with its recovery kit.",
            ),
        };
    };
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if absolute(&path).starts_with(absolute(&options.data)) {
        let said = format!("The key file {shown} lies inside the data folder, so a copy has both.");
        return Check::bad("key", said, "Move it out of the folder and name it with `key_file`.");
    }
    let mode = about.mode() & 0o777;
    if mode & 0o077 != 0 {
        let said = format!("Other accounts may read the key file {shown} (mode {mode:03o}).");
        return Check::bad("key", said, format!("chmod 600 {shown}"));
    }
    Check::ok("key", format!("{shown}, mode {mode:03o}; keep a copy away from this machine"))
}

fn opens_without_file(slots: Vec<SlotKind>) -> bool {
    slots.iter().any(|slot| matches!(slot, SlotKind::Passphrase | SlotKind::Credential | SlotKind::Kms))
}

/// Whether the key service still decrypts what opens this instance; nothing where neither side knows of one.
fn key_service(options: &Options) -> Result<Option<Check>> {
    let note = kms_of(&options.data)?;
    let (kms, note) = match (&options.kms, note) {
        (None, None) => return Ok(None),
        (Some(kms), Some(note)) => (kms, note),
        (None, Some(note)) => {
            let said =
                format!("The keyring is bound to the key `{}`, and no option names its service.", note.key);
            let now = "Set `kms_address` and the options beside it, or: testkeep key remove kms";
            return Ok(Some(Check::warn(KEY_SERVICE, said, now)));
        }
        (Some(kms), None) => {
            let said = format!("{} is set, and nothing of this instance depends on it.", kms.address);
            return Ok(Some(Check::warn(KEY_SERVICE, said, "Bind the instance to it: testkeep key set-kms")));
        }
    };
    KeyService::new(kms, options.credentials.as_deref(), Patience::Command)?.secret(&note)?;
    let said = format!("{} decrypts what opens this instance, with its key `{}`.", kms.address, note.key);
    Ok(Some(Check::ok(KEY_SERVICE, said)))
}

fn slots(data: &Path) -> Check {
    match slots_of(data) {
        Ok(slots) if slots.len() < 2 => Check::warn(
            "keyring",
            "There is only one way to open this instance.",
            "Add another one: testkeep key set-file, or testkeep key set-passphrase.",
        ),
        Ok(slots) => {
            let ways: Vec<&str> = slots.into_iter().map(SlotKind::spoken).collect();
            Check::ok("keyring", format!("It opens with {}.", ways.join(" or ")))
        }
        Err(reason) => Check::failed("keyring", &reason),
    }
}

fn certificate(options: &Options) -> Check {
    if options.cleartext_behind_proxy {
        return Check::ok("certificate", "A proxy on this machine does the TLS.");
    }
    match tls::on_disk(options) {
        Ok(None) => Check::ok("certificate", "The first start of the server makes one."),
        Ok(Some(pair)) => {
            let (left, end) = (pair.days_left(Clock::System.now()), pair.not_after);
            let now = "Put a new pair in its place; a running server takes it over by itself.";
            match left {
                ..0 => Check::bad("certificate", format!("It ended at {end}."), now),
                0..=limits::CERTIFICATE_WARNING_DAYS if options.tls_files.is_some() => {
                    Check::warn("certificate", format!("It ends in {left} days, at {end}."), now)
                }
                _ => Check::ok("certificate", format!("good until {end}, SHA-256 {}", pair.fingerprint)),
            }
        }
        Err(reason) => Check::failed("certificate", &reason),
    }
}

fn disk(data: &Path) -> Check {
    let Ok(about) = rustix::fs::statvfs(data) else {
        return Check::warn(
            "disk",
            "How much is free cannot be told.",
            "Look at the disk of the data folder.",
        );
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let said = format!("{} are free.", bytesize::ByteSize(free));
    let now = "Free some space: at the end of it nothing more can be written.";
    if free < limits::DISK_FREE_BYTES_BAD {
        Check::bad("disk", said, now)
    } else if free < limits::DISK_FREE_BYTES_WARNING {
        Check::warn("disk", said, now)
    } else {
        Check::ok("disk", said)
    }
}

fn descriptors() -> Check {
    match getrlimit(Resource::Nofile).current {
        Some(few) if few < limits::DESCRIPTORS_MIN => Check::warn(
            "descriptors",
            format!("A process may open {few} files; {} are better.", limits::DESCRIPTORS_MIN),
            "Raise LimitNOFILE of the service, or `ulimit -n` in the shell.",
        ),
        Some(many) => Check::ok("descriptors", format!("A process may open {many} files.")),
        None => Check::ok("descriptors", "A process may open as many files as it likes."),
    }
}

fn clock() -> Check {
    let now = Clock::System.now();
    if (EARLIEST..LATEST).contains(&now) {
        return Check::ok("clock", format!("It shows {now}."));
    }
    let to_do = "Set it: codes of the second factor and certificates go by it.";
    Check::bad("clock", format!("It shows {now}."), to_do)
}

/// What is done where files stay open.
const FILES_OPEN: &str = "Leave files to the service manager or the container; Linux 5.13 and newer have Landlock, if nothing refuses it.";

/// What the running server has closed to itself, or what one could close on this machine.
fn locked_in(options: &Options) -> Check {
    const ABOUT: &str = "sandbox";
    if options.sandbox == Sandboxing::Off {
        return Check::warn(ABOUT, "It is switched off.", "Set the option `sandbox` to on.");
    }
    let server = hold::holder(&options.data).map(|_| hold::noted(&options.data));
    let Some(noted) = server else {
        return match sandbox::kernel_confines_files() {
            true => Check::ok(ABOUT, "This kernel can lock the server in: files and system calls."),
            false => Check::warn(
                ABOUT,
                "This kernel has no Landlock, so only system calls are closed, and files are not.",
                FILES_OPEN,
            ),
        };
    };
    let has = |word: &str| noted.iter().any(|noted| noted.words.iter().any(|found| found == word));
    match (has(sandbox::FILES), has(sandbox::CALLS)) {
        (true, true) => Check::ok(ABOUT, "The running server is locked in: files and system calls."),
        (false, true) => Check::warn(
            ABOUT,
            "The running server has closed dangerous system calls to itself, and not its files.",
            FILES_OPEN,
        ),
        (_, false) => Check::warn(
            ABOUT,
            "The running server has not closed dangerous system calls to itself.",
            "Start it again with the option `sandbox` on, and look at what it logs.",
        ),
    }
}
