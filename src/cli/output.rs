//! What a command prints: text for people, JSON for scripts. One printer, so both say the same.

use crate::kernel::error::Error;
use serde::Serialize;
use std::io::{ErrorKind, Write as _, stdout};

/// How the answer of a command is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Sentences and tables.
    Text,
    /// One JSON document.
    Json,
}

impl Output {
    /// Prints the answer: as JSON, or in the words that `text` finds for it.
    pub fn print<T: Serialize>(self, answer: &T, text: impl FnOnce(&T) -> String) {
        match self {
            Output::Text => say(text(answer).trim_end()),
            Output::Json => {
                let json =
                    serde_json::to_string_pretty(answer).expect("an answer has no maps without text keys");
                say(&json);
            }
        }
    }

    /// Prints a failure to stderr: what happened, and what to do now.
    pub fn fail(self, error: &Error) {
        let appearance = error.kind().appearance();
        if self == Output::Json {
            let answer = serde_json::json!({
                "error": { "code": appearance.code, "message": error.sentence(), "hint": error.hint_text() }
            });
            eprintln!("{answer}");
            return;
        }
        eprintln!("testkeep: {}", error.sentence());
        if let Some(hint) = error.hint_text() {
            eprintln!("          {hint}");
        }
        // A failure of ours has a fixed sentence; whoever sits at the machine may see the cause.
        if appearance.code == "internal" {
            eprintln!("          {error:?}");
        }
    }
}

/// Writes a line to standard output. Whoever has stopped reading, as `head` does, has read enough.
pub fn say(line: &str) {
    let written = writeln!(stdout(), "{line}");
    if let Some(cause) = written.err().filter(|cause| cause.kind() != ErrorKind::BrokenPipe) {
        eprintln!("testkeep: The answer could not be written: {cause}.");
    }
}

/// Writes a line to standard error, for whoever types.
pub fn note(line: &str) {
    eprintln!("{line}");
}

/// Columns of text, each as wide as its widest cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([head[at].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    [line(head)].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}
