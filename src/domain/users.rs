//! Rules about users: which roles go together, and that the last Administrator is safe.

use super::access::Role;
use super::email_address;
use super::ids::UserId;
use super::normalise;

/// A user as the rules see one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRoles {
    /// Who it is.
    pub id: UserId,
    /// Whether the person may sign in.
    pub is_enabled: bool,
    /// The roles that the person holds.
    pub roles: Vec<Role>,
}

impl UserRoles {
    fn is_working_administrator(&self) -> bool {
        self.is_enabled && self.roles.contains(&Role::Administrator)
    }
}

/// A rule that a change of a user would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserRuleError {
    /// Nobody would be left to administer the portal.
    #[error("This is the last enabled Administrator. Make somebody else an Administrator first.")]
    LastAdministrator,
    /// The role S2S Inbound was given to a person.
    #[error("S2S Inbound is no person: it cannot sign in and no user can hold it.")]
    NotForPeople,
    /// Not an e-mail address.
    #[error("Enter an e-mail address such as ada@example.com.")]
    InvalidEmail,
    /// The name is blank.
    #[error("Enter a name.")]
    NoName,
    /// The name has more than [`MAX_NAME`] characters.
    #[error("A name may have at most {MAX_NAME} characters.")]
    NameTooLong,
}

/// The most characters of a user's name.
pub const MAX_NAME: usize = 100;

/// Whether `user` may lose the Administrator role, be disabled or be deleted: another enabled Administrator is left, or
/// the user is none. Ask inside the transaction that makes the change, because two people may act at once.
#[must_use]
pub fn can_remove_administrator(user: &UserId, all: &[UserRoles]) -> bool {
    let is_one = all
        .iter()
        .any(|other| other.id == *user && other.is_working_administrator());
    let others = all
        .iter()
        .any(|other| other.id != *user && other.is_working_administrator());
    !is_one || others
}

/// Checks the new state of a user against everybody's present state.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_change(
    user: &UserId,
    roles: &[Role],
    is_enabled: bool,
    all: &[UserRoles],
) -> Result<(), UserRuleError> {
    check_roles(roles)?;
    let stays_administrator = is_enabled && roles.contains(&Role::Administrator);
    if !stays_administrator && !can_remove_administrator(user, all) {
        return Err(UserRuleError::LastAdministrator);
    }
    Ok(())
}

/// Checks the roles of a person; none at all is allowed.
///
/// # Errors
/// S2S Inbound is no role for people.
pub fn check_roles(roles: &[Role]) -> Result<(), UserRuleError> {
    if roles.iter().all(|role| role.is_for_people()) {
        Ok(())
    } else {
        Err(UserRuleError::NotForPeople)
    }
}

/// Checks an e-mail address and gives the form in which it is unique: trimmed, composed, lower-cased.
///
/// # Errors
/// When it is no e-mail address.
pub fn check_email(address: &str) -> Result<String, UserRuleError> {
    normalise::email(address)
        .filter(|address| email_address::is_valid(address))
        .ok_or(UserRuleError::InvalidEmail)
}

/// Checks a person's name and gives it trimmed.
///
/// # Errors
/// When it is blank or too long.
pub fn check_name(name: &str) -> Result<String, UserRuleError> {
    let name = name.trim();
    if name.is_empty() {
        Err(UserRuleError::NoName)
    } else if name.chars().count() > MAX_NAME {
        Err(UserRuleError::NameTooLong)
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> UserId {
        UserId::new(uuid::Uuid::from_u128(u128::from(n)))
    }

    fn user(n: u8, is_enabled: bool, roles: &[Role]) -> UserRoles {
        UserRoles {
            id: id(n),
            is_enabled,
            roles: roles.to_vec(),
        }
    }

    #[test]
    fn the_last_enabled_administrator_is_safe() {
        use Role::{Administrator as A, Salesperson as S};
        for (all, removable, why) in [
            (vec![user(1, true, &[A])], false, "the only one"),
            (
                vec![user(1, true, &[A]), user(2, true, &[S])],
                false,
                "the other is a Salesperson",
            ),
            (
                vec![user(1, true, &[A]), user(2, false, &[A])],
                false,
                "the other is disabled",
            ),
            (
                vec![user(1, true, &[A]), user(2, true, &[S, A])],
                true,
                "another one is left",
            ),
            (
                vec![user(1, true, &[S]), user(2, true, &[A])],
                true,
                "is none",
            ),
            (
                vec![user(1, false, &[A]), user(2, true, &[S])],
                true,
                "is disabled already",
            ),
            (vec![], true, "is unknown"),
        ] {
            assert_eq!(can_remove_administrator(&id(1), &all), removable, "{why}");
        }
    }

    #[test]
    fn a_change_that_keeps_the_last_administrator_passes() {
        let all = [user(1, true, &[Role::Administrator]), user(2, true, &[])];
        assert_eq!(
            check_change(
                &id(1),
                &[Role::Administrator, Role::Salesperson],
                true,
                &all
            ),
            Ok(())
        );
        assert_eq!(
            check_change(&id(1), &[Role::Salesperson], true, &all),
            Err(UserRuleError::LastAdministrator)
        );
        assert_eq!(
            check_change(&id(1), &[Role::Administrator], false, &all),
            Err(UserRuleError::LastAdministrator)
        );
        assert_eq!(
            check_change(&id(2), &[Role::S2sInbound], true, &all),
            Err(UserRuleError::NotForPeople)
        );
        assert_eq!(check_change(&id(2), &[], false, &all), Ok(()));
    }

    #[test]
    fn names_and_addresses_are_checked_and_cleaned() {
        assert_eq!(
            check_email(" Ada@Example.COM "),
            Ok("ada@example.com".to_owned())
        );
        assert_eq!(check_email("ada"), Err(UserRuleError::InvalidEmail));
        assert_eq!(check_email(" "), Err(UserRuleError::InvalidEmail));
        assert_eq!(check_name(" Ada "), Ok("Ada".to_owned()));
        assert_eq!(check_name(" \t"), Err(UserRuleError::NoName));
        assert_eq!(
            check_name(&"x".repeat(101)),
            Err(UserRuleError::NameTooLong)
        );
        assert_eq!(check_name(&"é".repeat(100)), Ok("é".repeat(100)));
    }
}
