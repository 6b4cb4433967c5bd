//! Runs and their items.

use super::{record, shop, shown, start, verdict};
use crate::kernel::house::{House, at, outcome};
use testkeep::kernel::access::*;
use testkeep::kernel::error::Kind::{Conflict, Invalid, NotFound};
use testkeep::library::cases;
use testkeep::library::verdicts::Status::{self, Blocked, Failed, Passed};
use testkeep::running::runs::items::{self, Filter, Item};
use testkeep::running::runs::{self, Kind, Selection, State};

async fn items_of(house: &House, run: i64, filter: Filter, page: i64) -> Vec<(i64, Status)> {
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let (mut all, mut after): (Vec<Item>, _) = (Vec::new(), None);
    loop {
        let filter = filter.clone();
        let read = gate.read(move |tx| {
            let run = runs::one(tx, run)?;
            items::list(tx, &run, &filter, after, page)
        });
        let (items, next) = read.await.unwrap();
        assert!(items.len() as i64 <= page);
        all.extend(items);
        after = next.and_then(|next| items::Place::of_text(&next.text()));
        if after.is_none() {
            return all.iter().map(|item| (item.number, item.status)).collect();
        }
    }
}

#[actix_web::test]
async fn a_run_holds_what_was_chosen_pinned_to_the_newest_revisions() {
    let house = shop().await;
    let everything = start(&house, Selection::Everything).await.unwrap();
    assert_eq!((everything.number, everything.counts.untested, everything.state), (1, 10, State::Open));
    let chosen = start(&house, Selection::Cases(vec![7, 2, 7])).await.unwrap();
    assert_eq!((chosen.number, chosen.counts.total()), (2, 2));
    let tree = crate::library::tree(&house).await;
    let checkout = tree.nodes().iter().find(|node| node.suite.name == "Checkout").unwrap().suite.id;
    assert_eq!(start(&house, Selection::Suites(vec![checkout])).await.unwrap().counts.untested, 6);
    assert_eq!(start(&house, Selection::Nothing).await.unwrap().counts.total(), 0);
    assert_eq!(outcome(&start(&house, Selection::Cases(vec![99])).await), Some(Invalid));
}

#[actix_web::test]
async fn a_case_in_the_trash_is_not_run() {
    let house = shop().await;
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(|tx| cases::trash(tx, 3)).await.unwrap();
    assert_eq!(start(&house, Selection::Everything).await.unwrap().counts.untested, 9);
    assert_eq!(outcome(&start(&house, Selection::Cases(vec![3])).await), Some(Invalid));
}

#[actix_web::test]
async fn failures_stand_first_and_pages_join_without_gap_or_overlap() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    let results = vec![verdict(1, Passed), verdict(2, Failed), verdict(9, Failed), verdict(5, Blocked)];
    record(&house, 1, results).await.unwrap();
    use Status::Untested as U;
    let expected = [
        (2, Failed),
        (9, Failed),
        (5, Blocked),
        (3, U),
        (4, U),
        (6, U),
        (7, U),
        (8, U),
        (10, U),
        (1, Passed),
    ];
    for page in [1, 2, 3, 7, 10, 100] {
        assert_eq!(items_of(&house, 1, Filter::default(), page).await, expected, "pages of {page}");
    }
    let failed = Filter { statuses: vec![Failed], ..Filter::default() };
    assert_eq!(items_of(&house, 1, failed, 100).await, [(2, Failed), (9, Failed)]);
    let words = Filter { words: Some("number4".into()), ..Filter::default() };
    assert_eq!(items_of(&house, 1, words, 100).await, [(9, Failed)]);
    let nonsense = Filter { words: Some("\"".into()), ..Filter::default() };
    assert_eq!(items_of(&house, 1, nonsense, 100).await, []);
}

#[actix_web::test]
async fn after_a_verdict_the_next_untested_item_follows() {
    let house = shop().await;
    let run = start(&house, Selection::Cases(vec![4, 5, 6])).await.unwrap();
    record(&house, 1, vec![verdict(5, Passed)]).await.unwrap();
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let ids: Vec<_> = [4, 5, 6]
        .map(|case| {
            let run = run.clone();
            gate.read(move |tx| Ok(items::of_case(tx, &run, case)?.unwrap().id))
        })
        .into_iter()
        .collect();
    let mut found = Vec::new();
    for id in ids {
        found.push(id.await.unwrap());
    }
    let (run, first, last) = (run.id, found[0], found[2]);
    let next = |from| gate.read(move |tx| items::next_untested(tx, run, from, None));
    assert_eq!(next(first).await.unwrap(), Some(last));
    assert_eq!(next(last).await.unwrap(), Some(first));
    record(&house, 1, vec![verdict(4, Passed)]).await.unwrap();
    assert_eq!(next(last).await.unwrap(), None);
    let around = gate.read(move |tx| items::around(tx, run, last, 1)).await.unwrap();
    assert_eq!(around.iter().map(|item| item.number).collect::<Vec<_>>(), [5, 6]);
}

#[actix_web::test]
async fn closing_invents_nothing_and_happens_once() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    record(&house, 1, vec![verdict(1, Passed)]).await.unwrap();
    let gate = house.operator::<RunWrite>(at("SHOP"));
    let closed = gate.write(|tx| runs::close(tx, 1)).await.unwrap();
    assert_eq!((closed.state, closed.counts.passed, closed.counts.untested), (State::Closed, 1, 9));
    assert!(closed.closed_at.is_some());
    let again = gate.write(|tx| runs::close(tx, 1)).await;
    assert_eq!(again.unwrap_err().sentence(), "Run SHOP-R1 is closed, so it takes no results.");
    assert_eq!(outcome(&record(&house, 1, vec![verdict(2, Passed)]).await), Some(Conflict));
    let late = gate.write(|tx| runs::extend(tx, 1, &Selection::Everything)).await;
    assert_eq!(outcome(&late), Some(Conflict));
}

#[actix_web::test]
async fn a_run_under_way_is_seen_by_nobody_until_it_is_complete() {
    let house = shop().await;
    let gate = house.operator::<RunWrite>(at("SHOP"));
    let open = gate.write(|tx| runs::receive(tx, &crate::library::title("CI"))).await.unwrap();
    assert_eq!(outcome(&gate.read(|tx| runs::one(tx, 1)).await), Some(NotFound));
    assert_eq!(gate.read(|tx| runs::list(tx.reading(), None, None, 10)).await.unwrap(), []);
    assert_eq!(outcome(&gate.write(|tx| runs::close(tx, 1)).await), Some(NotFound));
    let accepted = gate.write(move |tx| runs::accept(tx, open, State::Closed)).await.unwrap();
    assert_eq!((accepted.kind, accepted.state), (Kind::Automated, State::Closed));
    assert_eq!(shown(&house, 1).await.number, 1);
}

#[actix_web::test]
async fn items_go_to_members_only() {
    let house = shop().await;
    let run = start(&house, Selection::Cases(vec![1])).await.unwrap();
    let stranger = house.person("stranger", None).await;
    let auditor = house.person("auditor", Some((Role::Auditor, None))).await;
    let gate = house.operator::<RunWrite>(at("SHOP"));
    let item = gate.read(move |tx| Ok(items::of_case(tx, &run, 1)?.unwrap().id)).await.unwrap();
    let give = |who| gate.write(move |tx| runs::assign(tx, 1, &[item], who));
    assert_eq!(outcome(&give(Some(stranger)).await), Some(Invalid));
    assert_eq!(give(Some(auditor)).await.unwrap(), 1);
    assert_eq!(give(None).await.unwrap(), 1);
}
