//! What the integration tests share: a database of their own, a browser-like HTTP client, records with defaults, the real program.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "each test crate uses a part of this, and a test may panic"
)]

pub mod browserlike;
pub mod builders;
pub mod certified_provider;
pub mod chromium;
pub mod database;
pub mod dynamics;
pub mod held;
pub mod html;
pub mod installation;
pub mod oidc_provider;
pub mod program;
pub mod python;
pub mod receiver;
pub mod records;
pub mod smtp_server;

pub use browserlike::{Browserlike, Page, encode};
pub use builders::{
    a_form, a_lead, a_moment, a_profile, a_submission, a_user, an_account, question,
};
pub use database::{System, TestDatabase};
pub use held::Held;
pub use program::{Outcome, Program, signal};

/// A secret key as a deployment would set it: 32 random bytes in base64.
pub const SECRET_KEY: &str = "3pai4+eZ88eD1Hwif5wPi40RW4z0QfhXVJlpn7FWM8s=";

/// Ends the test with a sentence when `condition` does not hold within `limit`; asks every 50 ms.
pub async fn eventually<F, Fut>(what: &str, limit: std::time::Duration, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let begun = std::time::Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Chooses the TLS provider once, as `main` does; every reqwest client needs it.
pub fn install_crypto_provider() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
