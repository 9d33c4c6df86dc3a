//! The page of one ticket: how it stands, what was answered, what the citizen said.

use channel_contract::Medium;

use super::request::Visit;
use super::token;
use super::views::{
    Answer, Confirmation, Download, Limits, Moment, Moved, Said, Step, TicketPage, masked, paragraphs, shape, size,
};
use crate::domain::{Millis, TicketNumber, TicketState};
use crate::hub::Hub;
use crate::locale::Catalogue;
use crate::store::portal as store;
use crate::store::tickets::{self, AssignmentRow, AttachmentRow, ReplyRow, TicketRow};
use crate::store::{Conn, Error};

/// A stored time in the city's zone.
pub(super) fn moment(hub: &Hub, at: Millis, catalogue: &Catalogue) -> Moment {
    let utc = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default();
    Moment::new(&utc.with_timezone(&hub.config.city.zone), catalogue)
}

/// A department's name in a language.
pub(super) fn department_name(hub: &Hub, id: &str, language: &str) -> String {
    let rules = hub.rules();
    Hub::name_in(rules.department(id).map(|department| &department.names), id, language)
}

/// The step of the timeline at which a ticket stands.
const fn step_of(state: TicketState) -> &'static str {
    match state {
        TicketState::Triage => "received",
        TicketState::Dispatched => "assigned",
        TicketState::Signed => "progress",
        TicketState::Replied | TicketState::Delivered => "answered",
        TicketState::Closed => "closed",
    }
}

/// How much time is left, in words; `None` when it is over.
fn left(rest: Millis, words: &Catalogue) -> Option<String> {
    const HOUR: Millis = 3_600_000;
    let hours = usize::try_from(rest / HOUR).ok().filter(|_| rest > 0)?;
    Some(if hours >= 24 {
        words.count("track.days_left", hours / 24, &[])
    } else {
        words.count("track.hours_left", hours.max(1), &[])
    })
}

/// The page of a ticket, or `None` when there is no such ticket.
///
/// # Errors
/// [`Error`] of the store.
pub(super) async fn page(visit: &Visit, number: &TicketNumber) -> Result<Option<TicketPage>, Error> {
    let hub = &visit.portal.hub;
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let Some(row) = tickets::get(&mut conn, city, number).await? else { return Ok(None) };
    let files = tickets::attachments(&mut conn, city, number).await?;
    let spoken: Vec<ReplyRow> = tickets::replies(&mut conn, city, number)
        .await?
        .into_iter()
        .filter(|reply| matches!(reply.kind.as_str(), "reply" | "question"))
        .collect();
    let (replies, questions): (Vec<ReplyRow>, Vec<ReplyRow>) =
        spoken.iter().cloned().partition(|reply| reply.kind == "reply");
    let assignments = tickets::assignments(&mut conn, city, number).await?;
    let reopened = store::reopened(&mut conn, city, number).await?;
    let messages = said(visit, &mut conn, number, &files).await?;
    let confirmation = confirmation(&mut conn, hub, &row).await?;
    let moved = moved(visit, &mut conn, &row).await?;
    drop(conn);
    if (row.state == TicketState::Replied || !questions.is_empty())
        && let Err(error) = crate::outbox::report::read_on_page(hub, number).await
    {
        tracing::warn!(%error, "an answer that was read could not be marked as delivered; the next visit does");
    }

    let answered = matches!(row.state, TicketState::Replied | TicketState::Delivered | TicketState::Closed);
    let due_at = row.due_at.filter(|_| !answered);
    let state = step_of(row.state);
    let can_reopen = answered && moved.is_none();
    Ok(Some(TicketPage {
        number: number.to_string(),
        spoken: number.spoken(),
        pass: token::pass(hub, number, visit.now),
        form_token: token::form(hub, &visit.cookie, visit.now),
        state,
        shape: shape(state),
        due: due_at.map(|at| moment(hub, at, visit.words()).text),
        left: due_at.and_then(|at| left(at - visit.now, visit.words())),
        late: due_at.is_some_and(|at| at < visit.now),
        department: row.department.as_deref().map(|id| department_name(hub, id, visit.language())),
        moved,
        answers: spoken.iter().rev().map(|reply| answer(visit, reply, &files)).collect(),
        steps: steps(visit, &row, &assignments, &replies, &reopened),
        messages,
        confirmation,
        can_add: row.state != TicketState::Closed && visit.portal.form.is_some(),
        can_reopen,
        primary: if can_reopen { "reopen" } else { "addition" },
        limits: visit.portal.form.as_ref().map(|form| Limits::from(&form.settings)),
        photos_lost: false,
        done: None,
        typed: String::new(),
        typed_in: "",
        errors: Vec::new(),
        faulty: Vec::new(),
        unavailable: false,
    }))
}

