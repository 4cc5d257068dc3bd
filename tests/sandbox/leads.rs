//! Accounts, forms and responses through the portal's client, compared with the sandbox's truth.

use std::collections::BTreeSet;

use leadgen::linkedin::urn::urn_id;
use leadgen::linkedin::{AccessToken, LeadType, LinkedInClient, Owner, ResponsesQuery};
use leadgen::sandbox::{Settings, Submission, TruthFilter};

use crate::support::*;

pub fn everything(owner: Owner, lead_type: LeadType, count: u32) -> ResponsesQuery {
    ResponsesQuery {
        owner,
        lead_type,
        limited_to_test_leads: false,
        start_ms: 0,
        end_ms: Some(4_000_000_000_000),
        start: 0,
        count,
    }
}

async fn all_ids(
    client: &LinkedInClient,
    token: &AccessToken,
    mut query: ResponsesQuery,
) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = client
            .lead_form_responses(token, &query)
            .await
            .unwrap()
            .value;
        if page.elements.is_empty() {
            return ids;
        }
        query.start += page.elements.len() as u32;
        ids.extend(
            page.elements
                .into_iter()
                .map(|element| element.value.unwrap().id),
        );
    }
}

#[tokio::test]
async fn members_see_their_accounts_with_rows_of_removed_ones() {
    let sandbox = sandbox(50, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let rows = linkedin
        .ad_account_users(&token, 0, 100)
        .await
        .unwrap()
        .value;
    let accounts = linkedin.ad_accounts(&token, None).await.unwrap().value;
    assert_eq!((rows.elements.len(), accounts.elements.len()), (7, 6));
    assert!(rows.values().any(|row| row.role == "VIEWER"));
    assert_eq!(
        accounts
            .values()
            .filter(|account| account.organization_id().is_none())
            .count(),
        1
    );
    assert!(accounts.values().all(
        |account| account.organization_id().is_none() || account.organization_name().is_some()
    ));
    let removed = sandbox
        .accounts()
        .into_iter()
        .find(|account| account.removed)
        .unwrap();
    assert!(
        rows.values()
            .any(|row| row.account_id() == Some(removed.id))
    );
    assert_eq!(
        kind(&linkedin.ad_account(&token, removed.id).await),
        "not_found"
    );
    let one = linkedin
        .ad_account(&token, accounts.values().next().unwrap().id)
        .await
        .unwrap()
        .value;
    assert_eq!(one.value.unwrap(), *accounts.values().next().unwrap());

    let acls = linkedin
        .organization_acls(&token, 0, 10)
        .await
        .unwrap()
        .value;
    assert_eq!(acls.elements.len(), 3);
    let nobody = authorize(&sandbox, "nora@nowhere.example", SCOPES)
        .await
        .access_token;
    assert_eq!(
        linkedin
            .ad_account_users(&nobody, 0, 100)
            .await
            .unwrap()
            .value
            .elements
            .len(),
        0
    );
    let grace = authorize(&sandbox, "grace@northwind.example", SCOPES)
        .await
        .access_token;
    let shared = linkedin.ad_accounts(&grace, None).await.unwrap().value;
    assert_eq!(shared.elements.len(), 1);
}

#[tokio::test]
async fn every_page_size_gives_each_response_once_and_nothing_else() {
    let sandbox = sandbox(
        300,
        Settings {
            page_cap: 100,
            ..Settings::default()
        },
    );
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].id;
    let filter = TruthFilter {
        account: Some(account),
        test: Some(false),
        ..TruthFilter::default()
    };
    let truth: BTreeSet<String> = sandbox
        .truth(filter)
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(truth.len(), 300 - (60 + 30 + 12 + 9 + 6 + 3));
    for count in [7, 100, 1000] {
        let ids = all_ids(
            &linkedin,
            &token,
            everything(Owner::SponsoredAccount(account), LeadType::Sponsored, count),
        )
        .await;
        assert_eq!(ids.len(), truth.len());
        assert_eq!(
            ids.into_iter().collect::<BTreeSet<_>>(),
            truth,
            "{count} a page"
        );
    }
    let page = linkedin
        .lead_form_responses(
            &token,
            &everything(Owner::SponsoredAccount(account), LeadType::Sponsored, 1000),
        )
        .await
        .unwrap()
        .value;
    assert_eq!(
        (
            page.elements.len(),
            page.effective_count(1000),
            page.paging.total
        ),
        (100, 100, Some(180))
    );
    let times: Vec<i64> = page
        .values()
        .map(|response| response.submitted_at.unwrap())
        .collect();
    assert!(times.iter().rev().is_sorted(), "newest first");
}

