//! Where a request comes from and where it thinks it is: host, origin, client address.

use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, web};
use url::{Host, Url};

use super::{Portal, WebError};

fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a `Host` header (`name` or `name:port`) is one of this portal's. On a loopback portal every loopback name
/// and port is.
fn is_our_host(host: &str, public_url: &Url) -> bool {
    if host.contains(['/', '@', '?', '#', '\\']) {
        return false;
    }
    let Ok(asked) = Url::parse(&format!("{}://{host}", public_url.scheme())) else {
        return false;
    };
    if is_loopback(public_url) {
        return is_loopback(&asked);
    }
    asked.host() == public_url.host()
        && asked.port_or_known_default() == public_url.port_or_known_default()
}

/// Middleware: answers only under the portal's own name, so that no link or cookie is made for another one.
///
/// # Errors
/// What the inner service answers.
pub async fn host(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_ours = request
        .app_data::<web::Data<Portal>>()
        .is_some_and(|portal| {
            // With an absolute request target, that names the host and the header does not count.
            let host = request
                .uri()
                .authority()
                .map(|authority| authority.as_str().to_owned())
                .or_else(|| header(request.request(), HOST).map(str::to_owned));
            host.is_some_and(|host| is_our_host(&host, &portal.settings.http.public_url))
        });
    if is_ours {
        next.call(request).await
    } else {
        Ok(request.error_response(WebError::OtherHost))
    }
}

/// Checks that a change was sent from one of our own pages, as far as the browser says.
///
/// # Errors
/// `OtherOrigin`.
pub fn same_origin(request: &HttpRequest) -> Result<(), WebError> {
    let site = header(request, HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(WebError::OtherOrigin);
    }
    let Some(origin) = header(request, ORIGIN) else {
        // No browser of today leaves both out; the form token decides alone.
        return Ok(());
    };
    if origin == "null" && site == Some("same-origin") {
        return Ok(());
    }
    let portal = request
        .app_data::<web::Data<Portal>>()
        .ok_or(WebError::OtherOrigin)?;
    let public_url = &portal.settings.http.public_url;
    let sent = Url::parse(origin).map_err(|_| WebError::OtherOrigin)?;
    let is_ours = if is_loopback(public_url) {
        is_loopback(&sent)
            && header(request, HOST).is_some_and(|host| origin == format!("http://{host}"))
    } else {
        sent.origin() == public_url.origin()
    };
    if is_ours {
        Ok(())
    } else {
        Err(WebError::OtherOrigin)
    }
}

/// The client's address: the peer's, or, behind proxies that the configuration names, the last hop that is none of them.
#[must_use]
pub fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|peer| peer.ip())?;
    let portal = request.app_data::<web::Data<Portal>>()?;
    let trusted = &portal.settings.http.trusted_proxies;
    if !trusted.contains(&peer) {
        return Some(peer);
    }
    let hops: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in hops.iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(address) if trusted.contains(&address) => {}
            Ok(address) => return Some(address),
            Err(_) => return Some(peer),
        }
    }
    Some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_hosts_are_answered_for() {
        let public: Url = "https://leads.example.com".parse().unwrap();
        for good in ["leads.example.com", "LEADS.example.com:443"] {
            assert!(is_our_host(good, &public), "{good}");
        }
        for bad in [
            "evil.test",
            "leads.example.com:8443",
            "leads.example.com.evil.test",
            "x@leads.example.com",
            "127.0.0.1",
            "",
            "leads.example.com/x",
        ] {
            assert!(!is_our_host(bad, &public), "{bad}");
        }
        let local: Url = "http://127.0.0.1:8080".parse().unwrap();
        for good in ["127.0.0.1:8080", "localhost:1", "[::1]:8080", "127.0.0.1"] {
            assert!(is_our_host(good, &local), "{good}");
        }
        for bad in ["evil.test", "localhost.evil.test", "10.0.0.1:8080"] {
            assert!(!is_our_host(bad, &local), "{bad}");
        }
    }
}
