//! The seeded LinkedIn: members, pages, ad accounts, roles, campaigns and forms. Small, and kept whole in memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::forms::{Form, FormQuestion};

/// Whose forms and leads something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnerKey {
    /// An ad account's number.
    Account(i64),
    /// A page's number.
    Organization(i64),
}

impl OwnerKey {
    /// The URN.
    #[must_use]
    pub fn urn(self) -> String {
        match self {
            Self::Account(id) => format!("urn:li:sponsoredAccount:{id}"),
            Self::Organization(id) => format!("urn:li:organization:{id}"),
        }
    }

    /// The key of LinkedIn's owner union.
    pub(super) fn union_key(self) -> &'static str {
        match self {
            Self::Account(_) => "sponsoredAccount",
            Self::Organization(_) => "organization",
        }
    }

    pub(super) fn json(self) -> Value {
        json!({ self.union_key(): self.urn() })
    }

    /// The number alone.
    #[must_use]
    pub fn id(self) -> i64 {
        match self {
            Self::Account(id) | Self::Organization(id) => id,
        }
    }
}

/// A LinkedIn member who can sign in on the sandbox's authorization page.
#[derive(Debug, Clone)]
pub struct Member {
    /// The person id, pairwise for the one app.
    pub key: String,
    /// Given name.
    pub given_name: &'static str,
    /// Family name.
    pub family_name: &'static str,
    /// Sign-in address.
    pub email: &'static str,
    /// Sign-in password, shown on the page.
    pub password: &'static str,
    /// What the member is there to show.
    pub about: &'static str,
}

impl Member {
    /// `urn:li:person:{key}`.
    #[must_use]
    pub fn urn(&self) -> String {
        format!("urn:li:person:{}", self.key)
    }
}

/// A company page.
#[derive(Debug, Clone)]
pub(super) struct Organization {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) vanity: &'static str,
}

/// An ad account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
    pub(super) organization: Option<i64>,
    /// Removed accounts keep their rows in `adAccountUsers` and nothing else.
    pub(super) removed: bool,
    pub(super) test: bool,
    pub(super) groups: Vec<Group>,
    pub(super) campaigns: Vec<Campaign>,
    pub(super) creatives: Vec<Creative>,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) status: &'static str,
}

#[derive(Debug, Clone)]
pub(super) struct Campaign {
    pub(super) id: i64,
    pub(super) group: i64,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone)]
pub(super) struct Creative {
    pub(super) id: i64,
    pub(super) campaign: i64,
    pub(super) name: Option<String>,
}

/// A lead type in LinkedIn's spelling.
pub(super) type LeadTypeName = &'static str;

/// The history of one owner, lead type and kind (production or test): so many responses, each derived from its index.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) key: u8,
    pub(super) owner: OwnerKey,
    pub(super) lead_type: LeadTypeName,
    pub(super) test: bool,
    pub(super) count: u64,
    /// Forms (by position in [`World::forms`]) with their weights.
    pub(super) forms: Vec<(usize, u64)>,
    /// When the history begins, in milliseconds.
    pub(super) from_ms: i64,
    /// The time that belongs to one response.
    pub(super) slot_ms: i64,
}

/// Everything.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    /// When the sandbox was started; the history lies before it.
    pub(super) started_ms: i64,
    pub(super) members: Vec<Member>,
    pub(super) organizations: Vec<Organization>,
    pub(super) accounts: Vec<Account>,
    /// (member key, account) → role.
    pub(super) account_roles: BTreeMap<(String, i64), String>,
    /// (member key, organization) → role.
    pub(super) page_roles: BTreeMap<(String, i64), String>,
    pub(super) forms: Vec<Form>,
    pub(super) streams: Vec<Stream>,
    pub(super) event_id: i64,
}

impl World {
    pub(super) fn member(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.key == key)
    }

    pub(super) fn account(&self, id: i64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn organization(&self, id: i64) -> Option<&Organization> {
        self.organizations.iter().find(|page| page.id == id)
    }

    pub(super) fn form(&self, id: i64) -> Option<&Form> {
        self.forms.iter().find(|form| form.id == id)
    }

    pub(super) fn stream(&self, key: u8) -> Option<&Stream> {
        self.streams.get(usize::from(key))
    }

    /// Whether the member has any role on the ad account.
    pub(super) fn account_role(&self, member: &str, account: i64) -> Option<&str> {
        self.account_roles
            .get(&(member.to_owned(), account))
            .map(String::as_str)
    }

    fn page_role(&self, member: &str, organization: i64) -> Option<&str> {
        self.page_roles
            .get(&(member.to_owned(), organization))
            .map(String::as_str)
    }

    /// linkedin-api.md §3.4: who may read the leads of an owner.
    pub(super) fn may_read_leads(&self, member: &str, owner: OwnerKey, lead_type: &str) -> bool {
        let page = |organization: i64| {
            self.page_role(member, organization).is_some_and(|role| {
                matches!(role, "ADMINISTRATOR" | "CONTENT_ADMINISTRATOR")
                    || (lead_type != "EVENT"
                        && matches!(role, "LEAD_GEN_FORMS_MANAGER" | "CURATOR" | "ANALYST"))
            })
        };
        match owner {
            OwnerKey::Account(id) => {
                self.account_role(member, id).is_some()
                    && self
                        .account(id)
                        .filter(|account| !account.removed)
                        .and_then(|a| a.organization)
                        .is_some_and(page)
            }
            OwnerKey::Organization(id) => page(id),
        }
    }

    /// Who may see the forms: any role on the account, or a page role that reads some kind of lead.
    pub(super) fn may_read_forms(&self, member: &str, owner: OwnerKey) -> bool {
        match owner {
            OwnerKey::Account(id) => {
                self.account_role(member, id).is_some()
                    && self.account(id).is_some_and(|account| !account.removed)
            }
            OwnerKey::Organization(_) => self.may_read_leads(member, owner, "COMPANY"),
        }
    }

    /// The ad account or page that a number belongs to, for faults limited to one owner.
    pub(super) fn questions(&self, form: i64, version: i64) -> Option<&[FormQuestion]> {
        Some(&self.form(form)?.version(version)?.questions)
    }
}
