//! Which ticket a message belongs to. Pure: the facts come in, the answer goes out.

use crate::domain::TicketNumber;
use crate::store::intake::{Candidate, Pending};

/// What threading knows of a message.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The sender's contact, if it has an address.
    pub contact_id: Option<&'a str>,
    /// The medium and the address it came from.
    pub channel: &'a str,
    /// See `channel`.
    pub address: &'a str,
    /// Tickets that the message names by genuine tokens, in order.
    pub named: &'a [TicketNumber],
    /// Open tickets of the sender and named tickets.
    pub candidates: &'a [Candidate],
    /// The question that the sender may answer now.
    pub pending: Option<&'a Pending>,
    /// The message's text.
    pub text: &'a str,
    /// The item that the rules recognise in it, when they are sure.
    pub item: Option<&'a str>,
    /// Whether every message of this medium opens a matter of its own (a form, a call).
    pub always_new: bool,
}

/// Where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thread {
    /// A new ticket.
    New,
    /// A new ticket that refers to an older one.
    Linked {
        /// The older ticket.
        to: TicketNumber,
        /// Why it was not simply appended.
        reason: &'static str,
    },
    /// Part of this ticket.
    Append(TicketNumber),
    /// Filed at once as a new linked ticket whose dispatch waits while the citizen is asked which of these is meant.
    Ask(Vec<TicketNumber>),
    /// The answer to a question: choice 0 is "a new matter", 1.. the options in the order asked.
    Answer(usize),
}

/// Most tickets that a numbered list offers.
pub const MOST_OPTIONS: usize = 5;

/// Decides by this order: an own reference token with a matching sender; the answer to a numbered list; the sender's open tickets.
#[must_use]
pub fn thread(facts: &Facts<'_>) -> Thread {
    if let Some(number) = facts.named.first()
        && let Some(ticket) = facts.candidates.iter().find(|candidate| candidate.number == *number)
    {
        let same_contact = facts.contact_id.is_some() && ticket.contact_id.as_deref() == facts.contact_id;
        let named_for_answers = ticket.answer_channel.as_deref() == Some(facts.channel)
            && ticket.answer_address.as_deref().is_some_and(|address| address.eq_ignore_ascii_case(facts.address));
        if !(same_contact || named_for_answers) {
            return Thread::Linked { to: number.clone(), reason: "other_sender" };
        }
        if ticket.state == crate::domain::TicketState::Closed {
            return Thread::Linked { to: number.clone(), reason: "closed" };
        }
        return Thread::Append(number.clone());
    }
    if let Some(pending) = facts.pending
        && let Some(choice) = choice(facts.text, pending.options.len())
    {
        return Thread::Answer(choice);
    }
    if facts.always_new || facts.contact_id.is_none() {
        return Thread::New;
    }
    let open: Vec<&Candidate> = facts
        .candidates
        .iter()
        .filter(|candidate| {
            candidate.contact_id.as_deref() == facts.contact_id && candidate.state != crate::domain::TicketState::Closed
        })
        .collect();
    let other_matter = |ticket: &Candidate| facts.item.is_some() && ticket.item.as_deref() != facts.item;
    match open.as_slice() {
        [] => Thread::New,
        [only] if other_matter(only) => {
            // A ticket that nobody could classify may well be what the citizen now says more clearly.
            if only.item.is_none() {
                Thread::Ask(vec![only.number.clone()])
            } else {
                Thread::Linked { to: only.number.clone(), reason: "other_item" }
            }
        }
        [only] => Thread::Append(only.number.clone()),
        several if several.iter().all(|ticket| ticket.item.is_some() && other_matter(ticket)) => {
            let newest = several.iter().map(|ticket| &ticket.number).max().cloned();
            newest.map_or(Thread::New, |to| Thread::Linked { to, reason: "other_item" })
        }
        several => Thread::Ask(several.iter().rev().take(MOST_OPTIONS).map(|ticket| ticket.number.clone()).collect()),
    }
}

