//! What Microsoft's connector handled comes along, and neither the first sync nor a reset doubles any of it.

use std::collections::BTreeMap;

use leadgen::domain::microsoft_connector::{
    ConnectorTable, Outcome, RecordCells, folded, recognise, record_of,
};
use leadgen::store::audit::Actor;
use leadgen::store::{StoreError, connector_records};
use leadgen::sync::moving_in::BroughtAlong;
use leadgen::sync::{moving_in, reset};
use serde_json::Value;
use uuid::Uuid;

use crate::stage::Stage;
use crate::support::System;

/// What the connector would have exported of a portal that has synced: headers and rows by table.
struct Export(BTreeMap<&'static str, Vec<Vec<String>>>);

const HEADERS: [(&str, &str); 5] = [
    (
        "accounts",
        "msdyncrm_linkedinaccounttextid,msdyncrm_name,msdyncrm_enabledforsync",
    ),
    (
        "forms",
        "msdyncrm_linkedinid,msdyncrm_name,msdyncrm_linkedinparentaccount,msdyncrm_privacypolicyurl",
    ),
    (
        "questions",
        "msdyncrm_linkedinid,msdyncrm_name,msdyncrm_linkedinform,msdyncrm_iscustomquestion",
    ),
    (
        "submissions",
        "msdyncrm_linkedinformsubmission_textid,msdyncrm_name,msdyncrm_submissiondate,msdyncrm_linkedinformid,\
         msdyncrm_linkedinaccountid,msdyncrm_matchingstatus",
    ),
    (
        "answers",
        "msdyncrm_answertext,msdyncrm_linkedinquestionid,msdyncrm_linkedinformsubmission",
    ),
];

fn raws(stage: &Stage) -> BTreeMap<String, Value> {
    let text = match stage.database.system() {
        System::Sqlite => "CAST(raw AS TEXT)",
        System::Postgres => "convert_from(raw, 'UTF8')",
    };
    stage
        .texts(&format!(
            "SELECT {text} FROM submission_contents JOIN form_submissions ON id = submission_id"
        ))
        .iter()
        .map(|raw| {
            let value: Value = serde_json::from_str(raw).unwrap();
            (value["id"].as_str().unwrap().to_owned(), value)
        })
        .collect()
}

/// Every second submission to an ad account of a portal that has synced.
fn export(reference: &Stage) -> Export {
    let mut tables: BTreeMap<&'static str, Vec<Vec<String>>> = BTreeMap::new();
    let mut add = |table: &'static str, row: &[&str]| {
        let row = row.iter().map(|cell| (*cell).to_owned()).collect();
        tables.entry(table).or_default().push(row);
    };
    for line in reference.texts(
        "SELECT linkedin_id || '|' || name FROM linkedin_accounts WHERE owner_type = 'sponsored_account'",
    ) {
        let (number, name) = line.split_once('|').unwrap();
        add("accounts", &[number, name, "Yes"]);
    }
    for line in reference.texts(
        "SELECT f.linkedin_id || '|' || a.linkedin_id || '|' || v.content FROM lead_form_versions v \
         JOIN lead_forms f ON f.id = v.form_id JOIN linkedin_accounts a ON a.id = f.account_id \
         WHERE a.owner_type = 'sponsored_account' AND v.version_number = f.current_version_number",
    ) {
        let mut parts = line.splitn(3, '|');
        let (form, account) = (parts.next().unwrap(), parts.next().unwrap());
        let version: Value = serde_json::from_str(parts.next().unwrap()).unwrap();
        add("forms", &[form, &format!("Form {form}"), account, "https://example.com/privacy"]);
        for question in version["questions"].as_array().unwrap() {
            let (id, name) = (question["id"].to_string(), question["name"].as_str().unwrap());
            add("questions", &[&id, name, &format!("Form {form}"), "No"]);
        }
    }
    let raws = raws(reference);
    let submitted = reference.texts(
        "SELECT s.response_id || '|' || s.form_linkedin_id || '|' || a.linkedin_id FROM form_submissions s \
         JOIN linkedin_accounts a ON a.id = s.account_id JOIN lead_forms f ON f.id = s.form_id \
         WHERE a.owner_type = 'sponsored_account' AND NOT s.is_test ORDER BY s.response_id",
    );
    for (place, line) in submitted.iter().step_by(2).enumerate() {
        let parts: Vec<&str> = line.split('|').collect();
        let raw = &raws[parts[0]];
        let at =
            chrono::DateTime::from_timestamp_millis(raw["submittedAt"].as_i64().unwrap()).unwrap();
        let status = [
            "192350001",
            "Updated existing lead",
            "Match failed",
            "192350006",
        ][place % 4];
        add(
            "submissions",
            &[
                parts[0],
                &format!("Person {place}"),
                &at.to_rfc3339(),
                parts[1],
                parts[2],
                status,
            ],
        );
        for answer in raw["formResponse"]["answers"].as_array().unwrap() {
            let said = &answer["answerDetails"]["textQuestionAnswer"]["answer"];
            let said = said.as_str().unwrap_or("chosen");
            add(
                "answers",
                &[said, &answer["questionId"].to_string(), parts[0]],
            );
        }
    }
    Export(tables)
}

