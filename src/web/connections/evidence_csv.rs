//! The evidence for auditors as one CSV file: the same parts as the page, each to its end.

use actix_web::web::Data;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::evidence::{EvidenceQuery, Span, by_what, changed, now, saves};
use crate::auth::CurrentUser;
use crate::domain::connections::Deployment;
use crate::store::access_reviews::{self, AccessReview};
use crate::store::audit::{self, Actor, AuditEntry};
use crate::store::connections::{OBJECT, evidence};
use crate::store::consents::ConsentEntry;
use crate::store::paging::Cursor;
use crate::store::{AnyConn, StoreError, consents};
use crate::web::csv_export::{self, Chunk};
use crate::web::{Answer, Portal, Query, history};

/// Rows read at once.
const PART: i64 = 1_000;

const HEADINGS: [&str; 9] = [
    "Part",
    "Time (UTC)",
    "Person",
    "E-mail",
    "What",
    "Detail",
    "Text version",
    "Setting",
    "By",
];

/// Where the next rows come from.
enum Place {
    Now,
    Setting(Option<Cursor>),
    Allowed(i64),
    Consents(i64),
    Ledger(Option<Cursor>),
    Reviews(Option<Cursor>),
}

/// What the file is about.
#[derive(Clone)]
struct Subject {
    span: Span,
    /// The period in words.
    period: String,
    deployment: Deployment,
    made_at: DateTime<Utc>,
    made_by: String,
}

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A row; what is not given is empty.
#[derive(Default)]
struct Line {
    part: &'static str,
    at: Option<DateTime<Utc>>,
    person: String,
    email: String,
    what: String,
    detail: String,
    text_version: Option<i64>,
    setting: String,
    by: String,
}

impl Line {
    fn cells(self) -> Vec<String> {
        vec![
            self.part.to_owned(),
            self.at.map(utc).unwrap_or_default(),
            self.person,
            self.email,
            self.what,
            self.detail,
            self.text_version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            self.setting,
            self.by,
        ]
    }
}

fn facts(conn: &mut AnyConn, subject: &Subject) -> Result<Vec<Line>, StoreError> {
    let now = now(conn, &subject.deployment)?;
    let fact = |what: &str, detail: String| Line {
        part: "Now",
        at: Some(subject.made_at),
        what: what.to_owned(),
        detail,
        by: subject.made_by.clone(),
        ..Line::default()
    };
    let country = subject.deployment.country.clone();
    Ok(vec![
        fact("Period", subject.period.clone()),
        fact(
            "Deployment policy",
            subject.deployment.policy.label().to_owned(),
        ),
        fact("Cloud", subject.deployment.cloud.label().to_owned()),
        fact(
            "Country",
            country.unwrap_or_else(|| "Not configured".to_owned()),
        ),
        fact("Setting", now.settings.setting.label().to_owned()),
        fact("Selected group", now.group.unwrap_or_default()),
        fact("People allowed", now.allowed_count.to_string()),
        fact("People whose consent holds", now.consented.to_string()),
    ])
}

fn of_save(entry: &AuditEntry) -> Line {
    Line {
        part: "Setting",
        at: Some(entry.created_at),
        what: "Saved".to_owned(),
        detail: changed(entry),
        by: history::who(entry),
        ..Line::default()
    }
}

fn of_ledger(entry: ConsentEntry) -> Line {
    Line {
        part: "Given and withdrawn",
        at: Some(entry.created_at),
        person: entry.user_name,
        what: entry.act.label().to_owned(),
        detail: entry.reason.label().to_owned(),
        text_version: Some(entry.text_version),
        setting: entry.setting.label().to_owned(),
        by: entry.actor_name,
        ..Line::default()
    }
}

fn of_review(review: AccessReview) -> Line {
    Line {
        part: "Access reviews",
        at: Some(review.created_at),
        what: format!(
            "Reviewed: {} allowed, {} consented",
            review.allowed_people, review.consented_people
        ),
        detail: review.note,
        setting: review.setting.label().to_owned(),
        by: review.reviewer_name,
        ..Line::default()
    }
}

