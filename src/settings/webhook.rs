//! `LEADGEN_LINKEDIN_WEBHOOK`: whether the portal asks LinkedIn for notifications, and where they are to go.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::reader::Reader;

const NAME: &str = "LEADGEN_LINKEDIN_WEBHOOK";

/// The address of the webhook, where notifications are wanted; problems are noted at the reader.
pub(super) fn read(reader: &mut Reader<'_>, public_url: &Url) -> Option<Url> {
    let is_wanted = reader.parse(NAME, false, |text| match text {
        "off" => Ok(false),
        "on" if is_public(public_url) || is_loopback(public_url) => Ok(true),
        "on" => Err(
            "LinkedIn only notifies public https:// addresses: correct LEADGEN_PUBLIC_URL, or write off"
                .to_owned(),
        ),
        "auto" => Ok(is_public(public_url)),
        _ => Err("write on, off or auto".to_owned()),
    });
    is_wanted
        .then(|| public_url.join("/webhooks/linkedin").ok())
        .flatten()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether LinkedIn can reach the address, as far as its name tells: HTTPS, and not a name or a number for inside only.
fn is_public(url: &Url) -> bool {
    let is_outside = match url.host() {
        Some(Host::Domain(name)) => {
            let inside = ["localhost", "local", "internal", "lan", "home.arpa", "test"];
            name.contains('.')
                && !inside
                    .iter()
                    .any(|end| name == *end || name.ends_with(&format!(".{end}")))
        }
        Some(Host::Ipv4(address)) => is_global_v4(address),
        Some(Host::Ipv6(address)) => is_global_v6(address),
        None => false,
    };
    url.scheme() == "https" && is_outside
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let shared = matches!(address.octets(), [100, 64..=127, _, _]);
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_documentation()
        || shared)
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(v4) => is_global_v4(v4),
        None => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_asks_for_notifications_only_where_linkedin_can_reach_the_portal() {
        for public in ["https://leads.example.com", "https://93.184.215.14:8443"] {
            assert!(is_public(&public.parse().unwrap()), "{public}");
        }
        for inside in [
            "http://leads.example.com",
            "https://localhost",
            "https://leads",
            "https://leads.internal",
            "https://leads.local",
            "https://127.0.0.1",
            "https://10.1.2.3",
            "https://192.168.1.1",
            "https://100.64.0.1",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[::ffff:10.0.0.1]",
        ] {
            assert!(!is_public(&inside.parse().unwrap()), "{inside}");
        }
    }
}
