//! One batch of arrivals inside one transaction: few statements, whatever their number.
//!
//! Locks are taken in one order everywhere (identities, contacts, tickets, the city's counter row), so that batches of
//! several nodes wait for each other instead of deadlocking.

mod message;
mod respond;

use std::collections::{BTreeMap, HashMap};

use channel_contract::{
    Control, ControlKind, DeliveryKind, Medium, Outcome, QuarantineReason, Report, ReportSubject, Verdict,
};
use serde_json::json;

use super::acknowledge::{self, Addressee};
use super::arrival::{Arrival, Matter, Prepared, PreparedMessage};
use super::{Refusal, Taken};
use crate::dispatch;
use crate::domain::{Millis, TicketNumber};
use crate::hub::Hub;
use crate::store::intake::{self as store, Candidate, Claim, Contact, Earlier, Pending};
use crate::store::{Changes, Conn, Error, Event};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// Takes arrivals and cursors.
pub(super) async fn process(
    hub: &Hub,
    conn: &mut Conn,
    arrivals: &[&Arrival],
    cursors: &[(String, String)],
) -> Result<Processed, Error> {
    let now = hub.clock.millis();
    let city = hub.store.city.to_string();
    let mut batch = Batch {
        hub,
        changes: hub.store.changes(now),
        city: city.clone(),
        now,
        taken: arrivals.iter().map(|_| None).collect(),
        contacts: HashMap::new(),
        candidates: Vec::new(),
        pending: Vec::new(),
        recent: HashMap::new(),
        groups: HashMap::new(),
        repeats: Vec::new(),
    };
    batch.quarantine(conn, arrivals).await?;
    batch.identities(conn, arrivals).await?;
    batch.know(conn, arrivals).await?;
    let day = hub.day(now);
    let mut counter = None;
    for (index, arrival) in arrivals.iter().enumerate() {
        if batch.taken.get(index).is_some_and(Option::is_some) {
            continue;
        }
        let Matter::Verified { content, .. } = &arrival.matter else { continue };
        let verdict = match content {
            Prepared::Report(report) => batch.report(conn, arrival, report).await?,
            Prepared::Control(control) => batch.control(conn, arrival, control).await?,
            Prepared::Message(message) => {
                if counter.is_none() {
                    counter = Some(store::lock_counter(conn, &batch.city, &day).await?);
                }
                let used = counter.get_or_insert(0);
                batch.message(conn, arrival, message, &day, used).await?
            }
        };
        batch.put(index, verdict);
    }
    if let Some(counter) = counter {
        store::set_counter(conn, &batch.city, counter).await?;
    }
    for (account, cursor) in cursors {
        crate::store::watch::set_cursor(conn, &batch.city, &format!("poll:{account}"), cursor, now).await?;
    }
    for (index, original) in std::mem::take(&mut batch.repeats) {
        let ticket = match batch.taken.get(original) {
            Some(Some(Ok(verdict))) => verdict.ticket.clone(),
            _ => None,
        };
        if let Some(Some(Ok(verdict))) = batch.taken.get_mut(index)
            && verdict.outcome == Outcome::Duplicate
        {
            verdict.ticket = ticket;
        }
    }
    let taken = batch.taken.into_iter().map(|one| one.unwrap_or(Err(Refusal::Unavailable(Error::Stopping)))).collect();
    let sends = batch.changes.sends();
    let position = batch.changes.flush(conn).await?;
    // After everything else, so that no other lock is waited for while these rows are held.
    let mut last = BTreeMap::new();
    for arrival in arrivals {
        let at = arrival.raw.received_at.timestamp_millis();
        last.entry(arrival.account.as_str()).and_modify(|known: &mut Millis| *known = at.max(*known)).or_insert(at);
    }
    store::set_arrivals(conn, &city, &last).await?;
    Ok(Processed { taken, position, sends })
}

/// What a batch came to.
pub(super) struct Processed {
    /// What became of each arrival.
    pub(super) taken: Vec<Taken>,
    /// The feed's position, if it moved.
    pub(super) position: Option<i64>,
    /// Whether there is something to send.
    pub(super) sends: bool,
}

