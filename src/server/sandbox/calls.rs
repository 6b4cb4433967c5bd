//! System calls that no server needs and that turn a small flaw into a large one.
//!
//! A list of what is refused, not of what is allowed: a library that is updated may need another harmless call,
//! and a refused one would break it in the night. The service's own filter, see `systemd/`, is a list of what is
//! allowed.

use seccompiler::{apply_filter, compile_from_json};
use serde_json::{Value, json};
use std::env::consts::ARCH;

/// Refused with EPERM.
const REFUSED: &[&str] = &[
    // Looking into and steering other processes.
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    // File systems and roots.
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "open_by_handle_at",
    "swapon",
    "swapoff",
    "quotactl",
    "acct",
    // The kernel itself.
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "syslog",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    // Keys of the kernel, names, clocks.
    "add_key",
    "request_key",
    "keyctl",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    // Namespaces and personalities.
    "unshare",
    "setns",
    "personality",
    "vhangup",
];

/// Refused with EPERM where they exist.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[&str] = &["iopl", "ioperm", "modify_ldt", "uselib"];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[&str] = &[];

/// Flags of `clone` that make a namespace: mounts, control groups, names, messages, users, processes, networks.
const NAMESPACES: [u64; 7] =
    [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Refuses them from now on, to this thread and all that come from it.
///
/// Errors: what the kernel said.
pub(super) fn close() -> Result<(), String> {
    let arch = ARCH.try_into().map_err(|reason| format!("{reason}"))?;
    let filters =
        compile_from_json(rules().to_string().as_bytes(), arch).map_err(|reason| reason.to_string())?;
    filters.values().try_for_each(|filter| apply_filter(filter).map_err(|reason| reason.to_string()))
}

/// Whether the kernel filters calls of this process, by whichever rules.
pub(super) fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

fn rules() -> Value {
    let plain = REFUSED.iter().chain(REFUSED_HERE).map(|call| json!({ "syscall": call }));
    let clones = NAMESPACES.iter().map(|flag| {
        let has_flag = json!({ "index": 0, "type": "qword", "op": { "masked_eq": flag }, "val": flag });
        json!({ "syscall": "clone", "args": [has_flag] })
    });
    // The arguments of clone3 lie in memory, where a filter cannot look. Told that there is none, the C library
    // takes clone.
    let absent = json!([{ "syscall": "clone3" }]);
    json!({
        "refused": allow_but(EPERM, &plain.chain(clones).collect::<Vec<_>>().into()),
        "absent": allow_but(ENOSYS, &absent),
    })
}

fn allow_but(errno: u32, calls: &Value) -> Value {
    json!({ "mismatch_action": "allow", "match_action": { "errno": errno }, "filter": calls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_list_is_known_and_refused() {
        // In a thread of its own: the filter stays with it for good.
        let outcome = std::thread::spawn(|| {
            close().unwrap();
            let refused = rustix::process::chroot("/").unwrap_err();
            let child = std::process::Command::new("true").status();
            (refused, child.is_ok_and(|status| status.success()))
        });
        let (refused, started) = outcome.join().unwrap();
        assert_eq!(refused, rustix::io::Errno::PERM);
        assert!(started, "children can still be started");
    }
}
