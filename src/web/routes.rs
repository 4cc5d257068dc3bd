//! The whole route table: method, path, who may, handler. What is not here does not exist.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use actix_web::{HttpResponse, web};

use super::access::{self, Access, Entry, RouteInfo, get, post};
use super::{
    WebError, account, account_links, accounts, api, api_reference, api_tokens, assignment_rules,
    audit_log, campaigns, configuration_file, confirm, connect, connections, consent,
    custom_fields, dashboard, deliveries, destinations, events, field_mappings, forgotten, forms,
    groups, home, integration_configuration, invitations, lead_exports, lead_imports, leads,
    matching_strategies, microsoft_connector, oidc, organizations, outbox, outgoing_webhooks,
    pauses, profiles, second_factor, second_factor_roles, second_step, setup, sign_in, submissions,
    sync_status, system, users, webhooks,
};
use crate::domain::access::Permission as P;

use Access::{Needs, Open, Public, Signed, SignedIn};

#[rustfmt::skip]
fn entries() -> Vec<Entry> {
    vec![
        get ("/",                                   SignedIn,              home::show),
        get ("/sign-in",                            Public,                sign_in::new),
        post("/sign-in",                            Public,                sign_in::create),
        post("/sign-in/oidc",                       Public,                oidc::begin),
        get ("/sign-in/oidc/callback",              Public,                oidc::callback),
        get ("/sign-in/oidc/signed-out",            Public,                oidc::signed_out),
        post("/sign-out",                           SignedIn,              sign_in::destroy),
        get ("/sign-in/second-step",                Public,                second_step::show),
        post("/sign-in/second-step",                Public,                second_step::create),
        get ("/invitations/{token}",                Public,                account_links::invitation),
        post("/invitations/{token}",                Public,                account_links::accept),
        get ("/password-resets/new",                Public,                forgotten::new),
        post("/password-resets",                    Public,                forgotten::create),
        get ("/password-resets/{token}",            Public,                account_links::reset),
        post("/password-resets/{token}",            Public,                account_links::set),

        get ("/webhooks/linkedin",                  Signed,                webhooks::challenge),
        post("/webhooks/linkedin",                  Signed,                webhooks::receive),
        get (api::document::PATH,                   Open,                  api::document::show),
        get (api_reference::PATH,                   Public,                api_reference::show),

        get ("/account",                            SignedIn,              account::show),
        post("/account",                            SignedIn,              account::update),
        post("/account/preferences",                SignedIn,              account::set_preferences),
        post("/account/password",                   SignedIn,              account::change_password),
        post("/account/sessions/others/end",        SignedIn,              account::end_other_sessions),
        post("/account/sessions/{id}/end",          SignedIn,              account::end_session),
        post("/account/session-extensions",         SignedIn,              account::extend_session),
        get ("/account/second-factor",              SignedIn,              second_factor::show),
        post("/account/second-factor",              SignedIn,              second_factor::create).fresh(),
        post("/account/second-factor/confirmation", SignedIn,              second_factor::confirm).fresh(),
        post("/account/second-factor/recovery-codes", SignedIn,            second_factor::renew_codes).fresh(),
        post("/account/second-factor/removal",      SignedIn,              second_factor::destroy).fresh(),
        get ("/account/confirmation",               SignedIn,              confirm::show),
        post("/account/confirmation",               SignedIn,              confirm::create),
        post("/account/confirmation/provider",      SignedIn,              oidc::begin_confirmation),

        get ("/account/consent",                    SignedIn,              consent::show),
        post("/account/consent",                    Needs(P::ManageOwnProfiles), consent::create),
        get ("/account/consent/withdrawal",         SignedIn,              consent::withdrawal),
        post("/account/consent/withdrawal",         SignedIn,              consent::withdraw),

        get ("/dashboard",                          Needs(P::ViewLeads),   dashboard::index),
        get ("/dashboard.csv",                      Needs(P::ViewLeads),   dashboard::export),
        get ("/dashboard/weekly",                   Needs(P::ViewLeads),   dashboard::weekly),

        get ("/leads",                              Needs(P::ViewLeads),   leads::index::index),
        post("/leads/views",                        Needs(P::ViewLeads),   leads::views::create),
        get ("/leads/views/{id}",                   Needs(P::ViewLeads),   leads::views::edit),
        post("/leads/views/{id}",                   Needs(P::ViewLeads),   leads::views::update),
        post("/leads/views/{id}/deletion",          Needs(P::ViewLeads),   leads::views::destroy),
        post("/leads/selection",                    Needs(P::EditLeads),   leads::bulk::preview),
        post("/leads/bulk-edits",                   Needs(P::EditLeads),   leads::bulk::create),
        post("/leads/merges",                       Needs(P::EditLeads),   leads::merges::choose),
        get ("/leads/{id}",                         Needs(P::ViewLeads),   leads::show::show),
        get ("/leads/{id}/merge",                   Needs(P::EditLeads),   leads::merges::new),
        post("/leads/{id}/merge",                   Needs(P::EditLeads),   leads::merges::create),
        get ("/leads/{id}/merges/{merge}/undoing",  Needs(P::EditLeads),   leads::merges::undoing),
        post("/leads/{id}/merges/{merge}/undoing",  Needs(P::EditLeads),   leads::merges::undo),
        get ("/leads/{id}/edit",                    Needs(P::EditLeads),   leads::edit::edit),
        post("/leads/{id}",                         Needs(P::EditLeads),   leads::edit::update),
        post("/leads/{id}/notes",                   Needs(P::EditLeads),   leads::notes::create),
        get ("/leads/{id}/notes/{note}",            Needs(P::EditLeads),   leads::notes::edit),
        post("/leads/{id}/notes/{note}",            Needs(P::EditLeads),   leads::notes::update),
        post("/leads/{id}/notes/{note}/deletion",   Needs(P::EditLeads),   leads::notes::destroy),

        get ("/leads/export.csv",                   Needs(P::ViewLeads),   lead_exports::csv),
        get ("/leads/export.xlsx",                  Needs(P::ViewLeads),   lead_exports::xlsx),
        get ("/leads/imports",                      Needs(P::EditLeads),   lead_imports::index),
        get ("/leads/imports/new",                  Needs(P::EditLeads),   lead_imports::new),
        post("/leads/imports",                      Needs(P::EditLeads),   lead_imports::create),
        get ("/leads/imports/{id}",                 Needs(P::EditLeads),   lead_imports::show),
        get ("/leads/imports/{id}/mapping",         Needs(P::EditLeads),   lead_imports::edit_mapping),
        post("/leads/imports/{id}/mapping",         Needs(P::EditLeads),   lead_imports::update_mapping),
        post("/leads/imports/{id}/application",     Needs(P::EditLeads),   lead_imports::apply),
        post("/leads/imports/{id}/continuation",    Needs(P::EditLeads),   lead_imports::resume),
        get ("/leads/imports/{id}/failed.csv",      Needs(P::EditLeads),   lead_imports::rows_csv),
        get ("/leads/imports/{id}/undoing",         Needs(P::EditLeads),   lead_imports::undo_consequences),
        post("/leads/imports/{id}/undoing",         Needs(P::EditLeads),   lead_imports::undo),
        post("/leads/imports/{id}/deletion",        Needs(P::EditLeads),   lead_imports::destroy),

        get ("/linkedin-user-profiles",             Needs(P::ViewProfiles), profiles::index),
        get ("/linkedin-user-profiles/new",         Needs(P::ManageOwnProfiles), profiles::new),
        post("/linkedin-user-profiles",             Needs(P::ManageOwnProfiles), profiles::create),
        get ("/linkedin-user-profiles/{id}",        Needs(P::ViewProfiles), profiles::show),
        post("/linkedin-user-profiles/{id}",        Needs(P::ManageOwnProfiles), profiles::update),
        post("/linkedin-user-profiles/{id}/deletion", Needs(P::ManageOwnProfiles), profiles::destroy),
        post("/linkedin-user-profiles/{id}/sync-runs", Needs(P::ManageOwnProfiles), profiles::sync),
        post("/linkedin-user-profiles/{id}/authorizations", Needs(P::ManageOwnProfiles), connect::authorize),
        get ("/linkedin/callback",                  Needs(P::ManageOwnProfiles), connect::callback),
        get ("/linkedin-user-profiles/{id}/confirmation", Needs(P::ManageOwnProfiles), connect::confirmation),
        post("/linkedin-user-profiles/{id}/confirmation", Needs(P::ManageOwnProfiles), connect::confirm),
        post("/linkedin-user-profiles/{id}/confirmation/cancellation", Needs(P::ManageOwnProfiles), connect::cancel),
        get ("/linkedin-user-profiles/{id}/disconnections", Needs(P::ManageOwnProfiles), connect::disconnection),
        post("/linkedin-user-profiles/{id}/disconnections", Needs(P::ManageOwnProfiles), connect::disconnect),
        get ("/linkedin-user-profiles/{id}/destination", Needs(P::ManageOwnProfiles), destinations::edit),
        post("/linkedin-user-profiles/{id}/destination", Needs(P::ManageOwnProfiles), destinations::update),

        get ("/linkedin-accounts",                  Needs(P::ViewAccounts), accounts::index),
        get ("/linkedin-accounts/{id}",             Needs(P::ViewAccounts), accounts::show),
        post("/linkedin-accounts/{id}",             Needs(P::ManageAccounts), accounts::update),
        post("/linkedin-accounts/{id}/sync-runs",   Needs(P::ManageOwnProfiles), accounts::sync),
        get ("/linkedin-accounts/{id}/pauses/new",  Needs(P::ManageAccounts), pauses::new),
        post("/linkedin-accounts/{id}/pauses",      Needs(P::ManageAccounts), pauses::create),
        post("/linkedin-accounts/{id}/pauses/end",  Needs(P::ManageAccounts), pauses::destroy),
        get ("/forms",                              Needs(P::ViewForms),   forms::index),
        get ("/forms/{id}",                         Needs(P::ViewForms),   forms::show),
        get ("/campaigns",                          Needs(P::ViewAccounts), campaigns::index),
        get ("/form-submissions",                   Needs(P::ViewSubmissions), submissions::index),
        get ("/form-submissions/export",            Needs(P::ViewSubmissions), submissions::export),
        get ("/form-submissions/acts",              Needs(P::EditLeads),   submissions::consequences),
        post("/form-submissions/acts",              Needs(P::EditLeads),   submissions::act),
        get ("/form-submissions/{id}",              Needs(P::ViewSubmissions), submissions::show),
        get ("/form-submissions/{id}/candidates",   Needs(P::EditLeads),   submissions::candidates),
        post("/form-submissions/{id}/links",        Needs(P::EditLeads),   submissions::link),
        post("/form-submissions/{id}/undo",         Needs(P::EditLeads),   submissions::undo),
        get ("/sync-status",                        Needs(P::ViewSyncStatus), sync_status::index),
        get ("/sync-status/events",                 Needs(P::ViewSyncStatus), events::stream),
        get ("/sync-status/forms",                  Needs(P::ViewSyncStatus), sync_status::forms::index),
        get ("/sync-status/limits",                 Needs(P::ViewSyncStatus), sync_status::limits::show),
        get ("/sync-status/runs",                   Needs(P::ViewSyncStatus), sync_status::runs::index),
        get ("/sync-status/runs/{id}",              Needs(P::ViewSyncStatus), sync_status::runs::show),
        get ("/sync-status/resets",                 Needs(P::ResetSynchronization), sync_status::resets::new).fresh(),
        post("/sync-status/resets",                 Needs(P::ResetSynchronization), sync_status::resets::create).fresh(),

        get ("/deliveries",                         Needs(P::ViewSyncStatus), deliveries::index),
        post("/deliveries/retries",                 Needs(P::ManageIntegration), deliveries::retry_all),
        get ("/deliveries/{id}",                    Needs(P::ViewSyncStatus), deliveries::show),
        post("/deliveries/{id}/retries",            Needs(P::ManageIntegration), deliveries::retry),
        post("/deliveries/{id}/decision",           Needs(P::ManageIntegration), deliveries::decide),
        post("/deliveries/destinations/{id}/pauses", Needs(P::ManageIntegration), deliveries::pause),
        post("/deliveries/destinations/{id}/pauses/end", Needs(P::ManageIntegration), deliveries::resume),

        get ("/settings/webhooks",                  Needs(P::ManageIntegration), outgoing_webhooks::index),
        get ("/settings/webhooks/new",              Needs(P::ManageIntegration), outgoing_webhooks::new).fresh(),
        post("/settings/webhooks",                  Needs(P::ManageIntegration), outgoing_webhooks::create).fresh(),
        get ("/settings/webhooks/{id}",             Needs(P::ManageIntegration), outgoing_webhooks::show),
        post("/settings/webhooks/{id}",             Needs(P::ManageIntegration), outgoing_webhooks::update).fresh(),
        post("/settings/webhooks/{id}/secrets",     Needs(P::ManageIntegration), outgoing_webhooks::rotate).fresh(),
        post("/settings/webhooks/{id}/tests",       Needs(P::ManageIntegration), outgoing_webhooks::test),
        post("/settings/webhooks/{id}/switch",      Needs(P::ManageIntegration), outgoing_webhooks::switch),
        get ("/settings/webhooks/{id}/deletion",    Needs(P::ManageIntegration), outgoing_webhooks::deletion),
        post("/settings/webhooks/{id}/deletion",    Needs(P::ManageIntegration), outgoing_webhooks::destroy),

        get ("/settings/setup",                     Needs(P::ManageIntegration), setup::show),
        post("/settings/setup/credential-checks",   Needs(P::ManageIntegration), setup::check),
        get ("/settings/system",                    Needs(P::ManageIntegration), system::show),
        post("/settings/system/test-mails",         Needs(P::ManageIntegration), outbox::create_test),
        get ("/settings/sign-in",                   Needs(P::ManageUsers), super::sign_in_rules::show),
        post("/settings/sign-in",                   Needs(P::ManageUsers), super::sign_in_rules::update).fresh(),
        post("/settings/sign-in/role-rules",        Needs(P::ManageUsers), super::sign_in_rules::create_role_rule).fresh(),
        post("/settings/sign-in/role-rules/{id}/deletion", Needs(P::ManageUsers), super::sign_in_rules::delete_role_rule).fresh(),
        get ("/settings/users",                     Needs(P::ManageUsers), users::index),
        get ("/settings/users/new",                 Needs(P::ManageUsers), users::new).fresh(),
        post("/settings/users",                     Needs(P::ManageUsers), users::create).fresh(),
        get ("/settings/users/invitations/new",     Needs(P::ManageUsers), invitations::new).fresh(),
        post("/settings/users/invitations",         Needs(P::ManageUsers), invitations::create).fresh(),
        get ("/settings/users/second-factor",       Needs(P::ManageUsers), second_factor_roles::edit).fresh(),
        post("/settings/users/second-factor",       Needs(P::ManageUsers), second_factor_roles::update).fresh(),
        post("/settings/users/{id}/second-factor/removal", Needs(P::ManageUsers), second_factor_roles::remove).fresh(),
        get ("/settings/users/{id}",                Needs(P::ManageUsers), users::show),
        post("/settings/users/{id}",                Needs(P::ManageUsers), users::update).fresh(),
        post("/settings/users/{id}/password",       Needs(P::ManageUsers), users::reset_password).fresh(),
        post("/settings/users/{id}/invitations",    Needs(P::ManageUsers), invitations::renew).fresh(),
        post("/settings/users/{id}/password-links", Needs(P::ManageUsers), invitations::reset_link).fresh(),
        post("/settings/users/{id}/links/withdrawal", Needs(P::ManageUsers), invitations::withdraw),
        post("/settings/users/{id}/sessions/end",   Needs(P::ManageUsers), users::end_sessions),
        get ("/settings/organizations",             Needs(P::ManageOrganizations), organizations::index),
        get ("/settings/organizations/new",         Needs(P::ManageOrganizations), organizations::new).fresh(),
        post("/settings/organizations",             Needs(P::ManageOrganizations), organizations::create).fresh(),
        get ("/settings/organizations/{id}",        Needs(P::ManageOrganizations), organizations::show),
        get ("/settings/organizations/{id}/edit",   Needs(P::ManageOrganizations), organizations::edit).fresh(),
        post("/settings/organizations/{id}",        Needs(P::ManageOrganizations), organizations::update).fresh(),
        post("/settings/organizations/{id}/checks", Needs(P::ManageOrganizations), organizations::check),
        post("/settings/organizations/{id}/key",    Needs(P::ManageOrganizations), organizations::add_key).fresh(),
        get ("/settings/organizations/{id}/columns",Needs(P::ManageOrganizations), organizations::columns),
        post("/settings/organizations/{id}/columns",Needs(P::ManageOrganizations), organizations::save_columns),
        post("/settings/organizations/{id}/enabling", Needs(P::ManageOrganizations), organizations::enable),
        post("/settings/organizations/{id}/disabling", Needs(P::ManageOrganizations), organizations::disable),
        get ("/settings/organizations/{id}/deletion", Needs(P::ManageOrganizations), organizations::deletion),
        post("/settings/organizations/{id}/deletion", Needs(P::ManageOrganizations), organizations::destroy),

        get ("/settings/api-tokens",                Needs(P::ManageTokens), api_tokens::index),
        get ("/settings/api-tokens/new",            Needs(P::ManageTokens), api_tokens::new).fresh(),
        post("/settings/api-tokens",                Needs(P::ManageTokens), api_tokens::create).fresh(),
        get ("/settings/api-tokens/{id}",           Needs(P::ManageTokens), api_tokens::show),
        post("/settings/api-tokens/{id}/revocation", Needs(P::ManageTokens), api_tokens::revoke),
        get ("/settings/groups",                    Needs(P::ManageUsers), groups::index),
        get ("/settings/groups/new",                Needs(P::ManageUsers), groups::new),
        post("/settings/groups",                    Needs(P::ManageUsers), groups::create),
        get ("/settings/groups/{id}",               Needs(P::ManageUsers), groups::show),
        post("/settings/groups/{id}",               Needs(P::ManageUsers), groups::update),
        get ("/settings/groups/{id}/deletion",      Needs(P::ManageUsers), groups::deletion),
        post("/settings/groups/{id}/deletion",      Needs(P::ManageUsers), groups::destroy),
        get ("/settings/groups/{id}/members.csv",   Needs(P::ManageUsers), groups::export),
        post("/settings/groups/{id}/members",       Needs(P::ManageUsers), groups::add),
        post("/settings/groups/{id}/members/{user}/removal", Needs(P::ManageUsers), groups::remove),
        post("/settings/groups/{id}/additions",     Needs(P::ManageUsers), groups::add_list),
        get ("/settings/groups/{id}/additions/{addition}", Needs(P::ManageUsers), groups::show_list),
        post("/settings/groups/{id}/additions/{addition}/application", Needs(P::ManageUsers), groups::apply),
        post("/settings/group-moves/preview",       Needs(P::ManageUsers), groups::preview_move),
        post("/settings/group-moves",               Needs(P::ManageUsers), groups::move_users),
        get ("/settings/audit-log",                 Needs(P::ViewAuditLog), audit_log::index),
        get ("/settings/audit-log/export.csv",      Needs(P::ViewAuditLog), audit_log::export),
        get ("/settings/audit-log/verification",    Needs(P::ViewAuditLog), audit_log::verification),

        get ("/settings/field-mappings",            Needs(P::ManageMappings), field_mappings::index),
        get ("/settings/field-mappings/new",        Needs(P::ManageMappings), field_mappings::edit::new),
        post("/settings/field-mappings",            Needs(P::ManageMappings), field_mappings::edit::create),
        get ("/settings/field-mappings/{id}",       Needs(P::ManageMappings), field_mappings::edit::show),
        post("/settings/field-mappings/{id}",       Needs(P::ManageMappings), field_mappings::edit::update),
        get ("/settings/field-mappings/{id}/deletion", Needs(P::ManageMappings), field_mappings::deletion::show),
        post("/settings/field-mappings/{id}/deletion", Needs(P::ManageMappings), field_mappings::deletion::destroy),

        get ("/settings/field-mappings/inbox",      Needs(P::ManageMappings), field_mappings::inbox::index),
        post("/settings/field-mappings/inbox/mappings", Needs(P::ManageMappings), field_mappings::inbox::map),
        post("/settings/field-mappings/inbox/dismissals", Needs(P::ManageMappings), field_mappings::inbox::dismiss),
        post("/settings/field-mappings/inbox/dismissals/removal", Needs(P::ManageMappings), field_mappings::inbox::restore),

        get ("/settings/custom-fields",             Needs(P::ManageMappings), custom_fields::index),
        get ("/settings/custom-fields/new",         Needs(P::ManageMappings), custom_fields::new),
        post("/settings/custom-fields",             Needs(P::ManageMappings), custom_fields::create),
        get ("/settings/custom-fields/{name}",      Needs(P::ManageMappings), custom_fields::edit),
        post("/settings/custom-fields/{name}",      Needs(P::ManageMappings), custom_fields::update),
        post("/settings/custom-fields/{name}/retirement", Needs(P::ManageMappings), custom_fields::retire),
        post("/settings/custom-fields/{name}/retirement/end", Needs(P::ManageMappings), custom_fields::restore),
        post("/settings/custom-fields/{name}/deletion", Needs(P::ManageMappings), custom_fields::destroy),

        get ("/settings/matching-strategies",       Needs(P::ManageStrategies), matching_strategies::index),
        get ("/settings/matching-strategies/new",   Needs(P::ManageStrategies), matching_strategies::new),
        post("/settings/matching-strategies",       Needs(P::ManageStrategies), matching_strategies::create),
        get ("/settings/matching-strategies/dry-run", Needs(P::ManageStrategies), matching_strategies::dry_run::show),
        get ("/settings/matching-strategies/{id}",  Needs(P::ManageStrategies), matching_strategies::show),
        post("/settings/matching-strategies/{id}",  Needs(P::ManageStrategies), matching_strategies::update),
        post("/settings/matching-strategies/{id}/activation", Needs(P::ManageStrategies), matching_strategies::activate),
        post("/settings/matching-strategies/{id}/fields", Needs(P::ManageStrategies), matching_strategies::add_field),
        post("/settings/matching-strategies/{id}/fields/removal", Needs(P::ManageStrategies), matching_strategies::remove_field),
        get ("/settings/matching-strategies/{id}/deletion", Needs(P::ManageStrategies), matching_strategies::deletion),
        post("/settings/matching-strategies/{id}/deletion", Needs(P::ManageStrategies), matching_strategies::destroy),

        get ("/settings/integration-configuration", Needs(P::ManageIntegration), integration_configuration::edit),
        post("/settings/integration-configuration", Needs(P::ManageIntegration), integration_configuration::update),

        get ("/settings/linkedin-account-connections", Needs(P::ManageConnections), connections::show),
        post("/settings/linkedin-account-connections", Needs(P::ManageConnections), connections::update).fresh(),
        get ("/settings/linkedin-account-connections/consequences", Needs(P::ManageConnections), connections::consequences).fresh(),
        get ("/settings/linkedin-account-connections/evidence", Needs(P::ManageConnections), connections::show_evidence),
        get ("/settings/linkedin-account-connections/evidence.csv", Needs(P::ManageConnections), connections::export_evidence),
        post("/settings/linkedin-account-connections/access-reviews", Needs(P::ManageConnections), connections::review),

        get ("/settings/configuration",             Needs(P::ManageIntegration), configuration_file::show),
        get ("/settings/configuration/export",      Needs(P::ManageIntegration), configuration_file::export),
        post("/settings/configuration/preview",     Needs(P::ManageIntegration), configuration_file::preview),
        post("/settings/configuration/import",      Needs(P::ManageIntegration), configuration_file::import),

        get ("/settings/microsoft-connector",       Needs(P::ManageIntegration), microsoft_connector::show),
        get ("/settings/microsoft-connector/rows",  Needs(P::ManageIntegration), microsoft_connector::rows),
        post("/settings/microsoft-connector/files", Needs(P::ManageIntegration), microsoft_connector::create),
        post("/settings/microsoft-connector/check", Needs(P::ManageIntegration), microsoft_connector::check),
        post("/settings/microsoft-connector/application", Needs(P::ManageIntegration), microsoft_connector::apply),
        post("/settings/microsoft-connector/deletion", Needs(P::ManageIntegration), microsoft_connector::destroy),

        get ("/settings/assignment-rules",          Needs(P::ManageIntegration), assignment_rules::index),
        post("/settings/assignment-rules",          Needs(P::ManageIntegration), assignment_rules::create),
        post("/settings/assignment-rules/{id}/position", Needs(P::ManageIntegration), assignment_rules::reposition),
        post("/settings/assignment-rules/{id}/deletion", Needs(P::ManageIntegration), assignment_rules::destroy),
    ]
}

