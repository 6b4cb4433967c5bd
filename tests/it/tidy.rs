//! Reads the source, so that the map in `docs/architecture.md` stays true.
//!
//! A rule is a test; it names every place that breaks it and says what to do instead. Where a rule
//! has exceptions, they stand in a table with their reason: add a line there only with a good one.

mod papers;
mod source;

use regex_lite::Regex;
use source::{Source, files, sources};
use std::collections::BTreeSet;

/// Who may use whom: each module may use those above it.
const TIERS: [&[&str]; 11] = [
    &["kernel"],
    &["web"],
    &["guard"],
    &["people"],
    &["library"],
    &["running"],
    &["exchange"],
    &["keeping"],
    &["jobs", "server"],
    &["app"],
    &["cli"],
];

/// Areas whose slices may use only those that stand before them in the `mod.rs` of the area.
const ORDERED: [&str; 6] = ["guard", "people", "library", "running", "exchange", "keeping"];

/// Crates that belong to some areas only.
const CRATES: [(&str, &[&str]); 4] = [
    ("rusqlite", &["kernel"]),
    ("clap", &["cli", "main", "app"]),
    (
        "actix_web",
        &["web", "guard", "people", "library", "running", "exchange", "keeping", "server", "app", "cli"],
    ),
    ("askama", &["web", "guard", "people", "library", "running", "exchange", "keeping", "server"]),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Where a clock other than `tx.now()` ticks.
const CLOCKS: [(&str, &str); 9] = [
    ("src/kernel/time.rs", "the only source of the present moment"),
    ("src/kernel/db/", "deadlines of reads and groups of writes"),
    ("src/guard/throttle.rs", "buckets fill with time"),
    ("src/cli/upgrade/steps.rs", "how long another program may take"),
    ("src/server/", "how long a request took, for the log"),
    ("src/keeping/shipping/", "when the next shipment is due, whoever sets the clock"),
    ("src/keeping/standby/", "when the next look is due, and how long taking over took"),
    ("src/keeping/backups/work.rs", "how long a backup took, to be told"),
    ("src/keeping/backup/storage/", "silence and pace of a line, and the moment in a signature"),
];

/// Where blocking work leaves the async threads.
const BLOCKING: [(&str, &str); 7] = [
    ("src/kernel/db/", "the database"),
    ("src/kernel/blobs", "files of evidence"),
    ("src/kernel/instance.rs", "reading every file of evidence"),
    ("src/people/login/password.rs", "Argon2id, with permits of its own"),
    ("src/keeping/backup", "reading and writing a backup"),
    ("src/keeping/shipping/", "sealing and shipping the log"),
    ("src/exchange/uploads/receive.rs", "reading report files"),
];

/// Where a program may talk to a terminal.
const PRINTING: [(&str, &str); 2] =
    [("src/cli/", "the command line prints"), ("src/main.rs", "the last word of a failed command")];

fn is_in(path: &str, table: &[(&str, &str)]) -> bool {
    table.iter().any(|(place, _)| path.starts_with(place))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Fails with one line for each place.
#[track_caller]
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n  {}\n({} places)", broken.join("\n  "), broken.len());
}

/// Lines of shipped code that match, outside the places of the table.
fn lines_with(pattern: &str, except: &[(&str, &str)]) -> Vec<String> {
    let pattern = regex(pattern);
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !is_in(&source.path, except)) {
        let found = source.shipped().filter(|(_, line)| pattern.is_match(line));
        broken.extend(found.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    broken
}

fn tier(module: &str) -> Option<usize> {
    TIERS.iter().position(|names| names.contains(&module))
}

/// Paths into our own tree, from its root, with the line they stand in.
fn imports(source: &Source) -> Vec<(usize, Vec<String>)> {
    let path = regex(r"\b(crate|testkeep|super)((?:::super)*)::(\{?)\s*([a-z_0-9]+)(?:::([a-z_0-9]+))?");
    let in_braces = regex(r"(?:^|[{,])\s*([a-z_0-9]+)(?:::([a-z_0-9]+))?");
    let mut found = Vec::new();
    for (number, line) in source.shipped() {
        for hit in path.captures_iter(line) {
            let ups = 1 + hit[2].matches("super").count();
            let base: Vec<String> = match &hit[1] {
                "super" => {
                    source.module().iter().rev().skip(ups).rev().map(|name| (*name).to_owned()).collect()
                }
                _ => Vec::new(),
            };
            let named = |names: &regex_lite::Captures<'_>, from: usize| {
                let names = (from..names.len()).filter_map(|group| names.get(group));
                base.iter().cloned().chain(names.map(|name| name.as_str().to_owned())).collect::<Vec<_>>()
            };
            if hit[3].is_empty() {
                found.push((number, named(&hit, 4)));
            } else {
                let group = source.code[number - 1..].join(" ");
                let group = &group[hit.get(3).unwrap().start()..];
                let each = in_braces.captures_iter(&group[..group.find(';').unwrap_or(group.len())]);
                found.extend(each.map(|names| (number, named(&names, 1))));
            }
        }
    }
    found
}

#[test]
fn modules_use_only_those_below_them() {
    let mut broken = Vec::new();
    for source in sources() {
        let module = source.module();
        let Some(own) = module.first().and_then(|area| tier(area)) else { continue };
        for (number, path) in imports(&source) {
            let Some(used) = path.first().and_then(|area| tier(area)) else { continue };
            let is_neighbour = used == own && path[0] != module[0];
            if used > own || is_neighbour {
                broken.push(format!(
                    "{}:{number}: {} uses {}, which stands above or beside it",
                    source.path, module[0], path[0]
                ));
            }
        }
    }
    none("Move what both need downward, or let the upper one call. See docs/architecture.md.", broken);
}

#[test]
fn slices_use_only_those_declared_before_them() {
    let all = sources();
    let declared = |area: &str| -> Vec<String> {
        let module = all.iter().find(|source| source.path == format!("src/{area}/mod.rs"));
        let line = regex(r"^\s*(?:pub(?:\([a-z]+\))? )?mod ([a-z_0-9]+);");
        let lines = module.into_iter().flat_map(|source| source.shipped());
        lines.filter_map(|(_, text)| line.captures(text).map(|hit| hit[1].to_owned())).collect()
    };
    let mut broken = Vec::new();
    for area in ORDERED {
        let order = declared(area);
        let place = |name: &str| order.iter().position(|slice| slice == name);
        for source in all.iter().filter(|source| source.path.starts_with(&format!("src/{area}/"))) {
            let Some(own) = source.module().get(1).and_then(|name| place(name)) else { continue };
            for (number, path) in imports(source) {
                let used = path.get(1).filter(|_| path[0] == area).and_then(|name| place(name));
                if used.is_some_and(|used| used > own) {
                    broken.push(format!("{}:{number}: {} is declared later", source.path, path.join("::")));
                }
            }
        }
    }
    none("Change the order of the mod lines, or find the noun that both slices want.", broken);
}

#[test]
fn crates_stay_in_the_areas_they_belong_to() {
    let mut broken = Vec::new();
    for source in sources() {
        let module = source.module();
        let Some(area) = module.first() else { continue };
        for (name, areas) in CRATES.iter().filter(|(_, areas)| !areas.contains(area)) {
            let pattern = regex(&format!(r"\b{name}::"));
            let hits = source.shipped().filter(|(_, line)| pattern.is_match(line));
            broken.extend(
                hits.map(|(number, _)| {
                    format!("{}:{number}: {name} is for {}", source.path, areas.join(", "))
                }),
            );
        }
    }
    none("Statements go through kernel::sql, pages through web; ask the area that owns the crate.", broken);
}

#[test]
fn files_and_functions_fit_in_a_head() {
    let mut broken = Vec::new();
    let function = regex(r"^\s*(?:pub(?:\([^)]*\))? )?(?:default )?(?:const )?(?:async )?fn ([a-z_0-9$]+)");
    for source in sources() {
        if source.lines.len() > FILE_LINES_MAX {
            broken.push(format!("{}: {} lines, at most {FILE_LINES_MAX}", source.path, source.lines.len()));
        }
        for (index, line) in source.code.iter().enumerate() {
            let Some(name) = function.captures(line) else { continue };
            let length = lines_of_a_function(&source.code[index..]);
            if length > FUNCTION_LINES_MAX {
                let (path, name) = (&source.path, &name[1]);
                broken.push(format!(
                    "{path}:{}: fn {name} has {length} lines, at most {FUNCTION_LINES_MAX}",
                    index + 1
                ));
            }
        }
    }
    none("Split the file by noun, the function by step.", broken);
}

fn lines_of_a_function(code: &[String]) -> usize {
    let mut depth = 0_i32;
    for (index, line) in code.iter().enumerate() {
        for letter in line.chars() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' if depth == 0 && !line.contains('[') => return index + 1,
                _ => {}
            }
            if depth == 0 && letter == '}' {
                return index + 1;
            }
        }
    }
    code.len()
}

