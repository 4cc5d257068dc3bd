//! Where destinations may be: an Administrator types their addresses, and the portal must not be led to what only the
//! portal can reach (server-side request forgery). Only https, and only public addresses, unless whoever runs the portal
//! allows others (`LEADGEN_ALLOW_PRIVATE_DESTINATIONS`).
//!
//! The check at saving ([`check`]) is for people. What keeps the rule is [`PublicAddresses`], by which the HTTP client
//! resolves names, because a name can lead elsewhere tomorrow; addresses written as numbers never reach a resolver, so
//! [`check`] is asked again before every request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a destination's address is refused. Each message names the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Not https.
    #[error("The address must begin with https://.")]
    NotHttps,
    /// A name or password in the address.
    #[error("Leave user name and password out of the address.")]
    HoldsCredentials,
    /// No host.
    #[error("The address has no host name.")]
    NoHost,
    /// Inside the network.
    #[error(
        "This address is not on the public internet. Whoever runs the portal can allow it with LEADGEN_ALLOW_PRIVATE_DESTINATIONS=true."
    )]
    NotPublic,
}

/// Whether destinations may be inside the network, as whoever runs the portal decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// Only public addresses.
    #[default]
    Public,
    /// Every address.
    Anywhere,
}

/// Checks what can be told without asking for the name.
///
/// # Errors
/// See [`AddressRefusal`].
pub fn check(url: &Url, reach: Reach) -> Result<(), AddressRefusal> {
    if url.scheme() != "https" {
        return Err(AddressRefusal::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressRefusal::HoldsCredentials);
    }
    let is_public = match url.host() {
        None => return Err(AddressRefusal::NoHost),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.contains('.') && !name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
    };
    if is_public || reach == Reach::Anywhere {
        Ok(())
    } else {
        Err(AddressRefusal::NotPublic)
    }
}

/// Whether an address is one of the public internet (the IANA registries of special-purpose addresses).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a >= 240
        // Shared by providers, protocol assignments, the old relay of 6to4, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    let [first, second, ..] = segments;
    // Translated to IPv4: it is as public as that.
    if first == 0x0064 && second == 0xff9b {
        let [.., high, low] = segments;
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return segments.get(2..6) == Some(&[0, 0, 0, 0][..])
            && is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is given out; in it, protocol assignments, documentation and 6to4 are not.
    (first & 0xe000) == 0x2000
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && first != 0x2002
        && !(first == 0x3fff && second < 0x1000)
}

/// Resolves names by the system and leaves out what is not public.
#[derive(Debug, Clone, Copy)]
pub struct PublicAddresses(pub Reach);

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| reach == Reach::Anywhere || is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(AddressRefusal::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Begins an HTTP client for destinations: https only, no redirects, no proxy, and names resolved as [`PublicAddresses`]
/// does. The caller adds its timeouts.
pub fn client_builder(
    reach: Reach,
    authorities: &[reqwest::Certificate],
) -> reqwest::ClientBuilder {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .https_only(true)
        .no_proxy()
        .user_agent(concat!("leadgen-connector/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(PublicAddresses(reach))
        .tls_certs_merge(authorities.iter().cloned())
}

/// Whether a failed request failed because the name leads to no public address.
#[must_use]
pub fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref::<AddressRefusal>().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_destination_is_https_public_and_without_credentials() {
        let refused = |text: &str, reach| check(&text.parse().unwrap(), reach).err();
        assert_eq!(refused("https://hooks.example.com/a", Reach::Public), None);
        assert_eq!(
            refused("http://hooks.example.com/", Reach::Anywhere),
            Some(AddressRefusal::NotHttps)
        );
        assert_eq!(
            refused("https://a:b@hooks.example.com/", Reach::Public),
            Some(AddressRefusal::HoldsCredentials)
        );
        // The parser knows the many ways to write 127.0.0.1.
        for inside in [
            "https://localhost/",
            "https://a.localhost/",
            "https://intranet/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
        ] {
            assert_eq!(
                refused(inside, Reach::Public),
                Some(AddressRefusal::NotPublic),
                "{inside}"
            );
            assert_eq!(refused(inside, Reach::Anywhere), None, "{inside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let resolve = |reach| PublicAddresses(reach).resolve("localhost".parse().unwrap());
        let error = resolve(Reach::Public).await.err().unwrap();
        assert!(is_refusal(error.as_ref()));
        assert!(resolve(Reach::Anywhere).await.unwrap().next().is_some());
    }
}