/// The choice that a short answer names: a digit, also full-width, circled or Chinese, at most with a mark behind it.
#[must_use]
pub fn choice(text: &str, options: usize) -> Option<usize> {
    let word = text
        .trim()
        .trim_end_matches(['.', '。', '!', '！', ')', '）', '、'])
        .trim_start_matches(['#', '(', '（', '第']);
    let mut letters = word.chars();
    let (first, rest) = (letters.next()?, letters.next());
    if rest.is_some_and(|letter| !matches!(letter, '号' | '個' | '个')) || letters.next().is_some() {
        return None;
    }
    let number = match first {
        '0'..='9' => first.to_digit(10)?,
        '０'..='９' => u32::from(first) - u32::from('０'),
        '①'..='⑨' => u32::from(first) - u32::from('①') + 1,
        '零' | '〇' => 0,
        '一' => 1,
        '二' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        _ => return None,
    };
    usize::try_from(number).ok().filter(|number| *number <= options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TicketState;

    fn ticket(counter: i64, item: Option<&str>) -> Candidate {
        Candidate {
            number: TicketNumber::new("261122", counter),
            state: TicketState::Dispatched,
            item: item.map(str::to_owned),
            department: None,
            contact_id: Some("me".to_owned()),
            answer_channel: Some("sms".to_owned()),
            answer_address: Some("+8613800138000".to_owned()),
            subject: String::new(),
            hold_until: None,
            language: None,
            confidential: false,
        }
    }

    fn facts<'a>(candidates: &'a [Candidate], item: Option<&'a str>) -> Facts<'a> {
        Facts {
            contact_id: Some("me"),
            channel: "sms",
            address: "+8613800138000",
            named: &[],
            candidates,
            pending: None,
            text: "text",
            item,
            always_new: false,
        }
    }

    #[test]
    fn without_a_token() {
        let light = [ticket(1, Some("light"))];
        let two = [ticket(1, Some("light")), ticket(2, Some("noise"))];
        let unclear = [ticket(1, None)];
        let first = TicketNumber::new("261122", 1);
        let second = TicketNumber::new("261122", 2);
        assert_eq!(thread(&facts(&[], Some("light"))), Thread::New);
        assert_eq!(thread(&facts(&light, None)), Thread::Append(first.clone()));
        assert_eq!(thread(&facts(&light, Some("light"))), Thread::Append(first.clone()));
        assert_eq!(thread(&facts(&light, Some("noise"))), Thread::Linked { to: first.clone(), reason: "other_item" });
        assert_eq!(thread(&facts(&unclear, Some("noise"))), Thread::Ask(vec![first.clone()]));
        assert_eq!(thread(&facts(&two, None)), Thread::Ask(vec![second.clone(), first]));
        assert_eq!(thread(&facts(&two, Some("water"))), Thread::Linked { to: second, reason: "other_item" });
        assert_eq!(thread(&Facts { always_new: true, ..facts(&two, None) }), Thread::New);
    }

    #[test]
    fn a_token_needs_its_sender() {
        let light = [ticket(1, Some("light"))];
        let first = TicketNumber::new("261122", 1);
        let named = [first.clone()];
        assert_eq!(thread(&Facts { named: &named, ..facts(&light, Some("noise")) }), Thread::Append(first.clone()));
        let stranger =
            Facts { named: &named, contact_id: Some("other"), address: "+8613900139000", ..facts(&light, None) };
        assert_eq!(thread(&stranger), Thread::Linked { to: first.clone(), reason: "other_sender" });
        let closed = [Candidate { state: TicketState::Closed, ..ticket(1, None) }];
        assert_eq!(
            thread(&Facts { named: &named, ..facts(&closed, None) }),
            Thread::Linked { to: first, reason: "closed" }
        );
    }

    #[test]
    fn short_answers() {
        for (text, expected) in [
            ("1", Some(1)),
            (" ２。", Some(2)),
            ("②", Some(2)),
            ("第一个", Some(1)),
            ("0", Some(0)),
            ("3", None),
            ("12", None),
            ("1 light is out", None),
            ("", None),
        ] {
            assert_eq!(choice(text, 2), expected, "{text}");
        }
        let pending = Pending {
            id: String::new(),
            contact_id: "me".to_owned(),
            ticket: TicketNumber::new("261122", 3),
            options: vec![String::new(), String::new()],
        };
        let two = [ticket(1, None), ticket(2, None)];
        assert_eq!(thread(&Facts { pending: Some(&pending), text: "2", ..facts(&two, None) }), Thread::Answer(2));
    }
}
