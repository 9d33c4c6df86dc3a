//! Reading tickets: one, a page, the whole with everything that hangs on it; and the update that checks the version seen.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Backend, Conn, Row, Value, placeholders};
use crate::domain::{Id, Millis, TicketNumber, TicketState};

/// A ticket as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct TicketRow {
    pub number: TicketNumber,
    pub state: TicketState,
    pub item: Option<String>,
    pub department: Option<String>,
    pub kind: String,
    pub priority: String,
    pub language: Option<String>,
    pub channel: String,
    pub account: String,
    pub subject: String,
    pub contact_id: Option<String>,
    pub confidential: bool,
    pub spam: bool,
    pub place: Option<String>,
    pub district: Option<String>,
    /// Emergency numbers named to the citizen, parted by commas.
    pub emergency: String,
    pub answer_channel: Option<String>,
    pub answer_account: Option<String>,
    pub answer_address: Option<String>,
    pub answer_confirmed: bool,
    pub linked_to: Option<String>,
    pub link_reason: Option<String>,
    pub hold_until: Option<Millis>,
    pub due_at: Option<Millis>,
    pub decision_id: Option<String>,
    pub version: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub closed_at: Option<Millis>,
}

const TICKET: &str = "t.number, t.state, t.item, t.department, t.kind, t.priority, t.language, t.channel, t.account, t.subject, t.contact_id, \
    t.confidential, t.spam, t.place, t.district, t.emergency, t.answer_channel, t.answer_account, t.answer_address, t.answer_confirmed, \
    t.linked_to, t.link_reason, t.hold_until, t.due_at, t.decision_id, t.version, t.created_at, t.updated_at, t.closed_at";

fn ticket_row(row: &Row) -> Result<TicketRow, Error> {
    Ok(TicketRow {
        number: row.get(0)?,
        state: TicketState::parse(&row.get::<String>(1)?).ok_or_else(|| Error::Shape("state".to_owned()))?,
        item: row.get(2)?,
        department: row.get(3)?,
        kind: row.get(4)?,
        priority: row.get(5)?,
        language: row.get(6)?,
        channel: row.get(7)?,
        account: row.get(8)?,
        subject: row.get(9)?,
        contact_id: row.get(10)?,
        confidential: row.get(11)?,
        spam: row.get(12)?,
        place: row.get(13)?,
        district: row.get(14)?,
        emergency: row.get(15)?,
        answer_channel: row.get(16)?,
        answer_account: row.get(17)?,
        answer_address: row.get(18)?,
        answer_confirmed: row.get(19)?,
        linked_to: row.get(20)?,
        link_reason: row.get(21)?,
        hold_until: row.get(22)?,
        due_at: row.get(23)?,
        decision_id: row.get(24)?,
        version: row.get(25)?,
        created_at: row.get(26)?,
        updated_at: row.get(27)?,
        closed_at: row.get(28)?,
    })
}

/// One ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn get(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<TicketRow>, Error> {
    let sql = format!("select {TICKET} from tickets t where t.city = $1 and t.number = $2");
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), number.into()])
        .await?
        .as_ref()
        .map(ticket_row)
        .transpose()
}

/// The ticket, locked against other writers, if it still is at the version that the caller saw.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Changed`] when somebody else was quicker.
pub async fn lock(conn: &mut Conn, city: &str, number: &TicketNumber, seen: i64) -> Result<TicketRow, Error> {
    let ticket = lock_any(conn, city, number).await?;
    if ticket.version == seen { Ok(ticket) } else { Err(Error::Changed { seen, now: ticket.version }) }
}

/// The ticket at whatever version, locked against other writers.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn lock_any(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<TicketRow, Error> {
    let lock = if conn.backend() == Backend::Postgres { "for update" } else { "" };
    let sql = format!("select {TICKET} from tickets t where t.city = $1 and t.number = $2 {lock}");
    let row =
        conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), number.into()]).await?.ok_or(Error::NotFound)?;
    ticket_row(&row)
}

