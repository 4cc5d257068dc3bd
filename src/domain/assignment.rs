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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lead::LeadField;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId::new(Uuid::from_u128(n))
    }

    fn rule(position: i64, condition: Condition, owner: u128) -> AssignmentRule {
        let id = RuleId::new(Uuid::from_u128(1_000 + u128::try_from(position).unwrap()));
        AssignmentRule {
            id,
            position,
            condition,
            owner_id: user(owner),
        }
    }

    #[test]
    fn the_owner_is_chosen_by_rule_then_account_then_fallback() {
        let account = AccountId::new(Uuid::from_u128(50));
        let form = FormId::new(Uuid::from_u128(51));
        let campaign = CampaignId::new(Uuid::from_u128(52));
        let other_form = FormId::new(Uuid::from_u128(53));
        let country = FieldKey::Standard(LeadField::Country);
        let values = LeadValues::from([(country.clone(), " germany".to_owned())]);
        let facts = AssignmentFacts {
            account_id: Some(&account),
            form_id: Some(&form),
            campaign_id: Some(&campaign),
            values: &values,
            country: None,
        };
        let is =
            |field: &FieldKey, value: &str| Condition::FieldEquals(field.clone(), value.to_owned());
        let city = FieldKey::Standard(LeadField::City);
        type Case = (
            &'static str,
            Vec<AssignmentRule>,
            Option<u128>,
            Vec<u128>,
            u128,
            OwnerStep,
            Vec<u128>,
        );
        let cases: Vec<Case> = vec![
            (
                "no rule, no default",
                vec![],
                None,
                vec![],
                9,
                OwnerStep::Fallback,
                vec![],
            ),
            (
                "account default",
                vec![],
                Some(8),
                vec![],
                8,
                OwnerStep::AccountDefault,
                vec![],
            ),
            (
                "disabled default",
                vec![],
                Some(8),
                vec![8],
                9,
                OwnerStep::Fallback,
                vec![8],
            ),
            (
                "rule by account",
                vec![rule(1, Condition::Account(account.clone()), 1)],
                Some(8),
                vec![],
                1,
                OwnerStep::AssignmentRule,
                vec![],
            ),
            (
                "rule by form",
                vec![rule(1, Condition::Form(form.clone()), 1)],
                Some(8),
                vec![],
                1,
                OwnerStep::AssignmentRule,
                vec![],
            ),
            (
                "rule by campaign",
                vec![rule(1, Condition::Campaign(campaign.clone()), 1)],
                Some(8),
                vec![],
                1,
                OwnerStep::AssignmentRule,
                vec![],
            ),
            (
                "rule by field, folded",
                vec![rule(1, is(&country, "Germany"), 1)],
                Some(8),
                vec![],
                1,
                OwnerStep::AssignmentRule,
                vec![],
            ),
            (
                "rule of another form",
                vec![rule(1, Condition::Form(other_form), 1)],
                Some(8),
                vec![],
                8,
                OwnerStep::AccountDefault,
                vec![],
            ),
            (
                "rule by an empty field",
                vec![rule(1, is(&city, ""), 1)],
                None,
                vec![],
                9,
                OwnerStep::Fallback,
                vec![],
            ),
            (
                "lower position first, whatever the order",
                vec![
                    rule(2, Condition::Form(form.clone()), 2),
                    rule(1, Condition::Account(account.clone()), 1),
                ],
                None,
                vec![],
                1,
                OwnerStep::AssignmentRule,
                vec![],
            ),
            (
                "a disabled owner is passed over for the next rule",
                vec![
                    rule(1, Condition::Account(account.clone()), 1),
                    rule(2, Condition::Form(form.clone()), 2),
                ],
                Some(8),
                vec![1],
                2,
                OwnerStep::AssignmentRule,
                vec![1],
            ),
            (
                "everybody disabled but the fallback",
                vec![
                    rule(1, Condition::Account(account.clone()), 1),
                    rule(2, Condition::Form(form.clone()), 1),
                ],
                Some(8),
                vec![1, 8],
                9,
                OwnerStep::Fallback,
                vec![1, 8],
            ),
        ];
        for (why, rules, default, disabled, owner, step, skipped) in cases {
            let disabled: Vec<UserId> = disabled.into_iter().map(user).collect();
            let (chosen, reason) =
                choose_owner(&rules, &facts, default.map(user), user(9), &|user| {
                    !disabled.contains(user)
                });
            assert_eq!((chosen, reason.step), (user(owner), step), "{why}");
            assert_eq!(
                reason.skipped,
                skipped.into_iter().map(user).collect::<Vec<_>>(),
                "{why}"
            );
            assert_eq!(
                reason.rule_id.is_some(),
                step == OwnerStep::AssignmentRule,
                "{why}"
            );
        }
    }

    #[test]
    fn a_condition_survives_storage() {
        let condition =
            Condition::FieldEquals(FieldKey::Custom("region".to_owned()), "EMEA".to_owned());
        let json = serde_json::to_string(&condition).unwrap();
        assert_eq!(
            json,
            r#"{"kind":"field_equals","value":["custom.region","EMEA"]}"#
        );
        assert_eq!(serde_json::from_str::<Condition>(&json).unwrap(), condition);
    }
}
