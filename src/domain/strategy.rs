//! The matching strategy and the rules for changing it: exactly one is active, and each of its fields is mapped.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::StrategyId;
use super::lead::{FieldKey, LeadFields};
use super::matching::{MatchingSettings, OnMatchFail};
use super::normalise;

/// Which fields are compared to find the lead that a submission belongs to. All of them must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingStrategy {
    /// Its identifier.
    pub id: StrategyId,
    /// What people call it; unique.
    pub name: String,
    /// In the order in which pages show them; never empty.
    pub fields: Vec<FieldKey>,
    /// Whether it is the one in force.
    pub is_active: bool,
}

/// The most characters of a strategy's name.
pub const MAX_NAME: usize = 100;
/// The most fields of a strategy.
pub const MAX_FIELDS: usize = 10;

/// A rule that a change of strategies would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyRuleError {
    /// The name is blank.
    #[error("Enter a name for the strategy.")]
    NoName,
    /// The name has more than [`MAX_NAME`] characters.
    #[error("A name may have at most {MAX_NAME} characters.")]
    NameTooLong,
    /// Another strategy has the name.
    #[error("Another strategy has this name already. Choose a different one.")]
    DuplicateName,
    /// There would be nothing to compare.
    #[error("A strategy needs at least one field. Add a field before you remove this one.")]
    NoFields,
    /// More than [`MAX_FIELDS`] fields.
    #[error("A strategy may have at most {MAX_FIELDS} fields.")]
    TooManyFields,
    /// A field stands in it twice.
    #[error("The field “{}” stands in the strategy already.", .0.label())]
    DuplicateField(FieldKey),
    /// No mapping writes to the field.
    #[error("The field “{}” has no field mapping, so it would never have a value to compare. Add a mapping first.", .0.label())]
    FieldWithoutMapping(FieldKey),
    /// It is the active one.
    #[error("The active strategy cannot be deleted. Activate another strategy first.")]
    ActiveCannotBeDeleted,
    /// It is the active one, and nothing takes its place.
    #[error("The active strategy cannot be switched off. Activate another strategy instead.")]
    ActiveCannotBeSwitchedOff,
}

/// Every rule that this name breaks. `others` are the names of the other strategies.
#[must_use]
pub fn check_name<'a>(
    name: &str,
    others: impl IntoIterator<Item = &'a str>,
) -> Option<StrategyRuleError> {
    let Some(key) = normalise::text(name) else {
        return Some(StrategyRuleError::NoName);
    };
    if name.trim().chars().count() > MAX_NAME {
        return Some(StrategyRuleError::NameTooLong);
    }
    others
        .into_iter()
        .any(|other| normalise::text(other).as_ref() == Some(&key))
        .then_some(StrategyRuleError::DuplicateName)
}

/// Every rule that these fields break. `mapped` are the fields that some field mapping writes to.
#[must_use]
pub fn check_fields(fields: &[FieldKey], mapped: &BTreeSet<FieldKey>) -> Vec<StrategyRuleError> {
    let mut problems = Vec::new();
    if fields.is_empty() {
        problems.push(StrategyRuleError::NoFields);
    }
    if fields.len() > MAX_FIELDS {
        problems.push(StrategyRuleError::TooManyFields);
    }
    let mut seen = BTreeSet::new();
    for field in fields {
        if !seen.insert(field) {
            problems.push(StrategyRuleError::DuplicateField(field.clone()));
        } else if !mapped.contains(field) {
            problems.push(StrategyRuleError::FieldWithoutMapping(field.clone()));
        }
    }
    problems
}

/// Whether the strategy may become the active one: its fields must be sound at that moment.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_activation(
    strategy: &MatchingStrategy,
    mapped: &BTreeSet<FieldKey>,
) -> Result<(), StrategyRuleError> {
    check_fields(&strategy.fields, mapped)
        .into_iter()
        .next()
        .map_or(Ok(()), Err)
}

/// Whether the strategy may be deleted.
///
/// # Errors
/// The active one may not.
pub const fn check_deletion(strategy: &MatchingStrategy) -> Result<(), StrategyRuleError> {
    if strategy.is_active {
        Err(StrategyRuleError::ActiveCannotBeDeleted)
    } else {
        Ok(())
    }
}

/// Whether the strategy may be switched off without another one taking its place.
///
/// # Errors
/// The active one may not.
pub const fn check_deactivation(strategy: &MatchingStrategy) -> Result<(), StrategyRuleError> {
    if strategy.is_active {
        Err(StrategyRuleError::ActiveCannotBeSwitchedOff)
    } else {
        Ok(())
    }
}

/// The fields of the strategy that no mapping would write to any more: asked before a mapping is changed or deleted.
#[must_use]
pub fn unmapped_fields<'a>(
    strategy: &'a MatchingStrategy,
    mapped: &BTreeSet<FieldKey>,
) -> Vec<&'a FieldKey> {
    strategy
        .fields
        .iter()
        .filter(|field| !mapped.contains(*field))
        .collect()
}

