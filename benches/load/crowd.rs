//! A thousand consoles that follow the feed: how late events are, what each connection costs in time and memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::Connection;
use crate::process::Hub;
use crate::table::{millis_of, percentile};
use crate::texts::Citizens;

/// Appeals a second: 50 events or so, for most make one and some are dispatched by a second.
const APPEALS: u32 = 43;

/// For how long.
const TIME: Duration = Duration::from_secs(10);

/// Whoever hears nothing for so long has heard it all.
const SILENCE: Duration = Duration::from_secs(4);

/// What was seen by all of them together.
#[derive(Debug, Default)]
struct Seen {
    /// Ticket and when the acceptance was read.
    accepted: Mutex<Vec<(String, Instant)>>,
    frames: AtomicUsize,
    events: AtomicUsize,
}

/// Connects `count` readers and lets appeals come; tells the figures in two lines.
pub(crate) async fn measure(hub: &Hub, citizens: &mut Citizens, count: usize) -> anyhow::Result<String> {
    let before = hub.process.resident_mib()?;
    let seen = Arc::new(Seen::default());
    let mut readers = JoinSet::new();
    for _ in 0..count {
        readers.spawn(read(hub, Arc::clone(&seen)).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let connected = hub.process.resident_mib()?;
    let (cpu, began) = (hub.process.cpu()?, Instant::now());
    let mut connection = Connection::open(hub.address).await?;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / APPEALS);
    while began.elapsed() < TIME {
        tick.tick().await;
        let request = citizens.request();
        let answer: serde_json::Value = serde_json::from_slice(connection.accepted(&request).await?)?;
        let ticket = answer["ticket"].as_str().context("no ticket")?.to_owned();
        seen.accepted.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, Instant::now()));
    }
    let (elapsed, used) = (began.elapsed(), hub.process.cpu()?.saturating_sub(cpu));
    let mut delays = Vec::new();
    while let Some(reader) = readers.join_next().await {
        delays.extend(reader?);
    }
    let (frames, events) = (seen.frames.load(Ordering::Relaxed), seen.events.load(Ordering::Relaxed));
    ensure!(events > 0, "no event came");
    delays.sort_by(f64::total_cmp);
    let seconds = elapsed.as_secs_f64();
    Ok(format!(
        "{count} connected feeds at {:.0} events/s: lag p50 {}, p99 {}, of {} arrivals; {:.1} events a frame\n\
         CPU of the hub {:.0} % of one core, {:.0} us a second and connection; memory {:.1} KiB a connection\n",
        events as f64 / count as f64 / seconds,
        millis_of(percentile(&delays, 0.5)),
        millis_of(percentile(&delays, 0.99)),
        delays.len(),
        events as f64 / frames.max(1) as f64,
        used.as_secs_f64() / seconds * 100.0,
        used.as_secs_f64() / seconds / count as f64 * 1e6,
        (connected - before).max(0.0) * 1024.0 / count as f64,
    ))
}

/// A reader like a console's, which has been let in when this returns. Ends by itself when nothing comes for a while, with how
/// late the events of tickets were that its own process had seen accepted.
async fn read(hub: &Hub, seen: Arc<Seen>) -> anyhow::Result<impl Future<Output = Vec<f64>> + Send + 'static> {
    let address = format!("ws://{}/api/v1/feed?after=0&batch=1", hub.address);
    let mut request = address.into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {}", hub.supervisor))?);
    let (mut feed, _) = tokio_tungstenite::connect_async(request).await.context("connecting to the feed")?;
    Ok(async move {
        let mut delays = Vec::new();
        while let Ok(Some(Ok(message))) = tokio::time::timeout(SILENCE, feed.next()).await {
            let Message::Text(text) = message else { continue };
            let now = Instant::now();
            let events = text.as_str().split("\"ticket\":\"").skip(1);
            let tickets: Vec<&str> = events.filter_map(|rest| rest.split('"').next()).collect();
            if tickets.is_empty() {
                continue;
            }
            seen.frames.fetch_add(1, Ordering::Relaxed);
            seen.events.fetch_add(tickets.len(), Ordering::Relaxed);
            let accepted = seen.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            for ticket in tickets {
                // An event may be here before its acceptance is read; then it is not late at all.
                let when = accepted.iter().rev().take(200).find(|(known, _)| known == ticket);
                delays.push(when.map_or(0.0, |(_, when)| now.saturating_duration_since(*when).as_secs_f64()));
            }
        }
        delays
    })
}
