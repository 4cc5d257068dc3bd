//! The configuration as the System page shows it: each value with where it comes from, and never a secret.

use std::collections::BTreeMap;

use url::Url;

use super::reader::{FILE_VARIABLES, VARIABLES};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingSource {
    /// An environment variable.
    Environment,
    /// A file that an environment variable names.
    File,
    /// Nobody set it.
    Default,
}

impl SettingSource {
    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::File => "File",
            Self::Default => "Default",
        }
    }
}

/// One value of the configuration, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// The variable.
    pub name: &'static str,
    /// The value; of secrets only whether they are set.
    pub value: String,
    /// Where it comes from.
    pub source: SettingSource,
}

/// Every variable with its value and source, in the order of the README's table.
pub(super) fn shown(environment: &BTreeMap<String, String>) -> Vec<ShownSetting> {
    let get = |name: &str| {
        environment
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    };
    VARIABLES
        .iter()
        .map(|(name, default)| {
            let direct = get(name);
            let file = get(&format!("{name}_FILE")).filter(|_| FILE_VARIABLES.contains(name));
            let source = match (direct, file) {
                (_, Some(_)) => SettingSource::File,
                (Some(_), None) => SettingSource::Environment,
                (None, None) => SettingSource::Default,
            };
            let is_set = source != SettingSource::Default;
            let value = match *name {
                "LEADGEN_SECRET_KEY" if !is_set => "made beside the SQLite file".to_owned(),
                // Whatever is read from files is a secret.
                secret if FILE_VARIABLES.contains(&secret) => {
                    if is_set { "set" } else { "not set" }.to_owned()
                }
                "LEADGEN_LINKEDIN_CLIENT_ID" | "LEADGEN_OIDC_CLIENT_ID" => match direct {
                    Some(id) => last_four(id),
                    None => "not set".to_owned(),
                },
                "LEADGEN_DATABASE_URL" => without_password(direct.unwrap_or(default)),
                _ => match direct.unwrap_or(default) {
                    "" => "none".to_owned(),
                    text => text.to_owned(),
                },
            };
            ShownSetting {
                name,
                value,
                source,
            }
        })
        .collect()
}

/// Enough to recognise an identifier, not enough to use it.
fn last_four(id: &str) -> String {
    let count = id.chars().count();
    if count < 8 {
        return "set".to_owned();
    }
    let end: String = id.chars().skip(count - 4).collect();
    format!("set, ends with {end}")
}

/// A database URL without password, in the user part or as a parameter.
fn without_password(text: &str) -> String {
    if text.starts_with("sqlite://") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return "set".to_owned();
    };
    // Parameters may hold a password or the name of a key file: none is worth the risk.
    url.set_query(None);
    if url.password().is_some() && url.set_password(Some("hidden")).is_err() {
        return "set".to_owned();
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_where_they_come_from_and_secrets_only_whether_they_are_set() {
        let environment = [
            ("LEADGEN_SECRET_KEY_FILE", "/run/secrets/key"),
            ("LEADGEN_LINKEDIN_CLIENT_ID", "86abcdefgh1234"),
            ("LEADGEN_LINKEDIN_CLIENT_SECRET", "very-secret"),
            (
                "LEADGEN_DATABASE_URL",
                "postgres://leadgen:hunter2@db/leads?password=hunter3",
            ),
            ("LEADGEN_BIND", " "),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let rows = shown(&environment);
        let row = |name: &str| {
            let row = rows.iter().find(|row| row.name == name).unwrap();
            (row.value.as_str(), row.source)
        };
        use SettingSource as S;
        for (name, value, source) in [
            ("LEADGEN_SECRET_KEY", "set", S::File),
            (
                "LEADGEN_LINKEDIN_CLIENT_ID",
                "set, ends with 1234",
                S::Environment,
            ),
            ("LEADGEN_LINKEDIN_CLIENT_SECRET", "set", S::Environment),
            (
                "LEADGEN_DATABASE_URL",
                "postgres://leadgen:hidden@db/leads",
                S::Environment,
            ),
            ("LEADGEN_BIND", "127.0.0.1:8080", S::Default),
            ("LEADGEN_TRUSTED_PROXIES", "none", S::Default),
        ] {
            assert_eq!(row(name), (value, source), "{name}");
        }
        let text = format!("{rows:?}");
        for secret in ["very-secret", "hunter2", "hunter3", "86ab", "/run/secrets"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(rows.len(), VARIABLES.len());
    }
}
