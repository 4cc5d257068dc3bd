//! Import of leads from CSV files: upload, columns, check, import, result by row, undo.
//!
//! Administrators and Salespeople may import (the permission is “work on leads”); only who imported, or an Administrator,
//! may go on with an import or undo it.

pub(super) mod csv_file;
mod mapping;
mod result;
mod upload;
mod work;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::keyset::{KeysetPager, start};
use super::{Answer, Portal, Query, Shell, WebError};
use crate::domain::access::Permission;
use crate::domain::ids::ImportId;
use crate::store::lead_imports::{self, LeadImport};
use crate::store::paging::Cursor;

pub use mapping::{edit as edit_mapping, update as update_mapping};
pub use result::{rows_csv, show};
pub use upload::{create, new};
pub use work::{apply, destroy, resume, undo, undo_consequences};

/// Where the list is.
pub const INDEX: &str = "/leads/imports";
/// The largest file, in bytes.
pub const MAX_FILE: usize = 32 * 1024 * 1024;

#[derive(Template)]
#[template(path = "lead_imports/index.html")]
struct LeadImportsIndex {
    shell: Shell,
    imports: Vec<LeadImport>,
    pager: KeysetPager,
}

/// The place in the list.
#[derive(Debug, Default, Deserialize)]
pub struct IndexQuery {
    after: Option<Cursor>,
    before: Option<Cursor>,
}

/// GET /leads/imports
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<IndexQuery>) -> Answer {
    let place = start(query.after, query.before);
    let mut pager = KeysetPager::new(INDEX, &[], &place);
    let page = portal
        .store
        .read(move |conn| lead_imports::list(conn, &place))
        .await?;
    let page = LeadImportsIndex {
        imports: pager.take(page),
        shell,
        pager,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The page of an import.
fn path_of(id: &ImportId) -> String {
    format!("{INDEX}/{id}")
}

/// Whether this person may go on with this import.
fn may_change(shell: &Shell, import: &LeadImport) -> bool {
    let is_own = shell
        .user
        .as_ref()
        .is_some_and(|user| import.user_id.as_ref() == Some(&user.id));
    is_own || shell.can(Permission::ManageIntegration)
}

/// The import, for somebody who may go on with it.
async fn own_import(portal: &Portal, shell: &Shell, id: &ImportId) -> Result<LeadImport, WebError> {
    let id = id.clone();
    let import = portal
        .store
        .read(move |conn| lead_imports::get(conn, &id))
        .await?;
    if may_change(shell, &import) {
        Ok(import)
    } else {
        Err(WebError::Refused(format!(
            "This import is {}’s. Only that person or an Administrator can go on with it.",
            import.user_name
        )))
    }
}
