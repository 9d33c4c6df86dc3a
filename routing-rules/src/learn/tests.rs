use proptest::prelude::*;

use super::*;
use crate::learned::Learned;
use crate::{DecidedBy, Facts, RuleSet};

const PLACES: [&str; 6] = ["人民路", "中山路", "解放路", "和平里", "东湖小区", "火车站"];

/// Letters about three things, with titles for most of them.
fn letters(count: usize) -> Vec<Example> {
    let topics = [
        ("教育", ["学校收费太高", "老师补课", "幼儿园没有学位"]),
        ("交通", ["公交车总是晚点", "红绿灯坏了", "停车位不够"]),
        ("water", ["the water pipe is leaking", "no water since morning", "brown water from the tap"]),
    ];
    (0..count)
        .map(|at| {
            let (label, texts) = topics[at % 3];
            let text = texts[at / 3 % 3];
            let place = PLACES[at / 9 % 6];
            Example {
                id: Some(Label::Number(at as i64)),
                date: Some(format!("2025-0{}-01", 1 + at % 9)),
                title: (at % 4 > 0).then(|| format!("{place}: {text}")),
                text: Some(format!("{place}附近, {text}, 第{at}次反映")),
                label: Some(Label::Text(label.to_owned())),
                ..Example::default()
            }
        })
        .collect()
}

fn taught(examples: &[Example], options: &Options) -> Lesson {
    learn(examples, options, &|_| ()).expect("learns")
}

