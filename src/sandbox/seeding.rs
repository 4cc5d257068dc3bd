//! Builds the world from its seed: who there is, who may do what, and how long each history is.

use std::collections::BTreeMap;

use super::seeded::{below, mix, text};
use super::world::{
    Account, Campaign, Creative, Group, LeadTypeName, Member, Organization, OwnerKey, Stream, World,
};

pub(super) const DAY_MS: i64 = 86_400_000;
/// How far back the history reaches.
pub(super) const HISTORY_DAYS: i64 = 300;

/// A form id that no double can hold.
pub(super) const BEYOND_DOUBLE: i64 = 6_851_219_773_716_516_864;

/// Owner, lead type, percent of all leads, and the forms with their weights.
type Share = (OwnerKey, LeadTypeName, u64, &'static [(usize, u64)]);

impl World {
    /// Builds the world. `leads` production responses can be read by the first member; a handful of test leads and of
    /// responses that nobody may read come on top.
    pub(super) fn build(seed: u64, leads: usize, started_ms: i64) -> Self {
        let number = |salt: u64, base: i64, spread: u64| base + below(seed, salt, 0, spread) as i64;
        let member = |salt, given_name, family_name, email, about| Member {
            key: text(seed, salt, 0, 10),
            given_name,
            family_name,
            email,
            password: "sandbox",
            about,
        };
        let members = vec![
            member(
                900,
                "Ada",
                "Lind",
                "ada@northwind.example",
                "sees several ad accounts in several roles",
            ),
            member(
                901,
                "Grace",
                "Okafor",
                "grace@northwind.example",
                "shares one ad account with Ada",
            ),
            member(
                902,
                "Nora",
                "Petrov",
                "nora@nowhere.example",
                "has no ad account at all",
            ),
        ];
        let organization = |salt, name, vanity| Organization {
            id: number(salt, 2_000_000, 900_000),
            name,
            vanity,
        };
        let organizations = vec![
            organization(910, "Northwind Traders", "northwind-traders"),
            organization(911, "Fabrikam AG", "fabrikam"),
            organization(912, "Contoso Ltd.", "contoso"),
            organization(913, "Tailspin Toys", "tailspin-toys"),
        ];
        let page = |position: usize| organizations.get(position).map_or(0, |page| page.id);
        let account = |salt, name, currency, organization, removed| Account {
            id: number(
                salt,
                500_000_000 + (salt as i64 % 10) * 10_000_000,
                9_000_000,
            ),
            name,
            currency,
            organization,
            removed,
            test: false,
            groups: Vec::new(),
            campaigns: Vec::new(),
            creatives: Vec::new(),
        };
        let mut accounts = vec![
            account(920, "Northwind Ads Europe", "EUR", Some(page(0)), false),
            account(921, "Northwind Ads Americas", "USD", Some(page(0)), false),
            account(922, "Fabrikam Recruiting", "EUR", Some(page(1)), false),
            account(
                923,
                "Contoso Brand (no page role)",
                "GBP",
                Some(page(2)),
                false,
            ),
            account(924, "Adventure Works (no page)", "CHF", None, false),
            account(925, "Removed account", "EUR", Some(page(0)), true),
            account(926, "Tailspin Toys (no forms)", "USD", Some(page(3)), false),
        ];
        for (position, account) in accounts.iter_mut().enumerate() {
            if !account.removed && account.organization.is_some() {
                add_campaigns(seed, position as u64, account);
            }
        }
        let account_id = |position: usize| accounts.get(position).map_or(0, |account| account.id);

        let ada = members
            .first()
            .map(|member| member.key.clone())
            .unwrap_or_default();
        let grace = members
            .get(1)
            .map(|member| member.key.clone())
            .unwrap_or_default();
        let mut account_roles = BTreeMap::new();
        for (position, role) in [
            (0, "ACCOUNT_MANAGER"),
            (1, "VIEWER"),
            (2, "CAMPAIGN_MANAGER"),
            (3, "ACCOUNT_BILLING_ADMIN"),
            (4, "CREATIVE_MANAGER"),
            (5, "ACCOUNT_MANAGER"),
            (6, "VIEWER"),
        ] {
            account_roles.insert((ada.clone(), account_id(position)), role.to_owned());
        }
        account_roles.insert(
            (grace.clone(), account_id(0)),
            "CAMPAIGN_MANAGER".to_owned(),
        );
        let mut page_roles = BTreeMap::new();
        page_roles.insert((ada.clone(), page(0)), "ADMINISTRATOR".to_owned());
        page_roles.insert((ada.clone(), page(1)), "ANALYST".to_owned());
        page_roles.insert((ada, page(3)), "LEAD_GEN_FORMS_MANAGER".to_owned());
        page_roles.insert((grace, page(0)), "LEAD_GEN_FORMS_MANAGER".to_owned());

        let mut world = Self {
            seed,
            started_ms,
            forms: Vec::new(),
            streams: Vec::new(),
            event_id: 7_000_000_000_000_000_000 + below(seed, 930, 0, 1 << 40) as i64,
            members,
            organizations,
            account_roles,
            page_roles,
            accounts,
        };
        world.add_forms();
        world.add_streams(leads as u64);
        world
    }

    pub(super) fn account_key(&self, position: usize) -> OwnerKey {
        OwnerKey::Account(self.accounts.get(position).map_or(0, |account| account.id))
    }

    pub(super) fn page_key(&self, position: usize) -> OwnerKey {
        OwnerKey::Organization(self.organizations.get(position).map_or(0, |page| page.id))
    }

    pub(super) fn add_streams(&mut self, leads: u64) {
        let (europe, americas, fabrikam, contoso) = (
            self.account_key(0),
            self.account_key(1),
            self.account_key(2),
            self.account_key(3),
        );
        let (northwind, fabrikam_page) = (self.page_key(0), self.page_key(1));
        let shares: [Share; 7] = [
            (europe, "SPONSORED", 0, &[(0, 6), (1, 3), (2, 1)]),
            (americas, "SPONSORED", 20, &[(3, 1)]),
            (fabrikam, "SPONSORED", 10, &[(6, 1)]),
            (northwind, "EVENT", 4, &[(8, 1)]),
            (northwind, "COMPANY", 3, &[(9, 1)]),
            (northwind, "ORGANIZATION_PRODUCT", 2, &[(10, 1)]),
            (fabrikam_page, "COMPANY", 1, &[(11, 1)]),
        ];
        let rest: u64 = shares
            .iter()
            .map(|(_, _, percent, _)| leads * percent / 100)
            .sum();
        for (position, (owner, lead_type, percent, forms)) in shares.into_iter().enumerate() {
            let count = if position == 0 {
                leads - rest
            } else {
                leads * percent / 100
            };
            self.add_stream(owner, lead_type, false, count, forms.to_vec());
        }
        self.add_stream(contoso, "SPONSORED", false, 6, vec![(7, 1)]);
        self.add_stream(fabrikam_page, "EVENT", false, 5, vec![(12, 1)]);
        self.add_stream(europe, "SPONSORED", true, 4, vec![(0, 1), (1, 1)]);
        self.add_stream(americas, "SPONSORED", true, 2, vec![(3, 1)]);
        self.add_stream(northwind, "EVENT", true, 1, vec![(8, 1)]);
    }

    fn add_stream(
        &mut self,
        owner: OwnerKey,
        lead_type: LeadTypeName,
        test: bool,
        count: u64,
        forms: Vec<(usize, u64)>,
    ) {
        let span = HISTORY_DAYS * DAY_MS;
        self.streams.push(Stream {
            key: self.streams.len() as u8,
            owner,
            lead_type,
            test,
            count,
            forms,
            from_ms: self.started_ms - span,
            slot_ms: (span / (count.max(1) as i64)).max(1),
        });
    }
}

fn add_campaigns(seed: u64, position: u64, account: &mut Account) {
    let id = |kind: u64, index: u64, base: i64| {
        base + position as i64 * 100_000
            + (index as i64) * 1_000
            + below(seed, 950 + kind, position * 100 + index, 900) as i64
    };
    for index in 0..2 {
        account.groups.push(Group {
            id: id(0, index, 610_000_000),
            name: format!(
                "{} {}",
                account.name,
                if index == 0 { "always on" } else { "seasonal" }
            ),
            status: if index == 0 { "ACTIVE" } else { "PAUSED" },
        });
    }
    for index in 0..4_u64 {
        let group = account
            .groups
            .get((index % 2) as usize)
            .map_or(0, |group| group.id);
        account.campaigns.push(Campaign {
            id: id(1, index, 198_000_000),
            group,
            name: match index {
                0 => "Q3 leads".to_owned(),
                1 => "Retargeting <b>bold</b> & co".to_owned(),
                2 => "Herbstkampagne 🍂".to_owned(),
                _ => format!("Conversation ads {}", mix(seed, 960, position) % 100),
            },
            status: if index == 3 { "COMPLETED" } else { "ACTIVE" },
            kind: if index == 3 {
                "SPONSORED_INMAILS"
            } else {
                "SPONSORED_UPDATES"
            },
        });
    }
    for index in 0..6_u64 {
        let campaign = account
            .campaigns
            .get((index % 4) as usize)
            .map_or(0, |campaign| campaign.id);
        account.creatives.push(Creative {
            id: id(2, index, 241_000_000),
            campaign,
            name: (index % 3 != 0).then(|| format!("Creative {}", index + 1)),
        });
    }
}
