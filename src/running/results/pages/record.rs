//! A verdict by hand, with the files that come with it.

use super::execute::{ExecutePage, Typed, own, page};
use super::item_url;
use crate::kernel::access::{Gate, ProjectView, ResultWrite, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{EvidenceId, ItemId};
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::library::evidence::{self, Evidence, Kept, Owner};
use crate::library::text;
use crate::library::verdicts::Status;
use crate::running::results::{self, CaseOf, NewResult, Source};
use crate::running::runs::{self, items};
use crate::web::filters;
use crate::web::forms::{self, Problems};
use crate::web::respond::{Answer, Fragment, Page, Path, Redirect};
use crate::web::upload::{Parts, Upload};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

/// The fields of the form, but for those of the steps, whose number is that of the case.
#[derive(Deserialize)]
struct Fields {
    status: Option<String>,
    #[serde(default)]
    comment: String,
    took: Option<String>,
    who: Option<String>,
    #[serde(default)]
    evidence: Vec<EvidenceId>,
}

/// A verdict that fits.
struct Given {
    status: Status,
    comment: Option<String>,
    elapsed_ms: Option<i64>,
    steps: Vec<Status>,
    evidence: Vec<EvidenceId>,
    files: Vec<Kept>,
    is_mine: bool,
}

/// Records the verdict and leads to the next item, or says what is wrong with the form.
pub async fn verdict(
    gate: Gate<ResultWrite>,
    Path((key, run, item)): Path<(String, i64, i64)>,
    visit: Visit,
    instance: Data<Instance>,
    upload: Upload,
) -> Result<Answer<ExecutePage>> {
    gate.admit().await?;
    if upload.is_bare() {
        return Err(Error::invalid("A verdict comes as multipart/form-data, as its form sends it."));
    }
    let mut parts = upload.receive(&instance.blobs, evidence::BOUNDS, "file").await?;
    let files = std::mem::take(&mut parts.files);
    let (typed, given) = read(parts)?;
    let is_mine = typed.is_mine;
    if typed.is_nothing() && files.is_empty() {
        let next = gate.read(move |tx| {
            let run = runs::one(tx, run)?;
            items::next_untested(tx, run.id, ItemId(item), own(tx, is_mine))
        });
        return Ok(to(&key, run, next.await?, is_mine, false).into());
    }
    let mut given = match given {
        Ok(given) => given,
        Err(problems) => {
            let place = (key, run, ItemId(item));
            let view = gate.read(move |tx| page(tx.reading::<ProjectView>(), visit, place, typed, problems));
            return Ok(Page::refused(view.await?).into());
        }
    };
    for file in files {
        given.files.push(evidence::keep(&instance.blobs, file).await?);
    }
    let next = gate.write(move |tx| record(tx, run, ItemId(item), given)).await?;
    Ok(to(&key, run, next, is_mine, true).into())
}

/// The next item, or the run if nothing is left.
fn to(key: &str, run: i64, next: Option<ItemId>, is_mine: bool, is_done: bool) -> Redirect {
    let whose = if is_mine { "?who=me" } else { "" };
    match next {
        Some(next) => Redirect::to(item_url(key, run, next.0) + whose),
        None if !is_done => Redirect::to(runs::url(key, run) + whose),
        None if is_mine => Redirect::to(runs::url(key, run) + whose).saying("All your items have a verdict."),
        None => Redirect::to(runs::url(key, run)).saying("All items have a verdict."),
    }
}

/// What was typed, and the verdict if it fits.
fn read(parts: Parts) -> Result<(Typed, std::result::Result<Given, Problems>)> {
    let (steps, fields): (Vec<_>, Vec<_>) =
        parts.fields.into_iter().partition(|(name, _)| name.starts_with("step-"));
    let steps = verdicts_of_steps(&steps)?;
    let Fields { status: word, comment, took, who, evidence } = forms::of_fields(fields)?;
    let took = took.unwrap_or_default();
    let is_mine = who.as_deref() == Some("me");
    let mut problems = Problems::default();
    let status = match word.as_deref().map(Status::of_word) {
        Some(Ok(status)) if status != Status::Untested => Some(status),
        _ => {
            problems.add("status", "Choose a verdict first: pass, fail, block or skip.");
            None
        }
    };
    let elapsed_ms = match elapsed(&took) {
        Ok(elapsed_ms) => elapsed_ms,
        Err(sentence) => {
            problems.add("took", sentence);
            None
        }
    };
    if let Err(problem) = text::body("The comment", &comment) {
        problems.add("comment", problem.sentence());
    }
    let typed = Typed {
        status: word,
        comment: comment.clone(),
        took,
        steps: steps.clone(),
        kept: evidence.clone(),
        is_mine,
    };
    let given = status.filter(|_| problems.is_empty()).map(|status| Given {
        status,
        comment: Some(comment).filter(|comment| !comment.trim().is_empty()),
        elapsed_ms,
        steps,
        evidence,
        files: Vec::new(),
        is_mine,
    });
    Ok((typed, given.ok_or(problems)))
}

/// Verdicts of the steps by their place; those between that nobody judged are untested.
fn verdicts_of_steps(fields: &[(String, String)]) -> Result<Vec<Status>> {
    let mut steps = Vec::new();
    for (name, word) in fields {
        let place = name.strip_prefix("step-").and_then(|place| place.parse::<usize>().ok());
        let place = place.filter(|place| (1..=limits::STEPS_MAX).contains(place));
        let place = place.ok_or_else(|| Error::invalid("The form names a step that no case has."))?;
        if steps.len() < place {
            steps.resize(place, Status::Untested);
        }
        steps[place - 1] = Status::of_word(word)?;
    }
    Ok(steps)
}

/// Milliseconds of a time such as `3:41` or `1:02:03`; nothing if nothing was typed.
fn elapsed(took: &str) -> std::result::Result<Option<i64>, &'static str> {
    const HOW: &str = "Write the time as minutes and seconds, such as 3:41.";
    let took = took.trim();
    if took.is_empty() {
        return Ok(None);
    }
    let parts = took.split(':').map(|part| part.parse::<u32>().map(i64::from));
    let parts = parts.collect::<std::result::Result<Vec<_>, _>>().map_err(|_| HOW)?;
    let seconds = match parts[..] {
        [minutes, seconds] if seconds < 60 => minutes * 60 + seconds,
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => (hours * 60 + minutes) * 60 + seconds,
        _ => return Err(HOW),
    };
    let ms = seconds * 1_000;
    if ms > limits::ELAPSED_MS_MAX { Err("This is longer than a year.") } else { Ok(Some(ms)) }
}

