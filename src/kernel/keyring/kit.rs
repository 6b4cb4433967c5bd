//! Recovery kit: a secret on paper that opens the instance, and its backups, when all else is lost.
//!
//! The secret is 256 bits in fifteen groups of four symbols. Thirteen hold the secret, two hold
//! sums of them, chosen so that a single group copied wrong can be named. What the kit opens, and
//! how, is in `docs/formats/keyring.md`.

use crate::kernel::base32;
use crate::kernel::error::{Error, Result};
use crate::kernel::random;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use zeroize::Zeroizing;

/// Symbols of a group; each stands for five bits.
const GROUP_SYMBOLS: usize = 4;
/// Groups that hold the secret.
const SECRET_GROUPS: usize = 13;
/// Groups of a printed secret, its two sums included.
const GROUPS: usize = SECRET_GROUPS + 2;

/// The secret of a recovery kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverySecret(Secret<[u8; 32]>);

/// A recovery kit, shown once when an instance is made.
#[derive(Clone, Debug)]
pub struct RecoveryKit {
    pub secret: RecoverySecret,
    /// The instance it belongs to.
    pub uuid: String,
    pub created_at: Timestamp,
}

impl RecoverySecret {
    /// A new secret.
    pub(super) fn random() -> RecoverySecret {
        RecoverySecret(Secret::new(random::bytes()))
    }

    /// The password of the backup repository: 52 symbols of base32. The kit and the repository
    /// are therefore enough to get everything back.
    pub fn repository_password(&self) -> Secret<String> {
        let derived = sealing::derive(self.0.expose(), "testkeep recovery kit v1|repository password");
        Secret::new(base32::encode(derived.expose()))
    }

    /// What wraps the master key in the kit's slot.
    pub(super) fn slot_key(&self) -> Key {
        sealing::derive(self.0.expose(), "testkeep recovery kit v1|slot")
    }

    /// The secret as it is printed: fifteen groups of four symbols with dashes between.
    pub fn print(&self) -> Secret<String> {
        let bits = base32::split(self.0.expose());
        let mut groups: Vec<u32> = bits.chunks(GROUP_SYMBOLS).map(number).collect();
        groups.extend(sums(&groups));
        let spell = |group: &u32| -> String {
            (0..GROUP_SYMBOLS).rev().map(|place| base32::symbol((group >> (5 * place) & 31) as u8)).collect()
        };
        Secret::new(groups.iter().map(spell).collect::<Vec<_>>().join("-"))
    }

    /// Finds the secret in a whole kit or takes it bare; case, spaces and dashes do not matter, and
    /// O, I and L stand for digits.
    ///
    /// Errors: `Invalid`, naming the group that was copied wrong where that can be known.
    pub fn parse(text: &str) -> Result<RecoverySecret> {
        let looks_bare = |line: &&str| groups_of(line).len() > 3 && base32_only(line);
        match text.lines().find(looks_bare) {
            // A secret that was typed over several lines is taken as a whole.
            Some(line) if symbols_of(line) < GROUPS * GROUP_SYMBOLS && base32_only(text) => read(text),
            Some(line) => read(line),
            None => read(text),
        }
    }
}

impl RecoveryKit {
    /// The kit as a page of text, for paper.
    pub fn print(&self, instance_name: &str) -> Secret<String> {
        let made = jiff::Timestamp::from_millisecond(self.created_at.0).unwrap_or_default();
        let (date, uuid) = (made.strftime("%Y-%m-%d"), &self.uuid);
        let secret = self.secret.print();
        let secret = secret.expose();
        Secret::new(format!(
            "TESTKEEP RECOVERY KIT\n\
             \n\
             Instance:  {instance_name}\n\
             Number:    {uuid}\n\
             Made on:   {date} (UTC)\n\
             \n\
             Secret:\n\
             \n\
             {secret}\n\
             \n\
             What it is for\n\
             \x20 1. It opens this instance when its key file or passphrase is lost.\n\
             \x20 2. Together with a copy of the backup repository it brings back everything,\n\
             \x20    on any machine, even if nothing of this one is left.\n\
             \n\
             How to keep it\n\
             \x20 Print it or copy it by hand, and keep it away from the machine and from the\n\
             \x20 backups. Whoever holds it and a backup can read all data of this instance.\n\
             \x20 It is shown once; nobody can print it again.\n\
             \n\
             How to type it\n\
             \x20 Case, spaces and dashes do not matter. There is no U; O is read as 0, I and L\n\
             \x20 as 1. The last two groups are sums: a group typed wrong is named.\n"
        ))
    }
}

/// The characters that count: no spaces and no dashes.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|character| !character.is_whitespace() && !matches!(character, '-' | '–' | '—'))
}

fn symbols_of(text: &str) -> usize {
    plain(text).count()
}

fn base32_only(text: &str) -> bool {
    plain(text).all(|character| base32::value(character).is_some())
}

fn groups_of(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—'));
    parts.filter(|part| !part.is_empty()).collect()
}

