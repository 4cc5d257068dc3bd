//! Records with defaults, so that a test names only what matters: `a_lead().email("ada@example.com").insert(&mut conn)`.
//!
//! What a record needs and the test does not name (the account of a form, the owner of a lead) is made along with it.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use leadgen::domain::access::Role;
use leadgen::domain::account::{LeadType, OwnerType};
use leadgen::domain::form::{FormVersion, Locale, Question, QuestionKind};
use leadgen::domain::ids::{
    AccountId, FormId, FormVersionId, LeadId, ProfileId, SubmissionId, UserId,
};
use leadgen::domain::lead::{
    FieldKey, FieldOrigin, Lead, LeadField, LeadSource, LeadStatus, LeadValues, Origin, Provenance,
};
use leadgen::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use leadgen::domain::time_zone::TimeZone;
use leadgen::store::schema::{
    lead_form_versions, lead_forms, linkedin_accounts, linkedin_user_profiles, profile_accounts,
};
use leadgen::store::{self, AnyConn};
use secrecy::SecretString;
use uuid::Uuid;

/// The moment at which records of tests are made, unless they say otherwise: 2026-03-02 10:00 UTC, a Monday.
pub fn a_moment() -> DateTime<Utc> {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

/// A number that no other record of this process has; large, as LinkedIn's are.
pub fn fresh_number() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(500_000_001);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A user who may sign in with [`super::PASSWORD`] once `password_hash` is given; without it nobody can sign in as them.
pub struct UserBuilder {
    email: String,
    name: String,
    roles: Vec<Role>,
    is_enabled: bool,
    password_hash: Option<String>,
    time_zone: TimeZone,
}

/// An enabled user without a role and without a password.
pub fn a_user() -> UserBuilder {
    let number = fresh_number();
    UserBuilder {
        email: format!("user-{number}@example.com"),
        name: format!("User {number}"),
        roles: Vec::new(),
        is_enabled: true,
        password_hash: None,
        time_zone: TimeZone::UTC,
    }
}

impl UserBuilder {
    pub fn email(mut self, email: &str) -> Self {
        self.email = email.to_owned();
        self
    }

    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    pub fn disabled(mut self) -> Self {
        self.is_enabled = false;
        self
    }

    pub fn password_hash(mut self, hash: &str) -> Self {
        self.password_hash = Some(hash.to_owned());
        self
    }

    pub fn time_zone(mut self, name: &str) -> Self {
        self.time_zone = name.parse().unwrap();
        self
    }

    pub fn insert(self, conn: &mut AnyConn) -> UserId {
        let id = UserId::new(Uuid::now_v7());
        let user = store::users::User {
            id: id.clone(),
            email_key: self.email.trim().to_lowercase(),
            email: self.email,
            name: self.name,
            password_hash: self.password_hash.map(SecretString::from),
            is_enabled: self.is_enabled,
            time_zone: self.time_zone,
            preferences: leadgen::domain::preferences::Preferences::default(),
            roles: self.roles,
            last_sign_in_at: None,
            created_at: a_moment(),
            updated_at: a_moment(),
            lock_version: 1,
        };
        store::users::insert(conn, &user).unwrap();
        consented(conn, &id);
        id
    }
}

/// People of tests have consented to LinkedIn, unless the test is about that.
pub fn consented(conn: &mut AnyConn, user: &UserId) {
    use leadgen::store::schema::active_consents as c;
    diesel::insert_into(c::table)
        .values((
            c::user_id.eq(user.as_str()),
            c::text_version.eq(leadgen::domain::connections::CONSENT_VERSION),
            c::given_at.eq(a_moment().naive_utc()),
        ))
        .execute(conn)
        .unwrap();
}

/// The organisation lets everybody connect LinkedIn, as no fresh installation does.
pub fn connections_allowed(conn: &mut AnyConn) {
    use leadgen::store::schema::connection_settings as s;
    let now = a_moment();
    store::connections::begin_with(conn, leadgen::domain::connections::Setting::Yes, now).unwrap();
    diesel::update(s::table)
        .set(s::setting.eq("yes"))
        .execute(conn)
        .unwrap();
}

/// A LinkedIn user profile.
pub struct ProfileBuilder {
    name: String,
    user: Option<UserId>,
    authorization: String,
    sync_status: String,
    next_sync_at: Option<DateTime<Utc>>,
}

/// A profile that nobody authorized yet.
pub fn a_profile() -> ProfileBuilder {
    ProfileBuilder {
        name: format!("Profile {}", fresh_number()),
        user: None,
        authorization: "not_authorized".into(),
        sync_status: "not_syncing".into(),
        next_sync_at: None,
    }
}

impl ProfileBuilder {
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn of(mut self, user: &UserId) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// Authorized and active; tokens are not part of this.
    pub fn authorized(mut self) -> Self {
        self.authorization = "authorized".into();
        self.sync_status = "active".into();
        self
    }

    pub fn insert(self, conn: &mut AnyConn) -> ProfileId {
        use linkedin_user_profiles as p;
        let user = self.user.unwrap_or_else(|| a_user().insert(conn));
        let id = ProfileId::new(Uuid::now_v7());
        let at = a_moment().naive_utc();
        diesel::insert_into(p::table)
            .values((
                p::id.eq(id.as_str()),
                p::name.eq(&self.name),
                p::name_key.eq(self.name.to_lowercase()),
                p::user_id.eq(user.as_str()),
                p::authorization_status.eq(&self.authorization),
                p::sync_status.eq(&self.sync_status),
                p::next_sync_at.eq(self.next_sync_at.map(|at| at.naive_utc())),
                p::lease_term.eq(0_i64),
                p::failure_streak.eq(0_i64),
                p::created_at.eq(at),
                p::updated_at.eq(at),
                p::lock_version.eq(1_i64),
            ))
            .execute(conn)
            .unwrap();
        id
    }
}

/// A LinkedIn account.
pub struct AccountBuilder {
    name: String,
    linkedin_id: i64,
    owner_type: OwnerType,
    is_sync_enabled: bool,
    default_lead_owner: Option<UserId>,
    profile: Option<ProfileId>,
    form_sync_status: String,
}

/// A sponsored account, sync enabled and active, seen through no profile.
pub fn an_account() -> AccountBuilder {
    let number = fresh_number();
    AccountBuilder {
        name: format!("Account {number}"),
        linkedin_id: number,
        owner_type: OwnerType::SponsoredAccount,
        is_sync_enabled: true,
        default_lead_owner: None,
        profile: None,
        form_sync_status: "active".into(),
    }
}

impl AccountBuilder {
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn linkedin_id(mut self, id: i64) -> Self {
        self.linkedin_id = id;
        self
    }

    pub fn organization(mut self) -> Self {
        self.owner_type = OwnerType::Organization;
        self
    }

    pub fn sync_disabled(mut self) -> Self {
        self.is_sync_enabled = false;
        self.form_sync_status = "not_syncing".into();
        self
    }

    pub fn default_lead_owner(mut self, user: &UserId) -> Self {
        self.default_lead_owner = Some(user.clone());
        self
    }

    /// Seen through this profile.
    pub fn seen_by(mut self, profile: &ProfileId) -> Self {
        self.profile = Some(profile.clone());
        self
    }

    pub fn insert(self, conn: &mut AnyConn) -> AccountId {
        use linkedin_accounts as a;
        let id = AccountId::new(Uuid::now_v7());
        let at = a_moment().naive_utc();
        diesel::insert_into(a::table)
            .values((
                a::id.eq(id.as_str()),
                a::owner_type.eq(self.owner_type.as_str()),
                a::linkedin_id.eq(self.linkedin_id),
                a::name.eq(&self.name),
                a::currency.eq(Some("EUR")),
                a::linkedin_status.eq(Some("ACTIVE")),
                a::is_test.eq(false),
                a::is_sync_enabled.eq(self.is_sync_enabled),
                a::default_lead_owner_id.eq(self.default_lead_owner.as_ref().map(UserId::as_str)),
                a::form_sync_status.eq(&self.form_sync_status),
                a::campaign_sync_status.eq("active"),
                a::lease_term.eq(0_i64),
                a::failure_streak.eq(0_i64),
                a::created_at.eq(at),
                a::updated_at.eq(at),
                a::lock_version.eq(1_i64),
            ))
            .execute(conn)
            .unwrap();
        if let Some(profile) = self.profile {
            use profile_accounts as pa;
            diesel::insert_into(pa::table)
                .values((
                    pa::profile_id.eq(profile.as_str()),
                    pa::account_id.eq(id.as_str()),
                    pa::account_role.eq(Some("ACCOUNT_MANAGER")),
                    pa::page_roles.eq("[]"),
                    pa::last_seen_at.eq(at),
                ))
                .execute(conn)
                .unwrap();
        }
        id
    }
}

/// A Lead Gen form with one version.
pub struct FormBuilder {
    name: String,
    linkedin_id: i64,
    account: Option<AccountId>,
    questions: Vec<Question>,
    locale: Locale,
}

/// A form with the predefined questions first name, last name and e-mail (ids 1, 2, 3), and one question of its own (id 4).
pub fn a_form() -> FormBuilder {
    let number = fresh_number();
    FormBuilder {
        name: format!("Form {number}"),
        linkedin_id: number,
        account: None,
        questions: vec![
            question(1, "First name", Some("FIRST_NAME")),
            question(2, "Last name", Some("LAST_NAME")),
            question(3, "Email address", Some("EMAIL")),
            question(4, "What do you need?", None),
        ],
        locale: Locale {
            language: "en".into(),
            country: "US".into(),
        },
    }
}

/// A question that is answered with text.
pub fn question(id: i64, text: &str, predefined: Option<&str>) -> Question {
    Question {
        id,
        name: text.to_owned(),
        text: text.to_owned(),
        label: None,
        predefined_field: predefined.map(str::to_owned),
        kind: QuestionKind::Text {
            max_length: Some(300),
        },
        required: true,
        editable: true,
    }
}

impl FormBuilder {
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn of(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    pub fn questions(mut self, questions: Vec<Question>) -> Self {
        self.questions = questions;
        self
    }

    pub fn insert(self, conn: &mut AnyConn) -> FormId {
        use {lead_form_versions as v, lead_forms as f};
        let account = self.account.unwrap_or_else(|| an_account().insert(conn));
        let id = FormId::new(Uuid::now_v7());
        let version = FormVersionId::new(Uuid::now_v7());
        let at = a_moment().naive_utc();
        diesel::insert_into(f::table)
            .values((
                f::id.eq(id.as_str()),
                f::account_id.eq(account.as_str()),
                f::linkedin_id.eq(self.linkedin_id),
                f::name.eq(&self.name),
                f::linkedin_state.eq(Some("PUBLISHED")),
                f::sync_status.eq("active"),
                f::language.eq(Some(&self.locale.language)),
                f::country.eq(Some(&self.locale.country)),
                f::current_version_number.eq(Some(1_i64)),
                f::created_at.eq(at),
                f::updated_at.eq(at),
            ))
            .execute(conn)
            .unwrap();
        let content = FormVersion {
            id: version.clone(),
            form_id: id.clone(),
            number: 1,
            name: self.name,
            locale: self.locale,
            questions: self.questions,
            hidden_fields: Vec::new(),
            consents: Vec::new(),
            headline: None,
            description: None,
            privacy_policy_url: None,
            landing_page_url: None,
            thank_you_message: None,
            legal_disclaimer: None,
        };
        diesel::insert_into(v::table)
            .values((
                v::id.eq(version.as_str()),
                v::form_id.eq(id.as_str()),
                v::version_number.eq(1_i64),
                v::content.eq(serde_json::to_string(&content).unwrap()),
                v::raw.eq(b"{}".to_vec()),
                v::created_at.eq(at),
            ))
            .execute(conn)
            .unwrap();
        id
    }
}

/// A form submission.
pub struct SubmissionBuilder {
    response_id: String,
    form: Option<FormId>,
    answers: Vec<(i64, String)>,
    submitted_at: DateTime<Utc>,
    is_test: bool,
    name: Option<String>,
    status: MatchingStatus,
    state: ProcessingState,
    reason: Option<SubmissionReason>,
    lead: Option<LeadId>,
    lead_type: LeadType,
}

/// A sponsored submission of [`a_form`] by Ada Lovelace, not processed yet.
pub fn a_submission() -> SubmissionBuilder {
    let number = fresh_number();
    SubmissionBuilder {
        response_id: format!("{}-1", Uuid::now_v7()),
        form: None,
        answers: vec![
            (1, "Ada".into()),
            (2, "Lovelace".into()),
            (3, format!("ada-{number}@example.com")),
        ],
        submitted_at: a_moment() - TimeDelta::hours(1),
        is_test: false,
        name: None,
        status: MatchingStatus::PendingLeadMatching,
        state: ProcessingState::Unprocessed,
        reason: None,
        lead: None,
        lead_type: LeadType::Sponsored,
    }
}

impl SubmissionBuilder {
    pub fn response_id(mut self, id: &str) -> Self {
        self.response_id = id.to_owned();
        self
    }

    pub fn of(mut self, form: &FormId) -> Self {
        self.form = Some(form.clone());
        self
    }

    /// Replaces the answer to a question, or adds one.
    pub fn answer(mut self, question: i64, text: &str) -> Self {
        self.answers.retain(|(known, _)| *known != question);
        self.answers.push((question, text.to_owned()));
        self
    }

    pub fn submitted_at(mut self, at: DateTime<Utc>) -> Self {
        self.submitted_at = at;
        self
    }

    pub fn test(mut self) -> Self {
        self.is_test = true;
        self
    }

    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Processed with this outcome.
    pub fn outcome(mut self, status: MatchingStatus, reason: SubmissionReason) -> Self {
        self.status = status;
        self.reason = Some(reason);
        self.state = match status {
            MatchingStatus::LeadCreationFailed | MatchingStatus::LeadUpdateFailed => {
                ProcessingState::ProcessingFailed
            }
            MatchingStatus::PendingLeadMatching => ProcessingState::Unprocessed,
            _ => ProcessingState::ProcessingSucceeded,
        };
        self
    }

    /// Made or updated this lead.
    pub fn lead(mut self, lead: &LeadId) -> Self {
        self.lead = Some(lead.clone());
        self
    }

    pub fn insert(self, conn: &mut AnyConn) -> SubmissionId {
        use {lead_form_versions as v, lead_forms as f};
        let form = self.form.unwrap_or_else(|| a_form().insert(conn));
        let (account, form_number): (String, i64) = f::table
            .find(form.as_str())
            .select((f::account_id, f::linkedin_id))
            .first(conn)
            .unwrap();
        let version: String = v::table
            .filter(v::form_id.eq(form.as_str()))
            .order(v::version_number.desc())
            .select(v::id)
            .first(conn)
            .unwrap();
        let owner: i64 = linkedin_accounts::table
            .find(&account)
            .select(linkedin_accounts::linkedin_id)
            .first(conn)
            .unwrap();
        let id = SubmissionId::new(Uuid::now_v7());
        let raw = serde_json::json!({
            "id": self.response_id,
            "leadType": self.lead_type.wire(),
            "versionedLeadGenFormUrn": format!("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{form_number},1)"),
            "owner": { "sponsoredAccount": format!("urn:li:sponsoredAccount:{owner}") },
            "submittedAt": self.submitted_at.timestamp_millis(),
            "testLead": self.is_test,
            "formResponse": {
                "answers": self.answers.iter().map(|(question, text)| serde_json::json!({
                    "questionId": question,
                    "answerDetails": { "textQuestionAnswer": { "answer": text } },
                })).collect::<Vec<_>>(),
            },
        })
        .to_string()
        .into_bytes();
        let answer = |question: i64| {
            self.answers
                .iter()
                .find(|(id, _)| *id == question)
                .map(|(_, text)| text.clone())
                .unwrap_or_default()
        };
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| format!("{} {}", answer(1), answer(2)));
        let is_processed = self.state != ProcessingState::Unprocessed;
        let submission = store::intake::DecidedSubmission {
            id: id.clone(),
            response_id: self.response_id.clone(),
            account_id: account.parse().unwrap(),
            form_id: Some(form),
            form_version_id: Some(version.parse().unwrap()),
            form_linkedin: Some((form_number, 1)),
            campaign_id: None,
            campaign_linkedin_id: None,
            creative_linkedin_id: None,
            lead_type: self.lead_type,
            submitter_urn: None,
            submitted_at: self.submitted_at,
            received_at: self.submitted_at + TimeDelta::minutes(1),
            is_test: self.is_test,
            name,
            matching_status: self.status,
            processing_state: self.state,
            reason: self.reason,
            reason_detail: None,
            flag_count: 0,
            lead_id: self.lead.clone(),
            attempts: i64::from(is_processed),
            processed_at: is_processed.then(|| self.submitted_at + TimeDelta::minutes(1)),
            content_hash: sha2_of(&raw),
            revision: 1,
            raw,
            decision: None,
        };
        store::intake::save(conn, &[submission]).unwrap();
        id
    }
}

fn sha2_of(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

/// A lead.
pub struct LeadBuilder {
    values: LeadValues,
    status: LeadStatus,
    owner: Option<UserId>,
    topic: String,
    account: Option<AccountId>,
    form: Option<FormId>,
    created_at: DateTime<Utc>,
}

/// A new lead, Ada Lovelace of Analytical Engines, typed in by a person.
pub fn a_lead() -> LeadBuilder {
    LeadBuilder {
        values: LeadValues::new(),
        status: LeadStatus::New,
        owner: None,
        topic: "Analytical engines".into(),
        account: None,
        form: None,
        created_at: a_moment(),
    }
    .value(LeadField::FirstName, "Ada")
    .value(LeadField::LastName, "Lovelace")
    .value(
        LeadField::Email,
        &format!("ada-{}@example.com", fresh_number()),
    )
    .value(LeadField::CompanyName, "Analytical Engines")
}

impl LeadBuilder {
    /// Sets a field; an empty text takes it away.
    pub fn value(mut self, field: LeadField, text: &str) -> Self {
        if text.is_empty() {
            self.values.remove(&FieldKey::Standard(field));
        } else {
            self.values
                .insert(FieldKey::Standard(field), text.to_owned());
        }
        self
    }

    pub fn email(self, email: &str) -> Self {
        self.value(LeadField::Email, email)
    }

    pub fn name(self, first: &str, last: &str) -> Self {
        self.value(LeadField::FirstName, first)
            .value(LeadField::LastName, last)
    }

    pub fn status(mut self, status: LeadStatus) -> Self {
        self.status = status;
        self
    }

    pub fn owner(mut self, owner: &UserId) -> Self {
        self.owner = Some(owner.clone());
        self
    }

    pub fn topic(mut self, topic: &str) -> Self {
        self.topic = topic.to_owned();
        self
    }

    pub fn of(mut self, account: &AccountId, form: &FormId) -> Self {
        self.account = Some(account.clone());
        self.form = Some(form.clone());
        self
    }

    pub fn created_at(mut self, at: DateTime<Utc>) -> Self {
        self.created_at = at;
        self
    }

    /// Stores the lead, with its match keys when a strategy is active.
    pub fn insert(self, conn: &mut AnyConn) -> LeadId {
        let owner = self.owner.unwrap_or_else(|| a_user().insert(conn));
        let id = LeadId::new(Uuid::now_v7());
        let provenance: Provenance = self
            .values
            .keys()
            .map(|field| (field.clone(), FieldOrigin::outside(Origin::Person)))
            .collect();
        let lead = Lead {
            id: id.clone(),
            values: self.values,
            topic: self.topic,
            status: self.status,
            source: LeadSource::Manual,
            owner_id: owner,
            provenance,
            created_at: self.created_at,
            updated_at: self.created_at,
            first_submission_id: None,
            latest_submission_id: None,
            latest_submitted_at: None,
            submission_count: 0,
            account_id: self.account,
            form_id: self.form,
            campaign_id: None,
            member_urn: None,
            lock_version: 1,
        };
        store::lead_rows::save(conn, &[&lead]).unwrap();
        if let Ok(strategy) = store::matching_strategies::active(conn) {
            let keys = store::match_keys::keys_of(&strategy, &lead.values, None);
            store::match_keys::replace(conn, &[(id.clone(), keys)]).unwrap();
        }
        id
    }
}
