//! Time-ordered ids.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Millis;

/// A UUID version 7 (RFC 9562) in its hyphenated form: sorts by time of making.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Takes a stored id as it is.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// What sorts before every id made at `at` or later, and after those made before.
    #[must_use]
    pub fn least(at: Millis) -> Self {
        let millis = u64::try_from(at).unwrap_or_default();
        Self(format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, taken out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A new id for something that happens at `at`.
///
/// Ids of one process sort in the order they were made, also within a millisecond.
#[must_use]
pub fn new_id(at: Millis) -> Id {
    static CONTEXT: std::sync::Mutex<Option<uuid::ContextV7>> = std::sync::Mutex::new(None);
    let mut guard = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let context = guard.get_or_insert_with(uuid::ContextV7::new);
    let millis = u64::try_from(at).unwrap_or_default();
    let stamp = uuid::Timestamp::from_unix(
        &*context,
        millis / 1000,
        u32::try_from(millis % 1000).unwrap_or_default() * 1_000_000,
    );
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    Id(uuid::Uuid::new_v7(stamp).hyphenated().encode_lower(&mut text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_of_making() {
        let ids: Vec<_> = (0..1000).map(|step| new_id(1_764_000_000_000 + step / 100)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_bound_stands_between_two_moments() {
        let made = |at, rest| Id(uuid::Builder::from_unix_timestamp_millis(at, &[rest; 10]).into_uuid().to_string());
        let bound = Id::least(1_764_000_000_005);
        assert!(made(1_764_000_000_004, 0xff) < bound && bound < made(1_764_000_000_005, 0));
    }
}
