//! One way of speaking to both databases: shared SQL texts with `$n`, values of four types, rows by place.
//!
//! SQLite and PostgreSQL agree on the texts of this folder; where they do not, a function asks [`Conn::backend`].

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column as _, Row as _, SqlSafeStr, TypeInfo as _, ValueRef as _};
use sqlx::{Postgres, Sqlite};

use super::{Error, embedded};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Embedded SQLite.
    Sqlite,
    /// PostgreSQL 15 or later.
    Postgres,
}

/// A value to bind or a value read. Null keeps its type, because PostgreSQL asks for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer or null.
    Int(Option<i64>),
    /// A float or null.
    Real(Option<f64>),
    /// Text or null.
    Text(Option<String>),
    /// Bytes or null.
    Blob(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self { Self::$variant(Some($convert(value))) }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self { Self::$variant(value.map($convert)) }
        }
    )*};
}
value_from! {
    i64 => Int, |value| value;
    bool => Int, i64::from;
    f64 => Real, |value| value;
    String => Text, |value| value;
    &String => Text, |value: &String| value.clone();
    &str => Text, |value: &str| value.to_owned();
    Vec<u8> => Blob, |value| value;
    &[u8] => Blob, |value: &[u8]| value.to_vec();
    [u8; 32] => Blob, |value: [u8; 32]| value.to_vec();
    crate::domain::Id => Text, crate::domain::Id::into_string;
    &crate::domain::Id => Text, |value: &crate::domain::Id| value.as_str().to_owned();
    crate::domain::TicketNumber => Text, crate::domain::TicketNumber::into_string;
    &crate::domain::TicketNumber => Text, |value: &crate::domain::TicketNumber| value.as_str().to_owned();
}

/// A row; values are taken by their place in the select list.
#[derive(Debug, Clone)]
pub struct Row(Vec<Value>);