#[tokio::test]
async fn test_leads_and_organic_leads_come_only_where_they_belong() {
    let sandbox = sandbox(300, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].clone();
    let query = everything(
        Owner::SponsoredAccount(account.id),
        LeadType::Sponsored,
        1000,
    );
    let tests = linkedin
        .lead_form_responses(
            &token,
            &ResponsesQuery {
                limited_to_test_leads: true,
                ..query
            },
        )
        .await
        .unwrap()
        .value;
    assert_eq!(tests.elements.len(), 4);
    assert!(tests.values().all(|response| response.test_lead));
    assert!(
        tests.values().any(|r| r.campaign_id().is_some())
            && tests.values().any(|r| r.campaign_id().is_none())
    );

    let page = Owner::Organization(account.organization.unwrap());
    for (lead_type, expected) in [
        (LeadType::Event, 12),
        (LeadType::Company, 9),
        (LeadType::OrganizationProduct, 6),
    ] {
        let leads = linkedin
            .lead_form_responses(&token, &everything(page, lead_type, 1000))
            .await
            .unwrap()
            .value;
        assert_eq!(leads.elements.len(), expected);
        assert!(
            leads
                .values()
                .all(|r| r.lead_type.as_deref() == Some(lead_type.as_str()))
        );
        assert_eq!(
            leads.values().all(|r| r.associated_entity.event.is_some()),
            lead_type == LeadType::Event
        );
    }
    assert_eq!(
        kind(
            &linkedin
                .lead_form_responses(&token, &everything(page, LeadType::Sponsored, 10))
                .await
        ),
        "bad_request"
    );
}

