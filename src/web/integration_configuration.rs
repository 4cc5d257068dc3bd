//! Integration Configuration: how submissions become leads, who owns them, what the organization is called.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Portal, Shell, WebError};
use crate::domain::ids::UserId;
use crate::domain::matching::{
    ClosedLead, MatchingSettings, NoMatchAnswer, OnMatchFail, SeveralMatch, TestLeads,
};
use crate::domain::normalise;
use crate::domain::notification::MemberDeletion;
use crate::store::audit::{self, Actor};
use crate::store::integration_settings::{self, IntegrationSettings};
use crate::store::seed::BUILT_IN_ORGANIZATION;
use crate::store::users::{self, User};
use crate::store::{StoreError, lock_rules};

/// Where the page is.
const PATH: &str = "/settings/integration-configuration";
/// The most characters of the organization's name.
const MAX_NAME: usize = 100;

/// The form as it was sent, or as it is shown first.
#[derive(Debug, Clone, Deserialize)]
pub struct SettingsForm {
    organization_name: String,
    on_match_fail: String,
    several_match: String,
    closed_lead: String,
    no_match_answer: String,
    always_create_lead: String,
    test_leads: String,
    default_country: String,
    fallback_owner: String,
    member_deletion: String,
    lock_version: String,
}

impl SettingsForm {
    fn of(settings: &IntegrationSettings, organization_name: String) -> Self {
        let matching = &settings.matching;
        Self {
            organization_name,
            on_match_fail: matching.on_match_fail.as_str().to_owned(),
            several_match: matching.several_match.as_str().to_owned(),
            closed_lead: matching.closed_lead.as_str().to_owned(),
            no_match_answer: matching.no_match_answer.as_str().to_owned(),
            always_create_lead: if matching.always_create_lead {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            test_leads: matching.test_leads.as_str().to_owned(),
            default_country: matching.default_country.clone().unwrap_or_default(),
            fallback_owner: settings
                .fallback_owner_id
                .as_ref()
                .map(|id| id.as_str().to_owned())
                .unwrap_or_default(),
            member_deletion: settings.member_deletion.as_str().to_owned(),
            lock_version: settings.lock_version.to_string(),
        }
    }

    /// Checks every field. `None` if something is wrong: `errors` says what.
    fn check(&self, people: &[User], errors: &mut FieldErrors) -> Option<Checked> {
        let name = self.organization_name.trim();
        if name.is_empty() {
            errors.add("organization_name", "Enter the name of your organization.");
        } else if name.chars().count() > MAX_NAME {
            errors.add(
                "organization_name",
                format!("A name may have at most {MAX_NAME} characters."),
            );
        }
        let on_match_fail = choice::<OnMatchFail>("on_match_fail", &self.on_match_fail, errors);
        let several_match = choice::<SeveralMatch>("several_match", &self.several_match, errors);
        let closed_lead = choice::<ClosedLead>("closed_lead", &self.closed_lead, errors);
        let no_match_answer =
            choice::<NoMatchAnswer>("no_match_answer", &self.no_match_answer, errors);
        let test_leads = choice::<TestLeads>("test_leads", &self.test_leads, errors);
        let member_deletion =
            choice::<MemberDeletion>("member_deletion", &self.member_deletion, errors);
        let always_create_lead = match self.always_create_lead.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => {
                errors.add("always_create_lead", "Choose Yes or No.");
                None
            }
        };
        let country = self.default_country.trim();
        if !country.is_empty() && !normalise::is_country(country) {
            errors.add(
                "default_country",
                "Enter the two letters of a country, for example DE or US, or leave it empty.",
            );
        }
        let fallback_owner_id = if self.fallback_owner.is_empty() {
            None
        } else {
            let found = people
                .iter()
                .find(|person| person.id.as_str() == self.fallback_owner);
            match found {
                Some(person) if person.is_enabled => Some(person.id.clone()),
                Some(_) => {
                    errors.add(
                        "fallback_owner",
                        "This person is disabled. Choose somebody who can sign in.",
                    );
                    None
                }
                None => {
                    errors.add("fallback_owner", "Choose a person from the list.");
                    None
                }
            }
        };
        if !errors.is_empty() {
            return None;
        }
        Some(Checked {
            organization_name: name.to_owned(),
            matching: MatchingSettings {
                on_match_fail: on_match_fail?,
                several_match: several_match?,
                closed_lead: closed_lead?,
                no_match_answer: no_match_answer?,
                test_leads: test_leads?,
                always_create_lead: always_create_lead?,
                default_country: (!country.is_empty()).then(|| country.to_ascii_uppercase()),
            },
            fallback_owner_id,
            member_deletion: member_deletion?,
        })
    }
}

fn choice<T: std::str::FromStr>(field: &str, word: &str, errors: &mut FieldErrors) -> Option<T> {
    let parsed = word.parse().ok();
    if parsed.is_none() {
        errors.add(field, "Choose one of the answers in the list.");
    }
    parsed
}

/// What the form says when it is right.
struct Checked {
    organization_name: String,
    matching: MatchingSettings,
    fallback_owner_id: Option<UserId>,
    member_deletion: MemberDeletion,
}

