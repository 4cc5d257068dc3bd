//! What pages read and people change: lists with filters and paging, totals, edits of a lead.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::{LeadId, UserId};
use leadgen::domain::lead::{FieldKey, LeadField, LeadSource, LeadStatus, Origin};
use leadgen::domain::profile::Authorization;
use leadgen::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use leadgen::domain::sync::{FailureReason, RunStatus};
use leadgen::store::lead_edits::{self, LeadEdit};
use leadgen::store::lead_lists::LeadListed;
use leadgen::store::leads::LeadFilter;
use leadgen::store::paging::PageStart;
use leadgen::store::profiles::ProfileFilter;
use leadgen::store::submissions::SubmissionFilter;
use leadgen::store::sync_runs::RunFilter;
use leadgen::store::{
    AnyConn, StoreError, account_counts, accounts, campaigns, forms, leads, profiles, status,
    submissions, sync_runs,
};

use crate::lead_lists::lead_list;
use crate::support::TestDatabase;
use crate::support::records::*;

fn names(rows: &[LeadListed]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

fn owner(conn: &mut AnyConn) -> UserId {
    seed_defaults(conn);
    a_user(conn, "Sam Sales", &[Role::Salesperson])
}

#[test]
fn leads_are_paged_newest_first_without_gaps_or_doubles_though_times_are_equal() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let mut expected: Vec<LeadId> = (0..120)
        .map(|n: i64| {
            let mut lead = a_lead(&owner, &[(LeadField::LastName, "Same")]);
            // Forty of each instant.
            lead.created_at = day() + TimeDelta::microseconds(n / 40);
            save_lead(conn, &lead);
            lead
        })
        .map(|lead| lead.id)
        .collect();
    let filter = LeadFilter::default();
    let mut seen = Vec::new();
    let mut starts = vec![PageStart::Newest];
    while let Some(start) = starts.last().cloned() {
        let (page, count) = lead_list(conn, &filter, &start).unwrap();
        assert_eq!(count.rows, 120);
        assert!(!count.is_more);
        seen.extend(page.rows.iter().map(|row| row.id.clone()));
        let Some(older) = page.older else { break };
        starts.push(PageStart::After(older));
    }
    assert_eq!(starts.len(), 3);
    let mut sorted = seen.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    // And back again from the last page.
    let (last, _) = lead_list(conn, &filter, starts.last().unwrap()).unwrap();
    let (middle, _) = lead_list(conn, &filter, &PageStart::Before(last.newer.unwrap())).unwrap();
    assert_eq!(
        middle
            .rows
            .iter()
            .map(|row| row.id.clone())
            .collect::<Vec<_>>(),
        seen[50..100]
    );
    let (first, _) = lead_list(conn, &filter, &PageStart::Before(middle.newer.unwrap())).unwrap();
    assert_eq!(first.rows[0].id, seen[0]);
    assert!(first.newer.is_none() && first.older.is_some());
}

#[test]
fn a_lead_is_found_by_words_of_its_name_company_and_e_mail_taken_literally() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    for (first, last, company, email) in [
        ("Ada", "Lovelace", "Analytical 100%", "ada@engine.example"),
        ("Grace", "Hopper", "Navy_1", "grace@navy.example"),
        ("Jürgen", "Müller", "Navy51", "jm@example.org"),
    ] {
        save_lead(
            conn,
            &a_lead(
                &owner,
                &[
                    (LeadField::FirstName, first),
                    (LeadField::LastName, last),
                    (LeadField::CompanyName, company),
                    (LeadField::WorkEmail, email),
                ],
            ),
        );
    }
    for (search, found) in [
        ("LOVE", vec!["Ada Lovelace"]),
        ("lovelace ADA", vec!["Ada Lovelace"]),
        ("ada hopper", vec![]),
        ("100%", vec!["Ada Lovelace"]),
        ("navy_1", vec!["Grace Hopper"]),
        ("müller", vec!["Jürgen Müller"]),
        ("@navy.example", vec!["Grace Hopper"]),
        ("' OR 1=1 --", vec![]),
        ("\\", vec![]),
    ] {
        let filter = LeadFilter {
            search: Some(search.to_owned()),
            ..LeadFilter::default()
        };
        let (page, count) = lead_list(conn, &filter, &PageStart::Newest).unwrap();
        assert_eq!(names(&page.rows), found, "{search}");
        assert_eq!(count.rows, i64::try_from(found.len()).unwrap());
    }
}

