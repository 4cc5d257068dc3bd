//! Form submissions with their answers: what the connector handled stays handled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::directory::{CarriedDirectory, is_consent, question_id};
use super::values::{moment, number, option};
use super::{
    ConnectorRecord, ConnectorRecords, ConnectorTable as Table, Outcome, Verdict, Verdicts,
    records_of,
};
use crate::domain::account::LeadType;
use crate::domain::submission::MatchingStatus;

/// A submission to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedSubmission {
    /// LinkedIn's response id.
    pub response_id: String,
    /// What people know it by.
    pub name: String,
    /// LinkedIn's number of its account.
    pub account: i64,
    /// LinkedIn's number of its form.
    pub form: i64,
    /// LinkedIn's campaign.
    pub campaign: Option<i64>,
    /// LinkedIn's creative.
    pub creative: Option<i64>,
    /// LinkedIn's lead type.
    pub lead_type: LeadType,
    /// When the member submitted.
    pub submitted_at: DateTime<Utc>,
    /// What the connector made of it.
    pub status: MatchingStatus,
    /// Answers by LinkedIn's number of the question.
    pub answers: BTreeMap<i64, String>,
    /// Consents by LinkedIn's number.
    pub consents: BTreeMap<i64, bool>,
}

/// What comes along of the submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedSubmissions {
    /// Submissions to add.
    pub submissions: Vec<CarriedSubmission>,
    /// What becomes of the records.
    pub verdicts: Verdicts,
}

/// In the order of the connector's numbers.
const STATUSES: [MatchingStatus; 7] = [
    MatchingStatus::PendingLeadMatching,
    MatchingStatus::NewLeadCreated,
    MatchingStatus::UpdatedExistingLead,
    MatchingStatus::MatchFailed,
    MatchingStatus::LeadCreationFailed,
    MatchingStatus::LeadUpdateFailed,
    MatchingStatus::LeadMatchedButNotUpdated,
];

/// LinkedIn's response ids of the uploaded submissions.
pub fn response_ids(records: &ConnectorRecords) -> impl Iterator<Item = &str> {
    records_of(records, Table::Submissions)
        .iter()
        .filter_map(response_id)
}

fn response_id(record: &ConnectorRecord) -> Option<&str> {
    record
        .cells
        .text(&["linkedinformsubmissiontextid", "textid"])
}

type Answered<'a> = HashMap<&'a str, Vec<(&'a ConnectorRecord, Option<Said>)>>;

/// What an answer says: the number of the question, the text, and whether it is a consent.
struct Said {
    question: i64,
    text: String,
    is_consent: bool,
}

/// What the uploaded submissions become beside the responses that are `here`.
#[must_use]
pub fn carry_submissions(
    records: &ConnectorRecords,
    directory: &CarriedDirectory,
    here: &BTreeSet<String>,
) -> CarriedSubmissions {
    let mut carried = CarriedSubmissions::default();
    let submissions = records_of(records, Table::Submissions);
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut ambiguous = BTreeSet::new();
    for record in submissions {
        if names.insert(&record.label, &record.key).is_some() {
            ambiguous.insert(record.label.as_str());
        }
    }
    // Two people of one name: an answer that only says the name may belong to either.
    names.retain(|name, _| !ambiguous.contains(name));
    for record in submissions {
        if let Some(id) = response_id(record) {
            names.insert(id, &record.key);
        }
        names.insert(&record.key, &record.key);
    }
    let mut answered = answers(records, &names, &mut carried.verdicts);
    let mut seen = BTreeSet::new();
    for record in submissions {
        let said = answered.remove(record.key.as_str()).unwrap_or_default();
        let read = read(record, &said, directory, here).and_then(|submission| {
            if seen.insert(submission.response_id.clone()) {
                Ok(submission)
            } else {
                Err(Verdict::left_out(
                    "Another record of the table is the same response.",
                ))
            }
        });
        let verdict = match read {
            Ok(submission) => {
                let verdict = Verdict::becomes(became(submission.status));
                carried.submissions.push(submission);
                verdict
            }
            Err(verdict) => verdict,
        };
        for (answer, said) in said {
            let of_answer = match (said, verdict.outcome) {
                (None, _) => Verdict::left_out(
                    "Its question is not known: LinkedIn’s number is missing, and msdyncrm_linkedinformquestion does not say it.",
                ),
                (Some(_), Outcome::Becomes) => Verdict::becomes("An answer of its submission."),
                (Some(_), Outcome::There) => Verdict::there("Its submission is here."),
                (Some(_), _) => Verdict::left_out("Its submission stays behind, see there."),
            };
            carried
                .verdicts
                .insert((Table::Answers, answer.key.clone()), of_answer);
        }
        carried
            .verdicts
            .insert((Table::Submissions, record.key.clone()), verdict);
    }
    carried
}

/// The answers of each submission, by its key; those of none get their verdict at once.
fn answers<'a>(
    records: &'a ConnectorRecords,
    names: &HashMap<&'a str, &'a str>,
    verdicts: &mut Verdicts,
) -> Answered<'a> {
    let mut questions: HashMap<&str, &ConnectorRecord> = HashMap::new();
    let mut consents = BTreeSet::new();
    for question in records_of(records, Table::Questions) {
        questions.insert(&question.label, question);
    }
    for question in records_of(records, Table::Questions) {
        questions.insert(&question.key, question);
        if is_consent(question) {
            consents.extend(question_id(question));
        }
    }
    let mut answered = Answered::new();
    for answer in records_of(records, Table::Answers) {
        let submission = answer
            .cells
            .lookup(&["linkedinformsubmission"])
            .and_then(|name| names.get(name.as_str()).copied());
        let Some(submission) = submission else {
            let verdict = Verdict::left_out(
                "Its submission is in no uploaded file: upload msdyncrm_linkedinformsubmission as well.",
            );
            verdicts.insert((Table::Answers, answer.key.clone()), verdict);
            continue;
        };
        let record = answer
            .cells
            .lookup(&["linkedinformquestion"])
            .and_then(|name| questions.get(name.as_str()).copied());
        let said = answer
            .cells
            .text(&["linkedinquestionid"])
            .and_then(number)
            .or_else(|| record.and_then(question_id))
            .map(|question| Said {
                question,
                text: answer
                    .cells
                    .text(&["answertext"])
                    .unwrap_or_default()
                    .to_owned(),
                is_consent: record.map_or_else(|| consents.contains(&question), is_consent),
            });
        answered.entry(submission).or_default().push((answer, said));
    }
    answered
}

