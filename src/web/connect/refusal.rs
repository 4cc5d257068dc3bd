//! One clear page for each way in which the connect flow can end early.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::domain::ids::ProfileId;
use crate::sync::connect::ConnectError;
use crate::web::{Portal, Shell, WebError};

/// What a page about a failed connection says.
struct Refusal {
    status: StatusCode,
    title: &'static str,
    cause: String,
    what_to_do: String,
    /// Authorize again, for this profile.
    retry: Option<ProfileId>,
    /// The redirect URI is worth showing.
    shows_redirect_uri: bool,
}

impl Refusal {
    fn new(
        status: StatusCode,
        title: &'static str,
        cause: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title,
            cause: cause.into(),
            what_to_do: what_to_do.into(),
            retry: None,
            shows_redirect_uri: false,
        }
    }

    fn again(mut self, profile: ProfileId) -> Self {
        self.retry = Some(profile);
        self
    }

    fn with_redirect_uri(mut self) -> Self {
        self.shows_redirect_uri = true;
        self
    }

    /// The page of each way in which the flow can end early; `Err` for what has a page elsewhere.
    fn of(error: ConnectError) -> Result<Self, WebError> {
        use StatusCode as S;
        const FROM_THE_PROFILE: &str = "Open the profile and choose Authorize there. If you did not begin this yourself, somebody may have sent you a link: nothing was connected.";
        Ok(match error {
            ConnectError::AppNotConfigured => Self::new(
                S::CONFLICT,
                "The LinkedIn app is not set up yet",
                "The portal has no client id and secret of a LinkedIn developer app, so it cannot send you to LinkedIn.",
                "Ask an Administrator to set LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET, and to register the redirect URI below in the app at LinkedIn.",
            )
            .with_redirect_uri(),
            ConnectError::StateMissing => Self::new(
                S::UNAUTHORIZED,
                "LinkedIn’s answer does not belong to a request",
                "The answer carries no state, so the portal cannot know who asked for it.",
                FROM_THE_PROFILE,
            ),
            ConnectError::StateWrong => Self::new(
                S::UNAUTHORIZED,
                "LinkedIn’s answer does not belong to this session",
                "The state in the answer is not one that this session was given. That happens when you signed out or used another browser on the way, and when somebody else’s link is opened.",
                FROM_THE_PROFILE,
            ),
            ConnectError::StateExpired => Self::new(
                S::UNAUTHORIZED,
                "This took too long",
                "LinkedIn’s answer came more than 30 minutes after you chose Authorize, so it is no longer accepted.",
                "Open the profile and choose Authorize again.",
            ),
            ConnectError::StateReused => Self::new(
                S::UNAUTHORIZED,
                "This answer was used before",
                "Each answer of LinkedIn’s can be used once. That happens when the page is loaded again, or with the Back button.",
                "Open the profile: it shows whether it is authorized. If it is not, choose Authorize again.",
            ),
            ConnectError::RefusedSignIn { profile } => Self::new(
                S::OK,
                "You did not sign in at LinkedIn",
                "You left LinkedIn’s sign-in page without signing in.",
                "Nothing was connected. Choose Authorize again when you are ready.",
            )
            .again(profile),
            ConnectError::RefusedConsent { profile } => Self::new(
                S::OK,
                "You did not allow the access",
                "You chose Cancel on LinkedIn’s permission page.",
                "Nothing was connected. Without the permissions the portal cannot read forms and submissions. Choose Authorize again when you are ready.",
            )
            .again(profile),
            ConnectError::ScopeNotAuthorized { profile, description } => Self::new(
                S::BAD_GATEWAY,
                "The LinkedIn app may not ask for these permissions",
                if description.is_empty() {
                    "LinkedIn has not approved the developer app for a permission that the portal asks for.".to_owned()
                } else {
                    format!("LinkedIn has not approved the developer app for a permission that the portal asks for. LinkedIn says: “{description}”.")
                },
                "Ask an Administrator to request the products “Lead Sync API” and “Advertising API” for the app at LinkedIn, or to leave the permission out with LEADGEN_LINKEDIN_SCOPES.",
            )
            .again(profile),
            ConnectError::RefusedOtherwise { profile, error } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn refused",
                format!("LinkedIn answered with the error “{error}”."),
                "Nothing was connected. Try again; if it happens again, show this page to an Administrator.",
            )
            .again(profile),
            ConnectError::CodeNotExchanged { profile, detail } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn did not accept the answer",
                format!("The code that LinkedIn sent could not be exchanged for a token. LinkedIn says: “{detail}”."),
                "A code is valid for 30 minutes and can be used once. Choose Authorize again. If it happens every time, the redirect URI below is not exactly the one that is registered in the app.",
            )
            .again(profile)
            .with_redirect_uri(),
            ConnectError::AppRefused { profile } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn does not accept the app’s client id and secret",
                "The client secret in the portal’s configuration is wrong, or it was renewed at LinkedIn.",
                "Ask an Administrator to check LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET, then try again.",
            )
            .again(profile),
            ConnectError::ScopesMissing { profile, missing } => Self::new(
                S::FORBIDDEN,
                "Permissions are missing",
                format!("LinkedIn granted the access without: {}. Without them no leads can be read, so nothing was connected.", missing.join(", ")),
                "Ask an Administrator whether the app at LinkedIn has the products “Lead Sync API” and “Advertising API”. Then choose Authorize again and allow everything.",
            )
            .again(profile),
            ConnectError::LinkedInAway { profile, .. } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn does not answer",
                "LinkedIn could not be reached, or answered with something that cannot be read, while the token was fetched.",
                "Nothing was connected. Wait a few minutes and choose Authorize again.",
            )
            .again(profile),
            ConnectError::NothingPending => Self::new(
                S::NOT_FOUND,
                "Nothing waits for confirmation",
                "The authorization was confirmed or cancelled already, or it is somebody else’s.",
                "Open the profile: it shows whether it is authorized.",
            ),
            ConnectError::Refused(refusal) => Self::new(
                S::FORBIDDEN,
                refusal.title(),
                refusal.why(),
                refusal.what_to_do(),
            ),
            ConnectError::Store(error) => return Err(error.into()),
            ConnectError::Sync(error) => return Err(WebError::Internal(error.to_string())),
        })
    }
}

