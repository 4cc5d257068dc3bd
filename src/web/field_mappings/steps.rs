//! The steps of a mapping's chain as plain form controls, and the way from them to the domain's transforms and back.

use std::collections::BTreeMap;

use crate::domain::field_mapping::{Otherwise, Source, SourceKind, Transform};
use crate::domain::words::words;
use crate::web::WebError;
use crate::web::form::FieldErrors;

use super::input::{one, optional, sentence};

words! {
    /// The kinds of steps, as the select of the form offers them.
    pub enum StepKind {
        Trim = "trim" => "Trim white space",
        Upper = "upper" => "UPPER CASE",
        Lower = "lower" => "lower case",
        TitleCase = "title_case" => "Title Case",
        Join = "join" => "Join",
        Split = "split" => "Split, take one part",
        Default = "default" => "Default value",
        ValueMap = "value_map" => "Replace values",
    }
}

/// The most characters of a text area of a step.
const MAX_AREA: usize = 100_000;
/// The most characters of a text field of a step.
const MAX_TEXT: usize = 1_000;

/// The controls of one step. Each kind uses some of them; the others do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepInput {
    /// The word of the kind; empty: no step.
    pub kind: String,
    /// The separator of a join or split.
    pub separator: String,
    /// Which part of a split.
    pub part: String,
    /// The default value.
    pub value: String,
    /// The further sources of a join, one a line.
    pub sources: String,
    /// The pairs of a value map, one a line: `from = to`.
    pub pairs: String,
    /// What a value map does with other values: `keep` or `leave_out`.
    pub otherwise: String,
}

impl StepInput {
    /// The controls of a stored step.
    pub fn of(transform: &Transform) -> Self {
        let kind = |kind: StepKind| Self {
            kind: kind.as_str().to_owned(),
            ..Self::default()
        };
        match transform {
            Transform::Trim => kind(StepKind::Trim),
            Transform::Upper => kind(StepKind::Upper),
            Transform::Lower => kind(StepKind::Lower),
            Transform::TitleCase => kind(StepKind::TitleCase),
            Transform::Join { separator, with } => Self {
                separator: separator.clone(),
                sources: lines(with.iter().map(source_line)),
                ..kind(StepKind::Join)
            },
            Transform::Split { separator, part } => Self {
                separator: separator.clone(),
                part: part.to_string(),
                ..kind(StepKind::Split)
            },
            Transform::Default { value } => Self {
                value: value.clone(),
                ..kind(StepKind::Default)
            },
            Transform::ValueMap { pairs, otherwise } => Self {
                pairs: lines(
                    pairs
                        .iter()
                        .map(|(from, to)| format!("{} = {to}", escape(from))),
                ),
                otherwise: match otherwise {
                    Otherwise::Keep => "keep",
                    Otherwise::LeaveOut => "leave_out",
                }
                .to_owned(),
                ..kind(StepKind::ValueMap)
            },
        }
    }

    /// Reads the controls of the step with this number, counted from 1; `None` if the form has fewer steps.
    ///
    /// # Errors
    /// `Invalid` when a control of the step is missing or comes twice.
    pub fn read(fields: &[(String, String)], number: usize) -> Result<Option<Self>, WebError> {
        let Some(kind) = optional(fields, &format!("step_{number}_kind"))? else {
            return Ok(None);
        };
        let control = |name: &str| one(fields, &format!("step_{number}_{name}"));
        Ok(Some(Self {
            kind,
            separator: control("separator")?,
            part: control("part")?,
            value: control("value")?,
            sources: control("sources")?,
            pairs: control("pairs")?,
            otherwise: control("otherwise")?,
        }))
    }

    /// The controls as fields of the form; the number is counted from 1.
    pub fn fields(&self, number: usize) -> Vec<(String, String)> {
        [
            ("kind", &self.kind),
            ("separator", &self.separator),
            ("part", &self.part),
            ("value", &self.value),
            ("sources", &self.sources),
            ("pairs", &self.pairs),
            ("otherwise", &self.otherwise),
        ]
        .into_iter()
        .map(|(name, value)| (format!("step_{number}_{name}"), value.clone()))
        .collect()
    }

    /// Whether it replaces values.
    pub fn is_value_map(&self) -> bool {
        self.kind == StepKind::ValueMap.as_str()
    }

