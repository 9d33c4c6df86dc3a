//! What an operator configures for one SMS account.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// A configured value that never shows in `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value itself, for the one place that signs or compares with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Whose protocol the account speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Signed JSON both ways, by Standard Webhooks.
    #[default]
    Generic,
    /// Kannel's `sms-service` and `sendsms`.
    Kannel,
    /// Twilio Programmable Messaging.
    Twilio,
}

/// One account's section `[channels.sms.ACCOUNT]`. Which keys a provider needs stands in the crate's README.
///
/// An empty text counts as not set, so that an environment variable can switch a key off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The protocol.
    pub provider: Provider,
    /// Generic: the Standard Webhooks secret, `whsec_` and base64. Kannel: the query parameter `secret`.
    pub secret: Option<Secret>,
    /// Twilio: signs webhooks and is the REST password.
    pub auth_token: Option<Secret>,
    /// Twilio: the account, `AC...`.
    pub account_sid: Option<String>,
    /// Generic: where messages are posted to.
    pub outbound_url: Option<String>,
    /// Kannel: the address of `sendsms`, with query parameters of its own (such as `smsc`) if wanted.
    pub sendsms_url: Option<String>,
    /// Kannel: the `sendsms-user`.
    pub username: Option<String>,
    /// Kannel: its password.
    pub password: Option<Secret>,
    /// Twilio: REST base address, the vendor's by default.
    pub api_url: Option<String>,
    /// The number or name that messages come from. Twilio: also a messaging service, `MG...`.
    pub sender: Option<String>,
    /// Put before every text as `【signature】`, as Chinese operators demand.
    pub signature: Option<String>,
    /// Delivery kind (`acknowledgement`, `question`, `reply`, `notice`, `code`) to the provider's template id.
    pub templates: BTreeMap<String, String>,
    /// The region of numbers without a country code, ISO 3166-1 alpha-2.
    pub default_region: String,
    /// How many segments one message may take; a longer text is [`channel_contract::Plan::TooLong`]. 1 to 10.
    pub max_segments: usize,
    /// Whether the provider reports what became of a message; `false` counts acceptance as delivery.
    pub reports: bool,
    /// How long an answer of the far end is waited for, in seconds. 1 to 120.
    pub timeout_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider: Provider::default(),
            secret: None,
            auth_token: None,
            account_sid: None,
            outbound_url: None,
            sendsms_url: None,
            username: None,
            password: None,
            api_url: None,
            sender: None,
            signature: None,
            templates: BTreeMap::new(),
            default_region: "CN".to_owned(),
            max_segments: 3,
            reports: true,
            timeout_secs: 20,
        }
    }
}

/// The value of a text that is there and not blank.
pub(crate) fn given(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// The value of a secret that is there and not blank.
pub(crate) fn given_secret(value: Option<&Secret>) -> Option<&str> {
    value.map(|value| value.expose().trim()).filter(|value| !value.is_empty())
}

/// A configured http(s) address, or `None` when it is not set; a wrong one is added to `problems` under `key`.
pub(crate) fn address(key: &str, value: Option<&String>, problems: &mut Vec<String>) -> Option<url::Url> {
    let value = given(value)?;
    match url::Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        Ok(_) => {
            problems.push(format!("{key}: must be an http or https address"));
            None
        }
        Err(error) => {
            problems.push(format!("{key}: is no address ({error})"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Provider, Settings, address};

    #[test]
    fn unknown_keys_are_errors_and_secrets_stay_hidden() {
        let error = serde_json::from_str::<Settings>(r#"{"provider":"generic","sekret":"x"}"#).expect_err("typo");
        assert!(error.to_string().contains("sekret"), "{error}");
        let settings: Settings =
            serde_json::from_str(r#"{"provider":"kannel","secret":"hush","password":"hush","auth_token":"hush"}"#)
                .expect("valid settings");
        assert_eq!(settings.provider, Provider::Kannel);
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn addresses_are_http_or_a_named_problem() {
        for (value, good) in [("https://gw.example/x?a=1", true), ("ftp://gw.example", false), ("gw", false)] {
            let mut problems = Vec::new();
            let url = address("outbound_url", Some(&value.to_owned()), &mut problems);
            assert_eq!(url.is_some(), good, "{value}");
            assert!(problems.iter().all(|text| text.starts_with("outbound_url: ")), "{value}");
            assert_eq!(problems.is_empty(), good, "{value}");
        }
    }
}
