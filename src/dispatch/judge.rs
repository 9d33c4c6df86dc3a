//! What the rules make of an appeal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use channel_contract::Message;
use routing_rules::{AbstainReason, AppealKind, DecidedBy, Decision, Facts, Inputs, Priority, RuleSet};

use crate::intake::Languages;

/// The facts of an appeal, as they are stored with the decision, and the decision.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The facts.
    pub facts: Inputs,
    /// The decision.
    pub decision: Decision,
}

/// Judges a message by itself.
#[must_use]
pub fn judge(rules: &RuleSet, languages: &Languages, channel: &str, account: &str, message: &Message) -> Judgement {
    let mut whole = message.text.clone();
    if let Some(subject) = &message.subject {
        whole.push(' ');
        whole.push_str(subject);
    }
    let form = message.form.as_ref();
    let facts = Inputs {
        language: languages.detect(&whole),
        channel: Some(channel.to_owned()),
        account: Some(account.to_owned()),
        item: form.and_then(|form| form.item.clone()).filter(|item| rules.item(item).is_some()),
        place: form.and_then(|form| form.place.clone()),
        attachments: u32::try_from(message.attachments.len()).ok(),
        ..Inputs::default()
    };
    let decision = decide(rules, message.subject.as_deref(), &message.text, &facts);
    Judgement { facts, decision }
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
            margin: 0.0,
            needed_margin: 0.0,
            threshold: 0.0,
            districts: Vec::new(),
            conflicts: Vec::new(),
        },
    }
}
