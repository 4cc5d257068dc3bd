//! The seeded lead forms: their questions, languages, versions and consents, and how LinkedIn prints them.

use serde_json::{Value, json};

use super::people::Language;
use super::world::OwnerKey;

/// A form with all its versions, the current one last.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) id: i64,
    pub(super) owner: OwnerKey,
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) locale: FormLocale,
    pub(super) created: i64,
    pub(super) versions: Vec<FormVersion>,
}

/// The language of a form and of LinkedIn's own answers in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormLocale {
    pub(super) language: &'static str,
    pub(super) country: &'static str,
    pub(super) answers: Language,
}

pub(super) const EN_US: FormLocale = FormLocale {
    language: "en",
    country: "US",
    answers: Language::English,
};
pub(super) const DE_DE: FormLocale = FormLocale {
    language: "de",
    country: "DE",
    answers: Language::German,
};
pub(super) const ES_ES: FormLocale = FormLocale {
    language: "es",
    country: "ES",
    answers: Language::Spanish,
};

impl FormLocale {
    pub(super) fn key(self) -> String {
        format!("{}_{}", self.language, self.country)
    }
}

/// One version of a form.
#[derive(Debug, Clone)]
pub(super) struct FormVersion {
    pub(super) version: i64,
    pub(super) modified: i64,
    pub(super) headline: String,
    pub(super) questions: Vec<FormQuestion>,
    pub(super) consents: Vec<FormConsent>,
    pub(super) hidden: Vec<(String, String)>,
}

/// A question.
#[derive(Debug, Clone)]
pub(super) struct FormQuestion {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) predefined: Option<String>,
    pub(super) label: Option<String>,
    pub(super) required: bool,
    pub(super) kind: QuestionKind,
}

/// What can be answered.
#[derive(Debug, Clone)]
pub(super) enum QuestionKind {
    /// Text of at most so many characters.
    Text(i64),
    /// Options with their ids, of which one (or several, if `true`) can be chosen.
    Choice(Vec<(i64, String)>, bool),
}

/// A consent.
#[derive(Debug, Clone)]
pub(super) struct FormConsent {
    pub(super) id: i64,
    pub(super) required: bool,
    pub(super) text: String,
}

/// Builds the questions of one form, numbering them as LinkedIn's samples do.
pub(super) struct Questions {
    form_id: i64,
    locale: FormLocale,
    list: Vec<FormQuestion>,
}

impl Questions {
    pub(super) fn of(form_id: i64, locale: FormLocale) -> Self {
        Self {
            form_id,
            locale,
            list: Vec::new(),
        }
    }

    /// LinkedIn's samples print `questionId` as a counter before the form's id; long form ids leave no room for that.
    fn next_id(&self) -> i64 {
        let position = self.list.len() as i64 + 1;
        if self.form_id < 100_000_000 {
            position * 100_000_000 + self.form_id
        } else {
            self.form_id + position
        }
    }

    fn push(
        mut self,
        name: String,
        text: &str,
        predefined: Option<&str>,
        required: bool,
        kind: QuestionKind,
    ) -> Self {
        let id = self.next_id();
        self.list.push(FormQuestion {
            id,
            name,
            text: text.to_owned(),
            predefined: predefined.map(str::to_owned),
            label: None,
            required,
            kind,
        });
        self
    }

    /// One of LinkedIn's own questions.
    pub(super) fn field(self, field: &str) -> Self {
        let text = field_text(field, self.locale.answers);
        let required = matches!(field, "FIRST_NAME" | "LAST_NAME" | "EMAIL" | "WORK_EMAIL");
        self.push(
            text.to_owned(),
            text,
            Some(field),
            required,
            QuestionKind::Text(300),
        )
    }

    /// A custom text question.
    pub(super) fn custom_text(self, text: &str) -> Self {
        let name = format!("Custom question {}", self.customs());
        self.push(name, text, None, false, QuestionKind::Text(4000))
    }

