//! What a decision is made of.

use routing_rules::{
    AbstainReason, AppealKind, DecidedBy, Decision, Effect, Facts, Field, Phase, PhraseHit, Priority, RuleSet,
};

use crate::{compiled, pack};

const RULES: &str = r#"
[[rule]]
id = "light"
reason = "A dark lamp is named in these words."
weight = 2
when.any = ["路灯", "street light*"]
then.item = "roads.streetlight"
tests = [{ text = "路燈壞了", item = "roads.streetlight" }]

[[rule]]
id = "pothole"
reason = "Holes."
weight = 2
when.any = ["pothole*", "坑洼"]
then.item = "roads.pothole"
tests = [{ text = "a Pothole", department = "works" }]

[[rule]]
id = "water"
reason = "Water."
weight = 1.5
when = { all = ["停水"], none = ["通知"] }
then.item = "utilities.water"
tests = [{ text = "停水", item = "utilities.water" }, { text = "停水通知", fires = false, abstains = true }]

[[rule]]
id = "weak"
reason = "Below the threshold by itself."
weight = 0.5
when.any = ["水"]
then.item = "utilities.water"
tests = [{ text = "水", abstains = true }]

[[rule]]
id = "fire"
reason = "Fire."
phase = "guard"
when = { any = ["着火"], except = ["没着火"] }
then = { emergency = ["119"], priority = "urgent" }
tests = [{ text = "着火了", emergency = ["119"], priority = "urgent" }]

[[rule]]
id = "secret"
reason = "Asks for it."
phase = "guard"
when.any = ["保密"]
then.confidential = true
tests = [{ text = "请保密", confidential = true }]

[[rule]]
id = "person"
reason = "Left to a person."
phase = "guard"
when.any = ["上访"]
then.hold = true
tests = [{ text = "路灯 上访", abstains = true }]

[[rule]]
id = "asks"
reason = "A question."
when.any = ["请问"]
then.kind = "inquiry"
tests = [{ text = "请问", kind = "inquiry" }]

[[rule]]
id = "complains"
reason = "A complaint, as strong as a question."
when.any = ["投诉"]
then.kind = "complaint"
tests = [{ text = "投诉", kind = "complaint" }]

[[rule]]
id = "not-english"
reason = "Unknown never fires."
phase = "decorate"
when = { any = ["lamp"], not = { language = "en" } }
then.priority = "high"
tests = [{ text = "lamp", language = "zh-Hans", priority = "high" }, { text = "lamp", fires = false }]

[[rule]]
id = "by-item"
reason = "Facts of earlier phases."
phase = "decorate"
when = { item = "roads", district = "west" }
then = { priority = "low", assisting = ["water", "works"] }
tests = [{ text = "银杏路路灯", priority = "low" }, { text = "银杏路停水", fires = false }]

[[rule]]
id = "by-district"
reason = "Where the catalogue is not enough."
phase = "route"
when = { item = "roads.streetlight", any = ["水下"] }
then.department = "water"
tests = [{ text = "水下路灯", department = "water" }]

[[rule]]
id = "in-subject"
reason = "Subject only."
weight = 3
when = { field = "subject", any = ["灯"] }
then.item = "roads.streetlight"
tests = [{ subject = "灯", text = "x", item = "roads.streetlight" }, { text = "灯", fires = false }]
"#;

fn rules() -> RuleSet {
    compiled(RULES)
}

fn judge(text: &str) -> Decision {
    rules().decide(&Facts::of_text(text, "sms"))
}

#[test]
fn its_own_tests_pass() {
    let report = rules().run_tests();
    assert_eq!(report.failures, []);
    assert_eq!(report.passed, 17);
}

