//! Where the channels come in: webhooks and the websocket of city apps.

mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use channel_contract::{Channel, RawRequest, Verdict};

use crate::hub::Hub;
use crate::intake::Refusal;

/// The response header that names what became of a message.
pub const OUTCOME: HeaderName = HeaderName::from_static("yingda-outcome");

/// The routes below `/channels`.
pub fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    let limit = usize::try_from(hub.config.server.max_body_bytes).unwrap_or(usize::MAX);
    Router::new()
        .route("/channels/websocket/{account}", get(websocket::connect))
        .route("/channels/{medium}/{account}", any(receive))
        .layer(DefaultBodyLimit::max(limit))
}

/// The sender's address: the connection's, or what the nearest trusted proxy says.
#[must_use]
pub fn peer(hub: &Hub, connection: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = connection.ip();
    if !hub.config.server.trusts(address) {
        return address;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for word in forwarded.into_iter().rev() {
        match word.trim().parse() {
            Ok(next) => address = next,
            Err(_) => break,
        }
        if !hub.config.server.trusts(address) {
            break;
        }
    }
    address
}

/// A request as the ledger keeps it.
#[must_use]
pub fn raw_request(
    hub: &Hub,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    peer: IpAddr,
    body: Bytes,
) -> RawRequest {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    RawRequest {
        method: method.to_string(),
        url: hub.url(path.trim_start_matches('/')),
        // The hub's own marks on messages that it fetched itself; nobody outside may set them.
        headers: headers
            .iter()
            .filter(|(name, _)| !name.as_str().starts_with("yingda-"))
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
        peer: Some(peer),
        body,
        received_at: hub.clock.now(),
    }
}

async fn receive(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(connection): ConnectInfo<SocketAddr>,
    Path((medium, account)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(channel) = hub.channels.get(&account).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    if channel.descriptor().medium.as_str() != medium || !matches!(method, Method::GET | Method::POST) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let raw = raw_request(&hub, &method, &uri, &headers, peer(&hub, connection, &headers), body);
    let receipt = match judge(&channel, &raw).await {
        Ok(receipt) => receipt,
        Err(response) => return response,
    };
    match hub.take(&channel, raw, receipt, None).await {
        Ok(verdicts) => answer(channel.as_ref(), &verdicts),
        Err(refusal) => refused(&refusal),
    }
}

/// Parses outside the runtime's threads when there is much to parse.
async fn judge(channel: &Arc<dyn Channel>, raw: &RawRequest) -> Result<channel_contract::Receipt, Response> {
    const MUCH: usize = 256 * 1024;
    if raw.body.len() < MUCH {
        return Ok(channel.receive(raw));
    }
    let (channel, raw) = (Arc::clone(channel), raw.clone());
    tokio::task::spawn_blocking(move || channel.receive(&raw)).await.map_err(|_| unavailable())
}

fn answer(channel: &dyn Channel, verdicts: &[Verdict]) -> Response {
    let Some(verdict) = verdicts.first() else { return unavailable() };
    let answer = channel.answer(verdict);
    let mut response = (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), answer.body).into_response();
    if answer.content_type.is_empty() {
        response.headers_mut().remove(header::CONTENT_TYPE);
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    response.headers_mut().insert(OUTCOME, HeaderValue::from_static(verdict.outcome.as_str()));
    response
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unauthorized => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
        Refusal::QuarantineFull => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "600")]).into_response(),
        Refusal::Unavailable(error) => {
            tracing::warn!(%error, "a message could not be stored; its sender was told to come back");
            unavailable()
        }
    }
}

fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
}
