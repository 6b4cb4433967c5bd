//! The tree of suites.

use super::{case, project, suite, title, tree};
use crate::kernel::house::{House, at, outcome};
use testkeep::kernel::access::*;
use testkeep::kernel::error::Kind::{Conflict, Invalid, NotFound};
use testkeep::kernel::error::Result;
use testkeep::kernel::id::SuiteId;
use testkeep::library::suites::{self, Suite};

async fn add(house: &House, parent: Option<SuiteId>, name: &str) -> Result<Suite> {
    let name = title(name);
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(move |tx| suites::create(tx, parent, &name)).await
}

async fn move_under(house: &House, id: SuiteId, parent: Option<SuiteId>) -> Result<Suite> {
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(move |tx| suites::move_under(tx, id, parent)).await
}

#[actix_web::test]
async fn sisters_have_different_names_and_cousins_may_share_one() {
    let house = House::start();
    project(&house, "SHOP").await;
    let cart = add(&house, None, "Cart").await.unwrap().id;
    assert_eq!(outcome(&add(&house, None, "Cart").await), Some(Conflict));
    let inner = add(&house, Some(cart), "Cart").await.unwrap().id;
    let name = title("Basket");
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let renamed = gate.write(move |tx| suites::rename(tx, inner, &name)).await.unwrap();
    assert_eq!(renamed.name, "Basket");
    assert_eq!(outcome(&add(&house, Some(SuiteId(99)), "X").await), Some(NotFound));
}

#[actix_web::test]
async fn a_suite_cannot_be_moved_into_itself() {
    let house = House::start();
    project(&house, "SHOP").await;
    let deep = suite(&house, "A/B/C").await;
    let top = tree(&house).await.path(deep)[0].id;
    assert_eq!(outcome(&move_under(&house, top, Some(deep)).await), Some(Invalid));
    assert_eq!(outcome(&move_under(&house, top, Some(top)).await), Some(Invalid));
    assert_eq!(outcome(&move_under(&house, deep, None).await), None);
    assert_eq!(tree(&house).await.depth(deep), Some(1));
}

#[actix_web::test]
async fn suites_nest_only_so_deep() {
    let house = House::start();
    project(&house, "SHOP").await;
    let deep = suite(&house, &vec!["x"; 40].join("/")).await;
    assert_eq!(tree(&house).await.depth(deep), Some(16));
    assert_eq!(outcome(&add(&house, Some(deep), "deeper").await), Some(Invalid));
    let two = suite(&house, "a/b").await;
    let top = tree(&house).await.path(two)[0].id;
    assert_eq!(outcome(&move_under(&house, top, Some(deep)).await), Some(Invalid));
}

#[actix_web::test]
async fn only_an_empty_suite_is_deleted() {
    let house = House::start();
    project(&house, "SHOP").await;
    let pay = suite(&house, "Checkout/Pay").await;
    let checkout = tree(&house).await.path(pay)[0].id;
    let delete = |id| {
        let gate = house.operator::<CaseWrite>(at("SHOP"));
        async move { gate.write(move |tx| suites::delete(tx, id)).await }
    };
    assert_eq!(outcome(&delete(checkout).await), Some(Conflict));
    case(&house, pay, "Pay by card").await;
    assert_eq!(outcome(&delete(pay).await), Some(Conflict));
    let empty = suite(&house, "Empty").await;
    assert_eq!(outcome(&delete(empty).await), None);
    assert_eq!(outcome(&delete(empty).await), Some(NotFound));
}

#[actix_web::test]
async fn a_path_is_found_again_and_not_made_twice() {
    let house = House::start();
    project(&house, "SHOP").await;
    let first = suite(&house, "Checkout/Pay").await;
    assert_eq!(suite(&house, "Checkout/Pay").await, first);
    assert_eq!(tree(&house).await.len(), 2);
}
