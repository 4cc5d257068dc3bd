//! Settings › Users and roles › Second factor: which roles need one, and taking one away from somebody who lost the device.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::form::NoFields;
use super::users::{check_role_words, roles_for_people};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, second_factors, sessions, sign_in_rules, users};

/// Where the page is.
const PATH: &str = "/settings/users/second-factor";

/// A role, and who of it has a second factor.
struct Line {
    role: Role,
    is_required: bool,
    people: usize,
    with_factor: usize,
}

#[derive(Template)]
#[template(path = "users/second_factor.html")]
struct UsersSecondFactor {
    shell: Shell,
    lines: Vec<Line>,
    errors: FieldErrors,
}

async fn page(portal: &Portal, shell: Shell) -> Result<UsersSecondFactor, WebError> {
    let (required, people, with_factor, rules) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                second_factors::required_roles(conn)?,
                users::list(conn)?,
                second_factors::list_people(conn)?,
                sign_in_rules::get(conn)?.rules,
            ))
        })
        .await?;
    let lines = roles_for_people()
        .into_iter()
        .map(|role| {
            let of_role = || {
                people.iter().filter(|user| {
                    let is_asked =
                        user.password_hash.is_some() || !rules.provider_checks_second_factor;
                    user.is_enabled && is_asked && user.roles.contains(&role)
                })
            };
            Line {
                role,
                is_required: required.contains(&role),
                people: of_role().count(),
                with_factor: of_role()
                    .filter(|user| with_factor.contains(&user.id))
                    .count(),
            }
        })
        .collect();
    Ok(UsersSecondFactor {
        shell,
        lines,
        errors: FieldErrors::new(),
    })
}

/// GET /settings/users/second-factor
///
/// # Errors
/// As the database.
pub async fn edit(portal: Data<Portal>, shell: Shell) -> Answer {
    let page = page(&portal, shell).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The roles that need a second factor.
#[derive(Debug, Deserialize)]
pub struct RolesForm {
    #[serde(default)]
    roles: Vec<String>,
}

/// POST /settings/users/second-factor: people of these roles without one see nothing else from their next request on.
///
/// # Errors
/// As the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<RolesForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let roles = check_role_words(&form.roles, &mut errors);
    if !errors.is_empty() {
        let mut page = page(&portal, shell).await?;
        page.errors = errors;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            let before = second_factors::required_roles(tx)?;
            second_factors::set_required_roles(tx, &roles)?;
            audit::record(
                tx,
                now,
                &actor,
                "second_factor.roles_changed",
                ("setting", "second_factor", "Second factor"),
                Some(json!({ "required_for": before })),
                Some(json!({ "required_for": roles })),
            )
        })
        .await?;
    Ok(shell
        .redirect(PATH)
        .flash(Flash::success("The setting was saved.")))
}

/// POST /settings/users/{id}/second-factor/removal: for a lost device; the person's sessions end.
///
/// # Errors
/// `Rule` when there is none, `NotFound`, or as the database.
pub async fn remove(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<UserId>,
    _: Form<NoFields>,
) -> Answer {
    let now = portal.clock.now();
    let back = format!("/settings/users/{id}");
    portal
        .store
        .write(move |tx| {
            let user = users::get(tx, &id)?;
            if !second_factors::remove(tx, &id)? {
                return Err(StoreError::Rule("This person has no second factor.".into()));
            }
            sessions::delete_all_of_user(tx, &id, None)?;
            let object = ("user", id.as_str(), user.name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "user.second_factor_removed",
                object,
                None,
                None,
            )
        })
        .await?;
    Ok(shell.redirect(back).flash(Flash::success(
        "The second factor was taken away, and the person’s sessions have ended. They sign in with the password and set up a new one.",
    )))
}
