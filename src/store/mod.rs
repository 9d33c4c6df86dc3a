//! All SQL of the hub, on SQLite and PostgreSQL. One file a noun; every row belongs to a city.

pub mod audit;
pub mod backup;
mod changes;
mod checkpoint;
mod db;
pub mod deliveries;
pub mod dispatch;
pub mod drafts;
mod embedded;
mod error;
pub mod feed;
pub mod health;
pub mod history;
pub mod inspect;
pub mod intake;
pub mod past;
mod pool;
pub mod portal;
pub mod quarantine;
pub mod rule_sets;
pub mod search;
pub mod staff;
pub mod tickets;
pub mod watch;
pub mod websocket;
mod writer;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch as notice;

pub use changes::{Changes, Event, NewAppeal, NewAttachment, NewDecision, NewDelivery, NewInbound, NewTicket};
pub use db::{Backend, Conn, FromValue, Row, Value, placeholders};
pub use error::Error;
pub use pool::Pool;
pub use writer::Writer;

use crate::domain::Millis;

/// The store of one city.
#[derive(Debug, Clone)]
pub struct Store {
    /// The city whose rows it sees.
    pub city: Arc<str>,
    pool: Pool,
    writer: Writer,
    position: Arc<notice::Sender<i64>>,
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// [`Error`] when it cannot be opened or migrated.
    pub async fn open(url: &str, max_bytes: u64, connections: u32, city: &str) -> Result<Self, Error> {
        let pool = Pool::open(url, max_bytes, connections).await?;
        pool.migrate().await?;
        let writer = Writer::start(pool.clone())?;
        let store = Self { city: city.into(), pool, writer, position: Arc::new(notice::channel(0).0) };
        let name = store.city.to_string();
        let position = store
            .write(move |conn| {
                let name = name.clone();
                Box::pin(async move {
                    conn.execute(
                        "insert into cities (city) values ($1) on conflict do nothing",
                        vec![name.as_str().into()],
                    )
                    .await?;
                    conn.fetch_value::<i64>("select position from cities where city = $1", vec![name.into()]).await
                })
            })
            .await?;
        store.position.send_replace(position);
        Ok(store)
    }

    /// Which database it is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.pool.backend()
    }

    /// A connection to read with.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none is to be had.
    pub async fn read(&self) -> Result<Conn, Error> {
        self.pool.read().await
    }

    /// Whether the database answers.
    pub async fn answers(&self) -> bool {
        match self.read().await {
            Ok(mut conn) => conn.fetch("select 1", Vec::new()).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Runs a job in the group commit; see [`Writer::write`].
    ///
    /// # Errors
    /// The job's own, or [`Error::Unavailable`].
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>> + Send + Sync + 'static,
    {
        self.writer.write(job).await
    }

    /// Says that the feed has reached `position`, after the commit that put it there.
    pub fn announce(&self, position: Option<i64>) {
        if let Some(position) = position {
            self.position.send_if_modified(|known| {
                position > *known && {
                    *known = position;
                    true
                }
            });
        }
    }

    /// The feed's last position as this process knows it; wakes at each change.
    #[must_use]
    pub fn positions(&self) -> notice::Receiver<i64> {
        self.position.subscribe()
    }

    /// A new set of changes for this city.
    #[must_use]
    pub fn changes(&self, now: Millis) -> Changes {
        Changes::new(&self.city, now)
    }

    /// Closes the connections after what runs has ended.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }
}
