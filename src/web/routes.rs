//! The whole route table: method, path, who may, handler. What is not here does not exist.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use actix_web::{HttpResponse, web};

use super::access::{self, Access, Entry, RouteInfo, get, post};
use super::{WebError, account, audit_log, home, sign_in, users};
use crate::domain::access::Permission as P;

use Access::{Needs, Public, SignedIn};

#[rustfmt::skip]
fn entries() -> Vec<Entry> {
    vec![
        get ("/",                                   SignedIn,              home::show),
        get ("/sign-in",                            Public,                sign_in::new),
        post("/sign-in",                            Public,                sign_in::create),
        post("/sign-out",                           SignedIn,              sign_in::destroy),

        get ("/account",                            SignedIn,              account::show),
        post("/account",                            SignedIn,              account::update),
        post("/account/password",                   SignedIn,              account::change_password),
        post("/account/sessions/others/end",        SignedIn,              account::end_other_sessions),
        post("/account/sessions/{id}/end",          SignedIn,              account::end_session),

        get ("/settings/users",                     Needs(P::ManageUsers), users::index),
        get ("/settings/users/new",                 Needs(P::ManageUsers), users::new),
        post("/settings/users",                     Needs(P::ManageUsers), users::create),
        get ("/settings/users/{id}",                Needs(P::ManageUsers), users::show),
        post("/settings/users/{id}",                Needs(P::ManageUsers), users::update),
        post("/settings/users/{id}/password",       Needs(P::ManageUsers), users::reset_password),
        post("/settings/users/{id}/sessions/end",   Needs(P::ManageUsers), users::end_sessions),
        get ("/settings/audit-log",                 Needs(P::ViewAuditLog), audit_log::index),
    ]
}

/// The lines, for the access test.
#[must_use]
pub fn table() -> Vec<RouteInfo> {
    entries().into_iter().map(|entry| entry.info).collect()
}

/// The paths that exist.
pub(super) fn paths() -> &'static BTreeSet<&'static str> {
    static PATHS: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    PATHS.get_or_init(|| table().into_iter().map(|line| line.path).collect())
}

/// Registers the table.
pub fn register(config: &mut web::ServiceConfig) {
    access::register(config, entries());
}

/// What is not in the table.
///
/// # Errors
/// Always `NotFound`.
pub async fn unknown() -> Result<HttpResponse, WebError> {
    Err(WebError::NotFound)
}
