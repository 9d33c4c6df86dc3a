//! How the channel accounts are: what this process saw of them since it started.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Millis, mask};
use crate::store::intake::Ledger;

/// What went wrong, as a word for the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A message was refused for good.
    Refused,
    /// A message did not leave and is tried again.
    Delayed,
    /// Nobody knows whether a message left.
    Uncertain,
    /// The account could not be looked at for new messages.
    Unread,
}

impl Trouble {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Delayed => "delayed",
            Self::Uncertain => "uncertain",
            Self::Unread => "unread",
        }
    }
}

/// What was seen of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// When the far end last took a message.
    pub last_sent_at: Option<Millis>,
    /// When it was last looked at for new messages, if it is polled.
    pub last_polled_at: Option<Millis>,
    /// What last went wrong.
    pub last_trouble: Option<Trouble>,
    /// The same in the words of whoever found it, without numbers or addresses.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Millis>,
}

/// What was seen of every account. Nothing of it is stored: after a restart the next message or poll tells.
#[derive(Debug, Default)]
pub struct Pulses {
    accounts: Mutex<BTreeMap<String, Pulse>>,
    ledger: Mutex<Option<(Millis, Ledger)>>,
}

impl Pulses {
    fn of(&self, account: &str, change: impl FnOnce(&mut Pulse)) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        match accounts.get_mut(account) {
            Some(pulse) => change(pulse),
            None => change(accounts.entry(account.to_owned()).or_default()),
        }
    }

    /// The far end took a message.
    pub fn sent(&self, account: &str, now: Millis) {
        self.of(account, |pulse| pulse.last_sent_at = Some(now));
    }

    /// The account was looked at for new messages.
    pub fn polled(&self, account: &str, now: Millis) {
        self.of(account, |pulse| pulse.last_polled_at = Some(now));
    }

    /// Something went wrong.
    pub fn failed(&self, account: &str, trouble: Trouble, error: &str, now: Millis) {
        let error: String = mask(error).chars().take(500).collect();
        self.of(account, |pulse| {
            pulse.last_trouble = Some(trouble);
            pulse.last_error = Some(error);
            pulse.last_error_at = Some(now);
        });
    }

    /// Keeps what the ledger was counted to be.
    pub fn counted(&self, ledger: Ledger, now: Millis) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, ledger));
    }

    /// The ledger as it was counted last, and when: counting a million rows takes a second, so not everybody who looks counts.
    #[must_use]
    pub fn ledger(&self) -> Option<(Millis, Ledger)> {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen of an account.
    #[must_use]
    pub fn get(&self, account: &str) -> Pulse {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_without_personal_data() {
        let pulses = Pulses::default();
        pulses.sent("demo", 1);
        pulses.failed("demo", Trouble::Delayed, "no route to +8613800138000", 2);
        let seen = pulses.get("demo");
        assert_eq!((seen.last_sent_at, seen.last_error_at), (Some(1), Some(2)));
        assert!(!seen.last_error.is_some_and(|error| error.contains("13800138000")));
        assert_eq!(pulses.get("other"), Pulse::default());
    }
}