/// Whether a ticket is within the reach of a department: one of its assignments names it.
///
/// # Errors
/// [`Error`] of the database.
pub async fn names_department(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    department: &str,
) -> Result<bool, Error> {
    let row = conn
        .fetch_optional(
            "select 1 from assignments where city = $1 and ticket = $2 and department = $3 limit 1",
            vec![city.into(), number.into(), department.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// What a list of tickets is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only tickets with an assignment of this department.
    pub scope: Option<String>,
    /// Only this state.
    pub state: Option<TicketState>,
    /// Only this lead department.
    pub department: Option<String>,
    /// Only this medium.
    pub channel: Option<String>,
    /// Only this item.
    pub item: Option<String>,
    /// Created at or after.
    pub from: Option<Millis>,
    /// Created before.
    pub until: Option<Millis>,
}

impl Filter {
    /// Conditions on `t` with their values; places go on after those of `args`.
    fn conditions(&self, args: &mut Vec<Value>) -> String {
        let mut sql = String::new();
        let mut push = |condition: &str, value: Value| {
            args.push(value);
            sql.push_str(" and ");
            sql.push_str(&condition.replace('?', &format!("${}", args.len())));
        };
        if let Some(state) = self.state {
            push("t.state = ?", state.as_str().into());
        }
        if let Some(department) = &self.department {
            push("t.department = ?", department.into());
        }
        if let Some(channel) = &self.channel {
            push("t.channel = ?", channel.into());
        }
        if let Some(item) = &self.item {
            push("t.item = ?", item.into());
        }
        if let Some(from) = self.from {
            push("t.created_at >= ?", from.into());
        }
        if let Some(until) = self.until {
            push("t.created_at < ?", until.into());
        }
        if let Some(scope) = &self.scope {
            push(
                "exists (select 1 from assignments a where a.city = t.city and a.ticket = t.number and a.department = ?)",
                scope.into(),
            );
        }
        sql
    }
}

/// A page of tickets in order of their numbers, which is the order of creation, after a number.
///
/// # Errors
/// [`Error`] of the database.
pub async fn page(
    conn: &mut Conn,
    city: &str,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<TicketRow>, Error> {
    let mut args: Vec<Value> = vec![city.into(), after.unwrap_or_default().into(), limit.into()];
    let conditions = filter.conditions(&mut args);
    let sql = format!(
        "select {TICKET} from tickets t where t.city = $1 and t.number > $2 {conditions} order by t.number limit $3"
    );
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(ticket_row).collect()
}

/// A page of found tickets, newest first, before a number. `from` and `condition` name the search's own table `f`
/// (with a column `ticket`) and condition, texts of this program; `extra` are its values from `$4` on.
pub(super) async fn page_of(
    conn: &mut Conn,
    city: &str,
    (from, condition, extra): (&str, &str, Vec<Value>),
    filter: &Filter,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<TicketRow>, Error> {
    // ':' sorts behind every digit, so that no number is left out.
    let mut args: Vec<Value> = vec![city.into(), before.unwrap_or(":").into(), limit.into()];
    args.extend(extra);
    let conditions = filter.conditions(&mut args);
    let sql = format!(
        "select {TICKET} from tickets t {from} where t.city = $1 and t.number < $2 and {condition} {conditions} order by t.number desc limit $3"
    );
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(ticket_row).collect()
}

/// An appeal as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AppealRow {
    pub id: Id,
    pub ticket: TicketNumber,
    pub inbound_id: Option<String>,
    pub is_first: bool,
    pub part_of: Option<String>,
    pub channel: String,
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
    pub moved_from: Option<String>,
    pub moved_by: Option<String>,
    pub moved_at: Option<Millis>,
}

/// The appeals of a ticket, oldest first; parts of an album follow the appeal they are part of.
///
/// # Errors
/// [`Error`] of the database.
pub async fn appeals(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AppealRow>, Error> {
    let rows = conn
        .fetch(
            "select id, ticket, inbound_id, is_first, part_of, channel, account, contact_id, sender, name, subject, text, quoted, html, language,
                 location, message_id, received_at, moved_from, moved_by, moved_at
             from appeals where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AppealRow {
                id: row.get(0)?,
                ticket: row.get(1)?,
                inbound_id: row.get(2)?,
                is_first: row.get(3)?,
                part_of: row.get(4)?,
                channel: row.get(5)?,
                account: row.get(6)?,
                contact_id: row.get(7)?,
                sender: row.get(8)?,
                name: row.get(9)?,
                subject: row.get(10)?,
                text: row.get(11)?,
                quoted: row.get(12)?,
                html: row.get(13)?,
                language: row.get(14)?,
                location: row.get(15)?,
                message_id: row.get(16)?,
                received_at: row.get(17)?,
                moved_from: row.get(18)?,
                moved_by: row.get(19)?,
                moved_at: row.get(20)?,
            })
        })
        .collect()
}

/// A file as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AttachmentRow {
    pub id: Id,
    pub appeal_id: Option<String>,
    pub reply_id: Option<String>,
    pub name: String,
    pub media_type: String,
    pub size: Option<i64>,
    pub sha256: Option<String>,
    pub state: String,
    pub reason: Option<String>,
}

/// The files of a ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn attachments(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AttachmentRow>, Error> {
    let rows = conn
        .fetch(
            "select id, appeal_id, reply_id, name, media_type, size, sha256, state, reason from attachments where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AttachmentRow {
                id: row.get(0)?,
                appeal_id: row.get(1)?,
                reply_id: row.get(2)?,
                name: row.get(3)?,
                media_type: row.get(4)?,
                size: row.get(5)?,
                sha256: row.get(6)?,
                state: row.get(7)?,
                reason: row.get(8)?,
            })
        })
        .collect()
}