fn compiled(lesson: &Lesson) -> RuleSet {
    RuleSet::compile(&lesson.files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn what_was_learned_decides() {
    let lesson = taught(&letters(108), &Options::default());
    assert!(lesson.report.accuracy > 0.9, "{}", lesson.report);
    let rules = compiled(&lesson);
    for (title, text, expected) in [
        (Some("学校"), "老师收费", "教育"),
        (None, "公交车晚点", "交通"),
        (Some("Water pipe"), "", "water"),
        (None, "WATER leaking", "water"),
    ] {
        let decision = rules.decide(&Facts { subject: title, text, ..Facts::default() });
        assert_eq!(decision.ranked.first().map(|ranked| ranked.item.as_str()), Some(expected), "{text}");
        assert!((0.0..=1.0).contains(&decision.confidence));
        let trace = decision.trace.learned.expect("a trace");
        let sum = trace.base + trace.phrases.iter().map(|phrase| phrase.share).sum::<f64>() + trace.others;
        assert!((sum - trace.score).abs() < 0.002, "{sum} {trace:?}");
        if decision.decided_by == DecidedBy::Learned {
            assert_eq!((decision.item.as_deref(), decision.department), (Some(expected), None));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let examples = letters(90);
    let one = taught(&examples, &Options { max_phrases: 60, ..Options::default() });
    let three = taught(&examples, &Options { max_phrases: 60, threads: 3, ..Options::default() });
    assert_eq!(one, three);
    let phrases = one.files.iter().find(|file| file.path == learned::PHRASES).expect("phrases");
    assert_eq!(phrases.text.lines().count(), 61);
    let words: Vec<&str> = phrases.text.lines().skip(1).map(|line| line.split('\t').next().unwrap_or("")).collect();
    let bare = |word: &str| word.trim_matches('*').to_owned();
    assert!(words.windows(2).all(|pair| bare(pair[0]) <= bare(pair[1])));
}

#[test]
fn a_cache_gives_the_same_and_only_for_its_own_text() {
    let lesson = taught(&letters(90), &Options::default());
    let read =
        |files: &[SourceFile], cache: Option<&[u8]>| Learned::read(files, cache).expect("reads").expect("learned");
    let own = read(&lesson.files, None);
    let cache = own.to_cache();
    let cached = read(&lesson.files, Some(&cache));
    assert!(cached.from_cache() && !own.from_cache());
    for text in ["学校老师", "the water pipe", ""] {
        assert_eq!(own.judge(Some(text), text), cached.judge(Some(text), text));
    }
    let mut edited = lesson.files.clone();
    for file in edited.iter_mut().filter(|file| file.path == learned::PHRASES) {
        file.text.push_str("添加\tboth\t0\t1.5\n");
    }
    assert!(!read(&edited, Some(&cache)).from_cache());
    for at in [9, 45, cache.len() / 2, cache.len() - 1] {
        let mut broken = cache.clone();
        broken[at] ^= 1;
        assert!(!read(&lesson.files, Some(&broken)).from_cache(), "byte {at}");
    }
    assert!(!read(&lesson.files, Some(&cache[..cache.len() - 5])).from_cache());
}

#[test]
fn what_it_is_not_and_what_counts_less_teach() {
    let mut examples = letters(90);
    for _ in 0..30 {
        examples.push(Example {
            text: Some("共享单车乱停".to_owned()),
            not: vec![Label::Text("教育".to_owned())],
            ..Example::default()
        });
        examples.push(Example {
            text: Some("共享单车乱停".to_owned()),
            label: Some(Label::Text("交通".to_owned())),
            weight: Some(0.1),
            ..Example::default()
        });
    }
    examples.push(Example { text: Some("nothing is known of this".to_owned()), ..Example::default() });
    let lesson = taught(&examples, &Options::default());
    assert_eq!(lesson.report.unlabelled, 1);
    let (ranked, _) = compiled(&lesson).learned().expect("learned").judge(None, "共享单车");
    let places: Vec<&str> = ranked.iter().map(|ranked| ranked.item.as_str()).collect();
    assert_eq!(places.first(), Some(&"交通"), "{ranked:?}");
    assert_eq!(places.last(), Some(&"教育"), "{ranked:?}");
}

#[test]
fn odd_histories_are_learned_from() {
    let case = |text: Option<&str>, label: &str| Example {
        text: text.map(ToOwned::to_owned),
        label: Some(Label::Text(label.to_owned())),
        ..Example::default()
    };
    let few = vec![case(Some("a"), "x"), case(Some("b"), "y")];
    let empty = vec![case(None, "x"), case(Some(""), "y"), case(Some("。"), "y")];
    let many: Vec<Example> = (0..60).map(|at| case(Some("жалоба на воду улица"), &format!("тема {at}"))).collect();
    let long = vec![case(Some(&"噪音扰民".repeat(2_000)), "x"), case(Some(&"water ".repeat(2_000)), "y")];
    for examples in [few, empty, many, long] {
        let lesson = taught(&examples, &Options::default());
        let decision = compiled(&lesson).decide(&Facts { text: "噪音 water жалоба", ..Facts::default() });
        assert!(decision.confidence.is_finite());
    }
    assert!(learn(&[case(Some("a"), "x")], &Options::default(), &|_| ()).is_err());
    let wrong = Example { weight: Some(f64::NAN), ..case(Some("b"), "y") };
    let refused = learn(&[case(Some("a"), "x"), wrong], &Options::default(), &|_| ()).expect_err("refused");
    assert_eq!(refused.example, 2);
}

#[test]
fn what_was_learned_from_is_known_again() {
    let lesson = taught(&letters(90), &Options::default());
    let rules = compiled(&lesson);
    let learned = rules.learned().expect("learned");
    assert!(learned.trained_on(learned::fingerprint(Some("17"), None, "")));
    assert!(!learned.trained_on(learned::fingerprint(Some("90"), None, "")));
    let period = learned.period().map(|(from, until)| (from.to_string(), until.to_string()));
    assert_eq!(period, Some(("2025-01-01".to_owned(), "2025-09-01".to_owned())));
}

#[test]
fn dates_are_read_as_files_have_them() {
    for (date, expected) in [
        ("null", None),
        ("\"2026/1/8 15:40\"", Some("2026/1/8 15:40")),
        ("20260108", Some("20260108")),
        ("\"\"", Some("")),
    ] {
        let line = format!("{{\"text\": \"x\", \"label\": 3, \"date\": {date}}}");
        let example: Example = serde_json::from_str(&line).expect("a case");
        assert_eq!(example.date.as_deref(), expected, "{line}");
    }
    let one: Example = serde_json::from_str("{\"text\": \"x\"}").expect("a case");
    assert_eq!(one.date, None);
}

#[test]
fn near_duplicates_stay_together() {
    let mut examples = letters(60);
    let twin = "我家住在东湖小区三号楼，楼下的餐馆每天晚上排放油烟，味道非常大，请有关部门尽快处理此事";
    for at in 0..10 {
        let text = Some(format!("{twin}，谢谢{at}"));
        examples.push(Example { text, label: Some(Label::Text("教育".to_owned())), ..Example::default() });
    }
    let lessons = example::Rows::new(&examples).expect("rows");
    let rows: Vec<usize> = (0..examples.len()).collect();
    let groups = folds::groups(&lessons, &rows);
    let folds = folds::split(&lessons, &rows, &groups, 5, 3);
    let holding = folds.iter().filter(|fold| fold.iter().any(|row| *row >= 60)).count();
    assert_eq!(holding, 1);
    assert_eq!(folds.iter().map(Vec::len).sum::<usize>(), examples.len());
}

/// Texts of characters that fold, join and part words in every way.
fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("路"),
            Just("灯"),
            Just("ａ"),
            Just("Ab"),
            Just("c"),
            Just(" "),
            Just("-"),
            Just("'"),
            Just("。"),
            Just("7"),
            Just("é"),
            Just("ж"),
            Just("한"),
            Just("ال"),
            Just("\n"),
            Just("燈"),
            Just("straße")
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A decision is the very sum that training made: what is counted there is found here.
    #[test]
    fn a_decision_is_what_was_trained(texts in proptest::collection::vec((texts(), texts()), 6..14)) {
        let examples: Vec<Example> = texts
            .iter()
            .enumerate()
            .map(|(at, (title, text))| Example {
                title: Some(title.clone()),
                text: Some(text.clone()),
                label: Some(Label::Number(at as i64 % 3)),
                ..Example::default()
            })
            .collect();
        let lessons = example::Rows::new(&examples).expect("rows");
        let corpus = Corpus::new(&lessons, 1);
        let rows: Vec<usize> = (0..examples.len()).collect();
        let options = Options::default();
        for own in [false, true] {
            let choice = Choice { own, form: corpus::Form::Piece, fewest: 1, ..Choice::first() };
            let fit = Fit::new(&corpus, &rows, &choice, &options);
            let confidence = Confidence { best: 0.0, both: vec![], title: vec![], text: vec![] };
            let report = Report::new(&lessons, &corpus, &choice, &fit, rows.len(), &[], &confidence, 0.5, &options);
            let files = files(&lessons, &corpus, &choice, &fit, &rows, confidence, 0.5, &options, &report);
            let learned = Learned::read(&files, None).expect("reads").expect("learned");
            for (row, (title, text)) in texts.iter().enumerate() {
                let trained = fit.scores(&corpus, &choice, row, matrix::View::All);
                let (ranked, _) = learned.judge(Some(title), text);
                for found in ranked {
                    let label: usize = found.item.parse().expect("a number");
                    let expected = f64::from(trained[label]);
                    prop_assert!((found.score - expected).abs() < 0.05, "{title:?} {text:?}: {} {expected}", found.score);
                }
            }
        }
    }
}

#[test]
fn phrases_are_shown_where_they_stand() {
    for (text, phrase, expected) in [
        ("路燈壞了，路灯", "路灯", vec![(0, 2), (5, 7)]),
        ("Potholes and a pothole", "pothole", vec![(15, 22)]),
        ("Potholes and a pothole", "pothol*", vec![(0, 6), (15, 21)]),
        ("the manhole", "*hol*", vec![(7, 10)]),
        ("the manhole", "hole", vec![]),
        ("", "a", vec![]),
        ("a", "*", vec![]),
    ] {
        assert_eq!(Learned::places(text, phrase), expected, "{phrase} in {text}");
    }
}
