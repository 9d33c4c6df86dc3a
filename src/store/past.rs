//! What became of past tickets: the labelled history that rules are measured and learned by.

use std::collections::BTreeMap;

use super::Error;
use super::db::{Conn, Row};
use crate::domain::{Millis, TicketNumber, TicketState};

/// A past ticket with everything that says where it belonged.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its number.
    pub number: TicketNumber,
    /// Where it stands now.
    pub state: TicketState,
    /// Whether it looks like form spam.
    pub spam: bool,
    /// Why it refers to another ticket, if it does.
    pub link_reason: Option<String>,
    /// When it was opened.
    pub created_at: Millis,
    /// Subject and text of its first appeal; `None` when that was moved elsewhere.
    pub first: Option<(Option<String>, String)>,
    /// Its decisions, oldest first.
    pub decisions: Vec<PastDecision>,
    /// The leads that it was given to, oldest first: department and state.
    pub leads: Vec<(String, String)>,
    /// Whether it was opened again after it was closed or answered.
    pub reopened: bool,
}

/// A decision about a past ticket.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct PastDecision {
    pub id: String,
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
}

const DECISION: &str = "id, at, decided_by, item, department, reason, confidence, rule_set, ranked, trace, facts";

fn decision(row: &Row, first: usize) -> Result<PastDecision, Error> {
    Ok(PastDecision {
        id: row.get(first)?,
        at: row.get(first + 1)?,
        decided_by: row.get(first + 2)?,
        item: row.get(first + 3)?,
        department: row.get(first + 4)?,
        reason: row.get(first + 5)?,
        confidence: row.get(first + 6)?,
        rule_set: row.get(first + 7)?,
        ranked: row.get(first + 8)?,
        trace: row.get(first + 9)?,
        facts: row.get(first + 10)?,
    })
}

/// The tickets after a number, in order of their numbers, at most `limit`. A number begins with its day, so that `after` may
/// be a day (`YYMMDD`).
///
/// # Errors
/// [`Error`] of the database.
pub async fn page(conn: &mut Conn, city: &str, after: &str, limit: i64) -> Result<Vec<Past>, Error> {
    let rows = conn
        .fetch(
            "select number, state, spam, link_reason, created_at from tickets where city = $1 and number > $2 order by number limit $3",
            vec![city.into(), after.into(), limit.into()],
        )
        .await?;
    let mut page = Vec::with_capacity(rows.len());
    let mut places = BTreeMap::new();
    for row in &rows {
        let number: TicketNumber = row.get(0)?;
        let state: String = row.get(1)?;
        places.insert(number.to_string(), page.len());
        page.push(Past {
            number,
            state: TicketState::parse(&state).ok_or(Error::Shape(state))?,
            spam: row.get(2)?,
            link_reason: row.get(3)?,
            created_at: row.get(4)?,
            first: None,
            decisions: Vec::new(),
            leads: Vec::new(),
            reopened: false,
        });
    }
    let Some(last) = page.last().map(|past| past.number.to_string()) else { return Ok(page) };
    let range = || vec![city.into(), after.into(), last.as_str().into()];
    let rows = conn
        .fetch(
            "select ticket, subject, text from appeals
             where city = $1 and ticket > $2 and ticket <= $3 and is_first = 1 and moved_from is null order by ticket, id",
            range(),
        )
        .await?;
    for row in &rows {
        if let Some(past) = at(&mut page, &places, row)? {
            past.first.get_or_insert((row.get(1)?, row.get(2)?));
        }
    }
    let sql = format!(
        "select ticket, {DECISION} from decisions where city = $1 and ticket > $2 and ticket <= $3 order by ticket, id"
    );
    for row in &conn.fetch(sqlx::AssertSqlSafe(sql), range()).await? {
        if let Some(past) = at(&mut page, &places, row)? {
            past.decisions.push(decision(row, 1)?);
        }
    }
    let rows = conn
        .fetch(
            "select ticket, department, state from assignments
             where city = $1 and ticket > $2 and ticket <= $3 and role = 'lead' order by ticket, id",
            range(),
        )
        .await?;
    for row in &rows {
        if let Some(past) = at(&mut page, &places, row)? {
            past.leads.push((row.get(1)?, row.get(2)?));
        }
    }
    let rows = conn
        .fetch(
            "select distinct ticket from events where city = $1 and ticket > $2 and ticket <= $3 and kind = 'reopened'",
            range(),
        )
        .await?;
    for row in &rows {
        if let Some(past) = at(&mut page, &places, row)? {
            past.reopened = true;
        }
    }
    Ok(page)
}

fn at<'p>(page: &'p mut [Past], places: &BTreeMap<String, usize>, row: &Row) -> Result<Option<&'p mut Past>, Error> {
    let number: String = row.get(0)?;
    Ok(places.get(&number).and_then(|place| page.get_mut(*place)))
}

/// The last decision that the rules made of a ticket, an abstention among them.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn judged(conn: &mut Conn, city: &str, number: &TicketNumber) -> Result<PastDecision, Error> {
    let sql = format!(
        "select {DECISION} from decisions
         where city = $1 and ticket = $2 and decided_by in ('rule', 'learned', 'abstain') order by id desc limit 1"
    );
    let row = conn.fetch_optional(sqlx::AssertSqlSafe(sql), vec![city.into(), number.into()]).await?;
    decision(&row.ok_or(Error::NotFound)?, 0)
}

/// Subject and text of the appeal that a ticket was opened with, also where it was merged into another one.
///
/// # Errors
/// [`Error::NotFound`] when it was moved elsewhere.
pub async fn first_appeal(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
) -> Result<(Option<String>, String), Error> {
    for sql in [
        "select subject, text from appeals where city = $1 and ticket = $2 and is_first = 1 and moved_from is null order by id limit 1",
        "select a.subject, a.text from tickets t join appeals a on a.city = t.city and a.ticket = t.linked_to
         where t.city = $1 and t.number = $2 and a.moved_from = $2 and a.is_first = 1 order by a.id limit 1",
        "select subject, text from appeals where city = $1 and ticket = $2 order by id limit 1",
    ] {
        if let Some(row) = conn.fetch_optional(sql, vec![city.into(), number.into()]).await? {
            return Ok((row.get(0)?, row.get(1)?));
        }
    }
    Err(Error::NotFound)
}