    /// Makes it a value map that names each of these values; a value that stands there keeps its replacement.
    pub fn fill_options(&mut self, options: &[String]) {
        StepKind::ValueMap.as_str().clone_into(&mut self.kind);
        if self.otherwise.is_empty() {
            "keep".clone_into(&mut self.otherwise);
        }
        let known: Vec<String> = numbered_lines(&self.pairs)
            .filter_map(|(_, line)| split_pair(line).map(|(from, _)| from))
            .collect();
        let missing = options
            .iter()
            .filter(|option| !known.contains(*option))
            .map(|option| {
                let option = option.replace(['\r', '\n'], " ");
                format!("{} = {option}", escape(&option))
            });
        let mut pairs: Vec<String> = self.pairs.lines().map(str::to_owned).collect();
        pairs.extend(missing);
        self.pairs = pairs.join("\n");
    }

    /// The transform; `None` for an empty step, and when something is wrong: `errors` says what.
    pub fn check(&self, number: usize, errors: &mut FieldErrors) -> Option<Transform> {
        if self.kind.is_empty() {
            return None;
        }
        let at = |control: &str| format!("step_{number}_{control}");
        let Ok(kind) = self.kind.parse::<StepKind>() else {
            errors.add(&at("kind"), "Choose a step from the list, or none.");
            return None;
        };
        match kind {
            StepKind::Trim => Some(Transform::Trim),
            StepKind::Upper => Some(Transform::Upper),
            StepKind::Lower => Some(Transform::Lower),
            StepKind::TitleCase => Some(Transform::TitleCase),
            StepKind::Join => {
                check_length(&at("separator"), &self.separator, MAX_TEXT, errors)?;
                Some(Transform::Join {
                    separator: self.separator.clone(),
                    with: self.check_sources(&at("sources"), errors)?,
                })
            }
            StepKind::Split => {
                check_length(&at("separator"), &self.separator, MAX_TEXT, errors)?;
                if self.separator.is_empty() {
                    errors.add(
                        &at("separator"),
                        "Enter the text at which to split, for example @.",
                    );
                }
                let part = self.part.trim().parse::<i64>().ok();
                match part {
                    Some(part @ (-1_000..=-1 | 1..=1_000)) if !self.separator.is_empty() => {
                        Some(Transform::Split {
                            separator: self.separator.clone(),
                            part,
                        })
                    }
                    Some(-1_000..=-1 | 1..=1_000) => None,
                    _ => {
                        errors.add(
                            &at("part"),
                            "Enter which part to take: 1 for the first, 2 for the second, −1 for the last.",
                        );
                        None
                    }
                }
            }
            StepKind::Default => {
                check_length(&at("value"), &self.value, MAX_TEXT, errors)?;
                if self.value.trim().is_empty() {
                    errors.add(
                        &at("value"),
                        "Enter the value to take when there is no answer.",
                    );
                    return None;
                }
                Some(Transform::Default {
                    value: self.value.clone(),
                })
            }
            StepKind::ValueMap => {
                let otherwise = match self.otherwise.as_str() {
                    "keep" => Some(Otherwise::Keep),
                    "leave_out" => Some(Otherwise::LeaveOut),
                    _ => {
                        errors.add(&at("otherwise"), "Choose what happens to other values.");
                        None
                    }
                };
                let pairs = self.check_pairs(&at("pairs"), errors)?;
                Some(Transform::ValueMap {
                    pairs,
                    otherwise: otherwise?,
                })
            }
        }
    }

    fn check_sources(&self, field: &str, errors: &mut FieldErrors) -> Option<Vec<Source>> {
        check_length(field, &self.sources, MAX_AREA, errors)?;
        let mut sources = Vec::new();
        for (number, line) in numbered_lines(&self.sources) {
            match parse_source_line(line) {
                Ok(source) => sources.push(source),
                Err(message) => {
                    errors.add(field, format!("Line {number}: {message}"));
                    return None;
                }
            }
        }
        if sources.len() > 20 {
            errors.add(field, "A join can have at most 20 further sources.");
            return None;
        }
        Some(sources)
    }

