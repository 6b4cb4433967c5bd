//! What goes wrong in other readers, one test each.

use super::*;
use insta::assert_snapshot;
use testkeep::kernel::limits;

fn in_suite(inner: &str) -> Vec<u8> {
    format!("<testsuite name=\"s\">{inner}</testsuite>").into_bytes()
}

/// The only check of a report.
fn only(bytes: &[u8]) -> Found {
    let (mut all, _) = read_all(bytes).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn durations_are_read_or_unknown_and_never_fail_an_import() {
    let read = found("durations");
    let elapsed: Vec<_> = read.iter().map(|found| (found.name.as_str(), found.elapsed_ms)).collect();
    assert_eq!(
        elapsed,
        [
            ("plain", Some(1500)),
            ("comma", Some(750)),
            ("thousands", Some(1_234_500)),
            ("tiny", Some(0)),
            ("half", Some(1)),
            ("none", None),
            ("empty", None),
            ("not a number", None),
            ("negative", None),
            ("word", None),
        ]
    );
    let summary = read_all(&sample("durations")).unwrap().1;
    assert_eq!(summary.duration_ms, 1_236_751);
    assert_eq!(summary.notes, ["Durations that cannot be read, and count as unknown: 3."]);
}

#[test]
fn names_come_through_as_they_are() {
    let read = found("names");
    let names: Vec<_> = read.iter().map(|found| (found.name.as_str(), found.case_ref.as_deref())).collect();
    assert_eq!(
        names,
        [
            ("<script>alert(1)</script>", None),
            ("=cmd|calc!A1", None),
            ("שלום 🛒 עולם", None),
            ("in \"quotes\" 🛒 A", None),
            ("two\n  lines", None),
            ("[C123] marked", Some("C123")),
            ("marked at the end @SHOP-C4", Some("SHOP-C4")),
            ("mail@C9.example", None),
            ("array[1]", None),
        ]
    );
    assert_eq!(read[4].automation_key, "names & signs > two lines");
}

#[test]
fn a_name_of_twenty_thousand_characters_is_cut_and_keeps_its_own_key() {
    let name = "ü".repeat(20_000);
    let text = format!("<testcase name=\"{name}1\"/><testcase name=\"{name}2\"/>");
    let (all, _) = read_all(&in_suite(&text)).unwrap();
    assert_eq!(all[0].name, format!("{}…", "ü".repeat(limits::REPORT_NAME_CHARS_MAX)));
    assert_eq!(all[0].automation_key.chars().count(), limits::AUTOMATION_KEY_CHARS_MAX);
    assert_ne!(all[0].automation_key, all[1].automation_key);
}

#[test]
fn totals_are_counted_and_a_wrong_declaration_is_noted() {
    let (_, summary) = read_all(&sample("totals-lie")).unwrap();
    assert_eq!((summary.found, summary.passed, summary.errored), (2, 1, 1));
    assert_snapshot!(summary.notes.join("\n"), @"The report declares 99 tests, 50 of them failed or errored; it holds 2, 1 of them failed or errored. What it holds was counted.");
}

#[test]
fn a_report_without_results_is_empty_and_not_an_error() {
    let (all, summary) = read_all(&sample("empty")).unwrap();
    assert_eq!((all.len(), summary.found), (0, 0));
    assert_eq!(summary.notes, ["The report holds no results."]);
}

#[test]
fn the_worst_of_several_children_wins_and_all_messages_stay() {
    let check = only(&in_suite(
        "<testcase name='a'><skipped message='s'/><error message='e'>trace</error><failure message='f'/></testcase>",
    ));
    assert_eq!(check.outcome, Outcome::Errored);
    assert_eq!(check.message.as_deref(), Some("s\ne\nf"));
    assert_eq!(check.stack.as_deref(), Some("trace"));
}

#[test]
fn long_texts_are_cut_with_a_note() {
    let long = "x".repeat(200 * 1024);
    let check = format!(
        "<testcase name='a'><failure message='{long}'>{long}</failure><system-out><![CDATA[{long}]]></system-out></testcase>"
    );
    let check = only(&in_suite(&check));
    for (text, note, bytes) in [
        (check.message, "\n… cut after 16 KiB", limits::REPORT_MESSAGE_BYTES_MAX),
        (check.stack, "\n… cut after 64 KiB", limits::REPORT_STACK_BYTES_MAX),
        (check.output, "\n… cut after 64 KiB", limits::REPORT_OUTPUT_BYTES_MAX),
    ] {
        let text = text.unwrap();
        assert!(text.ends_with(note) && text.len() <= bytes + 2 * note.len(), "{} bytes", text.len());
    }
}

#[test]
fn every_encoding_tells_the_same() {
    let text = |declared: &str| {
        format!(
            "<?xml version='1.0'{declared}?>\r\n<testsuite name='Käse'><testcase name='süß €'/></testsuite>"
        )
    };
    let utf16 =
        |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let windows = |text: &str| {
        let byte = |character| match character {
            '€' => 0x80,
            other => u8::try_from(u32::from(other)).unwrap(),
        };
        text.chars().map(byte).collect::<Vec<u8>>()
    };
    let marked = |text: &str| format!("\u{FEFF}{text}");
    let reports = [
        text("").into_bytes(),
        text(" encoding='UTF-8'").into_bytes(),
        marked(&text(" encoding='UTF-8'")).into_bytes(),
        // Written as UTF-16, stored as UTF-8.
        text(" encoding='utf-16'").into_bytes(),
        utf16(&marked(&text(" encoding='UTF-16'")), u16::to_le_bytes),
        utf16(&marked(&text(" encoding='UTF-8'")), u16::to_be_bytes),
        utf16(&text(" encoding='UTF-16LE'"), u16::to_le_bytes),
        utf16(&text(" encoding='UTF-16BE'"), u16::to_be_bytes),
        windows(&text(" encoding=\"windows-1252\"")),
        windows(&text(" encoding='ISO-8859-1'")),
    ];
    for (place, bytes) in reports.iter().enumerate() {
        assert_eq!(detect(bytes), Some(Format::Junit), "report {place}");
        let check = only(bytes);
        assert_eq!(
            (check.name.as_str(), check.automation_key.as_str()),
            ("süß €", "Käse > süß €"),
            "report {place}"
        );
    }
}

#[test]
fn control_characters_never_reach_the_store() {
    let text =
        "<testcase name='a\x01b'><failure message='&#27;[31mred&#0;'>\x1B[1mtrace\x08</failure></testcase>";
    let (all, summary) = read_all(&in_suite(text)).unwrap();
    assert_eq!(all[0].name, "a\u{FFFD}b");
    assert_eq!(all[0].message.as_deref(), Some("red\u{FFFD}"));
    assert_eq!(all[0].stack.as_deref(), Some("trace\u{FFFD}"));
    assert_eq!(summary.notes, ["Control characters that XML does not allow, taken out or replaced: 5."]);
}

#[test]
fn what_is_not_junit_is_refused_by_its_name() {
    let files: [(&[u8], &str); 11] = [
        (b"", "the file is empty"),
        (b"  \n ", "the file ends without any element"),
        (b"{\"tests\": [],}", "this looks like JSON"),
        (b"All tests passed.", "this is not XML"),
        (b"\x00\x01\x02\x03", "binary data"),
        (b"\x1F\x8B\x08\x00", "compressed"),
        (b"\x89PNG\r\n", "not text in UTF-8"),
        (b"<!DOCTYPE html><html><body><p>502<br></body></html>", "root element is <html>, as of a web page"),
        (b"<TestRun xmlns='x'/>", "root element is <TestRun>, as of a TRX report"),
        (b"<unknown/>", "root element is <unknown>."),
        (b"<?xml version='1.0' encoding='klingon'?><testsuite/>", "the encoding “klingon”"),
    ];
    for (bytes, words) in files {
        assert_eq!(detect(bytes), None, "{words}");
        let sentence = refusal(bytes);
        assert!(sentence.contains(words), "{sentence}");
    }
    assert_eq!(detect(&sample("testlink")), None);
    assert_snapshot!(refusal(&sample("testlink")), @"report.xml, line 5, column 1: this is a TestLink export: it holds cases, not results.");
}

#[test]
fn a_refusal_points_to_the_place() {
    for (text, sentence) in [
        ("<testsuite>\n <testcase name='ü' time='<<x>>'/>", "line 2, column 27: a “<” inside of a tag"),
        ("<testsuite>\n\n  ä <testcase></testsuite>", "line 3, column 15: </testsuite> closes <testcase>"),
        ("<testsuite>\r\n<testcase name=\"a & b\"/>", "line 2, column 19: an “&” that begins no reference"),
        ("<testsuite>\n<testcase><failure>a & b", "line 2, column 22: an “&” that begins no reference"),
        (
            "<testsuite>\n<testcase name='a' name='b'/>",
            "line 2, column 20: an attribute that the element has",
        ),
        ("<testsuite>\n<testcase name=a/>", "line 2, column 16: a value of an attribute without quotes"),
        ("<testsuite>\n<testcase name/>", "line 2, column 15: an attribute without"),
        ("<testsuite>\n1 < 2", "line 2, column 3: the file ends inside"),
        ("<testsuite>\n1 < 2 >", "line 2, column 3: a “<” that begins no tag"),
        ("<testsuite>\n <testcase name='a", "line 2, column 2: the file ends inside of the tag"),
        ("<testsuite>\n <![CDATA[ x", "line 2, column 2: the file ends inside of the CDATA"),
        ("<testsuite>\n <!-- x", "line 2, column 2: the file ends inside of the tag, comment"),
        (
            "<testsuite>\n <testcase>\n",
            "line 3, column 1: the file ends here, but the element that begins in line 2, column 2",
        ),
        ("<testsuite/>\n<testsuite/>", "line 2, column 1: a second root element <testsuite>"),
        ("<testsuite/>\n x", "line 2, column 2: text after the end"),
        ("<testsuite>&#xD800;", "line 1, column 12: an “&” that begins no reference"),
    ] {
        let told = refusal(text.as_bytes());
        let told = told.strip_prefix("report.xml, ").unwrap();
        assert!(told.starts_with(sentence), "{told}\n{sentence}");
    }
}

#[test]
fn a_bad_byte_is_found_in_its_line() {
    let sentence = refusal(b"<testsuite>\n <testcase name='\xC3\xBC\xFF'/></testsuite>");
    assert!(sentence.starts_with("report.xml, line 2, column 19: the bytes that follow"), "{sentence}");
}

#[test]
fn depth_attributes_and_markup_are_bounded() {
    let deep = "<testsuite>".repeat(100_000);
    assert!(refusal(deep.as_bytes()).contains("more than 64 deep"));
    let attributes: String = (0..300).map(|number| format!(" a{number}=''")).collect();
    assert!(refusal(&in_suite(&format!("<testcase{attributes}/>"))).contains("more than 256 attributes"));
    let huge = format!("<testcase name='{}'/>", "x".repeat(limits::REPORT_MARKUP_BYTES_MAX));
    assert!(refusal(&in_suite(&huge)).contains("is longer than 8 MiB"));
}

#[test]
fn as_deep_as_allowed_is_read() {
    let nested = format!(
        "{}<testcase name='a'/>{}",
        "<testsuite>".repeat(limits::REPORT_DEPTH_MAX - 1),
        "</testsuite>".repeat(limits::REPORT_DEPTH_MAX - 1)
    );
    assert_eq!(only(nested.as_bytes()).name, "a");
}

#[test]
fn a_case_inside_of_a_case_is_one_of_its_own() {
    let (all, _) = read_all(&in_suite(
        "<testcase name='outer'><testcase name='inner'><failure/></testcase><system-out>o</system-out></testcase>",
    ))
    .unwrap();
    let ends: Vec<_> =
        all.iter().map(|found| (found.name.as_str(), found.outcome, found.output.is_some())).collect();
    assert_eq!(ends, [("inner", Outcome::Failed, false), ("outer", Outcome::Passed, true)]);
}

#[test]
fn output_of_a_suite_belongs_to_its_only_case_and_else_to_nobody() {
    let one = in_suite("<testcase name='a'/><system-out>o</system-out><system-err>e</system-err>");
    assert_eq!(only(&one).output.as_deref(), Some("o\ne"));
    let own =
        in_suite("<system-out>suite</system-out><testcase name='a'><system-out>own</system-out></testcase>");
    assert_eq!(only(&own).output.as_deref(), Some("own"));
    let two = in_suite("<testcase name='a'/><testcase name='b'/><system-out>o</system-out>");
    assert!(read_all(&two).unwrap().0.iter().all(|found| found.output.is_none()));
}

#[test]
fn a_sink_that_refuses_ends_the_reading() {
    let bytes = sample("pytest");
    let mut count = 0;
    let end = read(Format::Junit, "report.xml", Cursor::new(bytes), &mut |_| {
        count += 1;
        Err(Error::busy("Enough."))
    });
    assert_eq!((end.unwrap_err().kind(), count), (Kind::Busy, 1));
}
