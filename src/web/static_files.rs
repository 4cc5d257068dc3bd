//! Style sheets, scripts and icons, embedded in the binary and served under the hash of their content, for ever.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use rust_embed::RustEmbed;

use super::WebError;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

struct Asset {
    hash: String,
    content_type: &'static str,
    body: Cow<'static, [u8]>,
}

fn assets() -> &'static BTreeMap<String, Asset> {
    static ASSETS: OnceLock<BTreeMap<String, Asset>> = OnceLock::new();
    ASSETS.get_or_init(|| {
        Files::iter()
            .filter_map(|name| {
                let file = Files::get(&name)?;
                let hash: String = file
                    .metadata
                    .sha256_hash()
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                let asset = Asset {
                    hash,
                    content_type: content_type(&name),
                    body: file.data,
                };
                Some((name.into_owned(), asset))
            })
            .collect()
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml; charset=utf-8",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The address of a file in `static/`.
#[must_use]
pub fn address(name: &str) -> String {
    match assets().get(name) {
        Some(asset) => format!("/static/{}/{name}", asset.hash),
        None => format!("/static/missing/{name}"),
    }
}

/// Registers the files.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/static/{hash}/{name:.*}")
            .get(show)
            .head(show),
    );
}

async fn show(path: web::Path<(String, String)>) -> Result<HttpResponse, WebError> {
    let (hash, name) = path.into_inner();
    let asset = assets()
        .get(&name)
        .filter(|asset| asset.hash == hash)
        .ok_or(WebError::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.body.clone().into_owned()))
}
