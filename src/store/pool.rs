//! Opening the database, with the settings that make "committed" mean "on disk".

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, SqlitePool};

use super::checkpoint::{self, Checkpointer};
use super::db::{Backend, Conn};
use super::{Error, embedded};

/// Connections of either database. SQLite has one writing connection; readers see the last commit (WAL).
#[derive(Debug, Clone)]
pub enum Pool {
    /// SQLite.
    Sqlite {
        /// Readers.
        read: SqlitePool,
        /// The file, of which the writer has a connection of its own.
        path: std::path::PathBuf,
        /// How large the file may grow; 0 for as large as the disk.
        max_bytes: u64,
    },
    /// PostgreSQL.
    Postgres(PgPool),
}

pub(super) static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

impl Pool {
    /// Opens `sqlite:PATH` or `postgres://...`. `max_bytes` limits the size of an SQLite file; 0 is no limit.
    ///
    /// # Errors
    /// [`Error`] when it cannot be opened.
    pub async fn open(url: &str, max_bytes: u64, connections: u32) -> Result<Self, Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url)?.application_name("yingda").statement_cache_capacity(512);
            let pool = PgPoolOptions::new()
                .max_connections(connections.max(2))
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .foreign_keys(false)
            .statement_cache_capacity(512)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "memory");
        let path = options.get_filename().to_owned();
        // Readers need a file that is there and in WAL mode.
        drop(embedded::open(&path, max_bytes)?);
        let read = SqlitePoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { read, path, max_bytes })
    }

    /// Which database it is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        match self {
            Self::Sqlite { .. } => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// [`Error`] when a migration fails; it is rolled back then.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(match self {
            Self::Sqlite { path, .. } => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
                let mut conn = options.connect().await?;
                let migrated = SQLITE_MIGRATIONS.run(&mut conn).await;
                conn.close().await?;
                migrated
            }
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
        }?)
    }

    /// A connection to read with.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none is to be had.
    pub async fn read(&self) -> Result<Conn, Error> {
        Ok(match self {
            Self::Sqlite { read, .. } => Conn::Sqlite(read.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        })
    }

    /// A connection to write with; only the writer asks. SQLite's is a new one, to be kept.
    pub(super) async fn write(&self) -> Result<Conn, Error> {
        Ok(match self {
            Self::Sqlite { path, max_bytes, .. } => Conn::Writing(Box::new(embedded::open(path, *max_bytes)?)),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        })
    }

    /// What keeps SQLite's log short for its writer.
    pub(super) fn checkpointer(&self) -> Option<Checkpointer> {
        match self {
            Self::Sqlite { path, .. } => Some(Checkpointer::start(path, checkpoint::MOST)),
            Self::Postgres(_) => None,
        }
    }

    /// Closes every connection, after what runs has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, .. } => read.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
