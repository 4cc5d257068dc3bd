//! Each obstacle with its answer, whose consent is withdrawn, and the text that goes with its version.

use super::*;

fn person() -> Person {
    Person {
        is_enabled: true,
        roles: vec![Role::Salesperson],
        is_member: false,
        consented_to: Some(CONSENT_VERSION),
    }
}

fn deployment(policy: DeploymentPolicy, cloud: Cloud) -> Deployment {
    Deployment {
        policy,
        cloud,
        country: None,
    }
}

#[test]
fn the_first_obstacle_from_the_deployment_down_to_the_person_is_the_answer() {
    use DeploymentPolicy::{Disabled, Enabled, Unset};
    let member = Person {
        is_member: true,
        ..person()
    };
    let disabled = Person {
        is_enabled: false,
        ..member.clone()
    };
    let manager = Person {
        roles: vec![Role::SalesManager],
        ..member.clone()
    };
    let silent = Person {
        consented_to: None,
        ..member.clone()
    };
    let earlier = Person {
        consented_to: Some(CONSENT_VERSION - 1),
        ..member.clone()
    };
    for (policy, cloud, setting, person, expected) in [
        (Unset, Cloud::Public, Setting::Yes, person(), Ok(())),
        (Enabled, Cloud::Public, Setting::Yes, person(), Ok(())),
        (
            Disabled,
            Cloud::Germany,
            Setting::No,
            silent.clone(),
            Err(Refusal::HiddenByDeployment),
        ),
        (
            Enabled,
            Cloud::UsGovernment,
            Setting::Yes,
            member.clone(),
            Err(Refusal::NotInThisCloud(Cloud::UsGovernment)),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::No,
            disabled.clone(),
            Err(Refusal::SettingNo),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::SelectedGroup,
            person(),
            Err(Refusal::OutsideGroup),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::SelectedGroup,
            member.clone(),
            Ok(()),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::Yes,
            disabled,
            Err(Refusal::Disabled),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::SelectedGroup,
            manager,
            Err(Refusal::RoleMissing),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::Yes,
            silent,
            Err(Refusal::NoConsent),
        ),
        (
            Unset,
            Cloud::Public,
            Setting::Yes,
            earlier,
            Err(Refusal::OlderConsent),
        ),
    ] {
        assert_eq!(
            may_use(&deployment(policy, cloud), setting, &person),
            expected,
            "{policy} {cloud} {setting} {person:?}"
        );
    }
}

#[test]
fn consent_is_withdrawn_from_those_whom_the_setting_leaves_out_and_from_nobody_else() {
    let member = Person {
        is_member: true,
        ..person()
    };
    let without_role = Person {
        roles: vec![],
        ..member.clone()
    };
    for (setting, person, expected) in [
        (Setting::Yes, person(), None),
        (Setting::No, member.clone(), Some(ConsentReason::SettingNo)),
        (Setting::SelectedGroup, member, None),
        (
            Setting::SelectedGroup,
            person(),
            Some(ConsentReason::OutsideGroup),
        ),
        (Setting::Yes, without_role, Some(ConsentReason::RoleLost)),
    ] {
        assert_eq!(withdrawal_reason(setting, &person), expected, "{setting}");
    }
}

#[test]
fn a_first_start_follows_the_country_that_was_said_and_is_no_otherwise() {
    for (cloud, country, expected) in [
        (Cloud::Public, None, Setting::No),
        (Cloud::Public, Some("DE"), Setting::No),
        (Cloud::Public, Some("FR"), Setting::No),
        (Cloud::Public, Some("US"), Setting::Yes),
        (Cloud::Public, Some("NL"), Setting::Yes),
        (Cloud::UsGovernment, Some("US"), Setting::No),
        (Cloud::Germany, Some("DE"), Setting::No),
        (Cloud::China21Vianet, Some("CN"), Setting::No),
    ] {
        let deployment = Deployment {
            country: country.map(str::to_owned),
            ..deployment(DeploymentPolicy::Unset, cloud)
        };
        assert_eq!(
            deployment.initial_setting(),
            expected,
            "{cloud} {country:?}"
        );
    }
}

#[test]
fn every_refusal_says_why_and_whom_to_ask() {
    let all = [
        Refusal::HiddenByDeployment,
        Refusal::NotInThisCloud(Cloud::China21Vianet),
        Refusal::SettingNo,
        Refusal::OutsideGroup,
        Refusal::Disabled,
        Refusal::RoleMissing,
        Refusal::NoConsent,
        Refusal::OlderConsent,
    ];
    let mut titles = std::collections::BTreeSet::new();
    for refusal in all {
        assert!(refusal.why().ends_with('.'), "{refusal:?}");
        assert!(refusal.what_to_do().ends_with('.'), "{refusal:?}");
        titles.insert(refusal.title());
    }
    assert_eq!(titles.len(), all.len());
}

/// The digest of the text: whoever changes a word has to raise the version, and then this number.
#[test]
fn the_text_of_this_version_is_the_one_that_people_consented_to() {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for part in CONSENT_TEXT {
        for text in std::iter::once(&part.title).chain(part.sentences) {
            for byte in text.bytes() {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    assert_eq!((CONSENT_VERSION, sum), (1, 14588290024884055433));
}