#[test]
fn the_lead_list_filters_by_status_owner_and_source() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let other = a_user(conn, "Olga Other", &[Role::Salesperson]);
    let mut event = a_lead(&other, &[(LeadField::LastName, "Event")]);
    event.source = LeadSource::LinkedinEvent;
    event.status = LeadStatus::Qualified;
    save_lead(conn, &event);
    save_lead(conn, &a_lead(&owner, &[(LeadField::LastName, "Ad")]));
    for (filter, found) in [
        (
            LeadFilter {
                status: Some(LeadStatus::Qualified),
                ..Default::default()
            },
            "Event",
        ),
        (
            LeadFilter {
                owner_id: Some(owner.clone()),
                ..Default::default()
            },
            "Ad",
        ),
        (
            LeadFilter {
                source: Some(LeadSource::LinkedinEvent),
                ..Default::default()
            },
            "Event",
        ),
    ] {
        let (page, _) = lead_list(conn, &filter, &PageStart::Newest).unwrap();
        assert_eq!(names(&page.rows), [found]);
        assert!(!filter.is_empty());
    }
}

#[test]
fn an_edit_keeps_journal_provenance_and_match_keys_together() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let other = a_user(conn, "Olga Other", &[Role::Administrator]);
    let id = save_lead(
        conn,
        &a_lead(
            &owner,
            &[
                (LeadField::Email, "old@acme.example"),
                (LeadField::City, "Bonn"),
            ],
        ),
    );
    let edit = LeadEdit {
        values: vec![
            (
                LeadField::Email.into(),
                Some(" New@Acme.example ".to_owned()),
            ),
            (LeadField::City.into(), None),
            (LeadField::Country.into(), Some(String::new())),
        ],
        status: LeadStatus::Contacted,
        owner_id: other.clone(),
    };
    let changes = lead_edits::save(
        conn,
        &id,
        0,
        &edit,
        &owner,
        new::<LeadId>().into_string(),
        day(),
    )
    .unwrap();
    assert_eq!(
        changes
            .iter()
            .map(|change| change.field.as_str())
            .collect::<Vec<_>>(),
        ["email", "city", "status", "owner"]
    );
    let lead = leads::get(conn, &id).unwrap();
    assert_eq!(
        lead.values.get(&FieldKey::from(LeadField::Email)).unwrap(),
        "New@Acme.example"
    );
    assert!(!lead.values.contains_key(&FieldKey::from(LeadField::City)));
    assert_eq!(
        (lead.status, lead.owner_id, lead.lock_version),
        (LeadStatus::Contacted, other, 1)
    );
    assert_eq!(
        lead.provenance
            .get(&FieldKey::from(LeadField::Email))
            .unwrap()
            .by,
        Origin::Person
    );
    let journal = leads::journal(conn, &id).unwrap();
    assert_eq!(
        (journal[0].kind.as_str(), journal[0].user_name.as_deref()),
        ("edited", Some("Sam Sales"))
    );
    assert_eq!(journal[0].changes, changes);
    assert_eq!(
        database.texts("SELECT DISTINCT match_key FROM lead_match_keys"),
        ["new@acme.example"]
    );
    // A second person who still sees the first state is told.
    assert!(matches!(
        lead_edits::save(
            conn,
            &id,
            0,
            &edit,
            &owner,
            new::<LeadId>().into_string(),
            day()
        ),
        Err(StoreError::Stale("lead"))
    ));
    // The same again changes nothing, and the journal stays as it is.
    assert!(
        lead_edits::save(
            conn,
            &id,
            1,
            &edit,
            &owner,
            new::<LeadId>().into_string(),
            day()
        )
        .unwrap()
        .is_empty()
    );
    assert_eq!(leads::journal(conn, &id).unwrap().len(), 1);
}

