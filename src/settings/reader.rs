//! The variables with their defaults, and reading one of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use url::Url;

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
pub(super) const FILE_VARIABLES: &[&str] = &[
    "LEADGEN_SECRET_KEY",
    "LEADGEN_LINKEDIN_CLIENT_SECRET",
    "LEADGEN_OIDC_CLIENT_SECRET",
    "LEADGEN_SMTP_URL",
];

/// Reads variables and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) environment: &'a BTreeMap<String, String>,
    /// One sentence each, naming the variable and the fix.
    pub(super) problems: Vec<String>,
}

impl Reader<'_> {
    /// The value or its default.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            VARIABLES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, default)| (*default).to_owned())
                .unwrap_or_default()
        })
    }

    /// The value or what the file holds that `<NAME>_FILE` names.
    pub(super) fn optional(&mut self, name: &str) -> Option<String> {
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

    /// The value as `parse` reads it; `fallback` where it cannot be read, which is a problem.
    pub(super) fn parse<T>(
        &mut self,
        name: &str,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.parsed(name, parse).unwrap_or(fallback)
    }

    /// The value as `parse` reads it; `None` where it cannot be read, which is a problem.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(format!("{name}: {problem}"));
                None
            }
        }
    }
}

/// An address without anything that a base address cannot have.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
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
