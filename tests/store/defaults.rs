//! The records that other tests build on come out of the store as they went in.

use diesel::Connection as _;
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use leadgen::domain::lead::{FieldKey, LeadField};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};
use leadgen::store::{self, StoreError};

use crate::support::{
    TestDatabase, a_form, a_lead, a_moment, a_profile, a_submission, a_user, an_account,
};

#[test]
fn every_text_that_people_and_linkedin_write_comes_out_as_it_went_in() {
    let database = TestDatabase::new();
    let mut conn = database.conn();
    for text in [
        "Zoë O'Brien-Ó Súilleabháin",
        "<script>alert(1)</script>",
        "'; DROP TABLE leads; --",
        "\u{202e}rtl \u{200f}שלום",
        "👩‍👩‍👧‍👦 🇩🇪 e\u{301}",
        "two\nlines\tand a tab",
        "%_\\ \"quotes\"",
        &"x".repeat(4_000),
    ] {
        let id = a_lead()
            .value(LeadField::Description, text)
            .insert(&mut conn);
        let lead = store::lead_rows::load(&mut conn, &[id]).unwrap().remove(0);
        assert_eq!(
            lead.values[&FieldKey::Standard(LeadField::Description)],
            text
        );
    }
}

#[test]
fn a_submission_is_stored_once_per_response_id() {
    let database = TestDatabase::new();
    let mut conn = database.conn();
    let form = a_form().insert(&mut conn);
    let first = a_submission()
        .response_id("r-1")
        .of(&form)
        .insert(&mut conn);
    let detail = store::submissions::get(&mut conn, &first).unwrap();
    assert!(detail.raw.is_some());
    assert!(detail.version.is_some());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        a_submission()
            .response_id("r-1")
            .of(&form)
            .insert(&mut conn)
    }));
    assert!(again.is_err(), "a second row for the same response id");
    assert_eq!(database.number("SELECT count(*) FROM form_submissions"), 1);
}

#[test]
fn the_totals_count_each_kind_of_submission_apart() {
    let database = TestDatabase::new();
    let mut conn = database.conn();
    let owner = a_user().role(Role::Salesperson).insert(&mut conn);
    let profile = a_profile().of(&owner).authorized().insert(&mut conn);
    let account = an_account().seen_by(&profile).insert(&mut conn);
    let form = a_form().of(&account).insert(&mut conn);
    let lead = a_lead().owner(&owner).insert(&mut conn);
    for (status, reason) in [
        (
            MatchingStatus::NewLeadCreated,
            SubmissionReason::NoLeadMatched,
        ),
        (
            MatchingStatus::UpdatedExistingLead,
            SubmissionReason::Matched,
        ),
        (
            MatchingStatus::MatchFailed,
            SubmissionReason::SeveralLeadsMatch,
        ),
        (
            MatchingStatus::LeadCreationFailed,
            SubmissionReason::InternalError,
        ),
    ] {
        a_submission()
            .of(&form)
            .lead(&lead)
            .outcome(status, reason)
            .insert(&mut conn);
    }
    a_submission()
        .of(&form)
        .test()
        .outcome(
            MatchingStatus::MatchFailed,
            SubmissionReason::TestLeadIgnored,
        )
        .insert(&mut conn);
    let totals = store::status::aggregate(&mut conn).unwrap();
    assert_eq!(
        (totals.profiles, totals.accounts, totals.forms, totals.leads),
        (1, 1, 1, 1)
    );
    assert_eq!((totals.submissions, totals.test_submissions), (4, 1));
    assert_eq!((totals.leads_created, totals.leads_updated), (1, 1));
    assert_eq!((totals.match_failed, totals.processing_failed), (1, 1));
}

#[test]
fn the_last_administrator_stays() {
    let database = TestDatabase::new();
    let mut conn = database.conn();
    let only: UserId = a_user().role(Role::Administrator).insert(&mut conn);
    let outcome = conn.transaction::<_, StoreError, _>(|conn| {
        store::users::set_access(conn, a_moment(), &only, &[Role::Salesperson], true, 1)
    });
    assert!(matches!(outcome, Err(StoreError::Rule(_))), "{outcome:?}");
    let disabled = conn.transaction::<_, StoreError, _>(|conn| {
        store::users::set_access(conn, a_moment(), &only, &[Role::Administrator], false, 1)
    });
    assert!(matches!(disabled, Err(StoreError::Rule(_))), "{disabled:?}");
}
