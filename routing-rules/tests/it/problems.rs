//! What a broken pack is told.

use routing_rules::{Problem, RuleSet, SourceFile};

use crate::{PACK, pack};

fn problems(files: &[SourceFile]) -> Vec<Problem> {
    RuleSet::compile(files).expect_err("has problems")
}

fn of_rules(rules: &str) -> Vec<String> {
    problems(&pack(rules)).iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

/// A good rule, in which each case breaks one thing.
const GOOD: &str = r#"[[rule]]
id = "light"
reason = "Lamps."
when.any = ["路灯"]
then.item = "roads.streetlight"
tests = [{ text = "路灯" }]
"#;

#[test]
fn the_good_rule_is_good() {
    assert!(RuleSet::compile(&pack(GOOD)).is_ok());
}

#[test]
fn each_fault_is_named_with_its_line() {
    let cases = [
        ("id = \"light\"", "id = \"Light\"", "2: `Light` is not an id"),
        ("id = \"light\"\n", "", "1: `id` is missing"),
        ("reason = \"Lamps.\"\n", "", "1: `reason` is missing"),
        ("reason = \"Lamps.\"", "reason = \"\"", "3: this text is empty"),
        ("reason = \"Lamps.\"", "reasons = \"Lamps.\"", "3: unknown key `reasons`"),
        ("reason =", "phase = \"first\"\nreason =", "3: there is no phase `first`"),
        ("reason =", "weight = 0\nreason =", "1: a weight of 0 says nothing"),
        ("reason =", "weight = \"much\"\nreason =", "3: this is string"),
        ("[\"路灯\"]", "[]", "4: this list is empty"),
        ("[\"路灯\"]", "[\"，！\"]", "4: `，！` can never match: nothing of it is left after folding"),
        ("[\"路灯\"]", "[\"路*灯\"]", "4: `*` inside `路*灯`"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.none = [\"路燈\"]", "5: `路灯` is both wanted and forbidden"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.except = [\"停电\"]", "4: the exception `停电` contains none of the phrases"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.field = \"body\"", "5: there is no such field"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.district = \"north\"", "5: there is no district `north`"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.kind = \"anger\"", "5: `anger` is not known here"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.item = \"roads\"", "5: the item is not yet known in phase recognise"),
        ("[\"路灯\"]", "[\"路灯\"]\nwhen.near = 5", "5: `near` without `all`"),
        (
            "when.any = [\"路灯\"]",
            "when = { near = 5, all = [\"路灯\"] }",
            "4: `near` needs two or more phrases or lists of phrases under `all`",
        ),
        (
            "when.any = [\"路灯\"]",
            "when = { near = 5, all = [\"路灯\", { channel = \"sms\" }] }",
            "4: `near` needs two or more phrases or lists of phrases under `all`",
        ),
        ("when.any = [\"路灯\"]", "when = {}", "4: this condition says nothing"),
        ("when.any = [\"路灯\"]", "when = { anny = [\"路灯\"] }", "4: unknown key `anny`"),
        ("\"roads.streetlight\"", "\"roads.streetlihgt\"", "5: there is no item `roads.streetlihgt`"),
        (
            "then.item = \"roads.streetlight\"",
            "then.department = \"works\"",
            "5: `department` cannot be said in phase recognise",
        ),
        ("then.item = \"roads.streetlight\"", "then = {}", "5: this rule does nothing"),
        ("then.item = \"roads.streetlight\"", "then.hold = false", "5: `hold = false` says nothing"),
        ("then.item = \"roads.streetlight\"", "then.emergency = [\"fire\"]", "5: `fire` is not a number to call"),
        ("tests = [{ text = \"路灯\" }]\n", "", "1: a rule without tests"),
        ("tests = [{ text = \"路灯\" }]", "tests = []", "6: a rule without tests"),
        ("{ text = \"路灯\" }", "{ txt = \"路灯\" }", "6: unknown key `txt`"),
        ("{ text = \"路灯\" }", "{ text = \"路灯\", item = \"x\" }", "6: there is no item `x`"),
        ("id =", "id ", "2: not TOML: key with no value, expected `=`"),
    ];
    for (from, to, expected) in cases {
        let broken = GOOD.replacen(from, to, 1);
        assert_ne!(broken, GOOD, "{from}");
        let found = of_rules(&broken);
        assert!(found.iter().any(|problem| problem == expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_slip_of_the_pen_is_recognised() {
    let found = problems(&pack(&GOOD.replace("streetlight\"", "streetlihgt\"")));
    let [problem] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(problem.advice, "did you mean `roads.streetlight`?");
    assert_eq!(problem.excerpt, "then.item = \"roads.streetlihgt\"");
    assert_eq!(
        problem.to_string(),
        "rules/all.toml:5: there is no item `roads.streetlihgt` (did you mean `roads.streetlight`?)"
    );
}

#[test]
fn everything_is_told_at_once() {
    let mut files = pack(&format!("{GOOD}{}", GOOD.replace("\"路灯\"", "7")));
    for file in &mut files {
        match file.path.as_str() {
            "pack.toml" => file.text = PACK.replace("inquiry = {", "inquiries = {"),
            "departments.toml" => file.text = file.text.replace("parent = \"works\"", "parent = \"east-works\""),
            "districts.toml" => file.text = file.text.replace("银杏路", "梧桐路"),
            "catalogue.toml" => file.text = file.text.replace("item = \"utilities\"", "item = \"utility\""),
            _ => {}
        }
    }
    files.push(SourceFile { path: "other.toml".to_owned(), text: String::new() });
    files.push(SourceFile { path: "README.md".to_owned(), text: "not read".to_owned() });
    let found: Vec<String> =
        problems(&files).iter().map(|problem| format!("{}: {}", problem.file, problem.message)).collect();
    for expected in [
        "pack.toml: unknown key `inquiries`",
        "pack.toml: `inquiry` is missing",
        "departments.toml: `east-works` stands above itself",
        "districts.toml: the place `梧桐路` stands in two districts",
        "catalogue.toml: there is no item or beginning of items `utility`",
        "items/all.toml: `utilities.water` has no department in east",
        "items/all.toml: `utilities.water` has no department in an unknown district",
        "other.toml: a pack has no such file",
        "rules/all.toml: this is integer",
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected}: {found:#?}");
    }
}

#[test]
fn twice_is_once_too_often() {
    let found = of_rules(&format!("{GOOD}{GOOD}"));
    assert_eq!(found, ["7: rule `light` is there twice, also in rules/all.toml:1"]);
    assert_eq!(
        problems(&[]).first().map(|problem| problem.message.as_str()),
        Some("the pack has nothing in departments.toml")
    );
}

#[test]
fn hostile_files_are_refused() {
    let deep = format!("when = {}any = [\"x\"]{}", "{ not = ".repeat(40) + "{ ", " }".repeat(41));
    for hostile in [
        GOOD.replace("when.any = [\"路灯\"]", &deep),
        GOOD.replace("\"路灯\"", &format!("\"{}\"", "长".repeat(100_000))),
        "\u{0}\u{1}\u{2}".to_owned(),
        "[".repeat(100_000),
    ] {
        assert!(!of_rules(&hostile).is_empty());
    }
}

proptest::proptest! {
    #[test]
    fn any_file_is_read_without_panic(text in "(\\PC|\n|\\[\\[rule\\]\\]|id = |\"|when|then|any|= ){0,40}") {
        let _ = RuleSet::compile(&pack(&text));
    }
}
