//! `[database]`: where everything is kept.

use std::path::{Path, PathBuf};

use super::secret::Secret;
use super::section::Section;

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Which one.
    pub backend: Backend,
    /// Largest size in bytes; 0 for none. Beyond it nothing is taken (503).
    pub max_bytes: u64,
    /// Connections; SQLite uses them to read and has one more that writes.
    pub connections: u32,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// An embedded file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A PostgreSQL server, version 15 or later.
    Postgres {
        /// `postgres://USER:PASSWORD@HOST/DATABASE`.
        url: Secret,
    },
}

impl Database {
    pub(super) fn read(mut section: Section<'_>, data: &Path) -> Option<Self> {
        const EXPECTED: &str =
            "Write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, or leave it out for DATA/yingda.db";
        let origin = section.origin("url");
        let url: Option<String> = section.optional("url", EXPECTED);
        let backend = match url {
            None => Some(Backend::Sqlite { path: data.join("yingda.db") }),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                match url::Url::parse(&url) {
                    Ok(parsed) if parsed.has_host() => Some(Backend::Postgres { url: Secret::new(url) }),
                    _ => None,
                }
            }
            Some(url) => url
                .strip_prefix("sqlite:")
                .map(|path| path.strip_prefix("//").unwrap_or(path))
                .filter(|path| !path.is_empty() && !path.starts_with(':') && !path.contains('?'))
                .map(|path| Backend::Sqlite { path: PathBuf::from(path) }),
        };
        if backend.is_none() {
            // The value may hold a password.
            section.wrong(origin, "url", "is neither of the two kinds", EXPECTED);
        }
        let max_bytes = section.number("max_bytes", 0..=u64::MAX >> 1);
        let connections = section.number("connections", 2..=256).and_then(|number| u32::try_from(number).ok());
        section.finish();
        Some(Self { backend: backend?, max_bytes: max_bytes?, connections: connections? })
    }

    /// The database as an operator may be told of it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.backend {
            Backend::Sqlite { path } => format!("database {}", path.display()),
            Backend::Postgres { .. } => "database".to_owned(),
        }
    }

    /// The address of the database in the form that the driver reads. Holds the password: never to be shown.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.backend {
            Backend::Sqlite { path } => format!("sqlite:{}", path.display()),
            Backend::Postgres { url } => url.expose().to_owned(),
        }
    }
}
