//! The websocket of city apps and the chat widget: sessions, mailboxes, back-pressure. The protocol is `channels/websocket/README.md`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use channel_contract::{Channel, DeliveryKind, Medium};
use tokio::time::timeout;

use crate::channels::websocket::{
    ClientFrame, Dialogue, ErrorCode, Fault, HubFrame, Limiter, MessageKind, Occupancy, Settings, origin_allowed,
    send_request,
};
use crate::domain::new_id;
use crate::hub::Hub;
use crate::intake::Refusal;
use crate::store::websocket as store;

/// A client that takes longer to read a frame than this is let go; its mailbox waits for it.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How often a connection looks into its mailbox without being called.
const LOOK: Duration = Duration::from_secs(15);

static OCCUPANCY: LazyLock<Mutex<HashMap<String, Occupancy>>> = LazyLock::new(Mutex::default);
static LIMITS: LazyLock<Mutex<HashMap<String, Limiter<String>>>> = LazyLock::new(Mutex::default);

/// Opens a connection, if its origin and the account's limits allow.
pub(super) async fn connect(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(connection): ConnectInfo<SocketAddr>,
    Path(account): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(channel) =
        hub.channels.get(&account).filter(|channel| channel.descriptor().medium == Medium::Websocket).cloned()
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(settings) = hub.config.channels.get(&account).and_then(|account| account.settings::<Settings>().ok())
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("invalid"));
    if !origin_allowed(&settings, origin, hub.config.server.public_url.as_str()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let address = super::peer(&hub, connection, &headers);
    let url = hub.url(uri.path().trim_start_matches('/'));
    let place = {
        let mut occupancy = OCCUPANCY.lock().unwrap_or_else(PoisonError::into_inner);
        occupancy.entry(account.clone()).or_default().enter(&settings, address)
    };
    if place.is_err() {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")]).into_response();
    }
    let seat = Seat { account, address, session: None };
    upgrade.max_message_size(256 * 1024).on_upgrade(move |socket| async move {
        let mut talk = Talk { hub, channel, settings, socket, url, seat, language: None, told: 0 };
        talk.run().await;
    })
}

/// A counted place; given back when dropped, whatever happens.
struct Seat {
    account: String,
    address: IpAddr,
    session: Option<String>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut occupancy = OCCUPANCY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = occupancy.get_mut(&self.account) {
            account.leave(self.address, self.session.as_deref());
        }
    }
}

struct Talk {
    hub: Arc<Hub>,
    channel: Arc<dyn Channel>,
    settings: Settings,
    socket: WebSocket,
    url: String,
    seat: Seat,
    language: Option<String>,
    /// The last mailbox position that was sent on this connection.
    told: i64,
}

/// Why a connection ends.
struct End;

