//! Looks at a database from outside, changing nothing: for `yingda check`, `yingda doctor` and backups.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use channel_contract::Finding;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};

use super::Error;
use super::db::{Backend, Conn};
use super::error::{different_version, unknown_version};
use super::pool::{POSTGRES_MIGRATIONS, Pool, SQLITE_MIGRATIONS};

/// The oldest PostgreSQL that is supported, as `server_version_num` has it.
const POSTGRES_VERSION: i64 = 150_000;

/// An SQLite file of this many bytes is read as a whole within about a second.
const SOON_READ_BYTES: u64 = 256 * 1024 * 1024;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Whether it can be opened and has the schema that this program makes; every page of an SQLite file that is not large.
    Quick,
    /// Settings and, for SQLite, every page too.
    Full,
}

/// A single connection that cannot write, without touching schema or settings. An SQLite file must be there.
///
/// # Errors
/// [`Error`] when it cannot be opened.
pub async fn open(url: &str) -> Result<Conn, Error> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let options = PgConnectOptions::from_str(url)?
            .application_name("yingda")
            .options([("default_transaction_read_only", "on")]);
        // A pool tells only that it waited in vain; a bare connection tells why.
        PgConnection::connect_with(&options).await?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        return Ok(Conn::Postgres(pool.acquire().await?));
    }
    let options = SqliteConnectOptions::from_str(url)?.read_only(true).busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await?;
    Ok(Conn::Sqlite(pool.acquire().await?))
}

/// What is well and what is not.
pub async fn look(url: &str, depth: Depth) -> Vec<Finding> {
    if let Some(path) = url.strip_prefix("sqlite:").map(Path::new)
        && !path.exists()
    {
        return vec![Finding::good(
            "database",
            format!("{} is not there yet; made at the first start", path.display()),
        )];
    }
    let mut conn = match open(url).await {
        Ok(conn) => conn,
        Err(error) => {
            return vec![Finding::bad(
                "database",
                format!("cannot be opened: {error}; look at database.url and the server"),
            )];
        }
    };
    let mut findings = vec![schema(&mut conn).await];
    findings.extend(missing(&mut conn).await);
    let looked = match conn.backend() {
        Backend::Sqlite => sqlite(url, &mut conn, depth, &mut findings).await,
        Backend::Postgres => postgres(&mut conn, depth, &mut findings).await,
    };
    if let Err(error) = looked {
        findings.push(Finding::bad("database", error.to_string()));
    }
    findings
}

/// Compares the migrations that were applied with those of this program.
async fn schema(conn: &mut Conn) -> Finding {
    let (migrations, sql) = match conn.backend() {
        Backend::Sqlite => (&SQLITE_MIGRATIONS, "select count(*) from sqlite_master where name = '_sqlx_migrations'"),
        Backend::Postgres => (
            &POSTGRES_MIGRATIONS,
            "select count(*) from pg_tables where tablename = '_sqlx_migrations' and schemaname = current_schema()",
        ),
    };
    let applied = async {
        if conn.fetch_value::<i64>(sql, Vec::new()).await? == 0 {
            return Ok::<_, Error>(BTreeMap::new());
        }
        let rows = conn
            .fetch("select version, checksum from _sqlx_migrations where success order by version", Vec::new())
            .await?;
        rows.iter().map(|row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?))).collect()
    };
    let applied = match applied.await {
        Ok(applied) => applied,
        Err(error) => return Finding::bad("schema", error.to_string()),
    };
    let ours: BTreeMap<i64, &[u8]> =
        migrations.iter().map(|migration| (migration.version, migration.checksum.as_ref())).collect();
    if let Some(version) = applied.keys().find(|version| !ours.contains_key(version)) {
        return Finding::bad("schema", unknown_version(*version));
    }
    if let Some((version, _)) =
        applied.iter().find(|(version, checksum)| ours.get(version).is_some_and(|ours| *ours != checksum.as_slice()))
    {
        return Finding::bad("schema", different_version(*version));
    }
    let missing = ours.len() - applied.len();
    let last = applied.keys().last().copied().unwrap_or_default();
    match missing {
        0 => Finding::good("schema", format!("version {last}")),
        _ => Finding::good(
            "schema",
            format!("version {last}, {missing} migrations are due; made by `yingda serve` or `yingda migrate`"),
        ),
    }
}

