//! Where the portal listens and how the world reaches it.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::reader::{Reader, http_url};

/// Where the portal listens and how the world reaches it.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Listening address.
    pub bind: SocketAddr,
    /// Scheme, host and port that browsers use, without a trailing slash.
    pub public_url: Url,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<IpAddr>,
    /// Requests a minute that one API token may make of one process.
    pub api_requests_per_minute: u32,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<HttpSettings> {
    let bind = reader.parsed("LEADGEN_BIND", |text| {
        text.parse()
            .map_err(|_| "write an address and a port, for example 127.0.0.1:8080".to_owned())
    });
    let public_url = reader.parsed("LEADGEN_PUBLIC_URL", |text| {
        let url = http_url(text)?;
        if url.path() == "/" {
            Ok(url)
        } else {
            Err("must have no path: the portal lives at the root of its host".into())
        }
    });
    let trusted_proxies = reader.parsed("LEADGEN_TRUSTED_PROXIES", |text| {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse()
                    .map_err(|_| format!("`{part}` is no IP address; separate several by commas"))
            })
            .collect()
    });
    let api_requests_per_minute = reader.parsed("LEADGEN_API_REQUESTS_PER_MINUTE", |text| {
        text.parse()
            .ok()
            .filter(|number| (1..=1_000_000).contains(number))
            .ok_or_else(|| "write a number from 1 to 1000000".to_owned())
    });
    Some(HttpSettings {
        bind: bind?,
        public_url: public_url?,
        trusted_proxies: trusted_proxies?,
        api_requests_per_minute: api_requests_per_minute?,
    })
}
