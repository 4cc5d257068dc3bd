//! The calls of the REST API that the portal makes, one method each (linkedin-api.md §1.8, §3, §4, §5, §7.1).

use serde::de::DeserializeOwned;

use super::encoding::{Query, list, primitive};
use super::error::LinkedInError;
use super::page::{Element, Page, UnreadPage, read_body, read_entity, read_envelope};
use super::wire::{
    AdAccount, AdAccountUser, BatchAnswer, Campaign, CampaignGroup, Creative, FormResponse,
    LeadForm, OrganizationAcl, UserInfo,
};
use super::{AccessToken, Answer, LeadType, LinkedInClient, Owner};

type Result<T> = std::result::Result<Answer<T>, LinkedInError>;

const FINDER: &str = "FINDER";
const GET: &str = "GET";
const BATCH_GET: &str = "BATCH_GET";

const ACCOUNT_FIELDS: &str = "id,name,currency,status,type,reference,referenceInfo,test";
const RESPONSE_FIELDS: &str = "ownerInfo,associatedEntityInfo,leadMetadataInfo,owner,leadType,versionedLeadGenFormUrn,id,\
submittedAt,testLead,submitter,leadMetadata,associatedEntity,formResponse,form:(hiddenFields,creationLocale,name,id,versionId,content)";

/// Cursor-paged finders take at most this many elements a page.
const CURSOR_PAGE_SIZE: i64 = 100;

/// Which lead form responses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponsesQuery {
    /// Ad account or organization.
    pub owner: Owner,
    /// SPONSORED for an ad account, one of the organic types for an organization.
    pub lead_type: LeadType,
    /// `true` gives test leads only, `false` production leads only.
    pub limited_to_test_leads: bool,
    /// `submittedAt` from this moment on, in milliseconds since 1970.
    pub start_ms: i64,
    /// `submittedAt` up to this moment; whether it is inside is not documented, so windows must overlap.
    pub end_ms: Option<i64>,
    /// Offset of the first element.
    pub start: u32,
    /// Page size; LinkedIn may apply a smaller one, see [`Page::effective_count`].
    pub count: u32,
}

