//! Projects: who sees which, and what an archived one still takes.

use super::{case, project, suite, title};
use crate::kernel::house::{House, at, outcome};
use testkeep::kernel::access::*;
use testkeep::kernel::error::Kind::{Conflict, Invalid};
use testkeep::library::projects::{self, Key, NewProject};

fn new(key: &str) -> NewProject {
    NewProject { key: Key::new(key).unwrap(), name: title("Web shop"), description: "**All** of it".into() }
}

#[test]
fn a_key_is_two_to_ten_letters_and_digits_and_starts_with_a_letter() {
    for key in ["SHOP", "A1", "ABCDEFGHIJ", "shop"] {
        assert!(Key::new(key).is_ok(), "{key}");
    }
    for key in ["S", "1A", "ABCDEFGHIJK", "SH OP", "SH-OP", "ÄB", ""] {
        assert_eq!(outcome(&Key::new(key)), Some(Invalid), "{key}");
    }
}

#[actix_web::test]
async fn a_taken_key_is_a_conflict() {
    let house = House::start();
    let gate = house.operator::<ProjectAdmin>(());
    assert_eq!(outcome(&gate.write(|tx| projects::create(tx, &new("SHOP"))).await), None);
    assert_eq!(outcome(&gate.write(|tx| projects::create(tx, &new("shop"))).await), Some(Conflict));
}

#[actix_web::test]
async fn people_see_the_projects_in_which_they_have_a_role_and_no_other() {
    let house = House::start();
    let shop = project(&house, "SHOP").await;
    let bank = project(&house, "BANK").await;
    house.person("nobody", None).await;
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    house.person("auditor", Some((Role::Auditor, None))).await;
    house.person_with("bound", Some((Role::Owner, None)), None, Some(bank)).await;

    for (who, expected) in [("nobody", ""), ("tester", "SHOP"), ("auditor", "BANK SHOP"), ("bound", "BANK")] {
        let found = house.gate::<ProjectList>(who, ()).read(projects::list).await.unwrap();
        let keys: Vec<_> = found.iter().map(|project| project.key.as_str()).collect();
        assert_eq!(keys.join(" "), expected, "{who}");
    }
}

#[actix_web::test]
async fn an_archived_project_can_be_read_and_takes_no_change() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    let keeper = house.operator::<ProjectKeep>(at("SHOP"));
    keeper.write(projects::archive).await.unwrap();

    let refused = super::write(&house, place, super::draft("Pay again", &[])).await;
    assert_eq!(outcome(&refused), Some(Conflict));
    let read = house.operator::<ProjectView>(at("SHOP")).read(projects::this).await.unwrap();
    assert_eq!((read.state, read.cases), (projects::State::Archived, 1));

    keeper.write(projects::reopen).await.unwrap();
    case(&house, place, "Pay again").await;
}

#[actix_web::test]
async fn a_project_gets_another_name_and_keeps_its_key() {
    let house = House::start();
    project(&house, "SHOP").await;
    let keeper = house.operator::<ProjectKeep>(at("SHOP"));
    let name = title("Shop of the web");
    let changed = keeper.write(move |tx| projects::change(tx, &name, "New words")).await.unwrap();
    assert_eq!((changed.key.as_str(), changed.name.as_str()), ("SHOP", "Shop of the web"));
}
