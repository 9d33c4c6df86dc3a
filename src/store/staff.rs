//! Staff, their sessions and API tokens. Secrets are stored as hashes only.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Conn, Row, Value, placeholders};
use crate::domain::{Actor, Id, Millis, Role};

/// A member of staff.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct StaffRow {
    pub id: Id,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub department: Option<String>,
    pub identity: bool,
    /// A PHC string (argon2id).
    pub password_hash: String,
    pub failures: i64,
    pub locked_until: Option<Millis>,
    pub disabled_at: Option<Millis>,
    pub version: i64,
    pub created_at: Millis,
}

impl StaffRow {
    /// As somebody who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            id: format!("staff:{}", self.id),
            name: self.name.clone(),
            role: self.role,
            department: self.department.clone(),
            identity: self.identity,
        }
    }
}

const STAFF: &str = "s.id, s.login, s.name, s.role, s.department, s.identity, s.password_hash, s.failures, s.locked_until, s.disabled_at, s.version, s.created_at";

fn staff_row(row: &Row) -> Result<StaffRow, Error> {
    Ok(StaffRow {
        id: row.get(0)?,
        login: row.get(1)?,
        name: row.get(2)?,
        role: role(row.get(3)?)?,
        department: row.get(4)?,
        identity: row.get(5)?,
        password_hash: row.get(6)?,
        failures: row.get(7)?,
        locked_until: row.get(8)?,
        disabled_at: row.get(9)?,
        version: row.get(10)?,
        created_at: row.get(11)?,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the value was just taken out of a row")]
fn role(word: String) -> Result<Role, Error> {
    Role::parse(&word).ok_or_else(|| Error::Shape("role".to_owned()))
}

/// What a new member of staff or a new token is allowed.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The department; handlers must have one.
    pub department: Option<String>,
    /// Whether it may see who citizens are.
    pub identity: bool,
}

/// Adds a member of staff.
///
/// # Errors
/// [`Error::Invalid`] when the login is taken.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn create(
    conn: &mut Conn,
    city: &str,
    id: &Id,
    login: &str,
    name: &str,
    grant: &Grant,
    password_hash: &str,
    now: Millis,
) -> Result<(), Error> {
    let added = conn
        .execute(
            "insert into staff (city, id, login, name, role, department, identity, password_hash, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
            vec![
                city.into(),
                id.into(),
                login.into(),
                name.into(),
                grant.role.as_str().into(),
                grant.department.clone().into(),
                grant.identity.into(),
                password_hash.into(),
                now.into(),
            ],
        )
        .await?;
    if added == 0 { Err(Error::Invalid(format!("the login {login} is taken"))) } else { Ok(()) }
}

/// A member of staff by login.
///
/// # Errors
/// [`Error`] of the database.
pub async fn by_login(conn: &mut Conn, city: &str, login: &str) -> Result<Option<StaffRow>, Error> {
    let sql = format!("select {STAFF} from staff s where s.city = $1 and s.login = $2");
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), login.into()]).await?.as_ref().map(staff_row).transpose()
}

/// A member of staff by id.
///
/// # Errors
/// [`Error`] of the database.
pub async fn by_id(conn: &mut Conn, city: &str, id: &str) -> Result<Option<StaffRow>, Error> {
    let sql = format!("select {STAFF} from staff s where s.city = $1 and s.id = $2");
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), id.into()]).await?.as_ref().map(staff_row).transpose()
}

/// The names of these actors, as the audit log names them (`staff:ID`, `token:ID`); those that are unknown are left out.
///
/// # Errors
/// [`Error`] of the database.
pub async fn names<'a>(
    conn: &mut Conn,
    city: &str,
    actors: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, Error> {
    let wanted: BTreeSet<&str> = actors.into_iter().collect();
    let mut names = BTreeMap::new();
    for (kind, table) in [("staff:", "staff"), ("token:", "api_tokens")] {
        let ids: Vec<&str> = wanted.iter().filter_map(|actor| actor.strip_prefix(kind)).collect();
        if ids.is_empty() {
            continue;
        }
        let sql = format!("select id, name from {table} where city = $1 and id in ({})", placeholders(2, ids.len()));
        let args = std::iter::once(Value::from(city)).chain(ids.into_iter().map(Value::from)).collect();
        for row in conn.fetch(AssertSqlSafe(sql), args).await? {
            names.insert(format!("{kind}{}", row.get::<String>(0)?), row.get(1)?);
        }
    }
    Ok(names)
}

