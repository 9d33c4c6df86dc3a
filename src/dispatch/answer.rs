//! The answer on its way to the citizen: which address it takes, and in which words.

use channel_contract::{DeliveryKind, Medium};
use serde_json::json;

use crate::domain::{Id, TicketNumber, new_id};
use crate::hub::Hub;
use crate::store::tickets::{self, TicketRow};
use crate::store::{Changes, Conn, Error, NewDelivery};

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
    answer_delivery(hub, changes, &ticket, &reply.id, &reply.text, reply.department.as_deref(), to, Some(&fallback_of));
    Ok(())
}

/// Adds the delivery of an answer to an address; returns its id.
///
/// On another channel than the ticket came by, a confidential ticket's answer says only that it is ready. A call becomes a task
/// that waits for an agent.
#[expect(clippy::too_many_arguments, reason = "what one delivery is made of")]
pub fn answer_delivery(
    hub: &Hub,
    changes: &mut Changes,
    ticket: &TicketRow,
    reply_id: &Id,
    text: &str,
    department: Option<&str>,
    to: AnswerAddress,
    fallback_of: Option<&Id>,
) -> Id {
    let AnswerAddress { medium, account, address, in_reply_to } = to;
    let language = if medium == Medium::Phone {
        hub.config.city.default_language.clone()
    } else {
        hub.writing_language(ticket.language.as_deref(), &account)
    };
    let rules = hub.rules();
    let department =
        department.map(|id| Hub::name_in(rules.department(id).map(|department| &department.names), id, &language));
    let elsewhere = medium.as_str() != ticket.channel && !matches!(medium, Medium::Phone | Medium::Webform);
    let template = match medium {
        Medium::Phone => "call_task",
        _ if ticket.confidential && elsewhere => "answer_ready",
        _ => "reply",
    };
    let values = json!({
        "number": ticket.number,
        "number_spaced": ticket.number.spoken(),
        "text": text,
        "department": department,
        "track_url": hub.track_url(),
    });
    let rendered = hub.render(template, medium, &language, values);
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
        reply_id: Some(reply_id.to_string()),
        department: None,
        kind: DeliveryKind::Reply,
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
