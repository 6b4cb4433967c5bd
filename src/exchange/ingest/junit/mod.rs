//! JUnit XML, in all its dialects.
//!
//! There is no standard; behaviour follows the samples in `tests/data/junit`, and `docs/formats/junit.md`
//! tells it to users. One reader serves all writers: it looks at elements, never at who wrote them.

mod case;
mod suite;
mod verdicts;

use super::key::Keys;
use super::text::{Kept, Oddities};
use super::xml::{Tag, Token, Xml};
use super::{Found, Outcome, Summary};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use case::Case;
use std::io::BufRead;
use suite::{Declared, Suite};
use verdicts::{Attempt, Verdicts};

/// Who an element inside of a case or a suite belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Case,
    Suite,
}

/// What an open element is to us.
#[derive(Clone, Copy)]
enum Level {
    /// The root around suites, and everything unknown between root and case.
    Outside,
    Suite,
    Case,
    /// Unknown things and `properties` inside of a case.
    InCase,
    /// A child that says how it ended. None: a remark.
    Verdict(Owner, Option<Outcome>),
    Attempt(Attempt),
    /// Elements inside of a verdict; their text belongs to it.
    InVerdict(Owner),
    Output(Owner),
    Property,
}

/// Whether a file begins like a JUnit report.
pub(super) fn is_junit(first_bytes: &[u8]) -> bool {
    let Ok(mut xml) = Xml::new("", first_bytes) else { return false };
    match xml.next(None) {
        Ok(Token::Open(root)) if is_root(root.name()) => {}
        _ => return false,
    }
    // The root alone does not tell: TestLink writes its cases into the same elements.
    loop {
        match xml.next(None) {
            Ok(Token::Open(tag)) if tag.name() == "node_order" => return false,
            Ok(Token::Open(mut tag)) if tag.name() == "testcase" => {
                return Case::new().open(&mut tag).is_ok();
            }
            Ok(Token::Open(_) | Token::Close) => {}
            Ok(Token::End) | Err(_) => return true,
        }
    }
}

/// Reads a report; see [`super::read`].
pub(super) fn read(
    file_name: &str,
    input: impl BufRead,
    sink: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<Summary> {
    let mut xml = Xml::new(file_name, input)?;
    let mut reading = Reading::new(sink);
    loop {
        match xml.next(reading.text())? {
            Token::Open(mut tag) => reading.open(&mut tag)?,
            Token::Close => reading.close(&mut xml.odd)?,
            Token::End => return reading.finish(&mut xml.odd),
        }
    }
}

fn is_root(name: &str) -> bool {
    matches!(name, "testsuites" | "testsuite" | "testrun")
}

/// The state between two tags.
struct Reading<'s> {
    sink: &'s mut dyn FnMut(Found) -> Result<()>,
    levels: Vec<Level>,
    /// Names of the open suites.
    path: Vec<String>,
    suites: Vec<Suite>,
    /// Cases inside one another: hardly ever more than one. Beyond `open_cases`, spare ones.
    cases: Vec<Case>,
    open_cases: usize,
    /// The first case of a suite waits for what comes: if it stays alone, what the suite printed is its own.
    held: Option<Held>,
    keys: Keys,
    summary: Summary,
    declared: Declared,
    declared_by_suites: Declared,
}

struct Held {
    found: Found,
    /// Open suites around it.
    depth: usize,
}