#[test]
fn a_wrong_expectation_fails_with_its_place() {
    let broken =
        RULES.replacen("{ text = \"请保密\", confidential = true }", "{ text = \"请保密\", kind = \"praise\" }", 1);
    let report = compiled(&broken).run_tests();
    let [failure] = report.failures.as_slice() else { panic!("one failure: {:?}", report.failures) };
    assert_eq!(
        (failure.rule.as_str(), failure.expected.as_str(), failure.got.as_str()),
        ("secret", "kind praise", "kind help")
    );
    let line = broken.lines().nth(failure.line - 1).expect("line");
    assert!(line.contains("praise"), "{line}");
}

#[test]
fn items_by_phrase() {
    let cases = [
        ("梧桐路路灯不亮", Some("roads.streetlight"), Some("east-works")),
        ("路燈壞了", Some("roads.streetlight"), Some("works")),
        ("Street-Lights out", Some("roads.streetlight"), Some("works")),
        ("ＳＴＲＥＥＴ　ＬＩＧＨＴ", Some("roads.streetlight"), Some("works")),
        ("mystreet light", None, None),
        ("停水了", Some("utilities.water"), Some("water")),
        ("停水通知", None, None),
        ("水", None, None),
        ("", None, None),
    ];
    let rules = rules();
    for (text, item, department) in cases {
        let facts = Facts::of_text(text, "sms");
        let decision = rules.decide(&facts);
        assert_eq!((decision.item.as_deref(), decision.department.as_deref()), (item, department), "{text}");
        assert_eq!(rules.recognise(&facts).as_deref(), item, "{text}");
        assert_eq!(decision.decided_by == DecidedBy::Abstain, decision.reason.is_some(), "{text}");
    }
}

#[test]
fn a_thin_margin_abstains_with_its_candidates() {
    let decision = judge("路灯旁有坑洼");
    assert_eq!(decision.reason, Some(AbstainReason::ThinMargin));
    let ranked: Vec<_> = decision.ranked.iter().map(|ranked| (ranked.item.as_str(), ranked.score)).collect();
    assert_eq!(ranked, [("roads.pothole", 2.0), ("roads.streetlight", 2.0)]);
    assert_eq!(judge("你好").reason, Some(AbstainReason::NoRule));
    assert_eq!(judge("路灯 上访").reason, Some(AbstainReason::Hold));
    assert_eq!(judge("路灯 停水").item, None, "2 against 2 (停水 counts as 水 too)");
}

#[test]
fn the_subject_weighs_more() {
    let rules = rules();
    let facts = Facts { subject: Some("坑洼"), ..Facts::of_text("路灯旁", "email") };
    let decision = rules.decide(&facts);
    assert_eq!(decision.item.as_deref(), Some("roads.pothole"));
    assert_eq!(decision.ranked.first().map(|ranked| ranked.score), Some(4.0));
    assert_eq!(decision.assisting, ["water"], "from the catalogue");
}

#[test]
fn a_chosen_item_decides() {
    let rules = rules();
    let facts = Facts { item: Some("utilities.water"), ..Facts::of_text("路灯 请问", "webform") };
    let decision = rules.decide(&facts);
    assert_eq!(decision.item.as_deref(), Some("utilities.water"));
    assert_eq!(decision.department.as_deref(), Some("water"));
    assert_eq!(decision.trace.chosen.as_deref(), Some("utilities.water"));
    assert_eq!(decision.decided_by, DecidedBy::Rule);
    assert!((decision.confidence - 1.0).abs() < f64::EPSILON);
    assert_eq!(decision.kind, AppealKind::Inquiry);
    assert_eq!(decision.ranked.first().map(|ranked| ranked.item.as_str()), Some("utilities.water"));
    let unknown = Facts { item: Some("gone"), ..Facts::of_text("路灯", "webform") };
    assert_eq!(rules.decide(&unknown).item.as_deref(), Some("roads.streetlight"));
}

#[test]
fn guards_hold_without_an_item() {
    let decision = judge("隔壁着火，请保密");
    assert_eq!(decision.emergency, ["119"]);
    assert_eq!((decision.priority, decision.deadline_hours), (Priority::Urgent, 2));
    assert!(decision.confidential);
    assert_eq!(decision.decided_by, DecidedBy::Abstain);
    assert!(judge("没着火").emergency.is_empty());
    assert_eq!(judge("没着火，后来着火了").emergency, ["119"], "only the covered find is harmless");
}