/// All staff, by login.
///
/// # Errors
/// [`Error`] of the database.
pub async fn all(conn: &mut Conn, city: &str) -> Result<Vec<StaffRow>, Error> {
    let sql = format!("select {STAFF} from staff s where s.city = $1 order by s.login");
    conn.fetch(AssertSqlSafe(sql), vec![city.into()]).await?.iter().map(staff_row).collect()
}

/// Writes a changed member of staff over the version that the caller saw; a new password unlocks.
///
/// # Errors
/// [`Error::Changed`] when somebody else was quicker, [`Error::NotFound`].
pub async fn update(conn: &mut Conn, city: &str, row: &StaffRow) -> Result<(), Error> {
    let changed = conn
        .execute(
            "update staff set name = $3, role = $4, department = $5, identity = $6, password_hash = $7, disabled_at = $8, failures = 0,
                 locked_until = null, version = version + 1
             where city = $1 and id = $2 and version = $9",
            vec![
                city.into(),
                (&row.id).into(),
                (&row.name).into(),
                row.role.as_str().into(),
                row.department.clone().into(),
                row.identity.into(),
                (&row.password_hash).into(),
                row.disabled_at.into(),
                row.version.into(),
            ],
        )
        .await?;
    if changed == 1 {
        return Ok(());
    }
    let now = by_id(conn, city, row.id.as_str()).await?.ok_or(Error::NotFound)?.version;
    Err(Error::Changed { seen: row.version, now })
}

/// Counts a wrong password; from the `most`th in a row on, the login is locked until `until`.
///
/// # Errors
/// [`Error`] of the database.
pub async fn failed(conn: &mut Conn, city: &str, id: &Id, most: i64, until: Millis) -> Result<(), Error> {
    conn.execute(
        "update staff set failures = failures + 1, locked_until = case when failures + 1 >= $3 then $4 else locked_until end
         where city = $1 and id = $2",
        vec![city.into(), id.into(), most.into(), until.into()],
    )
    .await
    .map(|_| ())
}

/// Begins a session and forgets earlier failures.
///
/// # Errors
/// [`Error`] of the database.
pub async fn begin_session(
    conn: &mut Conn,
    city: &str,
    staff: &Id,
    token_hash: [u8; 32],
    now: Millis,
    expires_at: Millis,
) -> Result<(), Error> {
    conn.execute(
        "update staff set failures = 0, locked_until = null where city = $1 and id = $2",
        vec![city.into(), staff.into()],
    )
    .await?;
    conn.execute("delete from staff_sessions where city = $1 and expires_at < $2", vec![city.into(), now.into()])
        .await?;
    conn.execute(
        "insert into staff_sessions (city, token_hash, staff_id, created_at, last_seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)",
        vec![city.into(), token_hash.into(), staff.into(), now.into(), expires_at.into()],
    )
    .await
    .map(|_| ())
}

/// The member of staff of a session that is still good, and when it was last used.
///
/// # Errors
/// [`Error`] of the database.
pub async fn session(
    conn: &mut Conn,
    city: &str,
    token_hash: [u8; 32],
    now: Millis,
    idle: Millis,
) -> Result<Option<(StaffRow, Millis)>, Error> {
    let sql = format!(
        "select {STAFF}, e.last_seen_at from staff_sessions e join staff s on s.city = e.city and s.id = e.staff_id
         where e.city = $1 and e.token_hash = $2 and e.expires_at > $3 and e.last_seen_at > $4 and s.disabled_at is null"
    );
    let row = conn
        .fetch_optional(AssertSqlSafe(sql), vec![city.into(), token_hash.into(), now.into(), (now - idle).into()])
        .await?;
    row.map(|row| Ok((staff_row(&row)?, row.get(12)?))).transpose()
}

