//! The alternate key by which an organization refuses a second record of the same lead.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::{dynamics, path_of, record};
use crate::domain::column_mapping::{ColumnRule, LeadPart};
use crate::domain::ids::OrganizationId;
use crate::domain::organization::OrganizationTrouble;
use crate::store::audit::Actor;
use crate::store::{StoreError, dataverse_columns, deliveries};
use crate::sync::organizations::{MadeKey, ReachError, detail, trouble};
use crate::web::form::NoFields;
use crate::web::{Answer, Flash, Form, Path, Portal, Shell};

/// POST /settings/organizations/{id}/key: adds the column and its key, lets the lead's id go there, and sends the leads again
/// that the organization has, so that their records get it.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn add_key(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(_): Form<NoFields>,
) -> Answer {
    let made = match portal.organizations.add_key(&id).await {
        Ok(made) => made,
        Err(ReachError::Store(error)) => return Err(error.into()),
        Err(ReachError::Credential) => {
            let why = OrganizationTrouble::CredentialUnreadable;
            return Ok(refused(&shell, &id, why, None));
        }
        Err(ReachError::Service(error)) => {
            return Ok(refused(&shell, &id, trouble(&error), detail(&error)));
        }
    };
    let (portal_tx, changed) = (portal.clone(), id.clone());
    let queued = portal
        .store
        .write(move |tx| {
            let now = portal_tx.clock.now();
            let MadeKey {
                column,
                state,
                columns,
            } = &made;
            let of = dynamics::get(tx, &changed)?.organization;
            let mut mapping = dataverse_columns::mapping(tx, &changed)?;
            if mapping.of(&LeadPart::Id).map(|rule| &rule.column) != Some(column) {
                mapping.rules.retain(|rule| rule.part != LeadPart::Id);
                mapping.rules.push(ColumnRule {
                    part: LeadPart::Id,
                    column: column.clone(),
                    cuts: false,
                    values: BTreeMap::new(),
                });
                let version = of.lock_version;
                dataverse_columns::set_mapping(tx, &changed, version, &mapping, now)?;
            }
            dataverse_columns::record(tx, &changed, columns, now)?;
            dataverse_columns::set_key_state(tx, &changed, Some(*state))?;
            let queued = deliveries::enqueue_again(tx, &changed)?;
            record(
                tx,
                &portal_tx,
                &actor,
                "organization.key_added",
                (&changed, &of.name),
                None,
                Some(json!({ "column": column, "key": state, "leads_sent_again": queued })),
            )?;
            Ok::<_, StoreError>(queued)
        })
        .await?;
    portal.wake.notify_one();
    let again = match queued {
        0 => String::new(),
        1 => " One lead is sent again, so that its record gets the id.".to_owned(),
        n => format!(" {n} leads are sent again, so that their records get the id."),
    };
    let flash = Flash::success(format!("The column and its key were added.{again}"));
    Ok(shell.redirect(path_of(&id)).flash(flash))
}

fn refused(
    shell: &Shell,
    id: &OrganizationId,
    why: OrganizationTrouble,
    words: Option<String>,
) -> HttpResponse {
    let words = words.map_or(String::new(), |words| {
        format!(" The service said: {}.", words.trim_end_matches('.'))
    });
    let text = format!("The key was not added. {why}{words} {}", why.fix());
    shell.redirect(path_of(id)).flash(Flash::failure(text))
}
