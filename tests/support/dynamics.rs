//! A Dynamics 365 organization for one test: the sandbox's, its certificate in a file, and somebody who works in it.

use leadgen::domain::ids::OrganizationId;
use leadgen::domain::organization::CredentialKind;
use leadgen::sandbox::dataverse::{
    CLIENT_ID, CLIENT_SECRET, DataverseHandle, DataverseOptions, TENANT, start,
};
use leadgen::store::AnyConn;
use leadgen::store::dataverse_organizations::{self, Reach as OrganizationReach, Setup};
use leadgen::sync::organizations::Organizations;
use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::a_moment;

/// The organization and the file that a portal has to trust.
pub struct Dynamics {
    pub sandbox: DataverseHandle,
    certificate: tempfile::NamedTempFile,
    url: String,
}

impl Dynamics {
    pub fn start() -> Self {
        super::install_crypto_provider();
        let sandbox = start(DataverseOptions::default()).unwrap();
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(certificate.path(), sandbox.certificate_pem()).unwrap();
        Self {
            url: sandbox.url(),
            sandbox,
            certificate,
        }
    }

    /// What a portal that delivers here is started with.
    pub fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("LEADGEN_ALLOW_PRIVATE_DESTINATIONS", "true"),
            (
                "LEADGEN_DESTINATION_CA_FILE",
                self.certificate.path().to_str().unwrap(),
            ),
            ("LEADGEN_ENTRA_URL", &self.url),
        ]
    }

    /// Adds it to a portal under this name.
    pub fn add_to(
        &self,
        conn: &mut AnyConn,
        organizations: &Organizations,
        name: &str,
    ) -> OrganizationId {
        let id = OrganizationId::new(Uuid::now_v7());
        let secret = SecretString::from(CLIENT_SECRET);
        let credential = organizations
            .seal(&id, CredentialKind::Secret, &secret)
            .unwrap();
        let reach = OrganizationReach {
            address: self.sandbox.url(),
            tenant: TENANT.to_owned(),
            client_id: CLIENT_ID.to_owned(),
        };
        let setup = Setup {
            name: name.to_owned(),
            reach,
            qualification: Vec::new(),
        };
        dataverse_organizations::insert(conn, &id, &setup, &credential, a_moment()).unwrap();
        id
    }

    /// Somebody makes or changes a lead there.
    pub fn write(&self, id: Uuid, columns: Value) {
        let Value::Object(columns) = columns else {
            panic!("columns are an object")
        };
        self.sandbox.person_changes("lead", id, &columns).unwrap();
    }

    /// Somebody deletes a lead there.
    pub fn delete(&self, id: Uuid) {
        self.sandbox.person_deletes("lead", id).unwrap();
    }

    pub fn leads(&self) -> Vec<Map<String, Value>> {
        self.sandbox.records("lead")
    }

    pub fn lead(&self, id: &str) -> Map<String, Value> {
        self.sandbox
            .record("lead", Uuid::try_parse(id).unwrap())
            .unwrap_or_else(|| panic!("no record {id}"))
    }
}
