//! API tokens: list, make one (shown once), revoke one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell};
use crate::auth::{CurrentUser, api_tokens as issuing};
use crate::domain::access::TokenRole;
use crate::domain::api_token::{ApiTokenState, Lifetime, check_name};
use crate::domain::ids::ApiTokenId;
use crate::store::StoreError;
use crate::store::api_tokens::{self, ApiToken};
use crate::store::audit::{self, Actor};

const INDEX: &str = "/settings/api-tokens";

/// The colour of a state.
fn tone(state: ApiTokenState) -> &'static str {
    match state {
        ApiTokenState::Active => "good",
        ApiTokenState::Expired => "warning",
        ApiTokenState::Revoked => "quiet",
    }
}

#[derive(Template)]
#[template(path = "api_tokens/index.html")]
struct ApiTokensIndex {
    shell: Shell,
    tokens: Vec<ApiToken>,
    now: DateTime<Utc>,
}

/// GET /settings/api-tokens
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let page = ApiTokensIndex {
        tokens: portal.store.read(api_tokens::list).await?,
        now: portal.clock.now(),
        shell,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A token to make.
#[derive(Debug, Deserialize)]
pub struct NewTokenForm {
    name: String,
    role: String,
    lifetime: String,
}

#[derive(Template)]
#[template(path = "api_tokens/new.html")]
struct ApiTokensNew {
    shell: Shell,
    name: String,
    role: String,
    lifetime: String,
    errors: FieldErrors,
}

impl ApiTokensNew {
    fn roles(&self) -> Vec<(&'static str, String)> {
        TokenRole::ALL
            .iter()
            .map(|role| (role.as_str(), format!("{role}: {}", role.explain())))
            .collect()
    }

    fn lifetimes(&self) -> Vec<(&'static str, &'static str)> {
        Lifetime::ALL
            .iter()
            .map(|lifetime| (lifetime.as_str(), lifetime.label()))
            .collect()
    }
}

/// GET /settings/api-tokens/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = ApiTokensNew {
        shell,
        name: String::new(),
        role: TokenRole::ReadOnly.as_str().to_owned(),
        lifetime: Lifetime::Quarter.as_str().to_owned(),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The token that was made: shown on this one answer and kept nowhere.
#[derive(Template)]
#[template(path = "api_tokens/created.html")]
struct ApiTokensCreated {
    shell: Shell,
    token: ApiToken,
    text: SecretString,
}

/// POST /settings/api-tokens
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<NewTokenForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let name = errors.check("name", check_name(&form.name));
    let role = errors.check(
        "role",
        form.role
            .parse::<TokenRole>()
            .map_err(|_| "Choose one of the roles."),
    );
    let lifetime = errors.check(
        "lifetime",
        form.lifetime
            .parse::<Lifetime>()
            .map_err(|_| "Choose one of the lifetimes."),
    );
    let (true, Some(name), Some(role), Some(lifetime)) = (errors.is_empty(), name, role, lifetime)
    else {
        let page = ApiTokensNew {
            shell,
            name: form.name,
            role: form.role,
            lifetime: form.lifetime,
            errors,
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let issued = issuing::issue()?;
    let now = portal.clock.now();
    let token = ApiToken {
        id: ApiTokenId::new(portal.new_id()),
        name,
        role,
        prefix: issued.prefix,
        created_at: now,
        created_by: current.id,
        created_by_name: current.name,
        expires_at: lifetime.end(now),
        last_used_at: None,
        revoked_at: None,
    };
    let made = token.clone();
    portal
        .store
        .write(move |tx| {
            api_tokens::insert(tx, &made, &issued.hash)?;
            let after = json!({
                "role": made.role,
                "prefix": made.prefix,
                "expires_at": made.expires_at,
            });
            let object = ("api_token", made.id.as_str(), made.name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "api_token.created",
                object,
                None,
                Some(after),
            )
        })
        .await?;
    let page = ApiTokensCreated {
        shell,
        token,
        text: issued.text,
    };
    page.shell.render(StatusCode::CREATED, &page)
}

#[derive(Template)]
#[template(path = "api_tokens/show.html")]
struct ApiTokensShow {
    shell: Shell,
    token: ApiToken,
    state: ApiTokenState,
    history: History,
}

/// GET /settings/api-tokens/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<ApiTokenId>) -> Answer {
    let (token, history) = portal
        .store
        .read(move |conn| {
            let token = api_tokens::get(conn, &id)?;
            Ok::<_, StoreError>((token, history::read(conn, "api_token", id.as_str())?))
        })
        .await?;
    let page = ApiTokensShow {
        shell,
        state: token.state(portal.clock.now()),
        token,
        history,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/api-tokens/{id}/revocation: at once, and without a question for the password, because it takes access
/// away and must be quick when a token leaked.
///
/// # Errors
/// `NotFound`, `Rule` when it is revoked already, or as the database.
pub async fn revoke(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<ApiTokenId>,
) -> Answer {
    let now = portal.clock.now();
    let token = portal
        .store
        .write(move |tx| {
            let token = api_tokens::revoke(tx, &id, now)?;
            let object = ("api_token", id.as_str(), token.name.as_str());
            audit::record(tx, now, &actor, "api_token.revoked", object, None, None)?;
            Ok::<_, StoreError>(token)
        })
        .await?;
    let flash = Flash::success(format!(
        "The token {} is revoked. Requests with it are refused from now on.",
        token.name
    ));
    Ok(shell.redirect(INDEX).flash(flash))
}
