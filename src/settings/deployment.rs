//! What whoever runs the portal decides about LinkedIn: variables, and a policy file that nobody else may change.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::reader::Reader;
use crate::domain::connections::{Cloud, Deployment, DeploymentPolicy};
use crate::domain::normalise;

/// The key of the policy file; the variable of the same meaning is `LEADGEN_POLICY_SHOW_LINKEDIN`.
const KEY: &str = "show_linkedin";

/// Reads the variables and the file; problems are noted at the reader.
pub(super) fn read(reader: &mut Reader<'_>) -> Deployment {
    let said = reader.parse(
        "LEADGEN_POLICY_SHOW_LINKEDIN",
        DeploymentPolicy::Unset,
        policy,
    );
    let in_file = reader.parse("LEADGEN_POLICY_FILE", DeploymentPolicy::Unset, |path| {
        if path.is_empty() {
            Ok(DeploymentPolicy::Unset)
        } else {
            file(Path::new(path))
        }
    });
    let cloud = reader.parse("LEADGEN_ORGANIZATION_CLOUD", Cloud::Public, |text| {
        text.parse()
            .map_err(|_| "write public, us_government, germany or china_21vianet".to_owned())
    });
    let country = reader.parse("LEADGEN_ORGANIZATION_COUNTRY", None, |text| {
        if text.is_empty() {
            Ok(None)
        } else if normalise::is_country(text) {
            Ok(Some(text.to_ascii_uppercase()))
        } else {
            Err("write the two letters of a country, for example DE or US".to_owned())
        }
    });
    Deployment {
        policy: stricter(said, in_file),
        cloud,
        country,
    }
}

/// Of two decisions the one that allows less; Disabled in either place is Disabled.
fn stricter(one: DeploymentPolicy, other: DeploymentPolicy) -> DeploymentPolicy {
    use DeploymentPolicy::{Disabled, Enabled, Unset};
    match (one, other) {
        (Disabled, _) | (_, Disabled) => Disabled,
        (Enabled, _) | (_, Enabled) => Enabled,
        (Unset, Unset) => Unset,
    }
}

fn policy(text: &str) -> Result<DeploymentPolicy, String> {
    if text.is_empty() {
        return Ok(DeploymentPolicy::Unset);
    }
    text.parse()
        .map_err(|_| "write enabled, disabled or unset".to_owned())
}

/// The policy of a file: lines `key = value`, `#` begins a comment.
fn file(path: &Path) -> Result<DeploymentPolicy, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read ({})", error.kind());
    let mode = std::fs::metadata(path)
        .map_err(unreadable)?
        .permissions()
        .mode();
    if mode & 0o022 != 0 {
        return Err(
            "others than the file’s owner may change it, so it decides nothing: take the right away with chmod go-w".to_owned(),
        );
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mut found = None;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match line
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            Some((KEY, value)) if found.is_none() => {
                found = Some(policy(value).map_err(|advice| format!("{KEY}: {advice}"))?);
            }
            Some((KEY, _)) => return Err(format!("{KEY} stands in the file twice")),
            _ => return Err(format!("the file holds a line that is not “{KEY} = …”")),
        }
    }
    Ok(found.unwrap_or(DeploymentPolicy::Unset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeploymentPolicy::{Disabled, Enabled, Unset};

    #[test]
    fn disabled_in_either_place_is_disabled() {
        for (one, other, expected) in [
            (Unset, Unset, Unset),
            (Enabled, Unset, Enabled),
            (Unset, Enabled, Enabled),
            (Enabled, Disabled, Disabled),
            (Disabled, Enabled, Disabled),
        ] {
            assert_eq!(stricter(one, other), expected);
        }
    }

    #[test]
    fn a_policy_file_counts_only_when_nobody_else_can_change_it() {
        let folder = std::env::temp_dir().join(format!("leadgen-policy-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("policy");
        for (text, mode, expected) in [
            (
                "# ours\nshow_linkedin = disabled # for now\n",
                0o644,
                Ok(Disabled),
            ),
            ("show_linkedin=enabled", 0o600, Ok(Enabled)),
            ("", 0o600, Ok(Unset)),
            ("show_linkedin = disabled", 0o664, Err("chmod go-w")),
            ("show_linkedin = disabled", 0o646, Err("chmod go-w")),
            ("show_linkedin = maybe", 0o600, Err("write enabled")),
            ("show_linked = disabled", 0o600, Err("a line that is not")),
            (
                "show_linkedin = enabled\nshow_linkedin = disabled",
                0o600,
                Err("twice"),
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match (file(&path), expected) {
                (Ok(policy), Ok(expected)) => assert_eq!(policy, expected, "{text}"),
                (Err(problem), Err(words)) => assert!(problem.contains(words), "{problem}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert!(file(&folder.join("none")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