impl<'s> Reading<'s> {
    fn new(sink: &'s mut dyn FnMut(Found) -> Result<()>) -> Reading<'s> {
        Reading {
            sink,
            levels: Vec::new(),
            path: Vec::new(),
            suites: Vec::new(),
            cases: Vec::new(),
            open_cases: 0,
            held: None,
            keys: Keys::default(),
            summary: Summary::default(),
            declared: Declared::default(),
            declared_by_suites: Declared::default(),
        }
    }

    fn case(&mut self) -> Option<&mut Case> {
        self.cases[..self.open_cases].last_mut()
    }

    fn verdicts(&mut self, owner: Owner) -> Option<&mut Verdicts> {
        match owner {
            Owner::Case => self.case().map(|case| &mut case.verdicts),
            Owner::Suite => self.suites.last_mut().map(|suite| &mut suite.verdicts),
        }
    }

    fn output(&mut self, owner: Owner) -> Option<&mut Kept> {
        match owner {
            Owner::Case => self.case().map(|case| &mut case.output),
            Owner::Suite => self.suites.last_mut().map(|suite| &mut suite.output),
        }
    }

    /// Where text goes that stands here.
    fn text(&mut self) -> Option<&mut Kept> {
        match *self.levels.last()? {
            Level::Verdict(owner, _) | Level::InVerdict(owner) => self.verdicts(owner).map(Verdicts::text),
            Level::Attempt(_) => self.verdicts(Owner::Case).map(Verdicts::text),
            Level::Output(owner) => self.output(owner),
            Level::Property => self.case().map(Case::property_text),
            Level::Outside | Level::Suite | Level::Case | Level::InCase => None,
        }
    }

    fn open(&mut self, tag: &mut Tag<'_>) -> Result<()> {
        let level = match self.levels.last() {
            None => self.open_root(tag)?,
            Some(parent) => {
                let level = level_of(*parent, tag.name());
                self.open_level(level, tag)?;
                level
            }
        };
        self.levels.push(level);
        Ok(())
    }

    fn open_root(&mut self, tag: &mut Tag<'_>) -> Result<Level> {
        if !is_root(tag.name()) {
            return Err(foreign(tag));
        }
        if tag.name() == "testsuite" {
            let (suite, declared) = Suite::open(tag, &mut self.path)?;
            self.suites.push(suite);
            self.declared = declared;
            return Ok(Level::Suite);
        }
        tag.attributes(|attribute, value, _| self.declared.take(attribute, value))?;
        Ok(Level::Outside)
    }

    fn open_level(&mut self, level: Level, tag: &mut Tag<'_>) -> Result<()> {
        match level {
            Level::Suite => {
                let (suite, declared) = Suite::open(tag, &mut self.path)?;
                if self.suites.is_empty() {
                    self.declared_by_suites.add(&declared);
                }
                self.suites.push(suite);
            }
            Level::Case => {
                if self.open_cases == self.cases.len() {
                    self.cases.push(Case::new());
                }
                self.open_cases += 1;
                return self.case().map_or(Ok(()), |case| case.open(tag));
            }
            Level::Verdict(owner, _) => {
                return self.verdicts(owner).map_or(Ok(()), |verdicts| verdicts.open(tag));
            }
            Level::Attempt(_) => {
                return self.verdicts(Owner::Case).map_or(Ok(()), |verdicts| verdicts.open(tag));
            }
            Level::Property => return self.case().map_or(Ok(()), |case| case.open_property(tag)),
            Level::Output(owner) => {
                if let Some(output) = self.output(owner) {
                    output.begin_line();
                }
            }
            Level::InVerdict(owner) => {
                if let Some(verdicts) = self.verdicts(owner) {
                    verdicts.text().drop_indent();
                }
            }
            Level::Outside | Level::InCase => {}
        }
        Ok(())
    }

    fn close(&mut self, odd: &mut Oddities) -> Result<()> {
        match self.levels.pop() {
            Some(Level::Suite) => return self.close_suite(odd),
            Some(Level::Case) => return self.close_case(odd),
            Some(Level::Verdict(owner, outcome)) => {
                if let Some(verdicts) = self.verdicts(owner) {
                    verdicts.close(outcome, odd);
                }
            }
            Some(Level::Attempt(attempt)) => {
                if let Some(verdicts) = self.verdicts(Owner::Case) {
                    verdicts.close_attempt(attempt, odd);
                }
            }
            Some(Level::Property) => {
                if let Some(case) = self.case() {
                    case.close_property(odd);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close_case(&mut self, odd: &mut Oddities) -> Result<()> {
        self.release()?;
        self.open_cases -= 1;
        let file = self.suites.iter().rev().find_map(|suite| suite.file.as_ref());
        let found = self.cases[self.open_cases].close(&self.path, file, &mut self.keys, odd);
        self.count(&found)?;
        let depth = self.suites.len();
        match self.suites.last_mut() {
            Some(suite) if suite.cases == 0 => {
                suite.cases = 1;
                self.held = Some(Held { found, depth });
                Ok(())
            }
            Some(suite) => {
                suite.cases += 1;
                (self.sink)(found)
            }
            None => (self.sink)(found),
        }
    }

    fn close_suite(&mut self, odd: &mut Oddities) -> Result<()> {
        let depth = self.suites.len();
        let Some(mut suite) = self.suites.pop() else { return Ok(()) };
        let broken = suite.close(&mut self.path, &mut self.keys, odd);
        if let Some(held) = self.held.as_mut().filter(|held| held.depth == depth) {
            held.found.output = held.found.output.take().or_else(|| suite.output.take(odd));
            self.release()?;
        }
        match broken {
            None => Ok(()),
            Some(broken) => {
                self.release()?;
                self.count(&broken)?;
                self.summary.note_broken_suite(&broken);
                (self.sink)(broken)
            }
        }
    }

    fn count(&mut self, found: &Found) -> Result<()> {
        self.summary.count(found);
        if self.summary.found > limits::REPORT_CASES_MAX {
            let what = format!("This report holds more than {} results.", limits::REPORT_CASES_MAX);
            return Err(Error::too_large(what).hint("Split it, and upload the parts into the same run."));
        }
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        self.held.take().map_or(Ok(()), |held| (self.sink)(held.found))
    }

    fn finish(mut self, odd: &mut Oddities) -> Result<Summary> {
        self.release()?;
        let mut notes = Vec::new();
        if self.summary.found == 0 {
            notes.push("The report holds no results.".to_owned());
        }
        notes.extend(self.declared.or(self.declared_by_suites).note(&self.summary));
        notes.extend(odd.notes());
        Ok(Summary { notes, ..self.summary })
    }
}

/// What an element is, inside of this parent.
fn level_of(parent: Level, name: &str) -> Level {
    use Outcome::{Errored, Failed, Skipped};
    let verdict = |outcome| Level::Verdict(Owner::Case, outcome);
    match (parent, name) {
        (Level::Attempt(_), "system-out" | "system-err") => Level::Output(Owner::Case),
        (Level::Verdict(owner, _) | Level::InVerdict(owner), _) => Level::InVerdict(owner),
        (Level::Attempt(_), _) => Level::InVerdict(Owner::Case),
        (Level::Output(owner), _) => Level::Output(owner),
        (_, "testcase") => Level::Case,
        (_, "testsuite") => Level::Suite,
        (Level::Case | Level::InCase, _) => match name {
            "error" => verdict(Some(Errored)),
            "failure" => verdict(Some(Failed)),
            "skipped" | "skip" | "disabled" | "ignored" => verdict(Some(Skipped)),
            // PHPUnit. The case counts as passed, with the warning as its message.
            "warning" => verdict(None),
            "flakyFailure" => Level::Attempt(Attempt::Flaky(Failed)),
            "flakyError" => Level::Attempt(Attempt::Flaky(Errored)),
            "rerunFailure" => Level::Attempt(Attempt::Rerun(Failed)),
            "rerunError" => Level::Attempt(Attempt::Rerun(Errored)),
            "system-out" | "system-err" => Level::Output(Owner::Case),
            "property" => Level::Property,
            _ => Level::InCase,
        },
        (Level::Suite, "error" | "failure") => Level::Verdict(Owner::Suite, Some(Errored)),
        (Level::Suite, "system-out" | "system-err") => Level::Output(Owner::Suite),
        (Level::Property, _) => Level::InCase,
        (Level::Suite | Level::Outside, _) => Level::Outside,
    }
}

/// Roots of other tools, so that a refusal can name what it found.
const FOREIGN: [(&str, &str); 15] = [
    ("html", "a web page, perhaps the error page of the server that the report should have come from"),
    ("TestRun", "a TRX report of Visual Studio"),
    ("test-run", "an NUnit 3 report"),
    ("test-results", "an NUnit 2 report"),
    ("assemblies", "an xUnit.net report"),
    ("assembly", "an xUnit.net report"),
    ("testng-results", "a TestNG report"),
    ("robot", "an output of Robot Framework"),
    ("TestLog", "a report of Boost.Test"),
    ("TestResult", "a report of Boost.Test"),
    ("testcases", "a TestLink export of cases"),
    ("suite", "a TestRail export of cases"),
    ("checkstyle", "a Checkstyle report"),
    ("coverage", "a coverage report"),
    ("report", "a coverage report"),
];

fn foreign(tag: &Tag<'_>) -> Error {
    let name = tag.name();
    let known = FOREIGN.iter().find(|(root, _)| *root == name);
    let known = known.map(|(_, tool)| format!(", as of {tool}")).unwrap_or_default();
    tag.refused(&format!("This is not a JUnit report: its root element is <{}>{known}", tag.short_name()))
        .hint("Most tools write JUnit XML when told so; its root element is <testsuites> or <testsuite>.")
}
