//! The worker: claims what is due, sends it outside any transaction, records what happened.

use std::sync::Arc;
use std::time::Duration;

use channel_contract::{Acceptance, Button, DeliveryError, DeliveryKind, Outbound, OutboundFile, Plan, Thread};
use serde::Deserialize;

use super::places::Places;
use super::{backoff, report, webhook};
use crate::domain::{Id, Millis, new_id};
use crate::hub::Hub;
use crate::pulse::Trouble;
use crate::store::deliveries::{self as store, Delivery};
use crate::store::{Changes, Conn, Error};

/// One part, ready to leave.
#[derive(Debug, Clone)]
struct Ready {
    delivery: Delivery,
    attempt: Id,
    part: i64,
    text: String,
}

/// Runs until the hub stops: wakes when deliveries are committed, fall due, or leave a place free. What is under way when the hub
/// stops is finished first.
pub async fn run(hub: Arc<Hub>) {
    const PATIENCE: Millis = 5_000;
    let mut places = Places::new(usize::try_from(hub.config.outbox.workers).unwrap_or(1));
    while !hub.stopping.is_cancelled() {
        places.clear();
        let wait = match look(&hub, &mut places).await {
            Ok(Look::Claimed) => continue,
            Ok(Look::Due(next)) => next.map_or(PATIENCE, |next| (next - hub.clock.millis()).clamp(50, PATIENCE)),
            Err(error) => {
                tracing::warn!(%error, "the outbox could not work; it tries again");
                PATIENCE
            }
        };
        tokio::select! {
            () = hub.stopping.cancelled() => {}
            () = hub.outbox_wake.notified() => {}
            () = places.one_freed() => {}
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(1_000))) => {}
        }
    }
    places.finish().await;
}

/// What a look at the outbox came to.
enum Look {
    /// Deliveries were claimed; there may be more.
    Claimed,
    /// Nothing that has a place is due before this time, if ever.
    Due(Option<Millis>),
}

/// Claims what is due and has a place, in one transaction, and begins to send it.
async fn look(hub: &Arc<Hub>, places: &mut Places) -> Result<Look, Error> {
    if places.free() == 0 {
        return Ok(Look::Due(None));
    }
    // A look that takes no lock, since most wake-ups find nothing to send.
    let waiting = store::due_by_account(&mut hub.store.read().await?, &hub.store.city).await?;
    let now = hub.clock.millis();
    let shares = places.share(waiting.iter().filter(|(_, due)| *due <= now).map(|(account, _)| account.as_str()));
    if shares.is_empty() {
        return Ok(Look::Due(waiting.iter().map(|(_, due)| *due).filter(|due| *due > now).min()));
    }
    let (job_hub, shares) = (Arc::clone(hub), Arc::new(shares));
    let (claimed, ready, mailboxes, position) = hub
        .store
        .write(move |conn| {
            let (hub, shares) = (Arc::clone(&job_hub), Arc::clone(&shares));
            Box::pin(async move { claim(&hub, conn, &shares).await })
        })
        .await?;
    hub.store.announce(position);
    for session in mailboxes {
        let _ = hub.mailbox_wake.send(session);
    }
    for one in ready {
        let account = one.delivery.account.clone();
        let hub = Arc::clone(hub);
        places.take(account, async move {
            if let Err(error) = deliver(&hub, one).await {
                tracing::warn!(%error, "the outcome of a delivery could not be recorded; it is tried again when its lease ends");
            }
        });
    }
    Ok(if claimed == 0 { Look::Due(None) } else { Look::Claimed })
}

type Claimed = (usize, Vec<Ready>, Vec<String>, Option<i64>);

