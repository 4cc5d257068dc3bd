//! From the client's errors to what people read.

use crate::dataverse::{DataverseError, TokenProblem};
use crate::domain::organization::OrganizationTrouble as Trouble;

/// What an error means.
#[must_use]
pub fn trouble(error: &DataverseError) -> Trouble {
    match error {
        DataverseError::Token { status, .. } if *status == 429 => Trouble::Throttled,
        DataverseError::Token { status, .. } if *status >= 500 => Trouble::Outage,
        DataverseError::Token { problem, .. } => match problem {
            TokenProblem::UnknownTenant => Trouble::UnknownTenant,
            TokenProblem::UnknownApplication => Trouble::UnknownApplication,
            TokenProblem::WrongSecret => Trouble::WrongSecret,
            TokenProblem::SecretExpired => Trouble::SecretExpired,
            TokenProblem::CertificateRefused => Trouble::CertificateRefused,
            TokenProblem::UnknownOrganization => Trouble::UnknownOrganization,
            TokenProblem::Other => Trouble::SignInRefused,
        },
        DataverseError::Unauthorized(_) => Trouble::TokenNotAccepted,
        DataverseError::NotAUser(_) => Trouble::NotAUser,
        DataverseError::MissingPrivilege { .. } => Trouble::MissingPrivilege,
        DataverseError::NotFound(_) => Trouble::NoWebApi,
        DataverseError::Throttled { .. } => Trouble::Throttled,
        DataverseError::Server { .. } => Trouble::Outage,
        DataverseError::Timeout => Trouble::NoAnswer,
        DataverseError::Network { .. } => Trouble::Unreachable,
        DataverseError::AddressNotPublic => Trouble::AddressNotPublic,
        DataverseError::CertificateNotTrusted => Trouble::CertificateNotTrusted,
        DataverseError::UnexpectedAnswer { .. } => Trouble::UnexpectedAnswer,
        DataverseError::RecordNotFound(_)
        | DataverseError::Duplicate(_)
        | DataverseError::Changed(_)
        | DataverseError::LinkExpired(_)
        | DataverseError::Invalid(_)
        | DataverseError::Configuration { .. } => Trouble::RequestRefused,
    }
}

/// The service's own code and words, where it said any; never a secret.
#[must_use]
pub fn detail(error: &DataverseError) -> Option<String> {
    match error {
        DataverseError::Token {
            status,
            error,
            description,
            ..
        } => Some(match description {
            Some(words) => format!("HTTP {status} {error}: {words}"),
            None => format!("HTTP {status} {error}"),
        }),
        DataverseError::Network { what }
        | DataverseError::UnexpectedAnswer { what }
        | DataverseError::Configuration { what } => Some(what.clone()),
        other => other.refusal().map(ToString::to_string),
    }
}
