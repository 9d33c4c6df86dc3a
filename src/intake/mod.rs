//! From an adapter's receipt to a committed ticket: ledger, identity, threading, language, acknowledgement.
//!
//! Arrivals that wait together are taken in one batch of few statements. When a batch fails, its arrivals are taken
//! one by one, and the one that fails by itself is kept aside as `poisoned`; nothing behind it waits.

mod acknowledge;
mod arrival;
mod batch;
pub mod held;
mod language;
mod media;
pub mod phone;
pub mod thread;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use channel_contract::{Channel, Content, Outcome, QuarantineReason, RawRequest, Receipt, Verdict};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use arrival::{Arrival, File, Matter, Prepared, PreparedMessage};
pub use language::{Languages, tells};
pub(crate) use media::{clean_name, media_type, refusal};

use crate::dispatch::Circumstances;
use crate::domain::{TicketNumber, new_id};
use crate::hub::{Hub, Window};
use crate::store::Error;

/// Why a message was not taken; the sender may try again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// A wrong bearer token: 401, nothing kept.
    #[error("the token is wrong")]
    Unauthorized,
    /// The account's quarantine is full: 429.
    #[error("too many messages of this account could not be verified; they are waiting for the operator")]
    QuarantineFull,
    /// The hub cannot store it now: 503 with `Retry-After`, and nothing was stored as accepted.
    #[error("the message could not be stored; send it again later")]
    Unavailable(#[from] Error),
}

/// What became of one arrival.
pub type Taken = Result<Verdict, Refusal>;

struct Waiting {
    arrivals: Arc<Vec<Arrival>>,
    cursor: Option<(String, String)>,
    answer: oneshot::Sender<Result<Vec<Taken>, Error>>,
    /// Its place in the line, given back when it is answered.
    _place: OwnedSemaphorePermit,
}

/// So many in one batch make the intake crowded.
const CROWD: usize = 6;

/// The door of the intake. Who comes first calls the writer; the batch is all that wait when the writer has time for it, so that
/// one batch gathers while the one before it is being committed.
#[derive(Debug)]
pub struct Intake {
    hub: Weak<Hub>,
    /// Most arrivals in a batch.
    most: usize,
    /// How many may stand in line.
    places: Arc<Semaphore>,
    line: Mutex<Line>,
    /// Acknowledgements per sender.
    pub(crate) acknowledged: Window,
    /// When a batch last could not be stored, milliseconds; 0 for never since the last success.
    failed_at: AtomicI64,
    /// When a batch was last large, milliseconds.
    crowded_at: AtomicI64,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// Whether the writer has been called for those who wait.
    called: bool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Line").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

/// What is taken together. It is settled when the writer first has time for it, and stays so when the writer tries again.
#[derive(Default)]
struct Batch {
    contents: OnceLock<Contents>,
    waiting: Mutex<Vec<Waiting>>,
}

/// The arrivals of each request, and cursors.
struct Contents {
    arrivals: Vec<Arc<Vec<Arrival>>>,
    cursors: Vec<(String, String)>,
}

impl Batch {
    fn of(arrivals: Vec<Arc<Vec<Arrival>>>, cursors: Vec<(String, String)>) -> Arc<Self> {
        Arc::new(Self { contents: Contents { arrivals, cursors }.into(), waiting: Mutex::default() })
    }

    /// What it holds: unless that is settled, all who wait now.
    fn settled(&self, hub: &Arc<Hub>) -> &Contents {
        self.contents.get_or_init(|| {
            let waiting = hub.intake.next(hub);
            let arrivals: Vec<_> = waiting.iter().map(|one| Arc::clone(&one.arrivals)).collect();
            let cursors = waiting.iter().filter_map(|one| one.cursor.clone()).collect();
            *locked(&self.waiting) = waiting;
            let count = arrivals.iter().map(|some| some.len()).sum::<usize>();
            metrics::histogram!("yingda_intake_batch_size").record(u32::try_from(count).unwrap_or(u32::MAX));
            Contents { arrivals, cursors }
        })
    }
}

/// A lock whose holder panicked holds lists that are whole all the same.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Intake {
    /// A door whose batches hold at most `most` requests; `waiting` may stand in line.
    #[must_use]
    pub fn new(hub: Weak<Hub>, most: usize, waiting: usize) -> Self {
        Self {
            hub,
            most: most.max(1),
            places: Arc::new(Semaphore::new(waiting.max(1))),
            line: Mutex::default(),
            acknowledged: Window::default(),
            failed_at: AtomicI64::new(0),
            crowded_at: AtomicI64::new(0),
        }
    }

    /// Those who are taken next; if others are left, the writer is called for them.
    fn next(&self, hub: &Arc<Hub>) -> Vec<Waiting> {
        let mut line = locked(&self.line);
        let count = line.waiting.len().min(self.most);
        let next: Vec<_> = line.waiting.drain(..count).collect();
        line.called = !line.waiting.is_empty();
        if line.called {
            tokio::spawn(take_batch(Arc::clone(hub)));
        }
        if count >= CROWD {
            self.crowded_at.store(hub.clock.millis(), Ordering::Relaxed);
        }
        next
    }

