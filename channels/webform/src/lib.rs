//! The citizen's web form: what a browser posts becomes a message.
//!
//! The pages themselves belong to the hub (`src/http/portal`), which also guards them: it issues the submit token,
//! verifies it together with its cookie, and shows the errors of [`validate`] beside what was typed. This crate reads
//! ([`parse`]) and judges ([`validate`]) the form, and [`WebformChannel`] makes one message of it whose identity is the
//! submit token, so that a form posted twice is one appeal. Answers wait on the tracking page: nothing is ever sent.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod address;
mod input;
mod settings;
mod validate;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Channel, Content, DeliveryError, Descriptor, Finding, Inbound, Medium, Outbound, QuarantineReason,
    RawRequest, Receipt, digest,
};

pub use input::{FormInput, ParseError, Photo, compose, parse};
pub use settings::Settings;
pub use validate::{FieldError, validate};

/// One web form.
#[derive(Debug, Clone)]
pub struct WebformChannel {
    account: String,
    settings: Settings,
}

impl WebformChannel {
    /// A form with these settings.
    ///
    /// # Errors
    /// Every problem of the settings, each as `key: what is wrong`.
    pub fn new(account: &str, settings: Settings) -> Result<Self, Vec<String>> {
        let problems = settings.problems();
        if problems.is_empty() { Ok(Self { account: account.to_owned(), settings }) } else { Err(problems) }
    }

    /// The settings, for the page that shows the limits.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[async_trait]
impl Channel for WebformChannel {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Webform,
            account: self.account.clone(),
            provider: "form",
            polls: false,
            reports: false,
            idempotent: true,
            cannot_send: None,
            credentials: &[],
        }
    }

    /// Makes one message of a posted form. The hub has verified the submit token before; a form that cannot be read, or
    /// has fields that must change, never comes from one of its pages and is kept aside.
    fn receive(&self, request: &RawRequest) -> Receipt {
        let unparsable = |detail: String| Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail };
        let input = match parse(request.header("content-type").unwrap_or_default(), &request.body) {
            Ok(input) => input,
            Err(error) => return unparsable(error.to_string()),
        };
        if input.form_token.is_empty() {
            return Receipt::Quarantine { reason: QuarantineReason::Unverified, detail: "no submit token".to_owned() };
        }
        match validate(&input, &self.settings, request.received_at.timestamp()) {
            Ok(message) => Receipt::Verified(vec![Inbound {
                key: input.form_token.clone(),
                digest: content_digest(&input),
                content: Content::Message(Box::new(message)),
            }]),
            Err(errors) => {
                let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
                unparsable(format!("fields have to change: {}", keys.join(", ")))
            }
        }
    }

    async fn send(&self, _outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        Err(DeliveryError::Permanent("answers to the form wait on the tracking page".to_owned()))
    }

    async fn probe(&self) -> Vec<Finding> {
        vec![Finding::good("form", "served by the hub itself")]
    }
}

/// What makes two posts of one token the same.
fn content_digest(input: &FormInput) -> [u8; 32] {
    let confidential = [u8::from(input.confidential)];
    let mut parts: Vec<&[u8]> = vec![
        input.text.as_bytes(),
        input.place.as_bytes(),
        input.name.as_bytes(),
        &confidential,
        input.answer_channel.as_bytes(),
        input.answer_address.as_bytes(),
        input.item.as_bytes(),
    ];
    // Said or not, a form of an earlier version has the digest it had.
    for (name, field) in [("street", &input.street), ("citizen_kind", &input.citizen_kind)] {
        if !field.is_empty() {
            parts.extend([name.as_bytes(), field.as_bytes()]);
        }
    }
    for photo in &input.photos {
        parts.extend([photo.name.as_bytes(), photo.media_type.as_bytes(), photo.bytes.as_ref()]);
    }
    digest(parts)
}

#[cfg(test)]
mod tests {
    use channel_contract::conformance::{Case, Expect, violations};
    use channel_contract::{DeliveryKind, Thread};
    use chrono::DateTime;

    use super::*;

    const MULTIPART: &str = "multipart/form-data; boundary=----WebKitFormBoundaryq0vU2L8c1";

    fn channel() -> WebformChannel {
        WebformChannel::new("form", Settings::default()).expect("the defaults are sound")
    }

    fn request(content_type: &str, body: &'static [u8]) -> RawRequest {
        RawRequest {
            method: "POST".to_owned(),
            url: "https://12345.example/".to_owned(),
            headers: vec![("content-type".to_owned(), content_type.into())],
            peer: None,
            body: body.into(),
            received_at: DateTime::from_timestamp(1_763_769_660, 0).expect("a time"),
        }
    }

    fn cases() -> Vec<Case> {
        let urlencoded = "application/x-www-form-urlencoded";
        [
            ("chromium.multipart", MULTIPART, &include_bytes!("../fixtures/chromium.multipart")[..], Expect::Message),
            ("plain.urlencoded", urlencoded, &include_bytes!("../fixtures/plain.urlencoded")[..], Expect::Message),
            ("no token", urlencoded, b"text=abc", Expect::Quarantine),
            ("empty text", urlencoded, b"text=&form_token=1.2.3", Expect::Quarantine),
            ("not a form", "application/json", b"{}", Expect::Quarantine),
        ]
        .into_iter()
        .map(|(name, content_type, body, expect)| Case {
            name: name.to_owned(),
            request: request(content_type, body),
            expect,
        })
        .collect()
    }

    #[test]
    fn conforms() {
        assert_eq!(violations(&channel(), &cases()), Vec::<String>::new());
    }

    #[test]
    fn a_browsers_form_is_one_message_with_its_photo() {
        let Receipt::Verified(items) = channel().receive(&cases()[0].request) else { panic!("a message") };
        let [Inbound { key, content: Content::Message(message), .. }] = items.as_slice() else { panic!("one message") };
        assert_eq!(key, "1763769600.n7Qm2.c0ffee");
        assert_eq!(message.text, "文昌路12号对面的路灯不亮。\n已经三天了，晚上看不清路。");
        assert_eq!(message.attachments.len(), 1);
        assert_eq!(message.attachments[0].name, "路灯.png");
        let form = message.form.as_ref().expect("form fields");
        assert_eq!(form.answer_address.as_deref(), Some("li.lei@example.com"));
        assert!(form.confidential);
        assert!(!form.suspected_spam);
    }

    #[tokio::test]
    async fn nothing_is_sent() {
        let outbound = Outbound {
            delivery_id: "d".to_owned(),
            attempt_id: "a".to_owned(),
            kind: DeliveryKind::Reply,
            to: "2611220000173".to_owned(),
            subject: None,
            text: "x".to_owned(),
            html: None,
            language: None,
            automatic: false,
            thread: Thread::default(),
            buttons: Vec::new(),
            attachments: Vec::new(),
            report_url: None,
            now: DateTime::UNIX_EPOCH,
        };
        assert!(matches!(channel().send(&outbound).await, Err(DeliveryError::Permanent(_))));
    }

    #[test]
    fn settings_are_judged() {
        let read = |text: &str| serde_json::from_str::<Settings>(text);
        assert_eq!(read("{}").expect("defaults"), Settings::default());
        assert!(read(r#"{"max_fotos": 1}"#).is_err());
        let bad = read(r#"{"answer_channels": ["telegram"], "region": "Mars", "max_text_chars": 0}"#).expect("read");
        let problems = WebformChannel::new("form", bad).expect_err("three problems");
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