fn record(
    tx: Write<'_, ResultWrite>,
    number: i64,
    item: ItemId,
    given: Given,
) -> Result<Audited<'_, Option<ItemId>>> {
    let open = runs::taking(tx, number)?;
    let run = runs::one(tx, number)?;
    let item = items::one(tx, &run, item)?;
    let result = NewResult {
        elapsed_ms: given.elapsed_ms,
        comment: given.comment,
        steps: given.steps,
        ..NewResult::new(CaseOf::Number(item.number), given.status)
    };
    let recorded = results::record(tx, open, Source::MANUAL, vec![result])?;
    let result = recorded.value.recorded.first().map(|recorded| recorded.id);
    let result = result.ok_or_else(|| Error::internal("one result in, none out"))?;
    if !given.files.is_empty() {
        let _ = evidence::attach(tx, Owner::Result(result), &given.files)?;
    }
    if !given.evidence.is_empty() {
        let _ = evidence::give(tx, &given.evidence, result)?;
    }
    let next = items::next_untested(tx, run.id, item.id, own(tx, given.is_mine))?;
    Ok(recorded.map(|_| next))
}

/// A file that waits for its verdict, as a line of the form.
#[derive(Template)]
#[template(path = "running/results/kept.html")]
pub struct KeptPart {
    key: String,
    file: Evidence,
}

/// Takes a file in before its verdict: it belongs to nothing until the form that names it is sent.
pub async fn attach(
    gate: Gate<ResultWrite>,
    path: Path<(String, i64, i64)>,
    instance: Data<Instance>,
    upload: Upload,
) -> Result<Fragment<KeptPart>> {
    let Path((key, run, _)) = path;
    gate.admit().await?;
    let mut parts = upload.receive(&instance.blobs, evidence::BOUNDS, "file").await?;
    let file = parts.files.pop().filter(|_| parts.files.is_empty());
    let file = file.ok_or_else(|| Error::invalid("Send one file, in the field `file`."))?;
    let kept = evidence::keep(&instance.blobs, file).await?;
    let attached = gate.write(move |tx| {
        runs::taking(tx, run)?;
        evidence::attach(tx, Owner::Nothing, &[kept])
    });
    let file = attached.await?.into_iter().next().ok_or_else(|| Error::internal("one file in, none out"))?;
    Ok(Fragment(KeptPart { key, file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_minutes_and_seconds() {
        assert_eq!(elapsed(""), Ok(None));
        assert_eq!(elapsed(" 3:41 "), Ok(Some(221_000)));
        assert_eq!(elapsed("75:00"), Ok(Some(4_500_000)));
        assert_eq!(elapsed("1:02:03"), Ok(Some(3_723_000)));
        for wrong in ["3", "3:60", "a:b", "-1:00", "1:60:00", "1:2:3:4", "4294967295:00:00"] {
            assert!(elapsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn steps_stand_at_their_place_whatever_order_they_come_in() {
        let field = |name: &str, word: &str| (name.to_owned(), word.to_owned());
        let steps = verdicts_of_steps(&[field("step-3", "failed"), field("step-1", "passed")]);
        assert_eq!(steps.unwrap(), [Status::Passed, Status::Untested, Status::Failed]);
        for wrong in ["step-0", "step-", "step-501", "step-x"] {
            assert!(verdicts_of_steps(&[field(wrong, "passed")]).is_err(), "{wrong}");
        }
    }
}
