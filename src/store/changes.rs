//! What one transaction adds, collected first and written with one statement a table.
//!
//! Event rows go in last, at positions taken from the locked city row, so that the order of commits is the order of
//! positions and a reader that keeps its last position misses nothing.

use super::Error;
use super::db::{Conn, Value};
use crate::domain::{Id, Millis, TicketNumber, TicketState};

/// Rows to be added together.
#[derive(Debug)]
pub struct Changes {
    city: String,
    now: Millis,
    tables: Vec<(&'static Table, Vec<Vec<Value>>)>,
    events: Vec<Event>,
    sends: bool,
}

#[derive(Debug)]
struct Table {
    name: &'static str,
    columns: &'static str,
}

macro_rules! table {
    ($constant:ident, $name:literal, $columns:literal) => {
        static $constant: Table = Table { name: $name, columns: $columns };
    };
}

table!(
    INBOUND,
    "inbound",
    "city, id, channel, account, received_at, method, url, headers, peer, body, body_sha256, outcome, reason, ticket"
);
table!(DUPLICATES, "duplicates", "city, inbound_id, original_id");
table!(CONTROLS, "controls", "city, inbound_id, account, address, kind, data, at");
table!(REPORTS, "reports", "city, inbound_id, account, provider_id, attempt_id, status, error, at, matched");
table!(QUARANTINE, "quarantine", "city, inbound_id, account, reason, detail, bytes, state, at");
table!(
    TICKETS,
    "tickets",
    "city, number, state, item, department, kind, priority, language, channel, account, subject, contact_id, confidential, spam, place, district, \
     emergency, code_hash, answer_channel, answer_account, answer_address, answer_confirmed, answers_elsewhere, linked_to, link_reason, hold_until, due_at, inbound_id, \
     decision_id, created_at, updated_at"
);
table!(
    APPEALS,
    "appeals",
    "city, id, ticket, inbound_id, is_first, part_of, group_key, channel, account, contact_id, sender, name, subject, text, quoted, html, language, \
     location, message_id, received_at"
);
table!(
    ATTACHMENTS,
    "attachments",
    "city, id, ticket, appeal_id, reply_id, account, name, media_type, size, sha256, state, source, reason, next_at"
);
table!(
    DECISIONS,
    "decisions",
    "city, id, ticket, at, decided_by, item, department, reason, confidence, rule_set, ranked, trace, facts, actor"
);
table!(ASSIGNMENTS, "assignments", "city, id, ticket, department, role, state, assigned_at, due_at");
table!(REPLIES, "replies", "city, id, ticket, inbound_id, kind, text, author, department, at");
table!(
    DELIVERIES,
    "deliveries",
    "city, id, ticket, reply_id, department, kind, channel, account, address, subject, text, html, language, automatic, thread, buttons, state, reason, \
     next_at, fallback_of, created_at, updated_at"
);
table!(QUESTIONS, "questions", "city, id, contact_id, ticket, options, asked_at, until");
table!(ANSWER_LINKS, "answer_links", "city, token_hash, ticket, reply_id, expires_at");
table!(CONFIRMATIONS, "confirmations", "city, ticket, channel, address, code_hash, created_at");
table!(AUDIT, "audit", "city, id, at, actor, action, subject, detail");

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

/// A line of the feed: ids and states, never text or contact.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub kind: &'static str,
    /// The ticket.
    pub ticket: Option<TicketNumber>,
    /// Its state afterwards.
    pub state: Option<TicketState>,
    /// Its department afterwards.
    pub department: Option<String>,
    /// Ids as JSON.
    pub detail: Option<String>,
}

impl Changes {
    /// Nothing yet.
    #[must_use]
    pub fn new(city: &str, now: Millis) -> Self {
        Self { city: city.to_owned(), now, tables: Vec::new(), events: Vec::new(), sends: false }
    }

    /// The time of this transaction.
    #[must_use]
    pub const fn now(&self) -> Millis {
        self.now
    }

    fn push(&mut self, table: &'static Table, values: Vec<Value>) {
        let mut row = Vec::with_capacity(values.len() + 1);
        row.push(Value::from(&self.city));
        row.extend(values);
        match self.tables.iter_mut().find(|(known, _)| std::ptr::eq(*known, table)) {
            Some((_, rows)) => rows.push(row),
            None => self.tables.push((table, vec![row])),
        }
    }

    /// Adds a ledger row.
    pub fn inbound(&mut self, row: NewInbound) {
        let NewInbound {
            id,
            channel,
            account,
            received_at,
            method,
            url,
            headers,
            peer,
            body,
            body_sha256,
            outcome,
            reason,
            ticket,
        } = row;
        self.push(
            &INBOUND,
            vec![
                id.into(),
                channel.into(),
                account.into(),
                received_at.into(),
                method.into(),
                url.into(),
                headers.into(),
                peer.into(),
                body.into(),
                body_sha256.into(),
                outcome.into(),
                reason.into(),
                ticket.into(),
            ],
        );
    }

