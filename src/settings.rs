//! Configuration from the environment, one small struct per concern; every problem is reported at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::domain::connections::Deployment;
use crate::mail::MailSettings;
use crate::store::DatabaseUrl;

mod deployment;
mod destinations;
mod http;
mod linkedin;
mod mail;
mod oidc;
mod reader;
mod shown;
mod webhook;

pub use destinations::DestinationSettings;
pub use http::HttpSettings;
pub use linkedin::LinkedInSettings;
pub use oidc::OidcSettings;
use reader::{FILE_VARIABLES, Reader, http_url};
pub use reader::{VARIABLES, parse_interval};
pub use shown::{SettingSource, ShownSetting};

/// Everything `serve` and `worker` need to know. Secrets print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the data lives.
    pub database_url: DatabaseUrl,
    /// Where the portal listens and how the world reaches it.
    pub http: HttpSettings,
    /// The keys that protect tokens at rest, separated by white space; `None`: made beside the SQLite file.
    pub secret_key: Option<SecretString>,
    /// The file from which `secret_key` was read, if it was.
    pub secret_key_file: Option<PathBuf>,
    /// LinkedIn's addresses and our app's credentials there.
    pub linkedin: LinkedInSettings,
    /// Base of Microsoft Entra's endpoints, which give tokens for Dynamics 365 organizations.
    pub entra_url: Url,
    /// The identity provider for sign-in through OpenID Connect, if there is one.
    pub oidc: Option<OidcSettings>,
    /// Time between two pulls of an account.
    pub sync_interval: Duration,
    /// Time between two readings of a Dynamics 365 organization.
    pub organization_interval: Duration,
    /// Where mail goes out; `None`: nothing is mailed.
    pub mail: Option<MailSettings>,
    /// What whoever runs the portal decided about LinkedIn.
    pub deployment: Deployment,
    /// How destinations are reached.
    pub destinations: DestinationSettings,
    /// Every value with where it comes from, without secrets.
    pub shown: Vec<ShownSetting>,
}

/// What is wrong with the environment: one sentence each, naming the variable and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl Settings {
    /// Reads the process environment.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_environment() -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                if !name.starts_with("LEADGEN_") {
                    return None;
                }
                match value.into_string() {
                    Ok(value) => Some((name, value)),
                    Err(_) => {
                        problems.push(format!("{name}: not UTF-8"));
                        None
                    }
                }
            })
            .collect();
        match Self::read(&environment) {
            Ok(settings) if problems.is_empty() => Ok(settings),
            Ok(_) => Err(SettingsError(problems)),
            Err(SettingsError(more)) => {
                problems.extend(more);
                Err(SettingsError(problems))
            }
        }
    }

    /// Reads settings from name → value.
    ///
    /// # Errors
    /// All problems at once; an unknown `LEADGEN_` name is one, because it is nearly always a typing error.
    pub fn read(environment: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let mut reader = Reader {
            environment,
            problems: Vec::new(),
        };
        for name in environment.keys() {
            let base = name
                .strip_suffix("_FILE")
                .filter(|base| FILE_VARIABLES.contains(base));
            let known = |wanted: &str| VARIABLES.iter().any(|(known, _)| *known == wanted);
            if name.starts_with("LEADGEN_")
                && !name.starts_with("LEADGEN_TEST_")
                && !known(base.unwrap_or(name))
            {
                reader
                    .problems
                    .push(format!("{name}: no such setting; check its spelling"));
            }
        }
        let database_url = reader.parsed("LEADGEN_DATABASE_URL", str::parse);
        let http = http::read(&mut reader);
        let linkedin = linkedin::read(&mut reader, http.as_ref().map(|http| &http.public_url));
        let entra_url = reader.parsed("LEADGEN_ENTRA_URL", |text| {
            let url = http_url(text)?;
            if url.scheme() == "https" {
                Ok(url)
            } else {
                Err("must begin with https://, because secrets are sent there".to_owned())
            }
        });
        let sync_interval = reader.parsed("LEADGEN_SYNC_INTERVAL", parse_interval);
        let organization_interval = reader.parsed("LEADGEN_ORGANIZATION_INTERVAL", parse_interval);
        let secret_key = secret_key(&mut reader, database_url.as_ref());
        let secret_key_file = environment
            .get("LEADGEN_SECRET_KEY_FILE")
            .map(|path| path.trim())
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        let mail = mail::read(&mut reader);
        let deployment = deployment::read(&mut reader);
        let destinations = destinations::read(&mut reader);
        let oidc = oidc::read(&mut reader);
        let problems = reader.problems;
        let all = || {
            Some(Self {
                database_url: database_url?,
                http: http?,
                secret_key,
                secret_key_file,
                linkedin: linkedin?,
                entra_url: entra_url?,
                oidc,
                sync_interval: sync_interval?,
                organization_interval: organization_interval?,
                mail,
                deployment,
                destinations,
                shown: shown::shown(environment),
            })
        };
        match all() {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(SettingsError(problems)),
        }
    }
}

