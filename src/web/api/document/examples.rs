//! Examples with invented people. The tests hold them against the schemas.

use serde_json::{Value, json};

const ACCOUNT: &str = "01939e10-0000-7000-8000-00000000a001";
const CAMPAIGN: &str = "01939e10-0000-7000-8000-00000000c001";
const FORM: &str = "01939e10-0000-7000-8000-00000000f001";
const LEAD: &str = "01939e10-0000-7000-8000-000000001001";
const MAPPING: &str = "01939e10-0000-7000-8000-00000000d001";
const PROFILE: &str = "01939e10-0000-7000-8000-00000000b001";
const RUN: &str = "01939e10-0000-7000-8000-00000000e001";
const STRATEGY: &str = "01939e10-0000-7000-8000-00000000d002";
const SUBMISSION: &str = "01939e10-0000-7000-8000-000000005001";
const USER: &str = "01939e10-0000-7000-8000-000000000001";
const VERSION: &str = "01939e10-0000-7000-8000-00000000f002";

/// Puts the members of `more` onto an object.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut object, more) {
        members.extend(more);
    }
    object
}

/// A lead.
pub fn lead() -> Value {
    json!({
        "id": LEAD,
        "name": "Ada Lovelace",
        "topic": "Analytical engines guide",
        "status": "new",
        "owner_id": USER,
        "source": "linkedin_sponsored_content",
        "values": { "first_name": "Ada", "last_name": "Lovelace", "email": "ada@northwind.example", "custom.budget": "10000" },
        "account_id": ACCOUNT,
        "form_id": FORM,
        "campaign_id": CAMPAIGN,
        "first_submission_id": SUBMISSION,
        "latest_submission_id": SUBMISSION,
        "latest_submitted_at": "2025-11-20T09:30:00Z",
        "submission_count": 1,
        "created_at": "2025-11-20T09:31:12Z",
        "updated_at": "2025-11-20T09:31:12Z",
    })
}

/// What to change on it.
pub fn lead_change() -> Value {
    json!({ "status": "contacted", "owner_email": "grace@leads.example" })
}

/// A form submission.
pub fn submission() -> Value {
    json!({
        "id": SUBMISSION,
        "response_id": "249592fc-d272-44ba-a7db-c2bdce579507-6",
        "name": "Ada Lovelace",
        "submitted_at": "2025-11-20T09:30:00Z",
        "received_at": "2025-11-20T09:31:12Z",
        "lead_type": "sponsored",
        "is_test": false,
        "matching_status": "new_lead_created",
        "processing_state": "processing_succeeded",
        "reason": "no_lead_matched",
        "reason_detail": null,
        "flag_count": 0,
        "lead_id": LEAD,
        "attempts": 1,
        "processed_at": "2025-11-20T09:31:12Z",
        "account_id": ACCOUNT,
        "form_id": FORM,
        "form_linkedin_id": 7_234_246,
        "form_version": 1,
        "campaign_linkedin_id": 198_356_826,
        "campaign_name": "Autumn",
        "ignored_at": null,
        "ignored_reason": null,
        "revision": 1,
    })
}

fn decision() -> Value {
    json!({
        "decided_at": "2025-11-20T09:31:12Z",
        "status": "new_lead_created",
        "reason": "no_lead_matched",
        "action": "create",
        "action_lead_id": null,
        "strategy": { "id": STRATEGY, "name": "E-mail address", "fields": ["email"] },
        "mappings": [{ "mapping_id": MAPPING, "name": "E-mail", "field": "email", "question_id": 1, "outcome": "mapped" }],
        "flags": [],
        "unmapped_question_ids": [],
        "compared": [{ "field": "email", "result": "no_lead", "lead_ids": [] }],
        "candidate_ids": [],
        "owner": { "id": USER, "step": "account_default" },
        "changes": [{ "field": "email", "before": null, "after": "ada@northwind.example" }],
    })
}

/// A form submission with answers and decision.
pub fn submission_detail() -> Value {
    let answer = json!({
        "question_id": 1,
        "question": "Email address",
        "predefined_field": "EMAIL",
        "kind": "text",
        "text": "ada@northwind.example",
        "choices": [],
        "unknown": null,
    });
    let consent = json!({ "id": 0, "text": "I agree to be called.", "is_accepted": true });
    with(
        submission(),
        json!({ "answers": [answer], "consents": [consent], "decision": decision() }),
    )
}

