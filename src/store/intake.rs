//! What the intake reads and claims: identities, contacts, open tickets, pending questions.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Backend, Conn, Value, placeholders, tuples};
use crate::domain::{Id, Millis, TicketNumber, TicketState};

/// A claim of a message's identity.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Account.
    pub account: String,
    /// The key within the account.
    pub key: String,
    /// Digest of its content.
    pub digest: [u8; 32],
    /// The ledger row that claims it.
    pub inbound_id: Id,
}

/// An earlier message with the same key.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Account.
    pub account: String,
    /// Key.
    pub key: String,
    /// Digest of the earlier content.
    pub digest: Vec<u8>,
    /// Its ledger row.
    pub inbound_id: String,
    /// The ticket it led to.
    pub ticket: Option<String>,
}

/// Claims identities, which must be sorted by account and key and differ. Returns the earlier messages of those that were taken already.
///
/// # Errors
/// [`Error`] of the database.
pub async fn claim(conn: &mut Conn, city: &str, claims: &[Claim]) -> Result<Vec<Earlier>, Error> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let rows = claims
        .iter()
        .map(|claim| {
            vec![
                Value::from(city),
                (&claim.account).into(),
                (&claim.key).into(),
                claim.digest.into(),
                (&claim.inbound_id).into(),
            ]
        })
        .collect();
    let taken = conn
        .insert_with("message_keys", "city, account, message_key, digest, inbound_id", rows, "on conflict do nothing")
        .await?;
    if taken == claims.len() as u64 {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = vec![city.into()];
    let mut pairs = Vec::with_capacity(claims.len());
    for claim in claims {
        pairs.push(format!("(k.account = ${} and k.message_key = ${})", args.len() + 1, args.len() + 2));
        args.push((&claim.account).into());
        args.push((&claim.key).into());
    }
    let sql = format!(
        "select k.account, k.message_key, k.digest, k.inbound_id, i.ticket
         from message_keys k left join inbound i on i.city = k.city and i.id = k.inbound_id
         where k.city = $1 and ({})",
        pairs.join(" or ")
    );
    let mut earlier = Vec::new();
    for row in conn.fetch(AssertSqlSafe(sql), args).await? {
        let inbound_id: String = row.get(3)?;
        if !claims.iter().any(|claim| claim.inbound_id.as_str() == inbound_id) {
            earlier.push(Earlier {
                account: row.get(0)?,
                key: row.get(1)?,
                digest: row.get(2)?,
                inbound_id,
                ticket: row.get(4)?,
            });
        }
    }
    Ok(earlier)
}

/// Whose message it is.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Word of the medium.
    pub channel: String,
    /// Address in that medium.
    pub address: String,
    /// Its id.
    pub id: String,
    /// When this contact asked for silence.
    pub stopped_at: Option<Millis>,
}

/// Finds or makes the contacts of these `(channel, address, name, language)`, which must be sorted and differ.
///
/// # Errors
/// [`Error`] of the database.
pub async fn contacts(
    conn: &mut Conn,
    city: &str,
    wanted: &[(String, String, Option<String>, Option<String>)],
    now: Millis,
) -> Result<Vec<Contact>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = Vec::with_capacity(wanted.len() * 7);
    for (channel, address, name, language) in wanted {
        args.extend([
            city.into(),
            channel.into(),
            address.into(),
            crate::domain::new_id(now).into(),
            name.clone().into(),
            language.clone().into(),
            now.into(),
        ]);
    }
    let sql = format!(
        "insert into contacts (city, channel, address, id, name, language, last_seen_at) values {}
         on conflict (city, channel, address) do update set
             last_seen_at = excluded.last_seen_at,
             name = coalesce(excluded.name, contacts.name),
             language = coalesce(excluded.language, contacts.language)
         returning channel, address, id, stopped_at",
        tuples(conn.backend(), wanted.len(), 7)
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| Ok(Contact { channel: row.get(0)?, address: row.get(1)?, id: row.get(2)?, stopped_at: row.get(3)? }))
        .collect()
}