    fn check_pairs(
        &self,
        field: &str,
        errors: &mut FieldErrors,
    ) -> Option<BTreeMap<String, String>> {
        check_length(field, &self.pairs, MAX_AREA, errors)?;
        let mut pairs = BTreeMap::new();
        for (number, line) in numbered_lines(&self.pairs) {
            let Some((from, to)) = split_pair(line) else {
                errors.add(
                    field,
                    format!("Line {number} has no “=”. Write each line as: from = to"),
                );
                return None;
            };
            if from.is_empty() {
                errors.add(field, format!("Line {number} says nothing before the “=”."));
                return None;
            }
            if pairs.insert(from, to).is_some() {
                errors.add(
                    field,
                    format!("Line {number} repeats a value that stands above it."),
                );
                return None;
            }
        }
        if pairs.is_empty() {
            errors.add(field, "Enter at least one line, for example: Germany = DE");
            return None;
        }
        Some(pairs)
    }
}

/// A step in a few words, for lists.
pub fn describe(transform: &Transform) -> String {
    match transform {
        Transform::Trim => "trim".to_owned(),
        Transform::Upper => "upper case".to_owned(),
        Transform::Lower => "lower case".to_owned(),
        Transform::TitleCase => "title case".to_owned(),
        Transform::Join { separator, with } if with.is_empty() => {
            format!("join with “{separator}”")
        }
        Transform::Join { separator, with } => {
            let sources: Vec<String> = with.iter().map(ToString::to_string).collect();
            format!("join with “{separator}” and {}", sources.join(", "))
        }
        Transform::Split { separator, part } => format!("part {part} split at “{separator}”"),
        Transform::Default { value } => format!("default “{value}”"),
        Transform::ValueMap { pairs, .. } if pairs.len() == 1 => "replace 1 value".to_owned(),
        Transform::ValueMap { pairs, .. } => format!("replace {} values", pairs.len()),
    }
}

fn check_length(field: &str, text: &str, max: usize, errors: &mut FieldErrors) -> Option<()> {
    if text.chars().count() > max {
        errors.add(field, format!("This may have at most {max} characters."));
        return None;
    }
    Some(())
}

fn lines(of: impl Iterator<Item = String>) -> String {
    of.collect::<Vec<_>>().join("\n")
}

/// The lines that say something, counted from 1 as a person counts them.
fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// Writes a value so that its own “=” is not taken for the one between the pair.
fn escape(from: &str) -> String {
    from.replace('\\', "\\\\").replace('=', "\\=")
}

/// The two halves of `from = to`; `\=` and `\\` before the sign stand for themselves.
fn split_pair(line: &str) -> Option<(String, String)> {
    let mut from = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '=' => return Some((from.trim().to_owned(), chars.as_str().trim().to_owned())),
            '\\' => match chars.clone().next() {
                Some(escaped @ ('=' | '\\')) => {
                    from.push(escaped);
                    chars.next();
                }
                _ => from.push(c),
            },
            _ => from.push(c),
        }
    }
    None
}

/// The words before the colon of a line that names a source.
const SOURCE_WORDS: &[(&str, SourceKind)] = &[
    ("question id", SourceKind::QuestionId),
    ("question", SourceKind::QuestionText),
    ("hidden field", SourceKind::HiddenField),
    ("text", SourceKind::Constant),
    ("linkedin field", SourceKind::Predefined),
];

fn source_line(source: &Source) -> String {
    match source {
        Source::Predefined(key) => format!("LinkedIn field: {key}"),
        Source::QuestionId(id) => format!("Question id: {id}"),
        Source::QuestionText(key) => format!("Question: {key}"),
        Source::HiddenField(key) => format!("Hidden field: {key}"),
        Source::Constant(key) => format!("Text: {key}"),
        Source::CampaignName | Source::FormName | Source::AccountName => {
            source.kind().label().to_owned()
        }
    }
}

