//! Deserialising what LinkedIn may change without notice: null for absent, numbers as text, lists with unreadable members.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// `null` counts as the default value.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A 64-bit number, also when it is written as text; never by way of a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;
        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
                i64::try_from(value)
                    .map(Whole)
                    .map_err(|_| E::custom("number too large, expected a 64-bit number"))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Whole, E> {
                value
                    .trim()
                    .parse()
                    .map(Whole)
                    .map_err(|_| E::custom("text, expected a whole number"))
            }
        }
        deserializer.deserialize_any(WholeVisitor)
    }
}

/// A required whole number.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Whole::deserialize(deserializer).map(|whole| whole.0)
}

/// An optional whole number.
pub(super) fn maybe_whole<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|whole| whole.0))
}
