//! Form submissions: the filtered list, one with every answer and the decision, and trying again.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::form::NoFields;
use super::keyset::{FilterDay, KeysetPager, start};
use super::{Answer, Flash, Form, Path, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::field_mapping::MappingOutcome;
use crate::domain::form::{FormVersion, QuestionKind};
use crate::domain::ids::{AccountId, FormId, LeadId, SubmissionId};
use crate::domain::matching::Action;
use crate::domain::submission::{
    Answer as FormAnswer, AnswerValue, ConsentResponse, MatchingStatus, ProcessingState,
};
use crate::store::audit::{self, Actor};
use crate::store::paging::Cursor;
use crate::store::submissions::{self, Submission, SubmissionDetail, SubmissionFilter};
use crate::store::{StoreError, accounts, forms, leads, users};
use crate::sync::decision::DecisionRecord;
use crate::sync::intake::{Place, Response};

#[derive(Template)]
#[template(path = "submissions/index.html")]
struct SubmissionsIndex {
    shell: Shell,
    submissions: Vec<Submission>,
    pager: KeysetPager,
    search: String,
    account: String,
    form: String,
    status: &'static str,
    state: &'static str,
    test: &'static str,
    from: String,
    to: String,
    accounts: Vec<(String, String)>,
    forms: Vec<(String, String)>,
}

/// Whether test leads are shown.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestChoice {
    /// Only test leads.
    Yes,
    /// Only real ones.
    No,
}

/// The filter of the list and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct SubmissionsQuery {
    q: Option<String>,
    account: Option<AccountId>,
    form: Option<FormId>,
    status: Option<MatchingStatus>,
    state: Option<ProcessingState>,
    test: Option<TestChoice>,
    from: Option<FilterDay>,
    to: Option<FilterDay>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

/// GET /form-submissions
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SubmissionsQuery>,
) -> Answer {
    let place = start(query.after, query.before);
    let zone = shell.time_zone();
    let day = |day: Option<FilterDay>| {
        day.map(|FilterDay(day)| day.to_string())
            .unwrap_or_default()
    };
    let test = match query.test {
        None => "",
        Some(TestChoice::Yes) => "yes",
        Some(TestChoice::No) => "no",
    };
    let (from, to) = (day(query.from), day(query.to));
    let filter = SubmissionFilter {
        search: query.q,
        account_id: query.account,
        form_id: query.form,
        matching_status: query.status,
        processing_state: query.state,
        is_test: query.test.map(|choice| matches!(choice, TestChoice::Yes)),
        from: query.from.map(|FilterDay(day)| zone.start_of_day(day)),
        // The day itself is still in it.
        until: query
            .to
            .and_then(|FilterDay(day)| day.succ_opt())
            .map(|next| zone.start_of_day(next)),
    };
    let search = filter.search.clone().unwrap_or_default();
    let account = filter
        .account_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let form = filter
        .form_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let status = filter.matching_status.map_or("", MatchingStatus::as_str);
    let state = filter.processing_state.map_or("", ProcessingState::as_str);
    let mut pager = KeysetPager::new(
        "/form-submissions",
        &[
            ("q", search.trim()),
            ("account", &account),
            ("form", &form),
            ("status", status),
            ("state", state),
            ("test", test),
            ("from", &from),
            ("to", &to),
        ],
        &place,
    );
    let ((page, count), accounts, forms) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                submissions::list(conn, &filter, &place)?,
                accounts::names(conn)?,
                forms::names(conn)?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let page = SubmissionsIndex {
        submissions: pager.take(page),
        shell,
        pager,
        search,
        account,
        form,
        status,
        state,
        test,
        from,
        to,
        accounts,
        forms,
    };
    page.shell.render(StatusCode::OK, &page)
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
enum Said {
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

#[derive(Template)]
#[template(path = "submissions/show.html")]
struct SubmissionsShow {
    shell: Shell,
    submission: Submission,
    version: Option<FormVersion>,
    /// `None` when the response cannot be read or was erased.
    answers: Option<Vec<AnsweredQuestion>>,
    consents: Vec<GivenConsent>,
    decision: Option<DecisionView>,
    raw: Option<String>,
    lead_name: Option<String>,
    can_retry: bool,
}

fn said(value: Option<&AnswerValue>, kind: Option<&QuestionKind>) -> Said {
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
fn named_in(record: &DecisionRecord) -> Vec<LeadId> {
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

/// GET /form-submissions/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<SubmissionId>) -> Answer {
    let (detail, record, names, owner, lead_name) = portal
        .store
        .read(move |conn| {
            let detail = submissions::get(conn, &id)?;
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
            let lead_name = detail
                .submission
                .lead_id
                .as_ref()
                .and_then(|id| names.get(id).cloned());
            Ok::<_, StoreError>((detail, record, names, owner, lead_name))
        })
        .await?;
    let SubmissionDetail {
        submission,
        raw,
        version,
        ..
    } = detail;
    let place = Place {
        lead_type: submission.lead_type,
        is_test: submission.is_test,
        until: submission.submitted_at,
    };
    let said = raw
        .clone()
        .and_then(|raw| Response::reread(raw, place).ok())
        .and_then(|response| response.content().answers.ok());
    let page = SubmissionsShow {
        can_retry: submission.is_retryable() && shell.can(Permission::EditLeads),
        answers: said
            .as_ref()
            .map(|(answers, _)| answered(version.as_ref(), answers, record.as_ref())),
        consents: said
            .as_ref()
            .map(|(_, responses)| consents(version.as_ref(), responses))
            .unwrap_or_default(),
        decision: record.map(|record| view(record, &names, owner)),
        raw: raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()),
        shell,
        submission,
        version,
        lead_name,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /form-submissions/{id}/retries: puts it back to be matched, and wakes the sync.
///
/// # Errors
/// `NotFound`, `Rule` when it did not fail, or as the database.
pub async fn retry(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<SubmissionId>,
    Form(_): Form<NoFields>,
) -> Answer {
    let (now, path) = (portal.clock.now(), format!("/form-submissions/{id}"));
    portal
        .store
        .write(move |tx| {
            submissions::retry(tx, &id)?;
            let object = ("form_submission", id.as_str(), "Form submission");
            audit::record(
                tx,
                now,
                &actor,
                "form_submission.retried",
                object,
                None,
                None,
            )
        })
        .await?;
    portal.wake.notify_one();
    let flash = Flash::success(
        "The submission is being matched again. Load this page again in a few seconds.",
    );
    Ok(shell.redirect(path).flash(flash))
}
