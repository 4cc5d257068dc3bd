//! Leads: the list with its saved views and changes of many, one lead with where each value came from,
//! edits, notes, merges.

pub mod bulk;
pub mod edit;
pub(super) mod filter;
pub mod index;
pub mod merges;
pub mod notes;
pub mod on_the_way;
pub mod show;
pub mod views;

use super::Portal;
use crate::domain::ids::UserId;
use crate::domain::lead::Lead;
use crate::store::leads::{self, LeadNames};
use crate::store::{AnyConn, StoreError};

/// Where the list is.
const INDEX: &str = "/leads";

/// The choices of a lead's owner. The owner stays a choice though the account was disabled since.
fn owners_for(
    conn: &mut AnyConn,
    lead: &Lead,
    names: &LeadNames,
) -> Result<Vec<(UserId, String)>, StoreError> {
    let mut owners = leads::possible_owners(conn)?;
    if !owners.iter().any(|(owner, _)| *owner == lead.owner_id) {
        owners.push((lead.owner_id.clone(), names.owner.clone()));
    }
    Ok(owners)
}

/// An identifier for an entry of a journal.
fn change_id(portal: &Portal) -> String {
    portal.new_id().hyphenated().to_string()
}
