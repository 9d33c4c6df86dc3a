//! The feed: by pages, and live over a websocket.
//!
//! The websocket reads the table by position like everybody else, so a slow or dead client holds nothing but its own connection,
//! and one that comes back with its last position misses nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::access::{self, Credential};
use crate::domain::Actor;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Params, Staff};
use crate::hub::Hub;
use crate::projection::{self, EventView};
use crate::store::{Backend, Error, feed};

/// A client that takes longer to read a frame than this is let go; it comes back with its position.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How often a quiet connection is pinged, and its right to be here is looked at again.
const PING: Duration = Duration::from_secs(20);

/// How often the table is read without a call; other processes write to PostgreSQL too.
const LOOK: Duration = Duration::from_secs(1);

/// Events read at once.
const BATCH: i64 = 500;

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    /// The last position seen; 0 or left out for the beginning.
    #[serde(default)]
    after: i64,
    /// At most so many, 1 to 1000; 100 when left out.
    limit: Option<i64>,
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    /// In order, each position once.
    pub items: Vec<EventView>,
    /// The position to go on after.
    pub next: i64,
}

/// Events after a position. Handlers get those of tickets that were assigned to their department.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "feed", params(EventParams),
    responses((status = 200, description = "In order, none skipped; empty at the end", body = Events))
)]
pub(super) async fn events(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<EventParams>,
) -> Result<Json<Events>, ApiError> {
    let limit = params.limit.unwrap_or(100).clamp(1, 1000);
    let items = read(&hub, &actor, params.after, limit).await?;
    let next = items.last().map_or(params.after, |last| last.position);
    Ok(Json(Events { items, next }))
}

async fn read(hub: &Hub, actor: &Actor, after: i64, limit: i64) -> Result<Vec<EventView>, Error> {
    let rows = feed::after(&mut hub.store.read().await?, &hub.store.city, after, limit, actor.scope()).await?;
    Ok(rows.iter().map(projection::event).collect())
}

/// The feed live: a websocket that sends one event a frame, in the shape of `GET /events`, from after the given position on.
#[utoipa::path(
    get, path = "/api/v1/feed", tag = "feed", params(("after" = Option<i64>, Query, description = "The last position seen; 0 or left out for the beginning")),
    responses((status = 101, description = "A websocket; each text frame is an event"), (status = 426, description = "Not asked for as a websocket", body = ErrorBody))
)]
pub(super) async fn live(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Extension(credential): Extension<Credential>,
    Params(params): Params<EventParams>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| follow(hub, actor, credential, params.after, socket)),
        Err(_) => {
            ApiError::new(axum::http::StatusCode::UPGRADE_REQUIRED, "upgrade_required", "ask for this as a websocket")
                .into_response()
        }
    }
}

/// Why a connection ends.
enum End {
    /// The client is gone or too slow.
    Gone,
    /// The hub says why.
    Close(u16, &'static str),
}

async fn follow(hub: Arc<Hub>, actor: Actor, credential: Credential, after: i64, mut socket: WebSocket) {
    let end = run(&hub, &actor, &credential, after, &mut socket).await;
    if let End::Close(code, reason) = end {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = timeout(SEND_PATIENCE, socket.send(Message::Close(Some(frame)))).await;
    }
}

async fn run(hub: &Arc<Hub>, actor: &Actor, credential: &Credential, mut after: i64, socket: &mut WebSocket) -> End {
    let mut positions = hub.store.positions();
    let mut ping = tokio::time::interval(PING);
    let mut look = tokio::time::interval(LOOK);
    ping.tick().await;
    loop {
        // Whatever is announced is committed, so the read below sees everything up to there.
        let announced = *positions.borrow_and_update();
        let batch = match read(hub, actor, after, BATCH).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, "the feed could not be read");
                return End::Close(close_code::AGAIN, "the feed cannot be read now");
            }
        };
        let more = i64::try_from(batch.len()).is_ok_and(|read| read >= BATCH);
        for event in batch {
            let Ok(text) = serde_json::to_string(&event) else { return End::Close(close_code::ERROR, "event") };
            match timeout(SEND_PATIENCE, socket.send(Message::Text(text.into()))).await {
                Ok(Ok(())) => after = event.position,
                _ => return End::Gone,
            }
        }
        if more {
            continue;
        }
        // What is of no concern to this reader is not looked through again.
        after = after.max(announced);
        loop {
            tokio::select! {
                changed = positions.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return End::Close(close_code::AWAY, "the hub is stopping"),
                },
                _ = look.tick(), if hub.store.backend() == Backend::Postgres => break,
                _ = ping.tick() => {
                    match credential.actor(hub).await {
                        Ok(Some(now)) if now == *actor && access::open(&axum::http::Method::GET, "/api/v1/feed").is_some_and(|open| access::allow(open, &now).is_ok()) => {}
                        Ok(_) => return End::Close(close_code::POLICY, "the session or token is no longer good"),
                        // The database being away for a moment is no reason to send everybody off.
                        Err(_) => {}
                    }
                    if !matches!(timeout(SEND_PATIENCE, socket.send(Message::Ping(axum::body::Bytes::new()))).await, Ok(Ok(()))) {
                        return End::Gone;
                    }
                }
                received = socket.recv() => match received {
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return End::Gone,
                    Some(Ok(_)) => {}
                },
                () = hub.stopping.cancelled() => return End::Close(close_code::AWAY, "the hub is stopping"),
            }
        }
    }
}
