//! The group commit: all writes of the hub pass here, many to a transaction.
//!
//! Jobs that wait share one transaction, each under a savepoint, so that a job that fails takes nothing with it.
//! When the commit itself fails, every job runs again by itself. An answer goes out only after the commit;
//! a caller that goes away cancels nothing, since jobs run in the writer's own task. For SQLite that is a thread of
//! its own: it holds the one writing connection, and a statement there is a call, not a message to somebody else.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Error;
use super::db::{Backend, Conn};
use super::pool::Pool;

type Answer = Result<Box<dyn Any + Send>, Error>;
type Job = Arc<dyn for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Answer> + Send + Sync>;

enum Call {
    Job(Waiting),
    /// Let go of the connection and say so.
    Close(oneshot::Sender<()>),
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Answer>,
}

/// Most jobs that share a commit.
const GROUP: usize = 64;

/// Stack of the writing thread, bytes: as much as the main thread has.
const STACK: usize = 8 << 20;

/// Hands jobs to the writer's task; cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Call>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Writer")
    }
}

impl Writer {
    /// Starts the writer on the pool's write connections; it ends when the last handle is gone.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the machine gives it no thread.
    pub fn start(pool: Pool) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel::<Call>(1024);
        match pool.backend() {
            Backend::Postgres => {
                tokio::spawn(run(pool, waiting));
            }
            Backend::Sqlite => {
                let runtime = tokio::runtime::Handle::current();
                std::thread::Builder::new()
                    .name("yingda-writer".to_owned())
                    .stack_size(STACK)
                    .spawn(move || runtime.block_on(run(pool, waiting)))
                    .map_err(|error| Error::Unavailable(format!("no thread to write with: {error}")))?;
            }
        }
        Ok(Self { queue })
    }

    /// Ends the writer after the jobs that wait already, and closes its connection.
    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Call::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Runs `job` inside a transaction and answers after the commit. The job may run twice, so it must do everything through its connection.
    ///
    /// # Errors
    /// The job's own error (then nothing of it is stored), or [`Error::Unavailable`] when the database cannot commit.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>> + Send + Sync + 'static,
    {
        let (answer, committed) = oneshot::channel();
        let job = Arc::new(job);
        let job: Job = Arc::new(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move { job(conn).await.map(|value| Box::new(value) as Box<dyn Any + Send>) })
        });
        self.queue.send(Call::Job(Waiting { job, answer })).await.map_err(|_| Error::Stopping)?;
        let value = committed.await.map_err(|_| Error::Stopping)??;
        value.downcast::<T>().map(|value| *value).map_err(|_| Error::Shape("job".to_owned()))
    }
}

async fn run(pool: Pool, mut waiting: mpsc::Receiver<Call>) {
    let mut calls = Vec::with_capacity(GROUP);
    let mut kept = None;
    let mut checkpointer = pool.checkpointer();
    while waiting.recv_many(&mut calls, GROUP).await > 0 {
        let mut group = Vec::with_capacity(calls.len());
        let mut closing = None;
        for call in calls.drain(..) {
            match call {
                Call::Job(job) => group.push(job),
                Call::Close(closed) => closing = Some(closed),
            }
        }
        if !group.is_empty() {
            run_group(&pool, &mut kept, group).await;
            if let (Some(Conn::Writing(conn)), Some(checkpointer)) = (&kept, &mut checkpointer) {
                checkpointer.after_commit(conn);
            }
        }
        if let Some(closed) = closing {
            drop(checkpointer);
            drop(kept);
            drop(waiting);
            let _ = closed.send(());
            return;
        }
    }
}

async fn run_group(pool: &Pool, kept: &mut Option<Conn>, group: Vec<Waiting>) {
    metrics::histogram!("yingda_commit_group_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
    let jobs: Vec<Job> = group.iter().map(|waiting| Arc::clone(&waiting.job)).collect();
    let answers = match together(pool, kept, &jobs).await {
        Ok(answers) => answers,
        Err(error) if group.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut answers = Vec::with_capacity(jobs.len());
            for job in &jobs {
                answers.push(
                    together(pool, kept, std::slice::from_ref(job))
                        .await
                        .and_then(|mut alone| alone.pop().unwrap_or(Err(Error::Stopping))),
                );
            }
            answers
        }
    };
    for (waiting, answer) in group.into_iter().zip(answers) {
        let _ = waiting.answer.send(answer);
    }
}

async fn together(pool: &Pool, kept: &mut Option<Conn>, jobs: &[Job]) -> Result<Vec<Answer>, Error> {
    let mut conn = match kept.take() {
        Some(conn) => conn,
        None => pool.write().await?,
    };
    let begin = match conn.backend() {
        Backend::Sqlite => "begin immediate",
        Backend::Postgres => "begin",
    };
    if conn.batch(begin).await.is_err() {
        // A rollback that failed may have left a transaction open on this connection.
        let _ = conn.batch("rollback").await;
        conn.batch(begin).await?;
    }
    let result = transact(&mut conn, jobs).await;
    // PostgreSQL's go back to their pool; a pool knows which connections still live.
    if conn.backend() == Backend::Sqlite {
        *kept = Some(conn);
    }
    result
}

async fn transact(conn: &mut Conn, jobs: &[Job]) -> Result<Vec<Answer>, Error> {
    let result = run_jobs(conn, jobs).await;
    match result {
        Ok(answers) if answers.iter().any(Result::is_ok) => match conn.batch("commit").await {
            Ok(()) => Ok(answers),
            Err(error) => {
                let _ = conn.batch("rollback").await;
                Err(error)
            }
        },
        Ok(answers) => {
            // A full SQLite has rolled back by itself; the jobs' own errors must not be hidden by a rollback of nothing.
            let _ = conn.batch("rollback").await;
            Ok(answers)
        }
        Err(error) => {
            let _ = conn.batch("rollback").await;
            Err(error)
        }
    }
}

async fn run_jobs(conn: &mut Conn, jobs: &[Job]) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::with_capacity(jobs.len());
    let alone = jobs.len() == 1;
    for job in jobs {
        if !alone {
            conn.batch("savepoint job").await?;
        }
        let answer = AssertUnwindSafe(job(conn))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Error::Database("a job panicked".to_owned())));
        if !alone {
            conn.batch(if answer.is_ok() { "release savepoint job" } else { "rollback to savepoint job" }).await?;
        }
        answers.push(answer);
    }
    Ok(answers)
}