/// Notes that a session is in use.
///
/// # Errors
/// [`Error`] of the database.
pub async fn touch_session(conn: &mut Conn, city: &str, token_hash: [u8; 32], now: Millis) -> Result<(), Error> {
    conn.execute(
        "update staff_sessions set last_seen_at = $3 where city = $1 and token_hash = $2",
        vec![city.into(), token_hash.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// Ends a session.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_session(conn: &mut Conn, city: &str, token_hash: [u8; 32]) -> Result<(), Error> {
    conn.execute("delete from staff_sessions where city = $1 and token_hash = $2", vec![city.into(), token_hash.into()])
        .await
        .map(|_| ())
}

/// Ends every session of a member of staff.
///
/// # Errors
/// [`Error`] of the database.
pub async fn end_sessions(conn: &mut Conn, city: &str, staff: &Id) -> Result<(), Error> {
    conn.execute("delete from staff_sessions where city = $1 and staff_id = $2", vec![city.into(), staff.into()])
        .await
        .map(|_| ())
}

/// An API token.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field and explained in the migration")]
pub struct TokenRow {
    pub id: Id,
    pub name: String,
    pub role: Role,
    pub department: Option<String>,
    pub identity: bool,
    pub created_at: Millis,
    pub created_by: String,
    pub last_used_at: Option<Millis>,
    pub expires_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
}

impl TokenRow {
    /// As somebody who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            id: format!("token:{}", self.id),
            name: self.name.clone(),
            role: self.role,
            department: self.department.clone(),
            identity: self.identity,
        }
    }
}

const TOKEN: &str =
    "id, name, role, department, identity, created_at, created_by, last_used_at, expires_at, revoked_at";

fn token_row(row: &Row) -> Result<TokenRow, Error> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role(row.get(2)?)?,
        department: row.get(3)?,
        identity: row.get(4)?,
        created_at: row.get(5)?,
        created_by: row.get(6)?,
        last_used_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
    })
}

/// Adds an API token; one with the same secret stays as it is.
///
/// # Errors
/// [`Error`] of the database.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn create_token(
    conn: &mut Conn,
    city: &str,
    id: &Id,
    token_hash: [u8; 32],
    name: &str,
    grant: &Grant,
    created_by: &str,
    expires_at: Option<Millis>,
    now: Millis,
) -> Result<(), Error> {
    let row: Vec<Value> = vec![
        city.into(),
        id.into(),
        token_hash.into(),
        name.into(),
        grant.role.as_str().into(),
        grant.department.clone().into(),
        grant.identity.into(),
        now.into(),
        created_by.into(),
        expires_at.into(),
    ];
    let columns = "city, id, token_hash, name, role, department, identity, created_at, created_by, expires_at";
    conn.insert_with("api_tokens", columns, vec![row], "on conflict do nothing").await.map(|_| ())
}

/// The token with this hash, if it is still good.
///
/// # Errors
/// [`Error`] of the database.
pub async fn token(conn: &mut Conn, city: &str, token_hash: [u8; 32], now: Millis) -> Result<Option<TokenRow>, Error> {
    let sql = format!(
        "select {TOKEN} from api_tokens
         where city = $1 and token_hash = $2 and revoked_at is null and (expires_at is null or expires_at > $3)"
    );
    conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), token_hash.into(), now.into()])
        .await?
        .as_ref()
        .map(token_row)
        .transpose()
}

/// Notes that a token is in use.
///
/// # Errors
/// [`Error`] of the database.
pub async fn touch_token(conn: &mut Conn, city: &str, id: &Id, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update api_tokens set last_used_at = $3 where city = $1 and id = $2",
        vec![city.into(), id.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// All tokens, newest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn tokens(conn: &mut Conn, city: &str) -> Result<Vec<TokenRow>, Error> {
    let sql = format!("select {TOKEN} from api_tokens where city = $1 order by id desc");
    conn.fetch(AssertSqlSafe(sql), vec![city.into()]).await?.iter().map(token_row).collect()
}

/// Ends a token for good.
///
/// # Errors
/// [`Error::NotFound`] when there is no such token that is still good.
pub async fn revoke_token(conn: &mut Conn, city: &str, id: &str, now: Millis) -> Result<(), Error> {
    let changed = conn
        .execute(
            "update api_tokens set revoked_at = $3 where city = $1 and id = $2 and revoked_at is null",
            vec![city.into(), id.into(), now.into()],
        )
        .await?;
    if changed == 0 { Err(Error::NotFound) } else { Ok(()) }
}
