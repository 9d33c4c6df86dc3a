//! What becomes of messages in quarantine: judged again, accepted by a person, or thrown away.
//!
//! A message that is taken after all keeps its ledger row: the row is lifted out and put back with its new outcome in one
//! transaction, so that the ledger adds up at every moment.

use std::sync::Arc;

use channel_contract::{Channel, Content, Inbound, Medium, Message, Outcome, RawRequest, Receipt, Verdict, digest};
use serde_json::{Value, json};

use super::arrival::{self, Arrival};
use super::phone::{self, PhoneChannel};
use super::{Refusal, batch};
use crate::channels::phone::{Region, normalise};
use crate::channels::region;
use crate::domain::Id;
use crate::hub::Hub;
use crate::store::Error;
use crate::store::quarantine::{self as store, RawRow};

/// What a person decides about a message in quarantine.
#[derive(Debug, Clone)]
pub enum Resolve {
    /// Judge it again as it came, against its time of arrival: a secret was put right, a parser repaired.
    Replay,
    /// Take it although its origin could not be verified or its id was used before.
    Accept {
        /// Why.
        reason: String,
        /// The text, where the hub cannot read it out of the raw message.
        text: Option<String>,
        /// The sender, likewise.
        from: Option<String>,
    },
}

/// The adapter of an account, the telephone's among them.
#[must_use]
pub fn adapter(hub: &Hub, account: &str) -> Option<Arc<dyn Channel>> {
    if account == phone::ACCOUNT { Some(Arc::new(PhoneChannel)) } else { hub.channels.get(account).cloned() }
}

/// A message in quarantine as a person may look at it: whole, but for its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The address, with `***` for credentials.
    pub url: String,
    /// What its query says, decoded, broken bytes replaced; `***` for credentials.
    pub parameters: Vec<(String, String)>,
    /// The headers in order, names in lower case; `***` for credentials.
    pub headers: Vec<(String, String)>,
    /// Where it came from, after trusted proxies.
    pub peer: Option<String>,
    /// The body as text, broken bytes replaced.
    pub body: String,
}

/// What there is to see of a raw request; `None` once its bytes have expired.
#[must_use]
pub fn shown(hub: &Hub, row: &RawRow) -> Option<Shown> {
    // An account that is gone may have been of any provider.
    const ANY: [&str; 4] = ["secret", "token", "password", "x-telegram-bot-api-secret-token"];
    let body = row.body.as_ref()?;
    let channel = adapter(hub, &row.account);
    let credentials = channel.map_or(&ANY[..], |channel| channel.descriptor().credentials);
    let url = arrival::without_credentials(&row.url, credentials);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let parameters = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers: Vec<(String, String)> = serde_json::from_str(&row.headers).unwrap_or_default();
    let star = |(name, value): (String, String)| {
        let value = if arrival::is_secret(&name, credentials) { "***".to_owned() } else { value };
        (name, value)
    };
    Some(Shown {
        parameters,
        headers: headers.into_iter().map(star).collect(),
        peer: row.peer.clone(),
        body: String::from_utf8_lossy(body).into_owned(),
        url,
    })
}

/// Takes a message out of quarantine. Returns what became of each of its items.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] when it was dealt with before or still cannot be taken; [`Error::Invalid`] when its bytes
/// have expired, its account is gone, or neither it nor the person says who writes or what; or of the store.
pub async fn resolve(hub: &Arc<Hub>, id: &str, how: Resolve, by: &str) -> Result<Vec<Verdict>, Error> {
    let row = store::raw(&mut hub.store.read().await?, &hub.store.city, id).await?.ok_or(Error::NotFound)?;
    let channel = adapter(hub, &row.account)
        .ok_or_else(|| Error::Invalid(format!("the account {} is not configured", row.account)))?;
    let raw = request(&row)?;
    let judge = (Arc::clone(&channel), raw.clone());
    let receipt = tokio::task::spawn_blocking(move || judge.0.receive(&judge.1)).await.map_err(|_| Error::Stopping)?;
    let (receipt, state, note) = match how {
        Resolve::Replay => match receipt {
            Receipt::Verified(items) if !items.is_empty() => (Receipt::Verified(items), "replayed", None),
            Receipt::Quarantine { reason, detail } => {
                return Err(Error::Illegal(format!("it still cannot be taken: {}: {detail}", reason.as_str())));
            }
            _ => return Err(Error::Illegal("it still cannot be taken".to_owned())),
        },
        Resolve::Accept { reason, text, from } => {
            (vouched(id, &row, region(&hub.config.channels), receipt, text, from)?, "accepted", Some(reason))
        }
    };
    let mut arrivals = hub.arrivals(&channel, raw, receipt, None).await.map_err(|refusal| match refusal {
        Refusal::Unavailable(error) => error,
        other => Error::Illegal(other.to_string()),
    })?;
    if let Some(first) = arrivals.first_mut() {
        first.id = row.id.clone();
    }
    commit(hub, arrivals, &row.id, state, by, note).await
}