fn read(text: &str) -> Result<RecoverySecret> {
    let groups = groups_of(text);
    // Written without gaps it is one long group, which tells nothing about where a symbol is missing.
    if groups.len() == GROUPS {
        for (place, group) in (1..).zip(&groups) {
            let length = group.chars().count();
            if length != GROUP_SYMBOLS {
                return Err(wrong(&format!("group {place} has {length} symbols instead of {GROUP_SYMBOLS}")));
            }
        }
    }
    let mut bits = Zeroizing::new(Vec::with_capacity(GROUPS * GROUP_SYMBOLS));
    for character in plain(text) {
        let place = bits.len() / GROUP_SYMBOLS + 1;
        bits.push(
            base32::value(character)
                .ok_or_else(|| wrong(&format!("group {place} has a character that the secret never uses")))?,
        );
    }
    if bits.len() != GROUPS * GROUP_SYMBOLS {
        let (found, whole) = (bits.len(), GROUPS * GROUP_SYMBOLS);
        return Err(wrong(&format!("there are {found} symbols where {whole} should be")));
    }
    let groups: Vec<u32> = bits.chunks(GROUP_SYMBOLS).map(number).collect();
    compare(&groups)?;
    let bytes = base32::join(&bits[..SECRET_GROUPS * GROUP_SYMBOLS]);
    let bytes = bytes.ok_or_else(|| wrong(&format!("group {SECRET_GROUPS} cannot be right")))?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice()).expect("52 symbols hold 32 bytes");
    Ok(RecoverySecret(Secret::new(bytes)))
}

fn wrong(what: &str) -> Error {
    Error::invalid(format!("This is not the secret of a recovery kit: {what}."))
        .hint("Compare it with the paper: fifteen groups of four symbols.")
}

fn number(bits: &[u8]) -> u32 {
    bits.iter().fold(0, |number, bits| number << 5 | u32::from(*bits))
}

/// The two sums over the groups, taken as elements of GF(2^20): Σ g and Σ xⁱ·g.
///
/// This is a Reed-Solomon code with two check symbols: it would even mend one group. Ours only
/// names it, because a mended secret would hide that the paper is wrong.
fn sums(groups: &[u32]) -> [u32; 2] {
    let plain = groups.iter().fold(0, |sum, group| sum ^ group);
    let weighted = groups.iter().rev().fold(0, |sum, group| times_x(sum ^ group));
    [plain, weighted]
}

/// Multiplies by x modulo x²⁰ + x³ + 1, which is primitive.
fn times_x(number: u32) -> u32 {
    let shifted = number << 1;
    if shifted >> 20 == 1 { shifted ^ (1 << 20 | 0b1001) } else { shifted }
}

fn compare(groups: &[u32]) -> Result<()> {
    let (secret, found) = groups.split_at(SECRET_GROUPS);
    let expected = sums(secret);
    let (plain, weighted) = (expected[0] ^ found[0], expected[1] ^ found[1]);
    // An error e in group i moves the sums by e and xⁱ·e; an error in a sum moves that sum alone.
    let mut moved = plain;
    let place = (1..=SECRET_GROUPS).find(|_| {
        moved = times_x(moved);
        plain != 0 && moved == weighted
    });
    match (plain, weighted, place) {
        (0, 0, _) => Ok(()),
        (_, _, Some(place)) => Err(wrong(&format!("group {place} was copied wrong"))),
        (_, 0, None) => Err(wrong(&format!("group {} was copied wrong", GROUPS - 1))),
        (0, _, None) => Err(wrong(&format!("group {GROUPS} was copied wrong, or two groups changed places"))),
        _ => Err(wrong("more than one group was copied wrong")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_copied_wrong_is_named() {
        let secret = RecoverySecret::random();
        let printed = secret.print();
        let groups: Vec<&str> = printed.expose().split('-').collect();
        assert_eq!(groups.len(), GROUPS);
        for place in 0..GROUPS {
            let mut typed: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            typed[place] = typed[place].chars().rev().collect();
            if typed[place] == groups[place] {
                typed[place] = if groups[place] == "0000" { "1000".into() } else { "0000".into() };
            }
            let error = RecoverySecret::parse(&typed.join(" ")).expect_err("a group is wrong");
            assert!(error.sentence().contains(&format!("group {} was", place + 1)), "{error}");
            let gone: String = typed[place].drain(1..).collect();
            let error = RecoverySecret::parse(&typed.join("-")).expect_err("symbols are missing");
            assert!(error.sentence().contains(&format!("group {} has 1 ", place + 1)), "{error} {gone}");
        }
    }

    #[test]
    fn the_secret_is_found_however_it_is_typed() {
        let kit =
            RecoveryKit { secret: RecoverySecret::random(), uuid: "u".into(), created_at: Timestamp(0) };
        let printed = kit.secret.print();
        let printed = printed.expose();
        let typed = [
            printed.clone(),
            printed.to_lowercase(),
            printed.replace('-', ""),
            printed.replace('-', "  ").replace('0', "O").replace('1', "i"),
            printed.replacen('-', "\n", 7),
            kit.print("Shop, 2nd floor").expose().clone(),
            kit.print("Shop").expose().replace('\n', "\r\n"),
        ];
        for typed in typed {
            assert_eq!(RecoverySecret::parse(&typed).expect("this is the secret"), kit.secret, "{typed}");
        }
        for typed in ["", "TESTKEEP RECOVERY KIT", "0000-0000"] {
            RecoverySecret::parse(typed).expect_err("this is none");
        }
    }
}
