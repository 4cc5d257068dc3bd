//! Accounts, campaigns and forms with their questions: what the connector's become beside those that are here.

mod forms;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::values::{moment, number, option};
use super::{
    ConnectorRecord, ConnectorRecords, ConnectorTable as Table, Verdict, Verdicts, records_of,
};
use crate::domain::form::FormVersion;
use crate::domain::ids::UserId;
use crate::domain::normalise;

use forms::carry_forms;
pub(super) use forms::{is_consent, question_id};

/// The version under which a form is stored as the connector knew it: LinkedIn counts from 1.
pub const EXPORTED_VERSION: i64 = 0;

/// What is here of LinkedIn's directory, by LinkedIn's numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryHere {
    /// Ad accounts.
    pub accounts: BTreeMap<i64, AccountHere>,
    /// Campaigns.
    pub campaigns: BTreeSet<i64>,
    /// Forms, with the ad account of each.
    pub forms: BTreeMap<i64, i64>,
    /// Whoever may own leads: everybody enabled.
    pub people: Vec<PersonHere>,
}

/// An ad account that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountHere {
    /// Whether it is synced.
    pub is_sync_enabled: bool,
    /// Whether it has a Default Lead Owner.
    pub has_owner: bool,
}

/// Somebody who may own leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonHere {
    /// Who.
    pub id: UserId,
    /// Their name on pages.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// An account to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedAccount {
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// Its name.
    pub name: String,
    /// Whether the connector synced it.
    pub is_sync_enabled: bool,
    /// Who owns the leads of its submissions, where exactly one person here is meant.
    pub default_lead_owner: Option<UserId>,
}

/// A campaign to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedCampaign {
    /// LinkedIn's number of its account.
    pub account: i64,
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// Its name.
    pub name: String,
    /// LinkedIn's word for its type.
    pub campaign_type: Option<&'static str>,
    /// LinkedIn's word for its state.
    pub linkedin_status: Option<&'static str>,
    /// When it runs.
    pub schedule: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

/// A form to add. The ids of its version are placeholders that the store replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedForm {
    /// LinkedIn's number of its account.
    pub account: i64,
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// What was asked.
    pub version: FormVersion,
}

/// What comes along of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedDirectory {
    /// Accounts to add.
    pub accounts: Vec<CarriedAccount>,
    /// Campaigns to add.
    pub campaigns: Vec<CarriedCampaign>,
    /// Forms to add.
    pub forms: Vec<CarriedForm>,
    /// LinkedIn's numbers of the forms, by what other tables call them, with the account of each that will be here.
    pub(super) form_names: BTreeMap<String, (i64, i64)>,
    /// LinkedIn's numbers of the accounts that will be here, by what other tables call them.
    pub(super) account_names: BTreeMap<String, i64>,
    /// LinkedIn's numbers of the uploaded campaigns, by what other tables call them; a name that two have is none of them.
    pub(super) campaign_names: BTreeMap<String, i64>,
    /// What becomes of the records.
    pub verdicts: Verdicts,
}

const CAMPAIGN_TYPES: [&str; 4] = [
    "Text Advertisement",
    "Sponsored Content",
    "Sponsored InMail",
    "Dynamic Ad",
];
/// As later versions of the connector show them.
const CAMPAIGN_TYPES_LATER: [&str; 4] = [
    "Text Ad",
    "LinkedIn Sponsored Content",
    "LinkedIn Sponsored InMail",
    "LinkedIn Dynamic Ad",
];
const CAMPAIGN_TYPE_WORDS: [&str; 4] = [
    "TEXT_AD",
    "SPONSORED_UPDATES",
    "SPONSORED_INMAILS",
    "DYNAMIC",
];
const CAMPAIGN_STATES: [&str; 6] = [
    "Active",
    "Paused",
    "Archived",
    "Completed",
    "Canceled",
    "Draft",
];
const CAMPAIGN_STATE_WORDS: [&str; 6] = [
    "ACTIVE",
    "PAUSED",
    "ARCHIVED",
    "COMPLETED",
    "CANCELED",
    "DRAFT",
];

/// What the records of the directory become beside what is here.
#[must_use]
pub fn carry_directory(records: &ConnectorRecords, here: &DirectoryHere) -> CarriedDirectory {
    let mut carried = CarriedDirectory::default();
    carry_accounts(records, here, &mut carried);
    carry_campaigns(records, here, &mut carried);
    carry_forms(records, here, &mut carried);
    carried
}

fn carry_accounts(
    records: &ConnectorRecords,
    here: &DirectoryHere,
    carried: &mut CarriedDirectory,
) {
    for record in records_of(records, Table::Accounts) {
        let linkedin_id = record
            .cells
            .text(&["linkedinaccounttextid"])
            .and_then(number);
        let verdict = match linkedin_id {
            None => Verdict::left_out("LinkedIn’s number of the account is missing or no number."),
            Some(linkedin_id) => {
                let is_repeated = carried
                    .accounts
                    .iter()
                    .any(|one| one.linkedin_id == linkedin_id);
                for name in [
                    record.key.clone(),
                    record.label.clone(),
                    linkedin_id.to_string(),
                ] {
                    carried.account_names.insert(name, linkedin_id);
                }
                let is_sync_enabled = record.cells.flag(&["enabledforsync"]);
                if let Some(account) = here.accounts.get(&linkedin_id) {
                    Verdict::there(is_here(record, *account, is_sync_enabled))
                } else if is_repeated {
                    Verdict::left_out("Another record of the table is the same account.")
                } else {
                    let is_sync_enabled = is_sync_enabled.unwrap_or(true);
                    let (default_lead_owner, owner) = owner_of(record, &here.people);
                    carried.accounts.push(CarriedAccount {
                        linkedin_id,
                        name: record.label.clone(),
                        is_sync_enabled,
                        default_lead_owner,
                    });
                    Verdict::becomes(format!(
                        "An account with Sync enabled {}. It is synced once a profile that sees it is authorized. {owner}",
                        on_or_off(is_sync_enabled)
                    ))
                }
            }
        };
        carried
            .verdicts
            .insert((Table::Accounts, record.key.clone()), verdict);
    }
    for account in here.accounts.keys() {
        carried.account_names.insert(account.to_string(), *account);
    }
}

const fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// What the connector knew otherwise of an account that is here.
fn is_here(record: &ConnectorRecord, account: AccountHere, was_enabled: Option<bool>) -> String {
    let mut text = "The account is here.".to_owned();
    if let Some(was_enabled) = was_enabled.filter(|was| *was != account.is_sync_enabled) {
        text.push_str(&format!(
            " Sync enabled stays {}; at the connector it was {}.",
            on_or_off(account.is_sync_enabled),
            on_or_off(was_enabled)
        ));
    }
    if let Some(owner) = record.cells.text(&["defaultleadowner"])
        && !account.has_owner
    {
        text.push_str(&format!(
            " It has no Default Lead Owner here; at the connector it was “{owner}”."
        ));
    }
    text
}

/// The one person whom the Default Lead Owner names, and a sentence about it.
fn owner_of(record: &ConnectorRecord, people: &[PersonHere]) -> (Option<UserId>, String) {
    let Some(wanted) = record.cells.text(&["defaultleadowner"]) else {
        return (
            None,
            "It had no Default Lead Owner: choose one under LinkedIn Accounts.".to_owned(),
        );
    };
    let is_meant = |person: &&PersonHere| {
        normalise::text(&person.name) == normalise::text(wanted)
            || normalise::email(&person.email) == normalise::email(wanted)
    };
    let mut meant = people.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(person), None) => (
            Some(person.id.clone()),
            format!("Its Default Lead Owner is {}.", person.name),
        ),
        (Some(_), Some(_)) => (
            None,
            format!(
                "Its Default Lead Owner was “{wanted}”, and several people here are called so: choose one under LinkedIn Accounts."
            ),
        ),
        (None, _) => (
            None,
            format!(
                "Its Default Lead Owner was “{wanted}”, which is neither the name nor the e-mail address of anybody enabled here: add \
                 the user and check again, or choose one under LinkedIn Accounts."
            ),
        ),
    }
}

/// The account that a lookup names.
fn account_of(record: &ConnectorRecord, names: &[&str], carried: &CarriedDirectory) -> Option<i64> {
    let name = record.cells.lookup(names)?;
    carried.account_names.get(&name).copied().or_else(|| {
        let number = number(&name)?;
        carried.account_names.get(&number.to_string()).copied()
    })
}

const NO_ACCOUNT: &str =
    "Its account is neither here nor in an uploaded file: upload msdyncrm_linkedinaccount as well.";

fn carry_campaigns(
    records: &ConnectorRecords,
    here: &DirectoryHere,
    carried: &mut CarriedDirectory,
) {
    let mut ambiguous = BTreeSet::new();
    for record in records_of(records, Table::Campaigns) {
        if let Some(linkedin_id) = record.cells.text(&["linkedinid"]).and_then(number) {
            let names = &mut carried.campaign_names;
            names.insert(record.key.clone(), linkedin_id);
            let other = names.insert(record.label.clone(), linkedin_id);
            if other.is_some_and(|other| other != linkedin_id) {
                ambiguous.insert(&record.label);
            }
        }
    }
    carried
        .campaign_names
        .retain(|name, _| !ambiguous.contains(name));
    for record in records_of(records, Table::Campaigns) {
        let linkedin_id = record.cells.text(&["linkedinid"]).and_then(number);
        let verdict = match (
            linkedin_id,
            account_of(record, &["linkedinaccount"], carried),
        ) {
            (None, _) => {
                Verdict::left_out("LinkedIn’s number of the campaign is missing or no number.")
            }
            (Some(id), _)
                if here.campaigns.contains(&id)
                    || carried.campaigns.iter().any(|one| one.linkedin_id == id) =>
            {
                Verdict::there("The campaign is here.")
            }
            (Some(_), None) => Verdict::left_out(NO_ACCOUNT),
            (Some(linkedin_id), Some(account)) => {
                let word = |column: &str, labels: &[&[&str]], words: &[&'static str]| {
                    let text = record.cells.text(&[column])?;
                    let place = labels.iter().find_map(|labels| option(text, labels))?;
                    words.get(place).copied()
                };
                let time = |column: &str| moment(record.cells.text(&[column])?).ok();
                carried.campaigns.push(CarriedCampaign {
                    account,
                    linkedin_id,
                    name: record.label.clone(),
                    campaign_type: word(
                        "campaigntype",
                        &[&CAMPAIGN_TYPES, &CAMPAIGN_TYPES_LATER],
                        &CAMPAIGN_TYPE_WORDS,
                    ),
                    linkedin_status: word(
                        "linkedinstatus",
                        &[&CAMPAIGN_STATES],
                        &CAMPAIGN_STATE_WORDS,
                    ),
                    schedule: (time("startdate"), time("enddate")),
                });
                Verdict::becomes("A campaign; its totals are counted anew from the submissions.")
            }
        };
        carried
            .verdicts
            .insert((Table::Campaigns, record.key.clone()), verdict);
    }
}
