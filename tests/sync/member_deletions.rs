//! A member deletes their answers at LinkedIn: what is erased, what stays, and that nothing brings it back.

use chrono::TimeDelta;
use leadgen::domain::ids::{LeadId, MergeId};
use leadgen::domain::lead::merge::MergeChoices;
use leadgen::domain::lead::{FieldKey, LeadField};
use leadgen::sandbox::Submission;
use leadgen::store::lead_edits::{self, LeadEdit};
use leadgen::store::lead_merges::{self, NewMerge};
use leadgen::store::leads;
use uuid::Uuid;

use crate::support::{System, TestDatabase};
use crate::webhooks::Notified;

/// Where this text stands in the database, as table.column; the words of the search are an index of their own.
fn places(database: &TestDatabase, needle: &str) -> Vec<String> {
    let columns = match database.system() {
        System::Sqlite => {
            "SELECT t.name || '.' || c.name || '.' || c.type FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND t.name NOT LIKE '%\\_search%' ESCAPE '\\' AND t.name NOT LIKE 'sqlite%'"
        }
        System::Postgres => {
            "SELECT table_name || '.' || column_name || '.' || data_type FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    let mut found = Vec::new();
    for column in database.texts(columns) {
        let mut parts = column.splitn(3, '.');
        let (table, name, kind) = (
            parts.next().unwrap(),
            parts.next().unwrap(),
            parts.next().unwrap(),
        );
        let text = if kind == "bytea" {
            format!("encode(\"{name}\", 'escape')")
        } else {
            format!("CAST(\"{name}\" AS TEXT)")
        };
        let count = database.number(&format!(
            "SELECT count(*) FROM \"{table}\" WHERE lower({text}) LIKE '%{needle}%'"
        ));
        if count > 0 {
            found.push(format!("{table}.{name}"));
        }
    }
    found
}

/// A form of the first ad account that asks for these, and an answer to it.
fn answer(notified: &Notified, answers: &[(&str, &str)]) -> Submission {
    let account = notified.stage.ad_account(0);
    let owner = format!("urn:li:sponsoredAccount:{account}");
    let form = notified
        .stage
        .sandbox
        .forms()
        .into_iter()
        .find(|form| {
            form.owner == owner
                && answers.iter().all(|(field, _)| {
                    form.questions
                        .iter()
                        .any(|question| question.predefined.as_deref() == Some(field))
                })
        })
        .expect("a form that asks for these");
    Submission {
        form_id: Some(form.id),
        only_given: true,
        answers: answers
            .iter()
            .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
            .collect(),
        ..Submission::default()
    }
}

/// Submits, and waits until the portal has it.
async fn arrive(notified: &Notified, answers: &[(&str, &str)]) -> String {
    let response = notified
        .stage
        .sandbox
        .submit(&answer(notified, answers))
        .unwrap();
    notified.all_sent().await;
    notified.run().await;
    assert!(notified.has(&response));
    notified.stage.advance(TimeDelta::minutes(1));
    response
}

async fn delete(notified: &Notified, response: &str) {
    assert!(notified.stage.sandbox.delete_response(response));
    notified.all_sent().await;
    notified.run().await;
}

fn lead_of(notified: &Notified, response: &str) -> LeadId {
    notified
        .stage
        .texts(&format!(
            "SELECT lead_id FROM form_submissions WHERE response_id = '{response}'"
        ))
        .remove(0)
        .parse()
        .unwrap()
}

fn reason_of(notified: &Notified, response: &str) -> Vec<String> {
    notified.stage.texts(&format!(
        "SELECT reason FROM form_submissions WHERE response_id = '{response}'"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_person_is_left_in_the_database_and_nothing_brings_it_back() {
    let notified = Notified::new().await;
    let response = arrive(
        &notified,
        &[
            ("EMAIL", "zenobia.quux@forgotten.example"),
            ("FIRST_NAME", "Zenobia"),
            ("LAST_NAME", "Quuxworth"),
        ],
    )
    .await;
    let lead = lead_of(&notified, &response);
    let database = &notified.stage.database;
    let conn = &mut database.conn();
    let now = notified.stage.clock.now();
    // Somebody adds a number, corrects the first name, and merges the lead into another one: every copy counts.
    let before = leads::get(conn, &lead).unwrap();
    let edit = LeadEdit {
        values: vec![
            (
                FieldKey::Standard(LeadField::Phone),
                Some("+49 30 1234567".to_owned()),
            ),
            (
                FieldKey::Standard(LeadField::FirstName),
                Some("Z.".to_owned()),
            ),
        ],
        status: before.status,
        owner_id: before.owner_id.clone(),
    };
    let id = Uuid::now_v7().to_string();
    lead_edits::save(
        conn,
        &lead,
        before.lock_version,
        &edit,
        &notified.stage.admin,
        id,
        now,
    )
    .unwrap();
    let other: LeadId = notified
        .stage
        .texts(&format!(
            "SELECT id FROM leads WHERE id <> '{lead}' ORDER BY id"
        ))
        .remove(0)
        .parse()
        .unwrap();
    let version = |conn: &mut _, id: &LeadId| leads::get(conn, id).unwrap().lock_version;
    let merge = NewMerge {
        id: MergeId::new(Uuid::now_v7()),
        survivor: (other.clone(), version(conn, &other)),
        merged: (lead.clone(), version(conn, &lead)),
        choices: MergeChoices::new(),
        user_id: notified.stage.admin.clone(),
        change_id: Uuid::now_v7().to_string(),
        now,
    };
    lead_merges::create(conn, &merge).unwrap();
    for needle in ["zenobia", "quuxworth"] {
        assert!(places(database, needle).len() > 5, "{needle}");
    }

    delete(&notified, &response).await;
    for needle in ["zenobia", "quuxworth", "forgotten.example"] {
        assert_eq!(places(database, needle), [] as [&str; 0], "{needle}");
    }
    assert_eq!(reason_of(&notified, &response), ["deleted_by_member"]);
    // What the person did not give stays.
    assert!(!places(database, "+49 30 1234567").is_empty());
    assert!(leads::get(conn, &other).unwrap().display_name().len() > 1);
    assert_eq!(
        notified.stage.number(
            "SELECT count(*) FROM audit_entries WHERE action = 'form_submission.deleted_by_member'"
        ),
        1
    );

    // A reset reads everything again.
    notified
        .stage
        .database
        .execute("DELETE FROM account_streams");
    notified.stage.make_due();
    notified.run().await;
    assert_eq!(places(database, "zenobia"), [] as [&str; 0]);
    assert_eq!(reason_of(&notified, &response), ["deleted_by_member"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_told_before_the_submission_was_read_keeps_it_out() {
    let notified = Notified::new().await;
    let submission = answer(&notified, &[("EMAIL", "early@forgotten.example")]);
    // Announced, deleted, and yet LinkedIn still gives it out for a while.
    let response = notified.stage.sandbox.submit(&submission).unwrap();
    notified.stage.database.execute(&format!(
        "INSERT INTO lead_notifications (id, response_id, action, occurred_at, received_at)
         VALUES ('{}', '{response}', 'deleted', '2026-11-21 09:00:00', '2026-11-21 09:00:00')",
        Uuid::now_v7()
    ));
    notified.all_sent().await;
    notified.run().await;
    notified.stage.make_due();
    notified.run().await;
    assert!(!notified.has(&response));
    assert_eq!(
        places(&notified.stage.database, "forgotten.example"),
        [] as [&str; 0]
    );
    assert_eq!(
        notified
            .stage
            .number("SELECT count(*) FROM lead_notifications WHERE handled_at IS NOT NULL"),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_submission_gave_as_well_stays() {
    let notified = Notified::new().await;
    let first = arrive(
        &notified,
        &[
            ("EMAIL", "twice@forgotten.example"),
            ("COMPANY_NAME", "Firstcompany"),
        ],
    )
    .await;
    let second = arrive(
        &notified,
        &[
            ("EMAIL", "twice@forgotten.example"),
            ("COMPANY_NAME", "Secondcompany"),
        ],
    )
    .await;
    let lead = lead_of(&notified, &first);
    assert_eq!(lead_of(&notified, &second), lead);
    delete(&notified, &second).await;
    let database = &notified.stage.database;
    assert_eq!(places(database, "secondcompany"), [] as [&str; 0]);
    let found = leads::get(&mut database.conn(), &lead).unwrap();
    let value = |field| found.values.get(&FieldKey::Standard(field)).cloned();
    assert_eq!(value(LeadField::Email).unwrap(), "twice@forgotten.example");
    assert_eq!(value(LeadField::CompanyName).unwrap(), "Firstcompany");
    // The other one, too: then nothing is left.
    delete(&notified, &first).await;
    assert_eq!(places(database, "forgotten.example"), [] as [&str; 0]);
    assert_eq!(places(database, "firstcompany"), [] as [&str; 0]);
    assert_eq!(
        notified
            .stage
            .number(&format!("SELECT count(*) FROM leads WHERE id = '{lead}'")),
        1,
        "the lead itself stays, with its owner and its status"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setting_keeps_the_lead_and_the_answers_are_erased_all_the_same() {
    let notified = Notified::new().await;
    notified
        .stage
        .database
        .execute("UPDATE integration_settings SET member_deletion = 'keep'");
    let response = arrive(&notified, &[("EMAIL", "kept@forgotten.example")]).await;
    let lead = lead_of(&notified, &response);
    delete(&notified, &response).await;
    let found = leads::get(&mut notified.stage.database.conn(), &lead).unwrap();
    assert_eq!(
        found.values[&FieldKey::Standard(LeadField::Email)],
        "kept@forgotten.example"
    );
    let left = places(&notified.stage.database, "kept@forgotten.example");
    for place in &left {
        assert!(
            place.starts_with("lead"),
            "{place}: of the submission nothing is kept"
        );
    }
    assert_eq!(reason_of(&notified, &response), ["deleted_by_member"]);
    assert_eq!(lead_of(&notified, &response), lead);
}