    /// Those for whom the writer has no more time.
    fn turned_away(&self) -> Vec<Waiting> {
        let mut line = locked(&self.line);
        line.called = false;
        line.waiting.drain(..).collect()
    }

    /// Whether messages can be taken, as far as the last batch tells; a failure counts for a few seconds.
    #[must_use]
    pub fn takes(&self, now: crate::domain::Millis) -> bool {
        const MEMORY: crate::domain::Millis = 5_000;
        now - self.failed_at.load(Ordering::Relaxed) > MEMORY
    }

    /// Whether so much comes in that what can wait should.
    #[must_use]
    pub fn crowded(&self, now: crate::domain::Millis) -> bool {
        const MEMORY: crate::domain::Millis = 500;
        now - self.crowded_at.load(Ordering::Relaxed) < MEMORY
    }

    async fn submit(&self, arrivals: Vec<Arrival>, cursor: Option<(String, String)>) -> Result<Vec<Taken>, Error> {
        let hub = self.hub.upgrade().ok_or(Error::Stopping)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let (answer, committed) = oneshot::channel();
        let waiting = Waiting { arrivals: Arc::new(arrivals), cursor, answer, _place: place };
        let first = {
            let mut line = locked(&self.line);
            line.waiting.push_back(waiting);
            !std::mem::replace(&mut line.called, true)
        };
        if first {
            // A task of its own, so that a client that goes away cancels nothing.
            tokio::spawn(take_batch(hub));
        }
        committed.await.map_err(|_| Error::Stopping)?
    }
}

impl Hub {
    /// Takes one request with the adapter's receipt; answers after the commit. `into` names the ticket when the hub itself knows it.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was stored as accepted.
    pub async fn take(
        &self,
        channel: &Arc<dyn Channel>,
        raw: RawRequest,
        receipt: Receipt,
        into: Option<TicketNumber>,
    ) -> Result<Vec<Verdict>, Refusal> {
        let arrivals = self.arrivals(channel, raw, receipt, into.as_ref()).await?;
        self.intake.submit(arrivals, None).await?.into_iter().collect()
    }

