//! The one projection: what whoever reads gets to see of tickets, appeals, deliveries and events.
//!
//! Without the right to identities there are no senders, names and addresses, phone and id numbers in texts are masked, and what
//! cannot be masked (HTML, raw mail) is closed. API, feed and search answer with these shapes and no other; notices and webhooks to
//! departments carry numbers and items only, and the search index holds what [`Eyes::MASKED`] sees.

mod decisions;
mod deliveries;
mod summary;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use decisions::decision;
pub use decisions::{DecisionView, Mark};
pub use deliveries::{AttemptView, DeliveryView, delivery};
pub use summary::{Person, TicketSummary, summary};

use crate::domain::{Actor, Millis, Move, mask};
use crate::store::feed::EventRow;
use crate::store::tickets::{AppealRow, AssignmentRow, AttachmentRow, Beside, ReplyRow, Whole};

/// With what right somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eyes {
    identity: bool,
}

impl Eyes {
    /// Sees nobody's identity.
    pub const MASKED: Self = Self { identity: false };
    /// Sees everything.
    pub const FULL: Self = Self { identity: true };

    /// Of somebody who was let in.
    #[must_use]
    pub const fn of(actor: &Actor) -> Self {
        Self { identity: actor.identity }
    }

    /// Whether identities are open.
    #[must_use]
    pub const fn identity(self) -> bool {
        self.identity
    }

    /// An address or a name.
    #[must_use]
    pub fn who(self, value: &str) -> Option<String> {
        (self.identity && !value.is_empty()).then(|| value.to_owned())
    }

    /// A text in which numbers and addresses may stand.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        if self.identity { text.to_owned() } else { mask(text) }
    }

    fn maybe(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.text(text))
    }
}

/// A moment as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn moment(at: Millis) -> String {
    DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A whole ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TicketView {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: TicketSummary,
    /// Where it is, in the citizen's words.
    pub place: Option<String>,
    /// Where the answer goes.
    pub answer: AnswerView,
    /// The older ticket it refers to.
    pub linked_to: Option<String>,
    /// Why: `other_sender`, `closed`, `other_item`, `asked`, `emergency`, `moved`, `merged`.
    pub link_reason: Option<String>,
    /// Tickets that refer to this one.
    pub linked: Vec<LinkView>,
    /// Until when its dispatch waits for the citizen's word (RFC 3339).
    pub hold_until: Option<String>,
    /// When it was closed (RFC 3339).
    pub closed_at: Option<String>,
    /// What the citizen said, oldest first; the parts of an album are one appeal.
    pub appeals: Vec<AppealView>,
    /// Public answers and questions to the citizen, oldest first.
    pub replies: Vec<ReplyView>,
    /// Internal notes and send-backs, oldest first.
    pub notes: Vec<ReplyView>,
    /// What was sent, oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// Why it went where it went; the one that holds.
    pub decision: Option<DecisionView>,
    /// Every decision, oldest first.
    pub decisions: Vec<DecisionView>,
    /// The departments' parts, oldest first.
    pub assignments: Vec<AssignmentView>,
    /// The moves that are possible now.
    pub moves: Vec<Move>,
    /// The names of everybody whom the ticket names by id.
    pub people: BTreeMap<String, String>,
}

/// Where an answer goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnswerView {
    /// The medium.
    pub channel: Option<String>,
    /// The address; null without the right to identities.
    pub address: Option<String>,
    /// Whether it is confirmed; until then the answer waits on the progress page.
    pub confirmed: bool,
}

/// A ticket that refers to another one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LinkView {
    /// Its number.
    pub number: String,
    /// Why it refers.
    pub reason: Option<String>,
}

/// What a citizen said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealView {
    /// Its id.
    pub id: String,
    /// The medium.
    pub channel: String,
    /// The account it came by.
    pub account: String,
    /// Who said it; null without the right to identities.
    pub from: Option<String>,
    /// The sender's name; null without the right to identities.
    pub name: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The quotation and signature of a mail.
    pub quoted: Option<String>,
    /// The mail's HTML, made safe; null without the right to identities.
    pub html: Option<String>,
    /// Its language (BCP 47).
    pub language: Option<String>,
    /// A point (WGS 84 degrees), as `latitude` and `longitude`.
    #[schema(value_type = Option<Object>)]
    pub location: Option<Value>,
    /// When the hub had it (RFC 3339).
    pub received_at: String,
    /// Its files.
    pub attachments: Vec<AttachmentView>,
    /// The ticket it was moved from.
    pub moved_from: Option<String>,
    /// When it was moved (RFC 3339).
    pub moved_at: Option<String>,
}

/// A file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttachmentView {
    /// Its id, for the download.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Bytes, if known.
    pub size: Option<i64>,
    /// `pending`, `stored`, `refused` or `failed`.
    pub state: String,
    /// Why it was refused or could not be fetched.
    pub reason: Option<String>,
}

