//! The tests that a pack brings along.

use chrono::NaiveDate;

use crate::calendar::LocalTime;
use crate::decision::{DecidedBy, Decision};
use crate::facts::{Facts, Inputs, Sender};
use crate::model::{AppealKind, LawfulRoute, Priority};
use crate::pack::{Reference, citizen_kind, kind, lawful_route, priority};
use crate::rule::{Reader, Rule};
use crate::ruleset::RuleSet;
use crate::source::{Node, Problem, Table};

/// Keys of a test.
pub(crate) const TEST_KEYS: [&str; 27] = [
    "text",
    "subject",
    "language",
    "channel",
    "account",
    "place",
    "street",
    "citizen_kind",
    "chosen",
    "attachments",
    "open_tickets",
    "earlier_days",
    "time",
    "item",
    "department",
    "assisting",
    "district",
    "kind",
    "priority",
    "deadline",
    "tags",
    "emergency",
    "confidential",
    "refuse",
    "reply",
    "abstains",
    "fires",
];

/// A golden case: what is given, and what must come out. What is not said is not checked.
#[derive(Debug)]
pub(crate) struct GoldenTest {
    line: usize,
    text: String,
    subject: Option<String>,
    inputs: Inputs,
    item: Option<String>,
    department: Option<String>,
    assisting: Option<Vec<String>>,
    district: Option<String>,
    kind: Option<AppealKind>,
    priority: Option<Priority>,
    deadline: Option<u32>,
    tags: Option<Vec<String>>,
    emergency: Option<Vec<String>>,
    confidential: Option<bool>,
    refuse: Option<LawfulRoute>,
    reply: Option<String>,
    abstains: Option<bool>,
    /// Whether the rule itself must fire; true unless said otherwise.
    fires: bool,
}

impl<'a> Reader<'_, 'a> {
    /// Reads the tests of a rule. A test of a rule with dates that tells no time is judged on `day`.
    pub(crate) fn tests(&mut self, node: Node<'a>, day: Option<NaiveDate>) -> Vec<GoldenTest> {
        let nodes = node.list(self.problems).unwrap_or_default();
        if nodes.is_empty() {
            self.problems.push(node.place.problem("a rule without tests", "add `{ text = \"...\" }`"));
        }
        let tables: Vec<_> = nodes.iter().filter_map(|node| node.table(&TEST_KEYS, self.problems)).collect();
        tables.iter().filter_map(|table| self.test(table, day)).collect()
    }

    fn test(&mut self, table: &Table<'a>, day: Option<NaiveDate>) -> Option<GoldenTest> {
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
        // An empty list is an expectation too.
        let list = |key: &str, problems: &mut Vec<Problem>| -> Option<Vec<String>> {
            let node = table.get(key)?;
            let mut words: Vec<String> = node
                .list(problems)
                .unwrap_or_default()
                .iter()
                .filter_map(|node| node.text(problems))
                .map(ToOwned::to_owned)
                .collect();
            words.sort();
            Some(words)
        };
        let problems = &mut *self.problems;
        let number =
            |key: &str, problems: &mut Vec<Problem>| table.get(key).and_then(|node| node.count_from(0, problems));
        let open_tickets = number("open_tickets", problems);
        let earlier_days = table
            .get("earlier_days")
            .and_then(|node| node.list(problems))
            .map(|nodes| nodes.into_iter().filter_map(|node| node.count_from(0, problems)).collect::<Vec<u32>>());
        let sender = (open_tickets.is_some() || earlier_days.is_some()).then(|| Sender {
            open_tickets: open_tickets.unwrap_or_default(),
            earlier_days: earlier_days.unwrap_or_default(),
        });
        let time = match table.get("time") {
            Some(node) => node.time(problems),
            None => day.and_then(|day| day.and_hms_opt(12, 0, 0)).map(LocalTime::new),
        };
        Some(GoldenTest {
            line: table.place.line(),
            text: table.required_text("text", problems)?,
            subject: text("subject", problems),
            inputs: Inputs {
                language: text("language", problems),
                channel: Some(text("channel", problems).unwrap_or_else(|| "webform".to_owned())),
                account: text("account", problems),
                item: chosen,
                place: text("place", problems),
                street: text("street", problems),
                district: None,
                kind: None,
                citizen_kind: table.get("citizen_kind").and_then(|node| citizen_kind(node, problems)),
                attachments: Some(number("attachments", problems).unwrap_or_default()),
                sender,
                local_time: time,
            },
            item,
            department,
            assisting: list("assisting", problems),
            district,
            kind: table.get("kind").and_then(|node| kind(node, problems)),
            priority: table.get("priority").and_then(|node| priority(node, problems)),
            deadline: number("deadline", problems),
            tags: list("tags", problems),
            emergency: list("emergency", problems),
            confidential: boolean("confidential", problems),
            refuse: table.get("refuse").and_then(|node| lawful_route(node, problems)),
            reply: text("reply", problems),
            abstains: boolean("abstains", problems),
            fires: boolean("fires", problems).unwrap_or(true),
        })
    }
}

