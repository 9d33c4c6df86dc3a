//! Who may come in: passwords, sessions and API tokens of staff.
//!
//! Passwords are argon2id hashes made off the async threads; sessions and tokens are random and stored as SHA-256. An unknown
//! login costs the same work as a wrong password and is locked after as many tries, so that neither time nor lock tells which logins
//! there are; a locked one is told nothing else.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::domain::{Actor, Id, Millis, Role, new_id};
use crate::hub::Hub;
use crate::secret;
use crate::store::staff::{self as store, Grant, StaffRow};
use crate::store::{Error, Store};

const MINUTE: Millis = 60_000;

/// How often the use of a session or token is noted at most.
const TOUCH: Millis = MINUTE;

/// The shortest password that is taken, characters.
pub const PASSWORD_CHARACTERS: usize = 10;

/// How many passwords are hashed at once: each takes 19 MiB (the least that OWASP's password storage cheat sheet has for
/// argon2id) and a processor, and anybody may ask for it.
const HASHES: usize = 4;

/// How many more may wait for that, about a second's work.
const WAITING: usize = 60;

/// Whose turn it is to have a password hashed.
struct Turns {
    line: Semaphore,
    at_once: Semaphore,
}

static TURNS: Turns = Turns::new(HASHES, WAITING);

impl Turns {
    const fn new(at_once: usize, waiting: usize) -> Self {
        Self { line: Semaphore::const_new(at_once + waiting), at_once: Semaphore::const_new(at_once) }
    }

    /// Does `work` off the async threads when it is its turn; it is refused where the line is full.
    async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _standing = self.line.try_acquire().map_err(|_| Error::Busy)?;
        let _turn = self.at_once.acquire().await.map_err(|_| Error::Stopping)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopping)
    }
}

/// An argon2id hash of a password as PHC string.
///
/// # Errors
/// [`Error::Invalid`] when the password is too short, [`Error::Busy`] when too many are asked for.
pub async fn hash_password(password: String) -> Result<String, Error> {
    if password.chars().count() < PASSWORD_CHARACTERS {
        return Err(Error::Invalid(format!("a password has at least {PASSWORD_CHARACTERS} characters")));
    }
    TURNS
        .take(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| Error::Invalid(format!("this password cannot be hashed: {error}")))
        })
        .await?
}

async fn verify(password: String, hash: String) -> Result<bool, Error> {
    TURNS.take(move || Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()).await
}

/// A new API token.
#[must_use]
pub fn new_token() -> String {
    format!("yd_{}", URL_SAFE_NO_PAD.encode(secret::random::<32>()))
}

/// Somebody who is to be let in.
#[derive(Debug, Clone)]
pub struct NewStaff {
    /// What is typed in to log in.
    pub login: String,
    /// What people read.
    pub name: String,
    /// What is allowed.
    pub grant: Grant,
    /// The password.
    pub password: String,
}

fn check_grant(grant: &Grant) -> Result<(), Error> {
    match (grant.role, &grant.department) {
        (Role::Handler, None) => Err(Error::Invalid("a handler needs a department".to_owned())),
        _ => Ok(()),
    }
}

/// Adds a member of staff.
///
/// # Errors
/// [`Error::Invalid`] when login or password will not do or a handler has no department, or of the store.
pub async fn create_staff(store: &Store, new: NewStaff, by: &str, now: Millis) -> Result<Id, Error> {
    check_grant(&new.grant)?;
    let login = new.login.trim().to_lowercase();
    if login.is_empty()
        || login.len() > 100
        || login.chars().any(|letter| letter.is_whitespace() || letter.is_control())
    {
        return Err(Error::Invalid("a login is one word of at most 100 characters".to_owned()));
    }
    let hash = hash_password(new.password).await?;
    let id = new_id(now);
    let (city, added, by) = (store.city.clone(), id.clone(), by.to_owned());
    let (name, grant) = (new.name, new.grant);
    let changes_of = store.clone();
    store
        .write(move |conn| {
            let (city, id, login, name, grant, hash, by) =
                (city.clone(), added.clone(), login.clone(), name.clone(), grant.clone(), hash.clone(), by.clone());
            let mut changes = changes_of.changes(now);
            Box::pin(async move {
                store::create(conn, &city, &id, &login, &name, &grant, &hash, now).await?;
                let detail = json!({ "login": login, "role": grant.role, "department": grant.department, "identity": grant.identity });
                changes.audit(&by, "staff.created", Some(id.as_str()), Some(detail.to_string()));
                changes.flush(conn).await.map(|_| ())
            })
        })
        .await?;
    Ok(id)
}

