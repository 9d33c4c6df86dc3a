//! Packs made to hurt: refused with file and reason, and within bounds that do not grow with them.

use routing_rules::{Facts, Problem, RuleSet, SourceFile};

use crate::pack;

fn rule(when: &str) -> String {
    format!(
        "[[rule]]\nid = \"one\"\nreason = \"One.\"\nwhen = {when}\nthen.item = \"roads.streetlight\"\ntests = [{{ text = \"x\", fires = false }}]\n"
    )
}

fn refused(files: &[SourceFile]) -> Vec<Problem> {
    let problems = RuleSet::compile(files).expect_err("is refused");
    assert!(problems.len() <= 2_000, "{} problems", problems.len());
    problems
}

fn check(rules: &str, file: &str, reason: &str) {
    let problems = refused(&pack(rules));
    let told = problems.iter().any(|problem| problem.file == file && problem.message.contains(reason));
    let shown: Vec<String> =
        problems.iter().take(3).map(|problem| problem.to_string().chars().take(300).collect()).collect();
    assert!(told, "{reason}: {shown:?}");
    assert!(problems.iter().all(|problem| problem.excerpt.chars().count() <= 120));
}

#[test]
fn deep_nesting() {
    let nested = |depth: usize| format!("{}{{ any = [\"灯\"] }}{}", "{ not = ".repeat(depth), " }".repeat(depth));
    check(&rule(&nested(40)), "rules/all.toml", "nested more than 16 deep");
    check(&rule(&nested(100_000)), "rules/all.toml", "not TOML");
    check(&"[".repeat(1_000_000), "rules/all.toml", "not TOML");
}

#[test]
fn monstrous_phrases_and_lists() {
    check(&rule(&format!("{{ any = [\"{}\"] }}", "长".repeat(350_000))), "rules/all.toml", "more than 200 characters");
    let many = |count: usize| (0..count).map(|at| format!("\"词{at}\",")).collect::<String>();
    check(&rule(&format!("{{ any = [{}] }}", many(20_000))), "rules/all.toml", "a list of more than 10000 entries");
    check(&rule(&format!("{{ any = [{}] }}", many(1_000_000))), "rules/all.toml", "a file of more than 4 MiB");
}

#[test]
fn expression_bombs() {
    for (bomb, reason) in [
        ("(a{1000}){1000}", "needs more than"),
        (r"\p{L}{1000}", "needs more than"),
        ("((((((((((((((((((((((((((a))))))))))))))))))))))))))", "not a regular expression"),
        ("(a|b", "not a regular expression"),
        ("a*", "matches everything"),
        ("(?=a)a", "not a regular expression"),
    ] {
        check(&rule(&format!("{{ regex = '{bomb}' }}")), "rules/all.toml", reason);
    }
    check(&rule(&format!("{{ regex = '{}' }}", "ab|".repeat(400_000))), "rules/all.toml", "more than 500 characters");
    let many: String = (0..300).map(|at| format!("'a{at}b+',")).collect();
    check(&rule(&format!("{{ regex = [{many}] }}")), "rules/all.toml", "more than 200 expressions");
}

/// Each macro doubles the one before it.
#[test]
fn macros_that_multiply_or_contain_themselves() {
    let mut files = pack(&rule("{ macro = \"m20\" }"));
    let mut text = "[[macro]]\nid = \"m0\"\nwhen.any = [\"灯\"]\n".to_owned();
    for at in 1..=20 {
        let before = at - 1;
        text.push_str(&format!(
            "[[macro]]\nid = \"m{at}\"\nwhen.all = [{{ macro = \"m{before}\" }}, {{ macro = \"m{before}\" }}]\n"
        ));
    }
    files.push(SourceFile { path: "macros.toml".to_owned(), text });
    let problems = refused(&files);
    assert!(
        problems
            .iter()
            .any(|problem| problem.message.contains("more than 5000 conditions") || problem.message.contains("deep"))
    );
    let mut files = pack(&rule("{ macro = \"a\" }"));
    let text = "[[macro]]\nid = \"a\"\nwhen.macro = \"b\"\n[[macro]]\nid = \"b\"\nwhen.macro = \"a\"\n".to_owned();
    files.push(SourceFile { path: "macros.toml".to_owned(), text });
    assert!(
        refused(&files)
            .iter()
            .any(|problem| problem.file == "macros.toml" && problem.message.contains("contains itself"))
    );
}

#[test]
fn binary_and_noise() {
    check("\u{0}\u{1}\u{7f}ELF", "rules/all.toml", "not a text file");
    check(&"\u{1}\u{2}=\n".repeat(200_000), "rules/all.toml", "not TOML");
    check(&"x = 1\n".repeat(200_000), "rules/all.toml", "not TOML");
    check(&(0..100_000).map(|at| format!("x{at} = 1\n")).collect::<String>(), "rules/all.toml", "unknown key");
}

#[test]
fn many_alike_rules_are_read_in_bounded_time() {
    let many: String = (0..3_000)
        .map(|at| {
            rule("{ any = [\"灯\"] }")
                .replace("\"one\"", &format!("\"r{at}\""))
                .replace("then.item = \"roads.streetlight\"", "weight = 1\nthen.priority = \"low\"")
                .replace("weight = 1", &format!("weight = {}", at + 1))
        })
        .collect();
    assert!(!refused(&pack(&many)).is_empty());
}

/// A text that names one thing ten thousand times costs no more than sorting its finds.
#[test]
fn repetition_is_no_weapon() {
    let rules = crate::compiled(&rule(
        "{ near = 100000, all = [{ any = [\"灯\"], except = [\"没灯\"] }, { any = [\"坏\"] }, { field = \"subject\", any = [\"修\"] }] }",
    ));
    let text = "没灯坏灯".repeat(10_000);
    let decision = rules.decide(&Facts { subject: Some("修"), ..Facts::of_text(&text, "sms") });
    assert!(decision.item.is_none(), "subject and text are not near each other");
}