/// Tables, indexes and triggers that the applied migrations made and that are not there.
async fn missing(conn: &mut Conn) -> Option<Finding> {
    let (migrations, sql) = match conn.backend() {
        Backend::Sqlite => (&SQLITE_MIGRATIONS, "select name from sqlite_master"),
        Backend::Postgres => (
            &POSTGRES_MIGRATIONS,
            "select relname::text from pg_class where relnamespace = current_schema()::regnamespace
             union select tgname::text from pg_trigger",
        ),
    };
    // Without migrations there is nothing to miss; what else is wrong with the database, `schema` tells.
    let applied = conn.fetch("select version from _sqlx_migrations where success", Vec::new()).await.ok()?;
    let applied: BTreeSet<i64> = applied.iter().filter_map(|row| row.get(0).ok()).collect();
    let texts = migrations.iter().filter(|migration| applied.contains(&migration.version));
    let made = made(texts.map(|migration| migration.sql.as_str()));
    let there = conn.fetch(sql, Vec::new()).await.ok()?;
    let there: BTreeSet<String> = there.iter().filter_map(|row| row.get(0).ok()).collect();
    let gone = |name: &String| !there.contains(name);
    // What belongs to a table that is gone is gone with it.
    let names: Vec<&str> = made
        .iter()
        .filter(|(name, table)| gone(name) && (name == table || !gone(table)))
        .map(|(name, _)| name.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        Finding::bad("schema", format!("{names}: missing, though the migrations made it; restore a backup"))
    })
}

/// What migrations leave behind: each table, index and trigger with the table it belongs to. Reads the statements' first
/// lines, which the files of `migrations/` begin with `create`, `drop` or `alter`.
fn made<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for line in texts.flat_map(str::lines) {
        let words: Vec<&str> = line.split([' ', ';', '(']).filter(|word| !word.is_empty()).collect();
        match *words.as_slice() {
            ["create", "table", name, ..] | ["create", "virtual", "table", name, ..] => {
                made.insert(name.to_owned(), name.to_owned());
            }
            ["create", "index", name, "on", table, ..] | ["create", "unique", "index", name, "on", table, ..] => {
                made.insert(name.to_owned(), table.to_owned());
            }
            ["create", "trigger", name, ref rest @ ..] => {
                if let Some(table) = rest.iter().skip_while(|word| **word != "on").nth(1) {
                    made.insert(name.to_owned(), (*table).to_owned());
                }
            }
            ["drop", "table", table] => made.retain(|_, of| of != table),
            ["drop", "index", name] => {
                made.remove(name);
            }
            ["alter", "table", old, "rename", "to", new] => {
                if made.remove(old).is_some() {
                    made.insert(new.to_owned(), new.to_owned());
                }
                for of in made.values_mut().filter(|of| *of == old) {
                    new.clone_into(of);
                }
            }
            _ => {}
        }
    }
    made
}

async fn sqlite(url: &str, conn: &mut Conn, depth: Depth, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let bytes = url.strip_prefix("sqlite:").and_then(|path| Path::new(path).metadata().ok()).map_or(0, |own| own.len());
    if depth == Depth::Quick && bytes > SOON_READ_BYTES {
        findings.push(Finding::good("database pages", "not read, they are many; `yingda doctor` reads them"));
        return Ok(());
    }
    let damage: String = conn.fetch_value("pragma quick_check(1)", Vec::new()).await?;
    findings.push(match damage.as_str() {
        "ok" => Finding::good("database pages", "no damage"),
        _ => Finding::bad("database pages", format!("{damage}; stop the hub and restore a backup")),
    });
    if depth == Depth::Quick {
        return Ok(());
    }
    // What the hub's own connections are set to, since both settings belong to a connection.
    let pool = Pool::open(url, 0, 2).await?;
    let mut own = pool.write().await?;
    let journal: String = own.fetch_value("pragma journal_mode", Vec::new()).await?;
    let synchronous: i64 = own.fetch_value("pragma synchronous", Vec::new()).await?;
    findings.push(match journal.as_str() {
        "wal" => Finding::good("database journal", "wal"),
        other => {
            Finding::bad("database journal", format!("{other} instead of wal; the file must stand on a local disk"))
        }
    });
    findings.push(match synchronous {
        2 | 3 => Finding::good("database synchronous", "full: what is committed is on disk"),
        other => Finding::bad("database synchronous", format!("{other} instead of 2 (full)")),
    });
    drop(own);
    pool.close().await;
    Ok(())
}

