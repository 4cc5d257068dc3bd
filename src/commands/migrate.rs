//! `leadgen migrate`: migrations only.

use super::{CommandError, open, say};

/// Runs what is pending and says what ran.
///
/// # Errors
/// See [`CommandError`].
pub async fn run() -> Result<(), CommandError> {
    let ran = open()?.migrate().await?;
    if ran.is_empty() {
        say("The database is up to date.");
    } else {
        say(&format!(
            "Ran {} migration(s): {}.",
            ran.len(),
            ran.join(", ")
        ));
    }
    Ok(())
}