#[test]
fn statements_stand_in_sql_rs_or_in_the_kernel() {
    let statement = regex(
        r"\b(SELECT\s|INSERT (OR \w+ )?INTO\s|UPDATE \w+\s+SET\s|DELETE FROM\s|CREATE (TABLE|INDEX)\s|PRAGMA\s)",
    );
    let mut broken = Vec::new();
    for source in sources() {
        let name = source.path.rsplit('/').next().unwrap();
        let module = source.module();
        let is_slice = ORDERED.contains(module.first().unwrap_or(&""));
        // A slice in a single file keeps its statements at hand.
        let is_single_file = is_slice && !["mod.rs", "pages.rs", "api.rs"].contains(&name);
        if module.first() == Some(&"kernel") || name == "sql.rs" || is_single_file {
            continue;
        }
        let hits = source.strings.iter().filter(|(line, _)| *line < source.tests_from);
        let hits = hits.filter(|(_, text)| statement.is_match(text));
        broken.extend(hits.map(|(line, text)| {
            let start: String = text.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
            format!("{}:{}: {start} …", source.path, line + 1)
        }));
    }
    none("Give the statement a function in the sql.rs of its slice.", broken);
}

#[test]
fn nothing_unwraps_outside_tests() {
    none("Say the invariant with expect(\"…\"), or return the error.", lines_with(r"\.unwrap\(\)", &[]));
}

