//! Reading actions: the `then` of rules.

use crate::decision::{Effect, Phase};
use crate::pack::{Reference, is_id, kind, lawful_route, priority};
use crate::rule::Reader;
use crate::source::{Node, Problem};

/// Keys of an action.
pub(crate) const ACTION_KEYS: [&str; 12] = [
    "item",
    "kind",
    "department",
    "assisting",
    "priority",
    "deadline",
    "tags",
    "emergency",
    "confidential",
    "hold",
    "refuse",
    "reply",
];

impl<'a> Reader<'_, 'a> {
    /// Reads the actions of a rule.
    pub(crate) fn effects(&mut self, node: Node<'a>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(table) = node.table(&ACTION_KEYS, self.problems) else { return effects };
        let before = self.problems.len();
        let phase = self.phase;
        let only = |node: &Node<'a>, what: &str, phases: &[Phase], problems: &mut Vec<Problem>| {
            if !phases.contains(&phase) {
                let names: Vec<_> = phases.iter().map(|phase| phase.as_str()).collect();
                problems.push(node.place.problem(
                    format!("`{what}` cannot be said in phase {}", phase.as_str()),
                    format!("set `phase = \"{}\"`", names.join("\" or \"")),
                ));
            }
        };
        if let Some(node) = table.get("item") {
            only(&node, "item", &[Phase::Recognise], self.problems);
            if let Some(id) = node.text(self.problems) {
                self.collector.refer(Reference::Item, id, node.place);
                effects.push(Effect::Item(id.to_owned()));
            }
        }
        if let Some(node) = table.get("kind") {
            only(&node, "kind", &[Phase::Guard, Phase::Recognise], self.problems);
            effects.extend(kind(node, self.problems).map(Effect::Kind));
        }
        if let Some(node) = table.get("department") {
            only(&node, "department", &[Phase::Route], self.problems);
            if let Some(id) = node.text(self.problems) {
                self.collector.refer(Reference::Department, id, node.place);
                effects.push(Effect::Department(id.to_owned()));
            }
        }
        if let Some(node) = table.get("assisting") {
            let ids = node.texts(self.problems);
            for (id, place) in &ids {
                self.collector.refer(Reference::Department, id, *place);
            }
            effects.push(Effect::Assisting(ids.into_iter().map(|(id, _)| id.to_owned()).collect()));
        }
        if let Some(node) = table.get("priority") {
            effects.extend(priority(node, self.problems).map(Effect::Priority));
        }
        if let Some(node) = table.get("emergency") {
            let numbers = node.texts(self.problems);
            for (number, place) in &numbers {
                if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.problems
                        .push(place.problem(format!("`{number}` is not a number to call"), "digits only, as in `119`"));
                }
            }
            effects.push(Effect::Emergency(numbers.into_iter().map(|(number, _)| number.to_owned()).collect()));
        }
        if let Some(node) = table.get("deadline") {
            effects.extend(node.count(self.problems).map(Effect::Deadline));
        }
        if let Some(node) = table.get("tags") {
            let tags = node.texts(self.problems);
            for (tag, place) in &tags {
                if !is_id(tag, true) {
                    self.problems.push(
                        place.problem(format!("`{tag}` is not a tag"), "lower-case letters, digits, hyphens and dots"),
                    );
                }
            }
            effects.push(Effect::Tags(tags.into_iter().map(|(tag, _)| tag.to_owned()).collect()));
        }
        if let Some(node) = table.get("refuse") {
            effects.extend(lawful_route(node, self.problems).map(Effect::Refuse));
        }
        if let Some(node) = table.get("reply") {
            effects.extend(node.text(self.problems).map(|template| Effect::Reply(template.to_owned())));
        }
        for (key, effect) in [("confidential", Effect::Confidential), ("hold", Effect::Hold)] {
            if let Some(node) = table.get(key) {
                match node.boolean(self.problems) {
                    Some(true) => effects.push(effect),
                    Some(false) => {
                        self.problems.push(node.place.problem(format!("`{key} = false` says nothing"), "remove it"))
                    }
                    None => {}
                }
            }
        }
        if effects.is_empty() && self.problems.len() == before {
            self.problems
                .push(table.place.problem("this rule does nothing", format!("use {}", ACTION_KEYS.join(", "))));
        }
        effects
    }
}
