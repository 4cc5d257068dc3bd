//! Sends what waits in the outbox of mail, again and again while the mail server is away. Nothing waits for it.

use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use super::SyncContext;
use crate::auth::secret_key::Cell;
use crate::domain::mail::{ATTEMPTS, MailState, text};
use crate::mail::{MailError, Mailer};
use crate::store::mails::{self, DueMail};
use crate::store::{self, StoreError};

/// How long the loop sleeps when nothing waits.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long it is told what was sent.
const KEEP: TimeDelta = TimeDelta::days(30);

/// Where the link of a mail is sealed.
#[must_use]
pub fn cell(id: &str) -> Cell<'_> {
    Cell {
        table: "mails",
        column: "link",
        row: id,
    }
}

/// Sends what is due until nothing is; answers how many mails the server took. Without a server nothing is written, and
/// nothing is sent.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let Some(mailer) = &ctx.mailer else {
        return Ok(0);
    };
    let mut sent = 0;
    while ctx.store.read(mails::is_any_due).await? {
        let Some(one) = ctx.store.write(mails::claim).await? else {
            continue;
        };
        let outcome = send(ctx, mailer, &one).await?;
        if outcome.is_ok() {
            sent += 1;
        }
        note(ctx, one, outcome).await?;
    }
    Ok(sent)
}

async fn send(
    ctx: &SyncContext,
    mailer: &Mailer,
    one: &DueMail,
) -> Result<Result<(), MailError>, StoreError> {
    let id = one.user_id.clone();
    let user = ctx
        .store
        .read(move |conn| store::users::get(conn, &id))
        .await?;
    let link = match &one.link {
        None => String::new(),
        Some(sealed) => match ctx.secret_key.open(cell(&one.id), sealed) {
            Ok(link) => link.expose_secret().to_owned(),
            Err(error) => {
                tracing::warn!(mail.id = %one.id, error = %error, "a mail’s link could not be opened");
                return Ok(Err(MailError {
                    words: "The link of this mail cannot be read any more. Make a new one.".into(),
                    is_permanent: true,
                }));
            }
        },
    };
    let (subject, text) = text(one.kind, &user.name, &link);
    Ok(mailer.send(&one.id, &user.email, subject, text).await)
}

async fn note(
    ctx: &SyncContext,
    one: DueMail,
    outcome: Result<(), MailError>,
) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    if let Err(error) = &outcome {
        tracing::warn!(mail.id = %one.id, mail.attempt = one.attempt, error = %error, "a mail was not sent");
    }
    ctx.store
        .write(move |conn| match outcome {
            Ok(()) => {
                mails::delete_ended_before(conn, now - KEEP)?;
                mails::end(conn, &one.id, MailState::Sent, None, now)
            }
            Err(error) if error.is_permanent || one.attempt >= ATTEMPTS => {
                mails::end(conn, &one.id, MailState::Failed, Some(&error.words), now)
            }
            Err(error) => mails::note_problem(conn, &one.id, &error.words),
        })
        .await
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_sending(ctx: SyncContext) {
    loop {
        if let Err(error) = run_due(&ctx).await {
            tracing::debug!(error = %error, "mail to be sent could not be read");
        }
        tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
    }
}