/// What threading must know of a ticket.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its number.
    pub number: TicketNumber,
    /// Its state.
    pub state: TicketState,
    /// Its service item.
    pub item: Option<String>,
    /// Its department.
    pub department: Option<String>,
    /// Whose it is.
    pub contact_id: Option<String>,
    /// Where its answer goes.
    pub answer_channel: Option<String>,
    /// Where its answer goes.
    pub answer_address: Option<String>,
    /// Its subject, for numbered lists.
    pub subject: String,
    /// Whether it waits for an answer to a question.
    pub hold_until: Option<Millis>,
    /// Its language.
    pub language: Option<String>,
    /// Whether its citizen asked for confidence.
    pub confidential: bool,
    /// When it was opened.
    pub created_at: Millis,
}

/// The tickets of contacts from a day (`YYMMDD`) on: whose, and when it was opened. A ticket's number begins with its day.
///
/// # Errors
/// [`Error`] of the database.
pub async fn recent_tickets(
    conn: &mut Conn,
    city: &str,
    contact_ids: &[String],
    since: &str,
) -> Result<Vec<(String, Millis)>, Error> {
    if contact_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = vec![city.into(), since.into()];
    let sql = format!(
        "select contact_id, created_at from tickets where city = $1 and contact_id in ({}) and number >= $2",
        placeholders(args.len() + 1, contact_ids.len())
    );
    args.extend(contact_ids.iter().map(Value::from));
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Tickets by number and the open tickets of contacts, locked against other writers in the order of their numbers.
///
/// # Errors
/// [`Error`] of the database.
pub async fn candidates(
    conn: &mut Conn,
    city: &str,
    contact_ids: &[String],
    numbers: &[TicketNumber],
) -> Result<Vec<Candidate>, Error> {
    if contact_ids.is_empty() && numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = vec![city.into()];
    let mut either = Vec::new();
    if !contact_ids.is_empty() {
        either.push(format!(
            "(contact_id in ({}) and state <> 'closed')",
            placeholders(args.len() + 1, contact_ids.len())
        ));
        args.extend(contact_ids.iter().map(Value::from));
    }
    if !numbers.is_empty() {
        either.push(format!("number in ({})", placeholders(args.len() + 1, numbers.len())));
        args.extend(numbers.iter().map(Value::from));
    }
    let lock = if conn.backend() == Backend::Postgres { "for update" } else { "" };
    let sql = format!(
        "select number, state, item, department, contact_id, answer_channel, answer_address, subject, hold_until, language, confidential, created_at
         from tickets where city = $1 and ({}) order by number {lock}",
        either.join(" or ")
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(Candidate {
                number: row.get(0)?,
                state: TicketState::parse(&row.get::<String>(1)?).ok_or_else(|| Error::Shape("state".to_owned()))?,
                item: row.get(2)?,
                department: row.get(3)?,
                contact_id: row.get(4)?,
                answer_channel: row.get(5)?,
                answer_address: row.get(6)?,
                subject: row.get(7)?,
                hold_until: row.get(8)?,
                language: row.get(9)?,
                confidential: row.get(10)?,
                created_at: row.get(11)?,
            })
        })
        .collect()
}

/// Locks the city's counter row and says how many numbers were given out on `day` (`YYMMDD`).
///
/// # Errors
/// [`Error`] of the database.
pub async fn lock_counter(conn: &mut Conn, city: &str, day: &str) -> Result<i64, Error> {
    conn.fetch_value(
        "insert into cities (city, number_day) values ($1, $2)
         on conflict (city) do update set
             number_counter = case when cities.number_day = excluded.number_day then cities.number_counter else 0 end,
             number_day = excluded.number_day
         returning number_counter",
        vec![city.into(), day.into()],
    )
    .await
}

/// Notes how many numbers have been given out.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_counter(conn: &mut Conn, city: &str, counter: i64) -> Result<(), Error> {
    conn.execute("update cities set number_counter = $2 where city = $1", vec![city.into(), counter.into()])
        .await
        .map(|_| ())
}

/// Notes when accounts last received something.
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_arrivals(conn: &mut Conn, city: &str, last: &BTreeMap<&str, Millis>) -> Result<(), Error> {
    let rows = last.iter().map(|(account, at)| vec![city.into(), (*account).into(), (*at).into()]).collect();
    conn.insert_with(
        "account_arrivals",
        "city, account, last_at",
        rows,
        "on conflict (city, account) do update set last_at = excluded.last_at where excluded.last_at > account_arrivals.last_at",
    )
    .await
    .map(|_| ())
}

