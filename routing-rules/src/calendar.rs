//! A city's date and clock as an input: no zone, no machine time.

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Weekday};
use serde::{Deserialize, Serialize};

/// The days from Monday (ISO 8601) with the words used in packs.
pub(crate) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

/// A minute on a city's clock, written `2026-11-22T09:58`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LocalTime(NaiveDateTime);

impl LocalTime {
    /// The minute of a moment.
    #[must_use]
    pub fn new(moment: NaiveDateTime) -> Self {
        let minute = moment.with_second(0).and_then(|moment| moment.with_nanosecond(0));
        Self(minute.unwrap_or(moment))
    }

    /// Reads `2026-11-22T09:58`; seconds and what follows them are left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, clock) = text.split_once(['T', ' '])?;
        let time = NaiveTime::parse_from_str(clock.get(..5)?, "%H:%M").ok()?;
        Some(Self(written(date)?.and_time(time)))
    }

    /// The date.
    #[must_use]
    pub const fn date(self) -> NaiveDate {
        self.0.date()
    }

    /// Minutes since midnight.
    #[must_use]
    pub fn minute_of_day(self) -> u16 {
        // A day has 1,440 minutes.
        (self.0.hour() * 60 + self.0.minute()) as u16
    }
}

/// Reads `2026-11-22`.
pub(crate) fn written(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)
}

/// The day of a date as histories have it, year first, with or without a time behind: `2026-11-22T09:58:00+08:00`,
/// `2026/1/8 15:40`, `2026.1.8`, `2026年1月8日`, `20260108`.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let mut numbers = text.trim().split(|sign: char| !sign.is_ascii_digit());
    let first = numbers.next()?;
    if first.len() == 8 {
        return NaiveDate::parse_from_str(first, "%Y%m%d").ok();
    }
    let mut part = || numbers.next().filter(|part| matches!(part.len(), 1 | 2))?.parse().ok();
    NaiveDate::from_ymd_opt(first.parse().ok().filter(|_| first.len() == 4)?, part()?, part()?)
}

impl fmt::Display for LocalTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%dT%H:%M"))
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a local time such as 2026-11-22T09:58"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["2026-11-22T09:58", "2024-02-29T00:00", "9999-12-31T23:59"] {
            assert_eq!(LocalTime::parse(text).map(|time| time.to_string()).as_deref(), Some(text));
        }
        let whole = LocalTime::parse("2026-11-22 09:58");
        assert_eq!(LocalTime::parse("2026-11-22T09:58:31+08:00"), whole);
        assert_eq!("2026-11-22T09:58:31".parse().map(LocalTime::new).ok(), whole);
        assert_eq!(whole.map(LocalTime::minute_of_day), Some(9 * 60 + 58));
        for bad in [
            "",
            "2026-11-22",
            "2026-1-22T00:00",
            "2026-02-29T00:00",
            "2026-13-01T00:00",
            "2026-11-22T24:00",
            "2026-11-22T9:58",
            "2026-11-22T路灯",
        ] {
            assert_eq!(LocalTime::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_as_histories_write_them() {
        for text in
            ["2020-01-08", "2020-01-08T15:40:33+08:00", "2020/1/8 15:40:33", " 2020.01.8", "2020年1月8日", "20200108"]
        {
            assert_eq!(day(text), NaiveDate::from_ymd_opt(2020, 1, 8), "{text}");
        }
        for bad in ["", "2020", "2020-01", "8/1/2020", "2020-13-01", "yesterday", "1578441600000", "2020-1-081"] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }
}
