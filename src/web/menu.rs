//! The menu, in the words of Microsoft's product, cut to what somebody's roles allow.

use super::access::is_about_linkedin;
use crate::domain::access::{Permission as P, Role, allows};

/// A group of the menu.
#[derive(Debug, Clone)]
pub struct MenuGroup {
    /// Its heading.
    pub label: &'static str,
    /// Its links.
    pub items: Vec<MenuItem>,
}

/// One link.
#[derive(Debug, Clone)]
pub struct MenuItem {
    /// What it says.
    pub label: &'static str,
    /// The name of its drawing in `templates/components/icons.html`.
    pub icon: &'static str,
    /// Where it leads.
    pub path: &'static str,
    /// Whether this page or one below it is open.
    pub is_current: bool,
}

/// Label, path, drawing, and what it takes to open it.
type Line = (&'static str, &'static str, &'static str, P);

#[rustfmt::skip]
const MENU: &[(&str, &[Line])] = &[
    ("Sales", &[
        ("Dashboard",                "/dashboard",                         "dashboard",     P::ViewLeads),
        ("Leads",                    "/leads",                             "leads",         P::ViewLeads),
        ("Deliveries",               "/deliveries",                        "delivery",      P::ViewSyncStatus),
    ]),
    ("LinkedIn Lead Gen Forms", &[
        ("LinkedIn User Profile",    "/linkedin-user-profiles",            "profile",       P::ViewProfiles),
        ("LinkedIn Accounts",        "/linkedin-accounts",                 "account",       P::ViewAccounts),
        ("Forms",                    "/forms",                             "form",          P::ViewForms),
        ("Campaigns",                "/campaigns",                         "campaign",      P::ViewAccounts),
        ("Form Submissions",         "/form-submissions",                  "submission",    P::ViewSubmissions),
        ("Sync Status",              "/sync-status",                       "sync",          P::ViewSyncStatus),
    ]),
    ("Settings", &[
        ("Setup checklist",          "/settings/setup",                    "setup",         P::ManageIntegration),
        ("Lead Field Mappings",      "/settings/field-mappings",           "mapping",       P::ManageMappings),
        ("Lead Matching Strategies", "/settings/matching-strategies",      "matching",      P::ManageStrategies),
        ("Custom Fields",            "/settings/custom-fields",            "field",         P::ManageMappings),
        ("Integration Configuration", "/settings/integration-configuration", "configuration", P::ManageIntegration),
        ("Assignment Rules",         "/settings/assignment-rules",         "rule",          P::ManageIntegration),
        ("Microsoft connector",      "/settings/microsoft-connector",      "configuration", P::ManageIntegration),
        ("LinkedIn account connections", "/settings/linkedin-account-connections", "connections", P::ManageConnections),
        ("Organizations",            "/settings/organizations",            "account",       P::ManageOrganizations),
        ("Users and roles",          "/settings/users",                    "users",         P::ManageUsers),
        ("Sign-in",                  "/settings/sign-in",                  "token",         P::ManageUsers),
        ("Groups",                   "/settings/groups",                   "users",         P::ManageUsers),
        ("Webhooks",                 "/settings/webhooks",                 "delivery",      P::ManageIntegration),
        ("API tokens",               "/settings/api-tokens",               "token",         P::ManageTokens),
        ("Audit log",                "/settings/audit-log",                "audit",         P::ViewAuditLog),
        ("System",                   "/settings/system",                   "system",        P::ManageIntegration),
    ]),
];

/// The menu of somebody with these roles, on the page at `path`. Only pages that exist are shown, and those about LinkedIn
/// only where the deployment does not hide them.
#[must_use]
pub fn of(roles: &[Role], path: &str, hides_linkedin: bool) -> Vec<MenuGroup> {
    let known = super::routes::paths();
    MENU.iter()
        .map(|(label, items)| MenuGroup {
            label,
            items: items
                .iter()
                .filter(|(_, to, _, permission)| {
                    allows(roles, *permission)
                        && known.contains(to)
                        && !(hides_linkedin && is_about_linkedin(to))
                })
                .map(|(label, to, icon, _)| MenuItem {
                    label,
                    icon,
                    path: to,
                    is_current: path == *to
                        || path
                            .strip_prefix(to)
                            .is_some_and(|rest| rest.starts_with('/')),
                })
                .collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}

/// The page on which somebody with these roles begins.
#[must_use]
pub fn start_page(roles: &[Role], hides_linkedin: bool) -> Option<&'static str> {
    let menu = of(roles, "", hides_linkedin);
    let mut items = menu.iter().flat_map(|group| &group.items);
    items
        .clone()
        .find(|item| {
            item.path
                == if roles.contains(&Role::SalesManager) {
                    "/dashboard"
                } else {
                    "/sync-status"
                }
        })
        .or_else(|| items.next())
        .map(|item| item.path)
}
