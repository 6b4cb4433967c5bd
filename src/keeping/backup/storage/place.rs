//! Place: the address of a backup target, parsed. It never holds a secret, so it may stand anywhere.

use super::access::{Access, Limits};
use super::address::{decode, encode, host_and_port, is_loopback, path};
use super::folder::Folder;
use super::s3::S3;
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

/// `s3://bucket/prefix?endpoint=https://host&region=…&style=path`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Place {
    /// Name of the bucket.
    pub bucket: String,
    /// Without slashes at its ends; empty is the whole bucket.
    pub prefix: String,
    /// Server of the store.
    pub endpoint: Url,
    /// Region that signs.
    pub region: String,
    /// Whether the bucket stands in the path of a request, and not in its host name.
    pub is_path_style: bool,
    /// How long each object is to be locked when it is stored.
    pub retain: Option<Retain>,
}

/// A lock on each object that is stored: `retain=governance-30` or `retain=compliance-30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Retain {
    /// Whether nobody at all may lift it, and not only those without a special permission.
    pub is_compliance: bool,
    /// Days from the moment of storing.
    pub days: u32,
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

    /// The path, if it is a folder of this machine.
    pub fn as_folder(&self) -> Option<&Path> {
        if let Place::Folder(folder) = self { Some(folder) } else { None }
    }

    /// The storage behind this address. Touches nothing yet: neither disk nor network.
    pub fn open(&self, access: &Access, limits: Limits) -> Result<Target> {
        limits.check()?;
        match (self, access) {
            (Place::Folder(folder), Access::Open) => Ok(Target::of(Folder::new(folder))),
            (Place::S3(at), Access::S3(keys)) => {
                Ok(Target::of(S3::open(at, keys, limits, self.to_string())?))
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
            "s3" => s3(rest).map(Place::S3),
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

fn holds_secret() -> Error {
    Error::invalid("The address holds a user with a password, or a user where none belongs.")
        .hint("Addresses are shown and logged. Give name and password apart from it.")
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

fn web(scheme: &str, rest: &str) -> Result<Url> {
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

fn s3(rest: &str) -> Result<S3Place> {
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = name.split_once('/').unwrap_or((name, ""));
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !is_bucket {
        if bucket.contains('@') {
            return Err(holds_secret());
        }
        return Err(Error::invalid(
            "The address names no bucket of 3 to 63 letters, digits, dots and hyphens.",
        )
        .hint("Write it like s3://bucket/prefix?endpoint=https://s3.keep.example&region=eu-west-1."));
    }
    let asked = S3Query::read(query)?;
    let has_endpoint = asked.endpoint.is_some();
    let region = asked.region.or_else(|| has_endpoint.then(|| "us-east-1".to_owned()));
    let region = region.ok_or_else(|| {
        Error::invalid("The address names neither an endpoint nor a region.")
            .hint("Add ?region=eu-central-1 for Amazon, or ?endpoint=https://… for any other store.")
    })?;
    let endpoint = asked.endpoint.map_or_else(|| amazon(&region), Ok)?;
    let is_path_style = asked.is_path_style.unwrap_or(endpoint != amazon(&region)?);
    let (bucket, prefix) = (bucket.to_owned(), path(prefix, "prefix")?);
    Ok(S3Place { bucket, prefix, endpoint, region, is_path_style, retain: asked.retain })
}

/// What may stand behind the `?` of an S3 address.
#[derive(Default)]
struct S3Query {
    endpoint: Option<Url>,
    region: Option<String>,
    is_path_style: Option<bool>,
    retain: Option<Retain>,
}

impl S3Query {
    fn read(query: &str) -> Result<S3Query> {
        let mut read = S3Query::default();
        for (name, value) in query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        {
            let value = decode(value, name)?;
            match (name, value.as_str()) {
                ("endpoint", text) => read.endpoint = Some(endpoint(text)?),
                ("region", text) => read.region = Some(region(text)?),
                ("style", "path") => read.is_path_style = Some(true),
                ("style", "host") => read.is_path_style = Some(false),
                ("retain", text) => read.retain = Some(retain(text)?),
                _ => {
                    return Err(Error::invalid("Behind the `?` of the address stands something unknown.")
                        .hint(
                            "There may be endpoint=https://host, region=name, style=path or style=host, \
                         and retain=governance-30 or retain=compliance-30. Keys do not belong there.",
                        ));
                }
            }
        }
        Ok(read)
    }
}

fn endpoint(text: &str) -> Result<Url> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| {
        Error::invalid("The endpoint in the address has no scheme.")
            .hint("Write it like https://s3.keep.example.")
    })?;
    let url = match scheme {
        "https" | "http" => web(scheme, rest)?,
        _ => return Err(Error::invalid("The endpoint in the address must begin with https://.")),
    };
    if url.path() != "/" {
        return Err(
            Error::invalid("The endpoint in the address has a path.").hint("Name its host and port only.")
        );
    }
    Ok(url)
}

fn region(text: &str) -> Result<String> {
    let is_region = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !is_region {
        return Err(Error::invalid("The region in the address is not a name such as eu-central-1."));
    }
    Ok(text.to_owned())
}

fn retain(text: &str) -> Result<Retain> {
    let (mode, days) = text.split_once('-').unwrap_or((text, ""));
    let is_compliance = match mode {
        "compliance" => Some(true),
        "governance" => Some(false),
        _ => None,
    };
    let days = days.parse::<u32>().ok().filter(|days| (1..=limits::TARGET_RETAIN_DAYS_MAX).contains(days));
    let both = is_compliance.zip(days).ok_or_else(|| {
        let max = limits::TARGET_RETAIN_DAYS_MAX;
        Error::invalid("The retention in the address cannot be read.")
            .hint(format!("Write retain=governance-30 or retain=compliance-30: a mode, and 1 to {max} days."))
    })?;
    Ok(Retain { is_compliance: both.0, days: both.1 })
}

fn amazon(region: &str) -> Result<Url> {
    Url::parse(&format!("https://s3.{region}.amazonaws.com")).map_err(Error::internal)
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

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", encode(&self.prefix))?;
        }
        let is_amazon = amazon(&self.region).is_ok_and(|url| url == self.endpoint);
        let mut sign = '?';
        if !is_amazon {
            write!(f, "?endpoint={}", self.endpoint.as_str().trim_end_matches('/'))?;
            sign = '&';
        }
        write!(f, "{sign}region={}", self.region)?;
        if self.is_path_style == is_amazon {
            write!(f, "&style={}", if self.is_path_style { "path" } else { "host" })?;
        }
        if let Some(Retain { is_compliance, days }) = self.retain {
            write!(f, "&retain={}-{days}", if is_compliance { "compliance" } else { "governance" })?;
        }
        Ok(())
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
