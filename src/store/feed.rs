//! Reading the feed.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Conn, Row, Value, placeholders};
use crate::domain::{Millis, TicketNumber};

/// A line of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct EventRow {
    pub position: i64,
    pub kind: String,
    pub ticket: Option<String>,
    pub state: Option<String>,
    pub department: Option<String>,
    pub at: Millis,
    /// Ids as JSON.
    pub detail: Option<String>,
}

pub(super) const EVENT: &str = "e.position, e.kind, e.ticket, e.state, e.department, e.at, e.detail";

pub(super) fn event_row(row: &Row) -> Result<EventRow, Error> {
    Ok(EventRow {
        position: row.get(0)?,
        kind: row.get(1)?,
        ticket: row.get(2)?,
        state: row.get(3)?,
        department: row.get(4)?,
        at: row.get(5)?,
        detail: row.get(6)?,
    })
}

/// The events after a position, in order. With a `scope` only those of tickets that were assigned to this department by then,
/// so that what a reader was shown never depends on when it asked.
///
/// # Errors
/// [`Error`] of the database.
pub async fn after(
    conn: &mut Conn,
    city: &str,
    position: i64,
    limit: i64,
    scope: Option<&str>,
) -> Result<Vec<EventRow>, Error> {
    let mut args: Vec<Value> = vec![city.into(), position.into(), limit.into()];
    let condition = if let Some(department) = scope {
        args.push(department.into());
        "and (e.department = $4 or exists (
             select 1 from assignments a where a.city = e.city and a.ticket = e.ticket and a.department = $4 and a.assigned_at <= e.at))"
    } else {
        ""
    };
    let sql = format!(
        "select {EVENT} from events e where e.city = $1 and e.position > $2 {condition} order by e.position limit $3"
    );
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(event_row).collect()
}

/// The departments that have had these tickets: ticket, department, since when.
///
/// # Errors
/// [`Error`] of the database.
pub async fn reach(
    conn: &mut Conn,
    city: &str,
    numbers: &[TicketNumber],
) -> Result<Vec<(String, String, Millis)>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let args = std::iter::once(Value::from(city)).chain(numbers.iter().map(Value::from)).collect();
    let sql = format!(
        "select ticket, department, assigned_at from assignments where city = $1 and ticket in ({})",
        placeholders(2, numbers.len())
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The newest events of a ticket, oldest of them first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn of_ticket(conn: &mut Conn, city: &str, number: &TicketNumber, limit: i64) -> Result<Vec<EventRow>, Error> {
    let sql =
        format!("select {EVENT} from events e where e.city = $1 and e.ticket = $2 order by e.position desc limit $3");
    let mut events: Vec<EventRow> = conn
        .fetch(AssertSqlSafe(sql), vec![city.into(), number.into(), limit.into()])
        .await?
        .iter()
        .map(event_row)
        .collect::<Result<_, _>>()?;
    events.reverse();
    Ok(events)
}

/// The last position of the feed.
///
/// # Errors
/// [`Error`] of the database.
pub async fn last_position(conn: &mut Conn, city: &str) -> Result<i64, Error> {
    let row = conn.fetch_optional("select position from cities where city = $1", vec![city.into()]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}
