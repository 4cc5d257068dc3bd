//! One request and its answer: headers, size cap, tunneling of long queries, and the class of a failure.

use std::error::Error as _;
use std::time::Instant;

use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::encoding::Query;
use super::error::{LinkedInError, RefusedAnswer, classify};
use super::{AccessToken, Answer, LinkedInClient, PAGE_SIZE_CAP};
use crate::http_answer::{http_date, tidy};

/// Above this URL length the query travels in the body of a POST (linkedin-api.md §2.3).
const TUNNEL_ABOVE: usize = 4000;

const LINKEDIN_VERSION: HeaderName = HeaderName::from_static("linkedin-version");
const RESTLI_PROTOCOL: HeaderName = HeaderName::from_static("x-restli-protocol-version");
const RESTLI_METHOD: HeaderName = HeaderName::from_static("x-restli-method");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

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

    pub(super) fn date(&self) -> Option<DateTime<Utc>> {
        http_date(self.text("date")?)
    }

    pub(super) fn identifier(&self, name: &str) -> Option<String> {
        Some(tidy(self.text(name)?, None))
    }

    /// The class of a failure; call only for a status outside 200..300.
    pub(super) fn failure(&self, secret: Option<&str>) -> LinkedInError {
        classify(&RefusedAnswer {
            status: self.status,
            body: &self.body,
            retry_after: self.text("retry-after"),
            date: self.date(),
            request_id: self.identifier("x-li-request-id"),
            uuid: self.identifier("x-li-uuid"),
            secret,
        })
    }

    /// Wraps the value that was read from this answer.
    pub(super) fn answer<T>(&self, value: T) -> Answer<T> {
        Answer {
            value,
            date: self.date(),
            request_id: self
                .identifier("x-li-request-id")
                .or_else(|| self.identifier("x-li-uuid")),
        }
    }

    /// An answer that names itself HTML is none, whatever its body parses to.
    pub(super) fn refuse_html(&self) -> Result<(), LinkedInError> {
        let html = self.text("content-type").is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        });
        if html {
            Err(LinkedInError::unexpected("HTML instead of JSON"))
        } else {
            Ok(())
        }
    }
}

impl LinkedInClient {
    /// GETs `/rest/{path}?{query}` with the Rest.li method named; only a 200 comes back.
    pub(super) async fn rest(
        &self,
        token: &AccessToken,
        method: &'static str,
        path: &str,
        query: &Query,
    ) -> Result<Received, LinkedInError> {
        let url = format!("{}/rest/{path}", self.endpoints.api_url);
        let headers = self.restli_headers(method)?;
        self.get(token, &url, query, headers).await
    }

    fn restli_headers(&self, method: &'static str) -> Result<HeaderMap, LinkedInError> {
        let mut headers = HeaderMap::new();
        headers.insert(LINKEDIN_VERSION, header_value(&self.endpoints.version)?);
        headers.insert(RESTLI_PROTOCOL, HeaderValue::from_static("2.0.0"));
        headers.insert(RESTLI_METHOD, HeaderValue::from_static(method));
        Ok(headers)
    }

