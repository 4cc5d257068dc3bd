//! Rules about signing in through an identity provider: which roles its word gives, and whether passwords work.

use super::access::Role;
use super::ids::UserId;
use super::words::words;

words! {
    /// The claim of an ID token that a role is read from.
    pub enum RoleClaim {
        Roles = "roles" => "App role (claim roles)",
        Groups = "groups" => "Group (claim groups)",
    }
}

/// “Whoever has this value in this claim has this role.”
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// Where to look.
    pub claim: RoleClaim,
    /// The value, exactly as the provider writes it.
    pub value: String,
    /// The role that it gives.
    pub role: Role,
}

/// The longest value of a claim that a rule can name.
pub const MAX_VALUE: usize = 200;

/// Why a rule cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoleRuleError {
    /// There is no value.
    #[error("Enter the value that the provider writes into the claim.")]
    NoValue,
    /// The value has more than [`MAX_VALUE`] characters.
    #[error("A value may have at most {MAX_VALUE} characters.")]
    ValueTooLong,
    /// The role is not for people.
    #[error("S2S Inbound is no person: no value can give it.")]
    NotForPeople,
}

impl RoleRule {
    /// Checks the value and the role, and gives the rule with the value trimmed.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(claim: RoleClaim, value: &str, role: Role) -> Result<Self, RoleRuleError> {
        let value = value.trim();
        if value.is_empty() {
            Err(RoleRuleError::NoValue)
        } else if value.chars().count() > MAX_VALUE {
            Err(RoleRuleError::ValueTooLong)
        } else if !role.is_for_people() {
            Err(RoleRuleError::NotForPeople)
        } else {
            Ok(Self {
                claim,
                value: value.to_owned(),
                role,
            })
        }
    }
}

/// The roles that the rules give somebody with these claims; sorted, each once.
#[must_use]
pub fn roles_by_rules(rules: &[RoleRule], roles: &[String], groups: &[String]) -> Vec<Role> {
    let mut given: Vec<Role> = rules
        .iter()
        .filter(|rule| {
            let values = match rule.claim {
                RoleClaim::Roles => roles,
                RoleClaim::Groups => groups,
            };
            values.contains(&rule.value)
        })
        .map(|rule| rule.role)
        .collect();
    given.sort_unstable();
    given.dedup();
    given
}

/// What a sign-in makes of somebody's roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedRoles {
    /// The roles from now on; sorted.
    pub roles: Vec<Role>,
    /// Those of them that the provider gave and nobody else; sorted.
    pub given: Vec<Role>,
}

/// Computes the roles anew at a sign-in. What the provider gave last time and gives no more is taken away; what people gave
/// stays, unless roles come only from the provider.
#[must_use]
pub fn renewed_roles(
    current: &[Role],
    given_before: &[Role],
    by_rules: &[Role],
    comes_only_from_provider: bool,
) -> RenewedRoles {
    let by_hand: Vec<Role> = current
        .iter()
        .copied()
        .filter(|role| !comes_only_from_provider && !given_before.contains(role))
        .collect();
    let given: Vec<Role> = by_rules
        .iter()
        .copied()
        .filter(|role| !by_hand.contains(role))
        .collect();
    let mut roles: Vec<Role> = by_hand.iter().chain(&given).copied().collect();
    roles.sort_unstable();
    RenewedRoles { roles, given }
}

/// What an Administrator decided about signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRules {
    /// Whether everybody may sign in with a password.
    pub has_local_passwords: bool,
    /// Who may always sign in with a password.
    pub break_glass: Option<UserId>,
    /// Whether a sign-in takes away the roles that people gave.
    pub roles_come_only_from_provider: bool,
    /// Whether a sign-in at the provider counts as one with a second factor, so that none is asked for here.
    pub provider_checks_second_factor: bool,
}

/// The person who may always sign in with a password, as the rules see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// Who it is.
    pub id: UserId,
    /// Whether the person may sign in at all.
    pub is_enabled: bool,
    /// The person's roles.
    pub roles: Vec<Role>,
    /// Whether the person has a password.
    pub has_password: bool,
}

impl BreakGlass {
    /// Whether the person can open the portal when the provider cannot be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_enabled && self.has_password && self.roles.contains(&Role::Administrator)
    }
}

/// Who may sign in with a password at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSignIn {
    /// Everybody who has one.
    Everybody,
    /// Everybody who has one, although passwords are switched off: nobody could get in otherwise.
    EverybodyAgain(WhyAgain),
    /// Only this Administrator.
    Only(UserId),
}

/// Why passwords work although they are switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyAgain {
    /// No provider is configured any more.
    NoProvider,
    /// Nobody could sign in when the provider is away.
    NoBreakGlass,
}

impl WhyAgain {
    /// For people.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::NoProvider => {
                "Passwords are switched off, but no identity provider is configured any more. So that nobody is locked out, everybody with a password can sign in with it again."
            }
            Self::NoBreakGlass => {
                "Passwords are switched off, but the break-glass Administrator is gone, disabled, no Administrator any more or without a password. So that nobody is locked out, everybody with a password can sign in with it again."
            }
        }
    }
}

