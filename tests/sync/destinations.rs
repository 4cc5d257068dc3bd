//! Where leads go: to the organization of the profile that reads them, from the moment of a change on.

use leadgen::domain::ids::OrganizationId;
use leadgen::sandbox::Submission;
use leadgen::store::deliveries::enqueue_existing;
use leadgen::store::{StoreError, destinations, profiles};

use crate::stage::Stage;

const CONTOSO: &str = "018f2a3c-0000-7000-8000-0000000000c1";

fn queued(stage: &Stage) -> i64 {
    stage
        .database
        .number("SELECT count(*) FROM deliveries WHERE event = 'lead_saved'")
}

#[tokio::test]
async fn leads_of_a_profile_go_to_its_organization_from_the_change_on() {
    let stage = Stage::connected(4).await;
    let at = "'2026-03-01 10:00:00'";
    stage.database.execute(&format!(
        "INSERT INTO organizations (id, name, created_at, updated_at, lock_version, kind) VALUES ('{CONTOSO}', 'Contoso', {at}, {at}, 1, 'dynamics_365'); \
         INSERT INTO dataverse_organizations (organization_id, address, tenant, client_id, credential_kind, credential, credential_hint, credential_set_at, is_enabled) \
         VALUES ('{CONTOSO}', 'https://contoso.crm4.dynamics.com', 'contoso.onmicrosoft.com', 'app', 'secret', '', '…WXYZ', {at}, TRUE); \
         INSERT INTO delivery_lanes (id, organization_id, is_enabled, not_before, trouble_count, lease_term, created_at, paused_at) \
         VALUES ('{CONTOSO}', '{CONTOSO}', TRUE, {at}, 0, 0, {at}, {at});"
    ));
    stage.run().await;
    let leads = stage.database.number("SELECT count(*) FROM leads");
    assert!(leads > 0);
    assert_eq!(queued(&stage), 0, "they stay in this portal");

    let (profile, organization): (_, OrganizationId) =
        (stage.profile.clone(), CONTOSO.parse().unwrap());
    let now = stage.clock.now();
    let sent = stage
        .app
        .store()
        .write(move |tx| {
            let version = profiles::get(tx, &profile)?.lock_version;
            destinations::change(tx, &profile, &organization, version, now)?;
            let accounts: Vec<_> = destinations::read_accounts(tx, &profile)?
                .into_iter()
                .map(|account| account.id)
                .collect();
            enqueue_existing(tx, &organization, Some(&accounts))
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
    assert_eq!(sent as i64, leads);
    assert_eq!(queued(&stage), leads);

    // What comes from now on goes there by itself.
    let submission = Submission {
        account: Some(stage.ad_account(0)),
        ..Submission::default()
    };
    stage.sandbox.submit(&submission).unwrap();
    stage.advance(chrono::TimeDelta::minutes(1));
    stage.run_again().await;
    let more = stage.database.number("SELECT count(*) FROM leads");
    assert!(more > leads, "{more}");
    assert_eq!(queued(&stage), more);
}
