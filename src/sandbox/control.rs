//! What a test may know and do behind LinkedIn's back; the handle and the control API below `/sandbox/` share it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::SandboxHandle;
use super::faults::Fault;
use super::forms::{FormVersion, QuestionKind};
use super::responses::{Answered, Response};
use super::state::{RequestRecord, Sandbox, Settings};
use super::submissions::{Submission, submit};
use super::world::{OwnerKey, World};

/// One response as it truly is, whoever may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The response id.
    pub id: String,
    /// The owner's URN.
    pub owner: String,
    /// SPONSORED, EVENT …
    pub lead_type: &'static str,
    /// The form.
    pub form_id: i64,
    /// The version answered.
    pub version: i64,
    /// Milliseconds since 1970.
    pub submitted_at: i64,
    /// A test lead.
    pub test: bool,
    /// The answer to EMAIL as typed, if the form asks for it.
    pub email: Option<String>,
    /// Answers by question id.
    pub answers: Vec<(i64, Answered)>,
}

/// Which truth is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TruthFilter {
    /// Only this ad account.
    pub account: Option<i64>,
    /// Only this page.
    pub organization: Option<i64>,
    /// Only test leads, or only production leads.
    pub test: Option<bool>,
    /// Only what the first member may read.
    pub readable: bool,
}

impl Truth {
    fn of(world: &World, response: Response) -> Self {
        Self {
            email: response.predefined(world, "EMAIL").map(str::to_owned),
            owner: response.owner.urn(),
            lead_type: response.lead_type,
            form_id: response.form_id,
            version: response.version,
            submitted_at: response.submitted_at,
            test: response.test,
            answers: response.answers,
            id: response.id,
        }
    }
}

impl TruthFilter {
    fn wants(&self, world: &World, owner: OwnerKey, lead_type: &str, test: bool) -> bool {
        let owner_fits = match owner {
            OwnerKey::Account(id) => {
                self.organization.is_none() && self.account.is_none_or(|wanted| wanted == id)
            }
            OwnerKey::Organization(id) => {
                self.account.is_none() && self.organization.is_none_or(|wanted| wanted == id)
            }
        };
        let readable = || {
            world
                .members
                .first()
                .is_some_and(|member| world.may_read_leads(&member.key, owner, lead_type))
        };
        owner_fits
            && self.test.is_none_or(|wanted| wanted == test)
            && (!self.readable || readable())
    }
}

/// An ad account as the control API names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountInfo {
    /// Number.
    pub id: i64,
    /// Name.
    pub name: String,
    /// The page behind it.
    pub organization: Option<i64>,
    /// Removed accounts keep only their rows in `adAccountUsers`.
    pub removed: bool,
}

/// A form as the control API names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormInfo {
    /// Number.
    pub id: i64,
    /// Name.
    pub name: String,
    /// The owner's URN.
    pub owner: String,
    /// The current version.
    pub version: i64,
    /// The current version's questions.
    pub questions: Vec<QuestionInfo>,
}

/// A question as the control API names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionInfo {
    /// Number.
    pub id: i64,
    /// The question as asked.
    pub text: String,
    /// LinkedIn's own field.
    pub predefined: Option<String>,
    /// The label.
    pub label: Option<String>,
    /// Options with their numbers; empty for text questions.
    pub options: Vec<(i64, String)>,
}

impl Sandbox {
    pub(super) fn truth(&self, filter: TruthFilter) -> Vec<Truth> {
        let history = self.history();
        let world = &history.world;
        let seeded = world
            .streams
            .iter()
            .filter(|stream| filter.wants(world, stream.owner, stream.lead_type, stream.test))
            .flat_map(|stream| (0..stream.count).map(move |index| (stream, index)))
            .filter(|(stream, index)| !history.deleted.contains(&(stream.key, *index)))
            .filter_map(|(stream, index)| world.seeded_response(stream, index));
        let added = history
            .added
            .iter()
            .filter(|response| {
                filter.wants(world, response.owner, response.lead_type, response.test)
            })
            .cloned();
        seeded
            .chain(added)
            .map(|response| Truth::of(world, response))
            .collect()
    }

