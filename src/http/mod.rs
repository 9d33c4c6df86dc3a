//! The hub's HTTP surface: channels, staff API, citizen pages, health.

pub mod api;
mod console;
pub mod error;
pub mod extract;
pub mod hooks;
pub mod portal;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::hub::Hub;

/// Every route.
pub fn router(hub: &Arc<Hub>) -> Router {
    Router::new()
        .merge(hooks::router(hub))
        .merge(api::router(hub))
        .merge(portal::router(hub))
        .merge(console::router())
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/widget.js", get(widget))
        // Together, for each layer by itself is one more box around every route.
        .layer((
            SetResponseHeaderLayer::if_not_present(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            SetResponseHeaderLayer::if_not_present(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            SetResponseHeaderLayer::if_not_present(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            CatchPanicLayer::new(),
        ))
        .with_state(Arc::clone(hub))
}

/// 200 when messages can be taken.
async fn ready(State(hub): State<Arc<Hub>>) -> Response {
    let takes = hub.store.answers().await && hub.intake.takes(hub.clock.millis());
    if takes && !hub.stopping.is_cancelled() {
        "ready".into_response()
    } else {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}

/// The figures for Prometheus; only for callers on this machine that came through no proxy.
async fn metrics(
    axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<std::net::SocketAddr>,
    headers: axum::http::HeaderMap,
) -> Response {
    if !peer.ip().is_loopback() || headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded") {
        return StatusCode::NOT_FOUND.into_response();
    }
    crate::telemetry::render().into_response()
}

async fn widget() -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=3600"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ],
        crate::channels::websocket::WIDGET_JS,
    )
        .into_response()
}
