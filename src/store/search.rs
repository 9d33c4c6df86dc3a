//! The search index: filled from the feed, asked by words.
//!
//! Texts are cut into words here and not by the database, so that both databases find the same: letters and digits make words,
//! each Chinese, Japanese or Korean character is a word of its own, and a run of them is looked for as a phrase. The index holds
//! masked texts only, so that nobody finds a citizen by number or address through it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sqlx::AssertSqlSafe;
use unicode_normalization::UnicodeNormalization as _;

use super::Error;
use super::db::{Backend, Conn, Value, placeholders};
use super::tickets::{self, Filter, Page, TicketRow};
use crate::domain::TicketNumber;

/// Most words of one ticket that are indexed; PostgreSQL keeps positions up to 16,383.
const MOST_WORDS: usize = 16_000;

/// A word that no query has (a character for private use), so that no phrase runs from one line into the next.
const LINE_END: &str = "\u{e000}";

/// The words of a text, folded: compatibility forms (NFKC) and lower case.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for letter in text.nfkc().flat_map(char::to_lowercase) {
        if is_cjk(letter) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            words.push(letter.to_string());
        } else if letter.is_alphanumeric() {
            word.push(letter);
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

const fn is_cjk(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What is looked for: every phrase must occur; the last word of each may be the beginning of a longer one.
fn phrases(query: &str) -> Vec<Vec<String>> {
    query.split_whitespace().map(words).filter(|phrase| !phrase.is_empty()).take(16).collect()
}

/// Whether the end of a phrase may be completed: only words of letters or digits, and not too short ones.
fn open_ended(phrase: &[String]) -> bool {
    phrase.last().is_some_and(|word| word.chars().count() >= 3)
}

/// The query of FTS5; `None` when nothing is left to look for.
fn fts5(query: &str) -> Option<String> {
    let mut text = String::new();
    for phrase in phrases(query) {
        let star = if open_ended(&phrase) { " *" } else { "" };
        let _ = write!(text, "{}\"{}\"{star}", if text.is_empty() { "" } else { " AND " }, phrase.join(" "));
    }
    (!text.is_empty()).then_some(text)
}

/// The tsquery of PostgreSQL; `None` when nothing is left to look for.
fn tsquery(query: &str) -> Option<String> {
    let mut text = String::new();
    for phrase in phrases(query) {
        let star = if open_ended(&phrase) { ":*" } else { "" };
        let quoted: Vec<String> = phrase.iter().map(|word| format!("'{word}'")).collect();
        let _ = write!(text, "{}({}{star})", if text.is_empty() { "" } else { " & " }, quoted.join(" <-> "));
    }
    (!text.is_empty()).then_some(text)
}

/// A tsvector in its own notation, so that PostgreSQL's parser has no say in what a word is.
fn tsvector(words: &[String]) -> String {
    let mut text = String::with_capacity(words.len() * 8);
    for (position, word) in words.iter().enumerate() {
        let _ = write!(text, "'{word}':{} ", position + 1);
    }
    text
}

/// What a ticket may be found by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its subject.
    pub subject: String,
    /// Where it is.
    pub place: Option<String>,
    /// Its service item.
    pub item: Option<String>,
    /// Subjects and texts of its appeals, and what staff wrote, oldest first.
    pub texts: Vec<String>,
    /// The departments that have had it.
    pub departments: Vec<String>,
}

/// What these tickets may be found by, in one statement a table.
///
/// # Errors
/// [`Error`] of the database.
pub async fn sources(
    conn: &mut Conn,
    city: &str,
    numbers: &[TicketNumber],
) -> Result<BTreeMap<TicketNumber, Source>, Error> {
    let mut sources = BTreeMap::new();
    if numbers.is_empty() {
        return Ok(sources);
    }
    let these = placeholders(2, numbers.len());
    let args = || std::iter::once(Value::from(city)).chain(numbers.iter().map(Value::from)).collect::<Vec<_>>();
    let sql = format!("select number, subject, place, item from tickets where city = $1 and number in ({these})");
    for row in conn.fetch(AssertSqlSafe(sql), args()).await? {
        let source = Source { subject: row.get(1)?, place: row.get(2)?, item: row.get(3)?, ..Source::default() };
        sources.insert(row.get(0)?, source);
    }
    for texts in [
        "select ticket, subject, text from appeals where city = $1 and ticket in",
        "select ticket, null, text from replies where city = $1 and ticket in",
    ] {
        for row in conn.fetch(AssertSqlSafe(format!("{texts} ({these}) order by ticket, id")), args()).await? {
            if let Some(source) = sources.get_mut(&row.get(0)?) {
                source.texts.extend(row.get::<Option<String>>(1)?);
                source.texts.push(row.get(2)?);
            }
        }
    }
    let sql = format!(
        "select ticket, department from assignments where city = $1 and ticket in ({these}) order by ticket, id"
    );
    for row in conn.fetch(AssertSqlSafe(sql), args()).await? {
        if let Some(source) = sources.get_mut(&row.get(0)?) {
            source.departments.push(row.get(1)?);
        }
    }
    Ok(sources)
}

/// Replaces what the index knows of these tickets, which must differ, in few statements.
///
/// # Errors
/// [`Error`] of the database.
pub async fn index(conn: &mut Conn, city: &str, texts: &[(TicketNumber, String)]) -> Result<(), Error> {
    if texts.is_empty() {
        return Ok(());
    }
    let cut = |text: &str| {
        let mut words: Vec<String> =
            text.lines().flat_map(|line| words(line).into_iter().chain([LINE_END.to_owned()])).collect();
        words.truncate(MOST_WORDS);
        // PostgreSQL refuses longer ones, and nobody types them.
        words.retain(|word| word.len() <= 200);
        words
    };
    if conn.backend() == Backend::Postgres {
        let (mut args, mut rows) = (Vec::with_capacity(texts.len() * 3), Vec::with_capacity(texts.len()));
        for (number, text) in texts {
            let next = args.len() + 1;
            rows.push(format!("(${next}, ${}, cast(${} as tsvector))", next + 1, next + 2));
            args.extend([city.into(), number.into(), tsvector(&cut(text)).into()]);
        }
        let sql = format!(
            "insert into search (city, ticket, body) values {}
             on conflict (city, ticket) do update set body = excluded.body",
            rows.join(", ")
        );
        return conn.execute(AssertSqlSafe(sql), args).await.map(|_| ());
    }
    let these = placeholders(2, texts.len());
    let args = std::iter::once(Value::from(city)).chain(texts.iter().map(|(number, _)| number.into())).collect();
    let sql = format!("select ticket, row_id from search_rows where city = $1 and ticket in ({these})");
    let mut known = BTreeMap::new();
    for row in conn.fetch(AssertSqlSafe(sql), args).await? {
        known.insert(row.get::<TicketNumber>(0)?, row.get::<i64>(1)?);
    }
    if !known.is_empty() {
        let sql = format!("delete from search where rowid in ({})", placeholders(1, known.len()));
        conn.execute(AssertSqlSafe(sql), known.values().map(|row_id| Value::from(*row_id)).collect()).await?;
    }
    let last = conn.fetch_optional("select rowid from search order by rowid desc limit 1", Vec::new()).await?;
    let mut last: i64 = last.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    last = known.values().copied().fold(last, i64::max);
    let (mut bodies, mut added) = (Vec::with_capacity(texts.len()), Vec::new());
    for (number, text) in texts {
        let row_id = known.get(number).copied().unwrap_or_else(|| {
            last += 1;
            added.push(vec![city.into(), number.into(), last.into()]);
            last
        });
        bodies.push(vec![row_id.into(), city.into(), number.into(), cut(text).join(" ").into()]);
    }
    conn.insert("search", "rowid, city, ticket, body", bodies).await?;
    conn.insert("search_rows", "city, ticket, row_id", added).await.map(|_| ())
}

/// Found tickets that are looked at for one page at most, when a filter lets few of them through.
const MOST_HITS: usize = 2_000;

/// Hits that are read at once.
const HITS: i64 = 200;

/// The numbers of tickets whose texts have all words of the query, newest first, before a number. The order is that in which
/// they were first indexed, which is that of their creation but for moments.
async fn hits(
    conn: &mut Conn,
    city: &str,
    query: &str,
    before: Option<&TicketNumber>,
    limit: i64,
) -> Result<Vec<TicketNumber>, Error> {
    let rows = match conn.backend() {
        Backend::Sqlite => {
            let Some(compiled) = fts5(query) else { return Ok(Vec::new()) };
            let row_id: i64 = match before {
                None => i64::MAX,
                Some(number) => conn
                    .fetch_optional(
                        "select coalesce(
                             (select row_id from search_rows where city = $1 and ticket = $2),
                             (select row_id from search_rows where city = $1 and ticket > $2 order by ticket limit 1))",
                        vec![city.into(), number.into()],
                    )
                    .await?
                    .and_then(|row| row.get(0).ok())
                    .unwrap_or(i64::MAX),
            };
            // FTS5 walks its rows backwards by itself and stops at the limit.
            conn.fetch(
                "select ticket from search where search match $1 and rowid < $2 and city = $3 order by rowid desc limit $4",
                vec![compiled.into(), row_id.into(), city.into(), limit.into()],
            )
            .await?
        }
        Backend::Postgres => {
            let Some(compiled) = tsquery(query) else { return Ok(Vec::new()) };
            let before = before.map_or(":", TicketNumber::as_str);
            conn.fetch(
                "select ticket from search where city = $1 and body @@ cast($2 as tsquery) and ticket < $3 order by ticket desc limit $4",
                vec![city.into(), compiled.into(), before.into(), limit.into()],
            )
            .await?
        }
    };
    rows.iter().map(|row| row.get(0)).collect()
}

