//! Messages kept aside, with their raw requests.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Backend, Conn, Row, Value};
use crate::domain::{Id, Millis};

/// A message kept aside.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct HeldRow {
    pub inbound_id: Id,
    pub channel: String,
    pub account: String,
    pub reason: String,
    pub detail: String,
    pub bytes: i64,
    pub state: String,
    pub received_at: Millis,
    pub at: Millis,
    pub resolved_at: Option<Millis>,
    pub resolved_by: Option<String>,
    pub note: Option<String>,
    pub ticket: Option<String>,
}

const HELD: &str = "q.inbound_id, i.channel, q.account, q.reason, q.detail, q.bytes, q.state, i.received_at, q.at, q.resolved_at, q.resolved_by, q.note, i.ticket";
const FROM: &str = "quarantine q join inbound i on i.city = q.city and i.id = q.inbound_id";

fn held_row(row: &Row) -> Result<HeldRow, Error> {
    Ok(HeldRow {
        inbound_id: row.get(0)?,
        channel: row.get(1)?,
        account: row.get(2)?,
        reason: row.get(3)?,
        detail: row.get(4)?,
        bytes: row.get(5)?,
        state: row.get(6)?,
        received_at: row.get(7)?,
        at: row.get(8)?,
        resolved_at: row.get(9)?,
        resolved_by: row.get(10)?,
        note: row.get(11)?,
        ticket: row.get(12)?,
    })
}

/// A page of the quarantine in order of arrival, after an id; `state` narrows it.
///
/// # Errors
/// [`Error`] of the database.
pub async fn page(
    conn: &mut Conn,
    city: &str,
    state: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<HeldRow>, Error> {
    let mut args: Vec<Value> = vec![city.into(), after.unwrap_or_default().into(), limit.into()];
    let condition = if let Some(state) = state {
        args.push(state.into());
        "and q.state = $4"
    } else {
        ""
    };
    let sql = format!(
        "select {HELD} from {FROM} where q.city = $1 and q.inbound_id > $2 {condition} order by q.inbound_id limit $3"
    );
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(held_row).collect()
}

/// One of them.
///
/// # Errors
/// [`Error`] of the database.
pub async fn get(conn: &mut Conn, city: &str, id: &str) -> Result<Option<HeldRow>, Error> {
    let sql = format!("select {HELD} from {FROM} where q.city = $1 and q.inbound_id = $2");
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), id.into()]).await?.as_ref().map(held_row).transpose()
}

/// A raw request as the ledger keeps it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct RawRow {
    pub id: Id,
    pub channel: String,
    pub account: String,
    pub received_at: Millis,
    pub method: String,
    pub url: String,
    /// Pairs of name and value as JSON.
    pub headers: String,
    pub peer: Option<String>,
    /// `None` once it has expired.
    pub body: Option<Vec<u8>>,
}

/// The raw request of a ledger row.
///
/// # Errors
/// [`Error`] of the database.
pub async fn raw(conn: &mut Conn, city: &str, inbound_id: &str) -> Result<Option<RawRow>, Error> {
    let row = conn
        .fetch_optional(
            "select id, channel, account, received_at, method, url, headers, peer, body from inbound where city = $1 and id = $2",
            vec![city.into(), inbound_id.into()],
        )
        .await?;
    row.map(|row| {
        Ok(RawRow {
            id: row.get(0)?,
            channel: row.get(1)?,
            account: row.get(2)?,
            received_at: row.get(3)?,
            method: row.get(4)?,
            url: row.get(5)?,
            headers: row.get(6)?,
            peer: row.get(7)?,
            body: row.get(8)?,
        })
    })
    .transpose()
}

/// The message, if it is still held, locked against other writers.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Illegal`] when it was dealt with already.
pub async fn lock(conn: &mut Conn, city: &str, id: &str) -> Result<HeldRow, Error> {
    let lock = if conn.backend() == Backend::Postgres { "for update of q" } else { "" };
    let sql = format!("select {HELD} from {FROM} where q.city = $1 and q.inbound_id = $2 {lock}");
    let held = held_row(
        &conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), id.into()]).await?.ok_or(Error::NotFound)?,
    )?;
    if held.state == "held" {
        Ok(held)
    } else {
        Err(Error::Illegal(format!("this message was {} already", held.state)))
    }
}

/// Throws a held message away: it stays in the ledger as quarantined, its bytes no longer count against the account.
///
/// # Errors
/// [`Error`] of the database.
pub async fn discard(conn: &mut Conn, city: &str, id: &Id, by: &str, note: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update quarantine set state = 'discarded', resolved_at = $3, resolved_by = $4, note = $5 where city = $1 and inbound_id = $2",
        vec![city.into(), id.into(), now.into(), by.into(), note.into()],
    )
    .await
    .map(|_| ())
}

/// Takes a held message out of the ledger, in a transaction that puts it back with another outcome.
///
/// # Errors
/// [`Error`] of the database.
pub async fn lift(conn: &mut Conn, city: &str, id: &Id) -> Result<(), Error> {
    conn.execute("delete from quarantine where city = $1 and inbound_id = $2", vec![city.into(), id.into()]).await?;
    conn.execute("delete from inbound where city = $1 and id = $2", vec![city.into(), id.into()]).await.map(|_| ())
}

/// Keeps the history of a message that [`lift`] took out and the intake has taken: `state` is `replayed` or `accepted`.
///
/// # Errors
/// [`Error`] of the database.
pub async fn settled(
    conn: &mut Conn,
    city: &str,
    held: &HeldRow,
    state: &str,
    by: &str,
    note: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "insert into quarantine (city, inbound_id, account, reason, detail, bytes, state, at, resolved_at, resolved_by, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        vec![
            city.into(),
            (&held.inbound_id).into(),
            (&held.account).into(),
            (&held.reason).into(),
            (&held.detail).into(),
            held.bytes.into(),
            state.into(),
            held.at.into(),
            now.into(),
            by.into(),
            note.into(),
        ],
    )
    .await
    .map(|_| ())
}
