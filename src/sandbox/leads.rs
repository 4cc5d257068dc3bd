//! Lead forms and their responses (linkedin-api.md §4, §5), with the faults that act on the data of a page.

use serde_json::{Map, Value, json};

use super::faults::FaultKind;
use super::gateway::{Call, illegal, not_found, required};
use super::history::{History, Wanted};
use super::page_faults::finish;
use super::reply::Reply;
use super::responses::Response;
use super::restli::{Param, Projection, decode};
use super::submissions::{Submission, submit};
use super::world::OwnerKey;

type Outcome = Result<Reply, Reply>;

const FORMS: &[&str] = &["r_ads", "rw_ads", "r_marketing_leadgen_automation"];
/// The documentation says explicitly that r_ads cannot read responses.
const LEADS: &[&str] = &["r_marketing_leadgen_automation"];

/// `owner=(sponsoredAccount:urn…)`.
fn owner(call: &Call<'_>) -> Result<OwnerKey, Reply> {
    named_owner(call, &[])
}

/// The same where the union stands inside of others.
pub(super) fn named_owner(call: &Call<'_>, inside: &[&str]) -> Result<OwnerKey, Reply> {
    let mut value = call
        .params
        .value("owner")
        .map_err(|()| illegal("Invalid owner"))?
        .ok_or_else(|| required("owner"))?;
    for key in inside {
        value = value
            .member(key)
            .cloned()
            .ok_or_else(|| illegal("Invalid owner"))?;
    }
    let id = |key: &str| {
        value
            .member(key)
            .and_then(Param::text)
            .map(|urn| (urn.to_owned(), key.to_owned()))
    };
    let (urn, key) = id("sponsoredAccount")
        .or_else(|| id("organization"))
        .ok_or_else(|| illegal("Invalid owner"))?;
    let number = urn
        .strip_prefix(&format!("urn:li:{key}:"))
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| illegal("Invalid Urn Format"))?;
    Ok(if key == "organization" {
        OwnerKey::Organization(number)
    } else {
        OwnerKey::Account(number)
    })
}

/// `ids=List(a,b)` or `ids=a&ids=b` or `ids[0]=a`; `None` when the request is no BATCH_GET.
fn ids(call: &Call<'_>) -> Result<Option<Vec<String>>, Reply> {
    let listed = call
        .params
        .value("ids")
        .map_err(|()| illegal("Invalid ids"))?;
    Ok(match listed {
        Some(Param::List(_)) => listed.map(|ids| ids.texts()),
        _ => Some(call.params.indexed("ids")).filter(|ids| !ids.is_empty()),
    })
}

fn batch(found: Vec<(String, Result<Value, Reply>)>) -> Reply {
    let (mut results, mut statuses, mut errors) = (Map::new(), Map::new(), Map::new());
    for (key, outcome) in found {
        match outcome {
            Ok(value) => {
                statuses.insert(key.clone(), json!(200));
                results.insert(key, value);
            }
            Err(refusal) => {
                let error = serde_json::from_slice(&refusal.body)
                    .unwrap_or_else(|_| json!({ "status": refusal.status }));
                statuses.insert(key.clone(), json!(refusal.status));
                errors.insert(key, error);
            }
        }
    }
    Reply::json(
        200,
        &json!({ "results": results, "statuses": statuses, "errors": errors }),
    )
}

fn project(projection: Option<&Projection>, value: Value) -> Value {
    projection.map_or(value.clone(), |projection| projection.apply(value))
}

/// `GET /leadForms`: finder by owner, or several by id.
pub(super) fn forms(call: &Call<'_>) -> Outcome {
    let projection = call.projection()?;
    if let Some(ids) = ids(call)? {
        call.needs_scope(FORMS, "leadForms.BATCH_GET")?;
        let found = ids.into_iter().map(|id| {
            let form = one_form(call, &id, "leadForms.BATCH_GET")
                .map(|value| project(projection.as_ref(), value));
            (id, form)
        });
        return Ok(batch(found.collect()));
    }
    call.finder("owner")?;
    call.needs_scope(FORMS, "leadForms.FINDER-owner")?;
    let owner = owner(call)?;
    let history = call.sandbox.history();
    if !history.world.may_read_forms(&call.token.member, owner) {
        return Err(call.no_role("leadForms.FINDER-owner"));
    }
    let (start, count) = call.offset()?;
    let all: Vec<Value> = history
        .world
        .forms
        .iter()
        .filter(|form| form.owner == owner)
        .filter_map(|form| Some(form.json(form.current()?)))
        .collect();
    let total = all.len() as u64;
    let elements: Vec<Vec<u8>> = all
        .into_iter()
        .skip(usize::try_from(start).unwrap_or(usize::MAX))
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .map(|value| project(projection.as_ref(), value).to_string().into_bytes())
        .collect();
    let next = (start.saturating_add(count) < total).then(|| call.next_link(start + count, count));
    finish(call, start, count, total, next, elements)
}