/// The lines, for the access test.
#[must_use]
pub fn table() -> Vec<RouteInfo> {
    entries().into_iter().map(|entry| entry.info).collect()
}

/// The paths that exist.
pub(super) fn paths() -> &'static BTreeSet<&'static str> {
    static PATHS: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    PATHS.get_or_init(|| table().into_iter().map(|line| line.path).collect())
}

fn is_page(access: Access) -> bool {
    !matches!(access, Signed | Open)
}

/// Registers the pages.
pub fn register(config: &mut web::ServiceConfig) {
    let entries = entries().into_iter();
    let pages = entries.filter(|entry| is_page(entry.info.access));
    access::register(config, pages.collect());
}

/// Registers what is for machines, without sessions around it: what is believed for its signature, and open documents.
pub fn register_beside(config: &mut web::ServiceConfig) {
    let entries = entries().into_iter();
    let others = entries.filter(|entry| !is_page(entry.info.access));
    access::register(config, others.collect());
}

/// Whether this path is one of those.
pub fn is_beside(path: &str) -> bool {
    static PATHS: OnceLock<Vec<&'static str>> = OnceLock::new();
    let beside = PATHS.get_or_init(|| {
        let lines = table().into_iter();
        lines
            .filter(|line| !is_page(line.access))
            .map(|line| line.path)
            .collect()
    });
    beside.contains(&path)
}

/// What is not in the table.
///
/// # Errors
/// Always `NotFound`.
pub async fn unknown() -> Result<HttpResponse, WebError> {
    Err(WebError::NotFound)
}
