//! Consistent copies of a database, also while a hub writes to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Error;
use super::db::{Backend, Conn};
use super::inspect::{count_rows, open, stored_objects};

/// A copy of a database, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Which database it came from; a copy goes back into the same kind only.
    pub backend: Backend,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Names of the objects that its rows say are stored.
    pub objects: Vec<String>,
}

/// Copies the database of `url` as of one moment into the new file `target`: an SQLite file, or an archive of `pg_dump`.
///
/// # Errors
/// [`Error`] of the database; [`Error::Unavailable`] when `pg_dump` is missing or fails.
pub async fn copy(url: &str, target: &Path) -> Result<Copied, Error> {
    let mut source = open(url).await?;
    // Both write into an empty file that is there, which is for its owner only.
    let unwritten = |error| Error::Unavailable(format!("{}: {error}", target.display()));
    crate::private::new_file(target).map_err(unwritten)?;
    match source.backend() {
        Backend::Sqlite => {
            source.execute("vacuum into $1", vec![target.to_string_lossy().as_ref().into()]).await?;
            let mut copy = open(&format!("sqlite:{}", target.display())).await?;
            of(&mut copy).await
        }
        Backend::Postgres => {
            source.batch("begin transaction isolation level repeatable read read only").await?;
            let snapshot: String = source.fetch_value("select pg_export_snapshot()", Vec::new()).await?;
            let mut dump = client("pg_dump", url)?;
            dump.arg("--format=custom")
                .arg("--no-owner")
                .arg(format!("--snapshot={snapshot}"))
                .arg("--file")
                .arg(target);
            finish("pg_dump", dump).await?;
            let copied = of(&mut source).await;
            source.batch("rollback").await?;
            copied
        }
    }
}

/// Puts a copy into an empty database and tells what is in it afterwards.
///
/// # Errors
/// [`Error::Invalid`] when there is something already; else as [`copy`].
pub async fn put_back(url: &str, copy: &Path) -> Result<Copied, Error> {
    if let Some(path) = url.strip_prefix("sqlite:").map(Path::new) {
        let failed = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        if path.exists() {
            return Err(Error::Invalid(format!(
                "{} is there already; restore into an empty data folder",
                path.display()
            )));
        }
        let mut database = crate::private::new_file(path).map_err(failed)?;
        std::fs::File::open(copy)
            .and_then(|mut copy| std::io::copy(&mut copy, &mut database))
            .and_then(|_| database.sync_all())
            .map_err(failed)?;
    } else {
        if !count_rows(&mut open(url).await?).await?.is_empty() {
            return Err(Error::Invalid("the database has tables already; restore into an empty one".to_owned()));
        }
        let mut restore = client("pg_restore", url)?;
        restore.arg("--exit-on-error").arg("--no-owner").arg("--single-transaction").arg(copy);
        finish("pg_restore", restore).await?;
    }
    of(&mut open(url).await?).await
}

async fn of(conn: &mut Conn) -> Result<Copied, Error> {
    Ok(Copied { backend: conn.backend(), rows: count_rows(conn).await?, objects: stored_objects(conn).await? })
}

/// A PostgreSQL client program for a database. The password goes by the environment: arguments are seen by everybody.
fn client(program: &str, url: &str) -> Result<Command, Error> {
    let mut address = url::Url::parse(url).map_err(|_| Error::Invalid("database.url is no address".to_owned()))?;
    let mut command = Command::new(program);
    if let Some(password) = address.password() {
        let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
        command.env("PGPASSWORD", password);
        // An address with a host always takes credentials.
        let _ = address.set_password(None);
    }
    command.arg(format!("--dbname={address}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

async fn finish(program: &str, mut command: Command) -> Result<(), Error> {
    let output = command.output().await.map_err(|error| {
        Error::Unavailable(format!(
            "{program} cannot be run: {error}; install the PostgreSQL client programs (Debian: postgresql-client)"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Error::Unavailable(format!("{program}: {}", text.lines().next().unwrap_or("failed without a word"))))
}
