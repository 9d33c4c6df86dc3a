//! Any appeal before the demo pack and a pack that uses every word of the grammar: judged without panic, twice the
//! same, the same after storing the inputs, and marked only within the texts.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use routing_rules::{AppealKind, CitizenKind, Facts, Field, LocalTime, Reading, RuleSet, Sender, SourceFile};

#[derive(Debug, Arbitrary)]
struct Appeal<'a> {
    subject: Option<&'a str>,
    text: &'a str,
    language: Option<&'a str>,
    channel: Option<&'a str>,
    account: Option<&'a str>,
    item: Option<&'a str>,
    place: Option<&'a str>,
    street: Option<&'a str>,
    district: Option<&'a str>,
    kind: Option<u8>,
    enterprise: Option<bool>,
    attachments: Option<u32>,
    sender: Option<(u32, Vec<u32>)>,
    time: Option<&'a str>,
    /// Phrases of the pack to be strewn in, so that rules fire.
    words: Vec<u16>,
}

/// The demo pack, as the crate's tests read it.
static RULES: LazyLock<Vec<RuleSet>> = LazyLock::new(|| {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../packs/demo-city");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the demo pack") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inner = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
                files.push(SourceFile { path: inner, text: std::fs::read_to_string(&path).expect("text") });
            }
        }
    }
    let demo = RuleSet::compile(&files).expect("compiles");
    files.retain(|file| !file.path.starts_with("rules/"));
    files.push(SourceFile { path: "rules/all.toml".to_owned(), text: include_str!("grammar.toml").to_owned() });
    vec![demo, RuleSet::compile(&files).expect("compiles")]
});

static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tests = include_str!("../../tests/it/everyday.tsv");
    let lines = tests.lines().filter_map(|line| line.split_once('\t')).map(|(_, text)| text.to_owned());
    lines.chain(["灯", "坏", "没着火", "着火", "a fire drill", "编号1234", "梧桐路", "\u{301}", "。"].map(str::to_owned)).collect()
});

fuzz_target!(|appeal: Appeal<'_>| {
    let mut text = appeal.text.to_owned();
    for word in appeal.words.iter().take(200) {
        text.push_str(&WORDS[usize::from(*word) % WORDS.len()]);
    }
    let sender = appeal.sender.map(|(open_tickets, earlier_days)| Sender { open_tickets, earlier_days });
    let facts = Facts {
        subject: appeal.subject,
        text: &text,
        language: appeal.language,
        channel: appeal.channel,
        account: appeal.account,
        item: appeal.item,
        place: appeal.place,
        street: appeal.street,
        district: appeal.district,
        kind: appeal.kind.map(|kind| AppealKind::ALL[usize::from(kind) % AppealKind::ALL.len()]),
        citizen_kind: appeal.enterprise.map(|is| if is { CitizenKind::Enterprise } else { CitizenKind::Individual }),
        attachments: appeal.attachments,
        sender: sender.as_ref(),
        local_time: appeal.time.and_then(LocalTime::parse),
    };
    for rules in RULES.iter() {
        let decision = rules.decide(&facts);
        assert!((0.0..=1.0).contains(&decision.confidence));
        assert_eq!(decision.item.is_some(), decision.reason.is_none());
        let inputs = decision.trace.inputs.clone();
        assert_eq!(rules.decide(&Facts::of_inputs(&inputs, facts.subject, &text)), decision);
        let fired: Vec<&str> = rules.firing(&facts, &Reading::new(&facts)).iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(fired, decision.trace.hits.iter().map(|hit| hit.rule.as_str()).collect::<Vec<_>>());
        let length = |field: Field| {
            let text = match field {
                Field::Subject => facts.subject,
                Field::Text => Some(text.as_str()),
                Field::Place => facts.place,
                Field::Street => facts.street,
            };
            text.unwrap_or_default().chars().count()
        };
        for hit in decision.trace.hits.iter().flat_map(|hit| &hit.phrases) {
            assert!(hit.start < hit.end && hit.end <= length(hit.field), "{hit:?}");
        }
        for hit in &decision.trace.districts {
            assert!(hit.start < hit.end && hit.end <= length(hit.field), "{hit:?}");
        }
    }
});
