//! Form submissions: the filtered list with its counts, one in parts, and what people do about them.

pub(in crate::web) mod acts;
mod candidates;
mod export;
mod query;
pub(in crate::web) mod show;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use super::keyset::{KeysetPager, start};
use super::page::{Chip, StateTab};
use super::{Answer, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionView};
use crate::store::submissions::{self, StateCounts, Submission};
use crate::store::{StoreError, accounts, campaigns, forms};

pub use acts::{act, consequences, link, undo};
pub use candidates::candidates;
pub use export::export;
pub use query::SubmissionsQuery;
pub use show::show;

/// The address of the list.
const PATH: &str = "/form-submissions";

/// What a filter can be set to: identifiers with names.
type Choices = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "submissions/index.html")]
struct SubmissionsIndex {
    shell: Shell,
    query: SubmissionsQuery,
    submissions: Vec<Submission>,
    pager: KeysetPager,
    tabs: Vec<StateTab>,
    chips: Vec<Chip>,
    accounts: Choices,
    forms: Choices,
    versions: Choices,
    campaigns: Choices,
    can_act: bool,
}

impl SubmissionsIndex {
    /// A rarely used filter is set: their part is open then.
    fn has_more(&self) -> bool {
        ["version", "campaign", "state", "test", "from", "to"]
            .iter()
            .any(|name| !self.query.value(name).is_empty())
            || self.query.rows() != query::DEFAULT_SIZE
    }

    /// The page of a submission, inside this filter.
    fn path_of(&self, submission: &Submission) -> String {
        self.query.link(&format!("{PATH}/{}", submission.id), &[])
    }
}

/// The states above the list, with their counts where they could be counted.
fn tabs(query: &SubmissionsQuery, counts: Option<&StateCounts>) -> Vec<StateTab> {
    let link = |status: &str, view: &str| {
        query.link(PATH, &[("status", status), ("view", view), ("state", "")])
    };
    let mut tabs = vec![
        StateTab {
            label: "All".to_owned(),
            count: counts.map(|counts| counts.all.to_string()),
            path: link("", ""),
            is_current: query.status.is_none() && query.view.is_none(),
        },
        StateTab {
            label: SubmissionView::NeedsAttention.label().to_owned(),
            count: counts.map(|counts| counts.attention.to_string()),
            path: link("", SubmissionView::NeedsAttention.as_str()),
            is_current: query.view == Some(SubmissionView::NeedsAttention),
        },
    ];
    tabs.extend(MatchingStatus::ALL.iter().map(|status| StateTab {
        label: status.label().to_owned(),
        count: counts.and_then(|counts| {
            let of = counts.by_status.iter().find(|(other, _)| other == status);
            of.map(|(_, count)| count.to_string())
        }),
        path: link(status.as_str(), ""),
        is_current: query.status == Some(*status) && query.view.is_none(),
    }));
    tabs.push(StateTab {
        label: SubmissionView::Ignored.label().to_owned(),
        count: counts.map(|counts| counts.ignored.to_string()),
        path: link("", SubmissionView::Ignored.as_str()),
        is_current: query.view == Some(SubmissionView::Ignored),
    });
    tabs
}

/// What is filtered, each with the list without it. `named` has the names of records by parameter.
fn chips(query: &SubmissionsQuery, named: &[(&str, &Choices)]) -> Vec<Chip> {
    query
        .pairs()
        .into_iter()
        .map(|(parameter, value)| {
            let of_record = named
                .iter()
                .filter(|(name, _)| *name == parameter)
                .flat_map(|(_, choices)| choices.iter())
                .find(|(id, _)| *id == value)
                .map(|(_, name)| name.clone());
            let (name, label) = match parameter {
                "q" => ("Name", None),
                "account" => ("Account", of_record),
                "form" => ("Form", of_record),
                "version" => ("Version", of_record),
                "campaign" => ("Campaign", of_record),
                "status" => (
                    "Matching status",
                    query.status.map(|s| s.label().to_owned()),
                ),
                "state" => (
                    "Processing state",
                    query.state.map(|s| s.label().to_owned()),
                ),
                "view" => ("Showing", query.view.map(|v| v.label().to_owned())),
                "test" if value == "yes" => ("Test leads", Some("only".to_owned())),
                "test" => ("Test leads", Some("without".to_owned())),
                "from" => ("Submitted from", None),
                _ => ("Submitted to", None),
            };
            Chip {
                name,
                value: label.unwrap_or(value),
                // A version belongs to its form.
                path: if parameter == "form" {
                    query.link(PATH, &[("form", ""), ("version", "")])
                } else {
                    query.link(PATH, &[(parameter, "")])
                },
            }
        })
        .collect()
}

/// GET /form-submissions
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SubmissionsQuery>,
) -> Answer {
    let place = start(query.after.clone(), query.before.clone());
    let filter = query.filter(shell.time_zone());
    let kept = query.kept();
    let kept: Vec<(&str, &str)> = kept
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut pager = KeysetPager::new(PATH, &kept, &place);
    let (size, form, account) = (query.rows(), query.form.clone(), query.account.clone());
    let ((page, count), counts, accounts, forms, versions, campaigns) = portal
        .store
        .read(move |conn| {
            let versions: Choices = match &form {
                Some(form) => forms::versions(conn, form)?
                    .into_iter()
                    .map(|version| {
                        (
                            version.id.to_string(),
                            format!("Version {}", version.number),
                        )
                    })
                    .collect(),
                None => Vec::new(),
            };
            Ok::<_, StoreError>((
                submissions::list(conn, &filter, &place, size)?,
                submissions::state_counts(conn, &filter)?,
                accounts::names(conn)?,
                forms::names(conn)?,
                versions,
                campaigns::names(conn, account.as_ref())?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let named = [
        ("account", &accounts),
        ("form", &forms),
        ("version", &versions),
        ("campaign", &campaigns),
    ];
    let page = SubmissionsIndex {
        submissions: pager.take(page),
        tabs: tabs(&query, counts.as_ref()),
        chips: chips(&query, &named),
        can_act: shell.can(Permission::EditLeads),
        shell,
        query,
        pager,
        accounts,
        forms,
        versions,
        campaigns,
    };
    page.shell.render(StatusCode::OK, &page)
}
