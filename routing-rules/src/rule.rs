//! Rules as a pack has them: `rules/*.toml`.

use crate::calendar::Date;
use crate::condition::{Condition, Group, SUBJECT, TEXT};
use crate::decision::{Effect, Phase};
use crate::measured::Measured;
use crate::model::{AppealKind, Priority};
use crate::pack::{Collector, Reference, is_id, kind, lawful_route, priority};
use crate::phrase::Patterns;
use crate::source::{Node, Problem, Table};

/// How deep conditions may nest.
const DEEPEST: usize = 16;

const RULE_KEYS: [&str; 8] = ["id", "reason", "owner", "phase", "weight", "when", "then", "tests"];
const CONDITION_KEYS: [&str; 14] = [
    "any",
    "all",
    "none",
    "not",
    "near",
    "except",
    "field",
    "language",
    "channel",
    "account",
    "district",
    "kind",
    "item",
    "attachments",
];
const ACTION_KEYS: [&str; 12] = [
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
const TEST_KEYS: [&str; 17] = [
    "text",
    "subject",
    "language",
    "channel",
    "account",
    "place",
    "chosen",
    "attachments",
    "item",
    "department",
    "district",
    "kind",
    "priority",
    "emergency",
    "confidential",
    "abstains",
    "fires",
];

/// What people may know of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    /// Its id, unique in the pack.
    pub id: String,
    /// The pack file it stands in.
    pub file: String,
    /// The line it begins at.
    pub line: usize,
    /// When it is asked.
    pub phase: Phase,
    /// How strongly it speaks.
    pub weight: f64,
    /// Why it exists, for the clerk who is blamed.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it says.
    pub effects: Vec<Effect>,
    /// The first day on which it counts; before, and when nobody knows the time, it is silent.
    pub from: Option<Date>,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// What a backtest found, from `measured.toml`.
    pub measured: Option<Measured>,
}

impl RuleInfo {
    /// The chance that it is right, 0 to 1: see [`Measured::confidence`]; a half for a rule that was never measured.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.measured.map_or(0.5, Measured::confidence)
    }
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) info: RuleInfo,
    pub(crate) condition: Condition,
    pub(crate) tests: Vec<GoldenTest>,
}

/// A golden case: what is given, and what must come out. What is not said is not checked.
#[derive(Debug, Default)]
pub(crate) struct GoldenTest {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) subject: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) place: Option<String>,
    pub(crate) chosen: Option<String>,
    pub(crate) attachments: u32,
    pub(crate) item: Option<String>,
    pub(crate) department: Option<String>,
    pub(crate) district: Option<String>,
    pub(crate) kind: Option<AppealKind>,
    pub(crate) priority: Option<Priority>,
    pub(crate) emergency: Option<Vec<String>>,
    pub(crate) confidential: Option<bool>,
    pub(crate) abstains: Option<bool>,
    /// Whether the rule itself must fire; true unless said otherwise.
    pub(crate) fires: bool,
}

struct Reader<'r, 'a> {
    patterns: &'r mut Patterns,
    collector: &'r mut Collector<'a>,
    problems: &'r mut Vec<Problem>,
    phase: Phase,
}

/// What an outer table lends to the conditions inside it.
#[derive(Clone)]
struct Scope {
    mask: u8,
    except: Vec<u32>,
    depth: usize,
}

/// Reads the rules of one file.
pub(crate) fn read<'a>(
    root: &Table<'a>,
    patterns: &mut Patterns,
    collector: &mut Collector<'a>,
    problems: &mut Vec<Problem>,
) -> Vec<Rule> {
    let tables = root.tables("rule", &RULE_KEYS, problems);
    tables
        .iter()
        .filter_map(|table| Reader { patterns, collector, problems, phase: Phase::Recognise }.rule(table))
        .collect()
}

