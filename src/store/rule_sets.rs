//! Rule sets: their texts by version, and their lives as drafts, backtested, published and superseded.

use super::Error;
use super::db::{Conn, Row, Value};
use crate::domain::Millis;

/// Where a rule set stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Imported, not yet tried on the past.
    Draft,
    /// Tried on the past; may be published.
    Backtested,
    /// Decides now; one of them in a city.
    Published,
    /// Decided once; may be rolled back to.
    Superseded,
}

impl Stage {
    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Backtested => "backtested",
            Self::Published => "published",
            Self::Superseded => "superseded",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Draft, Self::Backtested, Self::Published, Self::Superseded]
            .into_iter()
            .find(|stage| stage.as_str() == word)
    }
}

/// The life of one rule set.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct RuleSetRow {
    /// Counts from 1 within the city, in order of import.
    pub number: i64,
    pub version: String,
    pub imported: String,
    pub state: Stage,
    pub pack: String,
    pub note: Option<String>,
    pub drafted_at: Millis,
    pub drafted_by: String,
    pub backtested_at: Option<Millis>,
    pub backtested_by: Option<String>,
    pub published_at: Option<Millis>,
    pub published_by: Option<String>,
    pub superseded_at: Option<Millis>,
}

const COLUMNS: &str = "number, version, imported, state, pack, note, drafted_at, drafted_by, backtested_at, backtested_by, \
     published_at, published_by, superseded_at";

fn rule_set_row(row: &Row) -> Result<RuleSetRow, Error> {
    let state: String = row.get(3)?;
    Ok(RuleSetRow {
        number: row.get(0)?,
        version: row.get(1)?,
        imported: row.get(2)?,
        state: Stage::parse(&state).ok_or(Error::Shape(state))?,
        pack: row.get(4)?,
        note: row.get(5)?,
        drafted_at: row.get(6)?,
        drafted_by: row.get(7)?,
        backtested_at: row.get(8)?,
        backtested_by: row.get(9)?,
        published_at: row.get(10)?,
        published_by: row.get(11)?,
        superseded_at: row.get(12)?,
    })
}

async fn rows(conn: &mut Conn, condition: &str, args: Vec<Value>) -> Result<Vec<RuleSetRow>, Error> {
    let sql = format!("select {COLUMNS} from rule_set_versions where city = $1 {condition}");
    conn.fetch(sqlx::AssertSqlSafe(sql), args).await?.iter().map(rule_set_row).collect()
}

/// Every rule set of a city, the newest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn all(conn: &mut Conn, city: &str) -> Result<Vec<RuleSetRow>, Error> {
    rows(conn, "order by number desc", vec![city.into()]).await
}

/// One rule set by its number.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(conn: &mut Conn, city: &str, number: i64) -> Result<RuleSetRow, Error> {
    rows(conn, "and number = $2", vec![city.into(), number.into()]).await?.pop().ok_or(Error::NotFound)
}

/// The rule set that decides now; `None` before the first start has imported one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn published(conn: &mut Conn, city: &str) -> Result<Option<RuleSetRow>, Error> {
    Ok(rows(conn, "and state = 'published'", vec![city.into()]).await?.pop())
}

/// The rule set whose text is or was, when imported, this one.
///
/// # Errors
/// [`Error`] of the database.
pub async fn by_version(conn: &mut Conn, city: &str, version: &str) -> Result<Option<RuleSetRow>, Error> {
    let found = rows(conn, "and (version = $2 or imported = $2) order by number", vec![city.into(), version.into()]);
    Ok(found.await?.pop())
}

/// The report of its last backtest, as JSON.
///
/// # Errors
/// [`Error::NotFound`] when there is no such rule set.
pub async fn report(conn: &mut Conn, city: &str, number: i64) -> Result<Option<String>, Error> {
    conn.fetch_value(
        "select report from rule_set_versions where city = $1 and number = $2",
        vec![city.into(), number.into()],
    )
    .await
}

/// The files of a version, as a JSON object of paths and texts.
///
/// # Errors
/// [`Error::NotFound`] when this version was never kept.
pub async fn files(conn: &mut Conn, city: &str, version: &str) -> Result<String, Error> {
    conn.fetch_value("select files from rule_sets where city = $1 and version = $2", vec![city.into(), version.into()])
        .await
}

/// Keeps the files of a rule set under its version; one that is there stays as it is.
///
/// # Errors
/// [`Error`] of the database.
pub async fn keep_files(conn: &mut Conn, city: &str, version: &str, files: &str, now: Millis) -> Result<(), Error> {
    let row = vec![city.into(), version.into(), now.into(), files.into()];
    conn.insert_with("rule_sets", "city, version, loaded_at, files", vec![row], "on conflict do nothing")
        .await
        .map(|_| ())
}

/// A rule set to be drafted.
#[derive(Debug, Clone)]
pub struct NewRuleSet {
    /// The version of its text.
    pub version: String,
    /// The pack's own id.
    pub pack: String,
    /// Its files, see [`files`].
    pub files: String,
    /// What is new in it, in the drafter's words.
    pub note: Option<String>,
    /// Who drafts it.
    pub by: String,
}

