//! Two leads become one, and two again.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::{LeadId, MergeId, UserId};
use leadgen::domain::lead::merge::{MergeChoices, MergeSide};
use leadgen::domain::lead::{FieldKey, Lead, LeadField, LeadStatus};
use leadgen::domain::matching::MatchingStrategy;
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};
use leadgen::store::lead_edits::{self, LeadEdit};
use leadgen::store::lead_merges::{self, NewMerge, Undoing};
use leadgen::store::leads::LeadFilter;
use leadgen::store::{
    AnyConn, StoreError, lead_notes, lead_rows, leads, match_keys, matching_strategies, submissions,
};

use super::lead_lists::lead_list;
use crate::support::TestDatabase;
use crate::support::records::{
    a_lead, a_profile, a_submission, a_user, accounts, day, decided, new, save_lead,
    save_submission, seed_defaults,
};

fn merge_with(
    conn: &mut AnyConn,
    by: &UserId,
    survivor: &LeadId,
    merged: &LeadId,
    choices: MergeChoices,
) -> Result<MergeId, StoreError> {
    let version = |conn: &mut AnyConn, id: &LeadId| leads::get(conn, id).unwrap().lock_version;
    let new = NewMerge {
        id: new(),
        survivor: (survivor.clone(), version(conn, survivor)),
        merged: (merged.clone(), version(conn, merged)),
        choices,
        user_id: by.clone(),
        change_id: uuid::Uuid::now_v7().to_string(),
        now: day() + TimeDelta::hours(1),
    };
    Ok(lead_merges::create(conn, &new)?.id)
}

fn merge(conn: &mut AnyConn, by: &UserId, survivor: &LeadId, merged: &LeadId) -> MergeId {
    merge_with(conn, by, survivor, merged, MergeChoices::new()).unwrap()
}

fn undo(
    conn: &mut AnyConn,
    by: &UserId,
    survivor: &LeadId,
    id: &MergeId,
) -> Result<Undoing, StoreError> {
    let version = leads::get(conn, survivor)?.lock_version;
    let change = uuid::Uuid::now_v7().to_string();
    let now = day() + TimeDelta::hours(2);
    lead_merges::undo(conn, survivor, id, version, by, &change, now)
}

/// A lead with match keys, as the sync leaves it.
fn keyed(conn: &mut AnyConn, lead: &Lead) -> LeadId {
    let id = save_lead(conn, lead);
    let keys = match_keys::keys_of(
        &matching_strategies::active(conn).unwrap(),
        &lead.values,
        None,
    );
    match_keys::replace(conn, &[(id.clone(), keys)]).unwrap();
    id
}

/// The one lead that an answer with this address matches.
fn found_by_email(conn: &mut AnyConn, email: &str) -> LeadId {
    let strategy: MatchingStrategy = matching_strategies::active(conn).unwrap();
    let values = [(FieldKey::Standard(LeadField::Email), email.to_owned())].into();
    let keys = match_keys::keys_of(&strategy, &values, None);
    let wanted: Vec<String> = keys.into_iter().map(|(_, key)| key).collect();
    let mut found = match_keys::full(conn, &wanted).unwrap();
    assert_eq!(found.len(), 1, "{email}: {found:?}");
    found.remove(0).1
}

struct Two {
    by: UserId,
    survivor: LeadId,
    merged: LeadId,
}

/// Two leads with a submission each; the second one has a note and a phone number as well.
fn two(conn: &mut AnyConn) -> Two {
    seed_defaults(conn);
    let by = a_user(conn, "Olga", &[Role::Salesperson]);
    let profile = a_profile(conn, &by, "Profile");
    let account = accounts(conn, &profile, &["Account"]).remove(0);
    let mut ids = Vec::new();
    for (name, email, phone) in [
        ("Ada", "ada@acme.example", None),
        ("Adeline", "ada@home.example", Some("+44 20 7946 0000")),
    ] {
        let mut lead = a_lead(
            &by,
            &[(LeadField::FirstName, name), (LeadField::Email, email)],
        );
        if let Some(phone) = phone {
            let key = FieldKey::Standard(LeadField::Phone);
            lead.values.insert(key, phone.to_owned());
        }
        let submission = a_submission(&account, name);
        lead.attach(&leadgen::domain::submission::SubmissionStamp {
            id: submission.id.clone(),
            response_id: submission.response_id.clone(),
            submitted_at: submission.submitted_at,
        });
        let id = keyed(conn, &lead);
        let submission = decided(
            submission,
            MatchingStatus::NewLeadCreated,
            SubmissionReason::NoLeadMatched,
            Some(&id),
        );
        save_submission(conn, &submission);
        ids.push(id);
    }
    let (merged, survivor) = (ids.remove(1), ids.remove(0));
    lead_notes::insert(conn, &new(), &merged, &by, "Called twice.", day()).unwrap();
    Two {
        by,
        survivor,
        merged,
    }
}