/// Where a ticket has gone whose appeals were all moved. The other one is opened only for the same citizen.
async fn moved(visit: &Visit, conn: &mut Conn, row: &TicketRow) -> Result<Option<Moved>, Error> {
    let Some(number) = row.linked_to.clone().filter(|_| row.link_reason.as_deref() == Some("merged")) else {
        return Ok(None);
    };
    let number = TicketNumber::stored(number);
    let hub = &visit.portal.hub;
    let other = tickets::get(conn, &hub.store.city, &number).await?;
    let same = other.is_some_and(|other| other.contact_id.is_some() && other.contact_id == row.contact_id);
    Ok(Some(Moved { spoken: number.spoken(), pass: same.then(|| token::pass(hub, &number, visit.now)) }))
}

/// A reply with its files as citizens see it.
pub(super) fn answer(visit: &Visit, reply: &ReplyRow, files: &[AttachmentRow]) -> Answer {
    let hub = &visit.portal.hub;
    let download = |file: &AttachmentRow| Download {
        name: file.name.clone(),
        size: size(file.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()),
        url: token::file_url(hub, file.id.as_str(), visit.now),
    };
    Answer {
        at: moment(hub, reply.at, visit.words()),
        department: reply.department.as_deref().map(|id| department_name(hub, id, visit.language())),
        language: hub.languages.detect(&reply.text),
        paragraphs: paragraphs(&reply.text),
        files: files
            .iter()
            .filter(|file| file.reply_id.as_deref() == Some(reply.id.as_str()) && file.state == "stored")
            .map(download)
            .collect(),
    }
}

fn steps(
    visit: &Visit,
    row: &TicketRow,
    assignments: &[AssignmentRow],
    replies: &[ReplyRow],
    reopened: &[Millis],
) -> Vec<Step> {
    let hub = &visit.portal.hub;
    let name = |id: &str| department_name(hub, id, visit.language());
    let mut all: Vec<(Millis, &'static str, Option<String>)> = vec![(row.created_at, "received", None)];
    all.extend(reopened.iter().map(|at| (*at, "reopened", None)));
    for assignment in assignments.iter().filter(|assignment| assignment.role == "lead") {
        all.push((assignment.assigned_at, "assigned", Some(name(&assignment.department))));
        all.extend(assignment.signed_at.map(|at| (at, "progress", Some(name(&assignment.department)))));
    }
    all.extend(replies.iter().map(|reply| (reply.at, "answered", reply.department.as_deref().map(name))));
    all.extend(row.closed_at.map(|at| (at, "closed", None)));
    // Newest first; what happened in the same moment keeps the order of the work.
    all.sort_by_key(|(at, ..)| *at);
    all.into_iter()
        .rev()
        .map(|(at, key, department)| Step { key, shape: shape(key), at: moment(hub, at, visit.words()), department })
        .collect()
}

async fn said(
    visit: &Visit,
    conn: &mut Conn,
    number: &TicketNumber,
    files: &[AttachmentRow],
) -> Result<Vec<Said>, Error> {
    let hub = &visit.portal.hub;
    let appeals = tickets::appeals(conn, &hub.store.city, number).await?;
    Ok(appeals
        .into_iter()
        .map(|appeal| Said {
            at: moment(hub, appeal.received_at, visit.words()),
            paragraphs: paragraphs(&appeal.text),
            files: files
                .iter()
                .filter(|file| file.appeal_id.as_deref() == Some(appeal.id.as_str()))
                .map(|file| file.name.clone())
                .collect(),
            channel: appeal.channel,
            language: appeal.language,
        })
        .collect())
}

async fn confirmation(conn: &mut Conn, hub: &Hub, row: &TicketRow) -> Result<Option<Confirmation>, Error> {
    let Some(address) = row.answer_address.as_deref().filter(|address| !address.is_empty()) else { return Ok(None) };
    let sent_to = row.answer_channel.as_deref().and_then(Medium::parse);
    if row.channel != Medium::Webform.as_str() || matches!(sent_to, None | Some(Medium::Webform | Medium::Phone)) {
        return Ok(None);
    }
    let asked = store::confirmation(conn, &hub.store.city, &row.number).await?;
    let state = match asked {
        _ if row.answer_confirmed => "confirmed",
        Some(asked) if asked.tries < super::track::CONFIRMATION_TRIES => "waiting",
        _ => "unsent",
    };
    Ok(Some(Confirmation { address: masked(address), state }))
}
