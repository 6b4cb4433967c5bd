//! Shares: a secret of its own slot, split so that any so many of the papers open the instance.
//!
//! Shamir's scheme over GF(2⁸), byte by byte. Fewer than the threshold tell nothing. Taking the slot
//! away makes all papers of the set worthless.

use super::file::ShareCount;
use super::groups::Paper;
use crate::kernel::base32;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
use blahaj::Sharks;
use std::collections::BTreeMap;

/// Bytes that name the set: shares of two sets are told apart before they are put together.
const SET_BYTES: usize = 3;
/// Bytes of a share: threshold, set, number, value.
const SHARE_BYTES: usize = 1 + SET_BYTES + 1 + 32;

const PAPER: Paper = Paper {
    groups: 15,
    name: "a share",
    hint: "Compare it with the paper: seventeen groups of four symbols, one share on each line.",
};

/// What enough shares give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSecret {
    secret: Secret<[u8; 32]>,
    /// How many there are; `of` is 0 where only some of them were seen.
    pub(super) count: ShareCount,
}

/// One paper of a set.
#[derive(Clone, Debug)]
pub struct Share {
    /// 1, 2, 3 …
    pub number: u8,
    /// So many open the instance.
    pub need: u8,
    set: [u8; SET_BYTES],
    value: Secret<Vec<u8>>,
}

impl SharedSecret {
    /// A new secret and its papers. Any `need` of them give it back.
    ///
    /// Errors: `Invalid` for counts that make no sense.
    pub fn split(count: ShareCount) -> Result<(SharedSecret, Vec<Share>)> {
        let ShareCount { of, need } = count;
        if need < 2 || need > of || of > limits::SHARES_MAX {
            return Err(Error::invalid(format!("{need} of {of} shares cannot be made."))
                .hint(format!("At least 2 must be needed, and at most {} are made.", limits::SHARES_MAX)));
        }
        let secret = Secret::new(random::bytes::<32>());
        let papers = dealt(&secret, count);
        Ok((SharedSecret { secret, count }, papers))
    }

    /// Puts shares together that somebody typed, one on each line, in any order and among other text.
    ///
    /// Errors: `Invalid`, naming the share and the group that is wrong; `Unauthenticated` for too few.
    pub fn parse(text: &str) -> Result<SharedSecret> {
        let mut found: BTreeMap<u8, Share> = BTreeMap::new();
        let lines = text.lines().zip(1..).filter(|(line, _)| PAPER.looks_bare(line));
        for (place, (line, at)) in (1..).zip(lines) {
            let share = Share::read(line).map_err(|wrong| {
                let sentence = format!(
                    "The share on line {at}, number {place} of those given, is wrong. {}",
                    wrong.sentence()
                );
                Error::invalid(sentence).hint(wrong.hint_text().unwrap_or_default().to_owned())
            })?;
            if let Some(first) = found.values().next()
                && (first.set != share.set || first.need != share.need)
            {
                return Err(Error::invalid(format!(
                    "The share on line {at} is of the set {}, those before it are of {}.",
                    share.set_name(),
                    first.set_name()
                ))
                .hint("The set stands on the paper. Shares of different sets do not fit together."));
            }
            found.insert(share.number, share);
        }
        let Some(need) = found.values().next().map(|share| share.need) else {
            return Err(Error::invalid("There is no share in what was given.").hint(PAPER.hint));
        };
        if found.len() < usize::from(need) {
            let count = found.len();
            return Err(Error::unauthenticated(format!(
                "{count} shares are too few: {need} open the instance."
            ))
            .hint("The same share twice counts once."));
        }
        let shares: Vec<blahaj::Share> =
            found.values().take(usize::from(need)).map(Share::raw).collect::<Result<_>>()?;
        let secret = Sharks(need).recover(&shares).map_err(Error::internal)?;
        let secret = <[u8; 32]>::try_from(Secret::new(secret).expose().as_slice());
        let secret = secret.map_err(|_| Error::invalid("These shares give no key."))?;
        Ok(SharedSecret { secret: Secret::new(secret), count: ShareCount { of: 0, need } })
    }

    /// Lines that `parse` turns into this secret again, for a process that takes the place of this one.
    pub fn handed_on(&self) -> Secret<String> {
        let need = self.count.need;
        let papers = dealt(&self.secret, ShareCount { of: need, need });
        let lines: Vec<String> = papers.iter().map(|share| share.print().expose().clone()).collect();
        Secret::new(lines.join("\n"))
    }

    /// What wraps the master key in the slot of the shares.
    pub(super) fn slot_key(&self) -> Key {
        sealing::derive(self.secret.expose(), "testkeep shares v1|slot")
    }
}

