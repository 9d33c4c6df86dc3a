//! Collecting mail by UID: every gap after an outage is filled, nothing in the mailbox is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use channel_contract::{Cause, Finding, PollError, Polled, QuarantineReason, RawRequest, Receipt};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::imap::{Body, Door, Listed, Session, transient};
use crate::oauth::Tokens;
use crate::receive::{ARRIVED, OVERSIZE, REFETCHED, receive};
use crate::settings::{Settings, Start};

/// IDLE is renewed after this long; servers may hang up after 30 minutes (RFC 2177).
const LONGEST_IDLE: Duration = Duration::from_secs(25 * 60);

/// Without IDLE, and for folders that IDLE does not watch, the time between two looks.
const INTERVAL: Duration = Duration::from_secs(30);

/// How far the mail server's clock may be behind ours.
const CLOCKS: TimeDelta = TimeDelta::minutes(10);

/// How long a hub may take from its start to the first look.
const STARTING: TimeDelta = TimeDelta::seconds(10);

/// At most this many mails come with one poll.
const BATCH: usize = 50;

/// No further mail is added to a poll that holds this many bytes.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// A mail that the server does not give is put into quarantine when its faults weigh this much, and those behind it go on.
const PATIENCE: u32 = 10;

/// The server refuses this very mail: three times are enough.
const REFUSED_WEIGHT: u32 = 4;

/// The connection broke over it, which an outage does as well.
const BROKEN_WEIGHT: u32 = 1;

/// Where we are in each folder. A folder that is not in it begins as the setting `start` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    folders: BTreeMap<String, Place>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    uidvalidity: u32,
    last_uid: u32,
    /// Mails up to this UID were seen before the mailbox renumbered them.
    #[serde(default)]
    refetch_to: u32,
    /// Mail that arrived before this was there before the hub and is not fetched, however the mailbox numbers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
    /// The mail that the server could not give, and how much that weighs by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stuck: Option<(u32, u32)>,
}

/// The reader of one mailbox; the connection is kept between polls and may be lost at any time.
pub(crate) struct Mailbox {
    door: Door,
    start: Start,
    session: Mutex<Option<Session>>,
}

impl Mailbox {
    pub(crate) fn new(door: Door, start: Start) -> Self {
        Self { door, start, session: Mutex::new(None) }
    }

    /// See [`channel_contract::Channel::poll`].
    pub(crate) async fn poll(
        &self,
        settings: &Settings,
        tokens: Option<&Tokens>,
        cursor: Option<&str>,
        wait: Duration,
        now: DateTime<Utc>,
    ) -> Result<Polled, PollError> {
        let before: Cursor = match cursor {
            Some(cursor) => serde_json::from_str(cursor)
                .map_err(|_| PollError::Permanent("the stored IMAP cursor cannot be read".to_owned()))?,
            None => Cursor::default(),
        };
        let mut held = self.session.lock().await;
        let fresh = || Look {
            settings,
            now,
            shown: self.door.endpoint.shown(),
            cursor: before.clone(),
            messages: Vec::new(),
            broken: false,
        };
        let mut look = fresh();
        // Taken out, so that a connection in an unknown state is dropped with whatever error or cancellation comes.
        let kept = match held.take() {
            // One kept from before may have been closed meanwhile, which is no reason to complain.
            Some(mut kept) => look.through(&mut kept, self.start).await.is_ok().then_some(kept),
            None => None,
        };
        let mut session = match kept {
            Some(kept) => kept,
            None => {
                look = fresh();
                let mut session = self.door.enter(tokens).await?;
                look.through(&mut session, self.start).await?;
                session
            }
        };
        if look.messages.is_empty() && look.cursor == before && !wait.is_zero() {
            session = self.rest(session, settings, wait).await?;
            look.through(&mut session, self.start).await?;
        }
        if !look.broken {
            *held = Some(session);
        }
        let cursor = serde_json::to_string(&look.cursor).map_err(|_| transient("the IMAP cursor cannot be written"))?;
        Ok(Polled { messages: look.messages, cursor })
    }

