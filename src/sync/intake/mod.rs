//! From LinkedIn's wire shapes to domain values: the one place that moves when LinkedIn's shapes change.

mod response;

use chrono::{DateTime, Utc};

pub use response::{Content, Place, Response};

use crate::domain::account::LeadType;
use crate::domain::form::{
    ChoiceOption, Consent, FormVersion, HiddenField, Locale, Question, QuestionKind,
};
use crate::domain::ids::{FormId, FormVersionId};
use crate::domain::text::clean_text;
use crate::linkedin::wire;
use crate::linkedin::{self, Owner};
use crate::store::directory::campaigns::{SeenCampaign, SeenCreative};
use crate::store::directory::forms::SeenForm;

/// LinkedIn counts milliseconds since 1970.
#[must_use]
pub fn moment(milliseconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(milliseconds)
}

/// The client's lead type for ours.
#[must_use]
pub const fn wire_lead_type(lead_type: LeadType) -> linkedin::LeadType {
    match lead_type {
        LeadType::Sponsored => linkedin::LeadType::Sponsored,
        LeadType::Event => linkedin::LeadType::Event,
        LeadType::Company => linkedin::LeadType::Company,
        LeadType::OrganizationProduct => linkedin::LeadType::OrganizationProduct,
    }
}

fn clean(text: &str) -> String {
    clean_text(text).into_owned()
}

fn localized(text: &wire::LocalizedText, locale: Option<&str>) -> String {
    text.text(locale).map(clean).unwrap_or_default()
}

fn optional(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A form's content as a version of ours. The ids are placeholders that the store replaces.
#[must_use]
pub fn form_version(form: &wire::LeadForm, number: i64) -> FormVersion {
    let key = form.creation_locale.as_ref().and_then(wire::Locale::key);
    let key = key.as_deref();
    let content = &form.content;
    let info = content.post_submission_info.as_ref();
    let legal = &content.legal_info;
    let (language, country) = locale(form).unwrap_or_default();
    FormVersion {
        id: FormVersionId::new(uuid::Uuid::nil()),
        form_id: FormId::new(uuid::Uuid::nil()),
        number,
        name: form_name(form),
        locale: Locale { language, country },
        questions: content
            .questions
            .iter()
            .map(|question| read_question(question, key))
            .collect(),
        hidden_fields: form
            .hidden_fields
            .iter()
            .filter_map(|field| {
                Some(HiddenField {
                    name: clean(field.name.as_deref()?),
                    value: clean(field.value.as_deref().unwrap_or_default()),
                })
            })
            .collect(),
        consents: legal
            .consents
            .iter()
            .map(|consent| Consent {
                id: consent.id,
                text: localized(&consent.consent, key),
                check_required: consent.check_required.unwrap_or(false),
            })
            .collect(),
        headline: optional(localized(&content.headline, key)),
        description: optional(localized(&content.description, key)),
        privacy_policy_url: legal.privacy_policy_url.as_deref().map(clean),
        landing_page_url: info
            .and_then(|info| info.call_to_action.as_ref())
            .and_then(|action| action.call_to_action_target.as_ref())
            .and_then(|target| target.landing_page_url.as_deref())
            .map(clean),
        thank_you_message: info.and_then(|info| optional(localized(&info.message, key))),
        legal_disclaimer: optional(localized(&legal.legal_disclaimer, key)),
    }
}

fn locale(form: &wire::LeadForm) -> Option<(String, String)> {
    let locale = form.creation_locale.as_ref()?;
    let part = |part: &Option<String>| part.as_deref().map(clean).unwrap_or_default();
    Some((part(&locale.language), part(&locale.country)))
}

fn form_name(form: &wire::LeadForm) -> String {
    form.name
        .as_deref()
        .map(clean)
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| format!("Form {}", form.id))
}

fn read_question(question: &wire::Question, locale: Option<&str>) -> Question {
    let text = localized(&question.question, locale);
    let name = question.name.as_deref().map(clean).unwrap_or_default();
    let details = &question.question_details;
    let kind = if let Some(choice) = &details.multiple_choice_question_details {
        QuestionKind::MultipleChoice {
            options: choice
                .options
                .iter()
                .map(|option| ChoiceOption {
                    id: option.id,
                    text: localized(&option.text, locale),
                })
                .collect(),
        }
    } else if let Some(text) = &details.text_question_details {
        QuestionKind::Text {
            max_length: text.max_response_length,
        }
    } else {
        QuestionKind::Unknown
    };
    Question {
        id: question.question_id,
        text: if text.is_empty() { name.clone() } else { text },
        name,
        label: question.label.as_deref().map(clean),
        predefined_field: question.predefined_field.as_deref().map(clean),
        kind,
        required: question.response_required.unwrap_or(true),
        editable: question.response_editable.unwrap_or(true),
    }
}

/// A form of LinkedIn's list, with its current version.
#[must_use]
pub fn seen_form(form: &wire::LeadForm, raw: &str) -> SeenForm {
    let number = form.version_id.unwrap_or(1);
    let version = form_version(form, number);
    SeenForm {
        linkedin_id: form.id,
        name: version.name.clone(),
        linkedin_state: form.state.as_deref().map(clean),
        locale: locale(form),
        linkedin_times: (
            form.created.and_then(moment),
            form.last_modified.and_then(moment),
        ),
        version: Some((number, version, raw.as_bytes().to_vec())),
        is_current: true,
    }
}

/// A campaign of LinkedIn's list.
#[must_use]
pub fn seen_campaign(campaign: &wire::Campaign, groups: &[(i64, Option<String>)]) -> SeenCampaign {
    let group = campaign
        .campaign_group
        .as_deref()
        .and_then(|urn| linkedin::urn::urn_id(urn, "sponsoredCampaignGroup"))
        .map(|id| {
            let name = groups
                .iter()
                .find(|(known, _)| *known == id)
                .and_then(|(_, name)| name.clone());
            (id, name)
        });
    SeenCampaign {
        linkedin_id: campaign.id,
        name: campaign
            .name
            .as_deref()
            .map(clean)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("Campaign {}", campaign.id)),
        group,
        campaign_type: campaign.kind.as_deref().map(clean),
        linkedin_status: campaign.status.as_deref().map(clean),
        objective: campaign.objective_type.as_deref().map(clean),
        schedule: (
            campaign.run_schedule.start.and_then(moment),
            campaign.run_schedule.end.and_then(moment),
        ),
    }
}

/// A creative of LinkedIn's list; `None` when its id is no creative's.
#[must_use]
pub fn seen_creative(creative: &wire::Creative) -> Option<SeenCreative> {
    Some(SeenCreative {
        linkedin_id: linkedin::urn::urn_id(&creative.id, "sponsoredCreative")?,
        campaign_linkedin_id: creative
            .campaign
            .as_deref()
            .and_then(|urn| linkedin::urn::urn_id(urn, "sponsoredCampaign")),
        name: creative.name.as_deref().map(clean),
        intended_status: creative.intended_status.as_deref().map(clean),
    })
}

/// The owner of an account of ours in LinkedIn's words.
#[must_use]
pub const fn owner(owner_type: crate::domain::account::OwnerType, linkedin_id: i64) -> Owner {
    match owner_type {
        crate::domain::account::OwnerType::SponsoredAccount => Owner::SponsoredAccount(linkedin_id),
        crate::domain::account::OwnerType::Organization => Owner::Organization(linkedin_id),
    }
}
