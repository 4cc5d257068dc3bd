//! Whether a text is an e-mail address by its syntax.

use email_address::{EmailAddress, Options};

/// The longest address that fits in an SMTP path, in bytes.
pub const MAX_LENGTH: usize = 254;

/// Whether this is one plain address with a dotted domain: no display name, no address literal, nothing around it.
#[must_use]
pub fn is_valid(address: &str) -> bool {
    const OPTIONS: Options = Options {
        minimum_sub_domains: 2,
        allow_domain_literal: false,
        allow_display_text: false,
    };
    address.len() <= MAX_LENGTH
        // Quoted local parts may hold white space and more signs of “@”; nobody owns such an address, attackers do.
        && !address.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '(' | ')'))
        && EmailAddress::parse_with_options(address, OPTIONS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_with_a_dotted_domain_is_valid() {
        for address in [
            "ada@example.com",
            "a.b+tag@sub.example.co.uk",
            "o'neil@example.ie",
            "用户@例子.广告",
            "x@xn--bcher-kva.example",
        ] {
            assert!(is_valid(address), "{address}");
        }
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b.".repeat(130));
        for address in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@@example.com",
            "a@evil.com@good.com",
            "ada @example.com",
            "Ada <ada@example.com>",
            "ada@[127.0.0.1]",
            "\"a b\"@example.com",
            "ada@example..com",
            ".ada@example.com",
            "ada@example.com\n",
            "ada@example.com, bob@example.com",
            "ada@example.com\0",
            "<script>@example.com",
            &long_local,
            &long,
        ] {
            assert!(!is_valid(address), "{address}");
        }
    }
}
