//! A citizen's message: into its ticket, or a new one.

use channel_contract::{Medium, Outcome};
use routing_rules::Sender;
use serde_json::json;

use super::{Batch, DAY, HOUR, MINUTE, verdict};
use crate::dispatch::{self, Judgement, Route};
use crate::domain::{Id, Millis, TicketNumber, TicketState, new_id};
use crate::hub::Hub;
use crate::intake::Taken;
use crate::intake::arrival::{Arrival, PreparedMessage};
use crate::intake::thread::{Facts, Thread, thread};
use crate::store::intake::{self as store, Candidate, Contact};
use crate::store::tickets;
use crate::store::{Conn, Error, Event, NewAppeal, NewAttachment, NewTicket};

impl Batch<'_> {
    pub(super) async fn message(
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
                return self.join_album(conn, arrival, prepared, contact.as_ref(), &appeal, &ticket).await;
            }
        }
        let mut named = self.named(prepared);
        if named.is_empty() {
            named.extend(self.referred(conn, arrival, message, contact.as_ref()).await?);
        }
        if let Some(taken) = self.department_note(conn, arrival, message, &named).await? {
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
        let around_choice: Vec<&str> = match &pending {
            Some(_) => self.hub.words.words("question.around_choice").collect(),
            None => Vec::new(),
        };
        let facts = Facts {
            contact_id: contact.as_ref().map(|contact| contact.id.as_str()),
            channel: arrival.channel,
            address: &message.from,
            named: &named,
            candidates: &self.candidates,
            pending: pending.as_ref(),
            text: &message.text,
            item: prepared.judgement.item(),
            always_new: matches!(arrival.channel, "webform" | "phone"),
            around_choice: &around_choice,
            emergency: !prepared.judgement.decision.emergency.is_empty(),
            conversation_since: self.now - self.hold(),
        };
        match thread(&facts) {
            Thread::Append(number) => self.append(conn, arrival, prepared, contact.as_ref(), &number).await,
            Thread::Answer(choice) => {
                let Some(pending) = pending else { return Err(Error::NotFound) };
                let ticket = self.answer(conn, &pending, choice).await?;
                self.told_where(arrival, &message.from, message.message_id.as_deref(), &pending, &ticket);
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

    /// An answer to a notice of a department that has the ticket is an internal note.
    pub(super) async fn department_note(
        &mut self,
        conn: &mut Conn,
        arrival: &Arrival,
        message: &channel_contract::Message,
        named: &[TicketNumber],
    ) -> Result<Option<Taken>, Error> {
        let from = |email: &str| email.eq_ignore_ascii_case(&message.from);
        let mut departments = self.hub.config.departments.iter();
        let department = departments.find(|(_, ways)| ways.email.as_deref().is_some_and(from));
        let ticket =
            named.iter().find_map(|number| self.candidates.iter().find(|candidate| candidate.number == *number));
        let (Some((department, _)), Some(ticket), "email") = (department, ticket, arrival.channel) else {
            return Ok(None);
        };
        if !tickets::with_department(conn, &self.city, &ticket.number, department).await? {
            return Ok(None);
        }
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
        Ok(Some(verdict(Outcome::Appended, Some(&number), Some("department_note"))))
    }

    pub(super) fn event(
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

    pub(super) fn appeal(
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

    pub(super) async fn join_album(
        &mut self,
        conn: &mut Conn,
        arrival: &Arrival,
        prepared: &PreparedMessage,
        contact: Option<&Contact>,
        appeal: &str,
        ticket: &TicketNumber,
    ) -> Result<Taken, Error> {
        let id = self.appeal(arrival, prepared, contact, ticket, false, Some(appeal));
        self.changes.inbound(arrival.row("appended", Some("album".to_owned()), Some(ticket.to_string())));
        let known = self.candidates.iter().find(|candidate| candidate.number == *ticket).cloned();
        // The caption may stand with any part of an album.
        if let Some(known) = known.as_ref().filter(|_| !prepared.message.text.trim().is_empty()) {
            self.grown(conn, prepared, known, &id).await?;
            if !prepared.judgement.decision.emergency.is_empty() {
                let emergency = &prepared.judgement.decision.emergency;
                self.acknowledge(arrival, prepared, contact, ticket, "acknowledgement_appended", emergency);
            }
            store::touch_ticket(conn, &self.city, ticket, self.now).await?;
        } else {
            let (state, department) =
                known.map_or((TicketState::Dispatched, None), |known| (known.state, known.department));
            self.event("appended", ticket, state, department, &id);
        }
        Ok(verdict(Outcome::Appended, Some(ticket), Some("album")))
    }

    /// A ticket that says more than before: judged again until somebody has signed for it, and raised at once where
    /// somebody may be in danger.
    async fn grown(
        &mut self,
        conn: &mut Conn,
        prepared: &PreparedMessage,
        known: &Candidate,
        appeal: &Id,
    ) -> Result<(), Error> {
        let number = &known.number;
        // The ticket may have been opened in this very batch.
        self.changes.write_rows(conn).await?;
        let judgement = &prepared.judgement;
        if let (None, Some(language)) = (&known.language, &judgement.facts.language) {
            crate::store::dispatch::learn_language(conn, &self.city, number, language).await?;
        }
        let mut stands = (known.state, known.department.clone());
        if known.state.before_sign() {
            stands = dispatch::judge_again(self.hub, conn, &mut self.changes, number, &judgement.facts)
                .await?
                .unwrap_or(stands);
        }
        let emergency = &judgement.decision.emergency;
        if !emergency.is_empty() {
            stands = dispatch::raise(self.hub, conn, &mut self.changes, number, &judgement.decision).await?;
        }
        let (state, department) = stands;
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.number == *number) {
            candidate.state = state;
            candidate.department.clone_from(&department);
        }
        self.event("appended", number, state, department.clone(), appeal);
        if !emergency.is_empty() {
            self.event("emergency", number, state, department.clone(), appeal);
        }
        if let Some(department) = department.filter(|_| state == TicketState::Signed || !emergency.is_empty()) {
            let item = known.item.as_deref();
            dispatch::notify(
                self.hub,
                &mut self.changes,
                "notice_appended",
                "appended",
                number,
                item,
                &department,
                None,
            );
        }
        Ok(())
    }

    /// The sender's own ticket that a message refers to by the medium's ids: an answer to one of our messages, or a message
    /// that was edited.
    async fn referred(
        &mut self,
        conn: &mut Conn,
        arrival: &Arrival,
        message: &channel_contract::Message,
        contact: Option<&Contact>,
    ) -> Result<Option<TicketNumber>, Error> {
        let Some(contact) = contact.filter(|_| !message.references.is_empty()) else { return Ok(None) };
        let own = |candidate: &&Candidate| {
            candidate.contact_id.as_deref() == Some(&contact.id) && candidate.state != TicketState::Closed
        };
        let tickets: Vec<&TicketNumber> =
            self.candidates.iter().filter(own).map(|candidate| &candidate.number).collect();
        if tickets.is_empty() {
            return Ok(None);
        }
        self.changes.write_rows(conn).await?;
        store::referred(conn, &self.city, &arrival.account, &message.references, &tickets).await
    }

    /// How long a ticket waits for the citizen's word.
    fn hold(&self) -> Millis {
        Millis::try_from(self.hub.config.intake.hold_minutes).unwrap_or(10) * MINUTE
    }

    pub(super) async fn append(
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
        let id = self.appeal(arrival, prepared, contact, number, false, None);
        if let Some(group) = &prepared.message.group {
            self.groups.insert((arrival.account.clone(), group.clone()), (id.to_string(), number.clone()));
        }
        self.changes.inbound(arrival.row("appended", None, Some(number.to_string())));
        self.grown(conn, prepared, &known, &id).await?;
        let emergency = &prepared.judgement.decision.emergency;
        self.acknowledge(arrival, prepared, contact, number, "acknowledgement_appended", emergency);
        store::touch_ticket(conn, &self.city, number, self.now).await?;
        Ok(verdict(Outcome::Appended, Some(number), None))
    }

    #[expect(clippy::too_many_arguments, reason = "what opening a ticket depends on")]
    pub(super) fn open(
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
        let message = &prepared.message;
        let known = contact
            .and_then(|contact| prepared.judgement.with_sender(&self.hub.rules(), message, self.sender(&contact.id)));
        let judgement = known.as_ref().unwrap_or(&prepared.judgement);
        let written = known.as_ref().map_or_else(|| prepared.written.clone(), Judgement::written);
        let decision = &judgement.decision;
        let form = message.form.as_ref();
        let spam = form.is_some_and(|form| form.suspected_spam);
        let asked = !options.is_empty();
        let routed = if spam || asked { None } else { decision.department.clone() };
        let state = if routed.is_some() { TicketState::Dispatched } else { TicketState::Triage };
        let due_at = self.now + Millis::from(decision.deadline_hours) * HOUR;
        let hold_until = asked.then(|| self.now + self.hold());
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
            place: form.and_then(channel_contract::Form::whereabouts),
            district: decision.district.clone(),
            emergency: decision.emergency.join(","),
            code_hash: Hub::code_hash(&number, &code),
            answer_channel: Some(answer.medium.as_str()),
            answer_account: Some(answer.account.clone()),
            answer_address: Some(answer.address.clone()),
            answer_confirmed: answer.confirmed,
            answers_elsewhere: answer.medium != Medium::Webform
                && (answer.medium.as_str(), &answer.address) != (arrival.channel, &message.from),
            linked_to: link.as_ref().map(|(to, _)| to.to_string()),
            link_reason: link.as_ref().map(|(_, reason)| *reason),
            hold_until,
            due_at: Some(due_at),
            inbound_id: Some(arrival.id.to_string()),
            decision_id: Some(decision_id.to_string()),
        });
        self.changes.decision(judgement.row(written, decision_id, number.clone()));
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
            created_at: self.now,
        });
        if let Some(contact) = contact {
            self.recent.entry(contact.id.clone()).or_default().push(self.now);
        }
        verdict(Outcome::New, Some(&number), None)
    }
}

impl Batch<'_> {
    /// What a contact has already, as far as the rules ask for it.
    fn sender(&self, contact: &str) -> Sender {
        let open = self
            .candidates
            .iter()
            .filter(|ticket| ticket.contact_id.as_deref() == Some(contact) && ticket.state != TicketState::Closed);
        let days = |opened: &Millis| u32::try_from((self.now - opened) / DAY).unwrap_or_default();
        Sender {
            open_tickets: u32::try_from(open.count()).unwrap_or(u32::MAX),
            earlier_days: self.recent.get(contact).into_iter().flatten().map(days).collect(),
        }
    }
}

/// The subject of a ticket: the message's own, else how its text begins.
fn subject(message: &channel_contract::Message) -> String {
    let own = message.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    let text =
        own.unwrap_or_else(|| message.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default());
    text.chars().take(80).collect()
}
