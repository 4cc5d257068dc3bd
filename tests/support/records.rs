//! Rows with defaults, written by the store's own functions, so that a test names only what matters to it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use leadgen::domain::access::Role;
use leadgen::domain::account::{LeadType, OwnerType};
use leadgen::domain::form::{
    ChoiceOption, Consent, FormVersion, HiddenField, Locale, Question, QuestionKind,
};
use leadgen::domain::ids::*;
use leadgen::domain::lead::{
    FieldKey, Lead, LeadField, LeadSource, LeadStatus, LeadValues, Provenance,
};
use leadgen::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use leadgen::domain::time_zone::TimeZone;
use leadgen::store::directory::accounts::SeenAccount;
use leadgen::store::directory::campaigns::SeenCampaign;
use leadgen::store::directory::forms::SeenForm;
use leadgen::store::intake::DecidedSubmission;
use leadgen::store::schema::{linkedin_tokens, linkedin_user_profiles, sync_runs};
use leadgen::store::users::User;
use leadgen::store::{AnyConn, directory, intake, lead_rows, profiles, seed, users};
use uuid::Uuid;

/// A new identifier.
pub fn new<T: std::str::FromStr<Err = InvalidId>>() -> T {
    Uuid::now_v7().to_string().parse().unwrap()
}

/// The time at which the records of tests begin.
pub fn day() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// What a first start leaves: settings, mappings, the default strategy, the organization.
pub fn seed_defaults(conn: &mut AnyConn) {
    seed::run(conn, day(), Uuid::now_v7).unwrap();
}

/// A person with these roles and no password.
pub fn a_user(conn: &mut AnyConn, name: &str, roles: &[Role]) -> UserId {
    let id: UserId = new();
    let email = format!("{}@people.example", id.as_str());
    users::insert(
        conn,
        &User {
            id: id.clone(),
            email: email.clone(),
            email_key: email,
            name: name.to_owned(),
            password_hash: None,
            is_enabled: true,
            time_zone: TimeZone::default(),
            preferences: leadgen::domain::preferences::Preferences::default(),
            roles: roles.to_vec(),
            last_sign_in_at: None,
            created_at: day(),
            updated_at: day(),
            lock_version: 0,
        },
    )
    .unwrap();
    super::builders::consented(conn, &id);
    id
}

/// A profile that is not authorised.
pub fn a_profile(conn: &mut AnyConn, owner: &UserId, name: &str) -> ProfileId {
    let id: ProfileId = new();
    profiles::insert(conn, &id, name, owner, day()).unwrap();
    id
}

/// Makes a profile look authorised and confirmed; its token, which ends at `ends_at`, opens nothing.
pub fn authorize(conn: &mut AnyConn, profile: &ProfileId, by: &UserId, ends_at: DateTime<Utc>) {
    use linkedin_user_profiles as p;
    diesel::update(p::table.find(profile.as_str()))
        .set((
            p::authorization_status.eq("authorized"),
            p::sync_status.eq("active"),
            p::organization_id.eq(seed::BUILT_IN_ORGANIZATION),
            p::organization_confirmed_at.eq(day().naive_utc()),
            p::member_name.eq("Mia Member"),
            p::member_urn.eq("urn:li:person:aB3dE_9xQz"),
            p::authorized_by.eq(by.as_str()),
            p::authorized_at.eq(day().naive_utc()),
        ))
        .execute(conn)
        .unwrap();
    diesel::insert_into(linkedin_tokens::table)
        .values((
            linkedin_tokens::profile_id.eq(profile.as_str()),
            linkedin_tokens::access_token.eq(vec![0_u8; 4]),
            linkedin_tokens::access_token_expires_at.eq(ends_at.naive_utc()),
            linkedin_tokens::scopes.eq("r_ads,r_marketing_leadgen_automation"),
            linkedin_tokens::issued_at.eq(day().naive_utc()),
            linkedin_tokens::token_version.eq(1_i64),
        ))
        .execute(conn)
        .unwrap();
}

/// The ad accounts that a profile sees, from now on exactly these; LinkedIn's numbers begin at 500,000,001.
pub fn accounts(conn: &mut AnyConn, profile: &ProfileId, names: &[&str]) -> Vec<AccountId> {
    let seen: Vec<SeenAccount> = names
        .iter()
        .zip(500_000_001..)
        .map(|(name, linkedin_id)| SeenAccount {
            owner_type: OwnerType::SponsoredAccount,
            linkedin_id,
            name: (*name).to_owned(),
            currency: Some("EUR".to_owned()),
            linkedin_status: Some("ACTIVE".to_owned()),
            is_test: false,
            page: Some((900_000_001, Some("Acme".to_owned()))),
            account_role: Some("ACCOUNT_MANAGER".to_owned()),
            page_roles: vec!["LEAD_GEN_FORMS_MANAGER".to_owned()],
        })
        .collect();
    directory::accounts::save_accounts(conn, profile, &seen, day()).unwrap();
    let filter = leadgen::store::accounts::AccountFilter {
        profile_id: Some(profile.clone()),
        ..Default::default()
    };
    let listed = leadgen::store::accounts::list(conn, &filter).unwrap();
    names
        .iter()
        .map(|name| listed.iter().find(|a| a.name == *name).unwrap().id.clone())
        .collect()
}

