//! The outbox's rows: claims, parts, attempts, reports.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Backend, Conn, Row, Value, placeholders};
use crate::domain::{Id, Millis, TicketNumber};

/// A delivery as the outbox needs it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct Delivery {
    pub id: String,
    pub ticket: Option<TicketNumber>,
    pub reply_id: Option<String>,
    pub department: Option<String>,
    pub kind: String,
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
    pub state: String,
    pub attempts: i64,
    pub uncertain: i64,
    pub created_at: Millis,
    pub stopped: bool,
}

const COLUMNS: &str = "d.id, d.ticket, d.reply_id, d.department, d.kind, d.channel, d.account, d.address, d.subject, d.text, d.html, d.language, d.automatic, d.thread, \
     d.buttons, d.state, d.attempts, d.uncertain, d.created_at";

fn delivery(row: &Row) -> Result<Delivery, Error> {
    Ok(Delivery {
        id: row.get(0)?,
        ticket: row.get(1)?,
        reply_id: row.get(2)?,
        department: row.get(3)?,
        kind: row.get(4)?,
        channel: row.get(5)?,
        account: row.get(6)?,
        address: row.get(7)?,
        subject: row.get(8)?,
        text: row.get(9)?,
        html: row.get(10)?,
        language: row.get(11)?,
        automatic: row.get(12)?,
        thread: row.get(13)?,
        buttons: row.get(14)?,
        state: row.get(15)?,
        attempts: row.get(16)?,
        uncertain: row.get(17)?,
        created_at: row.get(18)?,
        stopped: false,
    })
}

/// Takes deliveries that are due under a lease: they are `sending` until `lease_until`, and due again if nobody records an outcome
/// by then. `shares` says of which accounts and how many of each at most, the longest due first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn claim(
    conn: &mut Conn,
    city: &str,
    owner: &str,
    now: Millis,
    lease_until: Millis,
    shares: &[(String, usize)],
) -> Result<Vec<Delivery>, Error> {
    let lock = if conn.backend() == Backend::Postgres { "for update skip locked" } else { "" };
    let sql = format!(
        "select {COLUMNS} from deliveries d where d.city = $1 and d.account = $2 and d.next_at <= $3 order by d.next_at limit $4 {lock}"
    );
    let mut deliveries = Vec::new();
    for (account, most) in shares {
        let most = i64::try_from(*most).unwrap_or(i64::MAX);
        let rows =
            conn.fetch(AssertSqlSafe(sql.clone()), vec![city.into(), account.into(), now.into(), most.into()]).await?;
        for row in &rows {
            deliveries.push(delivery(row)?);
        }
    }
    if deliveries.is_empty() {
        return Ok(deliveries);
    }
    let mut args: Vec<Value> = vec![city.into(), owner.into(), lease_until.into(), now.into()];
    args.extend(deliveries.iter().map(|delivery| Value::from(&delivery.id)));
    let sql = format!(
        "update deliveries set state = 'sending', lease_owner = $2, lease_until = $3, next_at = $3, attempts = attempts + 1, updated_at = $4
         where city = $1 and id in ({})",
        placeholders(5, deliveries.len())
    );
    conn.execute(AssertSqlSafe(sql), args).await?;
    let mut args: Vec<Value> = vec![city.into()];
    args.extend(deliveries.iter().map(|delivery| Value::from(&delivery.address)));
    let sql = format!(
        "select channel, address from contacts where city = $1 and stopped_at is not null and address in ({})",
        placeholders(2, deliveries.len())
    );
    let stopped: Vec<(String, String)> = conn
        .fetch(AssertSqlSafe(sql), args)
        .await?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<_, Error>>()?;
    for delivery in &mut deliveries {
        delivery.stopped =
            stopped.iter().any(|(channel, address)| *channel == delivery.channel && *address == delivery.address);
    }
    Ok(deliveries)
}

