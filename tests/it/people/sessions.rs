//! Sessions: how long they last, and how they end.

use super::kit::*;
use crate::kernel::house::{House, Number, outcome};
use testkeep::kernel::access::{AccountView, AccountWrite, PeopleManage, SessionKeep, Tx};
use testkeep::kernel::error::Kind;
use testkeep::kernel::limits;
use testkeep::kernel::secret::Secret;
use testkeep::people::sessions::{self, KEEPER};
use testkeep::people::users;

async fn is_in(house: &House, cookie: &Secret<String>) -> bool {
    match house.with_cookie::<AccountView>(cookie, ()).read(users::own).await {
        Ok(_) => true,
        Err(e) if e.kind() == Kind::Unauthenticated => false,
        Err(e) => panic!("{e:?}"),
    }
}

async fn keep(house: &House) -> usize {
    house.door.job(&KEEPER).gate::<SessionKeep>(()).write(sessions::keep).await.unwrap()
}

#[tokio::test]
async fn a_session_ends_after_twelve_idle_hours() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    house.clock.advance(limits::SESSION_IDLE_MS - 1);
    assert!(is_in(&house, &session.cookie).await);
    house.clock.advance(limits::SESSION_IDLE_MS - 1);
    assert!(is_in(&house, &session.cookie).await, "looking a moment ago counts, though it wrote nothing");
    house.clock.advance(limits::SESSION_IDLE_MS);
    assert!(!is_in(&house, &session.cookie).await);
}

#[tokio::test]
async fn a_session_ends_after_seven_days_whatever_happens() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    for _ in 0..limits::SESSION_MAX_MS / (6 * 3_600_000) - 1 {
        house.clock.advance(6 * 3_600_000);
        assert!(is_in(&house, &session.cookie).await);
    }
    house.clock.advance(6 * 3_600_000);
    assert!(!is_in(&house, &session.cookie).await);
}

#[tokio::test]
async fn looking_writes_nothing_and_the_keeper_stores_the_stamps() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    house.clock.advance(limits::SESSION_IDLE_MS / 2);
    let stamps = || async {
        let gate = house.operator::<AccountView>(());
        let reading = gate.read(|tx| tx.rows::<Number>("SELECT seen_at FROM sessions", []));
        reading.await.unwrap().into_iter().map(|Number(at)| at).collect::<Vec<_>>()
    };
    let before = stamps().await;
    assert!(is_in(&house, &session.cookie).await);
    assert_eq!(stamps().await, before);
    assert_eq!(keep(&house).await, 1);
    assert_eq!(stamps().await, [house.now_ms()]);
    // After a restart only what was stored counts.
    let house = house.restart().await;
    house.clock.advance(limits::SESSION_IDLE_MS / 2);
    assert!(is_in(&house, &session.cookie).await);
    house.clock.advance(limits::SESSION_IDLE_MS);
    keep(&house).await;
    let gate = house.operator::<AccountView>(());
    let left = gate.read(|tx| tx.rows::<Number>("SELECT id FROM sessions", [])).await.unwrap();
    assert!(left.is_empty(), "what has ended goes");
}

#[tokio::test]
async fn people_see_their_sessions_and_end_them() {
    let (house, _) = claimed().await;
    let (here, there, elsewhere) = (house.sign_in().await, house.sign_in().await, house.sign_in().await);
    let gate = house.with_cookie::<AccountWrite>(&here.cookie, ());
    let listed = gate.read(|tx| sessions::list(tx.reading())).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.is_current).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(listed[0].agent, "Browser");
    let newest = listed[0].id;
    gate.write(move |tx| sessions::end(tx, newest)).await.unwrap();
    assert!(!is_in(&house, &elsewhere.cookie).await && is_in(&house, &there.cookie).await);
    assert_eq!(gate.write(sessions::end_others).await.unwrap(), 1);
    assert!(!is_in(&house, &there.cookie).await && is_in(&house, &here.cookie).await);
    gate.write(sessions::sign_out).await.unwrap();
    assert!(!is_in(&house, &here.cookie).await);
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let (house, _) = claimed().await;
    let owner = house.sign_in().await;
    let (_, cookie) = house.signed_in_person("b@shop.example", Held::Instance(None)).await;
    let listed = house.with_cookie::<AccountView>(&owner.cookie, ()).read(sessions::list).await.unwrap();
    let foreign = listed[0].id;
    let gate = house.with_cookie::<AccountWrite>(&cookie, ());
    assert_eq!(outcome(&gate.write(move |tx| sessions::end(tx, foreign)).await), Some(Kind::NotFound));
    assert!(is_in(&house, &owner.cookie).await);
}

#[tokio::test]
async fn a_suspended_person_is_out_at_the_next_request() {
    let (house, _) = claimed().await;
    let (user, cookie) = house.signed_in_person("b@shop.example", Held::Instance(None)).await;
    assert!(is_in(&house, &cookie).await);
    let gate = house.operator::<PeopleManage>(());
    gate.write(move |tx| users::suspend(tx, user)).await.unwrap();
    assert!(!is_in(&house, &cookie).await);
    gate.write(move |tx| users::activate(tx, user)).await.unwrap();
    assert!(!is_in(&house, &cookie).await, "the session is over for good");
    assert!(house.passphrase("b@shop.example", PASSPHRASE).await.is_some());
}

#[tokio::test]
async fn the_oldest_session_ends_when_there_are_too_many() {
    let (house, _) = claimed().await;
    let first = house.sign_in().await;
    for _ in 0..limits::SESSIONS_PER_USER_MAX {
        house.sign_in().await;
    }
    assert!(!is_in(&house, &first.cookie).await);
}
