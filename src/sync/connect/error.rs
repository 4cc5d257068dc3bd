//! Why the connect flow did not go on.

use crate::domain::connections::Refusal;
use crate::domain::ids::ProfileId;
use crate::store::StoreError;
use crate::store::connections::NotAllowed;
use crate::sync::SyncError;

/// Why the connect flow did not go on. Each has a page of its own.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No client id and secret.
    #[error("the portal has no LinkedIn client id and secret")]
    AppNotConfigured,
    /// LinkedIn came back without a state.
    #[error("LinkedIn came back without a state")]
    StateMissing,
    /// A state that we never gave, or not to this session.
    #[error("the state is not one that this session was given")]
    StateWrong,
    /// The state's time is over.
    #[error("the state has expired")]
    StateExpired,
    /// The state was used before.
    #[error("the state was used before")]
    StateReused,
    /// Declined to sign in at LinkedIn.
    #[error("the member did not sign in at LinkedIn")]
    RefusedSignIn {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// Declined the permissions.
    #[error("the member did not allow the access")]
    RefusedConsent {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// LinkedIn has not approved the app for a scope.
    #[error("the LinkedIn app may not ask for a scope")]
    ScopeNotAuthorized {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's sentence, cleaned; names the scope.
        description: String,
    },
    /// Another error word of LinkedIn's.
    #[error("LinkedIn refused")]
    RefusedOtherwise {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's word.
        error: String,
    },
    /// The code could not be exchanged for a token.
    #[error("LinkedIn did not accept the code: {detail}")]
    CodeNotExchanged {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's words.
        detail: String,
    },
    /// LinkedIn does not accept our client id and secret.
    #[error("LinkedIn does not accept the client id and secret")]
    AppRefused {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// Without these scopes no leads can be read.
    #[error("scopes are missing")]
    ScopesMissing {
        /// Where to go back to.
        profile: ProfileId,
        /// Their names.
        missing: Vec<String>,
    },
    /// LinkedIn cannot be reached or answers nonsense.
    #[error("LinkedIn is away: {detail}")]
    LinkedInAway {
        /// Where to go back to.
        profile: ProfileId,
        /// What happened.
        detail: String,
    },
    /// The organisation does not let the person, or the person's consent is missing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nothing waits for confirmation.
    #[error("nothing waits for confirmation")]
    NothingPending,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token could not be sealed or opened.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl From<NotAllowed> for ConnectError {
    fn from(error: NotAllowed) -> Self {
        match error {
            NotAllowed::Refused(refusal) => Self::Refused(refusal),
            NotAllowed::Store(error) => Self::Store(error),
        }
    }
}