    /// A new version of a form: its choice questions count their options the other way round.
    pub(super) fn edit_form(&self, form_id: i64) -> Option<i64> {
        let modified = self.now_ms();
        let mut history = self.change_history();
        let form = history
            .world
            .forms
            .iter_mut()
            .find(|form| form.id == form_id)?;
        let mut version: FormVersion = form.current()?.clone();
        version.version += 1;
        version.modified = modified;
        for question in &mut version.questions {
            if let QuestionKind::Choice(options, _) = &mut question.kind {
                let numbers: Vec<i64> = options.iter().rev().map(|(id, _)| *id).collect();
                for ((id, _), number) in options.iter_mut().zip(numbers) {
                    *id = number;
                }
                options.sort_by_key(|(id, _)| *id);
            }
        }
        let number = version.version;
        form.versions.push(version);
        Some(number)
    }

    pub(super) fn set_account_role(&self, member: &str, account: i64, role: Option<&str>) {
        let mut history = self.change_history();
        let key = (member.to_owned(), account);
        match role {
            Some(role) => history.world.account_roles.insert(key, role.to_owned()),
            None => history.world.account_roles.remove(&key),
        };
    }

    pub(super) fn set_page_role(&self, member: &str, organization: i64, role: Option<&str>) {
        let mut history = self.change_history();
        let key = (member.to_owned(), organization);
        match role {
            Some(role) => history.world.page_roles.insert(key, role.to_owned()),
            None => history.world.page_roles.remove(&key),
        };
    }

    pub(super) fn withdraw_all(&self) {
        let mut tokens = self.tokens();
        for member in tokens.members_with_consent() {
            tokens.withdraw(&member);
        }
    }

    pub(super) fn accounts(&self) -> Vec<AccountInfo> {
        let history = self.history();
        let info = |account: &super::world::Account| AccountInfo {
            id: account.id,
            name: account.name.to_owned(),
            organization: account.organization,
            removed: account.removed,
        };
        history.world.accounts.iter().map(info).collect()
    }

    pub(super) fn forms(&self) -> Vec<FormInfo> {
        let history = self.history();
        history
            .world
            .forms
            .iter()
            .filter_map(|form| {
                let version = form.current()?;
                let questions = version.questions.iter().map(|question| QuestionInfo {
                    id: question.id,
                    text: question.text.clone(),
                    predefined: question.predefined.clone(),
                    label: question.label.clone(),
                    options: match &question.kind {
                        QuestionKind::Choice(options, _) => options.clone(),
                        QuestionKind::Text(_) => Vec::new(),
                    },
                });
                Some(FormInfo {
                    id: form.id,
                    name: form.name.clone(),
                    owner: form.owner.urn(),
                    version: version.version,
                    questions: questions.collect(),
                })
            })
            .collect()
    }

    /// Merges a JSON object into the settings.
    pub(super) fn merge_settings(&self, changes: Value) -> Result<Settings, String> {
        let mut settings = self.change_settings();
        let mut merged = serde_json::to_value(&*settings).map_err(|error| error.to_string())?;
        let (Value::Object(known), Value::Object(changes)) = (&mut merged, changes) else {
            return Err("a JSON object is expected".to_owned());
        };
        known.extend(changes);
        *settings = serde_json::from_value(merged).map_err(|error| error.to_string())?;
        Ok(settings.clone())
    }

    pub(super) fn world_json(&self) -> Value {
        let history = self.history();
        let world = &history.world;
        let members: Vec<Value> = world
            .members
            .iter()
            .map(|member| {
                let of = |roles: &std::collections::BTreeMap<(String, i64), String>| -> Vec<Value> {
                    roles
                        .iter()
                        .filter(|((key, _), _)| *key == member.key)
                        .map(|((_, id), role)| json!({ "id": id, "role": role }))
                        .collect()
                };
                json!({
                    "key": member.key, "urn": member.urn(), "name": format!("{} {}", member.given_name, member.family_name),
                    "email": member.email, "password": member.password, "about": member.about,
                    "accounts": of(&world.account_roles), "organizations": of(&world.page_roles),
                })
            })
            .collect();
        let organizations: Vec<Value> = world
            .organizations
            .iter()
            .map(|page| json!({ "id": page.id, "name": page.name }))
            .collect();
        drop(history);
        json!({
            "client_id": super::CLIENT_ID, "client_secret": super::CLIENT_SECRET, "now_ms": self.now_ms(),
            "members": members, "organizations": organizations, "accounts": self.accounts(), "forms": self.forms(),
        })
    }
}

