//! LinkedIn account connections: whether the organisation lets a person use LinkedIn at all, and whether the person wants
//! it, too. The setting only allows; nothing is read before the person consented (product.md §6).

use super::access::{Permission, Role, allows};
use super::words::words;

words! {
    /// What an Administrator decides for the whole organisation.
    pub enum Setting {
        /// Everybody may consent.
        Yes = "yes" => "Yes",
        /// The members of one group may.
        SelectedGroup = "selected_group" => "Selected group",
        /// Nobody may, and consent that was given is withdrawn.
        No = "no" => "No",
    }
}

impl Setting {
    /// What choosing it means, in one sentence.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Yes => {
                "Everybody whose role allows it may connect LinkedIn, once they have consented themselves."
            }
            Self::SelectedGroup => {
                "Only the members of one group may connect LinkedIn, once they have consented themselves. Everybody else’s consent is withdrawn."
            }
            Self::No => {
                "Nobody may connect LinkedIn. The consent of all users is withdrawn at once."
            }
        }
    }
}

words! {
    /// What whoever runs the portal decides, above everything that the portal's pages can say.
    pub enum DeploymentPolicy {
        /// LinkedIn features are shown.
        Enabled = "enabled" => "Enabled",
        /// LinkedIn features are hidden and cannot be used.
        Disabled = "disabled" => "Disabled",
        /// Nothing was decided: LinkedIn features are shown.
        Unset = "unset" => "Not configured",
    }
}

words! {
    /// The cloud in which the organisation lives.
    pub enum Cloud {
        Public = "public" => "public cloud",
        UsGovernment = "us_government" => "cloud for US Government",
        Germany = "germany" => "cloud for Germany",
        China21Vianet = "china_21vianet" => "cloud operated by 21Vianet in China",
    }
}

impl Cloud {
    /// Whether LinkedIn account connections exist there at all.
    #[must_use]
    pub const fn has_connections(self) -> bool {
        matches!(self, Self::Public)
    }
}

/// What whoever runs the portal said about it: above the setting, and out of the reach of every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Whether LinkedIn features are shown.
    pub policy: DeploymentPolicy,
    /// The organisation's cloud.
    pub cloud: Cloud,
    /// The organisation's country: two letters, where it was said.
    pub country: Option<String>,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            policy: DeploymentPolicy::Unset,
            cloud: Cloud::Public,
            country: None,
        }
    }
}

impl Deployment {
    /// The setting of a first start. Where a country was said, it is the one that the organisation's country begins with:
    /// off in Germany and France, and wherever the cloud has no connections; where none was said, nobody is let in unasked.
    #[must_use]
    pub fn initial_setting(&self) -> Setting {
        match self.country.as_deref() {
            None | Some("DE" | "FR") => Setting::No,
            Some(_) if self.cloud.has_connections() => Setting::Yes,
            Some(_) => Setting::No,
        }
    }

    /// Whether LinkedIn features are not even shown.
    #[must_use]
    pub fn hides_linkedin(&self) -> bool {
        self.policy == DeploymentPolicy::Disabled
    }

    /// Why nobody may use LinkedIn here, whatever the setting says.
    ///
    /// # Errors
    /// `HiddenByDeployment` or `NotInThisCloud`.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.policy == DeploymentPolicy::Disabled {
            Err(Refusal::HiddenByDeployment)
        } else if self.cloud.has_connections() {
            Ok(())
        } else {
            Err(Refusal::NotInThisCloud(self.cloud))
        }
    }
}

/// The version of the text to which somebody consents. A changed text is a new version and asks again.
pub const CONSENT_VERSION: i64 = 1;

/// One part of the text to which somebody consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentPart {
    /// What it is about.
    pub title: &'static str,
    /// Its sentences.
    pub sentences: &'static [&'static str],
}