/// What came of a pack's tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestReport {
    /// How many passed.
    pub passed: usize,
    /// Those that did not, in order of the rules.
    pub failures: Vec<TestFailure>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// The rule it belongs to.
    pub rule: String,
    /// The pack file.
    pub file: String,
    /// The line of the test.
    pub line: usize,
    /// The text judged.
    pub text: String,
    /// What should have come out.
    pub expected: String,
    /// What did.
    pub got: String,
}

impl std::fmt::Display for TestFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, file, line, text, expected, got } = self;
        write!(formatter, "{file}:{line}: {rule}: \"{text}\": expected {expected}, got {got}")
    }
}

impl RuleSet {
    /// Runs every golden test of the pack.
    #[must_use]
    pub fn run_tests(&self) -> TestReport {
        let mut report = TestReport::default();
        for rule in &self.rules {
            for test in &rule.tests {
                let decision = self.decide(&Facts::of_inputs(&test.inputs, test.subject.as_deref(), &test.text));
                let wrong = differences(rule, test, &decision);
                if wrong.is_empty() {
                    report.passed += 1;
                    continue;
                }
                let join = |pick: fn(&(String, String)) -> &str| wrong.iter().map(pick).collect::<Vec<_>>().join(", ");
                report.failures.push(TestFailure {
                    rule: rule.info.id.clone(),
                    file: rule.info.file.clone(),
                    line: test.line,
                    text: test.text.clone(),
                    expected: join(|(expected, _)| expected),
                    got: join(|(_, got)| got),
                });
            }
        }
        report
    }
}

/// What differs, as (expected, got).
fn differences(rule: &Rule, test: &GoldenTest, decision: &Decision) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut compare = |name: &str, expected: Option<String>, got: String| {
        if let Some(expected) = expected
            && expected != got
        {
            wrong.push((format!("{name} {expected}"), format!("{name} {got}")));
        }
    };
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let fired = decision.trace.hits.iter().any(|hit| hit.rule == rule.info.id);
    compare("fires", Some(test.fires.to_string()), fired.to_string());
    let candidates = || {
        decision.ranked.iter().map(|ranked| format!("{} {}", ranked.item, ranked.score)).collect::<Vec<_>>().join(" / ")
    };
    let got = decision.item.clone().unwrap_or_else(|| format!("none of [{}]", candidates()));
    compare("item", test.item.clone(), got);
    compare("department", test.department.clone(), word(&decision.department));
    compare("district", test.district.clone(), word(&decision.district));
    compare("kind", test.kind.map(|kind| kind.to_string()), decision.kind.to_string());
    compare("priority", test.priority.map(|priority| priority.to_string()), decision.priority.to_string());
    let joined = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join("+"));
    compare("assisting", joined(&test.assisting), decision.assisting.join("+"));
    compare("deadline", test.deadline.map(|hours| hours.to_string()), decision.deadline_hours.to_string());
    compare("tags", joined(&test.tags), decision.tags.join("+"));
    let refuse = |route: Option<LawfulRoute>| route.map(|route| route.as_str().to_owned());
    compare("refuse", refuse(test.refuse), word(&refuse(decision.refuse)));
    compare("reply", test.reply.clone(), word(&decision.reply_template));
    compare("emergency", test.emergency.as_ref().map(|numbers| numbers.join("+")), decision.emergency.join("+"));
    compare("confidential", test.confidential.map(|it| it.to_string()), decision.confidential.to_string());
    let abstains = decision.decided_by == DecidedBy::Abstain;
    compare("abstains", test.abstains.map(|it| it.to_string()), abstains.to_string());
    wrong
}
