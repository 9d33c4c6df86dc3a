//! Fills a demo hub's SQLite file with tickets, as many as a city has in years, in a minute: for the figures of the queue.
//!
//! The rows are made by SQLite itself from a table of numbers, so that nothing but the disk is waited for. 97 of 100 tickets
//! are closed. The ledger adds up and the search index is filled; files and raw messages are left out.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::process::Hub;
use crate::texts;

/// Tickets a day.
const A_DAY: usize = 10_000;

/// Makes a demo hub in `data` with `count` tickets, if there is none yet; the hub itself makes the schema. Returns the seconds
/// it took.
pub(crate) async fn seed(data: &Path, count: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let catalogue = {
        let hub = Hub::start(data).await?;
        let items = hub.get("/api/v1/items").await?;
        let districts = hub.get("/api/v1/districts").await?;
        json!({ "items": items["items"], "districts": districts["items"] })
    };
    let file = data.join("yingda.db");
    let mut conn = SqliteConnectOptions::new()
        .filename(&file)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-400000")
        .pragma("temp_store", "memory")
        .connect()
        .await?;
    let stored: i64 = sqlx::query("select count(*) from tickets").fetch_one(&mut conn).await?.try_get(0)?;
    if stored >= i64::try_from(count)? {
        return Ok(began.elapsed().as_secs_f64());
    }
    anyhow::ensure!(stored == 0, "{} has tickets of its own", file.display());
    numbers(&mut conn, count).await?;
    kinds(&mut conn, &catalogue).await?;
    for statement in STATEMENTS {
        sqlx::query(*statement).execute(&mut conn).await.with_context(|| statement.to_string())?;
    }
    sqlx::query("pragma journal_mode = wal").execute(&mut conn).await?;
    conn.close().await?;
    Ok(began.elapsed().as_secs_f64())
}

