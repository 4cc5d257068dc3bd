//! Mail that pages write: a link to somebody, or the test mail. It goes out by the scheduler; no page waits for it.

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::form::NoFields;
use super::{Answer, Flash, Form, Portal, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::account_link::LinkPurpose;
use crate::domain::ids::UserId;
use crate::domain::mail::{MailKind, MailState};
use crate::store::audit::{self, Actor};
use crate::store::{AnyConn, StoreError, mails};
use crate::sync::mails::cell;

/// A mail with a link, ready to be written in the transaction that makes the link.
pub(super) struct Letter {
    id: String,
    kind: MailKind,
    sealed: Vec<u8>,
}

impl Letter {
    /// Seals the link for the outbox.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub(super) fn new(
        portal: &Portal,
        purpose: LinkPurpose,
        link: &SecretString,
    ) -> Result<Self, WebError> {
        let id = portal.new_id().hyphenated().to_string();
        Ok(Self {
            kind: match purpose {
                LinkPurpose::Invitation => MailKind::Invitation,
                LinkPurpose::PasswordReset => MailKind::PasswordReset,
            },
            sealed: portal.connector.secret_key().seal(cell(&id), link)?,
            id,
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// As any query.
    pub(super) fn post(
        &self,
        tx: &mut AnyConn,
        user: &UserId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        mails::insert(tx, &self.id, self.kind, user, Some(&self.sealed), now)
    }
}

/// The badge of a state.
pub(super) const fn tone(state: &MailState) -> &'static str {
    match state {
        MailState::Waiting => "busy",
        MailState::Sent => "good",
        MailState::Failed => "bad",
    }
}

/// POST /settings/system/test-mails: to the person who asks.
///
/// # Errors
/// `Rule` without a mail server, or as the database.
pub async fn create_test(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    _: Form<NoFields>,
) -> Answer {
    if portal.settings.mail.is_none() {
        return Err(StoreError::Rule("No mail server is set up.".into()).into());
    }
    let (now, id) = (portal.clock.now(), portal.new_id().hyphenated().to_string());
    portal
        .store
        .write(move |tx| {
            mails::insert(tx, &id, MailKind::Test, &user.id, None, now)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "mail.test_sent", object, None, None)
        })
        .await?;
    Ok(shell.redirect("/settings/system").flash(Flash::success(
        "The test mail is on its way to your own address. Load this page again to see how far it came.",
    )))
}