/// The settings in the audit log.
const OBJECT: &str = "integration_configuration";

#[derive(Template)]
#[template(path = "integration_configuration/edit.html")]
struct IntegrationConfigurationEdit {
    shell: Shell,
    form: SettingsForm,
    errors: FieldErrors,
    updated_at: DateTime<Utc>,
    on_match_fail: Vec<(&'static str, &'static str)>,
    several_match: Vec<(&'static str, &'static str)>,
    closed_lead: Vec<(&'static str, &'static str)>,
    no_match_answer: Vec<(&'static str, &'static str)>,
    test_leads: Vec<(&'static str, &'static str)>,
    member_deletion: Vec<(&'static str, &'static str)>,
    yes_no: [(&'static str, &'static str); 2],
    owners: Vec<(String, String)>,
    history: History,
}

/// Stored word and label of a closed list, for a select.
macro_rules! options {
    ($list:ty) => {
        <$list>::ALL
            .iter()
            .map(|word| (word.as_str(), word.label()))
            .collect()
    };
}

impl IntegrationConfigurationEdit {
    fn new(
        shell: Shell,
        form: SettingsForm,
        updated_at: DateTime<Utc>,
        people: Vec<User>,
        history: History,
    ) -> Self {
        let owners = people
            .into_iter()
            .filter(|person| person.is_enabled || person.id.as_str() == form.fallback_owner)
            .map(|person| {
                let label = if person.is_enabled {
                    person.name
                } else {
                    format!("{} (disabled)", person.name)
                };
                (person.id.into_string(), label)
            })
            .collect();
        Self {
            shell,
            form,
            errors: FieldErrors::new(),
            updated_at,
            on_match_fail: options!(OnMatchFail),
            several_match: options!(SeveralMatch),
            closed_lead: options!(ClosedLead),
            no_match_answer: options!(NoMatchAnswer),
            test_leads: options!(TestLeads),
            member_deletion: options!(MemberDeletion),
            yes_no: [("no", "No"), ("yes", "Yes")],
            owners,
            history,
        }
    }
}

/// The settings, the organization's name, everybody who can own leads, and what happened to the settings.
async fn load(
    portal: &Portal,
) -> Result<(IntegrationSettings, String, Vec<User>, History), WebError> {
    let loaded = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                integration_settings::get(conn)?,
                integration_settings::organization_name(conn)?,
                users::list(conn)?,
                history::read(conn, OBJECT, BUILT_IN_ORGANIZATION)?,
            ))
        })
        .await?;
    Ok(loaded)
}

/// GET /settings/integration-configuration
///
/// # Errors
/// As the database.
pub async fn edit(portal: Data<Portal>, shell: Shell) -> Answer {
    let (settings, name, people, history) = load(&portal).await?;
    let form = SettingsForm::of(&settings, name);
    let page = IntegrationConfigurationEdit::new(shell, form, settings.updated_at, people, history);
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/integration-configuration
///
/// # Errors
/// `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<SettingsForm>,
) -> Answer {
    let expected: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The field “lock_version” is not a number.".to_owned()))?;
    let (stored, _, people, history) = load(&portal).await?;
    let mut errors = FieldErrors::new();
    if let Some(checked) = form.check(&people, &mut errors) {
        let now = portal.clock.now();
        portal
            .store
            .write(move |tx| save(tx, checked, expected, now, &actor))
            .await?;
        let flash = Flash::success(
            "The integration configuration was saved. It counts from the next submission on.",
        );
        return Ok(shell.redirect(PATH).flash(flash));
    }
    let mut page =
        IntegrationConfigurationEdit::new(shell, form, stored.updated_at, people, history);
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn save(
    tx: &mut crate::store::AnyConn,
    checked: Checked,
    expected: i64,
    now: DateTime<Utc>,
    actor: &Actor,
) -> Result<(), StoreError> {
    lock_rules(tx)?;
    let before = integration_settings::get(tx)?;
    let before_name = integration_settings::organization_name(tx)?;
    let after = IntegrationSettings {
        matching: checked.matching,
        fallback_owner_id: checked.fallback_owner_id,
        member_deletion: checked.member_deletion,
        updated_at: now,
        lock_version: expected,
    };
    integration_settings::save(tx, &after, expected, now)?;
    if before_name != checked.organization_name {
        integration_settings::rename_organization(tx, &checked.organization_name, now)?;
    }
    let states = (
        state(&before, &before_name),
        state(&after, &checked.organization_name),
    );
    let object = (OBJECT, BUILT_IN_ORGANIZATION, "Integration Configuration");
    let action = "integration_configuration.updated";
    audit::record(
        tx,
        now,
        actor,
        action,
        object,
        Some(states.0),
        Some(states.1),
    )
}

/// The settings as the audit log keeps them.
fn state(settings: &IntegrationSettings, organization_name: &str) -> Value {
    let mut state = json!({
        "organization_name": organization_name,
        "fallback_owner_id": settings.fallback_owner_id,
        "member_deletion": settings.member_deletion.as_str(),
    });
    if let (Some(state), Ok(Value::Object(matching))) = (
        state.as_object_mut(),
        serde_json::to_value(&settings.matching),
    ) {
        state.extend(matching);
    }
    state
}
