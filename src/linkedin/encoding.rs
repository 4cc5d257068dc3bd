//! Rest.li protocol 2.0 text: structure characters stay literal, every primitive inside is percent-encoded once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986 unreserved characters stay; all else is encoded, so that `( ) , : '` of a value cannot be read as structure.
const PRIMITIVE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One primitive value of a parameter, a path key or a list.
pub(super) fn primitive(value: &str) -> String {
    utf8_percent_encode(value, PRIMITIVE).to_string()
}

/// `List(a,b)` with every member encoded.
pub(super) fn list<S: AsRef<str>>(members: &[S]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|member| primitive(member.as_ref()))
        .collect();
    format!("List({})", members.join(","))
}

/// A query string in the order given; values are already encoded.
#[derive(Debug, Default)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter whose value is structure or already encoded.
    pub(super) fn structure(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(value);
        self
    }

    /// Adds a parameter whose value is one primitive.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        let value = primitive(value);
        self.structure(name, &value)
    }

    /// Adds a whole number.
    pub(super) fn number(self, name: &str, value: impl Into<i64>) -> Self {
        self.structure(name, &value.into().to_string())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primitives_are_encoded_once_and_whole() {
        for (plain, encoded) in [
            (
                "urn:li:sponsoredAccount:1",
                "urn%3Ali%3AsponsoredAccount%3A1",
            ),
            (
                "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
                "urn%3Ali%3AversionedLeadGenForm%3A%28urn%3Ali%3AleadGenForm%3A3162%2C1%29",
            ),
            (
                "249592fc-d272-44ba-a7db-c2bdce579507-6",
                "249592fc-d272-44ba-a7db-c2bdce579507-6",
            ),
            ("a b&c=d%é'", "a%20b%26c%3Dd%25%C3%A9%27"),
            ("", ""),
        ] {
            assert_eq!(primitive(plain), encoded, "{plain}");
        }
    }

    #[test]
    fn lists_keep_their_structure_literal() {
        assert_eq!(list::<&str>(&[]), "List()");
        assert_eq!(list(&["urn:li:a:1", "x,y"]), "List(urn%3Ali%3Aa%3A1,x%2Cy)");
    }

    #[test]
    fn queries_keep_the_order_given() {
        let query = Query::new()
            .structure("q", "owner")
            .text("pageToken", "Dg=/+")
            .number("start", 10_i64)
            .structure("fields", "id,form:(name)");
        assert_eq!(
            query.as_str(),
            "q=owner&pageToken=Dg%3D%2F%2B&start=10&fields=id,form:(name)"
        );
    }
}
