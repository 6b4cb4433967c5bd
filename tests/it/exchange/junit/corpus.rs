//! Files of other people, with the totals that a correct reader must show.
//!
//! They are not in this repository: `TESTKEEP_CORPUS` names their folder, or it lies beside the checkout.

use super::{read_all, refusal};
use std::collections::HashMap;
use std::path::PathBuf;
use testkeep::exchange::ingest::Summary;

/// One file of the manifest.
pub struct Row {
    pub path: String,
    columns: HashMap<String, String>,
}

impl Row {
    pub fn column(&self, name: &str) -> &str {
        self.columns.get(name).map_or("", String::as_str)
    }
}

/// tests, passed, failed + errored, skipped
type Totals = [u64; 4];

pub fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    std::env::var_os("TESTKEEP_CORPUS").map_or_else(|| beside.into(), PathBuf::from)
}

pub fn rows(chosen: impl Fn(&str) -> bool) -> Vec<Row> {
    let Ok(manifest) = std::fs::read_to_string(folder().join("manifest.csv")) else {
        println!("There is no corpus in {}, so there is nothing to check.", folder().display());
        return Vec::new();
    };
    let mut records = csv(&manifest).into_iter();
    let header = records.next().unwrap();
    let rows = records
        .filter(|record| record.len() == header.len())
        .map(|record| Row { path: record[0].clone(), columns: header.iter().cloned().zip(record).collect() });
    rows.filter(|row| chosen(&row.path)).collect()
}

/// Records of a CSV text with quotes.
fn csv(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut is_quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        let record = records.last_mut().unwrap();
        match next {
            '"' if is_quoted && rest.peek() == Some(&'"') => record.last_mut().unwrap().extend(rest.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(String::new()),
            '\n' if !is_quoted => records.push(vec![String::new()]),
            '\r' if !is_quoted => {}
            next => record.last_mut().unwrap().push(next),
        }
    }
    records
}

fn totals(numbers: &[u64]) -> Totals {
    [numbers[0], numbers[1], numbers[2] + numbers[3], numbers[4]]
}

/// tests, passed, failed, errored, skipped
pub type Counted = [u64; 5];

fn counted(summary: &Summary) -> Counted {
    [summary.found, summary.passed, summary.failed, summary.errored, summary.skipped]
}

/// Whether the counts are right, as the README of the corpus defines it.
pub fn agrees(row: &Row, counted: &Counted) -> bool {
    let ours = totals(counted);
    let number = |name: &str| row.column(name).parse().unwrap_or(0);
    let expected = totals(&["tests", "passed", "failed", "errored", "skipped"].map(number));
    let apart: u64 = ours[1..].iter().zip(&expected[1..]).map(|(ours, theirs)| ours.abs_diff(*theirs)).sum();
    // One unsettled check that sits in another class is apart twice.
    let is_near = ours[0] == expected[0] && apart <= 2 * number("unsettled");
    let mut others =
        row.column("alternatives").split([';', ' ', '|']).filter_map(|other| other.split_once('='));
    is_near
        || others.any(|(_, numbers)| {
            let numbers: Vec<u64> = numbers.split('/').filter_map(|number| number.parse().ok()).collect();
            numbers.len() == 5 && totals(&numbers) == ours
        })
}

#[test]
fn reports_of_other_people_count_as_they_should() {
    let rows = rows(|path| path.starts_with("junit/"));
    let (mut agreeing, mut exact, mut timed) = (0, 0, 0);
    let mut apart = Vec::new();
    for row in &rows {
        let (all, summary) = match read_all(&std::fs::read(folder().join(&row.path)).unwrap()) {
            Ok(read) => read,
            // No test inside: an empty import or a clear message.
            Err(_) if row.column("outcome") == "either" => {
                agreeing += 1;
                continue;
            }
            Err(error) => {
                apart.push(format!("{}: {error:?}", row.path));
                continue;
            }
        };
        assert_eq!(all.len() as u64, summary.found, "{}", row.path);
        let same = |name: &str, ours: u64| row.column(name) == ours.to_string();
        exact += u32::from(same("failed", summary.failed) && same("errored", summary.errored));
        let seconds = row.column("seconds").parse::<f64>().unwrap_or(0.0);
        timed += u32::from((seconds * 1000.0 - summary.duration_ms as f64).abs() <= all.len() as f64);
        // A suite that could not start is an entry of its own for us. An upload of nothing else is refused.
        let no_check_ran = summary.found == summary.broken_suites && row.column("outcome") == "either";
        if no_check_ran || agrees(row, &counted(&summary)) {
            agreeing += 1;
        } else {
            apart.push(format!("{}: {summary:?}", row.path));
        }
    }
    println!("{agreeing} of {} reports agree", rows.len());
    println!("{exact} of them agree in failed and errored apart, {timed} in their duration");
    println!("{}", apart.join("\n"));
    assert!(apart.is_empty(), "{apart:#?}");
}

#[test]
fn odd_and_broken_files_import_or_are_refused_clearly() {
    let rows =
        rows(|path| ["hostile/", "malformed/", "other-xml/"].iter().any(|folder| path.starts_with(folder)));
    let mut good = 0;
    for row in &rows {
        let bytes = std::fs::read(folder().join(&row.path)).unwrap();
        match row.column("outcome") {
            "error" => println!("{}: {}", row.path, refusal(&bytes)),
            outcome => match read_all(&bytes) {
                Ok((_, summary)) => assert!(agrees(row, &counted(&summary)), "{}: {summary:?}", row.path),
                Err(error) => assert_eq!(outcome, "either", "{}: {error:?}", row.path),
            },
        }
        good += 1;
    }
    println!("{good} of {} odd files end as they should", rows.len());
}

#[test]
fn reports_of_other_formats_are_not_taken_for_junit() {
    let rows = rows(|path| !path.starts_with("junit/") && !path.starts_with("hostile/"));
    for row in rows.iter().filter(|row| row.column("format") != "malformed") {
        let path = folder().join(&row.path);
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let start = &bytes[..bytes.len().min(4096)];
        assert_eq!(testkeep::exchange::ingest::detect(start), None, "{}", row.path);
    }
}
