//! The public answer: reply and delivery in one commit.

use std::sync::Arc;

use super::{Seen, acting_assignment, begin, record, said, write};
use crate::dispatch::answer::{answer_delivery, first_address};
use crate::domain::{Id, Move, new_id};
use crate::hub::Hub;
use crate::store::Error;
use crate::store::tickets::{self, Update};

/// A public answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What the citizen reads.
    pub text: String,
    /// Files uploaded for this ticket before, by id.
    pub attachments: Vec<String>,
}

/// Answers the citizen; from triage or before sign-for it is the direct answer of the desk. Returns the ids of reply and delivery.
///
/// # Errors
/// [`Error::Changed`], [`Error::Illegal`], [`Error::Invalid`] without a text or with unknown files, [`Error::NotFound`], or of the store.
pub async fn reply(hub: &Arc<Hub>, seen: Seen, reply: Reply) -> Result<(Id, Id), Error> {
    let text = said(&reply.text, "text")?;
    write(hub, move |hub, conn, changes| {
        let (seen, text, files) = (seen.clone(), text.clone(), reply.attachments.clone());
        Box::pin(async move {
            let (ticket, state) = begin(hub, conn, &seen, Move::Reply).await?;
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let assignment = acting_assignment(hub, conn, &seen).await?;
            let department = seen
                .actor
                .department
                .clone()
                .or_else(|| assignment.as_ref().map(|assignment| assignment.department.clone()));
            let id = new_id(now);
            changes.reply(&id, &seen.number, None, "reply", &text, &seen.actor.id, department.as_deref());
            if tickets::give_files(conn, &city, &seen.number, &files, &id).await? != files.len() as u64 {
                return Err(Error::Invalid(
                    "a file is not there or already belongs to an answer; upload it again".to_owned(),
                ));
            }
            if let Some(assignment) = &assignment {
                tickets::set_assignment(conn, &city, &seen.number, &assignment.id, "replied", now).await?;
            }
            let to = first_address(hub, conn, &ticket).await?;
            let delivery = answer_delivery(hub, changes, &ticket, &id, &text, department.as_deref(), to, None);
            let update = Update { state: Some(state), ..Update::default() };
            tickets::update_ticket(conn, &city, &seen.number, ticket.version, &update, now).await?;
            record(changes, &seen, "replied", state, ticket.department, Some(&id));
            Ok((id, delivery))
        })
    })
    .await
}
