//! The staff console under `/console`: the files that `console/` builds, embedded in the program.
//!
//! Files under `assets/` carry their digest in their names and are kept for ever; everything else is asked for again by
//! its `ETag`. Only page addresses fall back to the one HTML page: a missing file stays missing.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Serialize;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::hub::Hub;

/// What `npm run build` leaves; empty in a program that was built without Node.js.
#[derive(RustEmbed)]
#[folder = "console/dist/"]
#[exclude = ".*"]
struct Files;

/// Nothing from elsewhere, nothing inline; text becomes markup only where a Trusted Types policy made it.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
    object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'";

/// What is answered when the console was not built into the program.
const NOT_BUILT: &str = "This program was built without the console. Build it with `make run`, \
    or with `npm ci && npm run build` in console/ before `cargo build`.\n";

/// What the console must know of the city before anybody has logged in. Nothing here is secret.
#[derive(Debug, Serialize)]
struct City<'a> {
    /// The hotline's name by language (BCP 47).
    names: &'a std::collections::BTreeMap<String, String>,
    /// The time zone (IANA) in which all times are shown.
    zone: &'a str,
    /// The telephone number of the hotline.
    helpline: &'a str,
}

/// The console's routes.
pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/console", get(|| async { Redirect::permanent("/console/") }))
        .route("/console/", get(|headers: HeaderMap| async move { answer("", &headers) }))
        .route("/console/city.json", get(city))
        .route(
            "/console/{*path}",
            get(|Path(path): Path<String>, headers: HeaderMap| async move { answer(&path, &headers) }),
        )
        .layer(CompressionLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ))
}

async fn city(State(hub): State<Arc<Hub>>) -> Response {
    let city = &hub.config.city;
    let body = City { names: &city.names, zone: city.zone.name(), helpline: &city.helpline };
    ([(header::CACHE_CONTROL, "no-cache")], Json(body)).into_response()
}

/// A file, or the page for an address of a page. Those have no dot in their last part; names of files always do.
fn answer(path: &str, headers: &HeaderMap) -> Response {
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_page { "index.html" } else { path };
    match Files::get(name) {
        Some(file) => serve(name, file, headers),
        None if is_page => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn serve(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let digest: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // Weak, because the same file is also sent compressed.
    let tag = format!("W/\"{digest}\"");
    let caching = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let about = [(header::ETAG, tag), (header::CACHE_CONTROL, caching.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, media_type(name))], file.data).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consoles_description_of_the_api_is_the_one_the_hub_serves() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("console/openapi.json");
        let kept = std::fs::read_to_string(path).expect("console/openapi.json");
        let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
        assert!(
            kept == *crate::http::api::description(),
            "the API has changed; refresh with `cargo run -- openapi > console/openapi.json` and commit it"
        );
    }

    #[test]
    fn a_missing_file_is_missing_and_no_page() {
        let headers = HeaderMap::new();
        for path in ["assets/gone-123.js", "gone.svg", "../Cargo.toml", "manifest.json"] {
            assert_eq!(answer(path, &headers).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_file_is_sent_once_and_then_known_by_its_tag() {
        let file = || EmbeddedFile {
            data: b"body{}".as_slice().into(),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None),
        };
        let first = serve("assets/index-abc.css", file(), &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = serve("assets/index-abc.css", file(), &headers);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("index.html", file(), &HeaderMap::new()).headers()[header::CACHE_CONTROL], "no-cache");
    }
}