    /// Changes something below `/rest/`, by HTTP method and Rest.li method; any 2xx comes back.
    pub(super) async fn change(
        &self,
        token: &AccessToken,
        (method, restli): (reqwest::Method, &'static str),
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Received, LinkedInError> {
        let mut headers = self.restli_headers(restli)?;
        authorize(&mut headers, token)?;
        let url = format!("{}/rest/{path}", self.endpoints.api_url);
        let mut request = self.http.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.json(body);
        }
        let request = request.build().map_err(|_| LinkedInError::Configuration {
            what: "the request could not be built".to_owned(),
        })?;
        let received = self.send(request, PAGE_SIZE_CAP).await?;
        if (200..300).contains(&received.status) {
            Ok(received)
        } else {
            Err(received.failure(Some(token.secret())))
        }
    }

    /// GETs an unversioned address below `/v2`.
    pub(super) async fn unversioned(
        &self,
        token: &AccessToken,
        path: &str,
    ) -> Result<Received, LinkedInError> {
        let url = format!("{}/v2/{path}", self.endpoints.api_url);
        self.get(token, &url, &Query::new(), HeaderMap::new()).await
    }

    async fn get(
        &self,
        token: &AccessToken,
        url: &str,
        query: &Query,
        mut headers: HeaderMap,
    ) -> Result<Received, LinkedInError> {
        authorize(&mut headers, token)?;
        let query = query.as_str();
        let request = if query.is_empty() {
            self.http.get(url)
        } else if url.len() + 1 + query.len() > TUNNEL_ABOVE {
            headers.insert(METHOD_OVERRIDE, HeaderValue::from_static("GET"));
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
            self.http.post(url).body(query.to_owned())
        } else {
            self.http.get(format!("{url}?{query}"))
        };
        let request =
            request
                .headers(headers)
                .build()
                .map_err(|_| LinkedInError::Configuration {
                    what: "the request could not be built".to_owned(),
                })?;
        let received = self.send(request, PAGE_SIZE_CAP).await?;
        if received.status == 200 {
            received.refuse_html()?;
            Ok(received)
        } else if (200..300).contains(&received.status) {
            Err(LinkedInError::unexpected(format!(
                "HTTP status {} to a GET",
                received.status
            )))
        } else {
            Err(received.failure(Some(token.secret())))
        }
    }

    /// Sends a request and reads the whole answer, at most `cap` bytes of it.
    pub(super) async fn send(
        &self,
        request: reqwest::Request,
        cap: usize,
    ) -> Result<Received, LinkedInError> {
        let mut response = self
            .http
            .execute(request)
            .await
            .map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let date = headers
            .get("date")
            .and_then(|text| http_date(text.to_str().ok()?));
        if let (Some(date), Ok(mut last)) = (date, self.last_date.lock()) {
            *last = Some((date, Instant::now()));
        }
        let too_large = || LinkedInError::unexpected(format!("an answer of more than {cap} bytes"));
        // A failure's body is only read for its words: an unreadable one must not hide the status.
        let is_success = (200..300).contains(&status);
        if is_success
            && response
                .content_length()
                .is_some_and(|length| length > cap as u64)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > cap => {
                    if is_success {
                        return Err(too_large());
                    }
                    break;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if is_success => return Err(broken_body(&error)),
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

fn authorize(headers: &mut HeaderMap, token: &AccessToken) -> Result<(), LinkedInError> {
    let mut bearer = header_value(&format!("Bearer {}", token.secret()))?;
    bearer.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(())
}

fn header_value(text: &str) -> Result<HeaderValue, LinkedInError> {
    HeaderValue::from_str(text).map_err(|_| LinkedInError::Configuration {
        what: "a token or version holds characters that no header can carry".to_owned(),
    })
}

/// A failure before the answer began.
fn transport(error: &reqwest::Error) -> LinkedInError {
    if error.is_timeout() {
        return LinkedInError::Timeout;
    }
    let causes = causes(error);
    let what = if error.is_connect() {
        "no connection could be made"
    } else if causes.contains("IncompleteMessage") || causes.contains("before message completed") {
        "the connection was closed without an answer"
    } else if causes.contains("reset") {
        "the connection was reset"
    } else if causes.contains("parse") {
        return LinkedInError::unexpected("an answer that is not HTTP");
    } else {
        "the connection broke"
    };
    LinkedInError::Network {
        what: what.to_owned(),
    }
}

/// A failure after a successful answer began.
fn broken_body(error: &reqwest::Error) -> LinkedInError {
    if error.is_timeout() {
        return LinkedInError::Timeout;
    }
    let causes = causes(error);
    if causes.contains("gzip") || causes.contains("deflate") {
        LinkedInError::unexpected("a compressed body that cannot be unpacked")
    } else {
        LinkedInError::unexpected("a body that was cut off")
    }
}

/// The texts of the causes, for telling kinds of failures apart; never shown, since they may name the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!("{inner} / {inner:?} / "));
        cause = inner.source();
    }
    text
}
