//! How the hub is, for supervisors: what came in and out, the channels, what waits for a person; and a live test of an account.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use channel_contract::{Cause, Finding};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::catalogue::Whole;
use super::tickets::audit;
use crate::domain::Millis;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Id, Staff};
use crate::hub::Hub;
use crate::projection::{Eyes, moment};
use crate::pulse::Trouble;
use crate::store::intake::Ledger;
use crate::store::{feed, health as store, watch};

/// How long a test of an account may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// For how long a count of the ledger is good, milliseconds.
const FRESH: Millis = 10_000;

/// A channel account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelView {
    /// Its id.
    pub account: String,
    /// The medium.
    pub channel: String,
    /// The provider within the medium.
    pub provider: String,
    /// Whether the hub asks it for new messages.
    pub polls: bool,
    /// When it last brought a message (RFC 3339).
    pub last_received_at: Option<String>,
    /// When the far end last took one (RFC 3339), since this process started.
    pub last_sent_at: Option<String>,
    /// For a polled account: how long ago it was last looked at, seconds.
    pub lag_secs: Option<i64>,
    /// What last went wrong, since this process started: `refused`, `delayed`, `uncertain` (a message that should have left)
    /// or `unread` (could not be looked at for new messages).
    pub last_error_code: Option<&'static str>,
    /// The same in detail, in English.
    pub last_error: Option<String>,
    /// When that was (RFC 3339).
    pub last_error_at: Option<String>,
    /// Messages that wait to leave by it; of those that cannot leave now, up to 10,001.
    pub queued: i64,
    /// Since when the oldest of them does (RFC 3339).
    pub queued_since: Option<String>,
    /// Why nothing can leave by it, in English: which setting is missing.
    pub cannot_send: Option<String>,
}

/// An alarm that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alarm {
    /// Its name, as `kind` or `kind:account`.
    pub name: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// When it was last seen (RFC 3339).
    pub last_at: String,
    /// How often it was seen.
    pub count: i64,
    /// What is wrong.
    pub detail: String,
}

/// How the hub is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// What came in and what became of it.
    pub ledger: Ledger,
    /// When that was counted (RFC 3339), at most ten seconds ago.
    pub ledger_at: String,
    /// Whether what came in equals what became of it.
    pub adds_up: bool,
    /// The last position of the feed.
    pub position: i64,
    /// How far the search index is.
    pub search_position: i64,
    /// Messages kept aside.
    pub held: i64,
    /// Deliveries that failed for good, up to 10,001.
    pub failed: i64,
    /// Deliveries whose fate nobody knows.
    pub uncertain: i64,
    /// Calls that an agent has to make.
    pub call_tasks: i64,
    /// Tickets that wait for a person to say where they belong, up to 10,001.
    pub triage: i64,
    /// The channel accounts.
    pub channels: Vec<ChannelView>,
    /// Alarms that hold, the oldest first.
    pub alarms: Vec<Alarm>,
    /// When this was read (RFC 3339).
    pub at: String,
}

/// How the hub is.
#[utoipa::path(get, path = "/api/v1/health", tag = "health", responses((status = 200, description = "How it is", body = Health)))]
pub(super) async fn health(State(hub): State<Arc<Hub>>) -> Result<Json<Health>, ApiError> {
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let now = hub.clock.millis();
    let (ledger_at, ledger) = match hub.pulses.ledger().filter(|(at, _)| now - at < FRESH) {
        Some(known) => known,
        None => {
            let ledger = crate::store::intake::ledger(&mut conn, city).await?;
            hub.pulses.counted(ledger, now);
            (now, ledger)
        }
    };
    let waiting = store::waiting(&mut conn, city).await?;
    let alarms = store::alarms(&mut conn, city).await?;
    let position = feed::last_position(&mut conn, city).await?;
    let search_position = watch::cursor(&mut conn, city, "search").await?;
    let search_position = search_position.and_then(|position| position.parse().ok()).unwrap_or(0);
    drop(conn);
    let eyes = Eyes::MASKED;
    Ok(Json(Health {
        adds_up: ledger.adds_up(),
        ledger,
        ledger_at: moment(ledger_at),
        position,
        search_position,
        held: waiting.held,
        failed: waiting.failed,
        uncertain: waiting.uncertain,
        call_tasks: waiting.call_tasks,
        triage: waiting.triage,
        channels: accounts(&hub).await?,
        alarms: alarms
            .into_iter()
            .map(|row| Alarm {
                name: row.name,
                since: moment(row.first_at),
                last_at: moment(row.last_at),
                count: row.count,
                detail: eyes.text(&row.detail),
            })
            .collect(),
        at: moment(hub.clock.millis()),
    }))
}