async fn claim(hub: &Hub, conn: &mut Conn, shares: &[(String, usize)]) -> Result<Claimed, Error> {
    let now = hub.clock.millis();
    let city = hub.store.city.to_string();
    let settings = &hub.config.outbox;
    let lease_until = now + Millis::try_from(settings.lease_secs).unwrap_or(120) * 1000;
    let mut changes = hub.store.changes(now);
    let mut ready = Vec::new();
    let mut mailboxes = Vec::new();
    let claimed = store::claim(conn, &city, hub.owner.as_str(), now, lease_until, shares).await?;
    let count = claimed.len();
    for mut delivery in claimed {
        if interrupted(hub, conn, &mut changes, &mut delivery).await? {
            continue;
        }
        if delivery.stopped && delivery.channel != "email" {
            report::failed(hub, conn, &mut changes, &delivery.id, "the citizen asked for no more messages here")
                .await?;
            continue;
        }
        match delivery.channel.as_str() {
            "websocket" => {
                if store::post_to_mailbox(conn, &city, &delivery.id, &delivery.address).await?.is_some() {
                    let attempt = new_id(now);
                    store::add_attempt(conn, &city, &attempt, &delivery.id, &delivery.account, 1, now).await?;
                    store::end_attempt(conn, &city, attempt.as_str(), "accepted", None, None, now).await?;
                    store::set_state(
                        conn,
                        &city,
                        &delivery.id,
                        "sent",
                        Some("waits for the citizen's app to collect it"),
                        None,
                        0,
                        now,
                    )
                    .await?;
                    mailboxes.push(delivery.address.clone());
                } else {
                    report::failed(hub, conn, &mut changes, &delivery.id, "the session has ended").await?;
                }
            }
            "webform" => {
                store::set_state(conn, &city, &delivery.id, "sent", Some("waits on the tracking page"), None, 0, now)
                    .await?
            }
            "phone" => {
                store::set_state(conn, &city, &delivery.id, "queued", Some("waits for a call"), None, 0, now).await?
            }
            _ => {
                let waits = if delivery.channel == "webhook" { None } else { hub.cannot_send(&delivery.account) };
                if let Some(reason) = waits {
                    store::set_state(conn, &city, &delivery.id, "queued", Some(&reason), None, 0, now).await?;
                    continue;
                }
                if let Some(one) = next_part(hub, conn, &mut changes, delivery).await? {
                    ready.push(one);
                }
            }
        }
    }
    let position = changes.flush(conn).await?;
    Ok((count, ready, mailboxes, position))
}

/// Handles a delivery whose last try was begun and never ended. `true` when it must not be tried again.
async fn interrupted(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    delivery: &mut Delivery,
) -> Result<bool, Error> {
    let city = hub.store.city.to_string();
    let now = changes.now();
    if delivery.state != "sending" || store::interrupt_attempts(conn, &city, &delivery.id, now).await? == 0 {
        return Ok(false);
    }
    metrics::counter!("yingda_deliveries_uncertain_total").increment(1);
    let idempotent = hub.channels.get(&delivery.account).is_none_or(|channel| channel.descriptor().idempotent);
    if idempotent || delivery.uncertain == 0 {
        delivery.uncertain += 1;
        store::count_uncertain(conn, &city, &delivery.id).await?;
        return Ok(false);
    }
    store::set_state(
        conn,
        &city,
        &delivery.id,
        "uncertain",
        Some("interrupted twice; nobody knows whether it arrived"),
        None,
        1,
        now,
    )
    .await?;
    Ok(true)
}

/// The next unsent part with its attempt, committed with the claim.
async fn next_part(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    delivery: Delivery,
) -> Result<Option<Ready>, Error> {
    let city = hub.store.city.to_string();
    let now = changes.now();
    let mut parts = store::parts(conn, &city, &delivery.id).await?;
    if parts.is_empty() {
        let texts = plan(hub, changes, &delivery);
        store::add_parts(conn, &city, &delivery.id, &texts, now).await?;
        parts = store::parts(conn, &city, &delivery.id).await?;
    }
    let Some(part) = parts.into_iter().find(|part| !matches!(part.state.as_str(), "sent" | "delivered")) else {
        store::set_state(conn, &city, &delivery.id, "sent", None, None, 0, now).await?;
        return Ok(None);
    };
    let attempt = new_id(now);
    store::add_attempt(conn, &city, &attempt, &delivery.id, &delivery.account, part.part, now).await?;
    Ok(Some(Ready { delivery, attempt, part: part.part, text: part.text }))
}

/// How the text leaves; one that is too long for the medium becomes a link that opens this one answer.
fn plan(hub: &Hub, changes: &mut Changes, delivery: &Delivery) -> Vec<String> {
    let Some(channel) = hub.channels.get(&delivery.account) else { return vec![delivery.text.clone()] };
    match channel.plan(&delivery.text) {
        Plan::Parts(parts) if !parts.is_empty() => parts,
        Plan::Parts(_) => vec![delivery.text.clone()],
        Plan::TooLong => {
            let medium = channel.descriptor().medium;
            if let (Some(ticket), Some(reply)) = (&delivery.ticket, &delivery.reply_id) {
                const DAY: Millis = 86_400_000;
                let expires_at = changes.now() + Millis::try_from(hub.config.outbox.link_days).unwrap_or(30) * DAY;
                let token = crate::secret::token();
                changes.answer_link(crate::secret::hash(&token), ticket, reply, expires_at);
                let language = hub.writing_language(delivery.language.as_deref(), &delivery.account);
                let values = serde_json::json!({
                    "number": ticket,
                    "number_spaced": ticket.spoken(),
                    "answer_url": hub.url(&format!("answer/{token}")),
                    "expires": hub.local(expires_at),
                });
                return vec![hub.render("reply_too_long", medium, &language, values).text];
            }
            let mut short: String = delivery.text.chars().take(150).collect();
            short.push('…');
            vec![short]
        }
    }
}

