//! What can go wrong with the store.

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot take writes now (full, locked, gone): the caller says 503 and nothing was stored.
    #[error("the database cannot take this now: {0}")]
    Unavailable(String),
    /// The statement failed for a reason of its own (a broken row, a constraint).
    #[error("database: {0}")]
    Database(String),
    /// The file is no database, or what is in it contradicts itself: nothing can be stored until a backup is restored.
    #[error(
        "the database is damaged: {0}. Stop the hub and restore a backup into an empty data folder: yingda restore --data DIR BACKUP"
    )]
    Damaged(String),
    /// The schema is not one that this program makes; says what to do.
    #[error("schema: {0}")]
    OtherSchema(String),
    /// A row has another shape than the program expects.
    #[error("a stored value has an unexpected shape: {0}")]
    Shape(String),
    /// No such thing in this city.
    #[error("not found")]
    NotFound,
    /// It changed since the caller saw it: its version now.
    #[error("changed since version {seen}; it is at version {now}")]
    Changed {
        /// The version the caller saw.
        seen: i64,
        /// The version now.
        now: i64,
    },
    /// Not allowed in this state; the message names what is.
    #[error("{0}")]
    Illegal(String),
    /// The request cannot be carried out as it stands; says what to do.
    #[error("{0}")]
    Invalid(String),
    /// More is asked for at once than the hub does: the caller says 503.
    #[error("too much is asked for at once; try again in a moment")]
    Busy,
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopping,
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError::{Execute, VersionMismatch, VersionMissing};
        match error {
            VersionMissing(version) => Self::OtherSchema(unknown_version(version)),
            VersionMismatch(version) => Self::OtherSchema(different_version(version)),
            Execute(error) => error.into(),
            other => Self::Database(format!("migration: {other}")),
        }
    }
}

/// A migration was applied that this program does not have.
pub(super) fn unknown_version(version: i64) -> String {
    format!("version {version} is unknown to this program; install the version that made it")
}

/// A migration was applied that this program has in another form.
pub(super) fn different_version(version: i64) -> String {
    format!("version {version} is not the one this program knows; restore a backup")
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                // SQLite: 13 full, 5 busy, 6 locked, 10 i/o; PostgreSQL: class 53 resources, 57 operator, 08 connection, 40 rollback, 25006 read-only.
                let sqlite =
                    code.parse::<u32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13) && number < 10_000);
                let postgres = code.len() == 5 && ["53", "57", "08", "40"].iter().any(|class| code.starts_with(class))
                    || code == "25006";
                // SQLite: 11 corrupt, 26 not a database.
                if code.parse::<u32>().is_ok_and(|number| matches!(number & 0xff, 11 | 26) && number < 10_000) {
                    Self::Damaged(database.message().to_owned())
                } else if sqlite || postgres {
                    Self::Unavailable(database.message().to_owned())
                } else {
                    Self::Database(database.message().to_owned())
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_) => Self::Unavailable(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}
