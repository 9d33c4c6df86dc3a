//! The queue: pages of tickets, narrowed and in order, and how many there are of each kind; at a cost that does not grow with
//! the number of tickets stored.
//!
//! What is limited to open tickets reads the index `tickets_open` alone, which closed tickets are not in. What asks for closed
//! ones too goes through a bounded number of tickets and says where to go on.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::{TICKET, TicketRow, ticket_row};
use crate::domain::{Millis, TicketNumber, TicketState};
use crate::store::Error;
use crate::store::db::{Conn, Value, placeholders};

/// Tickets that are gone through at once when closed ones are among them and something narrows a page.
const WINDOW: i64 = 10_000;

/// How often that is done for one page.
const MOST_WINDOWS: usize = 5;

/// Open tickets that are counted at most.
pub const MOST_COUNTED: i64 = 50_000;

/// Whose tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignee {
    /// Nobody's.
    Nobody,
    /// This person's, as the audit log names it.
    Person(String),
}

/// What a list of tickets is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only tickets with an assignment of this department.
    pub scope: Option<String>,
    /// Only these states; all when empty.
    pub states: Vec<TicketState>,
    /// Only this lead department.
    pub department: Option<String>,
    /// Only this medium.
    pub channel: Option<String>,
    /// Only this priority.
    pub priority: Option<String>,
    /// Only this district.
    pub district: Option<String>,
    /// Only this item.
    pub item: Option<String>,
    /// Only this language.
    pub language: Option<String>,
    /// Only this appeal kind.
    pub kind: Option<String>,
    /// Only those whose answer is due before.
    pub due_before: Option<Millis>,
    /// Only this person's, or nobody's.
    pub assignee: Option<Assignee>,
    /// Created at or after.
    pub from: Option<Millis>,
    /// Created before.
    pub until: Option<Millis>,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The oldest first.
    #[default]
    Oldest,
    /// The newest first.
    Newest,
    /// What is due first; open tickets only.
    Due,
}

/// A page, and where the next one begins.
#[derive(Debug, Clone)]
pub struct Page {
    /// The tickets, in order; there may be fewer than asked for although there are more.
    pub rows: Vec<TicketRow>,
    /// What to go on after; `None` at the end.
    pub next: Option<String>,
}

impl Filter {
    /// Whether only open tickets are asked for, so that the index of these serves.
    #[must_use]
    pub fn open_only(&self) -> bool {
        !self.states.is_empty() && !self.states.contains(&TicketState::Closed)
    }

    /// Whether anything but the state narrows it.
    fn narrows(&self) -> bool {
        let texts = [
            &self.scope,
            &self.department,
            &self.channel,
            &self.priority,
            &self.district,
            &self.item,
            &self.language,
            &self.kind,
        ];
        texts.iter().any(|text| text.is_some())
            || self.assignee.is_some()
            || self.due_before.is_some()
            || self.from.is_some()
            || self.until.is_some()
    }

    /// Conditions on `t` with their values; places go on after those of `args`. `facets` says whether state, channel,
    /// department and priority, by which is counted, are among them.
    fn some(&self, args: &mut Vec<Value>, facets: bool) -> String {
        let mut sql = String::new();
        let mut push = |condition: &str, value: Value| {
            args.push(value);
            sql.push_str(" and ");
            sql.push_str(&condition.replace('?', &format!("${}", args.len())));
        };
        if facets {
            for (condition, value) in [
                ("t.department = ?", &self.department),
                ("t.channel = ?", &self.channel),
                ("t.priority = ?", &self.priority),
            ] {
                if let Some(value) = value {
                    push(condition, value.into());
                }
            }
        }
        for (condition, value) in [
            ("t.district = ?", &self.district),
            ("t.item = ?", &self.item),
            ("t.language = ?", &self.language),
            ("t.kind = ?", &self.kind),
        ] {
            if let Some(value) = value {
                push(condition, value.into());
            }
        }
        for (condition, value) in
            [("t.due_at < ?", self.due_before), ("t.created_at >= ?", self.from), ("t.created_at < ?", self.until)]
        {
            if let Some(value) = value {
                push(condition, value.into());
            }
        }
        if let Some(Assignee::Person(id)) = &self.assignee {
            push("t.assignee = ?", id.into());
        }
        if let Some(scope) = &self.scope {
            // The lead's own tickets need no look at the assignments.
            push(
                "(t.department = ? or exists (
                     select 1 from assignments a where a.city = t.city and a.ticket = t.number and a.department = ?))",
                scope.into(),
            );
        }
        if self.assignee == Some(Assignee::Nobody) {
            sql.push_str(" and t.assignee is null");
        }
        if facets && !self.states.is_empty() {
            let states: Vec<Value> = self.states.iter().map(|state| state.as_str().into()).collect();
            sql.push_str(&format!(" and t.state in ({})", placeholders(args.len() + 1, states.len())));
            args.extend(states);
        }
        // Without it the partial indexes do not serve.
        if self.open_only() || !facets {
            sql.push_str(" and t.state <> 'closed'");
        }
        sql
    }

    /// Conditions on `t` with their values; places go on after those of `args`.
    pub(in crate::store) fn conditions(&self, args: &mut Vec<Value>) -> String {
        self.some(args, true)
    }
}

