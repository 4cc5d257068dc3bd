//! `leadgen status`: the aggregated sync status.

use super::{CommandError, open, say};
use crate::store::status::{StatusTotals, aggregate};

/// Arguments of `leadgen status`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints the status.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open()?;
    app.check_migrations().await?;
    let totals = app.store().read(aggregate).await?;
    if arguments.json {
        say(&serde_json::to_string(&totals)
            .map_err(|error| CommandError::Failed(error.to_string()))?);
    } else {
        for line in lines(&totals) {
            say(&line);
        }
    }
    Ok(())
}

/// The status as lines of text.
#[must_use]
pub fn lines(totals: &StatusTotals) -> Vec<String> {
    let last = totals.last_synchronization_at.map_or_else(
        || "never".to_owned(),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    );
    vec![
        format!("Last synchronisation   {last}"),
        format!("Profiles               {}", totals.profiles),
        format!("Accounts               {}", totals.accounts),
        format!("Forms                  {}", totals.forms),
        format!(
            "Submissions            {} (and {} test submissions)",
            totals.submissions, totals.test_submissions
        ),
        format!("Leads                  {}", totals.leads),
        format!("Leads created          {}", totals.leads_created),
        format!("Leads updated          {}", totals.leads_updated),
        format!("Match failed           {}", totals.match_failed),
        format!("Processing failed      {}", totals.processing_failed),
        format!(
            "Sync runs              {} succeeded, {} failed, {} running",
            totals.runs.succeeded, totals.runs.failed, totals.runs.running
        ),
    ]
}
