//! One request and its answer: the token, the headers of OData, a cap on the size, and the class of a failure.

use std::error::Error as _;

use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::error::{DataverseError, RefusedAnswer, classify};
use super::{DataverseClient, SIZE_CAP};
use crate::destination_address;
use crate::http_answer::{retry_after_in, tidy};

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// An answer with its body read, whatever its status.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Received {
    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, DataverseError> {
        serde_json::from_slice(&self.body).map_err(|_| {
            DataverseError::unexpected(format!(
                "HTTP status {} with a body that is not the documented JSON",
                self.status
            ))
        })
    }

    fn failure(&self, secret: &str) -> DataverseError {
        classify(RefusedAnswer {
            status: self.status,
            body: &self.body,
            retry_after: retry_after_in(&self.headers),
            request_id: self
                .text("x-ms-service-request-id")
                .or_else(|| self.text("req_id"))
                .map(|id| tidy(id, None)),
            secret: Some(secret),
        })
    }
}

/// One call of the Web API.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The address as it is sent: below the organization's address.
    pub(super) url: String,
    pub(super) body: Option<&'a serde_json::Value>,
    /// `If-Match` or `If-None-Match`.
    pub(super) condition: Option<(HeaderName, String)>,
    pub(super) prefer: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            condition: None,
            prefer: None,
        }
    }

    pub(super) fn send(method: Method, url: String, body: &'a serde_json::Value) -> Self {
        Self {
            method,
            body: Some(body),
            ..Self::get(url)
        }
    }
}

impl DataverseClient {
    /// Makes a call with a token; a 401 is tried once more with a fresh one.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Received, DataverseError> {
        let token = self.token(None).await?;
        match self.call_with(call, &token).await {
            Err(DataverseError::Unauthorized(_)) => {
                let fresh = self.token(Some(&token)).await?;
                self.call_with(call, &fresh).await
            }
            other => other,
        }
    }

    async fn call_with(&self, call: &Call<'_>, token: &str) -> Result<Received, DataverseError> {
        let mut headers = HeaderMap::new();
        let mut bearer = header_value(&format!("Bearer {token}"))?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
        headers.insert(ODATA_MAX_VERSION, HeaderValue::from_static("4.0"));
        if let Some((name, value)) = &call.condition {
            headers.insert(name.clone(), header_value(value)?);
        }
        if let Some(prefer) = &call.prefer {
            headers.insert(PREFER, header_value(prefer)?);
        }
        let mut request = self
            .http
            .request(call.method.clone(), &call.url)
            .headers(headers);
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let received = self.send(request).await?;
        if received.is_success() {
            Ok(received)
        } else {
            Err(received.failure(token))
        }
    }

    /// Sends a request and reads the whole answer, at most [`SIZE_CAP`] bytes of it.
    pub(super) async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Received, DataverseError> {
        let request = request
            .build()
            .map_err(|_| DataverseError::configuration("the request could not be built"))?;
        // A name is judged by the resolver; an address never gets there.
        destination_address::check(request.url(), self.reach)
            .map_err(|_| DataverseError::AddressNotPublic)?;
        let mut response = self
            .http
            .execute(request)
            .await
            .map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        // A failure's body is only read for its words: an unreadable one must not hide the status.
        let is_success = (200..300).contains(&status);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > SIZE_CAP => {
                    if is_success {
                        return Err(DataverseError::unexpected(format!(
                            "an answer of more than {SIZE_CAP} bytes"
                        )));
                    }
                    break;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if is_success && error.is_timeout() => {
                    return Err(DataverseError::Timeout);
                }
                Err(_) if is_success => {
                    return Err(DataverseError::unexpected("a body that was cut off"));
                }
                Err(_) => break,
            }
        }
        Ok(Received {
            status,
            headers,
            body,
        })
    }
}

fn header_value(text: &str) -> Result<HeaderValue, DataverseError> {
    HeaderValue::from_str(text)
        .map_err(|_| DataverseError::configuration("a header cannot carry what it should"))
}

/// A failure before the answer began.
fn transport(error: &reqwest::Error) -> DataverseError {
    if destination_address::is_refusal(error) {
        return DataverseError::AddressNotPublic;
    }
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = inner
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref())
            .and_then(|error| error.downcast_ref::<rustls::Error>())
        {
            return DataverseError::CertificateNotTrusted;
        }
        // Only for telling kinds of failures apart; never shown, since it may name the address.
        causes.push_str(&format!("{inner} / {inner:?} / "));
        cause = inner.source();
    }
    if error.is_timeout() {
        return DataverseError::Timeout;
    }
    let what = if causes.contains("dns") || causes.contains("lookup address") {
        "the name is not known"
    } else if causes.contains("InvalidCertificate") {
        return DataverseError::CertificateNotTrusted;
    } else if error.is_connect() {
        "no connection could be made"
    } else if causes.contains("before message completed") || causes.contains("IncompleteMessage") {
        "the connection was closed without an answer"
    } else {
        "the connection broke"
    };
    DataverseError::Network {
        what: what.to_owned(),
    }
}
