//! One clear page for each way in which a sign-in at the identity provider can end early.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::SignInError;
use crate::auth::identities::IdentityError;
use crate::oidc::{IdTokenProblem, OidcError};
use crate::web::sign_in::provider_name;
use crate::web::{Portal, Shell, WebError, confirm};

/// What a page about a failed sign-in says.
struct Refusal {
    status: StatusCode,
    title: String,
    cause: String,
    what_to_do: String,
    /// The way on.
    back: String,
    back_label: &'static str,
}

impl Refusal {
    fn new(
        status: StatusCode,
        title: impl Into<String>,
        cause: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title: title.into(),
            cause: cause.into(),
            what_to_do: what_to_do.into(),
            back: "/sign-in".to_owned(),
            back_label: "Back to sign-in",
        }
    }

    /// The page of each failure; `Err` for what has a page elsewhere. `name` is what people call the provider.
    fn of(error: SignInError, name: &str) -> Result<Self, WebError> {
        use StatusCode as S;
        const AGAIN: &str = "Go back to sign-in and begin there. If you did not begin this yourself, somebody may have sent you a link: nobody was signed in.";
        Ok(match error {
            SignInError::StateMissing => Self::new(
                S::UNAUTHORIZED,
                "This answer does not belong to a sign-in",
                "The answer carries no state, so the portal cannot know who asked for it.",
                AGAIN,
            ),
            SignInError::StateWrong => Self::new(
                S::UNAUTHORIZED,
                "This answer does not belong to this browser",
                "The state in the answer is not one that this browser was given. That happens when you began in another browser, when you are signed in already, and when somebody else’s link is opened.",
                AGAIN,
            ),
            SignInError::StateExpired => Self::new(
                S::UNAUTHORIZED,
                "This took too long",
                format!(
                    "The answer of {name} came more than 10 minutes after you began, so it is no longer accepted."
                ),
                "Go back to sign-in and try again.",
            ),
            SignInError::StateReused => Self::new(
                S::UNAUTHORIZED,
                "This answer was used before",
                "Each answer can be used once. That happens when the page is loaded again, or with the Back button.",
                "Go back to sign-in and try again.",
            ),
            SignInError::OtherIssuer => Self::new(
                S::UNAUTHORIZED,
                "Somebody else answered",
                format!("The answer says that it does not come from {name}."),
                AGAIN,
            ),
            SignInError::Refused(word) if word == "access_denied" => Self::new(
                S::OK,
                "You were not signed in",
                format!(
                    "{name} says that the sign-in was cancelled, or that you may not use this portal."
                ),
                format!(
                    "Try again when you are ready. If you did not cancel it, ask whoever administers {name} to let you use this portal."
                ),
            ),
            SignInError::Refused(word) => Self::new(
                S::BAD_GATEWAY,
                format!("{name} refused"),
                format!("{name} answered with the error “{word}”."),
                "Try again; if it happens again, show this page to an Administrator.",
            ),
            SignInError::NoCode => Self::new(
                S::BAD_GATEWAY,
                "The answer is incomplete",
                format!("{name} sent neither a code nor an error."),
                "Try again; if it happens again, show this page to an Administrator.",
            ),
            SignInError::OtherPerson => Self::new(
                S::FORBIDDEN,
                "Somebody else signed in",
                format!(
                    "The person who signed in at {name} just now is not the one whom {name} signed in here before."
                ),
                "Sign in with your own account.",
            ),
            SignInError::Provider(error) => Self::of_provider(error, name),
            SignInError::Identity(error) => return Self::of_identity(error, name),
        })
    }

    /// The page of a failed confirmation: the person stays signed in, and `to` is what they wanted to open.
    fn of_confirmation(error: SignInError, name: &str, to: &str) -> Result<Self, WebError> {
        let is_cancelled = matches!(&error, SignInError::Refused(word) if word == "access_denied");
        let mut page = Self::of(error, name)?;
        if is_cancelled {
            "You did not confirm that it is you".clone_into(&mut page.title);
            page.cause = format!("{name} says that signing in was cancelled.");
        }
        "You stay signed in, and nothing was changed. Try again; if it happens every time, show this page to an Administrator."
            .clone_into(&mut page.what_to_do);
        page.back = confirm::way_over(to);
        page.back_label = "Back to the confirmation";
        Ok(page)
    }

    fn of_provider(error: OidcError, name: &str) -> Self {
        use StatusCode as S;
        match error {
            OidcError::Away { .. } => Self::new(
                S::BAD_GATEWAY,
                format!("{name} does not answer"),
                format!(
                    "{name} could not be reached, or answered with something that cannot be read."
                ),
                "Wait a few minutes and try again. If you have a password here, sign in with it.",
            ),
            OidcError::Metadata { what } => Self::new(
                S::BAD_GATEWAY,
                format!("{name} cannot be used"),
                format!("What {name} says about itself does not fit: {what}."),
                "Show this page to an Administrator, who can check LEADGEN_OIDC_ISSUER.",
            ),
            OidcError::ClientRefused => Self::new(
                S::BAD_GATEWAY,
                format!("{name} does not accept this portal"),
                "The client id or the client secret in the portal’s configuration is wrong, or the secret has ended.",
                "Ask an Administrator to check LEADGEN_OIDC_CLIENT_ID and LEADGEN_OIDC_CLIENT_SECRET.",
            ),
            OidcError::CodeRefused { error } => Self::new(
                S::BAD_GATEWAY,
                format!("{name} did not accept its own answer"),
                format!("The code in the answer could not be exchanged. {name} says: “{error}”."),
                "Try again. If it happens every time, the redirect URI at the provider is not exactly the one of this portal.",
            ),
            OidcError::IdToken(IdTokenProblem::Tenant) => Self::new(
                S::FORBIDDEN,
                "Your organization is not admitted",
                "You signed in with an account of an organization whose people may not use this portal.",
                "Sign in with another account, or ask an Administrator to add your tenant to LEADGEN_OIDC_TENANTS.",
            ),
            OidcError::IdToken(IdTokenProblem::Expired | IdTokenProblem::TooEarly) => Self::new(
                S::BAD_GATEWAY,
                "The clocks do not agree",
                format!("The statement of {name} about you is over already, or is not valid yet."),
                "Try again. If it happens every time, the clock of this portal’s server is wrong: show this page to an Administrator.",
            ),
            OidcError::IdToken(IdTokenProblem::NoAuthTime) => Self::new(
                S::BAD_GATEWAY,
                format!("{name} does not say when you signed in"),
                format!(
                    "{name} was asked to have you sign in anew, but its statement does not say when you did (claim “auth_time”), so it is no proof."
                ),
                "Show this page to an Administrator.",
            ),
            OidcError::IdToken(IdTokenProblem::NotAnew) => Self::new(
                S::FORBIDDEN,
                format!("{name} did not ask you anew"),
                format!(
                    "{name} was asked to have you sign in anew, but it relied on a sign-in from before."
                ),
                "Try again.",
            ),
            OidcError::IdToken(problem) => Self::new(
                S::BAD_GATEWAY,
                format!("The statement of {name} was not believed"),
                format!("What {name} says about you did not pass the checks: {problem}."),
                "Nobody was signed in. Try again; if it happens again, show this page to an Administrator.",
            ),
            OidcError::Configuration { what } => Self::new(
                S::BAD_GATEWAY,
                "The sign-in is not set up correctly",
                format!("The settings for {name} cannot be used: {what}."),
                "Show this page to an Administrator.",
            ),
        }
    }

    fn of_identity(error: IdentityError, name: &str) -> Result<Self, WebError> {
        use StatusCode as S;
        Ok(match error {
            IdentityError::Disabled => Self::new(
                S::FORBIDDEN,
                "Your user is disabled",
                format!(
                    "{name} knows you, but an Administrator of this portal disabled your user."
                ),
                "Ask an Administrator of this portal.",
            ),
            IdentityError::NoPerson => Self::new(
                S::FORBIDDEN,
                "This user cannot sign in",
                "The identity of the synchronization is no person.",
                "Sign in with an account of your own.",
            ),
            IdentityError::NoEmail => Self::new(
                S::FORBIDDEN,
                "Your e-mail address is missing",
                format!(
                    "{name} did not tell your e-mail address, and a user of this portal needs one."
                ),
                format!(
                    "Ask whoever administers {name} to give you an address and to let this portal see it (scope and claim “email”)."
                ),
            ),
            IdentityError::EmailNotVerified => Self::new(
                S::FORBIDDEN,
                "Your e-mail address is not verified",
                format!(
                    "{name} says that it has not verified your e-mail address, so the portal cannot rely on it."
                ),
                format!("Verify your address at {name}, then sign in again."),
            ),
            IdentityError::EmailNotVouchedFor => Self::new(
                S::FORBIDDEN,
                "There is a user with your e-mail address",
                format!(
                    "{name} does not say that the address is yours (claim “email_verified”), so it is not taken as proof that the user is you."
                ),
                "Sign in with your password. Or ask an Administrator to have the provider vouch for addresses.",
            ),
            IdentityError::OtherIdentity => Self::new(
                S::FORBIDDEN,
                "Your user belongs to another account",
                format!(
                    "The user with your e-mail address signs in with another account of {name}. Addresses change hands, so a new account does not take an old user over."
                ),
                "Sign in with that account, or ask an Administrator.",
            ),
            IdentityError::Store(error) => return Err(error.into()),
        })
    }
}

