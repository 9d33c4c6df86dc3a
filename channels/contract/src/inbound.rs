//! From the medium to the hub.

use std::net::IpAddr;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Medium;

/// A request as it came in, before anybody judged it; also what the ledger keeps and a replay judges again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// HTTP method; for polled messages the verb of the protocol, such as `FETCH` or `getUpdates`; for the pipe `PIPE`.
    pub method: String,
    /// The address as the sender used it, scheme and host from `server.public_url`, with path and query.
    pub url: String,
    /// Header names in lower case with their raw values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The sender's address after trusted proxies; `None` for polled messages.
    pub peer: Option<IpAddr>,
    /// The raw body.
    pub body: Bytes,
    /// When the hub had it whole. Timestamps are judged against this, never against the clock.
    pub received_at: DateTime<Utc>,
}

impl RawRequest {
    /// The first value of a header (lower-case name) as text, if it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The query string without `?`, raw.
    #[must_use]
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

/// What an adapter made of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    /// Origin verified. Each item gets its own ledger row and outcome. Never empty: what carries nothing of
    /// interest is a [`Control`] of kind [`ControlKind::Ignored`].
    Verified(Vec<Inbound>),
    /// Kept aside: never a ticket, never lost.
    Quarantine {
        /// Which kind of doubt.
        reason: QuarantineReason,
        /// What was wrong, for the operator, without personal data or secrets.
        detail: String,
    },
    /// A wrong bearer token: plain 401 and nothing kept.
    Unauthorized,
}

/// Why a message stands in quarantine. `as_str` is the word of the API and the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineReason {
    /// The signature or secret is missing or wrong.
    Unverified,
    /// Verified, but it could not be parsed.
    Unparsable,
    /// A known message id with other content.
    IdReused,
    /// Verified and parsed, yet the hub failed on it again and again.
    Poisoned,
}

impl QuarantineReason {
    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Unparsable => "unparsable",
            Self::IdReused => "id_reused",
            Self::Poisoned => "poisoned",
        }
    }
}

/// One verified item.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The identity of the message within its account: what the provider guarantees to repeat on a retry and never to reuse.
    pub key: String,
    /// SHA-256 over what makes two messages the same; equal keys with different digests are `id_reused`. See [`digest`].
    pub digest: [u8; 32],
    /// What it is.
    pub content: Content,
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts collide.
#[must_use]
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Whether a text shows nothing: empty, or white space, control and invisible characters only (Unicode's general categories Cc
/// and Cf, and the letters that are drawn as a blank).
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// What a verified item is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A citizen says something: becomes an appeal.
    Message(Box<Message>),
    /// The provider's word on an earlier send.
    Report(Report),
    /// Recorded and obeyed, no appeal.
    Control(Control),
}

/// What a citizen said, in the one shape that all channels share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// The sender's address in the form this medium answers to (E.164 number, mailbox, chat id, session id); empty for an anonymous form.
    pub from: String,
    /// The sender's display name, if the medium tells.
    pub name: Option<String>,
    /// Addresses it was sent to, for reference tokens.
    pub to: Vec<String>,
    /// The subject, where the medium has one.
    pub subject: Option<String>,
    /// The text; for mail only what this person wrote now.
    pub text: String,
    /// The rest of a mail: quotation and signature.
    pub quoted: Option<String>,
    /// The mail's HTML, made safe (no script, no remote content).
    pub html: Option<String>,
    /// The medium's own id of this message that an answer can name (a mail's Message-ID, without angle brackets).
    pub message_id: Option<String>,
    /// Identifiers of earlier messages that it answers (Message-ID, In-Reply-To, References, quoted subject), for reference tokens.
    pub references: Vec<String>,
    /// Files, inline or to be fetched.
    pub attachments: Vec<Attachment>,
    /// Messages of one group (album) form one appeal.
    pub group: Option<String>,
    /// A place that came with it.
    pub location: Option<Location>,
    /// Why no automatic answer may go out (auto-reply, list, null sender, old mail, failed DMARC), if so.
    pub no_acknowledgement: Option<String>,
    /// A language the sender's app declared (BCP 47), a hint only.
    pub language_hint: Option<String>,
    /// When the sender's side says it was written, if it says.
    pub sent_at: Option<DateTime<Utc>>,
    /// What only forms and agents give.
    pub form: Option<Form>,
}

/// Extra fields of a form or a call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Form {
    /// Chosen service item id.
    pub item: Option<String>,
    /// Where it is, in words.
    pub place: Option<String>,
    /// The street, where it has a field of its own.
    pub street: Option<String>,
    /// Whom the citizen speaks for.
    pub citizen_kind: Option<CitizenKind>,
    /// Asks that the identity be hidden from everybody but named roles.
    pub confidential: bool,
    /// Channel chosen for the answer.
    pub answer_channel: Option<Medium>,
    /// Address chosen for the answer.
    pub answer_address: Option<String>,
    /// Looks like form spam: goes to triage and is not acknowledged.
    pub suspected_spam: bool,
}

impl Form {
    /// Where it is, as people read it: street and place, the street once.
    #[must_use]
    pub fn whereabouts(&self) -> Option<String> {
        match (&self.street, &self.place) {
            (Some(street), Some(place)) if !place.contains(street.as_str()) => Some(format!("{street} {place}")),
            (street, place) => place.clone().or_else(|| street.clone()),
        }
    }
}

/// Whom a citizen speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CitizenKind {
    /// Themselves.
    Individual,
    /// A business or another organisation.
    Enterprise,
}

impl CitizenKind {
    /// Every kind, in the order of forms.
    pub const ALL: [Self; 2] = [Self::Individual, Self::Enterprise];

