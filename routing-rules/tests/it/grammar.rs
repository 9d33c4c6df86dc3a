//! Every word of the grammar, by what it lets through.

use routing_rules::{
    AbstainReason, AppealKind, CitizenKind, DecidedBy, Decision, Effect, Facts, Inputs, LawfulRoute, LocalTime,
    Priority, RuleSet, Sender,
};

use crate::{compiled, pack};

/// A rule that only tags, with this condition.
fn tagging(phase: &str, when: &str) -> String {
    format!(
        "[[rule]]\nid = \"one\"\nreason = \"One.\"\nphase = \"{phase}\"\nwhen = {when}\nthen.tags = [\"fired\"]\ntests = [{{ text = \"~\", fires = false }}]\n"
    )
}

fn fires(rules: &RuleSet, facts: &Facts<'_>) -> bool {
    rules.decide(facts).trace.hits.iter().any(|hit| hit.rule == "one")
}

fn check(when: &str, cases: &[(&str, bool)]) {
    let rules = compiled(&tagging("recognise", when));
    for (text, expected) in cases {
        assert_eq!(fires(&rules, &Facts::of_text(text, "sms")), *expected, "{when}: {text}");
    }
}

#[test]
fn expressions_see_folded_text() {
    check(
        r#"{ regex = '编号\s?\d{4,}' }"#,
        &[("編號１２３４５", true), ("编号 1234", true), ("编号 12", false), ("", false)],
    );
    check(
        r#"{ regex = ['\bbus (no )?\d+\b', '\d+路'] }"#,
        &[("BUS No 12", true), ("the busy 12", false), ("88路公交", true)],
    );
    check(r#"{ any = ["公交"], regex = '\d+路' }"#, &[("公交12路", true), ("12路", false), ("公交", false)]);
    check(r#"{ any = ["公交"], not = { regex = '\d+路' } }"#, &[("公交12路", false), ("公交", true)]);
    let rules = compiled(&tagging("recognise", r#"{ field = "subject", regex = "路灯" }"#));
    assert!(!fires(&rules, &Facts::of_text("路灯", "sms")));
    let facts = Facts { subject: Some("關於路燈"), ..Facts::of_text("x", "email") };
    let decision = rules.decide(&facts);
    let phrase = decision.trace.hits.first().and_then(|hit| hit.phrases.first()).expect("shown");
    assert_eq!((phrase.phrase.as_str(), phrase.start, phrase.end), ("路灯", 2, 4));
}

#[test]
fn one_sentence() {
    check(
        r#"{ near = "sentence", all = [{ any = ["灯", "lamp*"] }, { any = ["坏", "broken"] }] }"#,
        &[
            ("我们小区东门外面那条很长很长的路上有很多灯都坏了。", true),
            ("灯很亮。车坏了。", false),
            ("灯很亮\n车坏了", false),
            ("The lamp near no. 3 is broken", true),
            ("Nice lamps. My car is broken.", false),
            ("坏的是灯", true),
        ],
    );
}

#[test]
fn lists_and_macros() {
    let mut files = pack(&tagging(
        "recognise",
        r#"{ all = [{ list = "lamps", any = ["灯笼"] }, { macro = "dark" }], none = [{ list = ["cars"] }] }"#,
    ));
    let file = |path: &str, text: &str| routing_rules::SourceFile { path: path.to_owned(), text: text.to_owned() };
    files.push(file("lists.toml", "[[list]]\nid = \"lamps\"\nphrases = [\"路灯\", \"lamp*\"]\n"));
    files.push(file("lists/more.toml", "[[list]]\nid = \"cars\"\nreason = \"Lamps of cars.\"\nphrases = [\"汽车\"]\n"));
    files.push(file(
        "macros.toml",
        "[[macro]]\nid = \"dark\"\nwhen = { any = [\"不亮\"], macro = \"here\" }\n[[macro]]\nid = \"here\"\nwhen = { not = { channel = \"phone\" } }\n",
    ));
    let rules = RuleSet::compile(&files).expect("compiles");
    for (text, channel, expected) in [
        ("路灯不亮", "sms", true),
        ("灯笼不亮", "sms", true),
        ("路灯很亮", "sms", false),
        ("路灯不亮", "phone", false),
        ("汽车路灯不亮", "sms", false),
    ] {
        assert_eq!(fires(&rules, &Facts::of_text(text, channel)), expected, "{text} {channel}");
    }
}

/// What is not known is neither true nor false, in every condition on a fact.
#[test]
fn facts_hold_fail_or_are_unknown() {
    let sender = |open_tickets, earlier_days: &[u32]| Sender { open_tickets, earlier_days: earlier_days.to_vec() };
    let (busy, idle) = (sender(3, &[0, 2, 40]), sender(0, &[]));
    let at = |text: &str| LocalTime::parse(text);
    let none = Facts { text: "~", ..Facts::default() };
    let of = |set: fn(&mut Facts<'static>)| {
        let mut facts = Facts { text: "~", ..Facts::default() };
        set(&mut facts);
        facts
    };
    let cases: Vec<(&str, Facts<'_>, Facts<'_>)> = vec![
        (r#"{ language = "zh" }"#, of(|it| it.language = Some("zh-Hant")), of(|it| it.language = Some("en"))),
        (r#"{ channel = ["sms", "phone"] }"#, of(|it| it.channel = Some("sms")), of(|it| it.channel = Some("email"))),
        (r#"{ account = "demo" }"#, of(|it| it.account = Some("demo")), of(|it| it.account = Some("other"))),
        (r#"{ district = "east" }"#, of(|it| it.district = Some("east")), of(|it| it.text = "银杏路")),
        (r#"{ street = ["梧桐路"] }"#, of(|it| it.text = "梧桐路5号"), of(|it| it.text = "梧桐路小学")),
        (r#"{ street = "梧桐路" }"#, of(|it| it.street = Some("梧桐路")), of(|it| it.street = Some("无名路"))),
        (
            r#"{ kind = ["complaint", "report"] }"#,
            of(|it| it.kind = Some(AppealKind::Report)),
            of(|it| it.kind = Some(AppealKind::Praise)),
        ),
        (
            r#"{ citizen_kind = "enterprise" }"#,
            of(|it| it.citizen_kind = Some(CitizenKind::Enterprise)),
            of(|it| it.citizen_kind = Some(CitizenKind::Individual)),
        ),
        ("{ attachments = true }", of(|it| it.attachments = Some(2)), of(|it| it.attachments = Some(0))),
        ("{ attachments = false }", of(|it| it.attachments = Some(0)), of(|it| it.attachments = Some(1))),
        ("{ open_tickets = 3 }", Facts { sender: Some(&busy), ..none }, Facts { sender: Some(&idle), ..none }),
        (
            "{ repeats = { within_days = 7, at_least = 2 } }",
            Facts { sender: Some(&busy), ..none },
            Facts { sender: Some(&idle), ..none },
        ),
        (
            r#"{ time = "22:00-06:00" }"#,
            Facts { local_time: at("2026-11-22T22:00"), ..none },
            Facts { local_time: at("2026-11-22T06:00"), ..none },
        ),
        (
            r#"{ time = ["09:00-12:00", "13:30-24:00"] }"#,
            Facts { local_time: at("2026-11-22T23:59"), ..none },
            Facts { local_time: at("2026-11-22T12:30"), ..none },
        ),
        (
            r#"{ weekday = ["saturday", "sunday"] }"#,
            Facts { local_time: at("2026-11-22T12:00"), ..none },
            Facts { local_time: at("2026-11-23T12:00"), ..none },
        ),
    ];
    for (when, yes, no) in &cases {
        for phase in ["guard", "recognise", "decorate"] {
            let rules = compiled(&tagging(phase, when));
            let negated = compiled(&tagging(phase, &format!("{{ not = {when} }}")));
            assert!(fires(&rules, yes) && !fires(&negated, yes), "{phase} {when}: holds");
            assert!(!fires(&rules, no) && fires(&negated, no), "{phase} {when}: fails");
            // The kind is always known once rules and the pack's default have spoken.
            if !(phase == "decorate" && when.contains("{ kind")) {
                assert!(!fires(&rules, &none) && !fires(&negated, &none), "{phase} {when}: unknown");
            }
        }
    }
}

#[test]
fn known_tests_what_is_known() {
    let rules = compiled(&tagging("recognise", r#"{ known = ["language", "sender"] }"#));
    let unknown = compiled(&tagging("recognise", r#"{ not = { known = "district" } }"#));
    let sender = Sender::default();
    let facts = Facts { language: Some("en"), sender: Some(&sender), ..Facts::of_text("x", "sms") };
    assert!(fires(&rules, &facts));
    assert!(!fires(&rules, &Facts { sender: None, ..facts }));
    assert!(fires(&unknown, &facts));
    assert!(!fires(&unknown, &Facts { text: "梧桐路", ..facts }));
}

const CHAIN: &str = r#"
[[rule]]
id = "guard"
reason = "Sets what later phases read."
phase = "guard"
when.any = ["着火"]
then = { tags = ["hot"], emergency = ["119"], priority = "urgent", kind = "help", confidential = true }
tests = [{ text = "着火", tags = ["hot", "seen"], emergency = ["119"] }]

[[rule]]
id = "item"
reason = "Reads what guards set."
when = { tags = "hot", emergency = true, confidential = true, priority = "urgent", kind = "help" }
then = { item = "roads.pothole", tags = ["seen"] }
tests = [{ text = "着火", item = "roads.pothole" }]

[[rule]]
id = "route"
reason = "Reads the item."
phase = "route"
when = { item = "roads", tags = ["seen", "other"] }
then.department = "water"
tests = [{ text = "着火", department = "water" }]

[[rule]]
id = "by-department"
reason = "Reads where it goes."
phase = "decorate"
when = { department = "water", known = ["item", "department"] }
then = { deadline = 3, reply = "fire", assisting = ["works"] }
tests = [{ text = "着火", deadline = 3, reply = "fire", assisting = ["works"] }]

[[rule]]
id = "by-catalogue"
reason = "Reads where the catalogue sends it."
phase = "decorate"
when = { department = "works", not = { emergency = true } }
then.priority = "low"
tests = [{ text = "x", chosen = "roads.pothole", priority = "low" }]
"#;

#[test]
fn later_phases_read_what_earlier_ones_set() {
    let rules = compiled(CHAIN);
    assert_eq!(rules.run_tests().failures, []);
    let decision = rules.decide(&Facts::of_text("着火", "sms"));
    assert_eq!((decision.deadline_hours, decision.reply_template.as_deref()), (3, Some("fire")));
    assert_eq!(decision.tags, ["hot", "seen"]);
    let quiet = rules.decide(&Facts { item: Some("roads.streetlight"), ..Facts::of_text("x", "sms") });
    assert_eq!((quiet.priority, quiet.department.as_deref()), (Priority::Low, Some("works")));
}

const REFUSALS: &str = r#"
[[rule]]
id = "light"
reason = "Lamps."
when.any = ["路灯"]
then.item = "roads.streetlight"
tests = [{ text = "路灯", item = "roads.streetlight" }]

[[rule]]
id = "in-court"
reason = "A court has it."
phase = "guard"
when.any = ["法院已判决"]
then.refuse = "court"
tests = [{ text = "法院已判决", refuse = "court", abstains = true }]

[[rule]]
id = "petition"
reason = "A petition is running."
phase = "guard"
when.any = ["信访已受理"]
then.refuse = "petition"
tests = [{ text = "信访已受理", refuse = "petition" }]
"#;

#[test]
fn a_refusal_names_its_route_and_waits_for_a_person() {
    let rules = compiled(REFUSALS);
    let decision = rules.decide(&Facts::of_text("路灯的事法院已判决", "sms"));
    assert_eq!((decision.refuse, decision.reason), (Some(LawfulRoute::Court), Some(AbstainReason::Refuse)));
    assert_eq!((decision.item.as_deref(), decision.department.as_deref()), (None, None));
    let suggestion = decision.suggestion.expect("what it would have been");
    assert_eq!((suggestion.item.as_str(), suggestion.department.as_str()), ("roads.streetlight", "works"));
    let both = rules.decide(&Facts::of_text("法院已判决，信访已受理", "sms"));
    assert_eq!((both.refuse, both.reason), (None, Some(AbstainReason::Refuse)), "still a person's");
    assert_eq!(both.trace.conflicts.first().map(|conflict| conflict.value.as_str()), Some("refuse"));
}

#[test]
fn rules_have_their_season() {
    let rule = tagging("recognise", r#"{ any = ["雪"] }"#)
        .replace("when =", "from = 2026-11-01\nuntil = \"2027-03-31\"\nwhen =")
        .replace(
            "{ text = \"~\", fires = false }",
            "{ text = \"雪\", tags = [\"fired\"] }, { text = \"雪\", time = 2026-07-01T12:00:00, fires = false }",
        );
    let rules = compiled(&rule);
    assert_eq!(rules.run_tests().failures, []);
    let on = |time: Option<&str>| {
        fires(&rules, &Facts { local_time: time.and_then(LocalTime::parse), ..Facts::of_text("雪", "sms") })
    };
    assert!(on(Some("2026-11-01T00:00")) && on(Some("2027-03-31T23:59")));
    assert!(!on(Some("2026-10-31T23:59")) && !on(Some("2027-04-01T00:00")) && !on(None));
}

fn measured(hits: u32, right: u32) -> RuleSet {
    let mut files = pack(&REFUSALS.replace("\"路灯\"]\n", "\"路灯\"]\nweight = 2\n"));
    files.push(routing_rules::SourceFile {
        path: "measured.toml".to_owned(),
        text: format!("[[rule]]\nid = \"light\"\nhits = {hits}\nright = {right}\n"),
    });
    RuleSet::compile(&files).expect("compiles")
}

#[test]
fn confidence_is_the_measured_precision() {
    let judge = |rules: &RuleSet, text: &str| rules.decide(&Facts::of_text(text, "sms")).confidence;
    assert!((judge(&compiled(REFUSALS), "路灯") - 0.5).abs() < 1e-9, "never measured");
    assert!((judge(&measured(19, 19), "路灯") - 0.5).abs() < 1e-9, "too few");
    assert!((judge(&measured(98, 96), "路灯") - 0.97).abs() < 1e-9);
    assert!(judge(&measured(98, 96), "x").abs() < 1e-9, "nothing named");
    assert_ne!(measured(98, 96).version(), measured(98, 97).version(), "part of the rule set");
    assert_eq!(
        measured(98, 96).rule("light").and_then(|rule| rule.measured).map(|it| (it.hits, it.right)),
        Some((98, 96))
    );
}

#[test]
fn inputs_survive_and_decide_the_same() {
    let rules = compiled(CHAIN);
    let sender = Sender { open_tickets: 2, earlier_days: vec![0, 9] };
    let facts = Facts {
        subject: Some("火"),
        language: Some("zh-Hans"),
        account: Some("demo"),
        place: Some("梧桐路"),
        street: Some("银杏路"),
        citizen_kind: Some(CitizenKind::Enterprise),
        attachments: Some(1),
        sender: Some(&sender),
        local_time: LocalTime::parse("2026-11-22T09:58"),
        ..Facts::of_text("着火", "sms")
    };
    let decision = rules.decide(&facts);
    assert_eq!(
        (decision.decided_by, decision.district.as_deref()),
        (DecidedBy::Rule, Some("west")),
        "street before place"
    );
    let json = serde_json::to_string(&decision.trace.inputs).expect("serialise");
    let stored: Inputs = serde_json::from_str(&json).expect("parse");
    assert_eq!(stored, facts.inputs());
    assert_eq!(rules.decide(&Facts::of_inputs(&stored, Some("火"), "着火")), decision);
    let old: Decision = serde_json::from_str(&serde_json::to_string(&decision).expect("serialise")).expect("parse");
    assert_eq!(old, decision);
    assert_eq!(serde_json::from_str::<Inputs>("{}").expect("older rows"), Inputs::default());
}

#[test]
fn firing_is_what_decides() {
    let rules = compiled(CHAIN);
    for text in ["着火", "没事", ""] {
        let facts = Facts::of_text(text, "sms");
        let fired: Vec<&str> =
            rules.firing(&facts, &routing_rules::Reading::new(&facts)).iter().map(|rule| rule.id.as_str()).collect();
        let decided = rules.decide(&facts);
        assert_eq!(fired, decided.trace.hits.iter().map(|hit| hit.rule.as_str()).collect::<Vec<_>>());
    }
    assert!(rules.rules().any(|rule| rule.effects.contains(&Effect::Deadline(3))));
}

#[test]
fn a_pack_tells_what_it_asks_of_the_sender() {
    for (when, days) in [
        (r#"{ any = ["灯"] }"#, None),
        (r#"{ any = ["灯", { open_tickets = 2 }] }"#, Some(0)),
        (r#"{ not = { repeats = { within_days = 9, at_least = 1 } }, open_tickets = 1 }"#, Some(9)),
        (r#"{ known = ["sender"] }"#, Some(0)),
    ] {
        assert_eq!(compiled(&tagging("recognise", when)).sender_days(), days, "{when}");
    }
}