#[test]
fn equal_weights_that_disagree_abstain() {
    let decision = judge("请问 投诉 路灯");
    assert_eq!(decision.kind, AppealKind::Help, "the default");
    let conflict = decision.trace.conflicts.first().expect("noted");
    assert_eq!(
        (conflict.value.as_str(), conflict.rules.as_slice()),
        ("kind", ["asks".to_owned(), "complains".to_owned()].as_slice())
    );
    assert_eq!(decision.item.as_deref(), Some("roads.streetlight"));
}

#[test]
fn districts_by_facts_place_and_text() {
    let rules = rules();
    let district = |text: &str, place: Option<&str>, given: Option<&str>| {
        rules.decide(&Facts { place, district: given, ..Facts::of_text(text, "webform") }).district
    };
    assert_eq!(district("梧桐路", None, None).as_deref(), Some("east"));
    assert_eq!(district("Plane tree ROAD 12", None, None).as_deref(), Some("east"));
    assert_eq!(district("梧桐路小学门口", None, None).as_deref(), Some("west"), "the longer name wins");
    assert_eq!(district("梧桐路和银杏路", None, None), None, "undecided");
    assert_eq!(district("梧桐路和银杏路", Some("西區"), None).as_deref(), Some("west"));
    assert_eq!(district("梧桐路", Some("somewhere"), Some("west")).as_deref(), Some("west"));
    assert_eq!(district("梧桐路", None, Some("gone")).as_deref(), Some("east"));
}

#[test]
fn the_trace_shows_what_fired_and_where() {
    let decision = judge("請看：梧桐路 路燈 不亮");
    let [hit] = decision.trace.hits.as_slice() else { panic!("one hit: {:?}", decision.trace.hits) };
    assert_eq!((hit.rule.as_str(), hit.file.as_str(), hit.phase), ("light", "rules/all.toml", Phase::Recognise));
    assert_eq!(hit.effects, [Effect::Item("roads.streetlight".to_owned())]);
    assert_eq!(hit.phrases, [PhraseHit { phrase: "路灯".to_owned(), field: Field::Text, start: 7, end: 9 }]);
    let place = decision.trace.districts.first().expect("place");
    assert_eq!((place.district.as_str(), place.start, place.end), ("east", 3, 6));
}