/// The keys that protect tokens at rest: each process can make its own only where there is one process.
fn secret_key(reader: &mut Reader<'_>, database_url: Option<&DatabaseUrl>) -> Option<SecretString> {
    let key = reader
        .optional("LEADGEN_SECRET_KEY")
        .map(SecretString::from);
    if key.is_none() && matches!(database_url, Some(DatabaseUrl::Postgres(_))) {
        reader.problems.push(
            "LEADGEN_SECRET_KEY: required with PostgreSQL, because all replicas must share it; make one with `openssl rand -base64 32`"
                .into(),
        );
    }
    if let Some(key) = &key
        && let Err(problem) = crate::auth::secret_key::check(key)
    {
        let problem = format!("LEADGEN_SECRET_KEY: {problem}");
        reader.problems.push(problem);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(
            &pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn defaults_are_enough_to_start() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.http.bind.port(), 8080);
        assert_eq!(settings.sync_interval, Duration::from_secs(300));
        assert!(!settings.linkedin.is_configured());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let SettingsError(problems) = read(&[
            ("LEADGEN_DATABASE_URL", "postgres:typo"),
            ("LEADGEN_BIND", "here"),
            ("LEADGEN_PUBLIC_URL", "ftp://x"),
            ("LEADGEN_API_REQUESTS_PER_MINUTE", "0"),
            ("LEADGEN_SYNC_INTERVAL", "often"),
            ("LEADGEN_LINKEDIN_VERSION", "202613"),
            ("LEADGEN_LINKEDIN_CLIENT_ID", "only-the-id"),
            ("LEADGEN_SYNC_INTERVALL", "5m"),
        ])
        .unwrap_err();
        for name in [
            "LEADGEN_DATABASE_URL:",
            "LEADGEN_BIND:",
            "LEADGEN_PUBLIC_URL:",
            "LEADGEN_API_REQUESTS_PER_MINUTE:",
            "LEADGEN_SYNC_INTERVAL:",
            "LEADGEN_LINKEDIN_VERSION:",
            "LEADGEN_LINKEDIN_CLIENT_ID and",
            "LEADGEN_SYNC_INTERVALL:",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(name)),
                "no word of {name} in {problems:?}"
            );
        }
    }

    #[test]
    fn postgres_needs_a_shared_key() {
        let SettingsError(problems) =
            read(&[("LEADGEN_DATABASE_URL", "postgres://localhost/leads")]).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("required with PostgreSQL"));
    }

    #[test]
    fn intervals_are_bounded() {
        for bad in [
            "",
            "5",
            "m",
            "0s",
            "9s",
            "25h",
            "-5m",
            "5 m",
            "999999999999999999h",
            "5é",
        ] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_interval("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_interval("2h"), Ok(Duration::from_secs(7200)));
    }
}
