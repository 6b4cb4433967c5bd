//! JUnit XML: every dialect, every trap, and files of other people.

pub mod corpus;
mod damage;
mod dialects;
mod traps;

use std::io::Cursor;
use std::path::Path;
use testkeep::exchange::ingest::{Format, Found, Outcome, Summary, detect, read};
use testkeep::kernel::error::{Error, Kind};

/// Bytes of one of our own samples.
fn sample(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/junit").join(name).with_extension("xml");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every sample that we have.
fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/junit")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".xml")).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), sample(&name))).collect()
}

/// What a report holds, or why it is refused.
fn read_all(bytes: &[u8]) -> Result<(Vec<Found>, Summary), Error> {
    let mut all = Vec::new();
    let summary = read(Format::Junit, "report.xml", Cursor::new(bytes), &mut |found| {
        all.push(found);
        Ok(())
    })?;
    Ok((all, summary))
}

/// The checks of a sample.
fn found(name: &str) -> Vec<Found> {
    assert_eq!(detect(&sample(name)), Some(Format::Junit), "{name}");
    read_all(&sample(name)).unwrap().0
}

/// The sentence with which a report is refused; it always comes with a hint.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let error = read_all(bytes).expect_err("this report is refused");
    assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
    assert!(error.hint_text().is_some(), "{error:?}");
    error.sentence().to_owned()
}

/// A sample, told for people: one line a check, then its texts, then the summary.
fn told(name: &str) -> String {
    let (all, summary) = read_all(&sample(name)).unwrap();
    let mut lines = Vec::new();
    for found in &all {
        let elapsed = found.elapsed_ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
        lines.push(format!("{} {elapsed} {}", found.outcome.word(), found.automation_key));
        let texts = [
            ("suites", Some(found.suites.join(" / ")).filter(|path| !path.is_empty())),
            ("file", found.file.clone()),
            ("case", found.case_ref.clone()),
            ("message", found.message.clone()),
            ("stack", found.stack.clone()),
            ("output", found.output.clone()),
        ];
        let texts = texts.into_iter().filter_map(|(word, text)| text.map(|text| (word, text)));
        lines.extend(texts.map(|(word, text)| format!("  {word}: {text:?}")));
        for earlier in &found.earlier {
            let (message, stack) = (earlier.message.as_deref(), earlier.stack.as_deref());
            lines.push(format!("  before: {} {message:?} {stack:?}", earlier.outcome.word()));
        }
    }
    let Summary { found, passed, failed, errored, skipped, duration_ms, notes, .. } = summary;
    lines.push(format!("= {found}: {passed} {failed} {errored} {skipped}, {duration_ms} ms"));
    lines.extend(notes.into_iter().map(|note| format!("! {note}")));
    lines.join("\n")
}
