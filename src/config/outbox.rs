//! `[outbox]`: how deliveries are tried.

use super::section::Section;

/// How deliveries are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Deliveries under way at once.
    pub workers: u64,
    /// How long a worker may hold a delivery, seconds; it must outlast the slowest far end.
    pub lease_secs: u64,
    /// The first wait after a transient error, seconds; it doubles each time, with jitter.
    pub backoff_base_secs: u64,
    /// The longest wait, seconds.
    pub backoff_cap_secs: u64,
    /// After how many hours of transient errors an address is given up and the next one tried.
    pub give_up_hours: u64,
    /// After how many minutes a waiting delivery counts as stuck.
    pub stuck_minutes: u64,
    /// How many days the link to an answer that was too long stays open.
    pub link_days: u64,
}

impl Outbox {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let workers = section.number("workers", 1..=256);
        let lease_secs = section.number("lease_secs", 10..=3600);
        let backoff_base_secs = section.number("backoff_base_secs", 1..=3600);
        let origin = section.origin("backoff_cap_secs");
        let backoff_cap_secs = section.number("backoff_cap_secs", 1..=86_400);
        if let (Some(base), Some(cap)) = (backoff_base_secs, backoff_cap_secs)
            && cap < base
        {
            section.wrong(
                origin,
                "backoff_cap_secs",
                format!("{cap} is less than outbox.backoff_base_secs, {base}"),
                "Raise it",
            );
        }
        let give_up_hours = section.number("give_up_hours", 1..=8760);
        let stuck_minutes = section.number("stuck_minutes", 1..=100_000);
        let link_days = section.number("link_days", 1..=3650);
        section.finish();
        Some(Self {
            workers: workers?,
            lease_secs: lease_secs?,
            backoff_base_secs: backoff_base_secs?,
            backoff_cap_secs: backoff_cap_secs?,
            give_up_hours: give_up_hours?,
            stuck_minutes: stuck_minutes?,
            link_days: link_days?,
        })
    }
}