impl<'a> Reader<'_, 'a> {
    fn rule(&mut self, table: &Table<'a>) -> Option<Rule> {
        let id = table.required("id", self.problems).and_then(|node| {
            let id = node.text(self.problems)?;
            if is_id(id, true) {
                return Some(id.to_owned());
            }
            self.problems.push(node.place.problem(
                format!("`{id}` is not an id"),
                "lower-case letters, digits and hyphens, as in `roads.streetlight.dark`",
            ));
            None
        });
        let reason = table.required_text("reason", self.problems).unwrap_or_default();
        let owner = table.get("owner").and_then(|node| node.text(self.problems)).map(ToOwned::to_owned);
        if let Some(node) = table.get("phase")
            && let Some(word) = node.text(self.problems)
        {
            match Phase::parse(word) {
                Some(phase) => self.phase = phase,
                None => self.problems.push(
                    node.place
                        .problem(format!("there is no phase `{word}`"), "one of guard, recognise, route, decorate"),
                ),
            }
        }
        let weight = table.get("weight").map_or(Some(1.0), |node| node.number(self.problems)).unwrap_or(1.0);
        if weight <= 0.0 {
            self.problems
                .push(table.place.problem("a weight of 0 says nothing", "write more than 0, or remove the rule"));
        }
        let scope = Scope { mask: (1 << SUBJECT) | (1 << TEXT), except: Vec::new(), depth: 0 };
        let condition = table.required("when", self.problems).and_then(|node| self.condition(node, &scope));
        let effects = table.required("then", self.problems).map(|node| self.effects(node)).unwrap_or_default();
        let tests = match table.get("tests") {
            Some(node) => self.tests(node),
            None => {
                self.problems.push(table.place.problem("a rule without tests", "add `tests = [{ text = \"...\" }]`"));
                Vec::new()
            }
        };
        Some(Rule {
            info: RuleInfo {
                id: id?,
                file: table.place.path().to_owned(),
                line: table.place.line(),
                phase: self.phase,
                weight,
                reason,
                owner,
                effects,
                from: None,
                until: None,
                measured: None,
            },
            condition: condition?,
            tests,
        })
    }

    fn pattern(&mut self, text: &str, node: &Node<'a>) -> Option<u32> {
        match self.patterns.add(text) {
            Ok(index) => Some(index),
            Err((message, advice)) => {
                self.problems.push(node.place.problem(message, advice));
                None
            }
        }
    }

    fn phrases(&mut self, node: Node<'a>) -> Vec<u32> {
        let nodes = if node.is_text() { Some(vec![node]) } else { node.list(self.problems) };
        let mut found: Vec<u32> = nodes
            .unwrap_or_default()
            .iter()
            .filter_map(|node| {
                let text = node.text(self.problems)?;
                self.pattern(text, node)
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The strings and tables of a list: strings as patterns, tables as conditions.
    fn mixed(&mut self, node: Node<'a>, scope: &Scope) -> (Vec<u32>, Vec<Condition>) {
        let (mut patterns, mut conditions) = (Vec::new(), Vec::new());
        let nodes = if node.is_text() { Some(vec![node]) } else { node.list(self.problems) };
        if nodes.as_ref().is_some_and(Vec::is_empty) {
            self.problems.push(node.place.problem("this list is empty", "fill it in or remove it"));
        }
        for node in nodes.unwrap_or_default() {
            if node.is_text() {
                let index = node.text(self.problems).and_then(|text| self.pattern(text, &node));
                patterns.extend(index);
            } else {
                conditions.extend(self.condition(node, scope));
            }
        }
        patterns.sort_unstable();
        patterns.dedup();
        (patterns, conditions)
    }

    fn condition(&mut self, node: Node<'a>, outer: &Scope) -> Option<Condition> {
        if outer.depth >= DEEPEST {
            self.problems.push(node.place.problem(format!("nested more than {DEEPEST} deep"), "split the rule"));
            return None;
        }
        let table = node.table(&CONDITION_KEYS, self.problems)?;
        let before = self.problems.len();
        let mut scope = Scope { depth: outer.depth + 1, ..outer.clone() };
        if let Some(node) = table.get("field") {
            match node.text(self.problems) {
                Some("subject") => scope.mask = 1 << SUBJECT,
                Some("text") => scope.mask = 1 << TEXT,
                _ => self.problems.push(node.place.problem("there is no such field", "`subject` or `text`")),
            }
        }
        let except = table.get("except").map(|node| self.phrases(node)).unwrap_or_default();
        scope.except.extend(&except);
        let leaf = |any: Vec<u32>| Condition::Phrases(Group { any, except: scope.except.clone(), mask: scope.mask });
        let mut parts = Vec::new();
        let mut wanted: Vec<u32> = Vec::new();
        if let Some(node) = table.get("any") {
            let (patterns, mut conditions) = self.mixed(node, &scope);
            wanted.extend(&patterns);
            if !patterns.is_empty() {
                conditions.insert(0, leaf(patterns));
            }
            parts.extend(if conditions.len() == 1 { conditions.pop() } else { Some(Condition::Any(conditions)) });
        }
        if let Some(node) = table.get("all") {
            let (patterns, conditions) = self.mixed(node, &scope);
            wanted.extend(&patterns);
            let all = patterns.into_iter().map(|pattern| leaf(vec![pattern])).chain(conditions);
            match table.get("near") {
                Some(node) => parts.extend(self.near(node, all.collect())),
                None => parts.extend(all),
            }
        } else if let Some(node) = table.get("near") {
            self.problems
                .push(node.place.problem("`near` without `all`", "say under `all` what stands near each other"));
        }
        if let Some(node) = table.get("none") {
            let (patterns, mut conditions) = self.mixed(node, &scope);
            for pattern in patterns.iter().filter(|pattern| wanted.contains(pattern)) {
                let written = self.patterns.get(*pattern).map_or("", |pattern| &pattern.written);
                self.problems.push(
                    node.place.problem(
                        format!("`{written}` is both wanted and forbidden"),
                        "remove it from one of the lists",
                    ),
                );
            }
            if !patterns.is_empty() {
                conditions.insert(0, leaf(patterns));
            }
            parts.push(Condition::Not(Box::new(Condition::Any(conditions))));
        }
        if let Some(node) = table.get("not") {
            parts.extend(self.condition(node, &scope).map(|inner| Condition::Not(Box::new(inner))));
        }
        self.facts(&table, &mut parts);
        if !except.is_empty() {
            let mut looked_for = Vec::new();
            parts.iter().for_each(|part| part.patterns(&mut looked_for));
            self.check_except(&except, &looked_for, &table);
        }
        if parts.is_empty() && self.problems.len() == before {
            self.problems
                .push(table.place.problem("this condition says nothing", format!("use {}", CONDITION_KEYS.join(", "))));
        }
        if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
    }

    /// Lists of phrases that must stand within a number of characters.
    fn near(&mut self, node: Node<'a>, all: Vec<Condition>) -> Option<Condition> {
        let within = node.count(self.problems)?;
        let count = all.len();
        let groups: Vec<Group> = all
            .into_iter()
            .filter_map(|part| if let Condition::Phrases(group) = part { Some(group) } else { None })
            .collect();
        if groups.len() < count.max(2) {
            self.problems.push(node.place.problem(
                "`near` needs two or more phrases or lists of phrases under `all`",
                "move other conditions out of this table",
            ));
            return None;
        }
        Some(Condition::Near { groups, within })
    }

    /// An exception that contains none of the phrases can never cover a find.
    fn check_except(&mut self, except: &[u32], looked_for: &[u32], table: &Table<'a>) {
        for cover in except.iter().filter_map(|index| self.patterns.get(*index)) {
            let useful = looked_for
                .iter()
                .filter_map(|index| self.patterns.get(*index))
                .any(|pattern| cover.folded.contains(&pattern.folded));
            if !useful {
                self.problems.push(table.place.problem(
                    format!("the exception `{}` contains none of the phrases", cover.written),
                    "write the phrase with the words around it that make it harmless",
                ));
            }
        }
    }

    fn facts(&mut self, table: &Table<'a>, parts: &mut Vec<Condition>) {
        let texts = |node: Node<'a>, problems: &mut Vec<Problem>| -> Vec<String> {
            node.texts(problems).into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        if let Some(node) = table.get("language") {
            parts.push(Condition::Language(texts(node, self.problems)));
        }
        if let Some(node) = table.get("channel") {
            parts.push(Condition::Channel(texts(node, self.problems)));
        }
        if let Some(node) = table.get("account") {
            parts.push(Condition::Account(texts(node, self.problems)));
        }
        if let Some(node) = table.get("district") {
            for (id, place) in node.texts(&mut Vec::new()) {
                self.collector.refer(Reference::District, id, place);
            }
            parts.push(Condition::District(texts(node, self.problems)));
        }
        if let Some(node) = table.get("kind") {
            let nodes = if node.is_text() { Some(vec![node]) } else { node.list(self.problems) };
            let kinds = nodes.unwrap_or_default().into_iter().filter_map(|node| kind(node, self.problems)).collect();
            parts.push(Condition::Kind(kinds));
        }
        if let Some(node) = table.get("item") {
            if self.phase < Phase::Route {
                self.problems.push(node.place.problem(
                    format!("the item is not yet known in phase {}", self.phase.as_str()),
                    "move the rule to phase route or decorate",
                ));
            }
            for (id, place) in node.texts(&mut Vec::new()) {
                self.collector.refer(Reference::ItemPrefix, id, place);
            }
            parts.push(Condition::Item(texts(node, self.problems)));
        }
        if let Some(node) = table.get("attachments") {
            parts.extend(node.boolean(self.problems).map(Condition::Attachments));
        }
    }

    fn effects(&mut self, node: Node<'a>) -> Vec<Effect> {
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

    fn tests(&mut self, node: Node<'a>) -> Vec<GoldenTest> {
        let nodes = node.list(self.problems).unwrap_or_default();
        if nodes.is_empty() {
            self.problems.push(node.place.problem("a rule without tests", "add `{ text = \"...\" }`"));
        }
        let tables: Vec<_> = nodes.iter().filter_map(|node| node.table(&TEST_KEYS, self.problems)).collect();
        tables.iter().filter_map(|table| self.test(table)).collect()
    }

    fn test(&mut self, table: &Table<'a>) -> Option<GoldenTest> {
        let refer = |reader: &mut Self, key: &str, to: Reference| -> Option<String> {
            let node = table.get(key)?;
            let id = node.text(reader.problems)?;
            reader.collector.refer(to, id, node.place);
            Some(id.to_owned())
        };
        let chosen = refer(self, "chosen", Reference::Item);
        let item = refer(self, "item", Reference::Item);
        let department = refer(self, "department", Reference::Department);
        let district = refer(self, "district", Reference::District);
        let text = |key: &str, problems: &mut Vec<Problem>| {
            table.get(key).and_then(|node| node.text(problems)).map(ToOwned::to_owned)
        };
        let boolean = |key: &str, problems: &mut Vec<Problem>| table.get(key).and_then(|node| node.boolean(problems));
        let emergency = table.get("emergency").map(|node| {
            let mut numbers: Vec<String> = node
                .list(self.problems)
                .unwrap_or_default()
                .iter()
                .filter_map(|node| node.text(self.problems))
                .map(ToOwned::to_owned)
                .collect();
            numbers.sort();
            numbers
        });
        Some(GoldenTest {
            line: table.place.line(),
            text: table.required_text("text", self.problems)?,
            subject: text("subject", self.problems),
            language: text("language", self.problems),
            channel: text("channel", self.problems),
            account: text("account", self.problems),
            place: text("place", self.problems),
            chosen,
            attachments: table.get("attachments").and_then(|node| node.count(self.problems)).unwrap_or_default(),
            item,
            department,
            district,
            kind: table.get("kind").and_then(|node| kind(node, self.problems)),
            priority: table.get("priority").and_then(|node| priority(node, self.problems)),
            emergency,
            confidential: boolean("confidential", self.problems),
            abstains: boolean("abstains", self.problems),
            fires: boolean("fires", self.problems).unwrap_or(true),
        })
    }
}