fn read(
    record: &ConnectorRecord,
    answers: &[(&ConnectorRecord, Option<Said>)],
    directory: &CarriedDirectory,
    here: &BTreeSet<String>,
) -> Result<CarriedSubmission, Verdict> {
    let text = |names: &[&str]| record.cells.text(names);
    let response_id = response_id(record)
        .filter(|id| id.chars().count() <= 300)
        .ok_or_else(|| {
            Verdict::left_out(
                "LinkedIn’s response id is missing, so the sync could not know it again.",
            )
        })?;
    if here.contains(response_id) {
        return Err(Verdict::there("The submission of this response is here."));
    }
    let form = record
        .cells
        .lookup(&["linkedinformid", "linkedinform", "sourceform"])
        .or_else(|| text(&["linkedinformname"]).map(str::to_owned))
        .and_then(|name| directory.form_names.get(&name).copied());
    let Some((form, of_form)) = form else {
        return Err(Verdict::left_out(
            "Its form is neither here nor comes along: upload msdyncrm_linkedinform and msdyncrm_linkedinformquestion as well.",
        ));
    };
    let account = text(&["linkedinaccountid"])
        .and_then(number)
        .filter(|account| directory.account_names.contains_key(&account.to_string()))
        .unwrap_or(of_form);
    let submitted_at = text(&["submissiondate", "createdon"])
        .ok_or_else(|| Verdict::left_out("The day of its submission is missing."))
        .and_then(|text| moment(text).map_err(Verdict::left_out))?;
    let labels = STATUSES.map(MatchingStatus::label);
    let status = text(&["matchingstatus"])
        .and_then(|text| option(text, &labels))
        .and_then(|place| STATUSES.get(place).copied())
        .ok_or_else(|| {
            Verdict::left_out("Its matching status is missing or none of the connector’s.")
        })?;
    let mut submission = CarriedSubmission {
        response_id: response_id.to_owned(),
        name: record.label.clone(),
        account,
        form,
        campaign: text(&["linkedincampaignid"]).and_then(number),
        creative: text(&["linkedincreativeid"]).and_then(number),
        lead_type: text(&["type"])
            .and_then(|text| LeadType::from_wire(&text.to_uppercase().replace(' ', "_")))
            .unwrap_or(LeadType::Sponsored),
        submitted_at,
        status,
        answers: BTreeMap::new(),
        consents: BTreeMap::new(),
    };
    for said in answers.iter().filter_map(|(_, said)| said.as_ref()) {
        if said.is_consent {
            let is_given = matches!(
                said.text.to_lowercase().as_str(),
                "true" | "yes" | "1" | "accepted"
            );
            submission.consents.insert(said.question, is_given);
        } else {
            submission.answers.insert(said.question, said.text.clone());
        }
    }
    if submission.answers.is_empty() {
        return Err(Verdict::left_out(
            "Its answers are in no uploaded file: upload msdyncrm_linkedinformanswer as well.",
        ));
    }
    Ok(submission)
}

fn became(status: MatchingStatus) -> String {
    match status {
        MatchingStatus::PendingLeadMatching => {
            "A form submission that the connector had not handled: it is decided about with the next sync of its account.".to_owned()
        }
        other => format!("A form submission with the status “{}”. Nothing is decided about it again.", other.label()),
    }
}
