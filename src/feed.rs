//! The newest part of the feed, read once for all who follow it live and encoded once.
//!
//! One task reads each event a single time and keeps the last of them in a ring. Connections take from the ring what concerns
//! them; only one that comes back after a long absence reads the table, until the ring reaches back to where it is. So a
//! connection holds a position and nothing else, a thousand of them cost one reader, and where nobody follows nothing is read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::TicketNumber;
use crate::hub::Hub;
use crate::projection;
use crate::store::{Backend, Error, feed as store};

/// Events kept.
const KEPT: usize = 4096;

/// Events read at once.
const BATCH: i64 = 500;

/// How long events gather for those who take them together.
const GATHER: Duration = Duration::from_millis(100);

/// So many at once, and more are on their way: they gather for [`PACE`], for each reading costs more than what it reads.
const MANY: usize = 16;
const PACE: Duration = Duration::from_millis(5);

/// How often the table is read without a call; other processes write to PostgreSQL too.
const LOOK: Duration = Duration::from_secs(1);

/// An event, encoded.
#[derive(Debug)]
pub struct Line {
    /// Its position.
    pub position: i64,
    /// Its JSON.
    pub text: Utf8Bytes,
    /// The departments that it concerns.
    departments: Vec<String>,
}

impl Line {
    /// Whether it concerns somebody confined to a department; whoever is not sees everything.
    #[must_use]
    pub fn concerns(&self, scope: Option<&str>) -> bool {
        scope.is_none_or(|scope| self.departments.iter().any(|department| department == scope))
    }
}

/// Events that were gathered, encoded together for those who see everything.
#[derive(Debug)]
pub struct Gathered {
    /// The position before the first of them.
    pub from: i64,
    /// The position of the last.
    pub to: i64,
    /// The frame.
    pub text: Utf8Bytes,
}

/// A frame of several events.
#[must_use]
pub fn frame(lines: &[Arc<Line>], position: i64) -> Utf8Bytes {
    let mut text = String::with_capacity(32 + lines.iter().map(|line| line.text.len() + 1).sum::<usize>());
    text.push_str("{\"events\":[");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&line.text);
    }
    text.push_str("],\"position\":");
    text.push_str(&position.to_string());
    text.push('}');
    text.into()
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<Line>>,
    /// Everything after this position is in the ring.
    from: i64,
    gathered: Option<Arc<Gathered>>,
}

/// The shared part of everybody's live feed.
#[derive(Debug)]
pub struct Feed {
    ring: RwLock<Ring>,
    /// How far the ring is; 0 while nobody reads into it.
    to: watch::Sender<i64>,
    /// How far it is for those who take events together.
    gathered_to: watch::Sender<i64>,
    started: std::sync::Once,
    /// Calls the reader back, who rests while nobody follows.
    followed: Notify,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            ring: RwLock::default(),
            to: watch::channel(0).0,
            gathered_to: watch::channel(0).0,
            started: std::sync::Once::new(),
            followed: Notify::new(),
        }
    }
}

impl Feed {
    /// How far the ring is, waking at each event; its reader begins with the first who asks.
    #[must_use]
    pub fn positions(&self, hub: &Arc<Hub>) -> watch::Receiver<i64> {
        self.followed_by(hub, self.to.subscribe())
    }

    /// The same for those who take events together: wakes at once after a pause, and else after [`GATHER`].
    #[must_use]
    pub fn gathered_positions(&self, hub: &Arc<Hub>) -> watch::Receiver<i64> {
        self.followed_by(hub, self.gathered_to.subscribe())
    }

    fn followed_by(&self, hub: &Arc<Hub>, follower: watch::Receiver<i64>) -> watch::Receiver<i64> {
        self.started.call_once(|| {
            tokio::spawn(read(Arc::clone(hub)));
        });
        self.followed.notify_one();
        follower
    }

    fn is_followed(&self) -> bool {
        !(self.to.is_closed() && self.gathered_to.is_closed())
    }

    /// Begins a new ring behind this position; 0 for none. Whoever follows looks into the table once.
    fn begin(&self, position: i64) {
        // Until the new ring stands, an empty one must not be taken for all there is.
        self.to.send_replace(0);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Ring { from: position, ..Ring::default() };
        self.to.send_replace(position);
        self.gathered_to.send_replace(position);
    }

    /// The events after a position, or `None` when the ring does not reach back so far.
    #[must_use]
    pub fn after(&self, position: i64) -> Option<Vec<Arc<Line>>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if *self.to.borrow() == 0 || position < ring.from {
            return None;
        }
        let begin = ring.lines.partition_point(|line| line.position <= position);
        Some(ring.lines.range(begin..).cloned().collect())
    }

    /// What was gathered last.
    #[must_use]
    pub fn gathered(&self) -> Option<Arc<Gathered>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).gathered.clone()
    }

    fn add(&self, lines: Vec<Arc<Line>>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.lines.extend(lines);
        let more = ring.lines.len().saturating_sub(KEPT);
        let forgotten = ring.lines.drain(..more).next_back();
        if let Some(last) = forgotten {
            ring.from = last.position;
        }
    }

    fn gather(&self, from: i64, to: i64) {
        let lines: Vec<_> =
            self.after(from).unwrap_or_default().into_iter().filter(|line| line.position <= to).collect();
        let gathered = Arc::new(Gathered { from, to, text: frame(&lines, to) });
        self.ring.write().unwrap_or_else(PoisonError::into_inner).gathered = Some(gathered);
        self.gathered_to.send_replace(to);
    }
}

