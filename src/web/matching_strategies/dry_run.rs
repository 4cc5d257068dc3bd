//! The dry run of a matching strategy: how the latest submissions would end, now beside the draft. It writes nothing.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{INDEX, options};
use crate::domain::dry_run::{Outcome, ReachedLead, Totals};
use crate::domain::ids::{StrategyId, SubmissionId};
use crate::domain::lead::{FieldKey, LeadFields};
use crate::domain::matching::MatchingSettings;
use crate::domain::strategy::{MatchingStrategy, check_fields, strategy_sentence};
use crate::domain::submission::MatchingStatus;
use crate::store::{
    StoreError, custom_fields, field_mappings, integration_settings, matching_strategies,
};
use crate::sync::preview::{DryRun, compare_strategies};
use crate::web::{Answer, FieldErrors, Portal, Query, Shell};

/// How many submissions can be chosen.
const SIZES: &[i64] = &[50, 100, 200, 500];
/// How many are played through when nobody chose.
const USUAL_SIZE: i64 = 100;

/// Which draft is tried, on how many submissions.
#[derive(Debug, Default, Deserialize)]
pub struct DryRunQuery {
    strategy: Option<StrategyId>,
    /// The draft's fields; none: those of the strategy.
    #[serde(default)]
    field: Vec<String>,
    n: Option<i64>,
    /// `all`: also those that end the same.
    show: Option<String>,
}

/// The lead that a submission comes to.
struct LeadLink {
    path: String,
    text: String,
}

/// How a submission ends.
struct End {
    status: MatchingStatus,
    reason: &'static str,
    lead: Option<LeadLink>,
}

struct Row {
    id: SubmissionId,
    name: String,
    submitted_at: DateTime<Utc>,
    is_test: bool,
    form: String,
    now: End,
    then: End,
    is_changed: bool,
}

/// What a dry run came to.
struct Played {
    rows: Vec<Row>,
    played: usize,
    changed: usize,
    now: Totals,
    then: Totals,
    looked_at: usize,
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "matching_strategies/dry_run.html")]
struct MatchingStrategiesDryRun {
    shell: Shell,
    /// The strategy that the draft comes from, if it comes from one.
    strategy: Option<MatchingStrategy>,
    active: MatchingStrategy,
    now_sentence: String,
    then_sentence: String,
    /// Word, label, whether it is in the draft.
    choices: Vec<(String, String, bool)>,
    errors: FieldErrors,
    size: i64,
    sizes: &'static [i64],
    shows_all: bool,
    /// Whether the draft has the fields of the saved strategy, so that it can be activated.
    is_saved: bool,
    /// This page with every submission, or with the changed ones only.
    other_view: String,
    result: Option<Played>,
}

/// The dry run of a saved strategy.
pub fn path_of(strategy: &MatchingStrategy) -> String {
    format!("{INDEX}/dry-run?strategy={}", strategy.id)
}

fn link(
    strategy: Option<&MatchingStrategy>,
    fields: &[FieldKey],
    size: i64,
    shows_all: bool,
) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(strategy) = strategy {
        query.append_pair("strategy", strategy.id.as_str());
    }
    for field in fields {
        query.append_pair("field", &field.word());
    }
    query.append_pair("n", &size.to_string());
    if shows_all {
        query.append_pair("show", "all");
    }
    format!("{INDEX}/dry-run?{}", query.finish())
}

