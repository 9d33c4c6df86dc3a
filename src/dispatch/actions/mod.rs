//! What staff do to tickets. Every action is one transaction: the version seen is checked, the ticket is changed, and what follows
//! from it (deliveries, notices, audit, feed) is written beside it.

mod appeals;
mod calls;
mod desk;
mod moves;
mod reply;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

pub use appeals::{MoveAppeal, move_appeal, set_answer_address};
pub use calls::{CallOutcome, call_instead, finish_call, retry_delivery};
pub use desk::{UNDO, assign, classify, set_priority, undo_close};
pub use moves::{Dispatch, close, dispatch, note, reopen, reopen_in, send_back, sign};
pub use reply::{Reply, ask, reply};

use crate::domain::{Actor, Id, Move, TicketNumber, TicketState};
use crate::hub::Hub;
use crate::store::tickets::{self, AssignmentRow, TicketRow};
use crate::store::{Changes, Conn, Error, Event};

/// Which ticket, at which version the actor saw it, and who acts.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The ticket.
    pub number: TicketNumber,
    /// The version that was seen.
    pub version: i64,
    /// Who acts.
    pub actor: Actor,
}

/// Runs one action in the group commit; afterwards the feed and the outbox know.
///
/// # Errors
/// The action's own; then nothing of it is stored.
pub async fn write<T, F>(hub: &Arc<Hub>, action: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c Arc<Hub>, &'c mut Conn, &'c mut Changes) -> BoxFuture<'c, Result<T, Error>>
        + Send
        + Sync
        + 'static,
{
    let action = Arc::new(action);
    let job_hub = Arc::clone(hub);
    let (value, position) = hub
        .store
        .write(move |conn| {
            let (hub, action) = (Arc::clone(&job_hub), Arc::clone(&action));
            Box::pin(async move {
                let mut changes = hub.store.changes(hub.clock.millis());
                let value = action(&hub, conn, &mut changes).await?;
                Ok((value, changes.flush(conn).await?))
            })
        })
        .await?;
    hub.store.announce(position);
    hub.outbox_wake.notify_one();
    Ok(value)
}

/// What a department is told that has sent a ticket back or lost it to another one.
pub const NO_LONGER_YOURS: &str = "this ticket is no longer with your department";

/// The ticket, locked, at the version seen, where the move is allowed; and the state it leads to.
async fn begin(hub: &Hub, conn: &mut Conn, seen: &Seen, movement: Move) -> Result<(TicketRow, TicketState), Error> {
    let ticket = tickets::lock(conn, &hub.store.city, &seen.number, seen.version).await?;
    let Some(state) = ticket.state.after(movement) else { return Err(illegal(ticket.state, movement)) };
    Ok((ticket, state))
}

fn illegal(state: TicketState, movement: Move) -> Error {
    let legal: Vec<_> = state.legal().iter().map(|movement| movement.as_str()).collect();
    Error::Illegal(format!(
        "{} is not possible in state {}; possible are: {}",
        movement.as_str(),
        state.as_str(),
        legal.join(", ")
    ))
}

/// The running assignment through which an actor acts: its own department's; for others the lead's.
async fn acting_assignment(hub: &Hub, conn: &mut Conn, seen: &Seen) -> Result<Option<AssignmentRow>, Error> {
    let running = tickets::assignments(conn, &hub.store.city, &seen.number)
        .await?
        .into_iter()
        .filter(|assignment| assignment.ended_at.is_none());
    match seen.actor.scope() {
        None => Ok(running.into_iter().find(|assignment| assignment.role == "lead")),
        Some(department) => {
            let own = running.into_iter().find(|assignment| assignment.department == department);
            own.map(Some).ok_or_else(|| Error::Illegal(NO_LONGER_YOURS.to_owned()))
        }
    }
}

/// Notes an action in the audit log and in the feed.
fn record(
    changes: &mut Changes,
    seen: &Seen,
    kind: &'static str,
    state: TicketState,
    department: Option<String>,
    subject: Option<&Id>,
) {
    let detail = json!({ "id": subject, "actor": seen.actor.id, "version": seen.version + 1 }).to_string();
    changes.audit(&seen.actor.id, &format!("ticket.{kind}"), Some(seen.number.as_str()), Some(detail.clone()));
    changes.event(Event {
        kind,
        ticket: Some(seen.number.clone()),
        state: Some(state),
        department,
        detail: Some(detail),
    });
}

/// A text that says something.
fn said(text: &str, what: &str) -> Result<String, Error> {
    let text = text.trim().replace('\0', "");
    if channel_contract::is_blank(&text) { Err(Error::Invalid(format!("{what} must not be empty"))) } else { Ok(text) }
}