async fn commit(
    hub: &Arc<Hub>,
    arrivals: Vec<Arrival>,
    id: &Id,
    state: &'static str,
    by: &str,
    note: Option<String>,
) -> Result<Vec<Verdict>, Error> {
    let (job_hub, arrivals, id, by) = (Arc::clone(hub), Arc::new(arrivals), id.clone(), by.to_owned());
    let (verdicts, position) = hub
        .store
        .write(move |conn| {
            let (hub, arrivals, id, by, note) =
                (Arc::clone(&job_hub), Arc::clone(&arrivals), id.clone(), by.clone(), note.clone());
            Box::pin(async move {
                let city = hub.store.city.to_string();
                let held = store::lock(conn, &city, id.as_str()).await?;
                store::lift(conn, &city, &id).await?;
                let flat: Vec<&Arrival> = arrivals.iter().collect();
                let batch::Processed { taken, position, .. } = batch::process(&hub, conn, &flat, &[]).await?;
                let verdicts = taken
                    .into_iter()
                    .collect::<Result<Vec<Verdict>, Refusal>>()
                    .map_err(|refusal| Error::Illegal(refusal.to_string()))?;
                if let Some(aside) = verdicts.iter().find(|verdict| verdict.outcome == Outcome::Quarantined) {
                    let reason = aside.reason.as_deref().unwrap_or("quarantined");
                    return Err(Error::Illegal(format!(
                        "it still cannot be taken: {reason}; a supervisor may accept it with a reason"
                    )));
                }
                let now = hub.clock.millis();
                store::settled(conn, &city, &held, state, &by, note.as_deref(), now).await?;
                let mut changes = hub.store.changes(now);
                let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict.outcome.as_str()).collect();
                changes.audit(
                    &by,
                    &format!("quarantine.{state}"),
                    Some(id.as_str()),
                    Some(json!({ "outcomes": outcomes }).to_string()),
                );
                changes.flush(conn).await?;
                Ok((verdicts, position))
            })
        })
        .await?;
    hub.store.announce(position);
    hub.outbox_wake.notify_one();
    Ok(verdicts)
}

/// Throws a held message away; its ledger row stays as quarantined.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] when it was dealt with before; or of the store.
pub async fn discard(hub: &Arc<Hub>, id: &str, reason: &str, by: &str) -> Result<(), Error> {
    let (id, reason, by) = (id.to_owned(), reason.to_owned(), by.to_owned());
    crate::dispatch::actions::write(hub, move |hub, conn, changes| {
        let (id, reason, by) = (id.clone(), reason.clone(), by.clone());
        Box::pin(async move {
            let held = store::lock(conn, &hub.store.city, &id).await?;
            store::discard(conn, &hub.store.city, &held.inbound_id, &by, &reason, changes.now()).await?;
            changes.audit(&by, "quarantine.discarded", Some(&id), None);
            Ok(())
        })
    })
    .await
}

/// The request as it came, from the ledger.
fn request(row: &RawRow) -> Result<RawRequest, Error> {
    let body = row.body.clone().ok_or_else(|| Error::Invalid("its raw bytes have expired".to_owned()))?;
    let headers: Vec<(String, String)> =
        serde_json::from_str(&row.headers).map_err(|_| Error::Shape("headers".to_owned()))?;
    Ok(RawRequest {
        method: row.method.clone(),
        url: row.url.clone(),
        headers: headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
        peer: row.peer.as_deref().and_then(|peer| peer.parse().ok()),
        body: body.into(),
        received_at: chrono::DateTime::from_timestamp_millis(row.received_at).unwrap_or_default(),
    })
}