#[derive(Template)]
#[template(path = "profiles/refusal.html")]
struct ProfilesRefusal {
    shell: Shell,
    refusal: Refusal,
    redirect_uri: String,
}

/// The page of an early end.
///
/// # Errors
/// What has a page elsewhere.
pub(in crate::web) fn refuse(
    portal: &Portal,
    mut shell: Shell,
    error: ConnectError,
) -> Result<HttpResponse, WebError> {
    tracing::info!(error = %error, "the connect flow ended early");
    let refusal = Refusal::of(error)?;
    shell.allow_form_action(&portal.settings.linkedin.oauth_url);
    let status = refusal.status;
    let page = ProfilesRefusal {
        shell,
        refusal,
        redirect_uri: portal.connector.redirect_uri().to_string(),
    };
    page.shell.render(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connections::Refusal as NotAllowed;

    #[test]
    fn every_early_end_has_a_page_of_its_own() {
        let profile = || ProfileId::new(uuid::Uuid::nil());
        let all = [
            (ConnectError::AppNotConfigured, 409),
            (ConnectError::StateMissing, 401),
            (ConnectError::StateWrong, 401),
            (ConnectError::StateExpired, 401),
            (ConnectError::StateReused, 401),
            (ConnectError::RefusedSignIn { profile: profile() }, 200),
            (ConnectError::RefusedConsent { profile: profile() }, 200),
            (
                ConnectError::ScopeNotAuthorized {
                    profile: profile(),
                    description: String::new(),
                },
                502,
            ),
            (
                ConnectError::RefusedOtherwise {
                    profile: profile(),
                    error: "server_error".into(),
                },
                502,
            ),
            (
                ConnectError::CodeNotExchanged {
                    profile: profile(),
                    detail: "expired".into(),
                },
                502,
            ),
            (ConnectError::AppRefused { profile: profile() }, 502),
            (
                ConnectError::ScopesMissing {
                    profile: profile(),
                    missing: vec!["r_ads".into()],
                },
                403,
            ),
            (
                ConnectError::LinkedInAway {
                    profile: profile(),
                    detail: "timeout".into(),
                },
                502,
            ),
            (ConnectError::NothingPending, 404),
            (ConnectError::Refused(NotAllowed::SettingNo), 403),
            (ConnectError::Refused(NotAllowed::OutsideGroup), 403),
            (ConnectError::Refused(NotAllowed::HiddenByDeployment), 403),
            (ConnectError::Refused(NotAllowed::NoConsent), 403),
        ];
        let count = all.len();
        let mut titles = std::collections::BTreeSet::new();
        for (error, status) in all {
            let refusal = Refusal::of(error).unwrap();
            assert_eq!(refusal.status.as_u16(), status, "{}", refusal.title);
            titles.insert(refusal.title);
        }
        assert_eq!(titles.len(), count);
    }
}
