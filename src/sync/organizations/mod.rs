//! Dynamics 365 organizations: checks what somebody types, seals and opens credentials, tests the connection step by step,
//! and keeps one client for each organization, so that its token is asked for once.

mod pace;
mod trouble;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

pub use pace::Pace;
pub use trouble::{detail, trouble};

use crate::auth::secret_key::{Cell, SecretKey};
use crate::clock::Clock;
use crate::dataverse::{
    Access, Certificate, Column, ColumnKind, Credential, Dataverse, DataverseClient,
    DataverseError, OrganizationAddress, Tenant,
};
use crate::domain::ids::OrganizationId;
use crate::domain::lead_column::{LeadColumn, LeadColumnKind};
use crate::domain::organization::{
    self, CheckStep, CredentialKind, OrganizationTrouble, missing_privileges,
};
use crate::store::dataverse_organizations::{self, Check, Reach, SealedCredential};
use crate::store::{Store, StoreError};

/// Clients by organization, each with what it was built from.
type Clients = Arc<Mutex<HashMap<OrganizationId, (Reach, Vec<u8>, DataverseClient)>>>;

/// The ways to Dynamics 365 organizations. Cheap to clone.
#[derive(Clone)]
pub struct Organizations {
    store: Store,
    clock: Clock,
    secret_key: SecretKey,
    dataverse: Dataverse,
    clients: Clients,
    paces: Arc<Mutex<HashMap<OrganizationId, Pace>>>,
}

impl std::fmt::Debug for Organizations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Organizations")
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The credential was sealed with another key, or is no certificate any more.
    #[error("the credential of the organization cannot be opened")]
    Credential,
}

fn cell(id: &OrganizationId) -> Cell<'_> {
    Cell {
        table: "dataverse_organizations",
        column: "credential",
        row: id.as_str(),
    }
}

impl Organizations {
    /// The ways to the organizations in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock, secret_key: SecretKey, dataverse: Dataverse) -> Self {
        Self {
            store,
            clock,
            secret_key,
            dataverse,
            clients: Arc::default(),
            paces: Arc::default(),
        }
    }

    /// How fast an organization is written to.
    #[must_use]
    pub fn pace(&self, id: &OrganizationId) -> Pace {
        let paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        paces.get(id).copied().unwrap_or_default()
    }

    /// Keeps what a batch learned about it.
    pub fn keep_pace(&self, id: &OrganizationId, pace: Pace) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        paces.insert(id.clone(), pace);
    }

    /// Checks an organization's address and brings it into its one spelling.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check_address(&self, text: &str) -> Result<String, String> {
        let address: OrganizationAddress = text
            .parse()
            .map_err(|error: crate::dataverse::AddressError| error.to_string())?;
        address
            .check(self.dataverse.reach())
            .map_err(|error| error.to_string())?;
        Ok(address.as_str().to_owned())
    }

    /// Checks a tenant.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check_tenant(&self, text: &str) -> Result<String, String> {
        let tenant: Tenant = text.parse()?;
        Ok(tenant.as_str().to_owned())
    }

    /// Checks a secret or a certificate and seals it for the organization.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn seal(
        &self,
        id: &OrganizationId,
        kind: CredentialKind,
        text: &SecretString,
    ) -> Result<SealedCredential, String> {
        let secret = SecretString::from(text.expose_secret().trim().to_owned());
        let hint = match kind {
            CredentialKind::Secret if secret.expose_secret().is_empty() => {
                return Err("Enter the client secret: its Value, not its Secret ID.".to_owned());
            }
            CredentialKind::Secret => organization::hint(secret.expose_secret()),
            CredentialKind::Certificate => {
                let certificate =
                    Certificate::from_pem(&secret).map_err(|error| error.to_string())?;
                organization::hint(certificate.thumbprint())
            }
        };
        let sealed = self
            .secret_key
            .seal(cell(id), &secret)
            .map_err(|_| "It could not be encrypted. Try again.".to_owned())?;
        Ok(SealedCredential { kind, sealed, hint })
    }

    /// The client of an organization, as it is configured now.
    ///
    /// # Errors
    /// `Credential` when the secret key has changed, or as the database.
    pub async fn client(&self, id: &OrganizationId) -> Result<DataverseClient, ReachError> {
        Ok(self.reach(id).await?.1)
    }

    async fn reach(&self, id: &OrganizationId) -> Result<(Reach, DataverseClient), ReachError> {
        let wanted = id.clone();
        let (reach, credential) = self
            .store
            .read(move |conn| dataverse_organizations::access(conn, &wanted))
            .await?;
        let known = self
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        if let Some((of, sealed, client)) = known
            && of == reach
            && sealed == credential.sealed
        {
            return Ok((reach, client));
        }
        let client = self.dataverse.client(self.open(id, &reach, &credential)?);
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(
                id.clone(),
                (reach.clone(), credential.sealed, client.clone()),
            );
        Ok((reach, client))
    }

    fn open(
        &self,
        id: &OrganizationId,
        reach: &Reach,
        credential: &SealedCredential,
    ) -> Result<Access, ReachError> {
        let secret = self
            .secret_key
            .open(cell(id), &credential.sealed)
            .map_err(|_| ReachError::Credential)?;
        Ok(Access {
            address: reach.address.parse().map_err(|_| ReachError::Credential)?,
            tenant: reach.tenant.parse().map_err(|_| ReachError::Credential)?,
            client_id: reach.client_id.clone(),
            credential: match credential.kind {
                CredentialKind::Secret => Credential::Secret(secret),
                CredentialKind::Certificate => Credential::Certificate(Arc::new(
                    Certificate::from_pem(&secret).map_err(|_| ReachError::Credential)?,
                )),
            },
        })
    }

    /// Tests the connection step by step, up to the first that fails, and keeps what was found. Asks for a token anew, so
    /// that a secret which was revoked a minute ago is told, too.
    ///
    /// # Errors
    /// As the database; what the organization answers is no error but the result.
    pub async fn check(&self, id: &OrganizationId) -> Result<Check, StoreError> {
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        self.keep_pace(id, Pace::default());
        let mut check = Check {
            at: self.clock.now(),
            failure: None,
            detail: None,
            missing_privileges: Vec::new(),
        };
        let mut columns = None;
        let reach = match self.reach(id).await {
            Ok((reach, client)) => {
                let steps = Steps { client };
                match steps.run(&mut check).await {
                    Ok(found) => columns = Some(found),
                    Err((step, error)) => {
                        check.failure = Some((step, trouble(&error)));
                        check.detail = detail(&error);
                    }
                }
                reach
            }
            Err(ReachError::Store(error)) => return Err(error),
            Err(ReachError::Credential) => {
                let failed = (CheckStep::Token, OrganizationTrouble::CredentialUnreadable);
                check.failure = Some(failed);
                let wanted = id.clone();
                self.store
                    .read(move |conn| dataverse_organizations::access(conn, &wanted))
                    .await?
                    .0
            }
        };
        if let Some((step, trouble)) = check.failure {
            tracing::warn!(
                organization.id = %id,
                check.step = step.as_str(),
                check.trouble = trouble.as_str(),
                "the connection test of an organization failed"
            );
        }
        let (id, kept) = (id.clone(), check.clone());
        let columns: Option<Vec<LeadColumn>> =
            columns.map(|columns| columns.into_iter().map(lead_column).collect());
        self.store
            .write(move |tx| {
                dataverse_organizations::record_check(tx, &id, &reach, &kept, columns.as_deref())
            })
            .await?;
        Ok(check)
    }
}

