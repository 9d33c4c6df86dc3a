use proptest::prelude::*;

use super::*;
use crate::decision::Ranked;
use crate::source::SourceFile;

/// Two items, each with a department, and a phrase for each.
fn rules(lamp: &str) -> RuleSet {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file(
            "pack.toml",
            "id = \"t\"\nnames = { zh-Hans = \"测\", en = \"t\" }\ndefault_language = \"en\"\n\
             threshold = 1\nmargin = 0.5\nsubject_factor = 1\nphrase_bonus = 0\ndefault_kind = \"help\"\ndefault_priority = \"normal\"\n\
             [deadlines]\ninquiry = { low = 1, normal = 1, high = 1, urgent = 1 }\nhelp = { low = 1, normal = 1, high = 1, urgent = 1 }\n\
             complaint = { low = 1, normal = 1, high = 1, urgent = 1 }\nreport = { low = 1, normal = 1, high = 1, urgent = 1 }\n\
             suggestion = { low = 1, normal = 1, high = 1, urgent = 1 }\npraise = { low = 1, normal = 1, high = 1, urgent = 1 }\n\
             invalid = { low = 1, normal = 1, high = 1, urgent = 1 }\n",
        ),
        file(
            "departments.toml",
            "[[department]]\nid = \"lights\"\nnames = { zh-Hans = \"灯\", en = \"Lights\" }\nlevel = \"city\"\n\
             [[department]]\nid = \"waste\"\nnames = { zh-Hans = \"废\", en = \"Waste\" }\nlevel = \"city\"\n",
        ),
        file("districts.toml", "district = []\n"),
        file(
            "items/all.toml",
            "[[group]]\nid = \"city\"\nnames = { zh-Hans = \"市\", en = \"City\" }\n\
             [[item]]\nid = \"city.lamp\"\nnames = { zh-Hans = \"灯\", en = \"Lamp\" }\n\
             [[item]]\nid = \"city.bin\"\nnames = { zh-Hans = \"桶\", en = \"Bin\" }\n",
        ),
        file(
            "catalogue.toml",
            "[[route]]\nitem = \"city.lamp\"\ndepartment = \"lights\"\n[[route]]\nitem = \"city.bin\"\ndepartment = \"waste\"\n",
        ),
        file(
            "rules/all.toml",
            &format!(
                "[[rule]]\nid = \"lamp\"\nreason = \"t\"\nweight = 2.0\nwhen = {{ any = [\"{lamp}\"] }}\nthen = {{ item = \"city.lamp\" }}\ntests = [{{ text = \"{lamp}\" }}]\n\
                 [[rule]]\nid = \"bin\"\nreason = \"t\"\nweight = 2.0\nwhen = {{ any = [\"bin\"] }}\nthen = {{ item = \"city.bin\" }}\ntests = [{{ text = \"bin\" }}]\n\
                 [[rule]]\nid = \"never\"\nreason = \"t\"\nweight = 2.0\nwhen = {{ any = [\"zeppelin\"] }}\nthen = {{ item = \"city.bin\" }}\ntests = [{{ text = \"zeppelin\" }}]\n"
            ),
        ),
    ];
    RuleSet::compile(&files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn case(id: &str, text: &str, item: &str) -> Case {
    let department = match item {
        "city.lamp" => Some("lights"),
        "city.bin" => Some("waste"),
        _ => None,
    };
    Case {
        id: id.to_owned(),
        text: text.to_owned(),
        label: Some(item.to_owned()).filter(|item| !item.is_empty()),
        department: department.map(str::to_owned),
        date: Some("2026-11-22T08:00:00+08:00".to_owned()),
        weight: 1.0,
        ..Case::default()
    }
}

#[test]
fn a_report_says_what_was_right_what_moves_and_which_rules_are_dead() {
    let (new, old) = (rules("lamp"), rules("lantern"));
    let mut weak = case("5", "the lamp in the bin store", "city.bin");
    weak.weight = 0.25;
    let cases = [
        case("1", "the lamp is dark", "city.lamp"),
        case("2", "the bin is full", "city.bin"),
        case("3", "the bin burns like a candle", "city.lamp"),
        case("4", "hello", "city.lamp"),
        weak,
        Case { not: Some("city.bin".to_owned()), ..case("6", "another bin", "") },
    ];
    let mut tally = Tally::default();
    for (place, case) in (0..).zip(&cases) {
        tally.judge(place, case, &new, Some(&old));
    }
    tally.exclude();
    let report = tally.report(&new, Some(&old));
    assert_eq!((report.cases, report.excluded, report.unlabelled), (6, 1, 1));
    let items = report.tried.items.expect("a rate");
    assert_eq!((items.cases, items.share), (3, 0.6667));
    assert!(items.low < 0.6667 && items.high > 0.6667 && items.low > 0.1 && items.high < 1.0, "{items:?}");
    assert!((report.tried.coverage - 3.0 / 4.25).abs() < 1e-3, "{}", report.tried.coverage);
    assert_eq!(report.before.as_ref().and_then(|before| before.items).expect("a rate").share, 0.5556, "1.25 of 2.25");
    assert_eq!(report.tried.repeated, (1, 1));
    let confusion = &report.confusion[0];
    assert_eq!((confusion.belonged.as_str(), confusion.sent.as_str(), confusion.cases), ("lights", "waste", 1));
    assert_eq!(confusion.examples, ["3"]);
    let moves: Vec<_> = report
        .moves
        .iter()
        .map(|line| (line.from.as_deref(), line.to.as_deref(), line.cases, line.gained, line.lost))
        .collect();
    assert_eq!(moves, [(None, Some("lights"), 1, 1, 0), (Some("waste"), None, 1, 0, 1)]);
    assert_eq!(report.moved, 2);
    assert_eq!(report.dead, ["never"]);
    let bin = report.rules.iter().find(|rule| rule.rule == "bin").expect("fired");
    assert_eq!((bin.hits, bin.told, bin.right), (4, 4, 2), "{bin:?}");
    assert_eq!(report.periods[0].month, "2026-11");
    let measured = tally.measured().expect("told");
    assert!(measured.contains("id = \"bin\"\nhits = 4\nright = 2\n") && !measured.contains("never"), "{measured}");
}

#[test]
fn a_case_is_read_from_what_cities_have() {
    for (line, id, label) in [
        (
            r#"{"id": "a", "title": null, "text": "x", "label": "L", "date": null, "split": "train", "extra": {"k": 1}}"#,
            "a",
            Some("L"),
        ),
        (r#"{"id": 7, "text": "x", "channel": "sms", "kind": "help"}"#, "7", None),
        (r#"{"text": "x", "id": null}"#, "", None),
        (r#"{"text": "x", "date": 20261122}"#, "", None),
    ] {
        let case: Case = serde_json::from_str(line).expect("a case");
        assert_eq!((case.id.as_str(), case.label.as_deref(), case.weight), (id, label, 1.0), "{line}");
        let again: Case = serde_json::from_str(&serde_json::to_string(&case).expect("json")).expect("a case");
        assert_eq!(again, case);
    }
    assert_eq!(case("", "", "").day().map(|day| day.to_string()).as_deref(), Some("2026-11-22"));
}

#[test]
fn the_curve_falls_from_the_most_certain_to_all() {
    let rules = rules("lamp");
    let mut tally = Tally::default();
    for place in 0..100_u64 {
        let case = case(&place.to_string(), "", "city.lamp");
        let mut decision = rules.decide(&case.facts());
        let right = place < 80;
        decision.confidence = if right { 0.9 } else { 0.1 };
        decision.ranked =
            vec![Ranked { item: if right { "city.lamp" } else { "city.bin" }.to_owned(), score: decision.confidence }];
        tally.add(place, &case, &decision, None);
    }
    let curve = tally.report(&rules, None).tried.curve;
    let points: Vec<_> = curve.iter().map(|point| (point.coverage, point.confidence, point.accuracy)).collect();
    assert_eq!(points, [(0.8, 0.9, 1.0), (1.0, 0.1, 0.8)]);
}

/// A pack of nothing but phrases, learned from letters of these days.
fn learned(first: &str, last: &str) -> RuleSet {
    use crate::learn::{Example, Label, Options, learn};
    let examples: Vec<Example> = (0..40)
        .map(|at| {
            let (label, text) = [("city.lamp", "the lamp is dark"), ("city.bin", "the bin is full")][at % 2];
            Example {
                id: Some(Label::Number(at as i64)),
                text: Some(format!("{text} {at}")),
                label: Some(Label::Text(label.to_owned())),
                date: [Some(first), Some(last), None][at % 3].map(str::to_owned),
                ..Example::default()
            }
        })
        .collect();
    let lesson = learn(&examples, &Options::default(), &|_| ()).expect("learns");
    RuleSet::compile(&lesson.files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn what_came_after_the_lessons_is_told_apart_and_speaks_first() {
    let dated = |id: &str, date: Option<&str>, item: &str| Case {
        date: date.map(str::to_owned),
        ..case(id, "the lamp is dark", item)
    };
    let mut cases = vec![
        dated("1", Some("2024-12-31"), "city.lamp"),
        dated("2", Some("2025/3/1 08:00"), "city.lamp"),
        dated("3", Some("2025-10-02"), "city.lamp"),
        dated("4", Some("2025-10-02T23:59:59+08:00"), "city.lamp"),
        dated("5", None, "city.lamp"),
        dated("6", Some("some day"), "city.lamp"),
    ];
    let (rules, later) = (learned("2025/3/1", "2025/10/2"), learned("2025-04-01", "2025-10-04"));
    let tried = |cases: &[Case], new: &RuleSet, old: Option<&RuleSet>| {
        let mut tally = Tally::default();
        (0..).zip(cases).for_each(|(place, case)| tally.judge(place, case, new, old));
        tally.report(new, old)
    };
    let counts = |report: &Report| report.parts.iter().map(|part| (part.when, part.cases)).collect::<Vec<_>>();
    let right = |summary: &Summary| summary.best.expect("labelled").share;
    let report = tried(&cases, &rules, None);
    assert_eq!(report.learned, Some(("2025-03-01".to_owned(), "2025-10-02".to_owned())));
    let some = |when, cases| (Some(when), cases);
    assert_eq!(counts(&report), [(None, 6), some(When::Before, 1), some(When::During, 3), some(When::Undated, 2)]);
    assert_eq!((report.of, right(&report.tried)), (None, 1.0), "nothing came later");
    // Two that came later, one of them taken for something else.
    cases.extend([dated("7", Some("2025-10-03"), "city.bin"), dated("8", Some("20251004"), "city.lamp")]);
    let report = tried(&cases, &rules, None);
    assert_eq!((report.of, right(&report.tried), report.cases), (Some(When::After), 0.5, 8));
    assert_eq!(report.parts[0].tried.best.map(|rate| (rate.cases, rate.share)), Some((8, 0.875)), "all of them");
    assert_eq!(counts(&report)[3], some(When::After, 2));
    // A comparison is fair only with what came after the lessons of both.
    let report = tried(&cases, &rules, Some(&later));
    assert_eq!((report.of, report.learned.expect("days").1.as_str()), (None, "2025-10-04"));
    assert!(report.parts.iter().all(|part| part.before.is_some()));
    // Rules written by hand have seen nothing.
    let report = tried(&cases, &self::rules("lamp"), None);
    assert_eq!((report.of, report.learned, report.parts.len()), (None, None, 0));
}

proptest! {
    #[test]
    fn parts_in_any_order_give_the_same_report(cuts in prop::collection::vec(0_usize..4, 40), turn in any::<bool>()) {
        let (new, old) = (rules("lamp"), rules("lantern"));
        let texts = ["the lamp", "a bin", "lamp and bin", "lantern", "hello"];
        let items = ["city.lamp", "city.bin", ""];
        let mut whole = Tally::default();
        let mut parts = vec![Tally::default(); 4];
        for (place, cut) in cuts.iter().enumerate() {
            let text = texts[place % texts.len()];
            let case = Case { weight: [1.0, 0.25, 0.1][place % 3], ..case(&place.to_string(), text, items[place % 3]) };
            whole.judge(place as u64, &case, &new, Some(&old));
            parts[*cut].judge(place as u64, &case, &new, Some(&old));
        }
        if turn {
            parts.reverse();
        }
        let mut merged = Tally::default();
        for part in parts {
            merged.merge(part);
        }
        prop_assert_eq!(merged.report(&new, Some(&old)), whole.report(&new, Some(&old)));
    }
}
