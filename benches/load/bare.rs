//! The bare program: what anybody would need to take signed messages safely, and nothing more.
//!
//! axum, the signature of Standard Webhooks, a JSON parse, and one raw row per message; those that wait share a
//! commit, with `synchronous=FULL`, through sqlx. An answer goes out only after the commit.

use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::sync::{mpsc, oneshot};

/// By which argument the bench starts itself as the bare program.
pub(crate) const SUBCOMMAND: &str = "bare";

/// Most messages that share a commit, as many as the hub takes.
const GROUP: usize = 64;

#[derive(Debug, Deserialize)]
struct Message {
    id: String,
    from: String,
    #[expect(dead_code, reason = "parsed as the hub parses it; the raw body is what is kept")]
    text: String,
}

struct Waiting {
    message: Message,
    body: Bytes,
    committed: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Door {
    key: Arc<Hmac<Sha256>>,
    queue: mpsc::Sender<Waiting>,
}

/// Serves until it is killed.
pub(crate) fn run(listen: &str, database: &str, secret: &str) -> anyhow::Result<()> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").context("whsec_")?)?;
    let key = Arc::new(Hmac::<Sha256>::new_from_slice(&key)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut database = SqliteConnectOptions::from_str(&format!("sqlite:{database}"))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000")
            .connect()
            .await?;
        sqlx::raw_sql("create table messages (id text primary key not null, sender text not null, body blob not null)")
            .execute(&mut database)
            .await?;
        let (queue, mut waiting) = mpsc::channel(1024);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                let group = std::mem::take(&mut group);
                // Who is not committed gets no answer but a 503.
                if commit(&mut database, &group).await.is_ok() {
                    for one in group {
                        let _ = one.committed.send(());
                    }
                }
            }
        });
        let router = Router::new()
            .route("/channels/sms/demo", post(receive))
            .route("/readyz", get(|| async {}))
            .with_state(Door { key, queue });
        axum::serve(tokio::net::TcpListener::bind(listen).await?, router).await?;
        Ok(())
    })
}

async fn commit(database: &mut SqliteConnection, group: &[Waiting]) -> sqlx::Result<()> {
    let rows: Vec<String> =
        (0..group.len()).map(|row| format!("(${}, ${}, ${})", row * 3 + 1, row * 3 + 2, row * 3 + 3)).collect();
    let sql = format!("insert into messages (id, sender, body) values {}", rows.join(", "));
    sqlx::raw_sql("begin immediate").execute(&mut *database).await?;
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for one in group {
        query = query.bind(&one.message.id).bind(&one.message.from).bind(one.body.as_ref());
    }
    let result = query.execute(&mut *database).await;
    sqlx::raw_sql(if result.is_ok() { "commit" } else { "rollback" }).execute(&mut *database).await?;
    result.map(|_| ())
}

async fn receive(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> Response {
    if !genuine(&door.key, &headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(message) = serde_json::from_slice::<Message>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (committed, answer) = oneshot::channel();
    if door.queue.send(Waiting { message, body, committed }).await.is_err() || answer.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([("yingda-outcome", "new")], r#"{"outcome":"new","ticket":null,"reason":null}"#).into_response()
}

fn genuine(key: &Hmac<Sha256>, headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return false;
    };
    let mut mac = key.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    signatures
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok())
}