async fn postgres(conn: &mut Conn, depth: Depth, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let version: i64 = conn.fetch_value("select current_setting('server_version_num')::bigint", Vec::new()).await?;
    let shown = format!("{}.{}", version / 10_000, version % 10_000);
    findings.push(if version >= POSTGRES_VERSION {
        Finding::good("PostgreSQL", shown)
    } else {
        Finding::bad("PostgreSQL", format!("{shown} is too old; version 15 or later is needed"))
    });
    let encoding: String = conn.fetch_value("select current_setting('server_encoding')", Vec::new()).await?;
    if encoding != "UTF8" {
        findings.push(Finding::bad("database encoding", format!("{encoding}; create the database with encoding UTF8")));
    }
    if depth == Depth::Quick {
        return Ok(());
    }
    let collation: String = conn
        .fetch_value("select datctype::text from pg_database where datname = current_database()", Vec::new())
        .await?;
    findings.push(if ["C", "POSIX"].contains(&collation.as_str()) {
        Finding::bad(
            "database locale",
            format!("{collation} does not know Chinese letters; create the database with locale C.UTF-8"),
        )
    } else {
        Finding::good("database locale", collation)
    });
    for (setting, wanted) in [
        ("fsync", &["on"][..]),
        ("full_page_writes", &["on"]),
        ("synchronous_commit", &["on", "remote_apply", "remote_write"]),
    ] {
        let value: String = conn.fetch_value("select current_setting($1)", vec![setting.into()]).await?;
        let check = format!("PostgreSQL {setting}");
        findings.push(if wanted.contains(&value.as_str()) {
            Finding::good(&check, value)
        } else {
            Finding::bad(&check, format!("{value}: a commit may be lost in a power failure; set it to on"))
        });
    }
    Ok(())
}

/// The number of rows of every table of this program, by name.
///
/// # Errors
/// [`Error`] of the database.
pub async fn count_rows(conn: &mut Conn) -> Result<BTreeMap<String, u64>, Error> {
    let names = match conn.backend() {
        Backend::Sqlite => "
            select name
            from sqlite_master
            where type = 'table' and name not like 'sqlite%' and name not like '\\_sqlx%' escape '\\' and name not like 'search%'
            order by name",
        Backend::Postgres => "
            select tablename::text
            from pg_tables
            where schemaname = current_schema() and tablename not like '\\_sqlx%' and tablename not like 'search%'
            order by tablename",
    };
    let mut counts = BTreeMap::new();
    for row in conn.fetch(names, Vec::new()).await? {
        let name: String = row.get(0)?;
        // The name comes from the catalogue of the database itself.
        let sql = format!("select count(*) from \"{}\"", name.replace('"', "\"\""));
        let count: i64 = conn.fetch_value(AssertSqlSafe(sql), Vec::new()).await?;
        counts.insert(name, u64::try_from(count).unwrap_or_default());
    }
    Ok(counts)
}