fn parse_source_line(line: &str) -> Result<Source, String> {
    for kind in [
        SourceKind::CampaignName,
        SourceKind::FormName,
        SourceKind::AccountName,
    ] {
        if line.eq_ignore_ascii_case(kind.label()) {
            return Source::from_parts(kind.as_str(), "").map_err(|error| error.to_string());
        }
    }
    if let Some((word, key)) = line.split_once(':') {
        let word = word.trim().to_lowercase();
        if let Some((_, kind)) = SOURCE_WORDS.iter().find(|(known, _)| *known == word) {
            return Source::from_parts(kind.as_str(), key)
                .map_err(|error| sentence(&error.to_string()));
        }
    } else if line
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return Ok(Source::Predefined(line.to_owned()));
    }
    Err("begin with “LinkedIn field:”, “Question:”, “Question id:”, “Hidden field:” or “Text:”, or write “Campaign name”, “Form name” or “Account name”.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(step: &StepInput) -> (Option<Transform>, Vec<(String, String)>) {
        let mut errors = FieldErrors::new();
        let transform = step.check(2, &mut errors);
        (transform, errors.all().to_vec())
    }

    fn step(kind: &str) -> StepInput {
        StepInput {
            kind: kind.to_owned(),
            otherwise: "keep".to_owned(),
            ..StepInput::default()
        }
    }

    #[test]
    fn a_wrong_step_is_told_at_its_control() {
        let long = "x".repeat(1_001);
        let cases = [
            (step("sing"), "step_2_kind"),
            (step("split"), "step_2_separator"),
            (
                StepInput {
                    separator: "@".into(),
                    part: "0".into(),
                    ..step("split")
                },
                "step_2_part",
            ),
            (
                StepInput {
                    separator: "@".into(),
                    part: "x".into(),
                    ..step("split")
                },
                "step_2_part",
            ),
            (
                StepInput {
                    separator: long.clone(),
                    part: "1".into(),
                    ..step("split")
                },
                "step_2_separator",
            ),
            (
                StepInput {
                    value: "  ".into(),
                    ..step("default")
                },
                "step_2_value",
            ),
            (
                StepInput {
                    value: long,
                    ..step("default")
                },
                "step_2_value",
            ),
            (step("value_map"), "step_2_pairs"),
            (
                StepInput {
                    pairs: "a = b\nnothing".into(),
                    ..step("value_map")
                },
                "step_2_pairs",
            ),
            (
                StepInput {
                    pairs: "= b".into(),
                    ..step("value_map")
                },
                "step_2_pairs",
            ),
            (
                StepInput {
                    pairs: "a = b\na = c".into(),
                    ..step("value_map")
                },
                "step_2_pairs",
            ),
            (
                StepInput {
                    pairs: "a = b".into(),
                    otherwise: "x".into(),
                    ..step("value_map")
                },
                "step_2_otherwise",
            ),
            (
                StepInput {
                    sources: "Colour: red".into(),
                    ..step("join")
                },
                "step_2_sources",
            ),
            (
                StepInput {
                    sources: "Question id: x".into(),
                    ..step("join")
                },
                "step_2_sources",
            ),
        ];
        for (input, field) in cases {
            let (transform, errors) = check(&input);
            assert_eq!(transform, None, "{input:?}");
            assert_eq!(
                errors.first().map(|(at, _)| at.as_str()),
                Some(field),
                "{input:?}"
            );
        }
        assert_eq!(check(&StepInput::default()), (None, Vec::new()));
    }

    #[test]
    fn lines_name_the_further_sources_of_a_join() {
        let input = StepInput {
            separator: " ".into(),
            sources: "LAST_NAME\nquestion: How: many?\n\nCampaign name\nText: –".into(),
            ..step("join")
        };
        let expected = Transform::Join {
            separator: " ".into(),
            with: vec![
                Source::Predefined("LAST_NAME".into()),
                Source::QuestionText("How: many?".into()),
                Source::CampaignName,
                Source::Constant("–".into()),
            ],
        };
        assert_eq!(check(&input), (Some(expected.clone()), Vec::new()));
        assert_eq!(check(&StepInput::of(&expected)).0, Some(expected));
    }

    proptest! {
        #[test]
        fn a_value_map_survives_the_form(
            pairs in proptest::collection::btree_map("[^\\s\\x00-\\x1f\\x7f-\\u{9f}\u{2028}\u{2029}]{1,8}", "[a-zA-Zäß=\\\\ 🦊]{0,8}", 1..6)
        ) {
            let pairs = pairs.into_iter().map(|(from, to)| (from, to.trim().to_owned())).collect();
            let wanted = Transform::ValueMap { pairs, otherwise: Otherwise::LeaveOut };
            prop_assert_eq!(check(&StepInput::of(&wanted)).0, Some(wanted));
        }

        #[test]
        fn any_text_gives_a_step_or_a_message(kind in "(join|split|default|value_map|trim|x)?", text in any::<String>()) {
            let input = StepInput {
                kind: kind.clone(), separator: text.clone(), part: text.clone(), value: text.clone(),
                sources: text.clone(), pairs: text.clone(), otherwise: text,
            };
            let (transform, errors) = check(&input);
            prop_assert!(kind.is_empty() || transform.is_some() == errors.is_empty());
        }
    }
}
