//! Parts of addresses: percent signs, host names, ports. Knows no kind of target.

use crate::kernel::error::{Error, Result};
use reqwest::Url;
use std::net::{IpAddr, Ipv6Addr};

/// Writes text as a part of an address: everything but plain letters, digits and some signs becomes `%XX`.
pub fn encode(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written += &format!("%{byte:02X}");
        }
    }
    written
}

/// Reads what [`encode`] writes, and what browsers and people write.
pub fn decode(text: &str, what: &str) -> Result<String> {
    let wrong = || {
        Error::invalid(format!("The {what} of the address holds a `%` without two hexadecimal digits."))
            .hint("Write a percent sign itself as `%25`.")
    };
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok()).ok_or_else(wrong)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(wrong)?);
        rest = &rest[2..];
    }
    let decoded = String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    decoded.ok_or_else(|| {
        Error::invalid(format!("The {what} of the address is not plain text in UTF-8."))
            .hint("Type it anew; control characters are not allowed.")
    })
}

/// Reads a path: no empty parts, no `.` and no `..`. Answers it without slashes at either end.
pub fn path(text: &str, what: &str) -> Result<String> {
    let path = decode(text.trim_matches('/'), what)?;
    if !path.is_empty() && path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::invalid(format!(
            "The {what} of the address has an empty part, `.` or `..` in it."
        ))
        .hint("Name it directly."));
    }
    Ok(path)
}

/// Splits `host:port`, `[::1]:port` or a bare host, in small letters.
pub fn host_and_port(text: &str) -> Result<(String, Option<u16>)> {
    let wrong = |what: &str| {
        Error::invalid(format!("The address has no {what}."))
            .hint("Write it like sftp://backup@keep.example:22/srv/testkeep.")
    };
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, after)) => {
            let inner: Ipv6Addr = inner.parse().map_err(|_| wrong("readable IPv6 address"))?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("?")) };
            (format!("[{inner}]"), port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (text.to_ascii_lowercase(), None),
        },
    };
    let is_host = host.starts_with('[')
        || (!host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)));
    if !is_host {
        return Err(wrong("host name of plain letters, digits, dots and hyphens"));
    }
    let read = |port: &str| match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(wrong("port between 1 and 65535 after its colon")),
    };
    Ok((host, port.map(read).transpose()?))
}

/// Whether a host is this machine itself: only there a connection may go without TLS.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address of a web server: `https`, or `http` to this machine itself. Without user, query and fragment.
pub fn web(scheme: &str, rest: &str) -> Result<Url> {
    let unreadable = || {
        Error::invalid("The server in the address cannot be read.")
            .hint("Write it like webdav+https://keep.example/backups.")
    };
    let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| unreadable())?;
    let host = url.host_str().ok_or_else(unreadable)?.to_owned();
    if !url.username().is_empty() || url.password().is_some() {
        return Err(holds_secret());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::invalid("The address has a `?` or a `#` in it.").hint("End it with its path."));
    }
    if scheme == "http" && !is_loopback(&host) {
        return Err(Error::invalid("Without TLS a target may only be on this machine itself.")
            .hint("Use https; a private authority can be given as a certificate."));
    }
    let below = path(url.path(), "path")?;
    url.set_path(&encode(&below));
    Ok(url)
}

/// Somebody wrote a credential into an address.
pub fn holds_secret() -> Error {
    Error::invalid("The address holds a user with a password, or a user where none belongs.")
        .hint("Addresses are shown and logged. Give name and password apart from it.")
}
