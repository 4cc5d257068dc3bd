//! Two versions of a form side by side, in words: what came, went, was reworded or renumbered.

use serde::Deserialize;

use crate::domain::form::{
    AlignedQuestion, ChangedPart, Difference, FormVersion, OptionChange, Question, QuestionChange,
    changed_parts, compare,
};

/// Which versions stand side by side, by LinkedIn's numbers.
#[derive(Debug, Default, Deserialize)]
pub struct VersionsQuery {
    left: Option<i64>,
    right: Option<i64>,
}

/// A question of two versions.
pub(super) struct ComparedRow {
    pub(super) left: Option<Question>,
    pub(super) right: Option<Question>,
    pub(super) tone: &'static str,
    pub(super) label: &'static str,
    pub(super) notes: Vec<String>,
}

/// The comparison that the page shows, with what there is to choose from.
#[derive(Default)]
pub(super) struct VersionComparison {
    /// Versions that are known, the newest first.
    pub(super) numbers: Vec<i64>,
    /// The chosen ones; by default the newest and the one before it.
    pub(super) left: i64,
    pub(super) right: i64,
    /// Whether somebody chose; otherwise the table stays folded.
    pub(super) is_chosen: bool,
    /// A chosen version that there is not.
    pub(super) unknown: Option<i64>,
    pub(super) rows: Vec<ComparedRow>,
    /// Questions that differ.
    pub(super) differing: usize,
    /// What differs beside the questions.
    pub(super) parts: Vec<ChangedPart>,
}

impl VersionComparison {
    /// The versions for the two choices.
    pub(super) fn pairs(&self) -> Vec<(i64, String)> {
        let label = |number: &i64| (*number, format!("Version {number}"));
        self.numbers.iter().map(label).collect()
    }

    /// Compares what was chosen; `None` for a form with a single version. `versions`: the newest first.
    pub(super) fn of(versions: &[FormVersion], query: &VersionsQuery) -> Option<Self> {
        let [newest, before, ..] = versions else {
            return None;
        };
        let (left, right) = (
            query.left.unwrap_or(before.number),
            query.right.unwrap_or(newest.number),
        );
        let find = |number: i64| versions.iter().find(|version| version.number == number);
        let numbers = versions.iter().map(|version| version.number).collect();
        let is_chosen = query.left.is_some() || query.right.is_some();
        let (Some(old), Some(new)) = (find(left), find(right)) else {
            let unknown = if find(left).is_none() { left } else { right };
            return Some(Self {
                numbers,
                left: before.number,
                right: newest.number,
                is_chosen,
                unknown: Some(unknown),
                ..Self::default()
            });
        };
        let rows: Vec<ComparedRow> = compare(old, new).into_iter().map(row).collect();
        Some(Self {
            differing: rows.iter().filter(|row| row.label != "The same").count(),
            numbers,
            left,
            right,
            is_chosen,
            unknown: None,
            parts: changed_parts(old, new),
            rows,
        })
    }
}

fn row(aligned: AlignedQuestion) -> ComparedRow {
    let (tone, label, notes) = match &aligned.change {
        QuestionChange::Added => ("good", "Added", Vec::new()),
        QuestionChange::Removed => ("bad", "Removed", Vec::new()),
        QuestionChange::Same => ("quiet", "The same", Vec::new()),
        QuestionChange::Changed(differences) => (
            "warn",
            "Changed",
            differences
                .iter()
                .map(|difference| note(difference, &aligned))
                .collect(),
        ),
    };
    ComparedRow {
        left: aligned.left,
        right: aligned.right,
        tone,
        label,
        notes,
    }
}

fn note(difference: &Difference, aligned: &AlignedQuestion) -> String {
    let number = |question: &Option<Question>| {
        question
            .as_ref()
            .map_or(String::new(), |question| question.id.to_string())
    };
    match difference {
        Difference::Text => "Another text".to_owned(),
        Difference::Name => "Another name".to_owned(),
        Difference::Number => format!(
            "Question {} became {}",
            number(&aligned.left),
            number(&aligned.right)
        ),
        Difference::PredefinedField => "Another predefined field".to_owned(),
        Difference::Kind => "Answered in another way".to_owned(),
        Difference::Required => {
            if aligned.right.as_ref().is_some_and(|right| right.required) {
                "Now required".to_owned()
            } else {
                "Now optional".to_owned()
            }
        }
        Difference::Position => "At another place".to_owned(),
        Difference::Option(OptionChange::Added(option)) => {
            format!("Option {} added: {}", option.id, option.text)
        }
        Difference::Option(OptionChange::Removed(option)) => {
            format!("Option {} removed: {}", option.id, option.text)
        }
        Difference::Option(OptionChange::Renumbered { text, left, right }) => {
            format!("Option renumbered from {left} to {right}: {text}")
        }
        Difference::Option(OptionChange::Reworded { id, left, right }) => {
            format!("Option {id} reworded: {left} → {right}")
        }
    }
}
