//! The one writing connection of SQLite, by rusqlite: statements run on the writer's own thread, where sqlx would
//! hand each of them to another thread and wait for it.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};

use super::db::{Row, Value};
use super::{Error, checkpoint};

/// Opens the file, which is made when it is missing, with the settings that make "committed" mean "on disk".
/// `max_bytes` limits its size; 0 is no limit.
pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Connection, Error> {
    // Made before SQLite would make it, for its owner only; SQLite gives its log and index the rights of the file. One that
    // is there is not opened here: closing it again would take SQLite's locks away.
    match crate::private::new_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::Unavailable(format!("{}: {error}", path.display())));
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(512);
    conn.execute_batch(
        "pragma journal_mode = wal;
         pragma synchronous = full;
         pragma foreign_keys = off;
         pragma cache_size = -16000;
         pragma temp_store = memory;",
    )?;
    checkpoint::measure(&conn);
    if max_bytes > 0 {
        conn.pragma_update(None, "max_page_count", i64::try_from(max_bytes / 4096).unwrap_or(i64::MAX).max(64))?;
    }
    Ok(conn)
}

/// Runs a statement and returns the number of rows it changed.
pub(super) fn execute(conn: &Connection, sql: &str, args: &[Value]) -> Result<u64, Error> {
    let mut statement = conn.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    Ok(statement.raw_execute()? as u64)
}

/// Runs a query and returns its rows.
pub(super) fn fetch(conn: &Connection, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
    let mut statement = conn.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(width);
        for place in 0..width {
            values.push(match row.get_ref(place)? {
                ValueRef::Null => Value::Int(None),
                ValueRef::Integer(inner) => Value::Int(Some(inner)),
                ValueRef::Real(inner) => Value::Real(Some(inner)),
                ValueRef::Text(inner) => Value::Text(Some(String::from_utf8_lossy(inner).into_owned())),
                ValueRef::Blob(inner) => Value::Blob(Some(inner.to_vec())),
            });
        }
        found.push(Row::of(values));
    }
    Ok(found)
}

/// Runs one statement for each of `rows`; returns the number of rows changed.
pub(super) fn execute_each(conn: &Connection, sql: &str, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut changed = 0;
    for row in rows {
        for (place, value) in (1..).zip(row) {
            statement.raw_bind_parameter(place, value)?;
        }
        changed += statement.raw_execute()? as u64;
    }
    Ok(changed)
}

/// Binds by number where the statement says `$n`, else by place.
fn bind(statement: &mut Statement<'_>, args: &[Value]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(place) {
            Some(name) => name.get(1..).and_then(|number| number.parse().ok()).unwrap_or(0),
            None => place,
        };
        let value = number.checked_sub(1_usize).and_then(|at| args.get(at));
        let value = value.ok_or_else(|| Error::Shape(format!("parameter {place} has no value")))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(inner)) => ValueRef::Integer(*inner),
            Self::Real(Some(inner)) => ValueRef::Real(*inner),
            Self::Text(Some(inner)) => ValueRef::Text(inner.as_bytes()),
            Self::Blob(Some(inner)) => ValueRef::Blob(inner),
            Self::Int(None) | Self::Real(None) | Self::Text(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
            NotADatabase, SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(
                DatabaseBusy | DatabaseLocked | SystemIoFailure | DiskFull | CannotOpen | FileLockingProtocolFailed,
            ) => Self::Unavailable(error.to_string()),
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}