/// The accounts that have something to send, and when the first of it falls due; the longest due first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn due_by_account(conn: &mut Conn, city: &str) -> Result<Vec<(String, Millis)>, Error> {
    // Steps through `deliveries_due` from account to account, so that a long queue costs no more than a short one.
    let rows = conn
        .fetch(
            "with recursive accounts (account) as (
                 select min(account) from deliveries where city = $1 and next_at is not null
                 union all
                 select (select min(d.account) from deliveries d where d.city = $1 and d.next_at is not null and d.account > a.account)
                 from accounts a where a.account is not null
             )
             select a.account, (select min(d.next_at) from deliveries d where d.city = $1 and d.account = a.account and d.next_at is not null) as due
             from accounts a where a.account is not null order by due, a.account",
            vec![city.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A part of a delivery.
#[derive(Debug, Clone)]
pub struct Part {
    /// From 1.
    pub part: i64,
    /// Its text.
    pub text: String,
    /// `queued`, `sent`, `delivered`, `failed`.
    pub state: String,
}

/// The parts of a delivery in order.
///
/// # Errors
/// [`Error`] of the database.
pub async fn parts(conn: &mut Conn, city: &str, delivery: &str) -> Result<Vec<Part>, Error> {
    let rows = conn
        .fetch(
            "select part, text, state from delivery_parts where city = $1 and delivery_id = $2 order by part",
            vec![city.into(), delivery.into()],
        )
        .await?;
    rows.iter().map(|row| Ok(Part { part: row.get(0)?, text: row.get(1)?, state: row.get(2)? })).collect()
}

/// Notes how a delivery leaves.
///
/// # Errors
/// [`Error`] of the database.
pub async fn add_parts(
    conn: &mut Conn,
    city: &str,
    delivery: &str,
    texts: &[String],
    now: Millis,
) -> Result<(), Error> {
    let rows = texts
        .iter()
        .zip(1_i64..)
        .map(|(text, part)| vec![city.into(), delivery.into(), part.into(), text.into(), "queued".into(), now.into()])
        .collect();
    conn.insert("delivery_parts", "city, delivery_id, part, text, state, updated_at", rows).await.map(|_| ())
}

/// Notes a try before it is made.
///
/// # Errors
/// [`Error`] of the database.
pub async fn add_attempt(
    conn: &mut Conn,
    city: &str,
    id: &Id,
    delivery: &str,
    account: &str,
    part: i64,
    now: Millis,
) -> Result<(), Error> {
    let row = vec![city.into(), id.into(), delivery.into(), part.into(), account.into(), now.into()];
    conn.insert("attempts", "city, id, delivery_id, part, account, started_at", vec![row]).await.map(|_| ())
}

/// Tries that were begun and never ended: the process died in between. They become `uncertain`; returns how many.
///
/// # Errors
/// [`Error`] of the database.
pub async fn interrupt_attempts(conn: &mut Conn, city: &str, delivery: &str, now: Millis) -> Result<u64, Error> {
    conn.execute(
        "update attempts set ended_at = $3, outcome = 'uncertain', error = 'interrupted' where city = $1 and delivery_id = $2 and ended_at is null",
        vec![city.into(), delivery.into(), now.into()],
    )
    .await
}

/// Notes how a try ended.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_attempt(
    conn: &mut Conn,
    city: &str,
    id: &str,
    outcome: &str,
    provider_id: Option<&str>,
    error: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update attempts set ended_at = $3, outcome = $4, provider_id = $5, error = $6 where city = $1 and id = $2",
        vec![city.into(), id.into(), now.into(), outcome.into(), provider_id.into(), error.into()],
    )
    .await
    .map(|_| ())
}

