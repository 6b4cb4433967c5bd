//! What of a run is asked for: which items, grouped how, which one open. It travels in the address.

use crate::kernel::error::{Error, Result};
use crate::kernel::id::{ItemId, SuiteId, UserId};
use crate::library::verdicts::Status;
use crate::running::runs::items::{Filter, Place};
use crate::web::address::Address;
use serde::Deserialize;

/// The word for failed and errored together.
const FAILURES: &str = "failures";
/// The word for whoever is looking.
const ME: &str = "me";

/// The parameters as they stand in the address.
#[derive(Deserialize, Clone, Default, Debug)]
pub struct View {
    /// A verdict, or `failures`.
    pub status: Option<String>,
    /// Words of the case.
    pub q: Option<String>,
    /// The number of a person, or `me`.
    pub who: Option<String>,
    /// Cases directly in this suite.
    pub suite: Option<SuiteId>,
    /// Failures whose message begins with this line.
    pub message: Option<String>,
    /// Failures without a message.
    #[serde(default)]
    pub speechless: bool,
    /// `suite` or `message`; by verdict if left out.
    pub group: Option<String>,
    /// Where the list goes on.
    pub after: Option<String>,
    /// The open item.
    pub item: Option<ItemId>,
    /// What the page shows already, for a look whether anything changed.
    pub since: Option<String>,
}

impl View {
    /// The items that are asked for.
    pub fn filter(&self, own: Option<UserId>) -> Result<Filter> {
        let statuses = match self.status.as_deref() {
            None => Vec::new(),
            Some(FAILURES) => vec![Status::Failed, Status::Errored],
            Some(word) => vec![Status::of_word(word)?],
        };
        let message = if self.speechless { Some(String::new()) } else { self.message.clone() };
        Ok(Filter {
            statuses,
            words: self.q.clone(),
            assignee: self.assignee(own)?,
            suite: self.suite,
            message,
        })
    }

    /// Whose items are asked for.
    pub fn assignee(&self, own: Option<UserId>) -> Result<Option<UserId>> {
        match self.who.as_deref() {
            None => Ok(None),
            // A program that is nobody owns no items.
            Some(ME) => Ok(Some(own.unwrap_or(UserId(0)))),
            Some(number) => {
                let number = number.parse();
                number
                    .map(|number| Some(UserId(number)))
                    .map_err(|_| Error::invalid("There is no such person."))
            }
        }
    }

    /// Where the list goes on.
    pub fn place(&self) -> Result<Option<Place>> {
        let place = self.after.as_deref().map(|text| {
            Place::of_text(text)
                .ok_or_else(|| Error::invalid("The address does not say where the list goes on."))
        });
        place.transpose()
    }

    /// Whether the items are only some of those with their verdict, so that counts of the run do not fit.
    pub fn is_narrowed(&self) -> bool {
        self.q.is_some() || self.who.is_some() || self.suite.is_some() || self.has_message()
    }

    /// Whether only failures with a certain message are asked for.
    pub fn has_message(&self) -> bool {
        self.message.is_some() || self.speechless
    }

    /// This view as an address.
    pub fn address(&self, path: &str) -> Address {
        Address::to(path)
            .with("status", self.status.clone())
            .with("q", self.q.clone())
            .with("who", self.who.clone())
            .with("suite", self.suite.map(|suite| suite.0.to_string()))
            .with("message", self.message.clone())
            .with("speechless", self.speechless.then(|| "on".to_owned()))
            .with("group", self.group.clone())
            .with("after", self.after.clone())
            .with("item", self.item.map(|item| item.0.to_string()))
            .with("since", self.since.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_which_items() {
        let filter = |view: View| view.filter(Some(UserId(3))).unwrap();
        let failures = View { status: Some("failures".into()), ..View::default() };
        assert_eq!(filter(failures).statuses, [Status::Failed, Status::Errored]);
        let mine = View { who: Some("me".into()), ..View::default() };
        assert_eq!(filter(mine.clone()).assignee, Some(UserId(3)));
        assert_eq!(mine.filter(None).unwrap().assignee, Some(UserId(0)));
        assert!(View { status: Some("green".into()), ..View::default() }.filter(None).is_err());
        assert!(View { who: Some("x".into()), ..View::default() }.filter(None).is_err());
        assert!(View { after: Some("x".into()), ..View::default() }.place().is_err());
        let speechless = View { speechless: true, ..View::default() };
        assert_eq!(filter(speechless.clone()).message.as_deref(), Some(""));
        assert_eq!(speechless.address("/r").to_string(), "/r?speechless=on");
    }
}
