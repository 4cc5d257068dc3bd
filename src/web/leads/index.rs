//! The list of leads: search, filters, numbers by status, orders, saved views.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use super::INDEX;
use super::filter::{LeadsQuery, SIZES};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::ids::UserId;
use crate::domain::lead::{LeadSource, LeadStatus};
use crate::store::columns::BoundedCount;
use crate::store::lead_lists::{self, FilterChoices, LeadListed, LeadOrder};
use crate::store::lead_views::{self, LeadView};
use crate::store::{StoreError, leads};
use crate::web::keyset::{KeysetPager, start};
use crate::web::page::{Chip, StateTab};
use crate::web::{Answer, FieldErrors, Portal, Query, Shell, WebError};

#[derive(Template)]
#[template(path = "leads/index.html")]
pub(super) struct LeadsIndex {
    pub(super) shell: Shell,
    leads: Vec<LeadListed>,
    pager: KeysetPager,
    query: LeadsQuery,
    count: BoundedCount,
    tabs: Vec<StateTab>,
    chips: Vec<Chip>,
    owners: Vec<(UserId, String)>,
    choices: FilterChoices,
    views: Vec<LeadView>,
    can_edit: bool,
    can_share: bool,
    /// What is wrong with a view or a change of many, and what was entered.
    pub(super) errors: FieldErrors,
    pub(super) view_name: String,
    pub(super) bulk_status: String,
    pub(super) bulk_owner: String,
    pub(super) chosen: Vec<String>,
    pub(super) scope_all: bool,
}

impl LeadsIndex {
    fn statuses(&self) -> Vec<(&'static str, &'static str)> {
        let label = |status: &LeadStatus| (status.as_str(), status.label());
        LeadStatus::ALL.iter().map(label).collect()
    }

    fn sources(&self) -> Vec<(&'static str, &'static str)> {
        let label = |source: &LeadSource| (source.as_str(), source.label());
        LeadSource::ALL.iter().map(label).collect()
    }

    fn orders(&self) -> Vec<(&'static str, &'static str)> {
        let label = |order: &LeadOrder| (order.as_str(), order.label());
        LeadOrder::ALL.iter().map(label).collect()
    }

    fn is_order(&self, word: &str) -> bool {
        self.query.order().as_str() == word
    }

    fn is_size(&self, size: &i64) -> bool {
        self.query.size() == *size
    }

    fn sizes(&self) -> [i64; 4] {
        SIZES
    }

    /// A lead's page, which knows its neighbours in this list.
    fn lead_path(&self, lead: &LeadListed) -> String {
        self.query.address(&format!("{INDEX}/{}", lead.id))
    }

    fn is_chosen(&self, lead: &LeadListed) -> bool {
        self.chosen.iter().any(|id| id == lead.id.as_str())
    }

    fn is_current(&self, view: &LeadView) -> bool {
        self.query.encoded() == view.query
    }

    fn is_own(&self, view: &LeadView) -> bool {
        self.shell
            .user
            .as_ref()
            .is_some_and(|user| user.id == view.user_id)
    }

    fn view_path(&self, view: &LeadView) -> String {
        format!("{INDEX}?{}", view.query)
    }

    fn is_by_name(&self) -> bool {
        self.query.order() == LeadOrder::Name
    }
}

/// GET /leads
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Query(query): Query<LeadsQuery>,
) -> Answer {
    let page = page(&portal, shell, user, query).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The list with this query.
pub(super) async fn page(
    portal: &Portal,
    shell: Shell,
    user: CurrentUser,
    query: LeadsQuery,
) -> Result<LeadsIndex, WebError> {
    let place = start(query.after.clone(), query.before.clone());
    let filter = query.filter(shell.time_zone());
    let (order, size) = (query.order(), query.size());
    let kept: Vec<(&str, String)> = query.pairs();
    let kept: Vec<(&str, &str)> = kept
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut pager = KeysetPager::new(INDEX, &kept, &place);
    let (found, numbers, count, owners, choices, views) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                lead_lists::page(conn, &filter, order, &place, size)?,
                lead_lists::by_status(conn, &filter)?,
                lead_lists::count(conn, &filter)?,
                leads::possible_owners(conn)?,
                lead_lists::filter_choices(conn, &filter)?,
                lead_views::seen_by(conn, &user.id)?,
            ))
        })
        .await?;
    Ok(LeadsIndex {
        leads: pager.take(found),
        pager,
        tabs: tabs(&query, &numbers),
        chips: chips(&query, &owners, &choices),
        count,
        owners,
        choices,
        views,
        can_edit: shell.can(Permission::EditLeads),
        can_share: shell.can(Permission::ManageUsers),
        shell,
        query,
        errors: FieldErrors::new(),
        view_name: String::new(),
        bulk_status: String::new(),
        bulk_owner: String::new(),
        chosen: Vec::new(),
        scope_all: false,
    })
}

fn tabs(query: &LeadsQuery, numbers: &[(LeadStatus, BoundedCount)]) -> Vec<StateTab> {
    let mut any = query.clone();
    any.status = None;
    let mut tabs = vec![StateTab {
        label: "All".to_owned(),
        count: None,
        path: any.address(INDEX),
        is_current: query.status.is_none(),
    }];
    tabs.extend(numbers.iter().map(|(status, number)| {
        let mut only = query.clone();
        only.status = Some(*status);
        StateTab {
            label: status.label().to_owned(),
            count: Some(number.to_string()),
            path: only.address(INDEX),
            is_current: query.status == Some(*status),
        }
    }));
    tabs
}

/// What is filtered, in words.
fn chips(query: &LeadsQuery, owners: &[(UserId, String)], choices: &FilterChoices) -> Vec<Chip> {
    let named = |list: &[(String, String)], id: &str| {
        list.iter()
            .find(|(known, _)| known == id)
            .map_or_else(|| "not known".to_owned(), |(_, name)| name.clone())
    };
    query
        .filter_pairs()
        .into_iter()
        .filter_map(|(name, value)| {
            let (label, shown) = match name {
                "q" => ("Search", value),
                "owner" => {
                    let owner = owners.iter().find(|(id, _)| id.as_str() == value);
                    let name = owner.map_or("not known", |(_, name)| name.as_str());
                    ("Owner", name.to_owned())
                }
                "source" => (
                    "Source",
                    query.source.map_or("", LeadSource::label).to_owned(),
                ),
                "account" => ("Account", named(&choices.accounts, &value)),
                "form" => ("Form", named(&choices.forms, &value)),
                "campaign" => ("Campaign", named(&choices.campaigns, &value)),
                "created_from" => ("Created from", value),
                "created_to" => ("Created until", value),
                "submitted_from" => ("Submitted from", value),
                "submitted_to" => ("Submitted until", value),
                // The tabs show the status.
                _ => return None,
            };
            Some(Chip {
                name: label,
                value: shown,
                path: query.without(name).address(INDEX),
            })
        })
        .collect()
}
