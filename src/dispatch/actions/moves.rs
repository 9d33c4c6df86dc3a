//! Moves through the workflow: sign, send back, dispatch, note, close, reopen.

use std::sync::Arc;

use super::reply::sent;
use super::{Seen, acting_assignment, begin, illegal, record, said, write};
use crate::dispatch::{Route, deadline_hours, notify, route};
use crate::domain::{Millis, Move, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::store::dispatch as routes;
use crate::store::tickets::{self, TicketRow, Update};
use crate::store::{Changes, Conn, Error, Event, NewDecision};

const HOUR: Millis = 3_600_000;

/// A department signs for its part; the ticket is signed with the lead's.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::NotFound`], or of the store.
pub async fn sign(hub: &Arc<Hub>, seen: Seen) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let seen = seen.clone();
        Box::pin(async move {
            let city = &hub.store.city;
            let ticket = tickets::lock(conn, city, &seen.number, seen.version).await?;
            let assignment =
                acting_assignment(hub, conn, &seen).await?.ok_or_else(|| illegal(ticket.state, Move::Sign))?;
            if assignment.state != "dispatched" {
                return Err(illegal(ticket.state, Move::Sign));
            }
            let state = if assignment.role == "lead" {
                ticket.state.after(Move::Sign).ok_or_else(|| illegal(ticket.state, Move::Sign))?
            } else {
                ticket.state
            };
            tickets::set_assignment(conn, city, &seen.number, &assignment.id, "signed", changes.now()).await?;
            update(conn, hub, &ticket, state, changes).await?;
            record(changes, &seen, "signed", state, ticket.department.clone(), Some(&assignment.id));
            Ok(())
        })
    })
    .await
}

/// The lead hands the ticket back to the desk; an assisting department only ends its own part.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::Invalid`] without a reason, [`Error::NotFound`], or of the store.
pub async fn send_back(hub: &Arc<Hub>, seen: Seen, reason: String, text: String) -> Result<(), Error> {
    let reason = said(&reason, "reason")?;
    write(hub, move |hub, conn, changes| {
        let (seen, reason, text) = (seen.clone(), reason.clone(), text.clone());
        Box::pin(async move {
            let (ticket, state) = begin(hub, conn, &seen, Move::SendBack).await?;
            let city = &hub.store.city;
            let now = changes.now();
            let assignment =
                acting_assignment(hub, conn, &seen).await?.ok_or_else(|| illegal(ticket.state, Move::SendBack))?;
            let lead = assignment.role == "lead";
            let reply = new_id(now);
            let note = if text.trim().is_empty() { reason.clone() } else { format!("{reason}: {}", text.trim()) };
            changes.reply(&reply, &seen.number, None, "send_back", &note, &seen.actor.id, Some(&assignment.department));
            let state = if lead { state } else { ticket.state };
            if lead {
                routes::end_assignments(conn, city, &seen.number, "sent_back", Some(&reason), now).await?;
            } else {
                tickets::end_assignment(conn, city, &seen.number, &assignment.id, "sent_back", Some(&reason), now)
                    .await?;
            }
            if lead {
                tickets::set_assignee(conn, city, &seen.number, None).await?;
            }
            let update = Update { state: Some(state), closed_at: None, without_department: lead };
            tickets::update_ticket(conn, city, &seen.number, ticket.version, &update, now).await?;
            sent(hub, conn, &seen, "send_back").await?;
            record(changes, &seen, "sent_back", state, if lead { None } else { ticket.department }, Some(&reply));
            Ok(())
        })
    })
    .await
}

