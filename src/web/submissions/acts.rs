//! What people do about submissions: try again, link to a lead, turn into a lead, ignore with a reason, bring back, undo;
//! one, the chosen ones, or all that match the filter.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{PATH, SubmissionsQuery};
use crate::auth::CurrentUser;
use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::submission::{ActKind, SubmissionView};
use crate::domain::text::clean_text;
use crate::domain::words::words;
use crate::store::audit::{self, Actor};
use crate::store::submission_acts::{Eligible, MOST_AT_ONCE, Which, how_many};
use crate::store::{StoreError, due, submission_undo};
use crate::sync::acts::{self, Act, By, Outcome};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

words! {
    /// What can be done with several submissions at once.
    pub enum BulkAct {
        Retry = "retry" => "Try again",
        TurnIntoLead = "turn_into_lead" => "Turn into leads",
        Ignore = "ignore" => "Ignore",
        BringBack = "bring_back" => "Bring back",
    }
}

impl BulkAct {
    const fn eligible(self) -> Eligible {
        match self {
            Self::Retry | Self::Ignore => Eligible::Unsettled,
            Self::TurnIntoLead => Eligible::WithoutLead,
            Self::BringBack => Eligible::Ignored,
        }
    }

    /// What it does, for the page that asks.
    const fn explain(self) -> &'static str {
        match self {
            Self::Retry => {
                "Each is mapped and matched again with the settings of now. What was handled is never doubled."
            }
            Self::TurnIntoLead => {
                "Each becomes a lead of its own, with an owner by your assignment rules. Where exactly one lead matches fully by now, that lead is updated instead."
            }
            Self::Ignore => {
                "They keep their matching status and no longer count as needing attention. They can be brought back at any time."
            }
            Self::BringBack => "They count as needing attention again.",
        }
    }

    const fn audited(self) -> &'static str {
        match self {
            Self::Retry => "form_submission.retried",
            Self::TurnIntoLead => "form_submission.turned_into_lead",
            Self::Ignore => "form_submission.ignored",
            Self::BringBack => "form_submission.brought_back",
        }
    }
}

/// Which submissions an act is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The chosen ones.
    Chosen,
    /// All that match the filter.
    All,
}

impl Scope {
    /// The word of the form.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::All => "all",
        }
    }
}

/// What the page that asks is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct ConsequencesQuery {
    act: Option<BulkAct>,
    /// Microseconds since 1970: what was decided later is done already.
    since: Option<i64>,
}

#[derive(Template)]
#[template(path = "submissions/consequences.html")]
struct SubmissionsConsequences {
    shell: Shell,
    query: SubmissionsQuery,
    act: BulkAct,
    scope: Scope,
    ids: Vec<SubmissionId>,
    since: i64,
    count: i64,
    reason: String,
    errors: FieldErrors,
}

impl SubmissionsConsequences {
    /// “12,345 submissions”.
    fn counted(&self) -> String {
        submissions(usize::try_from(self.count).unwrap_or_default())
    }

    fn is_more_than_one_step(&self) -> bool {
        self.count > MOST_AT_ONCE
    }

    fn back(&self) -> String {
        self.query.link(PATH, &[])
    }
}

fn submissions(count: usize) -> String {
    let number =
        crate::store::columns::BoundedCount::exactly(i64::try_from(count).unwrap_or(i64::MAX));
    if count == 1 {
        "1 submission".to_owned()
    } else {
        format!("{number} submissions")
    }
}

fn moment(micros: Option<i64>, now: DateTime<Utc>) -> DateTime<Utc> {
    micros
        .and_then(DateTime::from_timestamp_micros)
        .filter(|at| *at <= now && at.timestamp() > 0)
        .unwrap_or(now)
}

/// GET /form-submissions/acts: says how many an act would touch, and asks.
///
/// # Errors
/// As the database.
pub async fn consequences(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SubmissionsQuery>,
    Query(asked): Query<ConsequencesQuery>,
) -> Answer {
    let act = asked.act.unwrap_or(BulkAct::Retry);
    let since = moment(asked.since, portal.clock.now());
    ask(&portal, shell, query, act, since, String::new()).await
}