/// All errors of these calls are described by [`LinkedInError`].
impl LinkedInClient {
    /// The ad accounts on which the token's member has a role, rows of removed accounts included.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn ad_account_users(
        &self,
        token: &AccessToken,
        start: u32,
        count: u32,
    ) -> Result<Page<AdAccountUser>> {
        let query = paged(
            Query::new().structure("q", "authenticatedUser"),
            start,
            count,
        );
        self.page(token, "adAccountUsers", &query).await
    }

    /// The ad accounts that the token's member can see, 100 a page.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn ad_accounts(
        &self,
        token: &AccessToken,
        page_token: Option<&str>,
    ) -> Result<Page<AdAccount>> {
        let query = cursor(Query::new().structure("q", "search"), page_token)
            .structure("fields", ACCOUNT_FIELDS);
        self.page(token, "adAccounts", &query).await
    }

    /// One ad account.
    ///
    /// # Errors
    /// See [`LinkedInError`]; `NotFound` for removed accounts.
    pub async fn ad_account(&self, token: &AccessToken, id: i64) -> Result<Element<AdAccount>> {
        let query = Query::new().structure("fields", ACCOUNT_FIELDS);
        self.entity(token, &format!("adAccounts/{id}"), &query)
            .await
    }

    /// The page roles of the token's member that are in force.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn organization_acls(
        &self,
        token: &AccessToken,
        start: u32,
        count: u32,
    ) -> Result<Page<OrganizationAcl>> {
        let query = Query::new()
            .structure("q", "roleAssignee")
            .structure("state", "APPROVED");
        self.page(token, "organizationAcls", &paged(query, start, count))
            .await
    }

    /// The lead forms of an owner, each in its current version.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn lead_forms(
        &self,
        token: &AccessToken,
        owner: Owner,
        start: u32,
        count: u32,
    ) -> Result<Page<LeadForm>> {
        let query = Query::new()
            .structure("q", "owner")
            .structure("owner", &owner.parameter());
        self.page(token, "leadForms", &paged(query, start, count))
            .await
    }

    /// One lead form in its current version.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn lead_form(&self, token: &AccessToken, id: i64) -> Result<Element<LeadForm>> {
        self.entity(token, &format!("leadForms/{id}"), &Query::new())
            .await
    }

    /// One page of the responses of an owner.
    ///
    /// # Errors
    /// See [`LinkedInError`]; an answer that is no page is never an empty page.
    pub async fn lead_form_responses(
        &self,
        token: &AccessToken,
        wanted: &ResponsesQuery,
    ) -> Result<Page<FormResponse>> {
        let unread = self.unread_lead_form_responses(token, wanted).await?;
        Ok(unread.map(UnreadPage::read))
    }

    /// The same page as JSON texts: most of a page that is read again is known, and need not be read in full.
    ///
    /// # Errors
    /// See [`LinkedInError`]; an answer that is no page is never an empty page.
    pub async fn unread_lead_form_responses(
        &self,
        token: &AccessToken,
        wanted: &ResponsesQuery,
    ) -> Result<UnreadPage> {
        let range = match wanted.end_ms {
            Some(end) => format!("(start:{},end:{end})", wanted.start_ms),
            None => format!("(start:{})", wanted.start_ms),
        };
        let query = Query::new()
            .structure("q", "owner")
            .structure("owner", &wanted.owner.parameter())
            .structure(
                "leadType",
                &format!("(leadType:{})", wanted.lead_type.as_str()),
            )
            .structure(
                "limitedToTestLeads",
                if wanted.limited_to_test_leads {
                    "true"
                } else {
                    "false"
                },
            )
            .structure("submittedAtTimeRange", &range);
        let query = paged(query, wanted.start, wanted.count);
        let received = self
            .rest(token, FINDER, "leadFormResponses", &query)
            .await?;
        let page = read_envelope(&received.body)?;
        Ok(received.answer(page))
    }

    /// One response; `with_form` embeds the form in the version that was answered, and the names of campaign and owner.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn lead_form_response(
        &self,
        token: &AccessToken,
        id: &str,
        with_form: bool,
    ) -> Result<Element<FormResponse>> {
        let query = if with_form {
            Query::new().structure("fields", RESPONSE_FIELDS)
        } else {
            Query::new()
        };
        self.entity(
            token,
            &format!("leadFormResponses/{}", primitive(id)),
            &query,
        )
        .await
    }

    /// Several responses at once (Rest.li BATCH_GET); ids that LinkedIn does not know are in `errors`.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn lead_form_responses_by_ids<S: AsRef<str> + Sync>(
        &self,
        token: &AccessToken,
        ids: &[S],
    ) -> Result<BatchAnswer<FormResponse>> {
        let query = Query::new().structure("ids", &list(ids));
        let received = self
            .rest(token, BATCH_GET, "leadFormResponses", &query)
            .await?;
        let value = read_body(&received.body)?;
        Ok(received.answer(value))
    }

    /// The campaign groups of an ad account.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn campaign_groups(
        &self,
        token: &AccessToken,
        account_id: i64,
        page_token: Option<&str>,
    ) -> Result<Page<CampaignGroup>> {
        let query = cursor(Query::new().structure("q", "search"), page_token);
        self.page(
            token,
            &format!("adAccounts/{account_id}/adCampaignGroups"),
            &query,
        )
        .await
    }

    /// The campaigns of an ad account.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn campaigns(
        &self,
        token: &AccessToken,
        account_id: i64,
        page_token: Option<&str>,
    ) -> Result<Page<Campaign>> {
        let query = cursor(Query::new().structure("q", "search"), page_token);
        self.page(
            token,
            &format!("adAccounts/{account_id}/adCampaigns"),
            &query,
        )
        .await
    }

    /// The creatives of an ad account.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn creatives(
        &self,
        token: &AccessToken,
        account_id: i64,
        page_token: Option<&str>,
    ) -> Result<Page<Creative>> {
        let query = cursor(Query::new().structure("q", "criteria"), page_token);
        self.page(token, &format!("adAccounts/{account_id}/creatives"), &query)
            .await
    }

    /// Who the token's member is; needs the scope `openid`.
    ///
    /// # Errors
    /// See [`LinkedInError`].
    pub async fn userinfo(&self, token: &AccessToken) -> Result<UserInfo> {
        let received = self.unversioned(token, "userinfo").await?;
        let value = read_body(&received.body)?;
        Ok(received.answer(value))
    }

    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
        path: &str,
        query: &Query,
    ) -> Result<Page<T>> {
        let received = self.rest(token, FINDER, path, query).await?;
        let page = read_envelope(&received.body)?.read();
        Ok(received.answer(page))
    }

    async fn entity<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
        path: &str,
        query: &Query,
    ) -> Result<Element<T>> {
        let received = self.rest(token, GET, path, query).await?;
        let entity = read_entity(&received.body)?;
        Ok(received.answer(entity))
    }
}

fn paged(query: Query, start: u32, count: u32) -> Query {
    query.number("count", count).number("start", start)
}

fn cursor(query: Query, page_token: Option<&str>) -> Query {
    let query = query.number("pageSize", CURSOR_PAGE_SIZE);
    match page_token {
        Some(token) => query.text("pageToken", token),
        None => query,
    }
}