/// Where a person sends a ticket.
#[derive(Debug, Clone, Default)]
pub struct Dispatch {
    /// The department; without one the dispatch catalogue names it by item and district.
    pub department: Option<String>,
    /// The item; without one it stays as it is.
    pub item: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Gives a ticket to a department, or to another one. The clock that runs since the first dispatch goes on.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::Invalid`] for unknown names, [`Error::NotFound`], or of the store.
pub async fn dispatch(hub: &Arc<Hub>, seen: Seen, to: Dispatch) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (seen, to) = (seen.clone(), to.clone());
        Box::pin(async move {
            let (ticket, state) = begin(hub, conn, &seen, Move::Dispatch).await?;
            let (city, now, rules) = (hub.store.city.to_string(), changes.now(), hub.rules());
            if let Some(item) = to.item.as_deref().filter(|item| rules.item(item).is_none()) {
                return Err(Error::Invalid(format!("there is no item {item}")));
            }
            let item = to.item.clone().or_else(|| ticket.item.clone());
            let by_catalogue =
                || item.as_deref().and_then(|item| rules.department_for(item, ticket.district.as_deref()));
            let department = to.department.as_deref().or_else(by_catalogue);
            let Some(department) = department.filter(|id| rules.department(id).is_some()).map(str::to_owned) else {
                return Err(Error::Invalid(match &to.department {
                    Some(id) => format!("there is no department {id}"),
                    None => "name a department, or an item that the dispatch catalogue knows".to_owned(),
                }));
            };
            let before = tickets::assignments(conn, &city, &seen.number).await?;
            let fresh = now + Millis::from(deadline_hours(hub, &ticket.kind, &ticket.priority)) * HOUR;
            let due_at = ticket.due_at.filter(|_| !before.is_empty()).unwrap_or(fresh);
            let facts = tickets::decisions(conn, &city, &seen.number)
                .await?
                .pop()
                .map_or_else(|| "{}".to_owned(), |last| last.facts);
            let decision = new_id(now);
            changes.decision(NewDecision {
                id: decision.clone(),
                ticket: seen.number.clone(),
                decided_by: "person".to_owned(),
                item: item.clone(),
                department: Some(department.clone()),
                reason: to.reason.clone(),
                confidence: None,
                rule_set: Some(rules.version().to_owned()),
                ranked: "[]".to_owned(),
                trace: "null".to_owned(),
                facts,
                actor: Some(seen.actor.id.clone()),
            });
            routes::set_decision(conn, &city, &seen.number, &decision).await?;
            for old in
                before.iter().filter(|assignment| assignment.ended_at.is_none() && assignment.department != department)
            {
                notify(
                    hub,
                    changes,
                    "notice_withdrawn",
                    "withdrawn",
                    &seen.number,
                    ticket.item.as_deref(),
                    &old.department,
                    None,
                );
            }
            routes::end_assignments(conn, &city, &seen.number, "withdrawn", to.reason.as_deref(), now).await?;
            if ticket.department.as_ref() != Some(&department) {
                tickets::set_assignee(conn, &city, &seen.number, None).await?;
            }
            routes::set_route(conn, &city, &seen.number, state, item.as_deref(), Some(&department), Some(due_at), now)
                .await?;
            let detail = serde_json::json!({ "department": department, "item": item, "reason": to.reason }).to_string();
            changes.audit(&seen.actor.id, "ticket.dispatched", Some(seen.number.as_str()), Some(detail));
            sent(hub, conn, &seen, "dispatch").await?;
            route(
                hub,
                changes,
                &Route {
                    number: &seen.number,
                    item: item.as_deref(),
                    department: &department,
                    assisting: &[],
                    due_at,
                    event: "dispatched",
                },
            );
            Ok(())
        })
    })
    .await
}

/// An internal note.
///
/// # Errors
/// [`Error::Changed`], [`Error::Invalid`] without a text, [`Error::NotFound`], or of the store.
pub async fn note(hub: &Arc<Hub>, seen: Seen, text: String) -> Result<(), Error> {
    let text = said(&text, "text")?;
    write(hub, move |hub, conn, changes| {
        let (seen, text) = (seen.clone(), text.clone());
        Box::pin(async move {
            let (ticket, _) = begin(hub, conn, &seen, Move::Note).await?;
            if let Some(department) = seen.actor.scope()
                && !tickets::with_department(conn, &hub.store.city, &seen.number, department).await?
            {
                return Err(Error::Illegal(super::NO_LONGER_YOURS.to_owned()));
            }
            let now = changes.now();
            let id = new_id(now);
            changes.reply(&id, &seen.number, None, "note", &text, &seen.actor.id, seen.actor.department.as_deref());
            tickets::update_ticket(conn, &hub.store.city, &seen.number, ticket.version, &Update::default(), now)
                .await?;
            sent(hub, conn, &seen, "note").await?;
            record(changes, &seen, "noted", ticket.state, ticket.department, Some(&id));
            Ok(())
        })
    })
    .await
}

/// Ends a ticket.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::NotFound`], or of the store.
pub async fn close(hub: &Arc<Hub>, seen: Seen, reason: Option<String>) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (seen, reason) = (seen.clone(), reason.clone());
        Box::pin(async move {
            let (ticket, state) = begin(hub, conn, &seen, Move::Close).await?;
            let now = changes.now();
            let text = reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
            let note = text.map(|text| {
                let id = new_id(now);
                changes.reply(&id, &seen.number, None, "note", text, &seen.actor.id, seen.actor.department.as_deref());
                id
            });
            routes::end_assignments(conn, &hub.store.city, &seen.number, "closed", text, now).await?;
            update(conn, hub, &ticket, state, changes).await?;
            sent(hub, conn, &seen, "close").await?;
            record(changes, &seen, "closed", state, ticket.department, note.as_ref());
            Ok(())
        })
    })
    .await
}

