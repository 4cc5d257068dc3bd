//! What an error of Dataverse means for a delivery.

use crate::dataverse::{DataverseError, TokenProblem};
use crate::domain::delivery::DeliveryFailure;
use crate::sync::organizations::{detail, trouble};

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: DeliveryFailure,
    /// Trying again is useless until a person changed something.
    pub(super) is_final: bool,
    /// Other leads would fare no better.
    pub(super) is_of_organization: bool,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

impl Failure {
    /// The record was deleted in the organization.
    pub(super) fn deleted() -> Self {
        Self::own(DeliveryFailure::RecordDeleted, true, None)
    }

    /// A person has to decide.
    pub(super) fn needs_person(message: String) -> Self {
        Self::own(DeliveryFailure::NeedsPerson, true, Some(message))
    }

    /// The record changes there faster than it can be written.
    pub(super) fn conflict() -> Self {
        Self::own(DeliveryFailure::Conflict, false, None)
    }

    fn own(reason: DeliveryFailure, is_final: bool, message: Option<String>) -> Self {
        Self {
            reason,
            is_final,
            is_of_organization: false,
            status: None,
            code: None,
            message,
        }
    }
}

/// A refusal that is the doing of one record, though others like it are the organization's trouble; in the service's words.
pub(super) fn of_record(error: &DataverseError) -> Failure {
    let failure = of(error);
    let words = error.refusal().and_then(|refusal| refusal.message.clone());
    Failure {
        message: words.or(failure.message),
        is_of_organization: false,
        ..failure
    }
}

/// Sorts an error: whose trouble it is, and whether it can pass by itself.
pub(super) fn of(error: &DataverseError) -> Failure {
    use DeliveryFailure as Reason;
    let (reason, is_final, is_of_organization) = match error {
        DataverseError::Token { status: 429, .. } => (Reason::Throttled, false, true),
        DataverseError::Token { status, .. } if *status >= 500 => {
            (Reason::ServiceError, false, true)
        }
        DataverseError::Token {
            problem: TokenProblem::UnknownOrganization,
            ..
        } => (Reason::NotFound, false, true),
        DataverseError::Token { .. } | DataverseError::Unauthorized(_) => {
            (Reason::Unauthorized, false, true)
        }
        DataverseError::NotAUser(_) | DataverseError::MissingPrivilege { .. } => {
            (Reason::Forbidden, false, true)
        }
        DataverseError::RecordNotFound(_) => (Reason::RecordDeleted, true, false),
        DataverseError::NotFound(_) => (Reason::NotFound, false, true),
        DataverseError::Duplicate(_) | DataverseError::Invalid(_) => (Reason::Refused, true, false),
        DataverseError::Changed(_) | DataverseError::LinkExpired(_) => {
            (Reason::Conflict, false, false)
        }
        DataverseError::Throttled { .. } => (Reason::Throttled, false, true),
        DataverseError::Server { .. } | DataverseError::UnexpectedAnswer { .. } => {
            (Reason::ServiceError, false, true)
        }
        DataverseError::Timeout => (Reason::TimedOut, false, true),
        DataverseError::Network { .. } | DataverseError::CertificateNotTrusted => {
            (Reason::Unreachable, false, true)
        }
        DataverseError::AddressNotPublic => (Reason::AddressForbidden, false, true),
        DataverseError::Configuration { .. } => (Reason::InternalError, false, true),
    };
    let refusal = error.refusal();
    let status = match error {
        DataverseError::Token { status, .. } => Some(*status),
        _ => refusal.map(|refusal| refusal.status),
    };
    // The organization's trouble is told with its fix; a refusal of one lead in the service's words.
    let message = if is_of_organization {
        let trouble = trouble(error);
        let missing = match error {
            DataverseError::MissingPrivilege {
                privilege: Some(name),
                ..
            } => format!(" It asked for {name}."),
            _ => String::new(),
        };
        Some(format!("{trouble}{missing} {}", trouble.fix()))
    } else {
        refusal
            .and_then(|refusal| refusal.message.clone())
            .or_else(|| detail(error))
    };
    Failure {
        reason,
        is_final,
        is_of_organization,
        status,
        code: refusal.and_then(|refusal| refusal.code.clone()),
        message,
    }
}
