//! Who may do what: roles, permissions, and the one table that joins them (product.md §1).

use super::words::words;

words! {
    /// What a user is in the portal. A user may hold several roles.
    pub enum Role {
        /// LinkedIn Lead Gen Forms Administrator.
        Administrator = "administrator" => "Administrator",
        /// LinkedIn Lead Gen Forms Salesperson.
        Salesperson = "salesperson" => "Salesperson",
        /// Reads everything about results, changes nothing.
        SalesManager = "sales_manager" => "Sales Manager",
        /// No person: the identity under which the sync writes, and the role of machine API tokens.
        S2sInbound = "s2s_inbound" => "S2S Inbound",
    }
}

impl Role {
    /// Whether a person may hold this role. S2S Inbound is no person and cannot sign in.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        !matches!(self, Self::S2sInbound)
    }

    /// One sentence on what the role is for, shown where roles are given.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Administrator => {
                "Everything a person can do: mappings, strategies, settings, users, Reset Synchronization."
            }
            Self::Salesperson => {
                "Connects own LinkedIn user profiles, syncs them and works on leads."
            }
            Self::SalesManager => {
                "Reads dashboards, sync status, leads and submissions; changes nothing."
            }
            Self::S2sInbound => "No person: the identity under which the synchronization writes.",
        }
    }
}

words! {
    /// What a program may do that comes with an API token.
    pub enum TokenRole {
        ReadOnly = "read_only" => "Read only",
        S2sInbound = "s2s_inbound" => "S2S Inbound",
    }
}

impl TokenRole {
    /// One sentence on what the role is for, shown where tokens are made.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "Reads leads, submissions, accounts, forms, sync status, mappings and strategies; changes nothing."
            }
            Self::S2sInbound => {
                "Reads the same, sets the status and owner of leads, hands in submissions and tries them again, and starts synchronizations."
            }
        }
    }

    /// Whether a program with such a token may do this. Settings, users and tokens are for people.
    #[must_use]
    pub const fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match permission {
            P::ViewLeads
            | P::ViewSubmissions
            | P::ViewSyncStatus
            | P::ViewAccounts
            | P::ViewForms
            | P::ViewMappings
            | P::ViewStrategies => true,
            P::EditLeads | P::WriteSyncedData => matches!(self, Self::S2sInbound),
            _ => false,
        }
    }
}

words! {
    /// One thing that somebody may or may not do.
    pub enum Permission {
        ViewDashboard = "view_dashboard" => "see the dashboard",
        ViewLeads = "view_leads" => "see leads",
        EditLeads = "edit_leads" => "work on leads",
        ViewSubmissions = "view_submissions" => "see form submissions",
        ViewSyncStatus = "view_sync_status" => "see the sync status",
        ViewProfiles = "view_profiles" => "see LinkedIn user profiles",
        ManageOwnProfiles = "manage_own_profiles" => "create and authorize own LinkedIn user profiles",
        ManageAllProfiles = "manage_all_profiles" => "manage everybody’s LinkedIn user profiles",
        ViewAccounts = "view_accounts" => "see LinkedIn accounts and campaigns",
        ManageAccounts = "manage_accounts" => "change LinkedIn accounts",
        ViewForms = "view_forms" => "see Lead Gen forms",
        ManageMappings = "manage_mappings" => "change lead field mappings",
        ManageStrategies = "manage_strategies" => "change lead matching strategies",
        ManageIntegration = "manage_integration" => "change the integration settings",
        ViewMappings = "view_mappings" => "see lead field mappings",
        ViewStrategies = "view_strategies" => "see lead matching strategies",
        ManageTokens = "manage_tokens" => "manage API tokens",
        ManageUsers = "manage_users" => "manage users and roles",
        ManageOrganizations = "manage_organizations" => "manage organizations",
        ManageConnections = "manage_connections" => "decide about LinkedIn account connections",
        ResetSynchronization = "reset_synchronization" => "reset the synchronization",
        ViewAuditLog = "view_audit_log" => "read the audit log",
        WriteSyncedData = "write_synced_data" => "write synced data",
        OwnAccount = "own_account" => "use the own account page",
    }
}

/// Whether somebody with these roles may do this. Somebody with no role has the own account page only.
#[must_use]
pub fn allows(roles: &[Role], permission: Permission) -> bool {
    if permission == Permission::OwnAccount {
        return roles.is_empty() || roles.iter().any(|role| role.is_for_people());
    }
    roles.iter().any(|role| role_allows(*role, permission))
}