/// The content of a form: e-mail, company, a choice and an unmapped question, one hidden field, two consents.
pub fn form_content(name: &str, number: i64) -> FormVersion {
    let text = |id: i64, name: &str, text: &str, predefined: Option<&str>| Question {
        id,
        name: name.to_owned(),
        text: text.to_owned(),
        label: None,
        predefined_field: predefined.map(str::to_owned),
        kind: QuestionKind::Text {
            max_length: Some(300),
        },
        required: true,
        editable: true,
    };
    FormVersion {
        id: FormVersionId::new(Uuid::nil()),
        form_id: FormId::new(Uuid::nil()),
        number,
        name: name.to_owned(),
        locale: Locale {
            language: "en".to_owned(),
            country: "US".to_owned(),
        },
        questions: vec![
            text(1, "Email", "Your e-mail address", Some("EMAIL")),
            text(2, "Company", "Where do you work?", Some("COMPANY_NAME")),
            Question {
                kind: QuestionKind::MultipleChoice {
                    options: vec![
                        ChoiceOption {
                            id: 0,
                            text: "This month".to_owned(),
                        },
                        ChoiceOption {
                            id: 1,
                            text: "Next year".to_owned(),
                        },
                    ],
                },
                ..text(3, "Custom question 0", "When do you want to buy?", None)
            },
            text(4, "Custom question 1", "Anything else?", None),
        ],
        hidden_fields: vec![HiddenField {
            name: "utm_source".to_owned(),
            value: "spring".to_owned(),
        }],
        consents: vec![
            Consent {
                id: 0,
                text: "I agree to be called.".to_owned(),
                check_required: true,
            },
            Consent {
                id: 1,
                text: "Send me news.".to_owned(),
                check_required: false,
            },
        ],
        headline: Some("Get the guide".to_owned()),
        description: None,
        privacy_policy_url: Some("https://acme.example/privacy".to_owned()),
        landing_page_url: None,
        thank_you_message: None,
        legal_disclaimer: None,
    }
}

/// A form with one version.
pub fn a_form(
    conn: &mut AnyConn,
    account: &AccountId,
    linkedin_id: i64,
    content: FormVersion,
) -> (FormId, FormVersionId) {
    let number = content.number;
    directory::forms::save_forms(
        conn,
        account,
        &[SeenForm {
            linkedin_id,
            name: content.name.clone(),
            linkedin_state: Some("PUBLISHED".to_owned()),
            locale: Some(("en".to_owned(), "US".to_owned())),
            linkedin_times: (Some(day()), Some(day())),
            version: Some((number, content, b"{}".to_vec())),
            is_current: true,
        }],
        day(),
    )
    .unwrap();
    let version = directory::forms::versions(conn, &[linkedin_id])
        .unwrap()
        .remove(&(linkedin_id, number))
        .unwrap();
    (version.form_id, version.id)
}

/// A campaign.
pub fn a_campaign(
    conn: &mut AnyConn,
    account: &AccountId,
    linkedin_id: i64,
    name: &str,
) -> CampaignId {
    directory::campaigns::save_campaigns(
        conn,
        account,
        &[SeenCampaign {
            linkedin_id,
            name: name.to_owned(),
            group: Some((77, Some("Autumn".to_owned()))),
            campaign_type: Some("SPONSORED_UPDATES".to_owned()),
            linkedin_status: Some("ACTIVE".to_owned()),
            objective: Some("LEAD_GENERATION".to_owned()),
            schedule: (Some(day()), None),
        }],
        day(),
    )
    .unwrap();
    directory::campaigns::campaign_ids(conn, &[linkedin_id])
        .unwrap()
        .remove(&linkedin_id)
        .unwrap()
        .0
}

