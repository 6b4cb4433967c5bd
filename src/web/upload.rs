//! Uploads: files of a request, streamed into sealed spools and bounded while they come in.
//!
//! Nothing of a file is ever on the disk in plain text, and never more than a piece of it in memory.

use super::csrf;
use crate::kernel::blobs::{Blobs, Spool};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};
use std::fmt::Display;
use std::future::{Ready, ready};

/// What a request may bring.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Files.
    pub files_max: usize,
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Bytes of all files together.
    pub bytes_max: u64,
}

/// A file that came in whole.
pub struct Received {
    /// The field it came in.
    pub field: String,
    /// What its sender calls it, made harmless: no folder, no control character, of bounded length.
    pub name: String,
    /// Its content.
    pub spool: Spool,
}

/// All that a request brought.
#[derive(Default)]
pub struct Parts {
    /// The files, in their order.
    pub files: Vec<Received>,
    /// The other fields, in their order, without the token of the form.
    pub fields: Vec<(String, String)>,
}

impl Parts {
    /// The first value of a field, unless it is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Refuses fields that nobody asked for: a misspelt one would be lost without a word.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        let names = self.fields.iter().map(|(name, _)| name).chain(self.files.iter().map(|file| &file.field));
        match names.into_iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let short: String = name.chars().take(40).collect();
                Err(Error::invalid(format!("There is no field \"{short}\" here."))
                    .hint(format!("Known are: {}.", known.join(", "))))
            }
        }
    }
}

/// A body whose parts have not been read. Ask the gate with `admit` before you read them.
pub struct Upload {
    kind: Kind,
    /// How long the body says it is.
    announced: u64,
}

enum Kind {
    Multipart(Multipart),
    Bare(Payload),
}

impl FromRequest for Upload {
    type Error = Error;
    type Future = Ready<Result<Upload>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_multipart = request.content_type().eq_ignore_ascii_case("multipart/form-data");
        let kind = if is_multipart {
            // The reader of forms polls once more after the end, which not every stream takes well.
            Kind::Multipart(Multipart::new(request.headers(), payload.take().fuse()))
        } else {
            Kind::Bare(payload.take())
        };
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let announced = announced.and_then(|value| value.parse().ok()).unwrap_or(0);
        ready(Ok(Upload { kind, announced }))
    }
}

impl Upload {
    /// Whether the body is the file itself, without a form around it.
    pub fn is_bare(&self) -> bool {
        matches!(self.kind, Kind::Bare(_))
    }

    /// Takes everything in. A body without a form around it becomes one file of this name, in the field `file`.
    pub async fn receive(self, blobs: &Blobs, bounds: Bounds, bare_name: &str) -> Result<Parts> {
        // What stands around the files of a form is no more than a form without files may be.
        if self.announced > bounds.bytes_max + limits::FORM_BYTES_MAX as u64 {
            return Err(too_large(bounds));
        }
        let mut left = bounds.bytes_max;
        match self.kind {
            Kind::Multipart(form) => receive_form(form, blobs, bounds).await,
            Kind::Bare(payload) => {
                let spool = spool(payload, blobs, bounds, &mut left, broken_off).await?;
                let file = Received { field: "file".into(), name: bare_name.into(), spool };
                Ok(Parts { files: vec![file], fields: Vec::new() })
            }
        }
    }
}

async fn receive_form(mut form: Multipart, blobs: &Blobs, bounds: Bounds) -> Result<Parts> {
    let (mut parts, mut left) = (Parts::default(), bounds.bytes_max);
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|e| unreadable(&e))?;
        let name = field.name().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Error::invalid("A part of the form has no name."));
        }
        let file_name = field.content_disposition().and_then(|said| said.get_filename()).map(harmless);
        match file_name {
            // What a browser sends for a file nobody chose.
            Some(file_name) if file_name.is_empty() => drain(&mut field).await?,
            Some(file_name) => {
                if parts.files.len() == bounds.files_max {
                    return Err(Error::too_large(format!(
                        "This upload holds more than {} files.",
                        bounds.files_max
                    ))
                    .hint("Send the rest in another upload."));
                }
                let spool = spool(&mut field, blobs, bounds, &mut left, |e| unreadable(&e)).await?;
                parts.files.push(Received { field: name, name: file_name, spool });
            }
            None => {
                let value = text(&mut field).await?;
                if name != csrf::FIELD {
                    parts.fields.push((name, value));
                }
                if parts.fields.len() > limits::UPLOAD_FIELDS_MAX {
                    return Err(Error::too_large("This form has more fields than any of ours."));
                }
            }
        }
    }
    Ok(parts)
}

async fn spool<E>(
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    blobs: &Blobs,
    bounds: Bounds,
    left: &mut u64,
    failed: impl Fn(E) -> Error,
) -> Result<Spool> {
    let mut spool = blobs.spool(bounds.file_bytes_max)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(&failed)?;
        *left = left.checked_sub(piece.len() as u64).ok_or_else(|| too_large(bounds))?;
        spool.push(&piece)?;
    }
    spool.finish()
}

fn too_large(bounds: Bounds) -> Error {
    Error::too_large(format!("This upload is larger than {} MiB.", bounds.bytes_max / (1024 * 1024)))
        .hint("Send it in several uploads.")
}

async fn text(field: &mut Field) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|e| unreadable(&e))?;
        if bytes.len() + piece.len() > limits::FORM_BYTES_MAX {
            return Err(Error::too_large("A field of this form is longer than it can be."));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid("A field of this form is no UTF-8 text."))
}

async fn drain(field: &mut Field) -> Result<()> {
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|e| unreadable(&e))?;
        if !piece.is_empty() {
            return Err(Error::invalid("A file of this form has no name.").hint("Send it with a file name."));
        }
    }
    Ok(())
}

fn unreadable(cause: &MultipartError) -> Error {
    Error::invalid("This form could not be read.")
        .hint("Send it as multipart/form-data, each file with a name.")
        .because(cause.to_string())
}

fn broken_off(cause: impl Display) -> Error {
    Error::invalid("The upload broke off before its end.").hint("Send it again.").because(cause.to_string())
}

/// A file name without folder or control characters, of bounded length.
pub fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Characters that turn the direction of writing make `exe.png` out of `gnp.exe`.
    let is_tricky = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = last.chars().filter(|c| !is_tricky(c)).take(limits::FILE_NAME_CHARS_MAX).collect();
    match clean.trim() {
        "." | ".." => "file".to_owned(),
        clean => clean.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_made_harmless() {
        for (name, expected) in [
            ("report.xml", "report.xml"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\shot.png", "shot.png"),
            ("a\nb\u{0}.txt", "ab.txt"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("..", "file"),
            ("dir/", ""),
        ] {
            assert_eq!(harmless(name), expected, "{name}");
        }
        assert_eq!(harmless(&"é".repeat(900)).chars().count(), limits::FILE_NAME_CHARS_MAX);
    }
}