async fn accounts(hub: &Hub) -> Result<Vec<ChannelView>, ApiError> {
    let (city, now) = (&hub.store.city, hub.clock.millis());
    let mut conn = hub.store.read().await?;
    let queued = store::queued(&mut conn, city).await?;
    let mut views = Vec::new();
    for (account, channel) in hub.channels.iter() {
        let descriptor = channel.descriptor();
        let pulse = hub.pulses.get(account);
        let last = watch::last_received(&mut conn, city, account).await?;
        let waits = queued.get(account);
        views.push(ChannelView {
            account: account.to_owned(),
            channel: descriptor.medium.as_str().to_owned(),
            provider: descriptor.provider.to_owned(),
            polls: descriptor.polls,
            last_received_at: last.map(moment),
            last_sent_at: pulse.last_sent_at.map(moment),
            lag_secs: pulse.last_polled_at.map(|at| (now - at) / 1000),
            last_error_code: pulse.last_trouble.map(Trouble::as_str),
            last_error: pulse.last_error,
            last_error_at: pulse.last_error_at.map(moment),
            queued: waits.map_or(0, |(count, _)| *count),
            queued_since: waits.map(|(_, since)| moment(*since)),
            cannot_send: descriptor.cannot_send,
        });
    }
    Ok(views)
}

/// The channel accounts.
#[utoipa::path(get, path = "/api/v1/channels", tag = "health", responses((status = 200, description = "All accounts", body = Whole<ChannelView>)))]
pub(super) async fn channels(State(hub): State<Arc<Hub>>) -> Result<Json<Whole<ChannelView>>, ApiError> {
    Ok(Json(Whole { items: accounts(&hub).await? }))
}

/// A line of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingView {
    /// What was looked at.
    pub check: String,
    /// Whether it is well.
    pub ok: bool,
    /// What kind of thing is wrong: `not_configured`, `misconfigured`, `unreachable` or `refused`; null where that is not known.
    pub code: Option<&'static str>,
    /// What was seen, and if not well what to do; in English.
    pub detail: String,
}

/// What a test found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tested {
    /// Whether all is well.
    pub ok: bool,
    /// Line by line.
    pub findings: Vec<FindingView>,
}

/// Try an account's credentials and far end now, as `yingda doctor` does; nothing is sent and nothing is changed there.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/test", tag = "health", params(("id" = String, Path, description = "The account's id")),
    responses((status = 200, description = "What was found", body = Tested), (status = 404, description = "No such account", body = ErrorBody))
)]
pub(super) async fn test(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<Tested>, ApiError> {
    let channel = hub.channels.get(&id).ok_or_else(ApiError::not_found)?;
    let mut findings = tokio::time::timeout(PATIENCE, channel.probe()).await.unwrap_or_else(|_| {
        vec![
            Finding::bad("probe", "no answer within 30 seconds; look at address and firewall")
                .because(Cause::Unreachable),
        ]
    });
    if let Some(reason) = channel.descriptor().cannot_send.filter(|_| findings.iter().all(|finding| finding.ok)) {
        findings.push(Finding::bad("sending", format!("deliveries wait: {reason}")).because(Cause::NotConfigured));
    }
    let ok = findings.iter().all(|finding| finding.ok);
    audit(&hub, &actor, "channel.tested", Some(&id), json!({ "ok": ok })).await?;
    let view = |finding: Finding| FindingView {
        check: finding.check,
        ok: finding.ok,
        code: finding.cause.map(Cause::as_str),
        detail: finding.detail,
    };
    Ok(Json(Tested { ok, findings: findings.into_iter().map(view).collect() }))
}
