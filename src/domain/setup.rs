//! The setup checklist: what an installation needs before leads arrive by themselves, and what of it is there.

/// What is known about an installation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetupFacts {
    /// Client id and secret of the LinkedIn developer app are set.
    pub has_credentials: bool,
    /// LinkedIn refused them the last time somebody asked.
    pub is_app_refused: bool,
    /// Enabled people with the role Salesperson.
    pub salespeople: i64,
    /// Field mappings.
    pub mappings: i64,
    /// The active matching strategy compares fields, and each of them has a mapping.
    pub is_strategy_usable: bool,
    /// An Administrator lets everybody or a group connect LinkedIn.
    pub may_connect: bool,
    /// The deployment decides about it, above what an Administrator can.
    pub does_deployment_decide: bool,
    /// LinkedIn once sent somebody back here and the organization was confirmed.
    pub was_ever_authorized: bool,
    /// Profiles that are authorised now.
    pub authorized_profiles: i64,
    /// An account was read to its end.
    pub was_synchronized: bool,
}

/// One line of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupStep {
    /// Client id and secret of the LinkedIn developer app.
    Credentials,
    /// The address to which LinkedIn sends people back.
    RedirectUri,
    /// Somebody who connects profiles and works on leads.
    People,
    /// Which answer goes to which lead field.
    Mapping,
    /// How leads are recognised.
    Strategy,
    /// Who may connect LinkedIn.
    AccountConnections,
    /// The first profile.
    Profile,
    /// The first synchronization.
    Synchronization,
}

impl SetupStep {
    /// In the order in which they are done.
    pub const ALL: [Self; 8] = [
        Self::Credentials,
        Self::RedirectUri,
        Self::People,
        Self::Mapping,
        Self::Strategy,
        Self::AccountConnections,
        Self::Profile,
        Self::Synchronization,
    ];

    /// Whether nothing is left to do about it.
    #[must_use]
    pub const fn is_done(self, facts: &SetupFacts) -> bool {
        match self {
            Self::Credentials => facts.has_credentials && !facts.is_app_refused,
            // Only LinkedIn knows which addresses are registered: somebody who came back proves it.
            Self::RedirectUri => facts.was_ever_authorized,
            Self::People => facts.salespeople > 0,
            Self::Mapping => facts.mappings > 0,
            Self::Strategy => facts.is_strategy_usable,
            Self::AccountConnections => facts.may_connect || facts.does_deployment_decide,
            Self::Profile => facts.authorized_profiles > 0,
            Self::Synchronization => facts.was_synchronized,
        }
    }
}

impl SetupFacts {
    /// Whether the whole checklist is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        SetupStep::ALL.iter().all(|step| step.is_done(self))
    }

    /// The first step that is left.
    #[must_use]
    pub fn next(&self) -> Option<SetupStep> {
        SetupStep::ALL.into_iter().find(|step| !step.is_done(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_waits_for_its_own_fact() {
        let done = SetupFacts {
            has_credentials: true,
            is_app_refused: false,
            salespeople: 1,
            mappings: 1,
            is_strategy_usable: true,
            may_connect: true,
            does_deployment_decide: false,
            was_ever_authorized: true,
            authorized_profiles: 1,
            was_synchronized: true,
        };
        assert!(done.is_done());
        assert_eq!(SetupFacts::default().next(), Some(SetupStep::Credentials));
        let without = |change: fn(&mut SetupFacts)| {
            let mut facts = done;
            change(&mut facts);
            facts.next()
        };
        for (step, change) in [
            (
                SetupStep::Credentials,
                (|facts| facts.has_credentials = false) as fn(&mut SetupFacts),
            ),
            (SetupStep::Credentials, |facts| facts.is_app_refused = true),
            (SetupStep::RedirectUri, |facts| {
                facts.was_ever_authorized = false;
            }),
            (SetupStep::People, |facts| facts.salespeople = 0),
            (SetupStep::Mapping, |facts| facts.mappings = 0),
            (SetupStep::Strategy, |facts| {
                facts.is_strategy_usable = false;
            }),
            (SetupStep::AccountConnections, |facts| {
                facts.may_connect = false;
            }),
            (SetupStep::Profile, |facts| facts.authorized_profiles = 0),
            (SetupStep::Synchronization, |facts| {
                facts.was_synchronized = false;
            }),
        ] {
            assert_eq!(without(change), Some(step));
        }
        let decided = without(|facts| {
            facts.may_connect = false;
            facts.does_deployment_decide = true;
        });
        assert_eq!(decided, None);
    }
}
