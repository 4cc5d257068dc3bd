//! Subscriptions to lead notifications (linkedin-api.md §6.1): made, found and ended by API only.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::encoding::{Query, primitive};
use super::error::LinkedInError;
use super::{AccessToken, LeadType, LinkedInClient, Owner};

const RESOURCE: &str = "leadNotifications";

/// A subscription as LinkedIn lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// LinkedIn's number.
    pub id: String,
    /// Where the notifications go.
    pub webhook: String,
}

#[derive(Deserialize)]
struct WireSubscription {
    webhook: String,
}

impl LinkedInClient {
    /// The subscriptions of an owner and lead type, whoever of the app made them. Those that cannot be read are left out.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn subscriptions(
        &self,
        token: &AccessToken,
        owner: Owner,
        lead_type: LeadType,
    ) -> Result<Vec<Subscription>, LinkedInError> {
        let query = Query::new()
            .structure("q", "criteria")
            .structure("owner", &format!("(value:{})", owner.parameter()))
            .structure("leadType", &format!("(leadType:{})", lead_type.as_str()));
        let page = self
            .page::<WireSubscription>(token, RESOURCE, &query)
            .await?;
        let all = page.value.elements.iter();
        Ok(all
            .filter_map(|element| {
                Some(Subscription {
                    id: element.id()?,
                    webhook: element.value.as_ref().ok()?.webhook.clone(),
                })
            })
            .collect())
    }

    /// Subscribes; LinkedIn asks the webhook its challenge meanwhile. Gives LinkedIn's number.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn subscribe(
        &self,
        token: &AccessToken,
        owner: Owner,
        lead_type: LeadType,
        webhook: &str,
    ) -> Result<String, LinkedInError> {
        let body = json!({
            "webhook": webhook,
            "owner": match owner {
                Owner::SponsoredAccount(_) => json!({ "sponsoredAccount": owner.urn() }),
                Owner::Organization(_) => json!({ "organization": owner.urn() }),
            },
            "leadType": lead_type.as_str(),
        });
        let received = self
            .change(token, (Method::POST, "CREATE"), RESOURCE, Some(&body))
            .await?;
        received
            .identifier("x-restli-id")
            .ok_or_else(|| LinkedInError::unexpected("a subscription without x-restli-id"))
    }

    /// Ends a subscription; one that is gone already is ended.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn unsubscribe(&self, token: &AccessToken, id: &str) -> Result<(), LinkedInError> {
        let path = format!("{RESOURCE}/{}", primitive(id));
        match self
            .change(token, (Method::DELETE, "DELETE"), &path, None)
            .await
        {
            Ok(_) | Err(LinkedInError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
