//! kill -9 at any moment of a delivery, then a restart: the organization has each lead exactly once, with its latest values.

use std::collections::BTreeMap;
use std::time::Duration;

use leadgen::domain::ids::{AccountId, FormId, LeadId};
use leadgen::domain::lead::LeadField;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind};
use leadgen::store::{StoreError, lead_rows};
use leadgen::sync::delivery;

use crate::Moments;
use crate::support::builders::{a_form, a_lead, a_profile, an_account};
use crate::support::dynamics::Dynamics;
use crate::support::installation::{Installation, Plan};

/// Kills that hit a delivery in its middle.
const KILLS: u64 = 50;
/// Leads that come in during each life.
const NEW: usize = 24;

struct Stage {
    dynamics: Dynamics,
    installation: Installation,
    account: AccountId,
    form: FormId,
    leads: Vec<LeadId>,
}

impl Stage {
    async fn new() -> Self {
        let dynamics = Dynamics::start();
        let installation = Installation::of(Plan {
            leads: 0,
            settings: dynamics
                .settings()
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec(),
            ..Plan::default()
        })
        .await;
        let mut conn = installation.database.conn();
        let organizations = &installation.app.scheduler().context().organizations.clone();
        let organization = dynamics.add_to(&mut conn, organizations, "Contoso");
        let profile = a_profile().insert(&mut conn);
        installation.database.execute(&format!(
            "UPDATE linkedin_user_profiles SET organization_id = '{organization}' WHERE id = '{profile}'"
        ));
        let account = an_account()
            .seen_by(&profile)
            .sync_disabled()
            .insert(&mut conn);
        let form = a_form().of(&account).insert(&mut conn);
        drop(conn);
        Self {
            dynamics,
            installation,
            account,
            form,
            leads: Vec::new(),
        }
    }

    /// New leads come in, and some of the others change.
    async fn life_goes_on(&mut self, round: u64) {
        let mut conn = self.installation.database.conn();
        for _ in 0..NEW {
            let lead = a_lead().of(&self.account, &self.form).insert(&mut conn);
            self.leads.push(lead);
        }
        drop(conn);
        let changed: Vec<LeadId> = self.leads.iter().step_by(5).cloned().collect();
        self.installation
            .app
            .store()
            .write(move |conn| {
                let mut leads = lead_rows::load(conn, &changed)?;
                for lead in &mut leads {
                    let company = format!("Round {round}");
                    lead.values.insert(LeadField::CompanyName.into(), company);
                }
                let leads: Vec<_> = leads.iter().collect();
                lead_rows::save(conn, &leads)?;
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    }

    fn open(&self, state: &str) -> i64 {
        self.installation.database.number(&format!(
            "SELECT count(*) FROM deliveries WHERE state IN ({state})"
        ))
    }

    /// Nobody waits for a lease of the dead, or for a pause.
    fn make_due(&self) {
        self.installation.database.execute(
            "UPDATE delivery_lanes SET not_before = created_at, lease_expires_at = created_at; \
             UPDATE deliveries SET next_attempt_at = created_at WHERE state IN ('pending', 'failed')",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_during_deliveries_leaves_each_lead_there_once_with_its_latest_values() {
    let mut moments = Moments::seeded("kill -9 of deliveries");
    let mut stage = Stage::new().await;
    let (mut hits, mut lives) = (0, 0);
    while hits < KILLS {
        lives += 1;
        assert!(lives < 10 * KILLS, "{hits} hits in {lives} lives");
        stage.life_goes_on(lives).await;
        stage.make_due();
        // Many at once and one by one have different moments to die in.
        stage.dynamics.sandbox.clear_faults();
        if lives % 2 == 0 {
            let no_bulk = DataverseFault::new(DataverseFaultKind::WrongOrganization);
            stage
                .dynamics
                .sandbox
                .add_fault(no_bulk.on("UpsertMultiple"));
        }
        stage.dynamics.sandbox.clear_requests();
        let mut worker = stage
            .installation
            .program(["worker"])
            .env("LEADGEN_LOG", "error")
            .command()
            .spawn()
            .unwrap();
        crate::support::eventually(
            "the worker speaks to the organization",
            Duration::from_mins(1),
            || async { !stage.dynamics.sandbox.requests().is_empty() },
        )
        .await;
        tokio::time::sleep(Duration::from_millis(moments.within(0..150))).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
        if stage.open("'in_progress'") > 0 {
            hits += 1;
        }
    }
    eprintln!("kill -9: {hits} of {lives} lives ended in the middle of a delivery");

    stage.dynamics.sandbox.clear_faults();
    let ctx = stage.installation.app.scheduler().context().clone();
    for _ in 0..5 {
        stage.make_due();
        delivery::run_due(&ctx).await.unwrap();
    }
    assert_eq!(stage.open("'pending', 'in_progress', 'failed', 'dead'"), 0);
    let expected: BTreeMap<String, String> = stage
        .installation
        .database
        .texts("SELECT id || '|' || company_name || '|' || email AS value FROM leads")
        .iter()
        .filter_map(|line| line.split_once('|'))
        .map(|(id, values)| (id.to_owned(), values.to_owned()))
        .collect();
    let there: BTreeMap<String, String> = stage
        .dynamics
        .leads()
        .iter()
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap_or_default();
            let values = format!("{}|{}", text("companyname"), text("emailaddress1"));
            (text("leadid").to_owned(), values)
        })
        .collect();
    assert_eq!(there.len(), stage.dynamics.leads().len());
    assert_eq!(there, expected);
    assert_eq!(expected.len(), stage.leads.len());
}
