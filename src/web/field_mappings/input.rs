//! What a person sends with the form of a field mapping, and the way from it to the domain's mapping and back.

use crate::domain::field_mapping::{
    FieldMapping, InvalidSource, Source, SourceKind, WritePolicy, check_transforms,
};
use crate::domain::ids::MappingId;
use crate::domain::lead::{FieldKey, LeadFields};
use crate::store::field_mappings::{FormChoice, StoredMapping};
use crate::web::WebError;
use crate::web::form::FieldErrors;

use super::picker::picked;
use super::preview::{SIZES, USUAL_SIZE};
use super::steps::StepInput;

/// The most characters of a mapping's name: LinkedIn's longest question is no longer.
const MAX_NAME: usize = 300;
/// The most characters of a source's key.
const MAX_KEY: usize = 1_000;
/// The highest position.
const MAX_POSITION: i64 = 1_000_000;
/// Steps that a form can hold; the domain allows fewer, so that the message can say so.
const MAX_STEPS: usize = 12;
/// Empty steps that a fresh form offers.
const SPARE_STEPS: usize = 1;

/// The form as it was sent, or as it is shown first.
#[derive(Debug, Clone, Default)]
pub struct MappingInput {
    /// Name.
    pub name: String,
    /// The form's id; empty: organisation-wide.
    pub form: String,
    /// The word of the kind of source.
    pub source_kind: String,
    /// The text beside it.
    pub source_key: String,
    /// The word of the lead field.
    pub target: String,
    /// The word of the write policy.
    pub policy: String,
    /// The place in the order; empty: the last.
    pub position: String,
    /// The chain of steps, with empty ones at the end.
    pub steps: Vec<StepInput>,
    /// The version that the person read; empty for a new mapping.
    pub lock_version: String,
    /// What the person asked for.
    pub intent: Intent,
}

/// What a button of the form asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Intent {
    /// Save the mapping.
    #[default]
    Save,
    /// Show what saving would change, on so many submissions.
    Preview(i64),
    /// Show the form again.
    Edit,
    /// One more step.
    AddStep,
    /// What the mapping makes of recent answers.
    Example,
    /// A value map with the options of the form.
    FillOptions,
}

impl Intent {
    fn read(fields: &[(String, String)]) -> Result<Self, WebError> {
        let is_asked = |name: &str| optional(fields, name).map(|found| found.is_some());
        Ok(if is_asked("edit")? {
            Self::Edit
        } else if is_asked("add_step")? {
            Self::AddStep
        } else if is_asked("fill_options")? {
            Self::FillOptions
        } else if is_asked("example")? {
            Self::Example
        } else if is_asked("preview")? {
            let size = optional(fields, "n")?.and_then(|size| size.parse().ok());
            Self::Preview(
                size.filter(|size| SIZES.contains(size))
                    .unwrap_or(USUAL_SIZE),
            )
        } else {
            Self::Save
        })
    }
}

impl MappingInput {
    /// A new mapping's form, perhaps with a form, a source and a name that a link brought along.
    pub fn blank() -> Self {
        Self {
            source_kind: SourceKind::Predefined.as_str().to_owned(),
            policy: WritePolicy::Overwrite.as_str().to_owned(),
            steps: vec![StepInput::default(); SPARE_STEPS],
            ..Self::default()
        }
    }

    /// The form of a stored mapping.
    pub fn of(stored: &StoredMapping) -> Self {
        let mapping = &stored.mapping;
        let mut steps: Vec<StepInput> = mapping.transforms.iter().map(StepInput::of).collect();
        steps.resize_with(steps.len() + SPARE_STEPS, StepInput::default);
        Self {
            name: mapping.name.clone(),
            form: mapping
                .form_id
                .as_ref()
                .map(|id| id.as_str().to_owned())
                .unwrap_or_default(),
            source_kind: mapping.source.kind().as_str().to_owned(),
            source_key: mapping.source.key(),
            target: mapping.target.word().into_owned(),
            policy: mapping.policy.as_str().to_owned(),
            position: mapping.position.to_string(),
            steps,
            lock_version: stored.lock_version.to_string(),
            intent: Intent::Save,
        }
    }

    /// Reads the sent fields.
    ///
    /// # Errors
    /// `Invalid` when a field of the form is missing or comes twice: no browser sends that.
    pub fn read(fields: &[(String, String)]) -> Result<Self, WebError> {
        let mut steps = Vec::new();
        while let Some(step) = StepInput::read(fields, steps.len() + 1)? {
            if steps.len() == MAX_STEPS {
                return Err(WebError::Invalid(
                    "The form has more steps than a mapping can hold.".to_owned(),
                ));
            }
            steps.push(step);
        }
        let mut input = Self {
            name: one(fields, "name")?,
            form: one(fields, "form")?,
            source_kind: one(fields, "source_kind")?,
            source_key: one(fields, "source_key")?,
            target: one(fields, "target")?,
            policy: one(fields, "policy")?,
            position: one(fields, "position")?,
            lock_version: optional(fields, "lock_version")?.unwrap_or_default(),
            intent: Intent::read(fields)?,
            steps,
        };
        // What was picked from the list counts more than what stands beside it, and moves there.
        let pick = optional(fields, "source_pick")?.unwrap_or_default();
        if let Some((kind, key)) = picked(&pick) {
            input.source_kind = kind;
            input.source_key = key;
        }
        if input.intent == Intent::AddStep && input.steps.len() < MAX_STEPS {
            input.steps.push(StepInput::default());
        }
        Ok(input)
    }

