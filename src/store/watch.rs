//! What the watch looks at and tidies: waiting media, stuck deliveries, held messages, silent channels, expired bytes, alarms, leases.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Conn, Value, placeholders};
use crate::domain::{Id, Millis};

/// A lease on a piece of work that only one process may do.
///
/// # Errors
/// [`Error`] of the database.
pub async fn lease(conn: &mut Conn, name: &str, owner: &Id, now: Millis, until: Millis) -> Result<bool, Error> {
    let held = conn
        .execute(
            "insert into leases (name, owner, until) values ($1, $2, $3)
             on conflict (name) do update set owner = excluded.owner, until = excluded.until where leases.owner = excluded.owner or leases.until < $4",
            vec![name.into(), owner.into(), until.into(), now.into()],
        )
        .await?;
    Ok(held == 1)
}

/// Gives a lease back.
///
/// # Errors
/// [`Error`] of the database.
pub async fn give_back(conn: &mut Conn, name: &str, owner: &Id) -> Result<(), Error> {
    conn.execute("delete from leases where name = $1 and owner = $2", vec![name.into(), owner.into()]).await.map(|_| ())
}

/// Frees what a process held that is known to be dead: its leases, and deliveries it was sending fall due at once.
///
/// # Errors
/// [`Error`] of the database.
pub async fn release(conn: &mut Conn, city: &str, owner: &str, now: Millis) -> Result<(), Error> {
    conn.execute("delete from leases where owner = $1", vec![owner.into()]).await?;
    conn.execute(
        "update deliveries set lease_until = $3, next_at = $3 where city = $1 and lease_owner = $2 and state = 'sending'",
        vec![city.into(), owner.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// How far something was read: `poll:ACCOUNT` a mailbox or bot, `search` the feed into the index, `raw` the ledger for what
/// expires.
///
/// # Errors
/// [`Error`] of the database.
pub async fn cursor(conn: &mut Conn, city: &str, name: &str) -> Result<Option<String>, Error> {
    let row = conn
        .fetch_optional("select value from cursors where city = $1 and name = $2", vec![city.into(), name.into()])
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Notes how far something was read, in the transaction that did the work; see [`cursor`].
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_cursor(conn: &mut Conn, city: &str, name: &str, value: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "insert into cursors (city, name, value, updated_at) values ($1, $2, $3, $4)
         on conflict (city, name) do update set value = excluded.value, updated_at = excluded.updated_at",
        vec![city.into(), name.into(), value.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// A file that the provider still holds.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Pending {
    pub id: String,
    pub account: String,
    pub source: String,
    pub name: String,
    pub media_type: String,
    pub attempts: i64,
}

/// Files that are due for fetching.
///
/// # Errors
/// [`Error`] of the database.
pub async fn pending_media(conn: &mut Conn, city: &str, now: Millis) -> Result<Vec<Pending>, Error> {
    let rows = conn
        .fetch(
            "select id, account, source, name, media_type, attempts from attachments
             where city = $1 and state = 'pending' and next_at <= $2 and source is not null order by next_at limit 20",
            vec![city.into(), now.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Pending {
                id: row.get(0)?,
                account: row.get(1)?,
                source: row.get(2)?,
                name: row.get(3)?,
                media_type: row.get(4)?,
                attempts: row.get(5)?,
            })
        })
        .collect()
}

/// What became of a fetched file.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// On disk.
    Stored {
        /// Object name.
        sha256: String,
        /// Bytes.
        size: i64,
        /// Media type.
        media_type: String,
    },
    /// Not taken, for this reason.
    Refused(String),
    /// Not to be had, for this reason.
    Failed(String),
    /// To be tried again.
    Later(Millis, String),
}

/// Records what became of a file.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_media(conn: &mut Conn, city: &str, id: &str, fetched: &Fetched) -> Result<(), Error> {
    let (state, sha256, size, media_type, reason, next_at) = match fetched {
        Fetched::Stored { sha256, size, media_type } => {
            ("stored", Some(sha256.as_str()), Some(*size), Some(media_type.as_str()), None, None)
        }
        Fetched::Refused(reason) => ("refused", None, None, None, Some(reason.as_str()), None),
        Fetched::Failed(reason) => ("failed", None, None, None, Some(reason.as_str()), None),
        Fetched::Later(at, reason) => ("pending", None, None, None, Some(reason.as_str()), Some(*at)),
    };
    conn.execute(
        "update attachments set state = $3, sha256 = $4, size = coalesce($5, size), media_type = coalesce($6, media_type), reason = $7, next_at = $8,
             attempts = attempts + 1
         where city = $1 and id = $2",
        vec![city.into(), id.into(), state.into(), sha256.into(), size.into(), media_type.into(), reason.into(), next_at.into()],
    )
    .await
    .map(|_| ())
}

/// Whether any row names an object.
///
/// # Errors
/// [`Error`] of the database.
pub async fn names_object(conn: &mut Conn, sha256: &str) -> Result<bool, Error> {
    Ok(conn.fetch_value::<i64>("select count(*) from attachments where sha256 = $1", vec![sha256.into()]).await? > 0)
}

/// Forgets raw bytes received before `before`, with headers and the query of the address; their hash stays. Held messages keep theirs. Returns how many rows it looked at.
///
/// # Errors
/// [`Error`] of the database.
pub async fn expire_raw(conn: &mut Conn, city: &str, before: Millis, now: Millis) -> Result<usize, Error> {
    const RAW: &str = "raw";
    // Ids are in the order of time, so that a cursor tells what was looked at already.
    let done = cursor(conn, city, RAW).await?.unwrap_or_default();
    let rows = conn
        .fetch(
            "select id from inbound where city = $1 and id > $2 and id < $3 order by id limit 1000",
            vec![city.into(), done.into(), Id::least(before).into()],
        )
        .await?;
    let ids = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    // Kannel's messages stand in the query of their address.
    let place_of = if conn.backend() == super::db::Backend::Postgres { "strpos" } else { "instr" };
    let forget = format!(
        "update inbound set body = null, headers = '[]', url = substr(url, 1, {place_of}(url || '?', '?') - 1)"
    );
    // What was in quarantine lost its turn, and loses its bytes when a person has decided about it.
    let decided = format!(
        "{forget} where city = $1 and body is not null and id in (
             select inbound_id from quarantine where city = $1 and state <> 'held' and at < $2)"
    );
    conn.execute(AssertSqlSafe(decided), vec![city.into(), before.into()]).await?;
    let Some(last) = ids.last() else { return Ok(0) };
    let mut args: Vec<Value> = vec![city.into()];
    args.extend(ids.iter().map(Value::from));
    let sql =
        format!("{forget} where city = $1 and outcome <> 'quarantined' and id in ({})", placeholders(2, ids.len()));
    conn.execute(AssertSqlSafe(sql), args).await?;
    set_cursor(conn, city, RAW, last, now).await?;
    Ok(ids.len())
}

/// Closes answered tickets that nobody touched since `before`. Returns their numbers and departments.
///
/// # Errors
/// [`Error`] of the database.
pub async fn close_answered(
    conn: &mut Conn,
    city: &str,
    before: Millis,
    now: Millis,
) -> Result<Vec<(crate::domain::TicketNumber, Option<String>)>, Error> {
    let rows = conn
        .fetch(
            "update tickets set state = 'closed', closed_at = $3, updated_at = $3, version = version + 1
             where city = $1 and number in (select number from tickets where city = $1 and state <> 'closed' and state = 'delivered' and updated_at < $2 limit 500)
             returning number, department",
            vec![city.into(), before.into(), now.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Figures that the watch judges; each is found by an index, whatever the number of tickets.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Deliveries that should have left before the given moment, or that nobody knows the fate of.
    pub stuck: i64,
    /// Messages held in quarantine.
    pub held: i64,
}

/// Reads the figures; `stuck_before` is the moment before which a queued delivery should have left.
///
/// # Errors
/// [`Error`] of the database.
pub async fn figures(conn: &mut Conn, city: &str, stuck_before: Millis) -> Result<Figures, Error> {
    let stuck = conn
        .fetch_value(
            "select (select count(*) from deliveries where city = $1 and state = 'uncertain')
                 + (select count(*) from deliveries where city = $1 and next_at is not null and created_at < $2)",
            vec![city.into(), stuck_before.into()],
        )
        .await?;
    let held = conn
        .fetch_value("select count(*) from quarantine where city = $1 and state = 'held'", vec![city.into()])
        .await?;
    Ok(Figures { stuck, held })
}

/// When an account last received something.
///
/// # Errors
/// [`Error`] of the database.
pub async fn last_received(conn: &mut Conn, city: &str, account: &str) -> Result<Option<Millis>, Error> {
    conn.fetch_value(
        "select max(last_at) from account_arrivals where city = $1 and account = $2",
        vec![city.into(), account.into()],
    )
    .await
}

/// Raises an alarm. `true` when the operator is to be told (again), at most every `repeat` milliseconds.
///
/// # Errors
/// [`Error`] of the database.
pub async fn raise(
    conn: &mut Conn,
    city: &str,
    name: &str,
    detail: &str,
    repeat: Millis,
    now: Millis,
) -> Result<bool, Error> {
    conn.execute(
        "insert into alarms (city, name, first_at, last_at, count, detail) values ($1, $2, $3, $3, 1, $4)
         on conflict (city, name) do update set
             first_at = case when alarms.cleared_at is null then alarms.first_at else excluded.first_at end,
             mailed_at = case when alarms.cleared_at is null then alarms.mailed_at else null end,
             cleared_at = null, last_at = excluded.last_at, count = alarms.count + 1, detail = excluded.detail",
        vec![city.into(), name.into(), now.into(), detail.into()],
    )
    .await?;
    let told = conn
        .execute(
            "update alarms set mailed_at = $3 where city = $1 and name = $2 and (mailed_at is null or mailed_at <= $4)",
            vec![city.into(), name.into(), now.into(), (now - repeat).into()],
        )
        .await?;
    Ok(told == 1)
}

/// Ends an alarm whose cause is gone.
///
/// # Errors
/// [`Error`] of the database.
pub async fn clear(conn: &mut Conn, city: &str, name: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update alarms set cleared_at = $3 where city = $1 and name = $2 and cleared_at is null",
        vec![city.into(), name.into(), now.into()],
    )
    .await
    .map(|_| ())
}
