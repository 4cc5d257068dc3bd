//! Checks the chain of the audit log from the browser, a bounded part at a time.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use crate::store::audit::verification::Verification;
use crate::web::{Answer, Portal, Query, Shell};

/// Entries that one request checks: about a second of work.
const AT_ONCE: i64 = 50_000;

#[derive(Template)]
#[template(path = "audit_log/verification.html")]
struct AuditLogVerification {
    shell: Shell,
    checked: Verification,
}

/// Where to begin.
#[derive(Debug, Default, Deserialize)]
pub struct VerificationQuery {
    from: Option<i64>,
}

/// GET /settings/audit-log/verification
///
/// # Errors
/// As the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<VerificationQuery>,
) -> Answer {
    let mut checked = portal
        .store
        .read(move |conn| Verification::begin(conn, query.from, None))
        .await?;
    // Others have their turn at the database between two blocks.
    while !checked.is_done() && checked.checked() < AT_ONCE {
        checked = portal
            .store
            .read(move |conn| checked.step(conn).map(|()| checked))
            .await?;
    }
    let page = AuditLogVerification { shell, checked };
    page.shell.render(StatusCode::OK, &page)
}