    /// Waits for news in the first folder.
    async fn rest(&self, mut session: Session, settings: &Settings, wait: Duration) -> Result<Session, PollError> {
        let alone = settings.folders.len() == 1;
        if !session.can_idle() {
            tokio::time::sleep(wait.min(INTERVAL)).await;
            return Ok(session);
        }
        if !alone && let Some(first) = settings.folders.first() {
            session.examine(first).await?;
        }
        session.idle(wait.min(if alone { LONGEST_IDLE } else { INTERVAL })).await
    }

    /// Logs in and opens every folder.
    pub(crate) async fn probe(&self, settings: &Settings, tokens: Option<&Tokens>) -> Vec<Finding> {
        let mut session = match self.door.enter(tokens).await {
            Ok(session) => session,
            Err(error) => {
                return vec![
                    Finding::bad("imap", format!("{}: {error}", self.door.endpoint.shown())).because(error.cause()),
                ];
            }
        };
        let idle = if session.can_idle() { "new mail is announced" } else { "no IDLE, looked at every 30 s" };
        let mut findings = vec![Finding::good("imap", format!("{} answers, {idle}", self.door.endpoint.shown()))];
        for folder in &settings.folders {
            findings.push(match session.examine(folder).await {
                Ok(Some(mailbox)) => Finding::good("imap folder", format!("{folder}: {} mails", mailbox.exists)),
                Ok(None) => {
                    Finding::bad("imap folder", format!("{folder}: there is no such folder; correct `folders`"))
                        .because(Cause::Misconfigured)
                }
                Err(error) => {
                    return vec![Finding::bad("imap folder", format!("{folder}: {error}")).because(error.cause())];
                }
            });
        }
        session.leave().await;
        findings
    }
}

/// One look through all folders.
struct Look<'a> {
    settings: &'a Settings,
    now: DateTime<Utc>,
    shown: String,
    cursor: Cursor,
    messages: Vec<(RawRequest, Receipt)>,
    /// Whether the session is of no more use.
    broken: bool,
}

