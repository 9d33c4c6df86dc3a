//! `[staff]`: sessions and lockout.

use super::section::Section;

/// Sessions and lockout of staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// How long a session lasts at most, hours.
    pub session_hours: u64,
    /// How long a session lasts without use, minutes.
    pub idle_minutes: u64,
    /// Wrong passwords in a row after which a login is locked.
    pub lockout_attempts: u64,
    /// How long it stays locked, minutes.
    pub lockout_minutes: u64,
}

impl Staff {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let session_hours = section.number("session_hours", 1..=720);
        let idle_minutes = section.number("idle_minutes", 1..=43_200);
        let lockout_attempts = section.number("lockout_attempts", 1..=1000);
        let lockout_minutes = section.number("lockout_minutes", 1..=43_200);
        section.finish();
        Some(Self {
            session_hours: session_hours?,
            idle_minutes: idle_minutes?,
            lockout_attempts: lockout_attempts?,
            lockout_minutes: lockout_minutes?,
        })
    }
}
