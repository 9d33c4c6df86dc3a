//! Keeps the search index up with the feed, with bounded lag and outside the transactions of the intake.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::TicketNumber;
use crate::hub::Hub;
use crate::projection::Eyes;
use crate::store::search::{self, Source};
use crate::store::{Backend, Error, feed, watch};

/// The name of the indexer's cursor.
const CURSOR: &str = "search";

/// Events read at once; their tickets are indexed in one commit.
const BATCH: i64 = 200;

/// How long events gather, so that a ticket whose acknowledgement leaves a moment later is indexed once.
const GATHER: Duration = Duration::from_millis(200);

/// How long the index stands back while the intake is crowded. Then it takes its share, so that its lag is bounded.
const STAND_BACK: Duration = Duration::from_secs(10);

/// How long to wait after a failure.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the feed is looked at without a call; other processes write to PostgreSQL too.
const LOOK: Duration = Duration::from_secs(1);

/// Follows the feed until the hub stops.
pub async fn run_indexer(hub: Arc<Hub>) {
    let mut positions = hub.store.positions();
    // Since when it has been behind.
    let mut behind: Option<tokio::time::Instant> = None;
    loop {
        positions.mark_unchanged();
        let began = tokio::time::Instant::now();
        if hub.intake.crowded(hub.clock.millis()) && behind.get_or_insert(began).elapsed() < STAND_BACK {
            tokio::select! {
                () = hub.stopping.cancelled() => return,
                () = tokio::time::sleep(GATHER) => continue,
            }
        }
        let wait = match index_once(&hub).await {
            Ok(0) => {
                behind = None;
                None
            }
            Ok(read) if i64::try_from(read).is_ok_and(|read| read >= BATCH) => {
                // When much comes in, the intake goes first: the index takes at most every third moment of the writer.
                Some(began.elapsed() * 2)
            }
            Ok(_) => {
                behind = None;
                Some(GATHER)
            }
            Err(Error::Stopping) => return,
            Err(error) => {
                tracing::warn!(%error, "the search index could not be brought up to date; trying again");
                Some(PATIENCE)
            }
        };
        tokio::select! {
            () = hub.stopping.cancelled() => return,
            () = tokio::time::sleep(wait.unwrap_or(LOOK)), if wait.is_some() || hub.store.backend() == Backend::Postgres => {}
            changed = positions.changed(), if wait.is_none() => if changed.is_err() { return },
        }
    }
}

/// Indexes the tickets of the next events; returns how many events there were.
///
/// # Errors
/// [`Error`] of the store; then the next try begins at the same place.
pub async fn index_once(hub: &Arc<Hub>) -> Result<usize, Error> {
    let city = hub.store.city.clone();
    let mut conn = hub.store.read().await?;
    let after = watch::cursor(&mut conn, &city, CURSOR).await?.and_then(|position| position.parse().ok()).unwrap_or(0);
    let events = feed::after(&mut conn, &city, after, BATCH, None).await?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(0) };
    let numbers: BTreeSet<TicketNumber> =
        events.iter().filter_map(|event| event.ticket.clone()).map(TicketNumber::stored).collect();
    let sources = search::sources(&mut conn, &city, &numbers.into_iter().collect::<Vec<_>>()).await?;
    drop(conn);
    let texts: Vec<_> = sources
        .into_iter()
        .map(|(number, source)| {
            let text = text(hub, &number, &source);
            (number, text)
        })
        .collect();
    let (texts, now) = (Arc::new(texts), hub.clock.millis());
    hub.store
        .write(move |conn| {
            let (city, texts) = (city.clone(), Arc::clone(&texts));
            Box::pin(async move {
                search::index(conn, &city, &texts).await?;
                watch::set_cursor(conn, &city, CURSOR, &last.to_string(), now).await
            })
        })
        .await?;
    Ok(events.len())
}

/// Everything of a ticket by which it may be found, as somebody without the right to identities sees it.
fn text(hub: &Hub, number: &TicketNumber, source: &Source) -> String {
    let (eyes, rules) = (Eyes::MASKED, hub.rules());
    let mut lines = vec![eyes.text(&source.subject)];
    lines.extend(source.place.as_deref().map(|place| eyes.text(place)));
    lines.extend(source.texts.iter().map(|text| eyes.text(text)));
    if let Some(item) = source.item.as_deref().and_then(|id| rules.item(id)) {
        lines.extend(item.names.values().cloned());
    }
    for department in source.departments.iter().filter_map(|id| rules.department(id)) {
        lines.extend(department.names.values().cloned());
    }
    // The number stands first and is never masked.
    format!("{number}\n{}", lines.join("\n"))
}
