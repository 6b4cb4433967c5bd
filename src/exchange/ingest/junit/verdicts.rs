//! What the children of a case say about its end: failures, errors, skips, and attempts before the last.

use crate::exchange::ingest::text::{Kept, Oddities, name};
use crate::exchange::ingest::xml::Tag;
use crate::exchange::ingest::{Earlier, Outcome};
use crate::kernel::error::Result;
use crate::kernel::limits;

/// Gathers the verdicts inside of one case, or of one suite.
pub(super) struct Verdicts {
    pub outcome: Option<Outcome>,
    message: Kept,
    stack: Kept,
    /// Surefire and nextest: the case passed in the end.
    flaky: Vec<Earlier>,
    /// Surefire and nextest: attempts after the one that `failure` or `error` tells.
    reruns: Vec<Earlier>,
    part: Part,
}

/// The child that is open.
struct Part {
    message: Kept,
    kind: String,
    text: Kept,
    /// Name of the case.
    about: String,
}

/// How an attempt is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// A later one passed.
    Flaky(Outcome),
    /// It failed again.
    Rerun(Outcome),
}

/// What the verdicts come to.
pub(super) struct Verdict {
    pub outcome: Option<Outcome>,
    pub message: Option<String>,
    pub stack: Option<String>,
    pub earlier: Vec<Earlier>,
}

impl Verdicts {
    pub(super) fn new() -> Verdicts {
        Verdicts {
            outcome: None,
            message: Kept::new(limits::REPORT_MESSAGE_BYTES_MAX),
            stack: Kept::new(limits::REPORT_STACK_BYTES_MAX),
            flaky: Vec::new(),
            reruns: Vec::new(),
            part: Part {
                message: Kept::new(limits::REPORT_MESSAGE_BYTES_MAX),
                kind: String::new(),
                text: Kept::new(limits::REPORT_STACK_BYTES_MAX),
                about: String::new(),
            },
        }
    }

    /// A child begins.
    pub(super) fn open(&mut self, tag: &mut Tag<'_>) -> Result<()> {
        self.part.kind.clear();
        let part = &mut self.part;
        tag.attributes(|name, value, _| match name {
            "message" => part.message.push(value.as_bytes()),
            "type" => part.kind.push_str(value.trim()),
            _ => {}
        })
    }

    /// Tells whose verdicts these are: writers repeat the name where a message should be.
    pub(super) fn about(&mut self, name: Option<&str>) {
        self.part.about.clear();
        self.part.about.push_str(name.unwrap_or_default());
    }

    /// Where the text of the open child goes.
    pub(super) fn text(&mut self) -> &mut Kept {
        &mut self.part.text
    }

    /// The open child ends. Of several the worst counts, and all are told.
    pub(super) fn close(&mut self, outcome: Option<Outcome>, odd: &mut Oddities) {
        let (message, stack) = self.part.take(odd);
        if weight(outcome) > weight(self.outcome) {
            self.outcome = outcome;
        }
        if let Some(message) = message {
            self.message.push_part(&message, "\n");
        }
        if let Some(stack) = stack {
            self.stack.push_part(&stack, "\n\n");
        }
    }

    /// The open child, an attempt, ends.
    pub(super) fn close_attempt(&mut self, attempt: Attempt, odd: &mut Oddities) {
        let (message, stack) = self.part.take(odd);
        let (attempts, outcome) = match attempt {
            Attempt::Flaky(outcome) => (&mut self.flaky, outcome),
            Attempt::Rerun(outcome) => (&mut self.reruns, outcome),
        };
        if attempts.len() < limits::REPORT_ATTEMPTS_MAX {
            attempts.push(Earlier { outcome, message, stack });
        } else {
            odd.cuts += 1;
        }
    }

    /// The sum of it all; begins anew.
    pub(super) fn take(&mut self, odd: &mut Oddities) -> Verdict {
        let mut outcome = self.outcome.take();
        let mut message = self.message.take(odd);
        let mut stack = self.stack.take(odd);
        let mut earlier = std::mem::take(&mut self.flaky);
        // `failure` tells the first attempt, the reruns tell the others. The last is the result.
        if let Some(last) = self.reruns.pop() {
            if let Some(outcome) = outcome {
                earlier.push(Earlier { outcome, message, stack });
            }
            earlier.append(&mut self.reruns);
            outcome = Some(last.outcome);
            message = last.message;
            stack = last.stack;
        }
        Verdict { outcome, message, stack, earlier }
    }
}

impl Part {
    /// Message and stack. Some writers use only the attribute, others only the text.
    fn take(&mut self, odd: &mut Oddities) -> (Option<String>, Option<String>) {
        let text = self.text.take(odd);
        let kind = (!self.kind.is_empty()).then_some(self.kind.as_str());
        let message = match (self.message.take(odd), &text) {
            (Some(message), Some(_)) => Some(message),
            // Without a text, the type would be lost.
            (Some(message), None) => Some(match kind {
                Some(kind) if !message.contains(kind) => format!("{kind}: {message}"),
                _ => message,
            }),
            (None, Some(text)) => self.telling_line(text),
            (None, None) => kind.map(str::to_owned),
        };
        let stack = text.filter(|text| message.as_ref() != Some(text));
        (message, stack)
    }

    /// The first line that says more than the name of the case, as PHPUnit's first line does not.
    fn telling_line(&self, text: &str) -> Option<String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next()?;
        let is_name = !self.about.is_empty() && first.ends_with(self.about.as_str());
        let line = if is_name { lines.next().unwrap_or(first) } else { first };
        name(line)
    }
}

/// The worse, the heavier. No verdict weighs least: a child that is only a remark changes nothing.
fn weight(outcome: Option<Outcome>) -> u8 {
    match outcome {
        None => 0,
        Some(Outcome::Passed) => 1,
        Some(Outcome::Skipped) => 2,
        Some(Outcome::Failed) => 3,
        Some(Outcome::Errored) => 4,
    }
}