async fn upload(stage: &Stage, export: &Export) {
    for (name, headers) in HEADERS {
        let headers: Vec<String> = headers.split(',').map(folded).collect();
        let table = recognise(&headers, "export.csv").unwrap();
        assert_eq!(table.as_str(), name);
        let mut records = BTreeMap::new();
        for row in export.0.get(name).into_iter().flatten() {
            let record = record_of(table, RecordCells::of(&headers, row)).unwrap();
            records.insert(record.key.clone(), record);
        }
        let records: Vec<_> = records.into_values().collect();
        let now = stage.clock.now();
        stage
            .app
            .store()
            .write::<_, StoreError>(move |tx| {
                connector_records::add(tx, table, "export.csv", &records, now)?;
                moving_in::check(tx)
            })
            .await
            .unwrap();
    }
}

async fn try_to_bring(stage: &Stage) -> Result<BroughtAlong, StoreError> {
    let now = stage.clock.now();
    stage
        .app
        .store()
        .write(move |tx| moving_in::apply(tx, &Actor::command_line(), now, Uuid::now_v7))
        .await
}

async fn bring(stage: &Stage) -> BroughtAlong {
    try_to_bring(stage).await.unwrap()
}

/// What a connected portal's connector would have exported.
async fn exported() -> Export {
    let reference = Stage::connected(30).await;
    reference.run().await;
    export(&reference)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_connector_handled_is_neither_doubled_by_the_first_sync_nor_by_a_reset() {
    let reference = Stage::connected(90).await;
    reference.run().await;
    let export = export(&reference);
    let count = i64::try_from(export.0["submissions"].len()).unwrap();
    assert!(count > 10);

    let stage = Stage::new(90).await;
    upload(&stage, &export).await;
    let left: Vec<String> = stage.texts(
        "SELECT source_table || ' ' || record_key || ': ' || explanation FROM connector_records \
         WHERE outcome <> 'becomes' AND source_table <> 'answers'",
    );
    assert!(left.is_empty(), "{left:#?}");
    let done = bring(&stage).await;
    assert_eq!(done.records[&ConnectorTable::Submissions], count);
    assert_eq!(stage.number("SELECT count(*) FROM form_submissions"), count);
    assert_eq!(stage.number("SELECT count(*) FROM leads"), 0);
    assert_eq!(
        stage.number(
            "SELECT count(*) FROM connector_records WHERE source_table = 'answers' AND outcome = 'done' AND cells <> '{}'"
        ),
        0,
        "answers are kept once"
    );

    // The same files again change nothing.
    upload(&stage, &export).await;
    let counts = stage
        .app
        .store()
        .read(connector_records::counts)
        .await
        .unwrap();
    assert!(
        counts
            .keys()
            .all(|(_, outcome)| *outcome != Outcome::Becomes),
        "{counts:?}"
    );
    assert_eq!(bring(&stage).await, BroughtAlong::default());

    stage.connect().await;
    stage.run().await;
    let sorted = |stage: &Stage| {
        let mut stored = stage.stored();
        stored.sort();
        stored
    };
    assert_eq!(sorted(&stage), sorted(&reference));
    let brought = "FROM form_submissions WHERE reason = 'brought_along'";
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) {brought} AND lead_id IS NULL AND attempts = 1 AND revision = 1"
        )),
        count
    );
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) FROM lead_changes WHERE submission_id IN (SELECT id {brought})"
        )),
        0,
        "no lead came of what the connector had handled"
    );
    assert!(stage.number("SELECT count(*) FROM leads") > 0);
    // LinkedIn's own text took the place of the exported one.
    for raw in raws(&stage).values() {
        let form = raw["versionedLeadGenFormUrn"].as_str().unwrap();
        assert!(!form.ends_with(",0)"), "{form}");
    }

    let before = stage.dump();
    let now = stage.clock.now();
    stage
        .app
        .store()
        .write(move |tx| reset::request(tx, &Actor::command_line(), now))
        .await
        .unwrap();
    stage.run_again().await;
    assert_eq!(stage.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_uploaded_later_are_added_and_none_is_lost() {
    let export = exported().await;
    let all = &export.0["answers"];
    // Of every submission one answer is in the first part.
    let mut seen = std::collections::BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = all
        .iter()
        .cloned()
        .partition(|row| seen.insert(row[2].clone()));
    assert!(!rest.is_empty());
    let mut early = Export(export.0.clone());
    early.0.insert("answers", first);
    let stage = Stage::new(30).await;
    upload(&stage, &early).await;
    bring(&stage).await;
    let late = Export([("answers", rest.clone())].into());
    upload(&stage, &late).await;
    let done = bring(&stage).await;
    assert_eq!(
        done.records,
        [(ConnectorTable::Answers, i64::try_from(rest.len()).unwrap())].into()
    );
    let raws = raws(&stage);
    let stored: usize = raws
        .values()
        .map(|raw| raw["formResponse"]["answers"].as_array().unwrap().len())
        .sum();
    assert_eq!(stored, all.len());
    // Everything is here, and a third time changes nothing.
    upload(&stage, &Export([("answers", all.clone())].into())).await;
    assert_eq!(bring(&stage).await, BroughtAlong::default());

    stage.connect().await;
    stage.run().await;
    for raw in self::raws(&stage).values() {
        let form = raw["versionedLeadGenFormUrn"].as_str().unwrap();
        assert!(!form.ends_with(",0)"), "LinkedIn's own text: {form}");
    }
    upload(&stage, &Export([("answers", all.clone())].into())).await;
    assert_eq!(bring(&stage).await, BroughtAlong::default());
}

/// Looks at every row again.
async fn moving_in_again(stage: &Stage) {
    stage.app.store().write(moving_in::check).await.unwrap();
}

/// A member deletes a submission at LinkedIn, and LinkedIn tells.
async fn delete(stage: &Stage, response_id: &str) {
    stage.database.execute(&format!(
        "INSERT INTO lead_notifications (id, response_id, action, occurred_at, received_at)
         VALUES ('{}', '{response_id}', 'deleted', '2026-11-21 08:00:00', '2026-11-21 08:00:00')",
        Uuid::now_v7()
    ));
    let now = stage.clock.now();
    stage
        .app
        .store()
        .write(move |tx| {
            leadgen::store::member_deletions::carry_out_one(tx, now, || Uuid::now_v7().to_string())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_deleted_is_neither_kept_nor_brought_along() {
    let export = exported().await;
    let (first, second) = (
        export.0["submissions"][0][0].clone(),
        export.0["submissions"][1][0].clone(),
    );
    let stage = Stage::new(30).await;
    // Told before the upload, and after it.
    delete(&stage, &first).await;
    upload(&stage, &export).await;
    delete(&stage, &second).await;
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) FROM connector_records WHERE response_tie = '{second}' OR cells LIKE '%{second}%'"
        )),
        0
    );
    moving_in_again(&stage).await;
    assert_eq!(
        stage.texts(&format!(
            "SELECT outcome || ' ' || explanation FROM connector_records WHERE source_table = 'submissions' AND response_tie = '{first}'"
        )),
        ["left_out Its member deleted it at LinkedIn, so it is not taken."]
    );
    let rest = "FROM connector_records WHERE response_tie";
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) {rest} = '{first}' AND cells <> '{{}}'"
        )),
        0,
        "nothing of what it said is kept"
    );
    bring(&stage).await;
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) FROM form_submissions WHERE response_id IN ('{first}', '{second}')"
        )),
        0
    );
    assert!(
        stage
            .texts("SELECT action FROM audit_entries")
            .contains(&"microsoft_connector.deleted_by_member".to_owned())
    );

    // And all of it goes after a month.
    let forget = async || {
        moving_in::forget_old(stage.app.store(), stage.clock.now())
            .await
            .unwrap()
    };
    assert_eq!(forget().await, 0);
    stage.advance(chrono::TimeDelta::days(31));
    assert!(forget().await > 0);
    assert_eq!(stage.number("SELECT count(*) FROM connector_records"), 0);
    assert_eq!(forget().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_along_wholly_is_not_brought_at_all() {
    let export = exported().await;
    let stage = Stage::new(30).await;
    upload(&stage, &export).await;
    let facts = || {
        stage.texts(
            "SELECT outcome || count(*) FROM connector_records GROUP BY outcome
             UNION ALL SELECT 'accounts ' || count(*) FROM linkedin_accounts
             UNION ALL SELECT 'forms ' || count(*) FROM lead_forms
             UNION ALL SELECT 'submissions ' || count(*) FROM form_submissions
             UNION ALL SELECT 'responses ' || count(*) FROM connector_responses ORDER BY 1",
        )
    };
    let before = facts();
    // The entry in the audit log is the last of it.
    stage
        .database
        .execute("ALTER TABLE audit_chain RENAME TO audit_chain_away");
    assert!(try_to_bring(&stage).await.is_err());
    assert_eq!(facts(), before);
    stage
        .database
        .execute("ALTER TABLE audit_chain_away RENAME TO audit_chain");
    assert!(!bring(&stage).await.records.is_empty());
    assert_ne!(facts(), before);
}
