//! From the hub to the medium.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One part of one delivery, ready to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outbound {
    /// The delivery's id, the same for every attempt: the provider's idempotency key where one exists
    /// (for several parts the hub appends `-2`, `-3` ...).
    pub delivery_id: String,
    /// This attempt's id, committed before the call: stands in the callback address.
    pub attempt_id: String,
    /// What it is for.
    pub kind: DeliveryKind,
    /// The citizen's or department's address in this medium.
    pub to: String,
    /// The subject, for media that have one.
    pub subject: Option<String>,
    /// The text of this part.
    pub text: String,
    /// The text as HTML, for media that show it.
    pub html: Option<String>,
    /// The text's language (BCP 47).
    pub language: Option<String>,
    /// Whether a machine wrote it (acknowledgement, question, notice): marked so that no other machine answers.
    pub automatic: bool,
    /// Threading of mails.
    pub thread: Thread,
    /// Buttons under the text, for media that have them; elsewhere the text already names the choices.
    pub buttons: Vec<Button>,
    /// Files that go along.
    pub attachments: Vec<OutboundFile>,
    /// Where the provider shall report, complete with account and attempt id; `None` when reports are not wanted.
    pub report_url: Option<String>,
    /// The time of sending.
    pub now: DateTime<Utc>,
}

/// What a delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryKind {
    /// "We have it, this is your number."
    Acknowledgement,
    /// The hub asks the citizen something.
    Question,
    /// The department's answer.
    Reply,
    /// To a department, an operator, or the citizen about progress.
    Notice,
    /// A one-time code that confirms an address.
    Code,
}

impl DeliveryKind {
    /// The word used in the API, the templates and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledgement => "acknowledgement",
            Self::Question => "question",
            Self::Reply => "reply",
            Self::Notice => "notice",
            Self::Code => "code",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Acknowledgement, Self::Question, Self::Reply, Self::Notice, Self::Code]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// Threading of a mail (RFC 5322, 3.6.4). Ids stand without angle brackets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thread {
    /// The Message-ID of this mail, the same for every attempt; the hub puts its reference token into it.
    pub message_id: Option<String>,
    /// The mail that this answers.
    pub in_reply_to: Option<String>,
    /// The thread so far, oldest first.
    pub references: Vec<String>,
    /// The tag that makes a reply address of the account's own one (`mailbox+TAG@host`).
    pub reply_tag: Option<String>,
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What the citizen reads.
    pub label: String,
    /// What comes back in [`crate::ControlKind::Button`]; at most 64 bytes.
    pub data: String,
}

/// A file that goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundFile {
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// The far end took it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acceptance {
    /// The far end's id, by which reports name it (for mail the Message-ID).
    pub provider_id: Option<String>,
}

/// Why a send did not work. Retry is a property of the error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Surely not sent; worth another try.
    #[error("{reason}")]
    Transient {
        /// What happened, without personal data or secrets.
        reason: String,
        /// When the far end wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// This address will not work; another one may.
    #[error("{0}")]
    Permanent(String),
    /// Perhaps sent (the connection broke after the message had left); tried once more and counted.
    #[error("{0}")]
    Uncertain(String),
}

impl DeliveryError {
    /// A transient error without a wish of the far end.
    #[must_use]
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }
}
