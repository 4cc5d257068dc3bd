//! Records of one small world for the record pages: a salesperson's profile, an account, a form, a campaign, a lead.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::*;
use leadgen::domain::lead::{FieldKey, FieldOrigin, LeadField};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason, SubmissionStamp};
use leadgen::store::AnyConn;

use crate::start::TestPortal;
use crate::support::a_moment;
use crate::support::records::*;

/// Text that breaks pages which do not escape.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}🦊";

pub struct World {
    pub owner: UserId,
    pub profile: ProfileId,
    pub account: AccountId,
    pub form: FormId,
    pub lead: LeadId,
    pub submission: SubmissionId,
}

/// A portal with the data of a first start.
pub async fn seeded() -> TestPortal {
    let portal = TestPortal::start().await;
    seed_defaults(&mut portal.database.conn());
    portal
}

/// A portal with the world in it.
pub async fn with_world() -> (TestPortal, World) {
    let portal = seeded().await;
    let world = world(&mut portal.database.conn());
    (portal, world)
}

/// Everything that has a page, with hostile texts wherever LinkedIn or people write text.
pub fn world(conn: &mut AnyConn) -> World {
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let profile = a_profile(conn, &owner, &format!("Sam’s profile {HOSTILE}"));
    authorize(conn, &profile, &owner, a_moment() + TimeDelta::days(50));
    let account = accounts(conn, &profile, &[&format!("Acme {HOSTILE}")]).remove(0);
    let mut content = form_content(&format!("Guide {HOSTILE}"), 1);
    content.questions[3].text = format!("Anything else? {HOSTILE}");
    content.headline = Some(HOSTILE.to_owned());
    let (form, version) = a_form(conn, &account, 7001, content);
    let campaign = a_campaign(conn, &account, 42, &format!("Autumn {HOSTILE}"));
    let mut submission = a_submission(&account, &format!("Ada Lovelace {HOSTILE}"));
    let mut lead = a_lead(
        &owner,
        &[
            (LeadField::FirstName, "Ada"),
            (LeadField::LastName, "Lovelace"),
            (LeadField::CompanyName, &format!("Acme {HOSTILE}")),
            (LeadField::Email, "ada@acme.example"),
        ],
    );
    let stamp = SubmissionStamp {
        id: submission.id.clone(),
        response_id: submission.response_id.clone(),
        submitted_at: submission.submitted_at,
    };
    lead.attach(&stamp);
    lead.provenance.insert(
        FieldKey::from(LeadField::Email),
        FieldOrigin::submission(&stamp),
    );
    lead.account_id = Some(account.clone());
    lead.form_id = Some(form.clone());
    lead.campaign_id = Some(campaign.clone());
    let lead = save_lead(conn, &lead);
    submission = decided(
        submission,
        MatchingStatus::NewLeadCreated,
        SubmissionReason::NoLeadMatched,
        Some(&lead),
    );
    submission.form_id = Some(form.clone());
    submission.form_version_id = Some(version);
    submission.campaign_id = Some(campaign);
    submission.decision = Some(decision(&owner));
    let submission = save_submission(conn, &submission);
    World {
        owner,
        profile,
        account,
        form,
        lead,
        submission,
    }
}

/// A decision as the sync writes it.
fn decision(owner: &UserId) -> String {
    let mapping = MappingId::new(uuid::Uuid::nil());
    serde_json::json!({
        "decided_at": "2026-11-21T12:00:01Z",
        "strategy": { "id": StrategyId::new(uuid::Uuid::nil()), "name": "E-mail address", "fields": ["email"] },
        "mappings": [
            { "mapping_id": mapping, "name": "Email", "field": "email", "question_id": 1, "outcome": "mapped" },
            { "mapping_id": mapping, "name": "Website", "field": "website", "question_id": 4, "outcome": "left_out" },
        ],
        "flags": [{ "mapping_id": mapping, "field": "website", "question_id": 4, "problem": "not_a_url" }],
        "unmapped_questions": [3],
        "compared": [{ "field": "email", "result": "no_lead" }],
        "candidates": [],
        "action": { "kind": "create" },
        "status": "new_lead_created",
        "reason": "no_lead_matched",
        "owner": { "id": owner, "reason": { "step": "account_default" } },
        "changes": [{ "field": "company_name", "before": "Old", "after": HOSTILE }],
    })
    .to_string()
}

/// The page must show the hostile text as text, and hold no script of its own making.
pub fn shows_hostile_text_as_text(page: &crate::support::Page) {
    assert!(
        page.body.contains("&lt;script&gt;alert(1)")
            || page.body.contains("&#60;script&#62;alert(1)"),
        "{}",
        page.url
    );
    assert!(!page.body.contains("<script>alert"), "{}", page.url);
    page.text();
}
