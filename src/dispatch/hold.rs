//! Tickets whose dispatch waits for the citizen, and tickets that what the citizen adds puts in another light.

use routing_rules::{DecidedBy, Decision, Inputs, Priority};

use super::judge::{StoredFacts, decide};
use super::route::{Route, notify, route};
use crate::domain::{Id, Millis, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::store::dispatch as store;
use crate::store::{Changes, Conn, Error, Event, NewDecision};

const HOUR: Millis = 3_600_000;

/// Lets a waiting ticket go where its decision says; without a department it stays in triage, no longer waiting.
///
/// # Errors
/// [`Error`] of the store.
pub async fn release(hub: &Hub, conn: &mut Conn, changes: &mut Changes, number: &TicketNumber) -> Result<(), Error> {
    let city = hub.store.city.to_string();
    let now = changes.now();
    let Some(waiting) = store::waiting(conn, &city, number).await? else { return Ok(()) };
    let Some(department) = waiting.department else {
        store::set_route(conn, &city, number, TicketState::Triage, None, None, None, now).await?;
        return Ok(());
    };
    let by_table = || Millis::from(deadline_hours(hub, &waiting.kind, &waiting.priority)) * HOUR;
    let due_at = now + waiting.time_allowed.unwrap_or_else(by_table);
    store::set_route(
        conn,
        &city,
        number,
        TicketState::Dispatched,
        waiting.item.as_deref(),
        Some(&department),
        Some(due_at),
        now,
    )
    .await?;
    let assisting = Vec::new();
    route(
        hub,
        changes,
        &Route {
            number,
            item: waiting.item.as_deref(),
            department: &department,
            assisting: &assisting,
            due_at,
            event: "dispatched",
        },
    );
    Ok(())
}

/// The pack's deadline for a kind and a priority as stored.
#[must_use]
pub fn deadline_hours(hub: &Hub, kind: &str, priority: &str) -> u32 {
    let kind = routing_rules::AppealKind::parse(kind).unwrap_or(routing_rules::AppealKind::Help);
    let priority = routing_rules::Priority::parse(priority).unwrap_or(routing_rules::Priority::Normal);
    hub.rules().deadline_hours(kind, priority)
}

/// Moves everything of `from` to `to` and closes `from`: the citizen said that they are one matter.
///
/// # Errors
/// [`Error`] of the store.
pub async fn merge_into(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    from: &TicketNumber,
    to: &TicketNumber,
    by: &str,
) -> Result<(), Error> {
    let city = hub.store.city.to_string();
    let now = changes.now();
    // An answer that came late finds the ticket with a department already.
    if let (_, Some(department)) = store::place(conn, &city, from).await? {
        store::end_assignments(conn, &city, from, "withdrawn", Some("moved"), now).await?;
        notify(hub, changes, "notice_withdrawn", "withdrawn", from, None, &department, None);
    }
    let (state, department) = store::merge(conn, &city, from, to, by, now).await?;
    changes.event(Event {
        kind: "closed",
        ticket: Some(from.clone()),
        state: Some(TicketState::Closed),
        department: None,
        detail: None,
    });
    let detail = Some(serde_json::json!({ "from": from }).to_string());
    changes.event(Event { kind: "moved", ticket: Some(to.clone()), state: Some(state), department, detail });
    changes.audit(by, "ticket.merge", Some(to.as_str()), Some(serde_json::json!({ "from": from }).to_string()));
    Ok(())
}

/// Raises a ticket in which somebody may be in danger by what its citizen now says: the emergency numbers named, priority and
/// deadline as the rules have them for that, and no more waiting. Returns where it stands then.
///
/// # Errors
/// [`Error`] of the store.
pub async fn raise(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    number: &TicketNumber,
    danger: &Decision,
) -> Result<(TicketState, Option<String>), Error> {
    let city = hub.store.city.to_string();
    let urgency = store::urgency(conn, &city, number).await?;
    let named = urgency.emergency.split(',').filter(|named| !named.is_empty());
    let mut numbers: Vec<&str> = named.collect();
    numbers.extend(danger.emergency.iter().map(String::as_str).filter(|new| !urgency.emergency.contains(new)));
    let priority = Priority::parse(&urgency.priority).unwrap_or(Priority::Normal).max(danger.priority);
    let by_table = changes.now() + Millis::from(deadline_hours(hub, &urgency.kind, priority.as_str())) * HOUR;
    let due_at = urgency.due_at.map_or(by_table, |due_at| due_at.min(by_table));
    store::set_emergency(conn, &city, number, &numbers.join(",")).await?;
    crate::store::tickets::set_priority(conn, &city, number, priority.as_str(), due_at).await?;
    release(hub, conn, changes, number).await?;
    store::place(conn, &city, number).await
}

/// Judges a ticket again with everything that its citizen has said so far, and sends it elsewhere when the rules now say so.
/// A person's decision stands. Returns the state and department when they changed.
///
/// # Errors
/// [`Error`] of the store.
pub async fn judge_again(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    number: &TicketNumber,
    latest: &Inputs,
) -> Result<Option<(TicketState, Option<String>)>, Error> {
    let city = hub.store.city.to_string();
    let Some(now_stands) = store::standing(conn, &city, number).await? else { return Ok(None) };
    if now_stands.decided_by == "person" || !now_stands.state.before_sign() || now_stands.hold_until.is_some() {
        return Ok(None);
    }
    let before: StoredFacts = serde_json::from_str(&now_stands.facts).unwrap_or_default();
    // A person decides on it who shall not see what the rules say.
    if before.unseen.is_some() {
        return Ok(None);
    }
    let (subject, texts) = crate::store::intake::ticket_texts(conn, &city, number).await?;
    let mut facts = if before.inputs == Inputs::default() { latest.clone() } else { before.inputs };
    facts.language = facts.language.or_else(|| latest.language.clone());
    facts.attachments = facts.attachments.zip(latest.attachments).map(|(before, more)| before.saturating_add(more));
    let rules = hub.rules();
    facts.local_time = latest.local_time;
    let text = texts.join("\n");
    let decision = decide(&rules, subject.as_deref(), &text, &facts);
    let changed = decision.decided_by != DecidedBy::Abstain
        && (decision.department != now_stands.department || decision.item != now_stands.item);
    let (Some(department), true) = (decision.department.clone(), changed) else { return Ok(None) };
    let now = changes.now();
    let due_at = now + Millis::from(decision.deadline_hours) * HOUR;
    let id: Id = new_id(now);
    changes.decision(NewDecision {
        id: id.clone(),
        ticket: number.clone(),
        decided_by: decision.decided_by.as_str().to_owned(),
        item: decision.item.clone(),
        department: decision.department.clone(),
        reason: None,
        confidence: Some(decision.confidence),
        rule_set: Some(decision.trace.rule_set.clone()),
        ranked: serde_json::to_string(&decision.ranked).unwrap_or_default(),
        trace: serde_json::to_string(&decision.trace).unwrap_or_default(),
        facts: StoredFacts { inputs: facts, unseen: None, text: Some(text) }.json(),
        actor: None,
    });
    store::set_decision(conn, &city, number, &id).await?;
    let same_department =
        now_stands.state == TicketState::Dispatched && now_stands.department.as_ref() == Some(&department);
    let keep_due = if same_department { now_stands.due_at } else { None };
    store::set_route(
        conn,
        &city,
        number,
        TicketState::Dispatched,
        decision.item.as_deref(),
        Some(&department),
        Some(keep_due.unwrap_or(due_at)),
        now,
    )
    .await?;
    if !same_department {
        store::end_assignments(conn, &city, number, "withdrawn", None, now).await?;
        if let Some(old) = &now_stands.department {
            notify(hub, changes, "notice_withdrawn", "withdrawn", number, now_stands.item.as_deref(), old, None);
        }
        route(
            hub,
            changes,
            &Route {
                number,
                item: decision.item.as_deref(),
                department: &department,
                assisting: &decision.assisting,
                due_at,
                event: "dispatched",
            },
        );
    }
    Ok(Some((TicketState::Dispatched, Some(department))))
}

/// Releases every ticket whose wait is over. Returns how many.
///
/// # Errors
/// [`Error`] of the store.
pub async fn release_due(hub: &std::sync::Arc<Hub>) -> Result<usize, Error> {
    let now = hub.clock.millis();
    let due = store::holds_due(&mut hub.store.read().await?, &hub.store.city, now).await?;
    let count = due.len();
    for number in due {
        let job_hub = std::sync::Arc::clone(hub);
        let position = hub
            .store
            .write(move |conn| {
                let (hub, number) = (std::sync::Arc::clone(&job_hub), number.clone());
                Box::pin(async move {
                    let mut changes = hub.store.changes(hub.clock.millis());
                    release(&hub, conn, &mut changes, &number).await?;
                    changes.flush(conn).await
                })
            })
            .await?;
        hub.store.announce(position);
        hub.outbox_wake.notify_one();
    }
    Ok(count)
}
