//! The closed list of reasons why a sync run failed, each with plain words for people.

use crate::domain::words::words;

words! {
    /// Why a run, or a part of it, failed.
    pub enum FailureReason {
        LinkedinUnreachable = "linkedin_unreachable" => "LinkedIn unreachable",
        LinkedinTimeout = "linkedin_timeout" => "LinkedIn did not answer in time",
        LinkedinError = "linkedin_error" => "LinkedIn error",
        RateLimited = "rate_limited" => "Rate limited",
        DailyLimitReached = "daily_limit_reached" => "Daily limit reached",
        TokenExpired = "token_expired" => "Token expired",
        TokenRevoked = "token_revoked" => "Token revoked",
        PermissionMissing = "permission_missing" => "Permission missing",
        Forbidden = "forbidden" => "Forbidden",
        NotFound = "not_found" => "Not found",
        VersionNotActive = "version_not_active" => "API version not active",
        BadRequest = "bad_request" => "Request refused",
        UnexpectedAnswer = "unexpected_answer" => "Unexpected answer",
        PageRepeated = "page_repeated" => "Page repeated",
        NotAuthorized = "not_authorized" => "Not authorized",
        ConsentWithdrawn = "consent_withdrawn" => "Consent withdrawn",
        AppNotConfigured = "app_not_configured" => "LinkedIn app not configured",
        DatabaseUnavailable = "database_unavailable" => "Database unavailable",
        LeaseLost = "lease_lost" => "Taken over",
        Interrupted = "interrupted" => "Interrupted",
        Paused = "paused" => "Paused",
        InternalError = "internal_error" => "Internal error",
    }
}

impl FailureReason {
    /// What happened, in one plain sentence.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::LinkedinUnreachable => "No connection to LinkedIn could be made.",
            Self::LinkedinTimeout => "LinkedIn did not answer in time.",
            Self::LinkedinError => "LinkedIn answered with an error of its own (5xx).",
            Self::RateLimited => "LinkedIn asks for fewer requests.",
            Self::DailyLimitReached => {
                "The number of requests that LinkedIn allows per day is used up."
            }
            Self::TokenExpired => "The LinkedIn authorization of this profile has ended.",
            Self::TokenRevoked => "The member revoked the authorization at LinkedIn.",
            Self::PermissionMissing => {
                "The authorization is valid, but LinkedIn does not let this member read the leads here."
            }
            Self::Forbidden => "LinkedIn forbids this member to read this account.",
            Self::NotFound => {
                "LinkedIn does not know this account or form, or hides it from this member."
            }
            Self::VersionNotActive => {
                "LinkedIn has switched off the API version that the portal asks for."
            }
            Self::BadRequest => "LinkedIn refused the request as wrong.",
            Self::UnexpectedAnswer => {
                "LinkedIn’s answer could not be read. It was not counted as an empty page and nothing was skipped."
            }
            Self::PageRepeated => {
                "LinkedIn sent the same page again and again, so reading stopped."
            }
            Self::NotAuthorized => "No authorized LinkedIn user profile can read this account.",
            Self::ConsentWithdrawn => "The consent to use LinkedIn was withdrawn.",
            Self::AppNotConfigured => "The portal has no LinkedIn client id and secret.",
            Self::DatabaseUnavailable => "The database of the portal could not be used.",
            Self::LeaseLost => {
                "Another process took over this run, so this one stopped without writing."
            }
            Self::Interrupted => "The portal was shut down during the run.",
            Self::Paused => "Somebody paused the account during the run, so the run stopped.",
            Self::InternalError => "Something went wrong in the portal itself.",
        }
    }

    /// What somebody can do about it, in one plain sentence.
    #[must_use]
    pub const fn what_to_do(self) -> &'static str {
        match self {
            Self::LinkedinUnreachable => {
                "The portal tries again by itself. If it lasts, check the server’s network, DNS and proxy."
            }
            Self::LinkedinTimeout | Self::LinkedinError | Self::RateLimited => {
                "Nothing to do: the portal tries again by itself."
            }
            Self::DailyLimitReached => {
                "Nothing to do: the portal goes on after 00:00 UTC. If it happens often, sync less often or ask LinkedIn for a higher limit."
            }
            Self::TokenExpired | Self::TokenRevoked | Self::NotAuthorized => {
                "Open the LinkedIn user profile and choose Authorize."
            }
            Self::PermissionMissing | Self::Forbidden => {
                "Ask an administrator of the account at LinkedIn for a role on the ad account and for the Lead Gen Forms Manager role on its page, then sync again."
            }
            Self::NotFound => {
                "Check at LinkedIn that the account still exists and that the member may see it."
            }
            Self::VersionNotActive => {
                "Set LEADGEN_LINKEDIN_VERSION to a current version, or update the portal."
            }
            Self::BadRequest | Self::UnexpectedAnswer | Self::PageRepeated => {
                "The portal tries again by itself. If it lasts, report it with the detail shown here."
            }
            Self::ConsentWithdrawn => {
                "Give the consent again under My account, or ask an Administrator about LinkedIn account connections."
            }
            Self::AppNotConfigured => {
                "Set LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET as the setup checklist says."
            }
            Self::DatabaseUnavailable => {
                "The portal tries again by itself. If it lasts, check the database server and its disk."
            }
            Self::LeaseLost | Self::Interrupted => {
                "Nothing to do: the next run goes on where this one stopped."
            }
            Self::Paused => {
                "Resume the account when it may be read again: the next run goes on where this one stopped."
            }
            Self::InternalError => {
                "The portal tries again by itself. If it lasts, look in the log for the run’s id."
            }
        }
    }

    /// Whether trying again soon cannot help: a person has to act, at LinkedIn or here.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::TokenExpired
                | Self::TokenRevoked
                | Self::PermissionMissing
                | Self::Forbidden
                | Self::NotFound
                | Self::VersionNotActive
                | Self::BadRequest
                | Self::NotAuthorized
                | Self::ConsentWithdrawn
                | Self::AppNotConfigured
        )
    }
}
