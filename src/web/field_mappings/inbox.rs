//! The inbox of unmapped questions: what current forms ask and no mapping reads, to map or to dismiss.

use std::collections::{BTreeSet, HashMap};

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::edit::{Lists, store_mapping};
use super::path_of;
use crate::domain::account::LeadType;
use crate::domain::field_mapping::{
    FieldMapping, MappingSet, WritePolicy, source_of, suggest, unmapped,
};
use crate::domain::form::Question;
use crate::domain::ids::{FormId, MappingId};
use crate::domain::lead::{CustomField, FieldKey, LeadFields};
use crate::store::audit::{self, Actor};
use crate::store::mapping_inbox::{self, CurrentForm};
use crate::store::{AnyConn, StoreError, field_mappings, lock_rules, samples};
use crate::sync::intake::{Place, Response};
use crate::web::page::{PageNumber, Pager};
use crate::web::{Answer, Flash, Form, Portal, Query, Shell, WebError};

/// Where the inbox is.
const INBOX: &str = "/settings/field-mappings/inbox";
/// Questions on a page.
const PAGE: i64 = 25;
/// How many of the latest submissions of each form are counted.
const COUNTED: i64 = 100;
/// The most characters of a mapping's name.
const MAX_NAME: usize = 300;

/// A question that waits.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    form: &'a CurrentForm,
    question: &'a Question,
}

/// The questions of current forms that no mapping reads and nobody dismissed, form by form.
pub fn waiting<'a>(
    current: &'a [CurrentForm],
    set: &MappingSet,
    dismissed: &BTreeSet<(FormId, i64)>,
) -> Vec<Waiting<'a>> {
    current
        .iter()
        .flat_map(|form| {
            unmapped(set, &form.version)
                .into_iter()
                .filter(|question| !dismissed.contains(&(form.id.clone(), question.id)))
                .map(move |question| Waiting { form, question })
        })
        .collect()
}

struct Row {
    form_id: FormId,
    form: String,
    account: String,
    question_id: i64,
    text: String,
    kind: String,
    /// How many of the submissions counted answered it.
    answered: usize,
    counted: usize,
    suggested: String,
    /// The form of a new mapping, filled in.
    more: String,
}

/// A question that was dismissed.
struct Dismissed {
    form_id: FormId,
    form: String,
    question_id: i64,
    text: String,
}

#[derive(Template)]
#[template(path = "field_mappings/inbox.html")]
struct FieldMappingsInbox {
    shell: Shell,
    rows: Vec<Row>,
    total: usize,
    forms: usize,
    pager: Pager,
    targets: Vec<(String, String)>,
    dismissed: Vec<Dismissed>,
}

/// The custom fields that new mappings may write to.
fn offered(fields: &LeadFields) -> Vec<CustomField> {
    fields
        .custom()
        .iter()
        .filter(|defined| !defined.is_retired)
        .map(|defined| defined.field.clone())
        .collect()
}

/// How many submissions of each form were counted, and how many of them answered each question.
#[derive(Default)]
struct Counts {
    forms: HashMap<String, usize>,
    questions: HashMap<(String, i64), usize>,
}

fn count(conn: &mut AnyConn, forms: &[FormId], place: Place) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    for one in samples::of_each_form(conn, forms, COUNTED)? {
        let read = Response::reread(one.raw, place).and_then(|response| response.content().answers);
        let Ok((answers, _)) = read else { continue };
        *counts.forms.entry(one.form_id.clone()).or_default() += 1;
        let answered: BTreeSet<i64> = answers
            .iter()
            .filter(|answer| !answer.value.is_blank())
            .map(|answer| answer.question_id)
            .collect();
        for question in answered {
            *counts
                .questions
                .entry((one.form_id.clone(), question))
                .or_default() += 1;
        }
    }
    Ok(counts)
}

fn link(form: &CurrentForm, question: &Question, custom: &[CustomField]) -> String {
    let source = source_of(question);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let name: String = question.text.chars().take(MAX_NAME).collect();
    query.append_pair("name", name.trim());
    query.append_pair("form", form.id.as_str());
    query.append_pair("source_kind", source.kind().as_str());
    query.append_pair("source_key", &source.key());
    if let Some(field) = suggest(question, custom) {
        query.append_pair("target", &field.word());
    }
    format!("/settings/field-mappings/new?{}", query.finish())
}