/// Tickets whose texts have all words of the query, newest first, after the `next` of the page before. At most [`MOST_HITS`]
/// found tickets are looked at, so that a page may be shorter than asked for and still not be the last.
///
/// # Errors
/// [`Error`] of the database.
pub async fn find(
    conn: &mut Conn,
    city: &str,
    query: &str,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Page, Error> {
    let mut before = after.map(|after| TicketNumber::stored(after.to_owned()));
    let (mut rows, mut looked) = (Vec::new(), 0);
    let most = usize::try_from(limit).unwrap_or_default();
    loop {
        let numbers = hits(conn, city, query, before.as_ref(), HITS).await?;
        let last = i64::try_from(numbers.len()).unwrap_or_default() < HITS;
        looked += numbers.len();
        before = numbers.last().cloned().or(before);
        for row in tickets::matching(conn, city, &numbers, filter).await? {
            if rows.len() == most {
                let next = rows.last().map(|row: &TicketRow| row.number.to_string());
                return Ok(Page { rows, next });
            }
            rows.push(row);
        }
        if last {
            return Ok(Page { rows, next: None });
        }
        if looked >= MOST_HITS {
            return Ok(Page { rows, next: before.map(|number| number.to_string()) });
        }
    }
}

/// The newest found tickets, [`MOST_HITS`] at most; for counting.
///
/// # Errors
/// [`Error`] of the database.
pub async fn newest(conn: &mut Conn, city: &str, query: &str) -> Result<Vec<TicketNumber>, Error> {
    hits(conn, city, query, None, i64::try_from(MOST_HITS).unwrap_or_default()).await
}

/// By what a citizen is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Any of these spellings of an address.
    Address(Vec<String>),
    /// The beginning of a name.
    Name(String),
    /// These contacts.
    Contacts(Vec<String>),
}

