//! The start page: leads on to the first page that the roles allow, or says who can give a role.

use actix_web::http::StatusCode;
use askama::Template;

use super::shell::see_other;
use super::{Answer, Shell, menu};
use crate::auth::CurrentUser;

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
/// When the page cannot be drawn.
pub async fn show(shell: Shell, user: CurrentUser) -> Answer {
    if let Some(path) = menu::start_page(&user.roles) {
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
