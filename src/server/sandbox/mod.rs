//! The sandbox: what the server gives up for good before it answers, so that a flaw in it reaches less.
//!
//! Files by Landlock, system calls by seccomp, new privileges not at all. It holds for a thread and all that come
//! from it, children too, cannot be taken off, and comes on top of what a service manager or a container does.
//! The command `serve` enters it with the thread that makes all others. Its first thread stays outside of the
//! part for files: it only waits until the program begins anew, which a program locked in could not: rules would
//! pile up from start to start, and a newer program would live under those of an older one. Tests that start a
//! server inside themselves have no sandbox.

mod calls;
mod files;

use crate::kernel::error::{Error, Result};
use crate::kernel::options::{Options, Sandboxing};
use crate::kernel::reach;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::sync::OnceLock;
use tracing::{info, warn};

pub use files::kernel_confines_files;

/// Set by a process that begins anew and whose filter of system calls goes along.
const HANDED_ON: &str = "TESTKEEP_CALLS_FILTERED";

/// The word for files that are closed.
pub const FILES: &str = "files";
/// The word for system calls that are closed.
pub const CALLS: &str = "calls";

static IN_FORCE: OnceLock<InForce> = OnceLock::new();

/// What this process has given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InForce {
    /// Whether Landlock confines the files; an old kernel has none.
    pub files: bool,
    /// Whether seccomp refuses system calls that no server needs.
    pub calls: bool,
}

impl InForce {
    /// As people read it.
    pub fn sentence(self) -> &'static str {
        match (self.files, self.calls) {
            (true, true) => "Files outside of its own and dangerous system calls are closed to it.",
            (true, false) => {
                "Files outside of its own are closed to it; this kernel filters no system calls."
            }
            (false, true) => {
                "Dangerous system calls are closed to it; this kernel has no Landlock for files."
            }
            (false, false) => "This kernel offers none.",
        }
    }

    /// The same for the doctor, who asks from another process.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [(self.files, FILES), (self.calls, CALLS)]
            .into_iter()
            .filter_map(|(is_closed, word)| is_closed.then_some(word))
    }

    /// Whether nothing is missing.
    pub fn is_whole(self) -> bool {
        self.files && self.calls
    }
}

/// What is in force in this process; none if the sandbox was never entered.
pub fn in_force() -> Option<InForce> {
    IN_FORCE.get().copied()
}

/// Keys are in memory, so no dump of it may reach a disk and no neighbour may look into it.
pub fn keep_memory_private() {
    // Where the system refuses, it has a reason that is stronger than ours, and the service says LimitCORE=0.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Whether dangerous system calls are refused in this process.
#[derive(Clone, Copy, Debug)]
pub struct Calls(bool);

/// Refuses dangerous system calls to this thread and all that come from it.
pub fn filter_calls(options: &Options) -> Calls {
    if options.sandbox == Sandboxing::Off {
        return Calls(false);
    }
    // A filter stays with a process that begins anew, and each further one makes every call slower.
    if std::env::var_os(HANDED_ON).is_some() && calls::is_filtered() {
        return Calls(true);
    }
    let closed = calls::close();
    if let Err(reason) = &closed {
        warn!(reason, "system calls are not filtered");
    }
    Calls(closed.is_ok())
}

/// What a process that begins anew must know of its predecessor.
pub fn handed_on() -> Option<(&'static str, &'static str)> {
    in_force().is_some_and(|in_force| in_force.calls).then_some((HANDED_ON, "yes"))
}

/// Closes all files that a server with these options does not need, to this thread and all that come from it.
///
/// Errors: `Busy` if all of the sandbox is required and the kernel lacks a part.
pub fn enter(options: &Options, Calls(calls): Calls) -> Result<()> {
    if options.sandbox == Sandboxing::Off {
        info!("the sandbox is switched off");
        return Ok(());
    }
    let files = files::close(options)?;
    let in_force = InForce { files, calls };
    if options.sandbox == Sandboxing::Require && !in_force.is_whole() {
        return Err(Error::busy("The sandbox is required, and this kernel cannot build all of it.")
            .hint(format!("{} Set `sandbox` to `on` to go on with what there is.", in_force.sentence())));
    }
    if files {
        reach::ends_at(files::writable_roots(options));
    }
    info!(files, calls, "sandbox: {}", in_force.sentence());
    let _ = IN_FORCE.set(in_force);
    Ok(())
}
