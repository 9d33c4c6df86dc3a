//! The rows of the main path, each with its table and its values in the order of the columns.

use super::Table;
use crate::domain::{Id, Millis, TicketNumber, TicketState};
use crate::store::db::Value;

pub(super) static INBOUND: Table = Table::of(
    "inbound",
    "city, id, channel, account, received_at, method, url, headers, peer, body, body_sha256, outcome, reason, ticket",
);

/// A ledger row.
#[derive(Debug, Clone)]
pub struct NewInbound {
    /// Its id.
    pub id: Id,
    /// Word of the medium.
    pub channel: &'static str,
    /// Account.
    pub account: String,
    /// When the hub had it whole.
    pub received_at: Millis,
    /// HTTP method or verb of the protocol.
    pub method: String,
    /// Address, without credentials unless it is quarantined.
    pub url: String,
    /// Headers as JSON, likewise.
    pub headers: String,
    /// The sender's network address.
    pub peer: Option<String>,
    /// The raw bytes.
    pub body: Vec<u8>,
    /// Their SHA-256.
    pub body_sha256: [u8; 32],
    /// The one outcome.
    pub outcome: &'static str,
    /// Why, for those that are not appeals.
    pub reason: Option<String>,
    /// The ticket, if one.
    pub ticket: Option<String>,
}

impl NewInbound {
    pub(super) fn values(self, city: &str) -> Vec<Value> {
        vec![
            city.into(),
            self.id.into(),
            self.channel.into(),
            self.account.into(),
            self.received_at.into(),
            self.method.into(),
            self.url.into(),
            self.headers.into(),
            self.peer.into(),
            self.body.into(),
            self.body_sha256.into(),
            self.outcome.into(),
            self.reason.into(),
            self.ticket.into(),
        ]
    }
}

pub(super) static TICKETS: Table = Table::of(
    "tickets",
    "city, number, state, item, department, kind, priority, language, channel, account, subject, contact_id, confidential, spam, place, district, \
     emergency, code_hash, answer_channel, answer_account, answer_address, answer_confirmed, answers_elsewhere, linked_to, link_reason, hold_until, due_at, inbound_id, \
     decision_id, created_at, updated_at",
);

/// A ticket.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct NewTicket {
    pub number: TicketNumber,
    pub state: TicketState,
    pub item: Option<String>,
    pub department: Option<String>,
    pub kind: String,
    pub priority: String,
    pub language: Option<String>,
    pub channel: &'static str,
    pub account: String,
    pub subject: String,
    pub contact_id: Option<String>,
    pub confidential: bool,
    pub spam: bool,
    pub place: Option<String>,
    pub district: Option<String>,
    pub emergency: String,
    pub code_hash: [u8; 32],
    pub answer_channel: Option<&'static str>,
    pub answer_account: Option<String>,
    pub answer_address: Option<String>,
    pub answer_confirmed: bool,
    /// Whether the answer goes to another address than the sender's own, which its contact does not find.
    pub answers_elsewhere: bool,
    pub linked_to: Option<String>,
    pub link_reason: Option<&'static str>,
    pub hold_until: Option<Millis>,
    pub due_at: Option<Millis>,
    pub inbound_id: Option<String>,
    pub decision_id: Option<String>,
}

impl NewTicket {
    pub(super) fn values(self, city: &str, now: Millis) -> Vec<Value> {
        vec![
            city.into(),
            self.number.into(),
            self.state.as_str().into(),
            self.item.into(),
            self.department.into(),
            self.kind.into(),
            self.priority.into(),
            self.language.into(),
            self.channel.into(),
            self.account.into(),
            self.subject.into(),
            self.contact_id.into(),
            self.confidential.into(),
            self.spam.into(),
            self.place.into(),
            self.district.into(),
            self.emergency.into(),
            self.code_hash.into(),
            self.answer_channel.into(),
            self.answer_account.into(),
            self.answer_address.into(),
            self.answer_confirmed.into(),
            self.answers_elsewhere.into(),
            self.linked_to.into(),
            self.link_reason.into(),
            self.hold_until.into(),
            self.due_at.into(),
            self.inbound_id.into(),
            self.decision_id.into(),
            now.into(),
            now.into(),
        ]
    }
}

pub(super) static APPEALS: Table = Table::of(
    "appeals",
    "city, id, ticket, inbound_id, is_first, part_of, group_key, channel, account, contact_id, sender, name, subject, text, quoted, html, language, \
     location, message_id, received_at",
);

/// An appeal of a ticket.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct NewAppeal {
    pub id: Id,
    pub ticket: TicketNumber,
    pub inbound_id: Option<String>,
    pub is_first: bool,
    pub part_of: Option<String>,
    pub group_key: Option<String>,
    pub channel: &'static str,
    pub account: String,
    pub contact_id: Option<String>,
    pub sender: String,
    pub name: Option<String>,
    pub subject: Option<String>,
    pub text: String,
    pub quoted: Option<String>,
    pub html: Option<String>,
    pub language: Option<String>,
    pub location: Option<String>,
    pub message_id: Option<String>,
    pub received_at: Millis,
}

