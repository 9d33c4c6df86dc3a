//! What the rules make of an appeal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use channel_contract::Message;
use routing_rules::{
    AbstainReason, AppealKind, CitizenKind, DecidedBy, Decision, Facts, Inputs, LocalTime, Priority, RuleSet, Sender,
    Suggestion,
};
use serde::{Deserialize, Serialize};

use crate::domain::{Id, TicketNumber};
use crate::intake::Languages;
use crate::store::NewDecision;

/// The facts of an appeal, as they are stored with the decision, and the decision.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The facts.
    pub facts: Inputs,
    /// What the rules say of an appeal that a person decides without seeing it; then `decision` abstains.
    pub unseen: Option<Suggestion>,
    /// The decision.
    pub decision: Decision,
}

/// What the row of a decision keeps of its inputs, so that it can be judged again. The texts stand with the appeals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFacts {
    /// Everything but the texts.
    #[serde(flatten)]
    pub inputs: Inputs,
    /// See [`Judgement::unseen`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Suggestion>,
    /// The text, where it is not that of the ticket's first appeal alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl StoredFacts {
    /// As the database keeps it.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Judgement {
    /// The item that the rules recognised, whoever decides.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        let unseen = self.unseen.as_ref().map(|unseen| unseen.item.as_str());
        let sure = self.decision.decided_by != DecidedBy::Abstain;
        unseen.or(self.decision.item.as_deref().filter(|_| sure))
    }

    /// The inputs as the row of the decision keeps them.
    #[must_use]
    pub fn stored(&self) -> String {
        StoredFacts { inputs: self.facts.clone(), unseen: self.unseen.clone(), text: None }.json()
    }

    /// What the row of the decision keeps in writing.
    #[must_use]
    pub fn written(&self) -> Written {
        Written {
            ranked: serde_json::to_string(&self.decision.ranked).unwrap_or_default(),
            trace: serde_json::to_string(&self.decision.trace).unwrap_or_default(),
            facts: self.stored(),
        }
    }

    /// The row of the decision that opens a ticket.
    #[must_use]
    pub fn row(&self, written: Written, id: Id, ticket: TicketNumber) -> NewDecision {
        let decision = &self.decision;
        NewDecision {
            id,
            ticket,
            decided_by: decision.decided_by.as_str().to_owned(),
            item: decision.item.clone(),
            department: decision.department.clone(),
            reason: decision.reason.map(|reason| reason.as_str().to_owned()),
            confidence: Some(decision.confidence),
            rule_set: Some(decision.trace.rule_set.clone()),
            ranked: written.ranked,
            trace: written.trace,
            facts: written.facts,
            actor: None,
        }
    }

    /// The judgement with what the sender has already, where that is anything and the rules ask of it.
    #[must_use]
    pub fn with_sender(&self, rules: &RuleSet, message: &Message, sender: Sender) -> Option<Self> {
        if self.unseen.is_some() || self.facts.sender.as_ref().is_none_or(|known| *known == sender) {
            return None;
        }
        let facts = Inputs { sender: Some(sender), ..self.facts.clone() };
        let decision = decide(rules, message.subject.as_deref(), &message.text, &facts);
        Some(Self { facts, unseen: None, decision })
    }

    /// Leaves a share (0 to 1) of what the rules are sure of to a person who does not see it. `lot` is a number that belongs
    /// to the message, so that the same message has the same fate. Emergencies are never left.
    pub fn leave_unseen(&mut self, share: f64, lot: u64) {
        let decision = &mut self.decision;
        #[expect(clippy::cast_precision_loss, reason = "a share is no more precise")]
        let drawn = (lot as f64) < share * (u64::MAX as f64);
        let chosen = self.facts.item.is_some();
        if !drawn || chosen || decision.decided_by == DecidedBy::Abstain || !decision.emergency.is_empty() {
            return;
        }
        let (Some(item), Some(department)) = (decision.item.take(), decision.department.take()) else { return };
        decision.decided_by = DecidedBy::Abstain;
        decision.reason = Some(AbstainReason::Unseen);
        decision.assisting.clear();
        decision.reply_template = None;
        // Whoever looks at the decision shall not see it there either; it can be judged again from its inputs.
        decision.ranked.clear();
        decision.trace.hits.clear();
        decision.trace.learned = None;
        decision.trace.margin = 0.0;
        decision.confidence = 0.0;
        self.unseen = Some(Suggestion { item, department });
    }
}

/// Of a judgement, what its row keeps in writing (JSON), made before the transaction where that is possible.
#[derive(Debug, Clone)]
pub struct Written {
    ranked: String,
    trace: String,
    facts: String,
}

/// What surrounds a message when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The medium.
    pub channel: &'a str,
    /// The account.
    pub account: &'a str,
    /// How many files came along, if known.
    pub attachments: Option<usize>,
    /// The city's clock.
    pub local_time: Option<LocalTime>,
}

