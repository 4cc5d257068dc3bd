//! System: what runs, on which database, who holds what, how the clocks agree, and where each setting comes from.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Answer, Portal, Shell};
use crate::domain::linkedin_version::{VersionLife, life_of};
use crate::mail::MailSettings;
use crate::settings::ShownSetting;
use crate::store::StoreError;
use crate::store::database::{self, DatabaseFacts};
use crate::store::mails::{self, Mail};
use crate::store::processes::{self, HeldLease, Process};
use crate::store::users;

/// Clocks further apart than this are worth a warning: times on pages would mislead, and LinkedIn's windows would be late.
const DRIFT: TimeDelta = TimeDelta::seconds(30);

/// Another clock beside ours.
struct OtherClock {
    name: &'static str,
    now: Option<DateTime<Utc>>,
    /// How far it is ahead of ours, in words.
    drift: String,
    is_far_off: bool,
}

impl OtherClock {
    fn new(name: &'static str, now: Option<DateTime<Utc>>, ours: DateTime<Utc>) -> Self {
        let drift = now.map(|now| now - ours);
        Self {
            name,
            now,
            drift: drift.map(in_words).unwrap_or_default(),
            is_far_off: drift.is_some_and(|drift| drift.abs() > DRIFT),
        }
    }
}

/// A difference of clocks for people.
fn in_words(drift: TimeDelta) -> String {
    let seconds = drift.num_seconds().unsigned_abs();
    let way = if drift < TimeDelta::zero() {
        "behind"
    } else {
        "ahead"
    };
    match seconds {
        0..=1 => "agrees with ours".to_owned(),
        2..=119 => format!("{seconds} seconds {way}"),
        120..=7_199 => format!("{} minutes {way}", seconds / 60),
        _ => format!("{} hours {way}", seconds / 3_600),
    }
}

/// Bytes for people, in steps of 1024.
fn size(bytes: i64) -> String {
    let mut number = bytes.max(0);
    let mut rest = 0;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if number < 1_024 {
            return if unit == "bytes" {
                format!("{number} {unit}")
            } else {
                format!("{number}.{} {unit}", rest * 10 / 1_024)
            };
        }
        (rest, number) = (number % 1_024, number / 1_024);
    }
    format!("{number}.{} TiB", rest * 10 / 1_024)
}

/// A length of time for people.
fn length(length: TimeDelta) -> String {
    let (days, hours, minutes) = (
        length.num_days(),
        length.num_hours() % 24,
        length.num_minutes() % 60,
    );
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[derive(Template)]
#[template(path = "system/show.html")]
struct SystemShow {
    shell: Shell,
    version: &'static str,
    started_at: DateTime<Utc>,
    uptime: String,
    listeners: usize,
    process_name: String,
    database_system: &'static str,
    database: DatabaseFacts,
    database_size: String,
    clocks: Vec<OtherClock>,
    processes: Vec<Process>,
    leases: Vec<HeldLease>,
    linkedin_version: String,
    version_life: VersionLife,
    mail: Option<MailSettings>,
    /// The last mails, with the names of those they go to.
    mails: Vec<(Mail, String)>,
    settings: Vec<ShownSetting>,
}

/// GET /settings/system
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let (database, processes, leases, mails) = portal
        .store
        .read(|conn| {
            let mut mails = Vec::new();
            for mail in mails::list(conn, 10)? {
                let name = users::get(conn, &mail.user_id)?.name;
                mails.push((mail, name));
            }
            Ok::<_, StoreError>((
                database::facts(conn)?,
                processes::list(conn)?,
                processes::leases(conn)?,
                mails,
            ))
        })
        .await?;
    // Read after the database answered, so that its time is not older than ours by the query's length alone.
    let now = portal.clock.now();
    let linkedin_version = portal.settings.linkedin.version.clone();
    let page = SystemShow {
        shell,
        version: env!("CARGO_PKG_VERSION"),
        started_at: portal.started_at,
        uptime: length(now - portal.started_at),
        listeners: portal.events.listeners(),
        process_name: portal.connector.process_name().to_owned(),
        database_system: portal.store.url().system(),
        database_size: size(database.bytes),
        clocks: vec![
            OtherClock::new("Database", Some(database.now), now),
            OtherClock::new("LinkedIn", portal.connector.linkedin_time(), now),
        ],
        database,
        processes,
        leases,
        version_life: life_of(&linkedin_version, now.date_naive()),
        linkedin_version,
        mail: portal.settings.mail.clone(),
        mails,
        settings: portal.settings.shown.clone(),
    };
    page.shell.render(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_and_differences_are_told_shortly() {
        for (bytes, text) in [
            (-1, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_536, "1.5 KiB"),
            (5 * 1_024 * 1_024, "5.0 MiB"),
            (3 * 1_024_i64.pow(4), "3.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in [(59, "0 min"), (3_700, "1 h 1 min"), (180_000, "2 d 2 h")] {
            assert_eq!(length(TimeDelta::seconds(seconds)), text);
        }
        for (seconds, text) in [
            (1, "agrees with ours"),
            (-90, "90 seconds behind"),
            (600, "10 minutes ahead"),
            (90_000, "25 hours ahead"),
        ] {
            assert_eq!(in_words(TimeDelta::seconds(seconds)), text);
        }
    }
}
