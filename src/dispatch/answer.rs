//! The answer on its way to the citizen: which address it takes, and in which words.

use channel_contract::{DeliveryKind, Medium};
use serde_json::json;

use crate::domain::{Id, TicketNumber, new_id};
use crate::hub::Hub;
use crate::store::tickets::{self, TicketRow};
use crate::store::{Changes, Conn, Error, NewDelivery};
use crate::templates::Rendered;

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerAddress {
    /// The medium.
    pub medium: Medium,
    /// The account.
    pub account: String,
    /// The address in that medium; the ticket's number for the web form.
    pub address: String,
    /// The mail that it answers (Message-ID without angle brackets).
    pub in_reply_to: Option<String>,
}

impl AnswerAddress {
    /// The answer waits on `/track`.
    #[must_use]
    pub fn track(hub: &Hub, number: &TicketNumber) -> Self {
        let account = hub.account_of(Medium::Webform).unwrap_or_else(|| Medium::Webform.as_str().to_owned());
        Self { medium: Medium::Webform, account, address: number.to_string(), in_reply_to: None }
    }

    /// An agent calls.
    #[must_use]
    pub fn call(address: &str) -> Self {
        Self {
            medium: Medium::Phone,
            account: Medium::Phone.as_str().to_owned(),
            address: address.to_owned(),
            in_reply_to: None,
        }
    }
}

/// The address that the first try of an answer takes: the one that the citizen named, if it is confirmed and its owner has not
/// asked for silence; otherwise the answer waits on `/track`.
///
/// # Errors
/// [`Error`] of the store.
pub async fn first_address(hub: &Hub, conn: &mut Conn, ticket: &TicketRow) -> Result<AnswerAddress, Error> {
    let track = AnswerAddress::track(hub, &ticket.number);
    let (Some(channel), Some(address), true) =
        (&ticket.answer_channel, &ticket.answer_address, ticket.answer_confirmed)
    else {
        return Ok(track);
    };
    let Some(medium) = Medium::parse(channel) else { return Ok(track) };
    if medium == Medium::Phone {
        return Ok(AnswerAddress::call(address));
    }
    let city = &hub.store.city;
    if medium == Medium::Webform || address.is_empty() || tickets::stopped(conn, city, channel, address).await? {
        return Ok(track);
    }
    let account =
        ticket.answer_account.clone().filter(|account| !account.is_empty()).or_else(|| hub.account_of(medium));
    let Some(account) = account else { return Ok(track) };
    let in_reply_to = in_reply_to(conn, city, ticket, medium).await?;
    Ok(AnswerAddress { medium, account, address: address.clone(), in_reply_to })
}

/// The last mail of the citizen, which an answer by mail continues.
async fn in_reply_to(conn: &mut Conn, city: &str, ticket: &TicketRow, medium: Medium) -> Result<Option<String>, Error> {
    if medium != Medium::Email {
        return Ok(None);
    }
    let appeals = tickets::appeals(conn, city, &ticket.number).await?;
    Ok(appeals
        .into_iter()
        .rev()
        .find(|appeal| appeal.channel == Medium::Email.as_str() && appeal.message_id.is_some())
        .and_then(|appeal| appeal.message_id))
}

/// The next address for an answer that did not arrive: the first named one that was not tried, at last a call.
/// `named` are medium, account and address in order of preference, `tried` medium and address. `None` when even the call failed.
#[must_use]
pub fn next_address(tried: &[(String, String)], named: &[(String, String, String)]) -> Option<AnswerAddress> {
    let was_tried = |channel: &str, address: &str| tried.iter().any(|(known, at)| known == channel && at == address);
    let next = named.iter().filter(|(channel, _, address)| !was_tried(channel, address)).find_map(
        |(channel, account, address)| match Medium::parse(channel)? {
            Medium::Webform | Medium::Phone => None,
            medium => {
                Some(AnswerAddress { medium, account: account.clone(), address: address.clone(), in_reply_to: None })
            }
        },
    );
    if next.is_some() {
        return next;
    }
    if tried.iter().any(|(channel, _)| channel == Medium::Phone.as_str()) {
        return None;
    }
    // A text message failed, yet a person may answer at the same number.
    let number = [Medium::Phone, Medium::Sms]
        .into_iter()
        .find_map(|medium| named.iter().find(|(channel, _, _)| channel == medium.as_str()));
    Some(AnswerAddress::call(number.map_or("", |(_, _, address)| address)))
}

