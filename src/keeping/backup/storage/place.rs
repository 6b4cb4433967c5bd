//! Place: the address of a backup target, parsed. It never holds a secret, so it may stand anywhere.

use super::access::{Access, Limits};
use super::address::{decode, encode, holds_secret, host_and_port, path, web};
use super::bucket::S3Place;
use super::folder::Folder;
use super::rest::Rest;
use super::s3::S3;
use super::sftp::Sftp;
use super::webdav::WebDav;
use crate::keeping::backup::target::Target;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Where objects go. `parse` and `to_string` are each other's reverse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// An account on an SSH server.
    Sftp(SftpPlace),
    /// A bucket of an S3-compatible store, or a prefix in one.
    S3(S3Place),
    /// A WebDAV collection: `http` or `https`.
    WebDav(Url),
    /// A repository on restic's rest-server: `http` or `https`.
    Rest(Url),
}

/// `sftp://user@host[:port]/path`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SftpPlace {
    /// Who signs in.
    pub user: String,
    /// Name or address, IPv6 in brackets.
    pub host: String,
    /// 22 unless it was named.
    pub port: u16,
    /// Without slashes at its ends; empty is the top.
    pub path: String,
    /// Whether the path begins at the home folder of the account (`/~/…`) and not at the root.
    pub is_below_home: bool,
}

impl Place {
    /// A folder, by its whole path.
    pub fn folder(folder: &Path) -> Result<Place> {
        let plain: PathBuf = folder.components().collect();
        let is_text =
            plain.to_str().is_some_and(|text| text.trim() == text && !text.chars().any(char::is_control));
        let is_direct = plain.components().all(|part| !matches!(part, Component::ParentDir));
        if !is_text || !folder.is_absolute() || !is_direct {
            return Err(Error::invalid(format!("{} is not the whole path of a folder.", folder.display()))
                .hint("Begin at `/`, without `..` and without spaces at the end, such as /mnt/keep."));
        }
        Ok(Place::Folder(plain))
    }

    /// The kind in a word: `folder`, `sftp`, `s3`, `webdav` or `rest`.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Folder(_) => "folder",
            Place::Sftp(_) => "sftp",
            Place::S3(_) => "s3",
            Place::WebDav(_) => "webdav",
            Place::Rest(_) => "rest",
        }
    }

    /// Who is shown the secrets: protocol, user, host and port, without the path.
    pub fn server(&self) -> String {
        match self {
            Place::Folder(_) => String::new(),
            Place::Sftp(at) => format!("sftp://{}@{}:{}", at.user, at.host, at.port),
            Place::S3(at) => at.endpoint.origin().ascii_serialization(),
            Place::WebDav(url) | Place::Rest(url) => url.origin().ascii_serialization(),
        }
    }

    /// The path, if it is a folder of this machine.
    pub fn as_folder(&self) -> Option<&Path> {
        if let Place::Folder(folder) = self { Some(folder) } else { None }
    }

    /// The storage behind this address. Touches nothing yet: neither disk nor network.
    pub fn open(&self, access: &Access, limits: Limits) -> Result<Target> {
        limits.check()?;
        match (self, access) {
            (Place::Folder(folder), Access::Open) => Ok(Target::of(Folder::within(folder, limits))),
            (Place::S3(at), Access::S3(keys)) => {
                Ok(Target::of(S3::open(at, keys, limits, self.to_string())?))
            }
            (Place::Sftp(at), Access::Ssh(ssh)) => {
                Ok(Target::of(Sftp::open(at, ssh, limits, self.to_string())?))
            }
            (Place::WebDav(url), Access::Web(web)) => {
                Ok(Target::of(WebDav::open(url, web, limits, self.to_string())?))
            }
            (Place::Rest(url), Access::Web(web)) => {
                Ok(Target::of(Rest::open(url, web, limits, self.to_string())?))
            }
            _ => Err(self.misfit(access)),
        }
    }

    fn misfit(&self, access: &Access) -> Error {
        let (needs, hint) = match self {
            Place::Folder(_) => ("a folder", "Name no user and no key: the folder's own permissions decide."),
            Place::Sftp(_) => {
                ("an SFTP target", "Give a password or a private key, and confirm the host key.")
            }
            Place::S3(_) => ("an S3 target", "Give an access key and its secret."),
            Place::WebDav(_) => ("a WebDAV target", "Give a user and a password."),
            Place::Rest(_) => ("a rest-server target", "Give a user and a password."),
        };
        Error::invalid(format!("The credentials are {}; {self} is {needs}.", access.kind())).hint(hint)
    }
}

