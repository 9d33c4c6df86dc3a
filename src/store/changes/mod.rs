//! What one transaction adds, collected first and written with one statement a table.
//!
//! Event rows go in last, at positions taken from the locked city row, so that the order of commits is the order of
//! positions and a reader that keeps its last position misses nothing.

mod rows;

use rows::{APPEALS, ATTACHMENTS, DECISIONS, DELIVERIES, INBOUND, TICKETS};
pub use rows::{NewAppeal, NewAttachment, NewDecision, NewDelivery, NewInbound, NewTicket};

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

impl Table {
    const fn of(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns }
    }
}

static DUPLICATES: Table = Table::of("duplicates", "city, inbound_id, original_id");
static CONTROLS: Table = Table::of("controls", "city, inbound_id, account, address, kind, data, at");
static REPORTS: Table =
    Table::of("reports", "city, inbound_id, account, provider_id, attempt_id, status, error, at, matched");
static QUARANTINE: Table = Table::of("quarantine", "city, inbound_id, account, reason, detail, bytes, state, at");
static ASSIGNMENTS: Table = Table::of("assignments", "city, id, ticket, department, role, state, assigned_at, due_at");
static REPLIES: Table = Table::of("replies", "city, id, ticket, inbound_id, kind, text, author, department, at");
static QUESTIONS: Table = Table::of("questions", "city, id, contact_id, ticket, options, asked_at, until");
static ANSWER_LINKS: Table = Table::of("answer_links", "city, token_hash, ticket, reply_id, expires_at");
static CONFIRMATIONS: Table = Table::of("confirmations", "city, ticket, channel, address, code_hash, created_at");
static AUDIT: Table = Table::of("audit", "city, id, at, actor, action, subject, detail");

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

    fn add(&mut self, table: &'static Table, row: Vec<Value>) {
        match self.tables.iter_mut().find(|(known, _)| std::ptr::eq(*known, table)) {
            Some((_, rows)) => rows.push(row),
            None => self.tables.push((table, vec![row])),
        }
    }

    /// Adds a row whose first column, the city, is not among the values.
    fn push(&mut self, table: &'static Table, mut values: Vec<Value>) {
        values.insert(0, Value::from(&self.city));
        self.add(table, values);
    }

    /// Adds a ledger row.
    pub fn inbound(&mut self, row: NewInbound) {
        let values = row.values(&self.city);
        self.add(&INBOUND, values);
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
        let values = row.values(&self.city, self.now);
        self.add(&TICKETS, values);
    }

    /// Adds an appeal.
    pub fn appeal(&mut self, row: NewAppeal) {
        let values = row.values(&self.city);
        self.add(&APPEALS, values);
    }

    /// Adds a file; a pending one is due for fetching at once.
    pub fn attachment(&mut self, row: NewAttachment) {
        let values = row.values(&self.city, self.now);
        self.add(&ATTACHMENTS, values);
    }

    /// Adds a decision.
    pub fn decision(&mut self, row: NewDecision) {
        let values = row.values(&self.city, self.now);
        self.add(&DECISIONS, values);
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
        self.sends |= row.next_at(self.now).is_some();
        let values = row.values(&self.city, self.now);
        self.add(&DELIVERIES, values);
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
