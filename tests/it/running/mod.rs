//! Tests of `running`: what was checked.

mod api;
mod home;
mod pages;
mod results;
mod runs;

use crate::kernel::house::{House, at};
use crate::library::{case, project, suite, title};
use testkeep::kernel::access::*;
use testkeep::kernel::error::Result;
use testkeep::library::verdicts::Status;
use testkeep::running::results::{Batch, CaseOf, NewResult, Source};
use testkeep::running::runs::{Run, Selection};
use testkeep::running::{results as results_, runs as runs_};

/// A project with ten cases in two suites.
pub async fn shop() -> House {
    let house = House::start();
    project(&house, "SHOP").await;
    for (place, count) in [("Cart", 4), ("Checkout/Pay", 6)] {
        let place = suite(&house, place).await;
        for n in 0..count {
            case(&house, place, &format!("Case number{n}")).await;
        }
    }
    house
}

pub async fn start(house: &House, selection: Selection) -> Result<Run> {
    let gate = house.operator::<RunWrite>(at("SHOP"));
    gate.write(move |tx| runs_::create(tx, &title("Smoke"), &selection)).await
}

pub async fn record(house: &House, run: i64, results: Vec<NewResult>) -> Result<Batch> {
    let gate = house.operator::<ResultWrite>(at("SHOP"));
    let writing = gate.write(move |tx| {
        let run = runs_::taking(tx, run)?;
        results_::record(tx, run, Source::MANUAL, results)
    });
    writing.await
}

pub fn verdict(case: i64, status: Status) -> NewResult {
    NewResult { elapsed_ms: Some(100), ..NewResult::new(CaseOf::Number(case), status) }
}

pub async fn shown(house: &House, run: i64) -> Run {
    house.operator::<ProjectView>(at("SHOP")).read(move |tx| runs_::one(tx, run)).await.unwrap()
}
