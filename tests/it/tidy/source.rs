//! A source file as the rules see it: code without comments and strings, and the strings apart.

use std::path::{Path, PathBuf};

/// One file of `src`.
pub struct Source {
    /// Below the root of the repository, with `/` between.
    pub path: String,
    /// The lines as they stand in the file.
    pub lines: Vec<String>,
    /// The same lines with comments and the inside of strings blanked out.
    pub code: Vec<String>,
    /// String literals with the index of the line they begin in.
    pub strings: Vec<(usize, String)>,
    /// Index of the first line of the tests at the foot; the number of lines if there are none.
    pub tests_from: usize,
}

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository whose names end so, in order.
pub fn files(folder: &str, endings: &[&str]) -> Vec<(String, PathBuf)> {
    const NOT_OURS: [&str; 7] = ["target", "node_modules", "out", "data", ".git", "generated", "corpus"];
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(at) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        for entry in entries.map(|entry| entry.unwrap()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    open.push(entry.path());
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let path = entry.path();
                let below = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push((below, path));
            }
        }
    }
    found.sort();
    found
}

/// Every Rust file of the program.
pub fn sources() -> Vec<Source> {
    let read = |(path, file)| Source::new(path, &std::fs::read_to_string(file).unwrap());
    files("src", &[".rs"]).into_iter().map(read).collect()
}

impl Source {
    fn new(path: String, text: &str) -> Source {
        let (code, strings) = split(text);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let tests_from = lines.iter().position(|line| line == "#[cfg(test)]").unwrap_or(lines.len());
        Source { path, lines, code: code.lines().map(str::to_owned).collect(), strings, tests_from }
    }

    /// Lines of code above the tests, with their numbers.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code[..self.tests_from.min(self.code.len())]
            .iter()
            .enumerate()
            .map(|(index, line)| (index + 1, &**line))
    }

    /// The names that lead to this module: `src/library/cases/sql.rs` is `library`, `cases`, `sql`.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let inner = inner.trim_end_matches("/mod");
        inner.split('/').filter(|name| *name != "lib").collect()
    }
}

/// Blanks out comments and the inside of literals, and hands the strings out.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut strings) = (String::with_capacity(text.len()), Vec::new());
    let (mut at, mut line) = (0, 0);
    while at < chars.len() {
        let rest = &chars[at..];
        let is_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => quoted(rest),
            ['r', '"' | '#', ..] if !is_word => raw(rest),
            ['b', 'r', '"' | '#', ..] if !is_word => 1 + raw(&rest[1..]),
            ['\'', '\\', ..] => 3 + rest[3..].iter().position(|c| *c == '\'').unwrap_or(0),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            code.push(rest[0]);
            line += usize::from(rest[0] == '\n');
            at += 1;
            continue;
        }
        let literal: String = rest[..length].iter().collect();
        if literal.contains('"') && !literal.starts_with('/') && !literal.starts_with('\'') {
            strings.push((line, literal.clone()));
        }
        code.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        line += literal.matches('\n').count();
        at += length;
    }
    (code, strings)
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of `r#"…"#`, or nothing when it is a raw identifier.
fn raw(rest: &[char]) -> usize {
    let fences = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + fences) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', fences)).collect();
    let body = 2 + fences;
    let found = rest[body..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| body + found + end.len())
}

#[test]
fn literals_and_comments_are_told_from_code() {
    let text =
        "let a = \"x // \\\" y\"; // z\nlet b = r#\"SELECT \"1\"\"#; let c = '\"'; let d: &'static str;";
    let (code, strings) = split(text);
    assert_eq!(strings, [(0, r#""x // \" y""#.to_owned()), (1, "r#\"SELECT \"1\"\"#".to_owned())]);
    assert!(
        !code.contains("SELECT") && !code.contains('z') && code.contains("let d: &'static str;"),
        "{code}"
    );
}
