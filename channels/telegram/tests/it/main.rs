//! The bot against its fixtures, the corpus, and a Bot API server that answers what a test says.

mod api;
mod receive;

use std::sync::LazyLock;

use bytes::Bytes;
use channel_contract::RawRequest;
use channel_telegram::{Settings, TelegramChannel};
use chrono::{DateTime, Utc};

const TOKEN: &str = "123456:test_token-A";
const SECRET: &str = "s3cret_-";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_800_000, 0).expect("a time")
}

/// A webhook call as Telegram makes it.
fn webhook(body: impl Into<Bytes>) -> RawRequest {
    RawRequest {
        method: "POST".to_owned(),
        url: "https://hub.example/channels/telegram/bot".to_owned(),
        headers: vec![
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("x-telegram-bot-api-secret-token".to_owned(), SECRET.as_bytes().to_vec()),
        ],
        peer: Some(std::net::IpAddr::from([149, 154, 167, 220])),
        body: body.into(),
        received_at: now(),
    }
}

/// A bot whose API is at `api_url`.
fn bot(api_url: &str) -> TelegramChannel {
    bot_with(Settings {
        token: Some(TOKEN.to_owned()),
        webhook_secret: Some(SECRET.to_owned()),
        api_url: api_url.to_owned(),
        ..Settings::default()
    })
}

fn bot_with(settings: Settings) -> TelegramChannel {
    // A second test of the same process finds the provider installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().build().expect("client");
    TelegramChannel::new("bot", settings, client).expect("settings")
}

/// A bot for what needs no network, made once because an HTTP client costs some milliseconds.
fn offline() -> &'static TelegramChannel {
    static BOT: LazyLock<TelegramChannel> = LazyLock::new(|| bot(""));
    &BOT
}
