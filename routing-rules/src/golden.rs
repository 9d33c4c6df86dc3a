//! The tests that a pack brings along.

use crate::decision::{DecidedBy, Decision};
use crate::facts::Facts;
use crate::rule::{GoldenTest, Rule};
use crate::ruleset::RuleSet;

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
                let decision = self.decide(&Facts {
                    subject: test.subject.as_deref(),
                    language: test.language.as_deref(),
                    account: test.account.as_deref(),
                    place: test.place.as_deref(),
                    item: test.chosen.as_deref(),
                    attachments: Some(test.attachments),
                    ..Facts::of_text(&test.text, test.channel.as_deref().unwrap_or("webform"))
                });
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
    compare("emergency", test.emergency.as_ref().map(|numbers| numbers.join("+")), decision.emergency.join("+"));
    compare("confidential", test.confidential.map(|it| it.to_string()), decision.confidential.to_string());
    let abstains = decision.decided_by == DecidedBy::Abstain;
    compare("abstains", test.abstains.map(|it| it.to_string()), abstains.to_string());
    wrong
}
