//! New submissions while the sandbox runs: made by a person on the sandbox's page, by a test, or by a fault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::forms::{FormVersion, QuestionKind};
use super::people::Person;
use super::responses::{Answered, Response};
use super::seeded::mix;
use super::state::Sandbox;
use super::world::{LeadTypeName, OwnerKey, World};

/// What somebody submits. Everything has a default: `Submission::default()` is a new person on the first form, now.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Submission {
    /// The form; by default the first that an owner and lead type of this submission have.
    pub form_id: Option<i64>,
    /// The version answered; by default the current one.
    pub version: Option<i64>,
    /// Ad account, for choosing a form.
    pub account: Option<i64>,
    /// Page, for choosing a form.
    pub organization: Option<i64>,
    /// SPONSORED for ad accounts; EVENT, COMPANY or ORGANIZATION_PRODUCT for pages.
    pub lead_type: Option<String>,
    /// When, in milliseconds since 1970; now by default, earlier for a late lead.
    pub submitted_at_ms: Option<i64>,
    /// A test lead.
    pub test: bool,
    /// A guest without a LinkedIn account.
    pub guest: bool,
    /// Answers by predefined field, by label, or by question id: text, or option ids separated by commas for a choice.
    /// Questions of LinkedIn's own that are not named are answered by an invented person, unless `only_given`.
    pub answers: BTreeMap<String, String>,
    /// Leave every other question blank.
    pub only_given: bool,
    /// Consents given; by default all.
    pub consents: Option<Vec<i64>>,
}

impl Submission {
    /// A new person on some form of an owner.
    pub(super) fn for_owner(owner: OwnerKey, lead_type: &str) -> Self {
        let mut submission = Self {
            lead_type: Some(lead_type.to_owned()),
            ..Self::default()
        };
        match owner {
            OwnerKey::Account(id) => submission.account = Some(id),
            OwnerKey::Organization(id) => submission.organization = Some(id),
        }
        submission
    }
}

pub(super) fn known_lead_type(name: &str) -> Option<LeadTypeName> {
    ["SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"]
        .into_iter()
        .find(|known| *known == name)
}

/// Which form, owner and lead type a submission means.
fn place(world: &World, submission: &Submission) -> Option<(OwnerKey, LeadTypeName, i64)> {
    let owner = match (submission.account, submission.organization) {
        (Some(id), _) => Some(OwnerKey::Account(id)),
        (None, Some(id)) => Some(OwnerKey::Organization(id)),
        (None, None) => None,
    };
    let wanted = submission.lead_type.as_deref();
    if let Some(id) = submission.form_id {
        let form = world
            .form(id)
            .filter(|form| owner.is_none_or(|owner| owner == form.owner))?;
        let position = world.forms.iter().position(|known| known.id == id)?;
        let stream = world
            .streams
            .iter()
            .find(|stream| stream.forms.iter().any(|(form, _)| *form == position));
        let lead_type = match (wanted, stream, form.owner) {
            (Some(name), _, _) => known_lead_type(name)?,
            (None, Some(stream), _) => stream.lead_type,
            (None, None, OwnerKey::Account(_)) => "SPONSORED",
            (None, None, OwnerKey::Organization(_)) => "COMPANY",
        };
        return Some((form.owner, lead_type, id));
    }
    let stream = world.streams.iter().find(|stream| {
        owner.is_none_or(|owner| owner == stream.owner)
            && wanted.is_none_or(|wanted| wanted == stream.lead_type)
    })?;
    let (position, _) = stream.forms.first()?;
    Some((
        stream.owner,
        stream.lead_type,
        world.forms.get(*position)?.id,
    ))
}

/// Adds a submission; its response id, or `None` when it names no form.
pub(super) fn submit(sandbox: &Sandbox, submission: &Submission) -> Option<String> {
    let now = sandbox.now_ms();
    let mut history = sandbox.change_history();
    let number = history.added.len() as u64 + history.removed_added;
    let world = &history.world;
    let (owner, lead_type, form_id) = place(world, submission)?;
    let form = world.form(form_id)?;
    let version = match submission.version {
        Some(version) => form.version(version)?,
        None => form.current()?,
    };
    let person = Person::new(world.seed, 5000, 1_000_000 + number);
    let account = world
        .account(owner.id())
        .filter(|_| matches!(owner, OwnerKey::Account(_)));
    let hash = mix(world.seed, 5001, number);
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}-1",
        hash >> 32,
        hash & 0xffff,
        (hash >> 16) & 0xfff,
        number & 0xfff,
        mix(world.seed, 5002, number) & 0xffff_ffff_ffff
    );
    let response = Response {
        id: id.clone(),
        owner,
        lead_type,
        test: submission.test,
        submitted_at: submission.submitted_at_ms.unwrap_or(now),
        form_id,
        version: version.version,
        submitter: (!submission.guest).then(|| person.member_key()),
        campaign: account
            .and_then(|account| account.campaigns.first())
            .map(|campaign| campaign.id),
        creative: account
            .and_then(|account| account.creatives.first())
            .map(|creative| creative.id),
        event: (lead_type == "EVENT").then_some(world.event_id),
        answers: answers(version, submission, &person, form.locale.answers),
        consents: version
            .consents
            .iter()
            .map(|consent| {
                (
                    consent.id,
                    submission
                        .consents
                        .as_ref()
                        .is_none_or(|given| given.contains(&consent.id)),
                )
            })
            .collect(),
    };
    history.added.push(response.clone());
    drop(history);
    super::webhook::announce(sandbox, &response, "CREATED");
    Some(id)
}

fn answers(
    version: &FormVersion,
    submission: &Submission,
    person: &Person,
    language: super::people::Language,
) -> Vec<(i64, Answered)> {
    version
        .questions
        .iter()
        .filter_map(|question| {
            let given = [
                question.predefined.clone(),
                question.label.clone(),
                Some(question.id.to_string()),
            ]
            .into_iter()
            .flatten()
            .find_map(|key| submission.answers.get(&key));
            let answer = match (given, &question.kind) {
                (Some(text), _) if text.is_empty() => return None,
                (Some(text), QuestionKind::Choice(..)) => Answered::Options(
                    text.split(',')
                        .filter_map(|id| id.trim().parse().ok())
                        .collect(),
                ),
                (Some(text), QuestionKind::Text(_)) => Answered::Text(text.clone()),
                (None, _) if submission.only_given => return None,
                (None, _) => {
                    Answered::Text(person.predefined(question.predefined.as_deref()?, language)?)
                }
            };
            Some((question.id, answer))
        })
        .collect()
}
