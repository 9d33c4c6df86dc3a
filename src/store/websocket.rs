//! Sessions of websocket clients and their mailboxes.

use super::Error;
use super::db::Conn;
use crate::domain::{Id, Millis, TicketNumber};

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id, the address of its mailbox.
    pub id: String,
    /// The last position that its client confirmed.
    pub received: i64,
}

/// Begins a session.
///
/// # Errors
/// [`Error`] of the database.
pub async fn begin(
    conn: &mut Conn,
    city: &str,
    account: &str,
    id: &Id,
    token_hash: &[u8; 32],
    now: Millis,
) -> Result<(), Error> {
    let row = vec![city.into(), id.into(), account.into(), token_hash.as_slice().into(), now.into(), now.into()];
    conn.insert("websocket_sessions", "city, id, account, token_hash, created_at, last_seen_at", vec![row])
        .await
        .map(|_| ())
}

/// Resumes the session of a token; `None` when the account has none such.
///
/// # Errors
/// [`Error`] of the database.
pub async fn resume(
    conn: &mut Conn,
    city: &str,
    account: &str,
    token_hash: &[u8; 32],
    now: Millis,
) -> Result<Option<Session>, Error> {
    let row = conn
        .fetch_optional(
            "update websocket_sessions set last_seen_at = $4 where city = $1 and account = $2 and token_hash = $3 returning id, received",
            vec![city.into(), account.into(), token_hash.as_slice().into(), now.into()],
        )
        .await?;
    row.map(|row| Ok(Session { id: row.get(0)?, received: row.get(1)? })).transpose()
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Message {
    pub position: i64,
    pub ticket: Option<String>,
    pub kind: String,
    pub text: String,
}

/// Up to a hundred messages of a mailbox after `after`, in order.
///
/// # Errors
/// [`Error`] of the database.
pub async fn messages(
    conn: &mut Conn,
    city: &str,
    account: &str,
    session: &str,
    after: i64,
) -> Result<Vec<Message>, Error> {
    let rows = conn
        .fetch(
            "select position, ticket, kind, text from deliveries
             where city = $1 and account = $2 and address = $3 and position is not null and position > $4 order by position limit 100",
            vec![city.into(), account.into(), session.into(), after.into()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Message { position: row.get(0)?, ticket: row.get(1)?, kind: row.get(2)?, text: row.get(3)? }))
        .collect()
}

/// A message that has just arrived.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Arrived {
    pub id: String,
    pub kind: String,
    pub ticket: Option<TicketNumber>,
}

/// Everything up to `position` has arrived: marks it and returns what was not marked before.
///
/// # Errors
/// [`Error`] of the database.
pub async fn received(
    conn: &mut Conn,
    city: &str,
    session: &str,
    position: i64,
    now: Millis,
) -> Result<Vec<Arrived>, Error> {
    conn.execute(
        "update websocket_sessions set received = $3, last_seen_at = $4 where city = $1 and id = $2 and received < $3",
        vec![city.into(), session.into(), position.into(), now.into()],
    )
    .await?;
    let rows = conn
        .fetch(
            "update deliveries set state = 'delivered', reason = null, updated_at = $4
             where city = $1 and address = $2 and channel = 'websocket' and position is not null and position <= $3 and state = 'sent'
             returning id, kind, ticket",
            vec![city.into(), session.into(), position.into(), now.into()],
        )
        .await?;
    rows.iter().map(|row| Ok(Arrived { id: row.get(0)?, kind: row.get(1)?, ticket: row.get(2)? })).collect()
}