/// What staff wrote.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplyView {
    /// Its id.
    pub id: String,
    /// `reply`, `question`, `note` or `send_back`.
    pub kind: String,
    /// The text.
    pub text: String,
    /// Who wrote it, as the audit log names it.
    pub author: String,
    /// For which department.
    pub department: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// Files that go along.
    pub attachments: Vec<AttachmentView>,
}

/// A department's part of a ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AssignmentView {
    /// Its id.
    pub id: String,
    /// The department.
    pub department: String,
    /// `lead` or `assisting`.
    pub role: String,
    /// `dispatched`, `signed`, `replied`, `sent_back`, `withdrawn`, `closed` or `ended`.
    pub state: String,
    /// When its clock began (RFC 3339).
    pub assigned_at: String,
    /// When the answer is due (RFC 3339).
    pub due_at: String,
    /// When it was signed for (RFC 3339).
    pub signed_at: Option<String>,
    /// When it ended (RFC 3339).
    pub ended_at: Option<String>,
    /// Why it ended.
    pub reason: Option<String>,
}

/// A line of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its place in the feed of this city.
    pub position: i64,
    /// What happened.
    pub kind: String,
    /// The ticket.
    pub ticket: Option<String>,
    /// Its state afterwards.
    pub state: Option<String>,
    /// Its department afterwards.
    pub department: Option<String>,
    /// When (RFC 3339).
    pub at: String,
}

/// Shows a whole ticket; `names` are those of everybody whom it names, `me` is who looks.
#[must_use]
pub fn ticket(eyes: Eyes, whole: &Whole, beside: &Beside, names: &BTreeMap<String, String>, me: &str) -> TicketView {
    let ticket = &whole.ticket;
    let decisions: Vec<DecisionView> = whole.decisions.iter().map(|row| decision(eyes, row)).collect();
    let holds = |decision: &&DecisionView| Some(&decision.id) == ticket.decision_id.as_ref();
    let (replies, notes) = whole
        .replies
        .iter()
        .map(|row| reply(eyes, row, &whole.attachments))
        .partition(|reply| reply.kind != "note" && reply.kind != "send_back");
    TicketView {
        summary: summary(eyes, ticket, beside, names, me),
        place: eyes.maybe(ticket.place.as_deref()),
        answer: AnswerView {
            channel: ticket.answer_channel.clone(),
            address: ticket.answer_address.as_deref().and_then(|address| eyes.who(address)),
            confirmed: ticket.answer_confirmed,
        },
        linked_to: ticket.linked_to.clone(),
        link_reason: ticket.link_reason.clone(),
        linked: whole
            .linked
            .iter()
            .map(|(number, reason)| LinkView { number: number.to_string(), reason: reason.clone() })
            .collect(),
        hold_until: ticket.hold_until.map(moment),
        closed_at: ticket.closed_at.map(moment),
        appeals: appeals(eyes, &whole.appeals, &whole.attachments),
        replies,
        notes,
        deliveries: whole.deliveries.iter().map(|row| delivery(eyes, row, &whole.attempts)).collect(),
        decision: decisions.iter().find(holds).or(decisions.last()).cloned(),
        decisions,
        assignments: whole.assignments.iter().map(|row| assignment(eyes, row)).collect(),
        moves: ticket.state.legal(),
        people: names.clone(),
    }
}

/// Everybody whom a ticket names, as the audit log does.
pub fn actors<'a>(whole: &'a Whole, beside: &'a Beside) -> impl Iterator<Item = &'a str> {
    let authors = whole.replies.iter().map(|reply| reply.author.as_str());
    let deciders = whole.decisions.iter().filter_map(|decision| decision.actor.as_deref());
    let movers = whole.appeals.iter().filter_map(|appeal| appeal.moved_by.as_deref());
    let drafting = beside.drafting.iter().map(String::as_str);
    authors.chain(deciders).chain(movers).chain(drafting).chain(whole.ticket.assignee.as_deref())
}

/// Shows the appeals of a ticket; the parts of an album go into the appeal they are part of.
#[must_use]
pub fn appeals(eyes: Eyes, rows: &[AppealRow], files: &[AttachmentRow]) -> Vec<AppealView> {
    let whole = |row: &&AppealRow| {
        row.part_of.as_ref().is_none_or(|parent| !rows.iter().any(|other| other.id.as_str() == parent))
    };
    rows.iter()
        .filter(whole)
        .map(|row| {
            let is_part = |other: &&AppealRow| other.part_of.as_deref() == Some(row.id.as_str());
            let mut text = row.text.clone();
            for part in rows.iter().filter(is_part).filter(|part| !part.text.is_empty()) {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&part.text);
            }
            let own = |file: &&AttachmentRow| {
                let of = file.appeal_id.as_deref();
                of == Some(row.id.as_str()) || rows.iter().filter(is_part).any(|part| of == Some(part.id.as_str()))
            };
            AppealView {
                id: row.id.to_string(),
                channel: row.channel.clone(),
                account: row.account.clone(),
                from: eyes.who(&row.sender),
                name: row.name.as_deref().and_then(|name| eyes.who(name)),
                subject: eyes.maybe(row.subject.as_deref()),
                text: eyes.text(&text),
                quoted: eyes.maybe(row.quoted.as_deref()),
                html: row.html.clone().filter(|_| eyes.identity),
                language: row.language.clone(),
                location: row.location.as_deref().and_then(|json| serde_json::from_str(json).ok()),
                received_at: moment(row.received_at),
                attachments: files.iter().filter(own).map(|file| attachment(eyes, file)).collect(),
                moved_from: row.moved_from.clone(),
                moved_at: row.moved_at.map(moment),
            }
        })
        .collect()
}

