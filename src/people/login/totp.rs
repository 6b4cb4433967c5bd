//! Codes of an authenticator app: six digits every 30 seconds, each good once. RFC 6238 with SHA-1,
//! because that is what every app understands.

use super::sql;
use crate::kernel::access::{Permission, Tx, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::random;
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, Totp};

const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one that still count: clocks differ.
const STEPS_AROUND: u64 = 1;
const ISSUER: &str = "Testkeep";

/// What a person is shown to set their app up.
#[derive(Clone, Debug)]
pub struct Provisioning {
    /// The secret for typing, in groups of four.
    pub secret: String,
    /// The address that apps understand.
    pub url: String,
    /// The address as a picture: a whole SVG element without styles or scripts.
    pub qr_svg: String,
}

/// A new secret: 160 bits, as RFC 4226 advises.
pub fn new_secret() -> [u8; 20] {
    random::bytes()
}

/// How an app is told this secret.
pub fn provisioning(secret: &[u8], email: &str) -> Result<Provisioning> {
    let label = email.replace(':', " ");
    let totp = Builder::new()
        .with_secret(Secret::new(secret.into()))
        .with_account_name(label)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|e| Error::internal(e.to_string()))?;
    let url = totp.to_url().map_err(|e| Error::internal(e.to_string()))?;
    let picture = QrCode::new(&url).map_err(Error::internal)?;
    let qr_svg = picture.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    // The declaration of XML has no place inside of a page, and who listens hears what the picture is.
    let start = qr_svg.find("<svg").map_or(0, |start| start + "<svg".len());
    let qr_svg = format!("<svg role=\"img\" aria-label=\"QR picture\"{}", &qr_svg[start..]);
    Ok(Provisioning { secret: grouped(&totp.secret().to_base32()), url, qr_svg })
}

/// The code of this secret at a moment, for whoever has to type one.
pub fn code_at(secret: &[u8], at_ms: i64) -> String {
    totp(secret).generate(seconds(at_ms)).to_string()
}

/// The step whose code this is, if it is near the present and after `used`.
///
/// Two neighbouring steps may have the same code by chance; then the one not used yet counts.
pub(super) fn matching_step(secret: &[u8], typed: &str, at_ms: i64, used: i64) -> Option<i64> {
    let typed: String = typed.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (totp, present) = (totp(secret), seconds(at_ms) / STEP_SECONDS);
    let steps = present.saturating_sub(STEPS_AROUND)..=present + STEPS_AROUND;
    let fresh = steps.filter(|step| i64::try_from(*step).is_ok_and(|step| step > used));
    let mut right = fresh.filter(|step| {
        let expected = totp.generate(step * STEP_SECONDS).to_string();
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), typed.as_bytes()).into()
    });
    right.next().and_then(|step| i64::try_from(step).ok())
}

/// Whether the code is right for this person and was never accepted before. Of all who bring the same
/// code at once, one hears yes.
pub(super) fn accept<P: Permission>(tx: Write<'_, P>, user: UserId, typed: &str) -> Result<bool> {
    let Some(factor) = sql::factor(tx, user)? else { return Ok(false) };
    let Some(step) = matching_step(&factor.secret, typed, tx.now().0, factor.step) else { return Ok(false) };
    sql::use_step(tx, user, step)
}

fn totp(secret: &[u8]) -> Totp {
    Builder::new().with_secret(Secret::new(secret.into())).build_noncompliant()
}

fn seconds(at_ms: i64) -> u64 {
    u64::try_from(at_ms / 1000).unwrap_or(0)
}

fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(code_at(SECRET, second * 1000), code, "at {second}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late_and_no_more() {
        let at_ms = 1_700_000_010_000;
        let step = at_ms / 30_000;
        for (away, counts) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let typed = code_at(SECRET, at_ms + away * 30_000);
            let found = matching_step(SECRET, &typed, at_ms, 0);
            assert_eq!(found, counts.then_some(step + away), "{away} steps away");
        }
    }

    #[test]
    fn a_used_step_is_passed_over_and_a_colliding_neighbour_is_not() {
        let at_ms = (0..4_000_000_i64)
            .map(|step| step * 30_000)
            .find(|at_ms| code_at(SECRET, *at_ms) == code_at(SECRET, at_ms + 30_000));
        let at_ms = at_ms.expect("a million codes collide sooner than four million steps");
        let (typed, step) = (code_at(SECRET, at_ms), at_ms / 30_000);
        assert_eq!(matching_step(SECRET, &typed, at_ms, step), Some(step + 1));
        assert_eq!(matching_step(SECRET, &typed, at_ms, step + 1), None);
    }
}
