//! Boot options: what must be known before the database opens. Read once, never changed.
//!
//! Layers: default < file < environment < flags, and every value remembers where it came from.
//! Not settings: those live in the database and change through the door.

mod certificates;
mod kms;
mod table;

pub use certificates::{Acme, Admin, Binding, Challenge, TlsFiles};
pub use kms::{Kms, KmsIdentity};
pub use table::{ROWS, Row};

use super::error::{Error, Result};
use super::layout;
use super::limits;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of this file.
    File(PathBuf),
    /// A variable of the environment.
    Environment,
    /// A flag of the command.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => write!(f, "default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment => write!(f, "environment"),
            Source::Flag => write!(f, "flag"),
        }
    }
}

/// The words of one option, and who said them.
#[derive(Clone, Debug)]
pub struct Value {
    /// Which option.
    pub row: &'static Row,
    /// What was said; lists are joined by commas.
    pub words: String,
    /// Who said it.
    pub source: Source,
}

/// The options of one process, read and understood.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder that holds everything.
    pub data: PathBuf,
    /// Where to answer.
    pub listen: Vec<SocketAddr>,
    /// Where people find the instance, if anybody said so.
    pub public_url: Option<PublicUrl>,
    /// File with the key.
    pub key_file: Option<PathBuf>,
    /// Descriptor with the passphrase.
    pub passphrase_fd: Option<i32>,
    /// Folder in which the service manager hands secrets over; it says so itself, there is no option.
    pub credentials: Option<PathBuf>,
    /// The key service that opens the instance, if any does.
    pub kms: Option<Kms>,
    /// Filter of the log.
    pub log: String,
    /// Certificate and key, if they come from outside.
    pub tls_files: Option<TlsFiles>,
    /// More names for our own certificate.
    pub tls_names: Vec<String>,
    /// Who issues certificates, if anybody outside does.
    pub acme: Option<Acme>,
    /// Where plain HTTP is answered with a challenge or a redirect.
    pub http_listen: Option<SocketAddr>,
    /// Where those come in who show a certificate.
    pub admin: Option<Admin>,
    /// Whether a proxy on this machine does the TLS.
    pub cleartext_behind_proxy: bool,
    /// Proxies whose word counts.
    pub trusted_proxies: Vec<IpNet>,
    /// File with the token of the metrics.
    pub metrics_token_file: Option<PathBuf>,
    /// Bound of one address.
    pub requests_per_second: u32,
    /// Bound of one address at the sign-in.
    pub sign_ins_per_minute: u32,
    /// File with the key that releases must be signed with.
    pub upgrade_key: Option<PathBuf>,
    /// Whether the server locks itself in.
    pub sandbox: Sandboxing,
    /// Folders below which backups can go while it is locked in.
    pub backup_roots: Vec<PathBuf>,
    /// What was said and by whom, in the order of `ROWS`.
    pub values: Vec<Value>,
}

/// Whether the server gives up what it does not need before it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sandboxing {
    /// As far as the kernel can.
    On,
    /// Not at all.
    Off,
    /// Wholly, or it does not start.
    Require,
}

/// `https://host[:port]` without a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port as a `Host` header says them.
    pub fn authority(&self) -> &str {
        self.0.strip_prefix("https://").expect("checked when it was read")
    }
}

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(words: &str) -> Result<PublicUrl, ()> {
        let address = words.trim_end_matches('/').to_ascii_lowercase();
        let authority = address.strip_prefix("https://").ok_or(())?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        match !authority.is_empty() && authority.bytes().all(is_plain) {
            true => Ok(PublicUrl(address)),
            false => Err(()),
        }
    }
}

