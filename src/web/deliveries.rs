//! Deliveries: what destinations were told or are to be told, what became of it, and trying again.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::keyset::{KeysetPager, start};
use super::page::StateTab;
use super::{Answer, Flash, Form, Path, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::delivery::{DeliveryEvent, DeliveryFailure, DeliveryState};
use crate::domain::ids::{DeliveryId, LaneId, LeadId, RecordId};
use crate::store::audit::{self, Actor};
use crate::store::deliveries::lanes::{self, Destination, Lane};
use crate::store::deliveries::list::{self, Delivery, DeliveryFilter, PastAttempt};
use crate::store::organization_leads::{self, LeadThere, LinkState};
use crate::store::paging::Cursor;
use crate::store::{AnyConn, StoreError};

const INDEX: &str = "/deliveries";

/// The tone of a state.
#[must_use]
pub fn tone(state: &DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending | DeliveryState::InProgress => "busy",
        DeliveryState::Delivered => "good",
        DeliveryState::Failed => "warn",
        DeliveryState::Dead => "bad",
    }
}

/// Whether an attempt asked the destination and heard nothing; others had no need to ask.
fn had_no_answer(attempt: &PastAttempt) -> bool {
    let reasons = [
        DeliveryFailure::Unreachable,
        DeliveryFailure::TimedOut,
        DeliveryFailure::Interrupted,
    ];
    attempt
        .reason
        .is_some_and(|reason| reasons.contains(&reason))
}

/// The filter of the list and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct DeliveriesQuery {
    state: Option<DeliveryState>,
    destination: Option<LaneId>,
    event: Option<DeliveryEvent>,
    reason: Option<DeliveryFailure>,
    lead: Option<LeadId>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

impl DeliveriesQuery {
    fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            state: self.state,
            lane_id: self.destination.clone(),
            event: self.event,
            reason: self.reason,
            lead_id: self.lead.clone(),
        }
    }

    /// Names and values of the filter, without the state.
    fn pairs(&self) -> [(&'static str, String); 4] {
        let text = |id: Option<String>| id.unwrap_or_default();
        [
            (
                "destination",
                text(self.destination.as_ref().map(ToString::to_string)),
            ),
            (
                "event",
                self.event.map_or("", DeliveryEvent::as_str).to_owned(),
            ),
            (
                "reason",
                self.reason.map_or("", DeliveryFailure::as_str).to_owned(),
            ),
            ("lead", text(self.lead.as_ref().map(ToString::to_string))),
        ]
    }
}

#[derive(Template)]
#[template(path = "deliveries/index.html")]
struct DeliveriesIndex {
    shell: Shell,
    lanes: Vec<Lane>,
    deliveries: Vec<Delivery>,
    pager: KeysetPager,
    tabs: Vec<StateTab>,
    destinations: Vec<(String, String)>,
    events: Vec<(String, String)>,
    reasons: Vec<(String, String)>,
    state: &'static str,
    destination: String,
    event: String,
    reason: String,
    lead: String,
    can_manage: bool,
}

fn tabs(query: &DeliveriesQuery) -> Vec<StateTab> {
    let all = std::iter::once(None).chain(DeliveryState::ALL.iter().copied().map(Some));
    all.map(|state| {
        let mut serializer = url::form_urlencoded::Serializer::new(String::new());
        if let Some(state) = state {
            serializer.append_pair("state", state.as_str());
        }
        for (name, value) in query.pairs() {
            if !value.is_empty() {
                serializer.append_pair(name, &value);
            }
        }
        let text = serializer.finish();
        StateTab {
            label: state.map_or("All", DeliveryState::label).to_owned(),
            count: None,
            path: if text.is_empty() {
                INDEX.to_owned()
            } else {
                format!("{INDEX}?{text}")
            },
            is_current: state == query.state,
        }
    })
    .collect()
}