/// Gives uploaded files of a ticket that belong to nothing yet to a reply. Returns how many were there to give.
///
/// # Errors
/// [`Error`] of the database.
pub async fn give_files(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    files: &[String],
    reply: &Id,
) -> Result<u64, Error> {
    if files.is_empty() {
        return Ok(0);
    }
    let mut args: Vec<Value> = vec![city.into(), number.into(), reply.into()];
    args.extend(files.iter().map(Value::from));
    let sql = format!(
        "update attachments set reply_id = $3
         where city = $1 and ticket = $2 and appeal_id is null and reply_id is null and state = 'stored' and id in ({})",
        placeholders(4, files.len())
    );
    conn.execute(AssertSqlSafe(sql), args).await
}

/// What staff wrote, as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct ReplyRow {
    pub id: Id,
    pub kind: String,
    pub text: String,
    pub author: String,
    pub department: Option<String>,
    pub at: Millis,
}

/// Replies, notes and send-backs of a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn replies(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<ReplyRow>, Error> {
    let rows = conn
        .fetch(
            "select id, kind, text, author, department, at from replies where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ReplyRow {
                id: row.get(0)?,
                kind: row.get(1)?,
                text: row.get(2)?,
                author: row.get(3)?,
                department: row.get(4)?,
                at: row.get(5)?,
            })
        })
        .collect()
}

/// A delivery as staff see it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct DeliveryRow {
    pub id: Id,
    pub ticket: Option<TicketNumber>,
    pub reply_id: Option<String>,
    pub department: Option<String>,
    pub kind: String,
    pub channel: String,
    pub account: String,
    pub address: String,
    pub text: String,
    pub state: String,
    pub reason: Option<String>,
    pub uncertain: i64,
    pub next_at: Option<Millis>,
    pub fallback_of: Option<String>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

const DELIVERY: &str = "d.id, d.ticket, d.reply_id, d.department, d.kind, d.channel, d.account, d.address, d.text, d.state, d.reason, d.uncertain, \
    d.next_at, d.fallback_of, d.created_at, d.updated_at";

fn delivery_row(row: &Row) -> Result<DeliveryRow, Error> {
    Ok(DeliveryRow {
        id: row.get(0)?,
        ticket: row.get(1)?,
        reply_id: row.get(2)?,
        department: row.get(3)?,
        kind: row.get(4)?,
        channel: row.get(5)?,
        account: row.get(6)?,
        address: row.get(7)?,
        text: row.get(8)?,
        state: row.get(9)?,
        reason: row.get(10)?,
        uncertain: row.get(11)?,
        next_at: row.get(12)?,
        fallback_of: row.get(13)?,
        created_at: row.get(14)?,
        updated_at: row.get(15)?,
    })
}