#[test]
fn only_the_command_line_prints() {
    let broken = lines_with(r"\b(print|println|eprint|eprintln|dbg)!", &PRINTING);
    none("Log it with tracing, or hand it to cli/ to print.", broken);
}

#[test]
fn the_clock_is_read_in_few_places() {
    let broken = lines_with(r"\b(SystemTime|Instant)\b|\b(Zoned|jiff::Timestamp)::now\b", &CLOCKS);
    none("Take tx.now(), or a kernel::time::Clock that a test can hold still.", broken);
}

#[test]
fn blocking_work_leaves_the_async_threads_in_few_places() {
    none(
        "Call an operation of the areas that own blocking work.",
        lines_with(r"\bspawn_blocking\b|\bblock_in_place\b", &BLOCKING),
    );
    none(
        "Wait for something instead of sleeping.",
        lines_with(
            r"\bthread::sleep\b",
            &[
                ("src/cli/", "a command may wait"),
                ("src/kernel/db/pin.rs", "SQLite tells nobody when a lock of another process is free"),
                ("src/kernel/db/exchange.rs", "a reader waits for the moment between a commit and its note"),
            ],
        ),
    );
}

#[test]
fn every_file_says_what_it_is() {
    let is_silent = |source: &Source| !source.lines.first().is_some_and(|line| line.starts_with("//! "));
    let broken = sources().into_iter().filter(is_silent).map(|source| format!("{}:1", source.path)).collect();
    none("Begin with //! and one sentence: what it is and what it is not.", broken);
}

