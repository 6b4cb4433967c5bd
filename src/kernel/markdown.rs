//! User text to safe HTML: a small Markdown, no HTML of the writer's own, few kinds of links.
//!
//! Two guards in a row. The parser hands on no HTML, and what it makes goes through a list of
//! allowed elements, so that a mistake in either does not reach a reader.

use ammonia::Builder;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Safe HTML of a Markdown text.
///
/// HTML in the text is shown as the text it is. Links go to `http`, `https` and `mailto` only and
/// open without telling where the reader came from. Pictures become links: a page asks nothing of
/// another host.
pub fn html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(text, options).map(harmless);
    let mut made = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut made, events);
    CLEANER.clean(&made).to_string()
}

/// The same without a paragraph around it, for one line in a table or a heading.
pub fn line(text: &str) -> String {
    let made = html(text);
    let trimmed = made.trim();
    let inner = trimmed.strip_prefix("<p>").and_then(|rest| rest.strip_suffix("</p>"));
    inner.filter(|inner| !inner.contains("<p>")).unwrap_or(trimmed).to_owned()
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        // A box one cannot tick would be a form element for nothing.
        Event::TaskListMarker(is_done) => {
            Event::Text(CowStr::Borrowed(if is_done { "☑ " } else { "☐ " }))
        }
        // Testers press Enter and mean it.
        Event::SoftBreak => Event::HardBreak,
        other => other,
    }
}

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let elements = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(elements))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "title"])),
            ("ol", HashSet::from(["start"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_looks_as_its_writer_meant() {
        assert_eq!(line("Press **Pay**, then `Esc`"), "Press <strong>Pay</strong>, then <code>Esc</code>");
        assert_eq!(html("- one\n- two\n"), "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n");
        assert_eq!(html("a\nb"), "<p>a<br>\nb</p>\n");
        assert_eq!(html("- [x] done"), "<ul>\n<li>☑ done</li>\n</ul>\n");
        assert!(html("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
        let link = html("[spec](https://example.org/a?b=1&c=2)");
        assert!(link.contains("href=\"https://example.org/a?b=1&amp;c=2\""), "{link}");
        assert!(link.contains("rel=\"noopener noreferrer nofollow\""), "{link}");
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg><script>alert(1)</script></svg>",
            "text <b onclick=\"alert(1)\">bold</b>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\tscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:msgbox(1))",
            "[x](//evil.example/)",
            "![x](https://evil.example/pixel.png)",
            "![x](javascript:alert(1))",
            "<javascript:alert(1)>",
            "[a](https://x.example \"\" onmouseover=alert(1))",
            "```html\n</code></pre><script>alert(1)</script>\n```",
            "<style>body{display:none}</style>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<a href=\"javascript:alert(1)\" style=\"position:fixed\">x</a>",
            "<!--><script>alert(1)</script>-->",
            "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "\u{0}<script>\u{0}",
        ];
        // Only what the list allows may open a tag, and only with these attributes.
        let tag = "<";
        for text in hostile {
            let made = html(text);
            for open in made.split(tag).skip(1) {
                let name: String =
                    open.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                let is_known = CLEANER.clone_tags().contains(name.as_str());
                assert!(is_known, "{text:?} opened <{name}: {made}");
                let attributes = open.split('>').next().unwrap();
                assert!(!attributes.contains(" on"), "{text:?}: {made}");
                assert!(!attributes.contains("style="), "{text:?}: {made}");
                for scheme in ["javascript:", "data:", "vbscript:", "\"//"] {
                    assert!(!attributes.to_lowercase().contains(scheme), "{text:?}: {made}");
                }
            }
            assert!(!made.contains("<img"), "{text:?}: {made}");
        }
        assert_eq!(html("a <script>x</script>"), "<p>a &lt;script&gt;x&lt;/script&gt;</p>\n");
    }
}