/// Adds a draft under the next number. The city's row is locked, so that numbers follow one another.
///
/// # Errors
/// [`Error`] of the database.
pub async fn draft(conn: &mut Conn, city: &str, new: &NewRuleSet, now: Millis) -> Result<i64, Error> {
    lock(conn, city).await?;
    let last: Option<i64> =
        conn.fetch_value("select max(number) from rule_set_versions where city = $1", vec![city.into()]).await?;
    let number = last.unwrap_or_default() + 1;
    keep_files(conn, city, &new.version, &new.files, now).await?;
    let row = vec![
        city.into(),
        number.into(),
        new.version.as_str().into(),
        new.version.as_str().into(),
        Stage::Draft.as_str().into(),
        new.pack.as_str().into(),
        new.note.as_deref().into(),
        now.into(),
        new.by.as_str().into(),
    ];
    conn.insert(
        "rule_set_versions",
        "city, number, version, imported, state, pack, note, drafted_at, drafted_by",
        vec![row],
    )
    .await?;
    Ok(number)
}

async fn counts(conn: &mut Conn, sql: &'static str, city: &str) -> Result<Vec<(String, i64)>, Error> {
    conn.fetch(sql, vec![city.into()]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// How many open tickets are about each item; those without one are not counted.
///
/// # Errors
/// [`Error`] of the database.
pub async fn open_by_item(conn: &mut Conn, city: &str) -> Result<Vec<(String, i64)>, Error> {
    // The index of open tickets holds all that is asked for.
    let sql =
        "select item, count(*) from tickets where city = $1 and state <> 'closed' and item is not null group by item";
    counts(conn, sql, city).await
}

/// How many open tickets each department leads or assists.
///
/// # Errors
/// [`Error`] of the database.
pub async fn open_by_department(conn: &mut Conn, city: &str) -> Result<Vec<(String, i64)>, Error> {
    let sql = "select a.department, count(distinct a.ticket) from tickets t
         join assignments a on a.city = t.city and a.ticket = t.number
         where t.city = $1 and t.state <> 'closed' and a.ended_at is null group by a.department";
    counts(conn, sql, city).await
}

/// Lets one change of the city's rule sets follow another.
///
/// # Errors
/// [`Error`] of the database.
pub async fn lock(conn: &mut Conn, city: &str) -> Result<(), Error> {
    // Both databases lock a row that is written.
    conn.execute("update cities set position = position where city = $1", vec![city.into()]).await.map(|_| ())
}

/// A backtest that is done.
#[derive(Debug, Clone)]
pub struct Backtested {
    /// The version of the text that now holds what was measured.
    pub version: String,
    /// That text, see [`files`].
    pub files: String,
    /// The report as JSON.
    pub report: String,
    /// Who ran it.
    pub by: String,
}

/// Marks a draft as backtested and gives it what was measured.
///
/// # Errors
/// [`Error::Illegal`] when it was published meanwhile, for what decided must stay as it was.
pub async fn backtested(conn: &mut Conn, city: &str, number: i64, done: &Backtested, now: Millis) -> Result<(), Error> {
    keep_files(conn, city, &done.version, &done.files, now).await?;
    let changed = conn
        .execute(
            "update rule_set_versions set state = 'backtested', version = $3, report = $4, backtested_at = $5, backtested_by = $6
             where city = $1 and number = $2 and state in ('draft', 'backtested')",
            vec![
                city.into(),
                number.into(),
                done.version.as_str().into(),
                done.report.as_str().into(),
                now.into(),
                done.by.as_str().into(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Illegal("it was published meanwhile; what decides is never changed".to_owned()));
    }
    Ok(())
}

/// Keeps the report of a backtest of a rule set that decides or has decided; its text stays.
///
/// # Errors
/// [`Error`] of the database.
pub async fn keep_report(
    conn: &mut Conn,
    city: &str,
    number: i64,
    done: &Backtested,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update rule_set_versions set report = $3, backtested_at = $4, backtested_by = $5 where city = $1 and number = $2",
        vec![city.into(), number.into(), done.report.as_str().into(), now.into(), done.by.as_str().into()],
    )
    .await
    .map(|_| ())
}

/// Makes one rule set the one that decides, and the one before it superseded.
///
/// # Errors
/// [`Error`] of the database.
pub async fn publish(conn: &mut Conn, city: &str, number: i64, by: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update rule_set_versions set state = 'superseded', superseded_at = $2 where city = $1 and state = 'published'",
        vec![city.into(), now.into()],
    )
    .await?;
    conn.execute(
        "update rule_set_versions set state = 'published', published_at = $3, published_by = $4, superseded_at = null
         where city = $1 and number = $2",
        vec![city.into(), number.into(), now.into(), by.into()],
    )
    .await
    .map(|_| ())
}