/// GET /deliveries
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<DeliveriesQuery>,
) -> Answer {
    let place = start(query.after.clone(), query.before.clone());
    let filter = query.filter();
    let state = query.state.map_or("", DeliveryState::as_str);
    let [destination, event, reason, lead] = query.pairs();
    let mut pager = KeysetPager::new(
        INDEX,
        &[
            ("state", state),
            (destination.0, &destination.1),
            (event.0, &event.1),
            (reason.0, &reason.1),
            (lead.0, &lead.1),
        ],
        &place,
    );
    let (lanes, (page, count)) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((lanes::list(conn)?, list::list(conn, &filter, &place)?))
        })
        .await?;
    pager.count = Some(count);
    let page = DeliveriesIndex {
        can_manage: shell.can(Permission::ManageIntegration),
        shell,
        tabs: tabs(&query),
        destinations: lanes
            .iter()
            .map(|lane| (lane.id.to_string(), lane.name.clone()))
            .collect(),
        lanes,
        deliveries: pager.take(page),
        pager,
        events: DeliveryEvent::ALL
            .iter()
            .map(|event| (event.as_str().to_owned(), event.label().to_owned()))
            .collect(),
        reasons: DeliveryFailure::ALL
            .iter()
            .map(|reason| (reason.as_str().to_owned(), reason.label().to_owned()))
            .collect(),
        state,
        destination: destination.1,
        event: event.1,
        reason: reason.1,
        lead: lead.1,
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "deliveries/show.html")]
struct DeliveriesShow {
    shell: Shell,
    delivery: Delivery,
    attempts: Vec<PastAttempt>,
    /// What the lead is in the organization, while a person has to decide about it.
    waiting: Option<LeadThere>,
    can_manage: bool,
}

impl DeliveriesShow {
    fn is_waiting(&self) -> bool {
        matches!(
            self.delivery.state,
            DeliveryState::Pending | DeliveryState::Failed
        )
    }
}

