//! Everything a running hub of one city holds; the intake, the dispatch, the outbox and the pages share it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use channel_contract::Medium;
use chrono::TimeZone as _;
use routing_rules::{LocalTime, RuleSet};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::channels::Registry;
use crate::config::Config;
use crate::domain::{Clock, Id, Millis, Reference, TicketNumber, query_code};
use crate::feed::Feed;
use crate::intake::{Intake, Languages};
use crate::locale::Catalogues;
use crate::objects::Objects;
use crate::pulse::Pulses;
use crate::reply_templates::ReplyTemplates;
use crate::rule_sets::cache::Caches;
use crate::store::Store;
use crate::templates::{Rendered, Templates};

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    /// Its settings.
    pub config: Config,
    /// Its time.
    pub clock: Clock,
    /// Its database.
    pub store: Store,
    /// Its files.
    pub objects: Objects,
    /// The texts it sends.
    pub templates: Templates,
    /// The words of its pages and of what it tells staff.
    pub words: Arc<Catalogues>,
    /// The texts that staff choose from.
    pub replies: ReplyTemplates,
    /// How its channel accounts are.
    pub pulses: Pulses,
    /// The newest part of the feed, for all who follow it.
    pub feed: Feed,
    /// Its channel accounts.
    pub channels: Registry,
    /// How it tells languages.
    pub languages: Languages,
    /// The door of the intake.
    pub intake: Intake,
    /// Wakes the outbox when deliveries were committed.
    pub outbox_wake: Notify,
    /// Wakes websocket sessions (by session id) when a message was put into their mailbox.
    pub mailbox_wake: tokio::sync::broadcast::Sender<String>,
    /// Ends every task of the hub.
    pub stopping: CancellationToken,
    /// This process, as the owner of leases.
    pub owner: Id,
    /// Wrong tries at logins that do not exist.
    pub strangers: crate::staff::Strangers,
    /// Held by the one backtest that may run.
    pub backtesting: tokio::sync::Mutex<()>,
    rules: RwLock<Arc<RuleSet>>,
    secret: Vec<u8>,
}

/// What a hub is made of.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of Hub, where they are explained")]
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub objects: Objects,
    pub templates: Templates,
    pub channels: Registry,
    pub rules: RuleSet,
    pub secret: Vec<u8>,
}

