//! Results: recorded all or none, counted at once, kept for good.

use super::{record, shop, shown, start, verdict};
use crate::kernel::house::{House, Number, at, outcome};
use crate::library::{call, tree};
use testkeep::kernel::access::*;
use testkeep::kernel::audit::Verdict as Trail;
use testkeep::kernel::error::Kind::{Forbidden, Invalid};
use testkeep::kernel::error::Result;
use testkeep::library::cases::list::{self, Look};
use testkeep::library::verdicts::Status::{self, Errored, Failed, Passed, Skipped, Untested};
use testkeep::running::results::{self, Batch, CaseOf, NewResult, Source};
use testkeep::running::runs::{self, Counts, Kind, Selection, history};

async fn report(house: &House, run: i64, keys: &[(&str, Status)]) -> Result<Batch> {
    let results: Vec<_> =
        keys.iter().map(|(key, status)| NewResult::new(CaseOf::key(key, None), *status)).collect();
    let gate = house.operator::<ResultWrite>(at("SHOP"));
    let writing = gate.write(move |tx| {
        let run = runs::taking(tx, run)?;
        results::record(tx, run, Source::AUTOMATED, results)
    });
    writing.await
}

/// The stored counts of a run and those counted anew from its items.
async fn both_counts(house: &House, run: i64) -> [Counts; 2] {
    let stored = shown(house, run).await;
    let (id, mut counted) = (stored.id, Counts::default());
    let gate = house.operator::<ProjectView>(at("SHOP"));
    for status in Status::ALL.iter().copied() {
        let sql = "SELECT count(*) FROM items WHERE run_id = ? AND status = ?";
        *counted.of_mut(status) = gate.read(move |tx| tx.only::<Number>(sql, (id, status))).await.unwrap().0;
    }
    let sql = "SELECT coalesce(sum(elapsed_ms), 0) FROM items WHERE run_id = ?";
    counted.duration_ms = gate.read(move |tx| tx.only::<Number>(sql, (id,))).await.unwrap().0;
    [stored.counts, counted]
}

#[actix_web::test]
async fn the_counts_of_a_run_are_those_of_its_items_whatever_comes_in() {
    let house = shop().await;
    start(&house, Selection::Cases(vec![1, 2, 3])).await.unwrap();
    let batches = [
        vec![verdict(1, Passed), verdict(2, Failed), verdict(2, Passed)],
        vec![verdict(7, Errored), verdict(1, Failed), verdict(1, Skipped)],
        vec![NewResult::new(CaseOf::Number(2), Failed), verdict(7, Passed)],
    ];
    for batch in batches {
        record(&house, 1, batch).await.unwrap();
        let [stored, counted] = both_counts(&house, 1).await;
        assert_eq!(stored, counted);
    }
    let run = shown(&house, 1).await;
    assert_eq!((run.counts.total(), run.counts.untested, run.kind), (4, 1, Kind::Manual));
}

#[actix_web::test]
async fn one_bad_entry_is_named_and_nothing_of_the_call_is_kept() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    let before = (shown(&house, 1).await, house.verdict(None).await);
    for bad in
        [verdict(99, Passed), verdict(2, Untested), NewResult { elapsed_ms: Some(-1), ..verdict(2, Passed) }]
    {
        let error = record(&house, 1, vec![verdict(1, Passed), bad]).await.unwrap_err();
        assert!(error.sentence().starts_with("results[1]: "), "{error}");
        assert_eq!(error.kind(), Invalid);
    }
    assert_eq!((shown(&house, 1).await, house.verdict(None).await), before);
}

#[actix_web::test]
async fn every_attempt_is_kept_and_the_last_counts() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    let batch = record(&house, 1, vec![verdict(1, Failed), verdict(1, Passed)]).await.unwrap();
    assert_eq!(batch.recorded.iter().map(|r| r.attempt).collect::<Vec<_>>(), [1, 2]);
    let batch = record(&house, 1, vec![verdict(1, Failed)]).await.unwrap();
    assert_eq!(batch.recorded[0].attempt, 3);
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let attempts = gate
        .read(|tx| {
            let run = runs::one(tx, 1)?;
            let item = runs::items::of_case(tx, &run, 1)?.unwrap();
            results::of_item(tx, &run, &item)
        })
        .await
        .unwrap();
    let shown: Vec<_> = attempts.iter().map(|result| (result.attempt, result.status)).collect();
    assert_eq!(shown, [(3, Failed), (2, Passed), (1, Failed)]);
}

