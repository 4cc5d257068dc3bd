//! Submissions that programs bring, and trying one again.

use actix_web::HttpRequest;
use actix_web::web::Data;
use serde_json::json;

use super::SubmissionDetailBody;
use crate::domain::ids::SubmissionId;
use crate::store::submission_acts::Which;
use crate::store::{StoreError, audit, submissions};
use crate::sync::acts::{self, Act, By, Outcome};
use crate::sync::hand_in::{HandInError, hand_in};
use crate::web::api::caller::Caller;
use crate::web::api::document::{self, Described, Group, LinkedInResponse};
use crate::web::api::input::{self, Id};
use crate::web::api::{ApiAnswer, ApiError, output};
use crate::web::submissions::acts::make_due;
use crate::web::{Portal, body};

/// POST /submissions, in the document.
pub fn describe_create() -> Described {
    Described::new(Group::Submissions, "handInSubmission", "Hand in a form submission")
        .about(
            "Its bytes are kept, and it is decided about as if it was pulled. LinkedIn’s response id makes it harmless to repeat.",
        )
        .takes::<LinkedInResponse>(
            "One response in LinkedIn’s own shape. The account and the form must be known here.",
            &["application/json"],
            &document::response(),
        )
        .sends::<SubmissionDetailBody>(
            200,
            "The response id was known: the submission that there is.",
            document::submission_detail(),
        )
        .sends_new::<SubmissionDetailBody>("The new submission.", document::submission_detail())
        .problems(&[409])
}

/// POST /submissions
///
/// # Errors
/// `Unprocessable` with what is missing, `Rule` when nothing of the account is read now, or as the database.
pub async fn create(request: HttpRequest, portal: Data<Portal>, caller: Caller) -> ApiAnswer {
    input::object(&request)?;
    // The exact bytes are kept, not what was read of them.
    let text = String::from_utf8(body::bytes(&request).to_vec())
        .map_err(|_| ApiError::field("", "The body must be UTF-8."))?;
    let deployment = portal.connector.deployment();
    let now = portal.clock.now();
    let taken = hand_in(&portal.store, deployment, &caller.actor(), now, text)
        .await
        .map_err(refusal)?;
    if taken.waits {
        portal.wake.notify_one();
    }
    let id = taken.id.clone();
    let detail = portal
        .store
        .read(move |conn| submissions::get(conn, &id))
        .await?;
    let record = SubmissionDetailBody::from(detail);
    Ok(if taken.is_new {
        output::created(&record, &format!("/submissions/{}", taken.id))
    } else {
        output::record(&record)
    })
}

fn refusal(error: HandInError) -> ApiError {
    match error {
        HandInError::Unusable(problems) => ApiError::Unprocessable(
            problems
                .into_iter()
                .map(|(member, sentence)| (member.to_owned(), sentence))
                .collect(),
        ),
        HandInError::NotAllowed(why) => StoreError::Rule(why).into(),
        HandInError::Store(error) => error.into(),
    }
}

/// POST /submissions/{id}/retries, in the document.
pub fn describe_retry() -> Described {
    Described::new(
        Group::Submissions,
        "retrySubmission",
        "Map and match a submission again",
    )
    .about("Only what failed or has no lead, and was not set aside, is tried. No body is needed.")
    .record::<SubmissionId>()
    .sends::<SubmissionDetailBody>(
        200,
        "The submission as it is now.",
        document::submission_detail(),
    )
    .problems(&[409])
}

/// POST /submissions/{id}/retries: maps and matches it again, as people do on its page.
///
/// # Errors
/// `NotFound`, `Rule` when there is nothing to try again, or as the database.
pub async fn retry(portal: Data<Portal>, caller: Caller, Id(id): Id<SubmissionId>) -> ApiAnswer {
    let (now, one) = (portal.clock.now(), id.clone());
    let outcome = portal
        .store
        .write(move |tx| {
            // Says that there is none before anything is tried.
            submissions::get(tx, &one)?;
            let by = By::Program(caller.token.id.clone(), caller.token.actor_name());
            let which = Which::Chosen(vec![one.clone()]);
            let outcome = acts::carry_out(tx, &which, &Act::Retry, &by, now)?;
            if outcome.taken > 0 {
                let object = ("form_submission", one.as_str(), "Form submission");
                let after = Some(json!({ "count": outcome.taken, "token_id": caller.token.id }));
                let action = "form_submission.retried";
                audit::record(tx, now, &caller.actor(), action, object, None, after)?;
            }
            Ok::<_, StoreError>(outcome)
        })
        .await?;
    match outcome {
        Outcome {
            taken: 0,
            skipped: 1..,
            ..
        } => {
            return Err(StoreError::Rule(
                "Its answers were erased or cannot be read, so there is nothing to try.".to_owned(),
            )
            .into());
        }
        Outcome { taken: 0, .. } => {
            return Err(StoreError::Rule(
                "There is nothing to try again: only what failed or has no lead, and was not set aside, is tried."
                    .to_owned(),
            )
            .into());
        }
        _ => {}
    }
    make_due(&portal, &outcome).await?;
    let detail = portal
        .store
        .read(move |conn| submissions::get(conn, &id))
        .await?;
    Ok(output::record(&SubmissionDetailBody::from(detail)))
}