/// Judges a message by itself.
#[must_use]
pub fn judge(
    rules: &RuleSet,
    languages: &Languages,
    circumstances: &Circumstances<'_>,
    message: &Message,
) -> Judgement {
    let mut whole = message.text.clone();
    if let Some(subject) = &message.subject {
        whole.push(' ');
        whole.push_str(subject);
    }
    let form = message.form.as_ref();
    let facts = Inputs {
        language: languages.detect(&whole),
        channel: Some(circumstances.channel.to_owned()),
        account: Some(circumstances.account.to_owned()),
        item: form.and_then(|form| form.item.clone()).filter(|item| rules.item(item).is_some()),
        place: form.and_then(|form| form.place.clone()),
        street: form.and_then(|form| form.street.clone()),
        citizen_kind: form.and_then(|form| form.citizen_kind).and_then(|kind| CitizenKind::parse(kind.as_str())),
        attachments: circumstances.attachments.and_then(|count| u32::try_from(count).ok()),
        local_time: circumstances.local_time,
        // Nobody, until the intake's transaction finds what the sender has already.
        sender: (rules.sender_days().is_some() && !message.from.is_empty()).then(Sender::default),
        ..Inputs::default()
    };
    let began = std::time::Instant::now();
    let decision = decide(rules, message.subject.as_deref(), &message.text, &facts);
    metrics::histogram!("yingda_decision_seconds").record(began.elapsed());
    metrics::counter!("yingda_decisions_total", "decided_by" => decision.decided_by.as_str()).increment(1);
    for hit in &decision.trace.hits {
        metrics::counter!("yingda_rule_hits_total", "rule" => hit.rule.clone()).increment(1);
    }
    Judgement { facts, unseen: None, decision }
}

/// Decides by stored facts and texts. A rule that fails sends the ticket to triage, never to a silent default.
#[must_use]
pub fn decide(rules: &RuleSet, subject: Option<&str>, text: &str, inputs: &Inputs) -> Decision {
    let facts = Facts::of_inputs(inputs, subject, text);
    catch_unwind(AssertUnwindSafe(|| rules.decide(&facts))).unwrap_or_else(|_| {
        tracing::error!(rule_set = rules.version(), "a rule failed; the ticket goes to triage");
        let empty = Facts { text: "", subject: None, place: None, street: None, item: None, ..facts };
        let mut decision = catch_unwind(AssertUnwindSafe(|| rules.decide(&empty))).unwrap_or_else(|_| nothing(rules));
        decision.item = None;
        decision.department = None;
        decision.decided_by = DecidedBy::Abstain;
        decision.reason = Some(AbstainReason::RuleError);
        decision
    })
}

fn nothing(rules: &RuleSet) -> Decision {
    let kind = AppealKind::Help;
    let priority = Priority::Normal;
    Decision {
        item: None,
        department: None,
        assisting: Vec::new(),
        kind,
        priority,
        deadline_hours: rules.deadline_hours(kind, priority),
        tags: Vec::new(),
        refuse: None,
        reply_template: None,
        suggestion: None,
        district: None,
        confidential: false,
        emergency: Vec::new(),
        decided_by: DecidedBy::Abstain,
        reason: Some(AbstainReason::RuleError),
        confidence: 0.0,
        ranked: Vec::new(),
        trace: routing_rules::Trace {
            engine_version: String::new(),
            rule_set: rules.version().to_owned(),
            inputs: Inputs::default(),
            chosen: None,
            hits: Vec::new(),
            learned: None,
            margin: 0.0,
            needed_margin: 0.0,
            threshold: 0.0,
            districts: Vec::new(),
            conflicts: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(text: &str, item: Option<&str>) -> Judgement {
        let rules = crate::config::rules::compile(None).expect("the demo city");
        let facts = Inputs { item: item.map(str::to_owned), ..Inputs::default() };
        Judgement { decision: decide(&rules, None, text, &facts), facts, unseen: None }
    }

    #[test]
    fn a_share_of_what_is_sure_is_left_unseen_and_nothing_else() {
        let sure = "解放路的路灯不亮了";
        for (text, item, share, lot, left) in [
            (sure, None, 1.0, 17, true),
            (sure, None, 0.0, 0, false),
            (sure, None, 0.01, u64::MAX / 200, true),
            (sure, None, 0.01, u64::MAX / 50, false),
            (sure, Some("roads.streetlight"), 1.0, 17, false),
            ("你好", None, 1.0, 17, false),
            ("着火了，快来救火", None, 1.0, 17, false),
        ] {
            let before = judgement(text, item);
            let mut after = before.clone();
            after.leave_unseen(share, lot);
            assert_eq!(after.unseen.is_some(), left, "{text} {item:?} {share} {lot}");
            assert_eq!(after.item(), before.item(), "the message is threaded alike");
            if let Some(unseen) = &after.unseen {
                assert_eq!(Some(&unseen.department), before.decision.department.as_ref());
                assert_eq!((&after.decision.item, &after.decision.department), (&None, &None));
                assert_eq!(after.decision.reason, Some(AbstainReason::Unseen));
                let stored: StoredFacts = serde_json::from_str(&after.stored()).expect("stored");
                assert_eq!((stored.inputs, stored.unseen), (after.facts.clone(), after.unseen.clone()));
            } else {
                assert_eq!(after.decision, before.decision);
            }
        }
    }
}
