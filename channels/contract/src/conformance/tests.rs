//! The suite finds what it says it finds: one channel with one flaw at a time.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Datelike as _};

use super::{Case, Expect, violations};
use crate::{
    Acceptance, Attachment, AttachmentContent, Channel, Content, DeliveryError, Descriptor, Finding, HttpAnswer,
    Inbound, Medium, Message, Outbound, Plan, QuarantineReason, RawRequest, Receipt, Verdict, digest,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    NoAccount,
    UpperCaseCredentials,
    AnswersServerError,
    PlanLosesText,
    PlanHasBlankPart,
    ShortTextTooLong,
    DifferentEachTime,
    EmptyReceipt,
    OriginIgnored,
    AgeIsJudged,
    SecretIsTold,
    NoKey,
    LongKey,
    KeyOfTime,
    DigestOfIdOnly,
    Nul,
    CharacterLost,
    SaysNothing,
    SecretInSource,
}

/// Takes `ID|TEXT` with the header `x-secret: hush-hush`.
struct Flawed {
    flaw: Flaw,
    calls: AtomicU32,
}

#[async_trait]
impl Channel for Flawed {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Sms,
            account: if self.flaw == Flaw::NoAccount { String::new() } else { "account".to_owned() },
            provider: "flawed",
            polls: false,
            reports: true,
            idempotent: false,
            cannot_send: None,
            credentials: if self.flaw == Flaw::UpperCaseCredentials { &["X-Secret"] } else { &["x-secret"] },
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let given = request.header("x-secret").unwrap_or_default();
        let quarantine = |reason, detail: &str| Receipt::Quarantine { reason, detail: detail.to_owned() };
        if given != "hush-hush" && self.flaw != Flaw::OriginIgnored {
            let detail = if self.flaw == Flaw::SecretIsTold { given } else { "the secret is wrong" };
            return quarantine(QuarantineReason::Unverified, detail);
        }
        if self.flaw == Flaw::AgeIsJudged && request.received_at.year() > 1970 {
            return quarantine(QuarantineReason::Unverified, "too old");
        }
        if self.flaw == Flaw::EmptyReceipt {
            return Receipt::Verified(Vec::new());
        }
        let text = String::from_utf8_lossy(&request.body);
        let Some((id, text)) = text.split_once('|').filter(|(id, text)| !id.is_empty() && !text.is_empty()) else {
            return quarantine(QuarantineReason::Unparsable, "no id");
        };
        let key = match self.flaw {
            Flaw::NoKey => " ".to_owned(),
            Flaw::LongKey => "k".repeat(1001),
            Flaw::KeyOfTime => request.received_at.to_rfc3339(),
            Flaw::DifferentEachTime => calls.to_string(),
            _ => id.to_owned(),
        };
        let said = match self.flaw {
            Flaw::Nul => format!("{text}\0"),
            Flaw::CharacterLost => format!("{text}\u{fffd}"),
            Flaw::SaysNothing => String::new(),
            // Never NUL and never replaced, whatever damage the suite does.
            _ => text.replace(['\0', '\u{fffd}'], "?"),
        };
        let covered = if self.flaw == Flaw::DigestOfIdOnly { id } else { text };
        let source = if self.flaw == Flaw::SecretInSource { "https://media.example/?key=hush-hush" } else { "file-1" };
        let file = Attachment {
            name: "photo.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            content: AttachmentContent::Remote { source: source.to_owned(), size: None },
        };
        let attachments = if self.flaw == Flaw::SaysNothing { Vec::new() } else { vec![file] };
        let message = Message { from: "+8613800138000".to_owned(), text: said, attachments, ..Message::default() };
        let content = Content::Message(Box::new(message));
        Receipt::Verified(vec![Inbound { key, digest: digest([covered.as_bytes()]), content }])
    }

    fn answer(&self, verdict: &Verdict) -> HttpAnswer {
        let status = if self.flaw == Flaw::AnswersServerError { 500 } else { 200 };
        HttpAnswer { status, ..HttpAnswer::json(verdict) }
    }

    fn plan(&self, text: &str) -> Plan {
        match self.flaw {
            Flaw::PlanLosesText => Plan::Parts(vec![text.chars().skip(1).collect()]),
            Flaw::PlanHasBlankPart => Plan::Parts(vec![text.to_owned(), " ".to_owned()]),
            Flaw::ShortTextTooLong => Plan::TooLong,
            _ => Plan::Parts(vec![text.to_owned()]),
        }
    }

    async fn send(&self, _outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        Err(DeliveryError::transient("never called by the suite"))
    }

    async fn probe(&self) -> Vec<Finding> {
        Vec::new()
    }
}

fn found(flaw: Flaw) -> Vec<String> {
    let case = |name: &str, secret: &str, body: &'static [u8], expect| Case {
        name: name.to_owned(),
        request: RawRequest {
            method: "POST".to_owned(),
            url: "https://hub.example/channels/sms/account?x=1".to_owned(),
            headers: vec![("x-secret".to_owned(), secret.as_bytes().to_vec())],
            peer: None,
            body: body.into(),
            received_at: DateTime::UNIX_EPOCH,
        },
        expect,
    };
    let cases = [
        case("message", "hush-hush", "17|路灯坏了".as_bytes(), Expect::Message),
        case("wrong secret", "guessed-it", b"17|x", Expect::Quarantine),
        case("no id", "hush-hush", b"x", Expect::Quarantine),
    ];
    violations(&Flawed { flaw, calls: AtomicU32::new(0) }, &cases)
}

#[test]
fn a_faultless_channel_passes() {
    assert_eq!(found(Flaw::Nothing), Vec::<String>::new());
}

#[test]
fn each_flaw_is_found() {
    for (flaw, must) in [
        (Flaw::NoAccount, "MUST 2:"),
        (Flaw::UpperCaseCredentials, "MUST 2:"),
        (Flaw::DifferentEachTime, "MUST 5:"),
        (Flaw::EmptyReceipt, "MUST 5:"),
        (Flaw::OriginIgnored, "MUST 6:"),
        (Flaw::AgeIsJudged, "MUST 7:"),
        (Flaw::SecretIsTold, "MUST 8:"),
        (Flaw::NoKey, "MUST 9:"),
        (Flaw::LongKey, "MUST 9:"),
        (Flaw::DigestOfIdOnly, "MUST 10:"),
        (Flaw::KeyOfTime, "MUST 11:"),
        (Flaw::Nul, "MUST 12:"),
        (Flaw::CharacterLost, "MUST 12:"),
        (Flaw::SaysNothing, "MUST 12:"),
        (Flaw::SecretInSource, "MUST 15:"),
        (Flaw::AnswersServerError, "MUST 17:"),
        (Flaw::PlanLosesText, "MUST 18:"),
        (Flaw::PlanHasBlankPart, "MUST 18:"),
        (Flaw::ShortTextTooLong, "MUST 18:"),
    ] {
        let found = found(flaw);
        assert!(found.iter().any(|violation| violation.contains(must)), "{flaw:?}: {found:?}");
    }
}
