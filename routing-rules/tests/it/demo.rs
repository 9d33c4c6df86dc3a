//! The demo pack: it compiles, its own tests pass, and it is as large as it says.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use routing_rules::{DecidedBy, Effect, Facts, Level, RuleSet};

use crate::files;

fn demo() -> &'static RuleSet {
    static DEMO: LazyLock<RuleSet> = LazyLock::new(|| {
        RuleSet::compile(&files("packs/demo-city")).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        })
    });
    &DEMO
}

#[test]
fn its_own_tests_pass() {
    let report = demo().run_tests();
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(report.passed >= 300, "{} tests", report.passed);
}

#[test]
fn it_is_large_enough() {
    let rules = demo();
    assert!(rules.items().len() >= 60, "{} items", rules.items().len());
    assert!(rules.departments().len() >= 15, "{} departments", rules.departments().len());
    assert_eq!(rules.districts().len(), 4);
    for district in rules.districts() {
        let street = |level| {
            rules.departments().iter().any(|it| it.district.as_deref() == Some(&district.id) && it.level == level)
        };
        assert!(street(Level::Street) && street(Level::Section), "{}", district.id);
    }
}

#[test]
fn every_item_has_a_rule() {
    let rules = demo();
    let named: BTreeSet<&str> = rules
        .rules()
        .flat_map(|rule| &rule.effects)
        .filter_map(|effect| if let Effect::Item(item) = effect { Some(item.as_str()) } else { None })
        .collect();
    let silent: Vec<&str> =
        rules.items().iter().map(|item| item.id.as_str()).filter(|id| !named.contains(id)).collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn a_decision_is_small_enough_to_keep() {
    let text = "澄江路路灯不亮，井盖丢失，垃圾没人清，请尽快处理并保密。".repeat(20);
    let decision = demo().decide(&Facts::of_text(&text, "webform"));
    let bytes = serde_json::to_vec(&decision.trace).expect("serialise").len();
    assert!(bytes < 12_000, "{bytes} bytes");
    assert_eq!(decision.decided_by, DecidedBy::Abstain, "three matters in one");
}
