//! Evidence for auditors: what was set, who may connect LinkedIn and by what, who consented, what was withdrawn, and who
//! looked through it. A page that can be printed; the same as CSV is in [`super::evidence_csv`].

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::PATH;
use crate::auth::CurrentUser;
use crate::domain::access_review::{Standing, check_note};
use crate::domain::connections::{Deployment, Refusal};
use crate::domain::time_zone::TimeZone;
use crate::store::access_reviews::{self, AccessReview};
use crate::store::audit::{self, Actor, AuditEntry, AuditFilter};
use crate::store::connections::evidence::{self, AllowedPerson};
use crate::store::connections::{self, ConnectionSettings};
use crate::store::consents::{self, ConsentEntry, HeldConsent};
use crate::store::{StoreError, groups};
use crate::web::history;
use crate::web::keyset::FilterDay;
use crate::web::{Answer, FieldErrors, Flash, Form, Portal, Query, Shell, WebError};

/// Where the page is.
pub(super) const EVIDENCE: &str = "/settings/linkedin-account-connections/evidence";

/// Rows of each list that the page shows; the CSV file has them all.
const SHOWN: i64 = 200;

/// The period, as it stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct EvidenceQuery {
    from: Option<FilterDay>,
    to: Option<FilterDay>,
}

/// From when on, and until when; `None` is without end.
pub(super) type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl EvidenceQuery {
    /// The first day as a field holds it.
    pub(super) fn first(&self) -> String {
        self.from
            .map(|FilterDay(day)| day.to_string())
            .unwrap_or_default()
    }

    /// The last day as a field holds it.
    pub(super) fn last(&self) -> String {
        self.to
            .map(|FilterDay(day)| day.to_string())
            .unwrap_or_default()
    }

    /// The period in words.
    pub(super) fn words(&self) -> String {
        match (self.first().as_str(), self.last().as_str()) {
            ("", "") => "everything that is kept".to_owned(),
            (first, "") => format!("from {first}"),
            ("", last) => format!("until {last}"),
            (first, last) => format!("from {first} to {last}"),
        }
    }

    fn is_set(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// The days are those of a person in this zone; the last day is still in it.
    pub(super) fn span(&self, zone: TimeZone) -> Span {
        let until = self.to.and_then(|FilterDay(day)| day.succ_opt());
        (
            self.from.map(|FilterDay(day)| zone.start_of_day(day)),
            until.map(|next| zone.start_of_day(next)),
        )
    }

    /// The CSV file of the same period.
    fn csv_path(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, day) in [("from", self.first()), ("to", self.last())] {
            if !day.is_empty() {
                query.append_pair(name, &day);
            }
        }
        match query.finish() {
            query if query.is_empty() => format!("{EVIDENCE}.csv"),
            query => format!("{EVIDENCE}.csv?{query}"),
        }
    }
}

/// The saves of the setting in a time.
pub(super) fn saves(span: Span) -> AuditFilter {
    AuditFilter {
        action: Some("account_connections.saved".to_owned()),
        from: span.0,
        until: span.1,
        ..AuditFilter::default()
    }
}

