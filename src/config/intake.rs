//! `[intake]`: limits and times of what comes in.

use super::section::Section;

/// What limits and times the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// Most messages of one commit.
    pub batch_messages: u64,
    /// Most messages that wait for a commit; beyond it the sender is told 503.
    pub queue_messages: u64,
    /// How long the dispatch of an unclear message waits for the citizen's word, minutes.
    pub hold_minutes: u64,
    /// For how many days after its last message an open ticket takes messages without a reference.
    pub append_days: u64,
    /// Most characters of a text that are kept and classified; the raw message keeps the rest.
    pub max_text_chars: u64,
    /// Bytes that quarantine keeps per account; beyond it 429.
    pub quarantine_bytes: u64,
    /// Most automatic answers to one address in an hour; its messages are taken all the same.
    pub acknowledgements_per_hour: u64,
    /// Most confirmation codes sent to one typed-in address in a day.
    pub codes_per_day: u64,
    /// Most wrong tries of a query code per ticket and per address in an hour.
    pub query_tries_per_hour: u64,
    /// Mail older than this gets no automatic answer, hours.
    pub old_mail_hours: u64,
}

impl Intake {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let batch_messages = section.number("batch_messages", 1..=4096);
        let queue_messages = section.number("queue_messages", 1..=1_000_000);
        let hold_minutes = section.number("hold_minutes", 0..=1440);
        let append_days = section.number("append_days", 0..=3650);
        let max_text_chars = section.number("max_text_chars", 100..=1_000_000);
        let quarantine_bytes = section.number("quarantine_bytes", 1024 * 1024..=1 << 40);
        let acknowledgements_per_hour = section.number("acknowledgements_per_hour", 1..=100_000);
        let codes_per_day = section.number("codes_per_day", 1..=1000);
        let query_tries_per_hour = section.number("query_tries_per_hour", 1..=10_000);
        let old_mail_hours = section.number("old_mail_hours", 1..=8760);
        section.finish();
        Some(Self {
            batch_messages: batch_messages?,
            queue_messages: queue_messages?,
            hold_minutes: hold_minutes?,
            append_days: append_days?,
            max_text_chars: max_text_chars?,
            quarantine_bytes: quarantine_bytes?,
            acknowledgements_per_hour: acknowledgements_per_hour?,
            codes_per_day: codes_per_day?,
            query_tries_per_hour: query_tries_per_hour?,
            old_mail_hours: old_mail_hours?,
        })
    }
}
