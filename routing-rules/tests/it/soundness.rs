//! Rules that can never fire, rules that change nothing, and rules held against a sample.

use routing_rules::{Facts, RuleSet};

use crate::{compiled, pack};

/// Rules of the given (phase, weight, when, then), named a, b, c.
fn rules(parts: &[(&str, f64, &str, &str)]) -> String {
    parts
        .iter()
        .zip(["a", "b", "c"])
        .map(|((phase, weight, when, then), id)| {
            format!(
                "[[rule]]\nid = \"{id}\"\nreason = \"R.\"\nphase = \"{phase}\"\nweight = {weight}\nwhen = {when}\nthen = {then}\ntests = [{{ text = \"~\", fires = false }}]\n"
            )
        })
        .collect()
}

fn told(parts: &[(&str, f64, &str, &str)]) -> Vec<String> {
    match RuleSet::compile(&pack(&rules(parts))) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.into_iter().map(|problem| format!("{} {}", problem.excerpt, problem.message)).collect()
        }
    }
}

#[test]
fn what_can_never_fire_is_told() {
    let one = |phase, when| told(&[(phase, 1.0, when, "{ tags = [\"x\"] }")]);
    for (phase, when, why) in [
        ("guard", r#"{ channel = "sms", all = [{ channel = ["email"], any = ["灯"] }] }"#, "two values of `channel`"),
        ("guard", r#"{ language = "zh", all = [{ language = "en" }] }"#, "two values of `language`"),
        ("guard", r#"{ attachments = true, all = [{ attachments = false }] }"#, "two values of `attachments`"),
        ("guard", r#"{ weekday = "sunday", all = [{ weekday = ["monday"] }] }"#, "two values of `weekday`"),
        ("guard", r#"{ time = "22:00-06:00", all = [{ time = "06:00-22:00" }] }"#, "two values of `time`"),
        ("decorate", r#"{ item = "roads", all = [{ item = "utilities" }] }"#, "two values of `item`"),
        (
            "guard",
            r#"{ channel = "sms", not = { channel = ["sms", "email"] } }"#,
            "what it wants of `channel` is what it forbids",
        ),
        (
            "guard",
            r#"{ district = "east", not = { known = "district" } }"#,
            "a value of `district` and that it is not known",
        ),
        (
            "guard",
            r#"{ any = ["停水通知", "停水公告"], none = ["停水"] }"#,
            "contains one that it forbids, such as `停水`",
        ),
        ("guard", r#"{ any = ["street lights"], not = { any = ["street", "x"] } }"#, "such as `street`"),
        ("guard", r#"{ near = 9, all = ["停水通知", "灯"], none = ["停水"] }"#, "such as `停水`"),
        (
            "guard",
            r#"{ any = [{ channel = "sms", all = [{ channel = "email" }] }, { any = ["停水通知"], none = ["停水"] }] }"#,
            "two values of `channel`",
        ),
        ("recognise", r#"{ tags = ["y"] }"#, "no rule of an earlier phase sets the tag `y`"),
        ("recognise", r#"{ priority = "urgent" }"#, "no rule of an earlier phase sets this priority"),
        ("recognise", r#"{ emergency = true }"#, "no rule of an earlier phase raises the alarm"),
        ("recognise", r#"{ confidential = true }"#, "keeps the citizen unnamed"),
        (
            "decorate",
            r#"{ department = "east-works", all = [{ department = "water" }] }"#,
            "two values of `department`",
        ),
    ] {
        let found = one(phase, when);
        assert!(
            found.iter().any(|problem| problem.contains("can never fire") && problem.contains(why)),
            "{when}: {found:?}"
        );
    }
    for (phase, when) in [
        ("guard", r#"{ channel = ["sms", "email"], all = [{ channel = "email" }] }"#),
        ("guard", r#"{ language = "zh", all = [{ language = "zh-Hant" }] }"#),
        ("guard", r#"{ time = "22:00-06:00", all = [{ time = "05:00-07:00" }] }"#),
        ("guard", r#"{ any = ["停水", "停水公告"], none = ["停水通知", "停水公告栏"] }"#),
        ("guard", r#"{ any = ["parking"], none = ["park"] }"#),
        ("guard", r#"{ any = [{ field = "subject", any = ["停水通知"] }], not = { field = "text", any = ["停水"] } }"#),
        ("guard", r#"{ any = ["停水通知"], not = { any = ["停水"], except = ["停水通知"] } }"#),
        ("guard", r#"{ any = [{ channel = "sms" }, { channel = "email" }] }"#),
        ("decorate", r#"{ emergency = false, priority = "normal" }"#),
        ("decorate", r#"{ department = "east-works" }"#),
    ] {
        assert_eq!(one(phase, when), Vec::<String>::new(), "{when}");
    }
}

#[test]
fn a_season_that_ends_before_it_begins_is_told() {
    let rule = rules(&[("guard", 1.0, r#"{ any = ["雪"] }"#, "{ tags = [\"x\"] }")]);
    let files = pack(&rule.replace("when =", "from = 2026-12-01\nuntil = 2026-11-01\nwhen ="));
    let problems = RuleSet::compile(&files).expect_err("told");
    assert!(problems.iter().any(|problem| problem.message.contains("ends before it begins")), "{problems:?}");
}

#[test]
fn what_changes_nothing_is_told() {
    let high = "{ priority = \"high\" }";
    let low = "{ priority = \"low\" }";
    for (one, two, expected) in [
        // (the weaker rule, the one that always fires with it)
        (
            ("decorate", 1.0, r#"{ any = ["灯"], channel = "sms" }"#, low),
            ("decorate", 9.0, r#"{ any = ["灯", "井"] }"#, high),
            true,
        ),
        (("decorate", 1.0, r#"{ any = ["路灯"] }"#, low), ("guard", 9.0, r#"{ any = ["灯"] }"#, high), true),
        (
            ("decorate", 1.0, r#"{ near = 9, all = ["灯", "坏"] }"#, low),
            ("decorate", 9.0, r#"{ any = ["灯"] }"#, high),
            true,
        ),
        (
            ("decorate", 1.0, r#"{ any = ["灯"], not = { any = ["x", "y"] } }"#, low),
            ("decorate", 9.0, r#"{ any = ["灯"], none = ["x"] }"#, high),
            true,
        ),
        (
            ("guard", 1.0, r#"{ any = ["灯"] }"#, "{ tags = [\"x\"] }"),
            ("guard", 1.0, r#"{ any = ["灯", "井"] }"#, "{ tags = [\"x\", \"y\"] }"),
            true,
        ),
        (
            ("decorate", 1.0, r#"{ channel = "sms" }"#, low),
            ("decorate", 9.0, r#"{ channel = ["sms", "email"] }"#, high),
            true,
        ),
        // Not so: as strong, later, wider, another condition, an item, which adds up.
        (("decorate", 9.0, r#"{ any = ["灯"] }"#, low), ("decorate", 9.0, r#"{ any = ["灯", "井"] }"#, high), false),
        (("guard", 1.0, r#"{ any = ["灯"] }"#, low), ("decorate", 9.0, r#"{ any = ["灯"] }"#, high), false),
        (("decorate", 1.0, r#"{ any = ["灯", "井"] }"#, low), ("decorate", 9.0, r#"{ any = ["灯"] }"#, high), false),
        (
            ("decorate", 1.0, r#"{ any = ["灯"] }"#, low),
            ("decorate", 9.0, r#"{ any = ["灯"], channel = "sms" }"#, high),
            false,
        ),
        (
            ("decorate", 1.0, r#"{ any = ["灯"] }"#, low),
            ("decorate", 9.0, r#"{ any = ["灯"], none = ["x"] }"#, high),
            false,
        ),
        (
            ("decorate", 1.0, r#"{ any = ["灯"] }"#, "{ priority = \"low\", hold = true }"),
            ("decorate", 9.0, r#"{ any = ["灯"] }"#, high),
            false,
        ),
        (
            ("recognise", 1.0, r#"{ any = ["灯"] }"#, "{ item = \"roads.pothole\" }"),
            ("recognise", 9.0, r#"{ any = ["灯"] }"#, "{ item = \"utilities.water\" }"),
            false,
        ),
    ] {
        let found = told(&[one, two]);
        let is = found
            .iter()
            .any(|problem| problem.contains("id = \"a\"") && problem.contains("`b` fires whenever this rule does"));
        assert_eq!(is, expected, "{one:?} {two:?}: {found:?}");
    }
    let twice = told(&[
        ("recognise", 2.0, r#"{ any = ["灯", "井"] }"#, "{ item = \"roads.pothole\" }"),
        ("recognise", 3.0, r#"{ any = ["井", "灯"] }"#, "{ item = \"roads.pothole\" }"),
    ]);
    assert!(twice.iter().any(|problem| problem.contains("says the same as `a`")), "{twice:?}");
}

#[test]
fn a_sample_shows_what_is_too_broad_and_what_never_fires() {
    let rules = compiled(&rules(&[
        ("recognise", 1.0, r#"{ any = ["灯"] }"#, "{ item = \"roads.streetlight\" }"),
        ("recognise", 1.0, r#"{ any = ["井"] }"#, "{ item = \"roads.pothole\" }"),
        ("recognise", 1.0, r#"{ any = ["请"] }"#, "{ kind = \"help\" }"),
    ]));
    let texts: Vec<String> =
        (0..60).map(|at| if at % 3 == 0 { "路灯，请修".to_owned() } else { "水".to_owned() }).collect();
    let report = rules.check_sample(texts.iter().map(|text| Facts::of_text(text, "sms")));
    assert_eq!(report.texts, 60);
    assert_eq!(report.fired, [("a".to_owned(), 20), ("b".to_owned(), 0), ("c".to_owned(), 20)]);
    let [broad] = report.broad.as_slice() else { panic!("{:?}", report.broad) };
    assert_eq!((broad.line, broad.message.as_str()), (1, "`a` fires on 33 % of 60 texts"));
    let [never] = report.never.as_slice() else { panic!("{:?}", report.never) };
    assert_eq!((never.line, never.excerpt.as_str()), (9, "id = \"b\""));
    let few = rules.check_sample(texts.iter().take(9).map(|text| Facts::of_text(text, "sms")));
    assert_eq!(few.broad, [], "nine texts say nothing");
}