/// Makes sure that a login exists with this password and these rights, as a demo needs it. An existing one is left alone
/// unless its password or rights differ.
///
/// # Errors
/// As [`create_staff`].
pub async fn ensure_staff(store: &Store, wanted: NewStaff, now: Millis) -> Result<Id, Error> {
    let known = store::by_login(&mut store.read().await?, &store.city, &wanted.login).await?;
    let Some(mut row) = known else { return create_staff(store, wanted, "system", now).await };
    let same = row.role == wanted.grant.role
        && row.department == wanted.grant.department
        && row.identity == wanted.grant.identity
        && row.disabled_at.is_none()
        && verify(wanted.password.clone(), row.password_hash.clone()).await?;
    if !same {
        row.role = wanted.grant.role;
        row.department = wanted.grant.department;
        row.identity = wanted.grant.identity;
        row.disabled_at = None;
        row.password_hash = hash_password(wanted.password).await?;
        update_staff(store, row.clone(), "system", now).await?;
    }
    Ok(row.id)
}

/// Writes a changed member of staff and ends its sessions, so that lost rights are lost at once.
///
/// # Errors
/// [`Error::Changed`], [`Error::NotFound`], [`Error::Invalid`], or of the store.
pub async fn update_staff(store: &Store, row: StaffRow, by: &str, now: Millis) -> Result<(), Error> {
    check_grant(&Grant { role: row.role, department: row.department.clone(), identity: row.identity })?;
    let (changes_of, by) = (store.clone(), by.to_owned());
    store
        .write(move |conn| {
            let (row, by) = (row.clone(), by.clone());
            let mut changes = changes_of.changes(now);
            let city = changes_of.city.clone();
            Box::pin(async move {
                store::update(conn, &city, &row).await?;
                store::end_sessions(conn, &city, &row.id).await?;
                let detail = json!({
                    "role": row.role, "department": row.department, "identity": row.identity, "disabled": row.disabled_at.is_some(),
                });
                changes.audit(&by, "staff.changed", Some(row.id.as_str()), Some(detail.to_string()));
                changes.flush(conn).await.map(|_| ())
            })
        })
        .await
}

/// Adds an API token whose secret the caller has made with [`new_token`]; one with the same secret stays as it is.
///
/// # Errors
/// [`Error::Invalid`] when a handler has no department, or of the store.
pub async fn create_token(
    store: &Store,
    secret: &str,
    name: &str,
    grant: Grant,
    expires_at: Option<Millis>,
    by: &str,
    now: Millis,
) -> Result<Id, Error> {
    check_grant(&grant)?;
    let id = new_id(now);
    let (hash, name, by, added, changes_of) =
        (secret::hash(secret), name.to_owned(), by.to_owned(), id.clone(), store.clone());
    store
        .write(move |conn| {
            let (name, by, id, grant) = (name.clone(), by.clone(), added.clone(), grant.clone());
            let mut changes = changes_of.changes(now);
            let city = changes_of.city.clone();
            Box::pin(async move {
                store::create_token(conn, &city, &id, hash, &name, &grant, &by, expires_at, now).await?;
                let detail = json!({ "name": name, "role": grant.role, "department": grant.department, "identity": grant.identity });
                changes.audit(&by, "token.created", Some(id.as_str()), Some(detail.to_string()));
                changes.flush(conn).await.map(|_| ())
            })
        })
        .await?;
    Ok(id)
}

/// Makes sure that an API token with this secret exists, as a demo needs it; a known one is left alone.
///
/// # Errors
/// As [`create_token`].
pub async fn ensure_token(store: &Store, secret: &str, name: &str, grant: Grant, now: Millis) -> Result<(), Error> {
    let known = store::token(&mut store.read().await?, &store.city, secret::hash(secret), now).await?;
    if known.is_none() {
        create_token(store, secret, name, grant, None, "system", now).await?;
    }
    Ok(())
}