/// The names of all objects that rows say are stored.
///
/// # Errors
/// [`Error`] of the database.
pub async fn stored_objects(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let sql = "
        select distinct sha256
        from attachments
        where state = 'stored' and sha256 is not null
        order by sha256";
    conn.fetch(sql, Vec::new()).await?.iter().map(|row| row.get(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_migrations_made_is_missed_when_it_is_gone() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("yingda.db");
        let url = format!("sqlite:{}", path.display());
        let pool = Pool::open(&url, 0, 2).await.expect("opened");
        pool.migrate().await.expect("migrated");
        let mut writer = pool.write().await.expect("writer");

        let sql = "select name from sqlite_master where type in ('table', 'index', 'trigger') and sql is not null";
        let there = writer.fetch(sql, Vec::new()).await.expect("names");
        let there: BTreeSet<String> = there.iter().map(|row| row.get(0).expect("name")).collect();
        // What SQLite, its full-text search and the migrations keep for themselves is not named in these.
        let unnamed = |name: &&String| {
            !name.starts_with("search_") && !name.starts_with("_sqlx_") && !name.starts_with("sqlite_")
        };
        let made: BTreeSet<String> =
            made(SQLITE_MIGRATIONS.iter().map(|migration| migration.sql.as_str())).into_keys().collect();
        assert!(made.is_subset(&there), "{:?}", made.difference(&there).collect::<Vec<_>>());
        assert_eq!(
            there.difference(&made).filter(unnamed).count(),
            0,
            "{:?}",
            there.difference(&made).collect::<Vec<_>>()
        );

        for statement in ["drop table tickets", "drop index staff_by_login", "drop trigger audit_is_append_only_delete"]
        {
            writer.execute(statement, Vec::new()).await.expect("dropped");
        }
        let page = "select rootpage from sqlite_master where name = 'staff'";
        let page: i64 = writer.fetch_value(page, Vec::new()).await.expect("a page");
        writer.fetch("pragma wal_checkpoint(truncate)", Vec::new()).await.expect("all in the file");
        drop(writer);
        let findings = look(&url, Depth::Quick).await;
        let told: Vec<&str> =
            findings.iter().filter(|finding| !finding.ok).map(|finding| finding.detail.as_str()).collect();
        let names = "audit_is_append_only_delete, staff_by_login, tickets: missing";
        assert!(matches!(told.as_slice(), [told] if told.starts_with(names)), "{told:?}");
        pool.close().await;

        // The first page of a table is written over.
        let mut bytes = std::fs::read(&path).expect("read");
        let start = usize::try_from((page - 1) * 4096).expect("a place");
        bytes.get_mut(start..start + 4096).expect("a page").fill(0xa5);
        std::fs::write(&path, bytes).expect("damaged");
        let findings = look(&url, Depth::Quick).await;
        assert!(findings.iter().any(|finding| !finding.ok && finding.check == "database pages"), "{findings:?}");
    }

    #[tokio::test]
    async fn a_database_is_looked_at_without_changing_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("yingda.db");
        let url = format!("sqlite:{}", path.display());
        let absent = look(&url, Depth::Full).await;
        assert!(absent.iter().all(|finding| finding.ok) && !path.exists(), "{absent:?}");

        let pool = Pool::open(&url, 0, 2).await.expect("opened");
        let before = look(&url, Depth::Quick).await;
        assert!(before.iter().any(|finding| finding.detail.contains("migrations are due")), "{before:?}");
        pool.migrate().await.expect("migrated");
        let after = look(&url, Depth::Full).await;
        assert!(after.iter().all(|finding| finding.ok), "{after:?}");
        assert!(after.iter().any(|finding| finding.detail == "wal"), "{after:?}");
        let mut conn = open(&url).await.expect("opened");
        let counts = count_rows(&mut conn).await.expect("counted");
        assert_eq!(counts.get("tickets"), Some(&0), "{counts:?}");
        conn.execute("insert into cities (city) values ('x')", Vec::new()).await.expect_err("cannot write");

        pool.write()
            .await
            .expect("writer")
            .execute("update _sqlx_migrations set checksum = x'00'", Vec::new())
            .await
            .expect("changed");
        let strange = look(&url, Depth::Quick).await;
        assert!(strange.iter().any(|finding| !finding.ok && finding.check == "schema"), "{strange:?}");
        pool.write()
            .await
            .expect("writer")
            .execute(
                "update _sqlx_migrations set version = 99 where version = (select max(version) from _sqlx_migrations)",
                Vec::new(),
            )
            .await
            .expect("changed");
        let newer = look(&url, Depth::Quick).await;
        assert!(
            newer.iter().any(|finding| !finding.ok && finding.detail.contains("version 99 is unknown")),
            "{newer:?}"
        );
        pool.close().await;

        std::fs::write(&path, "no database at all, but long enough to be taken for one".repeat(100)).expect("written");
        assert!(look(&url, Depth::Quick).await.iter().any(|finding| !finding.ok));
    }
}
