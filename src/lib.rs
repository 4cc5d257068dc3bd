//! Leadgen Connector: pulls the answers to LinkedIn Lead Gen Forms, maps and matches them, and keeps the leads.
//!
//! The rooms, and who may use whom (`tests/architecture.rs` keeps it so):
//! `main → commands → app → web → auth → store → domain`; `sync → store, domain, linkedin, dataverse, mail`;
//! `web → sync` only to request work and for the connect flow; `web, auth → oidc`; `sandbox → linkedin::wire`. `domain` uses
//! nothing of ours, and `destination_address` (what the portal may send to) and `http_answer` (what a refusal says) are leaves that whoever sends
//! outward uses.

pub mod app;
pub mod auth;
pub mod clock;
pub mod commands;
pub mod dataverse;
pub mod destination_address;
pub mod domain;
pub mod http_answer;
pub mod linkedin;
pub mod mail;
pub mod oidc;
pub mod sandbox;
pub mod settings;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod web;