/// Sends an answer that failed at one address to the next one.
///
/// # Errors
/// [`Error`] of the store.
#[expect(clippy::too_many_arguments, reason = "what the outbox knows of a failed answer")]
pub async fn answer_elsewhere(
    hub: &Hub,
    conn: &mut Conn,
    changes: &mut Changes,
    number: &TicketNumber,
    reply_id: &str,
    named: &[(String, String, String)],
    tried: &[(String, String)],
    fallback_of: &str,
) -> Result<(), Error> {
    let city = hub.store.city.to_string();
    let Some(ticket) = tickets::get(conn, &city, number).await? else { return Ok(()) };
    let Some(reply) =
        tickets::replies(conn, &city, number).await?.into_iter().find(|reply| reply.id.as_str() == reply_id)
    else {
        return Ok(());
    };
    let mut tried = tried.to_vec();
    let to = loop {
        let Some(mut to) = next_address(&tried, named) else { return Ok(()) };
        if to.medium != Medium::Phone && tickets::stopped(conn, &city, to.medium.as_str(), &to.address).await? {
            tried.push((to.medium.as_str().to_owned(), to.address));
            continue;
        }
        to.in_reply_to = in_reply_to(conn, &city, &ticket, to.medium).await?;
        break to;
    };
    let fallback_of = Id::stored(fallback_of.to_owned());
    answer_delivery(hub, changes, &ticket, &Words::of(&reply), to, Some(&fallback_of));
    Ok(())
}

/// Sends the latest answer to the address that the ticket names now, if it has not arrived anywhere: every delivery of it has
/// failed or waits for an agent to call, and such a call is then no longer needed. Returns whether it left again.
///
/// # Errors
/// [`Error`] of the store.
pub async fn resend(hub: &Hub, conn: &mut Conn, changes: &mut Changes, number: &TicketNumber) -> Result<bool, Error> {
    let (city, now) = (hub.store.city.to_string(), changes.now());
    let Some(ticket) = tickets::get(conn, &city, number).await? else { return Ok(false) };
    let replies = tickets::replies(conn, &city, number).await?;
    let Some(reply) = replies.iter().rev().find(|reply| reply.kind == "reply") else { return Ok(false) };
    let deliveries = tickets::deliveries(conn, &city, number).await?;
    let of_reply: Vec<_> =
        deliveries.iter().filter(|delivery| delivery.reply_id.as_deref() == Some(reply.id.as_str())).collect();
    let to_call = |state: &str, channel: &str| channel == Medium::Phone.as_str() && state == "queued";
    let stranded =
        of_reply.iter().all(|delivery| delivery.state == "failed" || to_call(&delivery.state, &delivery.channel));
    let Some(last) = of_reply.last().filter(|_| stranded) else { return Ok(false) };
    for call in of_reply.iter().filter(|delivery| to_call(&delivery.state, &delivery.channel)) {
        let reason = "the answer goes to another address now";
        tickets::set_delivery(conn, &city, &call.id, "failed", Some(reason), None, now).await?;
    }
    let to = first_address(hub, conn, &ticket).await?;
    answer_delivery(hub, changes, &ticket, &Words::of(reply), to, Some(&last.id));
    Ok(true)
}

/// What a department says to a citizen.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The stored reply or question.
    pub reply: &'a Id,
    /// [`DeliveryKind::Reply`] or [`DeliveryKind::Question`].
    pub kind: DeliveryKind,
    /// What is said.
    pub text: &'a str,
    /// The department that says it.
    pub department: Option<&'a str>,
}

impl<'a> Words<'a> {
    /// The words of a stored reply or question.
    #[must_use]
    pub fn of(row: &'a tickets::ReplyRow) -> Self {
        let kind = if row.kind == "question" { DeliveryKind::Question } else { DeliveryKind::Reply };
        Self { reply: &row.id, kind, text: &row.text, department: row.department.as_deref() }
    }
}