/// A question that waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its id.
    pub id: String,
    /// Who was asked.
    pub contact_id: String,
    /// The ticket that it is about.
    pub ticket: TicketNumber,
    /// The tickets to choose from, in the order asked.
    pub options: Vec<String>,
    /// Whether the wait for the answer is over, so that the ticket has gone its own way.
    pub late: bool,
}

/// How long after the wait an answer to a question is still understood.
const LATE_ANSWERS: Millis = 24 * 3_600_000;

/// The questions that these contacts may still answer, newest first.
///
/// # Errors
/// [`Error`] of the database.
pub async fn pending_questions(
    conn: &mut Conn,
    city: &str,
    contact_ids: &[String],
    now: Millis,
) -> Result<Vec<Pending>, Error> {
    if contact_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args: Vec<Value> = vec![city.into(), (now - LATE_ANSWERS).into()];
    args.extend(contact_ids.iter().map(Value::from));
    let sql = format!(
        "select id, contact_id, ticket, options, until from questions
         where city = $1 and answered_at is null and until > $2 and contact_id in ({}) order by id desc",
        placeholders(3, contact_ids.len())
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(Pending {
                id: row.get(0)?,
                contact_id: row.get(1)?,
                ticket: row.get(2)?,
                options: serde_json::from_str(&row.get::<String>(3)?).unwrap_or_default(),
                late: row.get::<Millis>(4)? <= now,
            })
        })
        .collect()
}

