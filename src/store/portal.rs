//! What the citizen pages read and write: query codes and their throttle, confirmed addresses, answer links.

use super::Error;
use super::db::Conn;
use crate::domain::{Id, Millis, TicketNumber};

/// The hash of a ticket's query code.
///
/// # Errors
/// [`Error`] of the database.
pub async fn code_hash(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<Vec<u8>>, Error> {
    let row = conn
        .fetch_optional(
            "select code_hash from tickets where city = $1 and number = $2",
            vec![city.into(), number.into()],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Counts a try of `subject` and returns how many there were within the window that it falls into, and when that began.
///
/// The row is written before anything is compared, so that tries at the same time count one after the other.
///
/// # Errors
/// [`Error`] of the database.
pub async fn count_try(
    conn: &mut Conn,
    city: &str,
    subject: &str,
    window: Millis,
    now: Millis,
) -> Result<(i64, Millis), Error> {
    let row = conn
        .fetch_optional(
            "insert into code_attempts (city, subject, window_start, tries) values ($1, $2, $3, 1)
             on conflict (city, subject) do update set
                 tries = case when code_attempts.window_start <= $4 then 1 else code_attempts.tries + 1 end,
                 window_start = case when code_attempts.window_start <= $4 then excluded.window_start else code_attempts.window_start end
             returning tries, window_start",
            vec![city.into(), subject.into(), now.into(), (now - window).into()],
        )
        .await?
        .ok_or(Error::NotFound)?;
    Ok((row.get(0)?, row.get(1)?))
}

/// Takes a try back that turned out to be right.
///
/// # Errors
/// [`Error`] of the database.
pub async fn forgive_try(conn: &mut Conn, city: &str, subject: &str) -> Result<(), Error> {
    conn.execute(
        "update code_attempts set tries = tries - 1 where city = $1 and subject = $2 and tries > 0",
        vec![city.into(), subject.into()],
    )
    .await
    .map(|_| ())
}

/// The address that was typed in for a ticket's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// Word of its medium.
    pub channel: String,
    /// The address.
    pub address: String,
    /// Hash of the code that was sent to it.
    pub code_hash: Vec<u8>,
    /// Codes entered so far.
    pub tries: i64,
    /// When the code was sent.
    pub created_at: Millis,
    /// When it was entered.
    pub confirmed_at: Option<Millis>,
}

/// The confirmation that a ticket asks for, if any.
///
/// # Errors
/// [`Error`] of the database.
pub async fn confirmation(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<Confirmation>, Error> {
    let row = conn
        .fetch_optional(
            "select channel, address, code_hash, tries, created_at, confirmed_at from confirmations where city = $1 and ticket = $2",
            vec![city.into(), number.into()],
        )
        .await?;
    row.map(|row| {
        Ok(Confirmation {
            channel: row.get(0)?,
            address: row.get(1)?,
            code_hash: row.get(2)?,
            tries: row.get(3)?,
            created_at: row.get(4)?,
            confirmed_at: row.get(5)?,
        })
    })
    .transpose()
}

/// Counts a code entered for a ticket's address and returns the count.
///
/// # Errors
/// [`Error::NotFound`] when nothing is to be confirmed.
pub async fn count_confirmation(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<i64, Error> {
    conn.fetch_value(
        "update confirmations set tries = tries + 1 where city = $1 and ticket = $2 returning tries",
        vec![city.into(), number.into()],
    )
    .await
}

/// Marks the address as confirmed, in the confirmation and, if the ticket still names it, in the ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn confirm(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    address: &str,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update confirmations set confirmed_at = $3 where city = $1 and ticket = $2",
        vec![city.into(), number.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update tickets set answer_confirmed = 1, version = version + 1, updated_at = $4
         where city = $1 and number = $2 and answer_address = $3 and answer_confirmed = 0",
        vec![city.into(), number.into(), address.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// An answer that a link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLink {
    /// The ticket.
    pub ticket: TicketNumber,
    /// The reply.
    pub reply_id: Id,
    /// When the link ends.
    pub expires_at: Millis,
}

/// The answer that an unexpired link opens.
///
/// # Errors
/// [`Error`] of the database.
pub async fn answer_link(
    conn: &mut Conn,
    city: &str,
    token_hash: [u8; 32],
    now: Millis,
) -> Result<Option<AnswerLink>, Error> {
    let row = conn
        .fetch_optional(
            "select ticket, reply_id, expires_at from answer_links where city = $1 and token_hash = $2 and expires_at > $3",
            vec![city.into(), token_hash.into(), now.into()],
        )
        .await?;
    row.map(|row| Ok(AnswerLink { ticket: row.get(0)?, reply_id: row.get(1)?, expires_at: row.get(2)? })).transpose()
}

/// When a ticket was reopened, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn reopened(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<Millis>, Error> {
    let rows = conn
        .fetch(
            "select at from events where city = $1 and ticket = $2 and kind = 'reopened' order by position",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// A file of an answer: name, media type and object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFile {
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Its object.
    pub sha256: String,
}

/// A stored file that belongs to a reply.
///
/// # Errors
/// [`Error`] of the database.
pub async fn answer_file(conn: &mut Conn, city: &str, id: &str) -> Result<Option<AnswerFile>, Error> {
    let row = conn
        .fetch_optional(
            "select a.name, a.media_type, a.sha256 from attachments a
             join replies r on r.city = a.city and r.id = a.reply_id
             where a.city = $1 and a.id = $2 and a.state = 'stored' and a.sha256 is not null and r.kind = 'reply'",
            vec![city.into(), id.into()],
        )
        .await?;
    row.map(|row| Ok(AnswerFile { name: row.get(0)?, media_type: row.get(1)?, sha256: row.get(2)? })).transpose()
}
