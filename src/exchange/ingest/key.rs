//! Who a check is: its automation key, and the case that it names by itself.
//!
//! How keys are formed is a promise to every instance that has stored some; see `docs/formats/junit.md`.

use crate::kernel::limits;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Between the parts of a key.
const BETWEEN: &str = " > ";

/// Properties that name a case, in lower case and with `_` for `-`.
const PROPERTIES: [&str; 12] = [
    "testkeep",
    "testkeep_id",
    "testkeep_case",
    "test_id",
    "testrail_case_id",
    "testrail_id",
    "testrail",
    "case_id",
    "test_case_id",
    "testcase_id",
    "test_key",
    "tms",
];

/// The keys of one file. Remembers a hash of each, not the key.
#[derive(Default)]
pub(super) struct Keys {
    hasher: RandomState,
    seen: HashSet<u64>,
    /// How often those were asked for that came more than once.
    again: HashMap<u64, u32>,
}

impl Keys {
    /// The key of a check: `class > name`, or `suite > … > name` without a class.
    ///
    /// A key that the file has had already gets the next free ordinal: `Cart > adds #2`.
    pub(super) fn next(&mut self, suites: &[String], class: Option<&str>, name: &str) -> String {
        let key = key(suites, class, name);
        let hash = self.hasher.hash_one(&key);
        if self.seen.insert(hash) {
            return key;
        }
        let asked = self.again.entry(hash).or_insert(1);
        loop {
            *asked += 1;
            let numbered = format!("{key} #{asked}");
            if self.seen.insert(self.hasher.hash_one(&numbered)) {
                return numbered;
            }
        }
    }
}

fn key(suites: &[String], class: Option<&str>, name: &str) -> String {
    let mut key = String::with_capacity(class.map_or(0, str::len) + BETWEEN.len() + name.len());
    match class {
        // Some writers put the whole path into both.
        Some(class) if class == name => {}
        Some(class) => push(&mut key, class),
        None => suites.iter().for_each(|suite| push(&mut key, suite)),
    }
    push(&mut key, name);
    match key.char_indices().nth(limits::AUTOMATION_KEY_CHARS_MAX) {
        None => key,
        Some(_) => shortened(&key),
    }
}

/// Adds a part; white space of any kind and length counts as one blank.
fn push(key: &mut String, part: &str) {
    if !key.is_empty() {
        key.push_str(BETWEEN);
    }
    let is_plain =
        !part.contains("  ") && part.chars().all(|character| character == ' ' || !character.is_whitespace());
    if is_plain {
        return key.push_str(part.trim());
    }
    for (place, word) in part.split_whitespace().enumerate() {
        if place > 0 {
            key.push(' ');
        }
        key.push_str(word);
    }
}

/// A key within the bound that still differs from all others: its start, and a digest of the whole.
fn shortened(key: &str) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(key.as_bytes())[..8]);
    let room = limits::AUTOMATION_KEY_CHARS_MAX - digest.len() - 3;
    let start: String = key.chars().take(room).collect();
    format!("{start}… ~{digest}")
}

/// Whether a property of this name holds the reference of a case.
pub(super) fn names_a_case(property: &str) -> bool {
    let is_same = |known: &str| {
        known.len() == property.len()
            && known
                .bytes()
                .zip(property.bytes())
                .all(|(known, byte)| known == byte.to_ascii_lowercase() || (known == b'_' && byte == b'-'))
    };
    PROPERTIES.iter().any(|known| is_same(known))
}

/// A reference as a property writes it, without brackets or an `@` around it.
pub(super) fn reference(value: &str) -> Option<String> {
    let value = value.trim();
    let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    let inner = inner.strip_prefix('@').unwrap_or(inner).trim();
    (!inner.is_empty()).then(|| inner.to_owned())
}

/// The case that a name refers to: `[C123]`, `[SHOP-C12]`, `@C123` or `@SHOP-C12` anywhere in it.
pub(super) fn marker(name: &str) -> Option<String> {
    name.match_indices(['[', '@']).find_map(|(start, sign)| {
        let rest = &name[start + 1..];
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '-').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_marked = if sign == "[" {
            after.starts_with(']')
        } else {
            // Not the middle of an address, nor the start of a longer word.
            !name[..start].ends_with(char::is_alphanumeric)
                && !after.starts_with(|next: char| next == '_' || next.is_alphanumeric())
        };
        (is_marked && is_reference(word)).then(|| word.to_owned())
    })
}

/// `C12`, or `SHOP-C12` with a project key before it.
fn is_reference(word: &str) -> bool {
    let (project, number) = word.rsplit_once('-').map_or((None, word), |(key, rest)| (Some(key), rest));
    let is_project = |key: &str| {
        key.starts_with(|first: char| first.is_ascii_uppercase())
            && key.len() <= 20
            && key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let digits = number.strip_prefix('C').unwrap_or_default();
    (1..=12).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && project.is_none_or(is_project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_class_outweighs_the_suites_around_it() {
        let mut keys = Keys::default();
        assert_eq!(keys.next(&suites(&["nightly"]), Some("shop.Cart"), "adds"), "shop.Cart > adds");
        assert_eq!(
            keys.next(&suites(&["Cart", "empty"]), None, "adds \n a  thing"),
            "Cart > empty > adds a thing"
        );
        assert_eq!(keys.next(&[], Some("Cart adds"), "Cart adds"), "Cart adds");
    }

    #[test]
    fn no_key_comes_twice_even_when_a_name_looks_numbered() {
        let mut keys = Keys::default();
        let all: Vec<String> =
            ["a", "a", "a #2", "a", "a #2"].iter().map(|name| keys.next(&[], None, name)).collect();
        assert_eq!(all, ["a", "a #2", "a #2 #2", "a #3", "a #2 #3"]);
    }

    #[test]
    fn a_long_key_is_cut_and_still_its_own() {
        let mut keys = Keys::default();
        let [one, two] = ["x", "y"].map(|end| keys.next(&[], None, &format!("{}{end}", "ü".repeat(20_000))));
        assert_eq!(one.chars().count(), limits::AUTOMATION_KEY_CHARS_MAX);
        assert_ne!(one, two);
    }

    #[test]
    fn a_marker_is_found_where_it_stands_alone() {
        for (name, found) in [
            ("adds [C123]", Some("C123")),
            ("[SHOP-C12] adds", Some("SHOP-C12")),
            ("@C7 adds", Some("C7")),
            ("adds (@SHOP-C7)", Some("SHOP-C7")),
            ("test[1] of [C5]", Some("C5")),
            ("mail to a@C7", None),
            ("@C7x", None),
            ("@C7_b", None),
            ("[CC7]", None),
            ("[shop-C7]", None),
            ("[C]", None),
            ("[C1", None),
            ("C12", None),
            ("[", None),
        ] {
            assert_eq!(marker(name).as_deref(), found, "{name}");
        }
    }

    #[test]
    fn properties_are_known_in_either_spelling() {
        assert!(names_a_case("TestRail-Case-ID") && names_a_case("test_id") && !names_a_case("test_ids"));
        assert_eq!(reference(" [@C7] ").as_deref(), Some("C7"));
        assert_eq!(reference("[]"), None);
    }
}
