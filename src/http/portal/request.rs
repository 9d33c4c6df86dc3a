//! What a page request brings along: language, cookies, body.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::Portal;
use super::pages::{Language, Site};
use super::views::FaultPage;
use crate::domain::Millis;
use crate::locale::Catalogue;

/// Binds submit tokens to a browser.
const FORM_COOKIE: &str = "yingda_form";

/// Keeps the chosen language.
const LANGUAGE_COOKIE: &str = "yingda_lang";

/// Pages load nothing but their own style and icon.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The page with the chat widget also runs its script and opens its websocket.
const WIDGET_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// A visit to one page: who asks, in which language.
pub(super) struct Visit {
    /// The portal.
    pub(super) portal: Arc<Portal>,
    /// The page's language (BCP 47).
    language: String,
    /// Whether the address asked for that language, which is then remembered.
    chosen: bool,
    /// The browser's cookie.
    pub(super) cookie: String,
    /// Whether the browser has that cookie only from now on.
    new_cookie: bool,
    /// The connection's other end.
    pub(super) connection: SocketAddr,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Now.
    pub(super) now: Millis,
}

#[derive(Debug, Deserialize)]
struct Asked {
    lang: Option<String>,
}

impl FromRequestParts<Arc<Portal>> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, StatusCode> {
        let ConnectInfo(connection) = ConnectInfo::<SocketAddr>::from_request_parts(parts, portal)
            .await
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let asked = Query::<Asked>::try_from_uri(&parts.uri).ok().and_then(|Query(asked)| asked.lang);
        let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let catalogue = portal.pages.catalogues().negotiate(
            asked.as_deref(),
            cookie(&parts.headers, LANGUAGE_COOKIE),
            text(header::ACCEPT_LANGUAGE),
        );
        let known = cookie(&parts.headers, FORM_COOKIE)
            .filter(|known| known.len() == 32 && known.bytes().all(|byte| byte.is_ascii_graphic()));
        Ok(Self {
            portal: Arc::clone(portal),
            language: catalogue.tag().to_owned(),
            chosen: asked.is_some(),
            new_cookie: known.is_none(),
            cookie: known.map_or_else(crate::secret::token, str::to_owned),
            connection,
            headers: parts.headers.clone(),
            now: portal.hub.clock.millis(),
        })
    }
}

/// The value of a cookie (RFC 6265, 5.4).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
}

impl Visit {
    /// The words of the page's language.
    pub(super) fn words(&self) -> &Catalogue {
        self.portal.pages.catalogues().get(&self.language)
    }

    /// The page's language (BCP 47).
    pub(super) fn language(&self) -> &str {
        &self.language
    }

    /// A page that can be asked for by GET at `path`.
    pub(super) fn page(
        &self,
        status: StatusCode,
        name: &str,
        section: &'static str,
        path: &str,
        page: &impl Serialize,
    ) -> Response {
        self.answer(status, name, section, path, None, page)
    }

    /// A page of a ticket, which only its pass opens again, by POST to `path`.
    pub(super) fn passed(
        &self,
        status: StatusCode,
        name: &str,
        section: &'static str,
        path: &str,
        pass: &str,
        page: &impl Serialize,
    ) -> Response {
        self.answer(status, name, section, path, Some(pass), page)
    }

    fn answer(
        &self,
        status: StatusCode,
        name: &str,
        section: &'static str,
        path: &str,
        pass: Option<&str>,
        page: &impl Serialize,
    ) -> Response {
        let portal = &self.portal;
        let all = portal.pages.catalogues().all();
        let site = Site {
            city: portal.hub.config.city.name(&self.language),
            helpline: &portal.hub.config.city.helpline,
            language: &self.language,
            languages: all
                .iter()
                .map(|other| Language { tag: other.tag(), name: other.text("language.name") })
                .collect(),
            section,
            path,
            pass,
            style: &portal.style_url,
            icon: super::ICON_URL,
        };
        let html = portal.pages.render(name, &site, page);
        let mut response = (status, Html(html)).into_response();
        let headers = response.headers_mut();
        let policy = if name == "widget.html" { WIDGET_POLICY } else { POLICY };
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        for (name, value) in [("content-language", self.language.clone())].into_iter().chain(self.cookies()) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    /// The cookies to set (RFC 6265): both hold nothing personal.
    fn cookies(&self) -> Vec<(&'static str, String)> {
        let secure = if self.portal.hub.config.server.public_url.scheme() == "https" { "; Secure" } else { "" };
        let mut cookies = Vec::new();
        if self.new_cookie {
            cookies.push((
                "set-cookie",
                format!("{FORM_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie),
            ));
        }
        if self.chosen {
            let year = 365 * 24 * 3600;
            cookies.push((
                "set-cookie",
                format!("{LANGUAGE_COOKIE}={}; Path=/; Max-Age={year}; HttpOnly; SameSite=Lax{secure}", self.language),
            ));
        }
        cookies
    }

    /// A page that says what is wrong and where to go from here.
    pub(super) fn fault(&self, status: StatusCode, kind: &'static str) -> Response {
        let (way_out, way_out_words) = if kind == "gone" { ("/track", "site.track") } else { ("/", "fault.home") };
        self.page(status, "fault.html", "", "/", &FaultPage { kind, way_out, way_out_words })
    }

    /// Whether the browser itself says that another site made it send this (Fetch Metadata).
    pub(super) fn sent_by_another_site(&self) -> bool {
        self.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
    }

    /// The declared type of the body.
    pub(super) fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// Longer than allowed.
    TooLarge,
    /// The connection broke.
    Broken,
}

/// Reads a body of at most `limit` bytes. A longer one is read on for as much again and thrown away, because a browser
/// whose upload is cut short shows no page.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    let mut seen = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyFault::Broken)?;
        seen = seen.saturating_add(chunk.len());
        if seen > limit.saturating_mul(2) {
            return Err(BodyFault::TooLarge);
        }
        if seen <= limit {
            whole.extend_from_slice(&chunk);
        } else {
            whole = Vec::new();
        }
    }
    if seen > limit { Err(BodyFault::TooLarge) } else { Ok(whole.into()) }
}
