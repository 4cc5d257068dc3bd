//! My account › Second factor: setting up an authenticator app, recovery codes, switching it off.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form::NoFields;
use super::{Answer, FieldErrors, Flash, Form, Portal, Shell, WebError};
use crate::auth::CurrentUser;
use crate::auth::second_factor::{self, SecretError};
use crate::store::audit::{self, Actor};
use crate::store::second_factors::{self, SecondFactor};
use crate::store::{StoreError, users};

/// Where the page is.
pub(super) const PATH: &str = "/account/second-factor";

impl From<SecretError> for WebError {
    fn from(error: SecretError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// A QR code as one path of squares.
struct Qr {
    path: String,
    /// Width and height, with the quiet zone around.
    size: usize,
}

/// The squares that a QR code needs around itself.
const QUIET: usize = 4;

impl Qr {
    fn of(text: &SecretString) -> Result<Self, WebError> {
        let code = QrCode::with_error_correction_level(text.expose_secret(), EcLevel::M)
            .map_err(|error| WebError::Internal(format!("QR code: {error}")))?;
        let width = code.width();
        let mut path = String::new();
        for (index, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                use std::fmt::Write as _;
                let (x, y) = (index % width + QUIET, index / width + QUIET);
                let _written = write!(path, "M{x} {y}h1v1h-1z");
            }
        }
        Ok(Self {
            path,
            size: width + 2 * QUIET,
        })
    }
}

/// What somebody needs to set up an app.
struct Setup {
    /// In groups of four, for typing.
    key: String,
    link: SecretString,
    qr: Qr,
}

#[derive(Template)]
#[template(path = "second_factor/show.html")]
struct SecondFactorShow {
    shell: Shell,
    /// Set up already.
    factor: Option<SecondFactor>,
    /// Being set up.
    setup: Option<Setup>,
    is_required: bool,
    /// Whether signing in would ask for it.
    can_be_on: bool,
    errors: FieldErrors,
}

/// The recovery codes that were made: shown on this one answer and kept nowhere.
#[derive(Template)]
#[template(path = "second_factor/codes.html")]
struct SecondFactorCodes {
    shell: Shell,
    codes: Vec<SecretString>,
    is_new: bool,
}

async fn page(
    portal: &Portal,
    shell: Shell,
    user: &CurrentUser,
) -> Result<SecondFactorShow, WebError> {
    let id = user.id.clone();
    let (factor, can_be_on, is_required) = portal
        .store
        .read(move |conn| {
            let record = users::get(conn, &id)?;
            let is_required = second_factors::is_required(conn, &record)?;
            let can_be_on = second_factors::can_be_on(conn, &record)?;
            Ok::<_, StoreError>((second_factors::find(conn, &id)?, can_be_on, is_required))
        })
        .await?;
    let (factor, pending) = match factor {
        Some(factor) if factor.confirmed_at.is_some() => (Some(factor), None),
        other => (None, other),
    };
    let setup = match pending {
        // Shown only to those who proved a short time ago who they are: an open session alone must not tell it.
        Some(pending) if shell.is_fresh() => {
            let secret = second_factor::open(portal.connector.secret_key(), &user.id, &pending)?;
            let link = second_factor::link(&secret, &user.email)?;
            let letters: Vec<char> = secret.expose_secret().chars().collect();
            let groups: Vec<String> = letters
                .chunks(4)
                .map(|group| group.iter().collect())
                .collect();
            Some(Setup {
                key: groups.join(" "),
                qr: Qr::of(&link)?,
                link,
            })
        }
        _ => None,
    };
    Ok(SecondFactorShow {
        shell,
        factor,
        setup,
        is_required,
        can_be_on,
        errors: FieldErrors::new(),
    })
}

/// GET /account/second-factor
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell, user: CurrentUser) -> Answer {
    let page = page(&portal, shell, &user).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /account/second-factor: begins to set one up.
///
/// # Errors
/// `Rule` when one is set up already, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    _: Form<NoFields>,
) -> Answer {
    let secret = second_factor::generate()?;
    let sealed = second_factor::seal(portal.connector.secret_key(), &user.id, &secret)?;
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            second_factors::begin(tx, &user.id, &sealed, now)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "second_factor.begun", object, None, None)
        })
        .await?;
    Ok(shell.redirect(PATH).quietly())
}

/// The code that the app shows.
#[derive(Debug, Deserialize)]
pub struct CodeForm {
    code: String,
}

/// POST /account/second-factor/confirmation: the app shows the right code, so signing in takes it from now on.
///
/// # Errors
/// `Stale` when nothing is being set up any more, or as the database.
pub async fn confirm(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<CodeForm>,
) -> Answer {
    let id = user.id.clone();
    let pending = portal
        .store
        .read(move |conn| second_factors::find(conn, &id))
        .await?
        .filter(|factor| factor.confirmed_at.is_none())
        .ok_or(StoreError::Stale("second factor"))?;
    let now = portal.clock.now();
    let secret = second_factor::open(portal.connector.secret_key(), &user.id, &pending)?;
    let Some(step) = second_factor::step_of(&secret, &form.code, now)? else {
        let mut page = page(&portal, shell, &user).await?;
        page.errors.add(
            "code",
            "This is not the code that the app shows now. Check the time of the device, then enter the next code.",
        );
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let codes = second_factor::recovery_codes()?;
    let hashes = hashes(&user, &codes);
    portal
        .store
        .write(move |tx| {
            second_factors::confirm(tx, &user.id, step, now)?;
            second_factors::replace_codes(tx, &user.id, &hashes)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "second_factor.added", object, None, None)
        })
        .await?;
    codes_page(shell, codes, true)
}

fn hashes(user: &CurrentUser, codes: &[SecretString]) -> Vec<String> {
    codes
        .iter()
        .map(|code| second_factor::hash_of(&user.id, code.expose_secret()))
        .collect()
}

fn codes_page(shell: Shell, codes: Vec<SecretString>, is_new: bool) -> Answer {
    // Whoever had to set it up may use the portal from now on, but this page was asked for before.
    let page = SecondFactorCodes {
        shell: shell.with_second_factor(),
        codes,
        is_new,
    };
    page.shell.render(StatusCode::CREATED, &page)
}

/// POST /account/second-factor/recovery-codes: new ones; those before work no longer.
///
/// # Errors
/// `Rule` when there is no second factor, or as the database.
pub async fn renew_codes(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    _: Form<NoFields>,
) -> Answer {
    let codes = second_factor::recovery_codes()?;
    let hashes = hashes(&user, &codes);
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            if !second_factors::is_on(tx, &user.id)? {
                return Err(StoreError::Rule("Set up a second factor first.".into()));
            }
            second_factors::replace_codes(tx, &user.id, &hashes)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            let action = "second_factor.recovery_codes_made";
            audit::record(tx, now, &actor, action, object, None, None)
        })
        .await?;
    codes_page(shell, codes, false)
}

/// POST /account/second-factor/removal
///
/// # Errors
/// `Rule` when there is none, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    _: Form<NoFields>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            if !second_factors::remove(tx, &user.id)? {
                return Err(StoreError::Rule("There is no second factor.".into()));
            }
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "second_factor.removed", object, None, None)
        })
        .await?;
    Ok(shell
        .redirect(PATH)
        .flash(Flash::success("Signing in takes no code from now on.")))
}