/// What the strategy does, in one plain sentence, for example “Updates the lead whose Email and Phone both match; when only
/// some of them match, the submission ends as Match failed; when none matches, a lead is created.” Fields have the labels
/// of `known`.
#[must_use]
pub fn strategy_sentence(
    strategy: &MatchingStrategy,
    settings: &MatchingSettings,
    known: &LeadFields,
) -> String {
    if settings.always_create_lead {
        return "Compares nothing while “Always create lead” is on: every submission becomes a lead."
            .to_owned();
    }
    let labels: Vec<_> = strategy
        .fields
        .iter()
        .map(|field| known.label(field))
        .collect();
    let (named, is_several) = match labels.as_slice() {
        [] => {
            return "This strategy has no fields, so it matches nothing.".to_owned();
        }
        [only] => (format!("{only} matches"), false),
        [first, last] => (format!("{first} and {last} both match"), true),
        [rest @ .., last] => (format!("{} and {last} all match", rest.join(", ")), true),
    };
    let partly = match (is_several, settings.on_match_fail) {
        (false, _) => "",
        (true, OnMatchFail::Ignore) => {
            " when only some of them match, the submission ends as Match failed;"
        }
        (true, OnMatchFail::CreateNewLead) => {
            " when only some of them match, a lead is created all the same;"
        }
    };
    let none = if is_several {
        "none matches"
    } else {
        "no lead has it"
    };
    format!("Updates the lead whose {named};{partly} when {none}, a lead is created.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lead::LeadField;

    fn strategy(fields: &[LeadField], is_active: bool) -> MatchingStrategy {
        MatchingStrategy {
            id: StrategyId::new(uuid::Uuid::from_u128(1)),
            name: "By address".to_owned(),
            fields: fields
                .iter()
                .map(|field| FieldKey::Standard(*field))
                .collect(),
            is_active,
        }
    }

    fn mapped() -> BTreeSet<FieldKey> {
        [LeadField::Email, LeadField::Phone, LeadField::LastName]
            .map(FieldKey::Standard)
            .into_iter()
            .collect()
    }

    #[test]
    fn every_field_is_mapped_once() {
        use LeadField as F;
        let problems = |fields: &[F]| check_fields(&strategy(fields, false).fields, &mapped());
        assert_eq!(problems(&[F::Email, F::Phone]), []);
        assert_eq!(problems(&[]), [StrategyRuleError::NoFields]);
        assert_eq!(
            problems(&[F::City]),
            [StrategyRuleError::FieldWithoutMapping(FieldKey::Standard(
                F::City
            ))]
        );
        assert_eq!(
            problems(&[F::Email, F::Email]),
            [StrategyRuleError::DuplicateField(FieldKey::Standard(
                F::Email
            ))]
        );
        assert!(problems(&F::ALL[..11]).contains(&StrategyRuleError::TooManyFields));
    }

    #[test]
    fn the_active_strategy_stays_and_only_a_sound_one_is_activated() {
        let active = strategy(&[LeadField::Email], true);
        let idle = strategy(&[LeadField::City], false);
        assert_eq!(
            check_deletion(&active),
            Err(StrategyRuleError::ActiveCannotBeDeleted)
        );
        assert_eq!(
            check_deactivation(&active),
            Err(StrategyRuleError::ActiveCannotBeSwitchedOff)
        );
        assert_eq!(check_deletion(&idle), Ok(()));
        assert_eq!(check_deactivation(&idle), Ok(()));
        assert_eq!(check_activation(&active, &mapped()), Ok(()));
        assert!(check_activation(&idle, &mapped()).is_err());
        assert_eq!(
            unmapped_fields(&idle, &mapped()),
            [&FieldKey::Standard(LeadField::City)]
        );
        assert_eq!(
            unmapped_fields(&active, &mapped()),
            [&FieldKey::Standard(LeadField::Email); 0]
        );
    }

    #[test]
    fn a_name_is_given_short_and_unique() {
        assert_eq!(check_name("By phone", ["By e-mail"]), None);
        assert_eq!(check_name("  ", []), Some(StrategyRuleError::NoName));
        assert_eq!(
            check_name(&"x".repeat(101), []),
            Some(StrategyRuleError::NameTooLong)
        );
        assert_eq!(
            check_name(" by  E-MAIL", ["By e-mail"]),
            Some(StrategyRuleError::DuplicateName)
        );
    }

    #[test]
    fn a_strategy_reads_as_a_sentence() {
        use LeadField as F;
        let mut settings = MatchingSettings::default();
        for (fields, sentence) in [
            (
                &[][..],
                "This strategy has no fields, so it matches nothing.",
            ),
            (
                &[F::Email],
                "Updates the lead whose Email matches; when no lead has it, a lead is created.",
            ),
            (
                &[F::Email, F::Phone],
                "Updates the lead whose Email and Phone both match; when only some of them match, the submission ends as Match failed; when none matches, a lead is created.",
            ),
            (
                &[F::Email, F::Phone, F::City],
                "Updates the lead whose Email, Phone and City all match; when only some of them match, the submission ends as Match failed; when none matches, a lead is created.",
            ),
        ] {
            assert_eq!(
                strategy_sentence(&strategy(fields, true), &settings, &LeadFields::default()),
                sentence
            );
        }
        settings.on_match_fail = OnMatchFail::CreateNewLead;
        let both = strategy(&[F::Email, F::Phone], true);
        assert!(
            strategy_sentence(&both, &settings, &LeadFields::default())
                .contains("a lead is created all the same")
        );
        settings.always_create_lead = true;
        assert!(
            strategy_sentence(&both, &settings, &LeadFields::default())
                .contains("every submission becomes a lead")
        );
        assert_eq!(
            StrategyRuleError::FieldWithoutMapping(FieldKey::Standard(F::City)).to_string(),
            "The field “City” has no field mapping, so it would never have a value to compare. Add a mapping first."
        );
    }
}
