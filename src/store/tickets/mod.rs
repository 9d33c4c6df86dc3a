//! Reading tickets: one, a page, the whole with everything that hangs on it; and the update that checks the version seen.

mod appeals;
mod deliveries;
mod queue;
mod work;

use sqlx::AssertSqlSafe;

pub use appeals::{AppealRow, AttachmentRow, appeals, attachments, give_files, move_appeal};
pub use deliveries::{
    AttemptRow, DeliveryFilter, DeliveryRow, attempts, deliveries, delivery_page, lock_delivery, revive_parts,
    set_delivery, stopped,
};
pub use queue::{Assignee, Beside, Count, Filter, MOST_COUNTED, Order, Page, beside, by_numbers, counts, page};
pub use work::{AssignmentRow, DecisionRow, ReplyRow, assignments, decisions, end_assignment, replies, set_assignment};

use super::Error;
use super::db::{Backend, Conn, Row, Value, placeholders};
use crate::domain::{Millis, TicketNumber, TicketState};

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
    /// Who works on it, as the audit log names it.
    pub assignee: Option<String>,
    pub version: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub closed_at: Option<Millis>,
}

const TICKET: &str = "t.number, t.state, t.item, t.department, t.kind, t.priority, t.language, t.channel, t.account, t.subject, t.contact_id, \
    t.confidential, t.spam, t.place, t.district, t.emergency, t.answer_channel, t.answer_account, t.answer_address, t.answer_confirmed, \
    t.linked_to, t.link_reason, t.hold_until, t.due_at, t.decision_id, t.version, t.created_at, t.updated_at, t.closed_at, t.assignee";

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
        assignee: row.get(29)?,
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
    assigned(conn, city, number, department, "").await
}

/// Whether a department has a ticket, or had it to its end: neither sent it back nor lost it to another one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn with_department(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    department: &str,
) -> Result<bool, Error> {
    assigned(conn, city, number, department, "and state not in ('sent_back', 'withdrawn')").await
}

async fn assigned(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    department: &str,
    condition: &'static str,
) -> Result<bool, Error> {
    let sql =
        format!("select 1 from assignments where city = $1 and ticket = $2 and department = $3 {condition} limit 1");
    let args = vec![city.into(), number.into(), department.into()];
    Ok(conn.fetch_optional(AssertSqlSafe(sql), args).await?.is_some())
}

/// Tickets of a condition on `t`, a text of this program, newest first: before the number `$2`, at most `$3`; `args` begin with
/// the city, that number and that limit.
pub(super) async fn page_of(
    conn: &mut Conn,
    city: &str,
    condition: &str,
    mut args: Vec<Value>,
    filter: &Filter,
) -> Result<Vec<TicketRow>, Error> {
    let conditions = filter.conditions(&mut args);
    let sql = format!(
        "select t.number from tickets t where t.city = $1 and t.number < $2 and {condition} {conditions} order by t.number desc limit $3"
    );
    let numbers: Vec<TicketNumber> =
        conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    by_numbers(conn, city, &numbers).await
}

/// Those of these tickets that a filter lets through, in the order given.
///
/// # Errors
/// [`Error`] of the database.
pub async fn matching(
    conn: &mut Conn,
    city: &str,
    numbers: &[TicketNumber],
    filter: &Filter,
) -> Result<Vec<TicketRow>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = std::iter::once(Value::from(city)).chain(numbers.iter().map(Value::from)).collect();
    let conditions = filter.conditions(&mut args);
    let sql = format!(
        "select t.number from tickets t where t.city = $1 and t.number in ({}) {conditions}",
        placeholders(2, numbers.len())
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    let through: std::collections::BTreeSet<TicketNumber> =
        rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    let kept: Vec<TicketNumber> = numbers.iter().filter(|number| through.contains(*number)).cloned().collect();
    by_numbers(conn, city, &kept).await
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
             where city = $1 and linked_to = $2 and (contact_id = $3 or number in (
                 select ticket from appeals where city = $1 and contact_id = $3 and (is_first = 0 or moved_from is not null)))
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
        "update tickets set answer_channel = $3, answer_account = $4, answer_address = $5, answer_confirmed = 1, answers_elsewhere = 1 where city = $1 and number = $2",
        vec![city.into(), number.into(), channel.into(), account.into(), address.into()],
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

/// Sets who works on a ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_assignee(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    assignee: Option<&str>,
) -> Result<(), Error> {
    conn.execute(
        "update tickets set assignee = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), assignee.into()],
    )
    .await
    .map(|_| ())
}

/// Sets the service item.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_item(conn: &mut Conn, city: &str, number: &TicketNumber, item: &str) -> Result<(), Error> {
    conn.execute(
        "update tickets set item = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), item.into()],
    )
    .await
    .map(|_| ())
}

/// Sets the priority with the deadline that follows from it, for the ticket and its running assignments.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_priority(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    priority: &str,
    due_at: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update tickets set priority = $3, due_at = $4 where city = $1 and number = $2",
        vec![city.into(), number.into(), priority.into(), due_at.into()],
    )
    .await?;
    conn.execute(
        "update assignments set due_at = $3 where city = $1 and ticket = $2 and ended_at is null",
        vec![city.into(), number.into(), due_at.into()],
    )
    .await
    .map(|_| ())
}

/// Lets the assignments run again that a close at `closed_at` ended, as far along as they were.
///
/// # Errors
/// [`Error`] of the database.
pub async fn revive_assignments(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    closed_at: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update assignments set ended_at = null, reason = null,
             state = case
                 when exists (select 1 from replies r where r.city = $1 and r.ticket = $2 and r.kind = 'reply' and r.at >= assigned_at) then 'replied'
                 when signed_at is not null then 'signed'
                 else 'dispatched' end
         where city = $1 and ticket = $2 and state = 'closed' and ended_at = $3",
        vec![city.into(), number.into(), closed_at.into()],
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
