//! A column mapping as somebody types it, and the rules that it must keep.

use std::collections::BTreeMap;

use super::{ColumnMapping, ColumnRule, LeadPart};
use crate::domain::lead_column::{LeadColumn, LeadColumnKind};
use crate::domain::normalise;

/// One line as it is typed; a blank column: the part is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedRule {
    /// The part of the lead.
    pub part: LeadPart,
    /// The name of the column.
    pub column: String,
    /// Whether text that is too long is cut.
    pub cuts: bool,
    /// What is sent instead of a value: one a line, `value = replacement`.
    pub values: String,
}

/// The most replacements of one part.
pub const MAX_REPLACEMENTS: usize = 200;
/// The most characters of a value or its replacement.
pub const MAX_REPLACEMENT: usize = 300;

/// A rule that the mapping breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnRuleError {
    /// The organization does not have the column.
    #[error("The organization has no column “{0}” (any more). Choose another one.")]
    NoSuchColumn(String),
    /// Lookups, owners, states and columns that only the organization itself fills.
    #[error("The column “{0}” cannot be written. Choose another one.")]
    NotWritable(String),
    /// A column takes one part.
    #[error("Two parts go to the column “{0}”. A column takes one.")]
    TwiceMapped(String),
    /// A line without “=”.
    #[error("Line {0} has no “=”. Write one replacement a line: value = what is sent instead.")]
    NoEqualsSign(usize),
    /// A value stands there twice, whatever its case.
    #[error("The value “{0}” stands there twice.")]
    DuplicateValue(String),
    /// More lines than `MAX_REPLACEMENTS`, or longer ones than `MAX_REPLACEMENT`.
    #[error(
        "There may be at most {MAX_REPLACEMENTS} replacements of at most {MAX_REPLACEMENT} characters."
    )]
    TooMuch,
    /// A replacement that is none of the column's options.
    #[error(
        "The column has no option “{0}”. Write an option’s name or number, or nothing after “=” to send nothing."
    )]
    NoSuchOption(String),
}

/// Checks a mapping against the columns of the organization.
///
/// # Errors
/// Every part with the first rule that it breaks.
pub fn check(
    typed: &[TypedRule],
    columns: &[LeadColumn],
) -> Result<ColumnMapping, Vec<(LeadPart, ColumnRuleError)>> {
    let mut rules: Vec<ColumnRule> = Vec::new();
    let mut wrong = Vec::new();
    for line in typed {
        if line.column.is_empty() {
            continue;
        }
        match rule(line, columns, &rules) {
            Ok(rule) => rules.push(rule),
            Err(error) => wrong.push((line.part.clone(), error)),
        }
    }
    if wrong.is_empty() {
        Ok(ColumnMapping { rules })
    } else {
        Err(wrong)
    }
}

fn rule(
    line: &TypedRule,
    columns: &[LeadColumn],
    before: &[ColumnRule],
) -> Result<ColumnRule, ColumnRuleError> {
    let name = &line.column;
    let column = columns
        .iter()
        .find(|column| column.name == *name)
        .ok_or_else(|| ColumnRuleError::NoSuchColumn(name.clone()))?;
    if !column.is_mappable() {
        return Err(ColumnRuleError::NotWritable(column.label.clone()));
    }
    if before.iter().any(|rule| rule.column == *name) {
        return Err(ColumnRuleError::TwiceMapped(column.label.clone()));
    }
    let values = replacements(&line.values)?;
    if let LeadColumnKind::Choice { options } = &column.kind {
        let is_option = |text: &str| {
            let key = normalise::text(text);
            options.iter().any(|(number, label)| {
                number.to_string() == text || (key.is_some() && normalise::text(label) == key)
            })
        };
        if let Some(unknown) = values.values().find(|to| !to.is_empty() && !is_option(to)) {
            return Err(ColumnRuleError::NoSuchOption(unknown.clone()));
        }
    }
    Ok(ColumnRule {
        part: line.part.clone(),
        column: name.clone(),
        cuts: line.cuts,
        values,
    })
}

fn replacements(text: &str) -> Result<BTreeMap<String, String>, ColumnRuleError> {
    let mut values = BTreeMap::new();
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (from, to) = line
            .split_once('=')
            .map(|(from, to)| (from.trim(), to.trim()))
            .filter(|(from, _)| !from.is_empty())
            .ok_or(ColumnRuleError::NoEqualsSign(number + 1))?;
        let is_long = |text: &str| text.chars().count() > MAX_REPLACEMENT;
        if values.len() == MAX_REPLACEMENTS || is_long(from) || is_long(to) {
            return Err(ColumnRuleError::TooMuch);
        }
        let key = normalise::text(from);
        if keys.contains(&key) {
            return Err(ColumnRuleError::DuplicateValue(from.to_owned()));
        }
        keys.push(key);
        values.insert(from.to_owned(), to.to_owned());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<LeadColumn> {
        let column = |name: &str, kind| LeadColumn {
            name: name.to_owned(),
            label: name.to_uppercase(),
            kind,
            is_required: false,
            can_create: true,
            can_update: true,
        };
        vec![
            column("subject", LeadColumnKind::Text { max_length: None }),
            column(
                "leadsourcecode",
                LeadColumnKind::Choice {
                    options: vec![(8, "Web".to_owned())],
                },
            ),
            column("ownerid", LeadColumnKind::Other),
        ]
    }

    fn typed(part: LeadPart, column: &str, values: &str) -> TypedRule {
        TypedRule {
            part,
            column: column.to_owned(),
            cuts: false,
            values: values.to_owned(),
        }
    }

    fn wrong(rules: &[TypedRule]) -> Vec<ColumnRuleError> {
        let errors = check(rules, &columns()).expect_err("wrong");
        errors.into_iter().map(|(_, error)| error).collect()
    }

    #[test]
    fn lines_without_a_column_are_left_out_and_replacements_are_read() {
        let mapping = check(
            &[
                typed(LeadPart::Topic, "", ""),
                typed(
                    LeadPart::Source,
                    "leadsourcecode",
                    "LinkedIn = Web\n\n Manual =\nImport=8",
                ),
            ],
            &columns(),
        )
        .expect("right");
        assert_eq!(mapping.rules.len(), 1);
        let values: Vec<_> = mapping.rules[0].values.iter().collect();
        assert_eq!(values.len(), 3);
        assert_eq!(mapping.rules[0].values["Manual"], "");
    }

    #[test]
    fn every_broken_rule_is_told_with_its_fix() {
        let twice = [
            typed(LeadPart::Topic, "subject", ""),
            typed(LeadPart::Source, "subject", ""),
        ];
        assert_eq!(
            wrong(&twice),
            [ColumnRuleError::TwiceMapped("SUBJECT".to_owned())]
        );
        let part = || LeadPart::Source;
        for (column, values, error) in [
            (
                "nothing",
                "",
                ColumnRuleError::NoSuchColumn("nothing".to_owned()),
            ),
            (
                "ownerid",
                "",
                ColumnRuleError::NotWritable("OWNERID".to_owned()),
            ),
            ("subject", "a\n", ColumnRuleError::NoEqualsSign(1)),
            ("subject", "a = 1\n = 2", ColumnRuleError::NoEqualsSign(2)),
            (
                "subject",
                "a=1\nA=2",
                ColumnRuleError::DuplicateValue("A".to_owned()),
            ),
            (
                "leadsourcecode",
                "a=Fair",
                ColumnRuleError::NoSuchOption("Fair".to_owned()),
            ),
        ] {
            assert_eq!(wrong(&[typed(part(), column, values)]), [error]);
        }
    }
}