/// Begins again, with the department that had the ticket or, without one, at the desk.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::NotFound`], or of the store.
pub async fn reopen(hub: &Arc<Hub>, seen: Seen, reason: Option<String>) -> Result<(), Error> {
    write(hub, move |hub, conn, changes| {
        let (seen, reason) = (seen.clone(), reason.clone());
        Box::pin(async move {
            let (ticket, _) = begin(hub, conn, &seen, Move::Reopen).await?;
            let department = seen.actor.department.as_deref();
            if let Some(text) = reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty()) {
                changes.reply(&new_id(changes.now()), &seen.number, None, "note", text, &seen.actor.id, department);
            }
            reopen_in(hub, conn, changes, &ticket, &seen.actor.id).await
        })
    })
    .await
}

/// Reopens a ticket within a transaction that has locked it; also for its citizen, on `/track`.
///
/// # Errors
/// [`Error::Illegal`], or of the store.
pub async fn reopen_in(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    ticket: &TicketRow,
    actor: &str,
) -> Result<(), Error> {
    let (city, now, number): (String, Millis, &TicketNumber) =
        (hub.store.city.to_string(), changes.now(), &ticket.number);
    ticket.state.after(Move::Reopen).ok_or_else(|| illegal(ticket.state, Move::Reopen))?;
    routes::end_assignments(conn, &city, number, "ended", None, now).await?;
    changes.audit(actor, "ticket.reopened", Some(number.as_str()), None);
    let state = if ticket.department.is_some() { TicketState::Dispatched } else { TicketState::Triage };
    let due_at = now + Millis::from(deadline_hours(hub, &ticket.kind, &ticket.priority)) * HOUR;
    if ticket.department.is_some() {
        tickets::set_due(conn, &city, number, due_at).await?;
    }
    // What a transaction changes stands before the version that it makes.
    let update = Update { state: Some(state), ..Update::default() };
    tickets::update_ticket(conn, &city, number, ticket.version, &update, now).await?;
    if let Some(department) = &ticket.department {
        route(
            hub,
            changes,
            &Route { number, item: ticket.item.as_deref(), department, assisting: &[], due_at, event: "reopened" },
        );
    } else {
        changes.event(Event {
            kind: "reopened",
            ticket: Some(number.clone()),
            state: Some(state),
            department: None,
            detail: None,
        });
    }
    Ok(())
}

async fn update(
    conn: &mut Conn,
    hub: &Hub,
    ticket: &TicketRow,
    state: TicketState,
    changes: &Changes,
) -> Result<(), Error> {
    let now = changes.now();
    let update = Update {
        state: Some(state),
        closed_at: (state == TicketState::Closed).then_some(now),
        without_department: false,
    };
    tickets::update_ticket(conn, &hub.store.city, &ticket.number, ticket.version, &update, now).await
}
