//! One part of a breakdown: those with a certain campaign, say, or those without any.

use std::str::FromStr;

/// What a report is narrowed to in one respect. Written as the identifier, or `none`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String", bound = "T: FromStr, T::Err: std::fmt::Display")]
pub enum Part<T: FromStr> {
    /// Those with this one.
    Of(T),
    /// Those without any.
    Without,
}

impl<T: FromStr> FromStr for Part<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" => Ok(Self::Without),
            id => id.parse().map(Self::Of),
        }
    }
}

impl<T: FromStr> TryFrom<String> for Part<T> {
    type Error = T::Err;

    fn try_from(text: String) -> Result<Self, T::Err> {
        text.parse()
    }
}

impl<T: FromStr + std::fmt::Display> std::fmt::Display for Part<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Of(id) => id.fmt(f),
            Self::Without => f.pad("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::FormId;

    #[test]
    fn a_part_is_an_identifier_or_none() {
        let id = "018f2a3c-0000-7000-8000-0000000000ab";
        for text in [id, "none"] {
            assert_eq!(text.parse::<Part<FormId>>().unwrap().to_string(), text);
        }
        assert!("None".parse::<Part<FormId>>().is_err());
    }
}