impl Hub {
    /// Puts a hub together and starts its intake; other tasks are started by [`crate::serve`].
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { config, clock, store, objects, templates, channels, rules, secret } = parts;
        let languages = Languages::new(&config.city.languages, &config.city.default_language);
        let owner = crate::domain::new_id(clock.millis());
        let words = Arc::new(words(&config));
        let replies = replies(&config);
        Arc::new_cyclic(|hub| Self {
            intake: Intake::new(
                hub.clone(),
                usize::try_from(config.intake.batch_messages).unwrap_or(64),
                usize::try_from(config.intake.queue_messages).unwrap_or(1024),
            ),
            config,
            clock,
            store,
            objects,
            templates,
            words,
            replies,
            pulses: Pulses::default(),
            feed: Feed::default(),
            channels,
            languages,
            outbox_wake: Notify::new(),
            mailbox_wake: tokio::sync::broadcast::channel(1024).0,
            stopping: CancellationToken::new(),
            owner,
            strangers: crate::staff::Strangers::default(),
            backtesting: tokio::sync::Mutex::new(()),
            rules: RwLock::new(Arc::new(rules)),
            secret,
        })
    }

    /// The rules that decide now.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets other rules decide, from the next message on; what is under way ends with those it began with.
    pub fn run_rules(&self, rules: RuleSet) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Where learned phrases of rule sets are kept compiled.
    #[must_use]
    pub fn caches(&self) -> Caches {
        Caches::of(&self.config.storage.data)
    }

    /// The city's date at `at`, as `YYMMDD`.
    #[must_use]
    pub fn day(&self, at: Millis) -> String {
        self.config
            .city
            .zone
            .timestamp_millis_opt(at)
            .single()
            .map(|local| local.format("%y%m%d").to_string())
            .unwrap_or_default()
    }

    /// A moment in the city's zone, RFC 3339.
    #[must_use]
    pub fn local(&self, at: Millis) -> String {
        self.config.city.zone.timestamp_millis_opt(at).single().map(|local| local.to_rfc3339()).unwrap_or_default()
    }

    /// A moment on the city's clock, as rules know it.
    #[must_use]
    pub fn local_time(&self, at: Millis) -> Option<LocalTime> {
        LocalTime::parse(&self.local(at))
    }

    /// A number that belongs to a message, evenly spread, which nobody outside can foresee.
    #[must_use]
    pub fn lot(&self, account: &str, key: &str) -> u64 {
        let bytes = self.sign("unseen", &format!("{account}:{key}"));
        bytes.iter().take(8).fold(0, |lot, byte| lot << 8 | u64::from(*byte))
    }

    /// The reference token of a ticket.
    #[must_use]
    pub fn reference(&self, number: &TicketNumber) -> String {
        Reference::new(number, &self.secret).token()
    }

    /// The genuine tokens in these texts.
    pub fn references<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<TicketNumber> {
        crate::domain::find_references(texts, &self.secret)
    }

    /// A value that only this hub can make again: HMAC-SHA-256 over purpose and subject.
    #[must_use]
    pub fn sign(&self, purpose: &str, subject: &str) -> [u8; 32] {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return [0; 32] };
        mac.update(purpose.as_bytes());
        mac.update(b":");
        mac.update(subject.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The query code of a ticket: made from its number and the hub's secret, so that it need not be kept.
    #[must_use]
    pub fn query_code(&self, number: &TicketNumber) -> String {
        let bytes = self.sign("query-code", number.as_str());
        let mut first = [0; 8];
        first.copy_from_slice(bytes.get(..8).unwrap_or(&[0; 8]));
        query_code(first)
    }

    /// The code that confirms an address typed in for a ticket: six digits.
    #[must_use]
    pub fn confirmation_code(&self, number: &TicketNumber, address: &str) -> String {
        let bytes = self.sign("confirmation-code", &format!("{number}:{address}"));
        let value = bytes.iter().take(4).fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        format!("{:06}", value % 1_000_000)
    }

    /// What the database keeps of a query code.
    #[must_use]
    pub fn code_hash(number: &TicketNumber, code: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(number.as_str())
            .chain_update(b":")
            .chain_update(code.to_ascii_uppercase())
            .finalize()
            .into()
    }

    /// Where citizens follow their ticket.
    #[must_use]
    pub fn track_url(&self) -> String {
        self.url("track")
    }

    /// An address of this hub as the outside sees it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.config.server.public_url.as_str().trim_end_matches('/'))
    }

    /// The language in which to write: the ticket's if a catalogue has it, else the account's, else the city's.
    #[must_use]
    pub fn writing_language(&self, language: Option<&str>, account: &str) -> String {
        language
            .map(str::to_owned)
            .or_else(|| self.config.channels.get(account).and_then(|account| account.language.clone()))
            .unwrap_or_else(|| self.config.city.default_language.clone())
    }

    /// Renders a message with the values that every template may use.
    #[must_use]
    pub fn render(&self, name: &str, medium: Medium, language: &str, values: Value) -> Rendered {
        let names = &self.config.city.names;
        let city = names
            .get(language)
            .or_else(|| names.get(&self.config.city.default_language))
            .or_else(|| names.values().next());
        let mut all = Map::new();
        all.insert("city".to_owned(), json!(city));
        all.insert("helpline".to_owned(), json!(self.config.city.helpline));
        all.insert("emergency_numbers".to_owned(), json!([]));
        if let Value::Object(values) = values {
            all.extend(values);
        }
        self.templates.render(name, medium, Some(language), &Value::Object(all))
    }

    /// The name of an item or a department in a language, or its id.
    #[must_use]
    pub fn name_in(names: Option<&std::collections::BTreeMap<String, String>>, id: &str, language: &str) -> String {
        names
            .and_then(|names| {
                names
                    .get(language)
                    .or_else(|| language.starts_with("zh").then(|| names.get("zh-Hans")).flatten())
                    .or_else(|| names.get("en"))
                    .or_else(|| names.values().next())
            })
            .cloned()
            .unwrap_or_else(|| id.to_owned())
    }

    /// Why an account cannot send now, if so.
    #[must_use]
    pub fn cannot_send(&self, account: &str) -> Option<String> {
        match self.channels.get(account) {
            Some(channel) => channel.descriptor().cannot_send,
            None => Some(format!("no account {account} is configured")),
        }
    }

    /// An account of a medium for messages that are not an answer on the account they came by.
    #[must_use]
    pub fn account_of(&self, medium: Medium) -> Option<String> {
        let mut fallback = None;
        for account in self.config.channels.values().filter(|account| account.medium == medium) {
            if self.cannot_send(&account.id).is_none() {
                return Some(account.id.clone());
            }
            fallback.get_or_insert_with(|| account.id.clone());
        }
        fallback
    }
}

