//! Reading conditions: the `when` of rules and macros.

use crate::calendar::WEEKDAYS;
use crate::condition::{Condition, Fact, FactName, Group};
use crate::decision::Phase;
use crate::expression::Expression;
use crate::finds::{SUBJECT, TEXT};
use crate::near::Within;
use crate::pack::{Reference, citizen_kind, is_id, kind, priority, word};
use crate::rule::Reader;
use crate::source::{Node, Problem, Table};

/// Keys of a condition.
pub(crate) const CONDITION_KEYS: [&str; 29] = [
    "any",
    "all",
    "none",
    "not",
    "near",
    "except",
    "list",
    "macro",
    "regex",
    "field",
    "known",
    "language",
    "channel",
    "account",
    "district",
    "street",
    "kind",
    "citizen_kind",
    "attachments",
    "open_tickets",
    "repeats",
    "time",
    "weekday",
    "item",
    "department",
    "priority",
    "tags",
    "emergency",
    "confidential",
];
/// Keys of `repeats`.
pub(crate) const REPEATS_KEYS: [&str; 2] = ["within_days", "at_least"];

/// How deep conditions may nest, macros included.
const DEEPEST: usize = 16;
/// Phrases of one list.
const MOST_PHRASES: usize = 10_000;
/// Conditions of one rule, those of its macros included.
pub(crate) const MOST_CONDITIONS: usize = 5_000;
/// Regular expressions of one pack.
const MOST_EXPRESSIONS: usize = 200;

/// What an outer table lends to the conditions inside it.
#[derive(Clone)]
pub(crate) struct Scope {
    mask: u8,
    except: Vec<u32>,
    depth: usize,
}

impl Scope {
    /// Both texts, no exceptions.
    pub(crate) const fn outermost(depth: usize) -> Self {
        Self { mask: (1 << SUBJECT) | (1 << TEXT), except: Vec::new(), depth }
    }
}