/// Says how many of all that match an act would touch, with the reason that was given already.
async fn ask(
    portal: &Portal,
    shell: Shell,
    query: SubmissionsQuery,
    act: BulkAct,
    since: DateTime<Utc>,
    reason: String,
) -> Answer {
    let which = Which::Matching(Box::new(query.filter(shell.time_zone())), since);
    let count = portal
        .store
        .read(move |conn| how_many(conn, &which, act.eligible()))
        .await?;
    let page = SubmissionsConsequences {
        shell,
        query,
        act,
        scope: Scope::All,
        ids: Vec::new(),
        since: since.timestamp_micros(),
        count,
        reason,
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// An act on one, on chosen ones or on all that match.
#[derive(Debug, Deserialize)]
pub struct ActForm {
    act: BulkAct,
    scope: Scope,
    #[serde(default)]
    id: Vec<SubmissionId>,
    /// The filter, as it stands in the address.
    #[serde(default)]
    filter: String,
    #[serde(default)]
    reason: String,
    since: Option<i64>,
    /// Leads back to the page of the submission.
    #[serde(default)]
    one: bool,
}

/// What was done, in one sentence.
fn sentence(act: BulkAct, outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    let mut part = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    match act {
        BulkAct::Ignore => return format!("Ignored {}.", submissions(outcome.taken)),
        BulkAct::BringBack => return format!("Brought back {}.", submissions(outcome.taken)),
        BulkAct::Retry | BulkAct::TurnIntoLead => {}
    }
    part(outcome.created, "made a lead");
    part(outcome.joined, "joined a lead that was there");
    part(outcome.unsettled, "still need attention");
    part(
        outcome.waiting,
        "wait for the next synchronization, which reads their form",
    );
    part(
        outcome.skipped,
        "left alone, because the answers were erased",
    );
    if parts.is_empty() {
        return "Nothing was left to do: what came to its end already is never done twice."
            .to_owned();
    }
    format!(
        "{}: {}.",
        match act {
            BulkAct::Retry => "Matched again",
            _ => "Turned into leads",
        },
        parts.join(", ")
    )
}

/// POST /form-submissions/acts: does up to 1,000 at once; all that match a filter are asked for first.
///
/// # Errors
/// `Invalid` for a filter that cannot be read, or as the database.
pub async fn act(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(mut form): Form<ActForm>,
) -> Answer {
    let query = SubmissionsQuery::read(&form.filter)?;
    form.id
        .truncate(usize::try_from(MOST_AT_ONCE).unwrap_or_default());
    if form.scope == Scope::All && form.since.is_none() {
        let now = portal.clock.now();
        return ask(&portal, shell, query, form.act, now, form.reason).await;
    }
    if form.scope == Scope::Chosen && form.id.is_empty() {
        let flash = Flash::failure("Nothing was done: choose at least one submission first.");
        return Ok(shell.redirect(query.link(PATH, &[])).flash(flash));
    }
    let now = portal.clock.now();
    let since = moment(form.since, now);
    let reason = clean_text(form.reason.trim()).trim().to_owned();
    let mut errors = FieldErrors::new();
    if form.act == BulkAct::Ignore {
        if reason.is_empty() {
            errors.add("reason", "Say why, so that others understand it later.");
        } else if reason.chars().count() > LONGEST_REASON {
            errors.add(
                "reason",
                format!("Use at most {LONGEST_REASON} characters."),
            );
        }
    }
    let which = match form.scope {
        Scope::Chosen => Which::Chosen(form.id.clone()),
        Scope::All => Which::Matching(Box::new(query.filter(shell.time_zone())), since),
    };
    let doing = form.act;
    if !errors.is_empty() {
        let count = portal
            .store
            .read(move |conn| how_many(conn, &which, doing.eligible()))
            .await?;
        let page = SubmissionsConsequences {
            shell,
            query,
            act: form.act,
            scope: form.scope,
            ids: form.id,
            since: since.timestamp_micros(),
            count,
            reason: form.reason,
            errors,
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let ids = form.id.clone();
    let (outcome, left) = portal
        .store
        .write(move |tx| {
            let user = &current.id;
            let by = By::Person(user.clone());
            let outcome = match doing {
                BulkAct::Retry => acts::carry_out(tx, &which, &Act::Retry, &by, now)?,
                BulkAct::TurnIntoLead => acts::carry_out(tx, &which, &Act::TurnIntoLead, &by, now)?,
                BulkAct::Ignore => Outcome {
                    taken: acts::ignore(tx, &which, &reason, user, now)?,
                    ..Outcome::default()
                },
                BulkAct::BringBack => Outcome {
                    taken: acts::bring_back(tx, &which, user, now)?,
                    ..Outcome::default()
                },
            };
            if outcome.taken > 0 {
                let one = ids.first().filter(|_| ids.len() == 1);
                let object = (
                    "form_submission",
                    one.map_or("", SubmissionId::as_str),
                    if one.is_some() {
                        "Form submission"
                    } else {
                        "Form submissions"
                    },
                );
                let after = Some(json!({ "count": outcome.taken }));
                audit::record(tx, now, &actor, doing.audited(), object, None, after)?;
            }
            let left = match &which {
                Which::Matching(..) => how_many(tx, &which, doing.eligible())?,
                Which::Chosen(_) => 0,
            };
            Ok::<_, StoreError>((outcome, left))
        })
        .await?;
    make_due(&portal, &outcome).await?;
    let text = sentence(form.act, &outcome);
    if left > 0 && outcome.taken > 0 {
        let since = since.timestamp_micros().to_string();
        let more = [("act", form.act.as_str()), ("since", since.as_str())];
        let asks = query.link(&format!("{PATH}/acts"), &more);
        return Ok(shell.redirect(asks).flash(Flash::success(text)));
    }
    let mut flash = match outcome.taken {
        0 => Flash::notice(if outcome.skipped > 0 {
            text
        } else {
            nothing_done()
        }),
        _ => Flash::success(text),
    };
    let to = match form.id.first() {
        Some(id) if form.one => {
            let path = format!("{PATH}/{id}");
            if doing == BulkAct::TurnIntoLead && outcome.created == 1 {
                flash = flash.with_link(query.link(&path, &[("part", "timeline")]), "Undo");
            }
            query.link(&path, &[])
        }
        _ => {
            if doing == BulkAct::Ignore {
                let ignored = [("view", SubmissionView::Ignored.as_str()), ("status", "")];
                flash = flash.with_link(
                    query.link(PATH, &ignored),
                    "See the ignored ones to bring them back",
                );
            }
            query.link(PATH, &[])
        }
    };
    Ok(shell.redirect(to).flash(flash))
}

/// Lets the synchronization look at once for what submissions wait for.
pub(in crate::web) async fn make_due(portal: &Portal, outcome: &Outcome) -> Result<(), StoreError> {
    if outcome.due.is_empty() {
        return Ok(());
    }
    let accounts = outcome.due.clone();
    portal
        .store
        .write(move |tx| due::make_accounts(tx, &accounts))
        .await?;
    portal.wake.notify_one();
    Ok(())
}

fn nothing_done() -> String {
    "Nothing was left to do: what came to its end already is never done twice.".to_owned()
}

/// Which lead a submission belongs to.
#[derive(Debug, Deserialize)]
pub struct LinkForm {
    lead: LeadId,
    #[serde(default)]
    filter: String,
}

/// POST /form-submissions/{id}/links: links it to a lead by the same rules as matching.
///
/// # Errors
/// `NotFound` when the lead is gone, or as the database.
pub async fn link(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<SubmissionId>,
    Form(form): Form<LinkForm>,
) -> Answer {
    let query = SubmissionsQuery::read(&form.filter)?;
    let (now, lead, one) = (portal.clock.now(), form.lead, id.clone());
    let outcome = portal
        .store
        .write(move |tx| {
            let which = Which::Chosen(vec![one.clone()]);
            let by = By::Person(current.id.clone());
            let outcome = acts::carry_out(tx, &which, &Act::Link(lead.clone()), &by, now)?;
            if outcome.taken > 0 {
                let object = ("form_submission", one.as_str(), "Form submission");
                let after = Some(json!({ "lead_id": lead }));
                audit::record(
                    tx,
                    now,
                    &actor,
                    "form_submission.linked",
                    object,
                    None,
                    after,
                )?;
            }
            Ok::<_, StoreError>(outcome)
        })
        .await?;
    make_due(&portal, &outcome).await?;
    let path = format!("{PATH}/{id}");
    let flash = match outcome {
        Outcome { joined: 1.., .. } => Flash::success("The submission was linked to the lead.")
            .with_link(query.link(&path, &[("part", "timeline")]), "Undo"),
        Outcome { waiting: 1.., .. } => Flash::warning(
            "The version of its form is not known yet. The next synchronization reads it; link it then.",
        ),
        Outcome { taken: 0, .. } => Flash::notice(nothing_done()),
        _ => Flash::failure("The submission could not be linked. Its decision says why."),
    };
    Ok(shell.redirect(query.link(&path, &[])).flash(flash))
}

/// Which act is to be undone.
#[derive(Debug, Deserialize)]
pub struct UndoForm {
    act: String,
    #[serde(default)]
    filter: String,
}

/// POST /form-submissions/{id}/undo
///
/// # Errors
/// `NotFound` when there is no such act, or as the database.
pub async fn undo(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<SubmissionId>,
    Form(form): Form<UndoForm>,
) -> Answer {
    let query = SubmissionsQuery::read(&form.filter)?;
    let (now, one, maker) = (portal.clock.now(), id.clone(), portal.clone());
    let undone = portal
        .store
        .write(move |tx| {
            let new_id = || maker.new_id().to_string();
            let kind = submission_undo::undo(tx, &one, &form.act, &current.id, now, new_id)?;
            let object = ("form_submission", one.as_str(), "Form submission");
            let before = Some(json!({ "act": kind }));
            audit::record(
                tx,
                now,
                &actor,
                "form_submission.undone",
                object,
                before,
                None,
            )?;
            Ok::<_, StoreError>(kind)
        })
        .await;
    let flash = match undone {
        Ok(ActKind::TurnedIntoLead) => {
            Flash::success("Undone: the lead is gone again, and the submission needs attention.")
        }
        Ok(_) => Flash::success(
            "Undone: the lead has its values of before, and the submission needs attention.",
        ),
        Err(StoreError::Rule(why)) => Flash::failure(format!("This was not undone. {why}")),
        Err(error) => return Err(error.into()),
    };
    Ok(shell
        .redirect(query.link(&format!("{PATH}/{id}"), &[]))
        .flash(flash))
}