/// The steps of a connection test.
struct Steps {
    client: DataverseClient,
}

impl Steps {
    async fn run(&self, check: &mut Check) -> Result<Vec<Column>, (CheckStep, DataverseError)> {
        let at = |step: CheckStep| move |error: DataverseError| (step, error);
        self.client.sign_in().await.map_err(at(CheckStep::Token))?;
        let me = self
            .client
            .who_am_i()
            .await
            .map_err(at(CheckStep::WhoAmI))?;
        let held = self
            .client
            .privileges(&me.user_id)
            .await
            .map_err(at(CheckStep::Privileges))?;
        // Older organizations do not name privileges: then the first delivery tells.
        if !held.is_empty() {
            let missing = missing_privileges(&held);
            if !missing.is_empty() {
                check.missing_privileges = missing.iter().map(|name| (*name).to_owned()).collect();
                check.failure =
                    Some((CheckStep::Privileges, OrganizationTrouble::MissingPrivilege));
            }
        }
        self.client
            .lead_columns()
            .await
            .map_err(at(CheckStep::Metadata))
    }
}

/// The client's columns in the words of the domain.
#[must_use]
pub fn lead_column(column: Column) -> LeadColumn {
    LeadColumn {
        name: column.name,
        label: column.label,
        kind: match column.kind {
            ColumnKind::Text { max_length } => LeadColumnKind::Text { max_length },
            ColumnKind::Integer { min, max } => LeadColumnKind::Integer { min, max },
            ColumnKind::Decimal => LeadColumnKind::Decimal,
            ColumnKind::Boolean => LeadColumnKind::Boolean,
            ColumnKind::DateTime => LeadColumnKind::DateTime,
            ColumnKind::Choice(options) => LeadColumnKind::Choice { options },
            ColumnKind::Other => LeadColumnKind::Other,
        },
        is_required: column.is_required,
        can_create: column.can_create,
        can_update: column.can_update,
    }
}
