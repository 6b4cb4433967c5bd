//! Crockford's base32: text that people copy by hand without mixing up letters.
//!
//! Source: <https://www.crockford.com/base32.html>, without its check symbol.

use zeroize::Zeroizing;

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The five bits of a symbol. Takes small letters, and O, I and L for the digits they look like.
pub fn value(symbol: char) -> Option<u8> {
    let plain = match symbol.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = SYMBOLS.iter().position(|known| char::from(*known) == plain)?;
    u8::try_from(place).ok()
}

/// The symbol of five bits; higher bits are dropped.
pub fn symbol(bits: u8) -> char {
    char::from(SYMBOLS[usize::from(bits & 31)])
}

/// Bytes as groups of five bits, the highest first; the last group is filled up with zeros.
pub fn split(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let (mut held, mut count) = (0_u32, 0);
    let mut groups = Zeroizing::new(Vec::with_capacity(bytes.len() * 8 / 5 + 1));
    for byte in bytes {
        (held, count) = (held << 8 | u32::from(*byte), count + 8);
        while count >= 5 {
            count -= 5;
            groups.push((held >> count & 31) as u8);
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        groups.push((held << (5 - count) & 31) as u8);
    }
    groups
}

/// Groups of five bits as bytes; `None` if the bits that fill up are not zero.
pub fn join(groups: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (mut held, mut count) = (0_u32, 0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(groups.len() * 5 / 8 + 1));
    for group in groups {
        (held, count) = (held << 5 | u32::from(*group), count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count & 255) as u8);
        }
        held &= (1 << count) - 1;
    }
    (held == 0).then_some(bytes)
}

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    split(bytes).iter().map(|bits| symbol(*bits)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_joins_again() {
        for length in 0..40_u8 {
            let bytes: Vec<u8> = (0..length).map(|place| place.wrapping_mul(37) ^ 0xA5).collect();
            assert_eq!(*join(&split(&bytes)).expect("zeros fill up"), bytes);
        }
        assert!(join(&[31, 31]).is_none(), "two groups hold one byte and two zero bits");
    }

    #[test]
    fn letters_that_look_like_digits_are_taken_for_them() {
        assert_eq!("0oO1iIlLu".chars().map(value).collect::<Vec<_>>(), {
            let (zero, one) = (Some(0), Some(1));
            vec![zero, zero, zero, one, one, one, one, one, None]
        });
    }
}