/// A lead that is to be saved with [`save_lead`].
pub fn a_lead(owner: &UserId, values: &[(LeadField, &str)]) -> Lead {
    Lead {
        id: new(),
        values: values
            .iter()
            .map(|(field, value)| (FieldKey::Standard(*field), (*value).to_owned()))
            .collect::<LeadValues>(),
        topic: "Guide – Autumn".to_owned(),
        status: LeadStatus::New,
        source: LeadSource::LinkedinSponsoredContent,
        owner_id: owner.clone(),
        provenance: Provenance::new(),
        created_at: day(),
        updated_at: day(),
        first_submission_id: None,
        latest_submission_id: None,
        latest_submitted_at: None,
        submission_count: 0,
        account_id: None,
        form_id: None,
        campaign_id: None,
        member_urn: None,
        lock_version: 0,
    }
}

/// Saves a lead and answers its id.
pub fn save_lead(conn: &mut AnyConn, lead: &Lead) -> LeadId {
    lead_rows::save(conn, &[lead]).unwrap();
    lead.id.clone()
}

/// A submission that is to be saved with [`save_submission`]: answered, and waiting for matching.
pub fn a_submission(account: &AccountId, name: &str) -> DecidedSubmission {
    let id: SubmissionId = new();
    let response_id = format!("{id}-1");
    let raw = format!(
        r#"{{"id":"{response_id}","leadType":"SPONSORED","submittedAt":1795262400000,
        "versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7001,1)",
        "formResponse":{{"answers":[
        {{"questionId":1,"answerDetails":{{"textQuestionAnswer":{{"answer":"ada@acme.example"}}}}}},
        {{"questionId":2,"answerDetails":{{"textQuestionAnswer":{{"answer":"Acme"}}}}}},
        {{"questionId":3,"answerDetails":{{"multipleChoiceAnswer":{{"options":[0]}}}}}}],
        "consentResponses":[{{"consentId":0,"accepted":true}},{{"consentId":1,"accepted":false}}]}}}}"#
    );
    DecidedSubmission {
        id,
        response_id,
        account_id: account.clone(),
        form_id: None,
        form_version_id: None,
        form_linkedin: Some((7001, 1)),
        campaign_id: None,
        campaign_linkedin_id: None,
        creative_linkedin_id: None,
        lead_type: LeadType::Sponsored,
        submitter_urn: None,
        submitted_at: day(),
        received_at: day(),
        is_test: false,
        name: name.to_owned(),
        matching_status: MatchingStatus::PendingLeadMatching,
        processing_state: ProcessingState::Unprocessed,
        reason: None,
        reason_detail: None,
        flag_count: 0,
        lead_id: None,
        attempts: 0,
        processed_at: None,
        content_hash: vec![0; 32],
        revision: 1,
        raw: raw.into_bytes(),
        decision: None,
    }
}

/// Says what became of a submission.
pub fn decided(
    mut submission: DecidedSubmission,
    status: MatchingStatus,
    reason: SubmissionReason,
    lead: Option<&LeadId>,
) -> DecidedSubmission {
    submission.matching_status = status;
    submission.processing_state = status.processing_state();
    submission.reason = Some(reason);
    submission.lead_id = lead.cloned();
    submission.processed_at = Some(submission.received_at + TimeDelta::seconds(1));
    submission
}

/// Saves a submission and answers its id.
pub fn save_submission(conn: &mut AnyConn, submission: &DecidedSubmission) -> SubmissionId {
    intake::save(conn, std::slice::from_ref(submission)).unwrap();
    submission.id.clone()
}

/// A run of an account that ended like this at `started_at` plus a minute.
pub fn a_run(
    conn: &mut AnyConn,
    account: &AccountId,
    status: &str,
    failure: Option<&str>,
    started_at: DateTime<Utc>,
) -> RunId {
    let id: RunId = new();
    let finished_at =
        (status != "running").then(|| (started_at + TimeDelta::minutes(1)).naive_utc());
    diesel::insert_into(sync_runs::table)
        .values((
            sync_runs::id.eq(id.as_str()),
            sync_runs::kind.eq("account"),
            sync_runs::account_id.eq(account.as_str()),
            sync_runs::trigger_kind.eq("scheduled"),
            sync_runs::status.eq(status),
            sync_runs::lease_owner.eq("test"),
            sync_runs::lease_term.eq(1_i64),
            sync_runs::started_at.eq(started_at.naive_utc()),
            sync_runs::finished_at.eq(finished_at),
            sync_runs::failure_reason.eq(failure),
            (
                sync_runs::pages.eq(3_i64),
                sync_runs::responses.eq(30_i64),
                sync_runs::submissions_new.eq(20_i64),
                sync_runs::submissions_known.eq(10_i64),
                sync_runs::leads_created.eq(15_i64),
                sync_runs::leads_updated.eq(4_i64),
                sync_runs::match_failed.eq(1_i64),
                sync_runs::processing_failed.eq(0_i64),
            ),
        ))
        .execute(conn)
        .unwrap();
    id
}