    /// A custom choice question; option ids as given.
    pub(super) fn custom_choice(self, text: &str, options: &[(i64, &str)], several: bool) -> Self {
        let name = format!("Custom question {}", self.customs());
        let options = options
            .iter()
            .map(|(id, text)| (*id, (*text).to_owned()))
            .collect();
        self.push(
            name,
            text,
            None,
            false,
            QuestionKind::Choice(options, several),
        )
    }

    /// Gives the last question a label.
    pub(super) fn labelled(mut self, label: &str) -> Self {
        if let Some(question) = self.list.last_mut() {
            question.label = Some(label.to_owned());
        }
        self
    }

    fn customs(&self) -> usize {
        self.list
            .iter()
            .filter(|question| question.predefined.is_none())
            .count()
    }

    pub(super) fn done(self) -> Vec<FormQuestion> {
        self.list
    }
}

/// LinkedIn's wording of its own questions.
fn field_text(field: &str, language: Language) -> &str {
    const TEXTS: &[(&str, &str, &str, &str)] = &[
        ("FIRST_NAME", "First name", "Vorname", "Nombre"),
        ("LAST_NAME", "Last name", "Nachname", "Apellidos"),
        ("EMAIL", "Email address", "E-Mail-Adresse", "Email"),
        (
            "WORK_EMAIL",
            "Work email",
            "Geschäftliche E-Mail-Adresse",
            "Email de trabajo",
        ),
        (
            "PHONE_NUMBER",
            "Phone number",
            "Telefonnummer",
            "Número de teléfono",
        ),
        (
            "WORK_PHONE_NUMBER",
            "Work phone number",
            "Geschäftliche Telefonnummer",
            "Teléfono de trabajo",
        ),
        (
            "COMPANY_NAME",
            "Company name",
            "Unternehmen",
            "Nombre de la empresa",
        ),
        ("JOB_TITLE", "Job title", "Jobbezeichnung", "Cargo"),
        (
            "JOB_FUNCTION",
            "Job function",
            "Tätigkeitsbereich",
            "Función laboral",
        ),
        (
            "SENIORITY",
            "Seniority",
            "Karrierestufe",
            "Nivel de antigüedad",
        ),
        ("INDUSTRY", "Industry", "Branche", "Sector"),
        (
            "COMPANY_SIZE",
            "Company size",
            "Unternehmensgröße",
            "Tamaño de la empresa",
        ),
        ("CITY", "City", "Ort", "Ciudad"),
        ("STATE", "State/Province", "Bundesland", "Provincia"),
        ("COUNTRY", "Country/Region", "Land/Region", "País o región"),
        (
            "ZIP_CODE",
            "Postal/Zip code",
            "Postleitzahl",
            "Código postal",
        ),
        (
            "LINKEDIN_PROFILE_LINK",
            "LinkedIn profile URL",
            "LinkedIn Profil-URL",
            "URL del perfil de LinkedIn",
        ),
        ("SCHOOL", "School", "Hochschule", "Universidad"),
        ("DEGREE", "Degree", "Abschluss", "Título"),
        (
            "FIELD_OF_STUDY",
            "Field of study",
            "Studienfach",
            "Disciplina académica",
        ),
        ("START_DATE", "Start date", "Startdatum", "Fecha de inicio"),
        (
            "GRADUATION_DATE",
            "Graduation date",
            "Abschlussdatum",
            "Fecha de graduación",
        ),
        ("GENDER", "Gender", "Geschlecht", "Género"),
        ("PRONOUNS_2027", "Pronouns", "Pronomen", "Pronombres"),
    ];
    TEXTS
        .iter()
        .find(|(name, ..)| *name == field)
        .map_or(field, |(_, english, german, spanish)| match language {
            Language::English => english,
            Language::German => german,
            Language::Spanish => spanish,
        })
}

