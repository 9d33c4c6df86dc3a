//! One batch of arrivals inside one transaction: few statements, whatever their number.
//!
//! Locks are taken in one order everywhere (identities, contacts, tickets, the city's counter row), so that batches of
//! several nodes wait for each other instead of deadlocking.

use std::collections::HashMap;

use channel_contract::{
    Control, ControlKind, DeliveryKind, Medium, Outcome, QuarantineReason, Report, ReportSubject, Verdict,
};
use routing_rules::DecidedBy;
use serde_json::json;

use super::acknowledge::{self, Addressee};
use super::arrival::{Arrival, Matter, Prepared, PreparedMessage};
use super::thread::{Facts, Thread, thread};
use super::{Refusal, Taken};
use crate::dispatch::{self, Route};
use crate::domain::{Id, Millis, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::store::intake::{self as store, Candidate, Claim, Contact, Earlier, Pending};
use crate::store::{Changes, Conn, Error, Event, NewAppeal, NewAttachment, NewDecision, NewTicket};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;

/// Takes arrivals and cursors. Returns what became of each arrival, and the feed's position.
pub(super) async fn process(
    hub: &Hub,
    conn: &mut Conn,
    arrivals: &[&Arrival],
    cursors: &[(String, String)],
) -> Result<(Vec<Taken>, Option<i64>), Error> {
    let now = hub.clock.millis();
    let city = hub.store.city.to_string();
    let mut batch = Batch {
        hub,
        changes: hub.store.changes(now),
        city,
        now,
        taken: arrivals.iter().map(|_| None).collect(),
        contacts: HashMap::new(),
        candidates: Vec::new(),
        pending: Vec::new(),
        groups: HashMap::new(),
        texts: HashMap::new(),
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
        store::set_cursor(conn, &batch.city, account, cursor, now).await?;
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
    let position = batch.changes.flush(conn).await?;
    Ok((taken, position))
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
    /// Appeals of albums that began in this batch.
    groups: HashMap<(String, String), (String, TicketNumber)>,
    /// Texts of tickets that grew in this batch.
    texts: HashMap<TicketNumber, Vec<String>>,
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
                        ticket = Some(self.answer(conn, &pending, choice).await?);
                    }
                }
            }
            ControlKind::Ignored => {}
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

    async fn message(
        &mut self,
        conn: &mut Conn,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        day: &str,
        counter: &mut i64,
    ) -> Result<Taken, Error> {
        let message = &prepared.message;
        let contact = self.contacts.get(&(arrival.channel.to_owned(), message.from.clone())).cloned();
        if let Some(group) = &message.group {
            let key = (arrival.account.clone(), group.clone());
            let known = match self.groups.get(&key) {
                Some(known) => Some(known.clone()),
                None => store::group_appeal(conn, &self.city, &arrival.account, group).await?,
            };
            if let Some((appeal, ticket)) = known {
                return Ok(self.join_album(arrival, prepared, contact.as_ref(), &appeal, &ticket));
            }
        }
        let named = self.named(prepared);
        if let Some(taken) = self.department_note(arrival, message, &named) {
            return Ok(taken);
        }
        if let Some(into) = &prepared.into
            && self
                .candidates
                .iter()
                .any(|candidate| candidate.number == *into && candidate.state != TicketState::Closed)
        {
            return self.append(conn, arrival, prepared, contact.as_ref(), into).await;
        }
        let pending = contact
            .as_ref()
            .and_then(|contact| self.pending.iter().find(|pending| pending.contact_id == contact.id))
            .cloned();
        let decision = &prepared.judgement.decision;
        let item = if decision.decided_by == DecidedBy::Rule { decision.item.as_deref() } else { None };
        let facts = Facts {
            contact_id: contact.as_ref().map(|contact| contact.id.as_str()),
            channel: arrival.channel,
            address: &message.from,
            named: &named,
            candidates: &self.candidates,
            pending: pending.as_ref(),
            text: &message.text,
            item,
            always_new: matches!(arrival.channel, "webform" | "phone"),
        };
        match thread(&facts) {
            Thread::Append(number) => self.append(conn, arrival, prepared, contact.as_ref(), &number).await,
            Thread::Answer(choice) => {
                let Some(pending) = pending else { return Err(Error::NotFound) };
                let ticket = self.answer(conn, &pending, choice).await?;
                self.changes.inbound(arrival.row("control", Some("answer".to_owned()), Some(ticket.to_string())));
                self.changes.control(&arrival.id, &arrival.account, &message.from, "answer", Some(choice.to_string()));
                Ok(verdict(Outcome::Control, Some(&ticket), None))
            }
            Thread::New => Ok(self.open(arrival, prepared, contact.as_ref(), None, &[], day, counter)),
            Thread::Linked { to, reason } => {
                Ok(self.open(arrival, prepared, contact.as_ref(), Some((to, reason)), &[], day, counter))
            }
            Thread::Ask(options) => {
                let link = options.first().cloned().map(|to| (to, "asked"));
                Ok(self.open(arrival, prepared, contact.as_ref(), link, &options, day, counter))
            }
        }
    }

    /// A department's answer to a notice is an internal note.
    fn department_note(
        &mut self,
        arrival: &Arrival,
        message: &channel_contract::Message,
        named: &[TicketNumber],
    ) -> Option<Taken> {
        if arrival.channel != "email" {
            return None;
        }
        let ticket =
            named.iter().find_map(|number| self.candidates.iter().find(|candidate| candidate.number == *number))?;
        let (department, _) =
            self.hub.config.departments.iter().find(|(_, ways)| {
                ways.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&message.from))
            })?;
        let (number, state, owner) = (ticket.number.clone(), ticket.state, ticket.department.clone());
        let reply = new_id(self.now);
        self.changes.inbound(arrival.row("appended", Some("department_note".to_owned()), Some(number.to_string())));
        self.changes.reply(
            &reply,
            &number,
            Some(arrival.id.to_string()),
            "note",
            &message.text,
            &format!("department:{department}"),
            Some(department),
        );
        self.event("noted", &number, state, owner, &reply);
        Some(verdict(Outcome::Appended, Some(&number), Some("department_note")))
    }

    fn event(
        &mut self,
        kind: &'static str,
        number: &TicketNumber,
        state: TicketState,
        department: Option<String>,
        subject: &Id,
    ) {
        let detail = Some(json!({ "id": subject }).to_string());
        self.changes.event(Event { kind, ticket: Some(number.clone()), state: Some(state), department, detail });
    }

    fn appeal(
        &mut self,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        ticket: &TicketNumber,
        is_first: bool,
        part_of: Option<&str>,
    ) -> Id {
        let message = &prepared.message;
        let id = new_id(self.now);
        for file in &prepared.files {
            self.changes.attachment(NewAttachment {
                id: new_id(self.now),
                ticket: ticket.clone(),
                appeal_id: Some(part_of.map_or_else(|| id.to_string(), str::to_owned)),
                reply_id: None,
                account: arrival.account.clone(),
                name: file.name.clone(),
                media_type: file.media_type.clone(),
                size: file.size,
                sha256: file.sha256.clone(),
                state: file.state,
                source: file.source.clone(),
                reason: file.reason.clone(),
            });
        }
        self.changes.appeal(NewAppeal {
            id: id.clone(),
            ticket: ticket.clone(),
            inbound_id: Some(arrival.id.to_string()),
            is_first,
            part_of: part_of.map(str::to_owned),
            group_key: message.group.clone(),
            channel: arrival.channel,
            account: arrival.account.clone(),
            contact_id: contact.map(|contact| contact.id.clone()),
            sender: message.from.clone(),
            name: message.name.clone(),
            subject: message.subject.clone(),
            text: message.text.clone(),
            quoted: message.quoted.clone(),
            html: message.html.clone(),
            language: prepared.judgement.facts.language.clone(),
            location: message.location.and_then(|location| serde_json::to_string(&location).ok()),
            message_id: message.message_id.clone(),
            received_at: arrival.raw.received_at.timestamp_millis(),
        });
        id
    }

    fn join_album(
        &mut self,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        appeal: &str,
        ticket: &TicketNumber,
    ) -> Taken {
        let id = self.appeal(arrival, prepared, contact, ticket, false, Some(appeal));
        self.changes.inbound(arrival.row("appended", Some("album".to_owned()), Some(ticket.to_string())));
        let known = self.candidates.iter().find(|candidate| candidate.number == *ticket);
        let (state, department) =
            known.map_or((TicketState::Dispatched, None), |known| (known.state, known.department.clone()));
        self.event("appended", ticket, state, department, &id);
        verdict(Outcome::Appended, Some(ticket), Some("album"))
    }

    async fn append(
        &mut self,
        conn: &mut Conn,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        number: &TicketNumber,
    ) -> Result<Taken, Error> {
        let Some(known) = self.candidates.iter().find(|candidate| candidate.number == *number).cloned() else {
            return Err(Error::NotFound);
        };
        // The ticket may have been opened in this very batch.
        self.changes.write_rows(conn).await?;
        let id = self.appeal(arrival, prepared, contact, number, false, None);
        if let Some(group) = &prepared.message.group {
            self.groups.insert((arrival.account.clone(), group.clone()), (id.to_string(), number.clone()));
        }
        self.changes.inbound(arrival.row("appended", None, Some(number.to_string())));
        let (state, department) = if known.state.before_sign() {
            let later = self.texts.entry(number.clone()).or_default();
            later.push(prepared.message.text.clone());
            let later = later.clone();
            let moved =
                dispatch::judge_again(self.hub, conn, &mut self.changes, number, &prepared.judgement.facts, &later)
                    .await?;
            moved.unwrap_or((known.state, known.department.clone()))
        } else {
            (known.state, known.department.clone())
        };
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.number == *number) {
            candidate.state = state;
            candidate.department.clone_from(&department);
        }
        self.event("appended", number, state, department.clone(), &id);
        if known.state == TicketState::Signed
            && let Some(department) = &department
        {
            dispatch::notify(
                self.hub,
                &mut self.changes,
                "notice_appended",
                "appended",
                number,
                known.item.as_deref(),
                department,
                None,
            );
        }
        self.acknowledge(arrival, prepared, contact, number, "acknowledgement_appended", &[]);
        store::touch_ticket(conn, &self.city, number, self.now).await?;
        Ok(verdict(Outcome::Appended, Some(number), None))
    }

    #[expect(clippy::too_many_arguments, reason = "what opening a ticket depends on")]
    fn open(
        &mut self,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        link: Option<(TicketNumber, &'static str)>,
        options: &[TicketNumber],
        day: &str,
        counter: &mut i64,
    ) -> Taken {
        *counter += 1;
        let number = TicketNumber::new(day, *counter);
        let (message, judgement) = (&prepared.message, &prepared.judgement);
        let decision = &judgement.decision;
        let form = message.form.as_ref();
        let spam = form.is_some_and(|form| form.suspected_spam);
        let asked = !options.is_empty();
        let routed = if spam || asked { None } else { decision.department.clone() };
        let state = if routed.is_some() { TicketState::Dispatched } else { TicketState::Triage };
        let due_at = self.now + Millis::from(decision.deadline_hours) * HOUR;
        let hold_until =
            asked.then(|| self.now + Millis::try_from(self.hub.config.intake.hold_minutes).unwrap_or(10) * MINUTE);
        let decision_id = new_id(self.now);
        let answer = self.answer_address(arrival, message, &number);
        let code = self.hub.query_code(&number);
        let language = judgement.facts.language.clone();
        self.changes.ticket(NewTicket {
            number: number.clone(),
            state,
            item: decision.item.clone(),
            department: routed.clone(),
            kind: decision.kind.as_str().to_owned(),
            priority: decision.priority.as_str().to_owned(),
            language: language.clone(),
            channel: arrival.channel,
            account: arrival.account.clone(),
            subject: subject(message),
            contact_id: contact.map(|contact| contact.id.clone()),
            confidential: decision.confidential || form.is_some_and(|form| form.confidential),
            spam,
            place: form.and_then(|form| form.place.clone()),
            district: decision.district.clone(),
            emergency: decision.emergency.join(","),
            code_hash: Hub::code_hash(&number, &code),
            answer_channel: Some(answer.medium.as_str()),
            answer_account: Some(answer.account.clone()),
            answer_address: Some(answer.address.clone()),
            answer_confirmed: answer.confirmed,
            linked_to: link.as_ref().map(|(to, _)| to.to_string()),
            link_reason: link.as_ref().map(|(_, reason)| *reason),
            hold_until,
            due_at: Some(due_at),
            inbound_id: Some(arrival.id.to_string()),
            decision_id: Some(decision_id.to_string()),
        });
        self.changes.decision(NewDecision {
            id: decision_id,
            ticket: number.clone(),
            decided_by: decision.decided_by.as_str().to_owned(),
            item: decision.item.clone(),
            department: decision.department.clone(),
            reason: decision.reason.map(|reason| reason.as_str().to_owned()),
            confidence: Some(decision.confidence),
            rule_set: Some(decision.trace.rule_set.clone()),
            ranked: serde_json::to_string(&decision.ranked).unwrap_or_default(),
            trace: serde_json::to_string(&decision.trace).unwrap_or_default(),
            facts: serde_json::to_string(&judgement.facts).unwrap_or_default(),
            actor: None,
        });
        let appeal = self.appeal(arrival, prepared, contact, &number, true, None);
        if let Some(group) = &message.group {
            self.groups.insert((arrival.account.clone(), group.clone()), (appeal.to_string(), number.clone()));
        }
        self.changes.inbound(arrival.row("new", None, Some(number.to_string())));
        self.event("created", &number, state, routed.clone(), &appeal);
        if !decision.emergency.is_empty() {
            self.event("emergency", &number, state, routed.clone(), &appeal);
        }
        if let Some(department) = &routed {
            let route = Route {
                number: &number,
                item: decision.item.as_deref(),
                department,
                assisting: &decision.assisting,
                due_at,
                event: "dispatched",
            };
            dispatch::route(self.hub, &mut self.changes, &route);
        }
        if !spam {
            self.acknowledge(arrival, prepared, contact, &number, "acknowledgement", &decision.emergency);
            if let (true, Some(contact), Some(until)) = (asked, contact, hold_until) {
                self.ask(arrival, prepared, contact, &number, options, until);
            }
            if !answer.confirmed {
                self.confirm(&answer, &number, language.as_deref());
            }
        }
        self.candidates.push(Candidate {
            number: number.clone(),
            state,
            item: decision.item.clone(),
            department: routed,
            contact_id: contact.map(|contact| contact.id.clone()),
            answer_channel: Some(answer.medium.as_str().to_owned()),
            answer_address: Some(answer.address),
            subject: subject(message),
            hold_until,
            language,
            confidential: decision.confidential,
        });
        self.texts.insert(number.clone(), vec![message.text.clone()]);
        verdict(Outcome::New, Some(&number), None)
    }

    /// Where the answer goes: the address that the citizen chose, else the one it came from.
    fn answer_address(&self, arrival: &Arrival, message: &channel_contract::Message, number: &TicketNumber) -> Answer {
        let own = Medium::parse(arrival.channel).unwrap_or(Medium::Webform);
        let form = message.form.as_ref();
        let chosen =
            form.and_then(|form| Some((form.answer_channel?, form.answer_address.clone().unwrap_or_default())));
        match chosen {
            Some((medium @ (Medium::Sms | Medium::Email | Medium::Telegram), address))
                if !address.trim().is_empty() =>
            {
                Answer {
                    medium,
                    account: self.hub.account_of(medium).unwrap_or_default(),
                    address: address.trim().to_owned(),
                    // The agent has the citizen on the phone; a form only claims an address.
                    confirmed: own == Medium::Phone,
                }
            }
            Some((Medium::Phone, address)) => {
                let address = if address.trim().is_empty() { message.from.clone() } else { address.trim().to_owned() };
                Answer { medium: Medium::Phone, account: "phone".to_owned(), address, confirmed: true }
            }
            _ if own == Medium::Webform => {
                Answer { medium: own, account: arrival.account.clone(), address: number.to_string(), confirmed: true }
            }
            _ => {
                Answer { medium: own, account: arrival.account.clone(), address: message.from.clone(), confirmed: true }
            }
        }
    }

    fn acknowledge(
        &mut self,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        number: &TicketNumber,
        template: &str,
        emergency: &[String],
    ) {
        let message = &prepared.message;
        let own = Medium::parse(arrival.channel).unwrap_or(Medium::Webform);
        let stopped = contact.is_some_and(|contact| contact.stopped_at.is_some());
        // A form shows its number on the page, and a caller hears it.
        if message.no_acknowledgement.is_some()
            || stopped
            || matches!(own, Medium::Webform | Medium::Phone)
            || message.from.is_empty()
        {
            return;
        }
        if !acknowledge::allowed(self.hub, arrival.channel, &message.from, self.now) {
            return;
        }
        let language = prepared.judgement.facts.language.as_deref().or(message.language_hint.as_deref());
        let to = Addressee {
            medium: own,
            account: &arrival.account,
            address: &message.from,
            language,
            in_reply_to: message.message_id.as_deref(),
        };
        let values = acknowledge::values(self.hub, number, emergency);
        acknowledge::send(
            self.hub,
            &mut self.changes,
            DeliveryKind::Acknowledgement,
            template,
            Some(number),
            &to,
            values,
            None,
        );
    }

    fn ask(
        &mut self,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: &Contact,
        number: &TicketNumber,
        options: &[TicketNumber],
        until: Millis,
    ) {
        let message = &prepared.message;
        let own = Medium::parse(arrival.channel).unwrap_or(Medium::Sms);
        let id = new_id(self.now);
        let words: Vec<String> = options.iter().map(ToString::to_string).collect();
        self.changes.question(&id, &contact.id, number, &words, until);
        self.pending.insert(
            0,
            Pending { id: id.to_string(), contact_id: contact.id.clone(), ticket: number.clone(), options: words },
        );
        if message.no_acknowledgement.is_some() || contact.stopped_at.is_some() {
            return;
        }
        let language = prepared.judgement.facts.language.as_deref().or(message.language_hint.as_deref());
        let titles: Vec<_> = options
            .iter()
            .enumerate()
            .map(|(index, option)| {
                let title = self
                    .candidates
                    .iter()
                    .find(|candidate| candidate.number == *option)
                    .map(|candidate| candidate.subject.clone());
                json!({ "index": index + 1, "title": title.unwrap_or_default(), "number": option })
            })
            .collect();
        let writing = self.hub.writing_language(language, &arrival.account);
        let other = self.hub.render("button_new_matter", own, &writing, json!({})).text;
        let buttons: Vec<_> = (1..=options.len())
            .map(|choice| json!({ "label": choice.to_string(), "data": format!("q:{id}:{choice}") }))
            .chain(std::iter::once(json!({ "label": other, "data": format!("q:{id}:0") })))
            .collect();
        let to = Addressee {
            medium: own,
            account: &arrival.account,
            address: &message.from,
            language,
            in_reply_to: message.message_id.as_deref(),
        };
        let values = json!({ "number": number, "number_spaced": number.spoken(), "options": titles });
        acknowledge::send(
            self.hub,
            &mut self.changes,
            DeliveryKind::Question,
            "question",
            Some(number),
            &to,
            values,
            Some(json!(buttons)),
        );
    }

    /// An address that was typed in gets only a code, so that nobody can have the hub write to strangers.
    fn confirm(&mut self, answer: &Answer, number: &TicketNumber, language: Option<&str>) {
        const DAY: Millis = 24 * HOUR;
        let subject = format!("code:{}:{}", answer.medium, answer.address);
        if !self.hub.intake.acknowledged.allows(&subject, self.hub.config.intake.codes_per_day, DAY, self.now) {
            return;
        }
        let code = self.hub.confirmation_code(number, &answer.address);
        self.changes.confirmation(number, answer.medium.as_str(), &answer.address, Hub::code_hash(number, &code));
        let to = Addressee {
            medium: answer.medium,
            account: &answer.account,
            address: &answer.address,
            language,
            in_reply_to: None,
        };
        let values = json!({ "number": number, "number_spaced": number.spoken(), "code": code, "minutes": 24 * 60, "track_url": self.hub.track_url() });
        acknowledge::send(self.hub, &mut self.changes, DeliveryKind::Code, "code", Some(number), &to, values, None);
    }
}

struct Answer {
    medium: Medium,
    account: String,
    address: String,
    confirmed: bool,
}

/// The subject of a ticket: the message's own, else how its text begins.
fn subject(message: &channel_contract::Message) -> String {
    let own = message.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    let text =
        own.unwrap_or_else(|| message.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default());
    text.chars().take(80).collect()
}
