//! Bucket: the address of an S3 target. It knows nothing of requests.

use super::address::{decode, encode, holds_secret, path, web};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use reqwest::Url;
use std::fmt;
use std::str::FromStr;

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

impl FromStr for S3Place {
    type Err = Error;

    /// Reads what stands behind `s3://`.
    fn from_str(rest: &str) -> Result<S3Place> {
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
