//! Suites and cases of the demonstration project.

use super::words::{self, AREAS, Area, Dice};
use super::{Filled, Plan, Written};
use crate::kernel::access::{CaseWrite, Gate, UploadWrite, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::library::cases::{self, Draft, Kind, Priority, Step};
use crate::library::suites;
use crate::library::text::Title;

/// Cases in one change: pages go on between two of them.
const CASES_PER_CHANGE: u64 = 250;

/// A case to be written: where, what, and what was changed in it later.
struct New {
    suite: SuiteId,
    first: Draft,
    second: Option<Draft>,
}

/// A feature of the shop with its suite.
#[derive(Clone, Copy)]
struct Place {
    area: &'static Area,
    feature: &'static str,
    suite: SuiteId,
}

/// Writes suites and cases.
pub(super) async fn write(
    gate: &Gate<UploadWrite>,
    plan: Plan,
    filled: &mut Filled,
    done: &mut impl FnMut(u64),
) -> Result<Written> {
    let places = gate.write(|tx| tree(tx.narrow())).await?;
    filled.suites = (places.len() + AREAS.len()) as u64;
    let (mut dice, mut written) =
        (Dice::new(plan.seed), Written { automated: Vec::new(), manual: Vec::new() });
    while filled.cases < plan.cases {
        let until = plan.cases.min(filled.cases + CASES_PER_CHANGE);
        let new: Vec<New> =
            (filled.cases..until).map(|at| case(&places, at, &mut dice)).collect::<Result<_>>()?;
        let second = new.iter().filter(|case| case.second.is_some()).count() as u64;
        let kinds: Vec<Kind> = new.iter().map(|case| case.first.kind).collect();
        let numbers = gate.write(move |tx| add(tx.narrow(), new)).await?;
        for (number, kind) in numbers.into_iter().zip(kinds) {
            let list = if kind == Kind::Automated { &mut written.automated } else { &mut written.manual };
            list.push(number);
        }
        filled.revisions += until - filled.cases + second;
        filled.cases = until;
        done(filled.cases);
    }
    Ok(written)
}

fn tree(tx: Write<'_, CaseWrite>) -> Result<Audited<'_, Vec<Place>>> {
    let mut places = Vec::new();
    let mut last = tx.quiet(Quiet::Nothing, ());
    for area in AREAS {
        let parent = suites::create(tx, None, &Title::new("suite", area.name)?)?.value.id;
        for feature in area.features {
            let made = suites::create(tx, Some(parent), &Title::new("suite", feature)?)?;
            places.push(Place { area, feature, suite: made.value.id });
            last = made.map(drop);
        }
    }
    Ok(last.map(|()| places))
}

fn add(tx: Write<'_, CaseWrite>, new: Vec<New>) -> Result<Audited<'_, Vec<i64>>> {
    let mut numbers = Vec::with_capacity(new.len());
    let mut last = tx.quiet(Quiet::Nothing, ());
    for New { suite, first, second } in new {
        let case = cases::create(tx, suite, &first)?;
        numbers.push(case.value.number);
        last = match second {
            Some(draft) => cases::edit(tx, case.value.number, 1, &draft)?.map(drop),
            None => case.map(drop),
        };
    }
    Ok(last.map(|()| numbers))
}

/// Case number `at` of the whole project: features take turns, so every suite fills evenly.
fn case(places: &[Place], at: u64, dice: &mut Dice) -> Result<New> {
    let count = places.len() as u64;
    let place = places[usize::try_from(at % count).expect("an index below the length")];
    let title = words::title(place.feature, at / count);
    // The first one is automated, so that there is something to record results for.
    let kind = match dice.below(100) {
        0..20 if at > 0 => Kind::Steps,
        20..23 if at > 0 => Kind::Text,
        _ => Kind::Automated,
    };
    let mut first = Draft::new(Title::new("case", &title)?, kind);
    first.priority = match dice.below(100) {
        0..8 => Priority::Critical,
        8..30 => Priority::High,
        30..82 => Priority::Normal,
        _ => Priority::Low,
    };
    let (precondition, body, steps) = match kind {
        Kind::Steps => ("The shop is open and `customer-7` has no open orders.", String::new(), steps(dice)),
        Kind::Text => ("", format!("Check that **{title}**, on a phone and on a wide screen."), Vec::new()),
        Kind::Automated => ("", String::new(), Vec::new()),
    };
    let key = (kind == Kind::Automated).then(|| automation_key(place, &title));
    let first = first.with_text(precondition, &body, steps)?.with_automation_key(key.as_deref())?;
    let second = dice.happens(120).then(|| changed(&first, dice));
    Ok(New { suite: place.suite, first, second })
}

fn steps(dice: &mut Dice) -> Vec<Step> {
    let step = |(action, expected): (&str, &str)| Step { action: action.into(), expected: expected.into() };
    words::steps(dice).into_iter().map(step).collect()
}

/// What somebody changed later: another priority, and one more step where there are steps.
fn changed(first: &Draft, dice: &mut Dice) -> Draft {
    let mut second = first.clone();
    second.priority = if first.priority == Priority::High { Priority::Critical } else { Priority::High };
    if first.kind == Kind::Steps {
        second.steps.extend(steps(dice).into_iter().take(1));
    }
    second
}

/// Such as `shop.cart.AddAndRemoveTest.survives_a_reload_as_a_guest`.
fn automation_key(place: Place, title: &str) -> String {
    let parts = |text: &str| -> Vec<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
    };
    let capital = |word: &String| word[..1].to_ascii_uppercase() + &word[1..];
    let class: String = parts(place.feature).iter().map(capital).collect();
    let name = parts(title.strip_prefix(place.feature).unwrap_or(title)).join("_");
    format!("shop.{}.{class}Test.{name}", place.area.name.to_ascii_lowercase())
}