/// A message as it will leave.
#[derive(Debug, Clone)]
pub struct Dressed {
    /// The rendered text and subject.
    pub rendered: Rendered,
    /// Its language.
    pub language: String,
    /// Whether it only says that something waits, because the citizen asked for confidence.
    pub only_notice: bool,
}

/// Puts words into the form in which they leave for an address.
///
/// On another channel than the ticket came by, a confidential ticket's answer says only that it is ready.
#[must_use]
pub fn dress(hub: &Hub, ticket: &TicketRow, words: (DeliveryKind, &str, Option<&str>), to: &AnswerAddress) -> Dressed {
    let (kind, text, department) = words;
    let (medium, account) = (to.medium, &to.account);
    let language = if medium == Medium::Phone {
        hub.config.city.default_language.clone()
    } else {
        hub.writing_language(ticket.language.as_deref(), account)
    };
    let rules = hub.rules();
    let department =
        department.map(|id| Hub::name_in(rules.department(id).map(|department| &department.names), id, &language));
    let elsewhere = medium.as_str() != ticket.channel && !matches!(medium, Medium::Phone | Medium::Webform);
    let only_notice = ticket.confidential && elsewhere;
    let template = match (medium, kind) {
        (Medium::Phone, _) => "call_task",
        (_, DeliveryKind::Question) if only_notice => "ask_ready",
        (_, DeliveryKind::Question) => "ask",
        _ if only_notice => "answer_ready",
        _ => "reply",
    };
    let values = json!({
        "number": ticket.number,
        "number_spaced": ticket.number.spoken(),
        "text": text,
        "department": department,
        "track_url": hub.track_url(),
    });
    Dressed { rendered: hub.render(template, medium, &language, values), language, only_notice }
}

/// Adds the delivery of an answer or a question to an address; returns its id. A call becomes a task that waits for an agent.
pub fn answer_delivery(
    hub: &Hub,
    changes: &mut Changes,
    ticket: &TicketRow,
    words: &Words<'_>,
    to: AnswerAddress,
    fallback_of: Option<&Id>,
) -> Id {
    let Dressed { rendered, language, .. } = dress(hub, ticket, (words.kind, words.text, words.department), &to);
    let AnswerAddress { medium, account, address, in_reply_to } = to;
    let waits = match medium {
        Medium::Phone => Some("waits for an agent to call".to_owned()),
        // The page itself is the far end.
        Medium::Webform => None,
        _ => hub.cannot_send(&account),
    };
    let id = new_id(changes.now());
    changes.delivery(NewDelivery {
        id: id.clone(),
        ticket: Some(ticket.number.clone()),
        reply_id: Some(words.reply.to_string()),
        department: None,
        kind: words.kind,
        channel: medium.as_str().to_owned(),
        account,
        address,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        language: Some(language),
        automatic: false,
        thread: in_reply_to.map(|id| json!({ "in_reply_to": id }).to_string()),
        buttons: None,
        waits,
        fallback_of: fallback_of.map(ToString::to_string),
    });
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &[(&str, &str)]) -> Vec<(String, String, String)> {
        list.iter()
            .map(|(channel, address)| ((*channel).to_owned(), format!("{channel}-account"), (*address).to_owned()))
            .collect()
    }

    #[test]
    fn every_named_address_once_then_a_call() {
        let named = named(&[("email", "a@example.org"), ("sms", "+8613800138000"), ("webform", "2611220000017")]);
        let mut tried = Vec::new();
        let mut way = Vec::new();
        while let Some(next) = next_address(&tried, &named) {
            tried.push((next.medium.as_str().to_owned(), next.address.clone()));
            way.push((next.medium, next.address));
        }
        assert_eq!(
            way,
            [
                (Medium::Email, "a@example.org".to_owned()),
                (Medium::Sms, "+8613800138000".to_owned()),
                (Medium::Phone, "+8613800138000".to_owned()),
            ]
        );
    }

    #[test]
    fn without_any_address_a_person_looks_for_one() {
        let call = next_address(&[], &[]).expect("a call");
        assert_eq!((call.medium, call.address.as_str()), (Medium::Phone, ""));
        assert_eq!(next_address(&[("phone".to_owned(), String::new())], &[]), None);
    }
}
