//! What a decision of the demo pack costs, and how it fares on the Chinese set when `../shared/data` is there.
//!
//! `cargo bench -p routing-rules` prints medians of one thread: compiling the pack, folding, a decision, `recognise`.
//! With `--mistakes` the pairs of (label, item) that went wrong are counted too; texts are never printed.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use routing_rules::{DecidedBy, Facts, RuleSet, SourceFile};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn files(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(root, &path, found)?;
        } else {
            let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
            found.push(SourceFile { path: relative, text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

/// Median time of one call in microseconds over rounds of all texts.
fn median_micros(texts: &[String], mut call: impl FnMut(&str)) -> f64 {
    let mut rounds: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            for text in texts {
                call(text);
            }
            start.elapsed().as_secs_f64() * 1e6 / texts.len() as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn main() -> Outcome {
    let mut out = std::io::stdout().lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/demo-city");
    let mut sources = Vec::new();
    files(&root, &root, &mut sources)?;
    let start = Instant::now();
    let compile = || {
        RuleSet::compile(&sources)
            .map_err(|problems| problems.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join("\n"))
    };
    let rules = compile()?;
    let cold = start.elapsed();
    let start = Instant::now();
    compile()?;
    writeln!(
        out,
        "compile: {:.0} ms with the folding table, {:.0} ms without",
        cold.as_secs_f64() * 1e3,
        start.elapsed().as_secs_f64() * 1e3
    )?;
    let seeds = [
        "澄江路与临波街路口的路灯已经坏了一个星期，晚上漆黑一片，老人孩子出门很不方便，多次向物业反映没有结果，请有关部门尽快派人维修，谢谢。",
        "工地夜间施工噪音严重扰民，凌晨两点还在打桩，孩子第二天要上学，希望环保部门查处。",
        "The garbage on Luhu Road has not been picked up for two weeks, the bins overflow and there are rats. Please help.",
        "公司拖欠农民工工资半年，老板失联，请劳动监察部门帮忙讨薪，我们一共三十多人。",
    ];
    let hundred: Vec<String> = seeds.iter().map(|seed| seed.chars().cycle().take(100).collect()).collect();
    let batch: Vec<String> = hundred.iter().cycle().take(400).cloned().collect();
    let decide = median_micros(&batch, |text| {
        black_box(rules.decide(&Facts::of_text(black_box(text), "sms")));
    });
    let recognise = median_micros(&batch, |text| {
        black_box(rules.recognise(&Facts::of_text(black_box(text), "sms")));
    });
    writeln!(
        out,
        "100 characters: decide {decide:.1} µs, recognise {recognise:.1} µs ({} rules)",
        rules.rules().count()
    )?;
    corpus(&rules, &mut out)
}

/// Accuracy on the labels of the Chinese set through its mapping of first segments.
fn corpus(rules: &RuleSet, out: &mut impl Write) -> Outcome {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let (Ok(mapping), Ok(lines)) = (
        std::fs::read_to_string(data.join("demo-mapping.toml")),
        std::fs::read_to_string(data.join("appeals/zh_teddy.dev.jsonl")),
    ) else {
        writeln!(out, "skipped: no corpus")?;
        return Ok(());
    };
    let mapping: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&mapping)?;
    let labels = mapping.get("zh_teddy").ok_or("no zh_teddy in the mapping")?;
    let (mut total, mut decided, mut right, mut first) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut wrong: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut texts = Vec::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| row.get(name).and_then(serde_json::Value::as_str);
        let (text, label) = (field("text").unwrap_or_default(), field("label").unwrap_or_default());
        let decision = rules.decide(&Facts { subject: field("title"), ..Facts::of_text(text, "email") });
        let label_of = |item: &str| labels.get(item.split('.').next().unwrap_or_default()).map(String::as_str);
        total += 1;
        let best = decision.ranked.first().map(|ranked| ranked.item.as_str()).unwrap_or_default();
        first += u32::from(label_of(best) == Some(label));
        if decision.decided_by == DecidedBy::Rule {
            decided += 1;
            if label_of(best) == Some(label) {
                right += 1;
            } else {
                *wrong.entry((label.to_owned(), best.to_owned())).or_default() += 1;
            }
        }
        texts.push(text.to_owned());
    }
    let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
    writeln!(
        out,
        "zh_teddy dev, {total} letters: coverage {:.3}, accuracy where decided {:.3}, best candidate right {:.3}",
        share(decided, total),
        share(right, decided),
        share(first, total)
    )?;
    let letters = median_micros(texts.get(..200).unwrap_or(&texts), |text| {
        black_box(rules.decide(&Facts::of_text(black_box(text), "email")));
    });
    writeln!(out, "letters: decide {letters:.1} µs")?;
    if std::env::args().any(|argument| argument == "--mistakes") {
        let mut wrong: Vec<_> = wrong.into_iter().collect();
        wrong.sort_by(|one, two| two.1.cmp(&one.1).then(one.0.cmp(&two.0)));
        for ((label, item), count) in wrong.iter().take(40) {
            writeln!(out, "{count:4} {label} taken for {item}")?;
        }
    }
    Ok(())
}
