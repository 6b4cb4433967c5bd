//! Names: under which names somebody may reach this host.

use crate::kernel::error::{Error, Result};
use crate::kernel::options::Options;
use std::collections::HashSet;
use std::fs;

/// Every name, as far as we know: for certificates that nobody outside has to believe.
pub fn of_this_host(options: &Options) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    // The second place is for services that see nothing of the kernel but their own processes.
    let host =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let host = host.as_deref().unwrap_or_default().trim();
    if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') {
        names.push(host.to_ascii_lowercase());
    }
    let listening = options.listen.iter().chain(options.admin.iter().map(|admin| &admin.listen));
    let bound = listening.map(|at| at.ip()).filter(|ip| !ip.is_unspecified());
    names.extend(public(options).into_iter().chain(bound.map(|ip| ip.to_string())));
    names.extend(options.tls_names.clone());
    let mut known = HashSet::new();
    names.retain(|name| !name.is_empty() && known.insert(name.clone()));
    names
}

/// The names to ask a directory for.
pub(super) fn to_ask_for(options: &Options) -> Result<Vec<String>> {
    let said = options.acme.iter().flat_map(|acme| acme.names.clone()).collect::<Vec<_>>();
    let names = match said.is_empty() {
        true => public(options).into_iter().chain(options.tls_names.clone()).collect(),
        false => said,
    };
    if names.is_empty() {
        return Err(Error::invalid("A directory is set, and no name to ask it for.")
            .hint("Set `acme_names` to the host names of this instance, or `public_url`."));
    }
    if let Some(name) = names.iter().find(|name| name.contains('*')) {
        return Err(Error::invalid(format!("The directory cannot be asked for {name}.")).hint(
            "A name with a star is proved in the domain name system only; name the hosts one by one.",
        ));
    }
    Ok(names)
}

fn public(options: &Options) -> Option<String> {
    options.public_url.as_ref().map(|url| host_of(url.authority()).to_owned())
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}