impl Talk {
    async fn run(&mut self) {
        let mut calls = self.hub.mailbox_wake.subscribe();
        let mut dialogue = Dialogue::new();
        let idle = Duration::from_secs(self.settings.idle_timeout_secs);
        let stopping = self.hub.stopping.clone();
        let mut heard = tokio::time::Instant::now();
        loop {
            let step = tokio::select! {
                () = stopping.cancelled() => Err(End),
                frame = self.socket.recv() => {
                    heard = tokio::time::Instant::now();
                    match frame {
                        Some(Ok(Message::Text(text))) => self.hear(&mut dialogue, text).await,
                        Some(Ok(Message::Binary(_))) => self.fault(&Fault::new(ErrorCode::BadJson, "the protocol uses text frames")).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End),
                    }
                }
                call = calls.recv() => match call {
                    Ok(session) if self.seat.session.as_deref() == Some(&session) => self.deliver().await,
                    Ok(_) => Ok(()),
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => self.deliver().await,
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => Err(End),
                },
                () = tokio::time::sleep(LOOK) => {
                    if heard.elapsed() > idle || self.ping().await.is_err() { Err(End) } else { self.deliver().await }
                }
            };
            if step.is_err() {
                let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(None))).await;
                return;
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        self.put(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End),
        }
    }

    async fn say(&mut self, frame: &HubFrame) -> Result<(), End> {
        self.put(Message::Text(Utf8Bytes::from(frame.to_json()))).await
    }

    async fn fault(&mut self, fault: &Fault) -> Result<(), End> {
        self.say(&fault.to_frame()).await?;
        if fault.closes() { Err(End) } else { Ok(()) }
    }

    async fn hear(&mut self, dialogue: &mut Dialogue, text: Utf8Bytes) -> Result<(), End> {
        let frame = match dialogue.read(&self.settings, text.as_str()) {
            Ok(frame) => frame,
            Err(fault) => return self.fault(&fault).await,
        };
        match frame {
            ClientFrame::Hello { session, after, language } => {
                self.language = language;
                self.hello(session, after).await
            }
            ClientFrame::Send { id, .. } => self.take(&id, text).await,
            ClientFrame::Received { position } => self.received(position).await,
            ClientFrame::Ping => self.say(&HubFrame::Pong).await,
        }
    }

    async fn hello(&mut self, token: Option<String>, after: Option<u64>) -> Result<(), End> {
        let hub = Arc::clone(&self.hub);
        let now = hub.clock.millis();
        let (account, city) = (self.seat.account.clone(), hub.store.city.to_string());
        let (id, fresh) = (new_id(now), crate::secret::token());
        let offered = token.clone();
        let secret = fresh.clone();
        let opened = hub
            .store
            .write(move |conn| {
                let (account, city, id, offered, secret) =
                    (account.clone(), city.clone(), id.clone(), offered.clone(), secret.clone());
                Box::pin(async move {
                    if let Some(offered) = &offered
                        && let Some(session) =
                            store::resume(conn, &city, &account, &crate::secret::hash(offered), now).await?
                    {
                        return Ok((session, false));
                    }
                    store::begin(conn, &city, &account, &id, &crate::secret::hash(&secret), now).await?;
                    Ok((store::Session { id: id.to_string(), received: 0 }, true))
                })
            })
            .await;
        let Ok((session, new)) = opened else {
            return self.fault(&Fault::new(ErrorCode::Unavailable, "the hub cannot open a session now")).await;
        };
        let joined = {
            let mut occupancy = OCCUPANCY.lock().unwrap_or_else(PoisonError::into_inner);
            occupancy.entry(self.seat.account.clone()).or_default().join(&self.settings, &session.id)
        };
        if let Err(code) = joined {
            return self.fault(&Fault::new(code, "this session has too many connections")).await;
        }
        self.seat.session = Some(session.id);
        let after = after.and_then(|after| i64::try_from(after).ok()).filter(|_| !new);
        self.told = after.unwrap_or(session.received);
        let position = u64::try_from(self.told).unwrap_or_default();
        let token = if new { fresh } else { token.unwrap_or(fresh) };
        self.say(&HubFrame::Welcome { session: token, position }).await?;
        self.deliver().await
    }

    /// Sends what waits in the mailbox, in order; reads on only while the client keeps up.
    async fn deliver(&mut self) -> Result<(), End> {
        let Some(session) = self.seat.session.clone() else { return Ok(()) };
        loop {
            let hub = Arc::clone(&self.hub);
            let Ok(mut conn) = hub.store.read().await else { return Ok(()) };
            let Ok(messages) =
                store::messages(&mut conn, &hub.store.city, &self.seat.account, &session, self.told).await
            else {
                return Ok(());
            };
            drop(conn);
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                let kind = DeliveryKind::parse(&message.kind).map_or(MessageKind::Notice, MessageKind::from);
                let position = u64::try_from(message.position).unwrap_or_default();
                self.say(&HubFrame::Message { position, ticket: message.ticket, kind, text: message.text }).await?;
                self.told = message.position;
            }
        }
    }

    async fn take(&mut self, id: &str, frame: Utf8Bytes) -> Result<(), End> {
        let Some(session) = self.seat.session.clone() else { return Ok(()) };
        let now = self.hub.clock.now();
        let allowed = {
            let mut limits = LIMITS.lock().unwrap_or_else(PoisonError::into_inner);
            limits
                .entry(self.seat.account.clone())
                .or_insert_with(|| Limiter::of_messages(&self.settings))
                .take(session.clone(), now)
        };
        if let Err(wait) = allowed {
            return self.fault(&Fault::slow_down(id, wait)).await;
        }
        let body = axum::body::Bytes::from(frame.as_str().to_owned());
        let raw = send_request(&self.url, &session, self.language.as_deref(), Some(self.seat.address), body, now);
        let receipt = self.channel.receive(&raw);
        let taken = self.hub.take(&self.channel, raw, receipt, None).await;
        match taken.map(|verdicts| verdicts.into_iter().next()) {
            Ok(Some(verdict)) => {
                self.say(&HubFrame::Ack { id: id.to_owned(), outcome: verdict.outcome, ticket: verdict.ticket }).await
            }
            Ok(None) | Err(Refusal::Unauthorized | Refusal::QuarantineFull | Refusal::Unavailable(_)) => {
                self.fault(&Fault::unavailable(id, Duration::from_secs(5))).await
            }
        }
    }

    async fn received(&mut self, position: u64) -> Result<(), End> {
        let (Some(session), Ok(position)) = (self.seat.session.clone(), i64::try_from(position)) else { return Ok(()) };
        let hub = Arc::clone(&self.hub);
        let job_hub = Arc::clone(&hub);
        let told = position.min(self.told);
        let done = hub
            .store
            .write(move |conn| {
                let (hub, session) = (Arc::clone(&job_hub), session.clone());
                Box::pin(async move {
                    let mut changes = hub.store.changes(hub.clock.millis());
                    let arrived = store::received(conn, &hub.store.city, &session, told, hub.clock.millis()).await?;
                    for delivery in arrived {
                        crate::outbox::report::delivered(
                            &hub,
                            conn,
                            &mut changes,
                            &delivery.id,
                            &delivery.kind,
                            delivery.ticket.as_ref(),
                        )
                        .await?;
                    }
                    changes.flush(conn).await
                })
            })
            .await;
        if let Ok(position) = done {
            hub.store.announce(position);
        }
        Ok(())
    }
}
