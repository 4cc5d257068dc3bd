//! One form submission in parts: summary, answers, decision, timeline, raw; with its neighbours inside the filter.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{PATH, SubmissionsQuery};
use crate::domain::access::Permission;
use crate::domain::field_mapping::MappingOutcome;
use crate::domain::form::{FormVersion, QuestionKind};
use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::lead::LeadFields;
use crate::domain::matching::Action;
use crate::domain::submission::{
    ActKind, Answer as FormAnswer, AnswerValue, ConsentResponse, SubmissionReason,
};
use crate::domain::words::words;
use crate::store::leads::JournalEntry;
use crate::store::submission_acts::{self, Act};
use crate::store::submissions::{self, Submission, SubmissionDetail};
use crate::store::{StoreError, custom_fields, leads, submission_undo, users};
use crate::sync::decision::DecisionRecord;
use crate::sync::intake::{Place, Response};
use crate::web::leads::show::change_label;
use crate::web::{Answer, Path, Portal, Query, Shell};

words! {
    /// A part of the page, with an address of its own.
    pub enum Part {
        Summary = "summary" => "Summary",
        Answers = "answers" => "Answers",
        Decision = "decision" => "Decision",
        Timeline = "timeline" => "Timeline",
        Raw = "raw" => "Raw",
    }
}

/// Which part of the page is shown; the filter stands beside it in the address.
#[derive(Debug, Default, Deserialize)]
pub struct PartQuery {
    part: Option<Part>,
}

/// One question with what was answered, in the version that was answered.
struct AnsweredQuestion {
    text: String,
    name: String,
    predefined_field: Option<String>,
    said: Said,
    /// The lead fields that the answer went to.
    fields: Vec<String>,
}

/// What was said to a question.
pub(super) enum Said {
    /// Typed.
    Text(String),
    /// Chosen, by the options' texts in that version.
    Choices(Vec<String>),
    /// Nothing.
    Nothing,
    /// A shape that is not known yet, as LinkedIn sent it.
    Unknown(String),
}

/// A consent checkbox with what the member did.
struct GivenConsent {
    text: String,
    is_required: bool,
    accepted: Option<bool>,
}

/// A lead in a decision.
struct NamedLead {
    id: LeadId,
    name: Option<String>,
}

/// One field that was compared.
struct ComparedField {
    label: String,
    result: &'static str,
    leads: Vec<NamedLead>,
}

/// The decision in people's words.
struct DecisionView {
    record: DecisionRecord,
    compared: Vec<ComparedField>,
    candidates: Vec<NamedLead>,
    owner: Option<(String, &'static str)>,
    action: &'static str,
}

/// An act of a person, and whether it can be undone.
struct ActView {
    act: Act,
    lead_name: Option<String>,
    /// `None` when nobody would want to undo it; `Err` says why it cannot be.
    undo: Option<Result<(), &'static str>>,
}

/// Something that happened to the submission.
enum Happened {
    /// It came in.
    Received,
    /// LinkedIn sent other content under the same id; so often.
    Revised(i64),
    /// It was decided, after so many tries.
    Decided(i64, Option<SubmissionReason>),
    /// It changed a lead.
    Lead(JournalEntry),
    /// Somebody did something.
    Act(Box<ActView>),
}

#[derive(Template)]
#[template(path = "submissions/show.html")]
struct SubmissionsShow {
    shell: Shell,
    query: SubmissionsQuery,
    part: Part,
    newer: Option<SubmissionId>,
    older: Option<SubmissionId>,
    submission: Submission,
    version: Option<FormVersion>,
    /// `None` when the response cannot be read or was erased.
    answers: Option<Vec<AnsweredQuestion>>,
    consents: Vec<GivenConsent>,
    decision: Option<DecisionView>,
    raw: Option<String>,
    lead_name: Option<String>,
    /// Newest first.
    timeline: Vec<(DateTime<Utc>, Happened)>,
    can_act: bool,
    fields: LeadFields,
}

impl SubmissionsShow {
    /// The label of a field in the journal of the lead.
    fn change_label(&self, word: &str) -> String {
        change_label(&self.fields, word)
    }

