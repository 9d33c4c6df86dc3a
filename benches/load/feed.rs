//! How soon a department sees what was accepted for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::Connection;
use crate::process::Hub;
use crate::texts::Citizens;

/// Appeals a second, over so many connections, for so long.
const RATE: u32 = 500;
const CONNECTIONS: u32 = 16;
const TIME: Duration = Duration::from_secs(6);
/// How long the last ones may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) rate: u32,
    /// From the citizen's side having the acceptance to the department having the event, seconds, sorted; 0 if the event came first.
    pub(crate) delays: Vec<f64>,
    pub(crate) departments: usize,
}

/// Something noted about tickets by several tasks.
#[derive(Debug)]
struct Noted<T>(Arc<Mutex<HashMap<String, T>>>);

impl<T> Clone for Noted<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Copy> Noted<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    /// The first word counts.
    fn note(&self, ticket: &str, what: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(ticket.to_owned()).or_insert(what);
    }

    fn all(&self) -> HashMap<String, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sends at a steady rate while a handler of every department reads the feed, and a supervisor, whose feed says which
/// appeals were routed. The hub must be new, for the feed is read from its beginning.
pub(crate) async fn measure(hub: &Hub, citizens: &mut Citizens) -> anyhow::Result<Seen> {
    let (accepted, seen, departments) = (Noted::new(), Noted::new(), Noted::new());
    let mut readers = JoinSet::new();
    for (_, token) in &hub.handlers {
        let seen = seen.clone();
        readers.spawn(read(hub, token, move |ticket, _| seen.note(ticket, Instant::now())).await?);
    }
    let by_supervisor = departments.clone();
    let note = move |ticket: &str, event: &Value| by_supervisor.note(ticket, event["department"].is_string());
    readers.spawn(read(hub, &hub.supervisor, note).await?);
    let each = usize::try_from(RATE / CONNECTIONS)? * usize::try_from(TIME.as_secs())?;
    let mut senders = JoinSet::new();
    for place in 0..CONNECTIONS {
        let requests: Vec<_> = (0..each).map(|_| citizens.request()).collect();
        let mut connection = Connection::open(hub.address).await?;
        let accepted = accepted.clone();
        let period = Duration::from_secs(1) * CONNECTIONS / RATE;
        senders.spawn(async move {
            let first = tokio::time::Instant::now() + period * place / CONNECTIONS;
            let mut tick = tokio::time::interval_at(first, period);
            for request in requests {
                tick.tick().await;
                let answer = connection.accepted(&request).await?;
                let now = Instant::now();
                let answer: Value = serde_json::from_slice(answer)?;
                accepted.note(answer["ticket"].as_str().context("no ticket")?, now);
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let accepted = accepted.all();
    let until = Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        tick.tick().await;
        let (seen, departments) = (seen.all(), departments.all());
        let routed = departments.iter().filter(|(_, routed)| **routed).count();
        let mut delays: Vec<f64> = accepted
            .iter()
            .filter_map(|(ticket, moment)| Some(seen.get(ticket)?.saturating_duration_since(*moment).as_secs_f64()))
            .collect();
        if departments.len() == accepted.len() && delays.len() == routed {
            ensure!(routed > 0, "nothing was routed");
            delays.sort_by(f64::total_cmp);
            return Ok(Seen { rate: RATE, delays, departments: hub.handlers.len() });
        }
        ensure!(
            Instant::now() < until,
            "of {} appeals {} came to the supervisor's feed; of {routed} routed ones {} came to their department's",
            accepted.len(),
            departments.len(),
            delays.len()
        );
    }
}

/// A reader of the feed of whoever holds the token, which has been let in when this returns.
async fn read(
    hub: &Hub,
    token: &str,
    note: impl Fn(&str, &Value) + Send + 'static,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut request = format!("ws://{}/api/v1/feed?after=0", hub.address).into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
    let (mut feed, _) = tokio_tungstenite::connect_async(request).await.context("connecting to the feed")?;
    Ok(async move {
        while let Some(Ok(message)) = feed.next().await {
            let Message::Text(text) = message else { continue };
            let event: Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(ticket) = event["ticket"].as_str() {
                note(ticket, &event);
            }
        }
    })
}
