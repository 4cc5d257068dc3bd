//! For machines: alive, ready, measured. No session, no host check, nothing personal and no version.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use super::Portal;
use super::shell::Drawn;
use crate::store::{StoreError, database_now};
use crate::telemetry;

/// Registers the addresses.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").get(alive).head(alive))
        .service(web::resource("/readyz").get(ready).head(ready))
        .service(web::resource("/metrics").get(measured).head(measured));
}

fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    let mut response = HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(text.into());
    response.extensions_mut().insert(Drawn);
    response
}

async fn alive() -> HttpResponse {
    plain(StatusCode::OK, "alive\n")
}

async fn ready(portal: web::Data<Portal>) -> HttpResponse {
    let database = portal.store.read::<_, StoreError>(database_now).await;
    if database.is_err() {
        return plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be reached\n",
        );
    }
    match portal.store.has_pending_migrations().await {
        Ok(false) => plain(StatusCode::OK, "ready\n"),
        Ok(true) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "migrations are pending: run `leadgen migrate`\n",
        ),
        Err(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be reached\n",
        ),
    }
}

async fn measured() -> HttpResponse {
    plain(StatusCode::OK, telemetry::measurements())
}
