//! The telephone as a channel: an agent types in what the caller says. Answers to it become call tasks, so nothing is ever sent here.

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Channel, CitizenKind, Content, DeliveryError, Descriptor, Finding, Form, HttpAnswer, Inbound, Medium,
    Message, Outbound, QuarantineReason, RawRequest, Receipt, Verdict, digest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The account of all calls.
pub const ACCOUNT: &str = "phone";

/// The header that names the member of staff; the hub itself writes it.
pub const ACTOR: &str = "yingda-actor";

/// The header with the key that makes a repeated request the same call.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A call as an agent files it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Always `phone`.
    pub channel: Option<String>,
    /// The caller's number, best in E.164; empty if it is withheld. Brought to E.164 where it can be.
    #[serde(default)]
    pub from: String,
    /// The caller's name.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// What the caller says; at most `intake.max_text_chars` characters, which are 20,000 unless the city sets another number.
    #[schema(min_length = 1)]
    pub text: String,
    /// The service item, if the agent knows it; one of the catalogue.
    pub item: Option<String>,
    /// Where it is, in words.
    #[schema(max_length = 500)]
    pub place: Option<String>,
    /// The street, if it was asked for by itself; rules look for it before `place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub street: Option<String>,
    /// Whom the caller speaks for: `individual` or `enterprise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citizen_kind: Option<String>,
    /// Whether the caller asks for confidence.
    #[serde(default)]
    pub confidential: bool,
    /// `phone` (a call back, the default), `sms`, `email` or `telegram`.
    pub answer_channel: Option<String>,
    /// The address for the answer, which must fit the channel: a telephone number, a mail address, a Telegram chat id; for `phone`
    /// and `sms` the caller's number when left out.
    pub answer_address: Option<String>,
}

/// The adapter of calls. It is reached through the staff API only, so its requests are verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct PhoneChannel;

impl Call {
    fn message(self) -> Result<Message, String> {
        if self.channel.as_deref().is_some_and(|channel| channel != ACCOUNT) {
            return Err("channel must be phone".to_owned());
        }
        if self.text.trim().is_empty() {
            return Err("text must not be empty".to_owned());
        }
        let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let citizen_kind = match given(self.citizen_kind) {
            None => None,
            Some(word) => Some(CitizenKind::parse(&word).ok_or("citizen_kind must be individual or enterprise")?),
        };
        let from = self.from.trim().to_owned();
        let answer_channel = match self.answer_channel.as_deref() {
            None | Some("") => Medium::Phone,
            Some(word) => Medium::parse(word)
                .filter(|medium| matches!(medium, Medium::Phone | Medium::Sms | Medium::Email | Medium::Telegram))
                .ok_or("answer_channel must be phone, sms, email or telegram")?,
        };
        let address = given(self.answer_address);
        let answer_address = match answer_channel {
            Medium::Phone | Medium::Sms => address.or_else(|| (!from.is_empty()).then(|| from.clone())),
            _ => address,
        };
        if answer_address.is_none() && answer_channel != Medium::Phone {
            return Err(format!("answer_address must name where the answer goes by {answer_channel}"));
        }
        Ok(Message {
            from,
            name: self.name,
            text: self.text,
            form: Some(Form {
                item: self.item,
                place: self.place,
                street: given(self.street),
                citizen_kind,
                confidential: self.confidential,
                answer_channel: Some(answer_channel),
                answer_address,
                suspected_spam: false,
            }),
            ..Message::default()
        })
    }
}

#[async_trait]
impl Channel for PhoneChannel {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Phone,
            account: ACCOUNT.to_owned(),
            provider: "staff",
            polls: false,
            reports: false,
            idempotent: false,
            cannot_send: Some("an agent has to call".to_owned()),
            credentials: &["authorization", "cookie"],
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        let aside = |detail: String| Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail };
        let (Some(actor), Some(key)) = (request.header(ACTOR), request.header(IDEMPOTENCY_KEY)) else {
            return aside("a call needs its actor and its key".to_owned());
        };
        let call: Call = match serde_json::from_slice(&request.body) {
            Ok(call) => call,
            Err(error) => return aside(format!("no call: line {}, column {}", error.line(), error.column())),
        };
        // Written anew, so that the order of keys and white space make no other call.
        let canonical = serde_json::to_vec(&call).unwrap_or_default();
        match call.message() {
            Ok(message) => Receipt::Verified(vec![Inbound {
                key: format!("{actor}:{key}"),
                digest: digest([canonical.as_slice()]),
                content: Content::Message(Box::new(message)),
            }]),
            Err(detail) => aside(detail),
        }
    }

    fn answer(&self, verdict: &Verdict) -> HttpAnswer {
        HttpAnswer::json(verdict)
    }

    async fn send(&self, _outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        Err(DeliveryError::Permanent("an agent has to call".to_owned()))
    }

    async fn probe(&self) -> Vec<Finding> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &str, body: &str) -> RawRequest {
        RawRequest {
            method: "POST".to_owned(),
            url: "http://127.0.0.1/api/v1/tickets".to_owned(),
            headers: vec![
                (ACTOR.to_owned(), b"staff:1".to_vec()),
                (IDEMPOTENCY_KEY.to_owned(), key.as_bytes().to_vec()),
            ],
            peer: None,
            body: body.to_owned().into(),
            received_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn one(body: &str) -> Inbound {
        match PhoneChannel.receive(&request("k", body)) {
            Receipt::Verified(mut items) => items.pop().expect("an item"),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn the_answer_goes_where_the_caller_says() {
        for (body, medium, address) in [
            (r#"{"from": "+8613800138000", "text": "灯"}"#, Medium::Phone, Some("+8613800138000")),
            (
                r#"{"from": "+8613800138000", "text": "灯", "answer_channel": "sms"}"#,
                Medium::Sms,
                Some("+8613800138000"),
            ),
            (
                r#"{"from": "1", "text": "灯", "answer_channel": "email", "answer_address": "a@b.example"}"#,
                Medium::Email,
                Some("a@b.example"),
            ),
            (r#"{"text": "灯"}"#, Medium::Phone, None),
        ] {
            let Content::Message(message) = one(body).content else { panic!("{body}") };
            let form = message.form.expect("form");
            assert_eq!((form.answer_channel, form.answer_address.as_deref()), (Some(medium), address), "{body}");
        }
    }

    #[test]
    fn what_is_no_call_is_told() {
        for body in [
            "",
            "{}",
            r#"{"text": " "}"#,
            r#"{"text": "x", "channel": "sms"}"#,
            r#"{"text": "x", "answer_channel": "email"}"#,
            r#"{"text": "x", "citizen_kind": "company"}"#,
            r#"{"text": "x", "fro": "1"}"#,
        ] {
            assert!(matches!(PhoneChannel.receive(&request("k", body)), Receipt::Quarantine { .. }), "{body}");
        }
    }

    #[test]
    fn the_same_call_however_it_is_written() {
        let first = one(r#"{"from": "1", "text": "x"}"#);
        assert_eq!(first.digest, one(r#"{ "text":"x", "from":"1" }"#).digest);
        assert_ne!(first.digest, one(r#"{"from": "1", "text": "y"}"#).digest);
        assert_eq!(first.key, "staff:1:k");
    }
}
