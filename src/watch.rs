//! What runs beside the intake and the outbox: polling under leases, media, waits, alarms, tidying.

use std::sync::Arc;
use std::time::Duration;

use channel_contract::{Channel, DeliveryError, DeliveryKind, Medium, PollError};
use serde_json::json;

use crate::domain::{Millis, TicketState, new_id};
use crate::hub::Hub;
use crate::pulse::Trouble;
use crate::store::watch::{self as store, Fetched};
use crate::store::{Error, Event, NewDelivery};

const MINUTE: Millis = 60_000;
const DAY: Millis = 86_400_000;

/// How long a poller keeps its account without renewing; another node takes over after that.
const LEASE: Millis = 2 * MINUTE;

/// Starts every task; they end when the hub stops.
pub fn start(hub: &Arc<Hub>) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = vec![
        tokio::spawn(crate::outbox::run(Arc::clone(hub))),
        tokio::spawn(rounds(Arc::clone(hub))),
        tokio::spawn(media(Arc::clone(hub))),
        tokio::spawn(crate::index::run_indexer(Arc::clone(hub))),
    ];
    for (_, channel) in hub.channels.iter().filter(|(_, channel)| channel.descriptor().polls) {
        tasks.push(tokio::spawn(poll(Arc::clone(hub), Arc::clone(channel))));
    }
    tasks
}

