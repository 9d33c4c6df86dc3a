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
    pub fn build(accounts: &BTreeMap<String, Account>, client: &reqwest::Client) -> Result<Self, Problems> {
        let mut channels = BTreeMap::new();
        let mut problems = Vec::new();
        for account in accounts.values() {
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
    let settings = accounts
        .values()
        .filter(|account| account.medium == Medium::Sms)
        .find_map(|account| account.settings::<channel_sms::Settings>().ok())
        .unwrap_or_default();
    settings.default_region.parse().unwrap_or(phone::Region::CN)
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
    let channel = make(&account.id, account.settings()?).map_err(|problems| {
        problems
            .into_iter()
            .map(|problem| match problem.split_once(": ") {
                Some((key, fault)) if !key.contains(' ') => account.problem(key, fault, ""),
                _ => account.problem("", problem, ""),
            })
            .collect::<Vec<_>>()
    })?;
    Ok(Arc::new(channel))
}
