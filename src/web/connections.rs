//! Settings › LinkedIn account connections: what the organisation allows, and what a change would do before it is saved.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::confirm::own_password;
use super::form::SecretText;
use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::connections::{Refusal, Setting};
use crate::store::audit::Actor;
use crate::store::connections::{self, ConnectionSettings, Consequences, OBJECT};
use crate::store::{StoreError, consents};

/// Where the page is.
const PATH: &str = "/settings/linkedin-account-connections";

/// What can be chosen.
const CHOICES: [Setting; 2] = [Setting::Yes, Setting::No];

#[derive(Template)]
#[template(path = "connections/show.html")]
struct ConnectionsShow {
    shell: Shell,
    settings: ConnectionSettings,
    /// Whose consent holds.
    consented: i64,
    /// Why nobody may use LinkedIn here, whatever the setting says.
    overruled: Option<Refusal>,
    choices: [Setting; 2],
    history: History,
}

/// GET /settings/linkedin-account-connections
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let (settings, consented, history) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                connections::get(conn)?,
                consents::count(conn)?,
                history::read(conn, OBJECT.0, OBJECT.1)?,
            ))
        })
        .await?;
    let page = ConnectionsShow {
        overruled: portal.connector.deployment().check().err(),
        shell,
        settings,
        consented,
        choices: CHOICES,
        history,
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "connections/consequences.html")]
struct ConnectionsConsequences {
    shell: Shell,
    before: ConnectionSettings,
    /// The lock version that the form carries.
    lock_version: i64,
    setting: Setting,
    consequences: Consequences,
    errors: FieldErrors,
}

/// What was chosen on the page before.
#[derive(Debug, Deserialize)]
pub struct Choice {
    /// Without one: No, which meets the most.
    setting: Option<String>,
}

fn chosen(word: &str) -> Result<Setting, WebError> {
    word.parse()
        .ok()
        .filter(|setting| CHOICES.contains(setting))
        .ok_or_else(|| WebError::Invalid("Choose one of the answers on the page.".to_owned()))
}

async fn consequences_page(
    portal: &Portal,
    shell: Shell,
    setting: Setting,
) -> Result<ConnectionsConsequences, WebError> {
    let (before, consequences) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                connections::get(conn)?,
                connections::consequences(conn, setting, None)?,
            ))
        })
        .await?;
    Ok(ConnectionsConsequences {
        shell,
        lock_version: before.lock_version,
        before,
        setting,
        consequences,
        errors: FieldErrors::new(),
    })
}

/// GET /settings/linkedin-account-connections/consequences: who and what a change would meet.
///
/// # Errors
/// `Invalid`, or as the database.
pub async fn consequences(
    portal: Data<Portal>,
    shell: Shell,
    Query(choice): Query<Choice>,
) -> Answer {
    refuse_overruled(&portal)?;
    let page = consequences_page(
        &portal,
        shell,
        chosen(choice.setting.as_deref().unwrap_or(Setting::No.as_str()))?,
    )
    .await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The choice, confirmed.
#[derive(Debug, Deserialize)]
pub struct ConnectionsForm {
    setting: String,
    lock_version: String,
    your_password: SecretText,
}

/// What the deployment decides cannot be changed on a page.
fn refuse_overruled(portal: &Portal) -> Result<(), WebError> {
    portal
        .connector
        .deployment()
        .check()
        .map_err(|refusal| StoreError::Rule(refusal.why()).into())
}

/// POST /settings/linkedin-account-connections
///
/// # Errors
/// `Stale`, `Invalid`, or as the database.
pub async fn update(
    request: HttpRequest,
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<ConnectionsForm>,
) -> Answer {
    refuse_overruled(&portal)?;
    let setting = chosen(&form.setting)?;
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let mut errors = FieldErrors::new();
    let (field, given) = ("your_password", &form.your_password);
    own_password(&request, &portal, &current, given, field, &mut errors).await?;
    if !errors.is_empty() {
        let mut page = consequences_page(&portal, shell, setting).await?;
        (page.lock_version, page.errors) = (version, errors);
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let now = portal.clock.now();
    let done = portal
        .store
        .write(move |tx| connections::save(tx, (setting, None), version, &actor, now))
        .await?;
    portal.wake.notify_one();
    portal.events.look();
    let text = match (setting, done.people.len()) {
        (Setting::No, 0) => "LinkedIn account connections are set to No.".to_owned(),
        (_, 0) => format!(
            "LinkedIn account connections are set to {setting}. Nothing is read until people consent themselves."
        ),
        (_, 1) => format!(
            "LinkedIn account connections are set to {setting}. The consent of 1 person was withdrawn."
        ),
        (_, n) => format!(
            "LinkedIn account connections are set to {setting}. The consent of {n} people was withdrawn."
        ),
    };
    Ok(shell.redirect(PATH).flash(Flash::success(text)))
}
