//! The form of a target: fields for each kind of place, put together to an address and its secrets.

use crate::keeping::backup::Keep;
use crate::keeping::targets::{Draft, Secrets, Target, Typed};
use crate::kernel::instance::Instance;
use crate::web::forms::{Choice, Problems};
use serde::Deserialize;

/// The kinds of place, in the words of the form.
pub(super) const KINDS: [(&str, &str); 5] = [
    ("folder", "Folder"),
    ("sftp", "SFTP"),
    ("s3", "S3-compatible store"),
    ("webdav", "WebDAV"),
    ("rest", "restic rest-server"),
];

/// Everything that the forms of all kinds send; those of other kinds stay empty.
#[derive(Deserialize, Clone)]
#[serde(default)]
pub(super) struct TargetForm {
    pub kind: String,
    pub name: String,
    pub address: String,
    pub folder: String,
    pub host: String,
    pub port: String,
    pub account: String,
    pub path: String,
    pub bucket: String,
    pub prefix: String,
    pub endpoint: String,
    pub store_region: String,
    pub url: String,
    pub region: String,
    pub label: String,
    pub schedule: String,
    pub zone: String,
    pub blackouts: String,
    pub last: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub rate_kib: u32,
    pub user: String,
    pub password: String,
    pub private_key: String,
    pub passphrase: String,
    pub authority: String,
}

impl Default for TargetForm {
    fn default() -> TargetForm {
        TargetForm::of(Typed::default())
    }
}

impl TargetForm {
    /// The empty form of a kind.
    pub(super) fn new(kind: &str) -> TargetForm {
        let kind = KINDS.iter().find(|(word, _)| *word == kind).map_or("folder", |(word, _)| word);
        TargetForm { kind: kind.to_owned(), ..TargetForm::default() }
    }

    /// The form of a target that is there. Secrets never come back.
    pub(super) fn of_target(target: &Target) -> TargetForm {
        TargetForm::of(Typed::of(target))
    }

    fn of(typed: Typed) -> TargetForm {
        let Keep { last, daily, weekly, monthly } = typed.keep;
        let none = String::new;
        TargetForm {
            name: typed.name,
            address: typed.address,
            region: typed.region,
            label: typed.label,
            schedule: typed.schedule,
            zone: typed.zone,
            blackouts: typed.blackouts,
            rate_kib: typed.rate_kib,
            last,
            daily,
            weekly,
            monthly,
            kind: none(),
            folder: none(),
            host: none(),
            port: none(),
            account: none(),
            path: none(),
            bucket: none(),
            prefix: none(),
            endpoint: none(),
            store_region: none(),
            url: none(),
            user: none(),
            password: none(),
            private_key: none(),
            passphrase: none(),
            authority: none(),
        }
    }

    /// The draft, or the fields with what is wrong with them.
    pub(super) fn checked(&self, instance: &Instance) -> Result<Draft, Problems> {
        let typed = Typed {
            name: self.name.clone(),
            address: self.composed(),
            region: self.region.clone(),
            label: self.label.clone(),
            schedule: self.schedule.clone(),
            zone: self.zone.clone(),
            blackouts: self.blackouts.clone(),
            keep: Keep { last: self.last, daily: self.daily, weekly: self.weekly, monthly: self.monthly },
            rate_kib: self.rate_kib,
        };
        typed.checked(instance).map_err(|wrong| {
            let mut problems = Problems::default();
            for (field, error) in wrong {
                problems.add_error(if field == "address" { self.address_field() } else { field }, &error);
            }
            problems
        })
    }

    /// The secrets that were entered, if any were.
    pub(super) fn secrets(&self) -> Option<Secrets> {
        let secrets = Secrets {
            user: self.user.trim().to_owned(),
            password: self.password.clone(),
            private_key: self.private_key.clone(),
            passphrase: self.passphrase.clone(),
            authority: self.authority.clone(),
            host_key: String::new(),
        };
        (!secrets.is_empty()).then_some(secrets)
    }

    /// The same form without what must not be sent back.
    pub(super) fn without_secrets(self) -> TargetForm {
        let none = String::new;
        TargetForm { password: none(), private_key: none(), passphrase: none(), ..self }
    }

    /// The field beside which a wrong address is told.
    pub(super) fn address_field(&self) -> &'static str {
        match self.kind.as_str() {
            "folder" => "folder",
            "sftp" => "host",
            "s3" => "bucket",
            "webdav" | "rest" => "url",
            _ => "address",
        }
    }

    /// The address that the fields of the kind add up to.
    fn composed(&self) -> String {
        let below = |path: &str| escaped(path.trim().trim_start_matches('/'));
        match self.kind.as_str() {
            "folder" => self.folder.clone(),
            "sftp" => {
                let port = self.port.trim();
                let port = if port.is_empty() { String::new() } else { format!(":{port}") };
                let account = escaped(self.account.trim()).replace('/', "%2F").replace(':', "%3A");
                format!("sftp://{account}@{}{port}/{}", self.host.trim(), below(&self.path))
            }
            "s3" => {
                let mut address = format!("s3://{}", self.bucket.trim());
                if !self.prefix.trim().is_empty() {
                    address += &format!("/{}", below(&self.prefix));
                }
                let asked = [("endpoint", &self.endpoint), ("region", &self.store_region)];
                let asked = asked.iter().filter(|(_, value)| !value.trim().is_empty());
                let asked: Vec<_> = asked.map(|(name, value)| format!("{name}={}", value.trim())).collect();
                if !asked.is_empty() {
                    address += &format!("?{}", asked.join("&"));
                }
                address
            }
            "webdav" => format!("webdav+{}", self.url.trim()),
            "rest" => format!("rest+{}", self.url.trim()),
            _ => self.address.clone(),
        }
    }
}

/// The kinds as a list to choose from.
pub(super) fn kinds(chosen: &str) -> Vec<Choice> {
    Choice::among(KINDS.iter().map(|(word, said)| ((*word).to_owned(), (*said).to_owned())), chosen)
}

/// A part of an address: signs that mean something there become `%XX`.
fn escaped(part: &str) -> String {
    let mut written = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written += &format!("%{byte:02X}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeping::backup::storage::Place;

    #[test]
    fn the_fields_of_a_kind_add_up_to_its_address() {
        let sftp = TargetForm {
            host: "vault.example".into(),
            account: "back up@home".into(),
            path: "/srv/test keep".into(),
            ..TargetForm::new("sftp")
        };
        assert_eq!(sftp.composed(), "sftp://back%20up%40home@vault.example/srv/test%20keep");
        let s3 = TargetForm {
            bucket: "keep".into(),
            prefix: "shop".into(),
            endpoint: "https://s3.example".into(),
            ..TargetForm::new("s3")
        };
        assert_eq!(s3.composed(), "s3://keep/shop?endpoint=https://s3.example");
        let rest = TargetForm { url: "https://rest.example/shop".into(), ..TargetForm::new("rest") };
        assert_eq!(rest.composed(), "rest+https://rest.example/shop");
        for form in [sftp, s3] {
            let place: Place = form.composed().parse().unwrap();
            assert_eq!(place.kind(), form.kind);
        }
        assert_eq!(TargetForm::new("odd").kind, "folder");
    }
}
