//! Form submissions with their answers: what the connector handled stays handled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::cells::flag_word;
use super::directory::{CarriedDirectory, is_consent, question_id};
use super::values::{moment, number, option};
use super::{
    ConnectorRecord, ConnectorRecords, ConnectorTable as Table, Outcome, Verdict, Verdicts,
    records_of,
};
use crate::domain::account::LeadType;
use crate::domain::submission::{MatchingStatus, ProcessingState};

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

/// Answers that came later than their submission, which came along without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAnswers {
    /// LinkedIn's response id.
    pub response_id: String,
    /// Answers by LinkedIn's number of the question.
    pub answers: BTreeMap<i64, String>,
    /// Consents by LinkedIn's number.
    pub consents: BTreeMap<i64, bool>,
}

/// What is here of the uploaded responses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponsesHere {
    /// Those that have a submission.
    pub known: BTreeSet<String>,
    /// Those whose submission came along, and of which LinkedIn's own text has not come yet: the questions and consents that they
    /// have.
    pub open: BTreeMap<String, BTreeSet<i64>>,
    /// Those that are noted as handled by the connector.
    pub noted: BTreeSet<String>,
    /// Those that their members deleted at LinkedIn.
    pub deleted: BTreeSet<String>,
}

/// What comes along of the submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedSubmissions {
    /// Submissions to add.
    pub submissions: Vec<CarriedSubmission>,
    /// Answers to add to submissions that came along before.
    pub late: Vec<LateAnswers>,
    /// Responses to note as handled though their submissions stay behind, with what the connector made of them.
    pub handled: BTreeMap<String, MatchingStatus>,
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

/// LinkedIn's response ids of the submissions to which uploaded answers belong.
#[must_use]
pub fn answered_response_ids(records: &ConnectorRecords) -> BTreeSet<&str> {
    let names = names_of(records);
    let ids: HashMap<&str, &str> = records_of(records, Table::Submissions)
        .iter()
        .filter_map(|record| Some((record.key.as_str(), response_id(record)?)))
        .collect();
    records_of(records, Table::Answers)
        .iter()
        .filter_map(|answer| names.get(submission_name(answer)?.as_str()))
        .filter_map(|key| ids.get(key).copied())
        .collect()
}

/// What ties a record to a member's response: LinkedIn's response id of a submission, and what an answer names its submission by.
#[must_use]
pub fn tie_of(table: Table, record: &ConnectorRecord) -> Option<String> {
    match table {
        Table::Submissions => response_id(record).map(str::to_owned),
        Table::Answers => submission_name(record),
        _ => None,
    }
}

fn response_id(record: &ConnectorRecord) -> Option<&str> {
    record.cells.text(&["linkedinformsubmissiontextid"])
}

fn submission_name(answer: &ConnectorRecord) -> Option<String> {
    answer.cells.lookup(&["linkedinformsubmission"])
}

/// The keys of the submissions by what answers call them: the GUID, LinkedIn's response id, or the name.
fn names_of(records: &ConnectorRecords) -> HashMap<&str, &str> {
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
    names
}

type Answered<'a> = HashMap<&'a str, Vec<(&'a ConnectorRecord, Said)>>;

/// What an answer says.
enum Said {
    /// LinkedIn's number of the question, and the text.
    Answer(i64, String),
    /// LinkedIn's number of the consent, and whether it was given.
    Consent(i64, bool),
    /// Nothing that can be taken, and why.
    Nothing(&'static str),
}

const UNKNOWN_QUESTION: &str = "Its question is not known: LinkedIn’s number is missing, and msdyncrm_linkedinformquestion does not say it.";
const UNKNOWN_CONSENT: &str = "It says neither yes nor no to the consent, so it is left out: set the language of Dynamics 365 to English and export it again, or \
     export it with logical names.";
const DELETED: &str = "Its member deleted it at LinkedIn, so it is not taken.";
const NOTED: &str = "Its response is noted as handled by the connector, so the sync decides nothing about it again.";

impl Said {
    /// LinkedIn's number of the question or the consent.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Answer(number, _) | Self::Consent(number, _) => Some(*number),
            Self::Nothing(_) => None,
        }
    }
}

