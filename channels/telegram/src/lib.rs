//! Telegram bot (Bot API, <https://core.telegram.org/bots/api>).
//!
//! Updates come by webhook or by long polling and are read by `update`; answers leave as plain text, with inline
//! buttons and documents, by `outgoing`. teloxide gives the types of what is sent and the errors by name; its
//! dispatcher and its transport are not used, because both lose messages (see `api`). README.md tells what becomes of
//! each kind of update.
//!
//! What is absent: nothing is sent while receiving (a pressed button is not answered by `answerCallbackQuery`), no
//! cursor is kept here, and no error holds the token, a chat id or a text.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod api;
mod outgoing;
mod polling;
mod probe;
mod settings;
mod split;
mod update;

use std::time::Duration;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Cause, Channel, DeliveryError, Descriptor, Fetched, Finding, Medium, Outbound, Plan, PollError, Polled,
    QuarantineReason, RawRequest, Receipt,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use teloxide::payloads::GetFile;

use crate::api::{Api, Failure};
pub use crate::settings::{Mode, Settings};

/// Where Telegram repeats the secret that the webhook was registered with.
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// One bot.
pub struct TelegramChannel {
    account: String,
    settings: Settings,
    api: Result<Api, &'static str>,
}

/// How a message is named to the hub: the chat's id and the message's within it.
fn message_name(chat: i64, message: i64) -> String {
    format!("{chat}:{message}")
}

impl TelegramChannel {
    /// A bot under the account id `account`, over the hub's HTTP client.
    ///
    /// # Errors
    /// Every problem of the settings at once, each beginning with its key.
    pub fn new(account: &str, settings: Settings, client: reqwest::Client) -> Result<Self, Vec<String>> {
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let api = match settings.token() {
            None => Err("no bot token is set"),
            Some(_) if settings.api_url.is_empty() => Err("no api_url is set"),
            Some(token) => Ok(Api::new(client, &settings.api_url, token)),
        };
        Ok(Self { account: account.to_owned(), settings, api })
    }

    /// Registers `url` as the bot's webhook, with the secret and the kinds of updates that the hub reads. What
    /// waits at Telegram is kept. To be called at start when the mode is [`Mode::Webhook`].
    ///
    /// # Errors
    /// [`PollError`], as when polling: the bot hears nothing until it works.
    pub async fn register_webhook(&self, url: &str) -> Result<(), PollError> {
        let (Ok(api), Some(secret)) = (&self.api, self.settings.webhook_secret()) else {
            return Err(PollError::Permanent("token, api_url and webhook_secret must be set".to_owned()));
        };
        let arguments = json!({ "url": url, "secret_token": secret, "allowed_updates": polling::ALLOWED });
        api.call_json("setWebhook", &arguments, Duration::ZERO).await.map(drop).map_err(polling::poll_error)
    }

    /// Whether the request comes from Telegram: from our own poll, or with the secret.
    fn is_genuine(&self, request: &RawRequest) -> bool {
        // HTTP allows any word as a method, but only a poll has no peer.
        if request.method == polling::POLL_METHOD && request.peer.is_none() {
            return true;
        }
        let given = request.headers.iter().find(|(name, _)| name == SECRET_HEADER).map(|(_, value)| value.as_slice());
        match (given, self.settings.webhook_secret()) {
            (Some(given), Some(secret)) => given.ct_eq(secret.as_bytes()).into(),
            _ => false,
        }
    }
}

#[async_trait]
impl Channel for TelegramChannel {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Telegram,
            account: self.account.clone(),
            provider: "telegram",
            polls: self.settings.mode == Mode::Polling && self.api.is_ok(),
            reports: false,
            idempotent: false,
            cannot_send: self.api.as_ref().err().map(|reason| (*reason).to_owned()),
            credentials: &[SECRET_HEADER],
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        if !self.is_genuine(request) {
            return Receipt::Quarantine {
                reason: QuarantineReason::Unverified,
                detail: "the secret token of the webhook is missing or wrong".to_owned(),
            };
        }
        match update::read(&request.body) {
            Ok(inbound) => Receipt::Verified(vec![inbound]),
            Err(detail) => Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail: detail.to_owned() },
        }
    }

    fn plan(&self, text: &str) -> Plan {
        Plan::Parts(split::split(text, split::MESSAGE_UNITS))
    }

    async fn send(&self, outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        let api = self.api.as_ref().map_err(|reason| DeliveryError::transient(*reason))?;
        outgoing::send(api, outbound).await
    }

    async fn poll(&self, cursor: Option<&str>, wait: Duration, now: DateTime<Utc>) -> Result<Polled, PollError> {
        let api = self.api.as_ref().map_err(|reason| PollError::Permanent((*reason).to_owned()))?;
        let (requests, cursor) = polling::poll(api, cursor, wait, now).await?;
        let judge = |request: RawRequest| {
            let receipt = self.receive(&request);
            (request, receipt)
        };
        Ok(Polled { messages: requests.into_iter().map(judge).collect(), cursor })
    }

    async fn fetch(&self, source: &str, limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        let api = self.api.as_ref().map_err(|reason| DeliveryError::transient(*reason))?;
        let limit_bytes = limit_bytes.min(self.settings.max_file_bytes);
        let too_large = || DeliveryError::Permanent(format!("the file is larger than {limit_bytes} bytes"));
        let file = api.call(&GetFile::new(source.to_owned().into())).await.map_err(fetch_error)?;
        if file.get("file_size").and_then(Value::as_u64).is_some_and(|size| size > limit_bytes) {
            return Err(too_large());
        }
        let path = file.get("file_path").and_then(Value::as_str).filter(|path| is_relative(path));
        let path = path.ok_or_else(|| DeliveryError::Permanent("the Bot API named no file to download".to_owned()))?;
        let (bytes, media_type) = api.download(path, limit_bytes).await.map_err(fetch_error)?.ok_or_else(too_large)?;
        Ok(Fetched { bytes, media_type, name: path.rsplit('/').next().map(str::to_owned) })
    }

    async fn probe(&self) -> Vec<Finding> {
        match &self.api {
            Ok(api) => probe::probe(api, self.settings.mode).await,
            Err(reason) => vec![Finding::bad("telegram login", *reason).because(Cause::NotConfigured)],
        }
    }
}

/// Whether a path stays beneath the download address of this bot.
fn is_relative(path: &str) -> bool {
    path.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..")
        && !path.contains(['?', '#', '\\', '%'])
}

/// What a failure means for a file: nothing was sent, so all that is not refused may be tried again.
fn fetch_error(failure: Failure) -> DeliveryError {
    match failure {
        // The same words stand for "never" and "not now"; the hub's cap of attempts tells them apart.
        Failure::Refused(refusal) if refusal.description.contains("temporarily unavailable") => {
            DeliveryError::transient(refusal.description)
        }
        Failure::Unanswered(reason) => DeliveryError::transient(reason),
        failure => outgoing::delivery_error(failure),
    }
}
