//! Organizations: where a profile's leads go; what can be wrong with the way to a Dynamics 365 organization, in plain words
//! with the fix.

use super::normalise;
use super::words::words;

words! {
    /// What an organization is.
    pub enum OrganizationKind {
        BuiltIn = "built_in" => "This portal",
        Dynamics365 = "dynamics_365" => "Dynamics 365",
    }
}

words! {
    /// What the portal proves its identity with at Microsoft Entra.
    pub enum CredentialKind {
        Secret = "secret" => "Client secret",
        Certificate = "certificate" => "Certificate",
    }
}

words! {
    /// What Dynamics 365 can make of a lead when it is qualified.
    pub enum QualifiedRecord {
        Account = "account" => "An account",
        Contact = "contact" => "A contact",
        Opportunity = "opportunity" => "An opportunity",
    }
}

words! {
    /// How far an organization has built the alternate key of the lead's id here.
    pub enum KeyState {
        Building = "building" => "Being built",
        Active = "active" => "Holds",
        Failed = "failed" => "Could not be built",
    }
}

words! {
    /// The steps of a connection test, in their order.
    pub enum CheckStep {
        Token = "token" => "Sign in at Microsoft Entra",
        WhoAmI = "who_am_i" => "Enter the organization",
        Privileges = "privileges" => "Privileges on leads",
        Metadata = "metadata" => "Read the columns of the lead table",
    }
}

words! {
    /// Why an organization cannot be reached or does not do what is asked; each label is a sentence for people.
    pub enum OrganizationTrouble {
        UnknownTenant = "unknown_tenant" => "Microsoft Entra does not know the tenant.",
        UnknownApplication = "unknown_application" => "The application is not known in the tenant.",
        WrongSecret = "wrong_secret" => "The client secret is wrong.",
        SecretExpired = "secret_expired" => "The client secret has expired.",
        CertificateRefused = "certificate_refused" => "Microsoft Entra did not accept the certificate.",
        UnknownOrganization = "unknown_organization" => "The tenant has no organization at this address.",
        SignInRefused = "sign_in_refused" => "Microsoft Entra refused the sign-in.",
        TokenNotAccepted = "token_not_accepted" => "The organization did not accept the sign-in.",
        NotAUser = "not_a_user" => "The application is no user of the organization, or the user is disabled.",
        MissingPrivilege = "missing_privilege" => "The application user lacks a privilege.",
        NoWebApi = "no_web_api" => "There is no Dataverse at this address.",
        RequestRefused = "request_refused" => "The organization refused the request.",
        Throttled = "throttled" => "The organization asks to be left alone for a while: its limit was reached.",
        Outage = "outage" => "The organization has a problem of its own.",
        Unreachable = "unreachable" => "No connection could be made.",
        NoAnswer = "no_answer" => "There was no answer in time.",
        AddressNotPublic = "address_not_public" => "The address leads into a private network.",
        CertificateNotTrusted = "certificate_not_trusted" => "The certificate of the other side is not trusted.",
        UnexpectedAnswer = "unexpected_answer" => "The answer was not one of Dataverse.",
        CredentialUnreadable = "credential_unreadable" => "The stored secret or certificate cannot be opened.",
    }
}

impl OrganizationTrouble {
    /// What to do about it.
    #[must_use]
    pub const fn fix(self) -> &'static str {
        match self {
            Self::UnknownTenant => {
                "Compare the tenant with the one in the Entra admin center: Overview › Tenant ID."
            }
            Self::UnknownApplication => {
                "Compare the client id with Entra admin center › App registrations › your application › Application (client) ID, and check that the registration belongs to this tenant."
            }
            Self::WrongSecret => {
                "Copy the secret's Value (not its Secret ID) from App registrations › your application › Certificates & secrets, or make a new one, and enter it here."
            }
            Self::SecretExpired => {
                "Make a new client secret under App registrations › your application › Certificates & secrets, and enter it here."
            }
            Self::CertificateRefused => {
                "Upload the certificate (without its key) under App registrations › your application › Certificates & secrets › Certificates, and check that it has not expired."
            }
            Self::UnknownOrganization => {
                "Compare the address with the Power Platform admin center: Environments › your environment › Environment URL, and check that it belongs to this tenant."
            }
            Self::SignInRefused => {
                "Read the service's words below; the sign-in logs of the Entra admin center (Service principal sign-ins) say more."
            }
            Self::TokenNotAccepted => {
                "Check that the organization belongs to the tenant, and that the application is not blocked there."
            }
            Self::NotAUser => {
                "Add it in the Power Platform admin center: Environments › your environment › Settings › Users + permissions › Application users › New app user, with a security role."
            }
            Self::MissingPrivilege => {
                "Give the application user a security role with Create, Read and Write on Lead, and with what is named as missing: Power Platform admin center › Environments › your environment › Settings › Users + permissions › Application users › Edit security roles."
            }
            Self::NoWebApi => {
                "Compare the address with the Power Platform admin center: Environments › your environment › Environment URL."
            }
            Self::RequestRefused => {
                "Read the service's words below; a plug-in or a rule of the organization may have refused it."
            }
            Self::Throttled | Self::Outage | Self::NoAnswer => {
                "Nothing needs to be done here: it is tried again by itself. Nothing is lost meanwhile."
            }
            Self::Unreachable => {
                "Check the address, and that the portal's network lets it out to the internet (port 443)."
            }
            Self::AddressNotPublic => {
                "Use the organization's public address. For an organization in your own network, whoever runs the portal sets LEADGEN_ALLOW_PRIVATE_DESTINATIONS=true."
            }
            Self::CertificateNotTrusted => {
                "For an organization with a certificate of your own authority, whoever runs the portal names the authority's certificate in LEADGEN_DESTINATION_CA_FILE."
            }
            Self::UnexpectedAnswer => {
                "Check the address: something between the portal and Dataverse may have answered instead, a proxy for example."
            }
            Self::CredentialUnreadable => {
                "The portal's secret key has changed. Enter the client secret or the certificate again."
            }
        }
    }
}

