//! Asks LinkedIn whether it knows the portal's client id and secret, by a call that changes nothing and needs no member.

use super::connect::Connector;
use crate::linkedin::{AccessToken, LinkedInError};
use crate::store::app_credential_checks::Outcome;

impl Connector {
    /// Introspects a token that nobody ever had (linkedin-api.md §1.5): LinkedIn answers “not active” to an app that it
    /// knows, and refuses the others. Returns what it said, with a short detail for people.
    pub async fn check_app(&self) -> (Outcome, String) {
        let Some(oauth) = self.oauth_client() else {
            return (
                Outcome::Refused,
                "no client id and secret are set".to_owned(),
            );
        };
        match oauth
            .introspect(&AccessToken::new("a-token-that-nobody-ever-had"))
            .await
        {
            Ok(_) => (Outcome::Accepted, String::new()),
            Err(LinkedInError::Token { error, .. }) => (Outcome::Refused, error),
            Err(error) => (
                Outcome::Unanswered,
                error.to_string().chars().take(300).collect(),
            ),
        }
    }
}
