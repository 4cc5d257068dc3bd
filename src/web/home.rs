//! The start page: leads Administrators to the setup checklist until it is done, and everybody on to the first page that
//! the roles allow, or says who can give a role.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use super::shell::see_other;
use super::{Answer, Portal, Shell, setup};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;

/// For somebody without a role, and until there is a page to lead to.
#[derive(Template)]
#[template(path = "home/show.html")]
struct HomePage {
    shell: Shell,
    has_role: bool,
}

/// GET /
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell, user: CurrentUser) -> Answer {
    let start = if user.can(Permission::ManageIntegration)
        && !portal.connector.deployment().hides_linkedin()
        && !setup::facts(&portal).await?.0.is_done()
    {
        Some(setup::PATH)
    } else {
        shell.start_page()
    };
    if let Some(path) = start {
        return Ok(match &shell.flash {
            // A message for the start page is for the page behind it.
            Some(flash) => shell.redirect(path).flash(flash.clone()),
            None => see_other(path),
        });
    }
    let page = HomePage {
        shell,
        has_role: !user.roles.is_empty(),
    };
    page.shell.render(StatusCode::OK, &page)
}