/// The ids of the contacts meant, 500 at most.
async fn contact_ids(conn: &mut Conn, city: &str, whom: &Whom) -> Result<Vec<String>, Error> {
    let (sql, args): (String, Vec<Value>) = match whom {
        Whom::Contacts(ids) => return Ok(ids.clone()),
        // The media are named so that the key of the contacts serves.
        Whom::Address(spellings) => (
            format!(
                "select id from contacts
                 where city = $1 and channel in ('sms', 'email', 'telegram', 'websocket', 'webform', 'phone') and address in ({}) limit 500",
                placeholders(2, spellings.len())
            ),
            std::iter::once(Value::from(city)).chain(spellings.iter().map(Value::from)).collect(),
        ),
        Whom::Name(name) => {
            // Byte by byte, as SQLite compares anyway, so that the index serves whatever the database's locale is.
            let column = if conn.backend() == Backend::Postgres { "name collate \"C\"" } else { "name" };
            (
                format!(
                    "select id from contacts where city = $1 and name is not null and {column} >= $2 and {column} < $3 order by {column} limit 500"
                ),
                vec![city.into(), name.into(), format!("{name}\u{10ffff}").into()],
            )
        }
    };
    conn.fetch(AssertSqlSafe(sql), args).await?.iter().map(|row| row.get(0)).collect()
}

