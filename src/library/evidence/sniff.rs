//! What a file is, by its first bytes and not by what its sender says. Few answers, all harmless.

/// Bytes of a file that are looked at.
pub const HEAD_BYTES: usize = 512;

/// What a file is, as far as we tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Media {
    /// Media type, as in the header.
    pub kind: &'static str,
    /// Whether a browser may show it in place: a raster picture, which holds no script.
    pub is_picture: bool,
}

const fn picture(kind: &'static str) -> Media {
    Media { kind, is_picture: true }
}
const fn file(kind: &'static str) -> Media {
    Media { kind, is_picture: false }
}

/// The kind of a file with these first bytes. SVG and HTML are plain text here: nothing of ours runs them.
pub fn media(head: &[u8]) -> Media {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    match () {
        () if starts(b"\x89PNG\r\n\x1a\n") => picture("image/png"),
        () if starts(b"\xff\xd8\xff") => picture("image/jpeg"),
        () if starts(b"GIF87a") || starts(b"GIF89a") => picture("image/gif"),
        () if starts(b"RIFF") && at(8, b"WEBP") => picture("image/webp"),
        () if starts(b"%PDF-") => file("application/pdf"),
        () if starts(b"PK\x03\x04") => file("application/zip"),
        () if starts(b"\x1f\x8b") => file("application/gzip"),
        () if at(4, b"ftyp") => file("video/mp4"),
        () if starts(b"\x1a\x45\xdf\xa3") => file("video/webm"),
        () if is_text(head) => file("text/plain"),
        () => file("application/octet-stream"),
    }
}

/// The kind stored with a file, back again.
pub fn of_kind(kind: &str) -> Media {
    let pictures = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    let others =
        ["application/pdf", "application/zip", "application/gzip", "video/mp4", "video/webm", "text/plain"];
    let known =
        pictures.into_iter().map(picture).chain(others.into_iter().map(file)).find(|m| m.kind == kind);
    known.unwrap_or(file("application/octet-stream"))
}

fn is_text(head: &[u8]) -> bool {
    let is_whole = head.len() < HEAD_BYTES;
    let readable = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // A character that was cut in two at the end is no reason for doubt.
        Err(e) if !is_whole && e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok(),
        Err(_) => None,
    };
    readable.is_some_and(|text| !text.contains(|c: char| c.is_control() && !"\n\r\t\u{1b}\u{c}".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_raster_pictures_are_shown_in_place() {
        let samples: [(&[u8], &str, bool); 10] = [
            (b"\x89PNG\r\n\x1a\nrest", "image/png", true),
            (b"\xff\xd8\xff\xe0", "image/jpeg", true),
            (b"GIF89a", "image/gif", true),
            (b"RIFF\0\0\0\0WEBPVP8", "image/webp", true),
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "text/plain", false),
            (b"<!doctype html><script>alert(1)</script>", "text/plain", false),
            (b"%PDF-1.7", "application/pdf", false),
            (b"\x1b[31mred\x1b[0m\n", "text/plain", false),
            (b"\x7fELF\x02\x01\x01\0\0", "application/octet-stream", false),
            (b"", "text/plain", false),
        ];
        for (head, kind, is_picture) in samples {
            assert_eq!(media(head), Media { kind, is_picture }, "{:?}", String::from_utf8_lossy(head));
            assert_eq!(of_kind(kind), Media { kind, is_picture });
        }
        assert!(!of_kind("image/svg+xml").is_picture);
    }

    #[test]
    fn a_character_cut_in_two_is_still_text() {
        let text = "é".repeat(300);
        assert_eq!(media(&text.as_bytes()[..HEAD_BYTES - 1]).kind, "application/octet-stream");
        let mut head = vec![b'a'];
        head.extend_from_slice(text.as_bytes());
        assert_eq!(media(&head[..HEAD_BYTES]).kind, "text/plain");
    }
}