/// These tickets, in the order of the numbers given; one that is not there is left out.
///
/// # Errors
/// [`Error`] of the database.
pub async fn by_numbers(conn: &mut Conn, city: &str, numbers: &[TicketNumber]) -> Result<Vec<TicketRow>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let args = std::iter::once(Value::from(city)).chain(numbers.iter().map(Value::from)).collect();
    let sql = format!(
        "select {TICKET} from tickets t where t.city = $1 and t.number in ({})",
        placeholders(2, numbers.len())
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    let rows: Vec<TicketRow> = rows.iter().map(ticket_row).collect::<Result<_, _>>()?;
    let mut known: BTreeMap<TicketNumber, TicketRow> = rows.into_iter().map(|row| (row.number.clone(), row)).collect();
    Ok(numbers.iter().filter_map(|number| known.remove(number)).collect())
}

/// A page of tickets after `after`, the `next` of the page before.
///
/// # Errors
/// [`Error::Invalid`] for an `after` that no page gave, or of the database.
pub async fn page(
    conn: &mut Conn,
    city: &str,
    filter: &Filter,
    order: Order,
    after: Option<&str>,
    limit: i64,
) -> Result<Page, Error> {
    if order == Order::Due {
        return by_due(conn, city, filter, after, limit).await;
    }
    let windowed = !filter.open_only() && (filter.narrows() || !filter.states.is_empty());
    let most = usize::try_from(limit).unwrap_or_default();
    let (mut numbers, mut next) = (Vec::new(), after.map(str::to_owned));
    for _ in 0..if windowed { MOST_WINDOWS } else { 1 } {
        let left = limit - i64::try_from(numbers.len()).unwrap_or_default();
        let (found, end) = window(conn, city, filter, order, next.as_deref(), left, windowed).await?;
        numbers.extend(found);
        next = end;
        if next.is_none() || numbers.len() >= most {
            break;
        }
    }
    Ok(Page { rows: by_numbers(conn, city, &numbers).await?, next })
}

/// The numbers that a filter lets through, at most `limit`, and where to go on: among the next [`WINDOW`] tickets only, if so
/// wanted.
async fn window(
    conn: &mut Conn,
    city: &str,
    filter: &Filter,
    order: Order,
    after: Option<&str>,
    limit: i64,
    windowed: bool,
) -> Result<(Vec<TicketNumber>, Option<String>), Error> {
    let (before, sign, direction) =
        if order == Order::Newest { (after.unwrap_or(":"), "<", "desc") } else { (after.unwrap_or(""), ">", "") };
    let mut args: Vec<Value> = vec![city.into(), before.into(), (limit + 1).into()];
    let conditions = filter.conditions(&mut args);
    let from = if windowed {
        args.push(WINDOW.into());
        format!(
            "(select * from tickets t where t.city = $1 and t.number {sign} $2 order by t.number {direction} limit ${}) t",
            args.len()
        )
    } else {
        "tickets t".to_owned()
    };
    let sql = format!(
        "select t.number from {from} where t.city = $1 and t.number {sign} $2 {conditions} order by t.number {direction} limit $3"
    );
    let mut numbers: Vec<TicketNumber> =
        conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    let most = usize::try_from(limit).unwrap_or_default();
    if numbers.len() > most {
        numbers.truncate(most);
        let next = numbers.last().map(ToString::to_string);
        return Ok((numbers, next));
    }
    if !windowed {
        return Ok((numbers, None));
    }
    let sql = format!(
        "select t.number from tickets t where t.city = $1 and t.number {sign} $2 order by t.number {direction} limit 1 offset $3"
    );
    let end = conn.fetch_optional(AssertSqlSafe(sql), vec![city.into(), before.into(), (WINDOW - 1).into()]).await?;
    Ok((numbers, end.map(|row| row.get(0)).transpose()?))
}

/// Open tickets by what is due first.
async fn by_due(conn: &mut Conn, city: &str, filter: &Filter, after: Option<&str>, limit: i64) -> Result<Page, Error> {
    let (due, number) = match after {
        None => (i64::MIN, ""),
        Some(after) => after
            .split_once('.')
            .and_then(|(due, number)| Some((due.parse().ok()?, number)))
            .ok_or_else(|| Error::Invalid("after must be the next of the page before".to_owned()))?,
    };
    let mut args: Vec<Value> = vec![city.into(), due.into(), number.into(), (limit + 1).into()];
    let mut filter = filter.clone();
    filter.states.retain(|state| *state != TicketState::Closed);
    let conditions = filter.conditions(&mut args);
    // Much narrowed, it is quicker to sort what the index of open tickets picks than to look at each ticket in order: with a
    // plus sign the index of due tickets does not serve.
    let plus = if filter.narrows() { "+" } else { "" };
    let sql = format!(
        "select t.number, t.due_at from tickets t
         where t.city = $1 and t.state <> 'closed' and {plus}t.due_at is not null
             and ({plus}t.due_at > $2 or {plus}t.due_at = $2 and t.number > $3) and {plus}t.due_at >= $2 {conditions}
         order by {plus}t.due_at, t.number limit $4"
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    let mut found: Vec<(TicketNumber, i64)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, Error>>()?;
    let most = usize::try_from(limit).unwrap_or_default();
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|(number, due)| format!("{due}.{number}"));
    let numbers: Vec<TicketNumber> = found.into_iter().map(|(number, _)| number).collect();
    Ok(Page { rows: by_numbers(conn, city, &numbers).await?, next })
}