/// A set of papers for a secret.
fn dealt(secret: &Secret<[u8; 32]>, ShareCount { of, need }: ShareCount) -> Vec<Share> {
    let set = random::bytes::<SET_BYTES>();
    let papers = Sharks(need).dealer(secret.expose()).take(usize::from(of)).map(|share| {
        let bytes = Secret::new(Vec::from(&share));
        let (number, value) = bytes.expose().split_first().expect("a share begins with its number");
        Share { number: *number, need, set, value: Secret::new(value.to_vec()) }
    });
    papers.collect()
}

impl Share {
    /// The share as it is printed: seventeen groups of four symbols.
    pub fn print(&self) -> Secret<String> {
        let head = [&[self.need][..], &self.set, &[self.number]].concat();
        let bytes = Secret::new([&head[..], self.value.expose()].concat());
        PAPER.print(bytes.expose())
    }

    /// Five symbols that all papers of a set have in common.
    pub fn set_name(&self) -> String {
        base32::encode(&self.set)
    }

    /// The share as a page of text, for paper.
    pub fn page(&self, instance_name: &str, uuid: &str, of: u8) -> Secret<String> {
        let Share { number, need, .. } = self;
        let (set, secret) = (self.set_name(), self.print());
        let secret = secret.expose();
        Secret::new(format!(
            "TESTKEEP SHARE {number} OF {of}\n\n\
             Instance:  {instance_name}\n\
             Number:    {uuid}\n\
             Set:       {set}\n\n\
             Any {need} of the {of} shares of this set open the instance.\n\n\
             {secret}\n\n\
             How to use it: bring {need} of them together and type them, one on each line, where\n\
             \x20 testkeep serve --shares-file -\n\
             \x20 testkeep key set-file /path/of/a/new.key --shares-file -\n\
             \x20 testkeep restore --from TARGET --into /var/lib/testkeep --shares-file -\n\
             asks for them: to start the instance, for a new everyday key, to bring it back\n\
             on any machine from a backup that was made after the shares.\n\n\
             Keep it apart from the other shares, from the machine and from the backups.\n\
             It was shown once. Case, spaces and dashes do not matter; O is read as 0, I and L as 1.\n\
             The last two groups are sums: a group typed wrong is named.\n"
        ))
    }

    fn read(line: &str) -> Result<Share> {
        let bytes = PAPER.read(line)?;
        let wrong = || Error::invalid("This is not a share.").hint(PAPER.hint);
        let bytes: &[u8; SHARE_BYTES] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        let (need, number) = (bytes[0], bytes[1 + SET_BYTES]);
        if need < 2 || number == 0 {
            return Err(wrong());
        }
        let set = bytes[1..=SET_BYTES].try_into().expect("three bytes are three bytes");
        Ok(Share { number, need, set, value: Secret::new(bytes[2 + SET_BYTES..].to_vec()) })
    }

    fn raw(&self) -> Result<blahaj::Share> {
        let bytes = Secret::new([&[self.number][..], self.value.expose()].concat());
        blahaj::Share::try_from(bytes.expose().as_slice()).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_three_of_five_shares_give_the_secret_and_two_give_nothing() {
        let (secret, papers) = SharedSecret::split(ShareCount { of: 5, need: 3 }).unwrap();
        let line = |at: usize| papers[at].page("Shop", "uuid", 5).expose().clone();
        for (a, b, c) in [(0, 1, 2), (4, 2, 0), (1, 3, 4)] {
            let text = [line(a), line(b), line(c)].join("\n");
            let found = SharedSecret::parse(&text).unwrap();
            assert_eq!(found.slot_key(), secret.slot_key());
            let once_more = SharedSecret::parse(found.handed_on().expose()).unwrap();
            assert_eq!(once_more.slot_key(), secret.slot_key());
        }
        for text in [line(0) + &line(1), line(2) + &line(2) + &line(2)] {
            assert!(SharedSecret::parse(&text).unwrap_err().sentence().contains("3 open the instance"));
        }
    }

    #[test]
    fn a_share_that_is_copied_wrong_or_of_another_set_is_named() {
        let (_, papers) = SharedSecret::split(ShareCount { of: 3, need: 2 }).unwrap();
        let good = papers[0].print();
        let mut groups: Vec<String> = papers[1].print().expose().split('-').map(str::to_owned).collect();
        groups[6] = if groups[6] == "0000" { "1000".into() } else { "0000".into() };
        let said = SharedSecret::parse(&format!("{}\n{}", good.expose(), groups.join("-"))).unwrap_err();
        assert!(said.sentence().contains("line 2") && said.sentence().contains("group 7"), "{said}");
        let (_, others) = SharedSecret::split(ShareCount { of: 3, need: 2 }).unwrap();
        let said = SharedSecret::parse(&format!("{}\n{}", good.expose(), others[1].print().expose()));
        assert!(said.unwrap_err().sentence().contains("of the set"));
    }
}
