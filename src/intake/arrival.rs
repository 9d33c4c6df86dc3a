//! One inbound message on its way into the ledger.

use channel_contract::{Control, Message, QuarantineReason, RawRequest, Report};

use crate::dispatch::{Judgement, Written};
use crate::domain::{Id, TicketNumber};
use crate::store::NewInbound;

/// An inbound message with what is known of it before the transaction.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its ledger id.
    pub id: Id,
    /// Word of the medium.
    pub channel: &'static str,
    /// Account.
    pub account: String,
    /// As it came.
    pub raw: RawRequest,
    /// What it is.
    pub matter: Matter,
    /// Query parameters and headers that carry credentials.
    pub credentials: &'static [&'static str],
    /// The headers without credentials, in writing (JSON).
    pub headers: String,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
}

/// What an arrival is.
#[derive(Debug, Clone)]
pub enum Matter {
    /// To be kept aside.
    Quarantine {
        /// Why.
        reason: QuarantineReason,
        /// For the operator.
        detail: String,
    },
    /// Verified.
    Verified {
        /// Identity within the account.
        key: String,
        /// Digest of the content.
        digest: [u8; 32],
        /// The content.
        content: Prepared,
    },
}

/// Verified content, prepared outside the transaction.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// A citizen says something.
    Message(Box<PreparedMessage>),
    /// A delivery report.
    Report(Report),
    /// Something to obey.
    Control(Control),
}

/// A message with its judgement and its files already on disk.
#[derive(Debug, Clone)]
pub struct PreparedMessage {
    /// The message; its attachments have moved to `files`.
    pub message: Message,
    /// What the rules make of it by itself.
    pub judgement: Judgement,
    /// The same in writing.
    pub written: Written,
    /// Its files.
    pub files: Vec<File>,
    /// The ticket it is meant for, when the hub itself has checked that (a citizen on `/track`).
    pub into: Option<TicketNumber>,
}

/// A file that is on disk, to be fetched, or refused.
#[derive(Debug, Clone)]
pub struct File {
    /// Name.
    pub name: String,
    /// Media type, sniffed where possible.
    pub media_type: String,
    /// Size in bytes.
    pub size: Option<i64>,
    /// Object name.
    pub sha256: Option<String>,
    /// `pending`, `stored`, `refused`.
    pub state: &'static str,
    /// Where the provider holds it.
    pub source: Option<String>,
    /// Why it was refused.
    pub reason: Option<String>,
}

impl Arrival {
    /// The ledger row, with an outcome. Credentials are stripped from what was taken; what stands in quarantine keeps
    /// them, because a replay judges them again.
    #[must_use]
    pub fn row(&self, outcome: &'static str, reason: Option<String>, ticket: Option<String>) -> NewInbound {
        let keep = outcome == "quarantined";
        NewInbound {
            id: self.id.clone(),
            channel: self.channel,
            account: self.account.clone(),
            received_at: self.raw.received_at.timestamp_millis(),
            method: self.raw.method.clone(),
            url: if keep { self.raw.url.clone() } else { without_credentials(&self.raw.url, self.credentials) },
            headers: if keep { headers_in_writing(&self.raw.headers, None) } else { self.headers.clone() },
            peer: self.raw.peer.map(|peer| peer.to_string()),
            body: self.raw.body.to_vec(),
            body_sha256: self.body_sha256,
            outcome,
            reason,
            ticket,
        }
    }

    /// Bytes that it takes in quarantine.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        let headers: usize = self.raw.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        i64::try_from(self.raw.body.len() + self.raw.url.len() + headers).unwrap_or(i64::MAX)
    }
}

/// Headers as JSON, in order; without those that carry credentials (these and the usual ones), unless all are kept.
pub(super) fn headers_in_writing(headers: &[(String, Vec<u8>)], credentials: Option<&[&str]>) -> String {
    let shown: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !credentials.is_some_and(|credentials| is_secret(name, credentials)))
        .map(|(name, value)| (name, String::from_utf8_lossy(value)))
        .collect();
    serde_json::to_string(&shown).unwrap_or_default()
}

/// Whether a header (lower-case name) carries credentials: these and the usual ones.
pub(super) fn is_secret(name: &str, credentials: &[&str]) -> bool {
    credentials.contains(&name) || matches!(name, "authorization" | "proxy-authorization" | "cookie")
}

/// An address whose credentials are starred out.
pub(super) fn without_credentials(url: &str, credentials: &[&str]) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let kept: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if credentials.iter().any(|credential| name.eq_ignore_ascii_case(credential)) => {
                format!("{name}=***")
            }
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", kept.join("&"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn credentials_leave_the_address() {
        assert_eq!(
            super::without_credentials("https://h/p?id=1&Secret=x&text=a%20b", &["secret"]),
            "https://h/p?id=1&Secret=***&text=a%20b"
        );
    }
}
