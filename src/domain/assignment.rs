//! Who owns a new lead: assignment rule, then the account's default owner, then the organisation's fallback.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, CampaignId, FormId, RuleId, UserId};
use super::lead::{FieldKey, LeadValues};
use super::normalise;
use super::words::words;

/// When an assignment rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Condition {
    /// The submission came through this account.
    Account(AccountId),
    /// It answers this form.
    Form(FormId),
    /// It came from this campaign.
    Campaign(CampaignId),
    /// The lead's field has this value, compared as matching compares text.
    FieldEquals(FieldKey, String),
}

/// One rule: whoever meets the condition goes to this owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentRule {
    /// Its identifier; breaks ties of position.
    pub id: RuleId,
    /// Rules are tried by ascending position.
    pub position: i64,
    /// When it applies.
    pub condition: Condition,
    /// Who becomes the owner.
    pub owner_id: UserId,
}

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct AssignmentFacts<'a> {
    /// The account of the submission.
    pub account_id: Option<&'a AccountId>,
    /// The form that was answered.
    pub form_id: Option<&'a FormId>,
    /// The campaign, where there is one.
    pub campaign_id: Option<&'a CampaignId>,
    /// The values of the new lead.
    pub values: &'a LeadValues,
    /// Default country for comparing phone numbers.
    pub country: Option<&'a str>,
}

words! {
    /// Which step chose the owner.
    pub enum OwnerStep {
        AssignmentRule = "assignment_rule" => "Assignment rule",
        AccountDefault = "account_default" => "Default Lead Owner of the account",
        Fallback = "fallback" => "Fallback owner of the organization",
    }
}

/// Why somebody became the owner, kept with the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReason {
    /// The step that chose.
    pub step: OwnerStep,
    /// The rule that applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<RuleId>,
    /// People whom an earlier step named and who were passed over because they are disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<UserId>,
}

/// Chooses the owner of a new lead. Disabled users are passed over; the fallback is taken as it is, so that no lead is
/// ever ownerless (whoever sets the fallback makes sure that it is somebody enabled).
#[must_use]
pub fn choose_owner(
    rules: &[AssignmentRule],
    facts: &AssignmentFacts<'_>,
    account_default: Option<UserId>,
    fallback: UserId,
    is_enabled: &dyn Fn(&UserId) -> bool,
) -> (UserId, OwnerReason) {
    let mut skipped = Vec::new();
    let mut ordered: Vec<&AssignmentRule> = rules.iter().collect();
    ordered.sort_by(|a, b| (a.position, &a.id).cmp(&(b.position, &b.id)));
    for rule in ordered {
        if !applies(&rule.condition, facts) {
            continue;
        }
        if is_enabled(&rule.owner_id) {
            let reason = OwnerReason {
                step: OwnerStep::AssignmentRule,
                rule_id: Some(rule.id.clone()),
                skipped,
            };
            return (rule.owner_id.clone(), reason);
        }
        skip(&mut skipped, &rule.owner_id);
    }
    if let Some(owner) = account_default {
        if is_enabled(&owner) {
            return (
                owner,
                OwnerReason {
                    step: OwnerStep::AccountDefault,
                    rule_id: None,
                    skipped,
                },
            );
        }
        skip(&mut skipped, &owner);
    }
    (
        fallback,
        OwnerReason {
            step: OwnerStep::Fallback,
            rule_id: None,
            skipped,
        },
    )
}

fn skip(skipped: &mut Vec<UserId>, user: &UserId) {
    if !skipped.contains(user) {
        skipped.push(user.clone());
    }
}

fn applies(condition: &Condition, facts: &AssignmentFacts<'_>) -> bool {
    match condition {
        Condition::Account(id) => facts.account_id == Some(id),
        Condition::Form(id) => facts.form_id == Some(id),
        Condition::Campaign(id) => facts.campaign_id == Some(id),
        Condition::FieldEquals(field, wanted) => {
            let key = |value: &str| normalise::match_key(field, value, facts.country);
            match (
                facts.values.get(field).and_then(|value| key(value)),
                key(wanted),
            ) {
                (Some(value), Some(wanted)) => value == wanted,
                _ => false,
            }
        }
    }
}
