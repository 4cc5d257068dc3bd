//! The menu, in the words of Microsoft's product, cut to what somebody's roles allow.

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
    /// Where it leads.
    pub path: &'static str,
    /// Whether this page or one below it is open.
    pub is_current: bool,
}

/// Label, path, and what it takes to open it.
type Line = (&'static str, &'static str, P);

const MENU: &[(&str, &[Line])] = &[
    ("Sales", &[("Leads", "/leads", P::ViewLeads)]),
    (
        "LinkedIn Lead Gen Forms",
        &[
            (
                "LinkedIn User Profile",
                "/linkedin-user-profiles",
                P::ViewProfiles,
            ),
            ("LinkedIn Accounts", "/linkedin-accounts", P::ViewAccounts),
            ("Forms", "/forms", P::ViewForms),
            ("Campaigns", "/campaigns", P::ViewAccounts),
            ("Form Submissions", "/form-submissions", P::ViewSubmissions),
            ("Sync Status", "/sync-status", P::ViewSyncStatus),
        ],
    ),
    (
        "Settings",
        &[
            (
                "Lead Field Mappings",
                "/settings/field-mappings",
                P::ManageMappings,
            ),
            (
                "Lead Matching Strategies",
                "/settings/matching-strategies",
                P::ManageStrategies,
            ),
            (
                "Integration Configuration",
                "/settings/integration-configuration",
                P::ManageIntegration,
            ),
            (
                "Assignment Rules",
                "/settings/assignment-rules",
                P::ManageIntegration,
            ),
            ("Users and roles", "/settings/users", P::ManageUsers),
            ("Audit log", "/settings/audit-log", P::ViewAuditLog),
            ("System", "/settings/system", P::ManageIntegration),
        ],
    ),
];

/// The menu of somebody with these roles, on the page at `path`. Only pages that exist are shown.
#[must_use]
pub fn of(roles: &[Role], path: &str) -> Vec<MenuGroup> {
    let known = super::routes::paths();
    MENU.iter()
        .map(|(label, items)| MenuGroup {
            label,
            items: items
                .iter()
                .filter(|(_, to, permission)| allows(roles, *permission) && known.contains(to))
                .map(|(label, to, _)| MenuItem {
                    label,
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
pub fn start_page(roles: &[Role]) -> Option<&'static str> {
    let menu = of(roles, "");
    let mut items = menu.iter().flat_map(|group| &group.items);
    items
        .clone()
        .find(|item| item.path == "/sync-status")
        .or_else(|| items.next())
        .map(|item| item.path)
}
