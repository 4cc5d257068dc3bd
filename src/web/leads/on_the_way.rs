//! What is said on a lead's page about a delivery to an organization that did not arrive yet.

use crate::domain::delivery::{DeliveryFailure as F, DeliveryState};
use crate::store::deliveries::standing::OnTheWay;

/// Whether the explanation of this failure promises another attempt, which a dead delivery does not get.
fn promises_another_attempt(reason: F) -> bool {
    matches!(
        reason,
        F::Unreachable
            | F::TimedOut
            | F::ServiceError
            | F::Throttled
            | F::Conflict
            | F::Interrupted
    )
}

/// Why it did not arrive, and what happens next.
#[must_use]
pub fn words(way: &OnTheWay) -> String {
    let lane = &way.lane;
    if way.state == DeliveryState::Dead {
        return match way.reason {
            Some(reason) if !promises_another_attempt(reason) => reason.explain().to_owned(),
            Some(reason) => format!(
                "{}. It was given up until somebody retries it.",
                reason.label()
            ),
            None => "It was given up until somebody retries it.".to_owned(),
        };
    }
    // What holds the whole queue up counts more than how this one fared before.
    let text = if !lane.is_enabled {
        "The organization is disabled. The lead is sent when it is enabled again."
    } else if lane.paused.is_some() {
        "Deliveries to the organization are paused. The lead is sent when somebody resumes them."
    } else if let Some(trouble) = &lane.trouble {
        trouble.reason.explain()
    } else {
        match (way.state, way.reason) {
            (DeliveryState::InProgress, _) => "It is being sent now.",
            (DeliveryState::Failed, Some(reason)) => reason.explain(),
            _ => "It waits for its turn.",
        }
    };
    text.to_owned()
}