/// The deliveries of a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn deliveries(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<DeliveryRow>, Error> {
    let sql = format!("select {DELIVERY} from deliveries d where d.city = $1 and d.ticket = $2 order by d.id");
    conn.fetch(AssertSqlSafe(sql), vec![city.into(), number.into()]).await?.iter().map(delivery_row).collect()
}

/// One delivery, locked against other writers.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn lock_delivery(conn: &mut Conn, city: &str, id: &str) -> Result<DeliveryRow, Error> {
    let lock = if conn.backend() == Backend::Postgres { "for update" } else { "" };
    let sql = format!("select {DELIVERY} from deliveries d where d.city = $1 and d.id = $2 {lock}");
    delivery_row(&conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), id.into()]).await?.ok_or(Error::NotFound)?)
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryFilter {
    /// Failed for good, uncertain, or unfinished and made before this time. Call tasks are not among them.
    Stuck {
        /// Unfinished ones made before this count.
        before: Millis,
    },
    /// Calls that an agent has to make.
    Calls,
    /// One state.
    State(String),
    /// All.
    All,
}

/// A page of deliveries in order of their making, after an id.
///
/// # Errors
/// [`Error`] of the database.
pub async fn delivery_page(
    conn: &mut Conn,
    city: &str,
    filter: &DeliveryFilter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let mut args: Vec<Value> = vec![city.into(), after.unwrap_or_default().into(), limit.into()];
    let condition = match filter {
        DeliveryFilter::Stuck { before } => {
            args.push((*before).into());
            "and d.channel <> 'phone' and (d.state in ('failed', 'uncertain') or d.state in ('queued', 'sending') and d.created_at < $4)"
        }
        DeliveryFilter::Calls => "and d.channel = 'phone' and d.state = 'queued'",
        DeliveryFilter::State(state) => {
            args.push(state.into());
            "and d.state = $4"
        }
        DeliveryFilter::All => "",
    };
    let sql = format!(
        "select {DELIVERY} from deliveries d where d.city = $1 and d.id > $2 {condition} order by d.id limit $3"
    );
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(delivery_row).collect()
}

/// Sets a delivery's state with a reason; `next_at` says when the outbox looks at it again.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_delivery(
    conn: &mut Conn,
    city: &str,
    id: &Id,
    state: &str,
    reason: Option<&str>,
    next_at: Option<Millis>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update deliveries set state = $3, reason = $4, next_at = $5, lease_owner = null, lease_until = null, updated_at = $6 where city = $1 and id = $2",
        vec![city.into(), id.into(), state.into(), reason.into(), next_at.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// A try to send.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AttemptRow {
    pub id: Id,
    pub delivery_id: String,
    pub part: i64,
    pub account: String,
    pub started_at: Millis,
    pub ended_at: Option<Millis>,
    pub outcome: Option<String>,
    pub provider_id: Option<String>,
    pub error: Option<String>,
    pub report: Option<String>,
    pub reported_at: Option<Millis>,
}

/// The attempts of these deliveries, in order.
///
/// # Errors
/// [`Error`] of the database.
pub async fn attempts(conn: &mut Conn, city: &str, deliveries: &[DeliveryRow]) -> Result<Vec<AttemptRow>, Error> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = vec![city.into()];
    args.extend(deliveries.iter().map(|delivery| Value::from(&delivery.id)));
    let sql = format!(
        "select id, delivery_id, part, account, started_at, ended_at, outcome, provider_id, error, report, reported_at
         from attempts where city = $1 and delivery_id in ({}) order by id",
        placeholders(2, deliveries.len())
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(AttemptRow {
                id: row.get(0)?,
                delivery_id: row.get(1)?,
                part: row.get(2)?,
                account: row.get(3)?,
                started_at: row.get(4)?,
                ended_at: row.get(5)?,
                outcome: row.get(6)?,
                provider_id: row.get(7)?,
                error: row.get(8)?,
                report: row.get(9)?,
                reported_at: row.get(10)?,
            })
        })
        .collect()
}

/// A decision as stored; `ranked`, `trace` and `facts` are JSON.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct DecisionRow {
    pub id: Id,
    pub at: Millis,
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

