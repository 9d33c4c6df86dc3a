//! What every channel adapter implements.
//!
//! An adapter turns what its medium delivers into [`Inbound`] items and carries [`Outbound`] messages
//! away. It knows neither the database nor the hub nor its siblings: it is handed bytes, time and
//! addresses, and answers with values. The full specification, in MUSTs, is `channels/README.md`;
//! [`conformance`] checks it.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod conformance;
mod inbound;
mod outbound;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use inbound::*;
pub use outbound::*;

/// One configured instance of a channel: one mailbox, one bot, one SMS number.
///
/// Implementations are cheap to share and hold no state that a restart may not lose.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// What this account is and can do; constant for its life.
    fn descriptor(&self) -> Descriptor;

    /// Judges origin and parses one webhook request. Pure: same request, same receipt. Must not panic on any bytes.
    fn receive(&self, request: &RawRequest) -> Receipt;

    /// The HTTP answer this medium's sender expects for a verdict that is already committed.
    /// The hub adds the header `Yingda-Outcome`. The default is the JSON body of the outside contract with status 200.
    fn answer(&self, verdict: &Verdict) -> HttpAnswer {
        HttpAnswer::json(verdict)
    }

    /// How `text` would leave: as which parts, or not at all because it is too long for the medium.
    fn plan(&self, text: &str) -> Plan {
        Plan::Parts(vec![text.to_owned()])
    }

    /// Sends one part. Called by the outbox only, after the attempt is committed, outside any transaction.
    ///
    /// # Errors
    /// [`DeliveryError`] says whether to try again, give this address up, or that nobody knows.
    async fn send(&self, outbound: &Outbound) -> Result<Acceptance, DeliveryError>;

    /// Collects new messages after `cursor`, waiting up to `wait` when there are none.
    /// The hub commits messages and cursor together; an adapter never advances by itself.
    ///
    /// # Errors
    /// [`PollError`]; the hub tries again after its backoff with the same cursor.
    async fn poll(&self, cursor: Option<&str>, wait: Duration, now: DateTime<Utc>) -> Result<Polled, PollError> {
        let _ = (cursor, wait, now);
        Err(PollError::Permanent("this channel is not polled".to_owned()))
    }

    /// Fetches media that the provider holds, named by [`AttachmentContent::Remote`].
    ///
    /// # Errors
    /// [`DeliveryError`]: transient errors are tried again, permanent ones (not found, host not allowed, too large) are final.
    async fn fetch(&self, source: &str, limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        let _ = (source, limit_bytes);
        Err(DeliveryError::Permanent("this channel holds no media elsewhere".to_owned()))
    }

    /// Tries the account's credentials and far end, changing nothing there (`yingda doctor`).
    async fn probe(&self) -> Vec<Finding>;
}

/// The medium of a channel; decides templates and what an address looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// Short message; addresses are E.164 numbers.
    Sms,
    /// E-mail; addresses are RFC 5321 mailboxes.
    Email,
    /// Telegram; addresses are chat ids.
    Telegram,
    /// City app or widget over a websocket; addresses are session ids.
    Websocket,
    /// Web form; the address is the ticket itself (the answer waits on `/track`).
    Webform,
    /// Telephone; an agent speaks. Addresses are E.164 numbers.
    Phone,
}

impl Medium {
    /// The word used in the API, the database and addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Telegram => "telegram",
            Self::Websocket => "websocket",
            Self::Webform => "webform",
            Self::Phone => "phone",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Sms, Self::Email, Self::Telegram, Self::Websocket, Self::Webform, Self::Phone]
            .into_iter()
            .find(|medium| medium.as_str() == word)
    }
}

impl std::fmt::Display for Medium {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What an account is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The medium.
    pub medium: Medium,
    /// The account id, unique in an installation.
    pub account: String,
    /// The provider within the medium, such as `twilio`, `kannel`, `generic`, `imap`.
    pub provider: &'static str,
    /// Whether the hub must call [`Channel::poll`] (under one lease per account).
    pub polls: bool,
    /// Whether the far end reports what became of an accepted message. Without reports acceptance counts as delivered.
    pub reports: bool,
    /// Whether the far end ignores a second send with the same delivery id, so that an interrupted attempt may be repeated freely.
    pub idempotent: bool,
    /// Why nothing can be sent now (no far end configured); deliveries stay queued and say this.
    pub cannot_send: Option<String>,
    /// Query parameters and headers (lower case) that carry credentials; the hub strips them from the ledger row of an accepted message.
    pub credentials: &'static [&'static str],
}

/// How a text would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// As these parts in this order, each sent and recorded by itself.
    Parts(Vec<String>),
    /// Too long: the hub sends a short text with a link to the answer instead.
    TooLong,
}

/// A line of `yingda doctor`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was looked at, e.g. `smtp login`.
    pub check: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was seen, and if not well what to do. Never a secret.
    pub detail: String,
    /// What kind of thing is wrong, where that is known.
    pub cause: Option<Cause>,
}

/// What is wrong with an account, as a word for programs that tell people in their language; the detail has the particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A setting is missing.
    NotConfigured,
    /// A setting does not fit the far end.
    Misconfigured,
    /// The far end cannot be reached, or does not answer as it should.
    Unreachable,
    /// The far end refuses the login.
    Refused,
}

impl Cause {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Misconfigured => "misconfigured",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
}

impl Finding {
    /// A check that went well.
    #[must_use]
    pub fn good(check: &str, detail: impl Into<String>) -> Self {
        Self { check: check.to_owned(), ok: true, detail: detail.into(), cause: None }
    }

    /// A check that did not.
    #[must_use]
    pub fn bad(check: &str, detail: impl Into<String>) -> Self {
        Self { check: check.to_owned(), ok: false, detail: detail.into(), cause: None }
    }

    /// The same with what kind of thing is wrong.
    #[must_use]
    pub fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }
}
