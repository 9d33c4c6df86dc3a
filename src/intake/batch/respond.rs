//! What goes back for a message: the number, a question, a code; and where its answer will go.

use channel_contract::{DeliveryKind, Medium};
use serde_json::json;

use super::{Batch, HOUR};
use crate::domain::{Millis, TicketNumber, new_id};
use crate::hub::Hub;
use crate::intake::acknowledge::{self, Addressee};
use crate::intake::arrival::{Arrival, PreparedMessage};
use crate::store::intake::{Contact, Pending};

impl Batch<'_> {
    /// Where the answer goes: the address that the citizen chose, else the one it came from.
    pub(super) fn answer_address(
        &self,
        arrival: &Arrival,
        message: &channel_contract::Message,
        number: &TicketNumber,
    ) -> Answer {
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

    pub(super) fn acknowledge(
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

    pub(super) fn ask(
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
            Pending {
                id: id.to_string(),
                contact_id: contact.id.clone(),
                ticket: number.clone(),
                options: words,
                late: false,
            },
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

    /// Tells whoever answered a numbered list into which ticket the message went.
    pub(super) fn told_where(
        &mut self,
        arrival: &Arrival,
        address: &str,
        in_reply_to: Option<&str>,
        pending: &Pending,
        to: &TicketNumber,
    ) {
        let contact = self.contacts.get(&(arrival.channel.to_owned(), address.to_owned()));
        let stopped = contact.is_some_and(|contact| contact.stopped_at.is_some());
        if *to == pending.ticket || stopped || !acknowledge::allowed(self.hub, arrival.channel, address, self.now) {
            return;
        }
        let target = self.candidates.iter().find(|candidate| candidate.number == *to);
        let language = target.and_then(|target| target.language.clone());
        let addressee = Addressee {
            medium: Medium::parse(arrival.channel).unwrap_or(Medium::Sms),
            account: &arrival.account,
            address,
            language: language.as_deref(),
            in_reply_to,
        };
        let values = json!({
            "number": to,
            "number_spaced": to.spoken(),
            "from_number": pending.ticket,
            "code": self.hub.query_code(to),
            "track_url": self.hub.track_url(),
        });
        let kind = DeliveryKind::Notice;
        acknowledge::send(self.hub, &mut self.changes, kind, "notice_moved", Some(to), &addressee, values, None);
    }

    /// An address that was typed in gets only a code, so that nobody can have the hub write to strangers.
    pub(super) fn confirm(&mut self, answer: &Answer, number: &TicketNumber, language: Option<&str>) {
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
        let values = json!({ "number": number, "number_spaced": number.spoken(), "code": code, "hours": DAY / HOUR, "track_url": self.hub.track_url() });
        acknowledge::send(self.hub, &mut self.changes, DeliveryKind::Code, "code", Some(number), &to, values, None);
    }
}

/// Where an answer will go.
pub(super) struct Answer {
    pub(super) medium: Medium,
    pub(super) account: String,
    pub(super) address: String,
    pub(super) confirmed: bool,
}
