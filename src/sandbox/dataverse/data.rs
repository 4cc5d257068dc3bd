//! The rows of the organization, and how several changes are made or unmade together.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cell::Cell;
use super::columns::{choice, drawn, formatted, lookup, of_every_table, state, status, text};
use super::exchange::Refusal;
use super::lead_columns::lead_columns;
use super::table::{Row, Table};

/// Well-known records of the organization.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) organization: Uuid,
    pub(super) business_unit: Uuid,
    /// The application user.
    pub(super) application_user: Uuid,
    /// Somebody who works there.
    pub(super) person: Uuid,
}

/// All tables.
#[derive(Debug)]
pub(super) struct Data {
    seed: u64,
    made: u64,
    version: u64,
    tables: BTreeMap<&'static str, Table>,
    pub(super) known: Known,
    /// What to put back when the running set of changes fails, newest last.
    journal: Option<Vec<(&'static str, Uuid, Option<Row>)>>,
}

impl Data {
    pub(super) fn new(seed: u64, now: DateTime<Utc>) -> Self {
        let id = |salt| drawn(seed, salt, 0);
        let mut data = Self {
            seed,
            made: 0,
            version: 1_000_000,
            tables: tables()
                .into_iter()
                .map(|table| (table.logical, table))
                .collect(),
            known: Known {
                organization: id(200),
                business_unit: id(201),
                application_user: id(202),
                person: id(203),
            },
            journal: None,
        };
        data.seed_records(now);
        data
    }

    /// The users, teams and campaigns that every organization of the sandbox has.
    fn seed_records(&mut self, now: DateTime<Utc>) {
        let known = self.known;
        self.seed_one(
            "businessunit",
            known.business_unit,
            &[("name", "Contoso")],
            now,
        );
        let user = known.application_user;
        self.seed_one(
            "systemuser",
            user,
            &[("fullname", "# Leadgen Connector")],
            now,
        );
        let jon = self.new_id();
        for (id, first, last, email) in [
            (known.person, "Mara", "Lind", "mara.lind@contoso.example"),
            (jon, "Jon", "Okafor", "jon.okafor@contoso.example"),
        ] {
            let full = format!("{first} {last}");
            let values = [
                ("firstname", first),
                ("lastname", last),
                ("fullname", &full),
                ("internalemailaddress", email),
                ("domainname", email),
            ];
            self.seed_one("systemuser", id, &values, now);
        }
        for (table, names) in [
            ("team", ["Inbound sales", "Contoso"]),
            ("campaign", ["Spring webinar", "Product launch"]),
        ] {
            for name in names {
                let id = self.new_id();
                self.seed_one(table, id, &[("name", name)], now);
            }
        }
        let euro = self.new_id();
        let values = [("currencyname", "Euro"), ("isocurrencycode", "EUR")];
        self.seed_one("transactioncurrency", euro, &values, now);
    }

    fn seed_one(
        &mut self,
        table: &'static str,
        id: Uuid,
        values: &[(&str, &str)],
        now: DateTime<Utc>,
    ) {
        let mut cells: BTreeMap<Arc<str>, Cell> = values
            .iter()
            .map(|(name, value)| (Arc::from(*name), Cell::Text((*value).to_owned())))
            .collect();
        for name in ["createdon", "modifiedon"] {
            cells.insert(Arc::from(name), Cell::Time(now));
        }
        let version = self.next_version();
        // A table of the module's own with an id of its own: no key can be violated.
        let _ = self.put(
            table,
            id,
            Some(Row {
                version,
                values: cells,
            }),
        );
    }

    pub(super) fn new_id(&mut self) -> Uuid {
        self.made += 1;
        drawn(self.seed, 210, self.made)
    }

    /// The version that was given last.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// A table by its logical name.
    pub(super) fn table(&self, logical: &str) -> Option<&Table> {
        self.tables.get(logical)
    }

