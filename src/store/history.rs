//! The history of one ticket: its events, what each change was from and to, and who made it.

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::Error;
use super::db::Conn;
use super::feed::{EVENT, EventRow, event_row};
use crate::domain::{Millis, TicketNumber, TicketState};

/// A change of a ticket's row, written by the database itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// The version before.
    pub seen: i64,
    /// The version afterwards; the same where a later statement of the transaction raised it.
    pub version: i64,
    /// When.
    pub at: Millis,
    /// The fields before, as a JSON object.
    pub before: Value,
    /// The fields afterwards.
    pub after: Value,
}

impl ChangeRow {
    /// The state before.
    #[must_use]
    pub fn before_state(&self) -> Option<TicketState> {
        self.before.get("state").and_then(Value::as_str).and_then(TicketState::parse)
    }
}

/// The events of a ticket after a position, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn events(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>, Error> {
    let sql = format!(
        "select {EVENT} from events e where e.city = $1 and e.ticket = $2 and e.position > $3 order by e.position limit $4"
    );
    let args = vec![city.into(), number.into(), after.into(), limit.into()];
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(event_row).collect()
}

/// What changed in a ticket since a version, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn changes_since(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    version: i64,
) -> Result<Vec<ChangeRow>, Error> {
    let rows = conn
        .fetch(
            "select seen, version, at, before, after from ticket_changes
             where city = $1 and ticket = $2 and seen >= $3 order by id",
            vec![city.into(), number.into(), version.into()],
        )
        .await?;
    let json = |text: String| serde_json::from_str(&text).map_err(|_| Error::Shape("change".to_owned()));
    rows.iter()
        .map(|row| {
            Ok(ChangeRow {
                seen: row.get(0)?,
                version: row.get(1)?,
                at: row.get(2)?,
                before: json(row.get(3)?)?,
                after: json(row.get(4)?)?,
            })
        })
        .collect()
}

/// When a version of a ticket was made; `None` for the first one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn made_at(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    version: i64,
) -> Result<Option<Millis>, Error> {
    let row = conn
        .fetch_optional(
            "select at from ticket_changes where city = $1 and ticket = $2 and version = $3 and seen < version order by id desc limit 1",
            vec![city.into(), number.into(), version.into()],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Who did what to a ticket from a moment on, oldest first: time, actor, action.
///
/// # Errors
/// [`Error`] of the database.
pub async fn actors_since(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    since: Millis,
) -> Result<Vec<(Millis, String, String)>, Error> {
    let rows = conn
        .fetch(
            "select at, actor, action from audit where city = $1 and subject = $2 and at >= $3 order by id",
            vec![city.into(), number.into(), since.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Who did what to a ticket at a moment: actor, action.
///
/// # Errors
/// [`Error`] of the database.
pub async fn actors_at(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    at: Millis,
) -> Result<Vec<(String, String)>, Error> {
    let rows = conn
        .fetch(
            "select actor, action from audit where city = $1 and subject = $2 and at = $3 order by id",
            vec![city.into(), number.into(), at.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
