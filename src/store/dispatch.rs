//! Where tickets stand and where they go: routes, assignments, waits.

use super::Error;
use super::db::Conn;
use crate::domain::{Id, Millis, TicketNumber, TicketState};

/// A ticket whose dispatch waits.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Waiting {
    pub item: Option<String>,
    pub department: Option<String>,
    pub kind: String,
    pub priority: String,
    /// Milliseconds from dispatch to deadline, as its decision set them.
    pub time_allowed: Option<Millis>,
}

/// The ticket, if its dispatch still waits, with the department of its decision.
///
/// # Errors
/// [`Error`] of the database.
pub async fn waiting(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<Waiting>, Error> {
    let row = conn
        .fetch_optional(
            "select d.item, d.department, t.kind, t.priority, t.due_at - t.created_at
             from tickets t left join decisions d on d.city = t.city and d.ticket = t.number and d.id = t.decision_id
             where t.city = $1 and t.number = $2 and t.hold_until is not null",
            vec![city.into(), number.into()],
        )
        .await?;
    row.map(|row| {
        Ok(Waiting {
            item: row.get(0)?,
            department: row.get(1)?,
            kind: row.get(2)?,
            priority: row.get(3)?,
            time_allowed: row.get(4)?,
        })
    })
    .transpose()
}

/// How a ticket stands.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Standing {
    pub state: TicketState,
    pub item: Option<String>,
    pub department: Option<String>,
    pub due_at: Option<Millis>,
    pub hold_until: Option<Millis>,
    pub decided_by: String,
    pub facts: String,
}

/// How a ticket stands now.
///
/// # Errors
/// [`Error`] of the database.
pub async fn standing(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Option<Standing>, Error> {
    let row = conn
        .fetch_optional(
            "select t.state, t.item, t.department, t.due_at, t.hold_until, d.decided_by, d.facts
             from tickets t join decisions d on d.city = t.city and d.ticket = t.number and d.id = t.decision_id
             where t.city = $1 and t.number = $2",
            vec![city.into(), number.into()],
        )
        .await?;
    row.map(|row| {
        Ok(Standing {
            state: TicketState::parse(&row.get::<String>(0)?).ok_or_else(|| Error::Shape("state".to_owned()))?,
            item: row.get(1)?,
            department: row.get(2)?,
            due_at: row.get(3)?,
            hold_until: row.get(4)?,
            decided_by: row.get(5)?,
            facts: row.get(6)?,
        })
    })
    .transpose()
}

/// Where a ticket stands: its state and its department.
///
/// # Errors
/// [`Error::NotFound`], or of the database.
pub async fn place(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<(TicketState, Option<String>), Error> {
    let row = conn
        .fetch_optional(
            "select state, department from tickets where city = $1 and number = $2",
            vec![city.into(), number.into()],
        )
        .await?
        .ok_or(Error::NotFound)?;
    let state = TicketState::parse(&row.get::<String>(0)?).ok_or_else(|| Error::Shape("state".to_owned()))?;
    Ok((state, row.get(1)?))
}

/// How pressing a ticket is.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Urgency {
    pub kind: String,
    pub priority: String,
    /// Emergency numbers named to the citizen, with commas between.
    pub emergency: String,
    pub due_at: Option<Millis>,
}

/// How pressing a ticket is now.
///
/// # Errors
/// [`Error::NotFound`], or of the database.
pub async fn urgency(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<Urgency, Error> {
    let row = conn
        .fetch_optional(
            "select kind, priority, emergency, due_at from tickets where city = $1 and number = $2",
            vec![city.into(), number.into()],
        )
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Urgency { kind: row.get(0)?, priority: row.get(1)?, emergency: row.get(2)?, due_at: row.get(3)? })
}

/// Names the emergency numbers of a ticket, with commas between.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_emergency(conn: &mut Conn, city: &str, number: &TicketNumber, numbers: &str) -> Result<(), Error> {
    conn.execute(
        "update tickets set emergency = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), numbers.into()],
    )
    .await
    .map(|_| ())
}

/// Sets the language of a ticket whose citizen had said nothing in any so far.
///
/// # Errors
/// [`Error`] of the database.
pub async fn learn_language(conn: &mut Conn, city: &str, number: &TicketNumber, language: &str) -> Result<(), Error> {
    conn.execute(
        "update tickets set language = $3 where city = $1 and number = $2 and language is null",
        vec![city.into(), number.into(), language.into()],
    )
    .await
    .map(|_| ())
}

/// Sets state, item, department and deadline of a ticket, ends its wait and raises its version.
///
/// # Errors
/// [`Error`] of the database.
#[expect(clippy::too_many_arguments, reason = "the columns of one update")]
pub async fn set_route(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    state: TicketState,
    item: Option<&str>,
    department: Option<&str>,
    due_at: Option<Millis>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update tickets set state = $3, item = coalesce($4, item), department = $5, due_at = coalesce($6, due_at), hold_until = null,
             version = version + 1, updated_at = $7
         where city = $1 and number = $2",
        vec![city.into(), number.into(), state.as_str().into(), item.into(), department.into(), due_at.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// Names the decision that holds now.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_decision(conn: &mut Conn, city: &str, number: &TicketNumber, decision: &Id) -> Result<(), Error> {
    conn.execute(
        "update tickets set decision_id = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), decision.into()],
    )
    .await
    .map(|_| ())
}

/// Ends every assignment of a ticket that is still running.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_assignments(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
    state: &str,
    reason: Option<&str>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update assignments set state = $3, ended_at = $4, reason = $5 where city = $1 and ticket = $2 and ended_at is null",
        vec![city.into(), number.into(), state.into(), now.into(), reason.into()],
    )
    .await
    .map(|_| ())
}

/// Moves appeals, files and deliveries of `from` to `to` and closes `from`. Returns the state and department of `to`.
///
/// # Errors
/// [`Error::NotFound`] without such a ticket.
pub async fn merge(
    conn: &mut Conn,
    city: &str,
    from: &TicketNumber,
    to: &TicketNumber,
    by: &str,
    now: Millis,
) -> Result<(TicketState, Option<String>), Error> {
    let target = place(conn, city, to).await?;
    conn.execute(
        "update appeals set ticket = $3, moved_from = $2, moved_by = $4, moved_at = $5 where city = $1 and ticket = $2",
        vec![city.into(), from.into(), to.into(), by.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update attachments set ticket = $3 where city = $1 and ticket = $2",
        vec![city.into(), from.into(), to.into()],
    )
    .await?;
    conn.execute(
        "update tickets set state = 'closed', closed_at = $4, hold_until = null, linked_to = $3, link_reason = 'merged', version = version + 1, updated_at = $4
         where city = $1 and number = $2",
        vec![city.into(), from.into(), to.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update tickets set version = version + 1, updated_at = $3 where city = $1 and number = $2",
        vec![city.into(), to.into(), now.into()],
    )
    .await?;
    Ok(target)
}

/// Tickets whose wait is over.
///
/// # Errors
/// [`Error`] of the database.
pub async fn holds_due(conn: &mut Conn, city: &str, now: Millis) -> Result<Vec<TicketNumber>, Error> {
    let rows = conn
        .fetch(
            "select number from tickets where city = $1 and hold_until is not null and hold_until <= $2 order by hold_until limit 500",
            vec![city.into(), now.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}