    /// This page with another part.
    fn part_path(&self, part: &str) -> String {
        let word = if part == Part::Summary.as_str() {
            ""
        } else {
            part
        };
        self.query
            .link(&format!("{PATH}/{}", self.submission.id), &[("part", word)])
    }

    /// Another submission with the same part.
    fn beside(&self, id: &SubmissionId) -> String {
        let word = if self.part == Part::Summary {
            ""
        } else {
            self.part.as_str()
        };
        self.query.link(&format!("{PATH}/{id}"), &[("part", word)])
    }

    /// The leads to choose from.
    fn candidates_path(&self) -> String {
        self.query
            .link(&format!("{PATH}/{}/candidates", self.submission.id), &[])
    }

    /// The newest act, when it can be undone.
    fn undoable(&self) -> Option<&Act> {
        self.timeline
            .iter()
            .find_map(|(_, happened)| match happened {
                Happened::Act(view) if matches!(view.undo, Some(Ok(()))) => Some(&view.act),
                _ => None,
            })
    }
}

/// The answers and consents in LinkedIn's bytes; `None` when they cannot be read.
pub(in crate::web) fn answers_of(
    submission: &Submission,
    raw: Vec<u8>,
) -> Option<(Vec<FormAnswer>, Vec<ConsentResponse>)> {
    let place = Place {
        lead_type: submission.lead_type,
        is_test: submission.is_test,
        until: submission.submitted_at,
    };
    Response::reread(raw, place).ok()?.content().answers.ok()
}

pub(super) fn said(value: Option<&AnswerValue>, kind: Option<&QuestionKind>) -> Said {
    match value {
        None | Some(AnswerValue::Blank) => Said::Nothing,
        Some(AnswerValue::Text(text)) => Said::Text(text.clone()),
        Some(AnswerValue::Unknown(value)) => Said::Unknown(value.to_string()),
        Some(AnswerValue::Choices(ids)) => Said::Choices(
            ids.iter()
                .map(|id| {
                    let known = match kind {
                        Some(QuestionKind::MultipleChoice { options }) => options
                            .iter()
                            .find(|option| option.id == *id)
                            .map(|option| option.text.clone()),
                        _ => None,
                    };
                    known
                        .unwrap_or_else(|| format!("Option {id} (not in this version of the form)"))
                })
                .collect(),
        ),
    }
}

/// Where the answers to a question went.
fn fields_of(question: i64, decision: Option<&DecisionRecord>) -> Vec<String> {
    decision
        .map(|decision| {
            decision
                .mappings
                .iter()
                .filter(|mapping| mapping.question_id == Some(question))
                .filter(|mapping| mapping.outcome == MappingOutcome::Mapped)
                .map(|mapping| mapping.field.label().into_owned())
                .collect()
        })
        .unwrap_or_default()
}

/// The questions of the version in their order, then answers to questions that the version does not have.
fn answered(
    version: Option<&FormVersion>,
    answers: &[FormAnswer],
    decision: Option<&DecisionRecord>,
) -> Vec<AnsweredQuestion> {
    let questions = version
        .map(|version| version.questions.as_slice())
        .unwrap_or_default();
    let mut all: Vec<AnsweredQuestion> = questions
        .iter()
        .map(|question| AnsweredQuestion {
            text: question.text.clone(),
            name: question.name.clone(),
            predefined_field: question.predefined_field.clone(),
            said: said(
                answers
                    .iter()
                    .find(|answer| answer.question_id == question.id)
                    .map(|answer| &answer.value),
                Some(&question.kind),
            ),
            fields: fields_of(question.id, decision),
        })
        .collect();
    let unknown = answers.iter().filter(|answer| {
        !questions
            .iter()
            .any(|question| question.id == answer.question_id)
    });
    all.extend(unknown.map(|answer| AnsweredQuestion {
        text: format!("Question {}", answer.question_id),
        name: "The question is not known here".to_owned(),
        predefined_field: None,
        said: said(Some(&answer.value), None),
        fields: fields_of(answer.question_id, decision),
    }));
    all
}

fn consents(version: Option<&FormVersion>, responses: &[ConsentResponse]) -> Vec<GivenConsent> {
    let known = version
        .map(|version| version.consents.as_slice())
        .unwrap_or_default();
    let accepted = |id: i64| {
        responses
            .iter()
            .find(|given| given.consent_id == id)
            .map(|given| given.accepted)
    };
    let mut all: Vec<GivenConsent> = known
        .iter()
        .map(|consent| GivenConsent {
            text: consent.text.clone(),
            is_required: consent.check_required,
            accepted: accepted(consent.id),
        })
        .collect();
    all.extend(
        responses
            .iter()
            .filter(|given| !known.iter().any(|consent| consent.id == given.consent_id))
            .map(|given| GivenConsent {
                text: format!(
                    "Consent {} (not in this version of the form)",
                    given.consent_id
                ),
                is_required: false,
                accepted: Some(given.accepted),
            }),
    );
    all
}

/// The leads that a decision names.
pub(super) fn named_in(record: &DecisionRecord) -> Vec<LeadId> {
    let mut ids: Vec<LeadId> = record
        .compared
        .iter()
        .flat_map(|comparison| comparison.leads.iter().cloned())
        .chain(record.candidates.iter().cloned())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn view(
    record: DecisionRecord,
    names: &HashMap<LeadId, String>,
    owner: Option<String>,
) -> DecisionView {
    let named = |ids: &[LeadId]| -> Vec<NamedLead> {
        ids.iter()
            .map(|id| NamedLead {
                id: id.clone(),
                name: names.get(id).cloned(),
            })
            .collect()
    };
    DecisionView {
        compared: record
            .compared
            .iter()
            .map(|comparison| ComparedField {
                label: comparison.field.label().into_owned(),
                result: comparison.result.label(),
                leads: named(&comparison.leads),
            })
            .collect(),
        candidates: named(&record.candidates),
        owner: record.owner.as_ref().map(|chosen| {
            (
                owner.unwrap_or_else(|| "Somebody no longer here".to_owned()),
                chosen.reason.step.label(),
            )
        }),
        action: match record.action {
            Action::Create => "A lead was created.",
            Action::Update(_) => "The matching lead was updated.",
            Action::Reopen(_) => "The matching lead was reopened and updated.",
            Action::Attach(_) => {
                "The submission was attached to the matching lead; nothing on it was changed."
            }
            Action::None => "No lead was touched.",
        },
        record,
    }
}

/// What an entry of a lead's journal means for the submission.
fn lead_entry(kind: &str) -> &'static str {
    match kind {
        "created" => "Made a lead",
        "updated" => "Updated a lead",
        "reopened" => "Reopened and updated a lead",
        "attached" => "Was attached to a lead",
        _ => "Changed a lead",
    }
}

/// What happened, newest first.
fn timeline(
    submission: &Submission,
    journal: Vec<JournalEntry>,
    acts: Vec<ActView>,
) -> Vec<(DateTime<Utc>, Happened)> {
    let mut all: Vec<(DateTime<Utc>, u8, Happened)> =
        vec![(submission.received_at, 0, Happened::Received)];
    if submission.revision > 1 {
        all.push((
            submission.received_at,
            1,
            Happened::Revised(submission.revision - 1),
        ));
    }
    if let Some(at) = submission.processed_at {
        all.push((
            at,
            2,
            Happened::Decided(submission.attempts, submission.reason),
        ));
    }
    all.extend(
        journal
            .into_iter()
            .filter(|entry| entry.submission_id.as_ref() == Some(&submission.id))
            .map(|entry| (entry.created_at, 3, Happened::Lead(entry))),
    );
    all.extend(
        acts.into_iter()
            .map(|view| (view.act.created_at, 4, Happened::Act(Box::new(view)))),
    );
    all.sort_by(|(a, a_rank, _), (b, b_rank, _)| (b, b_rank).cmp(&(a, a_rank)));
    all.into_iter().map(|(at, _, what)| (at, what)).collect()
}

fn acts_of(
    conn: &mut crate::store::AnyConn,
    id: &SubmissionId,
) -> Result<Vec<ActView>, StoreError> {
    let acts = submission_acts::of_submission(conn, id)?;
    let ids: Vec<LeadId> = acts
        .iter()
        .filter_map(|act| act.lead.as_ref().map(|(lead, _)| lead.clone()))
        .collect();
    let names = leads::display_names(conn, &ids)?;
    acts.into_iter()
        .map(|act| {
            let undo = match act.kind {
                ActKind::Linked | ActKind::TurnedIntoLead if act.undone_at.is_none() => {
                    Some(submission_undo::why_not(conn, &act)?.map_or(Ok(()), Err))
                }
                _ => None,
            };
            Ok(ActView {
                lead_name: act
                    .lead
                    .as_ref()
                    .and_then(|(lead, _)| names.get(lead).cloned()),
                undo,
                act,
            })
        })
        .collect()
}

/// GET /form-submissions/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<SubmissionId>,
    Query(query): Query<SubmissionsQuery>,
    Query(part): Query<PartQuery>,
) -> Answer {
    let filter = query.filter(shell.time_zone());
    let (detail, record, names, owner, beside, timeline, fields) = portal
        .store
        .read(move |conn| {
            let detail = submissions::get(conn, &id)?;
            let beside = submissions::neighbours(conn, &filter, &detail.submission.cursor())?;
            // A record of another version of the portal that cannot be read any more is left out, not a failure.
            let record: Option<DecisionRecord> = detail
                .decision
                .as_deref()
                .and_then(|json| serde_json::from_str(json).ok());
            let mut ids = record.as_ref().map(named_in).unwrap_or_default();
            ids.extend(detail.submission.lead_id.clone());
            let names = leads::display_names(conn, &ids)?;
            let owner = match record.as_ref().and_then(|record| record.owner.as_ref()) {
                Some(owner) => users::find(conn, &owner.id)?.map(|user| user.name),
                None => None,
            };
            let journal = match &detail.submission.lead_id {
                Some(lead) => leads::journal(conn, lead)?,
                None => Vec::new(),
            };
            let timeline = timeline(&detail.submission, journal, acts_of(conn, &id)?);
            let fields = custom_fields::fields(conn)?;
            Ok::<_, StoreError>((detail, record, names, owner, beside, timeline, fields))
        })
        .await?;
    let SubmissionDetail {
        submission,
        raw,
        version,
        ..
    } = detail;
    let said = raw.clone().and_then(|raw| answers_of(&submission, raw));
    let page = SubmissionsShow {
        can_act: shell.can(Permission::EditLeads),
        fields,
        part: part.part.unwrap_or(Part::Summary),
        answers: said
            .as_ref()
            .map(|(answers, _)| answered(version.as_ref(), answers, record.as_ref())),
        consents: said
            .as_ref()
            .map(|(_, responses)| consents(version.as_ref(), responses))
            .unwrap_or_default(),
        decision: record.map(|record| view(record, &names, owner)),
        raw: raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()),
        lead_name: submission
            .lead_id
            .as_ref()
            .and_then(|id| names.get(id).cloned()),
        newer: beside.0,
        older: beside.1,
        shell,
        query,
        submission,
        version,
        timeline,
    };
    page.shell.render(StatusCode::OK, &page)
}
