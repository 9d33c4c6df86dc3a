//! The provider's word on an earlier send.

use std::sync::Arc;

use channel_contract::{Report, ReportStatus, ReportSubject};

use super::fallback;
use crate::domain::{TicketNumber, TicketState};
use crate::hub::Hub;
use crate::store::deliveries as store;
use crate::store::{Changes, Conn, Error, Event};

/// What a report changed.
#[derive(Debug, Clone)]
pub struct Effect {
    /// The ticket it concerns.
    pub ticket: Option<TicketNumber>,
}

/// The word of a status in the database.
#[must_use]
pub const fn word(status: ReportStatus) -> &'static str {
    match status {
        ReportStatus::Underway => "underway",
        ReportStatus::Delivered => "delivered",
        ReportStatus::Failed => "failed",
    }
}

/// Reads the word back.
#[must_use]
pub fn status(word: &str) -> ReportStatus {
    match word {
        "delivered" => ReportStatus::Delivered,
        "failed" => ReportStatus::Failed,
        _ => ReportStatus::Underway,
    }
}

/// Applies a report to its attempt, part, delivery and ticket. `None`: its attempt is not known yet, the report has to wait.
///
/// # Errors
/// [`Error`] of the store.
pub async fn apply(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    account: &str,
    report: &Report,
) -> Result<Option<Effect>, Error> {
    let city = hub.store.city.to_string();
    let (attempt, provider_id) = match &report.subject {
        ReportSubject::Attempt(id) => (Some(id.as_str()), None),
        ReportSubject::ProviderId(id) => (None, Some(id.as_str())),
    };
    let Some(found) = store::find_attempt(conn, &city, account, attempt, provider_id).await? else { return Ok(None) };
    let now = changes.now();
    store::set_report(conn, &city, &found.attempt, word(report.status), report.error.as_deref(), now).await?;
    match report.status {
        ReportStatus::Underway => {}
        ReportStatus::Delivered => {
            store::set_part(conn, &city, &found.delivery, found.part, "delivered", None, now).await?;
            // A failure that was reported stays: states never go backwards.
            if found.state != "failed" && store::unfinished_parts(conn, &city, &found.delivery, true).await? == 0 {
                store::set_state(conn, &city, &found.delivery, "delivered", None, None, 0, now).await?;
                delivered(hub, conn, changes, &found.delivery, &found.kind, found.ticket.as_ref()).await?;
            }
        }
        ReportStatus::Failed => {
            if found.state != "failed" {
                store::set_part(conn, &city, &found.delivery, found.part, "failed", None, now).await?;
                let reason = report.error.as_deref().unwrap_or("the provider reports that it failed");
                failed(hub, conn, changes, &found.delivery, reason).await?;
            }
        }
    }
    Ok(Some(Effect { ticket: found.ticket }))
}

/// What follows when a delivery has arrived.
///
/// # Errors
/// [`Error`] of the store.
pub async fn delivered(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    delivery: &str,
    kind: &str,
    ticket: Option<&TicketNumber>,
) -> Result<(), Error> {
    let city = hub.store.city.to_string();
    let detail = Some(serde_json::json!({ "delivery": delivery }).to_string());
    let Some(ticket) = ticket.filter(|_| kind == "reply") else { return Ok(()) };
    if let Some(department) = store::set_ticket_delivered(conn, &city, ticket, true, changes.now()).await? {
        changes.event(Event {
            kind: "delivered",
            ticket: Some(ticket.clone()),
            state: Some(TicketState::Delivered),
            department,
            detail,
        });
    }
    Ok(())
}

/// The citizen has opened the progress page, which is the report on the answers that waited there.
///
/// # Errors
/// [`Error`] of the store.
pub async fn read_on_page(hub: &Arc<Hub>, number: &TicketNumber) -> Result<(), Error> {
    let (job, number) = (Arc::clone(hub), number.clone());
    let position = hub
        .store
        .write(move |conn| {
            let (hub, number) = (Arc::clone(&job), number.clone());
            Box::pin(async move {
                let city = hub.store.city.to_string();
                let now = hub.clock.millis();
                let mut changes = hub.store.changes(now);
                for (id, kind) in store::waiting_on_page(conn, &city, &number).await? {
                    store::set_state(conn, &city, &id, "delivered", None, None, 0, now).await?;
                    delivered(&hub, conn, &mut changes, &id, &kind, Some(&number)).await?;
                }
                changes.flush(conn).await
            })
        })
        .await?;
    hub.store.announce(position);
    Ok(())
}

/// What follows when a delivery will not arrive at its address: it is marked, an answer that counted as delivered is revoked,
/// and the next address is tried.
///
/// # Errors
/// [`Error`] of the store.
pub async fn failed(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    delivery: &str,
    reason: &str,
) -> Result<(), Error> {
    let city = hub.store.city.to_string();
    let now = changes.now();
    store::set_state(conn, &city, delivery, "failed", Some(reason), None, 0, now).await?;
    metrics::counter!("yingda_deliveries_failed_total").increment(1);
    let Some(failed) = store::get(conn, &city, delivery).await? else { return Ok(()) };
    let detail = Some(serde_json::json!({ "delivery": delivery }).to_string());
    let mut state = None;
    let mut department = None;
    if let Some(ticket) = failed.ticket.as_ref().filter(|_| failed.kind == "reply")
        && let Some(owner) = store::set_ticket_delivered(conn, &city, ticket, false, now).await?
    {
        state = Some(TicketState::Replied);
        department = owner;
    }
    changes.event(Event { kind: "delivery_failed", ticket: failed.ticket.clone(), state, department, detail });
    fallback::next(hub, conn, changes, &failed).await
}
