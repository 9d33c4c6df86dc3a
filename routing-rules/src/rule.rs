//! Rules as a pack has them: `rules/*.toml`.

use crate::condition::{Condition, Fact};
use crate::decision::{Effect, Phase};
use crate::expression::Expression;
use crate::golden::GoldenTest;
use crate::measured::Measured;
use crate::pack::{Collector, is_id};
use crate::phrase::Patterns;
use crate::source::{Place, Problem, Table};
use crate::when::Scope;
use crate::words::Words;
use chrono::NaiveDate;

/// Keys of a rule.
pub(crate) const RULE_KEYS: [&str; 10] =
    ["id", "reason", "owner", "phase", "weight", "from", "until", "when", "then", "tests"];

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
    pub from: Option<NaiveDate>,
    /// The last day on which it counts.
    pub until: Option<NaiveDate>,
    /// What a backtest found, from `measured.toml`.
    pub measured: Option<Measured>,
}

impl RuleInfo {
    /// The chance that it is right, 0 to 1: see [`Measured::confidence`]; a half for a rule that was never measured.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.measured.map_or(0.5, Measured::confidence)
    }

    /// A problem with this rule as a whole.
    pub(crate) fn problem(&self, message: String, advice: &str) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.line,
            excerpt: format!("id = \"{}\"", self.id),
            message,
            advice: advice.to_owned(),
        }
    }
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) info: RuleInfo,
    pub(crate) condition: Condition,
    pub(crate) tests: Vec<GoldenTest>,
}

/// Reads rules; what they need of each other is collected on the way.
pub(crate) struct Reader<'r, 'a> {
    pub(crate) patterns: &'r mut Patterns,
    pub(crate) expressions: &'r mut Vec<Expression>,
    pub(crate) collector: &'r mut Collector<'a>,
    pub(crate) words: &'r Words<'a>,
    pub(crate) problems: &'r mut Vec<Problem>,
    /// Places that conditions name, by pattern: each must be in the gazetteer.
    pub(crate) streets: &'r mut Vec<(u32, Place<'a>)>,
    /// The phase of the rule that is being read.
    pub(crate) phase: Phase,
    /// The macros that are being read, outermost first.
    pub(crate) expanding: Vec<&'a str>,
    /// How many conditions the rule has so far.
    pub(crate) conditions: usize,
}

impl<'a> Reader<'_, 'a> {
    /// Reads the rules of one file.
    pub(crate) fn rules(&mut self, root: &Table<'a>) -> Vec<Rule> {
        let tables = root.tables("rule", &RULE_KEYS, self.problems);
        tables.iter().filter_map(|table| self.rule(table)).collect()
    }

    /// Reads lists and macros for their own sake, so that a mistake in one that no rule uses is told too.
    pub(crate) fn words(&mut self) {
        self.phase = Phase::Decorate;
        for list in self.words.all_lists() {
            self.phrases(list);
        }
        for (id, condition) in self.words.all_macros() {
            self.conditions = 0;
            self.expanding.push(id);
            self.condition(condition, &Scope::outermost(0));
            self.expanding.pop();
        }
    }

    fn rule(&mut self, table: &Table<'a>) -> Option<Rule> {
        self.phase = Phase::Recognise;
        self.conditions = 0;
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
        let from = table.get("from").and_then(|node| node.date(self.problems));
        let until = table.get("until").and_then(|node| node.date(self.problems));
        let mut condition =
            table.required("when", self.problems).and_then(|node| self.condition(node, &Scope::outermost(0)));
        if from.is_some() || until.is_some() {
            let dates = Condition::Fact(Fact::Dates { from, until });
            condition = condition.map(|condition| Condition::All(vec![dates, condition]));
        }
        let effects = table.required("then", self.problems).map(|node| self.effects(node)).unwrap_or_default();
        let tests = match table.get("tests") {
            Some(node) => self.tests(node, from.or(until)),
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
                from,
                until,
                measured: None,
            },
            condition: condition?,
            tests,
        })
    }
}