/// What can be taken out of a row.
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Shape`] when the column holds something else.
    fn from_value(value: &Value) -> Result<Self, Error>;
}

macro_rules! from_value {
    ($($type:ty, $variant:ident, $convert:expr;)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, Error> {
                match value { Value::$variant(Some(inner)) => Ok($convert(inner)), other => Err(Error::Shape(format!("{other:?}").chars().take(20).collect())) }
            }
        }
        impl FromValue for Option<$type> {
            fn from_value(value: &Value) -> Result<Self, Error> {
                match value {
                    Value::Int(None) | Value::Real(None) | Value::Text(None) | Value::Blob(None) => Ok(None),
                    other => <$type>::from_value(other).map(Some),
                }
            }
        }
    )*};
}
from_value! {
    i64, Int, |inner: &i64| *inner;
    bool, Int, |inner: &i64| *inner != 0;
    f64, Real, |inner: &f64| *inner;
    String, Text, String::clone;
    Vec<u8>, Blob, Vec::clone;
    crate::domain::Id, Text, |inner: &String| crate::domain::Id::stored(inner.clone());
    crate::domain::TicketNumber, Text, |inner: &String| crate::domain::TicketNumber::stored(inner.clone());
}

impl Row {
    pub(super) const fn of(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// The value at `place` of the select list.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is no such place or the type differs.
    pub fn get<T: FromValue>(&self, place: usize) -> Result<T, Error> {
        T::from_value(self.0.get(place).ok_or_else(|| Error::Shape(format!("no column {place}")))?)
    }
}

/// A connection of either database.
#[derive(Debug)]
pub enum Conn {
    /// SQLite, reading.
    Sqlite(sqlx::pool::PoolConnection<Sqlite>),
    /// SQLite, writing.
    Writing(Box<rusqlite::Connection>),
    /// PostgreSQL.
    Postgres(sqlx::pool::PoolConnection<Postgres>),
}

macro_rules! bind {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for value in $args {
            query = match value {
                Value::Int(inner) => query.bind(inner),
                Value::Real(inner) => query.bind(inner),
                Value::Text(inner) => query.bind(inner),
                Value::Blob(inner) => query.bind(inner),
            };
        }
        query
    }};
}

impl Conn {
    /// Which database it is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) | Self::Writing(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    /// Runs a statement and returns the number of rows it changed.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match self {
            Self::Writing(conn) => embedded::execute(conn, sql.into_sql_str().as_str(), &args)?,
            Self::Sqlite(conn) => bind!(sqlx::query::<Sqlite>(sql), args).execute(&mut **conn).await?.rows_affected(),
            Self::Postgres(conn) => {
                bind!(sqlx::query::<Postgres>(sql), args).execute(&mut **conn).await?.rows_affected()
            }
        })
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub async fn fetch(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Writing(conn) => embedded::fetch(conn, sql.into_sql_str().as_str(), &args),
            Self::Sqlite(conn) => {
                let rows = bind!(sqlx::query::<Sqlite>(sql), args).fetch_all(&mut **conn).await?;
                rows.iter().map(sqlite_row).collect()
            }
            Self::Postgres(conn) => {
                let rows = bind!(sqlx::query::<Postgres>(sql), args).fetch_all(&mut **conn).await?;
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub async fn fetch_optional(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// One value of the first row.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no row.
    pub async fn fetch_value<T: FromValue>(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<T, Error> {
        self.fetch_optional(sql, args).await?.ok_or(Error::NotFound)?.get(0)
    }

    /// Inserts many rows with one statement; nothing for no rows. `table` and `columns` are texts of this program, never input.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub async fn insert(
        &mut self,
        table: &'static str,
        columns: &'static str,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, Error> {
        self.insert_with(table, columns, rows, "").await
    }

    /// As [`Conn::insert`], with a clause such as `on conflict do nothing` behind it.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub async fn insert_with(
        &mut self,
        table: &'static str,
        columns: &'static str,
        rows: Vec<Vec<Value>>,
        suffix: &'static str,
    ) -> Result<u64, Error> {
        let width = columns.split(',').count();
        if let Self::Writing(conn) = self {
            let sql = format!("insert into {table} ({columns}) values {} {suffix}", tuples(Backend::Sqlite, 1, width));
            return embedded::execute_each(conn, &sql, &rows);
        }
        let mut changed = 0;
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            let size = left.min(30_000 / width);
            left -= size;
            let values = tuples(self.backend(), size, width);
            let sql = format!("insert into {table} ({columns}) values {values} {suffix}");
            changed += self.execute(AssertSqlSafe(sql), rows.by_ref().take(size).flatten().collect()).await?;
        }
        Ok(changed)
    }

    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), Error> {
        match self {
            Self::Writing(conn) => conn.execute_batch(sql)?,
            Self::Sqlite(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(|_| ())?,
            Self::Postgres(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(|_| ())?,
        }
        Ok(())
    }
}

/// `($1, $2), ($3, $4)` for `rows` rows of `width` values. SQLite counts plain `?` by itself, and much faster, for it
/// looks `$n` up as a name among all others.
pub(super) fn tuples(backend: Backend, rows: usize, width: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(rows * width * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            text.push_str(if column == 0 { "" } else { ", " });
            let _ = match backend {
                Backend::Sqlite => write!(text, "?"),
                Backend::Postgres => write!(text, "${}", row * width + column + 1),
            };
        }
        text.push(')');
    }
    text
}

/// `$first, $first+1, ...` for a list of `count` values.
#[must_use]
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for place in 0..row.len() {
        let raw = row.try_get_raw(place)?;
        let kind = raw.type_info().name().to_owned();
        values.push(match kind.as_str() {
            "NULL" => Value::Int(None),
            "INTEGER" | "BOOLEAN" => Value::Int(row.try_get(place)?),
            "REAL" => Value::Real(row.try_get(place)?),
            "BLOB" => Value::Blob(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        });
    }
    Ok(Row(values))
}

fn postgres_row(row: &PgRow) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for (place, column) in row.columns().iter().enumerate() {
        values.push(match column.type_info().name() {
            "INT8" => Value::Int(row.try_get(place)?),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(place)?.map(i64::from)),
            "BOOL" => Value::Int(row.try_get::<Option<bool>, _>(place)?.map(i64::from)),
            "FLOAT8" => Value::Real(row.try_get(place)?),
            "BYTEA" => Value::Blob(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        });
    }
    Ok(Row(values))
}
