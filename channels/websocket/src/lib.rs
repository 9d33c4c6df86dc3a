//! Websocket protocol for city apps and the chat widget.
//!
//! The hub holds the connections, the sessions and the mailbox; this crate says what the frames mean
//! ([`ClientFrame`], [`HubFrame`], [`Dialogue`]), how much a client may do ([`Limiter`], [`Occupancy`]), whose pages may
//! connect ([`origin_allowed`]), how a frame becomes a message ([`WebsocketChannel`]), and carries the reference
//! client ([`WIDGET_JS`]). README.md is the protocol.
//!
//! What is absent: no sockets, no clock, no session tokens (the hub makes them and hands over only the session's id),
//! and nothing is sent: a message waits in the mailbox until the client collects it.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod frames;
mod limits;
mod settings;

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use channel_contract::{
    Acceptance, Channel, Content, DeliveryError, Descriptor, Finding, Inbound, Medium, Message, Outbound,
    QuarantineReason, RawRequest, Receipt, digest,
};
use chrono::{DateTime, Utc};

pub use crate::{
    frames::{ClientFrame, Dialogue, ErrorCode, Fault, HubFrame, MAX_ID_CHARS, MessageKind, Position},
    limits::{Limiter, Occupancy, TokenBucket},
    settings::{Settings, origin_allowed},
};

/// The chat widget: one script that a page embeds, and the reference client of the protocol. Served as `text/javascript`.
pub const WIDGET_JS: &str = include_str!("../widget/yingda-widget.js");

/// The verb under which the ledger keeps a message.
const SEND_METHOD: &str = "SEND";

/// The header that names the session: its id, never its token.
const SESSION_HEADER: &str = "session";

/// The header that names the client's language.
const LANGUAGE_HEADER: &str = "language";

/// A `send` frame of an authenticated session as the ledger keeps it and [`WebsocketChannel`] reads it.
///
/// `url` is the address of the connection, `session` the session's id, `frame` the text frame as it came.
#[must_use]
pub fn send_request(
    url: &str,
    session: &str,
    language: Option<&str>,
    peer: Option<IpAddr>,
    frame: impl Into<Bytes>,
    received_at: DateTime<Utc>,
) -> RawRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let mut headers = vec![header(SESSION_HEADER, session)];
    headers.extend(language.map(|language| header(LANGUAGE_HEADER, language)));
    RawRequest { method: SEND_METHOD.to_owned(), url: url.to_owned(), headers, peer, body: frame.into(), received_at }
}

/// One app or site.
#[derive(Debug)]
pub struct WebsocketChannel {
    account: String,
    settings: Settings,
}

impl WebsocketChannel {
    /// An app or site under the account id `account`.
    ///
    /// # Errors
    /// Every problem of the settings at once, each beginning with its key.
    pub fn new(account: &str, settings: Settings) -> Result<Self, Vec<String>> {
        let problems = settings.problems();
        if problems.is_empty() { Ok(Self { account: account.to_owned(), settings }) } else { Err(problems) }
    }

    /// The settings, for the limits that the hub keeps.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[async_trait]
impl Channel for WebsocketChannel {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Websocket,
            account: self.account.clone(),
            provider: "websocket",
            polls: false,
            // The client's `received` is the report.
            reports: true,
            // A client that is told twice knows the position.
            idempotent: true,
            cannot_send: None,
            credentials: &[],
        }
    }

    /// Reads what [`send_request`] made. The hub must not hand over HTTP requests as they come: the method and the
    /// session header are its own word that the session was authenticated.
    fn receive(&self, request: &RawRequest) -> Receipt {
        let session = request.header(SESSION_HEADER).filter(|session| !session.is_empty() && !session.contains(':'));
        let (SEND_METHOD, Some(session)) = (request.method.as_str(), session) else {
            return Receipt::Quarantine {
                reason: QuarantineReason::Unverified,
                detail: "not a frame of an authenticated session".to_owned(),
            };
        };
        let frame = std::str::from_utf8(&request.body)
            .map_err(|_| "the frame is not UTF-8")
            .and_then(|text| ClientFrame::parse(&self.settings, text).map_err(|fault| fault.message));
        let detail = match frame {
            Ok(ClientFrame::Send { id, text }) => {
                return Receipt::Verified(vec![Inbound {
                    key: format!("{session}:{id}"),
                    digest: digest([text.as_bytes()]),
                    content: Content::Message(Box::new(Message {
                        from: session.to_owned(),
                        text,
                        language_hint: request
                            .header(LANGUAGE_HEADER)
                            .or(self.settings.default_language.as_deref())
                            .map(str::to_owned),
                        ..Message::default()
                    })),
                }]);
            }
            Ok(_) => "only send frames are messages",
            Err(detail) => detail,
        };
        Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail: detail.to_owned() }
    }

    async fn send(&self, _outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        Err(DeliveryError::Permanent(
            "messages of this medium wait in the hub's mailbox until the client collects them".to_owned(),
        ))
    }

    async fn probe(&self) -> Vec<Finding> {
        let origins = if self.settings.allowed_origins.is_empty() {
            "pages of the hub itself, and apps".to_owned()
        } else {
            format!("pages of the hub itself and of {}, and apps", self.settings.allowed_origins.join(", "))
        };
        vec![Finding::good("websocket origins", origins)]
    }
}