    /// Takes what a poll brought, and its cursor, in one commit.
    ///
    /// # Errors
    /// [`Refusal`]; then the poll is repeated from the old cursor.
    pub async fn take_polled(
        &self,
        channel: &Arc<dyn Channel>,
        polled: channel_contract::Polled,
    ) -> Result<Vec<Taken>, Refusal> {
        let mut arrivals = Vec::with_capacity(polled.messages.len());
        for (raw, receipt) in polled.messages {
            match self.arrivals(channel, raw, receipt, None).await {
                Ok(some) => arrivals.extend(some),
                Err(Refusal::Unauthorized) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(self.intake.submit(arrivals, Some((channel.descriptor().account, polled.cursor))).await?)
    }

    /// Prepares arrivals outside the transaction: judges them and puts their files on disk.
    async fn arrivals(
        &self,
        channel: &Arc<dyn Channel>,
        raw: RawRequest,
        receipt: Receipt,
        into: Option<&TicketNumber>,
    ) -> Result<Vec<Arrival>, Refusal> {
        let descriptor = channel.descriptor();
        let arrival = |raw: RawRequest, matter| Arrival {
            id: new_id(self.clock.millis()),
            channel: descriptor.medium.as_str(),
            account: descriptor.account.clone(),
            body_sha256: Sha256::digest(&raw.body).into(),
            headers: arrival::headers_in_writing(&raw.headers, Some(descriptor.credentials)),
            raw,
            matter,
            credentials: descriptor.credentials,
        };
        let items = match receipt {
            Receipt::Unauthorized => return Err(Refusal::Unauthorized),
            Receipt::Quarantine { reason, detail } => {
                return Ok(vec![arrival(raw, Matter::Quarantine { reason, detail })]);
            }
            Receipt::Verified(items) if items.is_empty() => {
                let detail = "the adapter found nothing in it".to_owned();
                return Ok(vec![arrival(raw, Matter::Quarantine { reason: QuarantineReason::Unparsable, detail })]);
            }
            Receipt::Verified(items) => items,
        };
        let mut arrivals = Vec::with_capacity(items.len());
        let raws = std::iter::repeat_n(raw, items.len());
        for (item, raw) in items.into_iter().zip(raws) {
            let content = match item.content {
                Content::Report(report) => Prepared::Report(report),
                Content::Control(control) => Prepared::Control(control),
                Content::Message(mut message) => {
                    self.shorten(&mut message);
                    let attachments = std::mem::take(&mut message.attachments);
                    let files = media::store(self, attachments).await?;
                    let rules = self.rules();
                    let circumstances = Circumstances {
                        channel: descriptor.medium.as_str(),
                        account: &descriptor.account,
                        attachments: Some(files.len()),
                        local_time: self.local_time(self.clock.millis()),
                    };
                    let mut judgement = crate::dispatch::judge(&rules, &self.languages, &circumstances, &message);
                    judgement.leave_unseen(self.config.rules.unseen_share, self.lot(&descriptor.account, &item.key));
                    Prepared::Message(Box::new(PreparedMessage {
                        message: *message,
                        written: judgement.written(),
                        judgement,
                        files,
                        into: into.cloned(),
                    }))
                }
            };
            arrivals.push(arrival(raw, Matter::Verified { key: item.key, digest: item.digest, content }));
        }
        Ok(arrivals)
    }

    /// Keeps a monstrous text within bounds; the ledger still has the whole message.
    fn shorten(&self, message: &mut channel_contract::Message) {
        let most = usize::try_from(self.config.intake.max_text_chars).unwrap_or(usize::MAX);
        for text in [Some(&mut message.text), message.quoted.as_mut(), message.subject.as_mut()].into_iter().flatten() {
            if text.len() > most
                && let Some((cut, _)) = text.char_indices().nth(most)
            {
                text.truncate(cut);
            }
            // PostgreSQL stores no NUL in text.
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
    }
}

async fn take_batch(hub: Arc<Hub>) {
    let hub = &hub;
    let batch = Arc::new(Batch::default());
    let result = commit(hub, &batch).await;
    let waiting = if batch.contents.get().is_some() {
        std::mem::take(&mut *locked(&batch.waiting))
    } else {
        hub.intake.turned_away()
    };
    match result {
        Ok(mut taken) => {
            hub.intake.failed_at.store(0, Ordering::Relaxed);
            for waiting in waiting {
                let rest = taken.split_off(waiting.arrivals.len().min(taken.len()));
                let _ = waiting.answer.send(Ok(std::mem::replace(&mut taken, rest)));
            }
        }
        Err(error @ (Error::Unavailable(_) | Error::Damaged(_) | Error::Stopping)) => {
            hub.intake.failed_at.store(hub.clock.millis(), Ordering::Relaxed);
            for waiting in waiting {
                let _ = waiting.answer.send(Err(error.clone()));
            }
        }
        Err(_) => {
            for waiting in waiting {
                let mut taken = Vec::with_capacity(waiting.arrivals.len());
                for arrival in waiting.arrivals.iter() {
                    taken.push(take_alone(hub, arrival).await);
                }
                let stored = taken.iter().all(|one| !matches!(one, Err(Refusal::Unavailable(_))));
                let result = match waiting.cursor {
                    // The cursor moves only past what is stored; what was stored already is a duplicate next time.
                    Some(cursor) if stored => commit(hub, &Batch::of(Vec::new(), vec![cursor])).await.map(|_| taken),
                    Some(_) => Err(Error::Unavailable("a polled message could not be stored".to_owned())),
                    None => Ok(taken),
                };
                let _ = waiting.answer.send(result);
            }
        }
    }
}

async fn take_alone(hub: &Arc<Hub>, arrival: &Arrival) -> Taken {
    let one = |arrival: Arrival| Batch::of(vec![Arc::new(vec![arrival])], Vec::new());
    let first = commit(hub, &one(arrival.clone())).await;
    let result = match first {
        Err(error @ (Error::Unavailable(_) | Error::Damaged(_) | Error::Stopping)) => Err(error),
        Err(error) => {
            tracing::error!(channel = arrival.channel, account = arrival.account, inbound = %arrival.id, %error, "a message could not be taken and is kept aside");
            let matter = Matter::Quarantine { reason: QuarantineReason::Poisoned, detail: error.to_string() };
            commit(hub, &one(Arrival { matter, ..arrival.clone() })).await
        }
        taken => taken,
    };
    match result {
        Ok(mut taken) => taken.pop().unwrap_or(Err(Refusal::Unavailable(Error::Stopping))),
        Err(error) => Err(Refusal::Unavailable(error)),
    }
}

async fn commit(hub: &Arc<Hub>, batch: &Arc<Batch>) -> Result<Vec<Taken>, Error> {
    let (job_hub, job_batch) = (Arc::clone(hub), Arc::clone(batch));
    let done = hub
        .store
        .write(move |conn| {
            let (hub, batch) = (Arc::clone(&job_hub), Arc::clone(&job_batch));
            Box::pin(async move {
                let Contents { arrivals, cursors } = batch.settled(&hub);
                let arrivals: Vec<&Arrival> = arrivals.iter().flat_map(|some| some.iter()).collect();
                batch::process(&hub, conn, &arrivals, cursors).await
            })
        })
        .await?;
    hub.store.announce(done.position);
    // A report may free or end a delivery, which its rows do not tell.
    let reports = done.taken.iter().flatten().any(|one| one.outcome == Outcome::Report);
    if done.sends || reports {
        hub.outbox_wake.notify_one();
    }
    for one in done.taken.iter().flatten() {
        metrics::counter!("yingda_inbound_total", "outcome" => one.outcome.as_str()).increment(1);
    }
    Ok(done.taken)
}
