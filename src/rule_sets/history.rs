//! The city's labelled history: what each past ticket says about where appeals like it belong.
//!
//! A person's dispatch is a label. A send-back that led to no other dispatch says only where the appeal did not belong. A
//! closed ticket that nobody sent back, moved or reopened is a weak sign that the rules were right.

use std::sync::Arc;

use routing_rules::backtest::Case;

use crate::dispatch::StoredFacts;
use crate::domain::{Millis, TicketNumber, TicketState};
use crate::hub::Hub;
use crate::projection::Eyes;
use crate::store::Error;
use crate::store::past::{self as store, Past, PastDecision};

const DAY: Millis = 86_400_000;

/// Tickets that are read at once.
pub const PAGE: i64 = 500;

/// What is known of where an appeal belonged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Label {
    /// The item, if known.
    pub item: Option<String>,
    /// The department, if known.
    pub department: Option<String>,
    /// The item that it was not, when that is all.
    pub not: Option<String>,
    /// What it counts, 0 to 1.
    pub weight: f64,
}

/// The decision that the rules made when the ticket was opened.
#[must_use]
pub fn judged(past: &Past) -> Option<&PastDecision> {
    past.decisions.iter().find(|decision| decision.decided_by != "person")
}

/// Whether a department that the rules chose sent the ticket back.
#[must_use]
pub fn sent_back(past: &Past) -> bool {
    let chosen = judged(past).and_then(|judged| judged.department.as_deref());
    past.leads.iter().any(|(department, state)| state == "sent_back" && Some(department.as_str()) == chosen)
}

/// What a past ticket says; `None` when it says nothing, or not yet.
#[must_use]
pub fn label(past: &Past, closure_weight: f64) -> Option<Label> {
    if past.spam || past.link_reason.as_deref() == Some("merged") {
        return None;
    }
    let last = past.decisions.last()?;
    let by_person = last.decided_by == "person";
    if past.leads.last().is_some_and(|(_, state)| state == "sent_back") {
        // At the desk it may still be sent to the same department again.
        let accepted = past.state != TicketState::Triage;
        return last.item.clone().filter(|_| accepted).map(|item| Label {
            not: Some(item),
            weight: 1.0,
            ..Label::default()
        });
    }
    if by_person {
        return Some(Label {
            item: last.item.clone(),
            department: last.department.clone(),
            weight: 1.0,
            ..Label::default()
        });
    }
    let undisturbed = past.state == TicketState::Closed
        && !past.reopened
        && past.leads.iter().all(|(_, state)| state != "sent_back" && state != "withdrawn");
    let sure = last.decided_by != "abstain" && last.department.is_some();
    (undisturbed && sure && closure_weight > 0.0).then(|| Label {
        item: last.item.clone(),
        department: last.department.clone(),
        weight: closure_weight,
        ..Label::default()
    })
}

/// A past ticket as a case: what is known of persons in it is masked, as for readers without the right to identities.
#[must_use]
pub fn case(hub: &Hub, past: &Past) -> Option<Case> {
    let label = label(past, hub.config.rules.closure_weight)?;
    let (subject, text) = past.first.as_ref()?;
    let facts: StoredFacts =
        judged(past).and_then(|judged| serde_json::from_str(&judged.facts).ok()).unwrap_or_default();
    let mut inputs = facts.inputs;
    let eyes = Eyes::MASKED;
    inputs.place = inputs.place.map(|place| eyes.text(&place));
    inputs.street = inputs.street.map(|street| eyes.text(&street));
    Some(Case {
        id: past.number.to_string(),
        title: subject.as_deref().map(|subject| eyes.text(subject)),
        text: eyes.text(text),
        unseen: facts.unseen.is_some() && label.item.is_some(),
        label: label.item,
        department: label.department,
        date: Some(hub.local(past.created_at)),
        weight: label.weight,
        not: label.not,
        inputs,
    })
}

/// Where to begin reading for tickets of the last so many days.
#[must_use]
pub fn since(hub: &Hub, days: u32) -> String {
    hub.day(hub.clock.millis() - Millis::from(days) * DAY)
}