/// What the uploaded submissions become beside the responses that are `here`.
#[must_use]
pub fn carry_submissions(
    records: &ConnectorRecords,
    directory: &CarriedDirectory,
    here: &ResponsesHere,
) -> CarriedSubmissions {
    let mut carried = CarriedSubmissions::default();
    let submissions = records_of(records, Table::Submissions);
    let mut answered = answers(records, &names_of(records), &mut carried.verdicts);
    let mut seen = BTreeSet::new();
    for record in submissions {
        let said = answered.remove(record.key.as_str()).unwrap_or_default();
        let read = read(record, &said, directory, here).and_then(|(submission, lacks)| {
            if seen.insert(submission.response_id.clone()) {
                Ok((submission, lacks))
            } else {
                Err(Verdict::left_out(
                    "Another record of the table is the same response.",
                ))
            }
        });
        let verdict = match read {
            Ok((submission, lacks)) => {
                let verdict = Verdict::becomes(became(submission.status) + &lacks);
                carried.submissions.push(submission);
                verdict
            }
            Err(verdict) => left_behind(record, verdict, here, &mut carried.handled),
        };
        let open = response_id(record).and_then(|id| Some((id, here.open.get(id)?)));
        if let Some((id, has)) = open {
            carried.late.extend(late(id, has, &said));
        }
        for (answer, said) in said {
            let of_answer = answer_verdict(&said, &verdict, open.map(|(_, has)| has));
            carried
                .verdicts
                .insert((Table::Answers, answer.key.clone()), of_answer);
        }
        carried
            .verdicts
            .insert((Table::Submissions, record.key.clone()), verdict);
    }
    // Of two records of one response only the one that comes along counts.
    for submission in &carried.submissions {
        carried.handled.remove(&submission.response_id);
    }
    carried
}

/// What becomes of an answer, as its submission becomes.
fn answer_verdict(said: &Said, submission: &Verdict, open: Option<&BTreeSet<i64>>) -> Verdict {
    let number = match said {
        Said::Nothing(why) => return Verdict::left_out(*why),
        Said::Answer(number, _) | Said::Consent(number, _) => number,
    };
    match (submission.outcome, open) {
        (Outcome::Becomes, _) => Verdict::becomes("An answer of its submission."),
        (Outcome::There, Some(has)) if has.contains(number) => {
            Verdict::there("Its submission is here with this answer.")
        }
        (Outcome::There, Some(_)) => {
            Verdict::becomes("An answer that its submission came along without.")
        }
        (Outcome::There, None) => {
            Verdict::there("Its submission is here with the answers that LinkedIn sent.")
        }
        _ => Verdict::left_out("Its submission stays behind, see there."),
    }
}

/// The answers that a submission lacks; none when it has them all.
fn late(
    response_id: &str,
    has: &BTreeSet<i64>,
    said: &[(&ConnectorRecord, Said)],
) -> Option<LateAnswers> {
    let mut late = LateAnswers {
        response_id: response_id.to_owned(),
        answers: BTreeMap::new(),
        consents: BTreeMap::new(),
    };
    for (_, said) in said {
        match said {
            Said::Answer(number, text) if !has.contains(number) => {
                late.answers.insert(*number, text.clone());
            }
            Said::Consent(number, is_given) if !has.contains(number) => {
                late.consents.insert(*number, *is_given);
            }
            _ => {}
        }
    }
    (!late.answers.is_empty() || !late.consents.is_empty()).then_some(late)
}

/// A submission that stays behind though the connector handled it: without a note the sync would decide about it anew, and a person
/// in Dynamics 365 would become a second lead here.
fn left_behind(
    record: &ConnectorRecord,
    verdict: Verdict,
    here: &ResponsesHere,
    handled: &mut BTreeMap<String, MatchingStatus>,
) -> Verdict {
    let Some(id) = usable_id(record).filter(|id| !here.deleted.contains(*id)) else {
        return verdict;
    };
    if verdict.outcome != Outcome::LeftOut {
        return verdict;
    }
    if here.noted.contains(id) {
        return Verdict::left_out(format!("{} {NOTED}", verdict.explanation));
    }
    match status_of(record).filter(|status| is_handled(*status)) {
        Some(status) => {
            handled.insert(id.to_owned(), status);
            Verdict::new(
                Outcome::Notes,
                format!("It does not come along. {} {NOTED}", verdict.explanation),
            )
        }
        None => verdict,
    }
}

fn is_handled(status: MatchingStatus) -> bool {
    status.processing_state() != ProcessingState::Unprocessed
}

/// What the connector made of a submission.
fn status_of(record: &ConnectorRecord) -> Option<MatchingStatus> {
    let labels = STATUSES.map(MatchingStatus::label);
    let place = option(record.cells.text(&["matchingstatus"])?, &labels)?;
    STATUSES.get(place).copied()
}

