//! Words people type: a title on one line, a longer text, and what a machine sends in their place.

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::words::{ToSql, ToSqlOutput};

/// Something on one line: the title of a case or a run, the name of a project or a suite.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Title(String);

impl Title {
    /// A title as a person wrote it. `of` names the thing in the error, such as `case`.
    pub fn new(of: &str, text: &str) -> Result<Title> {
        let text = text.trim();
        if text.is_empty() || text.contains(char::is_control) {
            return Err(Error::invalid(format!("A {of} needs a title on one line.")));
        }
        if text.chars().count() > limits::TITLE_CHARS_MAX {
            return Err(Error::invalid(format!(
                "The title of this {of} is longer than {} characters.",
                limits::TITLE_CHARS_MAX
            ))
            .hint("Put the details into the text below it."));
        }
        Ok(Title(text.to_owned()))
    }

    /// A title that a machine gave: never refused, but brought onto one line and cut to length.
    pub fn from_machine(text: &str) -> Title {
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let mut line = String::with_capacity(text.len());
        for word in words {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if line.is_empty() {
            line.push_str("(no title)");
        }
        if let Some((end, _)) = line.char_indices().nth(limits::TITLE_CHARS_MAX) {
            line.truncate(end);
        }
        Title(line)
    }

    /// A title that came out of the database.
    pub fn stored(text: String) -> Title {
        Title(text)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ToSql for Title {
    fn to_sql(&self) -> crate::kernel::sql::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl std::fmt::Display for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A longer text as a person wrote it, with the line ends of our own. `what` names it in the error.
pub fn body(what: &str, text: &str) -> Result<String> {
    if text.len() > limits::TEXT_BYTES_MAX {
        return Err(Error::too_large(format!(
            "{what} is longer than {} KiB.",
            limits::TEXT_BYTES_MAX / 1024
        ))
        .hint("Attach a longer text as a file."));
    }
    Ok(text.replace("\r\n", "\n").trim_end().to_owned())
}

/// Cuts what a machine sent to a number of bytes and shows the cut.
pub fn clipped(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let was = text.len();
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("\n[cut here; {was} bytes came in]"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_bounded_length() {
        assert_eq!(Title::new("case", "  Pay by card ").unwrap().as_str(), "Pay by card");
        assert!(Title::new("case", " ").is_err());
        assert!(Title::new("case", "a\nb").is_err());
        assert!(Title::new("case", &"é".repeat(500)).is_ok());
        assert!(Title::new("case", &"é".repeat(501)).is_err());
    }

    #[test]
    fn what_a_machine_sends_is_made_to_fit() {
        assert_eq!(Title::from_machine(" a\n\tb\u{0}c ").as_str(), "a b c");
        assert_eq!(Title::from_machine("").as_str(), "(no title)");
        assert_eq!(Title::from_machine(&"é".repeat(900)).as_str().chars().count(), 500);
        assert_eq!(clipped("aé".to_owned(), 2), "a\n[cut here; 3 bytes came in]");
        assert_eq!(clipped("aé".to_owned(), 3), "aé");
    }
}
