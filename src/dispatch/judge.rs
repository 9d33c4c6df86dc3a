//! What the rules make of an appeal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use channel_contract::Message;
use routing_rules::{AbstainReason, AppealKind, DecidedBy, Decision, Facts, Priority, RuleSet};
use serde::{Deserialize, Serialize};

use crate::intake::Languages;

/// The facts of an appeal, as they are stored with the decision, and the decision.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The facts.
    pub facts: StoredFacts,
    /// The decision.
    pub decision: Decision,
}

/// The inputs of a decision: the same facts with the same rule set give the same decision. The texts stand with the appeals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFacts {
    /// Language of the text, if known.
    pub language: Option<String>,
    /// Channel.
    pub channel: String,
    /// Account.
    pub account: String,
    /// The item chosen by the citizen.
    pub item: Option<String>,
    /// The place given by the citizen.
    pub place: Option<String>,
    /// How many files came along.
    pub attachments: usize,
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
    let facts = StoredFacts {
        language: languages.detect(&whole),
        channel: channel.to_owned(),
        account: account.to_owned(),
        item: form.and_then(|form| form.item.clone()).filter(|item| rules.item(item).is_some()),
        place: form.and_then(|form| form.place.clone()),
        attachments: message.attachments.len(),
    };
    let decision = decide(rules, message.subject.as_deref(), &message.text, &facts);
    Judgement { facts, decision }
}

/// Decides by stored facts and texts. A rule that fails sends the ticket to triage, never to a silent default.
#[must_use]
pub fn decide(rules: &RuleSet, subject: Option<&str>, text: &str, facts: &StoredFacts) -> Decision {
    let facts = Facts {
        subject,
        text,
        language: facts.language.as_deref(),
        channel: &facts.channel,
        account: Some(&facts.account),
        item: facts.item.as_deref(),
        place: facts.place.as_deref(),
        district: None,
        kind: None,
        attachments: facts.attachments,
    };
    catch_unwind(AssertUnwindSafe(|| rules.decide(&facts))).unwrap_or_else(|_| {
        tracing::error!(rule_set = rules.version(), "a rule failed; the ticket goes to triage");
        let empty = Facts { text: "", subject: None, place: None, item: None, ..facts };
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
