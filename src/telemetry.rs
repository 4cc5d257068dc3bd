//! Logs and measurements of this process.

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error. `setting` is LEADGEN_LOG: a level or a filter as tracing knows it (`info`,
/// `leadgen=debug`), with `json,` or `text,` in front to choose the form; without it, text for a terminal and JSON otherwise.
///
/// # Errors
/// A sentence that names the setting.
pub fn start(setting: &str) -> Result<(), String> {
    let (is_json, filter) = match setting.trim().split_once(',') {
        Some(("json", rest)) => (true, rest),
        Some(("text", rest)) => (false, rest),
        _ => match setting.trim() {
            "json" => (true, "info"),
            "text" => (false, "info"),
            filter => (!std::io::stderr().is_terminal(), filter),
        },
    };
    let filter = if filter.trim().is_empty() {
        "info"
    } else {
        filter.trim()
    };
    let filter = EnvFilter::try_new(filter).map_err(|_| {
        "LEADGEN_LOG: write a level such as info, or a filter such as leadgen=debug; json, or text, may stand in front"
            .to_owned()
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = if is_json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr);
        registry.with(layer).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_writer(std::io::stderr);
        registry.with(layer).try_init()
    };
    // Somebody else's logging (a test's) stays.
    drop(started);
    log_panics();
    // Installs the recorder, so that nothing is measured before it is there.
    drop(measurements());
    Ok(())
}

/// A panic's message may hold data, so only its place is logged.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()))
            .unwrap_or_default();
        tracing::error!(panic.place = %place, "a panic");
    }));
}

/// Everything measured so far, in Prometheus' text format.
#[must_use]
pub fn measurements() -> String {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets(&[
                    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
                ])
                .ok()?;
            builder.install_recorder().ok()
        })
        .as_ref()
        .map(|handle| {
            handle.run_upkeep();
            handle.render()
        })
        .unwrap_or_default()
}
