//! `leadgen status`: the aggregated sync status.

use serde::Serialize;

use super::{CommandError, open, say};
use crate::domain::delivery::DeliveryFailure;
use crate::store::StoreError;
use crate::store::deliveries::lanes::Destination;
use crate::store::deliveries::standing::{Standing, needing_attention};
use crate::store::status::{StatusTotals, aggregate};

/// Arguments of `leadgen status`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints: the totals, and beside them the destinations.
#[derive(Serialize)]
struct Status<'a> {
    #[serde(flatten)]
    totals: &'a StatusTotals,
    destinations_needing_attention: Vec<DestinationStatus<'a>>,
}

/// A destination that somebody has to see to.
#[derive(Serialize)]
struct DestinationStatus<'a> {
    name: &'a str,
    kind: &'static str,
    is_enabled: bool,
    trouble: Option<DeliveryFailure>,
    deliveries_given_up: i64,
    leads_waiting_for_a_person: i64,
}

impl<'a> From<&'a Standing> for DestinationStatus<'a> {
    fn from(of: &'a Standing) -> Self {
        Self {
            name: &of.lane.name,
            kind: match of.lane.destination {
                Destination::Organization(_) => "organization",
                Destination::Webhook(_) => "webhook",
            },
            is_enabled: of.lane.is_enabled,
            trouble: of.trouble().map(|trouble| trouble.reason),
            deliveries_given_up: of.given_up,
            leads_waiting_for_a_person: of.undecided,
        }
    }
}

/// Prints the status.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open()?;
    app.check_migrations().await?;
    let (totals, destinations) = app
        .store()
        .read(|conn| Ok::<_, StoreError>((aggregate(conn)?, needing_attention(conn)?)))
        .await?;
    if arguments.json {
        let status = Status {
            totals: &totals,
            destinations_needing_attention: destinations.iter().map(Into::into).collect(),
        };
        say(&serde_json::to_string(&status)
            .map_err(|error| CommandError::Failed(error.to_string()))?);
    } else {
        for line in lines(&totals) {
            say(&line);
        }
        for line in destinations.iter().map(destination_line) {
            say(&line);
        }
    }
    Ok(())
}

/// A destination that somebody has to see to, as a line of text.
fn destination_line(of: &Standing) -> String {
    let since = of.trouble().map_or_else(String::new, |trouble| {
        format!(" (since {})", trouble.since.format("%Y-%m-%d %H:%M:%S UTC"))
    });
    format!(
        "Needs attention        {}: {}{since}",
        of.lane.name,
        of.what_is_wrong()
    )
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