fn one_form(call: &Call<'_>, id: &str, what: &str) -> Result<Value, Reply> {
    let id: i64 = decode(id)
        .parse()
        .map_err(|_| illegal("Syntax exception in path variables"))?;
    let history = call.sandbox.history();
    let form = history.world.form(id).ok_or_else(not_found)?;
    if !history.world.may_read_forms(&call.token.member, form.owner) {
        return Err(call.no_role(what));
    }
    form.current()
        .map(|version| form.json(version))
        .ok_or_else(not_found)
}

/// `GET /leadForms/{id}`.
pub(super) fn form(call: &Call<'_>, id: &str) -> Outcome {
    call.needs_scope(FORMS, "leadForms.GET")?;
    call.entity(one_form(call, id, "leadForms.GET")?)
}

/// One response as JSON, with everything that a projection could ask for where there is one.
fn response_json(history: &History, response: &Response, projection: Option<&Projection>) -> Value {
    let mut bytes = Vec::new();
    response.write(&mut bytes);
    let mut value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let (Some(projection), Some(object)) = (projection, value.as_object_mut()) else {
        return value;
    };
    let world = &history.world;
    let (owner_key, owner_name) = match response.owner {
        OwnerKey::Account(id) => (
            "sponsoredAccountInfo",
            world.account(id).map(|account| account.name),
        ),
        OwnerKey::Organization(id) => (
            "organizationInfo",
            world.organization(id).map(|page| page.name),
        ),
    };
    object.insert(
        "ownerInfo".to_owned(),
        json!({ owner_key: { "name": owner_name } }),
    );
    let campaign = response.campaign.and_then(|id| {
        world
            .account(response.owner.id())?
            .campaigns
            .iter()
            .find(|campaign| campaign.id == id)
    });
    let metadata = campaign.map_or_else(
        || json!({}),
        |campaign| {
            json!({ "sponsoredLeadMetadataInfo": { "campaign": {
                "id": format!("urn:li:sponsoredCampaign:{}", campaign.id), "name": campaign.name, "type": campaign.kind } } })
        },
    );
    object.insert("leadMetadataInfo".to_owned(), metadata);
    let entity = response.creative.map_or_else(
        || json!({}),
        |id| {
            json!({ "associatedCreative": { "id": format!("urn:li:sponsoredCreative:{id}"), "intendedStatus": "ACTIVE" } })
        },
    );
    object.insert("associatedEntityInfo".to_owned(), entity);
    if projection.names("form")
        && let Some(form) = world.form(response.form_id)
        && let Some(version) = form.version(response.version)
    {
        object.insert("form".to_owned(), form.embedded_json(version));
    }
    projection.apply(value)
}

fn printed(history: &History, response: &Response, projection: Option<&Projection>) -> Vec<u8> {
    if projection.is_some() {
        return response_json(history, response, projection)
            .to_string()
            .into_bytes();
    }
    let mut bytes = Vec::with_capacity(1200);
    response.write(&mut bytes);
    bytes
}

fn one_response(
    call: &Call<'_>,
    id: &str,
    projection: Option<&Projection>,
    what: &str,
) -> Result<Value, Reply> {
    let history = call.sandbox.history();
    let kept_from = kept_from(call);
    let response = history
        .find(&decode(id))
        .filter(|response| response.submitted_at >= kept_from)
        .ok_or_else(not_found)?;
    if !history
        .world
        .may_read_leads(&call.token.member, response.owner, response.lead_type)
    {
        return Err(call.no_role(what));
    }
    Ok(response_json(&history, &response, projection))
}

/// `GET /leadFormResponses/{id}`.
pub(super) fn response(call: &Call<'_>, id: &str) -> Outcome {
    call.needs_scope(LEADS, "leadFormResponses.GET")?;
    let projection = call.projection()?;
    Ok(Reply::json(
        200,
        &one_response(call, id, projection.as_ref(), "leadFormResponses.GET")?,
    ))
}

/// LinkedIn forgets: the oldest `submittedAt` that is still served.
fn kept_from(call: &Call<'_>) -> i64 {
    call.sandbox.now_ms() - call.sandbox.settings().retention_days * 86_400_000
}

/// `urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7,1)` → (7, 1).
fn versioned_form(urn: &str) -> Option<(i64, i64)> {
    let inner = urn
        .trim()
        .strip_prefix("urn:li:versionedLeadGenForm:(")?
        .strip_suffix(')')?;
    let (form, version) = inner.rsplit_once(',')?;
    Some((
        form.trim()
            .strip_prefix("urn:li:leadGenForm:")?
            .parse()
            .ok()?,
        version.trim().parse().ok()?,
    ))
}