/// Shows a file.
#[must_use]
pub fn attachment(eyes: Eyes, row: &AttachmentRow) -> AttachmentView {
    AttachmentView {
        id: row.id.to_string(),
        name: eyes.text(&row.name),
        media_type: row.media_type.clone(),
        size: row.size,
        state: row.state.clone(),
        reason: row.reason.clone(),
    }
}

fn reply(eyes: Eyes, row: &ReplyRow, files: &[AttachmentRow]) -> ReplyView {
    let own = |file: &&AttachmentRow| file.reply_id.as_deref() == Some(row.id.as_str());
    ReplyView {
        id: row.id.to_string(),
        kind: row.kind.clone(),
        text: eyes.text(&row.text),
        author: row.author.clone(),
        department: row.department.clone(),
        at: moment(row.at),
        attachments: files.iter().filter(own).map(|file| attachment(eyes, file)).collect(),
    }
}

fn assignment(eyes: Eyes, row: &AssignmentRow) -> AssignmentView {
    AssignmentView {
        id: row.id.to_string(),
        department: row.department.clone(),
        role: row.role.clone(),
        state: row.state.clone(),
        assigned_at: moment(row.assigned_at),
        due_at: moment(row.due_at),
        signed_at: row.signed_at.map(moment),
        ended_at: row.ended_at.map(moment),
        reason: eyes.maybe(row.reason.as_deref()),
    }
}

/// Shows a line of the feed; it holds ids and states only, for every reader.
#[must_use]
pub fn event(row: &EventRow) -> EventView {
    EventView {
        position: row.position,
        kind: row.kind.clone(),
        ticket: row.ticket.clone(),
        state: row.state.clone(),
        department: row.department.clone(),
        at: moment(row.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Id, TicketNumber};

    fn appeal(id: &str, part_of: Option<&str>, text: &str) -> AppealRow {
        AppealRow {
            id: Id::stored(id.to_owned()),
            ticket: TicketNumber::new("261122", 1),
            inbound_id: None,
            is_first: part_of.is_none(),
            part_of: part_of.map(str::to_owned),
            channel: "telegram".to_owned(),
            account: "bot".to_owned(),
            contact_id: None,
            sender: "+8613800138000".to_owned(),
            name: Some("Zhang".to_owned()),
            subject: None,
            text: text.to_owned(),
            quoted: Some("call 13900139000".to_owned()),
            html: Some("<p>13900139000</p>".to_owned()),
            language: None,
            location: None,
            message_id: None,
            received_at: 0,
            moved_from: None,
            moved_by: None,
            moved_at: None,
        }
    }

    fn file(id: &str, appeal: &str) -> AttachmentRow {
        AttachmentRow {
            id: Id::stored(id.to_owned()),
            appeal_id: Some(appeal.to_owned()),
            reply_id: None,
            name: "photo.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            size: None,
            sha256: None,
            state: "pending".to_owned(),
            reason: None,
        }
    }

    #[test]
    fn without_the_right_nothing_leads_to_a_person() {
        let rows = [appeal("a", None, "我是13800138000")];
        let json = serde_json::to_string(&appeals(Eyes::MASKED, &rows, &[])).expect("json");
        for secret in ["13800138000", "13900139000", "Zhang"] {
            assert!(!json.contains(secret), "{json}");
        }
        let open = &appeals(Eyes::FULL, &rows, &[])[0];
        assert_eq!(open.from.as_deref(), Some("+8613800138000"));
        assert_eq!(open.text, "我是13800138000");
    }

    #[test]
    fn an_album_is_one_appeal() {
        let rows = [appeal("a", None, "看"), appeal("b", Some("a"), ""), appeal("c", Some("a"), "还有")];
        let files = [file("1", "a"), file("2", "b"), file("3", "a")];
        let views = appeals(Eyes::FULL, &rows, &files);
        assert_eq!(views.len(), 1);
        assert_eq!(views[0].text, "看\n还有");
        assert_eq!(views[0].attachments.len(), 3);
    }

    #[test]
    fn moments_are_rfc_3339() {
        assert_eq!(moment(1_764_000_000_123), "2025-11-24T16:00:00.123Z");
    }
}
