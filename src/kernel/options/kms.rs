//! Options of a key service: where it is, which of its keys is ours, and how we show who we are.

use super::{Value, named, one, path, wrong};
use crate::kernel::error::{Error, Result};
use std::path::PathBuf;

/// A key service that speaks as Vault's transit engine does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kms {
    /// Its address, without a slash at the end.
    pub address: String,
    /// Name of the key there.
    pub key: String,
    /// Where the transit engine is mounted.
    pub mount: String,
    /// Namespace, if the service has any.
    pub namespace: Option<String>,
    /// What shows who we are.
    pub identity: KmsIdentity,
    /// Authority that signed its certificate, if it is a private one.
    pub authority: Option<PathBuf>,
}

/// What shows a key service who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KmsIdentity {
    /// A token, in this file.
    Token(PathBuf),
    /// A role (AppRole) that signs in anew each time.
    Role {
        /// Id of the role.
        id: String,
        /// File with its secret id.
        secret_file: PathBuf,
        /// Where the method is mounted.
        mount: String,
    },
}

/// What the options say of a key service; none while none is named.
pub(super) fn kms(values: &[Value]) -> Result<Option<Kms>> {
    let said = |name: &str| one(named(values, name), word);
    let Some(address) = one(named(values, "kms_address"), address)? else { return Ok(None) };
    let role = (said("kms_role_id")?, path(values, "kms_secret_id_file"));
    let identity = match (path(values, "kms_token_file"), role) {
        (Some(file), (None, None)) => KmsIdentity::Token(file),
        (None, (Some(id), Some(secret_file))) => {
            KmsIdentity::Role { id, secret_file, mount: said("kms_role_mount")?.unwrap_or_default() }
        }
        _ => {
            return Err(Error::invalid(
                "What shows the key service who we are is missing, or there is too much of it.",
            )
            .hint("Set `kms_token_file`, or both `kms_role_id` and `kms_secret_id_file`."));
        }
    };
    let needed = |name: &str| said(name)?.ok_or_else(|| wrong(named(values, name), ""));
    Ok(Some(Kms {
        address,
        key: needed("kms_key")?,
        mount: needed("kms_mount")?,
        namespace: said("kms_namespace")?,
        identity,
        authority: path(values, "kms_ca"),
    }))
}

/// `https://host[:port]`; plain HTTP only where nobody listens between: on this machine.
fn address(word: &str) -> Option<String> {
    let address = word.trim_end_matches('/');
    let secure = address.strip_prefix("https://");
    let here = address.strip_prefix("http://").filter(|authority| {
        let host = authority.rsplit_once(':').map_or(*authority, |(host, _)| host);
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
    });
    let authority = secure.or(here)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (!authority.is_empty() && authority.bytes().all(is_plain)).then(|| address.to_owned())
}

/// A name or a path of names, as it may stand in an address.
fn word(word: &str) -> Option<String> {
    let word = word.trim_matches('/');
    let is_plain = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    word.split('/').all(is_plain).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in ["https://kms.example:8200", "https://[2001:db8::1]:8200/", "http://127.0.0.1:8200"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in ["http://kms.example:8200", "https://", "https://kms/v1", "kms:8200", "https://a@b"] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert_eq!(word("team/transit/"), Some("team/transit".to_owned()));
        assert!([word("a b"), word("../x"), word("a//b"), word("")].iter().all(Option::is_none));
    }
}
