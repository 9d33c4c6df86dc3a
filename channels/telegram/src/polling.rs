//! Asking for updates (Bot API, `getUpdates`).

use std::time::Duration;

use bytes::Bytes;
use channel_contract::{PollError, RawRequest};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use teloxide::{ApiError, types::AllowedUpdate};

use crate::api::{Api, Failure, Refusal};

/// The verb under which the ledger keeps what was polled.
pub(crate) const POLL_METHOD: &str = "getUpdates";

/// Most updates in one answer, as the Bot API allows.
const BATCH: u8 = 100;

/// Longest wait of a long poll, as the Bot API allows.
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// What the hub wants to hear of; the same list when a webhook is registered.
pub(crate) const ALLOWED: [AllowedUpdate; 4] =
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::CallbackQuery, AllowedUpdate::MyChatMember];

/// One poll: the updates as the ledger keeps them, and the next cursor.
///
/// The cursor is the next `offset` in decimal. After an empty answer it is empty, that is, the next poll starts with
/// the earliest update that Telegram has not handed out: after a quiet week Telegram numbers anew from a random
/// number, and an offset above that would confirm updates that nobody has seen. Teloxide's `GetUpdates` is not
/// used because its offset is 32 bits wide.
pub(crate) async fn poll(
    api: &Api,
    cursor: Option<&str>,
    wait: Duration,
    now: DateTime<Utc>,
) -> Result<(Vec<RawRequest>, String), PollError> {
    let offset = match cursor {
        None | Some("") => None,
        Some(cursor) => Some(
            cursor.parse::<i64>().map_err(|_| PollError::Permanent("the stored cursor is not a number".to_owned()))?,
        ),
    };
    let wait = wait.min(LONGEST_WAIT);
    let mut arguments = json!({ "limit": BATCH, "timeout": wait.as_secs(), "allowed_updates": ALLOWED });
    if let (Some(offset), Some(arguments)) = (offset, arguments.as_object_mut()) {
        arguments.insert("offset".to_owned(), offset.into());
    }
    let answer = api.call_json(POLL_METHOD, &arguments, wait).await.map_err(poll_error)?;
    let Value::Array(updates) = answer else {
        return Err(PollError::Transient { reason: "getUpdates answered no list".to_owned(), retry_after: None });
    };
    let last = updates.iter().filter_map(|update| update.get("update_id").and_then(Value::as_i64)).max();
    let cursor = match last {
        Some(last) => last.saturating_add(1).to_string(),
        None if updates.is_empty() => String::new(),
        // Without a number there is no way past these, and taking them again and again would fill the quarantine.
        None => return Err(PollError::Permanent("getUpdates answered updates without update_id".to_owned())),
    };
    let url = api.public_url(POLL_METHOD);
    let raw = |update: &Value| RawRequest {
        method: POLL_METHOD.to_owned(),
        url: url.clone(),
        headers: Vec::new(),
        peer: None,
        body: Bytes::from(update.to_string()),
        received_at: now,
    };
    Ok((updates.iter().map(raw).collect(), cursor))
}

/// What a failure means for hearing from Telegram, with advice.
pub(crate) fn poll_error(failure: Failure) -> PollError {
    let refusal = match failure {
        Failure::Unreachable => {
            return PollError::Transient { reason: "cannot connect to the Bot API".to_owned(), retry_after: None };
        }
        Failure::Unanswered(reason) => return PollError::Transient { reason: reason.to_owned(), retry_after: None },
        Failure::Refused(refusal) => refusal,
    };
    match refusal {
        Refusal { error: ApiError::TerminatedByOtherGetUpdates, .. } => PollError::Transient {
            reason: "another process polls this bot: only one installation may hold the token".to_owned(),
            retry_after: None,
        },
        Refusal { code: 409, .. } => PollError::Permanent(
            "a webhook is registered for this bot: call deleteWebhook, or set mode to \"webhook\"".to_owned(),
        ),
        refusal if refusal.token_refused() => {
            PollError::Permanent("the Bot API refuses the token: set it anew".to_owned())
        }
        Refusal { code: 429, retry_after, .. } => {
            PollError::Transient { reason: "too many requests".to_owned(), retry_after }
        }
        Refusal { code: 500.., retry_after, description, .. } => {
            PollError::Transient { reason: description, retry_after }
        }
        Refusal { description, .. } => PollError::Permanent(description),
    }
}
