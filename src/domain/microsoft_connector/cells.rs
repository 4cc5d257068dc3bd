//! The columns of an exported record, found by any of their names and read as what they stand for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A header in the one form in which columns are looked for: `_msdyncrm_lead_value`, `msdyncrm_Lead` and “Lead” are `lead`.
#[must_use]
pub fn folded(header: &str) -> String {
    let lower = header.trim().to_lowercase();
    let name = lower.trim_start_matches('_');
    let name = name.strip_suffix("_value").unwrap_or(name);
    let name = name.strip_prefix("msdyncrm_").unwrap_or(name);
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Columns that every table of Dataverse has and nothing here reads, by logical and by display name.
const UNREAD: &[&str] = &[
    "odataetag",
    "donotmodifyrowchecksum",
    "donotmodifymodifiedon",
    "createdby",
    "createdbyname",
    "createdonbehalfby",
    "createdbydelegate",
    "modifiedby",
    "modifiedbyname",
    "modifiedon",
    "modifiedonbehalfby",
    "modifiedbydelegate",
    "ownerid",
    "owner",
    "owneridname",
    "owneridtype",
    "owningbusinessunit",
    "owningteam",
    "owninguser",
    "overriddencreatedon",
    "recordcreatedon",
    "statecode",
    "status",
    "statuscode",
    "statusreason",
    "importsequencenumber",
    "timezoneruleversionnumber",
    "utcconversiontimezonecode",
    "versionnumber",
];

/// The cells of a record by folded header; blank ones and those that nothing reads are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordCells(BTreeMap<String, String>);

impl RecordCells {
    /// Of a row under these headers, which are folded already. Of two columns with one name the first that is not blank counts.
    #[must_use]
    pub fn of(headers: &[String], row: &[String]) -> Self {
        let mut cells = BTreeMap::new();
        for (header, value) in headers.iter().zip(row) {
            let value = value.trim();
            let is_read = !header.is_empty() && !UNREAD.contains(&header.as_str());
            if is_read && !value.is_empty() && !value.contains('\0') {
                cells
                    .entry(header.clone())
                    .or_insert_with(|| value.to_owned());
            }
        }
        Self(cells)
    }

    /// The first of these columns that is not blank.
    #[must_use]
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .map(String::as_str)
    }

    /// A GUID in one of these columns, as the export may write it: with or without braces, in any case.
    #[must_use]
    pub fn guid(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| guid(self.0.get(*name)?))
    }

    /// What a lookup column names: a GUID in the form of [`RecordCells::guid`], or a name as it is.
    #[must_use]
    pub fn lookup(&self, names: &[&str]) -> Option<String> {
        self.text(names)
            .map(|text| guid(text).unwrap_or_else(|| text.to_owned()))
    }

    /// Yes or no; `None` when blank or neither.
    #[must_use]
    pub fn flag(&self, names: &[&str]) -> Option<bool> {
        flag_word(self.text(names)?)
    }

    /// Puts a value in place of another one.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }
}

/// Yes or no, as exports write it: as a number, as a word of a program, or in the language of whoever exported.
pub(super) fn flag_word(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "1" | "yes" | "accepted" | "ja" | "oui" | "sí" | "si" | "sì" | "sim" | "tak"
        | "ano" | "kyllä" | "192350001" => Some(true),
        "false" | "0" | "no" | "declined" | "nein" | "non" | "nee" | "nej" | "nei" | "não"
        | "nie" | "ne" | "ei" | "192350000" => Some(false),
        _ => None,
    }
}

/// A GUID in its usual form.
fn guid(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let is_guid = text.len() == 36
        && text.char_indices().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    is_guid.then(|| text.to_ascii_lowercase())
}