/// The table of product.md §1.
const fn role_allows(role: Role, permission: Permission) -> bool {
    use Permission as P;
    match role {
        Role::Administrator => !matches!(permission, P::WriteSyncedData),
        Role::Salesperson => matches!(
            permission,
            P::ViewDashboard
                | P::ViewLeads
                | P::EditLeads
                | P::ViewSubmissions
                | P::ViewSyncStatus
                | P::ViewProfiles
                | P::ManageOwnProfiles
                | P::ViewAccounts
                | P::ViewForms
                | P::OwnAccount
        ),
        Role::SalesManager => matches!(
            permission,
            P::ViewDashboard
                | P::ViewLeads
                | P::ViewSubmissions
                | P::ViewSyncStatus
                | P::OwnAccount
        ),
        Role::S2sInbound => matches!(permission, P::WriteSyncedData),
    }
}

/// Who can help somebody who was refused: one sentence for the 403 page.
#[must_use]
pub fn who_can_help(permission: Permission) -> String {
    if permission == Permission::WriteSyncedData {
        return "Only the synchronization itself (the S2S Inbound role) writes synced data; nobody can be given this.".to_owned();
    }
    let mut roles: Vec<&str> = Role::ALL
        .iter()
        .filter(|role| role.is_for_people() && role_allows(**role, permission))
        .map(|role| role.label())
        .collect();
    let last = roles.pop().unwrap_or("Administrator");
    let names = if roles.is_empty() {
        last.to_owned()
    } else {
        format!("{} or {last}", roles.join(", "))
    };
    format!(
        "To {}, you need the role {names}. An Administrator can give it to you under Settings › Users and roles.",
        permission.label()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission as P;

    #[test]
    fn each_role_may_do_exactly_what_the_table_of_the_product_says() {
        let salesperson = [
            P::ViewDashboard,
            P::ViewLeads,
            P::EditLeads,
            P::ViewSubmissions,
            P::ViewSyncStatus,
            P::ViewProfiles,
            P::ManageOwnProfiles,
            P::ViewAccounts,
            P::ViewForms,
            P::OwnAccount,
        ];
        let manager = [
            P::ViewDashboard,
            P::ViewLeads,
            P::ViewSubmissions,
            P::ViewSyncStatus,
            P::OwnAccount,
        ];
        for permission in Permission::ALL {
            assert_eq!(
                allows(&[Role::Administrator], *permission),
                *permission != P::WriteSyncedData,
                "{permission}"
            );
            assert_eq!(
                allows(&[Role::Salesperson], *permission),
                salesperson.contains(permission),
                "{permission}"
            );
            assert_eq!(
                allows(&[Role::SalesManager], *permission),
                manager.contains(permission),
                "{permission}"
            );
            assert_eq!(
                allows(&[Role::S2sInbound], *permission),
                *permission == P::WriteSyncedData,
                "{permission}"
            );
            assert_eq!(
                allows(&[], *permission),
                *permission == P::OwnAccount,
                "{permission}"
            );
        }
    }

    #[test]
    fn several_roles_add_up_and_no_person_writes_synced_data() {
        let people: Vec<Role> = Role::ALL
            .iter()
            .copied()
            .filter(|role| role.is_for_people())
            .collect();
        assert!(!allows(&people, P::WriteSyncedData));
        assert!(allows(
            &[Role::SalesManager, Role::Salesperson],
            P::EditLeads
        ));
    }

    #[test]
    fn a_token_reads_results_and_only_s2s_inbound_writes_them() {
        let reads = [
            P::ViewLeads,
            P::ViewSubmissions,
            P::ViewSyncStatus,
            P::ViewAccounts,
            P::ViewForms,
            P::ViewMappings,
            P::ViewStrategies,
        ];
        let writes = [P::EditLeads, P::WriteSyncedData];
        for permission in Permission::ALL {
            let is_read = reads.contains(permission);
            assert_eq!(
                TokenRole::ReadOnly.allows(*permission),
                is_read,
                "{permission}"
            );
            assert_eq!(
                TokenRole::S2sInbound.allows(*permission),
                is_read || writes.contains(permission),
                "{permission}"
            );
        }
    }

    #[test]
    fn a_refusal_says_who_can_help() {
        assert_eq!(
            who_can_help(P::ViewLeads),
            "To see leads, you need the role Administrator, Salesperson or Sales Manager. An Administrator can give it to you under Settings › Users and roles."
        );
        assert!(who_can_help(P::ManageUsers).contains("the role Administrator."));
        assert!(who_can_help(P::WriteSyncedData).contains("S2S Inbound"));
    }

    #[test]
    fn roles_are_stored_as_words_and_shown_with_their_labels() {
        for (role, word, label) in [
            (Role::Administrator, "administrator", "Administrator"),
            (Role::Salesperson, "salesperson", "Salesperson"),
            (Role::SalesManager, "sales_manager", "Sales Manager"),
            (Role::S2sInbound, "s2s_inbound", "S2S Inbound"),
        ] {
            assert_eq!(
                (role.as_str(), role.label(), word.parse()),
                (word, label, Ok(role))
            );
        }
        let unknown = "boss".parse::<Role>().unwrap_err();
        assert_eq!(unknown.to_string(), "“boss” is not a Role");
    }
}
