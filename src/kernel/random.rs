//! Random tokens: what sessions, pipelines, links and people present as proof.
//!
//! All randomness comes from the system. What is stored is a digest; see `access`.

use super::base32;
use super::secret::Secret;
use data_encoding::BASE64URL_NOPAD;

/// What an API token starts with, so that people and secret scanners recognise one.
pub const TOKEN_PREFIX: &str = "tk_";
/// Random characters of an API token: 43 of 62 kinds hold 256 bits.
const TOKEN_RANDOM_CHARS: usize = 43;
/// Checksum characters of an API token: six of 62 kinds hold a CRC-32.
const TOKEN_SUM_CHARS: usize = 6;
/// One-use codes that a person gets at once.
pub const RECOVERY_CODES: usize = 10;
/// Groups of a one-use code, of five characters each: 125 bits.
const CODE_GROUPS: usize = 5;
const CODE_GROUP_CHARS: usize = 5;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes of the system.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's source of randomness does not fail once it runs");
    bytes
}

/// The value of a session cookie: 256 bits in 43 characters of base64url.
pub fn cookie() -> Secret<String> {
    Secret::new(BASE64URL_NOPAD.encode(&bytes::<32>()))
}

/// The secret part of a one-use link, such as an invitation: 256 bits in 43 characters of base64url.
pub fn link_code() -> Secret<String> {
    cookie()
}

/// An API token: `tk_`, 43 random characters, 6 of checksum.
///
/// The checksum is the CRC-32 (as in zip) of all that stands before it, in base 62, the highest
/// digit first. It tells a token from a typing error before anything is looked up.
pub fn api_token() -> Secret<String> {
    let mut text = String::with_capacity(TOKEN_PREFIX.len() + TOKEN_RANDOM_CHARS + TOKEN_SUM_CHARS);
    text.push_str(TOKEN_PREFIX);
    while text.len() < TOKEN_PREFIX.len() + TOKEN_RANDOM_CHARS {
        // Six bits give 64 numbers; the two that have no character are drawn again, not bent.
        let usable = bytes::<64>().into_iter().filter_map(|byte| BASE62.get(usize::from(byte & 63)));
        let missing = TOKEN_PREFIX.len() + TOKEN_RANDOM_CHARS - text.len();
        text.extend(usable.take(missing).map(|character| char::from(*character)));
    }
    let sum = token_sum(&text);
    text.push_str(&sum);
    Secret::new(text)
}

/// Whether this can be an API token: its length, its characters and its checksum are right.
pub fn is_api_token(text: &str) -> bool {
    let length = TOKEN_PREFIX.len() + TOKEN_RANDOM_CHARS + TOKEN_SUM_CHARS;
    let is_plain = text.bytes().skip(TOKEN_PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric());
    text.len() == length && text.starts_with(TOKEN_PREFIX) && is_plain && {
        let (random, sum) = text.split_at(length - TOKEN_SUM_CHARS);
        token_sum(random) == sum
    }
}

/// Fresh one-use codes for a person: `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX`, 125 bits each.
pub fn recovery_codes() -> [Secret<String>; RECOVERY_CODES] {
    std::array::from_fn(|_| {
        let symbols: Vec<char> =
            bytes::<{ CODE_GROUPS * CODE_GROUP_CHARS }>().into_iter().map(base32::symbol).collect();
        let groups: Vec<String> =
            symbols.chunks(CODE_GROUP_CHARS).map(|group| group.iter().collect()).collect();
        Secret::new(groups.join("-"))
    })
}

/// A one-use code as it was given out, from what somebody typed: case, spaces and dashes do not
/// matter, and O, I and L stand for digits. `None` if it cannot be one.
pub fn recovery_code(typed: &str) -> Option<Secret<String>> {
    let mut code = String::with_capacity(CODE_GROUPS * (CODE_GROUP_CHARS + 1));
    let mut count = 0;
    for typed in typed.chars().filter(|typed| *typed != '-' && !typed.is_whitespace()) {
        if count > 0 && count % CODE_GROUP_CHARS == 0 {
            code.push('-');
        }
        code.push(base32::symbol(base32::value(typed)?));
        count += 1;
        if count > CODE_GROUPS * CODE_GROUP_CHARS {
            return None;
        }
    }
    (count == CODE_GROUPS * CODE_GROUP_CHARS).then(|| Secret::new(code))
}

fn token_sum(text: &str) -> String {
    let mut rest = crc32(text.as_bytes());
    let mut sum = [0_u8; TOKEN_SUM_CHARS];
    for place in sum.iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    sum.map(char::from).into_iter().collect()
}

/// CRC-32 with the polynomial of zip. Bit by bit: it runs over fifty characters at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_token_is_known_by_its_checksum() {
        let token = api_token();
        let text = token.expose().as_str();
        assert!(is_api_token(text), "{}", text.len());
        for place in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[place] = if wrong[place] == b'a' { b'b' } else { b'a' };
            assert!(!is_api_token(std::str::from_utf8(&wrong).expect("ASCII")), "at {place}");
        }
        for odd in ["", "tk_", &text[1..], &format!("{text}0"), "tk_äöü"] {
            assert!(!is_api_token(odd));
        }
    }

    #[test]
    fn cookies_have_the_length_that_the_web_expects() {
        assert_eq!(cookie().expose().len(), 43);
    }

    #[test]
    fn a_recovery_code_is_found_in_what_people_type() {
        for code in &recovery_codes() {
            let typed = code.expose().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(recovery_code(&typed).as_ref(), Some(code));
            assert!(recovery_code(&format!("{typed}0")).is_none());
        }
        assert!(recovery_code("").is_none());
    }
}
