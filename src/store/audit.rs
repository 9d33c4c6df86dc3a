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

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only about this thing.
    pub subject: Option<String>,
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// At or after.
    pub from: Option<Millis>,
    /// Before.
    pub until: Option<Millis>,
}

/// The beginning of every id that was made at `at` or later (UUIDv7, RFC 9562): ids are in order of time.
fn id_at(at: Millis) -> String {
    let hex = format!("{:012x}", at.max(0));
    let (high, low) = hex.split_at(8.min(hex.len()));
    format!("{high}-{low}")
}

/// A page of the log, newest first, before a line.
///
/// # Errors
/// [`Error`] of the database.
pub async fn page(
    conn: &mut Conn,
    city: &str,
    before: Option<&str>,
    limit: i64,
    filter: &Filter,
) -> Result<Vec<AuditRow>, Error> {
    // 'g' sorts behind every hexadecimal digit, so that no id is left out.
    let end = filter.until.map_or_else(|| "g".to_owned(), id_at);
    let before = before.map_or(end.as_str(), |before| before.min(end.as_str()));
    let mut args: Vec<Value> = vec![city.into(), before.into(), limit.into()];
    let mut conditions = String::new();
    let from = filter.from.map(id_at);
    for (condition, value) in
        [("subject =", &filter.subject), ("actor =", &filter.actor), ("action =", &filter.action), ("id >=", &from)]
    {
        if let Some(value) = value {
            args.push(value.into());
            conditions.push_str(&format!(" and {condition} ${}", args.len()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_by_time() {
        assert_eq!(id_at(0x0123_4567_89ab), "01234567-89ab");
        let id = "01234567-89ab-7000-8000-000000000000";
        assert!(id >= id_at(0x0123_4567_89ab).as_str() && id < id_at(0x0123_4567_89ac).as_str());
    }
}