/// The decisions on a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn decisions(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<DecisionRow>, Error> {
    let rows = conn
        .fetch(
            "select id, at, decided_by, item, department, reason, confidence, rule_set, ranked, trace, facts, actor
             from decisions where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DecisionRow {
                id: row.get(0)?,
                at: row.get(1)?,
                decided_by: row.get(2)?,
                item: row.get(3)?,
                department: row.get(4)?,
                reason: row.get(5)?,
                confidence: row.get(6)?,
                rule_set: row.get(7)?,
                ranked: row.get(8)?,
                trace: row.get(9)?,
                facts: row.get(10)?,
                actor: row.get(11)?,
            })
        })
        .collect()
}

/// A department's part of a ticket.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AssignmentRow {
    pub id: Id,
    pub department: String,
    pub role: String,
    pub state: String,
    pub assigned_at: Millis,
    pub due_at: Millis,
    pub signed_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    pub reason: Option<String>,
}

/// The assignments of a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn assignments(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AssignmentRow>, Error> {
    let rows = conn
        .fetch(
            "select id, department, role, state, assigned_at, due_at, signed_at, ended_at, reason
             from assignments where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AssignmentRow {
                id: row.get(0)?,
                department: row.get(1)?,
                role: row.get(2)?,
                state: row.get(3)?,
                assigned_at: row.get(4)?,
                due_at: row.get(5)?,
                signed_at: row.get(6)?,
                ended_at: row.get(7)?,
                reason: row.get(8)?,
            })
        })
        .collect()
}

/// Sets the state of a running assignment; signing notes the time.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_assignment(conn: &mut Conn, city: &str, id: &Id, state: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update assignments set state = $3, signed_at = case when $3 = 'signed' then $4 else signed_at end where city = $1 and id = $2",
        vec![city.into(), id.into(), state.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// Numbers of tickets that refer to this one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn linked(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    contact_id: Option<&str>,
) -> Result<Vec<(TicketNumber, Option<String>)>, Error> {
    // A linked ticket was nearly always opened by the same contact, whose tickets are indexed; the others are found by their appeals.
    let Some(contact_id) = contact_id else { return Ok(Vec::new()) };
    let rows = conn
        .fetch(
            "select number, link_reason from tickets
             where city = $1 and linked_to = $2 and number in (select ticket from appeals where city = $1 and contact_id = $3)
             order by number",
            vec![city.into(), number.into(), contact_id.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A ticket with everything that hangs on it, read in one go.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named after what it holds")]
pub struct Whole {
    pub ticket: TicketRow,
    pub appeals: Vec<AppealRow>,
    pub attachments: Vec<AttachmentRow>,
    pub replies: Vec<ReplyRow>,
    pub deliveries: Vec<DeliveryRow>,
    pub attempts: Vec<AttemptRow>,
    pub decisions: Vec<DecisionRow>,
    pub assignments: Vec<AssignmentRow>,
    pub linked: Vec<(TicketNumber, Option<String>)>,
}

/// Reads a whole ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn whole(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<Whole>, Error> {
    let Some(ticket) = get(conn, city, number).await? else { return Ok(None) };
    let deliveries = deliveries(conn, city, number).await?;
    Ok(Some(Whole {
        appeals: appeals(conn, city, number).await?,
        attachments: attachments(conn, city, number).await?,
        replies: replies(conn, city, number).await?,
        attempts: attempts(conn, city, &deliveries).await?,
        deliveries,
        decisions: decisions(conn, city, number).await?,
        assignments: assignments(conn, city, number).await?,
        linked: linked(conn, city, number, ticket.contact_id.as_deref()).await?,
        ticket,
    }))
}

/// What a move changes in a ticket; `None` leaves a column as it is.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Update {
    pub state: Option<TicketState>,
    pub closed_at: Option<Millis>,
    /// Takes the department away.
    pub without_department: bool,
}

/// Writes a move into a ticket that [`lock`] has read, and raises its version.
///
/// # Errors
/// [`Error::Changed`] when the version is no longer the one seen.
pub async fn update_ticket(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    seen: i64,
    update: &Update,
    now: Millis,
) -> Result<(), Error> {
    let changed = conn
        .execute(
            "update tickets set
                 state = coalesce($4, state),
                 closed_at = case when $4 = 'closed' then $5 when $4 is null then closed_at else null end,
                 department = case when $6 = 1 then null else department end,
                 hold_until = case when $4 is null then hold_until else null end,
                 version = version + 1, updated_at = $7
             where city = $1 and number = $2 and version = $3",
            vec![
                city.into(),
                number.into(),
                seen.into(),
                update.state.map(TicketState::as_str).into(),
                update.closed_at.into(),
                update.without_department.into(),
                now.into(),
            ],
        )
        .await?;
    if changed == 1 {
        return Ok(());
    }
    let now = get(conn, city, number).await?.ok_or(Error::NotFound)?.version;
    Err(Error::Changed { seen, now })
}

/// Sets where the answer goes, confirmed by the member of staff who asked the citizen.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_answer_address(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    channel: &str,
    account: &str,
    address: &str,
) -> Result<(), Error> {
    conn.execute(
        "update tickets set answer_channel = $3, answer_account = $4, answer_address = $5, answer_confirmed = 1 where city = $1 and number = $2",
        vec![city.into(), number.into(), channel.into(), account.into(), address.into()],
    )
    .await
    .map(|_| ())
}

