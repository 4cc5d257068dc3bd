//! Campaign groups, campaigns and creatives of an ad account.

use super::{PAGE_LIMIT, Puller};
use crate::domain::account::OwnerType;
use crate::domain::sync::FailureReason;
use crate::linkedin::{AccessToken, Answer, LinkedInError, Page};
use crate::store;
use crate::sync::{SyncError, intake};

impl Puller {
    pub(super) fn campaigns_are_due(&self) -> bool {
        if self.account.owner_type != OwnerType::SponsoredAccount {
            return false;
        }
        let age = self
            .account
            .last_campaign_sync_at
            .map(|at| (self.ctx.clock.now() - at).to_std().unwrap_or_default());
        age.is_none_or(|age| age >= self.ctx.options.campaign_interval)
            || self.lease.trigger != crate::domain::sync::RunTrigger::Scheduled
    }

    /// Reads campaign groups, campaigns and creatives; returns how many campaigns.
    pub(super) async fn campaigns(&self) -> Result<usize, SyncError> {
        let client = self.ctx.linkedin.clone();
        let id = self.account.linkedin_id;
        let mut groups = Vec::new();
        self.cursor(
            "adCampaignGroups",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move {
                        client
                            .campaign_groups(&token, id, page_token.as_deref())
                            .await
                    }
                }
            },
            |page| {
                groups.extend(page.values().map(|group| (group.id, group.name.clone())));
            },
        )
        .await?;
        let mut campaigns = Vec::new();
        self.cursor(
            "adCampaigns",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move { client.campaigns(&token, id, page_token.as_deref()).await }
                }
            },
            |page| {
                campaigns.extend(
                    page.values()
                        .map(|campaign| intake::seen_campaign(campaign, &groups)),
                );
            },
        )
        .await?;
        let mut creatives = Vec::new();
        self.cursor(
            "creatives",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move { client.creatives(&token, id, page_token.as_deref()).await }
                }
            },
            |page| creatives.extend(page.values().filter_map(intake::seen_creative)),
        )
        .await?;
        let count = campaigns.len();
        let (account, name, now) = (
            self.account.id.clone(),
            self.account.name.clone(),
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            store::directory::campaigns::save_campaigns(conn, &account, &campaigns, now)?;
            store::directory::campaigns::save_creatives(conn, &account, &creatives, now)?;
            store::audit::record(
                conn,
                now,
                &store::audit::Actor::s2s_inbound(),
                "campaigns.synchronized",
                ("linkedin_account", account.as_str(), &name),
                None,
                Some(serde_json::json!({
                    "campaigns": campaigns.len(), "creatives": creatives.len(),
                })),
            )
        })
        .await?;
        Ok(count)
    }

    async fn cursor<T, F>(
        &self,
        endpoint: &str,
        request: impl Fn(AccessToken, Option<String>) -> F + Clone,
        mut take: impl FnMut(&Page<T>),
    ) -> Result<(), SyncError>
    where
        F: Future<Output = Result<Answer<Page<T>>, LinkedInError>>,
    {
        let mut page_token: Option<String> = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .linkedin
                .call(endpoint, {
                    let (request, page_token) = (request.clone(), page_token.clone());
                    move |token| request(token, page_token.clone())
                })
                .await?
                .value;
            take(&page);
            if page.next_page_token.is_none() || page.next_page_token == page_token {
                return Ok(());
            }
            page_token = page.next_page_token;
        }
        Err(SyncError::found(
            FailureReason::PageRepeated,
            format!("the list of {endpoint} does not end"),
        ))
    }
}
