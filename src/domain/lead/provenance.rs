//! Where each value of a lead came from, so that the newest submission wins whatever the order of arrival.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field::FieldKey;
use crate::domain::ids::SubmissionId;
use crate::domain::submission::SubmissionStamp;
use crate::domain::words::words;

words! {
    /// Who wrote a value.
    pub enum Origin {
        Submission = "submission" => "Form submission",
        Person = "person" => "Person",
        Import = "import" => "Import",
    }
}

/// The origin of one value.
///
/// A value that a person or an import wrote keeps the stamp of the submission whose value it replaced: doing that
/// submission again must not undo the edit, while any newer submission writes over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOrigin {
    /// Who wrote it.
    pub by: Origin,
    /// The submission that wrote it, or whose value was replaced.
    pub submission_id: Option<SubmissionId>,
    /// LinkedIn's response id: it orders submissions of the same instant.
    pub response_id: Option<String>,
    /// When that submission was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
}

impl FieldOrigin {
    /// Written by this submission.
    #[must_use]
    pub fn submission(stamp: &SubmissionStamp) -> Self {
        Self {
            by: Origin::Submission,
            submission_id: Some(stamp.id.clone()),
            response_id: Some(stamp.response_id.clone()),
            submitted_at: Some(stamp.submitted_at),
        }
    }

    /// Written by a person or an import on a field that no submission had filled.
    #[must_use]
    pub const fn outside(by: Origin) -> Self {
        Self {
            by,
            submission_id: None,
            response_id: None,
            submitted_at: None,
        }
    }

    /// Whether a submission may write over this value: it is newer, or it is the very submission that wrote it.
    pub(super) fn yields_to(&self, stamp: &SubmissionStamp) -> bool {
        let Some(written_at) = self.submitted_at else {
            return true;
        };
        let theirs = (stamp.submitted_at, stamp.response_id.as_str());
        let ours = (written_at, self.response_id.as_deref().unwrap_or_default());
        match self.by {
            Origin::Submission => theirs >= ours,
            Origin::Person | Origin::Import => theirs > ours,
        }
    }
}

/// The origins of a lead's values, by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance(BTreeMap<FieldKey, FieldOrigin>);

impl Provenance {
    /// No origins yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a person or an import wrote (or emptied) this field.
    pub fn edited(&mut self, field: FieldKey, by: Origin) {
        self.0
            .entry(field)
            .and_modify(|origin| origin.by = by)
            .or_insert_with(|| FieldOrigin::outside(by));
    }

    /// The fields whose value came from this submission, for erasure.
    pub fn fields_of<'a>(
        &'a self,
        submission: &'a SubmissionId,
    ) -> impl Iterator<Item = &'a FieldKey> + 'a {
        self.0
            .iter()
            .filter(move |(_, origin)| {
                origin.by == Origin::Submission && origin.submission_id.as_ref() == Some(submission)
            })
            .map(|(field, _)| field)
    }
}

impl Deref for Provenance {
    type Target = BTreeMap<FieldKey, FieldOrigin>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Provenance {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl FromIterator<(FieldKey, FieldOrigin)> for Provenance {
    fn from_iter<T: IntoIterator<Item = (FieldKey, FieldOrigin)>>(origins: T) -> Self {
        Self(origins.into_iter().collect())
    }
}

/// The stored form of one origin with all its fields. Most leads have one, so the JSON stays short.
#[derive(Serialize, Deserialize)]
struct Group<F> {
    #[serde(rename = "by")]
    by: Origin,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    submission_id: Option<SubmissionId>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    response_id: Option<String>,
    /// Microseconds since 1970.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    submitted_at: Option<i64>,
    #[serde(rename = "f")]
    fields: Vec<F>,
}

impl Serialize for Provenance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut groups: Vec<(&FieldOrigin, Vec<std::borrow::Cow<'static, str>>)> = Vec::new();
        for (field, origin) in &self.0 {
            match groups.iter_mut().find(|(known, _)| *known == origin) {
                Some((_, fields)) => fields.push(field.word()),
                None => groups.push((origin, vec![field.word()])),
            }
        }
        serializer.collect_seq(groups.into_iter().map(|(origin, fields)| Group {
            by: origin.by,
            submission_id: origin.submission_id.clone(),
            response_id: origin.response_id.clone(),
            submitted_at: origin.submitted_at.map(|at| at.timestamp_micros()),
            fields,
        }))
    }
}

impl<'de> Deserialize<'de> for Provenance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let groups = Vec::<Group<FieldKey>>::deserialize(deserializer)?;
        let mut origins = BTreeMap::new();
        for group in groups {
            let submitted_at = match group.submitted_at {
                None => None,
                Some(micros) => Some(
                    DateTime::from_timestamp_micros(micros)
                        .ok_or_else(|| serde::de::Error::custom("a time out of range"))?,
                ),
            };
            for field in group.fields {
                origins.insert(
                    field,
                    FieldOrigin {
                        by: group.by,
                        submission_id: group.submission_id.clone(),
                        response_id: group.response_id.clone(),
                        submitted_at,
                    },
                );
            }
        }
        Ok(Self(origins))
    }
}