/// The text of [`CONSENT_VERSION`]. Whoever changes a word of it raises the version.
pub const CONSENT_TEXT: &[ConsentPart] = &[
    ConsentPart {
        title: "What is read from LinkedIn",
        sentences: &[
            "The ad accounts and company pages on which you have a role, with their names and your role there.",
            "Their campaigns and Lead Gen forms with all questions.",
            "The submissions of these forms: what people answered, when, and to what they agreed.",
            "Your name and LinkedIn’s identifier for you, where LinkedIn tells them.",
        ],
    },
    ConsentPart {
        title: "What is stored here",
        sentences: &[
            "What was read, and the leads that are made or updated with it. They belong to the organisation.",
            "The access that LinkedIn grants, encrypted.",
            "That you consented: when, to which version of this text, and when you withdrew it.",
        ],
    },
    ConsentPart {
        title: "For how long",
        sentences: &[
            "The access: until you or the organisation withdraw it, or until it ends at LinkedIn. Then it is erased here.",
            "Submissions and leads: until somebody of the organisation deletes them. They stay when you withdraw your consent.",
        ],
    },
    ConsentPart {
        title: "What is not touched",
        sentences: &[
            "Your contacts, messages, posts and connections at LinkedIn are not read.",
            "Nothing is written, posted or changed at LinkedIn in your name.",
        ],
    },
];

words! {
    /// What a line of the consent ledger says.
    pub enum ConsentAct {
        Given = "given" => "Given",
        Withdrawn = "withdrawn" => "Withdrawn",
    }
}

words! {
    /// Why consent was given or withdrawn.
    pub enum ConsentReason {
        /// The person decided.
        Person = "person" => "The person decided so",
        /// The setting became No.
        SettingNo = "setting_no" => "LinkedIn account connections were set to No",
        /// The setting became a group of which the person is no member.
        OutsideGroup = "outside_group" => "Not a member of the selected group",
        /// The user was disabled.
        Disabled = "disabled" => "The user was disabled",
        /// The user lost the role.
        RoleLost = "role_lost" => "The user lost the role for it",
        /// Connected before consent was kept here: what the confirmation page said counts as version 0.
        Upgrade = "upgrade" => "Connected before consent texts had versions",
    }
}

/// A person as the decision sees one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Whether the person may sign in.
    pub is_enabled: bool,
    /// The person's roles.
    pub roles: Vec<Role>,
    /// Whether the person is a member of the selected group; `false` where none is selected.
    pub is_member: bool,
    /// The version of the text to which the person consented, while that holds.
    pub consented_to: Option<i64>,
}

/// Why somebody may not use LinkedIn: each says why, and whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("LinkedIn may not be used: {}", self.why())]
pub enum Refusal {
    /// The deployment's policy.
    HiddenByDeployment,
    /// The organisation's cloud.
    NotInThisCloud(Cloud),
    /// The setting is No.
    SettingNo,
    /// The setting names a group, and the person is no member.
    OutsideGroup,
    /// The user is disabled.
    Disabled,
    /// No role of the person allows it.
    RoleMissing,
    /// The person has not consented, or has withdrawn it.
    NoConsent,
    /// The text has changed since the person consented.
    OlderConsent,
}

