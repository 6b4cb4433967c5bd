//! Pages of the manual that repeat a table of the program say what the table says.

use std::path::Path;
use testkeep::kernel::error::KINDS;
use testkeep::kernel::options::ROWS;

fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_manual_lists_every_option_as_the_program_does() {
    let manual = page("docs/admin/options.md");
    let listed: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `")).collect();
    let expected = ROWS.iter().map(|row| {
        let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
        format!("| `{}` | {} | {default} | {} |", row.name, row.takes, row.text)
    });
    assert_eq!(listed, expected.collect::<Vec<_>>(), "mend docs/admin/options.md");
}

#[test]
fn the_example_of_an_options_file_explains_every_option_and_is_one() {
    let example = page("packaging/config/testkeep.toml");
    // The folder is known before a file in it is found.
    for row in ROWS.iter().filter(|row| !["config", "data"].contains(&row.name)) {
        let line = format!("# {}\n#{} = ", row.text, row.name);
        assert!(example.contains(&line), "packaging/config/testkeep.toml lacks:\n{line}");
    }
    let uncommented = example.lines().map(|line| match line.strip_prefix('#') {
        Some(option) if !option.starts_with(' ') => option,
        _ => "",
    });
    let table: toml::Table = uncommented.collect::<Vec<_>>().join("\n").parse().unwrap();
    assert_eq!(table.len(), ROWS.len() - 2);
}

#[test]
fn the_manual_lists_every_exit_code() {
    let manual = page("docs/admin/exit-codes.md");
    for row in &KINDS {
        let code = format!("| {} |", row.exit_code);
        let line = manual.lines().find(|line| line.starts_with(&code));
        let line = line.unwrap_or_else(|| panic!("docs/admin/exit-codes.md lacks {}", row.exit_code));
        assert!(line.contains(&format!("`{}`", row.code)), "{line} lacks {}", row.code);
    }
}
