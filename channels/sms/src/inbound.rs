//! From a provider's fields to the hub's items: what all three providers share.

use channel_contract::{
    Attachment, AttachmentContent, Content, Control, ControlKind, Inbound, Message, QuarantineReason, Receipt, Report,
    ReportStatus, ReportSubject, digest, is_blank,
};
use chrono::{DateTime, Utc};
use phonenumber::country::Id;

use crate::phone::{narrow, normalise};

/// Longest id that is taken as the identity of a message; a database index has no room for more.
const MAX_KEY_BYTES: usize = 200;

/// Digits of the shortest number that takes messages (short codes).
const SHORTEST_NUMBER: usize = 3;

/// What is kept of a provider's error; codes are shorter.
const MAX_ERROR_CHARS: usize = 200;

/// A verified request that cannot be understood.
pub(crate) fn unparsable(detail: impl Into<String>) -> Receipt {
    Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail: detail.into() }
}

/// A request of unknown origin.
pub(crate) fn unverified(detail: &str) -> Receipt {
    Receipt::Quarantine { reason: QuarantineReason::Unverified, detail: detail.to_owned() }
}

/// The fields of a received short message, as the provider gave them.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) sent_at: Option<DateTime<Utc>>,
    pub(crate) attachments: Vec<Attachment>,
    /// What the provider itself understood the text to mean.
    pub(crate) control: Option<ControlKind>,
}

impl Received {
    /// Makes the receipt: a control if the whole text is a known word, otherwise a message.
    pub(crate) fn receipt(self, region: Id) -> Receipt {
        let (id, from) = (printable(&self.id), printable(&self.from));
        if let Err(receipt) = usable(id.trim()) {
            return receipt;
        }
        if from.trim().is_empty() {
            return unparsable("`from` is missing or empty");
        }
        if from.len() > MAX_KEY_BYTES {
            return unparsable(format!("`from` is longer than {MAX_KEY_BYTES} bytes"));
        }
        let text = printable(&self.text);
        if is_blank(&text) && self.attachments.is_empty() && self.control.is_none() {
            return unparsable("`text` is missing or blank");
        }
        let sources = self.attachments.iter().map(|attachment| match &attachment.content {
            AttachmentContent::Remote { source, .. } => source.as_bytes(),
            AttachmentContent::Inline(bytes) => bytes.as_ref(),
        });
        // Over the raw fields, so that a change of settings makes no known message look like another.
        let fields = [self.from.as_bytes(), self.to.as_bytes(), self.text.as_bytes()];
        let digest = digest(fields.into_iter().chain(sources));
        let from = normalise(&from, region);
        // A name (`BANK`, `Anonymous`) cannot be written to.
        let can_receive = from.chars().filter(char::is_ascii_digit).count() >= SHORTEST_NUMBER;
        let to: Vec<String> =
            Some(normalise(&printable(&self.to), region)).filter(|address| !address.is_empty()).into_iter().collect();
        let content = match self.control.or_else(|| control_word(&text)) {
            Some(kind) => Content::Control(Control { from, kind, language_hint: None }),
            None => Content::Message(Box::new(Message {
                from,
                to,
                text,
                attachments: self.attachments,
                sent_at: self.sent_at,
                no_acknowledgement: (!can_receive).then(|| "the sender has no number".to_owned()),
                ..Message::default()
            })),
        };
        Receipt::Verified(vec![Inbound { key: id.trim().to_owned(), digest, content }])
    }
}

/// The receipt of a delivery report. `word` is the provider's word for the status and part of the key,
/// since a provider reports several times on one message.
pub(crate) fn report(subject: ReportSubject, word: &str, status: ReportStatus, error: Option<String>) -> Receipt {
    let subject = match subject {
        ReportSubject::ProviderId(id) => ReportSubject::ProviderId(printable(&id)),
        ReportSubject::Attempt(id) => ReportSubject::Attempt(printable(&id)),
    };
    let (ReportSubject::ProviderId(id) | ReportSubject::Attempt(id)) = &subject;
    if let Err(receipt) = usable(id) {
        return receipt;
    }
    let word = printable(word);
    if word.len() > MAX_KEY_BYTES {
        return unparsable(format!("`status` is longer than {MAX_KEY_BYTES} bytes"));
    }
    let inbound = Inbound {
        key: format!("report:{id}:{word}"),
        digest: digest([id.as_bytes(), word.as_bytes()]),
        content: Content::Report(Report {
            status,
            error: error.map(|error| printable(&error).chars().take(MAX_ERROR_CHARS).collect()),
            subject,
        }),
    };
    Receipt::Verified(vec![inbound])
}

