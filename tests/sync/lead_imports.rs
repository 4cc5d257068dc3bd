//! Imported leads are found by the sync: later submissions of the same people update them.

use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::ImportId;
use leadgen::domain::lead::{FieldKey, LeadField, LeadStatus};
use leadgen::domain::lead_import::{ColumnTarget, ImportPlan, ImportState, MatchBy, OnMatch};
use leadgen::store::lead_imports::{self, NewImport};
use leadgen::sync::lead_imports::{go_on_with_stalled, run};
use uuid::Uuid;

use crate::support::installation::Installation;

const SOME_LEAD: &str = "SELECT email FROM leads WHERE email IS NOT NULL AND email NOT LIKE '%''%' ORDER BY email LIMIT 1";

#[tokio::test]
async fn a_later_submission_updates_the_lead_that_was_imported() {
    // The sandbox tells the same history to both: the first one says whom to import into the second one.
    let first = Installation::new().await;
    first.connect("First").await;
    first.sync().await;
    let email = first.database.texts(SOME_LEAD).remove(0);

    let second = Installation::new().await;
    let owner = second.add_person("olga@example.com", "Olga Owner", &[Role::Salesperson]);
    let id = ImportId::new(Uuid::now_v7());
    {
        let conn = &mut second.database.conn();
        let long_ago = Clock::System.now() - chrono::TimeDelta::minutes(5);
        let new = NewImport {
            id: id.clone(),
            file_name: "leads.csv".to_owned(),
            format: "UTF-8".to_owned(),
            user_id: owner.clone(),
            user_name: "Olga Owner".to_owned(),
            columns: vec!["E-mail".to_owned(), "City".to_owned()],
        };
        lead_imports::insert(conn, &new, long_ago).unwrap();
        let cells = vec![email.to_uppercase(), "Importville".to_owned()];
        lead_imports::add_rows(conn, &id, lead_imports::FIRST_ROW, &[cells]).unwrap();
        lead_imports::finish_reading(conn, &id, 1, long_ago).unwrap();
        let field = |field| Some(ColumnTarget::Field(FieldKey::Standard(field)));
        let plan = ImportPlan {
            columns: vec![field(LeadField::Email), field(LeadField::City)],
            match_by: MatchBy::Strategy,
            on_match: OnMatch::FillIfEmpty,
            owner_id: owner,
            status: LeadStatus::New,
        };
        lead_imports::save_plan(conn, &id, &plan, long_ago).unwrap();
    }
    let store = second.app.store().clone();
    run(store.clone(), Clock::System, id.clone()).await;
    // Its worker dies as soon as it was told to write: the scheduler's housekeeping goes on with it.
    lead_imports::start(
        &mut second.database.conn(),
        &id,
        Clock::System.now() - chrono::TimeDelta::minutes(5),
    )
    .unwrap();
    assert!(go_on_with_stalled(&store, &Clock::System).await.unwrap());
    assert!(!go_on_with_stalled(&store, &Clock::System).await.unwrap());
    let import = lead_imports::get(&mut second.database.conn(), &id).unwrap();
    assert_eq!(
        (import.state, import.counts.created),
        (ImportState::Imported, 1)
    );

    second.connect("Second").await;
    second.sync().await;
    let one = format!(
        "FROM leads JOIN lead_origins ON lead_id = id WHERE lower(email) = lower('{email}')"
    );
    assert_eq!(second.database.number(&format!("SELECT count(*) {one}")), 1);
    assert_eq!(
        second.database.texts(&format!("SELECT source {one}")),
        ["import"]
    );
    assert!(
        second
            .database
            .number(&format!("SELECT submission_count {one}"))
            > 0
    );
    assert_eq!(
        second.database.number("SELECT count(*) FROM leads"),
        first.database.number("SELECT count(*) FROM leads")
    );

    // Undoing leaves it alone: a submission belongs to it now.
    lead_imports::start_undo(&mut second.database.conn(), &id, Clock::System.now()).unwrap();
    run(store, Clock::System, id.clone()).await;
    let import = lead_imports::get(&mut second.database.conn(), &id).unwrap();
    assert_eq!((import.state, import.undo.kept), (ImportState::Undone, 1));
}