struct Batch<'a> {
    hub: &'a Hub,
    changes: Changes,
    city: String,
    now: Millis,
    taken: Vec<Option<Taken>>,
    contacts: HashMap<(String, String), Contact>,
    candidates: Vec<Candidate>,
    pending: Vec<Pending>,
    /// When the recent tickets of contacts were opened, where the rules ask for it.
    recent: HashMap<String, Vec<Millis>>,
    /// Appeals of albums that began in this batch.
    groups: HashMap<(String, String), (String, TicketNumber)>,
    /// Duplicates whose original is in this batch, by place.
    repeats: Vec<(usize, usize)>,
}

fn verdict(outcome: Outcome, ticket: Option<&TicketNumber>, reason: Option<&str>) -> Taken {
    Ok(Verdict { outcome, ticket: ticket.map(ToString::to_string), reason: reason.map(str::to_owned) })
}

impl Batch<'_> {
    fn put(&mut self, index: usize, taken: Taken) {
        if let Some(slot) = self.taken.get_mut(index) {
            *slot = Some(taken);
        }
    }

    /// Keeps aside what could not be verified or parsed, within the account's budget.
    async fn quarantine(&mut self, conn: &mut Conn, arrivals: &[&Arrival]) -> Result<(), Error> {
        let mut held: HashMap<&str, i64> = HashMap::new();
        for (index, arrival) in arrivals.iter().enumerate() {
            let Matter::Quarantine { reason, detail } = &arrival.matter else { continue };
            if !held.contains_key(arrival.account.as_str()) {
                held.insert(&arrival.account, store::quarantined_bytes(conn, &self.city, &arrival.account).await?);
            }
            let bytes = held.entry(&arrival.account).or_default();
            let budget = i64::try_from(self.hub.config.intake.quarantine_bytes).unwrap_or(i64::MAX);
            if *bytes + arrival.bytes() > budget {
                self.put(index, Err(Refusal::QuarantineFull));
                continue;
            }
            *bytes += arrival.bytes();
            self.aside(index, arrival, *reason, detail);
        }
        Ok(())
    }

    fn aside(&mut self, index: usize, arrival: &Arrival, reason: QuarantineReason, detail: &str) {
        self.changes.inbound(arrival.row("quarantined", Some(reason.as_str().to_owned()), None));
        self.changes.quarantine(&arrival.id, &arrival.account, reason.as_str(), detail, arrival.bytes());
        self.changes.event(Event {
            kind: "quarantined",
            ticket: None,
            state: None,
            department: None,
            detail: Some(json!({ "inbound": arrival.id, "account": arrival.account, "reason": reason }).to_string()),
        });
        self.put(index, verdict(Outcome::Quarantined, None, Some(reason.as_str())));
    }

    /// Claims the identity of every verified arrival; duplicates within the batch resolve in it.
    async fn identities(&mut self, conn: &mut Conn, arrivals: &[&Arrival]) -> Result<(), Error> {
        let mut first: HashMap<(&str, &str), usize> = HashMap::new();
        let mut repeats = Vec::new();
        for (index, arrival) in arrivals.iter().enumerate() {
            let Matter::Verified { key, .. } = &arrival.matter else { continue };
            match first.entry((&arrival.account, key)) {
                std::collections::hash_map::Entry::Occupied(entry) => repeats.push((index, *entry.get())),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(index);
                }
            }
        }
        let mut claims: Vec<Claim> = first
            .values()
            .filter_map(|index| arrivals.get(*index))
            .filter_map(|arrival| match &arrival.matter {
                Matter::Verified { key, digest, .. } => Some(Claim {
                    account: arrival.account.clone(),
                    key: key.clone(),
                    digest: *digest,
                    inbound_id: arrival.id.clone(),
                }),
                Matter::Quarantine { .. } => None,
            })
            .collect();
        claims.sort_by(|one, other| (&one.account, &one.key).cmp(&(&other.account, &other.key)));
        let mut known = HashMap::new();
        for earlier in store::claim(conn, &self.city, &claims).await? {
            let place = first.get(&(earlier.account.as_str(), earlier.key.as_str())).copied();
            if let Some((index, arrival)) = place.and_then(|index| arrivals.get(index).map(|arrival| (index, *arrival)))
            {
                self.repeat(index, arrival, &earlier);
                known.insert(index, earlier);
            }
        }
        for (index, original) in repeats {
            let Some(arrival) = arrivals.get(index) else { continue };
            if let Some(earlier) = known.get(&original) {
                self.repeat(index, arrival, earlier);
                continue;
            }
            self.repeats.push((index, original));
            let Some(original) = arrivals.get(original) else { continue };
            let Matter::Verified { key, digest, .. } = &original.matter else { continue };
            let earlier = Earlier {
                account: original.account.clone(),
                key: key.clone(),
                digest: digest.to_vec(),
                inbound_id: original.id.to_string(),
                ticket: None,
            };
            self.repeat(index, arrival, &earlier);
        }
        Ok(())
    }

    fn repeat(&mut self, index: usize, arrival: &Arrival, earlier: &Earlier) {
        let Matter::Verified { digest, .. } = &arrival.matter else { return };
        if earlier.digest == digest.as_slice() {
            self.changes.inbound(arrival.row("duplicate", None, earlier.ticket.clone()));
            self.changes.duplicate(&arrival.id, &earlier.inbound_id);
            let ticket = earlier.ticket.clone().map(TicketNumber::stored);
            self.put(index, verdict(Outcome::Duplicate, ticket.as_ref(), None));
        } else {
            self.aside(
                index,
                arrival,
                QuarantineReason::IdReused,
                "a message with this id but other content was taken before",
            );
        }
    }

    /// Reads in few statements what threading must know.
    async fn know(&mut self, conn: &mut Conn, arrivals: &[&Arrival]) -> Result<(), Error> {
        let mut senders: Vec<(String, String, Option<String>, Option<String>)> = Vec::new();
        let mut numbers: Vec<TicketNumber> = Vec::new();
        for (index, arrival) in arrivals.iter().enumerate() {
            if self.taken.get(index).is_some_and(Option::is_some) {
                continue;
            }
            match &arrival.matter {
                Matter::Verified { content: Prepared::Message(prepared), .. } => {
                    let message = &prepared.message;
                    if !message.from.is_empty() {
                        let language =
                            prepared.judgement.facts.language.clone().or_else(|| message.language_hint.clone());
                        senders.push((
                            arrival.channel.to_owned(),
                            message.from.clone(),
                            message.name.clone(),
                            language,
                        ));
                    }
                    numbers.extend(self.named(prepared));
                }
                Matter::Verified { content: Prepared::Control(control), .. }
                    if matches!(control.kind, ControlKind::Button { .. }) =>
                {
                    senders.push((arrival.channel.to_owned(), control.from.clone(), None, None));
                }
                _ => {}
            }
        }
        senders.sort();
        senders.dedup_by(|one, other| one.0 == other.0 && one.1 == other.1);
        numbers.sort();
        numbers.dedup();
        let contacts = store::contacts(conn, &self.city, &senders, self.now).await?;
        let ids: Vec<String> = contacts.iter().map(|contact| contact.id.clone()).collect();
        self.contacts =
            contacts.into_iter().map(|contact| ((contact.channel.clone(), contact.address.clone()), contact)).collect();
        self.candidates = store::candidates(conn, &self.city, &ids, &numbers).await?;
        if let Some(days) = self.hub.rules().sender_days().filter(|days| *days > 0) {
            let since = self.hub.day(self.now - Millis::from(days) * DAY);
            for (contact, opened) in store::recent_tickets(conn, &self.city, &ids, &since).await? {
                self.recent.entry(contact).or_default().push(opened);
            }
        }
        self.pending = if self.candidates.is_empty() {
            Vec::new()
        } else {
            store::pending_questions(conn, &self.city, &ids, self.now).await?
        };
        Ok(())
    }

    fn named(&self, prepared: &PreparedMessage) -> Vec<TicketNumber> {
        let message = &prepared.message;
        let texts = message.subject.iter().chain(&message.to).chain(&message.references).map(String::as_str);
        prepared.into.iter().cloned().chain(self.hub.references(texts)).collect()
    }

    async fn report(&mut self, conn: &mut Conn, arrival: &Arrival, report: &Report) -> Result<Taken, Error> {
        let effect = crate::outbox::report::apply(self.hub, conn, &mut self.changes, &arrival.account, report).await?;
        let (provider_id, attempt_id) = match &report.subject {
            ReportSubject::ProviderId(id) => (Some(id.clone()), None),
            ReportSubject::Attempt(id) => (None, Some(id.clone())),
        };
        let status = crate::outbox::report::word(report.status);
        let ticket = effect.as_ref().and_then(|effect| effect.ticket.as_ref());
        self.changes.inbound(arrival.row("report", Some(status.to_owned()), ticket.map(ToString::to_string)));
        self.changes.report(
            &arrival.id,
            &arrival.account,
            provider_id,
            attempt_id,
            status,
            report.error.clone(),
            effect.is_some(),
        );
        Ok(verdict(Outcome::Report, ticket, None))
    }

    async fn control(&mut self, conn: &mut Conn, arrival: &Arrival, control: &Control) -> Result<Taken, Error> {
        let medium = Medium::parse(arrival.channel).unwrap_or(Medium::Sms);
        let (kind, data) = match &control.kind {
            ControlKind::Start => ("start", None),
            ControlKind::Stop => ("stop", None),
            ControlKind::Blocked => ("blocked", None),
            ControlKind::Resume => ("resume", None),
            ControlKind::Button { data } => ("button", Some(data.clone())),
            ControlKind::Ignored => ("ignored", None),
        };
        let mut ticket = None;
        match &control.kind {
            ControlKind::Start => {
                store::set_stopped(conn, &self.city, arrival.channel, &control.from, None, self.now).await?;
                if acknowledge::allowed(self.hub, arrival.channel, &control.from, self.now) {
                    let to = Addressee {
                        medium,
                        account: &arrival.account,
                        address: &control.from,
                        language: control.language_hint.as_deref(),
                        in_reply_to: None,
                    };
                    acknowledge::send(
                        self.hub,
                        &mut self.changes,
                        DeliveryKind::Notice,
                        "greeting",
                        None,
                        &to,
                        json!({}),
                        None,
                    );
                }
            }
            ControlKind::Stop => {
                store::set_stopped(conn, &self.city, arrival.channel, &control.from, Some(self.now), self.now).await?
            }
            ControlKind::Resume => {
                store::set_stopped(conn, &self.city, arrival.channel, &control.from, None, self.now).await?
            }
            ControlKind::Button { data } => {
                let mut parts = data.split(':');
                if parts.next() == Some("q")
                    && let (Some(id), Some(choice)) =
                        (parts.next(), parts.next().and_then(|choice| choice.parse().ok()))
                {
                    let contact = self
                        .contacts
                        .get(&(arrival.channel.to_owned(), control.from.clone()))
                        .map(|contact| contact.id.clone());
                    let pending = self
                        .pending
                        .iter()
                        .find(|pending| pending.id == id && Some(&pending.contact_id) == contact.as_ref())
                        .cloned();
                    if let Some(pending) = pending {
                        let to = self.answer(conn, &pending, choice).await?;
                        self.told_where(arrival, &control.from, None, &pending, &to);
                        ticket = Some(to);
                    }
                }
            }
            // The next send there is refused, and the answer falls to the next address.
            ControlKind::Blocked | ControlKind::Ignored => {}
        }
        self.changes.inbound(arrival.row("control", Some(kind.to_owned()), ticket.as_ref().map(ToString::to_string)));
        self.changes.control(&arrival.id, &arrival.account, &control.from, kind, data);
        Ok(verdict(Outcome::Control, ticket.as_ref(), None))
    }

    /// Obeys the answer to a numbered list: moves the waiting ticket's appeals, or lets it go its own way.
    async fn answer(&mut self, conn: &mut Conn, pending: &Pending, choice: usize) -> Result<TicketNumber, Error> {
        self.changes.write_rows(conn).await?;
        store::answer_question(conn, &self.city, &pending.id, self.now).await?;
        self.pending.retain(|other| other.id != pending.id);
        let target =
            choice.checked_sub(1).and_then(|index| pending.options.get(index)).cloned().map(TicketNumber::stored);
        if let Some(target) = target {
            dispatch::merge_into(self.hub, conn, &mut self.changes, &pending.ticket, &target, "citizen").await?;
            self.candidates.retain(|candidate| candidate.number != pending.ticket);
            Ok(target)
        } else {
            dispatch::release(self.hub, conn, &mut self.changes, &pending.ticket).await?;
            Ok(pending.ticket.clone())
        }
    }
}