/// Tickets of a citizen, newest first, after the `next` of the page before: those that it opened or wrote to, or where its
/// answers go.
///
/// # Errors
/// [`Error`] of the database.
pub async fn by_contact(
    conn: &mut Conn,
    city: &str,
    whom: &Whom,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Page, Error> {
    let ids = contact_ids(conn, city, whom).await?;
    let addresses = if let Whom::Address(spellings) = whom { spellings.as_slice() } else { &[] };
    if ids.is_empty() && addresses.is_empty() {
        return Ok(Page { rows: Vec::new(), next: None });
    }
    let mut args: Vec<Value> = vec![city.into(), after.unwrap_or(":").into(), (limit + 1).into()];
    let mut either = Vec::new();
    if !ids.is_empty() {
        let these = placeholders(args.len() + 1, ids.len());
        either.push(format!(
            "select o.number from tickets o where o.city = $1 and o.contact_id in ({these})
             union select a.ticket from appeals a where a.city = $1 and a.contact_id in ({these})
                 and (a.is_first = 0 or a.moved_from is not null)"
        ));
        args.extend(ids.iter().map(Value::from));
    }
    if !addresses.is_empty() {
        either.push(format!(
            "select o.number from tickets o where o.city = $1 and o.answers_elsewhere = 1 and o.answer_address in ({})",
            placeholders(args.len() + 1, addresses.len())
        ));
        args.extend(addresses.iter().map(Value::from));
    }
    let condition = format!("t.number in ({})", either.join(" union "));
    let mut rows = tickets::page_of(conn, city, &condition, args, filter).await?;
    let most = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|row| row.number.to_string());
    Ok(Page { rows, next })
}

/// Takes everything out of the index and starts again from the beginning of the feed.
///
/// # Errors
/// [`Error`] of the database.
pub async fn clear(conn: &mut Conn, city: &str) -> Result<(), Error> {
    for sql in ["delete from search where city = $1", "delete from cursors where city = $1 and name = 'search'"] {
        conn.execute(AssertSqlSafe(sql), vec![city.into()]).await?;
    }
    if conn.backend() == Backend::Sqlite {
        conn.execute("delete from search_rows where city = $1", vec![city.into()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_scripts() {
        for (text, expected) in [
            ("路灯坏了，3号楼", vec!["路", "灯", "坏", "了", "3", "号", "楼"]),
            ("Street-Light ＡＢＣ", vec!["street", "light", "abc"]),
            ("ハロー 서울", vec!["ハ", "ロ", "ー", "서", "울"]),
            ("'; drop:* \"", vec!["drop"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn no_query_has_the_end_of_a_line() {
        assert_eq!(words(LINE_END), Vec::<String>::new());
    }

    #[test]
    fn queries_are_phrases_without_operators() {
        assert_eq!(fts5("路灯 light").as_deref(), Some("\"路 灯\" AND \"light\" *"));
        assert_eq!(tsquery("路灯 light").as_deref(), Some("('路' <-> '灯') & ('light':*)"));
        assert_eq!(fts5("a OR \"b\"").as_deref(), Some("\"a\" AND \"or\" AND \"b\""));
        assert_eq!(fts5(" *&| "), None);
        assert_eq!(tsvector(&words("路灯")), "'路':1 '灯':2 ");
    }
}
