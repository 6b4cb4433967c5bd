//! Translation: a check as a report tells it becomes results as `running` takes them.

use crate::exchange::ingest::{Found, Outcome};
use crate::library::cases::number_of;
use crate::library::text::Title;
use crate::library::verdicts::Status;
use crate::running::results::{CaseOf, NewResult};

/// The results of one check, the last attempt last.
pub(super) fn results(project_key: &str, found: Found) -> impl Iterator<Item = NewResult> {
    let earlier = found.earlier;
    let case = case_of(
        project_key,
        found.case_ref.as_deref(),
        found.automation_key,
        &found.name,
        place(found.class.as_deref(), &found.name, &found.suites, found.file.as_deref()),
    );
    let last = NewResult {
        elapsed_ms: found.elapsed_ms,
        message: found.message,
        stack: found.stack,
        output: found.output,
        ..NewResult::new(case.clone(), status(found.outcome))
    };
    let earlier = earlier.into_iter().map(move |attempt| NewResult {
        message: attempt.message,
        stack: attempt.stack,
        ..NewResult::new(case.clone(), status(attempt.outcome))
    });
    earlier.chain([last])
}

/// How the case is found: by the number that the report names, else by its key.
fn case_of(project_key: &str, reference: Option<&str>, key: String, name: &str, suite: Vec<Title>) -> CaseOf {
    let by_key = CaseOf::Key { key, title: Title::from_machine(name), suite };
    match reference.and_then(|reference| number_of(project_key, reference)) {
        Some(number) => CaseOf::Marked { number, otherwise: Box::new(by_key) },
        None => by_key,
    }
}

/// Where a new case stands: the class as one suite, else the suites of the report, else the file.
///
/// Some writers put the whole name, or a part of the name, into the class. That is no place to keep cases in.
fn place(class: Option<&str>, name: &str, suites: &[String], file: Option<&str>) -> Vec<Title> {
    let is_place = |class: &&str| !name.ends_with(*class) && !class.ends_with(name);
    let one = |name: &str| vec![Title::from_machine(name)];
    match (class.filter(is_place), suites, file) {
        (Some(class), _, _) => one(class),
        (None, [], Some(file)) => one(file),
        (None, suites, _) => suites.iter().map(|suite| Title::from_machine(suite)).collect(),
    }
}

fn status(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Passed => Status::Passed,
        Outcome::Failed => Status::Failed,
        Outcome::Errored => Status::Errored,
        Outcome::Skipped => Status::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_case_stands_where_people_look_for_it() {
        let suites = ["Mocha".to_owned(), "Cart".to_owned()];
        for (class, name, suites, file, expected) in [
            (Some("shop.CartTest"), "adds", &suites[..], None, "shop.CartTest"),
            // jest-junit: class and name alike; mocha: the class is the end of the name.
            (Some("Cart adds"), "Cart adds", &suites[..], None, "Mocha / Cart"),
            (Some("adds"), "Cart adds", &suites[..], None, "Mocha / Cart"),
            (Some("Cart"), "Cart adds", &suites[..], None, "Cart"),
            (None, "adds", &suites[..], Some("cart.js"), "Mocha / Cart"),
            (None, "adds", &[], Some("cart.js"), "cart.js"),
            (None, "adds", &[], None, ""),
        ] {
            let names: Vec<String> = place(class, name, suites, file).iter().map(Title::to_string).collect();
            assert_eq!(names.join(" / "), expected, "{class:?} {name}");
        }
    }

    #[test]
    fn a_reference_of_this_project_counts_before_the_key() {
        let of = |reference| case_of("SHOP", Some(reference), "k".into(), "adds", Vec::new());
        for own in ["SHOP-C12", "C12", "12"] {
            assert!(matches!(of(own), CaseOf::Marked { number: 12, .. }), "{own}");
        }
        assert!(matches!(of("BANK-C12"), CaseOf::Key { .. }));
    }
}
