//! A column of the lead table of a Dynamics 365 organization, as that organization defines it.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    Decimal {
        /// The smallest, where the organization says so.
        min: Option<f64>,
        /// The largest, where the organization says so.
        max: Option<f64>,
    },
    /// Yes or no.
    Boolean,
    /// A day or a moment.
    DateTime {
        /// What it keeps of the two.
        behavior: DateTimeBehavior,
    },
    /// One of several options: their numbers and their words.
    Choice {
        /// The options.
        options: Vec<(i64, String)>,
    },
    /// Anything that cannot be written: lookups, owners, states.
    Other,
}

/// What a column for days and moments keeps, in Dataverse's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateTimeBehavior {
    /// A day.
    DateOnly,
    /// A day and a time, which every reader sees alike.
    TimeZoneIndependent,
    /// A moment, which every reader sees in the own time zone.
    UserLocal,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
