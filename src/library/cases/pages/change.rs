//! Small changes from the list: a case by its title, and what is done to chosen cases.

use super::{base, cases as counted, frame};
use crate::kernel::access::{CaseWrite, Gate};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::library::cases::{self, Draft, Kind, selected};
use crate::library::suites::{self, Paths};
use crate::library::text::Title;
use crate::web::address::Address;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::Frame;
use crate::web::respond::{Answer, Page, Path, Redirect};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// The list to go back to, if the address is one of ours; else the list of all cases.
pub(super) fn list_of(key: &str, back: Option<&str>) -> String {
    let base = base(key);
    let is_ours = |back: &&str| {
        let rest = back.strip_prefix(base.as_str());
        let is_list = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'));
        is_list && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    back.filter(is_ours).unwrap_or(&base).to_owned()
}

#[derive(Deserialize)]
pub(super) struct Quick {
    title: String,
    suite: Option<i64>,
    back: String,
}

/// Writes a case that has a title only, and leads back to the field for the next title.
pub(super) async fn quick(
    gate: Gate<CaseWrite>,
    Path(key): Path<String>,
    Form(new): Form<Quick>,
) -> Result<Redirect> {
    let back = list_of(&key, Some(&new.back));
    let title = match Title::new("case", &new.title) {
        Ok(title) => title,
        Err(refusal) => return Ok(Redirect::to(back).warning(refusal.sentence())),
    };
    let draft = Draft::new(title, Kind::Steps);
    let suite = new.suite.map(SuiteId);
    let written = gate.write(move |tx| {
        let suite = suite.map_or_else(|| Paths::default().find_or_create(tx, &[]), Ok)?;
        cases::create(tx, suite, &draft)
    });
    let number = written.await?.number;
    let sign = if back.contains('?') { '&' } else { '?' };
    Ok(Redirect::to(format!("{back}{sign}added={number}")))
}

#[derive(Deserialize, Clone)]
pub(super) struct Selection {
    /// Numbers of the chosen cases.
    #[serde(default)]
    case: Vec<i64>,
    #[serde(rename = "do")]
    act: Act,
    /// Where to move them; none asks.
    suite: Option<i64>,
    back: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Act {
    Move,
    Trash,
    Restore,
}

/// Asks where to move the chosen cases.
#[derive(Template)]
#[template(path = "library/cases/move.html")]
pub(super) struct MovePage {
    frame: Frame,
    home: String,
    base: String,
    back: String,
    counted: String,
    numbers: Vec<i64>,
    suites: Vec<Choice>,
    problems: Problems,
}

/// Moves the chosen cases, puts them into the trash or takes them out.
pub(super) async fn selected(
    gate: Gate<CaseWrite>,
    visit: Visit,
    Path(key): Path<String>,
    Form(chosen): Form<Selection>,
) -> Result<Answer<MovePage>> {
    let back = list_of(&key, chosen.back.as_deref());
    let numbers = chosen.case;
    let counted = counted(numbers.len());
    if numbers.is_empty() {
        return Ok(Redirect::to(back).warning("Choose cases first: tick them, then say what to do.").into());
    }
    let are = if numbers.len() == 1 { "is" } else { "are" };
    match (chosen.act, chosen.suite.map(SuiteId)) {
        (Act::Move, None) => {
            let asking = gate.read(move |tx| {
                let base = base(&key);
                let frame = frame(tx, visit)?.here("Move");
                let suites = suites::choices(&suites::tree(tx)?, None);
                let home = format!("/p/{key}");
                Ok(MovePage {
                    frame,
                    home,
                    base,
                    back,
                    counted,
                    numbers,
                    suites,
                    problems: Problems::default(),
                })
            });
            Ok(Page::new(asking.await?).into())
        }
        (Act::Move, Some(suite)) => {
            let moving = gate.write(move |tx| {
                let name = suites::one(tx, suite)?.name;
                Ok(selected::move_to(tx, &numbers, suite)?.map(|_| name))
            });
            let name = moving.await?;
            let list = Address::to(base(&key)).with("suite", suite.0.to_string());
            Ok(Redirect::to(list.to_string()).saying(format!("{counted} {are} in {name} now.")).into())
        }
        (Act::Trash, _) => {
            let text = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(".");
            gate.write(move |tx| selected::trash(tx, &numbers)).await?;
            let sign = if back.contains('?') { '&' } else { '?' };
            Ok(Redirect::to(format!("{back}{sign}trashed={text}")).into())
        }
        (Act::Restore, _) => {
            gate.write(move |tx| selected::recover(tx, &numbers)).await?;
            Ok(Redirect::to(back).saying(format!("{counted} {are} back where they stood.")).into())
        }
    }
}
