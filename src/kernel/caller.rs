//! Caller: under which account a command works.
//!
//! A server has an account of its own, and root gives it commands. What root made in the data folder or at a target, a
//! server of that account could not open. So a command of root takes on the account that owns the data folder, and is
//! root again only for what that account may not do: read the key, exchange the program, write where root points to.

use super::error::{Error, Result};
use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgid, getuid, initgroups, setegid, seteuid, setgroups,
};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Takes on the account that owns a data folder, where root calls and the folder is not root's. Once is enough.
///
/// Errors: where the system does not let it; nothing was touched then.
pub fn act_as_owner_of(data: &Path) -> Result<()> {
    // A folder that is not there yet is the caller's.
    let Ok(about) = fs::metadata(data) else { return Ok(()) };
    if !geteuid().is_root() || about.uid() == 0 {
        return Ok(());
    }
    let (owner, own) = (Uid::from_raw(about.uid()), Gid::from_raw(about.gid()));
    let (name, group) = match User::from_uid(owner) {
        Ok(Some(user)) => (CString::new(user.name).ok(), user.gid),
        _ => (None, own),
    };
    // A target may be open to one of its other groups.
    let joined = name.map_or_else(|| setgroups(&[group]), |name| initgroups(&name, group));
    joined.and_then(|()| setegid(group)).and_then(|()| seteuid(owner)).map_err(|cause| refused(owner, &cause))
}

/// Does something as whoever called the program. For the whole process: nothing else is to make files meanwhile.
pub fn as_caller<T>(work: impl FnOnce() -> T) -> Result<T> {
    let ((acting, group), caller) = ((geteuid(), getegid()), getuid());
    if acting == caller {
        return Ok(work());
    }
    // Only root may change the group: it is the first that comes and the last that goes.
    seteuid(caller).and_then(|()| setegid(getgid())).map_err(|cause| refused(caller, &cause))?;
    let done = work();
    setegid(group).and_then(|()| seteuid(acting)).map_err(|cause| refused(acting, &cause))?;
    Ok(done)
}

fn refused(account: Uid, cause: &nix::Error) -> Error {
    Error::forbidden(format!("This process could not take on the account {account}: {cause}."))
        .hint("Run the command as the user that owns the data folder.")
}
