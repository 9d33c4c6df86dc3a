//! Reading the audit log, which the database itself keeps append-only.

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Conn, Value};
use crate::domain::{Id, Millis};

/// A line of the audit log.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct AuditRow {
    pub id: Id,
    pub at: Millis,
    pub actor: String,
    pub action: String,
    pub subject: Option<String>,
    pub detail: Option<String>,
}

/// A page of the log, newest first, before a line; `subject` and `actor` narrow it.
///
/// # Errors
/// [`Error`] of the database.
pub async fn page(
    conn: &mut Conn,
    city: &str,
    before: Option<&str>,
    limit: i64,
    subject: Option<&str>,
    actor: Option<&str>,
) -> Result<Vec<AuditRow>, Error> {
    // 'g' sorts behind every hexadecimal digit, so that no id is left out.
    let mut args: Vec<Value> = vec![city.into(), before.unwrap_or("g").into(), limit.into()];
    let mut conditions = String::new();
    for (column, value) in [("subject", subject), ("actor", actor)] {
        if let Some(value) = value {
            args.push(value.into());
            conditions.push_str(&format!(" and {column} = ${}", args.len()));
        }
    }
    let sql = format!(
        "select id, at, actor, action, subject, detail from audit where city = $1 and id < $2 {conditions} order by id desc limit $3"
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(AuditRow {
                id: row.get(0)?,
                at: row.get(1)?,
                actor: row.get(2)?,
                action: row.get(3)?,
                subject: row.get(4)?,
                detail: row.get(5)?,
            })
        })
        .collect()
}