/// GET /deliveries/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<DeliveryId>) -> Answer {
    let (delivery, attempts, waiting) = portal
        .store
        .read(move |conn| {
            let delivery = list::get(conn, &id)?;
            let waiting = waiting(conn, &delivery)?;
            Ok::<_, StoreError>((delivery, list::attempts(conn, &id)?, waiting))
        })
        .await?;
    let page = DeliveriesShow {
        can_manage: shell.can(Permission::ManageIntegration),
        shell,
        delivery,
        attempts,
        waiting,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// What the lead of a delivery is in the organization, if it waits for a person.
fn waiting(conn: &mut AnyConn, delivery: &Delivery) -> Result<Option<LeadThere>, StoreError> {
    if delivery.state == DeliveryState::Delivered {
        return Ok(None);
    }
    let lane = lanes::get(conn, &delivery.lane_id)?;
    let (Destination::Organization(organization), Some((lead, _))) =
        (lane.destination, &delivery.lead)
    else {
        return Ok(None);
    };
    Ok(organization_leads::of_lead(conn, lead)?
        .into_iter()
        .find(|one| one.organization_id == organization && one.link.state == LinkState::Waiting))
}

/// Which record of the organization a lead is; blank for a new one.
#[derive(Debug, Deserialize)]
pub struct DecisionForm {
    #[serde(default)]
    record: String,
}

/// POST /deliveries/{id}/decision
///
/// # Errors
/// `NotFound`, `Rule` when the lead does not wait for a decision, or as the database.
pub async fn decide(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<DeliveryId>,
    Form(form): Form<DecisionForm>,
) -> Answer {
    let now = portal.clock.now();
    let record = match form.record.as_str() {
        "" => {
            return Err(StoreError::Rule("Choose which lead it is, or a new one.".into()).into());
        }
        "new" => None,
        id => Some(id.parse::<RecordId>().map_err(|_| {
            StoreError::Rule("Choose one of the records that match, or a new one.".into())
        })?),
    };
    let goes = portal
        .store
        .write(move |tx| {
            let delivery = list::get(tx, &id)?;
            let (Some(waiting), Some((lead, _))) = (waiting(tx, &delivery)?, &delivery.lead) else {
                return Err(StoreError::Rule(
                    "This lead does not wait for a decision any more.".into(),
                ));
            };
            let goes = list::send_decided(tx, &id)?;
            organization_leads::decide(tx, &waiting.organization_id, lead, record.as_ref(), now)?;
            let object = ("delivery", goes.as_str(), delivery.destination.as_str());
            let after = json!({ "lead": lead, "record": record });
            audit::record(
                tx,
                now,
                &actor,
                "delivery.decided",
                object,
                None,
                Some(after),
            )?;
            Ok(goes)
        })
        .await?;
    portal.wake.notify_one();
    let path = format!("{INDEX}/{goes}");
    Ok(shell.redirect(path).flash(Flash::success(
        "The decision is kept. The lead is sent next.",
    )))
}

/// POST /deliveries/{id}/retries
///
/// # Errors
/// `NotFound`, `Rule` when there is nothing to retry, or as the database.
pub async fn retry(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<DeliveryId>,
) -> Answer {
    let (path, now) = (format!("{INDEX}/{id}"), portal.clock.now());
    portal
        .store
        .write(move |tx| {
            list::retry_one(tx, &id)?;
            let name = list::get(tx, &id)?.destination;
            let object = ("delivery", id.as_str(), name.as_str());
            audit::record(tx, now, &actor, "delivery.retried", object, None, None)
        })
        .await?;
    portal.wake.notify_one();
    Ok(shell
        .redirect(path)
        .flash(Flash::success("It is tried again now.".to_owned())))
}

/// POST /deliveries/retries: all failed and dead ones that match the filter.
///
/// # Errors
/// As the database.
pub async fn retry_all(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(query): Form<DeliveriesQuery>,
) -> Answer {
    let (filter, now) = (query.filter(), portal.clock.now());
    let facts = json!({
        "state": query.state, "destination": query.destination, "event": query.event,
        "reason": query.reason, "lead": query.lead,
    });
    let retried = portal
        .store
        .write(move |tx| {
            let retried = list::retry(tx, &filter)?;
            if retried > 0 {
                let object = ("delivery", "all", "Deliveries");
                let after = Some(json!({ "filter": facts, "deliveries": retried }));
                audit::record(tx, now, &actor, "delivery.retried", object, None, after)?;
            }
            Ok::<_, StoreError>(retried)
        })
        .await?;
    portal.wake.notify_one();
    let text = match retried {
        0 => "No failed or dead delivery matches the filter.".to_owned(),
        1 => "One delivery is tried again now.".to_owned(),
        n => format!("{n} deliveries are tried again now."),
    };
    Ok(shell.redirect(INDEX).flash(Flash::success(text)))
}

/// POST /deliveries/destinations/{id}/pauses
///
/// # Errors
/// `NotFound`, `Rule` when it is paused already, or as the database.
pub async fn pause(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<LaneId>,
) -> Answer {
    let now = portal.clock.now();
    let name = portal
        .store
        .write(move |tx| {
            let name = lanes::get(tx, &id)?.name;
            lanes::pause(tx, &id, &actor.name, now)?;
            let object = ("destination", id.as_str(), name.as_str());
            audit::record(tx, now, &actor, "destination.paused", object, None, None)?;
            Ok::<_, StoreError>(name)
        })
        .await?;
    let flash = Flash::success(format!(
        "{name} is paused. What happens is queued, and sent when somebody resumes it."
    ));
    Ok(shell.redirect(INDEX).flash(flash))
}

/// POST /deliveries/destinations/{id}/pauses/end
///
/// # Errors
/// `NotFound`, `Rule` when it is not paused, or as the database.
pub async fn resume(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<LaneId>,
) -> Answer {
    let now = portal.clock.now();
    let name = portal
        .store
        .write(move |tx| {
            let name = lanes::get(tx, &id)?.name;
            lanes::resume(tx, &id)?;
            let object = ("destination", id.as_str(), name.as_str());
            audit::record(tx, now, &actor, "destination.resumed", object, None, None)?;
            Ok::<_, StoreError>(name)
        })
        .await?;
    portal.wake.notify_one();
    let flash = Flash::success(format!("{name} is resumed. What waits is sent now."));
    Ok(shell.redirect(INDEX).flash(flash))
}