/// A response in LinkedIn's shape.
pub fn response() -> Value {
    json!({
        "id": "249592fc-d272-44ba-a7db-c2bdce579507-6",
        "owner": { "sponsoredAccount": "urn:li:sponsoredAccount:512345678" },
        "leadType": "SPONSORED",
        "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7234246,1)",
        "submittedAt": 1_763_631_000_000_i64,
        "testLead": false,
        "formResponse": {
            "answers": [
                { "questionId": 1, "answerDetails": { "textQuestionAnswer": { "answer": "ada@northwind.example" } } },
                { "questionId": 2, "answerDetails": { "multipleChoiceAnswer": { "options": [0] } } },
            ],
            "consentResponses": [{ "consentId": 0, "accepted": true }],
        },
    })
}

/// A LinkedIn account.
pub fn account() -> Value {
    json!({
        "id": ACCOUNT,
        "linkedin_id": 512_345_678,
        "owner_type": "sponsored_account",
        "name": "Northwind Ads",
        "currency": "EUR",
        "linkedin_status": "ACTIVE",
        "is_test": false,
        "page_name": "Northwind",
        "is_sync_enabled": true,
        "paused_at": null,
        "state": "read",
        "default_lead_owner_id": USER,
        "form_sync_status": "active",
        "campaign_sync_status": "active",
        "failure_reason": null,
        "last_synchronized_at": "2025-11-20T09:31:12Z",
        "next_sync_at": "2025-11-20T09:46:12Z",
        "form_count": 3,
        "campaign_count": 2,
        "submission_count": 128,
        "created_at": "2025-10-01T08:00:00Z",
    })
}

/// A Lead Gen form.
pub fn form() -> Value {
    json!({
        "id": FORM,
        "linkedin_id": 7_234_246,
        "name": "Analytical engines guide",
        "account_id": ACCOUNT,
        "status": "active",
        "linkedin_state": "PUBLISHED",
        "language": "en",
        "country": "US",
        "current_version": 1,
        "version_count": 1,
        "submission_count": 42,
        "linkedin_modified_at": "2025-10-01T08:00:00Z",
        "last_synchronized_at": "2025-11-20T09:31:12Z",
        "created_at": "2025-10-01T08:05:00Z",
    })
}

/// A form with its versions.
pub fn form_detail() -> Value {
    let typed = json!({
        "id": 1, "name": "Email", "text": "Email address", "label": null, "predefined_field": "EMAIL",
        "type": "text", "options": [], "is_required": true,
    });
    let chosen = json!({
        "id": 2, "name": "Budget", "text": "What is your budget?", "label": null, "predefined_field": null,
        "type": "multiple_choice", "options": [{ "id": 0, "text": "Up to 10 000" }], "is_required": false,
    });
    let version = json!({
        "id": VERSION,
        "number": 1,
        "name": "Analytical engines guide",
        "questions": [typed, chosen],
        "hidden_fields": [{ "name": "region", "value": "emea" }],
        "consents": [{ "id": 0, "text": "I agree to be called.", "is_required": false }],
    });
    with(form(), json!({ "versions": [version] }))
}

/// How the synchronization stands.
pub fn sync_status() -> Value {
    json!({
        "profiles": 1,
        "accounts": 2,
        "forms": 3,
        "submissions": 128,
        "test_submissions": 4,
        "leads": 117,
        "leads_created": 117,
        "leads_updated": 9,
        "match_failed": 2,
        "processing_failed": 0,
        "last_synchronization_at": "2025-11-20T09:31:12Z",
        "runs": { "succeeded": 412, "failed": 3, "running": 0 },
    })
}

/// A sync run.
pub fn sync_run() -> Value {
    json!({
        "id": RUN,
        "kind": "account",
        "profile_id": PROFILE,
        "account_id": ACCOUNT,
        "trigger": "scheduled",
        "status": "succeeded",
        "started_at": "2025-11-20T09:31:10Z",
        "finished_at": "2025-11-20T09:31:12Z",
        "pages": 2,
        "responses": 1,
        "submissions_new": 1,
        "submissions_known": 0,
        "leads_created": 1,
        "leads_updated": 0,
        "match_failed": 0,
        "processing_failed": 0,
        "failure_reason": null,
        "failure_detail": null,
        "next_attempt_at": null,
    })
}

/// What to synchronize.
pub fn sync_wish() -> Value {
    json!({ "account": ACCOUNT })
}

/// What will be synchronized.
pub fn sync_request() -> Value {
    json!({ "profile_ids": [], "account_ids": [ACCOUNT] })
}

/// A field mapping.
pub fn mapping() -> Value {
    json!({
        "id": MAPPING,
        "name": "E-mail",
        "form_id": null,
        "source": { "kind": "predefined", "key": "EMAIL" },
        "target": "email",
        "policy": "fill_if_empty",
        "transforms": [{ "type": "trim" }, { "type": "lower" }],
        "position": 3,
    })
}

/// A matching strategy.
pub fn strategy() -> Value {
    json!({ "id": STRATEGY, "name": "E-mail address", "fields": ["email"], "is_active": true })
}
