//! What the tests share: an account, requests, and what became of them.

use std::sync::LazyLock;

use bytes::Bytes;
use channel_contract::{Channel, Content, Inbound, Message, RawRequest, Receipt};
use channel_email::{EmailChannel, Settings};
use chrono::{DateTime, Utc};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// One for all: making a client loads the machine's trusted roots.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
});

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-22T09:00:00Z").expect("a time").with_timezone(&Utc)
}

pub(crate) fn channel_with(change: impl FnOnce(&mut Settings)) -> EmailChannel {
    let mut settings =
        Settings { address: "hotline@city.example".to_owned(), token: Some(TOKEN.to_owned()), ..Settings::default() };
    settings.name.insert("zh".to_owned(), "市民热线".to_owned());
    settings.name.insert("en".to_owned(), "City Hotline".to_owned());
    change(&mut settings);
    EmailChannel::new("mailbox", settings, CLIENT.clone()).expect("the settings are valid")
}

pub(crate) fn channel() -> EmailChannel {
    channel_with(|_| {})
}

pub(crate) fn piped(body: impl Into<Bytes>) -> RawRequest {
    RawRequest {
        method: "PIPE".to_owned(),
        url: "pipe:mailbox".to_owned(),
        headers: Vec::new(),
        peer: None,
        body: body.into(),
        received_at: now(),
    }
}

pub(crate) fn posted(body: impl Into<Bytes>, token: Option<&str>) -> RawRequest {
    let mut request = piped(body);
    request.method = "POST".to_owned();
    request.url = "https://hub.example/channels/email/mailbox".to_owned();
    request.headers.push(("content-type".to_owned(), b"message/rfc822".to_vec()));
    if let Some(token) = token {
        request.headers.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()));
    }
    request
}

pub(crate) fn with_header(mut request: RawRequest, name: &str, value: &str) -> RawRequest {
    request.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    request
}

/// The only item of a request that must be verified.
pub(crate) fn item(channel: &EmailChannel, request: &RawRequest) -> Inbound {
    match channel.receive(request) {
        Receipt::Verified(mut items) if items.len() == 1 => items.remove(0),
        other => panic!("expected one verified item, got {other:?}"),
    }
}

/// The message of a mail that must be one.
pub(crate) fn message(body: impl Into<Bytes>) -> Message {
    match item(&channel(), &piped(body)).content {
        Content::Message(message) => *message,
        other => panic!("expected a message, got {other:?}"),
    }
}

/// A mail with these header lines besides the usual ones.
pub(crate) fn mail(headers: &str, text: &str) -> String {
    let from = if headers.contains("From:") { "" } else { "From: zhang.wei@mail.example\r\n" };
    let date = if headers.contains("Date:") { "" } else { "Date: Sun, 22 Nov 2026 08:59:00 +0000\r\n" };
    format!(
        "{from}{date}To: hotline@city.example\r\nMessage-ID: <a@mail.example>\r\nSubject: lamp\r\n{headers}\r\n{text}\r\n"
    )
}
