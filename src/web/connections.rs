//! Settings › LinkedIn account connections: what the organisation allows, and what a change would do before it is saved.

mod evidence;
mod evidence_csv;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Portal, Query, Shell, WebError};
use crate::domain::access_review::Standing;
use crate::domain::connections::{Refusal, Setting};
use crate::domain::ids::GroupId;
use crate::store::access_reviews::{self, AccessReview};
use crate::store::audit::Actor;
use crate::store::connections::{self, ConnectionSettings, Consequences, OBJECT};
use crate::store::groups::{self, Group};
use crate::store::{StoreError, consents};

pub use evidence::{review, show as show_evidence};
pub use evidence_csv::export as export_evidence;

/// Where the page is.
const PATH: &str = "/settings/linkedin-account-connections";

/// What can be chosen.
const CHOICES: [Setting; 3] = [Setting::Yes, Setting::SelectedGroup, Setting::No];

#[derive(Template)]
#[template(path = "connections/show.html")]
struct ConnectionsShow {
    shell: Shell,
    settings: ConnectionSettings,
    /// Whose consent holds.
    consented: i64,
    /// Why nobody may use LinkedIn here, whatever the setting says.
    overruled: Option<Refusal>,
    choices: [Setting; 3],
    /// Those that can be selected: identifier, and name with the number of members.
    groups: Vec<(String, String)>,
    /// The selected one: identifier and name.
    group: Option<(GroupId, String)>,
    /// The one to preselect.
    group_id: String,
    errors: FieldErrors,
    /// The latest access review.
    latest: Option<AccessReview>,
    standing: Standing,
    history: History,
}

/// GET /settings/linkedin-account-connections
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let page = show_page(&portal, shell).await?;
    page.shell.render(StatusCode::OK, &page)
}

async fn show_page(portal: &Portal, shell: Shell) -> Result<ConnectionsShow, WebError> {
    let (settings, consented, groups, latest, history) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                connections::get(conn)?,
                consents::count(conn)?,
                groups::list(conn)?,
                access_reviews::latest(conn)?,
                history::read(conn, OBJECT.0, OBJECT.1)?,
            ))
        })
        .await?;
    let group = settings.selected_group_id.clone().and_then(|id| {
        let found = groups.iter().find(|listed| listed.group.id == id)?;
        Some((id, found.group.name.clone()))
    });
    let reviewed_at = latest.as_ref().map(|review| review.created_at);
    Ok(ConnectionsShow {
        standing: Standing::of(reviewed_at, portal.clock.now()),
        latest,
        overruled: portal.connector.deployment().check().err(),
        shell,
        consented,
        choices: CHOICES,
        groups: groups
            .into_iter()
            .map(|listed| {
                let members = match listed.member_count {
                    1 => "1 member".to_owned(),
                    n => format!("{n} members"),
                };
                (
                    listed.group.id.to_string(),
                    format!("{} ({members})", listed.group.name),
                )
            })
            .collect(),
        group_id: group
            .as_ref()
            .map(|(id, _)| id.to_string())
            .unwrap_or_default(),
        group,
        settings,
        history,
        errors: FieldErrors::new(),
    })
}

#[derive(Template)]
#[template(path = "connections/consequences.html")]
struct ConnectionsConsequences {
    shell: Shell,
    before: ConnectionSettings,
    /// The lock version that the form carries.
    lock_version: i64,
    setting: Setting,
    group: Option<Group>,
    consequences: Consequences,
}

/// What was chosen on the page before.
#[derive(Debug, Deserialize)]
pub struct Choice {
    /// Without one: No, which meets the most.
    setting: Option<String>,
    group: Option<String>,
}

/// The setting, with the group where it names one; `None` for a group that cannot be selected.
async fn chosen(
    portal: &Portal,
    word: &str,
    group: Option<&str>,
) -> Result<Option<(Setting, Option<Group>)>, WebError> {
    let setting = word
        .parse()
        .ok()
        .filter(|setting| CHOICES.contains(setting))
        .ok_or_else(|| WebError::Invalid("Choose one of the answers on the page.".to_owned()))?;
    if setting != Setting::SelectedGroup {
        return Ok(Some((setting, None)));
    }
    let Some(Ok(id)) = group.map(str::parse::<GroupId>) else {
        return Ok(None);
    };
    let found = portal
        .store
        .read(move |conn| groups::find(conn, &id))
        .await?;
    Ok(found.map(|group| (setting, Some(group))))
}

/// The page with what is missing: the group.
async fn without_group(portal: &Portal, shell: Shell) -> Answer {
    let mut page = show_page(portal, shell).await?;
    page.settings.setting = Setting::SelectedGroup;
    page.errors.add(
        "group",
        "Choose the group that may connect LinkedIn. Groups are made under Settings › Groups.",
    );
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn consequences_page(
    portal: &Portal,
    shell: Shell,
    (setting, group): (Setting, Option<Group>),
) -> Result<ConnectionsConsequences, WebError> {
    let group_id = group.as_ref().map(|group| group.id.clone());
    let (before, consequences) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                connections::get(conn)?,
                connections::consequences(conn, setting, group_id.as_ref())?,
            ))
        })
        .await?;
    Ok(ConnectionsConsequences {
        shell,
        lock_version: before.lock_version,
        before,
        setting,
        group,
        consequences,
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
    let word = choice.setting.as_deref().unwrap_or(Setting::No.as_str());
    let Some(choice) = chosen(&portal, word, choice.group.as_deref()).await? else {
        return without_group(&portal, shell).await;
    };
    let page = consequences_page(&portal, shell, choice).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The choice, confirmed.
#[derive(Debug, Deserialize)]
pub struct ConnectionsForm {
    setting: String,
    group: Option<String>,
    lock_version: String,
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
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<ConnectionsForm>,
) -> Answer {
    refuse_overruled(&portal)?;
    let Some((setting, group)) = chosen(&portal, &form.setting, form.group.as_deref()).await?
    else {
        return without_group(&portal, shell).await;
    };
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let now = portal.clock.now();
    let done = portal
        .store
        .write(move |tx| {
            let group = group.as_ref().map(|group| &group.id);
            connections::save(tx, (setting, group), version, &actor, now)
        })
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