impl Form {
    /// The version with this number.
    pub(super) fn version(&self, version: i64) -> Option<&FormVersion> {
        self.versions.iter().find(|known| known.version == version)
    }

    /// The version that LinkedIn shows today.
    pub(super) fn current(&self) -> Option<&FormVersion> {
        self.versions.last()
    }

    /// The form as `leadForms` prints it.
    pub(super) fn json(&self, version: &FormVersion) -> Value {
        let mut form = json!({
            "id": self.id, "name": self.name, "versionId": version.version, "state": self.state,
            "owner": self.owner.json(),
            "created": self.created, "lastModified": version.modified,
            "creationLocale": { "country": self.locale.country, "language": self.locale.language },
            "hiddenFields": hidden_json(version),
            "content": self.content_json(version),
            "newFieldOf202611": { "unknown": [1, 2.5, null] },
        });
        if let (Some(object), true) = (form.as_object_mut(), self.state != "DRAFT") {
            object.insert(
                "reviewInfo".to_owned(),
                json!({ "reviewStatus": "APPROVED", "rejectionReasons": [], "lastUpdated": version.modified }),
            );
        }
        form
    }

    /// The form as the projection `form:(…)` of a response prints it.
    pub(super) fn embedded_json(&self, version: &FormVersion) -> Value {
        json!({
            "id": self.id, "name": self.name, "versionId": version.version,
            "hiddenFields": hidden_json(version),
            "creationLocale": { "country": self.locale.country, "language": self.locale.language },
            "content": self.content_json(version),
        })
    }

    fn localized(&self, text: &str) -> Value {
        json!({ "localized": { self.locale.key(): text } })
    }

    fn content_json(&self, version: &FormVersion) -> Value {
        let questions: Vec<Value> = version
            .questions
            .iter()
            .map(|question| self.question_json(question))
            .collect();
        let consents: Vec<Value> = version
            .consents
            .iter()
            .map(|consent| {
                json!({ "id": consent.id, "checkRequired": consent.required, "consent": self.localized(&consent.text) })
            })
            .collect();
        json!({
            "headline": self.localized(&version.headline),
            "description": self.localized("Tell us how to reach you."),
            "questions": questions,
            "postSubmissionInfo": {
                "message": self.localized("Thanks"),
                "callToAction": {
                    "callToActionTarget": { "landingPageUrl": "https://www.example.com" },
                    "callToActionLabel": "VISIT_COMPANY_WEBSITE",
                },
            },
            "legalInfo": {
                "legalInfoId": version.version * 1000 + 10,
                "privacyPolicyUrl": "https://www.example.com/privacy",
                "legalDisclaimer": self.localized("We use your answers to get in touch with you."),
                "consents": consents,
            },
            "newFieldOf202611": "unknown",
        })
    }

    fn question_json(&self, question: &FormQuestion) -> Value {
        let details = match &question.kind {
            QuestionKind::Text(length) => {
                json!({ "textQuestionDetails": { "maxResponseLength": length } })
            }
            QuestionKind::Choice(options, _) => {
                let options: Vec<Value> = options
                    .iter()
                    .map(|(id, text)| json!({ "id": id, "text": self.localized(text) }))
                    .collect();
                json!({ "multipleChoiceQuestionDetails": { "options": options } })
            }
        };
        let mut json = json!({
            "questionId": question.id, "name": question.name, "question": self.localized(&question.text),
            "responseEditable": true, "responseRequired": question.required, "questionDetails": details,
            "newFieldOf202611": true,
        });
        if let Some(object) = json.as_object_mut() {
            if let Some(field) = &question.predefined {
                object.insert("predefinedField".to_owned(), json!(field));
            }
            if let Some(label) = &question.label {
                object.insert("label".to_owned(), json!(label));
            }
        }
        json
    }
}

fn hidden_json(version: &FormVersion) -> Vec<Value> {
    version
        .hidden
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}
