//! A column of the lead table of a Dynamics 365 organization, as that organization defines it.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadColumnKind {
    /// A text of at most so many characters.
    Text {
        /// The longest text, where the organization says so.
        max_length: Option<u32>,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A number with a fraction, an amount of money.
    Decimal,
    /// Yes or no.
    Boolean,
    /// A day or a moment.
    DateTime,
    /// One of several options: their numbers and their words.
    Choice {
        /// The options.
        options: Vec<(i64, String)>,
    },
    /// Anything that cannot be written: lookups, owners, states.
    Other,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadColumn {
    /// Its name in requests, `emailaddress1`.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// What it holds.
    pub kind: LeadColumnKind,
    /// Whether the organization's own forms ask for it.
    pub is_required: bool,
    /// Whether a new record may carry it.
    pub can_create: bool,
    /// Whether a change may carry it.
    pub can_update: bool,
}

impl LeadColumn {
    /// Whether a lead field may be mapped to it.
    #[must_use]
    pub fn is_mappable(&self) -> bool {
        self.can_create && self.can_update && self.kind != LeadColumnKind::Other
    }
}
