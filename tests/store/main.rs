//! The store on both databases: the schema, transactions under contention, migrations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod audit_chain;
mod counts;
mod defaults;
mod groups;
mod lead_lists;
mod lead_merges;
mod match_keys;
mod migrations;
mod pauses;
mod records;
mod reports;
mod schema;
mod sealed_cells;
mod search;
mod settings;
mod sync_pages;
mod transactions;
