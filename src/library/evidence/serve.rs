//! Files on their way out, inert: a browser saves them, or shows a raster picture in a sandbox.

use super::Evidence;
use crate::kernel::blobs::Blobs;
use crate::kernel::error::Result;
use actix_web::body::SizedStream;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures_util::stream::LocalBoxStream;
use futures_util::{StreamExt, TryStreamExt};
use std::io;

/// No script, no form, no frame, no other file, no origin.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'self'";

/// The bytes of a file with the headers that keep them inert.
pub struct Served {
    evidence: Evidence,
    bytes: u64,
    pieces: LocalBoxStream<'static, io::Result<bytes::Bytes>>,
}

/// A file as a reply.
pub async fn serve(blobs: &Blobs, evidence: Evidence) -> Result<Served> {
    let (bytes, pieces) = blobs.download(&evidence.blob).await?;
    let pieces = pieces.map_err(io::Error::other).boxed_local();
    Ok(Served { evidence, bytes, pieces })
}

impl Responder for Served {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let media = self.evidence.media;
        HttpResponse::Ok()
            .content_type(media.kind)
            .insert_header(disposition(&self.evidence.name, media.is_picture))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(SizedStream::new(self.bytes, self.pieces))
    }
}

fn disposition(name: &str, is_picture: bool) -> ContentDisposition {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\%".contains(c) { c } else { '_' };
    let extended = ExtendedValue {
        charset: Charset::Ext("UTF-8".into()),
        language_tag: None,
        value: name.as_bytes().to_vec(),
    };
    ContentDisposition {
        disposition: if is_picture { DispositionType::Inline } else { DispositionType::Attachment },
        parameters: vec![
            DispositionParam::Filename(name.chars().map(plain).collect()),
            DispositionParam::FilenameExt(extended),
        ],
    }
}