/// Whether a part came whole: then there may be more.
fn is_full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()).unwrap_or(PART) == PART
}

/// The rows from a place on, and the next place.
fn read(
    conn: &mut AnyConn,
    subject: &Subject,
    place: Place,
) -> Result<(Vec<Line>, Option<Place>), StoreError> {
    let span = subject.span;
    Ok(match place {
        Place::Now => (facts(conn, subject)?, Some(Place::Setting(None))),
        Place::Setting(after) => {
            let entries = audit::part(conn, &saves(span), after.as_ref(), PART)?;
            let next = entries.last().filter(|_| is_full(&entries));
            let next = next.map_or(Place::Allowed(0), |last| Place::Setting(Some(last.place())));
            (entries.iter().map(of_save).collect(), Some(next))
        }
        Place::Allowed(offset) => {
            let now = now(conn, &subject.deployment)?;
            let people = evidence::allowed(conn, &subject.deployment, &now.settings, offset, PART)?;
            let next = if is_full(&people) {
                Place::Allowed(offset + PART)
            } else {
                Place::Consents(0)
            };
            let line = |person: evidence::AllowedPerson| Line {
                part: "Allowed now",
                at: person.member_since,
                what: "Allowed".to_owned(),
                detail: by_what(&person, now.group.as_deref()),
                text_version: person.consent.map(|consent| consent.text_version),
                person: person.name,
                email: person.email,
                ..Line::default()
            };
            (people.into_iter().map(line).collect(), Some(next))
        }
        Place::Consents(offset) => {
            let held = consents::holding(conn, offset, PART)?;
            let next = if is_full(&held) {
                Place::Consents(offset + PART)
            } else {
                Place::Ledger(None)
            };
            let line = |held: consents::HeldConsent| Line {
                part: "Consent that holds",
                at: Some(held.consent.given_at),
                person: held.name,
                email: held.email,
                what: "Consented".to_owned(),
                text_version: Some(held.consent.text_version),
                ..Line::default()
            };
            (held.into_iter().map(line).collect(), Some(next))
        }
        Place::Ledger(after) => {
            let entries = consents::part(conn, span, after.as_ref(), PART)?;
            let next = entries.last().filter(|_| is_full(&entries));
            let next = next.map_or(Place::Reviews(None), |last| {
                Place::Ledger(Some(last.place()))
            });
            (entries.into_iter().map(of_ledger).collect(), Some(next))
        }
        Place::Reviews(after) => {
            let reviews = access_reviews::part(conn, span, after.as_ref(), PART)?;
            let next = reviews.last().filter(|_| is_full(&reviews));
            let next = next.map(|last| Place::Reviews(Some(last.place())));
            (reviews.into_iter().map(of_review).collect(), next)
        }
    })
}

/// GET /settings/linkedin-account-connections/evidence.csv
///
/// # Errors
/// As the database.
pub async fn export(
    portal: Data<Portal>,
    user: CurrentUser,
    actor: Actor,
    Query(query): Query<EvidenceQuery>,
) -> Answer {
    let made_at = portal.clock.now();
    let subject = Subject {
        span: query.span(user.time_zone),
        period: query.words(),
        deployment: portal.connector.deployment().clone(),
        made_at,
        made_by: actor.name.clone(),
    };
    let after = json!({ "format": "csv", "from": query.first(), "to": query.last() });
    portal
        .store
        .write(move |tx| {
            let action = "account_connections.evidence_exported";
            audit::record(tx, made_at, &actor, action, OBJECT, None, Some(after))
        })
        .await?;
    let store = portal.store.clone();
    Ok(csv_export::respond(
        &format!("account-connections-{}.csv", made_at.format("%Y-%m-%d")),
        HEADINGS.map(str::to_owned).to_vec(),
        Place::Now,
        move |place| {
            let (store, subject) = (store.clone(), subject.clone());
            async move {
                let (lines, next) = store.read(move |conn| read(conn, &subject, place)).await?;
                Ok::<_, StoreError>(Chunk {
                    rows: lines.into_iter().map(Line::cells).collect(),
                    next,
                })
            }
        },
    ))
}
