//! The list of all parts of the program, as CycloneDX 1.6, and what is known of this build.
//!
//! Crates come from `cargo metadata`, their digests from `Cargo.lock`, what the pages load from
//! `assets/package-lock.json`, and the C libraries from the versions of the crates that carry them. Equal locks
//! give equal bytes: nothing here asks for the time, and the serial number is a digest.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Command;
use std::{env, fs};

/// Libraries in C: the crate that carries it, the word before the version in the version of that crate, the
/// library, its licence.
const IN_C: [(&str, &str, &str, &str); 5] = [
    ("sqlcipher-src", "sqlcipher-", "sqlcipher", "BSD-3-Clause"),
    ("sqlcipher-src", "sqlite-", "sqlite", "blessing"),
    ("sqlcipher-src", "libtomcrypt-", "libtomcrypt", "Unlicense"),
    ("openssl-src", "", "openssl", "Apache-2.0"),
    ("zstd-sys", "zstd.", "zstd", "BSD-3-Clause"),
];

/// Writes `parts.json.gz` and tells the program how it was built.
pub fn note() {
    for path in ["build/parts.rs", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=TESTKEEP_COMMIT");
    let rustc = words(Command::new(variable("RUSTC")).arg("--version"));
    let rustc = rustc.trim();
    println!("cargo::rustc-env=TESTKEEP_BUILD_RUSTC={rustc}");
    println!("cargo::rustc-env=TESTKEEP_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=TESTKEEP_BUILD_COMMIT={}", env::var("TESTKEEP_COMMIT").unwrap_or_default());

    let list = list(&Crates::read(), rustc);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(list.as_bytes()).expect("memory takes what is written");
    let packed = packed.finish().expect("as above");
    fs::write(super::out_dir().join("parts.json.gz"), packed)
        .expect("the folder of the build can be written");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn words(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} could not be started: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

/// What cargo knows of the crates of this build.
struct Crates {
    packages: BTreeMap<String, Value>,
    nodes: BTreeMap<String, Value>,
    root: String,
    digests: BTreeMap<(String, String), String>,
}

impl Crates {
    fn read() -> Crates {
        let mut metadata = metadata();
        let mut by_id = |place: &[&str]| -> BTreeMap<String, Value> {
            let list = place.iter().fold(&mut metadata, |at, name| &mut at[*name]).take();
            let Value::Array(list) = list else { panic!("cargo metadata lacks {place:?}") };
            list.into_iter().map(|item| (text(&item["id"]).to_owned(), item)).collect()
        };
        let (packages, nodes) = (by_id(&["packages"]), by_id(&["resolve", "nodes"]));
        let root = text(&metadata["resolve"]["root"]).to_owned();
        Crates { packages, nodes, root, digests: digests() }
    }

    /// Crates that the given one uses; builders of it only if asked for, tests of it never.
    fn used_by(&self, id: &str) -> impl Iterator<Item = &str> {
        let links = self.nodes[id]["deps"].as_array().expect("a list").iter();
        let is_shipped = |kind: &Value| kind["kind"].is_null();
        links
            .filter(move |link| link["dep_kinds"].as_array().expect("a list").iter().any(is_shipped))
            .map(|link| text(&link["pkg"]))
    }

    /// Everything that can be reached from the program. Without `through_macros` only what runs in it: a macro
    /// runs in the compiler.
    fn reached(&self, through_macros: bool) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.root.as_str()];
        while let Some(id) = open.pop() {
            if (through_macros || !self.is_macro(id)) && found.insert(id) {
                open.extend(self.used_by(id));
            }
        }
        found
    }

    fn is_macro(&self, id: &str) -> bool {
        let targets = self.packages[id]["targets"].as_array().expect("a list");
        targets.iter().any(|target| target["kind"][0] == "proc-macro")
    }

    fn reference(&self, id: &str) -> String {
        let (name, version) = self.named(id);
        format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
    }

    fn named(&self, id: &str) -> (&str, &str) {
        (text(&self.packages[id]["name"]), text(&self.packages[id]["version"]))
    }

    fn component(&self, id: &str, is_running: bool) -> Value {
        let (name, version) = self.named(id);
        let mut part = part(&self.reference(id), name, version, self.packages[id]["license"].as_str());
        part["scope"] = json!(if is_running { "required" } else { "excluded" });
        if let Some(digest) = self.digests.get(&(name.to_owned(), version.to_owned())) {
            part["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]);
        }
        part
    }

    /// The libraries in C, with the crates that carry them.
    fn in_c(&self) -> impl Iterator<Item = Value> {
        IN_C.iter().filter_map(|(carrier, word, library, licence)| {
            let id = self.nodes.keys().find(|id| text(&self.packages[*id]["name"]) == *carrier)?;
            let (_, version) = self.named(id);
            let versions = version.split_once('+')?.1;
            let version = versions.split_once(word).map_or(versions, |(_, rest)| rest).split('-').next()?;
            Some(part(&format!("pkg:generic/{library}@{version}"), library, version, Some(licence)))
        })
    }
}

/// Asks cargo, at first without a network: everything a build needs is there by now, but crates of the tests
/// may not be.
fn metadata() -> Value {
    let ask = |is_offline: bool| {
        let mut command = Command::new(variable("CARGO"));
        command.args(["metadata", "--locked", "--format-version=1", "--filter-platform"]);
        command.arg(variable("TARGET"));
        command.args(is_offline.then_some("--offline"));
        let is_vendored = env::var_os("CARGO_FEATURE_VENDORED_OPENSSL").is_some();
        command.args((!is_vendored).then_some("--no-default-features"));
        command.output().unwrap_or_else(|e| panic!("cargo could not be started: {e}"))
    };
    let mut output = ask(true);
    if !output.status.success() {
        output = ask(false);
    }
    assert!(
        output.status.success(),
        "The parts of the program cannot be listed; `cargo fetch --locked` may help.\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo speaks JSON")
}

/// SHA-256 of every crate, from the lock file.
fn digests() -> BTreeMap<(String, String), String> {
    let lock = fs::read_to_string("Cargo.lock").expect("the lock file is part of the repository");
    let package = |block: &str| {
        let value = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        Some(((value("name")?, value("version")?), value("checksum")?))
    };
    lock.split("[[package]]").filter_map(package).collect()
}

fn list(crates: &Crates, rustc: &str) -> String {
    let (all, running) = (crates.reached(true), crates.reached(false));
    let mut parts: Vec<Value> = all
        .iter()
        .filter(|id| **id != crates.root)
        .map(|id| crates.component(id, running.contains(id)))
        .collect();
    parts.extend(crates.in_c());
    parts.extend(from_npm());
    let version = rustc.split(' ').nth(1).expect("rustc says its version");
    parts.push(part(
        &format!("pkg:generic/rust-std@{version}"),
        "rust-std",
        version,
        Some("MIT OR Apache-2.0"),
    ));
    parts.sort_by(|a, b| text(&a["bom-ref"]).cmp(text(&b["bom-ref"])));

    let root = crates.reference(&crates.root);
    let mut uses: BTreeMap<String, BTreeSet<String>> = all
        .iter()
        .map(|id| (crates.reference(id), crates.used_by(id).map(|used| crates.reference(used)).collect()))
        .collect();
    let others =
        parts.iter().map(|part| text(&part["bom-ref"])).filter(|name| !name.starts_with("pkg:cargo/"));
    uses.get_mut(&root).expect("the program is a crate").extend(others.map(str::to_owned));
    let uses = uses.iter().map(|(part, used)| json!({ "ref": part, "dependsOn": used }));

    let (name, version) = crates.named(&crates.root);
    let mut program = part(&root, name, version, Some("Apache-2.0"));
    program["type"] = json!("application");
    let mut list = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "lifecycles": [{ "phase": "build" }], "component": program },
        "components": parts,
        "dependencies": uses.collect::<Vec<_>>(),
    });
    list["serialNumber"] = json!(serial(&list.to_string()));
    serde_json::to_string_pretty(&list).expect("JSON is text")
}