/// Marks a question answered.
///
/// # Errors
/// [`Error`] of the database.
pub async fn answer_question(conn: &mut Conn, city: &str, id: &str, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update questions set answered_at = $3 where city = $1 and id = $2",
        vec![city.into(), id.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// The appeal that a group (album) already has: its id and ticket.
///
/// # Errors
/// [`Error`] of the database.
pub async fn group_appeal(
    conn: &mut Conn,
    city: &str,
    account: &str,
    group: &str,
) -> Result<Option<(String, TicketNumber)>, Error> {
    let row = conn
        .fetch_optional(
            "select id, ticket from appeals where city = $1 and account = $2 and group_key = $3 and part_of is null order by id limit 1",
            vec![city.into(), account.into(), group.into()],
        )
        .await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Which of these tickets the sender's message refers to: by the medium's own ids (`references`) of messages that the
/// sender wrote before or was sent.
///
/// # Errors
/// [`Error`] of the database.
pub async fn referred(
    conn: &mut Conn,
    city: &str,
    account: &str,
    references: &[String],
    tickets: &[&TicketNumber],
) -> Result<Option<TicketNumber>, Error> {
    if references.is_empty() || tickets.is_empty() {
        return Ok(None);
    }
    let mut args: Vec<Value> = vec![city.into(), account.into()];
    args.extend(references.iter().map(Value::from));
    args.extend(tickets.iter().map(|number| Value::from(*number)));
    let named = placeholders(3, references.len());
    let among = placeholders(3 + references.len(), tickets.len());
    let sql = format!(
        "select ticket from appeals where city = $1 and ticket in ({among}) and account = $2 and message_id in ({named})
         union all
         select d.ticket from attempts a join deliveries d on d.city = a.city and d.id = a.delivery_id
         where a.city = $1 and a.account = $2 and a.provider_id in ({named}) and d.ticket in ({among})
         limit 1"
    );
    let row = conn.fetch_optional(AssertSqlSafe(sql), args).await?;
    row.map(|row| row.get(0)).transpose()
}

/// The texts of a ticket so far, oldest first, with its first subject. Of a message that was edited only the last version
/// counts.
///
/// # Errors
/// [`Error`] of the database.
pub async fn ticket_texts(
    conn: &mut Conn,
    city: &str,
    number: &TicketNumber,
) -> Result<(Option<String>, Vec<String>), Error> {
    let rows = conn
        .fetch(
            "select subject, text from appeals a where city = $1 and ticket = $2 and (message_id is null or not exists (
                 select 1 from appeals later
                 where later.city = a.city and later.ticket = a.ticket and later.message_id = a.message_id and later.id > a.id))
             order by id",
            vec![city.into(), number.into()],
        )
        .await?;
    let subject = rows.first().map(|row| row.get(0)).transpose()?.flatten();
    let texts = rows.iter().map(|row| row.get(1)).collect::<Result<_, _>>()?;
    Ok((subject, texts))
}

/// Bytes that an account's quarantine holds.
///
/// # Errors
/// [`Error`] of the database.
pub async fn quarantined_bytes(conn: &mut Conn, city: &str, account: &str) -> Result<i64, Error> {
    conn.fetch_value(
        "select cast(coalesce(sum(bytes), 0) as bigint) from quarantine where city = $1 and account = $2 and state = 'held'",
        vec![city.into(), account.into()],
    )
    .await
}

/// Asks for silence (`stopped_at` a time) or ends it (`None`).
///
/// # Errors
/// [`Error`] of the database.
pub async fn set_stopped(
    conn: &mut Conn,
    city: &str,
    channel: &str,
    address: &str,
    stopped_at: Option<Millis>,
    now: Millis,
) -> Result<(), Error> {
    conn.execute(
        "insert into contacts (city, channel, address, id, stopped_at, last_seen_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (city, channel, address) do update set stopped_at = excluded.stopped_at, last_seen_at = excluded.last_seen_at",
        vec![city.into(), channel.into(), address.into(), crate::domain::new_id(now).into(), stopped_at.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// The ledger's sums, each counted from the rows of the thing it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Ledger {
    /// Rows of the ledger.
    pub received: i64,
    /// Tickets that a message opened.
    pub new: i64,
    /// Appeals (and notes by mail) that joined a ticket.
    pub appended: i64,
    /// Delivery reports.
    pub reports: i64,
    /// Controls.
    pub control: i64,
    /// Messages seen before.
    pub duplicates: i64,
    /// Messages kept aside.
    pub quarantined: i64,
}

impl Ledger {
    /// Whether what came in equals what became of it; if not, something was lost or counted twice.
    #[must_use]
    pub const fn adds_up(&self) -> bool {
        self.received == self.new + self.appended + self.reports + self.control + self.duplicates + self.quarantined
    }
}

/// Counts the ledger in one statement, so that all sums are of one moment.
///
/// # Errors
/// [`Error`] of the database.
pub async fn ledger(conn: &mut Conn, city: &str) -> Result<Ledger, Error> {
    let row = conn
        .fetch_optional(
            "select
                 (select count(*) from inbound where city = $1),
                 (select count(*) from tickets where city = $1 and inbound_id is not null),
                 (select count(*) from appeals where city = $1 and is_first = 0 and inbound_id is not null)
                     + (select count(*) from replies where city = $1 and inbound_id is not null),
                 (select count(*) from reports where city = $1),
                 (select count(*) from controls where city = $1),
                 (select count(*) from duplicates where city = $1),
                 (select count(*) from quarantine where city = $1 and state in ('held', 'discarded'))",
            vec![city.into()],
        )
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Ledger {
        received: row.get(0)?,
        new: row.get(1)?,
        appended: row.get(2)?,
        reports: row.get(3)?,
        control: row.get(4)?,
        duplicates: row.get(5)?,
        quarantined: row.get(6)?,
    })
}

/// Raises the version of a ticket that grew.
///
/// # Errors
/// [`Error`] of the database.
pub async fn touch_ticket(conn: &mut Conn, city: &str, number: &TicketNumber, now: Millis) -> Result<(), Error> {
    conn.execute(
        "update tickets set version = version + 1, updated_at = $3 where city = $1 and number = $2",
        vec![city.into(), number.into(), now.into()],
    )
    .await
    .map(|_| ())
}

/// The digest under which a message key is claimed, if it is.
///
/// # Errors
/// [`Error`] of the database.
pub async fn claimed(conn: &mut Conn, city: &str, account: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
    let row = conn
        .fetch_optional(
            "select digest from message_keys where city = $1 and account = $2 and message_key = $3",
            vec![city.into(), account.into(), key.into()],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}
