//! What goes to the citizen: the public answer, and a question back. Text and delivery in one commit.

use std::sync::Arc;

use channel_contract::DeliveryKind;

use super::{Seen, acting_assignment, begin, record, said, write};
use crate::dispatch::answer::{Words, answer_delivery, first_address};
use crate::domain::{Id, Move, new_id};
use crate::hub::Hub;
use crate::store::drafts::{self, Key};
use crate::store::tickets::{self, Update};
use crate::store::{Conn, Error};

/// A public answer or a question back.
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
    send(hub, seen, reply, DeliveryKind::Reply).await
}

/// Asks the citizen something; state and clock stay as they are. Returns the ids of question and delivery.
///
/// # Errors
/// As [`reply`]; [`Error::Illegal`] when the ticket is closed.
pub async fn ask(hub: &Arc<Hub>, seen: Seen, question: Reply) -> Result<(Id, Id), Error> {
    send(hub, seen, question, DeliveryKind::Question).await
}

async fn send(hub: &Arc<Hub>, seen: Seen, reply: Reply, kind: DeliveryKind) -> Result<(Id, Id), Error> {
    let text = said(&reply.text, "text")?;
    write(hub, move |hub, conn, changes| {
        let (seen, text, files) = (seen.clone(), text.clone(), reply.attachments.clone());
        Box::pin(async move {
            // A question is possible wherever an answer is.
            let (ticket, replied) = begin(hub, conn, &seen, Move::Reply).await?;
            let asks = kind == DeliveryKind::Question;
            let state = if asks { ticket.state } else { replied };
            let (city, now) = (hub.store.city.to_string(), changes.now());
            let assignment = acting_assignment(hub, conn, &seen).await?;
            let department = seen
                .actor
                .department
                .clone()
                .or_else(|| assignment.as_ref().map(|assignment| assignment.department.clone()));
            let id = new_id(now);
            let (word, event) = if asks { ("question", "asked") } else { ("reply", "replied") };
            changes.reply(&id, &seen.number, None, word, &text, &seen.actor.id, department.as_deref());
            if tickets::give_files(conn, &city, &seen.number, &files, &id).await? != files.len() as u64 {
                return Err(Error::Invalid(
                    "a file is not there or already belongs to an answer; upload it again".to_owned(),
                ));
            }
            if let Some(assignment) = assignment.as_ref().filter(|_| !asks) {
                tickets::set_assignment(conn, &city, &seen.number, &assignment.id, "replied", now).await?;
            }
            let to = first_address(hub, conn, &ticket).await?;
            let words = Words { reply: &id, kind, text: &text, department: department.as_deref() };
            let delivery = answer_delivery(hub, changes, &ticket, &words, to, None);
            let update = Update { state: (!asks).then_some(state), ..Update::default() };
            tickets::update_ticket(conn, &city, &seen.number, ticket.version, &update, now).await?;
            sent(hub, conn, &seen, word).await?;
            record(changes, &seen, event, state, ticket.department, Some(&id));
            Ok((id, delivery))
        })
    })
    .await
}

/// What was sent is no draft any more.
pub(super) async fn sent(hub: &Hub, conn: &mut Conn, seen: &Seen, kind: &str) -> Result<(), Error> {
    let key = Key { staff: seen.actor.id.clone(), subject: seen.number.to_string(), kind: kind.to_owned() };
    drafts::delete(conn, &hub.store.city, &key).await.map(|_| ())
}
