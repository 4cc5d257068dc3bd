//! What the triggers count is what there is, whoever writes and however.

use leadgen::domain::access::Role;
use leadgen::domain::lead::LeadField;
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};
use leadgen::store::{account_counts, forms, status};

use crate::support::TestDatabase;
use crate::support::records::{
    self, a_campaign, a_form, a_lead, a_profile, a_submission, a_user, decided, form_content,
    save_lead, save_submission, seed_defaults,
};

/// The groups that were counted and those that are there, as lines of text.
fn counted_and_true(database: &TestDatabase) -> [Vec<String>; 4] {
    let columns = "account_id || ' ' || form_id || ' ' || campaign_id || ' ' || matching_status || ' ' || processing_state \
                   || ' ' || CAST(is_test AS INTEGER) || ' ' || CAST(is_ignored_test AS INTEGER)";
    [
        database.texts(&format!(
            "SELECT {columns} || ' ' || submissions FROM submission_counts WHERE submissions <> 0 ORDER BY 1"
        )),
        database.texts(&format!(
            "SELECT {columns} || ' ' || count(*) FROM (SELECT account_id, coalesce(form_id, '') AS form_id, \
                    coalesce(campaign_id, '') AS campaign_id, matching_status, processing_state, is_test, \
                    coalesce(reason = 'test_lead_ignored', FALSE) AS is_ignored_test FROM form_submissions) AS s \
             GROUP BY {columns} ORDER BY 1"
        )),
        database.texts(
            "SELECT campaign_id || ' ' || leads FROM campaign_lead_counts WHERE leads <> 0 ORDER BY 1",
        ),
        database.texts(
            "SELECT campaign_id || ' ' || count(*) FROM lead_origins WHERE campaign_id IS NOT NULL GROUP BY campaign_id ORDER BY 1",
        ),
    ]
}

fn expect_true(database: &TestDatabase, what: &str) {
    let [submissions, true_submissions, leads, true_leads] = counted_and_true(database);
    assert_eq!(submissions, true_submissions, "submissions after {what}");
    assert_eq!(leads, true_leads, "leads after {what}");
}

#[tokio::test]
async fn counts_follow_every_write_and_begin_with_what_was_stored_before() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    seed_defaults(conn);
    let owner = a_user(conn, "Sam", &[Role::Salesperson]);
    let profile = a_profile(conn, &owner, "Sam’s");
    let account = records::accounts(conn, &profile, &["One"]).remove(0);
    let (form, version) = a_form(conn, &account, 7001, form_content("Guide", 1));
    let campaign = a_campaign(conn, &account, 42, "Autumn");
    expect_true(&database, "nothing");

    let mut lead = a_lead(&owner, &[(LeadField::Email, "ada@acme.example")]);
    lead.campaign_id = Some(campaign.clone());
    let lead = save_lead(conn, &lead);
    for number in 0..6 {
        let mut submission = a_submission(&account, "Ada");
        submission.form_id = Some(form.clone());
        submission.form_version_id = Some(version.clone());
        submission.campaign_id = (number % 2 == 0).then(|| campaign.clone());
        submission.is_test = number == 5;
        let submission = match number {
            0 => submission,
            5 => decided(
                submission,
                MatchingStatus::MatchFailed,
                SubmissionReason::TestLeadIgnored,
                None,
            ),
            _ => decided(
                submission,
                MatchingStatus::NewLeadCreated,
                SubmissionReason::NoLeadMatched,
                Some(&lead),
            ),
        };
        save_submission(conn, &submission);
    }
    expect_true(&database, "six submissions and a lead");
    let totals = status::aggregate(conn).unwrap();
    assert_eq!(
        (
            totals.submissions,
            totals.test_submissions,
            totals.leads_created,
            totals.match_failed
        ),
        (5, 1, 4, 0)
    );
    assert_eq!(
        account_counts::of(conn, &[&account]).unwrap()[account.as_str()].submissions,
        6
    );
    assert_eq!(
        forms::counts(conn, &[&form]).unwrap()[form.as_str()].submissions,
        6
    );

    for (what, sql) in [
        (
            "many change their state at once",
            "UPDATE form_submissions SET matching_status = 'match_failed', processing_state = 'processing_failed', reason = 'several_leads_match'",
        ),
        (
            "a change of nothing that counts",
            "UPDATE form_submissions SET name = 'Somebody'",
        ),
        ("the campaign goes away", "DELETE FROM campaigns"),
        (
            "some are erased",
            "DELETE FROM form_submissions WHERE is_test",
        ),
        ("the lead goes", "DELETE FROM leads"),
    ] {
        database.execute(sql);
        expect_true(&database, what);
    }

    // A database of an earlier version has submissions and neither counts nor triggers.
    database.execute("DELETE FROM submission_counts; DELETE FROM campaign_lead_counts;");
    database.store().migrate().await.unwrap();
    expect_true(&database, "an update of the program");
    database.store().migrate().await.unwrap();
    expect_true(&database, "another start");
}