async fn deliver(hub: &Arc<Hub>, first: Ready) -> Result<(), Error> {
    let mut next = Some(first);
    while let Some(ready) = next {
        let result = send(hub, &ready).await;
        let job_hub = Arc::clone(hub);
        let recorded = Arc::new((ready, result));
        let (following, position) = hub
            .store
            .write(move |conn| {
                let (hub, recorded) = (Arc::clone(&job_hub), Arc::clone(&recorded));
                Box::pin(async move { record(&hub, conn, &recorded.0, &recorded.1).await })
            })
            .await?;
        hub.store.announce(position);
        next = following;
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredThread {
    in_reply_to: Option<String>,
    references: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct StoredButton {
    label: String,
    data: String,
}

async fn send(hub: &Hub, ready: &Ready) -> Result<Acceptance, DeliveryError> {
    let delivery = &ready.delivery;
    if delivery.channel == "webhook" {
        return webhook::send(hub, delivery).await;
    }
    let Some(channel) = hub.channels.get(&delivery.account) else {
        return Err(DeliveryError::transient(format!("no account {} is configured", delivery.account)));
    };
    let last = match store_parts(hub, delivery).await {
        Ok(parts) => parts <= ready.part,
        Err(error) => return Err(DeliveryError::transient(error.to_string())),
    };
    let mut attachments = Vec::new();
    if let Some(reply) = delivery.reply_id.as_ref().filter(|_| last) {
        attachments = files(hub, reply).await.map_err(|error| DeliveryError::transient(error.to_string()))?;
    }
    let stored: StoredThread =
        delivery.thread.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let token = delivery.ticket.as_ref().map(|ticket| hub.reference(ticket));
    let host = hub.config.server.public_url.host_str().unwrap_or("localhost").to_owned();
    let mut references = stored.references;
    references.extend(stored.in_reply_to.clone().filter(|id| !references.contains(id)));
    let thread = Thread {
        message_id: Some(format!("{}.{}@{host}", token.as_deref().unwrap_or("yingda"), delivery.id)),
        in_reply_to: stored.in_reply_to,
        references,
        reply_tag: token.clone(),
    };
    let subject = match (&delivery.subject, &token) {
        (Some(subject), Some(token)) if delivery.channel == "email" => Some(format!("{subject} [{token}]")),
        (subject, _) => subject.clone(),
    };
    let buttons: Vec<StoredButton> =
        delivery.buttons.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let outbound = Outbound {
        delivery_id: if ready.part > 1 { format!("{}-{}", delivery.id, ready.part) } else { delivery.id.clone() },
        attempt_id: ready.attempt.to_string(),
        kind: DeliveryKind::parse(&delivery.kind).unwrap_or(DeliveryKind::Notice),
        to: delivery.address.clone(),
        subject,
        text: ready.text.clone(),
        html: delivery.html.clone(),
        language: delivery.language.clone(),
        automatic: delivery.automatic,
        thread,
        buttons: if last {
            buttons.into_iter().map(|button| Button { label: button.label, data: button.data }).collect()
        } else {
            Vec::new()
        },
        attachments,
        report_url: Some(
            hub.url(&format!("channels/{}/{}?attempt={}", delivery.channel, delivery.account, ready.attempt)),
        ),
        now: hub.clock.now(),
    };
    channel.send(&outbound).await
}

async fn store_parts(hub: &Hub, delivery: &Delivery) -> Result<i64, Error> {
    let parts = store::parts(&mut hub.store.read().await?, &hub.store.city, &delivery.id).await?;
    Ok(parts.last().map_or(1, |part| part.part))
}

async fn files(hub: &Hub, reply: &str) -> Result<Vec<OutboundFile>, Error> {
    let rows = store::reply_files(&mut hub.store.read().await?, &hub.store.city, reply).await?;
    let mut files = Vec::with_capacity(rows.len());
    for (name, media_type, object) in rows {
        let bytes = hub.objects.get(&object).await.map_err(|error| Error::Unavailable(format!("objects: {error}")))?;
        files.push(OutboundFile { name, media_type, bytes: bytes.into() });
    }
    Ok(files)
}

/// Records what a try came to. Returns the next part to send at once, if there is one.
async fn record(
    hub: &Hub,
    conn: &mut Conn,
    ready: &Ready,
    result: &Result<Acceptance, DeliveryError>,
) -> Result<(Option<Ready>, Option<i64>), Error> {
    let city = hub.store.city.to_string();
    let now = hub.clock.millis();
    let mut changes = hub.store.changes(now);
    let delivery = &ready.delivery;
    let attempt = ready.attempt.as_str();
    let mut next = None;
    match result {
        Ok(acceptance) => {
            hub.pulses.sent(&delivery.account, now);
            let provider_id = acceptance.provider_id.as_deref();
            store::end_attempt(conn, &city, attempt, "accepted", provider_id, None, now).await?;
            store::set_part(conn, &city, &delivery.id, ready.part, "sent", provider_id, now).await?;
            if store::unfinished_parts(conn, &city, &delivery.id, false).await? > 0 {
                next = next_part(hub, conn, &mut changes, delivery.clone()).await?;
            } else {
                let reports = hub.channels.get(&delivery.account).is_some_and(|channel| channel.descriptor().reports);
                let current = store::get(conn, &city, &delivery.id).await?.map(|row| row.state).unwrap_or_default();
                if !matches!(current.as_str(), "delivered" | "failed") {
                    store::set_state(
                        conn,
                        &city,
                        &delivery.id,
                        if reports { "sent" } else { "delivered" },
                        None,
                        None,
                        0,
                        now,
                    )
                    .await?;
                    if !reports {
                        report::delivered(
                            hub,
                            conn,
                            &mut changes,
                            &delivery.id,
                            &delivery.kind,
                            delivery.ticket.as_ref(),
                        )
                        .await?;
                    }
                }
            }
            if let Some(id) = provider_id {
                for (_, status, error) in store::waiting_reports(conn, &city, &delivery.account, id).await? {
                    let early = channel_contract::Report {
                        subject: channel_contract::ReportSubject::ProviderId(id.to_owned()),
                        status: report::status(&status),
                        error,
                    };
                    report::apply(hub, conn, &mut changes, &delivery.account, &early).await?;
                }
            }
        }
        Err(DeliveryError::Permanent(reason)) => {
            hub.pulses.failed(&delivery.account, Trouble::Refused, reason, now);
            store::end_attempt(conn, &city, attempt, "permanent", None, Some(reason), now).await?;
            store::set_part(conn, &city, &delivery.id, ready.part, "failed", None, now).await?;
            report::failed(hub, conn, &mut changes, &delivery.id, reason).await?;
        }
        Err(DeliveryError::Transient { reason, retry_after }) => {
            hub.pulses.failed(&delivery.account, Trouble::Delayed, reason, now);
            store::end_attempt(conn, &city, attempt, "transient", None, Some(reason), now).await?;
            let wish = retry_after.and_then(|wish| Millis::try_from(wish.as_millis()).ok());
            again(hub, conn, &mut changes, delivery, reason, wish, 0).await?;
        }
        Err(DeliveryError::Uncertain(reason)) => {
            hub.pulses.failed(&delivery.account, Trouble::Uncertain, reason, now);
            store::end_attempt(conn, &city, attempt, "uncertain", None, Some(reason), now).await?;
            metrics::counter!("yingda_deliveries_uncertain_total").increment(1);
            if delivery.uncertain == 0 {
                again(hub, conn, &mut changes, delivery, reason, None, 1).await?;
            } else {
                store::set_state(conn, &city, &delivery.id, "uncertain", Some(reason), None, 1, now).await?;
            }
        }
    }
    metrics::counter!("yingda_attempts_total", "channel" => delivery.channel.clone(), "outcome" => outcome_word(result)).increment(1);
    tracing::debug!(
        delivery = delivery.id,
        channel = delivery.channel,
        outcome = outcome_word(result),
        "tried a delivery"
    );
    let position = changes.flush(conn).await?;
    Ok((next, position))
}

const fn outcome_word(result: &Result<Acceptance, DeliveryError>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(DeliveryError::Permanent(_)) => "permanent",
        Err(DeliveryError::Transient { .. }) => "transient",
        Err(DeliveryError::Uncertain(_)) => "uncertain",
    }
}

/// Tries again after a while, or gives the address up when that has gone on too long.
async fn again(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    delivery: &Delivery,
    reason: &str,
    wish: Option<Millis>,
    uncertain: i64,
) -> Result<(), Error> {
    const HOUR: Millis = 3_600_000;
    let city = hub.store.city.to_string();
    let now = changes.now();
    let settings = &hub.config.outbox;
    if now - delivery.created_at > Millis::try_from(settings.give_up_hours).unwrap_or(72) * HOUR {
        return report::failed(hub, conn, changes, &delivery.id, &format!("given up: {reason}")).await;
    }
    let jitter = crate::secret::random::<1>();
    let delay = backoff::delay(delivery.attempts + 1, settings.backoff_base_secs, settings.backoff_cap_secs, jitter[0]);
    let delay = wish.map_or(delay, |wish| wish.clamp(0, 24 * HOUR));
    store::set_state(conn, &city, &delivery.id, "queued", Some(reason), Some(now + delay), uncertain, now).await
}