/// Reads the feed into the ring, while anybody follows it, until the hub stops.
async fn read(hub: Arc<Hub>) {
    let work = async {
        loop {
            hub.feed.followed.notified().await;
            follow(&hub).await;
            hub.feed.begin(0);
        }
    };
    let _ = hub.stopping.run_until_cancelled(work).await;
}

/// Reads the feed into the ring until nobody follows it any more.
async fn follow(hub: &Hub) {
    let feed = &hub.feed;
    let mut announced = hub.store.positions();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut to = loop {
        match begin(hub).await {
            Ok(position) => break position,
            Err(error) => tracing::warn!(%error, "the feed could not be read; it is tried again"),
        }
        look.tick().await;
    };
    // A city without any event yet is at 0, which says that nobody reads.
    feed.begin(to.max(1));
    let mut gathered = to;
    let mut last_gathered = Instant::now() - GATHER;
    while feed.is_followed() {
        announced.mark_unchanged();
        match next(hub, to).await {
            Ok(lines) => {
                let count = lines.len();
                let more = i64::try_from(count).is_ok_and(|count| count >= BATCH);
                if let Some(last) = lines.last().map(|line| line.position) {
                    feed.add(lines);
                    to = last;
                    feed.to.send_replace(to);
                }
                if to > gathered && last_gathered.elapsed() >= GATHER {
                    feed.gather(gathered, to);
                    gathered = to;
                    last_gathered = Instant::now();
                }
                if more {
                    continue;
                }
                if count >= MANY {
                    tokio::time::sleep(PACE).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the feed could not be read; it is tried again");
                tokio::time::sleep(LOOK).await;
                continue;
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(last_gathered + GATHER), if to > gathered => {}
            changed = announced.changed() => if changed.is_err() { return },
            _ = look.tick(), if hub.store.backend() == Backend::Postgres => {}
        }
    }
}

async fn begin(hub: &Hub) -> Result<i64, Error> {
    store::last_position(&mut hub.store.read().await?, &hub.store.city).await
}

/// The next events after a position, encoded, each with the departments that it concerns.
async fn next(hub: &Hub, after: i64) -> Result<Vec<Arc<Line>>, Error> {
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let events = store::after(&mut conn, city, after, BATCH, None).await?;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut numbers: Vec<TicketNumber> =
        events.iter().filter_map(|event| event.ticket.clone()).map(TicketNumber::stored).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut reach: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for (ticket, department, assigned_at) in store::reach(&mut conn, city, &numbers).await? {
        reach.entry(ticket).or_default().push((department, assigned_at));
    }
    let line = |event: store::EventRow| -> Option<Arc<Line>> {
        let mut departments: Vec<String> = event.department.iter().cloned().collect();
        let assigned = event.ticket.as_ref().and_then(|ticket| reach.get(ticket));
        // As the table is read by position: who had the ticket by then.
        departments.extend(assigned.into_iter().flatten().filter(|(_, at)| *at <= event.at).map(|(id, _)| id.clone()));
        let text = serde_json::to_string(&projection::event(&event)).ok()?;
        Some(Arc::new(Line { position: event.position, text: text.into(), departments }))
    };
    Ok(events.into_iter().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(position: i64, department: &str) -> Arc<Line> {
        let text = format!("{{\"position\":{position}}}");
        Arc::new(Line { position, text: text.into(), departments: vec![department.to_owned()] })
    }

    #[test]
    fn the_ring_forgets_and_says_how_far_it_reaches_back() {
        let feed = Feed::default();
        assert!(feed.after(0).is_none(), "nothing has begun");
        feed.to.send_replace(1);
        let all = i64::try_from(KEPT).expect("a number") + 10;
        feed.add((1..=all).map(|position| line(position, "water")).collect());
        assert!(feed.after(9).is_none());
        assert_eq!(feed.after(10).expect("covered").len(), KEPT);
        assert_eq!(feed.after(all).expect("covered").len(), 0);
        feed.gather(all - 2, all);
        let gathered = feed.gathered().expect("a frame");
        assert_eq!((gathered.from, gathered.to), (all - 2, all));
        let value: serde_json::Value = serde_json::from_str(&gathered.text).expect("json");
        assert_eq!((value["events"].as_array().map(Vec::len), value["position"].as_i64()), (Some(2), Some(all)));
    }

    #[test]
    fn a_department_sees_what_concerns_it() {
        let one = line(1, "water");
        assert!(one.concerns(None) && one.concerns(Some("water")) && !one.concerns(Some("roads")));
    }
}
