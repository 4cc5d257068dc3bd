//! Forms with their questions and consents, as the connector knew them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::configuration::predefined_word;
use super::super::values::number;
use super::super::{
    ConnectorRecord, ConnectorRecords, ConnectorTable as Table, Outcome, Verdict, records_of,
};
use super::{
    CarriedDirectory, CarriedForm, DirectoryHere, EXPORTED_VERSION, NO_ACCOUNT, account_of,
};
use crate::domain::form::{Consent, FormVersion, Locale, Question, QuestionKind};
use crate::domain::ids::{FormId, FormVersionId};

pub(super) fn carry_forms(
    records: &ConnectorRecords,
    here: &DirectoryHere,
    carried: &mut CarriedDirectory,
) {
    for (form, account) in &here.forms {
        carried
            .form_names
            .insert(form.to_string(), (*form, *account));
    }
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records_of(records, Table::Forms) {
        *labels.entry(&record.label).or_insert(0) += 1;
    }
    let mut questions: BTreeMap<String, Vec<&ConnectorRecord>> = BTreeMap::new();
    for question in records_of(records, Table::Questions) {
        let form = question.cells.lookup(&["linkedinform"]).unwrap_or_default();
        questions.entry(form).or_default().push(question);
    }
    for record in records_of(records, Table::Forms) {
        let mut of_form: Vec<&ConnectorRecord> = Vec::new();
        // Two forms of one name: what only says the name may belong to either.
        let is_unique = labels.get(record.label.as_str()) == Some(&1);
        let names = [&record.key, &record.label]
            .into_iter()
            .take(if is_unique { 2 } else { 1 });
        for name in names.collect::<BTreeSet<_>>() {
            of_form.extend(questions.remove(name).unwrap_or_default());
        }
        let verdict = form_verdict(record, &of_form, records, here, carried);
        for question in of_form {
            let of_question = match (question_id(question), verdict.outcome) {
                (None, _) => {
                    Verdict::left_out("LinkedIn’s number of the question is missing or no number.")
                }
                (Some(_), Outcome::Becomes) => {
                    Verdict::becomes(format!("A question of the form “{}”.", record.label))
                }
                (Some(_), Outcome::There) => Verdict::there(format!(
                    "The form “{}” is here with its questions.",
                    record.label
                )),
                (Some(_), _) => Verdict::left_out(format!(
                    "Its form “{}” stays behind, see there.",
                    record.label
                )),
            };
            carried
                .verdicts
                .insert((Table::Questions, question.key.clone()), of_question);
        }
        if !is_unique {
            carried.form_names.remove(&record.label);
        }
        carried
            .verdicts
            .insert((Table::Forms, record.key.clone()), verdict);
    }
    for question in questions.into_values().flatten() {
        let verdict = Verdict::left_out(
            "Its form is in no uploaded file: upload msdyncrm_linkedinform as well.",
        );
        carried
            .verdicts
            .insert((Table::Questions, question.key.clone()), verdict);
    }
}

pub(in super::super) fn question_id(question: &ConnectorRecord) -> Option<i64> {
    number(question.cells.text(&["linkedinid"])?)
}

pub(in super::super) fn is_consent(question: &ConnectorRecord) -> bool {
    question.cells.flag(&["isconsentcheckbox"]) == Some(true)
}

fn form_verdict(
    record: &ConnectorRecord,
    questions: &[&ConnectorRecord],
    records: &ConnectorRecords,
    here: &DirectoryHere,
    carried: &mut CarriedDirectory,
) -> Verdict {
    let Some(linkedin_id) = record.cells.text(&["linkedinid"]).and_then(number) else {
        return Verdict::left_out("LinkedIn’s number of the form is missing or no number.");
    };
    let names = [
        record.key.clone(),
        record.label.clone(),
        linkedin_id.to_string(),
    ];
    if let Some(account) = here.forms.get(&linkedin_id) {
        for name in names {
            carried.form_names.insert(name, (linkedin_id, *account));
        }
        return Verdict::there("The form is here.");
    }
    if carried
        .forms
        .iter()
        .any(|one| one.linkedin_id == linkedin_id)
    {
        return Verdict::left_out("Another record of the table is the same form.");
    }
    let Some(account) = account_of(record, &["linkedinparentaccount"], carried) else {
        return Verdict::left_out(NO_ACCOUNT);
    };
    let version = version_of(record, questions, records);
    if version.questions.is_empty() {
        return Verdict::left_out(
            "Its questions are in no uploaded file: upload msdyncrm_linkedinformquestion as well.",
        );
    }
    for name in names {
        carried.form_names.insert(name, (linkedin_id, account));
    }
    let count = version.questions.len();
    carried.forms.push(CarriedForm {
        account,
        linkedin_id,
        version,
    });
    Verdict::becomes(format!(
        "A form with {count} {}, as version {EXPORTED_VERSION}; the sync adds LinkedIn’s own versions.",
        if count == 1 { "question" } else { "questions" }
    ))
}

fn version_of(
    record: &ConnectorRecord,
    questions: &[&ConnectorRecord],
    records: &ConnectorRecords,
) -> FormVersion {
    let text = |name: &str| record.cells.text(&[name]).map(str::to_owned);
    let mut version = FormVersion {
        id: FormVersionId::new(uuid::Uuid::nil()),
        form_id: FormId::new(uuid::Uuid::nil()),
        number: EXPORTED_VERSION,
        name: record.label.clone(),
        locale: Locale {
            language: text("localelanguage").unwrap_or_default().to_lowercase(),
            country: text("localecountry").unwrap_or_default().to_uppercase(),
        },
        questions: Vec::new(),
        hidden_fields: Vec::new(),
        consents: Vec::new(),
        headline: text("headline"),
        description: text("description"),
        privacy_policy_url: text("privacypolicyurl"),
        landing_page_url: text("landingpageurl"),
        thank_you_message: text("thankyoumessage"),
        legal_disclaimer: None,
    };
    for question in questions {
        let Some(id) = question_id(question) else {
            continue;
        };
        let name = question.label.clone();
        let shown = question
            .cells
            .text(&["displayname"])
            .map_or_else(|| name.clone(), str::to_owned);
        if is_consent(question) {
            if version.consents.iter().all(|known| known.id != id) {
                version.consents.push(Consent {
                    id,
                    text: shown,
                    check_required: false,
                });
            }
        } else if version.question(id).is_none() {
            version.questions.push(Question {
                id,
                predefined_field: predefined_of(question, records),
                text: shown,
                name,
                label: None,
                kind: QuestionKind::Text { max_length: None },
                required: true,
                editable: question.cells.flag(&["responseeditable"]).unwrap_or(true),
            });
        }
    }
    version
}

/// LinkedIn's predefined field of a question: the table refers to the field mappings for it.
fn predefined_of(question: &ConnectorRecord, records: &ConnectorRecords) -> Option<String> {
    if question.cells.flag(&["iscustomquestion"]) == Some(true) {
        return None;
    }
    let name = question.cells.lookup(&["linkedinpredefinedfield"])?;
    let mapping = records_of(records, Table::FieldMappings)
        .iter()
        .find(|mapping| mapping.key == name || mapping.label == name);
    let field = mapping
        .and_then(|mapping| mapping.cells.text(&["linkedinpredefinedfield"]))
        .unwrap_or(&name);
    predefined_word(field).map(str::to_owned)
}