/// Polls one account while this process holds its lease.
async fn poll(hub: Arc<Hub>, channel: Arc<dyn Channel>) {
    const WAIT: Duration = Duration::from_secs(50);
    let account = channel.descriptor().account;
    let name = format!("poll:{}:{account}", hub.store.city);
    let mut failures = 0_i64;
    while !hub.stopping.is_cancelled() {
        let pause = match poll_once(&hub, &channel, &name, WAIT).await {
            Ok(true) => {
                failures = 0;
                hub.pulses.polled(&account, hub.clock.millis());
                continue;
            }
            Ok(false) => Duration::from_secs(10),
            Err((reason, wish)) => {
                failures += 1;
                hub.pulses.failed(&account, Trouble::Unread, &reason, hub.clock.millis());
                tracing::warn!(account, reason, failures, "an account could not be polled");
                if failures >= 3 {
                    alarm(&hub, "poll_failing", &account, failures, &reason).await;
                }
                wish.unwrap_or_else(|| Duration::from_secs(u64::try_from(failures.min(6)).unwrap_or(6) * 5))
            }
        };
        tokio::select! {
            () = hub.stopping.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    let owner = hub.owner.clone();
    let _ = hub
        .store
        .write(move |conn| {
            let (name, owner) = (name.clone(), owner.clone());
            Box::pin(async move { store::give_back(conn, &name, &owner).await })
        })
        .await;
}

type PollFailure = (String, Option<Duration>);

/// One poll: `false` when another process holds the lease.
async fn poll_once(
    hub: &Arc<Hub>,
    channel: &Arc<dyn Channel>,
    lease: &str,
    wait: Duration,
) -> Result<bool, PollFailure> {
    let plain = |error: Error| (error.to_string(), None);
    let now = hub.clock.millis();
    let (name, owner) = (lease.to_owned(), hub.owner.clone());
    let ours = hub
        .store
        .write(move |conn| {
            let (name, owner) = (name.clone(), owner.clone());
            Box::pin(async move { store::lease(conn, &name, &owner, now, now + LEASE).await })
        })
        .await
        .map_err(plain)?;
    if !ours {
        return Ok(false);
    }
    let account = channel.descriptor().account;
    let cursor = {
        let mut conn = hub.store.read().await.map_err(plain)?;
        store::cursor(&mut conn, &hub.store.city, &format!("poll:{account}")).await.map_err(plain)?
    };
    let polled = tokio::select! {
        () = hub.stopping.cancelled() => return Ok(true),
        polled = channel.poll(cursor.as_deref(), wait, hub.clock.now()) => polled,
    };
    match polled {
        Ok(polled) if polled.messages.is_empty() && cursor.as_deref() == Some(&polled.cursor) => Ok(true),
        Ok(polled) => {
            hub.take_polled(channel, polled).await.map(|_| true).map_err(|refusal| (refusal.to_string(), None))
        }
        Err(PollError::Transient { reason, retry_after }) => Err((reason, retry_after)),
        Err(PollError::Permanent(reason)) => Err((reason, Some(Duration::from_secs(60)))),
    }
}

/// Fetches media that providers hold.
async fn media(hub: Arc<Hub>) {
    while !hub.stopping.is_cancelled() {
        match fetch_due(&hub).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "media could not be fetched; it is tried again"),
        }
        tokio::select! {
            () = hub.stopping.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

/// Fetches the media that is due now. Returns how many files were worked on.
///
/// # Errors
/// [`Error`] of the store.
pub async fn fetch_due(hub: &Arc<Hub>) -> Result<usize, Error> {
    let now = hub.clock.millis();
    let due = store::pending_media(&mut hub.store.read().await?, &hub.store.city, now).await?;
    let count = due.len();
    for one in due {
        let fetched = fetch(hub, &one, now).await;
        let city = hub.store.city.to_string();
        let id = one.id;
        hub.store
            .write(move |conn| {
                let (city, id, fetched) = (city.clone(), id.clone(), fetched.clone());
                Box::pin(async move { store::set_media(conn, &city, &id, &fetched).await })
            })
            .await?;
    }
    Ok(count)
}

async fn fetch(hub: &Hub, one: &store::Pending, now: Millis) -> Fetched {
    const MOST_TRIES: i64 = 8;
    let Some(channel) = hub.channels.get(&one.account) else {
        return Fetched::Failed("the account is no longer configured".to_owned());
    };
    match channel.fetch(&one.source, hub.config.storage.max_attachment_bytes).await {
        Ok(file) => {
            let declared = file.media_type.unwrap_or_else(|| one.media_type.clone());
            let media_type = crate::intake::media_type(&one.name, &declared, &file.bytes);
            if let Some(reason) = crate::intake::refusal(hub, file.bytes.len() as u64, &media_type) {
                return Fetched::Refused(reason);
            }
            let size = i64::try_from(file.bytes.len()).unwrap_or(i64::MAX);
            match hub.objects.put(file.bytes).await {
                Ok(sha256) => Fetched::Stored { sha256, size, media_type },
                Err(error) => Fetched::Later(now + MINUTE, format!("objects: {error}")),
            }
        }
        Err(DeliveryError::Permanent(reason)) => Fetched::Failed(reason),
        Err(DeliveryError::Transient { reason, .. } | DeliveryError::Uncertain(reason))
            if one.attempts + 1 >= MOST_TRIES =>
        {
            Fetched::Failed(reason)
        }
        Err(DeliveryError::Transient { reason, retry_after }) => {
            let wish = retry_after.and_then(|wish| Millis::try_from(wish.as_millis()).ok());
            Fetched::Later(now + wish.unwrap_or(5_000 << one.attempts.clamp(0, 10)), reason)
        }
        Err(DeliveryError::Uncertain(reason)) => Fetched::Later(now + MINUTE, reason),
    }
}

/// The watch's rounds: waits that are over every second, alarms every ten seconds, the ledger every five minutes, tidying every hour.
async fn rounds(hub: Arc<Hub>) {
    let mut round = 0_u64;
    let mut unreadable = std::collections::BTreeSet::new();
    loop {
        tokio::select! {
            () = hub.stopping.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if let Err(error) = crate::dispatch::release_due(&hub).await {
            tracing::warn!(%error, "waiting tickets could not be released; it is tried again");
        }
        match crate::rule_sets::follow(&hub, &mut unreadable).await {
            Ok(_) => {}
            Err(Error::Invalid(problems)) => {
                tracing::error!(problems, "the published rule set cannot be read by this version");
                alarm(&hub, "rule_set_unreadable", "", 1, "the published rule set cannot be read by this version")
                    .await;
            }
            Err(error) => tracing::warn!(%error, "it could not be seen which rule set decides; it is tried again"),
        }
        if round.is_multiple_of(10)
            && let Err(error) = judge(&hub).await
        {
            tracing::warn!(%error, "the watch could not look; it tries again");
        }
        if round % 300 == 5
            && let Err(error) = audit_ledger(&hub).await
        {
            tracing::warn!(%error, "the ledger could not be counted; it is tried again");
        }
        if round % 3600 == 60
            && let Err(error) = tidy(&hub).await
        {
            tracing::warn!(%error, "tidying failed; it is tried again");
        }
        round += 1;
    }
}

/// Looks at the figures and raises or clears alarms.
///
/// # Errors
/// [`Error`] of the store.
pub async fn judge(hub: &Arc<Hub>) -> Result<(), Error> {
    let now = hub.clock.millis();
    let city = hub.store.city.to_string();
    let stuck_before = now - Millis::try_from(hub.config.outbox.stuck_minutes).unwrap_or(30) * MINUTE;
    let figures = store::figures(&mut hub.store.read().await?, &city, stuck_before).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge shows counts far below 2^53")]
    for (name, value) in [("yingda_deliveries_stuck", figures.stuck), ("yingda_quarantine_held", figures.held)] {
        metrics::gauge!(name).set(value as f64);
    }
    set(hub, "delivery_stuck", "", figures.stuck > 0, figures.stuck, "deliveries wait or are uncertain").await;
    set(hub, "quarantine", "", figures.held > 0, figures.held, "messages could not be verified or parsed").await;
    for (account, minutes) in hub.config.operator.silent_minutes.iter().filter(|(_, minutes)| **minutes > 0) {
        let last = store::last_received(&mut hub.store.read().await?, &city, account).await?;
        let silent = last.is_some_and(|last| now - last > Millis::try_from(*minutes).unwrap_or(60) * MINUTE);
        set(hub, "channel_silent", account, silent, 1, "nothing came in").await;
    }
    Ok(())
}

/// Holds the ledger against itself: counts everything, so it is done now and then only.
///
/// # Errors
/// [`Error`] of the store.
pub async fn audit_ledger(hub: &Arc<Hub>) -> Result<(), Error> {
    let ledger = crate::store::intake::ledger(&mut hub.store.read().await?, &hub.store.city).await?;
    hub.pulses.counted(ledger, hub.clock.millis());
    metrics::gauge!("yingda_ledger_adds_up").set(if ledger.adds_up() { 1.0 } else { 0.0 });
    let difference = ledger.received
        - (ledger.new + ledger.appended + ledger.reports + ledger.control + ledger.duplicates + ledger.quarantined);
    set(hub, "ledger", "", difference != 0, difference, "the ledger does not add up").await;
    Ok(())
}

async fn set(hub: &Arc<Hub>, kind: &str, account: &str, bad: bool, count: i64, reason: &str) {
    if bad {
        alarm(hub, kind, account, count, reason).await;
    } else {
        let (city, name, now) = (hub.store.city.to_string(), alarm_name(kind, account), hub.clock.millis());
        let cleared = hub
            .store
            .write(move |conn| {
                let (city, name) = (city.clone(), name.clone());
                Box::pin(async move { store::clear(conn, &city, &name, now).await })
            })
            .await;
        if let Err(error) = cleared {
            tracing::warn!(%error, "an alarm could not be cleared");
        }
    }
}

fn alarm_name(kind: &str, account: &str) -> String {
    if account.is_empty() { kind.to_owned() } else { format!("{kind}:{account}") }
}

/// Raises an alarm: log, metric, and a mail to the operator, not more often than configured.
pub async fn alarm(hub: &Arc<Hub>, kind: &str, account: &str, count: i64, reason: &str) {
    metrics::counter!("yingda_alarms_total", "kind" => kind.to_owned()).increment(1);
    let now = hub.clock.millis();
    let (kind, account, reason) = (kind.to_owned(), account.to_owned(), reason.to_owned());
    let job_hub = Arc::clone(hub);
    let raised = hub
        .store
        .write(move |conn| {
            let (hub, kind, account, reason) = (Arc::clone(&job_hub), kind.clone(), account.clone(), reason.clone());
            Box::pin(async move {
                let repeat = Millis::try_from(hub.config.operator.repeat_minutes).unwrap_or(60) * MINUTE;
                let name = alarm_name(&kind, &account);
                if !store::raise(conn, &hub.store.city, &name, &reason, repeat, now).await? {
                    return Ok(None);
                }
                tracing::error!(alarm = name, count, reason, "alarm");
                let mut changes = hub.store.changes(now);
                let mail = hub.config.operator.account.clone().or_else(|| hub.account_of(Medium::Email));
                let language = hub.config.city.default_language.clone();
                for (address, mail) in hub.config.operator.email.iter().zip(std::iter::repeat(mail)) {
                    let Some(mail) = mail else { break };
                    let values = json!({ "kind": kind, "account": account, "count": count, "since": hub.local(now), "reason": reason, "url": hub.url("console/health") });
                    let rendered = hub.render("alarm", Medium::Email, &language, values);
                    changes.delivery(NewDelivery {
                        id: new_id(now),
                        ticket: None,
                        reply_id: None,
                        department: None,
                        kind: DeliveryKind::Notice,
                        channel: "email".to_owned(),
                        waits: hub.cannot_send(&mail),
                        account: mail,
                        address: address.clone(),
                        subject: rendered.subject,
                        text: rendered.text,
                        html: rendered.html,
                        language: Some(language.clone()),
                        automatic: true,
                        thread: None,
                        buttons: None,
                        fallback_of: None,
                    });
                }
                changes.event(Event {
                    kind: "alarm",
                    ticket: None,
                    state: None,
                    department: None,
                    detail: Some(json!({ "name": name }).to_string()),
                });
                changes.flush(conn).await
            })
        })
        .await;
    match raised {
        Ok(position) => {
            hub.store.announce(position);
            hub.outbox_wake.notify_one();
        }
        Err(error) => tracing::warn!(%error, "an alarm could not be recorded"),
    }
}

/// Forgets expired raw bytes, closes answered tickets after their time, sweeps files that no row names.
///
/// # Errors
/// [`Error`] of the store.
pub async fn tidy(hub: &Arc<Hub>) -> Result<(), Error> {
    const CLOSE_AFTER: Millis = 7 * DAY;
    let now = hub.clock.millis();
    let before = now - Millis::try_from(hub.config.storage.raw_days).unwrap_or(180) * DAY;
    let job_hub = Arc::clone(hub);
    let position = hub
        .store
        .write(move |conn| {
            let hub = Arc::clone(&job_hub);
            Box::pin(async move {
                let city = hub.store.city.to_string();
                while store::expire_raw(conn, &city, before, now).await? > 0 {}
                crate::store::drafts::expire(conn, &city, now).await?;
                let mut changes = hub.store.changes(now);
                for (number, department) in store::close_answered(conn, &city, now - CLOSE_AFTER, now).await? {
                    changes.event(Event {
                        kind: "closed",
                        ticket: Some(number),
                        state: Some(TicketState::Closed),
                        department,
                        detail: None,
                    });
                }
                changes.flush(conn).await
            })
        })
        .await?;
    hub.store.announce(position);
    sweep(hub).await
}

/// Removes objects of more than a day ago that no row names: their transaction never came.
async fn sweep(hub: &Arc<Hub>) -> Result<(), Error> {
    let objects = hub.objects.clone();
    let before = std::time::SystemTime::UNIX_EPOCH
        + Duration::from_millis(u64::try_from(hub.clock.millis() - DAY).unwrap_or_default());
    let old = tokio::task::spawn_blocking(move || objects.older_than(before))
        .await
        .map_err(|error| Error::Unavailable(error.to_string()))?
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    for (name, path) in old {
        let named =
            hub.objects.path(&name).is_some() && store::names_object(&mut hub.store.read().await?, &name).await?;
        if !named && tokio::fs::remove_file(&path).await.is_ok() {
            tracing::info!("an orphaned object was removed");
        }
    }
    Ok(())
}
