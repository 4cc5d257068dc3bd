//! The `leadgen` program: reads the command line, runs one command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use leadgen::commands::{self, Command, CommandLine};
use leadgen::telemetry;

fn main() -> ExitCode {
    // Installed once for every TLS connection of the process; a second installation would only say that one is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let line = CommandLine::parse();
    // What the demonstration prints is its summary; what goes wrong is logged all the same.
    let level = match line.command {
        Command::Demo(_) => "warn",
        _ => "info",
    };
    let log = std::env::var("LEADGEN_LOG").unwrap_or_else(|_| level.to_owned());
    if let Err(problem) = telemetry::start(&log) {
        eprintln!("{problem}");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("leadgen: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(line.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leadgen: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
