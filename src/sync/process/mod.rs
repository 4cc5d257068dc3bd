//! Maps, matches and saves a batch of responses by statements for many rows each, in the caller's
//! transaction, so that the batch and its cursor are stored together or not at all.

mod adoption;
mod readiness;
mod rules;
mod settle;
mod undecided;
mod working_set;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::intake::Response;
use crate::domain::field_mapping::VersionMapping;
use crate::domain::form::FormVersion;
use crate::domain::ids::{AccountId, CampaignId, FormId, LeadId, UserId};
use crate::store::run_counts::RunCounts;
use crate::store::{self, AnyConn, StoreError};
use readiness::Readiness;
use rules::Rules;
use undecided::{Item, lead_of, open, undecided};
use working_set::WorkingSet;

/// Which account a batch belongs to, and how it is handled.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The account.
    pub account_id: AccountId,
    /// Its name, a source of mappings.
    pub account_name: String,
    /// Times a submission is tried again by itself before it waits for a person.
    pub attempts: i64,
    /// The time.
    pub now: DateTime<Utc>,
    /// Decide again about stored responses that wait. A page that holds them leaves that to the start of a run, so that
    /// a run counts one attempt.
    pub retries: bool,
    /// Store the responses without deciding about them, for this reason: deciding about one of them failed before.
    pub parks: Option<String>,
    /// What a person decided about all of them, in place of the matching strategy.
    pub wish: Option<Wish>,
}

/// What a person decided.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who; `None` for a program.
    pub user_id: Option<UserId>,
    /// The lead that the submissions belong to; `None` when each is a lead of its own.
    pub lead_id: Option<LeadId>,
}

impl Batch {
    /// The lead that a person chose.
    fn chosen(&self) -> Option<&LeadId> {
        self.wish.as_ref()?.lead_id.as_ref()
    }
}

/// Decides and saves. `responses` may hold known ones and repeats; they change nothing.
///
/// # Errors
/// As any query; then nothing of the batch may be kept.
pub fn run(
    conn: &mut AnyConn,
    batch: &Batch,
    responses: &[Response],
) -> Result<RunCounts, StoreError> {
    let mut counts = RunCounts::default();
    let open = open(conn, responses, batch.retries, &mut counts)?;
    if open.is_empty() {
        return Ok(counts);
    }
    store::lock_leads(conn)?;
    let items = undecided(conn, open, batch.retries, &mut counts)?;
    let items = adoption::adopt(conn, items, &mut counts)?;
    if items.is_empty() {
        return Ok(counts);
    }
    let rules = Rules::load(conn, &batch.account_id)?;
    let form_numbers: Vec<i64> =
        distinct(items.iter().filter_map(|i| i.response.form.map(|f| f.0)));
    let campaign_numbers: Vec<i64> =
        distinct(items.iter().filter_map(|i| i.content.campaign_linkedin_id));
    let versions = store::directory::forms::versions(conn, &form_numbers)?;
    let form_ids = store::directory::forms::form_ids(conn, &form_numbers)?;
    let campaigns = store::directory::campaigns::campaign_ids(conn, &campaign_numbers)?;
    let places = Places {
        batch,
        versions: &versions,
        form_ids: &form_ids,
        campaigns: &campaigns,
    };

    let mut compiled: HashMap<(i64, i64), VersionMapping> = HashMap::new();
    for (key, version) in &versions {
        compiled.insert(*key, rules.mappings.compile(version));
    }
    let ready: Vec<(Item<'_>, Readiness)> = items
        .into_iter()
        .map(|mut item| {
            let readiness = places.map(&mut item, &rules, &compiled);
            (item, readiness)
        })
        .collect();

    let inputs = ready
        .iter()
        .filter_map(|(item, readiness)| match readiness {
            Readiness::Ready(mapped) => Some((&mapped.input, lead_of(item).or(batch.chosen()))),
            Readiness::Settled { .. } => None,
        });
    let mut working = WorkingSet::load(conn, inputs, rules.strategy.as_ref())?;
    working.user_id = batch.wish.as_ref().and_then(|wish| wish.user_id.clone());
    let mut decided = Vec::with_capacity(ready.len());
    for (item, readiness) in ready {
        decided.push(places.settle(item, readiness, &rules, &mut working, &mut counts));
    }
    working.save(conn)?;
    store::intake::save(conn, &decided)?;
    adoption::conclude(conn, &decided)?;
    store::intake::add_changes(conn, working.into_changes())?;
    Ok(counts)
}

fn distinct(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Forms and campaigns of a batch.
struct Places<'a> {
    batch: &'a Batch,
    versions: &'a HashMap<(i64, i64), FormVersion>,
    form_ids: &'a HashMap<i64, FormId>,
    campaigns: &'a HashMap<i64, (CampaignId, String)>,
}