/// The numbers of all tickets with their times, the oldest first.
async fn numbers(conn: &mut SqliteConnection, count: usize) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the newest ticket is of now")]
    let now = chrono::Utc::now();
    let step = 86_400_000 / i64::try_from(A_DAY)?;
    sqlx::query("create temp table n (i integer primary key, number text, at integer, id text, city text)")
        .execute(&mut *conn)
        .await?;
    let city: String = sqlx::query("select city from cities").fetch_one(&mut *conn).await?.try_get(0)?;
    let (mut day, mut counter) = (String::new(), 0);
    for chunk in (0..count).collect::<Vec<_>>().chunks(50_000) {
        let mut rows = Vec::with_capacity(chunk.len());
        for place in chunk {
            let at = now - chrono::Duration::milliseconds(step * i64::try_from(count - place)?);
            let today = at.format("%y%m%d").to_string();
            counter = if today == day { counter + 1 } else { 1 };
            day = today;
            let ms = at.timestamp_millis();
            let id = format!("{:08x}-{:04x}-7000-8000-{place:012x}", ms >> 16, ms & 0xffff);
            rows.push(json!([place + 1, number(&day, counter), ms, id]));
        }
        sqlx::query("insert into n select value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2 from json_each(?1)")
            .bind(Value::Array(rows).to_string())
            .bind(&city)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// A ticket's number: date, counter and check digit (ISO 7064, MOD 11,10).
fn number(day: &str, counter: usize) -> String {
    let digits = format!("{day}{counter:06}");
    let product = digits.bytes().fold(10_u32, |product, digit| {
        let sum = (product + u32::from(digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    format!("{digits}{}", (11 - product) % 10)
}

/// What tickets are about: texts, items with their departments, districts.
async fn kinds(conn: &mut SqliteConnection, catalogue: &Value) -> anyhow::Result<()> {
    let mut kinds = Vec::new();
    let items: Vec<&Value> = catalogue["items"].as_array().context("no items")?.iter().collect();
    let districts = catalogue["districts"].as_array().context("no districts")?;
    for (index, text) in texts::chinese().enumerate() {
        let item = items.get(index * 7 % items.len()).context("no item")?;
        let department = item["department"].as_str().unwrap_or("government-services");
        let district = districts.get(index % (districts.len() + 1)).and_then(|district| district["id"].as_str());
        // As the hub cuts texts: each character by itself.
        let words: Vec<String> = text.chars().filter(|letter| letter.is_alphanumeric()).map(String::from).collect();
        kinds.push(json!([index, text, item["id"], department, district, words.join(" ")]));
    }
    let count = kinds.len();
    sqlx::query(
        "create temp table k (i integer primary key, text text, item text, department text, district text, words text)",
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into k select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each(?1)")
        .bind(Value::Array(kinds).to_string())
        .execute(&mut *conn)
        .await?;
    let view = format!(
        "create temp view t as select n.*, k.text, k.item, k.department, k.district, k.words,
             case n.i % 7 when 0 then 'email' when 1 then 'telegram' when 2 then 'phone' when 3 then 'webform' else 'sms' end as channel,
             case n.i % 7 when 0 then 'mailbox' when 1 then 'bot' when 2 then 'phone' when 3 then 'form' else 'demo' end as account,
             case when n.i <= (select max(i) from n) * 97 / 100 then 'closed' when n.i % 10 = 0 then 'triage' when n.i % 10 < 5 then 'dispatched'
                 when n.i % 10 < 8 then 'signed' when n.i % 10 = 8 then 'replied' else 'delivered' end as state,
             case when n.i % 50 = 0 then 'urgent' when n.i % 11 = 0 then 'high' when n.i % 13 = 0 then 'low' else 'normal' end as priority,
             n.at + (24 + n.i % 20 * 24) * 3600000 as due_at,
             printf('+86139%08d', n.i % (max((select max(i) from n) / 2, 1))) as sender,
             printf('00000000-0000-7000-8000-%012x', n.i % (max((select max(i) from n) / 2, 1))) as contact
         from n join k on k.i = n.i * 31 % {count}"
    );
    sqlx::query(AssertSqlSafe(view)).execute(&mut *conn).await?;
    Ok(())
}

const STATEMENTS: &[&str] = &[
    "begin",
    "insert into inbound (city, id, channel, account, received_at, method, url, headers, body_sha256, outcome, ticket)
     select city, id, channel, account, at, 'POST', '/channels', '[]', zeroblob(32), 'new', number from t order by i",
    "insert into contacts (city, channel, address, id, language, last_seen_at)
     select city, channel, sender, contact, 'zh-Hans', max(at) from t group by city, channel, sender",
    "insert into tickets (city, number, state, item, department, kind, priority, language, channel, account, subject, contact_id, district, code_hash,
         answer_channel, answer_account, answer_address, answer_confirmed, due_at, inbound_id, decision_id, version, created_at, updated_at, closed_at)
     select city, number, state, item, case when state = 'triage' then null else department end, 'help', priority, 'zh-Hans', channel, account,
         substr(text, 1, 80), contact, district, zeroblob(32), channel, account, sender, 1, due_at, id, id, 3, at, at,
         case when state = 'closed' then at + 86400000 end
     from t order by i",
    "insert into appeals (city, id, ticket, inbound_id, is_first, channel, account, contact_id, sender, text, language, received_at)
     select city, id, number, id, 1, channel, account, contact, sender, text, 'zh-Hans', at from t order by i",
    "insert into decisions (city, id, ticket, at, decided_by, item, department, confidence, rule_set, ranked, trace, facts)
     select city, id, number, at, 'rule', item, department, 0.9, 'seed', '[]', '{}', '{}' from t order by i",
    "insert into assignments (city, id, ticket, department, role, state, assigned_at, due_at, signed_at, ended_at)
     select city, id, number, department, 'lead', case when state in ('dispatched', 'signed', 'closed') then state else 'replied' end, at, due_at,
         case when state <> 'dispatched' then at + 600000 end, case when state = 'closed' then at + 86400000 end
     from t where state <> 'triage' order by i",
    "insert into deliveries (city, id, ticket, kind, channel, account, address, text, automatic, state, created_at, updated_at)
     select city, id, number, 'acknowledgement', channel, account, sender, '', 1, 'delivered', at, at from t order by i",
    "insert into events (city, position, kind, ticket, state, department, at)
     select city, (select position from cities) + i, 'created', number, state, department, at from t order by i",
    "insert into search (rowid, city, ticket, body) select i, city, number, number || ' ' || words from t order by i",
    "insert into search_rows (city, ticket, row_id) select city, number, i from t order by i",
    "update cities set position = position + (select max(i) from n)",
    "insert into cursors (city, name, value, updated_at) select city, 'search', position, 0 from cities where true
     on conflict (city, name) do update set value = excluded.value",
    "commit",
];