impl PasswordSignIn {
    /// Decides it from the rules, from whether there is a provider, and from the break-glass Administrator as they are now.
    #[must_use]
    pub fn of(rules: &SignInRules, has_provider: bool, break_glass: Option<&BreakGlass>) -> Self {
        if rules.has_local_passwords {
            Self::Everybody
        } else if !has_provider {
            Self::EverybodyAgain(WhyAgain::NoProvider)
        } else {
            match break_glass {
                Some(person) if person.is_usable() => Self::Only(person.id.clone()),
                _ => Self::EverybodyAgain(WhyAgain::NoBreakGlass),
            }
        }
    }

    /// Whether this person may sign in with a password.
    #[must_use]
    pub fn allows(&self, user: &UserId) -> bool {
        match self {
            Self::Everybody | Self::EverybodyAgain(_) => true,
            Self::Only(id) => id == user,
        }
    }

    /// Whether passwords are for one person only.
    #[must_use]
    pub const fn is_break_glass(&self) -> bool {
        matches!(self, Self::Only(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Administrator as A, SalesManager as M, Salesperson as S};

    #[test]
    fn a_rule_gives_its_role_for_the_exact_value_in_its_claim() {
        let rules = [
            RoleRule::new(RoleClaim::Roles, " Leadgen.Admin ", A).unwrap(),
            RoleRule::new(RoleClaim::Groups, "sales", S).unwrap(),
            RoleRule::new(RoleClaim::Groups, "managers", S).unwrap(),
            RoleRule::new(RoleClaim::Groups, "managers", M).unwrap(),
        ];
        let texts = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        for (roles, groups, given) in [
            (&["Leadgen.Admin"][..], &[][..], vec![A]),
            (&["leadgen.admin"], &["Leadgen.Admin"], vec![]),
            (&["sales"], &["sales", "managers"], vec![S, M]),
            (&[], &[], vec![]),
        ] {
            let found = roles_by_rules(&rules, &texts(roles), &texts(groups));
            assert_eq!(found, given, "{roles:?} {groups:?}");
        }
        assert_eq!(
            RoleRule::new(RoleClaim::Roles, "  ", A),
            Err(RoleRuleError::NoValue)
        );
        assert_eq!(
            RoleRule::new(RoleClaim::Roles, "x", Role::S2sInbound),
            Err(RoleRuleError::NotForPeople)
        );
        assert_eq!(
            RoleRule::new(RoleClaim::Roles, &"x".repeat(MAX_VALUE + 1), A),
            Err(RoleRuleError::ValueTooLong)
        );
    }

    #[test]
    fn roles_of_people_stay_and_roles_of_the_provider_come_and_go() {
        // Now, given before, by the rules, only from the provider → roles, given.
        for (current, before, rules, only, roles, given) in [
            (vec![], vec![], vec![S], false, vec![S], vec![S]),
            (vec![S], vec![S], vec![], false, vec![], vec![]),
            (vec![S], vec![], vec![], false, vec![S], vec![]),
            (vec![S], vec![], vec![S], false, vec![S], vec![]),
            (vec![A, S], vec![S], vec![M], false, vec![A, M], vec![M]),
            (vec![A, S], vec![S], vec![M], true, vec![M], vec![M]),
            (vec![A], vec![], vec![], true, vec![], vec![]),
        ] {
            let renewed = renewed_roles(&current, &before, &rules, only);
            assert_eq!(
                (renewed.roles, renewed.given),
                (roles, given),
                "{current:?} {before:?} {rules:?} {only}"
            );
        }
    }

    #[test]
    fn nobody_is_locked_out() {
        let id = UserId::new(uuid::Uuid::from_u128(1));
        let other = UserId::new(uuid::Uuid::from_u128(2));
        let person = |is_enabled, has_password, roles: &[Role]| BreakGlass {
            id: id.clone(),
            is_enabled,
            roles: roles.to_vec(),
            has_password,
        };
        let rules = |has_local_passwords| SignInRules {
            has_local_passwords,
            break_glass: Some(id.clone()),
            roles_come_only_from_provider: false,
            provider_checks_second_factor: true,
        };
        let good = person(true, true, &[A]);
        let only = PasswordSignIn::of(&rules(false), true, Some(&good));
        assert!(only.allows(&id) && !only.allows(&other));
        for (rules, has_provider, break_glass) in [
            (rules(true), true, Some(good.clone())),
            (rules(false), false, Some(good)),
            (rules(false), true, None),
            (rules(false), true, Some(person(false, true, &[A]))),
            (rules(false), true, Some(person(true, false, &[A]))),
            (rules(false), true, Some(person(true, true, &[S]))),
        ] {
            let found = PasswordSignIn::of(&rules, has_provider, break_glass.as_ref());
            assert!(found.allows(&other), "{found:?}");
        }
    }
}