/// The catalogues with the city's own words in them.
fn words(config: &Config) -> Catalogues {
    let own = config.templates.as_ref().map(|folder| folder.join("locales")).filter(|folder| folder.is_dir());
    Catalogues::load(own.as_deref())
        .or_else(|problems| {
            // Citizens are better served with the built-in words than with no page at all.
            tracing::error!(
                problems = problems.join("; "),
                "the city's own words cannot be read; the built-in ones are shown"
            );
            Catalogues::load(None)
        })
        .unwrap_or_else(|problems| panic!("embedded catalogues: {problems:?}"))
        .with_default_language(&config.city.default_language)
}

/// The reply templates with the city's own among them.
fn replies(config: &Config) -> ReplyTemplates {
    ReplyTemplates::load(config.templates.as_deref()).unwrap_or_else(|problems| {
        tracing::error!(problems = problems.join("; "), "the city's own reply templates cannot be read");
        ReplyTemplates::load(None).unwrap_or_default()
    })
}

/// Counts per sender, each forgotten when its window is over; for caps.
#[derive(Debug, Default)]
pub struct Window(std::sync::Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// When the window of a subject ends, and how many it has had.
    by_subject: HashMap<String, (Millis, u64)>,
    /// With so many subjects, those whose windows are over are swept out. It is twice what the last sweep left, so that a sweep
    /// never costs more than the messages since the one before.
    sweep_at: usize,
}

impl Window {
    /// Counts one for `subject` and says whether it is still within `most` per `window` milliseconds.
    pub fn allows(&self, subject: &str, most: u64, window: Millis, now: Millis) -> bool {
        const LEAST: usize = 10_000;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.by_subject.len() >= counts.sweep_at.max(LEAST) {
            counts.by_subject.retain(|_, (until, _)| now < *until);
            counts.sweep_at = counts.by_subject.len() * 2;
        }
        let (until, count) = counts.by_subject.entry(subject.to_owned()).or_insert((now + window, 0));
        if now >= *until {
            (*until, *count) = (now + window, 0);
        }
        *count += 1;
        *count <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_holds_for_its_window_and_is_then_forgotten() {
        let window = Window::default();
        for (now, allowed) in [(0, true), (1, true), (2, false), (99, false), (100, true), (150, true), (199, false)] {
            assert_eq!(window.allows("a", 2, 100, now), allowed, "{now}");
        }
        // Others come and go; who asked for a longer window is kept for all of it.
        assert!(window.allows("day", 1, 1_000_000, 200));
        for sender in 0..50_000_i64 {
            assert!(window.allows(&sender.to_string(), 1, 10, 200 + sender));
        }
        let kept = window.0.lock().expect("counts").by_subject.len();
        assert!(kept < 20_000, "{kept} of 50,000 are kept");
        assert!(!window.allows("day", 1, 1_000_000, 60_000));
    }
}