#[test]
fn a_lead_is_not_given_to_somebody_disabled() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let gone = a_user(conn, "Gone", &[Role::Salesperson]);
    database.execute(&format!(
        "UPDATE users SET is_enabled = FALSE WHERE id = '{gone}'"
    ));
    let id = save_lead(conn, &a_lead(&owner, &[]));
    let edit = LeadEdit {
        values: Vec::new(),
        status: LeadStatus::New,
        owner_id: gone.clone(),
    };
    assert!(matches!(
        lead_edits::save(
            conn,
            &id,
            0,
            &edit,
            &owner,
            new::<LeadId>().into_string(),
            day()
        ),
        Err(StoreError::Rule(_))
    ));
    let choices = leads::possible_owners(conn).unwrap();
    assert!(
        choices.iter().any(|(id, _)| *id == owner) && choices.iter().all(|(id, _)| *id != gone)
    );
}

#[test]
fn totals_keep_test_leads_out_of_the_statistics() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let profile = a_profile(conn, &owner, "Mine");
    let account = accounts(conn, &profile, &["Acme"]).remove(0);
    a_form(conn, &account, 7001, form_content("Guide", 1));
    let lead = save_lead(conn, &a_lead(&owner, &[]));
    use MatchingStatus as M;
    use SubmissionReason as R;
    for (status, reason, is_test, lead) in [
        (M::NewLeadCreated, R::NoLeadMatched, false, Some(&lead)),
        (M::UpdatedExistingLead, R::Matched, false, Some(&lead)),
        (M::UpdatedExistingLead, R::Matched, false, Some(&lead)),
        (M::MatchFailed, R::SeveralLeadsMatch, false, None),
        (M::MatchFailed, R::TestLeadIgnored, true, None),
        (M::LeadCreationFailed, R::InternalError, false, None),
    ] {
        let mut submission = decided(a_submission(&account, "Ada"), status, reason, lead);
        submission.is_test = is_test;
        save_submission(conn, &submission);
    }
    a_run(conn, &account, "succeeded", None, day());
    a_run(conn, &account, "partly_failed", Some("rate_limited"), day());
    a_run(conn, &account, "abandoned", Some("interrupted"), day());
    a_run(conn, &account, "running", None, day());
    let totals = status::aggregate(conn).unwrap();
    assert_eq!(
        (totals.profiles, totals.accounts, totals.forms, totals.leads),
        (1, 1, 1, 1)
    );
    assert_eq!((totals.submissions, totals.test_submissions), (5, 1));
    assert_eq!((totals.leads_created, totals.leads_updated), (1, 2));
    assert_eq!((totals.match_failed, totals.processing_failed), (1, 1));
    assert_eq!(
        (
            totals.runs.succeeded,
            totals.runs.failed,
            totals.runs.running
        ),
        (1, 2, 1)
    );
    assert_eq!(totals.last_synchronization_at, None);
}

