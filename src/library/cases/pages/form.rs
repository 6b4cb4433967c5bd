//! The form of a case: what the editor sends, and the draft it becomes if every field fits.

use crate::kernel::error::Error;
use crate::kernel::id::SuiteId;
use crate::library::cases::{Draft, Kind, Opened, Priority, Step};
use crate::library::text::Title;
use crate::web::forms::Problems;
use serde::Deserialize;

/// What the editor sends.
#[derive(Deserialize, Clone, Default)]
pub(super) struct CaseForm {
    pub title: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub priority: String,
    /// None puts it into the suite for what is unsorted.
    pub suite: Option<i64>,
    #[serde(default)]
    pub precondition: String,
    #[serde(default)]
    pub body: String,
    /// Actions and expectations, one of each for a step.
    #[serde(default)]
    pub action: Vec<String>,
    #[serde(default)]
    pub expected: Vec<String>,
    #[serde(default)]
    pub automation_key: String,
    /// The revision the writer began with; none for a new case.
    pub base_revision: Option<i64>,
    #[serde(rename = "do", default)]
    pub act: Act,
}

/// Which button sent it.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum Act {
    /// Keep it.
    #[default]
    Save,
    /// Show how it will look.
    Preview,
    /// Give more rows for steps.
    More,
    /// After a conflict: go on writing on top of the newest revision.
    Further,
    /// After a conflict: leave the newest revision as it is.
    Theirs,
}

impl CaseForm {
    /// An empty form.
    pub fn blank(suite: Option<i64>) -> CaseForm {
        let (kind, priority) = (Kind::Steps.word().to_owned(), Priority::Normal.word().to_owned());
        CaseForm { kind, priority, suite, ..CaseForm::default() }
    }

    /// The form of a case as it stands.
    pub fn of(opened: Opened) -> CaseForm {
        let Opened { case, revision, .. } = opened;
        let (action, expected) = revision.steps.into_iter().map(|s| (s.action, s.expected)).unzip();
        CaseForm {
            title: case.title.to_string(),
            kind: case.kind.word().to_owned(),
            priority: case.priority.word().to_owned(),
            suite: Some(case.suite.0),
            precondition: revision.precondition,
            body: revision.body,
            action,
            expected,
            automation_key: case.automation_key.unwrap_or_default(),
            base_revision: Some(case.revision),
            act: Act::Save,
        }
    }

    /// The chosen suite.
    pub fn suite(&self) -> Option<SuiteId> {
        self.suite.map(SuiteId)
    }

    /// The steps, those without a word included.
    pub fn steps(&self) -> Vec<Step> {
        let count = self.action.len().max(self.expected.len());
        let said = |texts: &[String], place: usize| texts.get(place).cloned().unwrap_or_default();
        (0..count)
            .map(|place| Step { action: said(&self.action, place), expected: said(&self.expected, place) })
            .collect()
    }

    /// Rows to write in: those with a word, and some empty ones.
    pub fn rows(&self, empty: usize) -> Vec<(String, String)> {
        let written = self.steps().into_iter().map(|step| (step.action, step.expected));
        let written = written.filter(|(action, expected)| !(action.is_empty() && expected.is_empty()));
        written.chain((0..empty).map(|_| Default::default())).collect()
    }

    /// The draft, or what is wrong with which field.
    pub fn draft(&self) -> Result<Draft, Problems> {
        let mut problems = Problems::default();
        let mut note = |field: &'static str, refusal: &Error| {
            let hint = refusal.hint_text().map(|hint| format!(" {hint}")).unwrap_or_default();
            problems.add(field, format!("{}{hint}", refusal.sentence()));
        };
        let blank = || Draft::new(Title::stored(String::new()), Kind::Steps);
        let title = Title::new("case", &self.title).inspect_err(|e| note("title", e)).ok();
        let kind = Kind::of_word(&self.kind).inspect_err(|e| note("kind", e)).ok();
        let priority = Priority::of_word(&self.priority).inspect_err(|e| note("priority", e)).ok();
        let texts: [(_, &str, &str, Vec<Step>); 3] = [
            ("precondition", &self.precondition, "", Vec::new()),
            ("body", "", &self.body, Vec::new()),
            ("steps", "", "", self.steps()),
        ];
        for (field, precondition, body, steps) in texts {
            if let Err(refusal) = blank().with_text(precondition, body, steps) {
                note(field, &refusal);
            }
        }
        if let Err(refusal) = blank().with_automation_key(Some(&self.automation_key)) {
            note("automation_key", &refusal);
        }
        let (Some(title), Some(kind), Some(priority), true) = (title, kind, priority, problems.is_empty())
        else {
            return Err(problems);
        };
        let draft = Draft { priority, ..Draft::new(title, kind) };
        let written = draft.with_text(&self.precondition, &self.body, self.steps());
        written.and_then(|draft| draft.with_automation_key(Some(&self.automation_key))).map_err(|refusal| {
            let mut problems = Problems::default();
            problems.add("title", refusal.sentence());
            problems
        })
    }

    /// Every field with its value, as a form that holds it unseen sends it again.
    pub fn fields(&self, base_revision: i64) -> Vec<(&'static str, String)> {
        let suite = self.suite.map(|suite| suite.to_string()).unwrap_or_default();
        let mut fields = vec![
            ("base_revision", base_revision.to_string()),
            ("title", self.title.clone()),
            ("kind", self.kind.clone()),
            ("priority", self.priority.clone()),
            ("suite", suite),
            ("precondition", self.precondition.clone()),
            ("body", self.body.clone()),
            ("automation_key", self.automation_key.clone()),
        ];
        for step in self.steps() {
            fields.push(("action", step.action));
            fields.push(("expected", step.expected));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_does_not_do_is_named_at_once() {
        let form = CaseForm {
            title: " ".into(),
            body: "x".repeat(70_000),
            automation_key: "a\nb".into(),
            ..CaseForm::blank(None)
        };
        let problems = form.draft().expect_err("nothing of it fits");
        let fields: Vec<_> = problems.all().map(|(field, _)| field).collect();
        assert_eq!(fields, ["title", "body", "automation_key"]);
    }

    #[test]
    fn rows_without_a_word_are_left_out_and_some_are_offered() {
        let form = CaseForm {
            title: "Pay".into(),
            action: vec!["a".into(), String::new(), "b".into()],
            expected: vec!["x".into(), String::new()],
            ..CaseForm::blank(None)
        };
        assert_eq!(form.rows(1).len(), 3);
        let draft = form.draft().expect("it fits");
        assert_eq!(draft.steps.iter().map(|step| step.action.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
