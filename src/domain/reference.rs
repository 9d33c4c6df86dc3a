//! The hub's own reference token, by which an answer finds its ticket: in subjects, reply addresses and Message-IDs.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use sha2::Sha256;

use super::TicketNumber;

/// Names a ticket in a mail. Written `yd{number}-{tag}`; the tag is made with the hub's secret, so that nobody can guess the token of somebody else's ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The ticket.
    pub ticket: TicketNumber,
    tag: String,
}

impl Reference {
    /// The token of a ticket.
    #[must_use]
    pub fn new(ticket: &TicketNumber, secret: &[u8]) -> Self {
        Self { ticket: ticket.clone(), tag: tag(ticket, secret) }
    }

    /// The token as written.
    #[must_use]
    pub fn token(&self) -> String {
        format!("yd{}-{}", self.ticket, self.tag)
    }
}

fn tag(ticket: &TicketNumber, secret: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(b"reference:");
    mac.update(ticket.as_str().as_bytes());
    mac.finalize().into_bytes().iter().take(8).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// The tickets named by genuine tokens in the texts, in order and without repeats.
pub fn find_references<'a>(texts: impl IntoIterator<Item = &'a str>, secret: &[u8]) -> Vec<TicketNumber> {
    static TOKEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)yd(\d{13,18})-([a-z2-9]{8})").unwrap_or_else(|error| panic!("{error}")));
    let mut found = Vec::new();
    for text in texts {
        for capture in TOKEN.captures_iter(text) {
            let Some(ticket) = TicketNumber::parse(&capture[1]) else { continue };
            if capture[2].to_ascii_lowercase() == tag(&ticket, secret) && !found.contains(&ticket) {
                found.push(ticket);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_genuine_tokens_count() {
        let ticket = TicketNumber::new("261122", 5);
        let token = Reference::new(&ticket, b"secret").token();
        let subject = format!("Re: [{}] 路灯", token.to_uppercase());
        assert_eq!(find_references([subject.as_str(), token.as_str()], b"secret"), vec![ticket]);
        assert_eq!(find_references([subject.as_str()], b"other"), vec![]);
    }
}
