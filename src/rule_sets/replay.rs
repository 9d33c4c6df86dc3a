//! Judging a ticket's stored inputs again: with its own rule set, which must come to the same, and with the one that decides.

use std::sync::Arc;

use routing_rules::{Decision, RuleSet};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::kept;
use crate::dispatch::{StoredFacts, decide};
use crate::domain::TicketNumber;
use crate::hub::Hub;
use crate::projection::moment;
use crate::store::past::PastDecision;
use crate::store::{Error, past as store, rule_sets};

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    /// The version of the rules.
    pub rule_set: Option<String>,
    /// Its number, if it has one.
    pub number: Option<i64>,
    /// `rule`, `learned` or `abstain`.
    pub decided_by: String,
    /// The item.
    pub item: Option<String>,
    /// The department.
    pub department: Option<String>,
    /// Why the rules abstained.
    pub reason: Option<String>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    /// Candidates, best first.
    #[schema(value_type = Vec<Object>)]
    pub ranked: Value,
    /// The rules that fired with the phrases that made them.
    #[schema(value_type = Vec<Object>)]
    pub hits: Value,
}

/// Something that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// What: a field of [`Outcome`].
    pub field: String,
    /// What was decided then.
    #[schema(value_type = Option<Object>)]
    pub stored: Value,
    /// What is decided now.
    #[schema(value_type = Option<Object>)]
    pub again: Value,
}

/// A decision judged again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Replay {
    /// The ticket.
    pub ticket: String,
    /// The decision's id.
    pub decision: String,
    /// When it was made (RFC 3339).
    pub at: String,
    /// What was decided then.
    pub stored: Outcome,
    /// The version of the engine then.
    pub engine: String,
    /// The version of the engine now.
    pub engine_now: String,
    /// Where the same rules now come to something else; empty, unless the engine has changed.
    pub differences: Vec<Difference>,
    /// What the rules come to that decide now.
    pub published: Outcome,
    /// Where that is something else than was decided then.
    pub changes: Vec<Difference>,
}

/// Judges the last decision that rules made of a ticket again, changing nothing.
///
/// # Errors
/// [`Error::NotFound`] without such a ticket or decision; [`Error::Invalid`] when its rule set was not kept or cannot be read.
pub async fn replay(hub: &Arc<Hub>, number: &TicketNumber) -> Result<Replay, Error> {
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let past = store::judged(&mut conn, city, number).await?;
    let facts: StoredFacts = serde_json::from_str(&past.facts).unwrap_or_default();
    let (subject, first) = store::first_appeal(&mut conn, city, number).await?;
    let text = facts.text.clone().unwrap_or(first);
    let version = past.rule_set.clone().unwrap_or_default();
    let own = match kept(&mut conn, city, &version, &hub.caches()).await {
        Err(Error::NotFound) => return Err(Error::Invalid(format!("rule set {version} was not kept"))),
        found => found?,
    };
    let now = hub.rules();
    let mut stored = stored(&past);
    let judge = |rules: &RuleSet| decide(rules, subject.as_deref(), &text, &facts.inputs);
    let (own, now) = (judge(&own), judge(&now));
    let (mut again, mut published) = (outcome(&own, &facts), outcome(&now, &facts));
    for outcome in [&mut stored, &mut again, &mut published] {
        let version = outcome.rule_set.as_deref().unwrap_or_default();
        outcome.number = rule_sets::by_version(&mut conn, city, version).await?.map(|row| row.number);
    }
    let trace: Value = serde_json::from_str(&past.trace).unwrap_or_default();
    Ok(Replay {
        ticket: number.to_string(),
        decision: past.id.clone(),
        at: moment(past.at),
        engine: trace["engine_version"].as_str().unwrap_or_default().to_owned(),
        engine_now: own.trace.engine_version,
        differences: differences(&stored, &again),
        changes: differences(&stored, &published),
        stored,
        published,
    })
}

fn stored(past: &PastDecision) -> Outcome {
    let trace: Value = serde_json::from_str(&past.trace).unwrap_or_default();
    Outcome {
        rule_set: past.rule_set.clone(),
        number: None,
        decided_by: past.decided_by.clone(),
        item: past.item.clone(),
        department: past.department.clone(),
        reason: past.reason.clone(),
        confidence: past.confidence,
        ranked: serde_json::from_str(&past.ranked).unwrap_or_default(),
        hits: trace["hits"].clone(),
    }
}

/// As the row of the decision has it: what was left to a person unseen stays so.
fn outcome(decision: &Decision, facts: &StoredFacts) -> Outcome {
    let mut outcome = Outcome {
        rule_set: Some(decision.trace.rule_set.clone()),
        number: None,
        decided_by: decision.decided_by.as_str().to_owned(),
        item: decision.item.clone(),
        department: decision.department.clone(),
        reason: decision.reason.map(|reason| reason.as_str().to_owned()),
        confidence: Some(decision.confidence),
        ranked: serde_json::to_value(&decision.ranked).unwrap_or_default(),
        hits: serde_json::to_value(&decision.trace.hits).unwrap_or_default(),
    };
    if let Some(unseen) = &facts.unseen
        && outcome.item.as_ref() == Some(&unseen.item)
        && outcome.department.as_ref() == Some(&unseen.department)
    {
        outcome.decided_by = "abstain".to_owned();
        outcome.reason = Some(routing_rules::AbstainReason::Unseen.as_str().to_owned());
        (outcome.item, outcome.department) = (None, None);
        (outcome.confidence, outcome.ranked, outcome.hits) = (Some(0.0), Value::Array(vec![]), Value::Array(vec![]));
    }
    outcome
}

fn differences(stored: &Outcome, again: &Outcome) -> Vec<Difference> {
    let fields = |outcome: &Outcome| match serde_json::to_value(outcome) {
        Ok(Value::Object(mut fields)) => {
            // Which rules judged is no difference in what they came to.
            fields.remove("rule_set");
            fields.remove("number");
            fields
        }
        _ => serde_json::Map::new(),
    };
    let now = fields(again);
    fields(stored)
        .into_iter()
        .filter_map(|(field, stored)| {
            let again = now.get(&field).cloned().unwrap_or_default();
            (stored != again).then_some(Difference { field, stored, again })
        })
        .collect()
}
