//! The account's section of the configuration.

use serde::Deserialize;

/// Telegram's own Bot API server.
const PUBLIC_API: &str = "https://api.telegram.org";

/// What a bot may download from Telegram's own server, in bytes (Bot API, `getFile`).
const PUBLIC_DOWNLOAD_LIMIT: u64 = 20 * 1024 * 1024;

/// One bot. Unknown keys are errors.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The bot token that BotFather gave. Without it nothing is polled and deliveries stay queued.
    pub token: Option<String>,
    /// What Telegram repeats in `X-Telegram-Bot-Api-Secret-Token`: 1 to 256 of `A-Z a-z 0-9 _ -`.
    /// Without it every webhook request is kept aside as unverified.
    pub webhook_secret: Option<String>,
    /// Base address of the Bot API server; empty counts as unset, as in the demo.
    pub api_url: String,
    /// How updates come.
    pub mode: Mode,
    /// Largest file that is fetched, in bytes.
    pub max_file_bytes: u64,
}

/// How updates come. The webhook route judges what arrives there in either mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The hub asks (`getUpdates`, long polling). Needs no public address.
    #[default]
    Polling,
    /// Telegram calls the hub.
    Webhook,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: None,
            webhook_secret: None,
            api_url: PUBLIC_API.to_owned(),
            mode: Mode::default(),
            max_file_bytes: PUBLIC_DOWNLOAD_LIMIT,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("token", &self.token().map(|_| "set"))
            .field("webhook_secret", &self.webhook_secret().map(|_| "set"))
            .field("api_url", &self.api_url)
            .field("mode", &self.mode)
            .field("max_file_bytes", &self.max_file_bytes)
            .finish()
    }
}

impl Settings {
    /// The token, unless it is unset or empty.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref().filter(|token| !token.is_empty())
    }

    /// The secret, unless it is unset or empty.
    pub(crate) fn webhook_secret(&self) -> Option<&str> {
        self.webhook_secret.as_deref().filter(|secret| !secret.is_empty())
    }

    /// Every problem at once, each beginning with the key that has it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self
            .token()
            .is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte)))
        {
            problems.push("token: holds characters that no bot token has; copy it from BotFather again".to_owned());
        } else if self.api_url == PUBLIC_API
            // A stand-in for Telegram may have tokens of its own.
            && self.token().is_some_and(|token| {
                !token.split_once(':').is_some_and(|(number, secret)| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !secret.is_empty()
                })
            })
        {
            problems.push("token: is no bot token, NUMBER:SECRET; copy it from BotFather again".to_owned());
        }
        if self.webhook_secret().is_some_and(|secret| {
            secret.len() > 256 || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        }) {
            problems.push("webhook_secret: must be 1 to 256 of A-Z, a-z, 0-9, _ and -".to_owned());
        }
        if self.mode == Mode::Webhook && self.webhook_secret().is_none() {
            problems
                .push("webhook_secret: must be set when mode is \"webhook\", or every update is kept aside".to_owned());
        }
        if !self.api_url.is_empty() {
            match url::Url::parse(&self.api_url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    if !url.username().is_empty()
                        || url.password().is_some()
                        || url.query().is_some()
                        || url.fragment().is_some()
                    {
                        problems.push("api_url: may have neither credentials nor query nor fragment".to_owned());
                    }
                }
                _ => problems.push("api_url: must be an http or https address".to_owned()),
            }
        }
        if self.max_file_bytes == 0 {
            problems.push("max_file_bytes: must be at least 1".to_owned());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_their_keys() {
        let good = Settings { token: Some("123:AAb_c-d".to_owned()), ..Settings::default() };
        let cases = [
            (good.clone(), vec![]),
            (Settings::default(), vec![]),
            (Settings { api_url: String::new(), ..good.clone() }, vec![]),
            (Settings { api_url: "http://127.0.0.1:9021/bots".to_owned(), ..good.clone() }, vec![]),
            (Settings { token: Some("123/abc".to_owned()), ..good.clone() }, vec!["token"]),
            (Settings { token: Some("nonsense".to_owned()), ..good.clone() }, vec!["token"]),
            (Settings { token: Some("bot:abc".to_owned()), ..good.clone() }, vec!["token"]),
            (Settings { webhook_secret: Some("a b".to_owned()), ..good.clone() }, vec!["webhook_secret"]),
            (Settings { webhook_secret: Some("a".repeat(257)), ..good.clone() }, vec!["webhook_secret"]),
            (Settings { mode: Mode::Webhook, ..good.clone() }, vec!["webhook_secret"]),
            (
                Settings { api_url: "ftp://x".to_owned(), max_file_bytes: 0, ..good.clone() },
                vec!["api_url", "max_file_bytes"],
            ),
            (Settings { api_url: "https://u:p@x".to_owned(), ..good }, vec!["api_url"]),
        ];
        for (settings, keys) in cases {
            let problems = settings.problems();
            let named: Vec<_> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
            assert_eq!(named, keys, "{settings:?}");
        }
    }

    #[test]
    fn reads_a_section_and_refuses_unknown_keys() {
        let settings: Settings =
            serde_json::from_str(r#"{"token":"1:a","mode":"webhook","webhook_secret":"s"}"#).expect("section");
        assert_eq!((settings.mode, settings.api_url.as_str()), (Mode::Webhook, PUBLIC_API));
        assert!(serde_json::from_str::<Settings>(r#"{"tokn":"1:a"}"#).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let settings = Settings {
            token: Some("1:geheim".to_owned()),
            webhook_secret: Some("geheim".to_owned()),
            ..Settings::default()
        };
        assert!(!format!("{settings:?}").contains("geheim"));
    }
}
