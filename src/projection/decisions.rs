//! Why a ticket went where it went.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Eyes, moment};
use crate::store::tickets::DecisionRow;

/// Why a ticket went where it went.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionView {
    /// Its id.
    pub id: String,
    /// The item.
    pub item: Option<String>,
    /// The department.
    pub department: Option<String>,
    /// `rule`, `abstain`, `citizen` or `person`.
    pub decided_by: String,
    /// Why the rules abstained, or what the person gave as reason.
    pub reason: Option<String>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    /// The version of the rules.
    pub rule_set: Option<String>,
    /// Candidates, best first, each with `item` and `score`.
    #[schema(value_type = Vec<Object>)]
    pub ranked: Value,
    /// How it came about.
    #[schema(value_type = Option<Object>)]
    pub trace: Value,
    /// The person, if one decided.
    pub actor: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// The same in one plain sentence, by language (BCP 47).
    pub sentences: BTreeMap<String, String>,
    /// Where the words that decided stand in the appeals.
    pub marks: Vec<Mark>,
}

/// Words of an appeal that spoke for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mark {
    /// The appeal.
    pub appeal: String,
    /// `subject` or `text`.
    pub field: String,
    /// First character (Unicode scalar values from 0) in that text as it is shown to this reader.
    pub start: usize,
    /// Past the last character.
    pub end: usize,
    /// The phrase as the rules have it, or the place as the gazetteer has it.
    pub phrase: String,
    /// The rule; null for a place.
    pub rule: Option<String>,
}

/// Shows a decision.
pub(super) fn decision(eyes: Eyes, row: &DecisionRow) -> DecisionView {
    // Who decides without seeing what the rules say shall not find it here.
    let unseen = row.reason.as_deref() == Some("unseen");
    let json = |text: &str| if unseen { Value::Null } else { serde_json::from_str(text).unwrap_or_default() };
    let mut trace = json(&row.trace);
    // The only words of the citizen in it.
    for said in ["place", "street"] {
        if let Some(Value::String(said)) = trace.get_mut("inputs").and_then(|inputs| inputs.get_mut(said)) {
            *said = eyes.text(said);
        }
    }
    DecisionView {
        id: row.id.to_string(),
        item: row.item.clone(),
        department: row.department.clone(),
        decided_by: row.decided_by.clone(),
        reason: eyes.maybe(row.reason.as_deref()),
        confidence: row.confidence,
        rule_set: row.rule_set.clone(),
        ranked: if unseen { Value::Array(Vec::new()) } else { json(&row.ranked) },
        trace,
        actor: row.actor.clone(),
        at: moment(row.at),
        sentences: BTreeMap::new(),
        marks: Vec::new(),
    }
}
