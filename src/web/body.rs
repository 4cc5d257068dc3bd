//! Reads request bodies, once and bounded in size and time: actix would wait for ever for a body that never arrives.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::{WebError, upload};

/// The largest body.
pub const MAX_BYTES: usize = 256 * 1024;

/// The longest time that a whole body may take.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// The form field that holds the token.
pub const TOKEN_FIELD: &str = "csrf_token";

/// The body as read; stands in the request's extensions.
#[derive(Clone)]
struct Body(Bytes);

/// Middleware: reads the body of every request but uploads, which are read once it is known who sends them.
///
/// # Errors
/// What the inner service answers.
pub async fn collect(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if upload::is_multipart(request.headers()) {
        let response = next.call(request).await?;
        let is_read = upload::received(response.request()).is_some();
        return Ok(if is_read { response } else { hang_up(response) });
    }
    let payload = request.take_payload();
    match read_within(LONGEST, MAX_BYTES, payload).await {
        Ok(bytes) => {
            request.extensions_mut().insert(Body(bytes.clone()));
            request.set_payload(Payload::from(bytes));
            next.call(request).await
        }
        Err(error) => Ok(hang_up(request.error_response(error))),
    }
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// `TooLarge`, `TooSlow`, or `Invalid` when it broke off.
pub(super) async fn read_within(
    longest: Duration,
    most: usize,
    payload: Payload,
) -> Result<Bytes, WebError> {
    tokio::time::timeout(longest, read(most, payload))
        .await
        .unwrap_or(Err(WebError::TooSlow))
}

/// What is left of the body is not waited for.
fn hang_up(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    response
        .response_mut()
        .head_mut()
        .set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

async fn read(most: usize, mut payload: Payload) -> Result<Bytes, WebError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| WebError::Invalid("The request broke off.".to_owned()))?;
        if body.len() + chunk.len() > most {
            return Err(WebError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(body))
}

/// The body of this request.
#[must_use]
pub fn bytes(request: &HttpRequest) -> Bytes {
    request
        .extensions()
        .get::<Body>()
        .map(|body| body.0.clone())
        .unwrap_or_default()
}

/// The fields of a sent form: UTF-8, without NUL.
///
/// # Errors
/// `UnsupportedMedia` or `Invalid`.
pub fn fields(request: &HttpRequest) -> Result<Vec<(String, String)>, WebError> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if content_type != "application/x-www-form-urlencoded" {
        return Err(WebError::UnsupportedMedia);
    }
    let body = bytes(request);
    let text = std::str::from_utf8(&body)
        .map_err(|_| WebError::Invalid("The form is not UTF-8 text.".to_owned()))?;
    decode(text)
}

/// Decodes `a=b&c=d`. Unlike the usual decoders it refuses what is no UTF-8 instead of replacing it, and NUL, which
/// PostgreSQL cannot store.
///
/// # Errors
/// `Invalid`, naming the field.
pub fn decode(text: &str) -> Result<Vec<(String, String)>, WebError> {
    let plain = |part: &str| -> Option<String> {
        let spaced = part.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&spaced)
            .decode_utf8()
            .ok()?;
        (!decoded.contains('\0')).then(|| decoded.into_owned())
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = plain(name).ok_or_else(|| {
                WebError::Invalid("The name of a field cannot be read.".to_owned())
            })?;
            let value = plain(value).ok_or_else(|| {
                WebError::Invalid(format!(
                    "“{}” holds a character that cannot be stored.",
                    short(&name)
                ))
            })?;
            Ok((name, value))
        })
        .collect()
}

/// A name from outside, cut for a message.
#[must_use]
pub fn short(name: &str) -> String {
    let mut cut: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    if name.chars().count() > 40 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_on() {
        let drip = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        let payload: Payload = Payload::Stream {
            payload: Box::pin(drip),
        };
        let outcome = read_within(Duration::from_millis(60), MAX_BYTES, payload).await;
        assert!(matches!(outcome, Err(WebError::TooSlow)));
    }

    #[test]
    fn fields_are_decoded_strictly() {
        let pairs = decode("a=1&b=x+y%21&&c&d=%C3%A4&a=2").unwrap();
        let expected = [("a", "1"), ("b", "x y!"), ("c", ""), ("d", "ä"), ("a", "2")];
        assert_eq!(
            pairs,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        for bad in ["a=%ff", "a=%00", "%00=1", "a=x%00y", "%ff=1"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
