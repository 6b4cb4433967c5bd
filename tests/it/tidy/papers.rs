//! What pages of the documentation name is there. What they say is for people to judge.

use super::source::{self, files};
use super::{none, regex};

/// Names files of other projects.
const ON_STYLE: &str = "docs/style.md";

#[test]
fn every_path_that_a_page_names_is_there() {
    let path = regex(r"`((?:src|tests|docs|assets|packaging)/[A-Za-z0-9_./-]*)`");
    let link = regex(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)");
    let mut broken = Vec::new();
    let pages = files("docs", &[".md"]).into_iter().chain(files("packaging", &[".md"]));
    let pages = pages.chain([("README.md".to_owned(), source::root().join("README.md"))]);
    for (page, file) in pages.filter(|(page, _)| page != ON_STYLE) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (index, line) in text.lines().enumerate() {
            let named = path.captures_iter(line).map(|hit| source::root().join(&hit[1]));
            let linked = link.captures_iter(line).map(|hit| file.parent().unwrap().join(&hit[1]));
            let gone = named.chain(linked).filter(|path| !path.exists());
            broken.extend(gone.map(|path| format!("{page}:{}: {}", index + 1, path.display())));
        }
    }
    none("Write the page, or mend the name.", broken);
}
