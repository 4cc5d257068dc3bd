//! Rules about groups of users: their names.

use super::normalise;

/// The most characters of a group's name.
pub const MAX_NAME: usize = 100;

/// A rule that a group's name would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupNameError {
    /// The name is blank.
    #[error("Enter a name for the group.")]
    Missing,
    /// It has more than [`MAX_NAME`] characters.
    #[error("The name of a group may have at most {MAX_NAME} characters.")]
    TooLong,
    /// It would not stand on one line.
    #[error("The name of a group stands on one line, without control characters.")]
    Control,
}

/// The name of a group, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName {
    name: String,
    key: String,
}

impl GroupName {
    /// Checks a name and trims it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(text: &str) -> Result<Self, GroupNameError> {
        let name = text.trim();
        let key = normalise::text(name).ok_or(GroupNameError::Missing)?;
        if name.chars().count() > MAX_NAME {
            return Err(GroupNameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(GroupNameError::Control);
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// The name as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The form in which it is unique: without regard to case and white space.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_unique_without_regard_to_case_and_white_space() {
        let name = GroupName::check("  LinkedIn   Users ").unwrap();
        assert_eq!(
            (name.as_str(), name.key()),
            ("LinkedIn   Users", "linkedin users")
        );
        assert_eq!(
            GroupName::check("ÄRZTE").unwrap().key(),
            GroupName::check("ärzte").unwrap().key()
        );
    }

    #[test]
    fn blank_long_and_broken_names_are_refused() {
        for blank in ["", " \t ", "\u{a0}"] {
            assert_eq!(GroupName::check(blank), Err(GroupNameError::Missing));
        }
        assert_eq!(
            GroupName::check(&"x".repeat(101)),
            Err(GroupNameError::TooLong)
        );
        assert!(GroupName::check(&"é".repeat(100)).is_ok());
        assert_eq!(GroupName::check("a\nb"), Err(GroupNameError::Control));
    }
}
