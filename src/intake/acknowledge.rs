//! What goes back at once: the number, a question, a greeting, a code.

use channel_contract::{DeliveryKind, Medium};
use serde_json::{Value, json};

use crate::domain::{Millis, TicketNumber, new_id};
use crate::hub::Hub;
use crate::store::{Changes, NewDelivery};

/// Whom a message goes to.
#[derive(Debug, Clone)]
pub(crate) struct Addressee<'a> {
    pub medium: Medium,
    pub account: &'a str,
    pub address: &'a str,
    pub language: Option<&'a str>,
    /// The mail that it answers.
    pub in_reply_to: Option<&'a str>,
}

/// Adds an automatic message to a citizen.
#[expect(clippy::too_many_arguments, reason = "what one message is made of")]
pub(crate) fn send(
    hub: &Hub,
    changes: &mut Changes,
    kind: DeliveryKind,
    template: &str,
    ticket: Option<&TicketNumber>,
    to: &Addressee<'_>,
    values: Value,
    buttons: Option<Value>,
) {
    let language = hub.writing_language(to.language, to.account);
    let rendered = hub.render(template, to.medium, &language, values);
    changes.delivery(NewDelivery {
        id: new_id(changes.now()),
        ticket: ticket.cloned(),
        reply_id: None,
        department: None,
        kind,
        channel: to.medium.as_str().to_owned(),
        account: to.account.to_owned(),
        address: to.address.to_owned(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        language: Some(language),
        automatic: true,
        thread: to.in_reply_to.map(|id| json!({ "in_reply_to": id }).to_string()),
        buttons: buttons.map(|buttons| buttons.to_string()),
        waits: hub.cannot_send(to.account),
        fallback_of: None,
    });
}

/// The values of an acknowledgement.
pub(crate) fn values(hub: &Hub, number: &TicketNumber, emergency: &[String]) -> Value {
    let mut values = json!({
        "number": number,
        "number_spaced": number.spoken(),
        "code": hub.query_code(number),
        "track_url": hub.track_url(),
    });
    if !emergency.is_empty()
        && let Value::Object(map) = &mut values
    {
        map.insert("emergency_numbers".to_owned(), json!(emergency));
    }
    values
}

/// Whether this sender may get another acknowledgement this hour.
pub(crate) fn allowed(hub: &Hub, channel: &str, address: &str, now: Millis) -> bool {
    const HOUR: Millis = 3_600_000;
    hub.intake.acknowledged.allows(
        &format!("{channel}:{address}"),
        hub.config.intake.acknowledgements_per_hour,
        HOUR,
        now,
    )
}
