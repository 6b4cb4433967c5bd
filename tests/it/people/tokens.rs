//! Tokens: what they reach, and how they end.

use super::kit::*;
use crate::kernel::house::{House, add, at, outcome};
use testkeep::kernel::access::*;
use testkeep::kernel::error::{Kind, Result};
use testkeep::kernel::random::is_api_token;
use testkeep::kernel::secret::Secret;
use testkeep::people::login::factor;
use testkeep::people::tokens::{self, Issued, NewService, NewToken, Reach};
use testkeep::people::users;

async fn issue(
    house: &House,
    cookie: &Secret<String>,
    reach: Reach,
    project: Option<&str>,
) -> Result<Issued> {
    let new = NewToken { name: name("laptop"), reach, project: project.map(str::to_owned), days: 30 };
    house.with_cookie::<AccountWrite>(cookie, ()).write(move |tx| tokens::issue(tx, new)).await
}

fn with<P: Permission>(house: &House, issued: &Issued, place: <P::Scope as Scope>::Place) -> Gate<P> {
    house.gate(issued.token.expose(), place)
}

#[tokio::test]
async fn a_token_reaches_as_far_as_was_chosen() {
    let (house, _) = claimed().await;
    house.project("SHOP").await;
    house.project("PAY").await;
    let session = house.sign_in().await;
    let all = issue(&house, &session.cookie, Reach::Everything, None).await.unwrap();
    let read = issue(&house, &session.cookie, Reach::ReadOnly, None).await.unwrap();
    let upload = issue(&house, &session.cookie, Reach::Upload, Some("SHOP")).await.unwrap();
    assert!(is_api_token(all.token.expose()));
    let may_write = |issued| add_to(&house, issued, "SHOP");
    assert_eq!(may_write(&all).await, None);
    assert_eq!(may_write(&read).await, Some(Kind::Forbidden));
    assert_eq!(may_write(&upload).await, None);
    assert_eq!(add_to(&house, &upload, "PAY").await, Some(Kind::NotFound));
    assert_eq!(outcome(&with::<ProjectView>(&house, &read, at("PAY")).admit().await), None);
    assert_eq!(outcome(&with::<PeopleView>(&house, &read, ()).admit().await), None);
    assert_eq!(outcome(&with::<PeopleView>(&house, &upload, ()).admit().await), Some(Kind::Forbidden));
}

async fn add_to(house: &House, issued: &Issued, key: &'static str) -> Option<Kind> {
    outcome(&add(&with::<CaseWrite>(house, issued, at(key)), "A case").await)
}

#[tokio::test]
async fn no_token_changes_the_account_of_its_owner() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    let all = issue(&house, &session.cookie, Reach::Everything, None).await.unwrap();
    let gate = with::<AccountWrite>(&house, &all, ());
    assert_eq!(outcome(&gate.write(factor::renew_codes).await), Some(Kind::Forbidden));
    let new = NewToken { name: name("child"), reach: Reach::Everything, project: None, days: 7 };
    assert_eq!(outcome(&gate.write(move |tx| tokens::issue(tx, new)).await), Some(Kind::Forbidden));
    let renamed = gate.write(|tx| users::rename(tx, name("Mallory"))).await;
    assert_eq!(outcome(&renamed), Some(Kind::Forbidden));
}

#[tokio::test]
async fn a_token_ends_with_its_day_or_when_it_is_revoked() {
    let (house, _) = claimed().await;
    house.project("SHOP").await;
    let session = house.sign_in().await;
    let revoked = issue(&house, &session.cookie, Reach::Everything, None).await.unwrap();
    let ended = issue(&house, &session.cookie, Reach::Everything, None).await.unwrap();
    let gate = house.with_cookie::<AccountWrite>(&session.cookie, ());
    let id = revoked.id;
    gate.write(move |tx| tokens::revoke(tx, id)).await.unwrap();
    assert_eq!(add_to(&house, &revoked, "SHOP").await, Some(Kind::Unauthenticated));
    assert_eq!(outcome(&gate.write(move |tx| tokens::revoke(tx, id)).await), Some(Kind::NotFound));
    assert_eq!(add_to(&house, &ended, "SHOP").await, None);
    house.clock.advance(30 * 24 * 3_600_000);
    assert_eq!(add_to(&house, &ended, "SHOP").await, Some(Kind::Unauthenticated));
}

#[tokio::test]
async fn the_token_itself_is_stored_nowhere() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    let issued = issue(&house, &session.cookie, Reach::Everything, None).await.unwrap();
    let gate = house.with_cookie::<AccountView>(&session.cookie, ());
    let listed = gate.read(tokens::list).await.unwrap();
    assert_eq!(listed[0].prefix, issued.token.expose()[..11]);
    assert_eq!((listed[0].reach, listed[0].seen_at), (Reach::Everything, None));
}

#[tokio::test]
async fn a_service_token_holds_one_role_in_one_project() {
    let (house, _) = claimed().await;
    house.project("SHOP").await;
    house.project("PAY").await;
    let gate = house.operator::<MemberManage>(at("SHOP"));
    let new = NewService { name: name("ci"), role: Role::Automation, days: 90 };
    let issued = gate.write(move |tx| tokens::issue_service(tx, new)).await.unwrap();
    assert_eq!(add_to(&house, &issued, "SHOP").await, None);
    assert_eq!(add_to(&house, &issued, "PAY").await, Some(Kind::NotFound));
    let gate_members = with::<MemberView>(&house, &issued, at("SHOP"));
    assert_eq!(outcome(&gate_members.admit().await), Some(Kind::Forbidden));
    let listed = gate.read(|tx| tokens::list_services(tx.reading())).await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].role), ("ci", Some(Role::Automation)));
    let foreign = house.operator::<MemberManage>(at("PAY"));
    let id = issued.id;
    let missed = foreign.write(move |tx| tokens::revoke_service(tx, id)).await;
    assert_eq!(outcome(&missed), Some(Kind::NotFound));
    gate.write(move |tx| tokens::revoke_service(tx, id)).await.unwrap();
    assert_eq!(add_to(&house, &issued, "SHOP").await, Some(Kind::Unauthenticated));
    assert!(gate.read(|tx| tokens::list_services(tx.reading())).await.unwrap().is_empty());
}

#[tokio::test]
async fn days_have_bounds() {
    let (house, _) = claimed().await;
    let session = house.sign_in().await;
    for (days, outcome_is) in [(0, Some(Kind::Invalid)), (365, None), (366, Some(Kind::Invalid))] {
        let new = NewToken { name: name("t"), reach: Reach::ReadOnly, project: None, days };
        let gate = house.with_cookie::<AccountWrite>(&session.cookie, ());
        assert_eq!(outcome(&gate.write(move |tx| tokens::issue(tx, new)).await), outcome_is, "{days}");
    }
}
