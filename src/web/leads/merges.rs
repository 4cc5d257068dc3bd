//! Merging two leads: finding the other one, both side by side with what stays, and the way back.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::show::{change_label, entry_label};
use super::{INDEX, change_id, filter::LeadsQuery, index};
use crate::auth::CurrentUser;
use crate::domain::ids::{LeadId, MergeId};
use crate::domain::lead::merge::{self, MergeChoices, MergeField, MergeSide};
use crate::domain::lead::{FieldKey, Lead, LeadField, LeadFields};
use crate::store::audit::{self, Actor};
use crate::store::lead_lists::{self, LeadListed, LeadOrder};
use crate::store::lead_merges::{self, NewMerge, Undoing};
use crate::store::leads::{self, JournalEntry, LeadFilter, LeadNames};
use crate::store::paging::PageStart;
use crate::store::{AnyConn, StoreError, custom_fields, lead_notes};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};

/// So many leads are offered.
const MOST: usize = 8;

/// Which other lead, or what to find it by.
#[derive(Debug, Default, Deserialize)]
pub struct MergeQuery {
    with: Option<LeadId>,
    find: Option<String>,
}

/// The form: versions, the other lead, and a choice a field.
type Sent = BTreeMap<String, String>;

/// A lead of the two, with what people call its parts.
struct Side {
    lead: Lead,
    name: String,
    names: LeadNames,
    notes: usize,
}

/// A field in which the two differ or agree.
struct Row {
    field: MergeField,
    label: String,
    /// Which side is ticked.
    chosen: MergeSide,
}

/// What changed on one of the two while somebody was looking.
struct Since {
    name: String,
    entries: Vec<JournalEntry>,
}

#[derive(Template)]
#[template(path = "leads/merge.html")]
struct LeadsMerge {
    shell: Shell,
    survivor: Side,
    merged: Side,
    rows: Vec<Row>,
    fields: LeadFields,
    since: Vec<Since>,
}

impl LeadsMerge {
    fn change_label(&self, word: &str) -> String {
        change_label(&self.fields, word)
    }

    fn is_survivor(row: &Row) -> bool {
        row.chosen == MergeSide::Survivor
    }
}

#[derive(Template)]
#[template(path = "leads/merge_find.html")]
struct LeadsMergeFind {
    shell: Shell,
    lead: Lead,
    name: String,
    find: String,
    found: Vec<LeadListed>,
}

fn side(conn: &mut AnyConn, id: &LeadId) -> Result<Side, StoreError> {
    let lead = leads::get(conn, id)?;
    Ok(Side {
        name: lead.display_name(),
        names: leads::names_around(conn, &lead)?,
        notes: lead_notes::of_lead(conn, id)?.len(),
        lead,
    })
}

/// Leads that may be the same person: by the words that were entered, else by the e-mail addresses and the name.
fn alike(
    conn: &mut AnyConn,
    lead: &Lead,
    find: Option<&str>,
) -> Result<Vec<LeadListed>, StoreError> {
    let value = |field| lead.values.get(&FieldKey::Standard(field)).cloned();
    let searches: Vec<String> = match find.map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) => vec![words.to_owned()],
        None => [
            value(LeadField::Email),
            value(LeadField::WorkEmail),
            Some(lead.display_name()),
            value(LeadField::LastName),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let mut found: Vec<LeadListed> = Vec::new();
    for words in searches {
        let filter = LeadFilter {
            search: Some(words),
            ..LeadFilter::default()
        };
        let limit = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
        let page = lead_lists::page(conn, &filter, LeadOrder::Latest, &PageStart::Newest, limit)?;
        for one in page.rows {
            if one.id != lead.id && !found.iter().any(|known| known.id == one.id) {
                found.push(one);
            }
        }
    }
    found.truncate(MOST);
    Ok(found)
}

