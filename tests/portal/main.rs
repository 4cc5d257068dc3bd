//! Pages over HTTP, with a browser that has no JavaScript.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod account;
mod assignment_rules;
mod field_mappings;
mod integration_configuration;
mod matching_strategies;
mod panics;
mod requests;
mod settings_pages;
mod sign_in;
mod start;
mod users;