/// The privileges without which no lead can be delivered.
pub const NEEDED_PRIVILEGES: &[&str] = &["prvCreateLead", "prvReadLead", "prvWriteLead"];

impl QualifiedRecord {
    /// What is needed to let Dynamics 365 make it.
    #[must_use]
    pub fn privilege(self) -> &'static str {
        match self {
            Self::Account => "prvCreateAccount",
            Self::Contact => "prvCreateContact",
            Self::Opportunity => "prvCreateOpportunity",
        }
    }
}

/// The privileges that are needed and not among `held`: those on leads, and those on what is made of a lead that is qualified.
/// Names are compared without regard to case.
#[must_use]
pub fn missing_privileges(held: &[String], made: &[QualifiedRecord]) -> Vec<&'static str> {
    NEEDED_PRIVILEGES
        .iter()
        .copied()
        .chain(made.iter().map(|record| record.privilege()))
        .filter(|needed| !held.iter().any(|name| name.eq_ignore_ascii_case(needed)))
        .collect()
}

/// The most characters of an organization's name.
pub const MAX_NAME: usize = 100;

/// Checks the name of an organization and trims it.
///
/// # Errors
/// A sentence for people.
pub fn check_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if normalise::text(name).is_none() {
        return Err("Enter a name for the organization.");
    }
    if name.chars().count() > MAX_NAME {
        return Err("The name of an organization may have at most 100 characters.");
    }
    if name.chars().any(char::is_control) {
        return Err("The name of an organization stands on one line, without control characters.");
    }
    Ok(name.to_owned())
}

/// Checks an application (client) id: always a GUID.
///
/// # Errors
/// A sentence for people.
pub fn check_client_id(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match uuid::Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => Ok(id.to_string()),
        _ => Err(
            "Enter the Application (client) ID as the Entra admin center shows it, for example 11111111-2222-3333-4444-555555555555.",
        ),
    }
}

/// What a secret is known by without being told: its last four characters, when it has enough others.
#[must_use]
pub fn hint(secret: &str) -> String {
    let count = secret.chars().count();
    let shown = if count >= 12 { 4 } else { 0 };
    format!(
        "…{}",
        secret.chars().skip(count - shown).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_privileges_are_told_by_name() {
        let held = ["prvcreatelead", "prvReadLead", "prvReadAccount"].map(str::to_owned);
        assert_eq!(missing_privileges(&held, &[]), ["prvWriteLead"]);
        assert_eq!(missing_privileges(&[], &[]), NEEDED_PRIVILEGES);
        assert_eq!(
            missing_privileges(&held, &[QualifiedRecord::Contact]),
            ["prvWriteLead", "prvCreateContact"]
        );
    }

    #[test]
    fn a_hint_tells_four_characters_of_a_long_secret_and_none_of_a_short_one() {
        assert_eq!(hint("abcdefghijklWXYZ"), "…WXYZ");
        assert_eq!(hint("short"), "…");
        assert_eq!(hint(""), "…");
    }

    #[test]
    fn a_client_id_is_a_guid_in_the_usual_spelling() {
        assert_eq!(
            check_client_id(" 11111111-2222-3333-4444-AAAAAAAAAAAA ").as_deref(),
            Ok("11111111-2222-3333-4444-aaaaaaaaaaaa")
        );
        for bad in [
            "",
            "my-app",
            "11111111222233334444555555555555",
            "{11111111-2222-3333-4444-555555555555}",
        ] {
            assert!(check_client_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_trouble_has_a_sentence_and_a_fix() {
        for trouble in OrganizationTrouble::ALL {
            assert!(
                trouble.label().ends_with('.') && trouble.fix().ends_with('.'),
                "{trouble}"
            );
        }
    }
}
