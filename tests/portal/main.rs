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
mod access_matrix;
mod account;
mod accounts;
mod api;
mod api_contract;
mod api_document;
mod api_program;
mod api_reads;
mod api_reference;
mod api_tokens;
mod api_writes;
mod assignment_rules;
mod audit_log;
mod busy;
mod certified_provider;
mod configuration_file;
mod confirmation;
mod connections;
mod custom_fields;
mod dashboard;
mod deliveries;
mod destinations;
mod dry_run;
mod dynamics;
mod dynamics_moments;
mod dynamics_neighbours;
mod dynamics_reads;
mod events;
mod evidence;
mod field_mappings;
mod groups;
mod history;
mod integration_configuration;
mod invitations;
mod lead_exports;
mod lead_imports;
mod lead_lists;
mod lead_merges;
mod leads;
mod mails;
mod mapping_previews;
mod matching_strategies;
mod microsoft_connector;
mod oidc;
mod organizations;
mod panics;
mod pauses;
mod profiles;
mod provider_confirmation;
mod records_world;
mod refusals;
mod requests;
mod second_factor;
mod session_end;
mod settings_pages;
mod setup;
mod sign_in;
mod standing;
mod start;
mod submission_acts;
mod submissions;
mod sync_status;
mod users;
mod webhooks;