#[test]
fn submissions_are_filtered_and_read_back_whole() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let profile = a_profile(conn, &owner, "Mine");
    let both = accounts(conn, &profile, &["Acme", "Beta"]);
    let (form, version) = a_form(conn, &both[0], 7001, form_content("Guide", 1));
    let campaign = a_campaign(conn, &both[0], 42, "Autumn leads");
    let lead = save_lead(conn, &a_lead(&owner, &[(LeadField::LastName, "Lovelace")]));
    let mut first = decided(
        a_submission(&both[0], "Ada Lovelace"),
        MatchingStatus::NewLeadCreated,
        SubmissionReason::NoLeadMatched,
        Some(&lead),
    );
    first.form_id = Some(form.clone());
    first.form_version_id = Some(version);
    first.campaign_id = Some(campaign);
    first.decision = Some("{}".to_owned());
    save_submission(conn, &first);
    let mut second = a_submission(&both[1], "Grace Hopper");
    second.submitted_at = day() + TimeDelta::days(1);
    second.is_test = true;
    save_submission(conn, &second);
    let empty = SubmissionFilter::default;
    for (filter, found) in [
        (empty(), vec!["Grace Hopper", "Ada Lovelace"]),
        (
            SubmissionFilter {
                search: Some("LOVE".into()),
                ..empty()
            },
            vec!["Ada Lovelace"],
        ),
        (
            SubmissionFilter {
                account_id: Some(both[1].clone()),
                ..empty()
            },
            vec!["Grace Hopper"],
        ),
        (
            SubmissionFilter {
                form_id: Some(form),
                ..empty()
            },
            vec!["Ada Lovelace"],
        ),
        (
            SubmissionFilter {
                matching_status: Some(MatchingStatus::PendingLeadMatching),
                ..empty()
            },
            vec!["Grace Hopper"],
        ),
        (
            SubmissionFilter {
                processing_state: Some(ProcessingState::ProcessingSucceeded),
                ..empty()
            },
            vec!["Ada Lovelace"],
        ),
        (
            SubmissionFilter {
                is_test: Some(false),
                ..empty()
            },
            vec!["Ada Lovelace"],
        ),
        (
            SubmissionFilter {
                from: Some(second.submitted_at),
                ..empty()
            },
            vec!["Grace Hopper"],
        ),
        (
            SubmissionFilter {
                until: Some(second.submitted_at),
                ..empty()
            },
            vec!["Ada Lovelace"],
        ),
    ] {
        let (page, count) = submissions::list(conn, &filter, &PageStart::Newest, 50).unwrap();
        assert_eq!(
            page.rows
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>(),
            found
        );
        assert_eq!(count.rows, i64::try_from(found.len()).unwrap());
        assert_eq!(filter.is_empty(), found.len() == 2);
    }
    let detail = submissions::get(conn, &first.id).unwrap();
    assert_eq!(
        detail.submission.campaign_name.as_deref(),
        Some("Autumn leads")
    );
    assert_eq!(detail.submission.account.1, "Acme");
    assert_eq!(detail.raw.unwrap(), first.raw);
    assert_eq!(detail.decision.as_deref(), Some("{}"));
    assert_eq!(detail.version.unwrap().questions.len(), 4);
    assert_eq!(submissions::of_lead(conn, &lead).unwrap().len(), 1);
    assert!(matches!(
        submissions::get(conn, &new()),
        Err(StoreError::NotFound(_))
    ));
}

#[test]
fn a_profile_tells_its_token_s_facts_and_is_deleted_only_before_it_was_authorised() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let fresh = a_profile(conn, &owner, "Fresh");
    let used = a_profile(conn, &owner, "Used");
    authorize(conn, &used, &owner, day() + TimeDelta::days(9));
    let listed = profiles::list(conn, &ProfileFilter::default()).unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|row| row.name.as_str())
            .collect::<Vec<_>>(),
        ["Fresh", "Used"]
    );
    let token = listed[1].token.as_ref().unwrap();
    assert_eq!(token.expires_at, day() + TimeDelta::days(9));
    assert_eq!(token.scopes, ["r_ads", "r_marketing_leadgen_automation"]);
    assert!(token.refresh.is_none());
    assert_eq!(listed[1].authorized_by.as_deref(), Some("Sam Sales"));
    assert_eq!(
        listed[1].organization.as_ref().unwrap().1,
        "My organization"
    );
    let only = ProfileFilter {
        authorization: Some(Authorization::NotAuthorized),
        search: Some("FRE".to_owned()),
        ..Default::default()
    };
    assert_eq!(profiles::list(conn, &only).unwrap().len(), 1);
    assert!(matches!(
        profiles::insert(conn, &new(), " fresh ", &owner, day()),
        Err(StoreError::Duplicate(_))
    ));
    assert!(matches!(
        profiles::delete(conn, &used),
        Err(StoreError::Rule(_))
    ));
    profiles::delete(conn, &fresh).unwrap();
    assert!(profiles::find(conn, &fresh).unwrap().is_none());
    profiles::rename(conn, &used, 0, "Renamed", day()).unwrap();
    assert!(matches!(
        profiles::rename(conn, &used, 0, "Again", day()),
        Err(StoreError::Stale(_))
    ));
}