impl SandboxHandle {
    /// Every response there is, whoever may read it.
    #[must_use]
    pub fn truth(&self, filter: TruthFilter) -> Vec<Truth> {
        self.sandbox.truth(filter)
    }

    /// The members who can sign in; the first one sees most.
    #[must_use]
    pub fn members(&self) -> Vec<super::Member> {
        self.sandbox.history().world.members.clone()
    }

    /// The ad accounts: several of the first member's, one without page role, one without page, one removed, one without forms.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountInfo> {
        self.sandbox.accounts()
    }

    /// The forms in their current versions.
    #[must_use]
    pub fn forms(&self) -> Vec<FormInfo> {
        self.sandbox.forms()
    }

    /// Submits a lead; its response id, or `None` when the submission names no form.
    pub fn submit(&self, submission: &Submission) -> Option<String> {
        submit(&self.sandbox, submission)
    }

    /// The member withdrew the response, or its retention ended: it is no longer returned. Whether there was one.
    pub fn delete_response(&self, id: &str) -> bool {
        self.sandbox.delete_response(id)
    }

    /// The subscriptions to notifications: LinkedIn's number and the webhook.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(i64, String)> {
        let hooks = self.sandbox.hooks();
        let all = hooks.subscriptions.iter();
        all.map(|one| (one.id, one.webhook.clone())).collect()
    }

    /// Forgets every subscription, as LinkedIn does with those of an app that it blocked.
    pub fn forget_subscriptions(&self) {
        self.sandbox.hooks().subscriptions.clear();
    }

    /// How many notifications are still to be sent.
    #[must_use]
    pub fn notifications_waiting(&self) -> usize {
        super::webhook::waiting(&self.sandbox)
    }

    /// The form's author edits it: a new version whose options are numbered differently. Its number.
    pub fn edit_form(&self, form_id: i64) -> Option<i64> {
        self.sandbox.edit_form(form_id)
    }

    /// Turns a fault on; its number.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.sandbox.faults().add(fault)
    }

    /// Turns every fault off.
    pub fn clear_faults(&self) {
        self.sandbox.faults().clear();
    }

    /// The faults that are on, with their numbers.
    #[must_use]
    pub fn faults(&self) -> Vec<(u64, Fault)> {
        self.sandbox.faults().list()
    }

    /// The settings as they are.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.sandbox.settings()
    }

    /// Changes settings.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.sandbox.change_settings());
    }

    /// The sandbox's time.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.sandbox.now()
    }

    /// Moves the sandbox's time, and only the sandbox's.
    pub fn advance(&self, by: chrono::TimeDelta) {
        self.sandbox.advance_ms(by.num_milliseconds());
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.sandbox.requests()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.sandbox.clear_requests();
    }

    /// Gives a member (by key) a role on an ad account, or takes it away.
    pub fn set_account_role(&self, member: &str, account: i64, role: Option<&str>) {
        self.sandbox.set_account_role(member, account, role);
    }

    /// Gives a member (by key) a role on a page, or takes it away.
    pub fn set_page_role(&self, member: &str, organization: i64, role: Option<&str>) {
        self.sandbox.set_page_role(member, organization, role);
    }

    /// Every member withdraws consent in the privacy settings: all tokens are revoked.
    pub fn withdraw_all(&self) {
        self.sandbox.withdraw_all();
    }

    /// Every access token ends now; refresh tokens live on.
    pub fn expire_access_tokens(&self) {
        let now = self.sandbox.now().timestamp();
        self.sandbox.tokens().expire_all(now);
    }
}