impl Refusal {
    /// What happened, for a heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::HiddenByDeployment => "LinkedIn features are switched off for this portal",
            Self::NotInThisCloud(_) => "LinkedIn account connections are not available here",
            Self::SettingNo => "The organisation does not allow LinkedIn account connections",
            Self::OutsideGroup => "You are not in the group that may connect LinkedIn",
            Self::Disabled => "This user is disabled",
            Self::RoleMissing => "Your role does not allow connecting LinkedIn",
            Self::NoConsent => "Your consent is missing",
            Self::OlderConsent => "The text of the consent has changed",
        }
    }

    /// Why, in one sentence.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::HiddenByDeployment => {
                "Whoever runs this portal has switched LinkedIn features off. No page of the portal can switch them on.".to_owned()
            }
            Self::NotInThisCloud(cloud) => format!(
                "The organisation lives in the {cloud}, where LinkedIn account connections do not exist."
            ),
            Self::SettingNo => {
                "An Administrator has set LinkedIn account connections to No.".to_owned()
            }
            Self::OutsideGroup => {
                "An Administrator has limited LinkedIn account connections to one group of users, and you are not a member of it.".to_owned()
            }
            Self::Disabled => "A disabled user cannot connect LinkedIn.".to_owned(),
            Self::RoleMissing => {
                "Connecting LinkedIn takes the role Salesperson or Administrator.".to_owned()
            }
            Self::NoConsent => {
                "Nothing is read from LinkedIn before you have consented to it yourself.".to_owned()
            }
            Self::OlderConsent => {
                "What you consented to was an earlier version of the text.".to_owned()
            }
        }
    }

    /// What to do and whom to ask, in one sentence.
    #[must_use]
    pub const fn what_to_do(self) -> &'static str {
        match self {
            Self::HiddenByDeployment | Self::NotInThisCloud(_) => {
                "Ask whoever runs the portal’s server: it is decided in its configuration."
            }
            Self::SettingNo => {
                "Ask an Administrator: it is decided under Settings › LinkedIn account connections."
            }
            Self::OutsideGroup => {
                "Ask an Administrator to add you to the group that is selected under Settings › LinkedIn account connections."
            }
            Self::Disabled | Self::RoleMissing => {
                "Ask an Administrator: it is decided under Settings › Users and roles."
            }
            Self::NoConsent | Self::OlderConsent => {
                "Read the text under My account and consent to it, if you want to connect LinkedIn."
            }
        }
    }

    /// Whether the person can remove the obstacle alone, by consenting.
    #[must_use]
    pub const fn is_mended_by_consent(self) -> bool {
        matches!(self, Self::NoConsent | Self::OlderConsent)
    }
}

/// Whether the organisation lets this person use LinkedIn, whatever the person has consented to.
///
/// # Errors
/// The first thing that stands against it, from the deployment down to the person.
pub fn is_allowed(
    deployment: &Deployment,
    setting: Setting,
    person: &Person,
) -> Result<(), Refusal> {
    deployment.check()?;
    match setting {
        Setting::No => return Err(Refusal::SettingNo),
        Setting::SelectedGroup if !person.is_member => return Err(Refusal::OutsideGroup),
        Setting::SelectedGroup | Setting::Yes => {}
    }
    if !person.is_enabled {
        Err(Refusal::Disabled)
    } else if !allows(&person.roles, Permission::ManageOwnProfiles) {
        Err(Refusal::RoleMissing)
    } else {
        Ok(())
    }
}

/// Whether this person may connect LinkedIn now: the organisation allows it and the person has consented to today's text.
///
/// # Errors
/// The first thing that stands against it.
pub fn may_use(deployment: &Deployment, setting: Setting, person: &Person) -> Result<(), Refusal> {
    is_allowed(deployment, setting, person)?;
    match person.consented_to {
        None => Err(Refusal::NoConsent),
        Some(version) if version < CONSENT_VERSION => Err(Refusal::OlderConsent),
        Some(_) => Ok(()),
    }
}

/// Why the consent of a person would have to be withdrawn under this setting; `None` when it may stand.
#[must_use]
pub fn withdrawal_reason(setting: Setting, person: &Person) -> Option<ConsentReason> {
    match is_allowed(&Deployment::default(), setting, person) {
        Err(Refusal::SettingNo) => Some(ConsentReason::SettingNo),
        Err(Refusal::OutsideGroup) => Some(ConsentReason::OutsideGroup),
        Err(Refusal::Disabled) => Some(ConsentReason::Disabled),
        Err(Refusal::RoleMissing) => Some(ConsentReason::RoleLost),
        _ => None,
    }
}

#[cfg(test)]
#[path = "connections/tests.rs"]
mod tests;
