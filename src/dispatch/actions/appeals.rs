//! Appeals that belong elsewhere, and where answers go.

use std::sync::Arc;

use channel_contract::{DeliveryKind, Medium, Message};
use routing_rules::DecidedBy;
use serde_json::json;

use super::{Seen, record, said, write};
use crate::dispatch::{Circumstances, Route, answer, judge, route};
use crate::domain::{Millis, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::store::tickets::{self, AppealRow, TicketRow, Update};
use crate::store::{Changes, Conn, Error, Event, NewDelivery, NewTicket, dispatch as routes, intake};

const HOUR: Millis = 3_600_000;

/// Which appeal goes where.
#[derive(Debug, Clone)]
pub struct MoveAppeal {
    /// The appeal.
    pub appeal: String,
    /// The ticket it goes to; `None` is a new one.
    pub to: Option<TicketNumber>,
}

/// Moves an appeal with its files to another or a new ticket and tells the citizen. A ticket that loses its last appeal is closed
/// and points to where it went. Returns the number of the ticket that now has it.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::Invalid`], [`Error::NotFound`], or of the store.
pub async fn move_appeal(hub: &Arc<Hub>, seen: Seen, command: MoveAppeal) -> Result<TicketNumber, Error> {
    write(hub, move |hub, conn, changes| {
        let (seen, command) = (seen.clone(), command.clone());
        Box::pin(async move {
            let (city, now) = (hub.store.city.to_string(), changes.now());
            // Two tickets are locked in the order of their numbers, so that two movers cannot wait for each other.
            if let Some(to) = command.to.as_ref().filter(|to| **to < seen.number) {
                tickets::lock_any(conn, &city, to).await?;
            }
            let source = tickets::lock(conn, &city, &seen.number, seen.version).await?;
            let appeals = tickets::appeals(conn, &city, &seen.number).await?;
            let appeal =
                appeals.iter().find(|appeal| appeal.id.as_str() == command.appeal).cloned().ok_or(Error::NotFound)?;
            if appeal.part_of.is_some() {
                return Err(Error::Invalid("a part of an album moves with its album".to_owned()));
            }
            let target = match &command.to {
                Some(to) if *to == seen.number => return Err(Error::Invalid("the appeal is there already".to_owned())),
                Some(to) => {
                    let target = tickets::lock_any(conn, &city, to).await?;
                    if target.state == TicketState::Closed {
                        return Err(Error::Illegal(format!(
                            "{to} is closed; reopen it first or move the appeal to a new ticket"
                        )));
                    }
                    tickets::update_ticket(conn, &city, to, target.version, &Update::default(), now).await?;
                    let detail =
                        json!({ "appeal": appeal.id, "from": seen.number, "actor": seen.actor.id }).to_string();
                    changes.event(Event {
                        kind: "moved",
                        ticket: Some(to.clone()),
                        state: Some(target.state),
                        department: target.department,
                        detail: Some(detail),
                    });
                    to.clone()
                }
                None => open(hub, conn, changes, &source, &appeal).await?,
            };
            tickets::move_appeal(conn, &city, &appeal.id, &seen.number, &target, &seen.actor.id, now).await?;
            let empty = appeals
                .iter()
                .all(|other| other.id == appeal.id || other.part_of.as_deref() == Some(appeal.id.as_str()));
            let state = if empty { TicketState::Closed } else { source.state };
            let closed_at = if empty { Some(now) } else { source.closed_at };
            if empty {
                routes::end_assignments(conn, &city, &seen.number, "closed", Some("moved"), now).await?;
                tickets::link(conn, &city, &seen.number, &target, "merged").await?;
            }
            let update = Update { state: empty.then_some(state), closed_at, without_department: false };
            tickets::update_ticket(conn, &city, &seen.number, seen.version, &update, now).await?;
            let detail = json!({ "appeal": appeal.id, "to": target }).to_string();
            changes.audit(
                &seen.actor.id,
                "appeal.moved",
                Some(target.as_str()),
                Some(json!({ "appeal": appeal.id, "from": seen.number }).to_string()),
            );
            changes.audit(&seen.actor.id, "appeal.moved", Some(seen.number.as_str()), Some(detail.clone()));
            let kind = if empty { "closed" } else { "moved" };
            changes.event(Event {
                kind,
                ticket: Some(seen.number.clone()),
                state: Some(state),
                department: source.department,
                detail: Some(detail),
            });
            tell(hub, conn, changes, &seen.number, &target, &appeal, command.to.is_none()).await?;
            Ok(target)
        })
    })
    .await
}

/// Opens a ticket for an appeal that stands in the wrong one; the rules judge it by itself.
async fn open(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    source: &TicketRow,
    appeal: &AppealRow,
) -> Result<TicketNumber, Error> {
    let (city, now) = (hub.store.city.to_string(), changes.now());
    let day = hub.day(now);
    let counter = intake::lock_counter(conn, &city, &day).await? + 1;
    intake::set_counter(conn, &city, counter).await?;
    let number = TicketNumber::new(&day, counter);
    let medium = Medium::parse(&appeal.channel).ok_or_else(|| Error::Shape("channel".to_owned()))?;
    let message = Message { subject: appeal.subject.clone(), text: appeal.text.clone(), ..Message::default() };
    let rules = hub.rules();
    let circumstances = Circumstances {
        channel: &appeal.channel,
        account: &appeal.account,
        attachments: None,
        local_time: hub.local_time(now),
    };
    let judgement = judge(&rules, &hub.languages, &circumstances, &message);
    let decision = &judgement.decision;
    let state = if decision.department.is_some() { TicketState::Dispatched } else { TicketState::Triage };
    let due_at = now + Millis::from(decision.deadline_hours) * HOUR;
    let decision_id = new_id(now);
    // The same citizen keeps the address it chose; another one is answered where it wrote from.
    let own = appeal.contact_id.is_some() && appeal.contact_id == source.contact_id;
    let answer_channel = source.answer_channel.as_deref().filter(|_| own).and_then(Medium::parse).unwrap_or(medium);
    let (answer_account, answer_address, answer_confirmed) = match answer_channel {
        Medium::Webform => (hub.account_of(Medium::Webform), Some(number.to_string()), true),
        _ if own => (source.answer_account.clone(), source.answer_address.clone(), source.answer_confirmed),
        _ => (Some(appeal.account.clone()), Some(appeal.sender.clone()), true),
    };
    let answers_elsewhere = answer_channel != Medium::Webform
        && (answer_channel, answer_address.as_ref()) != (medium, Some(&appeal.sender));
    let text = appeal.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    let subject =
        text.unwrap_or_else(|| appeal.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default());
    changes.ticket(NewTicket {
        number: number.clone(),
        state,
        item: decision.item.clone(),
        department: decision.department.clone(),
        kind: decision.kind.as_str().to_owned(),
        priority: decision.priority.as_str().to_owned(),
        language: judgement.facts.language.clone(),
        channel: medium.as_str(),
        account: appeal.account.clone(),
        subject: subject.chars().take(80).collect(),
        contact_id: appeal.contact_id.clone(),
        confidential: source.confidential || decision.confidential,
        spam: false,
        place: None,
        district: decision.district.clone(),
        emergency: decision.emergency.join(","),
        code_hash: Hub::code_hash(&number, &hub.query_code(&number)),
        answer_channel: Some(answer_channel.as_str()),
        answer_account,
        answer_address,
        answer_confirmed,
        answers_elsewhere,
        linked_to: Some(source.number.to_string()),
        link_reason: Some("moved"),
        hold_until: None,
        due_at: Some(due_at),
        inbound_id: None,
        decision_id: Some(decision_id.to_string()),
    });
    changes.decision(judgement.row(judgement.written(), decision_id, number.clone()));
    changes.event(Event {
        kind: "created",
        ticket: Some(number.clone()),
        state: Some(state),
        department: decision.department.clone(),
        detail: Some(json!({ "id": appeal.id, "from": source.number }).to_string()),
    });
    if let (Some(department), DecidedBy::Rule | DecidedBy::Learned) = (&decision.department, decision.decided_by) {
        let way = Route {
            number: &number,
            item: decision.item.as_deref(),
            department,
            assisting: &decision.assisting,
            due_at,
            event: "dispatched",
        };
        route(hub, changes, &way);
    }
    Ok(number)
}

/// Tells the citizen where the message now is; a form and a call have no way back of their own.
async fn tell(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    from: &TicketNumber,
    to: &TicketNumber,
    appeal: &AppealRow,
    is_new: bool,
) -> Result<(), Error> {
    let medium = Medium::parse(&appeal.channel).filter(|medium| !matches!(medium, Medium::Webform | Medium::Phone));
    let Some(medium) = medium.filter(|_| !appeal.sender.is_empty()) else { return Ok(()) };
    if tickets::stopped(conn, &hub.store.city, medium.as_str(), &appeal.sender).await? {
        return Ok(());
    }
    let language = hub.writing_language(appeal.language.as_deref(), &appeal.account);
    let code = is_new.then(|| hub.query_code(to));
    let values = json!({ "number": to, "number_spaced": to.spoken(), "from_number": from, "code": code, "track_url": hub.track_url() });
    let rendered = hub.render("notice_moved", medium, &language, values);
    changes.delivery(NewDelivery {
        id: new_id(changes.now()),
        ticket: Some(to.clone()),
        reply_id: None,
        department: None,
        kind: DeliveryKind::Notice,
        channel: appeal.channel.clone(),
        account: appeal.account.clone(),
        address: appeal.sender.clone(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        language: Some(language),
        automatic: true,
        thread: appeal.message_id.as_ref().map(|id| json!({ "in_reply_to": id }).to_string()),
        buttons: None,
        waits: hub.cannot_send(&appeal.account),
        fallback_of: None,
    });
    Ok(())
}

/// Sets where the answer goes, as the citizen told a member of staff.
///
/// # Errors
/// [`Error::Changed`], [`Error::Invalid`] for a channel that cannot answer, [`Error::NotFound`], or of the store.
pub async fn set_answer_address(hub: &Arc<Hub>, seen: Seen, medium: Medium, address: String) -> Result<(), Error> {
    let address = if medium == Medium::Webform { seen.number.to_string() } else { said(&address, "address")? };
    let account = match medium {
        Medium::Phone => Some(Medium::Phone.as_str().to_owned()),
        _ => hub.account_of(medium),
    };
    let account = account.ok_or_else(|| Error::Invalid(format!("no {medium} account is configured")))?;
    write(hub, move |hub, conn, changes| {
        let (seen, address, account) = (seen.clone(), address.clone(), account.clone());
        Box::pin(async move {
            let city = &hub.store.city;
            let ticket = tickets::lock(conn, city, &seen.number, seen.version).await?;
            tickets::set_answer_address(conn, city, &seen.number, medium.as_str(), &account, &address).await?;
            tickets::update_ticket(conn, city, &seen.number, ticket.version, &Update::default(), changes.now()).await?;
            record(changes, &seen, "answer_address", ticket.state, ticket.department, None);
            answer::resend(hub, conn, changes, &seen.number).await?;
            Ok(())
        })
    })
    .await
}