impl<'a> Reader<'_, 'a> {
    fn pattern(&mut self, text: &str, node: &Node<'a>) -> Option<u32> {
        match self.patterns.add(text) {
            Ok(index) => Some(index),
            Err((message, advice)) => {
                self.problems.push(node.place.problem(message, advice));
                None
            }
        }
    }

    /// The elements of a list of phrases and conditions, or the single phrase.
    fn elements(&mut self, node: Node<'a>) -> Vec<Node<'a>> {
        let nodes = if node.is_text() { vec![node] } else { node.list(self.problems).unwrap_or_default() };
        if nodes.is_empty() {
            self.problems.push(node.place.problem("this list is empty", "fill it in or remove it"));
        }
        if nodes.len() > MOST_PHRASES {
            self.problems.push(
                node.place
                    .problem(format!("a list of more than {MOST_PHRASES} entries"), "split it into several lists"),
            );
            return Vec::new();
        }
        nodes
    }

    /// Plain phrases, and those of word lists: `"phrase"` or `{ list = "id" }`.
    pub(crate) fn phrases(&mut self, node: Node<'a>) -> Vec<u32> {
        let mut found = Vec::new();
        for node in self.elements(node) {
            if node.is_table() {
                let table = node.table(&["list"], self.problems);
                found.extend(
                    table
                        .and_then(|table| table.required("list", self.problems))
                        .map(|node| self.lists(node))
                        .unwrap_or_default(),
                );
            } else if let Some(text) = node.text(self.problems) {
                found.extend(self.pattern(text, &node));
            }
        }
        sorted(found)
    }

    /// The phrases of the lists named.
    fn lists(&mut self, node: Node<'a>) -> Vec<u32> {
        let mut found = Vec::new();
        for (id, place) in node.texts(self.problems) {
            if let Some(list) = self.words.list(id, place, self.problems) {
                for node in self.elements(list) {
                    if let Some(text) = node.text(self.problems) {
                        found.extend(self.pattern(text, &node));
                    }
                }
            }
        }
        sorted(found)
    }

    /// The strings and tables of a list: strings as patterns, tables as conditions.
    fn mixed(&mut self, node: Node<'a>, scope: &Scope) -> (Vec<u32>, Vec<Condition>) {
        let (mut patterns, mut conditions) = (Vec::new(), Vec::new());
        for node in self.elements(node) {
            if node.is_table() {
                conditions.extend(self.condition(node, scope));
            } else {
                let index = node.text(self.problems).and_then(|text| self.pattern(text, &node));
                patterns.extend(index);
            }
        }
        (sorted(patterns), conditions)
    }

    /// Reads a condition.
    pub(crate) fn condition(&mut self, node: Node<'a>, outer: &Scope) -> Option<Condition> {
        self.conditions += 1;
        if outer.depth >= DEEPEST {
            self.problems.push(node.place.problem(format!("nested more than {DEEPEST} deep"), "split the rule"));
            return None;
        }
        if self.conditions > MOST_CONDITIONS {
            self.problems.push(
                node.place.problem(format!("more than {MOST_CONDITIONS} conditions in one rule"), "split the rule"),
            );
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
        scope.except = sorted(scope.except.iter().chain(&except).copied().collect());
        let leaf = |any: Vec<u32>| Condition::Phrases(Group { any, except: scope.except.clone(), mask: scope.mask });
        let mut parts = Vec::new();
        let mut wanted: Vec<u32> = Vec::new();
        let listed = table.get("list").map(|node| self.lists(node));
        if table.get("any").is_some() || listed.is_some() {
            let (mut patterns, mut conditions) =
                table.get("any").map(|node| self.mixed(node, &scope)).unwrap_or_default();
            patterns.extend(listed.unwrap_or_default());
            let patterns = sorted(patterns);
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
        if let Some(node) = table.get("macro") {
            self.macros(node, &scope, &mut parts);
        }
        if let Some(node) = table.get("regex") {
            self.expressions(node, scope.mask, &mut parts);
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

    /// Lists of phrases that must stand within a number of characters, or in one sentence.
    fn near(&mut self, node: Node<'a>, all: Vec<Condition>) -> Option<Condition> {
        let within = if node.is_text() {
            word(node, |word| (word == "sentence").then_some(Within::Sentence), &["sentence"], self.problems)?
        } else {
            Within::Units(node.count(self.problems)?)
        };
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

    /// Named conditions; each is read as if it stood here, but with both texts and without the exceptions around it.
    fn macros(&mut self, node: Node<'a>, scope: &Scope, parts: &mut Vec<Condition>) {
        for (id, place) in node.texts(self.problems) {
            if self.expanding.contains(&id) {
                self.problems.push(place.problem(format!("macro `{id}` contains itself"), "remove it from itself"));
                continue;
            }
            let Some(condition) = self.words.condition(id, place, self.problems) else { continue };
            self.expanding.push(id);
            parts.extend(self.condition(condition, &Scope::outermost(scope.depth)));
            self.expanding.pop();
        }
    }

    fn expressions(&mut self, node: Node<'a>, mask: u8, parts: &mut Vec<Condition>) {
        let mut any = Vec::new();
        for (text, place) in node.texts(self.problems) {
            let known = self.expressions.iter().position(|expression| expression.written == text);
            let index = match known {
                Some(index) => index,
                None if self.expressions.len() >= MOST_EXPRESSIONS => {
                    self.problems.push(place.problem(
                        format!("more than {MOST_EXPRESSIONS} expressions in one pack"),
                        "use phrases where they are enough",
                    ));
                    return;
                }
                None => match Expression::new(text) {
                    Ok(expression) => {
                        self.expressions.push(expression);
                        self.expressions.len() - 1
                    }
                    Err((message, advice)) => {
                        self.problems.push(place.problem(message, advice));
                        continue;
                    }
                },
            };
            let literals = self.expressions.get(index).and_then(|expression| expression.literals.as_deref());
            let anchor = literals.map(|literals| literals.iter().map(|text| self.patterns.literal(text)).collect());
            any.push(Condition::Expression { index: u32::try_from(index).unwrap_or(u32::MAX), mask, anchor });
        }
        parts.extend(if any.len() == 1 { any.pop() } else { (!any.is_empty()).then_some(Condition::Any(any)) });
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

    /// Facts that rules set are read only in later phases.
    fn known_in(&mut self, node: &Node<'a>, what: &str, first: Phase) {
        if self.phase < first {
            let phases: Vec<&str> = Phase::ALL.into_iter().filter(|phase| *phase >= first).map(Phase::as_str).collect();
            self.problems.push(node.place.problem(
                format!("the {what} is not yet known in phase {}", self.phase.as_str()),
                format!("move the rule to phase {}", phases.join(" or ")),
            ));
        }
    }

    fn facts(&mut self, table: &Table<'a>, parts: &mut Vec<Condition>) {
        let texts = |node: Node<'a>, problems: &mut Vec<Problem>| -> Vec<String> {
            node.texts(problems).into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        let mut fact = |fact: Fact| parts.push(Condition::Fact(fact));
        if let Some(node) = table.get("language") {
            fact(Fact::Language(texts(node, self.problems)));
        }
        if let Some(node) = table.get("channel") {
            fact(Fact::Channel(texts(node, self.problems)));
        }
        if let Some(node) = table.get("account") {
            fact(Fact::Account(texts(node, self.problems)));
        }
        if let Some(node) = table.get("district") {
            for (id, place) in node.texts(&mut Vec::new()) {
                self.collector.refer(Reference::District, id, place);
            }
            fact(Fact::District(texts(node, self.problems)));
        }
        if let Some(node) = table.get("street") {
            let mut streets = Vec::new();
            for (name, place) in node.texts(self.problems) {
                match self.patterns.add(name) {
                    Ok(index) => {
                        self.streets.push((index, place));
                        streets.push(index);
                    }
                    Err((message, advice)) => self.problems.push(place.problem(message, advice)),
                }
            }
            fact(Fact::Street(streets));
        }
        if let Some(node) = table.get("kind") {
            fact(Fact::Kind(node.each(self.problems, kind)));
        }
        if let Some(node) = table.get("citizen_kind") {
            fact(Fact::CitizenKind(node.each(self.problems, citizen_kind)));
        }
        if let Some(wanted) = table.get("attachments").and_then(|node| node.boolean(self.problems)) {
            fact(Fact::Attachments(wanted));
        }
        if let Some(least) = table.get("open_tickets").and_then(|node| node.count(self.problems)) {
            fact(Fact::OpenTickets(least));
        }
        if let Some(repeats) = table.get("repeats").and_then(|node| node.table(&REPEATS_KEYS, self.problems)) {
            let mut number = |key: &str| repeats.required(key, self.problems)?.count(self.problems);
            if let (Some(within_days), Some(at_least)) = (number("within_days"), number("at_least")) {
                fact(Fact::Repeats { within_days, at_least });
            }
        }
        if let Some(node) = table.get("time") {
            fact(Fact::Time(node.each(self.problems, span)));
        }
        if let Some(node) = table.get("weekday") {
            let day = |node: Node<'a>, problems: &mut Vec<Problem>| {
                let find = |word: &str| WEEKDAYS.into_iter().find(|(own, _)| *own == word).map(|(_, day)| day);
                word(node, find, &WEEKDAYS.map(|(word, _)| word), problems)
            };
            fact(Fact::Weekday(node.each(self.problems, day)));
        }
        if let Some(node) = table.get("item") {
            self.known_in(&node, "item", Phase::Route);
            for (id, place) in node.texts(&mut Vec::new()) {
                self.collector.refer(Reference::ItemPrefix, id, place);
            }
            fact(Fact::Item(texts(node, self.problems)));
        }
        if let Some(node) = table.get("department") {
            self.known_in(&node, "department", Phase::Decorate);
            for (id, place) in node.texts(&mut Vec::new()) {
                self.collector.refer(Reference::Department, id, place);
            }
            fact(Fact::Department(texts(node, self.problems)));
        }
        if let Some(node) = table.get("priority") {
            self.known_in(&node, "priority", Phase::Recognise);
            fact(Fact::Priority(node.each(self.problems, priority)));
        }
        if let Some(node) = table.get("tags") {
            self.known_in(&node, "tag", Phase::Recognise);
            for (tag, place) in node.texts(&mut Vec::new()) {
                if !is_id(tag, true) {
                    self.problems.push(
                        place.problem(format!("`{tag}` is not a tag"), "lower-case letters, digits, hyphens and dots"),
                    );
                }
            }
            fact(Fact::Tags(texts(node, self.problems)));
        }
        for (key, make) in [
            ("emergency", Fact::Emergency as fn(bool) -> Fact),
            ("confidential", Fact::Confidential as fn(bool) -> Fact),
        ] {
            if let Some(node) = table.get(key) {
                self.known_in(&node, key, Phase::Recognise);
                if let Some(wanted) = node.boolean(self.problems) {
                    fact(make(wanted));
                }
            }
        }
        if let Some(node) = table.get("known") {
            let words = FactName::WORDS.map(|(word, _)| word);
            let find = |word: &str| FactName::WORDS.into_iter().find(|(own, _)| *own == word).map(|(_, name)| name);
            let names = node.each(self.problems, |node, problems| word(node, find, &words, problems));
            for (name, first) in [(FactName::Item, Phase::Route), (FactName::Department, Phase::Decorate)] {
                if names.contains(&name) {
                    let what = if name == FactName::Item { "item" } else { "department" };
                    self.known_in(&node, what, first);
                }
            }
            parts.push(Condition::Known(names));
        }
    }
}

fn sorted(mut patterns: Vec<u32>) -> Vec<u32> {
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

/// Reads `22:00-06:00` as minutes of the day.
fn span(node: Node<'_>, problems: &mut Vec<Problem>) -> Option<(u16, u16)> {
    let text = node.text(problems)?;
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() == 2);
        let (hour, minute) = (number(hour)?, number(minute)?);
        ((hour < 24 && minute < 60) || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
    };
    let read = text.split_once('-').and_then(|(from, until)| Some((clock(from)?, clock(until)?)));
    let span = read.filter(|(from, until)| from != until && *from < 24 * 60);
    if span.is_none() {
        problems.push(node.place.problem(format!("`{text}` is not a span of the day"), "as in `22:00-06:00`"));
    }
    span
}
