//! `leadgen sandbox`: servers that speak LinkedIn's and Dataverse's protocols, for demonstrations and tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{CommandError, say};
use crate::sandbox::dataverse::{self, DataverseHandle, DataverseOptions};
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
    /// Where Dataverse listens, over HTTPS [default: port 8443 beside --bind, or a free one when its port is 0]
    #[arg(long, value_name = "ADDR")]
    dataverse_bind: Option<SocketAddr>,
    /// Write the certificate to trust here; it is made anew at every start.
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT; prints the base address first.
///
/// # Errors
/// When an address cannot be listened on or the certificate cannot be written.
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
    let dataverse = start_dataverse(&arguments)?;
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
    tell_dataverse(&dataverse, arguments.certificate_file.as_deref());
    ended.await;
    sandbox.stop();
    dataverse.stop();
    Ok(())
}

fn start_dataverse(arguments: &Arguments) -> Result<DataverseHandle, CommandError> {
    let bind = arguments.dataverse_bind.unwrap_or_else(|| {
        let port = if arguments.bind.port() == 0 { 0 } else { 8443 };
        SocketAddr::new(arguments.bind.ip(), port)
    });
    let handle = dataverse::start(DataverseOptions {
        bind,
        seed: arguments.seed,
        ..DataverseOptions::default()
    })
    .map_err(|error| {
        CommandError::Usage(format!(
            "--dataverse-bind: {bind} cannot be listened on ({error}); choose another address"
        ))
    })?;
    if let Some(path) = &arguments.certificate_file {
        std::fs::write(path, handle.certificate_pem()).map_err(|error| {
            CommandError::Usage(format!(
                "--certificate-file: {} cannot be written ({error}); choose another file",
                path.display()
            ))
        })?;
    }
    Ok(handle)
}

fn tell_dataverse(handle: &DataverseHandle, certificate: Option<&Path>) {
    say(&format!(
        "Dataverse, and the page with its leads: {}/",
        handle.url()
    ));
    say(&format!(
        "  tenant {}, application {}, secret {}",
        dataverse::TENANT,
        dataverse::CLIENT_ID,
        dataverse::CLIENT_SECRET
    ));
    say(&format!("LEADGEN_ENTRA_URL={}", handle.url()));
    match certificate {
        Some(path) => {
            say(&format!("LEADGEN_DESTINATION_CA_FILE={}", path.display()));
            say("LEADGEN_ALLOW_PRIVATE_DESTINATIONS=true");
        }
        None => say("  --certificate-file FILE writes the certificate to trust"),
    }
}