/// All rows that a merge may touch, as text, without the times of change and lock versions that undoing counts on.
fn everything(database: &TestDatabase, conn: &mut AnyConn, two: &Two) -> Vec<String> {
    let mut seen = Vec::new();
    let ids = [two.survivor.clone(), two.merged.clone()];
    let mut found = lead_rows::load(conn, &ids).unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    for mut lead in found {
        if lead.id == two.survivor {
            lead.updated_at = day();
            lead.lock_version = 0;
        }
        seen.push(format!("{lead:?}"));
    }
    for id in &ids {
        let attached = submissions::of_lead(conn, id).unwrap();
        seen.extend(attached.iter().map(|one| format!("{id} {}", one.id)));
        let notes = lead_notes::of_lead(conn, id).unwrap();
        seen.extend(notes.iter().map(|one| format!("{one:?}")));
    }
    for sql in [
        "SELECT count(*) FROM lead_match_keys WHERE NOT is_alias",
        "SELECT count(*) FROM lead_match_keys WHERE is_alias",
        "SELECT count(*) FROM lead_origins",
    ] {
        seen.push(database.number(sql).to_string());
    }
    for word in ["ada", "adeline", "home"] {
        let filter = LeadFilter {
            search: Some(word.to_owned()),
            ..LeadFilter::default()
        };
        let found = lead_list(conn, &filter, &Default::default()).unwrap().1;
        seen.push(format!("{word} {found:?}"));
    }
    seen
}

#[test]
fn a_merge_takes_everything_along_and_undoing_it_brings_exactly_that_back() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let two = two(conn);
    let before = everything(&database, conn, &two);
    let choices =
        MergeChoices::from([(FieldKey::Standard(LeadField::FirstName), MergeSide::Merged)]);
    let id = merge_with(conn, &two.by, &two.survivor, &two.merged, choices).unwrap();

    let lead = leads::get(conn, &two.survivor).unwrap();
    assert_eq!(lead.display_name(), "Adeline");
    assert_eq!(lead.submission_count, 2);
    assert_eq!(submissions::of_lead(conn, &two.survivor).unwrap().len(), 2);
    assert_eq!(lead_notes::of_lead(conn, &two.survivor).unwrap().len(), 1);
    assert!(matches!(
        leads::get(conn, &two.merged),
        Err(StoreError::NotFound(_))
    ));
    let stands = lead_merges::survivor_of(conn, &two.merged).unwrap();
    assert_eq!(stands, Some((two.survivor.clone(), "Adeline".to_owned())));
    let entry = leads::journal(conn, &two.survivor).unwrap().remove(0);
    assert_eq!(entry.changes[0].field, lead_merges::JOURNAL_WORD);
    assert_eq!(entry.changes.len(), 3);

    let undoing = undo(conn, &two.by, &two.survivor, &id).unwrap();
    assert!(undoing.is_exact);
    assert_eq!(everything(&database, conn, &two), before);
    assert_eq!(lead_merges::survivor_of(conn, &two.merged).unwrap(), None);
    assert!(matches!(
        undo(conn, &two.by, &two.survivor, &id),
        Err(StoreError::Rule(_))
    ));
}

