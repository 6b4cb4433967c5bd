//! What the program says of itself: manual pages, completions, version, list of parts.

use crate::support::program::Machine;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use testkeep::kernel::options::ROWS;

#[test]
fn there_is_a_manual_page_for_every_command_and_the_first_explains_every_option() {
    let machine = Machine::new();
    let answer = machine.run(&["man", &machine.text("man")]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let page = |name: &str| fs::read_to_string(machine.path("man").join(name)).unwrap();

    let first = page("testkeep.1");
    for row in ROWS {
        let plain = |text: &str| text.replace("\\*(Aq", "'").replace('\\', "");
        assert!(plain(&first).contains(row.env), "{} is not in the environment", row.name);
        let told = plain(&first).matches(&plain(row.text)).count();
        assert!(told >= 2, "{} is explained {told} times, not as option and variable", row.name);
    }
    for command in ["serve", "backup", "restore", "doctor", "user-list", "key-set-passphrase", "sbom"] {
        assert!(page(&format!("testkeep-{command}.1")).contains(".SH SYNOPSIS"), "{command}");
    }
    let names: Vec<String> = fs::read_dir(machine.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|name| name.contains("child") || name.contains("help")), "{names:?}");
    // The options of the instance stand in one place.
    assert!(!page("testkeep-user-list.1").contains("sign\\-ins"));
}

#[test]
fn completions_know_every_command() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish"] {
        let answer = machine.run(&["completions", shell]);
        assert_eq!(answer.code, 0, "{answer:?}");
        for word in ["serve", "restore", "sbom", "backup-roots", "reset-factor"] {
            assert!(answer.out.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(machine.run(&["completions", "tcsh"]).code, 2);
}

#[test]
fn the_version_says_what_the_program_was_built_of() {
    let machine = Machine::new();
    let version = machine.json(&["version"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["sqlcipher"].as_str().unwrap().starts_with("4."), "{version}");
    assert!(version["crypto"].as_str().unwrap().starts_with("OpenSSL 3."), "{version}");
    assert!(version["rustc"].as_str().unwrap().starts_with("rustc 1."), "{version}");
    let short = machine.run(&["--version"]);
    assert_eq!(short.out.trim(), format!("testkeep {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_list_of_parts_names_every_crate_and_library_with_version_licence_and_digest() {
    let machine = Machine::new();
    let answer = machine.run(&["sbom"]);
    let list: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((list["bomFormat"].as_str(), list["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    let parts = list["components"].as_array().unwrap();
    let find =
        |name: &str| parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("no {name}"));

    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    for name in ["rusqlite", "rustls", "ring", "actix-web", "argon2", "rustic_core"] {
        let part = find(name);
        let (version, digest) = (part["version"].as_str().unwrap(), &part["hashes"][0]["content"]);
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")), "{part}");
        assert!(lock.contains(&format!("checksum = {digest}")), "{part}");
        assert!(part["licenses"][0]["expression"].is_string(), "{part}");
    }
    assert_eq!(find("rustls")["scope"], "required");
    assert_eq!(find("serde_derive")["scope"], "excluded");
    for library in ["sqlcipher", "sqlite", "zstd"] {
        assert!(find(library)["version"].as_str().unwrap().starts_with(|digit: char| digit.is_ascii_digit()));
    }
    assert_eq!(find("htmx.org")["hashes"][0]["content"].as_str().unwrap().len(), 128);
    assert!(!parts.iter().any(|part| part["name"] == "insta"), "tests are not shipped");

    let refs: HashSet<&Value> = parts
        .iter()
        .map(|part| &part["bom-ref"])
        .chain([&list["metadata"]["component"]["bom-ref"]])
        .collect();
    assert_eq!(refs.len(), parts.len() + 1, "every part has a name of its own");
    for link in list["dependencies"].as_array().unwrap() {
        assert!(refs.contains(&link["ref"]), "{link}");
        let used = link["dependsOn"].as_array().unwrap();
        assert!(used.iter().all(|used| refs.contains(used)), "{link}");
    }
    assert_eq!(machine.run(&["sbom"]).out, answer.out);
}
