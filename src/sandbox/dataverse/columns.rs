//! What a column is, and how a table's list of columns is written down.

use std::sync::Arc;

use uuid::Uuid;

use super::super::seeded::mix;

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text {
        max: usize,
        format: &'static str,
    },
    Memo {
        max: usize,
    },
    Whole {
        min: i64,
        max: i64,
    },
    Decimal {
        min: f64,
        max: f64,
        money: bool,
    },
    Choice {
        options: Vec<(i64, String)>,
    },
    State {
        options: Vec<(i64, String)>,
    },
    /// Value, label, and the state it belongs to.
    Status {
        options: Vec<(i64, String, i64)>,
    },
    Flag,
    Time,
    Date,
    /// The tables it may point to, each with the navigation property that binds it.
    Lookup {
        targets: Vec<(&'static str, String)>,
        owner: bool,
    },
    /// The primary key.
    Id,
    Version,
}

/// How badly a column is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    No,
    Recommended,
    Application,
    System,
}

impl Required {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::No => "None",
            Self::Recommended => "Recommended",
            Self::Application => "ApplicationRequired",
            Self::System => "SystemRequired",
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The logical name, lower case.
    pub(super) name: Arc<str>,
    pub(super) schema_name: String,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) required: Required,
    pub(super) on_create: bool,
    pub(super) on_update: bool,
    /// Equality is looked up instead of searched for.
    pub(super) indexed: bool,
    pub(super) custom: bool,
    pub(super) metadata_id: Uuid,
}

impl Column {
    pub(super) fn new(name: &str, label: &str, kind: Kind) -> Self {
        Self {
            name: Arc::from(name),
            schema_name: name.to_owned(),
            label: label.to_owned(),
            kind,
            required: Required::No,
            on_create: true,
            on_update: true,
            indexed: false,
            custom: false,
            metadata_id: name_id(name),
        }
    }

    pub(super) fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    pub(super) fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    pub(super) fn read_only(mut self) -> Self {
        self.on_create = false;
        self.on_update = false;
        self
    }

    pub(super) fn create_only(mut self) -> Self {
        self.on_update = false;
        self
    }

    pub(super) fn is_lookup(&self) -> bool {
        matches!(self.kind, Kind::Lookup { .. })
    }

    /// The property under which the Web API reads it.
    pub(super) fn property(&self) -> String {
        if self.is_lookup() {
            format!("_{}_value", self.name)
        } else {
            self.name.to_string()
        }
    }
}

/// An id that depends on a name only.
pub(super) fn name_id(name: &str) -> Uuid {
    let sum = name
        .bytes()
        .fold(7_u64, |sum, byte| mix(sum, 300, u64::from(byte)));
    drawn(sum, 301, 0)
}

/// An id drawn from the seed.
pub(super) fn drawn(seed: u64, salt: u64, index: u64) -> Uuid {
    let high = u128::from(mix(seed, salt, index));
    let low = u128::from(mix(seed, salt ^ 0x5a5a, index));
    uuid::Builder::from_random_bytes(((high << 64) | low).to_be_bytes()).into_uuid()
}

pub(super) fn text(name: &str, label: &str, max: usize) -> Column {
    Column::new(
        name,
        label,
        Kind::Text {
            max,
            format: "Text",
        },
    )
}

pub(super) fn formatted(name: &str, label: &str, max: usize, format: &'static str) -> Column {
    Column::new(name, label, Kind::Text { max, format })
}

pub(super) fn memo(name: &str, label: &str, max: usize) -> Column {
    Column::new(name, label, Kind::Memo { max })
}

pub(super) fn choice(name: &str, label: &str, options: &[(i64, &str)]) -> Column {
    Column::new(
        name,
        label,
        Kind::Choice {
            options: owned(options),
        },
    )
}

/// The state column.
pub(super) fn state(options: &[(i64, &str)]) -> Column {
    Column::new(
        "statecode",
        "Status",
        Kind::State {
            options: owned(options),
        },
    )
    .required(Required::System)
}

/// The column with the reason of the state.
pub(super) fn status(options: &[(i64, &str, i64)]) -> Column {
    let options = options
        .iter()
        .map(|(value, label, state)| (*value, (*label).to_owned(), *state))
        .collect();
    Column::new("statuscode", "Status Reason", Kind::Status { options })
}

pub(super) fn flag(name: &str, label: &str) -> Column {
    Column::new(name, label, Kind::Flag)
}

pub(super) fn money(name: &str, label: &str, max: f64) -> Column {
    let kind = Kind::Decimal {
        min: 0.0,
        max,
        money: true,
    };
    Column::new(name, label, kind)
}

pub(super) fn whole(name: &str, label: &str, min: i64, max: i64) -> Column {
    Column::new(name, label, Kind::Whole { min, max })
}

/// A lookup of one table, bound by its own name.
pub(super) fn lookup(name: &str, label: &str, target: &'static str) -> Column {
    let targets = vec![(target, name.to_owned())];
    Column::new(
        name,
        label,
        Kind::Lookup {
            targets,
            owner: false,
        },
    )
}

/// A lookup of several tables, bound by `{name}_{table}`.
pub(super) fn polymorphic(name: &str, label: &str, tables: &[&'static str]) -> Column {
    let targets = tables
        .iter()
        .map(|table| (*table, format!("{name}_{table}")))
        .collect();
    Column::new(
        name,
        label,
        Kind::Lookup {
            targets,
            owner: false,
        },
    )
}

fn owned(options: &[(i64, &str)]) -> Vec<(i64, String)> {
    options
        .iter()
        .map(|(value, label)| (*value, (*label).to_owned()))
        .collect()
}

/// What every user-owned table has: owner, times, state of the row.
pub(super) fn of_every_table() -> Vec<Column> {
    let owner = Kind::Lookup {
        targets: vec![
            ("systemuser", "ownerid".to_owned()),
            ("team", "ownerid".to_owned()),
        ],
        owner: true,
    };
    vec![
        Column::new("ownerid", "Owner", owner).required(Required::System),
        lookup("owningbusinessunit", "Owning Business Unit", "businessunit").read_only(),
        lookup("createdby", "Created By", "systemuser").read_only(),
        lookup("modifiedby", "Modified By", "systemuser").read_only(),
        Column::new("createdon", "Created On", Kind::Time).read_only(),
        Column::new("modifiedon", "Modified On", Kind::Time).read_only(),
        Column::new("overriddencreatedon", "Record Created On", Kind::Time).create_only(),
        whole(
            "importsequencenumber",
            "Import Sequence Number",
            i64::from(i32::MIN),
            i64::from(i32::MAX),
        )
        .create_only(),
        Column::new("versionnumber", "Version Number", Kind::Version).read_only(),
    ]
}