#[test]
fn the_next_submission_of_a_merged_lead_finds_the_one_that_stayed_whatever_happens_to_the_keys() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let two = two(conn);
    let id = merge(conn, &two.by, &two.survivor, &two.merged);
    let theirs = "ADA@home.example";
    assert_eq!(found_by_email(conn, theirs), two.survivor);
    // All keys are made anew.
    let strategy = matching_strategies::active(conn).unwrap();
    match_keys::rebuild(conn, &strategy, None).unwrap();
    assert_eq!(found_by_email(conn, theirs), two.survivor);
    // Another strategy is activated, and the first one again.
    let by_name = MatchingStrategy {
        id: new(),
        name: "First name".to_owned(),
        fields: vec![FieldKey::Standard(LeadField::FirstName)],
        is_active: false,
    };
    matching_strategies::insert(conn, &by_name, day()).unwrap();
    matching_strategies::activate(conn, &by_name.id, day()).unwrap();
    let found = match_keys::full(conn, &["adeline".to_owned()]).unwrap();
    assert_eq!(found, [("adeline".to_owned(), two.survivor.clone())]);
    matching_strategies::activate(conn, &strategy.id, day()).unwrap();
    assert_eq!(found_by_email(conn, theirs), two.survivor);
    // The lead takes the address of the merged one over, and gives it up again.
    for email in [theirs, "other@acme.example"] {
        let version = leads::get(conn, &two.survivor).unwrap().lock_version;
        let edit = LeadEdit {
            values: vec![(FieldKey::Standard(LeadField::Email), Some(email.to_owned()))],
            status: LeadStatus::New,
            owner_id: two.by.clone(),
        };
        let change = uuid::Uuid::now_v7().to_string();
        lead_edits::save(conn, &two.survivor, version, &edit, &two.by, change, day()).unwrap();
        assert_eq!(found_by_email(conn, theirs), two.survivor);
    }
    undo(conn, &two.by, &two.survivor, &id).unwrap();
    assert_eq!(found_by_email(conn, theirs), two.merged);
    assert_eq!(found_by_email(conn, "other@acme.example"), two.survivor);
}

#[test]
fn a_chain_of_merges_is_taken_back_from_its_end() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let two = two(conn);
    let third = keyed(
        conn,
        &a_lead(&two.by, &[(LeadField::Email, "third@acme.example")]),
    );
    let first = merge(conn, &two.by, &two.survivor, &two.merged);
    let second = merge(conn, &two.by, &third, &two.survivor);
    for email in ["ada@home.example", "ada@acme.example", "third@acme.example"] {
        assert_eq!(found_by_email(conn, email), third, "{email}");
    }
    let (root, called) = lead_merges::survivor_of(conn, &two.merged)
        .unwrap()
        .unwrap();
    assert_eq!((root, called.as_str()), (third.clone(), "Adeline"));
    assert!(matches!(
        undo(conn, &two.by, &two.survivor, &first),
        Err(StoreError::NotFound(_))
    ));
    assert!(undo(conn, &two.by, &third, &second).unwrap().is_exact);
    assert_eq!(found_by_email(conn, "ada@home.example"), two.survivor);
    assert!(undo(conn, &two.by, &two.survivor, &first).unwrap().is_exact);
    assert_eq!(found_by_email(conn, "ada@home.example"), two.merged);
}

#[test]
fn what_came_after_a_merge_stays_with_the_lead_that_stayed() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let two = two(conn);
    let id = merge(conn, &two.by, &two.survivor, &two.merged);
    let version = leads::get(conn, &two.survivor).unwrap().lock_version;
    let phone = FieldKey::Standard(LeadField::Phone);
    let edit = LeadEdit {
        values: vec![(phone.clone(), Some("+44 20 7946 1111".to_owned()))],
        status: LeadStatus::Contacted,
        owner_id: two.by.clone(),
    };
    let change = uuid::Uuid::now_v7().to_string();
    lead_edits::save(conn, &two.survivor, version, &edit, &two.by, change, day()).unwrap();
    let stale = lead_merges::undo(conn, &two.survivor, &id, version, &two.by, "x", day());
    assert!(matches!(stale, Err(StoreError::Stale(_))));
    let undoing = undo(conn, &two.by, &two.survivor, &id).unwrap();
    assert!(!undoing.is_exact);
    assert_eq!(undoing.kept.len(), 1);
    let lead = leads::get(conn, &two.survivor).unwrap();
    assert_eq!(lead.values[&phone], "+44 20 7946 1111");
    assert_eq!(lead.status, LeadStatus::Contacted);
    assert_eq!(lead.submission_count, 1);
    let returned = leads::get(conn, &two.merged).unwrap();
    assert_eq!(returned.values[&phone], "+44 20 7946 0000");
    assert_eq!(submissions::of_lead(conn, &two.merged).unwrap().len(), 1);
}

#[test]
fn a_lead_that_changed_or_is_the_same_is_not_merged() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let two = two(conn);
    let same = merge_with(conn, &two.by, &two.merged, &two.merged, MergeChoices::new());
    assert!(matches!(same, Err(StoreError::Rule(_))));
    let outdated = NewMerge {
        id: new(),
        survivor: (two.survivor.clone(), 0),
        merged: (two.merged.clone(), 7),
        choices: MergeChoices::new(),
        user_id: two.by.clone(),
        change_id: "x".to_owned(),
        now: day(),
    };
    assert!(matches!(
        lead_merges::create(conn, &outdated),
        Err(StoreError::Stale(_))
    ));
    assert!(leads::get(conn, &two.merged).is_ok());
}
