//! For machines: alive, ready, measured. No session, no host check, nothing personal and no version.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use super::Portal;
use super::shell::Drawn;
use crate::store::deliveries::standing;
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

async fn measured(portal: web::Data<Portal>) -> HttpResponse {
    let backlogs = portal.store.read::<_, StoreError>(standing::backlogs).await;
    // While the database cannot be asked, the numbers are unknown and not those of before.
    let (organizations, webhooks) = match backlogs {
        Ok((organizations, webhooks)) => (Some(organizations), Some(webhooks)),
        Err(_) => (None, None),
    };
    let number = |count: Option<i64>| count.map_or(f64::NAN, |count| count as f64);
    for (kind, backlog) in [("organization", organizations), ("webhook", webhooks)] {
        metrics::gauge!("leadgen_deliveries_waiting", "destination" => kind)
            .set(number(backlog.map(|backlog| backlog.waiting)));
        metrics::gauge!("leadgen_deliveries_dead", "destination" => kind)
            .set(number(backlog.map(|backlog| backlog.dead)));
    }
    plain(StatusCode::OK, telemetry::measurements())
}
