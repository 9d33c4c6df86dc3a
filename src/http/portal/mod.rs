//! The citizen pages: file an appeal, follow it, read the answer. Plain HTML; nothing needs a script.
//!
//! No number and no code ever stands in an address: they come by POST, and a page of a ticket is opened again by a pass,
//! a signed token that ends after half an hour. What is filed or added goes through the intake like every other message.

mod answer;
mod file;
mod pages;
mod request;
mod ticket;
mod token;
mod track;
mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use channel_contract::{Channel, Medium};
use sha2::{Digest as _, Sha256};

use crate::channels::webform::Settings;
use crate::hub::Hub;
use pages::Pages;
use request::Visit;

/// Address of the icon.
const ICON_URL: &str = "/assets/icon.svg";

/// What all pages share.
struct Portal {
    hub: Arc<Hub>,
    pages: Pages,
    /// The web form's account; without one nothing can be filed here.
    form: Option<Form>,
    /// Address of the style sheet, with its version.
    style_url: String,
}

/// The web form.
struct Form {
    channel: Arc<dyn Channel>,
    settings: Settings,
}

/// The routes of the pages, and the page for what is not found.
pub fn router<S: Clone + Send + Sync + 'static>(hub: &Arc<Hub>) -> Router<S> {
    let form = hub.channels.first(Medium::Webform).map(|channel| Form {
        channel: Arc::clone(channel),
        settings: hub
            .config
            .channels
            .get(&channel.descriptor().account)
            .and_then(|account| account.settings().ok())
            .unwrap_or_default(),
    });
    let version: String = crate::objects::hex(&Sha256::digest(pages::STYLE)).chars().take(12).collect();
    let portal = Arc::new(Portal {
        hub: Arc::clone(hub),
        pages: Pages::new(Arc::clone(&hub.words)),
        form,
        style_url: format!("/assets/portal.css?v={version}"),
    });
    Router::new()
        .route("/", get(file::show).post(file::send))
        .route("/received", get(file::home).post(file::received))
        .route("/track", get(track::show).post(track::open))
        .route("/track/message", get(track::home).post(track::add))
        .route("/track/reopen", get(track::home).post(track::reopen))
        .route("/confirm", get(track::home).post(track::confirm))
        .route("/answer/{token}", get(answer::link))
        .route("/files/{id}", get(answer::download))
        .route("/widget-demo", get(widget))
        .route("/assets/portal.css", get(|| async { asset("text/css; charset=utf-8", pages::STYLE) }))
        .route(ICON_URL, get(|| async { asset("image/svg+xml", pages::ICON) }))
        .fallback(not_found)
        .with_state(portal)
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, content).into_response()
}

/// People get a page, programs a bare 404.
async fn not_found(visit: Visit) -> Response {
    let reads_pages = visit
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if reads_pages { visit.fault(StatusCode::NOT_FOUND, "not_found") } else { StatusCode::NOT_FOUND.into_response() }
}

/// A plain page with the chat widget in it.
async fn widget(visit: Visit) -> Response {
    let hub = &visit.portal.hub;
    let Some(channel) = hub.channels.first(Medium::Websocket) else {
        return visit.fault(StatusCode::NOT_FOUND, "not_found");
    };
    let page = views::WidgetPage { account: channel.descriptor().account };
    visit.page(StatusCode::OK, "widget.html", "", "/widget-demo", &page)
}

/// An answer that leads to another page by GET.
fn see_other(address: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static(address))]).into_response()
}