    /// Notes that a message was seen before.
    pub fn duplicate(&mut self, inbound: &Id, original: &str) {
        self.push(&DUPLICATES, vec![inbound.into(), original.into()]);
    }

    /// Records a control.
    pub fn control(&mut self, inbound: &Id, account: &str, address: &str, kind: &'static str, data: Option<String>) {
        let now = self.now;
        self.push(
            &CONTROLS,
            vec![inbound.into(), account.into(), address.into(), kind.into(), data.into(), now.into()],
        );
    }

    /// Records a report; `matched` says whether its attempt was known.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub fn report(
        &mut self,
        inbound: &Id,
        account: &str,
        provider_id: Option<String>,
        attempt_id: Option<String>,
        status: &'static str,
        error: Option<String>,
        matched: bool,
    ) {
        let now = self.now;
        self.push(
            &REPORTS,
            vec![
                inbound.into(),
                account.into(),
                provider_id.into(),
                attempt_id.into(),
                status.into(),
                error.into(),
                now.into(),
                matched.into(),
            ],
        );
    }

    /// Puts a message aside.
    pub fn quarantine(&mut self, inbound: &Id, account: &str, reason: &'static str, detail: &str, bytes: i64) {
        let now = self.now;
        self.push(
            &QUARANTINE,
            vec![inbound.into(), account.into(), reason.into(), detail.into(), bytes.into(), "held".into(), now.into()],
        );
    }

    /// Adds a ticket.
    pub fn ticket(&mut self, row: NewTicket) {
        let now = self.now;
        self.push(
            &TICKETS,
            vec![
                row.number.into(),
                row.state.as_str().into(),
                row.item.into(),
                row.department.into(),
                row.kind.into(),
                row.priority.into(),
                row.language.into(),
                row.channel.into(),
                row.account.into(),
                row.subject.into(),
                row.contact_id.into(),
                row.confidential.into(),
                row.spam.into(),
                row.place.into(),
                row.district.into(),
                row.emergency.into(),
                row.code_hash.into(),
                row.answer_channel.into(),
                row.answer_account.into(),
                row.answer_address.into(),
                row.answer_confirmed.into(),
                row.answers_elsewhere.into(),
                row.linked_to.into(),
                row.link_reason.into(),
                row.hold_until.into(),
                row.due_at.into(),
                row.inbound_id.into(),
                row.decision_id.into(),
                now.into(),
                now.into(),
            ],
        );
    }

    /// Adds an appeal.
    pub fn appeal(&mut self, row: NewAppeal) {
        self.push(
            &APPEALS,
            vec![
                row.id.into(),
                row.ticket.into(),
                row.inbound_id.into(),
                row.is_first.into(),
                row.part_of.into(),
                row.group_key.into(),
                row.channel.into(),
                row.account.into(),
                row.contact_id.into(),
                row.sender.into(),
                row.name.into(),
                row.subject.into(),
                row.text.into(),
                row.quoted.into(),
                row.html.into(),
                row.language.into(),
                row.location.into(),
                row.message_id.into(),
                row.received_at.into(),
            ],
        );
    }

    /// Adds a file; a pending one is due for fetching at once.
    pub fn attachment(&mut self, row: NewAttachment) {
        let next_at = (row.state == "pending").then_some(self.now);
        self.push(
            &ATTACHMENTS,
            vec![
                row.id.into(),
                row.ticket.into(),
                row.appeal_id.into(),
                row.reply_id.into(),
                row.account.into(),
                row.name.into(),
                row.media_type.into(),
                row.size.into(),
                row.sha256.into(),
                row.state.into(),
                row.source.into(),
                row.reason.into(),
                next_at.into(),
            ],
        );
    }

    /// Adds a decision.
    pub fn decision(&mut self, row: NewDecision) {
        let now = self.now;
        self.push(
            &DECISIONS,
            vec![
                row.id.into(),
                row.ticket.into(),
                now.into(),
                row.decided_by.into(),
                row.item.into(),
                row.department.into(),
                row.reason.into(),
                row.confidence.into(),
                row.rule_set.into(),
                row.ranked.into(),
                row.trace.into(),
                row.facts.into(),
                row.actor.into(),
            ],
        );
    }

    /// Adds an assignment; its clock starts now.
    pub fn assignment(&mut self, id: &Id, ticket: &TicketNumber, department: &str, role: &'static str, due_at: Millis) {
        let now = self.now;
        self.push(
            &ASSIGNMENTS,
            vec![
                id.into(),
                ticket.into(),
                department.into(),
                role.into(),
                "dispatched".into(),
                now.into(),
                due_at.into(),
            ],
        );
    }

    /// Adds what staff wrote; `kind` is `reply`, `note` or `send_back`.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub fn reply(
        &mut self,
        id: &Id,
        ticket: &TicketNumber,
        inbound_id: Option<String>,
        kind: &'static str,
        text: &str,
        author: &str,
        department: Option<&str>,
    ) {
        let now = self.now;
        self.push(
            &REPLIES,
            vec![
                id.into(),
                ticket.into(),
                inbound_id.into(),
                kind.into(),
                text.into(),
                author.into(),
                department.into(),
                now.into(),
            ],
        );
    }

    /// Adds a delivery, due at once unless it waits for a far end.
    pub fn delivery(&mut self, row: NewDelivery) {
        let now = self.now;
        let next_at = row.waits.is_none().then_some(now);
        self.sends |= next_at.is_some();
        self.push(
            &DELIVERIES,
            vec![
                row.id.into(),
                row.ticket.into(),
                row.reply_id.into(),
                row.department.into(),
                row.kind.as_str().into(),
                row.channel.into(),
                row.account.into(),
                row.address.into(),
                row.subject.into(),
                row.text.into(),
                row.html.into(),
                row.language.into(),
                row.automatic.into(),
                row.thread.into(),
                row.buttons.into(),
                "queued".into(),
                row.waits.into(),
                next_at.into(),
                row.fallback_of.into(),
                now.into(),
                now.into(),
            ],
        );
    }

    /// Adds a question with its options (ticket numbers in the order asked).
    pub fn question(&mut self, id: &Id, contact_id: &str, ticket: &TicketNumber, options: &[String], until: Millis) {
        let now = self.now;
        let options = serde_json::to_string(options).unwrap_or_default();
        self.push(
            &QUESTIONS,
            vec![id.into(), contact_id.into(), ticket.into(), options.into(), now.into(), until.into()],
        );
    }

    /// Adds a link that opens one answer until `expires_at`.
    pub fn answer_link(&mut self, token_hash: [u8; 32], ticket: &TicketNumber, reply_id: &str, expires_at: Millis) {
        self.push(&ANSWER_LINKS, vec![token_hash.into(), ticket.into(), reply_id.into(), expires_at.into()]);
    }

    /// Asks an address that was typed in to confirm itself.
    pub fn confirmation(&mut self, ticket: &TicketNumber, channel: &'static str, address: &str, code_hash: [u8; 32]) {
        let now = self.now;
        self.push(&CONFIRMATIONS, vec![ticket.into(), channel.into(), address.into(), code_hash.into(), now.into()]);
    }

    /// Writes a line into the audit log.
    pub fn audit(&mut self, actor: &str, action: &str, subject: Option<&str>, detail: Option<String>) {
        let now = self.now;
        let id = crate::domain::new_id(now);
        self.push(&AUDIT, vec![id.into(), now.into(), actor.into(), action.into(), subject.into(), detail.into()]);
    }

    /// Whether a delivery among these is due at once.
    #[must_use]
    pub const fn sends(&self) -> bool {
        self.sends
    }

    /// Adds a line to the feed.
    pub fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Writes the rows collected so far, but not the feed: for jobs that must read or change them before the end.
    ///
    /// # Errors
    /// [`Error`] of the database; the transaction is then to be rolled back.
    pub async fn write_rows(&mut self, conn: &mut Conn) -> Result<(), Error> {
        for (table, rows) in self.tables.drain(..) {
            conn.insert(table.name, table.columns, rows).await?;
        }
        Ok(())
    }

    /// Writes everything, the feed last. Returns the last position, if there were events.
    ///
    /// # Errors
    /// [`Error`] of the database; the transaction is then to be rolled back.
    pub async fn flush(mut self, conn: &mut Conn) -> Result<Option<i64>, Error> {
        self.write_rows(conn).await?;
        if self.events.is_empty() {
            return Ok(None);
        }
        let count = i64::try_from(self.events.len()).unwrap_or_default();
        let last: i64 = conn
            .fetch_value(
                "insert into cities (city, position) values ($1, $2)
                 on conflict (city) do update set position = cities.position + excluded.position
                 returning position",
                vec![(&self.city).into(), count.into()],
            )
            .await?;
        let rows = self
            .events
            .into_iter()
            .zip(last - count + 1..)
            .map(|(event, position)| {
                vec![
                    Value::from(&self.city),
                    position.into(),
                    event.kind.into(),
                    event.ticket.into(),
                    event.state.map(TicketState::as_str).into(),
                    event.department.into(),
                    self.now.into(),
                    event.detail.into(),
                ]
            })
            .collect();
        conn.insert("events", "city, position, kind, ticket, state, department, at, detail", rows).await?;
        Ok(Some(last))
    }
}
