//! Uploaded files: a `multipart/form-data` form, read whole and bounded, for people whose roles allow the route.
//!
//! The body is read only after the access check, so that strangers cannot make the portal hold large bodies, and its form
//! token is checked like that of any other form. A handler takes [`Upload`] as an argument.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_multipart::Multipart;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::{WebError, body, lead_imports, microsoft_connector};

/// The largest upload, files and fields together, where the page takes no more.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Beside a file there is room for the other fields of its form.
const ROOM: usize = 64 * 1024;
/// More parts than any form of ours has.
const MAX_PARTS: usize = 300;

/// One chosen file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// The form field.
    pub field: String,
    /// The name that the browser told: for showing only.
    pub name: String,
    /// What it holds.
    pub bytes: Bytes,
}

impl UploadedFile {
    /// The file as text: UTF-8, with or without a byte order mark, without NUL.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn text(&self) -> Result<&str, String> {
        let text = std::str::from_utf8(&self.bytes).map_err(|error| {
            format!(
                "The file is not UTF-8 text: the byte at position {} cannot be read. Save it as UTF-8 and choose it again.",
                error.valid_up_to() + 1
            )
        })?;
        if text.contains('\0') {
            return Err("The file holds a NUL character, so it is no text file.".to_owned());
        }
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }
}

/// A sent form that may hold files. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Upload(Rc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    fields: Vec<(String, String)>,
    files: Vec<UploadedFile>,
}

impl Upload {
    /// The text fields, in the order of the form.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.0.fields
    }

    /// The value of a text field; the first one if it comes several times.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The file chosen in a field; `None` when nobody chose one, which browsers send as an empty file without a name.
    #[must_use]
    pub fn file(&self, field: &str) -> Option<&UploadedFile> {
        self.0
            .files
            .iter()
            .find(|file| file.field == field && !(file.name.is_empty() && file.bytes.is_empty()))
    }
}

/// A form without files may come in the usual encoding, too: then there are fields only.
impl FromRequest for Upload {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if let Some(upload) = received(request) {
            return ready(Ok(upload));
        }
        ready(body::fields(request).map(|fields| {
            Self(Rc::new(Parts {
                fields,
                files: Vec::new(),
            }))
        }))
    }
}

/// Whether a body has the encoding of forms with files.
#[must_use]
pub fn is_multipart(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// What [`receive`] has read.
#[must_use]
pub fn received(request: &HttpRequest) -> Option<Upload> {
    request.extensions().get::<Upload>().cloned()
}

/// Reads the body of an admitted request and keeps it for [`Upload`].
///
/// # Errors
/// `TooLarge`, `TooSlow`, or `Invalid` for what no browser sends.
pub async fn receive(request: &mut ServiceRequest) -> Result<(), WebError> {
    let most = match request.path() {
        lead_imports::INDEX => lead_imports::MAX_FILE + ROOM,
        microsoft_connector::FILES => microsoft_connector::MAX_FILE + ROOM,
        _ => MAX_BYTES,
    };
    let bytes = body::read_within(body::LONGEST, most, request.take_payload()).await?;
    let upload = parse(request.headers(), bytes, most).await?;
    request.extensions_mut().insert(upload);
    Ok(())
}

async fn parse(headers: &HeaderMap, bytes: Bytes, most: usize) -> Result<Upload, WebError> {
    let unreadable = |_| WebError::Invalid("The upload cannot be read.".to_owned());
    let stream = futures_util::stream::once(async move { Ok::<_, PayloadError>(bytes) });
    let mut multipart = Multipart::new(headers, stream);
    let mut parts = Parts::default();
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(unreadable)?;
        if parts.fields.len() + parts.files.len() >= MAX_PARTS {
            return Err(WebError::Invalid("The form has too many parts.".to_owned()));
        }
        let disposition = part.content_disposition();
        let name = disposition
            .and_then(|known| known.get_name())
            .unwrap_or_default()
            .to_owned();
        let file = disposition
            .and_then(|known| known.get_filename())
            .map(str::to_owned);
        let bytes = part
            .bytes(most)
            .await
            .map_err(|_| WebError::TooLarge)?
            .map_err(unreadable)?;
        if name.contains('\0') {
            return Err(WebError::Invalid(
                "The name of a field cannot be read.".to_owned(),
            ));
        }
        match file {
            Some(file) => parts.files.push(UploadedFile {
                field: name,
                // A path in it is of the other machine.
                name: body::short(file.rsplit(['/', '\\']).next().unwrap_or_default()),
                bytes,
            }),
            None => {
                let value = String::from_utf8(bytes.to_vec())
                    .ok()
                    .filter(|value| !value.contains('\0'))
                    .ok_or_else(|| {
                        WebError::Invalid(format!(
                            "“{}” holds a character that cannot be stored.",
                            body::short(&name)
                        ))
                    })?;
                parts.fields.push((name, value));
            }
        }
    }
    Ok(Upload(Rc::new(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    async fn read(content_type: &'static str, text: &[u8]) -> Result<Upload, WebError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        parse(&headers, Bytes::copy_from_slice(text), MAX_BYTES).await
    }

    #[tokio::test]
    async fn fields_and_files_are_told_apart() {
        let text = b"--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\xc3\xa4 b\r\n--x\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"C:\\\\tmp\\\\a.json\"\r\nContent-Type: text/plain\r\n\r\n\xef\xbb\xbf{}\r\n--x\r\n\
            Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n";
        let upload = read("multipart/form-data; boundary=x", text).await.unwrap();
        assert_eq!(upload.field("text"), Some("ä b"));
        assert_eq!(upload.field("file"), None);
        let file = upload.file("file").unwrap();
        assert_eq!((file.name.as_str(), file.text()), ("a.json", Ok("{}")));
        assert_eq!(upload.file("none"), None);
    }

    #[tokio::test]
    async fn what_no_browser_sends_is_refused() {
        for (content_type, text) in [
            ("multipart/form-data", &b"--x--\r\n"[..]),
            (
                "multipart/form-data; boundary=x",
                &b"--x\r\nContent-Disp"[..],
            ),
            (
                "multipart/form-data; boundary=x",
                &b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\0\r\n--x--\r\n"[..],
            ),
            (
                "multipart/form-data; boundary=x",
                &b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--x--\r\n"[..],
            ),
        ] {
            assert!(read(content_type, text).await.is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_says_so() {
        let file = |bytes: &'static [u8]| UploadedFile {
            field: "file".to_owned(),
            name: "a".to_owned(),
            bytes: Bytes::from_static(bytes),
        };
        assert!(file(b"ab\xff").text().unwrap_err().contains("position 3"));
        assert!(file(b"a\0b").text().unwrap_err().contains("NUL"));
    }
}