/// A UUID of the eighth kind, out of a digest of everything else.
fn serial(text: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(text).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes[..16]);
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What the pages load.
fn from_npm() -> Vec<Value> {
    let lock =
        fs::read_to_string("assets/package-lock.json").expect("the lock file is part of the repository");
    let lock: Value = serde_json::from_str(&lock).expect("npm writes JSON");
    let packages: &Map<String, Value> = lock["packages"].as_object().expect("npm lists packages");
    let package = |(path, about): (&String, &Value)| {
        let name = path.strip_prefix("node_modules/")?;
        let version = text(&about["version"]);
        let reference = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        let mut part = part(&reference, name, version, about["license"].as_str());
        let digest = text(&about["integrity"]).strip_prefix("sha512-").map(from_base64)?;
        part["hashes"] = json!([{ "alg": "SHA-512", "content": hex(&digest) }]);
        Some(part)
    };
    packages.iter().filter_map(package).collect()
}

fn part(reference: &str, name: &str, version: &str, licence: Option<&str>) -> Value {
    let mut part = json!({
        "type": "library", "bom-ref": reference, "purl": reference, "name": name, "version": version,
    });
    // Older crates write a slash where SPDX says OR.
    let licence = licence.map(|licence| licence.replace(" / ", " OR ").replace('/', " OR "));
    part["licenses"] = match licence {
        Some(expression) => json!([{ "expression": expression }]),
        None => json!([{ "license": { "name": "see the package" } }]),
    };
    part
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn from_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).expect("npm writes base64");
        held = held << 6 | u32::try_from(value).expect("below 64");
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).expect("a byte"));
        }
    }
    bytes
}