fn usable(id: &str) -> Result<(), Receipt> {
    if id.is_empty() {
        return Err(unparsable("the id is missing or empty"));
    }
    if id.len() > MAX_KEY_BYTES {
        return Err(unparsable(format!("the id is longer than {MAX_KEY_BYTES} bytes")));
    }
    Ok(())
}

/// PostgreSQL text holds no NUL, and phones pad with it.
fn printable(text: &str) -> String {
    text.replace('\0', "")
}

/// The meaning of a text that is nothing but a known word (3GPP has none; these are the operators' customs:
/// `TD`, `T` and 退订 in China, STOP and START elsewhere).
fn control_word(text: &str) -> Option<ControlKind> {
    let word: String = text.trim().chars().map(narrow).collect::<String>().to_uppercase();
    match word.as_str() {
        "STOP" | "UNSUBSCRIBE" | "TD" | "T" | "退订" => Some(ControlKind::Stop),
        "START" | "订阅" => Some(ControlKind::Resume),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use channel_contract::{Content, ControlKind, Receipt, ReportStatus, ReportSubject};
    use phonenumber::country::Id;

    use super::{MAX_ERROR_CHARS, Received, control_word, report};

    #[test]
    fn only_the_bare_word_is_a_control() {
        for (text, expected) in [
            ("STOP", Some(ControlKind::Stop)),
            (" stop\n", Some(ControlKind::Stop)),
            ("unsubscribe", Some(ControlKind::Stop)),
            ("TD", Some(ControlKind::Stop)),
            ("ｔｄ", Some(ControlKind::Stop)),
            ("t", Some(ControlKind::Stop)),
            ("退订", Some(ControlKind::Stop)),
            ("Start", Some(ControlKind::Resume)),
            ("订阅", Some(ControlKind::Resume)),
            ("stop the noise", None),
            ("退订短信", None),
            ("ok", None),
            ("", None),
        ] {
            assert_eq!(control_word(text), expected, "{text:?}");
        }
    }

    fn received(id: &str, from: &str, text: &str) -> Received {
        Received { id: id.into(), from: from.into(), to: "12345".into(), text: text.into(), ..Received::default() }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (id, from, text, expected) in [
            ("", "1", "x", "the id is missing or empty"),
            ("\0", "1", "x", "the id is missing or empty"),
            (&*"i".repeat(201), "1", "x", "the id is longer than 200 bytes"),
            ("1", " ", "x", "`from` is missing or empty"),
            ("1", "1", " \n\0\u{200b}", "`text` is missing or blank"),
            ("1", &*"1".repeat(201), "x", "`from` is longer than 200 bytes"),
        ] {
            let receipt = received(id, from, text).receipt(Id::CN);
            assert!(matches!(&receipt, Receipt::Quarantine { detail, .. } if detail == expected), "{receipt:?}");
        }
    }

    #[test]
    fn a_report_is_clean_and_its_error_short() {
        let subject = ReportSubject::ProviderId("p\u{0}1".to_owned());
        let error = Some("路\0".repeat(300));
        let Receipt::Verified(items) = report(subject, "failed", ReportStatus::Failed, error) else {
            panic!("not verified")
        };
        let item = items.into_iter().next().expect("one item");
        assert_eq!(item.key, "report:p1:failed");
        let Content::Report(report) = item.content else { panic!("no report") };
        assert_eq!(report.subject, ReportSubject::ProviderId("p1".to_owned()));
        assert_eq!(report.error, Some("路".repeat(MAX_ERROR_CHARS)));
        let empty = super::report(ReportSubject::Attempt("\0".to_owned()), "1", ReportStatus::Delivered, None);
        assert!(matches!(empty, Receipt::Quarantine { .. }), "{empty:?}");
    }

    #[test]
    fn the_message_is_clean_and_its_digest_is_of_the_raw_fields() {
        let taken = |from: &str, text: &str| match received("1", from, text).receipt(Id::CN) {
            Receipt::Verified(items) => items.into_iter().next().expect("one item"),
            other => panic!("not verified: {other:?}"),
        };
        let one = taken("13800138000", "路灯\0坏了");
        let Content::Message(message) = &one.content else { panic!("no message: {one:?}") };
        assert_eq!((message.from.as_str(), message.text.as_str()), ("+8613800138000", "路灯坏了"));
        assert_eq!(message.no_acknowledgement, None);
        for nobody in ["Anonymous", "+", "BANK1"] {
            let Content::Message(message) = taken(nobody, "x").content else { panic!("no message") };
            assert!(message.no_acknowledgement.is_some(), "{nobody}");
        }
        assert_ne!(one.digest, taken("13800138000", "路灯坏了").digest);
        assert_ne!(one.digest, taken("+8613800138000", "路灯\0坏了").digest);
    }
}