/// Sets the state of a part; a part that is delivered stays so unless it failed.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_part(
    conn: &mut Conn,
    city: &str,
    delivery: &str,
    part: i64,
    state: &str,
    provider_id: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update delivery_parts set state = $4, provider_id = coalesce($5, provider_id), updated_at = $6
         where city = $1 and delivery_id = $2 and part = $3 and (state <> 'delivered' or $4 = 'failed')",
        vec![city.into(), delivery.into(), part.into(), state.into(), provider_id.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// Sets the state of a delivery, when it is looked at again, and why; gives the lease back.
///
/// # Errors
/// [`Error`] of the database.
#[expect(clippy::too_many_arguments, reason = "the columns of one update")]
pub async fn set_state(
    conn: &mut Conn,
    city: &str,
    id: &str,
    state: &str,
    reason: Option<&str>,
    next_at: Option<Millis>,
    uncertain: i64,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update deliveries set state = $3, reason = $4, next_at = $5, uncertain = uncertain + $6, lease_owner = null, lease_until = null, updated_at = $7
         where city = $1 and id = $2",
        vec![city.into(), id.into(), state.into(), reason.into(), next_at.into(), uncertain.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// Puts a message into a websocket session's mailbox; `None` when there is no such session.
///
/// # Errors
/// [`Error`] of the database.
pub async fn post_to_mailbox(conn: &mut Conn, city: &str, delivery: &str, session: &str) -> Result<Option<i64>, Error> {
    let row = conn
        .fetch_optional(
            "update websocket_sessions set position = position + 1 where city = $1 and id = $2 returning position",
            vec![city.into(), session.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let position: i64 = row.get(0)?;
    conn.execute(
        "update deliveries set position = $3 where city = $1 and id = $2",
        vec![city.into(), delivery.into(), position.into()],
    )
    .await?;
    Ok(Some(position))
}

/// An attempt that a report speaks of.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Reported {
    pub attempt: String,
    pub delivery: String,
    pub part: i64,
    pub kind: String,
    pub state: String,
    pub ticket: Option<TicketNumber>,
    pub reply_id: Option<String>,
}

/// Finds the attempt by our id, or by the provider's within the account.
///
/// # Errors
/// [`Error`] of the database.
pub async fn find_attempt(
    conn: &mut Conn,
    city: &str,
    account: &str,
    attempt: Option<&str>,
    provider_id: Option<&str>,
) -> Result<Option<Reported>, Error> {
    const SELECT: &str = "select a.id, a.delivery_id, a.part, d.kind, d.state, d.ticket, d.reply_id
         from attempts a join deliveries d on d.city = a.city and d.id = a.delivery_id where a.city = $1 and ";
    let (condition, args) = match (attempt, provider_id) {
        (Some(id), _) => ("a.id = $2", vec![city.into(), id.into()]),
        (None, Some(id)) => ("a.account = $2 and a.provider_id = $3", vec![city.into(), account.into(), id.into()]),
        (None, None) => return Ok(None),
    };
    let sql = format!("{SELECT}{condition} order by a.id desc limit 1");
    let row = conn.fetch_optional(AssertSqlSafe(sql), args).await?;
    row.map(|row| {
        Ok(Reported {
            attempt: row.get(0)?,
            delivery: row.get(1)?,
            part: row.get(2)?,
            kind: row.get(3)?,
            state: row.get(4)?,
            ticket: row.get(5)?,
            reply_id: row.get(6)?,
        })
    })
    .transpose()
}

/// Notes the provider's word on a try; a delivered one is only overruled by a failure.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_report(
    conn: &mut Conn,
    city: &str,
    attempt: &str,
    report: &str,
    error: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update attempts set report = $3, reported_at = $4, error = coalesce($5, error)
         where city = $1 and id = $2 and (report is null or report = 'underway' or ($3 = 'failed' and report = 'delivered'))",
        vec![city.into(), attempt.into(), report.into(), now.into(), error.into()],
    )
    .await
    .map(|_| ())
}

/// Reports that came before their attempt had its provider id: ledger id, status, error.
///
/// # Errors
/// [`Error`] of the database.
pub async fn waiting_reports(
    conn: &mut Conn,
    city: &str,
    account: &str,
    provider_id: &str,
) -> Result<Vec<(String, String, Option<String>)>, Error> {
    let rows = conn
        .fetch(
            "update reports set matched = 1 where city = $1 and account = $2 and provider_id = $3 and matched = 0 returning inbound_id, status, error",
            vec![city.into(), account.into(), provider_id.into()],
        )
        .await?;
    let mut found =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<Result<Vec<_>, Error>>()?;
    found.sort();
    Ok(found)
}

/// Where every citizen of this ticket may be reached, in order of preference: `(channel, account, address)`.
///
/// # Errors
/// [`Error`] of the database.
pub async fn named_addresses(
    conn: &mut Conn,
    city: &str,
    ticket: &TicketNumber,
) -> Result<Vec<(String, String, String)>, Error> {
    let answer = conn
        .fetch(
            "select answer_channel, answer_account, answer_address from tickets
             where city = $1 and number = $2 and answer_confirmed = 1 and answer_channel is not null and answer_address is not null",
            vec![city.into(), ticket.into()],
        )
        .await?;
    let senders = conn
        .fetch(
            "select a.channel, a.account, a.sender from appeals a join tickets t on t.city = a.city and t.number = a.ticket
             where a.city = $1 and a.ticket = $2 and a.sender <> '' and a.contact_id = t.contact_id order by a.id",
            vec![city.into(), ticket.into()],
        )
        .await?;
    let mut found: Vec<(String, String, String)> = Vec::new();
    for row in answer.iter().chain(&senders) {
        let one = (row.get(0)?, row.get::<Option<String>>(1)?.unwrap_or_default(), row.get(2)?);
        if !found.contains(&one) {
            found.push(one);
        }
    }
    Ok(found)
}

/// Addresses that an answer has been sent to already: `(channel, address)`.
///
/// # Errors
/// [`Error`] of the database.
pub async fn tried_addresses(
    conn: &mut Conn,
    city: &str,
    reply_id: &str,
    ticket: &TicketNumber,
) -> Result<Vec<(String, String)>, Error> {
    let rows = conn
        .fetch(
            "select channel, address from deliveries where city = $1 and ticket = $2 and reply_id = $3",
            vec![city.into(), ticket.into(), reply_id.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Moves a ticket between `replied` and `delivered` with the fate of its answer. Returns its department when it moved.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_ticket_delivered(
    conn: &mut Conn,
    city: &str,
    ticket: &TicketNumber,
    delivered: bool,
    now: Millis,
) -> Result<Option<Option<String>>, Error> {
    let (from, to) = if delivered { ("replied", "delivered") } else { ("delivered", "replied") };
    let row = conn
        .fetch_optional(
            "update tickets set state = $4, version = version + 1, updated_at = $5 where city = $1 and number = $2 and state = $3 returning department",
            vec![city.into(), ticket.into(), from.into(), to.into(), now.into()],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// The answers and questions of a ticket that wait on its progress page: id and kind.
///
/// # Errors
/// [`Error`] of the database.
pub async fn waiting_on_page(
    conn: &mut Conn,
    city: &str,
    ticket: &TicketNumber,
) -> Result<Vec<(String, String)>, Error> {
    let rows = conn
        .fetch(
            "select id, kind from deliveries
             where city = $1 and ticket = $2 and channel = 'webform' and kind in ('reply', 'question') and state in ('queued', 'sent')",
            vec![city.into(), ticket.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The files that go out with a reply: name, media type, object name.
///
/// # Errors
/// [`Error`] of the database.
pub async fn reply_files(conn: &mut Conn, city: &str, reply_id: &str) -> Result<Vec<(String, String, String)>, Error> {
    let rows = conn
        .fetch(
            "select name, media_type, sha256 from attachments where city = $1 and reply_id = $2 and state = 'stored' and sha256 is not null order by id",
            vec![city.into(), reply_id.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Lets deliveries go that waited for a far end which is configured now. Returns how many.
///
/// # Errors
/// [`Error`] of the database.
pub async fn wake_waiting(conn: &mut Conn, city: &str, account: &str, now: Millis) -> Result<u64, Error> {
    conn.execute(
        "update deliveries set next_at = $3, reason = null where city = $1 and account = $2 and state = 'queued' and next_at is null",
        vec![city.into(), account.into(), now.into()],
    )
    .await
}

/// Whether any part of a delivery is not yet in `state` or beyond.
///
/// # Errors
/// [`Error`] of the database.
pub async fn unfinished_parts(conn: &mut Conn, city: &str, delivery: &str, delivered: bool) -> Result<i64, Error> {
    let sql = if delivered {
        "select count(*) from delivery_parts where city = $1 and delivery_id = $2 and state <> 'delivered'"
    } else {
        "select count(*) from delivery_parts where city = $1 and delivery_id = $2 and state not in ('sent', 'delivered')"
    };
    conn.fetch_value(sql, vec![city.into(), delivery.into()]).await
}

/// One delivery.
///
/// # Errors
/// [`Error`] of the database.
pub async fn get(conn: &mut Conn, city: &str, id: &str) -> Result<Option<Delivery>, Error> {
    let sql = format!("select {COLUMNS} from deliveries d where d.city = $1 and d.id = $2");
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), id.into()]).await?.map(|row| delivery(&row)).transpose()
}

/// Counts an interrupted try.
///
/// # Errors
/// [`Error`] of the database.
pub async fn count_uncertain(conn: &mut Conn, city: &str, id: &str) -> Result<(), Error> {
    conn.execute(
        "update deliveries set uncertain = uncertain + 1 where city = $1 and id = $2",
        vec![city.into(), id.into()],
    )
    .await
    .map(|_| ())
}