#[actix_web::test]
async fn a_key_that_nobody_has_makes_its_case_once() {
    let house = shop().await;
    start(&house, Selection::Nothing).await.unwrap();
    let keys = [("shop.PayTest.card", Passed), ("loose", Failed), ("shop.PayTest.card", Failed)];
    let batch = report(&house, 1, &keys).await.unwrap();
    assert_eq!(batch.cases_made, 2);
    assert_eq!(
        batch.recorded.iter().map(|r| (r.case, r.attempt)).collect::<Vec<_>>(),
        [(11, 1), (12, 1), (11, 2)]
    );
    let names: Vec<_> = tree(&house).await.nodes().iter().map(|n| (n.suite.name.clone(), n.total)).collect();
    assert!(
        names.contains(&("shop.PayTest".into(), 1)) && names.contains(&("Unsorted".into(), 1)),
        "{names:?}"
    );
    assert_eq!(report(&house, 1, &keys).await.unwrap().cases_made, 0);
    let [stored, counted] = both_counts(&house, 1).await;
    assert_eq!(stored, counted);
    assert_eq!(shown(&house, 1).await.kind, Kind::Automated);
}

#[actix_web::test]
async fn results_by_hand_and_by_code_make_a_mixed_run() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    report(&house, 1, &[("k", Passed)]).await.unwrap();
    assert_eq!(shown(&house, 1).await.kind, Kind::Mixed);
}

#[actix_web::test]
async fn a_thousand_results_leave_one_entry_in_the_trail() {
    let house = shop().await;
    start(&house, Selection::Nothing).await.unwrap();
    let Trail::Whole(before) = house.verdict(None).await else { panic!("the trail is whole") };
    let keys: Vec<String> = (0..1_000).map(|n| format!("shop.Test{}.check{n}", n % 20)).collect();
    let results: Vec<_> = keys.iter().map(|key| (key.as_str(), Passed)).collect();
    report(&house, 1, &results).await.unwrap();
    let Trail::Whole(after) = house.verdict(None).await else { panic!("the trail is whole") };
    assert_eq!(after.seq, before.seq + 1);
    assert_eq!(tree(&house).await.cases(), 1_010);
}

#[actix_web::test]
async fn who_may_only_record_results_makes_no_cases() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    let shop = house.operator::<ProjectView>(at("SHOP")).read(|tx| Ok(tx.project())).await.unwrap();
    house.person_with("robot", Some((Role::Tester, Some(shop))), Some("result.write"), None).await;
    let path = "/api/v1/projects/SHOP/runs/1/results";
    let by = async |result: serde_json::Value| {
        let body = serde_json::json!({"results": [result]});
        call(&house, "robot", actix_web::http::Method::POST, path, Some(body)).await.0
    };
    assert_eq!(by(serde_json::json!({"case": 1, "status": "passed"})).await, 201);
    assert_eq!(by(serde_json::json!({"automation_key": "new", "status": "passed"})).await, 403);
    let gate = house.gate::<CaseWrite>("robot", at("SHOP"));
    assert_eq!(outcome(&gate.admit().await), Some(Forbidden));
}

#[actix_web::test]
async fn summaries_tell_what_fails_what_flips_and_what_never_ran() {
    let house = shop().await;
    for statuses in [[Passed, Failed], [Failed, Failed], [Passed, Failed], [Failed, Failed]] {
        let run = start(&house, Selection::Nothing).await.unwrap().number;
        record(&house, run, vec![verdict(1, statuses[0]), verdict(2, statuses[1])]).await.unwrap();
    }
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let counts = gate.read(list::counts).await.unwrap();
    assert_eq!(counts, [(Look::Failing, 2), (Look::Flaky, 1), (Look::NeverRun, 8)]);
    let flaky = gate.read(|tx| list::to_look_at(tx, Look::Flaky, None, 10)).await.unwrap();
    assert_eq!(flaky.lines[0].number, 1);
    let id = flaky.lines[0].id;
    let history = gate.read(move |tx| history::of_case(tx, id)).await.unwrap();
    let shown: Vec<_> = history.iter().map(|entry| (entry.run, entry.status)).collect();
    assert_eq!(shown, [(4, Failed), (3, Passed), (2, Failed), (1, Passed)]);
}

#[actix_web::test]
async fn what_a_machine_prints_is_cut_and_the_cut_is_shown() {
    let house = shop().await;
    start(&house, Selection::Everything).await.unwrap();
    let long = NewResult { output: Some("x".repeat(1_000_000)), ..verdict(1, Failed) };
    let id = record(&house, 1, vec![long]).await.unwrap().recorded[0].id;
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let output = gate.read(move |tx| results::one(tx, id)).await.unwrap().output.unwrap();
    assert!(output.len() < 70_000 && output.ends_with("[cut here; 1000000 bytes came in]"));
}