/// What a person vouches for: what the adapter read, else the text found in the raw message. The person's word stands for the
/// proof of origin, so it is acknowledged like any other, unless the adapter itself says that nothing may go back. The key is the
/// ledger's own, because the message's cannot be trusted or is taken.
fn vouched(
    id: &str,
    row: &RawRow,
    region: Region,
    receipt: Receipt,
    text: Option<String>,
    from: Option<String>,
) -> Result<Receipt, Error> {
    let mut messages: Vec<Message> = match receipt {
        Receipt::Verified(items) => items
            .into_iter()
            .filter_map(|item| match item.content {
                Content::Message(message) => Some(*message),
                Content::Report(_) | Content::Control(_) => None,
            })
            .collect(),
        Receipt::Quarantine { .. } | Receipt::Unauthorized => Vec::new(),
    };
    if messages.is_empty() {
        let (found_from, found_text) = found(row);
        messages.push(Message { from: found_from.unwrap_or_default(), text: found_text, ..Message::default() });
    }
    if let (Some(first), Some(text)) = (messages.first_mut(), text) {
        first.text = text;
    }
    if let Some(from) = from {
        for message in &mut messages {
            message.from.clone_from(&from);
        }
    }
    if row.channel == Medium::Sms.as_str() {
        // As its adapter would have it, so that the sender is the contact that it is on other days.
        for message in &mut messages {
            message.from = normalise(&message.from, region);
        }
    }
    let says_nothing = |message: &Message| {
        message.text.trim().is_empty() && message.attachments.is_empty() && message.location.is_none()
    };
    if messages.iter().any(|message| message.from.trim().is_empty() && says_nothing(message)) {
        return Err(Error::Invalid(
            "it has neither sender nor text; say them in from and text, or discard it".to_owned(),
        ));
    }
    let items = messages.into_iter().enumerate().map(|(index, message)| Inbound {
        key: format!("accepted:{id}:{index}"),
        digest: digest([row.body.as_deref().unwrap_or_default()]),
        content: Content::Message(Box::new(message)),
    });
    Ok(Receipt::Verified(items.collect()))
}

/// Sender and text as the usual providers name them, in JSON, form or query; otherwise the raw bytes as text.
fn found(row: &RawRow) -> (Option<String>, String) {
    const TEXTS: [&str; 4] = ["text", "body", "content", "message"];
    const SENDERS: [&str; 3] = ["from", "sender", "mobile"];
    let body = row.body.as_deref().unwrap_or_default();
    let pick = |fields: &[(String, String)], names: &[&str]| {
        names
            .iter()
            .find_map(|name| fields.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty()))
            .map(|(_, value)| value.clone())
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    if let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(body) {
        fields.extend(map.into_iter().filter_map(|(key, value)| value.as_str().map(|value| (key, value.to_owned()))));
    } else if body.contains(&b'=') && !body.contains(&b'\n') {
        fields.extend(url::form_urlencoded::parse(body).into_owned());
    }
    if let Some((_, query)) = row.url.split_once('?') {
        fields.extend(url::form_urlencoded::parse(query.as_bytes()).into_owned());
    }
    let text = pick(&fields, &TEXTS).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    (pick(&fields, &SENDERS), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(url: &str, body: &str) -> RawRow {
        RawRow {
            id: Id::stored("i".to_owned()),
            channel: "sms".to_owned(),
            account: "demo".to_owned(),
            received_at: 0,
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: "[]".to_owned(),
            peer: None,
            body: Some(body.as_bytes().to_vec()),
        }
    }

    #[test]
    fn text_and_sender_of_the_usual_shapes() {
        for (url, body, from, text) in [
            ("http://h/x", r#"{"id": 1, "from": "+86138", "text": "路灯"}"#, Some("+86138"), "路灯"),
            ("http://h/x", "From=%2B1555&Body=light+out", Some("+1555"), "light out"),
            ("http://h/x?from=139&text=%E7%81%AF", "", Some("139"), "灯"),
            ("http://h/x", "Subject: a=b\n\nhello", None, "Subject: a=b\n\nhello"),
        ] {
            assert_eq!(found(&row(url, body)), (from.map(str::to_owned), text.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_person_may_say_what_the_machine_cannot_read() {
        let receipt = vouched(
            "i",
            &row("http://h/x", "\u{1}\u{2}"),
            Region::CN,
            Receipt::Unauthorized,
            Some("灯坏了".to_owned()),
            Some("+86138".to_owned()),
        )
        .expect("it says something");
        let Receipt::Verified(items) = receipt else { panic!("verified") };
        let Content::Message(message) = &items[0].content else { panic!("message") };
        assert_eq!((message.text.as_str(), message.from.as_str()), ("灯坏了", "+86138"));
        assert!(message.no_acknowledgement.is_none());
        assert_eq!(items[0].key, "accepted:i:0");
    }
}
