//! Cases: written, changed, found, thrown away and taken back.

use super::{case, draft, project, suite, title, tree, write};
use crate::kernel::house::{House, at, outcome};
use testkeep::kernel::access::*;
use testkeep::kernel::audit::Verdict;
use testkeep::kernel::error::Kind::{Conflict, NotFound};
use testkeep::kernel::error::Result;
use testkeep::library::cases::list::{self, Look, Place as After};
use testkeep::library::cases::{self, Case, Draft, Kind, bulk, diff};
use testkeep::library::suites::Paths;

async fn edit(house: &House, number: i64, base: i64, draft: Draft) -> Result<Case> {
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(move |tx| cases::edit(tx, number, base, &draft)).await
}

async fn found(house: &House, words: &str) -> Vec<i64> {
    let words = words.to_owned();
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let page = gate.read(move |tx| list::by_words(tx, &words, None, 100)).await.unwrap();
    page.lines.iter().map(|line| line.number).collect()
}

#[actix_web::test]
async fn numbers_follow_one_another_and_are_never_given_again() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    for expected in 1..=3 {
        assert_eq!(case(&house, place, "Pay").await.number, expected);
    }
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(|tx| cases::trash(tx, 3)).await.unwrap();
    assert_eq!(case(&house, place, "Pay").await.number, 4);
}

#[actix_web::test]
async fn a_change_is_a_new_revision_and_the_old_one_stays() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    let changed = edit(&house, 1, 1, draft("Pay by card", &[("Do it", "It is done"), ("Wait", "")])).await;
    assert_eq!(changed.unwrap().revision, 2);

    let gate = house.operator::<ProjectView>(at("SHOP"));
    let revisions = gate.read(|tx| cases::revisions(tx, 1, None, 100)).await.unwrap();
    assert_eq!(
        revisions.iter().map(|r| (r.number, r.title.as_str())).collect::<Vec<_>>(),
        [(2, "Pay by card"), (1, "Pay")]
    );
    let diff = diff::diff(&revisions[1], &revisions[0]);
    assert_eq!((diff.fields.len(), diff.steps.len()), (1, 2));
}

#[actix_web::test]
async fn who_began_with_an_older_revision_overwrites_nothing() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    edit(&house, 1, 1, draft("Mine", &[])).await.unwrap();
    let theirs = edit(&house, 1, 1, draft("Theirs", &[])).await;
    assert_eq!(
        theirs.unwrap_err().sentence(),
        "SHOP-C1 was changed meanwhile: it has revision 2, and you began with 1."
    );
    let gate = house.operator::<ProjectView>(at("SHOP"));
    assert_eq!(gate.read(|tx| cases::one(tx, 1)).await.unwrap().title.as_str(), "Mine");
}

#[actix_web::test]
async fn saving_without_a_change_makes_no_revision_and_no_entry() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    let before = house.verdict(None).await;
    let same = edit(&house, 1, 1, draft("Pay", &[("Do it", "It is done"), ("", " ")])).await.unwrap();
    assert_eq!(same.revision, 1);
    assert_eq!(house.verdict(None).await, before);
}

#[actix_web::test]
async fn an_earlier_revision_comes_back_as_the_newest() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    edit(&house, 1, 1, draft("Worse", &[])).await.unwrap();
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let restored = gate.write(|tx| cases::restore(tx, 1, 1)).await.unwrap();
    assert_eq!((restored.revision, restored.title.as_str()), (3, "Pay"));
    assert_eq!(outcome(&gate.write(|tx| cases::restore(tx, 1, 9)).await), Some(NotFound));
}

#[actix_web::test]
async fn the_trash_hides_a_case_and_gives_it_back() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(|tx| cases::trash(tx, 1)).await.unwrap();
    assert_eq!((found(&house, "pay").await, tree(&house).await.cases()), (vec![], 0));
    let trash = gate.read(|tx| list::to_look_at(tx.reading(), Look::Trash, None, 10)).await.unwrap();
    assert_eq!(trash.lines.len(), 1);
    gate.write(|tx| cases::recover(tx, 1)).await.unwrap();
    assert_eq!((found(&house, "pay").await, tree(&house).await.cases()), (vec![1], 1));
}

#[actix_web::test]
async fn a_moved_case_is_counted_where_it_stands() {
    let house = House::start();
    project(&house, "SHOP").await;
    let (cart, checkout) = (suite(&house, "Cart").await, suite(&house, "Checkout").await);
    case(&house, cart, "Pay").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(move |tx| cases::move_to(tx, 1, checkout)).await.unwrap();
    let tree = tree(&house).await;
    assert_eq!([cart, checkout].map(|id| tree.node(id).unwrap().total), [0, 1]);
}

