//! The demonstration project is the same everywhere, looks like work, and keeps off real work.

use crate::kernel::house::{House, at};
use testkeep::exchange::demo::{Filled, Plan, fill};
use testkeep::kernel::access::{InstanceView, ProjectView, UploadWrite};
use testkeep::kernel::digest;
use testkeep::kernel::error::Kind;
use testkeep::library::cases;
use testkeep::running::runs::{self, State};

async fn filled(plan: Plan) -> (House, Filled) {
    let house = House::start();
    house.project("SHOP").await;
    let (mut last, gate) = (0, house.operator::<UploadWrite>(at("SHOP")));
    let filled = fill(&gate, plan, |done| {
        assert!(done >= last, "it never goes back");
        last = done;
    });
    let filled = filled.await.unwrap();
    assert_eq!(last, plan.cases + plan.results);
    (house, filled)
}

async fn digest(house: &House) -> String {
    house.operator::<InstanceView>(()).read(digest::of_user_data).await.unwrap()
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_project_and_another_seed_another() {
    let plan = Plan { cases: 60, results: 300, seed: 7 };
    let first = digest(&filled(plan).await.0).await;
    assert_eq!(digest(&filled(plan).await.0).await, first);
    assert_ne!(digest(&filled(Plan { seed: 8, ..plan }).await.0).await, first);
}

#[actix_web::test]
async fn it_looks_like_work_and_ends_with_a_run_that_people_are_at() {
    let plan = Plan { cases: 300, results: 8_000, seed: 1 };
    let (house, made) = filled(plan).await;
    assert_eq!((made.cases, made.results), (plan.cases, plan.results));
    assert!(made.revisions > made.cases && made.revisions < made.cases * 2);
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let all = gate.read(|tx| runs::list(tx, None, None, 1_000)).await.unwrap();
    assert_eq!(all.len() as u64, made.runs);
    let (open, closed) = all.split_first().unwrap();
    assert_eq!((open.kind, open.state), (runs::Kind::Manual, State::Open));
    assert!(open.counts.untested > 10 && open.counts.passed > 5);
    assert!(closed.iter().all(|run| run.state == State::Closed && run.kind == runs::Kind::Automated));
    let sum = |of: fn(&runs::Run) -> i64| closed.iter().map(of).sum::<i64>() * 1_000 / 8_000;
    assert!((10..60).contains(&sum(|run| run.counts.failed)), "{} ‰ failed", sum(|run| run.counts.failed));
    assert!((2..10).contains(&sum(|run| run.counts.errored)));
    assert!((5..20).contains(&sum(|run| run.counts.skipped)));
    let passed = gate.read(|tx| cases::open(tx, 1)).await.unwrap().summary.map_or(0, |known| known.passed);
    assert!(passed > 5, "a case knows how it fared in {passed} runs");
    let again = fill(&house.operator::<UploadWrite>(at("SHOP")), plan, |_| {}).await.unwrap_err();
    assert_eq!(again.kind(), Kind::Conflict);
}

#[actix_web::test]
async fn the_smallest_projects_are_filled_as_well() {
    for (cases, results) in [(1, 0), (1, 5), (3, 1)] {
        let (_, made) = filled(Plan { cases, results, seed: 3 }).await;
        assert_eq!((made.cases, made.results), (cases, results));
    }
}