fn row(one: Waiting<'_>, counts: &Counts, custom: &[CustomField]) -> Row {
    let (form, question) = (one.form, one.question);
    let key = form.id.as_str().to_owned();
    Row {
        counted: counts.forms.get(&key).copied().unwrap_or_default(),
        answered: counts
            .questions
            .get(&(key, question.id))
            .copied()
            .unwrap_or_default(),
        form_id: form.id.clone(),
        form: form.name.clone(),
        account: form.account_name.clone(),
        question_id: question.id,
        text: if question.text.trim().is_empty() {
            format!("Question {}", question.id)
        } else {
            question.text.clone()
        },
        kind: question
            .predefined_field
            .clone()
            .unwrap_or_else(|| "custom question".to_owned()),
        suggested: suggest(question, custom)
            .map(|field| field.word().into_owned())
            .unwrap_or_default(),
        more: link(form, question, custom),
    }
}

/// GET /settings/field-mappings/inbox
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<PageNumber>) -> Answer {
    let place = Place {
        lead_type: LeadType::Sponsored,
        is_test: false,
        until: portal.clock.now(),
    };
    let mut pager = Pager::new(INBOX, query.page, PAGE, &[]);
    let (offset, limit) = (
        usize::try_from(pager.offset()).unwrap_or_default(),
        usize::try_from(pager.limit()).unwrap_or_default(),
    );
    let (rows, total, forms, targets, dismissed) = portal
        .store
        .read(move |conn| {
            let lists = Lists::load(conn)?;
            let set = MappingSet::new(field_mappings::list(conn)?);
            let dismissed = mapping_inbox::dismissed(conn)?;
            let all = waiting(&lists.current, &set, &dismissed);
            let forms: BTreeSet<&FormId> = all.iter().map(|one| &one.form.id).collect();
            let shown: Vec<Waiting<'_>> = all.iter().skip(offset).take(limit).copied().collect();
            let counted: BTreeSet<FormId> = shown.iter().map(|one| one.form.id.clone()).collect();
            let counted: Vec<FormId> = counted.into_iter().collect();
            let counts = count(conn, &counted, place)?;
            let custom = offered(&lists.fields);
            let rows: Vec<Row> = shown
                .into_iter()
                .map(|one| row(one, &counts, &custom))
                .collect();
            let dismissed = named(&lists.current, &dismissed);
            Ok::<_, StoreError>((
                rows,
                all.len(),
                forms.len(),
                lists.fields.options_with(""),
                dismissed,
            ))
        })
        .await?;
    let page = FieldMappingsInbox {
        rows: pager.take(rows),
        shell,
        total,
        forms,
        pager,
        targets,
        dismissed,
    };
    page.shell.render(StatusCode::OK, &page)
}

fn named(current: &[CurrentForm], dismissed: &BTreeSet<(FormId, i64)>) -> Vec<Dismissed> {
    dismissed
        .iter()
        .filter_map(|(form_id, question_id)| {
            let form = current.iter().find(|form| form.id == *form_id)?;
            let question = form.version.question(*question_id)?;
            Some(Dismissed {
                form_id: form_id.clone(),
                form: form.name.clone(),
                question_id: *question_id,
                text: question.text.clone(),
            })
        })
        .take(200)
        .collect()
}

/// A question of a form.
#[derive(Debug, Deserialize)]
pub struct QuestionForm {
    form: FormId,
    question: i64,
}

/// A question and where its answers are to go.
#[derive(Debug, Deserialize)]
pub struct MapForm {
    form: FormId,
    question: i64,
    target: String,
}

/// The question, if its form asks it now.
fn asked(
    conn: &mut AnyConn,
    form: &FormId,
    question: i64,
) -> Result<(String, Question), StoreError> {
    mapping_inbox::current_forms(conn, Some(&[form]))?
        .into_iter()
        .find_map(|form| {
            let question = form.version.question(question)?.clone();
            Some((form.name, question))
        })
        .ok_or(StoreError::NotFound("question"))
}

