//! Deliveries in the hands of people: calls to make, and messages that are stuck.

use std::sync::Arc;

use serde_json::json;

use super::write;
use crate::dispatch::answer;
use crate::domain::{Actor, new_id};
use crate::hub::Hub;
use crate::outbox::report;
use crate::store::{Error, Event, deliveries, tickets};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The citizen has the answer.
    Done,
    /// The citizen could not be reached.
    Failed,
}

/// Records how the call of a call task ended; a reached citizen counts as a delivered answer.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Illegal`] when it is no call that waits, or of the store.
pub async fn finish_call(
    hub: &Arc<Hub>,
    actor: Actor,
    delivery: String,
    outcome: CallOutcome,
    note: String,
) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (actor, delivery, note) = (actor.clone(), delivery.clone(), note.trim().to_owned());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let task = tickets::lock_delivery(conn, &city, &delivery).await?;
            if task.channel != "phone" || task.state != "queued" {
                return Err(Error::Illegal("this is no call that waits to be made".to_owned()));
            }
            let attempt = new_id(now);
            deliveries::add_attempt(conn, &city, &attempt, &delivery, &task.account, 1, now).await?;
            let reason = if note.is_empty() { None } else { Some(note.as_str()) };
            match outcome {
                CallOutcome::Done => {
                    deliveries::end_attempt(conn, &city, attempt.as_str(), "accepted", None, None, now).await?;
                    deliveries::set_report(conn, &city, attempt.as_str(), "delivered", None, now).await?;
                    tickets::set_delivery(conn, &city, &task.id, "delivered", reason, None, now).await?;
                    report::delivered(hub, conn, changes, &delivery, &task.kind, task.ticket.as_ref()).await?;
                }
                CallOutcome::Failed => {
                    let reason = reason.unwrap_or("the citizen could not be reached by telephone");
                    deliveries::end_attempt(conn, &city, attempt.as_str(), "permanent", None, Some(reason), now).await?;
                    report::failed(hub, conn, changes, &delivery, reason).await?;
                }
            }
            if let (Some(ticket), Some(note)) = (&task.ticket, reason) {
                changes.reply(&new_id(now), ticket, None, "note", note, &actor.id, actor.department.as_deref());
            }
            let detail = json!({ "delivery": delivery, "outcome": if outcome == CallOutcome::Done { "done" } else { "failed" } }).to_string();
            changes.audit(&actor.id, "call.finished", task.ticket.as_ref().map(crate::domain::TicketNumber::as_str), Some(detail));
            Ok(())
        })
    })
    .await
}

/// Lets a delivery that is stuck or failed try again at once, at the same address.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Illegal`] when there is nothing to try again, or of the store.
pub async fn retry_delivery(hub: &Arc<Hub>, actor: Actor, delivery: String) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (actor, delivery) = (actor.clone(), delivery.clone());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let stuck = tickets::lock_delivery(conn, &city, &delivery).await?;
            if !matches!(stuck.state.as_str(), "queued" | "failed" | "uncertain") || stuck.channel == "phone" {
                return Err(Error::Illegal(format!(
                    "a delivery of channel {} in state {} cannot be tried again",
                    stuck.channel, stuck.state
                )));
            }
            let waits = if matches!(stuck.channel.as_str(), "webhook" | "webform") {
                None
            } else {
                hub.cannot_send(&stuck.account)
            };
            let next_at = waits.is_none().then_some(now);
            tickets::revive_parts(conn, &city, &stuck.id, now).await?;
            tickets::set_delivery(conn, &city, &stuck.id, "queued", waits.as_deref(), next_at, now).await?;
            let detail = json!({ "delivery": delivery, "was": stuck.state }).to_string();
            changes.audit(
                &actor.id,
                "delivery.retried",
                stuck.ticket.as_ref().map(crate::domain::TicketNumber::as_str),
                Some(detail),
            );
            Ok(())
        })
    })
    .await
}

/// Makes a call task out of an answer that is stuck, failed or uncertain on its channel; the number is one that the citizen
/// named, and empty when there is none.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Illegal`] when it is no answer or has arrived, or of the store.
pub async fn call_instead(hub: &Arc<Hub>, actor: Actor, delivery: String) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (actor, delivery) = (actor.clone(), delivery.clone());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let stuck = tickets::lock_delivery(conn, &city, &delivery).await?;
            let waits = matches!(stuck.state.as_str(), "queued" | "failed" | "uncertain") && stuck.channel != "phone";
            let (Some(number), Some(reply), true) = (&stuck.ticket, &stuck.reply_id, waits) else {
                return Err(Error::Illegal(format!(
                    "a delivery of kind {} and channel {} in state {} cannot become a call",
                    stuck.kind, stuck.channel, stuck.state
                )));
            };
            let ticket = tickets::get(conn, &city, number).await?.ok_or(Error::NotFound)?;
            let replies = tickets::replies(conn, &city, number).await?;
            let reply = replies.iter().find(|row| row.id.as_str() == reply).ok_or(Error::NotFound)?;
            if tickets::deliveries(conn, &city, number).await?.iter().any(|other| {
                other.reply_id.as_deref() == Some(reply.id.as_str())
                    && other.channel == "phone"
                    && matches!(other.state.as_str(), "queued" | "delivered")
            }) {
                return Err(Error::Illegal("there is a call for this answer already".to_owned()));
            }
            let named = deliveries::named_addresses(conn, &city, number).await?;
            let telephone = |channel: &str| named.iter().find(|(known, _, _)| known == channel);
            let address = telephone("phone").or_else(|| telephone("sms")).map_or("", |(_, _, address)| address);
            let reason = "an agent calls instead";
            tickets::set_delivery(conn, &city, &stuck.id, "failed", Some(reason), None, now).await?;
            let to = answer::AnswerAddress::call(address);
            let call = answer::answer_delivery(hub, changes, &ticket, &answer::Words::of(reply), to, Some(&stuck.id));
            let detail = json!({ "delivery": delivery, "call": call, "actor": actor.id }).to_string();
            changes.audit(&actor.id, "delivery.called_instead", Some(number.as_str()), Some(detail.clone()));
            changes.event(Event {
                kind: "call_task",
                ticket: Some(number.clone()),
                state: Some(ticket.state),
                department: ticket.department,
                detail: Some(detail),
            });
            Ok(())
        })
    })
    .await
}
