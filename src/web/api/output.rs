//! What programs get: one record, or a page of them with the way to the next one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use serde::Serialize;

use super::input::etag;

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// The records.
    pub data: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
}

/// A list.
pub fn list<T: Serialize>(data: Vec<T>, next_cursor: Option<String>) -> HttpResponse {
    HttpResponse::Ok().json(Listed { data, next_cursor })
}

/// A record.
pub fn record<T: Serialize>(record: &T) -> HttpResponse {
    HttpResponse::Ok().json(record)
}

/// A record that was made, with the path below [`super::ROOT`] where it is.
pub fn created<T: Serialize>(record: &T, path: &str) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, format!("{}{path}", super::ROOT)))
        .json(record)
}

/// What was asked for and is done later.
pub fn accepted<T: Serialize>(record: &T) -> HttpResponse {
    HttpResponse::Accepted().json(record)
}

/// A record whose versions are counted.
pub fn versioned<T: Serialize>(record: &T, version: i64) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, etag(version)))
        .json(record)
}

/// The program has this version already.
pub fn not_modified(version: i64) -> HttpResponse {
    HttpResponse::build(StatusCode::NOT_MODIFIED)
        .insert_header((ETAG, etag(version)))
        .finish()
}