#[test]
fn an_account_switched_off_is_not_asked_for_and_switched_on_is_due() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let profile = a_profile(conn, &owner, "Mine");
    let both = accounts(conn, &profile, &["Acme", "Beta"]);
    accounts::save(conn, &both[0], false, Some(&owner), day()).unwrap();
    let off = accounts::get(conn, &both[0]).unwrap();
    assert_eq!(off.default_lead_owner.unwrap().1, "Sam Sales");
    assert!(!off.is_sync_enabled);
    assert!(matches!(
        accounts::request_sync(conn, &both[0]),
        Err(StoreError::Rule(_))
    ));
    assert_eq!(profiles::request_sync(conn, &profile).unwrap(), 1);
    accounts::save(conn, &both[0], true, None, day()).unwrap();
    let on = accounts::get(conn, &both[0]).unwrap();
    assert!(on.next_sync_at.is_some() && on.default_lead_owner.is_none());
    assert!(
        matches!(accounts::request_sync(conn, &both[0]), Err(StoreError::Rule(text)) if text.contains("No authorized"))
    );
    authorize(conn, &profile, &owner, day() + chrono::TimeDelta::days(50));
    accounts::request_sync(conn, &both[0]).unwrap();
    assert!(accounts::is_seen_by(conn, &both[0], &owner).unwrap());
    assert_eq!(profiles::of_account(conn, &both[0]).unwrap().len(), 1);
}

#[test]
fn forms_campaigns_and_runs_are_listed_with_their_numbers() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = owner(conn);
    let profile = a_profile(conn, &owner, "Mine");
    let account = accounts(conn, &profile, &["Acme"]).remove(0);
    let (form, version) = a_form(conn, &account, 7001, form_content("Guide", 1));
    a_form(conn, &account, 7001, form_content("Guide", 2));
    let campaign = a_campaign(conn, &account, 42, "Autumn leads");
    let mut submission = a_submission(&account, "Ada");
    submission.form_id = Some(form.clone());
    submission.form_version_id = Some(version);
    submission.campaign_id = Some(campaign);
    save_submission(conn, &submission);
    let listed = forms::list(conn, &Default::default()).unwrap();
    assert_eq!(listed[0].name, "Guide");
    let counts = forms::counts(conn, &[&form]).unwrap();
    assert_eq!(
        (
            counts[form.as_str()].versions,
            counts[form.as_str()].submissions
        ),
        (2, 1)
    );
    let versions = forms::versions(conn, &form).unwrap();
    assert_eq!(
        versions
            .iter()
            .map(|version| version.number)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    let (page, count) = campaigns::list(conn, &Default::default(), &PageStart::Newest).unwrap();
    assert_eq!(
        (
            page.rows[0].total_submissions,
            page.rows[0].total_leads,
            count.rows
        ),
        (1, 0, 1)
    );
    let counts = account_counts::of(conn, &[&account]).unwrap();
    assert_eq!(
        (
            counts[account.as_str()].forms,
            counts[account.as_str()].campaigns,
            counts[account.as_str()].submissions
        ),
        (1, 1, 1)
    );
    let first = a_run(conn, &account, "failed", Some("token_expired"), day());
    let second = a_run(
        conn,
        &account,
        "succeeded",
        None,
        day() + TimeDelta::minutes(5),
    );
    let page = sync_runs::list(conn, &RunFilter::default(), &PageStart::Newest).unwrap();
    assert_eq!(
        page.rows
            .iter()
            .map(|run| run.id.clone())
            .collect::<Vec<_>>(),
        [second.clone(), first.clone()]
    );
    let failed = sync_runs::list(
        conn,
        &RunFilter {
            status: Some(RunStatus::Failed),
            account_id: Some(account.clone()),
            ..Default::default()
        },
        &PageStart::Newest,
    )
    .unwrap();
    assert_eq!(
        failed.rows[0].failure_reason,
        Some(FailureReason::TokenExpired)
    );
    assert_eq!(
        sync_runs::latest_of_account(conn, &account)
            .unwrap()
            .unwrap()
            .id,
        second
    );
    assert_eq!(
        sync_runs::get(conn, &first).unwrap().account.unwrap().1,
        "Acme"
    );
    assert!(leadgen::store::activity::now(conn).unwrap().is_idle());
}
