//! Passphrases: what makes a good one, and how one is hashed and checked with Argon2id.
//!
//! Hashing leaves the async threads and has permits of its own, so that signing in starves no page.

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// The name of the product, in the forms people put into passphrases.
const PRODUCT_WORDS: [&str; 4] = ["testkeep", "test", "keep", "testing"];

static PERMITS: Semaphore = Semaphore::const_new(limits::HASHES_AT_ONCE);

/// Checked when there is no such account, so that it takes as long as if there were.
static DECOY: LazyLock<String> = LazyLock::new(|| {
    hash_now(&Secret::new("nobody has this passphrase".to_owned()))
        .expect("the parameters are fixed and good")
});

/// How hard a passphrase is to guess.
#[derive(Clone, Debug)]
pub struct Strength {
    /// 0 (guessed at once) to 4 (very hard).
    pub score: u8,
    /// What is weak about it, if anything is known.
    pub warning: Option<String>,
    /// What would make it better.
    pub advice: Vec<String>,
}

impl Strength {
    /// The word for people.
    pub fn word(&self) -> &'static str {
        match self.score {
            0 | 1 => "Weak",
            2 => "Not yet strong enough",
            3 => "Strong",
            _ => "Very strong",
        }
    }
}

/// Estimates the strength of a passphrase for somebody whom these words describe: name, address.
pub fn strength(passphrase: &Secret<String>, words: &[&str]) -> Strength {
    let parts = words.iter().flat_map(|word| word.split(|letter: char| !letter.is_alphanumeric()));
    let own: Vec<&str> = PRODUCT_WORDS
        .into_iter()
        .chain(words.iter().copied())
        .chain(parts.filter(|part| part.len() > 2))
        .collect();
    // With and without spaces: a common phrase gets no better by taking its words apart.
    let joined: String = passphrase.expose().split_whitespace().collect();
    let estimates = [zxcvbn::zxcvbn(passphrase.expose(), &own), zxcvbn::zxcvbn(&joined, &own)];
    let weakest = estimates.iter().min_by_key(|estimate| estimate.score()).expect("there are two");
    let feedback = weakest.feedback();
    let advice = feedback.map(|feedback| feedback.suggestions()).unwrap_or_default();
    Strength {
        score: weakest.score().into(),
        warning: feedback.and_then(|feedback| feedback.warning()).map(|warning| warning.to_string()),
        advice: advice.iter().map(ToString::to_string).collect(),
    }
}

/// Refuses a passphrase that is too short, too long or too easy to guess, and says why.
pub fn check(passphrase: &Secret<String>, words: &[&str]) -> Result<()> {
    let length = passphrase.expose().chars().count();
    if length < limits::PASSPHRASE_CHARS_MIN {
        return Err(Error::invalid(format!(
            "The passphrase needs at least {} characters; this one has {length}.",
            limits::PASSPHRASE_CHARS_MIN
        ))
        .hint("Four or five unrelated words do well. Any characters count, spaces too."));
    }
    if length > limits::PASSPHRASE_CHARS_MAX {
        return Err(Error::invalid(format!(
            "The passphrase may have at most {} characters; this one has {length}.",
            limits::PASSPHRASE_CHARS_MAX
        )));
    }
    let strength = strength(passphrase, words);
    if strength.score < 3 {
        let why = strength.warning.unwrap_or_else(|| "It would be guessed too soon.".to_owned());
        let advice = strength.advice.join(" ");
        return Err(Error::invalid(format!("This passphrase is too easy to guess. {why}")).hint(
            if advice.is_empty() { "Four or five unrelated words do well.".to_owned() } else { advice },
        ));
    }
    Ok(())
}

/// Hashes a passphrase, in the form that is stored.
pub async fn hash(passphrase: Secret<String>) -> Result<String> {
    apart(move || hash_now(&passphrase)).await
}

/// Whether the passphrase is the one that was hashed. Without a hash it takes the same time to say no.
pub async fn verify(passphrase: Secret<String>, stored: Option<String>) -> Result<bool> {
    apart(move || {
        // Made here in any case, so that the first account that does not exist is no slower.
        let decoy = DECOY.as_str();
        let hash = PasswordHash::new(stored.as_deref().unwrap_or(decoy)).map_err(Error::internal)?;
        let matches = hasher()?.verify_password(passphrase.expose().as_bytes(), &hash).is_ok();
        Ok(matches && stored.is_some())
    })
    .await
}

/// Whether a stored hash was made with other parameters than today's.
pub fn is_outdated(stored: &str) -> bool {
    let today = |hash: &PasswordHash| {
        let params = Params::try_from(hash).ok()?;
        let same = params.m_cost() == limits::HASH_MEMORY_KIB
            && params.t_cost() == limits::HASH_PASSES
            && params.p_cost() == limits::HASH_LANES;
        Some(same && hash.algorithm.as_str() == Algorithm::Argon2id.as_str())
    };
    !PasswordHash::new(stored).ok().as_ref().and_then(today).unwrap_or(false)
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let permit = PERMITS.acquire().await.map_err(Error::internal)?;
    // The permit goes with the work: who hangs up early frees no place that is still in use.
    let working = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    working.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(limits::HASH_MEMORY_KIB, limits::HASH_PASSES, limits::HASH_LANES, None);
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|e| Error::internal(e.to_string()))?))
}

fn hash_now(passphrase: &Secret<String>) -> Result<String> {
    let hash = hasher()?.hash_password(passphrase.expose().as_bytes());
    Ok(hash.map_err(|e| Error::internal(e.to_string()))?.to_string())
}
