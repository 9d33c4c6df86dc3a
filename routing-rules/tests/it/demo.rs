//! The demo pack: it compiles, its own tests pass, and it is as large as it says.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use routing_rules::{Effect, Facts, Level, RuleSet, SourceFile};

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
    assert!(decision.confidential && decision.trace.hits.len() >= 4, "{:?}", decision.trace.hits);
}

/// A text that repeats itself must not cost more than its length.
#[test]
fn hostile_texts_are_judged() {
    for seed in ["没着火", "灯坏", "老板欠钱", "a fire drill ", "梧桐路", "\u{301}"] {
        let text = seed.repeat(40_000);
        let decision = demo().decide(&Facts::of_text(&text, "sms"));
        let bytes = serde_json::to_vec(&decision).expect("serialise").len();
        assert!(bytes < 12_000, "{seed}: {bytes} bytes");
    }
}

/// Rows of a table beside this file, without its comment.
fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('\t').expect("two columns"))
}

#[test]
fn everyday_words_find_their_item() {
    let (mut total, mut wrong) = (0, Vec::new());
    for (item, text) in rows(include_str!("everyday.tsv")) {
        total += 1;
        let got = demo().decide(&Facts::of_text(text, "sms")).item;
        if got.as_deref() != Some(item) {
            wrong.push(format!("{text}: {item}, got {got:?}"));
        }
    }
    assert!(wrong.len() * 100 <= total * 2, "more than 2 % of {total}:\n{}", wrong.join("\n"));
}

#[test]
fn emergencies_alarm_and_their_likes_do_not() {
    for (number, text) in rows(include_str!("emergencies.tsv")) {
        let got = demo().decide(&Facts::of_text(text, "sms")).emergency;
        match number {
            "-" => assert!(got.is_empty(), "{text}: {got:?}"),
            number => assert!(got.iter().any(|it| it == number), "{text}: {got:?}"),
        }
    }
}

/// Every TOML example of the README, in the place of the demo pack where it belongs.
#[test]
fn the_readme_is_right() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README");
    let mut pack = files("packs/demo-city");
    pack.retain(|file| !file.path.starts_with("rules/"));
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 15, "{}", blocks.len());
    for (at, block) in blocks.iter().enumerate() {
        let first = block.lines().find(|line| !line.is_empty() && !line.starts_with('#')).expect("a line");
        let mut put = |path: String, text: String| {
            pack.retain(|file| file.path != path);
            pack.push(SourceFile { path, text });
        };
        match first {
            "[[rule]]" if block.contains("hits =") => put("measured.toml".to_owned(), (*block).to_owned()),
            "[[rule]]" => put(format!("rules/{at}.toml"), (*block).to_owned()),
            "[[list]]" => put(format!("lists/{at}.toml"), (*block).to_owned()),
            "[[macro]]" => put(format!("macros/{at}.toml"), (*block).to_owned()),
            "[[route]]" => {
                let groups = files("packs/demo-city/items");
                let others =
                    groups.iter().map(|file| file.path.trim_end_matches(".toml")).filter(|group| *group != "roads");
                let others = others.map(|group| format!("[[route]]\nitem = \"{group}\"\ndepartment = \"water\"\n"));
                put("catalogue.toml".to_owned(), format!("{block}\n{}", others.collect::<String>()));
            }
            "[deadlines]" => {
                let own = block.lines().nth(1).expect("a line");
                let demo = pack.iter().find(|file| file.path == "pack.toml").expect("pack.toml").text.clone();
                let lines = demo.lines().map(|line| if line.starts_with("inquiry") { own } else { line });
                put_into(&mut pack, "pack.toml", lines.collect::<Vec<_>>().join("\n"));
            }
            _ if first.starts_with("when") || first.starts_with("[rule.when]") => put(
                format!("rules/{at}.toml"),
                format!(
                    "[[rule]]\nid = \"part-{at}\"\nreason = \"Part.\"\nthen.item = \"roads.streetlight\"\ntests = [{{ text = \"x\", fires = false }}]\n{block}"
                ),
            ),
            _ => panic!("an example of an unknown kind: {first}"),
        }
    }
    let rules = RuleSet::compile(&pack).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    assert!(rules.rules().count() >= 11, "{}", rules.rules().count());
    assert_eq!(rules.rule("roads.streetlight").and_then(|rule| rule.measured).map(|it| it.hits), Some(412));
    // The examples are a pack of their own, without the demo's rules; only what the rule itself must do is held.
    let failures: Vec<_> = rules.run_tests().failures;
    assert_eq!(failures, []);
}

fn put_into(pack: &mut [SourceFile], path: &str, text: String) {
    let file = pack.iter_mut().find(|file| file.path == path).expect("there");
    file.text = text;
}
