//! Bounds of what people and programs may write, and what bad input hears.

use super::{draft, get, post, project, suite, title, write};
use crate::kernel::house::{House, at, outcome};
use serde_json::json;
use testkeep::kernel::access::{CaseWrite, Role};
use testkeep::kernel::error::Kind::{Invalid, TooLarge};
use testkeep::kernel::limits;
use testkeep::library::cases::{self, Draft, Kind, Step, list};

fn steps(count: usize, bytes: usize) -> Vec<Step> {
    vec![Step { action: "x".repeat(bytes), expected: String::new() }; count]
}

#[test]
fn a_draft_fits_or_says_what_is_too_long() {
    let bare = || Draft::new(title("Pay"), Kind::Steps);
    let long = "x".repeat(limits::TEXT_BYTES_MAX + 1);
    for (made, expected) in [
        (bare().with_text("", "", steps(limits::STEPS_MAX, 10)), None),
        (bare().with_text("", "", steps(limits::STEPS_MAX + 1, 10)), Some(Invalid)),
        (bare().with_text("", "", steps(20, limits::TEXT_BYTES_MAX)), Some(TooLarge)),
        (bare().with_text(&long, "", vec![]), Some(TooLarge)),
        (bare().with_text("", &long, vec![]), Some(TooLarge)),
        (bare().with_text("", "", steps(1, limits::TEXT_BYTES_MAX + 1)), Some(TooLarge)),
        (bare().with_automation_key(Some(&"k".repeat(limits::AUTOMATION_KEY_BYTES_MAX))), None),
        (bare().with_automation_key(Some(&"k".repeat(limits::AUTOMATION_KEY_BYTES_MAX + 1))), Some(Invalid)),
        (bare().with_automation_key(Some("a\u{7}b")), Some(Invalid)),
        (bare().with_automation_key(Some("  ")), None),
    ] {
        assert_eq!(outcome(&made), expected, "{made:?}");
    }
}

#[actix_web::test]
async fn a_body_beyond_its_bound_is_refused_before_it_is_read() {
    let house = House::start();
    let shop = project(&house, "SHOP").await;
    house.person("tester", Some((Role::Tester, Some(shop)))).await;
    let long = json!({"title": "Pay", "body": "x".repeat(limits::JSON_BYTES_MAX)});
    let (status, problem) = post(&house, "tester", "/api/v1/projects/SHOP/cases", long).await;
    assert_eq!((status, &problem["code"]), (413, &json!("too_large")));
    let (status, problem) =
        post(&house, "tester", "/api/v1/projects/SHOP/cases", json!({"title": "x".repeat(501)})).await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(get(&house, "tester", "/api/v1/projects/SHOP/cases?q=pay").await.1["cases"], json!([]));
}

#[actix_web::test]
async fn a_case_is_found_by_its_new_words_and_no_more_by_its_old_ones() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    write(&house, place, draft("Walnut", &[])).await.unwrap();
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(|tx| cases::edit(tx, 1, 1, &draft("Copper", &[]))).await.unwrap();
    let found = |words: &'static str| {
        gate.read(move |tx| Ok(list::by_words(tx.reading(), words, None, 10)?.lines.len()))
    };
    assert_eq!((found("walnut").await.unwrap(), found("copper").await.unwrap()), (0, 1));
    gate.write(|tx| cases::restore(tx, 1, 1)).await.unwrap();
    assert_eq!((found("walnut").await.unwrap(), found("copper").await.unwrap()), (1, 0));
}

#[actix_web::test]
async fn a_search_of_any_bytes_is_answered() {
    let house = House::start();
    project(&house, "SHOP").await;
    let place = suite(&house, "Cart").await;
    write(&house, place, draft("Pay \"now\" (later) * AND", &[])).await.unwrap();
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let words = [
        "\"",
        "\"\"",
        "a\"b",
        "\u{0}",
        "*",
        "^pay",
        "NEAR(a b, 3)",
        "{title}:x",
        "-pay",
        "a AND",
        "OR",
        "+",
        "''",
        "title : pay",
        "c",
        "C-1",
        "\u{301}",
        "日本",
        "𝒳",
        "x'00'",
        "pay*",
        "((((",
        "\\",
        "%",
    ];
    for words in words.map(str::to_owned).into_iter().chain(["pay ".repeat(2_000), "é".repeat(5_000)]) {
        let asked = words.clone();
        let found = gate.read(move |tx| list::by_words(tx.reading(), &asked, None, 10)).await;
        assert!(found.is_ok(), "{words:?}: {found:?}");
    }
}
