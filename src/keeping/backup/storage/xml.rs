//! XML: the little that targets answer in, read in bounds and without entities of their own.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Elements inside one another; answers of targets have five or six.
const DEPTH_MAX: usize = 32;

/// The text of the first element of this name, whatever its namespace. `None` if there is none or the
/// text is not XML.
pub fn text_of(xml: &str, name: &str) -> Option<String> {
    let mut found = None;
    walk(xml, |path, text| {
        if found.is_none() && path.last().is_some_and(|last| last == name) {
            found = Some(text.to_owned());
        }
    })?;
    found
}

/// Calls `see` with the local names that lead to each text. `None` if it is not XML, or nested too deep.
pub fn walk(xml: &str, mut see: impl FnMut(&[String], &str)) -> Option<()> {
    let mut reader = Reader::from_str(xml);
    let (mut path, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                path.push(tag.local_name().as_ref().to_owned());
                text.clear();
                if path.len() > DEPTH_MAX {
                    return None;
                }
            }
            Event::Empty(tag) => {
                path.push(tag.local_name().as_ref().to_owned());
                see(&path, "");
                path.pop();
            }
            Event::Text(piece) => text += &piece,
            Event::CData(piece) => text += &piece,
            Event::GeneralRef(entity) => text.push(character(&entity)?),
            Event::End(_) => {
                see(&path, text.trim());
                text.clear();
                path.pop();
            }
            Event::Eof => return Some(()),
            _ => {}
        }
    }
}

/// The five entities that XML has, and numbers.
fn character(entity: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Some(number) = entity.resolve_char_ref().ok()? {
        return Some(number);
    }
    Some(match &**entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}
