//! Lead Gen forms: the list, and one with its versions, their questions and where each answer goes.

use std::collections::{HashMap, HashSet};

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::form_versions::{VersionComparison, VersionsQuery};
use super::page::{StateTab, state_tabs};
use super::{Answer, Path, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::account::LeadType;
use crate::domain::field_mapping::{
    Coverage, FieldMapping, MappingSet, Source, coverage, is_on, source_of, suggest,
};
use crate::domain::form::{FormStatus, FormVersion, Question, QuestionKind};
use crate::domain::ids::{AccountId, FormId, MappingId, SubmissionId};
use crate::domain::lead::LeadFields;
use crate::domain::submission::Submission;
use crate::store::accounts::{Account, AccountFilter};
use crate::store::forms::{self, Form, FormCounts, FormFilter};
use crate::store::{StoreError, accounts, custom_fields, field_mappings, mapping_inbox};

/// A form with its numbers.
struct FormRow {
    form: Form,
    counts: FormCounts,
    /// How much of the current version the mappings read; `None` while no version is known.
    coverage: Option<Coverage>,
    /// When its account is read next.
    next_sync_at: Option<DateTime<Utc>>,
    is_paused: bool,
}

#[derive(Template)]
#[template(path = "forms/index.html")]
struct FormsIndex {
    shell: Shell,
    rows: Vec<FormRow>,
    tabs: Vec<StateTab>,
    search: String,
    account: String,
    status: &'static str,
    accounts: Vec<(String, String)>,
    is_filtered: bool,
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct FormsQuery {
    q: Option<String>,
    account: Option<AccountId>,
    status: Option<FormStatus>,
}

/// GET /forms
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<FormsQuery>) -> Answer {
    let filter = FormFilter {
        search: query.q,
        account_id: query.account,
        // The tabs tell the numbers of all states, so the state is looked at last.
        sync_status: None,
    };
    let search = filter.search.clone().unwrap_or_default();
    let account = filter
        .account_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (listed, counts, accounts, coverages) = portal
        .store
        .read(move |conn| {
            let listed = forms::list(conn, &filter)?;
            let ids: Vec<&FormId> = listed.iter().map(|form| &form.id).collect();
            let counts = forms::counts(conn, &ids)?;
            let set = MappingSet::new(field_mappings::list(conn)?);
            let coverages: HashMap<FormId, Coverage> =
                mapping_inbox::current_forms(conn, Some(&ids))?
                    .into_iter()
                    .map(|form| (form.id, coverage(&set, &form.version)))
                    .collect();
            let accounts = accounts::list(conn, &AccountFilter::default())?;
            Ok::<_, StoreError>((listed, counts, accounts, coverages))
        })
        .await?;
    let by_id: HashMap<&str, &Account> = accounts
        .iter()
        .map(|account| (account.id.as_str(), account))
        .collect();
    let page = FormsIndex {
        is_filtered: !search.trim().is_empty() || !account.is_empty() || query.status.is_some(),
        tabs: state_tabs(
            "/forms",
            "status",
            &[("q", search.trim()), ("account", &account)],
            query.status.map_or("", FormStatus::as_str),
            FormStatus::ALL.iter().map(|status| {
                let many = listed.iter().filter(|form| form.sync_status == *status);
                (status.as_str(), status.label(), many.count())
            }),
        ),
        rows: listed
            .into_iter()
            .filter(|form| query.status.is_none_or(|status| form.sync_status == status))
            .map(|form| FormRow {
                next_sync_at: by_id
                    .get(form.account.0.as_str())
                    .and_then(|account| account.planned_sync_at()),
                is_paused: by_id
                    .get(form.account.0.as_str())
                    .is_some_and(|account| account.pause.is_some()),
                counts: counts.get(form.id.as_str()).copied().unwrap_or_default(),
                coverage: coverages.get(&form.id).copied(),
                form,
            })
            .collect(),
        shell,
        search,
        account,
        status: query.status.map_or("", FormStatus::as_str),
        accounts: accounts
            .iter()
            .map(|account| (account.id.to_string(), account.name.clone()))
            .collect(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A question with the lead fields that its answers go to.
struct QuestionRow {
    question: Question,
    kind: String,
    options: Vec<String>,
    /// Field and the name of the mapping.
    targets: Vec<(String, String)>,
    /// A new mapping of this question on this form, filled in.
    override_path: String,
}

/// A mapping that is in force on the form, or replaced by one that is.
struct MappingRow {
    id: MappingId,
    name: String,
    source: String,
    target: String,
    policy: &'static str,
    is_own: bool,
    /// Whether the current version has what it reads.
    is_on_form: bool,
    is_replaced: bool,
}

/// A hidden field with the lead fields that its value goes to.
struct HiddenRow {
    name: String,
    value: String,
    targets: Vec<String>,
}

/// A version with where each part goes.
struct VersionView {
    version: FormVersion,
    questions: Vec<QuestionRow>,
    hidden: Vec<HiddenRow>,
    coverage: Coverage,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "forms/show.html")]
struct FormsShow {
    shell: Shell,
    form: Form,
    account: Account,
    comparison: Option<VersionComparison>,
    counts: FormCounts,
    versions: Vec<VersionView>,
    mappings: Vec<MappingRow>,
}

/// Which mapping reads which question: told by mapping a submission without answers.
fn targets(
    set: &MappingSet,
    mappings: &[FieldMapping],
    fields: &LeadFields,
    version: &FormVersion,
) -> HashMap<i64, Vec<(String, String)>> {
    let nobody = Submission {
        id: SubmissionId::new(uuid::Uuid::nil()),
        response_id: String::new(),
        submitted_at: DateTime::UNIX_EPOCH,
        lead_type: LeadType::Sponsored,
        is_test: false,
        submitter: None,
        form_id: Some(version.form_id.clone()),
        form_version: Some(version.id.clone()),
        campaign_name: None,
        form_name: None,
        account_name: None,
        country: None,
        answers: Vec::new(),
        consent_responses: Vec::new(),
    };
    let mut targets: HashMap<i64, Vec<(String, String)>> = HashMap::new();
    for applied in set.map(&nobody, version, None).applied {
        if let Some(question) = applied.question_id {
            let name = mappings
                .iter()
                .find(|mapping| mapping.id == applied.mapping_id)
                .map(|mapping| mapping.name.clone())
                .unwrap_or_default();
            targets
                .entry(question)
                .or_default()
                .push((fields.label(&applied.field).into_owned(), name));
        }
    }
    targets
}

/// A new mapping of this question on this form only.
fn override_path(version: &FormVersion, question: &Question) -> String {
    let source = source_of(question);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let name: String = question.text.chars().take(300).collect();
    query.append_pair("name", name.trim());
    query.append_pair("form", version.form_id.as_str());
    query.append_pair("source_kind", source.kind().as_str());
    query.append_pair("source_key", &source.key());
    if let Some(field) = suggest(question, &[]) {
        query.append_pair("target", &field.word());
    }
    format!("/settings/field-mappings/new?{}", query.finish())
}

/// The mappings that concern a form: those in force whose source it has, its own ones, and what its own ones replace.
fn mapping_rows(
    set: &MappingSet,
    mappings: &[FieldMapping],
    fields: &LeadFields,
    form: &FormId,
    current: Option<&FormVersion>,
) -> Vec<MappingRow> {
    let in_force: HashSet<&MappingId> = set.for_form(form).map(|mapping| &mapping.id).collect();
    let mut rows: Vec<MappingRow> = mappings
        .iter()
        .filter(|mapping| mapping.form_id.as_ref().is_none_or(|own| own == form))
        .map(|mapping| MappingRow {
            is_own: mapping.form_id.is_some(),
            is_on_form: current.is_some_and(|version| is_on(&mapping.source, version)),
            is_replaced: !in_force.contains(&mapping.id),
            id: mapping.id.clone(),
            name: mapping.name.clone(),
            source: mapping.source.to_string(),
            target: fields.label(&mapping.target).into_owned(),
            policy: mapping.policy.label(),
        })
        .filter(|row| row.is_own || row.is_on_form)
        .collect();
    rows.sort_by_key(|row| (!row.is_own, row.is_replaced));
    rows
}

fn kind(question: &Question) -> (String, Vec<String>) {
    match &question.kind {
        QuestionKind::Text {
            max_length: Some(max),
        } => (format!("Text, up to {max} characters"), Vec::new()),
        QuestionKind::Text { max_length: None } => ("Text".to_owned(), Vec::new()),
        QuestionKind::MultipleChoice { options } => (
            "Choice".to_owned(),
            options.iter().map(|option| option.text.clone()).collect(),
        ),
        QuestionKind::Unknown => ("A kind that is not known here yet".to_owned(), Vec::new()),
    }
}

fn view(
    version: FormVersion,
    set: &MappingSet,
    mappings: &[FieldMapping],
    fields: &LeadFields,
    current: Option<i64>,
) -> VersionView {
    let mut targets = targets(set, mappings, fields, &version);
    let questions: Vec<QuestionRow> = version
        .questions
        .iter()
        .map(|question| {
            let (kind, options) = kind(question);
            QuestionRow {
                targets: targets.remove(&question.id).unwrap_or_default(),
                override_path: override_path(&version, question),
                question: question.clone(),
                kind,
                options,
            }
        })
        .collect();
    let hidden = version
        .hidden_fields
        .iter()
        .map(|field| HiddenRow {
            targets: set
                .for_form(&version.form_id)
                .filter(|mapping| matches!(&mapping.source, Source::HiddenField(name) if *name == field.name))
                .map(|mapping| fields.label(&mapping.target).into_owned())
                .collect(),
            name: field.name.clone(),
            value: field.value.clone(),
        })
        .collect();
    VersionView {
        coverage: coverage(set, &version),
        is_current: current == Some(version.number),
        questions,
        hidden,
        version,
    }
}

/// GET /forms/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<FormId>,
    Query(compared): Query<VersionsQuery>,
) -> Answer {
    let (account, form, counts, versions, mappings, fields) = portal
        .store
        .read(move |conn| {
            let form = forms::get(conn, &id)?;
            let counts = forms::counts(conn, &[&id])?;
            Ok::<_, StoreError>((
                accounts::get(conn, &form.account.0)?,
                form,
                counts.get(id.as_str()).copied().unwrap_or_default(),
                forms::versions(conn, &id)?,
                field_mappings::list(conn)?,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let set = MappingSet::new(mappings.clone());
    let current = versions
        .iter()
        .find(|version| Some(version.number) == form.current_version_number)
        .or_else(|| versions.first());
    let page = FormsShow {
        mappings: mapping_rows(&set, &mappings, &fields, &form.id, current),
        comparison: VersionComparison::of(&versions, &compared),
        versions: versions
            .into_iter()
            .map(|version| {
                view(
                    version,
                    &set,
                    &mappings,
                    &fields,
                    form.current_version_number,
                )
            })
            .collect(),
        shell,
        form,
        account,
        counts,
    };
    page.shell.render(StatusCode::OK, &page)
}