    /// Everything that was entered, as the form's fields.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = [
            ("name", &self.name),
            ("form", &self.form),
            ("source_kind", &self.source_kind),
            ("source_key", &self.source_key),
            ("target", &self.target),
            ("policy", &self.policy),
            ("position", &self.position),
            ("lock_version", &self.lock_version),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
        for (index, step) in self.steps.iter().enumerate() {
            fields.extend(step.fields(index + 1));
        }
        fields
    }

    /// Puts these options into the first value map, each as its own replacement where the map does not name it yet; makes
    /// a map when there is none.
    pub fn fill_options(&mut self, options: &[String]) {
        let place = self
            .steps
            .iter()
            .position(StepInput::is_value_map)
            .or_else(|| self.steps.iter().position(|step| step.kind.is_empty()));
        let index = match place {
            Some(index) => index,
            None if self.steps.len() < MAX_STEPS => {
                self.steps.push(StepInput::default());
                self.steps.len() - 1
            }
            None => return,
        };
        if let Some(step) = self.steps.get_mut(index) {
            step.fill_options(options);
        }
    }

    /// The source, if it is right.
    pub fn source(&self) -> Option<Source> {
        self.check_source(&mut FieldErrors::new())
    }

    /// The version that the person read.
    ///
    /// # Errors
    /// `Invalid` when it is no number.
    pub fn expected(&self) -> Result<i64, WebError> {
        self.lock_version
            .parse()
            .map_err(|_| WebError::Invalid("The field “lock_version” is not a number.".to_owned()))
    }

    /// Checks every field; `last` is the position behind all others. `None` if something is wrong: `errors` says what.
    pub fn check(
        &self,
        id: MappingId,
        forms: &[FormChoice],
        lead_fields: &LeadFields,
        last: i64,
        errors: &mut FieldErrors,
    ) -> Option<FieldMapping> {
        let name = self.name.trim();
        if name.is_empty() {
            errors.add(
                "name",
                "Enter a name, for example the question as it stands on your form.",
            );
        } else if name.chars().count() > MAX_NAME {
            errors.add(
                "name",
                format!("A name may have at most {MAX_NAME} characters."),
            );
        }
        let form_id = match self.form.as_str() {
            "" => None,
            id if forms.iter().any(|form| form.id == id) => errors.check("form", id.parse()),
            _ => {
                errors.add(
                    "form",
                    "Choose a form from the list, or the whole organization.",
                );
                None
            }
        };
        let source = self.check_source(errors);
        // A retired field stays where it is a mapping's target already.
        let target = self
            .target
            .parse::<FieldKey>()
            .ok()
            .filter(|field| lead_fields.kind(field).is_some());
        if target.is_none() {
            errors.add("target", "Choose a lead field from the list.");
        }
        let policy = match self.policy.parse::<WritePolicy>() {
            Ok(policy) => Some(policy),
            Err(_) => {
                errors.add(
                    "policy",
                    "Choose what happens when the lead has a value already.",
                );
                None
            }
        };
        let position = match self.position.trim() {
            "" => Some(last),
            text => match text.parse() {
                Ok(position) if (0..=MAX_POSITION).contains(&position) => Some(position),
                _ => {
                    errors.add(
                        "position",
                        format!("The order is a whole number from 0 to {MAX_POSITION}."),
                    );
                    None
                }
            },
        };
        let mut transforms = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            transforms.extend(step.check(index + 1, errors));
        }
        if errors.is_empty()
            && let Err(error) = check_transforms(&transforms)
        {
            errors.add("step_1_kind", sentence(&error.to_string()));
        }
        if !errors.is_empty() {
            return None;
        }
        Some(FieldMapping {
            id,
            name: name.to_owned(),
            form_id,
            source: source?,
            target: target?,
            policy: policy?,
            transforms,
            position: position?,
        })
    }

    fn check_source(&self, errors: &mut FieldErrors) -> Option<Source> {
        if self.source_key.chars().count() > MAX_KEY {
            errors.add(
                "source_key",
                format!("This may have at most {MAX_KEY} characters."),
            );
            return None;
        }
        match Source::from_parts(&self.source_kind, &self.source_key) {
            Ok(source) => Some(source),
            Err(error) => {
                let field = match error {
                    InvalidSource::UnknownKind => "source_kind",
                    InvalidSource::MissingKey(_) | InvalidSource::NotAQuestionId => "source_key",
                };
                errors.add(field, sentence(&error.to_string()));
                None
            }
        }
    }
}

/// The value of a field that a form always sends, once.
///
/// # Errors
/// `Invalid`, naming the field.
pub fn one(fields: &[(String, String)], name: &str) -> Result<String, WebError> {
    optional(fields, name)?
        .ok_or_else(|| WebError::Invalid(format!("The field “{name}” of the form is missing.")))
}

/// The value of a field that a form may send, once.
///
/// # Errors
/// `Invalid`, naming the field.
pub fn optional(fields: &[(String, String)], name: &str) -> Result<Option<String>, WebError> {
    let mut found = fields.iter().filter(|(other, _)| other == name);
    let first = found.next().map(|(_, value)| value.clone());
    if found.next().is_some() {
        return Err(WebError::Invalid(format!(
            "The field “{name}” of the form comes twice."
        )));
    }
    Ok(first)
}

/// A message of the domain as a sentence of a page.
pub fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let mut sentence: String = chars
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    sentence.push_str(chars.as_str());
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}