/// What a save of the setting changed, in one line.
pub(super) fn changed(entry: &AuditEntry) -> String {
    history::changes(entry)
        .into_iter()
        .map(|change| {
            let none = || "–".to_owned();
            let (before, after) = (change.before, change.after.unwrap_or_else(none));
            match before {
                Some(before) => format!("{}: {before} → {after}", change.field),
                None => format!("{}: {after}", change.field),
            }
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// By what somebody is allowed.
pub(super) fn by_what(person: &AllowedPerson, group: Option<&str>) -> String {
    let roles: Vec<&str> = person.roles.iter().map(|role| role.label()).collect();
    let roles = roles.join(", ");
    match group {
        Some(group) => format!("member of {group}, with the role {roles}"),
        None => format!("everybody may, with the role {roles}"),
    }
}

/// What holds now, whatever the period.
#[derive(Debug, Clone)]
pub(super) struct Now {
    pub(super) settings: ConnectionSettings,
    /// The selected group's name.
    pub(super) group: Option<String>,
    pub(super) allowed_count: i64,
    pub(super) consented: i64,
}

/// Reads what holds now.
pub(super) fn now(
    conn: &mut crate::store::AnyConn,
    deployment: &Deployment,
) -> Result<Now, StoreError> {
    let settings = connections::get(conn)?;
    let group = match &settings.selected_group_id {
        Some(id) => groups::find(conn, id)?.map(|group| group.name),
        None => None,
    };
    Ok(Now {
        allowed_count: evidence::count_allowed(conn, deployment, &settings)?,
        consented: consents::count(conn)?,
        settings,
        group,
    })
}

#[derive(Template)]
#[template(path = "connections/evidence.html")]
struct ConnectionsEvidence {
    shell: Shell,
    query: EvidenceQuery,
    deployment: Deployment,
    /// Why nobody may use LinkedIn here, whatever the setting says.
    overruled: Option<Refusal>,
    now: Now,
    saves: Vec<AuditEntry>,
    allowed: Vec<AllowedPerson>,
    consents: Vec<HeldConsent>,
    ledger: Vec<ConsentEntry>,
    reviews: Vec<AccessReview>,
    latest: Option<AccessReview>,
    standing: Standing,
    /// The setting as the reviewer sees it.
    lock_version: i64,
    note: String,
    is_ticked: bool,
    errors: FieldErrors,
}

impl ConnectionsEvidence {
    fn by_what(&self, person: &AllowedPerson) -> String {
        by_what(person, self.now.group.as_deref())
    }

    /// Whether a list of so many rows may have more of them than it shows.
    fn is_cut(&self, rows: usize) -> bool {
        i64::try_from(rows).is_ok_and(|rows| rows >= SHOWN)
    }
}

async fn page(
    portal: &Portal,
    shell: Shell,
    query: EvidenceQuery,
) -> Result<ConnectionsEvidence, WebError> {
    let deployment = portal.connector.deployment().clone();
    let span = query.span(shell.time_zone());
    let decided = deployment.clone();
    let (now, saves, allowed, consents, ledger, reviews, latest) = portal
        .store
        .read(move |conn| {
            let now = now(conn, &decided)?;
            Ok::<_, StoreError>((
                audit::part(conn, &saves(span), None, SHOWN)?,
                evidence::allowed(conn, &decided, &now.settings, 0, SHOWN)?,
                consents::holding(conn, 0, SHOWN)?,
                consents::part(conn, span, None, SHOWN)?,
                access_reviews::part(conn, span, None, SHOWN)?,
                access_reviews::latest(conn)?,
                now,
            ))
        })
        .await
        .map(|(saves, allowed, consents, ledger, reviews, latest, now)| {
            (now, saves, allowed, consents, ledger, reviews, latest)
        })?;
    let reviewed_at = latest.as_ref().map(|review| review.created_at);
    Ok(ConnectionsEvidence {
        standing: Standing::of(reviewed_at, portal.clock.now()),
        overruled: deployment.check().err(),
        lock_version: now.settings.lock_version,
        note: String::new(),
        is_ticked: false,
        errors: FieldErrors::new(),
        shell,
        query,
        deployment,
        now,
        saves,
        allowed,
        consents,
        ledger,
        reviews,
        latest,
    })
}

/// GET /settings/linkedin-account-connections/evidence
///
/// # Errors
/// As the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<EvidenceQuery>,
) -> Answer {
    let page = page(&portal, shell, query).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// That somebody looked through it.
#[derive(Debug, Deserialize)]
pub struct ReviewForm {
    reviewed: Option<String>,
    note: String,
    lock_version: String,
}

/// POST /settings/linkedin-account-connections/access-reviews: who has access was reviewed.
///
/// # Errors
/// `Stale` when the setting was saved since, `Invalid`, or as the database.
pub async fn review(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<ReviewForm>,
) -> Answer {
    let expected: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let mut errors = FieldErrors::new();
    if form.reviewed.is_none() {
        errors.add(
            "reviewed",
            "Tick this once you have looked through the people with access.",
        );
    }
    let note = errors.check("note", check_note(&form.note));
    let Some(note) = note.filter(|_| errors.is_empty()) else {
        let mut page = page(&portal, shell, EvidenceQuery::default()).await?;
        page.is_ticked = form.reviewed.is_some();
        (page.note, page.lock_version, page.errors) = (form.note, expected, errors);
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (now, deployment) = (portal.clock.now(), portal.connector.deployment().clone());
    portal
        .store
        .write(move |tx| {
            access_reviews::insert(tx, (&current.id, &actor), &note, &deployment, expected, now)
        })
        .await?;
    let flash = Flash::success("The access review is recorded.")
        .with_link(PATH, "LinkedIn account connections");
    Ok(shell.redirect(EVIDENCE).flash(flash))
}
