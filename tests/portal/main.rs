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
mod requests;
mod sign_in;
mod start;
mod users;