/// The tickets after a number or day, at most [`PAGE`], and after which number to go on; `None` at the end.
///
/// # Errors
/// [`Error`] of the store.
pub async fn page(hub: &Arc<Hub>, after: &str) -> Result<(Vec<Past>, Option<TicketNumber>), Error> {
    let page = store::page(&mut hub.store.read().await?, &hub.store.city, after, PAGE).await?;
    let whole = i64::try_from(page.len()).unwrap_or(PAGE) == PAGE;
    let next = page.last().filter(|_| whole).map(|past| past.number.clone());
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(by: &str, item: &str) -> PastDecision {
        PastDecision {
            id: String::new(),
            at: 0,
            decided_by: by.to_owned(),
            item: Some(item.to_owned()),
            department: Some(format!("of-{item}")),
            reason: None,
            confidence: None,
            rule_set: None,
            ranked: String::new(),
            trace: String::new(),
            facts: "{}".to_owned(),
        }
    }

    fn past(state: TicketState, decisions: &[(&str, &str)], leads: &[(&str, &str)]) -> Past {
        Past {
            number: TicketNumber::new("261122", 1),
            state,
            spam: false,
            link_reason: None,
            created_at: 0,
            first: None,
            decisions: decisions.iter().map(|(by, item)| decision(by, item)).collect(),
            leads: leads.iter().map(|(department, state)| ((*department).to_owned(), (*state).to_owned())).collect(),
            reopened: false,
        }
    }

    #[test]
    fn what_a_ticket_says() {
        use TicketState::{Closed, Dispatched, Triage};
        for (state, decisions, leads, expected) in [
            // Still open: nothing yet.
            (Dispatched, &[("rule", "a")][..], &[("of-a", "dispatched")][..], None),
            // Undisturbed: a weak sign.
            (Closed, &[("rule", "a")], &[("of-a", "closed")], Some(("a", "", 0.25))),
            // A person moved it: a label, whether closed or not.
            (
                Dispatched,
                &[("rule", "a"), ("person", "b")],
                &[("of-a", "withdrawn"), ("of-b", "dispatched")],
                Some(("b", "", 1.0)),
            ),
            (
                Closed,
                &[("rule", "a"), ("person", "b")],
                &[("of-a", "sent_back"), ("of-b", "closed")],
                Some(("b", "", 1.0)),
            ),
            // Sent back and not yet decided: nothing; closed at the desk: only not this.
            (Triage, &[("rule", "a")], &[("of-a", "sent_back")], None),
            (Closed, &[("rule", "a")], &[("of-a", "sent_back")], Some(("", "a", 1.0))),
            // The person's own choice came back.
            (Closed, &[("abstain", "a"), ("person", "b")], &[("of-b", "sent_back")], Some(("", "b", 1.0))),
            // The desk answered itself what the rules left open.
            (Closed, &[("abstain", "a")], &[], None),
        ] {
            let found = label(&past(state, decisions, leads), 0.25);
            let told = found.as_ref().map(|label| {
                (label.item.as_deref().unwrap_or_default(), label.not.as_deref().unwrap_or_default(), label.weight)
            });
            assert_eq!(told, expected, "{state:?} {decisions:?} {leads:?}");
        }
        let closed = past(Closed, &[("rule", "a")], &[("of-a", "closed")]);
        assert_eq!(label(&Past { reopened: true, ..closed.clone() }, 0.25), None, "somebody was not content");
        assert_eq!(label(&Past { spam: true, ..closed.clone() }, 0.25), None);
        assert_eq!(label(&Past { link_reason: Some("merged".to_owned()), ..closed.clone() }, 0.25), None);
        assert_eq!(label(&closed, 0.0), None, "switched off");
        assert!(sent_back(&past(Triage, &[("rule", "a")], &[("of-a", "sent_back")])));
        assert!(!sent_back(&past(
            Triage,
            &[("rule", "a"), ("person", "b")],
            &[("of-a", "withdrawn"), ("of-b", "sent_back")]
        )));
    }
}
