//! The seeded LinkedIn: members, pages, ad accounts, roles, campaigns and forms. Small, and kept whole in memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::forms::{
    DE_DE, EN_US, ES_ES, Form, FormConsent, FormLocale, FormQuestion, FormVersion, Questions,
};
use super::seeded::{below, mix, text};

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

const DAY_MS: i64 = 86_400_000;
/// How far back the history reaches.
const HISTORY_DAYS: i64 = 300;

/// A form id that no double can hold.
const BEYOND_DOUBLE: i64 = 6_851_219_773_716_516_864;

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

    fn account_key(&self, position: usize) -> OwnerKey {
        OwnerKey::Account(self.accounts.get(position).map_or(0, |account| account.id))
    }

    fn page_key(&self, position: usize) -> OwnerKey {
        OwnerKey::Organization(self.organizations.get(position).map_or(0, |page| page.id))
    }

    fn add_form(
        &mut self,
        owner: OwnerKey,
        name: &str,
        locale: FormLocale,
        state: &'static str,
        questions: impl Fn(Questions) -> Questions,
    ) {
        let position = self.forms.len() as u64;
        // The first form of all has an id that no JavaScript number can hold.
        let id = if position == 0 {
            BEYOND_DOUBLE + below(self.seed, 940, 0, 1 << 40) as i64
        } else {
            7_000_000 + position as i64 * 10_000 + below(self.seed, 941, position, 10_000) as i64
        };
        let created = self.started_ms - (HISTORY_DAYS + 20) * DAY_MS;
        let version = FormVersion {
            version: 1,
            modified: created + 3_600_000,
            headline: name.to_owned(),
            questions: questions(Questions::of(id, locale)).done(),
            consents: Vec::new(),
            hidden: Vec::new(),
        };
        self.forms.push(Form {
            id,
            owner,
            name: name.to_owned(),
            state,
            locale,
            created,
            versions: vec![version],
        });
    }

    fn last_version(&mut self, change: impl FnOnce(&mut FormVersion)) {
        if let Some(version) = self
            .forms
            .last_mut()
            .and_then(|form| form.versions.last_mut())
        {
            change(version);
        }
    }

    /// A second version of the last form; `questions` replace the first version's.
    fn second_version(&mut self, questions: impl Fn(Questions) -> Questions) {
        let modified = self.started_ms - HISTORY_DAYS * 2 / 5 * DAY_MS;
        if let Some(form) = self.forms.last_mut()
            && let Some(first) = form.versions.first()
        {
            let mut version = first.clone();
            version.version = 2;
            version.modified = modified;
            version.questions = questions(Questions::of(form.id, form.locale)).done();
            form.versions.push(version);
        }
    }

    fn add_forms(&mut self) {
        let (europe, americas, fabrikam, contoso) = (
            self.account_key(0),
            self.account_key(1),
            self.account_key(2),
            self.account_key(3),
        );
        let (northwind, fabrikam_page) = (self.page_key(0), self.page_key(1));
        let person = |q: Questions| q.field("FIRST_NAME").field("LAST_NAME").field("EMAIL");
        let consent = |id, required, text: &str| FormConsent {
            id,
            required,
            text: text.to_owned(),
        };

        self.add_form(
            europe,
            "Whitepaper: Data platforms",
            EN_US,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("COMPANY_NAME")
                    .field("JOB_TITLE")
                    .custom_choice(
                        "Which topic interests you most?",
                        &[(0, "Warehouses"), (1, "Streaming"), (2, "Governance")],
                        false,
                    )
                    .labelled("topic")
                    .custom_text("What would you like to know?")
            },
        );
        self.second_version(|q| {
            person(q)
                .field("COMPANY_NAME")
                .field("JOB_TITLE")
                .custom_choice(
                    "Which topic interests you most?",
                    &[
                        (0, "Machine learning"),
                        (1, "Warehouses"),
                        (2, "Streaming"),
                        (3, "Governance"),
                    ],
                    false,
                )
                .labelled("topic")
                .custom_text("What would you like to know?")
                .field("PHONE_NUMBER")
        });
        if let Some(form) = self.forms.last_mut() {
            for version in &mut form.versions {
                version.hidden = vec![
                    ("source_code".to_owned(), format!("WP-{}", version.version)),
                    (
                        "utm_campaign".to_owned(),
                        "data & \"platforms\" <2026>".to_owned(),
                    ),
                ];
                version.consents = vec![
                    consent(0, true, "I agree to be contacted"),
                    consent(1, false, "Send me the newsletter, too"),
                ];
            }
        }
        self.add_form(europe, "Angebot anfordern", DE_DE, "PUBLISHED", |q| {
            q.field("FIRST_NAME")
                .field("LAST_NAME")
                .field("WORK_EMAIL")
                .field("PHONE_NUMBER")
                .field("CITY")
                .field("JOB_FUNCTION")
                .custom_choice(
                    "Für welche Leistungen interessieren Sie sich?",
                    &[(0, "Beratung"), (1, "Schulung"), (2, "Betrieb")],
                    true,
                )
                .custom_text("Ihre Nachricht")
        });
        self.last_version(|version| {
            version.consents = vec![consent(0, true, "Ich stimme der Kontaktaufnahme zu")]
        });
        self.add_form(europe, "Newsletter", EN_US, "PUBLISHED", |q| {
            person(q).field("COUNTRY")
        });
        self.add_form(americas, "Demo request", EN_US, "PUBLISHED", |q| {
            q.field("FIRST_NAME")
                .field("LAST_NAME")
                .field("EMAIL")
                .field("WORK_EMAIL")
                .field("PHONE_NUMBER")
                .field("COMPANY_NAME")
                .field("COMPANY_SIZE")
                .field("STATE")
                .field("ZIP_CODE")
                .field("COUNTRY")
                .field("INDUSTRY")
                .field("SENIORITY")
                .field("PRONOUNS_2027")
                .custom_text("Anything else?")
        });
        self.last_version(|version| {
            version.hidden = vec![("region".to_owned(), "AMER".to_owned())]
        });
        self.add_form(
            americas,
            "Webinar (nobody answered yet)",
            EN_US,
            "PUBLISHED",
            person,
        );
        self.add_form(
            americas,
            "Draft of next year's form",
            EN_US,
            "DRAFT",
            person,
        );
        self.add_form(
            fabrikam,
            "Candidatura espontánea",
            ES_ES,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("JOB_FUNCTION")
                    .field("SENIORITY")
                    .field("SCHOOL")
                    .field("DEGREE")
                    .field("FIELD_OF_STUDY")
                    .field("START_DATE")
                    .field("GRADUATION_DATE")
                    .field("LINKEDIN_PROFILE_LINK")
                    .field("GENDER")
                    .custom_text("¿Por qué nosotros?")
            },
        );
        self.add_form(contoso, "Out of reach", EN_US, "PUBLISHED", person);
        self.add_form(
            northwind,
            "Data Summit registration",
            EN_US,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("COMPANY_NAME")
                    .custom_text("Dietary requirements")
            },
        );
        self.last_version(|version| {
            version.consents = vec![consent(0, true, "Photos will be taken")]
        });
        self.add_form(northwind, "Contact us (page)", EN_US, "PUBLISHED", |q| {
            person(q).custom_text("Your message")
        });
        self.add_form(northwind, "Product information", EN_US, "PUBLISHED", |q| {
            person(q).field("COMPANY_NAME")
        });
        self.add_form(fabrikam_page, "Kontakt (Seite)", DE_DE, "PUBLISHED", |q| {
            person(q).custom_text("Ihre Nachricht")
        });
        self.add_form(
            fabrikam_page,
            "Open day (events: not for analysts)",
            EN_US,
            "PUBLISHED",
            person,
        );
    }

    fn add_streams(&mut self, leads: u64) {
        let (europe, americas, fabrikam, contoso) = (
            self.account_key(0),
            self.account_key(1),
            self.account_key(2),
            self.account_key(3),
        );
        let (northwind, fabrikam_page) = (self.page_key(0), self.page_key(1));
        let shares: [(OwnerKey, LeadTypeName, u64, &[(usize, u64)]); 7] = [
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
