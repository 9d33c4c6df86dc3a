//! The group commit: all writes of the hub pass here, many to a transaction.
//!
//! Jobs that wait share one transaction, each under a savepoint, so that a job that fails takes nothing with it.
//! When the commit itself fails, every job runs again by itself. An answer goes out only after the commit;
//! a caller that goes away cancels nothing, since jobs run in the writer's own task.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Error;
use super::db::Conn;
use super::pool::Pool;

type Answer = Result<Box<dyn Any + Send>, Error>;
type Job = Arc<dyn for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Answer> + Send + Sync>;

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Answer>,
}

/// Most jobs that share a commit.
const GROUP: usize = 64;

/// Hands jobs to the writer's task; cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Writer")
    }
}

impl Writer {
    /// Starts the writer's task on the pool's write connections; it ends when the last handle is gone.
    #[must_use]
    pub fn start(pool: Pool) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(1024);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                run_group(&pool, std::mem::take(&mut group)).await;
            }
        });
        Self { queue }
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
        self.queue.send(Waiting { job, answer }).await.map_err(|_| Error::Stopping)?;
        let value = committed.await.map_err(|_| Error::Stopping)??;
        value.downcast::<T>().map(|value| *value).map_err(|_| Error::Shape("job".to_owned()))
    }
}

async fn run_group(pool: &Pool, group: Vec<Waiting>) {
    metrics::histogram!("yingda_commit_group_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
    let jobs: Vec<Job> = group.iter().map(|waiting| Arc::clone(&waiting.job)).collect();
    let answers = match together(pool, &jobs).await {
        Ok(answers) => answers,
        Err(error) if group.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut answers = Vec::with_capacity(jobs.len());
            for job in &jobs {
                answers.push(
                    together(pool, std::slice::from_ref(job))
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

async fn together(pool: &Pool, jobs: &[Job]) -> Result<Vec<Answer>, Error> {
    let mut conn = pool.write().await?;
    let begin = match conn.backend() {
        super::Backend::Sqlite => "begin immediate",
        super::Backend::Postgres => "begin",
    };
    if conn.batch(begin).await.is_err() {
        // A rollback that failed may have left a transaction open on this connection.
        let _ = conn.batch("rollback").await;
        conn.batch(begin).await?;
    }
    let result = run_jobs(&mut conn, jobs).await;
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
