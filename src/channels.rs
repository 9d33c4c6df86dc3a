//! The registry of channels: the only file that names concrete ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel_contract::{Channel, Medium};
use channel_email::EmailChannel;
use channel_sms::SmsChannel;
use channel_telegram::TelegramChannel;
use channel_webform::WebformChannel;
use channel_websocket::WebsocketChannel;
use serde::de::DeserializeOwned;

pub use channel_email::{View as MailView, view as mail_view};
pub use channel_sms::{Encoding, phone, segments, standard_webhooks};
pub use channel_webform as webform;
pub use channel_websocket as websocket;

use crate::config::{Account, Problem, Problems};

/// Every configured account with its adapter, by account id.
#[derive(Clone, Default)]
pub struct Registry {
    channels: BTreeMap<String, Arc<dyn Channel>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.channels.keys()).finish()
    }
}

impl Registry {
    /// Makes the adapter of every account.
    ///
    /// # Errors
    /// Every problem of every account at once.
    pub fn build<'a>(
        accounts: impl IntoIterator<Item = &'a Account>,
        client: &reqwest::Client,
    ) -> Result<Self, Problems> {
        let mut channels = BTreeMap::new();
        let mut problems = Vec::new();
        for account in accounts {
            match adapter(account, client) {
                Ok(channel) => {
                    channels.insert(account.id.clone(), channel);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Self { channels }) } else { Err(Problems(problems)) }
    }

    /// The adapter of an account.
    #[must_use]
    pub fn get(&self, account: &str) -> Option<&Arc<dyn Channel>> {
        self.channels.get(account)
    }

    /// All adapters with their account ids, in order of these.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Channel>)> {
        self.channels.iter().map(|(account, channel)| (account.as_str(), channel))
    }

    /// The first account of a medium, for messages that no account has a claim on.
    #[must_use]
    pub fn first(&self, medium: Medium) -> Option<&Arc<dyn Channel>> {
        self.channels.values().find(|channel| channel.descriptor().medium == medium)
    }
}

/// The country in whose way the SMS accounts read numbers without a country code.
#[must_use]
pub fn region(accounts: &BTreeMap<String, Account>) -> phone::Region {
    region_code(accounts).parse().unwrap_or(phone::Region::CN)
}

fn region_code(accounts: &BTreeMap<String, Account>) -> String {
    let settings = accounts
        .values()
        .filter(|account| account.medium == Medium::Sms)
        .find_map(|account| account.settings::<channel_sms::Settings>().ok());
    settings.unwrap_or_default().default_region
}

/// An address that somebody typed in for a medium, in its canonical form: E.164, a mail address with its domain in lower case, a
/// Telegram chat id. What can be called includes short and internal numbers, to which no message could be sent.
///
/// # Errors
/// What it is not, to be put after the name of a field; it does not repeat the address.
pub fn address(accounts: &BTreeMap<String, Account>, medium: Medium, typed: &str) -> Result<String, &'static str> {
    let telephone = || webform::address::telephone(typed, &region_code(accounts));
    let typed = typed.trim();
    match medium {
        Medium::Sms => telephone().ok_or("is no telephone number that a message can be sent to"),
        Medium::Phone => telephone().or_else(|| short_number(typed)).ok_or("is no telephone number"),
        Medium::Email => webform::address::mailbox(typed).ok_or("is no mail address"),
        Medium::Telegram => typed
            .parse::<i64>()
            .ok()
            .filter(|chat| *chat != 0)
            .map(|chat| chat.to_string())
            .ok_or("is no Telegram chat id, which is a number"),
        Medium::Websocket => Some(typed)
            .filter(|session| !session.is_empty() && session.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(str::to_owned)
            .ok_or("is no websocket session"),
        _ => Err("cannot be an address, because this channel has none"),
    }
}

/// A number that only a telephone exchange knows: service numbers and extensions.
fn short_number(typed: &str) -> Option<String> {
    let plain: String = typed.chars().filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')')).collect();
    let fits = (3..=15).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(plain)
}

/// The ways in which a citizen's address may be stored: numbers with and without country code, as the SMS accounts read them.
#[must_use]
pub fn spellings(accounts: &BTreeMap<String, Account>, address: &str) -> Vec<String> {
    let mut all = phone::spellings(address, region(accounts));
    all.push(address.trim().to_lowercase());
    all.sort_unstable();
    all.dedup();
    all
}

/// Makes ring the TLS provider of this process, which has one only; a second call changes nothing.
pub fn install_tls() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
}

/// The HTTP client that all channels and webhooks share: follows no redirect and ends what hangs.
///
/// # Errors
/// When the TLS roots of the system cannot be loaded.
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    install_tls();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(90))
        .user_agent(concat!("yingda/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn adapter(account: &Account, client: &reqwest::Client) -> Result<Arc<dyn Channel>, Vec<Problem>> {
    match account.medium {
        Medium::Sms => one(account, |id, settings| SmsChannel::new(id, settings, client.clone())),
        Medium::Email => one(account, |id, settings| EmailChannel::new(id, settings, client.clone())),
        Medium::Telegram => one(account, |id, settings| TelegramChannel::new(id, settings, client.clone())),
        Medium::Websocket => one(account, WebsocketChannel::new),
        Medium::Webform => one(account, WebformChannel::new),
        Medium::Phone => Err(vec![account.problem("", "calls need no account", "Remove it")]),
    }
}

/// Reads an account's settings and makes its adapter; `make` tells problems as `key: what is wrong`.
fn one<S: DeserializeOwned, C: Channel>(
    account: &Account,
    make: impl FnOnce(&str, S) -> Result<C, Vec<String>>,
) -> Result<Arc<dyn Channel>, Vec<Problem>> {
    let (settings, mut problems) = account.read();
    // While it is unknown by what rules the others are to be judged, they are not.
    if problems.iter().any(|problem| problem.key == account.path("provider")) {
        return Err(problems);
    }
    let Some(settings) = settings else { return Err(problems) };
    match make(&account.id, settings) {
        Ok(channel) if problems.is_empty() => return Ok(Arc::new(channel)),
        Ok(_) => {}
        Err(faults) => {
            let found = faults.into_iter().map(|fault| match fault.split_once(": ") {
                Some((key, fault)) if !key.contains(' ') => account.problem(key, fault, ""),
                _ => account.problem("", fault, ""),
            });
            // What was left out because it is wrong is not missing.
            let told: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
            problems.extend(found.filter(|problem| !told.contains(&problem.key)));
        }
    }
    Err(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_its_medium() {
        for (medium, typed, expected) in [
            (Medium::Sms, " 138 0013 8000", Some("+8613800138000")),
            (Medium::Sms, "12345", None),
            (Medium::Sms, "a@b.cn", None),
            (Medium::Phone, "021-61234567", Some("+862161234567")),
            (Medium::Phone, "8-001", Some("8001")),
            (Medium::Phone, "abc", None),
            (Medium::Email, "Li@Example.COM", Some("Li@example.com")),
            (Medium::Email, "a@b.cn\r\nBcc: x@y.cn", None),
            (Medium::Telegram, "-1001", Some("-1001")),
            (Medium::Telegram, "x", None),
            (Medium::Websocket, "0192d3a4", Some("0192d3a4")),
            (Medium::Websocket, "a b", None),
            (Medium::Webform, "2611220000173", None),
        ] {
            let found = address(&BTreeMap::new(), medium, typed);
            assert_eq!(found.as_deref().ok(), expected, "{medium} {typed:?}");
        }
    }
}
