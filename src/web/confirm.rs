//! Asks for one's own password again before what an open session alone must not be able to do.

use actix_web::HttpRequest;

use super::form::SecretText;
use super::guards::client_address;
use super::{FieldErrors, Portal, WebError};
use crate::auth::CurrentUser;
use crate::auth::passwords::Verdict;
use crate::auth::throttle::Attempt;
use crate::store::users;

/// Checks the person's own password and notes an error at `field` when it is wrong. Guesses are throttled as at sign-in:
/// a session that somebody took over must not become a way to guess the password.
///
/// # Errors
/// As the database.
pub async fn own_password(
    request: &HttpRequest,
    portal: &Portal,
    user: &CurrentUser,
    password: &SecretText,
    field: &str,
    errors: &mut FieldErrors,
) -> Result<(), WebError> {
    let now = portal.clock.now();
    let attempt = Attempt::new(&format!("confirm:{}", user.id), client_address(request));
    if attempt.begin(&portal.store, now).await?.is_err() {
        errors.add(
            field,
            "There were too many attempts. Wait some minutes, then try again.",
        );
        return Ok(());
    }
    let id = user.id.clone();
    let record = portal.store.read(move |conn| users::get(conn, &id)).await?;
    let verdict = portal
        .passwords
        .verify(password.0.clone(), record.password_hash)
        .await?;
    if verdict == Verdict::Wrong {
        errors.add(field, "This is not your password.");
        return Ok(());
    }
    Ok(portal
        .store
        .write(move |tx| attempt.succeeded(tx, now))
        .await?)
}