#[test]
fn a_decision_survives_json() {
    let decision = judge("梧桐路路灯 请问 着火 street light 保密");
    let json = serde_json::to_string(&decision).expect("serialise");
    assert_eq!(serde_json::from_str::<Decision>(&json).expect("parse"), decision);
    assert!(json.contains(r#""decided_by":"rule""#), "{json}");
    let abstained = serde_json::to_string(&judge("水")).expect("serialise");
    assert!(abstained.contains(r#""reason":"no_rule""#), "{abstained}");
}

#[test]
fn the_order_of_files_changes_nothing() {
    let mut files = pack(RULES);
    let first = RuleSet::compile(&files).expect("compiles");
    files.reverse();
    let second = RuleSet::compile(&files).expect("compiles");
    assert_eq!(first.version(), second.version());
    assert_eq!(first.version().len(), 16);
    let facts = Facts::of_text("请问梧桐路路灯水 pothole 着火", "sms");
    assert_eq!(first.decide(&facts), second.decide(&facts));
    files.first_mut().expect("file").text.push_str("# more\n");
    assert_ne!(RuleSet::compile(&files).expect("compiles").version(), first.version());
}

proptest::proptest! {
    #[test]
    fn never_panics_and_marks_within_the_text(
        text in "(\\PC|路灯|停水|着火|梧桐路|street light|\u{301}|\u{200B}|\n| ){0,30}",
        subject in proptest::option::of("(\\PC|坑洼|灯){0,8}"),
    ) {
        let rules = rules_once();
        let facts = Facts { subject: subject.as_deref(), place: Some(&text), ..Facts::of_text(&text, "sms") };
        let decision = rules.decide(&facts);
        let length = |field: Field| match field {
            Field::Subject => subject.as_deref().unwrap_or_default(),
            _ => &text,
        }.chars().count();
        for hit in decision.trace.hits.iter().flat_map(|hit| &hit.phrases) {
            proptest::prop_assert!(hit.start < hit.end && hit.end <= length(hit.field), "{hit:?}");
        }
        for hit in &decision.trace.districts {
            proptest::prop_assert!(hit.start < hit.end && hit.end <= length(hit.field), "{hit:?}");
        }
        proptest::prop_assert!((0.0..=1.0).contains(&decision.confidence));
        proptest::prop_assert_eq!(rules.recognise(&facts).is_some(), decision.item.is_some());
        proptest::prop_assert_eq!(decision.item.is_some(), decision.reason.is_none());
        proptest::prop_assert_eq!(rules.decide(&facts), decision);
    }
}

/// A pack with one rule on street lights, of this condition and with these further settings.
fn one_rule(when: &str, bonus: &str) -> RuleSet {
    let rule = format!(
        "[[rule]]\nid = \"one\"\nreason = \"One.\"\nweight = 2\nthen.item = \"roads.streetlight\"\ntests = [{{ text = \"x\", fires = false }}]\n{when}\n"
    );
    let mut files = pack(&rule);
    for file in &mut files {
        file.text = file.text.replace("phrase_bonus = 0", &format!("phrase_bonus = {bonus}"));
    }
    RuleSet::compile(&files).expect("compiles")
}

#[test]
fn near_counts_characters_and_words() {
    let rules = one_rule(
        "[rule.when]\nnear = 6\nall = [{ any = [\"灯\", \"lamp\"], except = [\"红绿灯\"] }, { any = [\"坏\", \"broken\"] }]",
        "0",
    );
    for (text, fires) in [
        ("灯坏了", true),
        ("坏了一盏灯", true),
        ("灯，昨天晚上坏", true),
        ("灯，昨天晚上才坏", false),
        ("灯都是昨天坏", true),
        ("灯都是昨天才坏", false),
        ("红绿灯坏了", false),
        ("红绿灯坏，灯也坏", true),
        ("the lamp is broken", true),
        ("a lamp that is broken", false),
        ("灯", false),
        ("lampbroken", false),
    ] {
        let decision = rules.decide(&Facts::of_text(text, "sms"));
        assert_eq!(decision.item.is_some(), fires, "{text}");
        if let Some(hit) = decision.trace.hits.first() {
            let covered = hit.phrases.iter().any(|hit| text.starts_with("红绿灯") && hit.start < 3);
            assert!(hit.phrases.len() >= 2 && !covered, "only what made it fire: {:?}", hit.phrases);
        }
    }
    let facts = Facts { subject: Some("灯"), ..Facts::of_text("坏", "email") };
    assert_eq!(rules.decide(&facts).item, None, "both in one field");
}

#[test]
fn further_phrases_add_weight() {
    let rules = one_rule("when.any = [\"路灯\", \"灯\", \"不亮\", \"漆黑\", \"坏\", \"黑灯\"]", "0.5");
    for (text, score) in [
        ("路灯", 2.0),
        ("路灯路灯路灯", 2.0),
        ("路灯不亮", 3.0),
        ("路灯不亮，漆黑", 4.0),
        ("路灯不亮，漆黑，坏，黑灯", 5.0),
    ] {
        let ranked = rules.decide(&Facts::of_text(text, "sms")).ranked;
        assert_eq!(ranked.first().map(|ranked| ranked.score), Some(score), "{text}");
    }
}

fn rules_once() -> &'static RuleSet {
    static RULES_ONCE: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(rules);
    &RULES_ONCE
}
