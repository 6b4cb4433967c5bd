//! Setting an instance up: once, by whoever holds the newest link.

use super::kit::*;
use crate::kernel::house::{House, outcome};
use testkeep::kernel::access::{AccountView, Claim, PeopleView};
use testkeep::kernel::error::{Kind, Result};
use testkeep::kernel::limits;
use testkeep::kernel::secret::Secret;
use testkeep::people::login::{Begun, Step};
use testkeep::people::{setup, users};

async fn link(house: &House) -> Option<Secret<String>> {
    house.operator::<Claim>(()).write(|tx| setup::issue_link(tx, UUID)).await.unwrap()
}

async fn claim(house: &House, code: &Secret<String>) -> Result<Begun> {
    let gate = house.door.visitor(from("192.0.2.1")).gate::<Claim>(());
    let (email, name) = (email(OWNER), name("Owner"));
    setup::claim_with_link(&gate, code.clone(), email, name, secret(PASSPHRASE), "".into()).await
}

#[tokio::test]
async fn whoever_holds_the_link_becomes_the_first_owner() {
    let house = House::start();
    let code = link(&house).await.unwrap();
    let begun = claim(&house, &code).await.unwrap();
    assert_eq!(begun.step, Step::Enrol);
    let enrolled = house.enrol(&begun).await;
    assert!(enrolled.is_owner);
    assert_eq!(enrolled.codes.len(), 10);
    let gate = house.with_cookie::<PeopleView>(&enrolled.signed_in.cookie, ());
    assert_eq!(gate.read(users::list).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_link_works_once_and_nobody_claims_twice() {
    let house = House::start();
    let code = link(&house).await.unwrap();
    let both = futures_util::future::join(claim(&house, &code), claim(&house, &code)).await;
    assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|won| **won).count(), 1);
    assert_eq!(outcome(&claim(&house, &code).await), Some(Kind::NotFound));
    assert!(link(&house).await.is_none(), "a claimed instance prints no link");
    let gate = house.operator::<Claim>(());
    let again =
        setup::claim_as_operator(&gate, UUID, email("b@shop.example"), name("B"), secret(PASSPHRASE)).await;
    assert_eq!(outcome(&again), Some(Kind::Conflict));
}

#[tokio::test]
async fn a_new_start_voids_the_old_link_and_a_day_ends_every_link() {
    let house = House::start();
    let (old, new) = (link(&house).await.unwrap(), link(&house).await.unwrap());
    assert_eq!(outcome(&claim(&house, &old).await), Some(Kind::NotFound));
    house.clock.advance(limits::LINK_MS);
    assert_eq!(outcome(&claim(&house, &new).await), Some(Kind::NotFound));
}

#[tokio::test]
async fn a_weak_passphrase_leaves_the_link_good() {
    let house = House::start();
    let code = link(&house).await.unwrap();
    let gate = house.door.visitor(from("192.0.2.1")).gate::<Claim>(());
    let weak =
        setup::claim_with_link(&gate, code.clone(), email(OWNER), name("O"), secret("weak"), "".into());
    assert_eq!(outcome(&weak.await), Some(Kind::Invalid));
    assert!(claim(&house, &code).await.is_ok());
}

#[tokio::test]
async fn the_operator_claims_with_a_factor_made_on_the_spot() {
    let house = House::start();
    let gate = house.operator::<Claim>(());
    let claimed =
        setup::claim_as_operator(&gate, UUID, email(OWNER), name("Owner"), secret(PASSPHRASE)).await.unwrap();
    assert_eq!(claimed.recovery_codes.len(), 10);
    assert!(
        claimed.totp.url.starts_with("otpauth://totp/Testkeep:owner%40shop.example?"),
        "{}",
        claimed.totp.url
    );
    assert!(claimed.totp.qr_svg.starts_with("<svg"));
    assert!(!claimed.totp.qr_svg.contains("style="));
    let begun = house.passphrase(OWNER, PASSPHRASE).await.unwrap();
    let shown = from_base32(&claimed.totp.secret);
    let code = testkeep::people::login::totp::code_at(&shown, house.now_ms());
    let proof = testkeep::people::login::Proof::Code(code);
    let signed_in = house.second(&begun.cookie, proof).await.unwrap().unwrap();
    assert!(house.with_cookie::<AccountView>(&signed_in.cookie, ()).read(users::own).await.is_ok());
}

#[tokio::test]
async fn somebody_who_stops_in_the_middle_goes_on_at_their_next_sign_in() {
    let house = House::start();
    let code = link(&house).await.unwrap();
    claim(&house, &code).await.unwrap();
    let begun = house.passphrase(OWNER, PASSPHRASE).await.unwrap();
    assert_eq!(begun.step, Step::Enrol);
    assert!(house.enrol(&begun).await.is_owner);
}