impl Options {
    /// Reads all layers. `flags` and `environment` are pairs of name and value; a flag's name may have hyphens,
    /// and variables that are not ours are passed over.
    pub fn load(
        flags: &[(String, String)],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Options> {
        let mut values: Vec<Value> = ROWS
            .iter()
            .map(|row| Value { row, words: row.default.to_owned(), source: Source::Default })
            .collect();
        let mut credentials = None;
        for (name, words) in environment {
            if name == "CREDENTIALS_DIRECTORY" {
                credentials = Some(PathBuf::from(words));
            } else if let Some(value) = values.iter_mut().find(|value| value.row.env == name) {
                (value.words, value.source) = (words, Source::Environment);
            }
        }
        for (name, words) in flags {
            let value = &mut values[place(&name.replace('-', "_"), "the command line")?];
            (value.words, value.source) = (words.clone(), Source::Flag);
        }
        for (at, words, source) in from_file(&values)? {
            if values[at].source == Source::Default {
                (values[at].words, values[at].source) = (words, source);
            }
        }
        Ok(Options { credentials, ..understand(values)? })
    }
}

/// The lines of the file, if there is one.
fn from_file(values: &[Value]) -> Result<Vec<(usize, String, Source)>> {
    let words = |name| values.iter().find(|value| value.row.name == name).map_or("", |value| &value.words);
    let is_asked_for = !words("config").is_empty();
    let path = if is_asked_for { words("config").into() } else { layout::options(Path::new(words("data"))) };
    let text = match std::fs::metadata(&path).and_then(|about| match about.len() {
        0..=limits::OPTIONS_FILE_BYTES_MAX => std::fs::read_to_string(&path),
        _ => Err(std::io::Error::other("larger than 64 KiB")),
    }) {
        Ok(text) => text,
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound && !is_asked_for => {
            return Ok(Vec::new());
        }
        Err(reason) => {
            return Err(Error::invalid(format!(
                "The file of options {} cannot be read: {reason}.",
                path.display()
            )));
        }
    };
    let table: toml::Table = text.parse().map_err(|reason| {
        Error::invalid(format!("The file of options {} is not TOML.", path.display()))
            .hint(format!("{reason}"))
    })?;
    let mut found = Vec::new();
    for (name, value) in table {
        let at = place(&name, &path.display().to_string())?;
        if name == "config" || (name == "data" && !is_asked_for) {
            return Err(Error::invalid(format!("`{name}` cannot be set in {}.", path.display()))
                .hint("The folder is known before this file is found: use a flag or the environment."));
        }
        found.push((at, said(&name, value)?, Source::File(path.clone())));
    }
    Ok(found)
}

/// The words of a TOML value; every layer speaks in the same words.
fn said(name: &str, value: toml::Value) -> Result<String> {
    Ok(match value {
        toml::Value::String(words) => words,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(true) => "yes".into(),
        toml::Value::Boolean(false) => "no".into(),
        toml::Value::Array(items) => {
            items.into_iter().map(|item| said(name, item)).collect::<Result<Vec<_>>>()?.join(",")
        }
        _ => return Err(Error::invalid(format!("The option `{name}` takes a text, a number or a list."))),
    })
}

/// Where an option stands in `ROWS`, or a sentence with the nearest name.
fn place(name: &str, whose: &str) -> Result<usize> {
    ROWS.iter().position(|row| row.name == name).ok_or_else(|| {
        let nearest = ROWS.iter().min_by_key(|row| distance(row.name, name)).expect("there are options");
        Error::invalid(format!("There is no option `{name}`, which {whose} sets."))
            .hint(format!("Did you mean `{}`?", nearest.name))
    })
}

/// How many letters must change to turn one word into the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

fn understand(values: Vec<Value>) -> Result<Options> {
    let said = |name: &str| named(&values, name);
    let path = |name: &str| path(&values, name);
    let listen: Vec<SocketAddr> = list(said("listen"), |word| word.parse().ok())?;
    if listen.is_empty() {
        return Err(wrong(said("listen"), "").hint("Name at least one, such as 127.0.0.1:8443."));
    }
    let options = Options {
        data: path("data").ok_or_else(|| wrong(said("data"), ""))?,
        listen,
        public_url: one(said("public_url"), |word| word.parse().ok())?,
        key_file: path("key_file"),
        passphrase_fd: one(said("passphrase_fd"), |word| word.parse().ok().filter(|fd| *fd >= 0))?,
        credentials: None,
        kms: kms::kms(&values)?,
        log: said("log").words.clone(),
        tls_files: certificates::files(&values)?,
        tls_names: list(said("tls_names"), |word| Some(word.to_owned()))?,
        acme: certificates::acme(&values)?,
        http_listen: one(said("acme_http_listen"), |word| word.parse().ok())?,
        admin: certificates::admin(&values)?,
        cleartext_behind_proxy: one(said("cleartext_behind_proxy"), yes_or_no)?.unwrap_or(false),
        trusted_proxies: list(said("trusted_proxies"), network)?,
        metrics_token_file: path("metrics_token_file"),
        upgrade_key: path("upgrade_key"),
        requests_per_second: one(said("requests_per_second"), at_least_one)?
            .unwrap_or(limits::REQUESTS_PER_SECOND),
        sign_ins_per_minute: one(said("sign_ins_per_minute"), at_least_one)?
            .unwrap_or(limits::SIGN_INS_PER_MINUTE),
        sandbox: one(said("sandbox"), sandboxing)?.unwrap_or(Sandboxing::On),
        backup_roots: list(said("backup_roots"), |word| Some(PathBuf::from(word)))?,
        values: Vec::new(),
    };
    Ok(Options { values, ..options })
}

fn named<'v>(values: &'v [Value], name: &str) -> &'v Value {
    values.iter().find(|value| value.row.name == name).expect("every name asked for stands in ROWS")
}