/// Why somebody was not let in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// Login or password is wrong, or the login is disabled; which of them is not told.
    #[error("login or password is wrong")]
    Wrong,
    /// Too many wrong passwords.
    #[error("this login is locked after too many wrong passwords; try again later")]
    Locked {
        /// For how long still, milliseconds.
        remaining: Millis,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Wrong tries at logins that do not exist, counted like those at logins that do.
///
/// They are kept in memory, under a hash, at most [`Strangers::MOST`] of them; the one that was tried longest ago is forgotten first.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<HashMap<[u8; 32], Tries>>);

#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    failures: u64,
    locked_until: Millis,
    last: Millis,
}

impl Strangers {
    /// How many are kept.
    const MOST: usize = 10_000;

    /// For how long this login is locked still; if it is not, counts a wrong try, of which the `most`th in a row locks it for `lock`
    /// milliseconds.
    fn refuse(&self, login: &str, most: u64, lock: Millis, now: Millis) -> Option<Millis> {
        let key = secret::hash(login);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= Self::MOST
            && !all.contains_key(&key)
            && let Some(oldest) = all.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| *key)
        {
            all.remove(&oldest);
        }
        let tries = all.entry(key).or_default();
        tries.last = now;
        if tries.locked_until > now {
            return Some(tries.locked_until - now);
        }
        tries.failures = tries.failures.saturating_add(1);
        if tries.failures >= most {
            tries.locked_until = now + lock;
        }
        None
    }
}

/// Logs in and begins a session; returns its token and whose it is.
///
/// # Errors
/// [`Refused`].
pub async fn log_in(hub: &Arc<Hub>, login: &str, password: String) -> Result<(String, StaffRow), Refused> {
    let (now, city) = (hub.clock.millis(), hub.store.city.clone());
    let login = login.trim().to_lowercase();
    let (most, lock) = (hub.config.staff.lockout_attempts, minutes(hub.config.staff.lockout_minutes));
    let known = store::by_login(&mut hub.store.read().await?, &city, &login).await?;
    let Some(row) = known else {
        // The same work as for a known login, so that the time tells nothing.
        verify(password, nobody().await?).await?;
        let locked = hub.strangers.refuse(&login, most, lock, now);
        return Err(locked.map_or(Refused::Wrong, |remaining| Refused::Locked { remaining }));
    };
    if let Some(until) = row.locked_until.filter(|until| *until > now) {
        verify(password, nobody().await?).await?;
        return Err(Refused::Locked { remaining: until - now });
    }
    let good = verify(password, row.password_hash.clone()).await?;
    if !good || row.disabled_at.is_some() {
        let (most, until) = (i64::try_from(most).unwrap_or(i64::MAX), now + lock);
        let (id, store) = (row.id.clone(), hub.store.clone());
        hub.store
            .write(move |conn| {
                let (city, id, mut changes) = (city.clone(), id.clone(), store.changes(now));
                Box::pin(async move {
                    store::failed(conn, &city, &id, most, until).await?;
                    changes.audit(&format!("staff:{id}"), "session.refused", None, None);
                    changes.flush(conn).await.map(|_| ())
                })
            })
            .await?;
        return Err(Refused::Wrong);
    }
    let token = secret::token();
    let hash = secret::hash(&token);
    let expires_at = now + minutes(hub.config.staff.session_hours.saturating_mul(60));
    let (id, store) = (row.id.clone(), hub.store.clone());
    hub.store
        .write(move |conn| {
            let (city, id, mut changes) = (city.clone(), id.clone(), store.changes(now));
            Box::pin(async move {
                store::begin_session(conn, &city, &id, hash, now, expires_at).await?;
                changes.audit(&format!("staff:{id}"), "session.begun", None, None);
                changes.flush(conn).await.map(|_| ())
            })
        })
        .await?;
    Ok((token, row))
}

