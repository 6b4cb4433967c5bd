//! People of the instance and members of projects: who may make whom what.

use super::kit::*;
use crate::kernel::house::{at, outcome};
use testkeep::kernel::access::{AccountWrite, MemberManage, PeopleManage, PeopleView, ProjectView, Role, Tx};
use testkeep::kernel::error::Kind;
use testkeep::kernel::limits;
use testkeep::kernel::time::Timestamp;
use testkeep::people::login::invitation;
use testkeep::people::members::{self, NewMember};
use testkeep::people::users::{self, NewPerson, State};

#[tokio::test]
async fn an_invited_person_opens_their_account_with_the_link_once() {
    let (house, _) = claimed().await;
    let new = NewPerson { email: email("New@shop.example"), name: name("New"), role: None };
    let gate = house.operator::<PeopleManage>(());
    let invited = gate.write(move |tx| users::invite(tx, new)).await.unwrap();
    let (visitor, code) = (house.visitor(), invited.code.clone());
    let guest = visitor.read(move |tx| invitation::guest(tx, code.expose())).await.unwrap();
    assert_eq!((guest.email.as_str(), guest.name.as_str()), ("new@shop.example", "New"));
    let begun =
        invitation::accept(&visitor, invited.code.clone(), secret(PASSPHRASE), "".into()).await.unwrap();
    let again = invitation::accept(&visitor, invited.code, secret(PASSPHRASE), "".into()).await;
    assert_eq!(outcome(&again), Some(Kind::NotFound));
    house.enrol(&begun).await;
    let listed = gate.read(|tx| users::list(tx.reading())).await.unwrap();
    let new = listed.iter().find(|user| user.name == "New").unwrap();
    assert!(new.state == State::Active && new.has_factor);
}

#[tokio::test]
async fn a_second_link_voids_the_first_and_a_day_ends_both() {
    let (house, _) = claimed().await;
    let new = NewPerson { email: email("new@shop.example"), name: name("New"), role: None };
    let gate = house.operator::<PeopleManage>(());
    let first = gate.write(move |tx| users::invite(tx, new)).await.unwrap();
    let second = gate.write(move |tx| users::invite_again(tx, first.user)).await.unwrap();
    let visitor = house.visitor();
    let old = invitation::accept(&visitor, first.code, secret(PASSPHRASE), "".into()).await;
    assert_eq!(outcome(&old), Some(Kind::NotFound));
    house.clock.advance(limits::LINK_MS);
    let late = invitation::accept(&visitor, second.code, secret(PASSPHRASE), "".into()).await;
    assert_eq!(outcome(&late), Some(Kind::NotFound));
}

#[tokio::test]
async fn one_address_has_one_account() {
    let (house, _) = claimed().await;
    let new = NewPerson { email: email("OWNER@shop.example"), name: name("Twin"), role: None };
    let gate = house.operator::<PeopleManage>(());
    assert_eq!(outcome(&gate.write(move |tx| users::invite(tx, new)).await), Some(Kind::Conflict));
}

#[tokio::test]
async fn resetting_a_factor_takes_the_passphrase_too_and_gives_a_link() {
    let (house, _) = claimed().await;
    let (user, cookie) = house.signed_in_person("b@shop.example", Held::Instance(None)).await;
    let gate = house.operator::<PeopleManage>(());
    let reset = gate.write(move |tx| users::reset_factor(tx, user)).await.unwrap();
    assert!(house.passphrase("b@shop.example", PASSPHRASE).await.is_none());
    let gone = house.with_cookie::<AccountWrite>(&cookie, ()).read(|tx| users::own(tx.reading())).await;
    assert_eq!(outcome(&gone), Some(Kind::Unauthenticated));
    let begun =
        invitation::accept(&house.visitor(), reset.code, secret(PASSPHRASE), "".into()).await.unwrap();
    house.enrol(&begun).await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    let (house, owner) = claimed().await;
    let gate = house.operator::<PeopleManage>(());
    let refused = [
        gate.write(move |tx| users::suspend(tx, owner)).await,
        gate.write(move |tx| users::set_role(tx, owner, None)).await,
        gate.write(move |tx| users::set_role(tx, owner, Some(Role::Viewer))).await,
    ];
    assert!(refused.iter().all(|answer| outcome(answer) == Some(Kind::Conflict)), "{refused:?}");
    // Somebody who has only been invited cannot act yet, so they do not count.
    let new = NewPerson { email: email("b@shop.example"), name: name("B"), role: Some(Role::Owner) };
    gate.write(move |tx| users::invite(tx, new)).await.unwrap();
    assert_eq!(outcome(&gate.write(move |tx| users::suspend(tx, owner)).await), Some(Kind::Conflict));
    house.signed_in_person("c@shop.example", Held::Instance(Some(Role::Owner))).await;
    gate.write(move |tx| users::set_role(tx, owner, None)).await.unwrap();
}