/// Moves an appeal with its album parts and files to another ticket, noting where it came from.
///
/// # Errors
/// [`Error`] of the database.
pub async fn move_appeal(
    conn: &mut Conn,
    city: &str,
    appeal: &Id,
    from: &TicketNumber,
    to: &TicketNumber,
    by: &str,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update appeals set ticket = $4, moved_from = $3, moved_by = $5, moved_at = $6 where city = $1 and ticket = $3 and (id = $2 or part_of = $2)",
        vec![city.into(), appeal.into(), from.into(), to.into(), by.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update attachments set ticket = $4
         where city = $1 and ticket = $3 and (appeal_id = $2 or appeal_id in (select id from appeals where city = $1 and part_of = $2))",
        vec![city.into(), appeal.into(), from.into(), to.into()],
    )
    .await
    .map(|_| ())
}

/// The addresses that a ticket's citizen confirmed by a code: medium and address.
///
/// # Errors
/// [`Error`] of the database.
pub async fn confirmed_addresses(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
) -> Result<Vec<(String, String)>, Error> {
    let rows = conn
        .fetch(
            "select channel, address from confirmations where city = $1 and ticket = $2 and confirmed_at is not null",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Whether the owner of an address asked for silence.
///
/// # Errors
/// [`Error`] of the database.
pub async fn stopped(conn: &mut Conn, city: &str, channel: &str, address: &str) -> Result<bool, Error> {
    let row = conn
        .fetch_optional(
            "select 1 from contacts where city = $1 and channel = $2 and address = $3 and stopped_at is not null",
            vec![city.into(), channel.into(), address.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Ends one assignment.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_assignment(
    conn: &mut Conn,
    city: &str,
    id: &Id,
    state: &str,
    reason: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update assignments set state = $3, ended_at = $4, reason = $5 where city = $1 and id = $2 and ended_at is null",
        vec![city.into(), id.into(), state.into(), now.into(), reason.into()],
    )
    .await
    .map(|_| ())
}

/// Sets when the answer is due.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_due(conn: &mut Conn, city: &str, number: &TicketNumber, due_at: Millis) -> Result<(), Error> {
    conn.execute(
        "update tickets set due_at = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), due_at.into()],
    )
    .await
    .map(|_| ())
}

/// Makes a ticket refer to another one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn link(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    to: &TicketNumber,
    reason: &str,
) -> Result<(), Error> {
    conn.execute(
        "update tickets set linked_to = $3, link_reason = $4 where city = $1 and number = $2",
        vec![city.into(), number.into(), to.into(), reason.into()],
    )
    .await
    .map(|_| ())
}

/// Lets the failed parts of a delivery leave again.
///
/// # Errors
/// [`Error`] of the database.
pub async fn revive_parts(conn: &mut Conn, city: &str, delivery: &Id, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update delivery_parts set state = 'queued', updated_at = $3 where city = $1 and delivery_id = $2 and state = 'failed'",
        vec![city.into(), delivery.into(), now.into()],
    )
    .await
    .map(|_| ())
}