/// A hash that no password fits, made once.
async fn nobody() -> Result<String, Error> {
    static NOBODY: LazyLock<String> = LazyLock::new(|| {
        let hash = Argon2::default().hash_password(&secret::random::<16>());
        hash.map(|hash| hash.to_string()).unwrap_or_default()
    });
    TURNS.take(|| NOBODY.clone()).await
}

fn minutes(count: u64) -> Millis {
    Millis::try_from(count).unwrap_or(Millis::MAX / MINUTE).saturating_mul(MINUTE)
}

/// Ends a session.
///
/// # Errors
/// [`Error`] of the store.
pub async fn log_out(hub: &Arc<Hub>, token: &str) -> Result<(), Error> {
    let (hash, city) = (secret::hash(token), hub.store.city.clone());
    hub.store
        .write(move |conn| {
            let city = city.clone();
            Box::pin(async move { store::end_session(conn, &city, hash).await })
        })
        .await
}

/// Who has this session, if it is still good.
///
/// # Errors
/// [`Error`] of the store.
pub async fn by_session(hub: &Arc<Hub>, token: &str) -> Result<Option<Actor>, Error> {
    let (now, hash, city) = (hub.clock.millis(), secret::hash(token), hub.store.city.clone());
    let idle = minutes(hub.config.staff.idle_minutes);
    let Some((row, seen)) = store::session(&mut hub.store.read().await?, &city, hash, now, idle).await? else {
        return Ok(None);
    };
    if now - seen >= TOUCH {
        hub.store
            .write(move |conn| {
                let city = city.clone();
                Box::pin(async move { store::touch_session(conn, &city, hash, now).await })
            })
            .await?;
    }
    Ok(Some(row.actor()))
}

/// Who has this API token, if it is still good.
///
/// # Errors
/// [`Error`] of the store.
pub async fn by_token(hub: &Arc<Hub>, token: &str) -> Result<Option<Actor>, Error> {
    let (now, city) = (hub.clock.millis(), hub.store.city.clone());
    let Some(row) = store::token(&mut hub.store.read().await?, &city, secret::hash(token), now).await? else {
        return Ok(None);
    };
    if row.last_used_at.is_none_or(|seen| now - seen >= TOUCH) {
        let id = row.id.clone();
        // Nobody waits for this note, and a database that takes no writes may still be read.
        let store = hub.store.clone();
        tokio::spawn(async move {
            let noted = store
                .write(move |conn| {
                    let (city, id) = (city.clone(), id.clone());
                    Box::pin(async move { store::touch_token(conn, &city, &id, now).await })
                })
                .await;
            if let Err(error) = noted {
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        });
    }
    Ok(Some(row.actor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_wait_their_turn_and_a_full_line_refuses() {
        let turns: &'static Turns = Box::leak(Box::new(Turns::new(2, 3)));
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let gone = Arc::new(std::sync::Mutex::new(gone));
        let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
        let all: Vec<_> = (0..5)
            .map(|_| {
                let (gone, begun) = (Arc::clone(&gone), begun.clone());
                tokio::spawn(turns.take(move || {
                    begun.send(()).expect("heard");
                    gone.lock().expect("lock").recv().expect("told");
                }))
            })
            .collect();
        for _ in 0..2 {
            beginnings.recv().await.expect("begun");
        }
        while turns.line.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(turns.take(|| ()).await, Err(Error::Busy)), "five stand in line");
        assert!(beginnings.try_recv().is_err(), "two at once");
        for _ in 0..5 {
            go.send(()).expect("they wait");
        }
        for one in all {
            one.await.expect("no panic").expect("done");
        }
        turns.take(|| ()).await.expect("the line is free again");
    }

    #[test]
    fn strangers_are_bounded_and_the_oldest_is_forgotten() {
        let strangers = Strangers::default();
        for at in 0..=Strangers::MOST {
            let at = Millis::try_from(at).expect("a moment");
            assert_eq!(strangers.refuse(&at.to_string(), 1, 1_000_000, at), None);
        }
        assert_eq!(strangers.0.lock().expect("tries").len(), Strangers::MOST);
        assert_eq!(strangers.refuse("1", 1, 1_000_000, 20_000), Some(980_001), "the second is known still");
        assert_eq!(strangers.refuse("0", 1, 1_000_000, 20_000), None, "the first is forgotten");
    }
}