impl FromStr for Place {
    type Err = Error;

    /// Reads an address. Errors never repeat it: somebody may have put a password in.
    fn from_str(text: &str) -> Result<Place> {
        let text = text.trim();
        if text.chars().count() > limits::TARGET_ADDRESS_CHARS_MAX {
            let max = limits::TARGET_ADDRESS_CHARS_MAX;
            return Err(Error::too_large(format!("The address is longer than {max} characters.")));
        }
        if text.starts_with('/') {
            return Place::folder(Path::new(text));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Place::folder(Path::new(&decode(rest, "path")?)),
            "sftp" => sftp(rest).map(Place::Sftp),
            "s3" => rest.parse().map(Place::S3),
            "webdav+https" => web("https", rest).map(Place::WebDav),
            "webdav+http" => web("http", rest).map(Place::WebDav),
            "rest+https" => web("https", rest).map(Place::Rest),
            "rest+http" => web("http", rest).map(Place::Rest),
            "https" | "http" => {
                Err(Error::invalid("The address does not say which protocol the server speaks.")
                    .hint("Write webdav+https://…, rest+https://…, or s3://bucket?endpoint=https://…."))
            }
            _ => Err(unknown()),
        }
    }
}

fn unknown() -> Error {
    Error::invalid("This is no address of a backup target.").hint(
        "Write a whole path such as /mnt/keep, or sftp://user@host/path, \
         s3://bucket/prefix?endpoint=https://host, webdav+https://host/path or rest+https://host/path.",
    )
}

fn sftp(rest: &str) -> Result<SftpPlace> {
    let (authority, below) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').ok_or_else(|| {
        Error::invalid("The address names no user.")
            .hint("Write it like sftp://backup@keep.example/srv/testkeep.")
    })?;
    if user.contains(':') {
        return Err(holds_secret());
    }
    let user = decode(user, "user")?;
    if user.is_empty() {
        return Err(Error::invalid("The user in the address is empty."));
    }
    let (host, port) = host_and_port(host)?;
    let home = below.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = path(home.unwrap_or(below), "path")?;
    Ok(SftpPlace { user, host, port: port.unwrap_or(22), path, is_below_home: home.is_some() })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(folder) => write!(f, "{}", folder.display()),
            Place::Sftp(at) => write!(f, "{at}"),
            Place::S3(at) => write!(f, "{at}"),
            Place::WebDav(url) => write!(f, "webdav+{url}"),
            Place::Rest(url) => write!(f, "rest+{url}"),
        }
    }
}

impl fmt::Display for SftpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A colon would look like a password.
        let user = encode(&self.user).replace(':', "%3A").replace('/', "%2F");
        write!(f, "sftp://{user}@{}", self.host)?;
        if self.port != 22 {
            write!(f, ":{}", self.port)?;
        }
        match (self.is_below_home, self.path.as_str()) {
            (true, "") => f.write_str("/~"),
            (true, path) => write!(f, "/~/{}", encode(path)),
            // Encoded, so that it is not taken for the home folder.
            (false, path) if path.starts_with('~') => write!(f, "/%7E{}", encode(&path[1..])),
            (false, path) => write!(f, "/{}", encode(path)),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
