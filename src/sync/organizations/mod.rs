//! Dynamics 365 organizations: checks what somebody types, seals and opens credentials, tests the connection step by step,
//! and keeps one client for each organization, so that its token is asked for once.

mod key;
mod pace;
mod trouble;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

pub use key::MadeKey;
pub use pace::Pace;
pub use trouble::{detail, trouble};

use crate::auth::secret_key::{Cell, SecretKey};
use crate::clock::Clock;
use crate::dataverse::{
    Access, Certificate, Column, ColumnKind, Credential, Dataverse, DataverseClient,
    DataverseError, OrganizationAddress, Tenant,
};
use crate::domain::ids::OrganizationId;
use crate::domain::lead_column::{DateTimeBehavior, LeadColumn, LeadColumnKind};
use crate::domain::organization::{
    self, CheckStep, CredentialKind, KeyState, OrganizationTrouble, QualifiedRecord,
    missing_privileges,
};
use crate::store::dataverse_organizations::{self, Check, Reach, SealedCredential, Way};
use crate::store::{Store, StoreError, dataverse_columns};

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
    /// The organization did not say which one it is.
    #[error(transparent)]
    Service(#[from] DataverseError),
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

    /// The client of an organization, as it is configured now. At a new address the organization is asked who it is: where it is
    /// another one, the records that are known of the old one are forgotten, so that none of them is taken for deleted.
    ///
    /// # Errors
    /// `Credential` when the secret key has changed, `Service` when it does not say who it is, or as the database.
    pub async fn client(&self, id: &OrganizationId) -> Result<DataverseClient, ReachError> {
        let (way, client) = self.reach(id).await?;
        let (wanted, address) = (id.clone(), way.reach.address.clone());
        let is_known = self
            .store
            .read(move |conn| dataverse_organizations::is_confirmed(conn, &wanted, &address))
            .await?;
        if !is_known {
            let me = client.who_am_i().await?;
            self.confirm(id, &way.reach, me.organization_id).await?;
        }
        Ok(client)
    }

    async fn confirm(
        &self,
        id: &OrganizationId,
        reach: &Reach,
        service_id: String,
    ) -> Result<(), StoreError> {
        let (confirmed, address, now) = (id.clone(), reach.address.clone(), self.clock.now());
        let is_another = self
            .store
            .write(move |tx| {
                dataverse_organizations::confirm(tx, &confirmed, &address, &service_id, now)
            })
            .await?;
        if is_another {
            tracing::warn!(organization.id = %id, "another organization is at the new address");
        }
        Ok(())
    }

    async fn reach(&self, id: &OrganizationId) -> Result<(Way, DataverseClient), ReachError> {
        let wanted = id.clone();
        let (way, credential) = self
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
            && of == way.reach
            && sealed == credential.sealed
        {
            return Ok((way, client));
        }
        let client = self
            .dataverse
            .client(self.open(id, &way.reach, &credential)?);
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(
                id.clone(),
                (way.reach.clone(), credential.sealed, client.clone()),
            );
        Ok((way, client))
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
        let mut key = None;
        let way = match self.reach(id).await {
            Ok((way, client)) => {
                let wanted = id.clone();
                let known = self
                    .store
                    .read(move |conn| dataverse_organizations::get(conn, &wanted))
                    .await?;
                let steps = Steps {
                    client: client.clone(),
                    qualification: known.qualification,
                };
                match steps.run(&mut check).await {
                    Ok((service_id, found)) => {
                        self.confirm(id, &way.reach, service_id).await?;
                        columns = Some(found);
                        key = self.key_now(id, &client).await?;
                    }
                    // Without its privileges the lead table often cannot be read, either: the first failure tells why.
                    Err(_) if check.failure.is_some() => {}
                    Err((step, error)) => {
                        check.failure = Some((step, trouble(&error)));
                        check.detail = detail(&error);
                    }
                }
                way
            }
            Err(ReachError::Store(error)) => return Err(error),
            Err(ReachError::Credential | ReachError::Service(_)) => {
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
                let columns = columns.as_deref();
                let is_kept = dataverse_organizations::record_check(tx, &id, &way, &kept, columns)?;
                match key {
                    Some(key) if is_kept => dataverse_columns::set_key_state(tx, &id, key),
                    _ => Ok(()),
                }
            })
            .await?;
        Ok(check)
    }
}

impl Organizations {
    /// How far the key of the lead's id is built, where an Administrator added one: `Some(None)` when it is gone.
    async fn key_now(
        &self,
        id: &OrganizationId,
        client: &DataverseClient,
    ) -> Result<Option<Option<KeyState>>, StoreError> {
        let organization = id.clone();
        let (mapping, known) = self
            .store
            .read(move |conn| {
                let mapping = dataverse_columns::mapping(conn, &organization)?;
                let known = dataverse_organizations::get(conn, &organization)?.key_state;
                Ok::<_, StoreError>((mapping, known))
            })
            .await?;
        match (known, key::id_column(&mapping)) {
            (Some(_), Some(column)) => Ok(key::key_state(client, column).await.ok()),
            (Some(_), None) => Ok(Some(None)),
            (None, _) => Ok(None),
        }
    }
}

/// The steps of a connection test.
struct Steps {
    client: DataverseClient,
    /// What Dynamics 365 makes of a lead that is qualified here.
    qualification: Vec<QualifiedRecord>,
}

impl Steps {
    /// The id that the organization gives itself, and the columns of its lead table.
    async fn run(
        &self,
        check: &mut Check,
    ) -> Result<(String, Vec<Column>), (CheckStep, DataverseError)> {
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
        if let Some(held) = held {
            let missing = missing_privileges(&held, &self.qualification);
            if !missing.is_empty() {
                check.missing_privileges = missing.iter().map(|name| (*name).to_owned()).collect();
                check.failure =
                    Some((CheckStep::Privileges, OrganizationTrouble::MissingPrivilege));
            }
        }
        let columns = self
            .client
            .lead_columns()
            .await
            .map_err(at(CheckStep::Metadata))?;
        Ok((me.organization_id, columns))
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
            ColumnKind::Decimal { min, max } => LeadColumnKind::Decimal { min, max },
            ColumnKind::Boolean => LeadColumnKind::Boolean,
            ColumnKind::DateTime { behavior } => LeadColumnKind::DateTime {
                behavior: match behavior.as_deref() {
                    Some("DateOnly") => DateTimeBehavior::DateOnly,
                    Some("TimeZoneIndependent") => DateTimeBehavior::TimeZoneIndependent,
                    _ => DateTimeBehavior::UserLocal,
                },
            },
            ColumnKind::Choice(options) => LeadColumnKind::Choice { options },
            ColumnKind::Other => LeadColumnKind::Other,
        },
        is_required: column.is_required,
        can_create: column.can_create,
        can_update: column.can_update,
    }
}
