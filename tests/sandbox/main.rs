//! The sandbox over the real wire: with the portal's own client, with raw requests and with LinkedIn's official Python client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../support/python.rs"]
mod python;

mod authorization;
mod controls;
mod dataverse;
mod faults;
mod leads;
mod official_client;
mod support;
mod wire;