/// GET /leads/{id}/merge: the lead of the address stays. Without another lead, the page helps to find it.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn new(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<LeadId>,
    Query(query): Query<MergeQuery>,
) -> Answer {
    if let Some(with) = query.with.filter(|with| *with != id) {
        let page = page(&portal, shell, &id, &with, None).await?;
        return page.shell.render(StatusCode::OK, &page);
    }
    let searched = query.find.clone();
    let (lead, found) = portal
        .store
        .read(move |conn| {
            let lead = leads::get(conn, &id)?;
            let found = alike(conn, &lead, searched.as_deref())?;
            Ok::<_, StoreError>((lead, found))
        })
        .await?;
    let page = LeadsMergeFind {
        shell,
        name: lead.display_name(),
        lead,
        find: query.find.unwrap_or_default(),
        found,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The two side by side; with what was sent, its choices stay and what changed since is told.
async fn page(
    portal: &Portal,
    shell: Shell,
    survivor: &LeadId,
    merged: &LeadId,
    sent: Option<&Sent>,
) -> Result<LeadsMerge, WebError> {
    let (survivor, merged) = (survivor.clone(), merged.clone());
    let sent = sent.cloned().unwrap_or_default();
    Ok(portal
        .store
        .read(move |conn| {
            let survivor = side(conn, &survivor)?;
            let merged = side(conn, &merged)?;
            let fields = custom_fields::fields(conn)?;
            let chosen = choices(&sent);
            let rows = merge::side_by_side(&survivor.lead, &merged.lead)
                .into_iter()
                .map(|field| Row {
                    label: fields.label(&field.field).into_owned(),
                    chosen: match chosen.get(&field.field) {
                        Some(side) if field.is_conflict() => *side,
                        _ => field.proposed,
                    },
                    field,
                })
                .collect();
            let mut since = Vec::new();
            for (name, side) in [("survivor_version", &survivor), ("merged_version", &merged)] {
                let seen = sent.get(name).and_then(|text| text.parse::<i64>().ok());
                let versions = side.lead.lock_version - seen.unwrap_or(side.lead.lock_version);
                if versions > 0 {
                    let mut entries = leads::journal(conn, &side.lead.id)?;
                    entries.truncate(usize::try_from(versions).unwrap_or(0));
                    since.push(Since {
                        name: side.name.clone(),
                        entries,
                    });
                }
            }
            Ok::<_, StoreError>(LeadsMerge {
                shell,
                survivor,
                merged,
                rows,
                fields,
                since,
            })
        })
        .await?)
}

/// What was ticked; anything else in the form is left out.
fn choices(sent: &Sent) -> MergeChoices {
    sent.iter()
        .filter_map(|(name, value)| {
            let field: FieldKey = name.strip_prefix("field:")?.parse().ok()?;
            Some((field, value.parse().ok()?))
        })
        .collect()
}

fn number(sent: &Sent, name: &str) -> Result<i64, WebError> {
    sent.get(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| WebError::Invalid("The form does not say what it was made from.".to_owned()))
}

/// POST /leads/{id}/merge
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<LeadId>,
    Form(sent): Form<Sent>,
) -> Answer {
    let with: LeadId = sent
        .get("with")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| WebError::Invalid("The form does not name the other lead.".to_owned()))?;
    let new = NewMerge {
        id: MergeId::new(portal.new_id()),
        survivor: (id.clone(), number(&sent, "survivor_version")?),
        merged: (with.clone(), number(&sent, "merged_version")?),
        choices: choices(&sent),
        user_id: current.id.clone(),
        change_id: change_id(&portal),
        now: portal.clock.now(),
    };
    let merged = portal
        .store
        .write(move |tx| {
            let topic = leads::get(tx, &new.survivor.0)?.topic;
            let merge = lead_merges::create(tx, &new)?;
            // The journal has the values; the audit log has only which fields, and how much came along.
            let fields: Vec<_> = merge.changes.iter().map(|one| one.field.word()).collect();
            let after = json!({
                "merged_id": merge.merged.id,
                "fields": fields,
                "submissions": merge.moved.submissions.len(),
                "notes": merge.moved.notes.len(),
            });
            let object = ("lead", merge.survivor_id.as_str(), topic.as_str());
            audit::record(
                tx,
                new.now,
                &actor,
                "lead.merged",
                object,
                None,
                Some(after),
            )?;
            let object = (
                "lead",
                merge.merged.id.as_str(),
                merge.merged.topic.as_str(),
            );
            let after = json!({ "survivor_id": merge.survivor_id });
            audit::record(
                tx,
                new.now,
                &actor,
                "lead.merged_away",
                object,
                None,
                Some(after),
            )?;
            Ok::<_, StoreError>(merge)
        })
        .await;
    match merged {
        Ok(merge) => {
            let path = format!("{INDEX}/{id}");
            let undoing = format!("{path}/merges/{}/undoing", merge.id);
            let flash = Flash::success(format!("{} is part of this lead now.", merge.merged_name));
            Ok(shell
                .redirect(path)
                .flash(flash.with_link(undoing, "Undo the merge")))
        }
        Err(StoreError::Stale(_)) => {
            let page = page(&portal, shell, &id, &with, Some(&sent)).await?;
            page.shell.render(StatusCode::CONFLICT, &page)
        }
        Err(StoreError::Rule(rule)) => Err(WebError::Invalid(rule)),
        Err(error) => Err(error.into()),
    }
}

