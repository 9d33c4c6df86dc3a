//! What staff and rules did: replies and notes, decisions, assignments.

use crate::domain::{Id, Millis, TicketNumber};
use crate::store::Error;
use crate::store::db::Conn;

/// What staff wrote, as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct ReplyRow {
    pub id: Id,
    pub kind: String,
    pub text: String,
    pub author: String,
    pub department: Option<String>,
    pub at: Millis,
}

/// Replies, notes and send-backs of a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn replies(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<ReplyRow>, Error> {
    let rows = conn
        .fetch(
            "select id, kind, text, author, department, at from replies where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ReplyRow {
                id: row.get(0)?,
                kind: row.get(1)?,
                text: row.get(2)?,
                author: row.get(3)?,
                department: row.get(4)?,
                at: row.get(5)?,
            })
        })
        .collect()
}

/// A decision as stored; `ranked`, `trace` and `facts` are JSON.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct DecisionRow {
    pub id: Id,
    pub at: Millis,
    pub decided_by: String,
    pub item: Option<String>,
    pub department: Option<String>,
    pub reason: Option<String>,
    pub confidence: Option<f64>,
    pub rule_set: Option<String>,
    pub ranked: String,
    pub trace: String,
    pub facts: String,
    pub actor: Option<String>,
}

/// The decisions on a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn decisions(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<DecisionRow>, Error> {
    let rows = conn
        .fetch(
            "select id, at, decided_by, item, department, reason, confidence, rule_set, ranked, trace, facts, actor
             from decisions where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DecisionRow {
                id: row.get(0)?,
                at: row.get(1)?,
                decided_by: row.get(2)?,
                item: row.get(3)?,
                department: row.get(4)?,
                reason: row.get(5)?,
                confidence: row.get(6)?,
                rule_set: row.get(7)?,
                ranked: row.get(8)?,
                trace: row.get(9)?,
                facts: row.get(10)?,
                actor: row.get(11)?,
            })
        })
        .collect()
}

/// A department's part of a ticket.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AssignmentRow {
    pub id: Id,
    pub department: String,
    pub role: String,
    pub state: String,
    pub assigned_at: Millis,
    pub due_at: Millis,
    pub signed_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    pub reason: Option<String>,
}

/// The assignments of a ticket, oldest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn assignments(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Vec<AssignmentRow>, Error> {
    let rows = conn
        .fetch(
            "select id, department, role, state, assigned_at, due_at, signed_at, ended_at, reason
             from assignments where city = $1 and ticket = $2 order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AssignmentRow {
                id: row.get(0)?,
                department: row.get(1)?,
                role: row.get(2)?,
                state: row.get(3)?,
                assigned_at: row.get(4)?,
                due_at: row.get(5)?,
                signed_at: row.get(6)?,
                ended_at: row.get(7)?,
                reason: row.get(8)?,
            })
        })
        .collect()
}

/// Sets the state of a running assignment; signing notes the time.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_assignment(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    id: &Id,
    state: &str,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update assignments set state = $3, signed_at = case when $3 = 'signed' then $4 else signed_at end where city = $1 and id = $2 and ticket = $5",
        vec![city.into(), id.into(), state.into(), now.into(), number.into()],
    )
    .await
    .map(|_| ())
}

/// Ends one assignment.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_assignment(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    id: &Id,
    state: &str,
    reason: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update assignments set state = $3, ended_at = $4, reason = $5 where city = $1 and id = $2 and ticket = $6 and ended_at is null",
        vec![city.into(), id.into(), state.into(), now.into(), reason.into(), number.into()],
    )
    .await
    .map(|_| ())
}
