//! Looking at the bot without changing anything (`yingda doctor`).

use channel_contract::{Cause, Finding, PollError};
use serde_json::Value;
use teloxide::payloads::{GetMe, GetWebhookInfo};

use crate::{Mode, api::Api, polling::poll_error};

const LOGIN: &str = "telegram login";
const UPDATES: &str = "telegram updates";

/// Asks who the bot is and whether its updates go where the configuration says.
pub(crate) async fn probe(api: &Api, mode: Mode) -> Vec<Finding> {
    let login = match api.call(&GetMe::new()).await {
        Ok(me) => Finding::good(LOGIN, format!("@{}", me.get("username").and_then(Value::as_str).unwrap_or("?"))),
        Err(failure) => return vec![failed(LOGIN, &poll_error(failure))],
    };
    let updates = match api.call(&GetWebhookInfo::new()).await {
        Ok(info) => webhook(&info, mode),
        Err(failure) => failed(UPDATES, &poll_error(failure)),
    };
    vec![login, updates]
}

fn failed(check: &str, error: &PollError) -> Finding {
    Finding::bad(check, error.to_string()).because(error.cause())
}

fn webhook(info: &Value, mode: Mode) -> Finding {
    let registered = info.get("url").and_then(Value::as_str).unwrap_or_default();
    let waiting = info.get("pending_update_count").and_then(Value::as_u64).unwrap_or(0);
    // Only the host is shown: the path may hold what somebody took for a secret.
    let host = url::Url::parse(registered).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    match (mode, registered.is_empty()) {
        (Mode::Polling, true) => Finding::good(UPDATES, format!("polled, {waiting} waiting")),
        (Mode::Polling, false) => Finding::bad(
            UPDATES,
            format!(
                "a webhook at {host} is registered, so polling is refused (409): call deleteWebhook, or set mode to \"webhook\""
            ),
        )
        .because(Cause::Misconfigured),
        (Mode::Webhook, true) => {
            Finding::bad(UPDATES, "no webhook is registered: start the hub with a public_url that Telegram can reach")
                .because(Cause::Misconfigured)
        }
        (Mode::Webhook, false) => match info.get("last_error_message").and_then(Value::as_str) {
            Some(error) if waiting > 0 => {
                Finding::bad(UPDATES, format!("webhook at {host}, {waiting} waiting, last error: {error}"))
                    .because(Cause::Unreachable)
            }
            _ => Finding::good(UPDATES, format!("webhook at {host}, {waiting} waiting")),
        },
    }
}