/// `submittedAtTimeRange=(start:…,end:…)` as a half-open range.
fn time_range(call: &Call<'_>) -> Result<(i64, i64), Reply> {
    let unbounded = (i64::MIN / 4, i64::MAX / 4);
    let Some(range) = call
        .params
        .value("submittedAtTimeRange")
        .map_err(|()| illegal("Invalid submittedAtTimeRange"))?
    else {
        return Ok(unbounded);
    };
    let bound = |name: &str| {
        range
            .member(name)
            .map(|value| {
                value
                    .text()
                    .and_then(|text| text.parse::<i64>().ok())
                    .ok_or_else(|| illegal("Invalid time range"))
            })
            .transpose()
    };
    let start = bound("start")?.ok_or_else(|| required("submittedAtTimeRange.start"))?;
    let end = bound("end")?
        .unwrap_or(unbounded.1)
        .clamp(unbounded.0, unbounded.1);
    if end < start {
        return Err(illegal("submittedAtTimeRange ends before it starts"));
    }
    let inclusive = i64::from(call.sandbox.settings().end_inclusive);
    Ok((start.clamp(unbounded.0, unbounded.1), end + inclusive))
}

/// `GET /leadFormResponses`: finder by owner, or several by id.
pub(super) fn responses(call: &Call<'_>) -> Outcome {
    let projection = call.projection()?;
    if let Some(ids) = ids(call)? {
        let what = "leadFormResponses.BATCH_GET";
        call.needs_scope(LEADS, what)?;
        let found = ids.into_iter().map(|id| {
            let response = one_response(call, &id, projection.as_ref(), what);
            (id, response)
        });
        return Ok(batch(found.collect()));
    }
    let what = "leadFormResponses.FINDER-owner";
    call.finder("owner")?;
    call.needs_scope(LEADS, what)?;
    let owner = owner(call)?;
    let lead_type = call
        .params
        .value("leadType")
        .map_err(|()| illegal("Invalid leadType"))?;
    let lead_type = lead_type.ok_or_else(|| required("leadType"))?;
    let lead_type = lead_type
        .member("leadType")
        .unwrap_or(&lead_type)
        .text()
        .unwrap_or_default()
        .to_owned();
    {
        let history = call.sandbox.history();
        if !history
            .world
            .may_read_leads(&call.token.member, owner, &lead_type)
        {
            return Err(call.no_role(what));
        }
    }
    let fits = match lead_type.as_str() {
        "SPONSORED" => matches!(owner, OwnerKey::Account(_)),
        "EVENT" | "COMPANY" | "ORGANIZATION_PRODUCT" => matches!(owner, OwnerKey::Organization(_)),
        _ => return Err(illegal("Invalid leadType")),
    };
    if !fits {
        return Err(illegal("leadType does not match owner"));
    }
    let form = match call.params.text("versionedLeadGenFormUrn") {
        Some(urn) => Some(versioned_form(&urn).ok_or_else(|| illegal("Invalid Urn Format"))?),
        None => None,
    };
    let test = match call.params.text("limitedToTestLeads").as_deref() {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(illegal("limitedToTestLeads must be true or false")),
    };
    let (start, count) = call.offset()?;
    let (from_ms, to_ms) = time_range(call)?;
    let wanted = Wanted {
        owner,
        lead_type: &lead_type,
        test,
        from_ms: from_ms.max(kept_from(call)),
        to_ms,
        form,
    };
    let (total, elements) = {
        let history = call.sandbox.history();
        let window = history.window(wanted);
        let from = match call.fault.map(|fault| fault.kind) {
            Some(FaultKind::ShiftPage) => start.saturating_sub(1),
            Some(FaultKind::RepeatPage) => 0,
            _ => start,
        };
        let page = window.page(from, count, call.sandbox.settings().newest_first);
        let elements: Vec<Vec<u8>> = page
            .iter()
            .map(|response| printed(&history, response, projection.as_ref()))
            .collect();
        (window.len(), elements)
    };
    let next = (start.saturating_add(count) < total).then(|| call.next_link(start + count, count));
    let reply = finish(call, start, count, total, next, elements);
    match call.fault.map(|fault| fault.kind) {
        Some(FaultKind::InsertBetweenPages) => {
            submit(call.sandbox, &Submission::for_owner(owner, &lead_type));
        }
        Some(FaultKind::LateLeads) => {
            let mut late = Submission::for_owner(owner, &lead_type);
            late.submitted_at_ms = Some(call.sandbox.now_ms() - 6 * 3_600_000);
            submit(call.sandbox, &late);
        }
        _ => {}
    }
    reply
}
