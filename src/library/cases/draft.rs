//! Draft: what a writer says of a case, checked, before it becomes a revision.

use super::{Case, Kind, Priority, Revision};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::text::{self, Title};

/// What to do and what to see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// What to do; Markdown.
    pub action: String,
    /// What is then to be seen; Markdown.
    pub expected: String,
}

/// All a writer says of a case. Made by `Draft::new`, so what it holds fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What it is called.
    pub title: Title,
    /// Its form.
    pub kind: Kind,
    /// How much it matters.
    pub priority: Priority,
    /// What must be so before one begins; Markdown.
    pub precondition: String,
    /// The text; Markdown.
    pub body: String,
    /// What to do and what to see.
    pub steps: Vec<Step>,
    /// What code reports it under.
    pub automation_key: Option<String>,
}

impl Draft {
    /// A draft with a title only.
    pub fn new(title: Title, kind: Kind) -> Draft {
        Draft {
            title,
            kind,
            priority: Priority::Normal,
            precondition: String::new(),
            body: String::new(),
            steps: Vec::new(),
            automation_key: None,
        }
    }

    /// The same with its texts, if they fit. Steps without a word are left out.
    pub fn with_text(mut self, precondition: &str, body: &str, steps: Vec<Step>) -> Result<Draft> {
        self.precondition = text::body("The precondition", precondition)?;
        self.body = text::body("The text", body)?;
        for (place, step) in steps.into_iter().enumerate() {
            let said =
                |what: &str, text: &str| text::body(&format!("The {what} of step {}", place + 1), text);
            let step = Step {
                action: said("action", &step.action)?.trim().to_owned(),
                expected: said("expectation", &step.expected)?.trim().to_owned(),
            };
            if !step.action.is_empty() || !step.expected.is_empty() {
                self.steps.push(step);
            }
        }
        if self.steps.len() > limits::STEPS_MAX {
            return Err(Error::invalid(format!("A case has at most {} steps.", limits::STEPS_MAX))
                .hint("Split it into several cases."));
        }
        let bytes: usize = self.steps.iter().map(|step| step.action.len() + step.expected.len()).sum();
        if bytes > limits::STEPS_BYTES_MAX {
            return Err(Error::too_large(format!(
                "The steps of this case are longer than {} KiB together.",
                limits::STEPS_BYTES_MAX / 1024
            ))
            .hint("Split it into several cases."));
        }
        Ok(self)
    }

    /// The same with an automation key, if it fits. An empty one is none.
    pub fn with_automation_key(mut self, key: Option<&str>) -> Result<Draft> {
        let key = key.map(str::trim).filter(|key| !key.is_empty());
        self.automation_key = key.map(automation_key).transpose()?;
        Ok(self)
    }

    /// An earlier revision as a draft of the next one.
    pub(super) fn again(case: &Case, earlier: Revision) -> Draft {
        Draft {
            title: earlier.title,
            kind: case.kind,
            priority: earlier.priority,
            precondition: earlier.precondition,
            body: earlier.body,
            steps: earlier.steps,
            automation_key: case.automation_key.clone(),
        }
    }

    /// The draft as the revision it would become: for comparing it with others.
    pub(super) fn as_revision(&self, number: i64, at: Timestamp) -> Revision {
        Revision {
            number,
            title: self.title.clone(),
            priority: self.priority,
            precondition: self.precondition.clone(),
            body: self.body.clone(),
            steps: self.steps.clone(),
            author: None,
            created_at: at,
        }
    }

    /// Whether saving it would change nothing.
    pub(super) fn says_the_same(&self, case: &Case, newest: &Revision) -> bool {
        let own = (&self.title, self.priority, &self.precondition, &self.body, &self.steps);
        let has = (&newest.title, newest.priority, &newest.precondition, &newest.body, &newest.steps);
        own == has && self.kind == case.kind && self.automation_key == case.automation_key
    }
}

/// An automation key that fits: some visible text of bounded length, without line breaks.
pub(super) fn automation_key(key: &str) -> Result<String> {
    if key.len() > limits::AUTOMATION_KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "This automation key is longer than {} bytes.",
            limits::AUTOMATION_KEY_BYTES_MAX
        )));
    }
    if key.trim().is_empty() || key.contains(char::is_control) {
        return Err(Error::invalid("An automation key is text on one line.")
            .hint("Such as the class and the name of the check: shop.CheckoutTest.pays_by_card."));
    }
    Ok(key.to_owned())
}