/// POST /leads/merges: the two ticked leads of the list; the one that was made first stays, unless the page is asked to
/// swap them.
///
/// # Errors
/// As the database.
pub async fn choose(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let ticked: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name == "id")
        .map(|(_, id)| id.clone())
        .collect();
    let ids: Vec<LeadId> = ticked.iter().filter_map(|id| id.parse().ok()).collect();
    let mut found = portal
        .store
        .read(move |conn| {
            // Three are enough to know that there are too many.
            let ids: Vec<LeadId> = ids.into_iter().take(3).collect();
            crate::store::lead_rows::load(conn, &ids)
        })
        .await?;
    found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    if let ([first, second], 2) = (found.as_slice(), ticked.len()) {
        let path = format!("{INDEX}/{}/merge?with={}", first.id, second.id);
        return Ok(shell.redirect(path).quietly());
    }
    let query = fields
        .iter()
        .find(|(name, _)| name == "query")
        .and_then(|(_, query)| LeadsQuery::decode(query))
        .unwrap_or_default();
    let mut errors = FieldErrors::new();
    errors.add("scope", "Tick exactly two leads to merge them.");
    let mut page = index::page(&portal, shell, user, query).await?;
    page.errors = errors;
    page.chosen = ticked;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "leads/merge_undoing.html")]
struct LeadsMergeUndoing {
    shell: Shell,
    undoing: Undoing,
    name: String,
    fields: LeadFields,
    /// Whether the lead changed while somebody was looking.
    is_stale: bool,
}

impl LeadsMergeUndoing {
    fn change_label(&self, word: &str) -> String {
        change_label(&self.fields, word)
    }
}

async fn undoing_page(
    portal: &Portal,
    shell: Shell,
    survivor: &LeadId,
    merge: &MergeId,
    is_stale: bool,
) -> Answer {
    let (survivor_id, merge_id) = (survivor.clone(), merge.clone());
    let found = portal
        .store
        .read(move |conn| {
            let undoing = lead_merges::undoing(conn, &survivor_id, &merge_id)?;
            Ok::<_, StoreError>((undoing, custom_fields::fields(conn)?))
        })
        .await;
    let (undoing, fields) = match found {
        Err(StoreError::Rule(rule)) => return Ok(refused(shell, survivor, rule)),
        found => found?,
    };
    let page = LeadsMergeUndoing {
        shell,
        name: undoing.survivor.display_name(),
        undoing,
        fields,
        is_stale,
    };
    let code = if is_stale {
        StatusCode::CONFLICT
    } else {
        StatusCode::OK
    };
    page.shell.render(code, &page)
}

fn refused(shell: Shell, lead: &LeadId, rule: String) -> actix_web::HttpResponse {
    shell
        .redirect(format!("{INDEX}/{lead}"))
        .flash(Flash::notice(rule))
}

/// GET /leads/{id}/merges/{merge}/undoing: what undoing comes to.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn undoing(
    portal: Data<Portal>,
    shell: Shell,
    Path((id, merge)): Path<(LeadId, MergeId)>,
) -> Answer {
    undoing_page(&portal, shell, &id, &merge, false).await
}

/// POST /leads/{id}/merges/{merge}/undoing
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn undo(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path((id, merge)): Path<(LeadId, MergeId)>,
    Form(sent): Form<Sent>,
) -> Answer {
    let expected = number(&sent, "survivor_version")?;
    let (now, change) = (portal.clock.now(), change_id(&portal));
    let (survivor, merge_id) = (id.clone(), merge.clone());
    let undone = portal
        .store
        .write(move |tx| {
            let undoing = lead_merges::undo(
                tx,
                &survivor,
                &merge_id,
                expected,
                &current.id,
                &change,
                now,
            )?;
            let merged = &undoing.merge.merged;
            for (lead, topic, other) in [
                (&undoing.survivor.id, &undoing.survivor.topic, &merged.id),
                (&merged.id, &merged.topic, &undoing.survivor.id),
            ] {
                let after = json!({ "other_id": other, "is_exact": undoing.is_exact });
                let object = ("lead", lead.as_str(), topic.as_str());
                audit::record(
                    tx,
                    now,
                    &actor,
                    "lead.merge_undone",
                    object,
                    None,
                    Some(after),
                )?;
            }
            Ok::<_, StoreError>(undoing)
        })
        .await;
    match undone {
        Ok(undoing) => {
            let returned = format!("{INDEX}/{}", undoing.merge.merged.id);
            let flash = Flash::success(format!(
                "{} is a lead of its own again.",
                undoing.merge.merged_name
            ));
            Ok(shell
                .redirect(format!("{INDEX}/{id}"))
                .flash(flash.with_link(returned, "Open it")))
        }
        Err(StoreError::Stale(_)) => undoing_page(&portal, shell, &id, &merge, true).await,
        Err(StoreError::Rule(rule)) => Ok(refused(shell, &id, rule)),
        Err(error) => Err(error.into()),
    }
}

/// Where a lead went that is not there any more, as an answer; `None` when it was not merged away.
pub(super) async fn way_on(
    portal: &Portal,
    shell: &Shell,
    id: &LeadId,
) -> Result<Option<actix_web::HttpResponse>, WebError> {
    let id = id.clone();
    let found = portal
        .store
        .read(move |conn| lead_merges::survivor_of(conn, &id))
        .await?;
    Ok(found.map(|(survivor, name)| {
        shell
            .redirect(format!("{INDEX}/{survivor}"))
            .flash(Flash::notice(format!("{name} was merged into this lead.")))
    }))
}