impl Look<'_> {
    async fn through(&mut self, session: &mut Session, start: Start) -> Result<(), PollError> {
        let folders = &self.settings.folders;
        for (at, folder) in folders.iter().enumerate() {
            if self.is_full() || self.broken {
                break;
            }
            if !self.folder(session, folder, start).await? {
                if at == 0 {
                    return Err(PollError::Permanent(format!("there is no IMAP folder {folder}")));
                }
                // A Junk folder appears with the first junk mail.
                tracing::debug!(folder, "no such IMAP folder yet");
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= BATCH
            || self.messages.iter().map(|(raw, _)| raw.body.len()).sum::<usize>() >= BATCH_BYTES
    }

    /// Takes what is new in one folder; `false` when there is no such folder.
    async fn folder(&mut self, session: &mut Session, folder: &str, start: Start) -> Result<bool, PollError> {
        let Some(opened) = session.examine(folder).await? else { return Ok(false) };
        let uidvalidity = opened.uid_validity.unwrap_or_default();
        let mut place = match self.cursor.folders.get(folder) {
            Some(place) if place.uidvalidity == uidvalidity => place.clone(),
            known => {
                let newest = match opened.uid_next {
                    Some(next) => next.saturating_sub(1),
                    None => session.uids_above(0).await?.last().copied().unwrap_or_default(),
                };
                let first_since = async |session: &mut Session, day| {
                    Ok::<_, PollError>(session.first_since(day).await?.map_or(newest, |first| first.saturating_sub(1)))
                };
                if let Some(known) = known {
                    tracing::warn!(
                        folder,
                        "UIDVALIDITY changed: the folder is fetched again, known mails are recognised"
                    );
                    let last_uid = match known.since {
                        Some(since) => first_since(session, (since - TimeDelta::days(1)).date_naive()).await?,
                        None => 0,
                    };
                    Place { uidvalidity, last_uid, refetch_to: newest, since: known.since, stuck: None }
                } else {
                    let (last_uid, since) = match start {
                        Start::Now => (self.just_before(session, newest).await?, Some(self.now - CLOCKS)),
                        Start::All => (0, None),
                        Start::Since(day) => {
                            (first_since(session, day).await?, Some(day.and_time(NaiveTime::MIN).and_utc()))
                        }
                    };
                    Place { uidvalidity, last_uid, since, ..Place::default() }
                }
            }
        };
        let nothing_new =
            opened.exists == 0 || opened.uid_next.is_some_and(|next| next <= place.last_uid.saturating_add(1));
        if !nothing_new {
            self.fetch(session, folder, &mut place).await?;
        }
        self.cursor.folders.insert(folder.to_owned(), place);
        Ok(true)
    }

    /// The last UID that was there before the hub: mail of the last seconds may have come while it was starting.
    async fn just_before(&self, session: &mut Session, newest: u32) -> Result<u32, PollError> {
        let reach = newest.saturating_sub(u32::try_from(BATCH).unwrap_or(newest));
        let mut latest: Vec<u32> = session.uids_above(reach).await?.into_iter().filter(|uid| *uid <= newest).collect();
        latest.sort_unstable();
        if latest.is_empty() {
            return Ok(newest);
        }
        let begin = self.now - STARTING;
        let fresh = |mail: &Listed| mail.arrived.is_some_and(|arrived| arrived >= begin);
        let first = session.list(&latest).await?.iter().filter(|mail| fresh(mail)).map(|mail| mail.uid).min();
        Ok(first.map_or(newest, |first| first.saturating_sub(1)))
    }

    async fn fetch(&mut self, session: &mut Session, folder: &str, place: &mut Place) -> Result<(), PollError> {
        let mut uids = session.uids_above(place.last_uid).await?;
        uids.truncate(BATCH - self.messages.len().min(BATCH));
        if uids.is_empty() {
            return Ok(());
        }
        let listed = session.list(&uids).await?;
        for mail in listed {
            if self.is_full() {
                return Ok(());
            }
            if place.since.is_some_and(|since| {
                mail.uid <= place.refetch_to && mail.arrived.is_some_and(|arrived| arrived < since)
            }) {
                place.last_uid = mail.uid;
                continue;
            }
            let oversize = mail.size > self.settings.max_message_bytes;
            let weight = match session.body(mail.uid, oversize).await {
                Body::Bytes(body) => {
                    self.take(folder, place, &mail, body, oversize);
                    0
                }
                Body::Gone => 0,
                Body::Refused => REFUSED_WEIGHT,
                Body::Broken => {
                    self.broken = true;
                    BROKEN_WEIGHT
                }
                Body::Failed(error) => return Err(error),
            };
            if weight > 0 {
                let weight = weight + place.stuck.filter(|(uid, _)| *uid == mail.uid).map_or(0, |(_, before)| before);
                if weight < PATIENCE {
                    place.stuck = Some((mail.uid, weight));
                    return Ok(());
                }
                let request = self.request(folder, place, &mail, Vec::new(), oversize);
                let detail = "the IMAP server lists this mail but cannot give it".to_owned();
                self.messages.push((request, Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail }));
            }
            place.last_uid = mail.uid;
            place.stuck = None;
            if self.broken {
                return Ok(());
            }
        }
        // Those asked for and not listed are gone from the mailbox.
        place.last_uid = uids.last().copied().unwrap_or(place.last_uid).max(place.last_uid);
        Ok(())
    }

    fn take(&mut self, folder: &str, place: &Place, mail: &Listed, body: Vec<u8>, oversize: bool) {
        let request = self.request(folder, place, mail, body, oversize);
        let receipt = receive(self.settings, &request);
        self.messages.push((request, receipt));
    }

    /// The mail as a request, with an address in the form of RFC 5092.
    fn request(&self, folder: &str, place: &Place, mail: &Listed, body: Vec<u8>, oversize: bool) -> RawRequest {
        let mut headers = Vec::new();
        if let Some(arrived) = mail.arrived {
            headers.push((ARRIVED.to_owned(), arrived.to_rfc3339().into_bytes()));
        }
        if mail.uid <= place.refetch_to {
            headers.push((REFETCHED.to_owned(), b"1".to_vec()));
        }
        if oversize {
            headers.push((OVERSIZE.to_owned(), mail.size.to_string().into_bytes()));
        }
        let folder = percent_encoding::utf8_percent_encode(folder, percent_encoding::NON_ALPHANUMERIC);
        RawRequest {
            method: "FETCH".to_owned(),
            url: format!("imap://{}/{folder};UIDVALIDITY={}/;UID={}", self.shown, place.uidvalidity, mail.uid),
            headers,
            peer: None,
            body: Bytes::from(body),
            received_at: self.now,
        }
    }
}