#[tokio::test]
async fn roles_decide_who_reads_which_leads() {
    let sandbox = sandbox(300, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let accounts = sandbox.accounts();
    let sponsored = |position: usize| {
        everything(
            Owner::SponsoredAccount(accounts[position].id),
            LeadType::Sponsored,
            10,
        )
    };
    let (no_page_role, no_page) = (3, 4);
    assert_eq!(
        kind(&linkedin.lead_form_responses(&token, &sponsored(1)).await),
        "ok",
        "VIEWER suffices"
    );
    assert_eq!(
        kind(
            &linkedin
                .lead_form_responses(&token, &sponsored(no_page_role))
                .await
        ),
        "forbidden"
    );
    assert_eq!(
        kind(
            &linkedin
                .lead_form_responses(&token, &sponsored(no_page))
                .await
        ),
        "forbidden"
    );
    let fabrikam = Owner::Organization(accounts[2].organization.unwrap());
    assert_eq!(
        kind(
            &linkedin
                .lead_form_responses(&token, &everything(fabrikam, LeadType::Company, 10))
                .await
        ),
        "ok"
    );
    let event = linkedin
        .lead_form_responses(&token, &everything(fabrikam, LeadType::Event, 10))
        .await
        .unwrap_err();
    assert_eq!(
        (event.kind(), event.service_error_code()),
        ("forbidden", Some(100))
    );
    assert!(
        event
            .to_string()
            .contains("leadFormResponses.FINDER-owner.20260701"),
        "{event}"
    );

    for (status, expected) in [(401, "unauthorized"), (404, "not_found")] {
        sandbox.change_settings(|settings| settings.role_denial = status);
        assert_eq!(
            kind(
                &linkedin
                    .lead_form_responses(&token, &sponsored(no_page_role))
                    .await
            ),
            expected
        );
    }
    assert!(
        oauth(&sandbox).introspect(&token).await.unwrap().active,
        "the 401 was not the token's fault"
    );

    sandbox.change_settings(|settings| settings.role_denial = 403);
    let member = sandbox.members()[0].key.clone();
    sandbox.set_account_role(&member, accounts[1].id, None);
    assert_eq!(
        kind(&linkedin.lead_form_responses(&token, &sponsored(1)).await),
        "forbidden"
    );
    let ads_only = authorize(&sandbox, "ada@northwind.example", &["r_ads"])
        .await
        .access_token;
    assert_eq!(
        kind(&linkedin.lead_form_responses(&ads_only, &sponsored(0)).await),
        "forbidden",
        "r_ads cannot read leads"
    );
    assert_eq!(
        kind(
            &linkedin
                .lead_forms(&ads_only, Owner::SponsoredAccount(accounts[0].id), 0, 10)
                .await
        ),
        "ok"
    );
    assert_eq!(
        kind(&linkedin.organization_acls(&ads_only, 0, 10).await),
        "forbidden"
    );
}

#[tokio::test]
async fn forms_keep_their_versions_and_a_response_brings_the_one_it_answered() {
    let sandbox = sandbox(300, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].id;
    let owner = Owner::SponsoredAccount(account);
    let forms = linkedin
        .lead_forms(&token, owner, 0, 1000)
        .await
        .unwrap()
        .value;
    let whitepaper = forms
        .values()
        .find(|form| form.version_id == Some(2))
        .expect("an edited form");
    assert!(whitepaper.id > 1 << 53);
    assert_eq!(
        linkedin
            .lead_form(&token, whitepaper.id)
            .await
            .unwrap()
            .value
            .value
            .as_ref(),
        Ok(whitepaper)
    );
    assert!(forms.values().any(|form| {
        form.creation_locale
            .as_ref()
            .and_then(|l| l.language.as_deref())
            == Some("de")
    }));

    let query = everything(owner, LeadType::Sponsored, 1000);
    let page = linkedin
        .lead_form_responses(&token, &query)
        .await
        .unwrap()
        .value;
    for version in [1, 2] {
        let response = page
            .values()
            .find(|r| {
                r.form_version()
                    .is_some_and(|v| (v.form_id, v.version_id) == (whitepaper.id, version))
            })
            .expect("both versions were answered");
        let full = linkedin
            .lead_form_response(&token, &response.id, true)
            .await
            .unwrap()
            .value
            .value
            .unwrap();
        let form = full.form.expect("embedded");
        assert_eq!(form.version_id, Some(version));
        let topic = form
            .content
            .questions
            .iter()
            .find(|q| q.label.as_deref() == Some("topic"))
            .unwrap();
        let options = &topic
            .question_details
            .multiple_choice_question_details
            .as_ref()
            .unwrap()
            .options;
        let first = options
            .iter()
            .find(|option| option.id == 0)
            .unwrap()
            .text
            .text(None)
            .unwrap();
        assert_eq!(
            first,
            if version == 1 {
                "Warehouses"
            } else {
                "Machine learning"
            }
        );
        assert_eq!(
            full.owner_info
                .sponsored_account_info
                .unwrap()
                .name
                .as_deref(),
            Some("Northwind Ads Europe")
        );
        assert!(
            full.lead_metadata_info
                .sponsored_lead_metadata_info
                .unwrap()
                .campaign
                .unwrap()
                .name
                .is_some()
        );
        assert_eq!(form.hidden_fields.len(), 2);
    }
    assert_eq!(sandbox.edit_form(whitepaper.id), Some(3));
    let edited = linkedin
        .lead_form(&token, whitepaper.id)
        .await
        .unwrap()
        .value
        .value
        .unwrap();
    assert_eq!(edited.version_id, Some(3));
}

#[tokio::test]
async fn windows_new_late_and_deleted_responses_are_served_as_they_are() {
    let sandbox = sandbox(300, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].id;
    let now = sandbox.now().timestamp_millis();
    let new = sandbox
        .submit(&Submission {
            account: Some(account),
            ..Submission::default()
        })
        .unwrap();
    let late = sandbox
        .submit(&Submission {
            account: Some(account),
            submitted_at_ms: Some(now - 3_600_000),
            guest: true,
            answers: [
                ("EMAIL".to_owned(), "ada@example.com".to_owned()),
                ("topic".to_owned(), "0,2".to_owned()),
            ]
            .into(),
            ..Submission::default()
        })
        .unwrap();
    let window = |start_ms, end_ms| ResponsesQuery {
        start_ms,
        end_ms: Some(end_ms),
        ..everything(Owner::SponsoredAccount(account), LeadType::Sponsored, 100)
    };
    assert_eq!(
        all_ids(&linkedin, &token, window(now - 3_600_000, now + 1)).await,
        [new.clone(), late.clone()]
    );
    assert_eq!(
        all_ids(&linkedin, &token, window(now - 3_600_000, now)).await,
        std::slice::from_ref(&late),
        "the end is outside"
    );
    sandbox.change_settings(|settings| settings.end_inclusive = true);
    assert_eq!(
        all_ids(&linkedin, &token, window(now, now)).await,
        std::slice::from_ref(&new)
    );

    let batch = linkedin
        .lead_form_responses_by_ids(&token, &[new.as_str(), late.as_str(), "nonsense"])
        .await
        .unwrap()
        .value;
    assert_eq!((batch.results.len(), batch.errors.len()), (2, 1));
    let one = batch.results[&late].value.as_ref().unwrap();
    assert_eq!(one.submitter, None);
    assert!(one.form_response.answers.iter().any(|a| {
        let details = a.answer_details.as_ref().map(|raw| raw.get());
        details == Some(r#"{"multipleChoiceAnswer":{"options":[0,2]}}"#)
    }));

    assert!(sandbox.delete_response(&late));
    assert_eq!(
        kind(&linkedin.lead_form_response(&token, &late, false).await),
        "not_found"
    );
    let oldest = sandbox.truth(TruthFilter {
        account: Some(account),
        test: Some(false),
        ..TruthFilter::default()
    })[0]
        .clone();
    sandbox.change_settings(|settings| settings.retention_days = 90);
    assert_eq!(
        kind(&linkedin.lead_form_response(&token, &oldest.id, false).await),
        "not_found",
        "retention is over"
    );
}

#[tokio::test]
async fn campaigns_groups_and_creatives_are_listed() {
    let sandbox = sandbox(50, Settings::default());
    let linkedin = client(&sandbox);
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].id;
    let groups = linkedin
        .campaign_groups(&token, account, None)
        .await
        .unwrap()
        .value;
    let campaigns = linkedin
        .campaigns(&token, account, None)
        .await
        .unwrap()
        .value;
    let creatives = linkedin
        .creatives(&token, account, None)
        .await
        .unwrap()
        .value;
    assert_eq!(
        (
            groups.elements.len(),
            campaigns.elements.len(),
            creatives.elements.len()
        ),
        (2, 4, 6)
    );
    assert!(
        campaigns
            .values()
            .all(|c| c.name.is_some() && c.campaign_group.is_some())
    );
    assert!(
        creatives
            .values()
            .all(|c| urn_id(&c.id, "sponsoredCreative").is_some())
    );
    assert!(creatives.values().any(|c| c.name.is_none()));
    let stranger = authorize(&sandbox, "grace@northwind.example", SCOPES)
        .await
        .access_token;
    assert_eq!(
        kind(
            &linkedin
                .campaigns(&stranger, sandbox.accounts()[1].id, None)
                .await
        ),
        "forbidden"
    );
}

#[tokio::test]
async fn long_queries_are_tunneled() {
    let sandbox = sandbox(300, Settings::default());
    let token = ada(&sandbox).await;
    let account = sandbox.accounts()[0].id;
    let filter = TruthFilter {
        account: Some(account),
        test: Some(false),
        ..TruthFilter::default()
    };
    let ids: Vec<String> = sandbox
        .truth(filter)
        .into_iter()
        .map(|one| one.id)
        .take(150)
        .collect();
    sandbox.clear_requests();
    let batch = client(&sandbox)
        .lead_form_responses_by_ids(&token, &ids)
        .await
        .unwrap()
        .value;
    assert_eq!(batch.results.len(), 150);
    let requests = sandbox.requests();
    assert!(requests[0].tunneled && requests[0].method == "GET");
}
