//! What citizens said, and the files that came with it or go with an answer.

use sqlx::AssertSqlSafe;

use crate::domain::{Id, Millis, TicketNumber};
use crate::store::Error;
use crate::store::db::{Conn, Value, placeholders};

/// An appeal as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AppealRow {
    pub id: Id,
    pub ticket: TicketNumber,
    pub inbound_id: Option<String>,
    pub is_first: bool,
    pub part_of: Option<String>,
    pub channel: String,
    pub account: String,
    pub contact_id: Option<String>,
    pub sender: String,
    pub name: Option<String>,
    pub subject: Option<String>,
    pub text: String,
    pub quoted: Option<String>,
    pub html: Option<String>,
    pub language: Option<String>,
    pub location: Option<String>,
    pub message_id: Option<String>,
    pub received_at: Millis,
    pub moved_from: Option<String>,
    pub moved_by: Option<String>,
    pub moved_at: Option<Millis>,
}

/// The appeals of a ticket, oldest first; parts of an album follow the appeal they are part of.
///
/// # Errors
/// [`Error`] of the database.
pub async fn appeals(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AppealRow>, Error> {
    let rows = conn
        .fetch(
            "select id, ticket, inbound_id, is_first, part_of, channel, account, contact_id, sender, name, subject, text, quoted, html, language,
                 location, message_id, received_at, moved_from, moved_by, moved_at
             from appeals where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AppealRow {
                id: row.get(0)?,
                ticket: row.get(1)?,
                inbound_id: row.get(2)?,
                is_first: row.get(3)?,
                part_of: row.get(4)?,
                channel: row.get(5)?,
                account: row.get(6)?,
                contact_id: row.get(7)?,
                sender: row.get(8)?,
                name: row.get(9)?,
                subject: row.get(10)?,
                text: row.get(11)?,
                quoted: row.get(12)?,
                html: row.get(13)?,
                language: row.get(14)?,
                location: row.get(15)?,
                message_id: row.get(16)?,
                received_at: row.get(17)?,
                moved_from: row.get(18)?,
                moved_by: row.get(19)?,
                moved_at: row.get(20)?,
            })
        })
        .collect()
}

/// A file as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AttachmentRow {
    pub id: Id,
    pub appeal_id: Option<String>,
    pub reply_id: Option<String>,
    pub name: String,
    pub media_type: String,
    pub size: Option<i64>,
    pub sha256: Option<String>,
    pub state: String,
    pub reason: Option<String>,
}

/// The files of a ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn attachments(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AttachmentRow>, Error> {
    let rows = conn
        .fetch(
            "select id, appeal_id, reply_id, name, media_type, size, sha256, state, reason from attachments where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AttachmentRow {
                id: row.get(0)?,
                appeal_id: row.get(1)?,
                reply_id: row.get(2)?,
                name: row.get(3)?,
                media_type: row.get(4)?,
                size: row.get(5)?,
                sha256: row.get(6)?,
                state: row.get(7)?,
                reason: row.get(8)?,
            })
        })
        .collect()
}

/// Gives uploaded files of a ticket that belong to nothing yet to a reply. Returns how many were there to give.
///
/// # Errors
/// [`Error`] of the database.
pub async fn give_files(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    files: &[String],
    reply: &Id,
) -> Result<u64, Error> {
    if files.is_empty() {
        return Ok(0);
    }
    let mut args: Vec<Value> = vec![city.into(), number.into(), reply.into()];
    args.extend(files.iter().map(Value::from));
    let sql = format!(
        "update attachments set reply_id = $3
         where city = $1 and ticket = $2 and appeal_id is null and reply_id is null and state = 'stored' and id in ({})",
        placeholders(4, files.len())
    );
    conn.execute(AssertSqlSafe(sql), args).await
}

/// Moves an appeal with its album parts and files to another ticket, noting where it came from.
///
/// # Errors
/// [`Error`] of the database.
pub async fn move_appeal(
    conn: &mut Conn,
    city: &str,
    appeal: &Id,
    from: &TicketNumber,
    to: &TicketNumber,
    by: &str,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update appeals set ticket = $4, moved_from = $3, moved_by = $5, moved_at = $6 where city = $1 and ticket = $3 and (id = $2 or part_of = $2)",
        vec![city.into(), appeal.into(), from.into(), to.into(), by.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update attachments set ticket = $4
         where city = $1 and ticket = $3 and (appeal_id = $2 or appeal_id in (select id from appeals where city = $1 and part_of = $2))",
        vec![city.into(), appeal.into(), from.into(), to.into()],
    )
    .await
    .map(|_| ())
}