fn path(values: &[Value], name: &str) -> Option<PathBuf> {
    Some(&named(values, name).words).filter(|words| !words.is_empty()).map(PathBuf::from)
}

fn one<T>(value: &Value, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    let word = value.words.trim();
    if word.is_empty() {
        return Ok(None);
    }
    read(word).map(Some).ok_or_else(|| wrong(value, word))
}

fn list<T>(value: &Value, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let words = value.words.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(|word| read(word).ok_or_else(|| wrong(value, word))).collect()
}

fn wrong(value: &Value, word: &str) -> Error {
    let Value { row, source, .. } = value;
    Error::invalid(format!("The option `{}` takes {}, and `{word}` ({source}) is none.", row.name, row.takes))
        .hint(row.text)
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn sandboxing(word: &str) -> Option<Sandboxing> {
    match word {
        "require" => Some(Sandboxing::Require),
        word => yes_or_no(word).map(|is_on| if is_on { Sandboxing::On } else { Sandboxing::Off }),
    }
}

fn at_least_one(word: &str) -> Option<u32> {
    word.parse().ok().filter(|number| *number > 0)
}

fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Options> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("testkeep.toml"), file).unwrap();
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, words)| ((*name).to_owned(), (*words).to_owned())).collect()
        };
        let mut flags = own(flags);
        flags.push(("data".into(), folder.path().display().to_string()));
        Options::load(&flags, own(env))
    }

    fn source(options: &Options, name: &str) -> Source {
        options.values.iter().find(|value| value.row.name == name).unwrap().source.clone()
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let file = "log = \"warn\"\nlisten = [\"127.0.0.1:1\", \"[::1]:1\"]\ntls_names = [\"a\"]";
        let env = [("TESTKEEP_LOG", "debug"), ("TESTKEEP_TLS_NAMES", "b, c"), ("HOME", "/")];
        let options = load(file, &env, &[("tls-names", "d")]).unwrap();
        assert_eq!(options.listen.len(), 2);
        assert_eq!((options.log.as_str(), source(&options, "log")), ("debug", Source::Environment));
        assert_eq!((options.tls_names, options.cleartext_behind_proxy), (vec!["d".to_owned()], false));
        let options = load(file, &[], &[]).unwrap();
        assert!(matches!(source(&options, "log"), Source::File(_)));
        assert_eq!(source(&options, "public_url"), Source::Default);
    }

    #[test]
    fn a_wrong_option_is_refused_with_what_to_do() {
        let refusal = |file: &str| format!("{:?}", load(file, &[], &[]).unwrap_err());
        assert!(refusal("lisen = \"127.0.0.1:1\"").contains("Did you mean `listen`?"));
        assert!(refusal("listen = \"here\"").contains("`listen` takes addresses, and `here`"));
        assert!(refusal("data = \"elsewhere\"").contains("cannot be set in"));
        assert!(refusal("tls_key = \"key.pem\"").contains("go together"));
        assert!(refusal("public_url = \"http://a.example\"").contains("`public_url` takes address"));
        assert!(refusal("public_url = \"https://a.example/path\"").contains("`public_url`"));
        assert!(refusal("requests_per_second = 0").contains("takes number"));
        assert!(refusal("log = [").contains("is not TOML"));
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let refusal = load("", &[], &[("config", "/nowhere/testkeep.toml")]).unwrap_err();
        assert!(refusal.sentence().contains("/nowhere/testkeep.toml cannot be read"));
    }

    #[test]
    fn every_option_has_its_name_in_the_environment() {
        for row in ROWS {
            assert_eq!(row.env, format!("TESTKEEP_{}", row.name.to_uppercase()));
        }
    }
}
