//! What can go wrong between the portal and the identity provider. No message holds a token, a code or a secret.

/// A failure of one call or of one check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider could not be reached, or answered with something that cannot be read.
    #[error("the identity provider is away: {what}")]
    Away {
        /// What happened.
        what: String,
    },
    /// The provider describes itself in a way that the portal cannot or must not follow.
    #[error("the identity provider's description of itself cannot be used: {what}")]
    Metadata {
        /// What is wrong with it.
        what: String,
    },
    /// The provider does not accept the portal's client id and secret.
    #[error("the identity provider does not accept the client id and secret")]
    ClientRefused,
    /// The provider did not take the code.
    #[error("the identity provider refused the code: {error}")]
    CodeRefused {
        /// OAuth's word for it.
        error: String,
    },
    /// The ID token does not hold what it must.
    #[error("the ID token was refused: {0}")]
    IdToken(#[from] IdTokenProblem),
    /// The client could not be built from its settings.
    #[error("the OpenID Connect settings cannot be used: {what}")]
    Configuration {
        /// What is wrong.
        what: String,
    },
}

/// Why an ID token is refused (OpenID Connect Core 1.0 §3.1.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenProblem {
    /// There is none in the answer.
    #[error("there is none")]
    Missing,
    /// It is no compact JWS with JSON in it.
    #[error("it cannot be read")]
    Malformed,
    /// It is signed with an algorithm that the portal does not take: `none`, HMAC, and others.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// It is signed with a key that the provider does not publish.
    #[error("its key is not among the provider's")]
    UnknownKey,
    /// The signature does not belong to it.
    #[error("its signature is wrong")]
    Signature,
    /// It was issued by somebody else.
    #[error("its issuer is another one")]
    Issuer,
    /// It is for somebody else.
    #[error("it is meant for another client")]
    Audience,
    /// Its time is over.
    #[error("its time is over")]
    Expired,
    /// It is from the future: one of the clocks is wrong.
    #[error("it is from the future")]
    TooEarly,
    /// It answers another request.
    #[error("it answers another request")]
    Nonce,
    /// It does not say who signed in.
    #[error("it does not say who signed in")]
    Subject,
    /// It does not say when the person signed in, although it was asked to.
    #[error("it does not say when you signed in")]
    NoAuthTime,
    /// The person did not sign in anew, although the provider was asked for that.
    #[error("you did not sign in anew")]
    NotAnew,
    /// The person belongs to a tenant that the portal does not admit.
    #[error("its tenant is not admitted")]
    Tenant,
}
