//! What staff are writing and have not sent: one draft a person, subject and kind, each with a revision.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Conn, Row};
use crate::domain::{Millis, TicketNumber};

/// Under which a draft is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose it is, as the audit log names it.
    pub staff: String,
    /// The ticket's number, or the client's id of a call that has no ticket yet.
    pub subject: String,
    /// What is being written.
    pub kind: String,
}

/// A draft as stored. Its text is personal and stands in no log.
#[derive(Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct DraftRow {
    pub staff: String,
    pub subject: String,
    pub kind: String,
    pub ticket: Option<TicketNumber>,
    pub text: String,
    pub data: Option<String>,
    pub revision: i64,
    pub version: Option<i64>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub expires_at: Millis,
}

impl std::fmt::Debug for DraftRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DraftRow").field("kind", &self.kind).field("revision", &self.revision).finish()
    }
}

const DRAFT: &str = "staff, subject, kind, ticket, text, data, revision, version, created_at, updated_at, expires_at";

fn draft_row(row: &Row) -> Result<DraftRow, Error> {
    Ok(DraftRow {
        staff: row.get(0)?,
        subject: row.get(1)?,
        kind: row.get(2)?,
        ticket: row.get(3)?,
        text: row.get(4)?,
        data: row.get(5)?,
        revision: row.get(6)?,
        version: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
        expires_at: row.get(10)?,
    })
}

/// One draft that has not expired.
///
/// # Errors
/// [`Error`] of the database.
pub async fn get(conn: &mut Conn, city: &str, key: &Key, now: Millis) -> Result<Option<DraftRow>, Error> {
    let sql = format!(
        "select {DRAFT} from drafts where city = $1 and staff = $2 and subject = $3 and kind = $4 and expires_at > $5"
    );
    let args = vec![city.into(), (&key.staff).into(), (&key.subject).into(), (&key.kind).into(), now.into()];
    conn.fetch_optional(AssertSqlSafe(sql), args).await?.as_ref().map(draft_row).transpose()
}

/// Everybody's drafts about a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn of_ticket(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    now: Millis,
) -> Result<Vec<DraftRow>, Error> {
    let sql = format!(
        "select {DRAFT} from drafts where city = $1 and ticket = $2 and expires_at > $3 order by created_at, staff, kind"
    );
    conn.fetch(AssertSqlSafe(sql), vec![city.into(), number.into(), now.into()]).await?.iter().map(draft_row).collect()
}

/// A person's drafts that belong to no ticket yet, the one touched last first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn without_ticket(conn: &mut Conn, city: &str, staff: &str, now: Millis) -> Result<Vec<DraftRow>, Error> {
    let sql = format!(
        "select {DRAFT} from drafts where city = $1 and staff = $2 and ticket is null and expires_at > $3
         order by updated_at desc, subject limit 100"
    );
    conn.fetch(AssertSqlSafe(sql), vec![city.into(), staff.into(), now.into()]).await?.iter().map(draft_row).collect()
}

/// Writes a draft over the one whose revision the row names (0 for none), and raises the revision. Returns whether it is new.
///
/// # Errors
/// [`Error::Changed`] when another revision is stored.
pub async fn put(conn: &mut Conn, city: &str, row: &DraftRow, now: Millis) -> Result<bool, Error> {
    let key = Key { staff: row.staff.clone(), subject: row.subject.clone(), kind: row.kind.clone() };
    let known = get(conn, city, &key, now).await?.map_or(0, |known| known.revision);
    if known != row.revision {
        return Err(Error::Changed { seen: row.revision, now: known });
    }
    conn.execute(
        "insert into drafts (city, staff, subject, kind, ticket, text, data, revision, version, created_at, updated_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
         on conflict (city, staff, subject, kind) do update set
             ticket = excluded.ticket, text = excluded.text, data = excluded.data, revision = excluded.revision,
             version = excluded.version, updated_at = excluded.updated_at, expires_at = excluded.expires_at",
        vec![
            city.into(),
            (&row.staff).into(),
            (&row.subject).into(),
            (&row.kind).into(),
            row.ticket.clone().into(),
            (&row.text).into(),
            row.data.clone().into(),
            (known + 1).into(),
            row.version.into(),
            now.into(),
            row.expires_at.into(),
        ],
    )
    .await?;
    Ok(known == 0)
}

/// Takes a draft away; returns whether there was one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn delete(conn: &mut Conn, city: &str, key: &Key) -> Result<bool, Error> {
    let args = vec![city.into(), (&key.staff).into(), (&key.subject).into(), (&key.kind).into()];
    let gone =
        conn.execute("delete from drafts where city = $1 and staff = $2 and subject = $3 and kind = $4", args).await?;
    Ok(gone > 0)
}

/// Takes away what has expired.
///
/// # Errors
/// [`Error`] of the database.
pub async fn expire(conn: &mut Conn, city: &str, now: Millis) -> Result<u64, Error> {
    conn.execute("delete from drafts where city = $1 and expires_at <= $2", vec![city.into(), now.into()]).await
}