/// POST /settings/field-mappings/inbox/mappings: maps a question for every form that asks the same.
///
/// # Errors
/// `NotFound` when no form asks it now, or as the database.
pub async fn map(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<MapForm>,
) -> Answer {
    let target: Option<FieldKey> = form.target.parse().ok();
    let (now, id) = (portal.clock.now(), MappingId::new(portal.new_id()));
    let saved = portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let (_, question) = asked(tx, &form.form, form.question)?;
            let lists = Lists::load(tx)?;
            let target = target
                .filter(|target| lists.fields.is_offered(target))
                .ok_or_else(|| {
                    StoreError::Rule("Choose a lead field, then press Map.".to_owned())
                })?;
            let mapping = draft(tx, id, &question, target)?;
            store_mapping(tx, &mapping, None, now, &actor)?;
            let label = lists.fields.label(&mapping.target).into_owned();
            Ok((mapping.id, question.text, label))
        })
        .await;
    match saved {
        Ok((id, text, label)) => {
            let text: String = text.chars().take(100).collect();
            let flash = Flash::success(format!(
                "“{text}” is mapped to {label} from the next submission on."
            ));
            Ok(shell
                .redirect(INBOX)
                .flash(flash.with_link(path_of(Some(&id)), "Open the mapping")))
        }
        Err(StoreError::Rule(rule)) => Ok(shell.redirect(INBOX).flash(Flash::failure(rule))),
        Err(error) => Err(error.into()),
    }
}

/// An organisation-wide mapping of a question. Where another mapping fills the field already it only fills what is empty,
/// so that one click never replaces what is mapped.
fn draft(
    conn: &mut AnyConn,
    id: MappingId,
    question: &Question,
    target: FieldKey,
) -> Result<FieldMapping, StoreError> {
    let text: String = question.text.trim().chars().take(MAX_NAME).collect();
    let is_filled = field_mappings::targets(conn)?.contains(&target);
    Ok(FieldMapping {
        id,
        name: if text.is_empty() {
            format!("Question {}", question.id)
        } else {
            text
        },
        form_id: None,
        source: source_of(question),
        target,
        policy: if is_filled {
            WritePolicy::FillIfEmpty
        } else {
            WritePolicy::Overwrite
        },
        transforms: Vec::new(),
        position: field_mappings::next_position(conn)?,
    })
}

/// POST /settings/field-mappings/inbox/dismissals
///
/// # Errors
/// `NotFound` when no form asks it now, or as the database.
pub async fn dismiss(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<QuestionForm>,
) -> Answer {
    change(&portal, shell, actor, form, true).await
}

/// POST /settings/field-mappings/inbox/dismissals/removal
///
/// # Errors
/// `NotFound` when no form asks it now, or as the database.
pub async fn restore(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<QuestionForm>,
) -> Answer {
    change(&portal, shell, actor, form, false).await
}

async fn change(
    portal: &Portal,
    shell: Shell,
    actor: Actor,
    form: QuestionForm,
    is_dismissal: bool,
) -> Result<actix_web::HttpResponse, WebError> {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            let (name, question) = asked(tx, &form.form, form.question)?;
            let (action, is_new) = if is_dismissal {
                let by = actor.user_id.as_ref();
                let is_new = mapping_inbox::dismiss(tx, &form.form, form.question, by, now)?;
                ("question.dismissed", is_new)
            } else {
                let is_new = mapping_inbox::restore(tx, &form.form, form.question)?;
                ("question.restored", is_new)
            };
            if !is_new {
                return Ok::<_, StoreError>(());
            }
            let object = ("form", form.form.as_str(), name.as_str());
            let told = json!({ "question_id": question.id, "text": question.text });
            audit::record(tx, now, &actor, action, object, None, Some(told))
        })
        .await?;
    let flash = Flash::success(if is_dismissal {
        "The question was dismissed. It stands below if you need it again."
    } else {
        "The question is back in the inbox."
    });
    Ok(shell.redirect(INBOX).flash(flash))
}
