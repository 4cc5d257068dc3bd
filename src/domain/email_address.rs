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
