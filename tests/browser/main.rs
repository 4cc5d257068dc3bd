//! The portal in a real Chromium.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod dashboard;
mod every_page;
mod imports;
mod keyboard;
mod leads;
mod merges;
mod organizations;
mod settings;
mod sign_on;
mod submissions;
mod sync_pages;
mod walk;
mod without_scripts;
