//! Deliveries and their attempts, as staff see them.

use sqlx::AssertSqlSafe;

use crate::domain::{Id, Millis, TicketNumber};
use crate::store::Error;
use crate::store::db::{Backend, Conn, Row, Value, placeholders};

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
    /// Failed for good with nothing in its place, uncertain, or unfinished and made before this time. Call tasks are not among them.
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
            // Each of them is found by an index of its own.
            "and d.channel <> 'phone' and d.id in (
                 select id from deliveries where city = $1 and state = 'failed' and id > $2
                 union all select id from deliveries where city = $1 and state = 'uncertain' and id > $2
                 union all select id from deliveries where city = $1 and next_at is not null and created_at < $4
                 union all select id from deliveries where city = $1 and state = 'queued' and next_at is null and channel <> 'phone' and created_at < $4)
             and not exists (
                 select 1 from deliveries n where n.city = d.city and n.ticket = d.ticket and n.fallback_of = d.id)"
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
