//! One request to the provider and its answer: no redirects, bounded in time and size.

use std::time::Duration;

use futures_util::future::BoxFuture;
use oauth2::{HttpRequest, HttpResponse};
use reqwest::header;
use url::Url;

use super::error::OidcError;

/// More than any description, key set or token answer has.
const LARGEST: usize = 1_000_000;

fn away(what: impl Into<String>) -> OidcError {
    OidcError::Away { what: what.into() }
}

/// A client that follows no redirect: neither a code nor a secret must go where the provider did not say.
pub(super) fn client(timeout: Duration) -> Result<reqwest::Client, OidcError> {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .gzip(true)
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .timeout(timeout)
        .tcp_nodelay(true)
        .user_agent(concat!("leadgen-connector/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| OidcError::Configuration {
            what: "the HTTP client could not be built".to_owned(),
        })
}

async fn send(
    http: &reqwest::Client,
    request: reqwest::Request,
) -> Result<(u16, Vec<u8>), OidcError> {
    let mut response = http.execute(request).await.map_err(|error| {
        away(if error.is_timeout() {
            "it did not answer in time"
        } else if error.is_connect() {
            "no connection could be made"
        } else {
            "the connection broke"
        })
    })?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| away("its answer was cut off"))?
    {
        if body.len() + chunk.len() > LARGEST {
            return Err(away("its answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

/// GETs a JSON document.
pub(super) async fn get(
    http: &reqwest::Client,
    url: &Url,
    token: Option<&str>,
) -> Result<Vec<u8>, OidcError> {
    let mut request = http
        .get(url.clone())
        .header(header::ACCEPT, "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let request = request
        .build()
        .map_err(|_| away("the request could not be built"))?;
    match send(http, request).await? {
        (200, body) => Ok(body),
        (status, _) => Err(away(format!("it answered with HTTP status {status}"))),
    }
}

/// What the `oauth2` crate sends its requests with. It owns all it needs and boxes its future, so that the calls' futures
/// are `Send`. Only what says something about the code gets back to that crate.
pub(super) fn carrier(
    http: &reqwest::Client,
) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, OidcError>> + use<> {
    let http = http.clone();
    move |request| {
        let http = http.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|_| away("the request could not be built"))?;
            let (status, body) = send(&http, request).await?;
            if !matches!(status, 200 | 400 | 401 | 403) {
                return Err(away(format!("it answered with HTTP status {status}")));
            }
            let mut response = HttpResponse::new(body);
            *response.status_mut() =
                reqwest::StatusCode::from_u16(status).unwrap_or(reqwest::StatusCode::BAD_REQUEST);
            Ok(response)
        })
    }
}