#[tokio::test]
async fn an_owner_needs_a_fresh_proof_to_manage_people_and_leaves_themselves_alone() {
    let (house, owner) = claimed().await;
    let session = house.sign_in().await;
    let gate = house.with_cookie::<PeopleManage>(&session.cookie, ());
    assert_eq!(outcome(&gate.write(move |tx| users::suspend(tx, owner)).await), Some(Kind::Conflict));
    house.clock.advance(limits::SESSION_FRESH_MS);
    let new = NewPerson { email: email("b@shop.example"), name: name("B"), role: None };
    assert_eq!(outcome(&gate.write(move |tx| users::invite(tx, new)).await), Some(Kind::Forbidden));
}

#[tokio::test]
async fn a_role_reaches_one_project_and_ends_when_it_should() {
    let (house, _) = claimed().await;
    house.project("SHOP").await;
    house.project("PAY").await;
    let (user, cookie) = house.signed_in_person("t@shop.example", Held::Project("SHOP", Role::Tester)).await;
    let sees = |key: &'static str| {
        let gate = house.with_cookie::<ProjectView>(&cookie, at(key));
        async move { outcome(&gate.admit().await) }
    };
    assert_eq!((sees("SHOP").await, sees("PAY").await), (None, Some(Kind::NotFound)));
    let gate = house.operator::<MemberManage>(at("SHOP"));
    let ends = Timestamp(house.now_ms() + 3_600_000);
    gate.write(move |tx| members::change(tx, user, Role::Viewer, Some(ends))).await.unwrap();
    house.clock.advance(3_600_000);
    assert_eq!(sees("SHOP").await, Some(Kind::NotFound));
    gate.write(move |tx| members::remove(tx, user)).await.unwrap();
    assert_eq!(outcome(&gate.write(move |tx| members::remove(tx, user)).await), Some(Kind::NotFound));
}

#[tokio::test]
async fn a_manager_gives_no_role_wider_than_their_own() {
    let (house, owner) = claimed().await;
    house.project("SHOP").await;
    let (_, cookie) = house.signed_in_person("m@shop.example", Held::Project("SHOP", Role::Manager)).await;
    let gate = house.with_cookie::<MemberManage>(&cookie, at("SHOP"));
    let put = |role, address: &'static str| {
        let new = NewMember { email: email(address), name: Some(name("N")), role, expires_at: None };
        gate.write(move |tx| members::put(tx, new))
    };
    assert_eq!(outcome(&put(Role::Owner, "x@shop.example").await), Some(Kind::Forbidden));
    assert!(put(Role::Manager, "y@shop.example").await.is_ok());
    assert!(put(Role::Auditor, "z@shop.example").await.is_ok());
    let by_owner = house.operator::<MemberManage>(at("SHOP"));
    let new = NewMember { email: email(OWNER), name: None, role: Role::Owner, expires_at: None };
    by_owner.write(move |tx| members::put(tx, new)).await.unwrap();
    let down = gate.write(move |tx| members::change(tx, owner, Role::Viewer, None)).await;
    assert_eq!(outcome(&down), Some(Kind::Forbidden));
    assert_eq!(outcome(&gate.write(move |tx| members::remove(tx, owner)).await), Some(Kind::Forbidden));
}

#[tokio::test]
async fn a_member_sees_no_people_of_the_instance() {
    let (house, _) = claimed().await;
    house.project("SHOP").await;
    let (_, cookie) = house.signed_in_person("m@shop.example", Held::Project("SHOP", Role::Owner)).await;
    let gate = house.with_cookie::<PeopleView>(&cookie, ());
    assert_eq!(outcome(&gate.read(users::list).await), Some(Kind::Forbidden));
    let gate = house.with_cookie::<MemberManage>(&cookie, at("SHOP"));
    assert!(gate.read(|tx| Ok(tx.may::<MemberManage>())).await.unwrap());
}
