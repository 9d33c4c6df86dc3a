//! The feed: by pages, and live over a websocket.
//!
//! The websocket takes what is new from the ring that all connections share ([`crate::feed`]) and what is older from the table by
//! position, so a slow or dead client holds nothing but its own connection, and one that comes back with its last position misses
//! nothing.

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
use crate::store::{Error, feed};

/// A client that takes longer to read a frame than this is let go; it comes back with its position.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How often a quiet connection is pinged, and its right to be here is looked at again.
const PING: Duration = Duration::from_secs(20);

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
    /// Live only: `1` gathers events for up to 100 ms into frames of several.
    batch: Option<String>,
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

/// The feed live: a websocket that sends one event a frame, in the shape of `GET /events`, from after the given position on. With
/// `batch=1` a frame is `{"events": [...], "position": P}`: events are gathered for up to 100 ms; when the reader has caught up
/// there is one with `"live": true`, and every 20 s one that only tells the position.
#[utoipa::path(
    get, path = "/api/v1/feed", tag = "feed", params(("after" = Option<i64>, Query, description = "The last position seen; 0 or left out for the beginning"), ("batch" = Option<String>, Query, description = "`1` for frames of several events")),
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
        Ok(upgrade) => {
            let reader = Reader { actor, credential, batch: matches!(params.batch.as_deref(), Some("1" | "true")) };
            // Clients say nothing but pongs, and each frame leaves at once: what tungstenite keeps ready would be most of the
            // memory of a connection.
            upgrade
                .read_buffer_size(1024)
                .write_buffer_size(0)
                .max_message_size(4096)
                .on_upgrade(move |socket| follow(hub, reader, params.after, socket))
        }
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

async fn follow(hub: Arc<Hub>, reader: Reader, after: i64, mut socket: WebSocket) {
    let end = run(&hub, &reader, after, &mut socket).await;
    if let End::Close(code, reason) = end {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = timeout(SEND_PATIENCE, socket.send(Message::Close(Some(frame)))).await;
    }
}

async fn run(hub: &Arc<Hub>, reader: &Reader, mut after: i64, socket: &mut WebSocket) -> End {
    let feed = &hub.feed;
    let mut positions = if reader.batch { feed.gathered_positions(hub) } else { feed.positions(hub) };
    let mut ping = tokio::time::interval(PING);
    ping.tick().await;
    let mut live = false;
    loop {
        let reached = *positions.borrow_and_update();
        let (sent, more) = match catch_up(hub, reader, &mut after, reached, socket).await {
            Ok(done) => done,
            Err(end) => return end,
        };
        if more {
            continue;
        }
        if reader.batch && !live {
            live = true;
            if let Err(end) = send(socket, format!("{{\"events\":[],\"position\":{after},\"live\":true}}").into()).await
            {
                return end;
            }
        }
        if sent {
            // A reader of many events at once is not asked whether it still may at each of them.
            tokio::task::yield_now().await;
        }
        loop {
            tokio::select! {
                changed = positions.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return End::Close(close_code::AWAY, "the hub is stopping"),
                },
                _ = ping.tick() => {
                    match reader.credential.actor(hub).await {
                        Ok(Some(now)) if now == reader.actor && access::open(&axum::http::Method::GET, "/api/v1/feed").is_some_and(|open| access::allow(open, &now).is_ok()) => {}
                        Ok(_) => return End::Close(close_code::POLICY, "the session or token is no longer good"),
                        // The database being away for a moment is no reason to send everybody off.
                        Err(_) => {}
                    }
                    if !matches!(timeout(SEND_PATIENCE, socket.send(Message::Ping(axum::body::Bytes::new()))).await, Ok(Ok(()))) {
                        return End::Gone;
                    }
                    if reader.batch
                        && let Err(end) = send(socket, format!("{{\"events\":[],\"position\":{after}}}").into()).await
                    {
                        return end;
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

/// Who reads, and how.
struct Reader {
    actor: Actor,
    credential: Credential,
    /// Several events a frame.
    batch: bool,
}

async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> Result<(), End> {
    match timeout(SEND_PATIENCE, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}

/// Sends what came after `after`, from the shared ring or, where that does not reach back so far, from the table. Returns
/// whether anything was sent and whether there is more to come at once.
async fn catch_up(
    hub: &Arc<Hub>,
    reader: &Reader,
    after: &mut i64,
    reached: i64,
    socket: &mut WebSocket,
) -> Result<(bool, bool), End> {
    let scope = reader.actor.scope();
    if let Some(gathered) = hub
        .feed
        .gathered()
        .filter(|gathered| reader.batch && scope.is_none() && gathered.from == *after && gathered.to == reached)
    {
        send(socket, gathered.text.clone()).await?;
        *after = gathered.to;
        return Ok((true, false));
    }
    let Some(lines) = hub.feed.after(*after) else {
        let events = match read(hub, &reader.actor, *after, BATCH).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "the feed could not be read");
                return Err(End::Close(close_code::AGAIN, "the feed cannot be read now"));
            }
        };
        let more = i64::try_from(events.len()).is_ok_and(|read| read >= BATCH);
        let last = events.last().map(|event| event.position);
        if reader.batch {
            if let Some(position) = last {
                let frame = serde_json::json!({ "events": events, "position": position }).to_string();
                send(socket, frame.into()).await?;
            }
        } else {
            for event in &events {
                let Ok(text) = serde_json::to_string(event) else { return Err(End::Close(close_code::ERROR, "event")) };
                send(socket, text.into()).await?;
            }
        }
        *after = last.unwrap_or(*after);
        if !more {
            // What is of no concern to this reader is not looked through again.
            *after = (*after).max(reached);
        }
        return Ok((last.is_some(), more));
    };
    let until = if reader.batch { reached } else { i64::MAX };
    let end = lines.iter().map(|line| line.position).filter(|position| *position <= until).max();
    let concern: Vec<_> = lines.into_iter().filter(|line| line.position <= until && line.concerns(scope)).collect();
    let sent = !concern.is_empty();
    if reader.batch && sent {
        send(socket, crate::feed::frame(&concern, end.unwrap_or(*after))).await?;
    } else {
        for line in &concern {
            send(socket, line.text.clone()).await?;
        }
    }
    *after = (*after).max(end.unwrap_or(*after));
    Ok((sent, false))
}