    pub(super) fn table_mut(&mut self, logical: &str) -> Option<&mut Table> {
        self.tables.get_mut(logical)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// A table by the name of its set: `leads`.
    pub(super) fn set(&self, set: &str) -> Option<&Table> {
        self.tables.values().find(|table| table.set == set)
    }

    /// Puts a row there or takes it away, and remembers how to undo it while a set of changes runs.
    pub(super) fn put(
        &mut self,
        logical: &'static str,
        id: Uuid,
        row: Option<Row>,
    ) -> Result<(), Refusal> {
        let version = self.next_version();
        let Some(table) = self.tables.get_mut(logical) else {
            return Err(Refusal::no_segment(logical));
        };
        let before = table.put(id, row, Some(version))?;
        if let Some(journal) = &mut self.journal {
            journal.push((logical, id, before));
        }
        Ok(())
    }

    /// Carries out several changes: all of them, or none.
    pub(super) fn together<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if self.journal.is_some() {
            return work(self);
        }
        self.journal = Some(Vec::new());
        let outcome = work(self);
        let journal = self.journal.take().unwrap_or_default();
        if outcome.is_err() {
            for (logical, id, before) in journal.into_iter().rev() {
                if let Some(table) = self.tables.get_mut(logical) {
                    // What was there fitted together before.
                    let _ = table.put(id, before, None);
                }
            }
        }
        outcome
    }
}

fn tables() -> Vec<Table> {
    let with = |mut columns: Vec<super::columns::Column>| {
        columns.extend(of_every_table());
        columns
    };
    vec![
        Table::new(
            ("lead", "Lead", "leads"),
            ("leadid", "fullname"),
            4,
            lead_columns(),
        ),
        Table::new(
            ("contact", "Contact", "contacts"),
            ("contactid", "fullname"),
            2,
            with(vec![
                text("firstname", "First Name", 50),
                text("lastname", "Last Name", 50),
                text("fullname", "Full Name", 160).read_only(),
                formatted("emailaddress1", "Email", 100, "Email").indexed(),
                formatted("telephone1", "Business Phone", 50, "Phone"),
                formatted("mobilephone", "Mobile Phone", 50, "Phone"),
                text("jobtitle", "Job Title", 100),
                state(&[(0, "Active"), (1, "Inactive")]),
                status(&[(1, "Active", 0), (2, "Inactive", 1)]),
            ]),
        ),
        Table::new(
            ("account", "Account", "accounts"),
            ("accountid", "name"),
            1,
            with(vec![
                text("name", "Account Name", 160).indexed(),
                formatted("emailaddress1", "Email", 100, "Email").indexed(),
                formatted("telephone1", "Main Phone", 50, "Phone"),
                formatted("websiteurl", "Website", 200, "Url"),
                state(&[(0, "Active"), (1, "Inactive")]),
                status(&[(1, "Active", 0), (2, "Inactive", 1)]),
            ]),
        ),
        Table::new(
            ("opportunity", "Opportunity", "opportunities"),
            ("opportunityid", "name"),
            3,
            with(vec![
                text("name", "Topic", 300),
                lookup("originatingleadid", "Originating Lead", "lead"),
                state(&[(0, "Open"), (1, "Won"), (2, "Lost")]),
                status(&[(1, "In Progress", 0), (3, "Won", 1), (4, "Canceled", 2)]),
            ]),
        ),
        Table::new(
            ("campaign", "Campaign", "campaigns"),
            ("campaignid", "name"),
            4400,
            with(vec![
                text("name", "Name", 128).indexed(),
                text("codename", "Campaign Code", 32).indexed(),
            ]),
        ),
        Table::new(
            ("systemuser", "User", "systemusers"),
            ("systemuserid", "fullname"),
            8,
            vec![
                text("firstname", "First Name", 256),
                text("lastname", "Last Name", 256),
                text("fullname", "Full Name", 200),
                formatted("internalemailaddress", "Primary Email", 100, "Email").indexed(),
                text("domainname", "User Name", 1024).indexed(),
                text("applicationid", "Application ID", 36).indexed(),
                super::columns::flag("isdisabled", "Status"),
                choice(
                    "accessmode",
                    "Access Mode",
                    &[(0, "Read-Write"), (4, "Non-interactive")],
                ),
                time("createdon"),
                time("modifiedon"),
            ],
        ),
        named(("team", "Team", "teams"), ("teamid", "name"), 9, "name"),
        named(
            ("businessunit", "BusinessUnit", "businessunits"),
            ("businessunitid", "name"),
            10,
            "name",
        ),
        Table::new(
            (
                "transactioncurrency",
                "TransactionCurrency",
                "transactioncurrencies",
            ),
            ("transactioncurrencyid", "currencyname"),
            9105,
            vec![
                text("currencyname", "Currency Name", 100),
                text("isocurrencycode", "Currency Code", 5).indexed(),
                time("createdon"),
                time("modifiedon"),
            ],
        ),
    ]
}

fn time(name: &str) -> super::columns::Column {
    super::columns::Column::new(name, name, super::columns::Kind::Time).read_only()
}

fn named(
    names: (&'static str, &'static str, &'static str),
    special: (&'static str, &'static str),
    code: u32,
    column: &str,
) -> Table {
    Table::new(
        names,
        special,
        code,
        vec![
            text(column, "Name", 160).indexed(),
            time("createdon"),
            time("modifiedon"),
        ],
    )
}