#[actix_web::test]
async fn an_automation_key_belongs_to_one_case() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    let keyed = |text: &str| {
        Draft::new(title(text), Kind::Automated).with_automation_key(Some("shop.Pay.card")).unwrap()
    };
    write(&house, place, keyed("Pay")).await.unwrap();
    let other = write(&house, place, keyed("Pay again")).await;
    assert_eq!(other.unwrap_err().sentence(), "The automation key belongs to SHOP-C1 already.");
    edit(&house, 1, 1, keyed("Pay by card")).await.unwrap();
}

#[actix_web::test]
async fn words_find_titles_and_keys_by_their_beginnings_whatever_is_typed() {
    let house = House::start();
    project(&house, "SHOP").await;
    project(&house, "BANK").await;
    let place = suite(&house, "Cart").await;
    for text in ["Pay by gift card", "Pay by invoice", "Überweisung prüfen"] {
        case(&house, place, text).await;
    }
    let keyed = Draft::new(title("Card is refused"), Kind::Automated);
    write(&house, place, keyed.with_automation_key(Some("shop.CardTest.refuses")).unwrap()).await.unwrap();

    for (words, expected) in [
        ("pay", vec![1, 2]),
        ("car pay", vec![1]),
        ("CARD", vec![1, 4]),
        ("cardtest", vec![4]),
        ("shop.cardtest", vec![4]),
        ("uberweisung", vec![3]),
        ("SHOP-C2", vec![2]),
        ("c3", vec![3]),
        ("\" OR 1", vec![]),
        ("pay) OR (title", vec![]),
        ("*", vec![]),
        ("title:pay NOT card", vec![]),
        ("", vec![1, 2, 3, 4]),
    ] {
        assert_eq!(found(&house, words).await, expected, "{words}");
    }
    let gate = house.operator::<ProjectView>(at("BANK"));
    let foreign = gate.read(|tx| list::by_words(tx, "pay", None, 100)).await.unwrap();
    assert_eq!(foreign.lines, []);
}

#[actix_web::test]
async fn pages_of_the_tree_join_without_gap_or_overlap() {
    let house = House::start();
    project(&house, "SHOP").await;
    let names = ["B", "A/X", "A/Y", "A"];
    for place in names {
        let place = suite(&house, place).await;
        for n in 0..5 {
            case(&house, place, &format!("case {n}")).await;
        }
    }
    let all = tree(&house).await;
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let (mut seen, mut after): (Vec<i64>, Option<After>) = (Vec::new(), None);
    loop {
        let tree = all.clone();
        let page = gate.read(move |tx| list::in_tree(tx, &tree, None, after, 7)).await.unwrap();
        assert!(page.lines.len() <= 7);
        seen.extend(page.lines.iter().map(|line| line.number));
        let Some(next) = page.next else { break };
        after = After::of_text(&next.text());
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 16, 17, 18, 19, 20, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let a = all.nodes().iter().find(|node| node.suite.name == "A").unwrap().suite.id;
    let branch = gate.read(move |tx| list::in_tree(tx, &all, Some(a), None, 100)).await.unwrap();
    assert_eq!((branch.lines.len(), branch.next), (15, None));
}

#[actix_web::test]
async fn cases_made_in_bulk_are_counted_found_and_numbered_on() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "By hand").await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let making = gate.write(|tx| {
        let (mut maker, mut paths) = (bulk::Maker::new(tx)?, Paths::default());
        for n in 0..50 {
            let suite = [title("Auto"), title(if n % 2 == 0 { "even" } else { "odd" })];
            maker.make(&mut paths, &suite, &title(&format!("check {n}")), &format!("key.{n}"))?;
        }
        let made = maker.finish()?;
        Ok(tx.quiet(testkeep::kernel::audit::Quiet::Unchanged, (made, paths.made)))
    });
    assert_eq!(making.await.unwrap(), (50, 3));
    assert_eq!(tree(&house).await.cases(), 51);
    assert_eq!(case(&house, place, "By hand").await.number, 52);
    let keys = gate.read(|tx| bulk::by_automation_keys(tx, &["key.7", "none", "key.0"])).await.unwrap();
    assert_eq!(
        keys.iter().map(|known| known.map(|known| known.number)).collect::<Vec<_>>(),
        [Some(9), None, Some(2)]
    );
    assert!(matches!(house.verdict(None).await, Verdict::Whole(_)));
}

#[actix_web::test]
async fn a_case_of_another_project_is_not_there() {
    let house = House::start();
    project(&house, "SHOP").await;
    project(&house, "BANK").await;
    let place = suite(&house, "Cart").await;
    case(&house, place, "Pay").await;
    let gate = house.operator::<CaseWrite>(at("BANK"));
    assert_eq!(outcome(&gate.read(|tx| cases::open(tx.reading(), 1)).await), Some(NotFound));
    assert_eq!(outcome(&gate.write(|tx| cases::trash(tx, 1)).await), Some(NotFound));
    let theft = gate.write(move |tx| cases::create(tx, place, &draft("x", &[]))).await;
    assert_eq!(outcome(&theft), Some(NotFound));
    assert_ne!(outcome(&theft), Some(Conflict));
}
