//! `leadgen sync`: run what is due, or one profile, once and now.

use serde::Serialize;

use super::{CommandError, open_migrated, say};
use crate::domain::sync::{RunStatus, RunTrigger};
use crate::store::audit::{self, Actor};
use crate::store::leases::ClaimFilter;
use crate::store::run_counts::RunCounts;
use crate::store::{self, StoreError};
use crate::sync::scheduler::Step;

/// Arguments of `leadgen sync`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The name of a LinkedIn user profile: all its accounts, due or not.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary {
    runs: usize,
    succeeded: usize,
    failed: usize,
    failures: Vec<&'static str>,
    counts: RunCounts,
}

/// Synchronises and prints what was done.
///
/// # Errors
/// See [`CommandError`]; `Failed` when a run failed.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open_migrated().await?;
    let mut filter = ClaimFilter::default();
    if let Some(name) = arguments.profile {
        let (wanted, now) = (name.clone(), app.clock().now());
        let found = app
            .store()
            .write(move |conn| {
                let found = store::due::make(conn, &wanted, RunTrigger::CommandLine)?;
                if let Some(profile) = &found {
                    let object = ("linkedin_user_profile", profile.as_str(), wanted.as_str());
                    let action = "linkedin_user_profile.sync_requested";
                    audit::record(
                        conn,
                        now,
                        &Actor::command_line(),
                        action,
                        object,
                        None,
                        None,
                    )?;
                }
                Ok::<_, StoreError>(found)
            })
            .await?;
        let profile = found.ok_or_else(|| {
            CommandError::Usage(format!(
                "no authorised LinkedIn user profile is called “{name}”: check the name on the page LinkedIn User Profiles"
            ))
        })?;
        filter.profile = Some(profile);
    }
    if let Err(refusal) = app.settings().deployment.check() {
        return Err(CommandError::Failed(format!(
            "nothing was synchronized: {}",
            refusal.why()
        )));
    }
    // On the list like any other process, so that a rotation of the secret key waits for it.
    let presence = app.announce(false, false);
    let steps = app.scheduler().run_until_idle(&filter).await;
    presence.leave().await;
    let steps = steps.map_err(|error| CommandError::Failed(error.to_string()))?;
    let runs: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Ran {
                run_id,
                status,
                failure,
            } => Some((run_id.clone(), *status, *failure)),
            Step::Idle => None,
        })
        .collect();
    let ids = runs.iter().map(|(id, _, _)| id.clone()).collect::<Vec<_>>();
    let counts = app
        .store()
        .read(move |conn| store::run_counts::of(conn, &ids))
        .await?;
    let failed = runs
        .iter()
        .filter(|(_, status, _)| *status != RunStatus::Succeeded)
        .count();
    let summary = Summary {
        runs: runs.len(),
        succeeded: runs.len() - failed,
        failed,
        failures: runs
            .iter()
            .filter_map(|(_, _, failure)| failure.map(|f| f.as_str()))
            .collect(),
        counts,
    };
    if arguments.json {
        say(&serde_json::to_string(&summary)
            .map_err(|error| CommandError::Failed(error.to_string()))?);
    } else {
        say(&format!(
            "{} run(s), {} with failures",
            summary.runs, summary.failed
        ));
        say(&format!(
            "{} new submission(s), {} known, {} lead(s) created, {} updated, {} match failed, {} processing failed",
            counts.submissions_new,
            counts.submissions_known,
            counts.leads_created,
            counts.leads_updated,
            counts.match_failed,
            counts.processing_failed
        ));
        for (_, _, failure) in &runs {
            if let Some(reason) = failure {
                say(&format!(
                    "{}: {} {}",
                    reason.label(),
                    reason.explain(),
                    reason.what_to_do()
                ));
            }
        }
    }
    if failed > 0 {
        return Err(CommandError::Failed(format!(
            "{failed} run(s) had failures"
        )));
    }
    Ok(())
}
