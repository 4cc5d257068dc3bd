//! The sync against LinkedIn's sandbox over real HTTP: what it stores, what it survives, what it never asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod authorization;
mod consent;
mod destinations;
mod faults;
mod history;
mod lead_imports;
mod leases;
mod member_deletions;
mod moving_in;
mod rules;
mod stage;
mod tokens;
mod webhooks;
