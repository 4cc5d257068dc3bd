//! `leadgen sandbox`: a server that speaks LinkedIn's protocol, for demonstrations and tests.

use std::net::SocketAddr;

use super::{CommandError, say};
use crate::sandbox::{CLIENT_ID, CLIENT_SECRET, SandboxOptions, start};

/// Arguments of `leadgen sandbox`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    bind: SocketAddr,
    /// Form responses in the sandbox's history.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    leads: u32,
    /// The same seed gives the same data.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Serves until SIGTERM or SIGINT; prints the base address first.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let options = SandboxOptions {
        bind: arguments.bind,
        leads: usize::try_from(arguments.leads).unwrap_or(usize::MAX),
        seed: arguments.seed,
        ..SandboxOptions::default()
    };
    let sandbox = start(options).map_err(|error| {
        CommandError::Usage(format!(
            "--bind: {} cannot be listened on ({error}); choose another address",
            arguments.bind
        ))
    })?;
    // Whoever reads the address may end us at once.
    let ended =
        crate::app::terminated().map_err(|error| CommandError::Failed(error.to_string()))?;
    say(&sandbox.base_url());
    say(&format!(
        "LEADGEN_LINKEDIN_OAUTH_URL={}",
        sandbox.oauth_url()
    ));
    say(&format!("LEADGEN_LINKEDIN_API_URL={}", sandbox.api_url()));
    say(&format!("LEADGEN_LINKEDIN_CLIENT_ID={CLIENT_ID}"));
    say(&format!("LEADGEN_LINKEDIN_CLIENT_SECRET={CLIENT_SECRET}"));
    ended.await;
    sandbox.stop();
    Ok(())
}
