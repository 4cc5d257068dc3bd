//! Search of leads and submissions: by the beginnings of normalised words, the same on both databases, from an index.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection as _;
use leadgen::domain::access::Role;
use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::{FieldKey, Lead, LeadField};
use leadgen::store::leads::LeadFilter;
use leadgen::store::paging::PageStart;
use leadgen::store::submissions::SubmissionFilter;
use leadgen::store::{AnyConn, lead_rows, leads, search, submissions};

use crate::lead_lists::lead_list;
use crate::support::records::{a_lead, a_user, day, save_lead};
use crate::support::{System, TestDatabase, a_submission};

fn lead_names(conn: &mut AnyConn, typed: &str) -> Vec<String> {
    let filter = LeadFilter {
        search: Some(typed.to_owned()),
        ..LeadFilter::default()
    };
    let (page, _) = lead_list(conn, &filter, &PageStart::Newest).unwrap();
    page.rows.into_iter().map(|lead| lead.name).collect()
}

fn submission_names(conn: &mut AnyConn, typed: &str) -> Vec<String> {
    let filter = SubmissionFilter {
        search: Some(typed.to_owned()),
        ..SubmissionFilter::default()
    };
    let (page, _) = submissions::list(conn, &filter, &PageStart::Newest, 50).unwrap();
    page.rows.into_iter().map(|one| one.name).collect()
}

fn change(conn: &mut AnyConn, id: &LeadId, field: LeadField, value: &str) {
    let mut lead: Lead = leads::get(conn, id).unwrap();
    lead.values
        .insert(FieldKey::Standard(field), value.to_owned());
    lead_rows::save(conn, &[&lead]).unwrap();
}

#[test]
fn case_accents_and_width_never_count_beyond_ascii_either() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    for (n, last) in ["ŁUKASIEWICZ", "Ångström", "Straße", "王小明", "O'Brien"]
        .into_iter()
        .enumerate()
    {
        let mut lead = a_lead(&owner, &[(LeadField::LastName, last)]);
        lead.created_at = day() + TimeDelta::seconds(i64::try_from(n).unwrap());
        save_lead(conn, &lead);
        a_submission().name(last).insert(conn);
    }
    for (typed, found) in [
        ("łukas", vec!["ŁUKASIEWICZ"]),
        ("ÅNGSTRÖM", vec!["Ångström"]),
        ("A\u{30a}ng", vec!["Ångström"]),
        ("STRASSE", vec!["Straße"]),
        ("王", vec!["王小明"]),
        ("o'br", vec!["O'Brien"]),
        ("brien", vec!["O'Brien"]),
        ("ukasiewicz", vec![]),
        ("\" OR words:*", vec![]),
        ("NEAR(a b)", vec![]),
        ("-", vec![]),
        ("%", vec![]),
    ] {
        assert_eq!(lead_names(conn, typed), found, "{typed}");
        assert_eq!(submission_names(conn, typed), found, "{typed}");
    }
    assert_eq!(lead_names(conn, " ").len(), 5);
}

#[test]
fn what_a_lead_was_called_once_finds_it_no_longer_and_a_deleted_one_is_gone_from_the_index() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let lead = a_lead(&owner, &[(LeadField::LastName, "Maiden")]);
    save_lead(conn, &lead);
    change(conn, &lead.id, LeadField::LastName, "Married");
    assert!(lead_names(conn, "maiden").is_empty());
    assert_eq!(lead_names(conn, "married"), ["Married"]);
    // Saved again without a change, the index has it once.
    change(conn, &lead.id, LeadField::LastName, "Married");
    assert_eq!(lead_names(conn, "married"), ["Married"]);
    database.execute("DELETE FROM leads");
    if database.system() == System::Sqlite {
        assert_eq!(database.number("SELECT count(*) FROM lead_search_rows"), 0);
        assert_eq!(
            database.number("SELECT count(*) FROM lead_search WHERE lead_search MATCH 'married'"),
            0
        );
    }
}

#[test]
fn records_from_before_there_was_a_search_are_filled_in_once_and_from_wherever_it_stopped() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let early: Vec<Lead> = (0..1_300)
        .map(|n| {
            let email = format!("person{n}@example.com");
            a_lead(
                &owner,
                &[(LeadField::LastName, "Früher"), (LeadField::Email, &email)],
            )
        })
        .collect();
    lead_rows::save(conn, &early.iter().collect::<Vec<_>>()).unwrap();
    a_submission().name("Früher Anna").insert(conn);
    // As a version without search left them.
    if database.system() == System::Sqlite {
        let undo = include_str!("../../migrations/sqlite/search_down.sql");
        conn.batch_execute(undo).unwrap();
    }
    conn.batch_execute(
        "UPDATE lead_origins SET search_words = NULL; UPDATE form_submissions SET search_words = NULL",
    )
    .unwrap();
    if database.system() == System::Sqlite {
        conn.batch_execute(include_str!("../../migrations/sqlite/search.sql"))
            .unwrap();
    }
    assert!(lead_names(conn, "person1299").is_empty());
    assert_eq!(search::fill(conn).unwrap(), 1_001);
    assert_eq!(search::fill(conn).unwrap(), 300);
    assert_eq!(search::fill(conn).unwrap(), 0);
    assert_eq!(lead_names(conn, "person1299 FRÜH"), ["Früher"]);
    assert_eq!(submission_names(conn, "anna"), ["Früher Anna"]);
}

#[test]
fn a_word_that_thousands_have_is_listed_from_the_newest_on_and_filtered() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let other = a_user(conn, "Olga Other", &[Role::Salesperson]);
    let many: Vec<Lead> = (0..2_100)
        .map(|n| {
            let whose = if n == 5 { &other } else { &owner };
            let number = format!("Nr{n}");
            let mut lead = a_lead(
                whose,
                &[
                    (LeadField::FirstName, &number),
                    (LeadField::LastName, "Common"),
                ],
            );
            lead.created_at = day() + TimeDelta::seconds(n);
            lead
        })
        .collect();
    lead_rows::save(conn, &many.iter().collect::<Vec<_>>()).unwrap();
    let of = |owner_id| LeadFilter {
        search: Some("COMM".to_owned()),
        owner_id,
        ..LeadFilter::default()
    };
    let (page, count) = lead_list(conn, &of(None), &PageStart::Newest).unwrap();
    assert_eq!(page.rows[0].name, "Nr2099 Common");
    assert_eq!(count.to_string(), "1,000+");
    let next = PageStart::After(page.older.unwrap());
    let (page, _) = lead_list(conn, &of(None), &next).unwrap();
    assert_eq!(page.rows[0].name, "Nr2049 Common");
    let (page, count) = lead_list(conn, &of(Some(other)), &PageStart::Newest).unwrap();
    assert_eq!(page.rows[0].name, "Nr5 Common");
    assert_eq!(count.rows, 1);
    assert_eq!(lead_names(conn, "common nr77").len(), 11);
}