/// Open tickets that agree in what is counted by.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are named after the words of the field")]
pub struct Count {
    pub state: TicketState,
    pub channel: String,
    pub department: Option<String>,
    pub priority: String,
    pub tickets: i64,
    pub overdue: i64,
    pub unassigned: i64,
    pub mine: i64,
}

/// Counts open tickets by state, channel, department and priority, whatever the filter says of these four; at most
/// [`MOST_COUNTED`], the newest first. `within` narrows it to the tickets of a search.
///
/// # Errors
/// [`Error`] of the database.
pub async fn counts(
    conn: &mut Conn,
    city: &str,
    filter: &Filter,
    within: Option<&[TicketNumber]>,
    me: &str,
    now: Millis,
) -> Result<Vec<Count>, Error> {
    let mut args: Vec<Value> = vec![city.into(), now.into(), me.into(), (MOST_COUNTED + 1).into()];
    let mut conditions = filter.some(&mut args, false);
    if let Some(numbers) = within {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        conditions.push_str(&format!(" and t.number in ({})", placeholders(args.len() + 1, numbers.len())));
        args.extend(numbers.iter().map(Value::from));
    }
    let sql = format!(
        "select t.state, t.channel, t.department, t.priority, count(*),
             cast(sum(case when t.due_at < $2 then 1 else 0 end) as bigint),
             cast(sum(case when t.assignee is null then 1 else 0 end) as bigint),
             cast(sum(case when t.assignee = $3 then 1 else 0 end) as bigint)
         from (
             select t.state, t.channel, t.department, t.priority, t.due_at, t.assignee
             from tickets t where t.city = $1 {conditions} order by t.number desc limit $4) t
         group by t.state, t.channel, t.department, t.priority"
    );
    let rows = conn.fetch(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(Count {
                state: TicketState::parse(&row.get::<String>(0)?).ok_or_else(|| Error::Shape("state".to_owned()))?,
                channel: row.get(1)?,
                department: row.get(2)?,
                priority: row.get(3)?,
                tickets: row.get(4)?,
                overdue: row.get(5)?,
                unassigned: row.get(6)?,
                mine: row.get(7)?,
            })
        })
        .collect()
}

/// What a queue shows beside the ticket's own columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// When the citizen last wrote.
    pub last_inbound_at: Option<Millis>,
    /// When the lead department signed, if it has and still has it.
    pub signed_at: Option<Millis>,
    /// When the citizen was last answered or asked.
    pub answered_at: Option<Millis>,
    /// Who is writing something about it, as the audit log names them.
    pub drafting: Vec<String>,
}

/// What stands beside these tickets, in one statement a table.
///
/// # Errors
/// [`Error`] of the database.
pub async fn beside(
    conn: &mut Conn,
    city: &str,
    numbers: &[TicketNumber],
    now: Millis,
) -> Result<BTreeMap<TicketNumber, Beside>, Error> {
    let mut all: BTreeMap<TicketNumber, Beside> = BTreeMap::new();
    if numbers.is_empty() {
        return Ok(all);
    }
    let these = placeholders(2, numbers.len());
    let args = || std::iter::once(Value::from(city)).chain(numbers.iter().map(Value::from)).collect::<Vec<_>>();
    for (place, sql) in [
        format!("select ticket, max(received_at) from appeals where city = $1 and ticket in ({these}) group by ticket"),
        format!(
            "select ticket, max(signed_at) from assignments
             where city = $1 and ticket in ({these}) and role = 'lead' and ended_at is null and signed_at is not null group by ticket"
        ),
        format!(
            "select ticket, max(at) from replies where city = $1 and ticket in ({these}) and kind in ('reply', 'question') group by ticket"
        ),
    ]
    .into_iter()
    .enumerate()
    {
        for row in conn.fetch(AssertSqlSafe(sql), args()).await? {
            let beside = all.entry(row.get(0)?).or_default();
            let at = Some(row.get(1)?);
            match place {
                0 => beside.last_inbound_at = at,
                1 => beside.signed_at = at,
                _ => beside.answered_at = at,
            }
        }
    }
    let mut with_now = args();
    with_now.push(now.into());
    let sql = format!(
        "select distinct ticket, staff from drafts where city = $1 and ticket in ({these}) and expires_at > ${} order by ticket, staff",
        with_now.len()
    );
    for row in conn.fetch(AssertSqlSafe(sql), with_now).await? {
        all.entry(row.get(0)?).or_default().drafting.push(row.get(1)?);
    }
    Ok(all)
}
