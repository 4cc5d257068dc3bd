//! The fields of a lead: one table of the standard ones, and the key that also names custom ones (product.md §3).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::words::{UnknownWord, words};

/// What a field can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FieldKind {
    /// Any text of at most `max` characters.
    Text {
        /// In characters.
        max: usize,
    },
    /// An e-mail address.
    Email,
    /// A phone number, kept as it was typed.
    Phone,
    /// A web address with http or https.
    Url,
    /// A date, or what people give instead of one: a year, or a month of a year.
    Date,
    /// A decimal number.
    Number,
    /// `yes` or `no`.
    YesNo,
    /// One of these values.
    Choice {
        /// In the order in which pages offer them.
        values: Vec<String>,
    },
}

/// The longest text that a text field takes: LinkedIn's own limit for an answer is 300 unless the form says more.
const TEXT: FieldKind = FieldKind::Text { max: 300 };

macro_rules! lead_fields {
    ($( $variant:ident = $word:literal => $label:literal, $column:expr, $kind:expr; )+) => {
        words! {
            /// The standard fields of a lead, in the order in which pages show them.
            pub enum LeadField {
                $( $variant = $word => $label ),+
            }
        }

        impl LeadField {
            /// The column of Dataverse's lead table, where there is one.
            #[must_use]
            pub const fn dataverse_column(self) -> Option<&'static str> {
                match self { $( Self::$variant => $column ),+ }
            }

            /// What the field can hold.
            #[must_use]
            pub const fn kind(self) -> FieldKind {
                match self { $( Self::$variant => $kind ),+ }
            }
        }
    };
}

lead_fields! {
    FirstName = "first_name" => "First name", Some("firstname"), TEXT;
    LastName = "last_name" => "Last name", Some("lastname"), TEXT;
    Email = "email" => "Email", Some("emailaddress1"), FieldKind::Email;
    WorkEmail = "work_email" => "Work email", Some("emailaddress2"), FieldKind::Email;
    Phone = "phone" => "Phone", Some("telephone1"), FieldKind::Phone;
    MobilePhone = "mobile_phone" => "Mobile phone", Some("mobilephone"), FieldKind::Phone;
    CompanyName = "company_name" => "Company name", Some("companyname"), TEXT;
    JobTitle = "job_title" => "Job title", Some("jobtitle"), TEXT;
    JobFunction = "job_function" => "Job function", None, TEXT;
    Seniority = "seniority" => "Seniority", None, TEXT;
    Industry = "industry" => "Industry", None, TEXT;
    CompanySize = "company_size" => "Company size", Some("numberofemployees"), TEXT;
    City = "city" => "City", Some("address1_city"), TEXT;
    State = "state" => "State", Some("address1_stateorprovince"), TEXT;
    Country = "country" => "Country", Some("address1_country"), TEXT;
    PostalCode = "postal_code" => "Postal code", Some("address1_postalcode"), FieldKind::Text { max: 40 };
    Website = "website" => "Website", Some("websiteurl"), FieldKind::Url;
    LinkedinProfileUrl = "linkedin_profile_url" => "LinkedIn profile URL", None, FieldKind::Url;
    School = "school" => "School", None, TEXT;
    Degree = "degree" => "Degree", None, TEXT;
    FieldOfStudy = "field_of_study" => "Field of study", None, TEXT;
    StartDate = "start_date" => "Start date", None, FieldKind::Date;
    GraduationDate = "graduation_date" => "Graduation date", None, FieldKind::Date;
    Description = "description" => "Description", Some("description"), FieldKind::Text { max: 10_000 };
}

/// Names one field of a lead, standard or custom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum FieldKey {
    /// One of product.md §3.
    Standard(LeadField),
    /// The name of a custom field, without the prefix `custom.`.
    Custom(String),
}

impl FieldKey {
    /// The stored word: the snake word of a standard field, or `custom.<name>`.
    #[must_use]
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Standard(field) => Cow::Borrowed(field.as_str()),
            Self::Custom(name) => Cow::Owned(format!("custom.{name}")),
        }
    }

    /// The label of a standard field; the name of a custom one, whose label is known to its definition only.
    #[must_use]
    pub fn label(&self) -> Cow<'_, str> {
        match self {
            Self::Standard(field) => Cow::Borrowed(field.label()),
            Self::Custom(name) => Cow::Borrowed(name),
        }
    }

    /// The standard field, if it is one.
    #[must_use]
    pub const fn standard(&self) -> Option<LeadField> {
        match self {
            Self::Standard(field) => Some(*field),
            Self::Custom(_) => None,
        }
    }
}

/// Whether this may be the name of a custom field: a lower-case letter, then letters, digits and underscores, at most 50.
#[must_use]
pub fn is_custom_field_name(name: &str) -> bool {
    name.len() <= 50
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl From<LeadField> for FieldKey {
    fn from(field: LeadField) -> Self {
        Self::Standard(field)
    }
}

impl std::str::FromStr for FieldKey {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word.strip_prefix("custom.") {
            Some(name) if is_custom_field_name(name) => Ok(Self::Custom(name.to_owned())),
            Some(_) => Err(UnknownWord {
                word: word.to_owned(),
                list: "FieldKey",
            }),
            None => word.parse().map(Self::Standard),
        }
    }
}

impl TryFrom<String> for FieldKey {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        word.parse()
    }
}

impl Serialize for FieldKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word())
    }
}

impl From<FieldKey> for String {
    fn from(key: FieldKey) -> Self {
        key.word().into_owned()
    }
}

impl std::fmt::Display for FieldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.word())
    }
}

/// The values of a lead. A field without a value stands not in the map; no value is blank.
pub type LeadValues = BTreeMap<FieldKey, String>;

/// A field that an Administrator defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// See [`is_custom_field_name`].
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What it can hold.
    pub kind: FieldKind,
}
