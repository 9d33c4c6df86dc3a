//! Which ticket a message belongs to. Pure: the facts come in, the answer goes out.

use crate::domain::{Millis, TicketNumber, TicketState};
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
    /// Words that people put around the number they choose.
    pub around_choice: &'a [&'a str],
    /// Whether somebody may be in danger: then nothing waits for an answer.
    pub emergency: bool,
    /// Tickets opened from then on belong to the conversation that goes on now.
    pub conversation_since: Millis,
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
        if ticket.state == TicketState::Closed {
            return Thread::Linked { to: number.clone(), reason: "closed" };
        }
        return Thread::Append(number.clone());
    }
    if let Some(pending) = facts.pending
        && let Some(asked) = facts.candidates.iter().find(|candidate| candidate.number == pending.ticket)
        && asked.state != TicketState::Closed
    {
        // Whoever has signed for it by now has read it already.
        let movable = !pending.late || asked.state.before_sign();
        if let Some(choice) = choice(facts.text, pending.options.len(), facts.around_choice).filter(|_| movable) {
            return Thread::Answer(choice);
        }
        // What neither answers nor speaks of another matter belongs to what was asked about: asking again would not help.
        if !pending.late && facts.item.is_none_or(|item| asked.item.as_deref() == Some(item)) {
            return Thread::Append(pending.ticket.clone());
        }
    }
    if facts.always_new || facts.contact_id.is_none() {
        return Thread::New;
    }
    let open: Vec<&Candidate> = facts
        .candidates
        .iter()
        .filter(|candidate| {
            candidate.contact_id.as_deref() == facts.contact_id && candidate.state != TicketState::Closed
        })
        .collect();
    let other_matter = |ticket: &Candidate| facts.item.is_some() && ticket.item.as_deref() != facts.item;
    // A number or a sign without a word says nothing that could be a matter of its own.
    let wordless = !facts.text.trim().is_empty() && !facts.text.contains(char::is_alphabetic);
    match open.as_slice() {
        [] => Thread::New,
        [only] if only.item.is_some() && other_matter(only) => {
            Thread::Linked { to: only.number.clone(), reason: "other_item" }
        }
        // A ticket that nobody could classify may well be what the citizen now says more clearly; a greeting or a photo
        // of a moment ago surely is.
        [only] if other_matter(only) && only.created_at < facts.conversation_since => {
            if facts.emergency {
                Thread::Linked { to: only.number.clone(), reason: "emergency" }
            } else {
                Thread::Ask(vec![only.number.clone()])
            }
        }
        [only] => Thread::Append(only.number.clone()),
        several if several.iter().all(|ticket| ticket.item.is_some() && other_matter(ticket)) => {
            let newest = several.iter().map(|ticket| &ticket.number).max().cloned();
            newest.map_or(Thread::New, |to| Thread::Linked { to, reason: "other_item" })
        }
        [.., newest] if facts.emergency => Thread::Linked { to: newest.number.clone(), reason: "emergency" },
        [.., newest] if wordless => Thread::Append(newest.number.clone()),
        several => Thread::Ask(several.iter().rev().take(MOST_OPTIONS).map(|ticket| ticket.number.clone()).collect()),
    }
}

/// The number that a short answer names, alone or with nothing but the words that one puts `around` it: a digit, also
/// full-width, circled or Chinese.
#[must_use]
pub fn choice(text: &str, options: usize, around: &[&str]) -> Option<usize> {
    const LONGEST: usize = 24;
    if text.chars().count() > LONGEST {
        return None;
    }
    let mut rest = text.to_lowercase();
    for word in around {
        rest = rest.replace(word, " ");
    }
    let mut numbers = rest.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
    let (number, None) = (numbers.next()?, numbers.next()) else { return None };
    let digit = |letter: char| {
        Some(match letter {
            '0'..='9' => letter.to_digit(10)?,
            '０'..='９' => u32::from(letter) - u32::from('０'),
            '①'..='⑨' => u32::from(letter) - u32::from('①') + 1,
            '零' | '〇' => 0,
            '一' => 1,
            '二' => 2,
            '三' => 3,
            '四' => 4,
            '五' => 5,
            _ => return None,
        })
    };
    let number = match number.trim_start_matches(['0', '０']) {
        "" => "0",
        rest => rest,
    };
    let mut digits = number.chars();
    let (first, None) = (digits.next().and_then(digit)?, digits.next()) else { return None };
    usize::try_from(first).ok().filter(|number| *number <= options)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            created_at: 1_000,
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
            around_choice: &[],
            emergency: false,
            conversation_since: 2_000,
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
        let just_now = Facts { conversation_since: 1_000, ..facts(&unclear, Some("noise")) };
        assert_eq!(thread(&just_now), Thread::Append(TicketNumber::new("261122", 1)), "a greeting, then the matter");
        for text in ["2", "13800138000", "👍"] {
            assert_eq!(thread(&Facts { text, ..facts(&two, None) }), Thread::Append(TicketNumber::new("261122", 2)));
        }
    }

    #[test]
    fn an_emergency_waits_for_no_answer() {
        let unclear = [ticket(1, None)];
        let two = [ticket(1, Some("light")), ticket(2, Some("noise"))];
        let linked = |counter| Thread::Linked { to: TicketNumber::new("261122", counter), reason: "emergency" };
        assert_eq!(thread(&Facts { emergency: true, ..facts(&unclear, Some("gas")) }), linked(1));
        assert_eq!(thread(&Facts { emergency: true, ..facts(&two, None) }), linked(2));
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
        let catalogues = crate::locale::Catalogues::load(None).expect("sound");
        let around: Vec<&str> = catalogues.words("question.around_choice").collect();
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
            ("回复2", Some(2)),
            ("选2", Some(2)),
            ("是的，1", Some(1)),
            ("01", Some(1)),
            ("00", Some(0)),
            ("Number 2 please", Some(2)),
            ("1 2", None),
            ("好的", None),
            ("是2号楼", None),
            ("13800138000", None),
        ] {
            assert_eq!(choice(text, 2, &around), expected, "{text}");
        }
        let pending = Pending {
            id: String::new(),
            contact_id: "me".to_owned(),
            ticket: TicketNumber::new("261122", 3),
            options: vec![String::new(), String::new()],
            late: false,
        };
        let asked = [ticket(1, Some("light")), ticket(2, Some("noise")), ticket(3, None)];
        let said = |pending, text, item| thread(&Facts { pending: Some(pending), text, ..facts(&asked, item) });
        assert_eq!(said(&pending, "2", None), Thread::Answer(2));
        for text in ["9", "1 2", "好的"] {
            assert_eq!(
                said(&pending, text, None),
                Thread::Append(pending.ticket.clone()),
                "{text}: asked once is enough"
            );
        }
        assert!(matches!(said(&pending, "water", Some("water")), Thread::Ask(_)));
        let late = Pending { late: true, ..pending.clone() };
        assert_eq!(said(&late, "2", None), Thread::Answer(2), "while nobody has signed for it");
        let signed = [Candidate { state: TicketState::Signed, ..ticket(3, None) }];
        let after = Facts { pending: Some(&late), text: "2", ..facts(&signed, None) };
        assert_eq!(thread(&after), Thread::Append(late.ticket.clone()));
        assert_eq!(
            thread(&Facts { pending: Some(&pending), text: "2", ..facts(&asked[..2], None) }),
            Thread::Append(TicketNumber::new("261122", 2)),
            "what was asked about is closed"
        );
    }
}
