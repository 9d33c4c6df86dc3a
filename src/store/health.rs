//! Figures of how the hub is, each found by an index of its own.

use std::collections::BTreeMap;

use super::Error;
use super::db::Conn;
use crate::domain::Millis;

/// How much waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what they count")]
pub struct Waiting {
    pub held: i64,
    pub uncertain: i64,
    pub failed: i64,
    pub call_tasks: i64,
    pub triage: i64,
}

/// Reads them.
///
/// # Errors
/// [`Error`] of the database.
pub async fn waiting(conn: &mut Conn, city: &str) -> Result<Waiting, Error> {
    let row = conn
        .fetch_optional(
            "select
                 (select count(*) from quarantine where city = $1 and state = 'held'),
                 (select count(*) from deliveries where city = $1 and state = 'uncertain'),
                 (select count(*) from (select 1 from deliveries where city = $1 and state = 'failed' limit 10001) f),
                 (select count(*) from deliveries where city = $1 and channel = 'phone' and state = 'queued'),
                 (select count(*) from (
                     select 1 from tickets where city = $1 and state <> 'closed' and state = 'triage' limit 10001) t)",
            vec![city.into()],
        )
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Waiting {
        held: row.get(0)?,
        uncertain: row.get(1)?,
        failed: row.get(2)?,
        call_tasks: row.get(3)?,
        triage: row.get(4)?,
    })
}

/// How many messages wait to leave by each account, and since when the oldest does: those that the outbox looks at again, and
/// of those that nothing can take now the oldest 10,001.
///
/// # Errors
/// [`Error`] of the database.
pub async fn queued(conn: &mut Conn, city: &str) -> Result<BTreeMap<String, (i64, Millis)>, Error> {
    let rows = conn
        .fetch(
            "select account, count(*), min(created_at) from (
                 select account, created_at from deliveries where city = $1 and next_at is not null
                 union all
                 select account, created_at from (
                     select account, created_at from deliveries
                     where city = $1 and state = 'queued' and next_at is null and channel <> 'phone' order by id limit 10001) w) q
             group by account",
            vec![city.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).collect()
}

/// An alarm that has not been cleared.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AlarmRow {
    pub name: String,
    pub first_at: Millis,
    pub last_at: Millis,
    pub count: i64,
    pub detail: String,
}

/// The alarms that hold, the oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn alarms(conn: &mut Conn, city: &str) -> Result<Vec<AlarmRow>, Error> {
    let rows = conn
        .fetch(
            "select name, first_at, last_at, count, detail from alarms where city = $1 and cleared_at is null order by first_at, name",
            vec![city.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AlarmRow {
                name: row.get(0)?,
                first_at: row.get(1)?,
                last_at: row.get(2)?,
                count: row.get(3)?,
                detail: row.get(4)?,
            })
        })
        .collect()
}
