//! Configuration from the environment, one small struct per concern; every problem is reported at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::domain::connections::Deployment;
use crate::mail::MailSettings;
use crate::store::DatabaseUrl;

mod deployment;
mod destinations;
mod mail;
mod oidc;
mod shown;
mod webhook;

pub use destinations::DestinationSettings;
pub use oidc::OidcSettings;
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

/// Where the portal listens and how the world reaches it.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Listening address.
    pub bind: SocketAddr,
    /// Scheme, host and port that browsers use, without a trailing slash.
    pub public_url: Url,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Requests a minute that one API token may make of one process.
    pub api_requests_per_minute: u32,
}

/// LinkedIn's addresses and our app's credentials there.
#[derive(Debug, Clone)]
pub struct LinkedInSettings {
    /// Client id of the LinkedIn developer app.
    pub client_id: Option<String>,
    /// Client secret of the LinkedIn developer app.
    pub client_secret: Option<SecretString>,
    /// Base of the OAuth endpoints.
    pub oauth_url: Url,
    /// Base of the API.
    pub api_url: Url,
    /// `LinkedIn-Version`, `YYYYMM`.
    pub version: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Where LinkedIn is to send notifications; `None` where none are wanted.
    pub webhook: Option<Url>,
}

impl LinkedInSettings {
    /// Whether both client id and secret are there.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.client_id.is_some() && self.client_secret.is_some()
    }
}

/// What is wrong with the environment: one sentence each, naming the variable and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Names and defaults, in the order of the README's table.
pub const VARIABLES: &[(&str, &str)] = &[
    ("LEADGEN_DATABASE_URL", "sqlite://data/leadgen.db"),
    ("LEADGEN_BIND", "127.0.0.1:8080"),
    ("LEADGEN_PUBLIC_URL", "http://127.0.0.1:8080"),
    ("LEADGEN_TRUSTED_PROXIES", ""),
    ("LEADGEN_SECRET_KEY", ""),
    ("LEADGEN_API_REQUESTS_PER_MINUTE", "600"),
    ("LEADGEN_LINKEDIN_CLIENT_ID", ""),
    ("LEADGEN_LINKEDIN_CLIENT_SECRET", ""),
    (
        "LEADGEN_LINKEDIN_OAUTH_URL",
        "https://www.linkedin.com/oauth/v2",
    ),
    ("LEADGEN_LINKEDIN_API_URL", "https://api.linkedin.com"),
    ("LEADGEN_LINKEDIN_VERSION", "202607"),
    (
        "LEADGEN_LINKEDIN_SCOPES",
        "r_ads r_marketing_leadgen_automation r_organization_admin",
    ),
    ("LEADGEN_ENTRA_URL", "https://login.microsoftonline.com"),
    ("LEADGEN_LINKEDIN_WEBHOOK", "auto"),
    ("LEADGEN_SYNC_INTERVAL", "5m"),
    ("LEADGEN_ORGANIZATION_INTERVAL", "5m"),
    ("LEADGEN_OIDC_ISSUER", ""),
    ("LEADGEN_OIDC_CLIENT_ID", ""),
    ("LEADGEN_OIDC_CLIENT_SECRET", ""),
    ("LEADGEN_OIDC_NAME", "your organization"),
    ("LEADGEN_OIDC_SCOPES", "openid profile email"),
    ("LEADGEN_OIDC_TENANTS", ""),
    ("LEADGEN_SMTP_URL", ""),
    ("LEADGEN_MAIL_FROM", ""),
    ("LEADGEN_POLICY_SHOW_LINKEDIN", ""),
    ("LEADGEN_POLICY_FILE", ""),
    ("LEADGEN_ORGANIZATION_CLOUD", "public"),
    ("LEADGEN_ORGANIZATION_COUNTRY", ""),
    ("LEADGEN_ALLOW_PRIVATE_DESTINATIONS", "false"),
    ("LEADGEN_DESTINATION_CA_FILE", ""),
    ("LEADGEN_LOG", "info"),
];

/// Variables whose value may stand in a file named by `<NAME>_FILE`.
const FILE_VARIABLES: &[&str] = &[
    "LEADGEN_SECRET_KEY",
    "LEADGEN_LINKEDIN_CLIENT_SECRET",
    "LEADGEN_OIDC_CLIENT_SECRET",
    "LEADGEN_SMTP_URL",
];

struct Reader<'a> {
    environment: &'a BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            VARIABLES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, default)| (*default).to_owned())
                .unwrap_or_default()
        })
    }

    fn optional(&mut self, name: &str) -> Option<String> {
        let direct = self
            .environment
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty());
        if !FILE_VARIABLES.contains(&name) {
            return direct;
        }
        let file_name = format!("{name}_FILE");
        let Some(path) = self
            .environment
            .get(&file_name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
        else {
            return direct;
        };
        if direct.is_some() {
            self.problems.push(format!(
                "{name} and {file_name} are both set: keep one of them"
            ));
        }
        match std::fs::read_to_string(Path::new(&path)) {
            Ok(text) if text.trim().is_empty() => {
                self.problems
                    .push(format!("{file_name}: the file is empty"));
                None
            }
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.problems.push(format!(
                    "{file_name}: the file cannot be read ({})",
                    error.kind()
                ));
                None
            }
        }
    }

    fn parse<T>(
        &mut self,
        name: &str,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let text = self.text(name);
        match parse(&text) {
            Ok(value) => value,
            Err(problem) => {
                self.problems.push(format!("{name}: {problem}"));
                fallback
            }
        }
    }
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| "not a URL; write it like https://leads.example.com".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must begin with http:// or https:// and name a host".into());
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("must hold no user name, query or fragment".into());
    }
    Ok(url)
}

