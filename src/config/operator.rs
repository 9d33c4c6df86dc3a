//! `[operator]`: who is told when something is wrong.

use std::collections::BTreeMap;

use super::section::Section;

/// Who is told when something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Mailboxes that get alarms; with none, alarms stand in the log and the metrics only.
    pub email: Vec<String>,
    /// The email account that sends alarms; `None` is the first one.
    pub account: Option<String>,
    /// A channel account silent for so many minutes raises an alarm; 0 or left out never does.
    pub silent_minutes: BTreeMap<String, u64>,
    /// The same alarm is not sent again within so many minutes.
    pub repeat_minutes: u64,
}

impl Operator {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        const EXPECTED: &str = r#"Write a list of mailboxes, such as ["hotline-ops@example.gov.cn"]"#;
        let origin = section.origin("email");
        let email: Option<Vec<String>> = section.required("email", EXPECTED);
        for address in email.iter().flatten().filter(|address| !mailbox(address)) {
            section.wrong(origin.clone(), "email", format!("{address:?} is not a mailbox"), EXPECTED);
        }
        let account = section.optional("account", "Write the id of an account below [channels.email]");
        let mut inner = section.child("silent_minutes");
        let silent_minutes = inner.map("Write a whole number of minutes");
        inner.finish();
        let repeat_minutes = section.number("repeat_minutes", 1..=43_200);
        section.finish();
        Some(Self { email: email?, account, silent_minutes, repeat_minutes: repeat_minutes? })
    }
}

/// Whether a text looks like `local@domain` (RFC 5321 4.1.2, without quoted local parts).
pub(super) fn mailbox(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !text.contains(|character: char| character.is_whitespace() || "<>,;\"".contains(character))
    })
}
