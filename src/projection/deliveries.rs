//! Messages on their way out.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Eyes, moment};
use crate::store::tickets::{AttemptRow, DeliveryRow};

/// A message on its way out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: String,
    /// The ticket.
    pub ticket: Option<String>,
    /// `acknowledgement`, `question`, `reply`, `notice` or `code`.
    pub kind: String,
    /// The medium; `webhook` for a department's.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The address; null without the right to identities.
    pub to: Option<String>,
    /// The department that is told, if it goes to one.
    pub department: Option<String>,
    /// `queued`, `sending`, `sent`, `delivered`, `failed` or `uncertain`.
    pub state: String,
    /// Why it waits or failed.
    pub reason: Option<String>,
    /// The reply it carries.
    pub reply: Option<String>,
    /// The delivery that failed before it.
    pub fallback_of: Option<String>,
    /// Each try.
    pub attempts: Vec<AttemptView>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it last changed (RFC 3339).
    pub updated_at: String,
    /// When it is tried next (RFC 3339).
    pub next_at: Option<String>,
}

/// A try to send.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    /// Its id.
    pub id: String,
    /// Which part of a split message, from 1.
    pub part: i64,
    /// The account.
    pub account: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// When it ended (RFC 3339).
    pub ended_at: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// The provider's later word.
    pub report: Option<String>,
    /// When that came (RFC 3339).
    pub reported_at: Option<String>,
}

/// Shows a delivery with its attempts, out of all of `attempts`. Its text is never shown: an acknowledgement holds the query code.
#[must_use]
pub fn delivery(eyes: Eyes, row: &DeliveryRow, attempts: &[AttemptRow]) -> DeliveryView {
    DeliveryView {
        id: row.id.to_string(),
        ticket: row.ticket.as_ref().map(ToString::to_string),
        kind: row.kind.clone(),
        channel: row.channel.clone(),
        account: row.account.clone(),
        to: eyes.who(&row.address),
        department: row.department.clone(),
        state: row.state.clone(),
        reason: eyes.maybe(row.reason.as_deref()),
        reply: row.reply_id.clone(),
        fallback_of: row.fallback_of.clone(),
        attempts: attempts
            .iter()
            .filter(|attempt| attempt.delivery_id == row.id.as_str())
            .map(|row| attempt(eyes, row))
            .collect(),
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
        next_at: row.next_at.map(moment),
    }
}

fn attempt(eyes: Eyes, row: &AttemptRow) -> AttemptView {
    AttemptView {
        id: row.id.to_string(),
        part: row.part,
        account: row.account.clone(),
        started_at: moment(row.started_at),
        ended_at: row.ended_at.map(moment),
        outcome: row.outcome.clone(),
        provider_id: row.provider_id.clone(),
        error: eyes.maybe(row.error.as_deref()),
        report: row.report.clone(),
        reported_at: row.reported_at.map(moment),
    }
}
