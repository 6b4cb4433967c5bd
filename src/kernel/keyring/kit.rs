//! Recovery kit: a secret on paper that opens the instance, and its backups, when all else is lost.
//!
//! The secret is 256 bits in fifteen groups of four symbols. Thirteen hold the secret, two hold
//! sums of them, chosen so that a single group copied wrong can be named. What the kit opens, and
//! how, is in `docs/formats/keyring.md`.

use super::groups::{self, Paper};
use crate::kernel::base32;
use crate::kernel::error::Result;
use crate::kernel::random;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

const PAPER: Paper = Paper {
    groups: 13,
    name: "the secret of a recovery kit",
    hint: "Compare it with the paper: fifteen groups of four symbols.",
};

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

    /// Eight hex digits that tell which kit this is; the page of keys shows those of the kit in force.
    pub fn fingerprint(&self) -> String {
        super::slots::fingerprint_of(self.slot_key().expose())
    }

    /// What wraps the master key in the kit's slot.
    pub(super) fn slot_key(&self) -> Key {
        sealing::derive(self.0.expose(), "testkeep recovery kit v1|slot")
    }

    /// The secret as it is printed: fifteen groups of four symbols with dashes between.
    pub fn print(&self) -> Secret<String> {
        PAPER.print(self.0.expose())
    }

    /// Finds the secret in a whole kit or takes it bare; case, spaces and dashes do not matter, and
    /// O, I and L stand for digits.
    ///
    /// Errors: `Invalid`, naming the group that was copied wrong where that can be known.
    pub fn parse(text: &str) -> Result<RecoverySecret> {
        match text.lines().find(|line| PAPER.looks_bare(line)) {
            // A secret that was typed over several lines is taken as a whole.
            Some(line) if groups::symbols_of(line) < PAPER.symbols() && groups::base32_only(text) => {
                read(text)
            }
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
        let (secret, mark) = (self.secret.print(), self.secret.fingerprint());
        let secret = secret.expose();
        Secret::new(format!(
            "TESTKEEP RECOVERY KIT\n\
             \n\
             Instance:  {instance_name}\n\
             Number:    {uuid}\n\
             Made on:   {date} (UTC)\n\
             Mark:      {mark}\n\
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
             \x20 It is shown once; nobody can print it again. The page of keys shows the mark\n\
             \x20 of the kit that is in force: one with another mark was exchanged.\n\
             \n\
             How to type it\n\
             \x20 Case, spaces and dashes do not matter. There is no U; O is read as 0, I and L\n\
             \x20 as 1. The last two groups are sums: a group typed wrong is named.\n"
        ))
    }
}

fn read(text: &str) -> Result<RecoverySecret> {
    let bytes = PAPER.read(text)?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice()).expect("52 symbols hold 32 bytes");
    Ok(RecoverySecret(Secret::new(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_copied_wrong_is_named() {
        let secret = RecoverySecret::random();
        let printed = secret.print();
        let groups: Vec<&str> = printed.expose().split('-').collect();
        assert_eq!(groups.len(), 15);
        for place in 0..groups.len() {
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