#[test]
fn every_public_item_says_what_one_gets() {
    let item =
        regex(r"^\s*pub\s+(async\s+|const\s+)?(fn|struct|enum|trait|type|const|static)\s+(\$?[A-Za-z_0-9]+)");
    let mut broken = Vec::new();
    // In sql.rs the statement stands right below the name and says more than a sentence could.
    for source in sources().iter().filter(|source| !source.path.ends_with("/sql.rs")) {
        for (number, line) in source.shipped() {
            let Some(hit) = item.captures(line) else { continue };
            let above = source.lines[..number - 1].iter().rev();
            let is_told = above
                .map(|line| line.trim())
                .take_while(|line| {
                    !line.is_empty() && !line.ends_with(['{', '}', ';']) || line.starts_with("///")
                })
                .any(|line| line.starts_with("///") || line.starts_with("#[doc"));
            if !is_told {
                broken.push(format!("{}:{number}: {} {}", source.path, &hit[2], &hit[3]));
            }
        }
    }
    none("Write a /// line: what the caller gets.", broken);
}

#[test]
fn lints_are_silenced_with_a_reason_only() {
    let mut broken = lines_with(r"#!?\[allow\(", &[]);
    broken.retain(|place| !place.contains("reason"));
    none("Mend the cause, or write #[expect(lint, reason = \"…\")].", broken);
}

#[test]
fn every_template_is_used() {
    let quoted = regex(r#""([a-z_0-9/.-]+\.(?:html|txt|svg))""#);
    let mut used = BTreeSet::new();
    let mut note = |text: &str| used.extend(quoted.captures_iter(text).map(|hit| hit[1].to_owned()));
    sources().iter().flat_map(|source| &source.strings).for_each(|(_, text)| note(text));
    // The kit of parts is shown by a page of the tests, whichever pages use it besides.
    files("tests/it/web", &[".rs"])
        .iter()
        .for_each(|(_, file)| note(&std::fs::read_to_string(file).unwrap()));
    let templates = files("assets/templates", &[".html", ".txt", ".svg"]);
    templates.iter().for_each(|(_, file)| note(&std::fs::read_to_string(file).unwrap()));
    let names = templates.iter().map(|(path, _)| path.trim_start_matches("assets/templates/").to_owned());
    let broken = names.filter(|name| !used.contains(name)).collect();
    none("Delete the template, or declare it on a view.", broken);
}

#[test]
fn nothing_is_left_half_done_and_no_path_of_a_machine_got_in() {
    // Put together, so that this file does not find itself.
    let marks = regex(&["TO", "DO|FIX", "ME|\\bX", "XX\\b|to", "do!|unimpl", "emented!"].concat());
    let machine =
        regex(&[r"(^|[^A-Za-z0-9_.-])/(wo", "rk|ro", "ot|fa", r"rm|home/\w+|tmp/(wt|tk))/"].concat());
    let registry = regex(r#""resolved": *"http"#);
    let kinds =
        [".rs", ".sql", ".html", ".css", ".js", ".mjs", ".json", ".md", ".toml", ".sh", ".service", "run"];
    let mut broken = Vec::new();
    for (path, file) in files("", &kinds) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (index, line) in text.lines().enumerate() {
            let place = format!("{path}:{}: {}", index + 1, line.trim());
            if marks.is_match(line) {
                broken.push(format!("{place} (an open end)"));
            }
            if machine.is_match(line) || registry.is_match(line) {
                broken.push(format!("{place} (true on one machine only)"));
            }
        }
    }
    none("Finish it or file it; write paths that are true on every machine.", broken);
}