    /// The word used in forms, the API and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Enterprise => "enterprise",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A point on the earth, WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Latitude, degrees north.
    pub latitude: f64,
    /// Longitude, degrees east.
    pub longitude: f64,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name as given, or one made from the type.
    pub name: String,
    /// Media type as declared; the hub sniffs again.
    pub media_type: String,
    /// Where the bytes are.
    pub content: AttachmentContent,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentContent {
    /// Here.
    Inline(Bytes),
    /// With the provider: to be fetched after commit by [`crate::Channel::fetch`].
    Remote {
        /// What [`crate::Channel::fetch`] takes: a file id or address. May hold no credential.
        source: String,
        /// Size in bytes, if the provider says.
        size: Option<u64>,
    },
}

/// Bytes fetched from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub bytes: Bytes,
    /// Media type as the provider declares it.
    pub media_type: Option<String>,
    /// File name as the provider gives it.
    pub name: Option<String>,
}

/// The provider's word on an earlier send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Names the attempt.
    pub subject: ReportSubject,
    /// What became of it.
    pub status: ReportStatus,
    /// The provider's error code or text, without personal data.
    pub error: Option<String>,
}

/// How a report names the attempt it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportSubject {
    /// By the provider's id, as [`crate::Acceptance::provider_id`] gave it.
    ProviderId(String),
    /// By our attempt id, carried in the callback address.
    Attempt(String),
}

/// What became of a message. States never go backwards, except that a bounce revokes a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportStatus {
    /// On its way; changes nothing.
    Underway,
    /// Reached the citizen's device or mailbox.
    Delivered,
    /// Will not arrive at this address.
    Failed,
}

/// Something to obey, not an appeal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Who.
    pub from: String,
    /// What.
    pub kind: ControlKind,
    /// A language the sender's app declared (BCP 47).
    pub language_hint: Option<String>,
}

/// Kinds of [`Control`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlKind {
    /// First contact (`/start`): answered with a greeting.
    Start,
    /// No more messages, please: the citizen's own word (STOP, 退订).
    Stop,
    /// The address takes nothing any more (the bot was blocked): what is sent there fails and goes elsewhere. Nobody asked for silence.
    Blocked,
    /// Messages are welcome again.
    Resume,
    /// A button was pressed; `data` is what the hub gave it.
    Button {
        /// The hub's own data.
        data: String,
    },
    /// Understood and of no interest (a reaction, a join): only recorded.
    Ignored,
}

/// What the hub did with an item, after commit. `outcome` is the value of the header `Yingda-Outcome`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The ticket's number, if there is one.
    pub ticket: Option<String>,
    /// Why, when it was not taken as an appeal.
    pub reason: Option<String>,
}

/// The outcome of an inbound message: exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A new ticket.
    New,
    /// Appended to a ticket.
    Appended,
    /// A delivery report.
    Report,
    /// Recorded and obeyed.
    Control,
    /// Seen before.
    Duplicate,
    /// Kept aside.
    Quarantined,
}

impl Outcome {
    /// The word used in the API, the header and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Appended => "appended",
            Self::Report => "report",
            Self::Control => "control",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::New, Self::Appended, Self::Report, Self::Control, Self::Duplicate, Self::Quarantined]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

/// An HTTP answer in the sender's own protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Value of `Content-Type`; empty for none.
    pub content_type: &'static str,
    /// Body.
    pub body: Bytes,
}

impl HttpAnswer {
    /// Status 200 with the verdict as JSON.
    #[must_use]
    pub fn json(verdict: &Verdict) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            body: serde_json::to_vec(verdict).unwrap_or_default().into(),
        }
    }

    /// Status 200 with a fixed body.
    #[must_use]
    pub fn fixed(content_type: &'static str, body: &'static str) -> Self {
        Self { status: 200, content_type, body: Bytes::from_static(body.as_bytes()) }
    }
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// Messages in the order of the medium, each with the raw bytes that the ledger keeps.
    pub messages: Vec<(RawRequest, Receipt)>,
    /// Where to go on; opaque to the hub, committed with the messages.
    pub cursor: String,
}

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// Worth another try with the same cursor.
    #[error("{reason}")]
    Transient {
        /// What happened, without secrets.
        reason: String,
        /// When the far end wants to be asked again.
        retry_after: Option<std::time::Duration>,
    },
    /// Will not work until somebody changes something (login refused, webhook active elsewhere).
    #[error("{0}")]
    Permanent(String),
}

impl PollError {
    /// What kind of thing is wrong, for a [`crate::Finding`].
    #[must_use]
    pub const fn cause(&self) -> crate::Cause {
        match self {
            Self::Transient { .. } => crate::Cause::Unreachable,
            Self::Permanent(_) => crate::Cause::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for (text, blank) in [
            ("", true),
            (" \n\0", true),
            ("\u{200b}\u{200d}\u{feff}", true),
            ("\u{3000}\u{3164}\u{2800}", true),
            ("👍", false),
            ("灯", false),
            (".", false),
        ] {
            assert_eq!(is_blank(text), blank, "{text:?}");
        }
    }

    #[test]
    fn the_street_is_said_once() {
        for (street, place, expected) in [
            (None, None, None),
            (Some("竹影巷"), None, Some("竹影巷")),
            (None, Some("5号"), Some("5号")),
            (Some("竹影巷"), Some("5号"), Some("竹影巷 5号")),
            (Some("竹影巷"), Some("竹影巷5号"), Some("竹影巷5号")),
        ] {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let form = Form { street: own(street), place: own(place), ..Form::default() };
            assert_eq!(form.whereabouts(), own(expected));
        }
    }
}