/// `90s`, `5m`, `1h`; from ten seconds to one day.
///
/// # Errors
/// A sentence that names the form.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let advice = "write a number with s, m or h, for example 5m (10s to 24h)";
    let unit = text.chars().last().ok_or(advice)?;
    let seconds_per = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(advice.into()),
    };
    let number: u64 = text
        .strip_suffix(unit)
        .and_then(|digits| digits.parse().ok())
        .ok_or(advice)?;
    let seconds = number.checked_mul(seconds_per).ok_or(advice)?;
    if !(10..=86_400).contains(&seconds) {
        return Err(advice.into());
    }
    Ok(Duration::from_secs(seconds))
}

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
        let default_sqlite = DatabaseUrl::Sqlite(PathBuf::from("data/leadgen.db"));
        let database_url =
            reader.parse("LEADGEN_DATABASE_URL", default_sqlite, |text| text.parse());
        let bind = reader.parse(
            "LEADGEN_BIND",
            SocketAddr::from(([127, 0, 0, 1], 8080)),
            |text| {
                text.parse().map_err(|_| {
                    "write an address and a port, for example 127.0.0.1:8080".to_owned()
                })
            },
        );
        let nowhere = || Url::parse("http://127.0.0.1:8080");
        let Ok(placeholder) = nowhere() else {
            return Err(SettingsError(vec!["the URL parser is broken".into()]));
        };
        let public_url = reader.parse("LEADGEN_PUBLIC_URL", placeholder.clone(), |text| {
            let url = http_url(text)?;
            if url.path() == "/" {
                Ok(url)
            } else {
                Err("must have no path: the portal lives at the root of its host".into())
            }
        });
        let trusted_proxies = reader.parse("LEADGEN_TRUSTED_PROXIES", Vec::new(), |text| {
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| {
                    part.parse().map_err(|_| {
                        format!("`{part}` is no IP address; separate several by commas")
                    })
                })
                .collect()
        });
        let api_requests_per_minute =
            reader.parse("LEADGEN_API_REQUESTS_PER_MINUTE", 600, |text| {
                text.parse()
                    .ok()
                    .filter(|number| (1..=1_000_000).contains(number))
                    .ok_or_else(|| "write a number from 1 to 1000000".to_owned())
            });
        let oauth_url = reader.parse("LEADGEN_LINKEDIN_OAUTH_URL", placeholder.clone(), http_url);
        let api_url = reader.parse("LEADGEN_LINKEDIN_API_URL", placeholder.clone(), http_url);
        let entra_url = reader.parse("LEADGEN_ENTRA_URL", placeholder, |text| {
            let url = http_url(text)?;
            if url.scheme() == "https" {
                Ok(url)
            } else {
                Err("must begin with https://, because secrets are sent there".to_owned())
            }
        });
        let version = reader.parse("LEADGEN_LINKEDIN_VERSION", String::new(), |text| {
            let month: Option<u32> = text.get(4..).and_then(|month| month.parse().ok());
            if text.len() == 6
                && text.bytes().all(|b| b.is_ascii_digit())
                && month.is_some_and(|month| (1..=12).contains(&month))
            {
                Ok(text.to_owned())
            } else {
                Err("write year and month as six digits, for example 202607".into())
            }
        });
        let scopes = reader
            .text("LEADGEN_LINKEDIN_SCOPES")
            .split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect();
        let webhook = webhook::read(&mut reader, &public_url);
        let sync_interval = reader.parse(
            "LEADGEN_SYNC_INTERVAL",
            Duration::from_secs(300),
            parse_interval,
        );
        let organization_interval = reader.parse(
            "LEADGEN_ORGANIZATION_INTERVAL",
            Duration::from_secs(300),
            parse_interval,
        );
        let secret_key = reader
            .optional("LEADGEN_SECRET_KEY")
            .map(SecretString::from);
        if secret_key.is_none() && matches!(database_url, DatabaseUrl::Postgres(_)) {
            reader.problems.push(
                "LEADGEN_SECRET_KEY: required with PostgreSQL, because all replicas must share it; make one with `openssl rand -base64 32`"
                    .into(),
            );
        }
        if let Some(key) = &secret_key
            && let Err(problem) = crate::auth::secret_key::check(key)
        {
            reader
                .problems
                .push(format!("LEADGEN_SECRET_KEY: {problem}"));
        }
        let secret_key_file = environment
            .get("LEADGEN_SECRET_KEY_FILE")
            .map(|path| path.trim())
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        let client_id = reader.optional("LEADGEN_LINKEDIN_CLIENT_ID");
        let client_secret = reader
            .optional("LEADGEN_LINKEDIN_CLIENT_SECRET")
            .map(SecretString::from);
        if client_id.is_some() != client_secret.is_some() {
            reader.problems.push(
                "LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET belong together: set both or none".into(),
            );
        }
        let mail = mail::read(&mut reader);
        let deployment = deployment::read(&mut reader);
        let destinations = destinations::read(&mut reader);
        let oidc = oidc::read(&mut reader);
        if !reader.problems.is_empty() {
            return Err(SettingsError(reader.problems));
        }
        Ok(Self {
            database_url,
            http: HttpSettings {
                bind,
                public_url,
                trusted_proxies,
                api_requests_per_minute,
            },
            secret_key,
            secret_key_file,
            linkedin: LinkedInSettings {
                client_id,
                client_secret,
                oauth_url,
                api_url,
                version,
                scopes,
                webhook,
            },
            entra_url,
            oidc,
            sync_interval,
            organization_interval,
            mail,
            deployment,
            destinations,
            shown: shown::shown(environment),
        })
    }
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
