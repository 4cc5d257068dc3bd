//! Import of leads from a file: what columns fill, how a row is read, and how it is written onto a lead and taken back.

mod headers;
mod row;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::ids::UserId;
use super::lead::{CustomField, FieldKey, FieldKind, LeadField, LeadStatus, Origin};
use super::words::{UnknownWord, words};

pub use headers::{guess, guess_all};
pub use row::{ImportRow, OwnerChoice, RowReading, new_lead, read_row, take_back, write_onto};

/// The most rows that one import takes, without the header.
pub const MAX_ROWS: i64 = 200_000;
/// The most columns that one import takes.
pub const MAX_COLUMNS: usize = 200;

words! {
    /// How far an import is.
    pub enum ImportState {
        Reading = "reading" => "Reading the file",
        Mapping = "mapping" => "Waiting for its columns",
        Checking = "checking" => "Checking",
        Checked = "checked" => "Ready to import",
        Importing = "importing" => "Importing",
        Imported = "imported" => "Imported",
        Undoing = "undoing" => "Undoing",
        Undone = "undone" => "Undone",
    }
}

impl ImportState {
    /// Whether the portal works on it by itself now.
    #[must_use]
    pub const fn is_working(self) -> bool {
        matches!(self, Self::Checking | Self::Importing | Self::Undoing)
    }

    /// Whether leads were written already.
    #[must_use]
    pub const fn has_written(self) -> bool {
        matches!(
            self,
            Self::Importing | Self::Imported | Self::Undoing | Self::Undone
        )
    }
}

words! {
    /// What became, or would become, of a row.
    pub enum RowOutcome {
        Created = "created" => "Created",
        Updated = "updated" => "Updated",
        Skipped = "skipped" => "Skipped",
        Invalid = "invalid" => "Invalid",
    }
}

impl RowOutcome {
    /// The same before it happened.
    #[must_use]
    pub const fn planned(self) -> &'static str {
        match self {
            Self::Created => "Create",
            Self::Updated => "Update",
            Self::Skipped => "Skip",
            Self::Invalid => "Invalid",
        }
    }
}

words! {
    /// What undoing an import did to the lead of a row.
    pub enum UndoOutcome {
        Removed = "removed" => "Lead deleted",
        Restored = "restored" => "Values restored",
        Kept = "kept" => "Left alone",
    }
}

words! {
    /// By what the rows of an import find existing leads.
    pub enum MatchBy {
        Strategy = "strategy" => "The active matching strategy",
        Email = "email" => "The e-mail address",
        Nothing = "nothing" => "Nothing: every row becomes a new lead",
    }
}

words! {
    /// What happens to a lead that a row matches.
    pub enum OnMatch {
        FillIfEmpty = "fill_if_empty" => "Fill empty fields only",
        Overwrite = "overwrite" => "Overwrite with the values of the file",
        Skip = "skip" => "Leave the lead alone and skip the row",
    }
}

/// What a column of the file fills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnTarget {
    /// A standard or custom field.
    Field(FieldKey),
    /// What the lead is about.
    Topic,
    /// How far the work on it is.
    Status,
    /// Whose it is: a name or an e-mail address of a user.
    Owner,
}

impl ColumnTarget {
    /// The stored word.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Field(key) => key.word().into_owned(),
            Self::Topic => "topic".to_owned(),
            Self::Status => "status".to_owned(),
            Self::Owner => "owner".to_owned(),
        }
    }

    /// What people call it.
    #[must_use]
    pub fn label(&self, custom: &[CustomField]) -> String {
        match self {
            Self::Field(FieldKey::Custom(name)) => custom
                .iter()
                .find(|field| field.name == *name)
                .map_or_else(|| name.clone(), |field| field.label.clone()),
            Self::Field(FieldKey::Standard(field)) => field.label().to_owned(),
            Self::Topic => "Topic".to_owned(),
            Self::Status => "Status".to_owned(),
            Self::Owner => "Owner".to_owned(),
        }
    }

    /// Everything that a column can fill, in the order in which pages offer it.
    #[must_use]
    pub fn all(custom: &[CustomField]) -> Vec<Self> {
        LeadField::ALL
            .iter()
            .map(|field| Self::Field(FieldKey::Standard(*field)))
            .chain(
                custom
                    .iter()
                    .map(|field| Self::Field(FieldKey::Custom(field.name.clone()))),
            )
            .chain([Self::Topic, Self::Status, Self::Owner])
            .collect()
    }
}

impl std::str::FromStr for ColumnTarget {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "topic" => Ok(Self::Topic),
            "status" => Ok(Self::Status),
            "owner" => Ok(Self::Owner),
            word => word.parse().map(Self::Field),
        }
    }
}

impl TryFrom<String> for ColumnTarget {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        word.parse()
    }
}

impl From<ColumnTarget> for String {
    fn from(target: ColumnTarget) -> Self {
        target.word()
    }
}

/// What a person decided about an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPlan {
    /// What each column fills, in the order of the columns; `None` leaves it out.
    pub columns: Vec<Option<ColumnTarget>>,
    /// By what existing leads are found.
    pub match_by: MatchBy,
    /// What happens to them.
    pub on_match: OnMatch,
    /// Owner of new leads whose row names none.
    pub owner_id: UserId,
    /// Status of new leads whose row names none.
    pub status: LeadStatus,
}

impl ImportPlan {
    /// The first target that two columns fill, if there is one.
    #[must_use]
    pub fn doubled(&self) -> Option<&ColumnTarget> {
        let mut seen = std::collections::BTreeSet::new();
        self.columns
            .iter()
            .flatten()
            .find(|target| !seen.insert(*target))
    }

    /// Whether any column fills anything.
    #[must_use]
    pub fn fills_something(&self) -> bool {
        self.columns.iter().any(Option::is_some)
    }
}

/// What a row changed on one part of a lead: the word of a field, `topic`, `status` or `owner`, with the stored values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportChange {
    /// What changed.
    pub field: ColumnTarget,
    /// The value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after.
    pub after: String,
    /// Who had written the value before, for fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Origin>,
}

/// What a field holds; `None` for a custom field that is not defined (any more).
#[must_use]
pub fn kind_of(key: &FieldKey, custom: &[CustomField]) -> Option<FieldKind> {
    match key {
        FieldKey::Standard(field) => Some(field.kind()),
        FieldKey::Custom(name) => custom
            .iter()
            .find(|field| field.name == *name)
            .map(|field| field.kind.clone()),
    }
}
