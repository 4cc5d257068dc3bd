//! `/api/v1`: what programs read and change, with tokens instead of sessions and JSON instead of pages.
//!
//! The scope stands beside the pages', so that no cookie is looked at and no form token is asked for: a browser sends the
//! token to nobody by itself. [`caller`] says who asks and how often, [`routes`] what the token must allow, [`problem`] how an
//! error reads; the rest is one file a resource, in front of the same store as the pages.

mod accounts;
pub mod caller;
pub mod document;
mod forms;
mod input;
mod leads;
mod output;
pub mod problem;
pub mod routes;
mod rules;
mod schemas;
mod submissions;
mod sync_requests;
mod sync_runs;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::middleware::from_fn;
use actix_web::web;
use chrono::{DateTime, TimeDelta, Utc};

use super::{api_reference, guards};
use crate::domain::ids::ApiTokenId;
use crate::domain::rate::Rate;

pub use problem::ApiError;

/// What a handler of the API answers.
pub type ApiAnswer = Result<actix_web::HttpResponse, ApiError>;

/// Where the API is.
pub const ROOT: &str = "/api/v1";

/// Whether an address is the API's, so that an error there must be no page. The reference is a page.
#[must_use]
pub fn is_below(path: &str) -> bool {
    path == "/api" || (path.starts_with("/api/") && path != api_reference::PATH)
}

/// Puts the API into the server.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope(ROOT)
            .wrap(from_fn(caller::recognise))
            .wrap(from_fn(guards::host))
            .configure(routes::register)
            .default_service(web::to(routes::unknown)),
    );
}

/// How far each token has used up what it may ask of this process. There are as many entries as tokens that were used.
#[derive(Debug, Clone, Default)]
pub struct Flows(Arc<Mutex<HashMap<ApiTokenId, DateTime<Utc>>>>);

impl Flows {
    /// Takes one request of this token.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take(&self, id: &ApiTokenId, rate: Rate, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        let mut points = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = rate.take(points.get(id).copied(), now)?;
        points.insert(id.clone(), next);
        Ok(())
    }
}
