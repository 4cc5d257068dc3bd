//! LinkedIn's URNs, read tolerantly: blanks inside, wrapping and unknown kinds never fail a page.

use std::fmt;

/// A plain URN such as `urn:li:organization:2414183`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Urn<'a> {
    /// The entity kind, `organization`.
    pub kind: &'a str,
    /// What identifies the entity; a number for most kinds, text for `person`.
    pub key: &'a str,
}

impl<'a> Urn<'a> {
    /// Reads `urn:li:{kind}:{key}` (also `urn:lla:…`); anything else is `None`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.trim().strip_prefix("urn:")?;
        let (_namespace, rest) = rest.split_once(':')?;
        let (kind, key) = rest.split_once(':')?;
        let (kind, key) = (kind.trim(), key.trim());
        (!kind.is_empty() && !key.is_empty()).then_some(Self { kind, key })
    }

    /// The key as a 64-bit number.
    #[must_use]
    pub fn id(self) -> Option<i64> {
        self.key.parse().ok()
    }
}

/// The numeric id of a URN of the given kind: `urn_id("urn:li:organization:5", "organization")` is `Some(5)`.
#[must_use]
pub fn urn_id(text: &str, kind: &str) -> Option<i64> {
    Urn::parse(text)
        .filter(|urn| urn.kind == kind)
        .and_then(Urn::id)
}

/// One version of a lead form: `urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{form_id},{version_id})`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionedFormUrn {
    /// The form; above 2^53 in real life.
    pub form_id: i64,
    /// The version, from 1 upwards.
    pub version_id: i64,
}

impl VersionedFormUrn {
    /// Reads the URN, with or without blanks around its parts (LinkedIn's own samples print `…:1, 1)`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let urn = Urn::parse(text)?;
        if urn.kind != "versionedLeadGenForm" {
            return None;
        }
        let inner = urn.key.strip_prefix('(')?.strip_suffix(')')?;
        let (form, version) = inner.rsplit_once(',')?;
        Some(Self {
            form_id: urn_id(form, "leadGenForm").or_else(|| form.trim().parse().ok())?,
            version_id: version.trim().parse().ok()?,
        })
    }
}

impl fmt::Display for VersionedFormUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{},{})",
            self.form_id, self.version_id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_forms_are_read_with_and_without_blanks() {
        let expected = Some(VersionedFormUrn {
            form_id: 6_851_219_773_716_516_864,
            version_id: 2,
        });
        for text in [
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:6851219773716516864,2)",
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:6851219773716516864, 2)",
            " urn:li:versionedLeadGenForm:( urn:li:leadGenForm:6851219773716516864 , 2 ) ",
            "urn:li:versionedLeadGenForm:(6851219773716516864,2)",
        ] {
            assert_eq!(VersionedFormUrn::parse(text), expected, "{text}");
        }
        for text in [
            "",
            "urn:li:leadGenForm:1",
            "urn:li:versionedLeadGenForm:1",
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:1)",
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:x,1)",
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:99999999999999999999,1)",
            "urn:li:versionedLeadGenForm:(urn:li:person:1,1",
        ] {
            assert_eq!(VersionedFormUrn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_versioned_form_writes_what_it_reads() {
        let urn = VersionedFormUrn {
            form_id: 7_234_246,
            version_id: 1,
        };
        assert_eq!(VersionedFormUrn::parse(&urn.to_string()), Some(urn));
    }

    #[test]
    fn ids_are_taken_only_from_the_kind_asked_for() {
        assert_eq!(
            urn_id("urn:li:organization:2414183", "organization"),
            Some(2_414_183)
        );
        assert_eq!(urn_id("urn:li:organization:2414183", "person"), None);
        assert_eq!(urn_id("urn:li:person:aB3_", "person"), None);
        assert_eq!(
            Urn::parse("urn:li:person:aB3_").map(|urn| urn.key),
            Some("aB3_")
        );
        for bad in [
            "",
            "urn",
            "urn:li",
            "urn:li:organization",
            "urn:li:organization:",
            "http://x",
        ] {
            assert_eq!(Urn::parse(bad), None, "{bad}");
        }
    }
}