/// LinkedIn's response id, unless no response has one that long.
fn usable_id(record: &ConnectorRecord) -> Option<&str> {
    response_id(record).filter(|id| id.chars().count() <= 300)
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
        let submission = submission_name(answer).and_then(|name| names.get(name.as_str()).copied());
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
        let number = answer
            .cells
            .text(&["linkedinquestionid"])
            .and_then(number)
            .or_else(|| record.and_then(question_id));
        let text = answer.cells.text(&["answertext"]).unwrap_or_default();
        let said = match number {
            None => Said::Nothing(UNKNOWN_QUESTION),
            Some(number) if record.map_or_else(|| consents.contains(&number), is_consent) => {
                flag_word(text).map_or(Said::Nothing(UNKNOWN_CONSENT), |is_given| {
                    Said::Consent(number, is_given)
                })
            }
            Some(number) => Said::Answer(number, text.to_owned()),
        };
        answered.entry(submission).or_default().push((answer, said));
    }
    answered
}

/// The submission that comes along, and what of its row does not, in sentences.
fn read(
    record: &ConnectorRecord,
    answers: &[(&ConnectorRecord, Said)],
    directory: &CarriedDirectory,
    here: &ResponsesHere,
) -> Result<(CarriedSubmission, String), Verdict> {
    let text = |names: &[&str]| record.cells.text(names);
    let response_id = usable_id(record).ok_or_else(|| {
        Verdict::left_out("LinkedIn’s response id is missing, so the sync could not know it again.")
    })?;
    if here.deleted.contains(response_id) {
        return Err(Verdict::left_out(DELETED));
    }
    if here.known.contains(response_id) {
        return Err(Verdict::there("The submission of this response is here."));
    }
    let status = status_of(record).ok_or_else(|| {
        Verdict::left_out(
            "Its matching status is missing or none of the connector’s: set the language of Dynamics 365 to English and export it \
             again, or export it with logical names.",
        )
    })?;
    let form = record
        .cells
        .lookup(&["linkedinformid", "linkedinform"])
        .and_then(|name| directory.form_names.get(&name))
        .or_else(|| directory.form_names.get(text(&["linkedinformname"])?));
    let Some((form, of_form)) = form.copied() else {
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
    let named_campaign = record.cells.lookup(&["linkedincampaign"]);
    let campaign = text(&["linkedincampaignid"]).and_then(number).or_else(|| {
        directory
            .campaign_names
            .get(named_campaign.as_deref()?)
            .copied()
    });
    let mut submission = CarriedSubmission {
        response_id: response_id.to_owned(),
        name: record.label.clone(),
        account,
        form,
        campaign,
        creative: text(&["linkedincreativeid"]).and_then(number),
        lead_type: text(&["type"])
            .and_then(|text| LeadType::from_wire(&text.to_uppercase().replace(' ', "_")))
            .unwrap_or(LeadType::Sponsored),
        submitted_at,
        status,
        answers: BTreeMap::new(),
        consents: BTreeMap::new(),
    };
    for (_, said) in answers {
        match said {
            Said::Answer(number, text) => {
                submission.answers.insert(*number, text.clone());
            }
            Said::Consent(number, is_given) => {
                submission.consents.insert(*number, *is_given);
            }
            Said::Nothing(_) => {}
        }
    }
    if submission.answers.is_empty() {
        return Err(Verdict::left_out(
            "Its answers are in no uploaded file: upload msdyncrm_linkedinformanswer as well.",
        ));
    }
    let mut lacks = String::new();
    if text(&["lead"]).is_some() {
        lacks.push_str(" It has no lead here: its lead is in Dynamics 365, and comes along under Leads, Import.");
    }
    if text(&["contact"]).is_some() {
        lacks.push_str(" Its contact stays in Dynamics 365: this portal has no contacts.");
    }
    if named_campaign.is_some() && submission.campaign.is_none() {
        lacks.push_str(
            " Its campaign is not known: upload msdyncrm_linkedincampaign as well if it is to have one.",
        );
    }
    let missing = answers
        .iter()
        .filter(|(_, said)| said.number().is_none())
        .count();
    if missing > 0 {
        lacks.push_str(&format!(
            " {missing} of its answers {} behind, see there.",
            if missing == 1 { "stays" } else { "stay" }
        ));
    }
    Ok((submission, lacks))
}

fn became(status: MatchingStatus) -> String {
    match status {
        MatchingStatus::PendingLeadMatching => {
            "A form submission that the connector had not handled: it is decided about with the next sync of its account.".to_owned()
        }
        other => format!("A form submission with the status “{}”. Nothing is decided about it again.", other.label()),
    }
}
