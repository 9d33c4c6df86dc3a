//! The same rules as a decision table of zen-engine, compiled: channel and district as columns that it indexes, the
//! phrases as one expression, every matching row collected.

use std::sync::Arc;

use futures_executor::block_on;
use serde_json::json;
use zen_engine::model::{DecisionContent, GraphContent};
use zen_engine::Decision;

use crate::generated::{Rule, Task, Text};

pub struct Opponent {
    decision: Decision,
}

type Failure = Box<dyn std::error::Error>;

impl Opponent {
    pub fn new(task: &Task) -> Result<Self, Failure> {
        let rows: Vec<_> = task.rules.iter().enumerate().map(|(at, rule)| row(at, rule)).collect();
        let graph = json!({
            "nodes": [
                { "id": "in", "name": "in", "type": "inputNode" },
                { "id": "table", "name": "table", "type": "decisionTableNode", "content": {
                    "hitPolicy": "collect",
                    "inputs": [
                        { "id": "channel", "name": "channel", "field": "channel" },
                        { "id": "district", "name": "district", "field": "district" },
                        { "id": "text", "name": "text" },
                    ],
                    "outputs": [{ "id": "rule", "name": "rule", "field": "rule" }],
                    "rules": rows,
                }},
                { "id": "out", "name": "out", "type": "outputNode" },
            ],
            "edges": [
                { "id": "one", "sourceId": "in", "targetId": "table", "type": "edge" },
                { "id": "two", "sourceId": "table", "targetId": "out", "type": "edge" },
            ],
        });
        let content: GraphContent = serde_json::from_value(graph)?;
        let graph = Arc::new(DecisionContent::from(content)).into_graph_arc().ok_or("not a graph")?;
        let mut decision = Decision::from(graph);
        decision.compile();
        Ok(Self { decision })
    }

    /// The rules that match.
    pub fn matches(&self, text: &Text, folded: &str) -> Result<Vec<usize>, Failure> {
        let context = json!({ "channel": text.channel, "district": text.district, "text": folded });
        let response = block_on(self.decision.evaluate(context.into())).map_err(|error| format!("{error:?}"))?;
        let result = serde_json::to_value(&response.result)?;
        let rows = result.as_array().ok_or("not a list")?;
        Ok(rows.iter().filter_map(|row| row.get("rule")?.as_u64()).map(|rule| rule as usize).collect())
    }
}

fn row(at: usize, rule: &Rule) -> serde_json::Value {
    let list = |words: &[&str]| words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let any = |phrases: &[String]| {
        let parts: Vec<String> = phrases.iter().map(|phrase| format!("contains(text, '{phrase}')")).collect();
        format!("({})", parts.join(" or "))
    };
    let mut parts: Vec<String> = rule.lists.iter().map(|list| any(list)).collect();
    if !rule.none.is_empty() {
        parts.push(format!("not {}", any(&rule.none)));
    }
    json!({
        "_id": at.to_string(),
        "channel": list(&rule.channels),
        "district": list(&rule.districts),
        "text": parts.join(" and "),
        "rule": at.to_string(),
    })
}