/// GET /settings/matching-strategies/dry-run
///
/// # Errors
/// `NotFound` when the strategy does not exist, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Query(query): Query<DryRunQuery>) -> Answer {
    let wanted = query.strategy.clone();
    let (strategy, active, mapped, settings, known) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                wanted
                    .map(|id| matching_strategies::get(conn, &id))
                    .transpose()?,
                matching_strategies::active(conn)?,
                field_mappings::targets(conn)?,
                integration_settings::get(conn)?.matching,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let size = query
        .n
        .filter(|size| SIZES.contains(size))
        .unwrap_or(USUAL_SIZE);
    let base = strategy.as_ref().unwrap_or(&active);
    let mut errors = FieldErrors::new();
    let mut draft = base.clone();
    if !query.field.is_empty() {
        draft.fields = query
            .field
            .iter()
            .filter_map(|word| word.parse().ok())
            .collect();
        if draft.fields.len() < query.field.len() {
            errors.add("field", "Choose fields from the list.");
        }
    }
    if draft.fields != base.fields {
        draft.id = StrategyId::new(Uuid::nil());
    }
    if let Some(problem) = check_fields(&draft.fields, &mapped).into_iter().next() {
        errors.add("field", problem.to_string());
    }
    let shows_all = query.show.as_deref() == Some("all");
    let result = if errors.is_empty() {
        let played = draft.clone();
        let run = portal
            .store
            .read(move |conn| compare_strategies(conn, &played, size))
            .await?;
        Some(result(run, shows_all))
    } else {
        None
    };
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = page(
        shell,
        (strategy, active, draft, settings),
        (options(mapped.iter(), &known), &known),
        errors,
        (size, shows_all),
        result,
    );
    page.shell.render(status, &page)
}

fn page(
    shell: Shell,
    (strategy, active, draft, settings): (
        Option<MatchingStrategy>,
        MatchingStrategy,
        MatchingStrategy,
        MatchingSettings,
    ),
    (mapped, known): (Vec<(String, String)>, &LeadFields),
    errors: FieldErrors,
    (size, shows_all): (i64, bool),
    result: Option<Played>,
) -> MatchingStrategiesDryRun {
    MatchingStrategiesDryRun {
        shell,
        now_sentence: strategy_sentence(&active, &settings, known),
        then_sentence: strategy_sentence(&draft, &settings, known),
        choices: mapped
            .into_iter()
            .map(|(word, label)| {
                let is_chosen = draft.fields.iter().any(|field| field.word() == word);
                (word, label, is_chosen)
            })
            .collect(),
        errors,
        size,
        sizes: SIZES,
        shows_all,
        is_saved: strategy
            .as_ref()
            .is_some_and(|strategy| strategy.fields == draft.fields && !strategy.is_active),
        other_view: link(strategy.as_ref(), &draft.fields, size, !shows_all),
        strategy,
        active,
        result,
    }
}

fn result(run: DryRun, shows_all: bool) -> Played {
    let end = |outcome: &Outcome| End {
        status: outcome.status,
        reason: outcome.reason.label(),
        lead: outcome.lead.as_ref().map(|lead| match lead {
            ReachedLead::Known(id) => LeadLink {
                path: format!("/leads/{id}"),
                text: run
                    .lead_names
                    .get(id)
                    .cloned()
                    .unwrap_or_else(|| "a lead".to_owned()),
            },
            ReachedLead::MadeBy(id) => LeadLink {
                path: format!("/form-submissions/{id}"),
                text: run
                    .latest
                    .submissions
                    .iter()
                    .find(|one| one.id == *id)
                    .map(|one| format!("the lead made from {}", one.name))
                    .unwrap_or_default(),
            },
        }),
    };
    let rows: Vec<Row> = run
        .latest
        .submissions
        .iter()
        .zip(run.now.iter().zip(&run.then))
        .map(|(one, (now, then))| Row {
            id: one.id.clone(),
            name: one.name.clone(),
            submitted_at: one.submitted_at,
            is_test: one.is_test,
            form: run
                .latest
                .version(one)
                .map(|version| version.name.clone())
                .unwrap_or_default(),
            is_changed: now.status != then.status || now.lead != then.lead,
            now: end(now),
            then: end(then),
        })
        .collect();
    Played {
        played: rows.len(),
        changed: rows.iter().filter(|row| row.is_changed).count(),
        now: Totals::of(&run.now),
        then: Totals::of(&run.then),
        looked_at: run.looked_at,
        is_cut: run.is_cut,
        rows: rows
            .into_iter()
            .filter(|row| shows_all || row.is_changed)
            .collect(),
    }
}
