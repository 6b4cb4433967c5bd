//! Groups: secrets on paper. Four symbols a group, and two groups of sums that name one copied wrong.
//!
//! The recovery kit and the shares are printed so; what they mean is theirs to know.

use crate::kernel::base32;
use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use zeroize::Zeroizing;

/// Symbols of a group; each stands for five bits.
const GROUP_SYMBOLS: usize = 4;
/// Groups of sums at the end.
const SUMS: usize = 2;

/// How something on paper is laid out.
pub(super) struct Paper {
    /// Groups that hold it, its sums left out.
    pub groups: usize,
    /// What it is, such as "the secret of a recovery kit".
    pub name: &'static str,
    /// What is said when it was typed wrong.
    pub hint: &'static str,
}

impl Paper {
    fn groups_in_all(&self) -> usize {
        self.groups + SUMS
    }

    /// Symbols of it, sums included.
    pub(super) fn symbols(&self) -> usize {
        self.groups_in_all() * GROUP_SYMBOLS
    }

    /// Whether a line of text is meant to be this: nothing but symbols, and more than half of them. A heading may
    /// well be spelt in such symbols alone.
    pub(super) fn looks_bare(&self, line: &str) -> bool {
        symbols_of(line) * 2 > self.symbols() && base32_only(line)
    }

    /// The bytes as groups of four symbols with dashes between.
    pub(super) fn print(&self, bytes: &[u8]) -> Secret<String> {
        let bits = base32::split(bytes);
        let mut groups: Vec<u32> = bits.chunks(GROUP_SYMBOLS).map(number).collect();
        debug_assert_eq!(groups.len(), self.groups);
        groups.extend(sums(&groups));
        let spell = |group: &u32| -> String {
            (0..GROUP_SYMBOLS).rev().map(|place| base32::symbol((group >> (5 * place) & 31) as u8)).collect()
        };
        Secret::new(groups.iter().map(spell).collect::<Vec<_>>().join("-"))
    }

    /// The bytes that were printed; case, spaces and dashes do not matter, and O, I and L stand for digits.
    ///
    /// Errors: `Invalid`, naming the group that was copied wrong where that can be known.
    pub(super) fn read(&self, text: &str) -> Result<Zeroizing<Vec<u8>>> {
        let groups = groups_of(text);
        // Written without gaps it is one long group, which tells nothing about where a symbol is missing.
        if groups.len() == self.groups_in_all() {
            for (place, group) in (1..).zip(&groups) {
                let length = group.chars().count();
                if length != GROUP_SYMBOLS {
                    return Err(
                        self.wrong(&format!("group {place} has {length} symbols instead of {GROUP_SYMBOLS}"))
                    );
                }
            }
        }
        let mut bits = Zeroizing::new(Vec::with_capacity(self.symbols()));
        for character in plain(text) {
            let place = bits.len() / GROUP_SYMBOLS + 1;
            bits.push(base32::value(character).ok_or_else(|| {
                self.wrong(&format!("group {place} has a character that the secret never uses"))
            })?);
        }
        if bits.len() != self.symbols() {
            let (found, whole) = (bits.len(), self.symbols());
            return Err(self.wrong(&format!("there are {found} symbols where {whole} should be")));
        }
        let groups: Vec<u32> = bits.chunks(GROUP_SYMBOLS).map(number).collect();
        self.compare(&groups)?;
        let bytes = base32::join(&bits[..self.groups * GROUP_SYMBOLS]);
        bytes.ok_or_else(|| self.wrong(&format!("group {} cannot be right", self.groups)))
    }

    fn compare(&self, groups: &[u32]) -> Result<()> {
        let (secret, found) = groups.split_at(self.groups);
        let expected = sums(secret);
        let (plain, weighted) = (expected[0] ^ found[0], expected[1] ^ found[1]);
        // An error e in group i moves the sums by e and xⁱ·e; an error in a sum moves that sum alone.
        let mut moved = plain;
        let place = (1..=self.groups).find(|_| {
            moved = times_x(moved);
            plain != 0 && moved == weighted
        });
        let whole = self.groups_in_all();
        match (plain, weighted, place) {
            (0, 0, _) => Ok(()),
            (_, _, Some(place)) => Err(self.wrong(&format!("group {place} was copied wrong"))),
            (_, 0, None) => Err(self.wrong(&format!("group {} was copied wrong", whole - 1))),
            (0, _, None) => {
                Err(self.wrong(&format!("group {whole} was copied wrong, or two groups changed places")))
            }
            _ => Err(self.wrong("more than one group was copied wrong")),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::invalid(format!("This is not {}: {what}.", self.name)).hint(self.hint)
    }
}

/// How many characters of it count.
pub(super) fn symbols_of(text: &str) -> usize {
    plain(text).count()
}

/// Whether nothing in it but symbols, spaces and dashes.
pub(super) fn base32_only(text: &str) -> bool {
    plain(text).all(|character| base32::value(character).is_some())
}

/// The characters that count: no spaces and no dashes.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|character| !character.is_whitespace() && !matches!(character, '-' | '–' | '—'))
}

fn groups_of(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—'));
    parts.filter(|part| !part.is_empty()).collect()
}

fn number(bits: &[u8]) -> u32 {
    bits.iter().fold(0, |number, bits| number << 5 | u32::from(*bits))
}

/// The two sums over the groups, taken as elements of GF(2^20): Σ g and Σ xⁱ·g.
///
/// This is a Reed-Solomon code with two check symbols: it would even mend one group. Ours only
/// names it, because a mended secret would hide that the paper is wrong.
fn sums(groups: &[u32]) -> [u32; SUMS] {
    let plain = groups.iter().fold(0, |sum, group| sum ^ group);
    let weighted = groups.iter().rev().fold(0, |sum, group| times_x(sum ^ group));
    [plain, weighted]
}

/// Multiplies by x modulo x²⁰ + x³ + 1, which is primitive.
fn times_x(number: u32) -> u32 {
    let shifted = number << 1;
    if shifted >> 20 == 1 { shifted ^ (1 << 20 | 0b1001) } else { shifted }
}