#[derive(Template)]
#[template(path = "sign_in/refusal.html")]
struct SignInRefusal {
    shell: Shell,
    refusal: Refusal,
}

/// The page of an early end.
///
/// # Errors
/// What has a page elsewhere.
pub(super) fn refuse(
    portal: &Portal,
    shell: Shell,
    error: SignInError,
) -> Result<HttpResponse, WebError> {
    let name = provider_name(portal).unwrap_or_default();
    let refusal = Refusal::of(error, &name)?;
    let status = refusal.status;
    let page = SignInRefusal { shell, refusal };
    page.shell.render(status, &page)
}

/// The page of a confirmation that ended early.
///
/// # Errors
/// What has a page elsewhere.
pub(super) fn refuse_confirmation(
    portal: &Portal,
    shell: Shell,
    error: SignInError,
    to: &str,
) -> Result<HttpResponse, WebError> {
    let name = provider_name(portal).unwrap_or_default();
    let refusal = Refusal::of_confirmation(error, &name, to)?;
    let status = refusal.status;
    let page = SignInRefusal { shell, refusal };
    page.shell.render(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_early_end_has_a_page_of_its_own() {
        let away = |what: &str| OidcError::Away { what: what.into() };
        let all: Vec<SignInError> = vec![
            SignInError::StateMissing,
            SignInError::StateWrong,
            SignInError::StateExpired,
            SignInError::StateReused,
            SignInError::OtherIssuer,
            SignInError::Refused("access_denied".into()),
            SignInError::Refused("server_error".into()),
            SignInError::NoCode,
            SignInError::OtherPerson,
            OidcError::IdToken(IdTokenProblem::NoAuthTime).into(),
            OidcError::IdToken(IdTokenProblem::NotAnew).into(),
            away("it did not answer in time").into(),
            OidcError::Metadata { what: "x".into() }.into(),
            OidcError::ClientRefused.into(),
            OidcError::CodeRefused {
                error: "invalid_grant".into(),
            }
            .into(),
            OidcError::IdToken(IdTokenProblem::Tenant).into(),
            OidcError::IdToken(IdTokenProblem::Expired).into(),
            OidcError::IdToken(IdTokenProblem::Nonce).into(),
            OidcError::Configuration { what: "x".into() }.into(),
            IdentityError::Disabled.into(),
            IdentityError::NoPerson.into(),
            IdentityError::NoEmail.into(),
            IdentityError::EmailNotVerified.into(),
            IdentityError::EmailNotVouchedFor.into(),
            IdentityError::OtherIdentity.into(),
        ];
        let count = all.len();
        let titles: std::collections::BTreeSet<String> = all
            .into_iter()
            .map(|error| Refusal::of(error, "Example").unwrap().title)
            .collect();
        assert_eq!(titles.len(), count, "{titles:?}");
    }
}