impl NewAppeal {
    pub(super) fn values(self, city: &str) -> Vec<Value> {
        vec![
            city.into(),
            self.id.into(),
            self.ticket.into(),
            self.inbound_id.into(),
            self.is_first.into(),
            self.part_of.into(),
            self.group_key.into(),
            self.channel.into(),
            self.account.into(),
            self.contact_id.into(),
            self.sender.into(),
            self.name.into(),
            self.subject.into(),
            self.text.into(),
            self.quoted.into(),
            self.html.into(),
            self.language.into(),
            self.location.into(),
            self.message_id.into(),
            self.received_at.into(),
        ]
    }
}

pub(super) static ATTACHMENTS: Table = Table::of(
    "attachments",
    "city, id, ticket, appeal_id, reply_id, account, name, media_type, size, sha256, state, source, reason, next_at",
);

/// A file of an appeal or a reply.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct NewAttachment {
    pub id: Id,
    pub ticket: TicketNumber,
    pub appeal_id: Option<String>,
    pub reply_id: Option<String>,
    pub account: String,
    pub name: String,
    pub media_type: String,
    pub size: Option<i64>,
    pub sha256: Option<String>,
    /// `pending`, `stored`, `refused` or `failed`.
    pub state: &'static str,
    pub source: Option<String>,
    pub reason: Option<String>,
}

impl NewAttachment {
    pub(super) fn values(self, city: &str, now: Millis) -> Vec<Value> {
        let next_at = (self.state == "pending").then_some(now);
        vec![
            city.into(),
            self.id.into(),
            self.ticket.into(),
            self.appeal_id.into(),
            self.reply_id.into(),
            self.account.into(),
            self.name.into(),
            self.media_type.into(),
            self.size.into(),
            self.sha256.into(),
            self.state.into(),
            self.source.into(),
            self.reason.into(),
            next_at.into(),
        ]
    }
}

pub(super) static DECISIONS: Table = Table::of(
    "decisions",
    "city, id, ticket, at, decided_by, item, department, reason, confidence, rule_set, ranked, trace, facts, actor",
);

/// Why a ticket went where it went.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct NewDecision {
    pub id: Id,
    pub ticket: TicketNumber,
    /// `rule`, `abstain`, `citizen` or `person`.
    pub decided_by: String,
    pub item: Option<String>,
    pub department: Option<String>,
    pub reason: Option<String>,
    pub confidence: Option<f64>,
    pub rule_set: Option<String>,
    pub ranked: String,
    pub trace: String,
    pub facts: String,
    pub actor: Option<String>,
}

impl NewDecision {
    pub(super) fn values(self, city: &str, now: Millis) -> Vec<Value> {
        vec![
            city.into(),
            self.id.into(),
            self.ticket.into(),
            now.into(),
            self.decided_by.into(),
            self.item.into(),
            self.department.into(),
            self.reason.into(),
            self.confidence.into(),
            self.rule_set.into(),
            self.ranked.into(),
            self.trace.into(),
            self.facts.into(),
            self.actor.into(),
        ]
    }
}

pub(super) static DELIVERIES: Table = Table::of(
    "deliveries",
    "city, id, ticket, reply_id, department, kind, channel, account, address, subject, text, html, language, automatic, thread, buttons, state, reason, \
     next_at, fallback_of, created_at, updated_at",
);

/// A message that waits to leave.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct NewDelivery {
    pub id: Id,
    pub ticket: Option<TicketNumber>,
    pub reply_id: Option<String>,
    pub department: Option<String>,
    pub kind: channel_contract::DeliveryKind,
    pub channel: String,
    pub account: String,
    pub address: String,
    pub subject: Option<String>,
    pub text: String,
    pub html: Option<String>,
    pub language: Option<String>,
    pub automatic: bool,
    pub thread: Option<String>,
    pub buttons: Option<String>,
    /// Why it cannot leave now (no far end); it is looked at again when the hub starts with one.
    pub waits: Option<String>,
    pub fallback_of: Option<String>,
}

impl NewDelivery {
    /// When it may leave: at once, unless it waits for a far end.
    pub(super) fn next_at(&self, now: Millis) -> Option<Millis> {
        self.waits.is_none().then_some(now)
    }

    pub(super) fn values(self, city: &str, now: Millis) -> Vec<Value> {
        let next_at = self.next_at(now);
        vec![
            city.into(),
            self.id.into(),
            self.ticket.into(),
            self.reply_id.into(),
            self.department.into(),
            self.kind.as_str().into(),
            self.channel.into(),
            self.account.into(),
            self.address.into(),
            self.subject.into(),
            self.text.into(),
            self.html.into(),
            self.language.into(),
            self.automatic.into(),
            self.thread.into(),
            self.buttons.into(),
            "queued".into(),
            self.waits.into(),
            next_at.into(),
            self.fallback_of.into(),
            now.into(),
            now.into(),
        ]
    }
}
