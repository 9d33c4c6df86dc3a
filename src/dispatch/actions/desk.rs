//! What the desk sets right without moving a ticket: who works on it, its item, its priority; and a close taken back.

use std::sync::Arc;

use routing_rules::Priority;

use super::{Seen, record, said, write};
use crate::dispatch::deadline_hours;
use crate::domain::{Millis, TicketState, new_id};
use crate::hub::Hub;
use crate::store::dispatch as routes;
use crate::store::tickets::{self, Update};
use crate::store::{Conn, Error, NewDecision, history, staff};

const HOUR: Millis = 3_600_000;

/// For how long the person who closed a ticket may take that back, milliseconds.
pub const UNDO: Millis = 10_000;

/// Gives a ticket to a person, who is named as the audit log does, or to nobody.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`] when it is closed, [`Error::Invalid`] for somebody who cannot see it,
/// [`Error::NotFound`], or of the store.
pub async fn assign(hub: &Arc<Hub>, seen: Seen, to: Option<String>) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (seen, to) = (seen.clone(), to.clone());
        Box::pin(async move {
            let city = &hub.store.city;
            let ticket = tickets::lock(conn, city, &seen.number, seen.version).await?;
            open(ticket.state, "assign")?;
            if let Some(to) = to.as_deref().filter(|to| *to != seen.actor.id) {
                may_work(conn, city, &seen, to).await?;
            }
            tickets::set_assignee(conn, city, &seen.number, to.as_deref()).await?;
            tickets::update_ticket(conn, city, &seen.number, ticket.version, &Update::default(), changes.now()).await?;
            record(changes, &seen, "assigned", ticket.state, ticket.department, None);
            Ok(())
        })
    })
    .await
}

fn open(state: TicketState, what: &str) -> Result<(), Error> {
    if state == TicketState::Closed {
        return Err(Error::Illegal(format!("{what} is not possible in state closed; reopen it first")));
    }
    Ok(())
}

/// Whether a member of staff may work on a ticket: not disabled, and a handler only on its own department's.
async fn may_work(conn: &mut Conn, city: &str, seen: &Seen, to: &str) -> Result<(), Error> {
    let row = match to.strip_prefix("staff:") {
        Some(id) => staff::by_id(conn, city, id).await?,
        None => None,
    };
    let Some(row) = row.filter(|row| row.disabled_at.is_none()) else {
        return Err(Error::Invalid("there is no such member of staff".to_owned()));
    };
    match row.actor().scope() {
        Some(department) if !tickets::names_department(conn, city, &seen.number, department).await? => {
            Err(Error::Invalid("this person's department does not have the ticket".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Gives a ticket another service item; the department keeps it.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`] when it is closed, [`Error::Invalid`] for an unknown item or without a reason,
/// [`Error::NotFound`], or of the store.
pub async fn classify(hub: &Arc<Hub>, seen: Seen, item: String, reason: String) -> Result<(), Error> {
    let reason = said(&reason, "reason")?;
    if hub.rules().item(&item).is_none() {
        return Err(Error::Invalid(format!("there is no item {item}")));
    }
    write(hub, move |hub, conn, changes| {
        let (seen, item, reason) = (seen.clone(), item.clone(), reason.clone());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let ticket = tickets::lock(conn, &city, &seen.number, seen.version).await?;
            open(ticket.state, "classify")?;
            let facts = tickets::decisions(conn, &city, &seen.number)
                .await?
                .pop()
                .map_or_else(|| "{}".to_owned(), |last| last.facts);
            let decision = new_id(now);
            changes.decision(NewDecision {
                id: decision.clone(),
                ticket: seen.number.clone(),
                decided_by: "person".to_owned(),
                item: Some(item.clone()),
                department: ticket.department.clone(),
                reason: Some(reason),
                confidence: None,
                rule_set: Some(hub.rules().version().to_owned()),
                ranked: "[]".to_owned(),
                trace: "null".to_owned(),
                facts,
                actor: Some(seen.actor.id.clone()),
            });
            routes::set_decision(conn, &city, &seen.number, &decision).await?;
            tickets::set_item(conn, &city, &seen.number, &item).await?;
            tickets::update_ticket(conn, &city, &seen.number, ticket.version, &Update::default(), now).await?;
            record(changes, &seen, "classified", ticket.state, ticket.department, Some(&decision));
            Ok(())
        })
    })
    .await
}

/// Changes how pressing a ticket is; the deadline follows, counted from the dispatch.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`] when it is closed, [`Error::Invalid`] for an unknown priority or without a reason,
/// [`Error::NotFound`], or of the store.
pub async fn set_priority(hub: &Arc<Hub>, seen: Seen, priority: String, reason: String) -> Result<(), Error> {
    let reason = said(&reason, "reason")?;
    let priority = Priority::parse(&priority)
        .ok_or_else(|| Error::Invalid(format!("{priority} is no priority; write low, normal, high or urgent")))?;
    write(hub, move |hub, conn, changes| {
        let (seen, reason) = (seen.clone(), reason.clone());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let ticket = tickets::lock(conn, &city, &seen.number, seen.version).await?;
            open(ticket.state, "priority")?;
            let began = tickets::assignments(conn, &city, &seen.number)
                .await?
                .first()
                .map_or(ticket.created_at, |first| first.assigned_at);
            let due_at = began + Millis::from(deadline_hours(hub, &ticket.kind, priority.as_str())) * HOUR;
            tickets::set_priority(conn, &city, &seen.number, priority.as_str(), due_at).await?;
            let note = new_id(now);
            changes.reply(&note, &seen.number, None, "note", &reason, &seen.actor.id, seen.actor.department.as_deref());
            tickets::update_ticket(conn, &city, &seen.number, ticket.version, &Update::default(), now).await?;
            record(changes, &seen, "prioritised", ticket.state, ticket.department, Some(&note));
            Ok(())
        })
    })
    .await
}

/// Takes a close back: by whom it was closed, within [`UNDO`].
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`] when it was closed by somebody else or longer ago, [`Error::NotFound`], or of the store.
pub async fn undo_close(hub: &Arc<Hub>, seen: Seen) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let seen = seen.clone();
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let ticket = tickets::lock(conn, &city, &seen.number, seen.version).await?;
            let last = history::changes_since(conn, &city, &seen.number, ticket.version - 1).await?.pop();
            let before = last.as_ref().and_then(|last| last.before_state());
            let by = history::actors_at(conn, &city, &seen.number, ticket.updated_at).await?;
            let closed = by.iter().any(|(actor, action)| *actor == seen.actor.id && action == "ticket.closed");
            let (Some(state), Some(closed_at), true) = (before, ticket.closed_at, closed) else {
                return Err(Error::Illegal("only who closed a ticket last can take that back".to_owned()));
            };
            if now - closed_at > UNDO {
                return Err(Error::Illegal("that was too long ago to be taken back; reopen the ticket".to_owned()));
            }
            tickets::revive_assignments(conn, &city, &seen.number, closed_at).await?;
            let update = Update { state: Some(state), ..Update::default() };
            tickets::update_ticket(conn, &city, &seen.number, ticket.version, &update, now).await?;
            record(changes, &seen, "close_undone", state, ticket.department, None);
            Ok(())
        })
    })
    .await
}
