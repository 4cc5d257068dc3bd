//! What a change of the mappings changes on one submission: now beside then, field by field.

use std::collections::BTreeSet;

use super::{FieldMapping, FlagKind, MappedSubmission, WritePolicy};
use crate::domain::ids::MappingId;
use crate::domain::lead::FieldKey;

/// One field whose value, policy or flag would be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// The lead field.
    pub field: FieldKey,
    /// What the submission gives the field now.
    pub now: Option<String>,
    /// What it would give it then.
    pub then: Option<String>,
    /// The policies, where they differ.
    pub policies: Option<(Option<WritePolicy>, Option<WritePolicy>)>,
    /// Why a value would be left out then that is not left out now.
    pub problem: Option<FlagKind>,
}

fn text_of(mapped: &MappedSubmission, field: &FieldKey) -> Option<String> {
    let values: Vec<&str> = mapped
        .values
        .iter()
        .filter(|value| value.field == *field)
        .map(|value| value.value.as_str())
        .collect();
    (!values.is_empty()).then(|| values.join("\n"))
}

fn policy_of(mapped: &MappedSubmission, field: &FieldKey) -> Option<WritePolicy> {
    let mut values = mapped.values.iter();
    values
        .find(|value| value.field == *field)
        .map(|value| value.policy)
}

/// The fields that differ, in the order of the lead's fields.
#[must_use]
pub fn differences(now: &MappedSubmission, then: &MappedSubmission) -> Vec<FieldDifference> {
    let flagged = |mapped: &MappedSubmission, field: &FieldKey| -> Option<FlagKind> {
        let mut flags = mapped.flags.iter();
        flags
            .find(|flag| flag.field.as_ref() == Some(field))
            .map(|flag| flag.problem)
    };
    let flags = now.flags.iter().chain(&then.flags);
    let fields: BTreeSet<&FieldKey> = now
        .values
        .iter()
        .chain(&then.values)
        .map(|value| &value.field)
        .chain(flags.filter_map(|flag| flag.field.as_ref()))
        .collect();
    fields
        .into_iter()
        .filter_map(|field| {
            let difference = FieldDifference {
                now: text_of(now, field),
                then: text_of(then, field),
                policies: Some((policy_of(now, field), policy_of(then, field)))
                    .filter(|(now, then)| now != then && now.is_some() && then.is_some()),
                problem: flagged(then, field)
                    .filter(|problem| flagged(now, field) != Some(*problem)),
                field: field.clone(),
            };
            let is_same = difference.now == difference.then
                && difference.policies.is_none()
                && difference.problem.is_none();
            (!is_same).then_some(difference)
        })
        .collect()
}

/// One change of the list of mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingChange {
    /// A new mapping, or other content for the one with the same identifier.
    Put(FieldMapping),
    /// The mapping goes.
    Remove(MappingId),
}

impl MappingChange {
    /// The list after the change.
    #[must_use]
    pub fn applied_to(&self, mappings: &[FieldMapping]) -> Vec<FieldMapping> {
        let own = match self {
            Self::Put(mapping) => &mapping.id,
            Self::Remove(id) => id,
        };
        let mut after: Vec<FieldMapping> = mappings
            .iter()
            .filter(|mapping| mapping.id != *own)
            .cloned()
            .collect();
        if let Self::Put(mapping) = self {
            after.push(mapping.clone());
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_mapping::{MappedValue, MappingFlag};
    use crate::domain::lead::LeadField;

    fn value(field: LeadField, value: &str, policy: WritePolicy) -> MappedValue {
        MappedValue {
            field: field.into(),
            value: value.to_owned(),
            policy,
            mapping_id: MappingId::new(uuid::Uuid::nil()),
        }
    }

    fn mapped(values: Vec<MappedValue>) -> MappedSubmission {
        MappedSubmission {
            values,
            ..MappedSubmission::default()
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        use WritePolicy::{Append, FillIfEmpty, Overwrite};
        let now = mapped(vec![
            value(LeadField::City, "Bonn", Overwrite),
            value(LeadField::Country, "DE", Overwrite),
            value(LeadField::Website, "https://a.example", Overwrite),
            value(LeadField::Description, "one", Append),
        ]);
        let mut then = mapped(vec![
            value(LeadField::City, "Bonn", Overwrite),
            value(LeadField::Country, "DE", FillIfEmpty),
            value(LeadField::Description, "one", Append),
            value(LeadField::Description, "two", Append),
        ]);
        then.flags.push(MappingFlag {
            mapping_id: None,
            field: Some(LeadField::Website.into()),
            question_id: None,
            problem: FlagKind::NotAUrl,
        });
        let told = differences(&now, &then);
        let fields: Vec<_> = told
            .iter()
            .map(|one| (one.field.standard().unwrap(), one.then.as_deref()))
            .collect();
        assert_eq!(
            fields,
            [
                (LeadField::Country, Some("DE")),
                (LeadField::Website, None),
                (LeadField::Description, Some("one\ntwo")),
            ]
        );
        assert_eq!(told[0].policies, Some((Some(Overwrite), Some(FillIfEmpty))));
        assert_eq!(told[1].problem, Some(FlagKind::NotAUrl));
        assert_eq!(differences(&now, &now), []);
    }
}
