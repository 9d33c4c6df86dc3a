//! Learned phrases: trained on the train split alone, tested on dev.

use std::io::Write;
use std::num::NonZero;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use routing_rules::learn::{Example, Label, Lesson, Options, learn};
use routing_rules::{Facts, RuleSet};
use serde_json::Value;

/// Samples drawn for an interval.
const DRAWN: usize = 1000;

/// A text with what it belongs to.
struct Case {
    title: Option<String>,
    text: Option<String>,
    label: String,
}

/// What is looked at in a text.
#[derive(Clone, Copy)]
enum View {
    Both,
    Title,
}

fn cases(data: &Path, name: &str, split: &str, label: fn(&Value) -> &Value) -> Result<Vec<Case>> {
    let path = data.join("appeals").join(format!("{name}.{split}.jsonl"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut cases = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let Some(label) = label(&line).as_str() else { continue };
        let own = |key: &str| line[key].as_str().map(ToOwned::to_owned);
        cases.push(Case { title: own("title"), text: own("text"), label: label.to_owned() });
    }
    Ok(cases)
}

fn taught(cases: &[Case], view: View, max_phrases: usize) -> Result<(Lesson, Duration)> {
    let examples: Vec<Example> = cases
        .iter()
        .filter(|case| matches!(view, View::Both) || case.title.is_some())
        .map(|case| Example {
            title: case.title.clone(),
            text: case.text.clone().filter(|_| matches!(view, View::Both)),
            label: Some(Label::Text(case.label.clone())),
            ..Example::default()
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let began = Instant::now();
    let lesson = learn(&examples, &Options { max_phrases, threads, ..Options::default() }, &|_| ())?;
    Ok((lesson, began.elapsed()))
}

/// Was it right, and how sure was it; with what a text cost.
fn judged(rules: &RuleSet, cases: &[Case], view: View) -> (Vec<(f64, bool)>, Duration) {
    let (mut verdicts, mut spent) = (Vec::new(), Duration::ZERO);
    for case in cases {
        let text = case.text.as_deref().filter(|_| matches!(view, View::Both));
        let facts = Facts { subject: case.title.as_deref(), text: text.unwrap_or_default(), ..Facts::default() };
        let began = Instant::now();
        let decision = rules.decide(&facts);
        spent += began.elapsed();
        let right = decision.ranked.first().is_some_and(|first| first.item == case.label);
        verdicts.push((decision.confidence, right));
    }
    verdicts.sort_by(|one, two| two.0.total_cmp(&one.0));
    let each = spent / u32::try_from(cases.len().max(1)).unwrap_or(1);
    (verdicts, each)
}

fn share(verdicts: &[(f64, bool)]) -> f64 {
    verdicts.iter().filter(|(_, right)| *right).count() as f64 / verdicts.len().max(1) as f64
}

/// The share of right ones with the middle 95 % of the shares of samples drawn with replacement.
fn interval(verdicts: &[(f64, bool)]) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % verdicts.len().max(1)
    };
    let mut shares: Vec<f64> = (0..DRAWN)
        .map(|_| {
            let right = (0..verdicts.len()).filter(|_| verdicts.get(next()).is_some_and(|(_, right)| *right)).count();
            right as f64 / verdicts.len().max(1) as f64
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let at = |place: usize| shares.get(place).copied().unwrap_or_default();
    format!("{:.4} ({:.3} to {:.3})", share(verdicts), at(DRAWN / 40), at(DRAWN - 1 - DRAWN / 40))
}

/// Prints the table.
pub(super) fn measure(data: &Path, out: &mut impl Write) -> Result<()> {
    let by_label: fn(&Value) -> &Value = |line| &line["label"];
    let by_department: fn(&Value) -> &Value = |line| &line["extra"]["department"];
    writeln!(out, "learned phrases, trained on train, tested on dev (95 % interval)")?;
    writeln!(out, "  {:<46} {:<26} {:<26} phrases  trained  a text", "", "right", "surest 80 %")?;
    for (name, file, label, taught_by, max_phrases, asked) in [
        ("Chinese, title and text", "zh_teddy", by_label, View::Both, 30_000, [Some(View::Both), Some(View::Title)]),
        ("Chinese, 2,000 phrases", "zh_teddy", by_label, View::Both, 2_000, [Some(View::Both), Some(View::Title)]),
        ("Chinese, trained on titles alone", "zh_teddy", by_label, View::Title, 30_000, [Some(View::Title), None]),
        ("Gainesville, request type", "en_gainesville311", by_label, View::Both, 30_000, [Some(View::Both), None]),
        ("Gainesville, department", "en_gainesville311", by_department, View::Both, 30_000, [Some(View::Both), None]),
    ] {
        let (train, dev) = (cases(data, file, "train", label)?, cases(data, file, "dev", label)?);
        let (lesson, took) = taught(&train, taught_by, max_phrases)?;
        let rules = RuleSet::compile(&lesson.files).map_err(|problems| anyhow!("{problems:?}"))?;
        for view in asked.into_iter().flatten() {
            let (verdicts, each) = judged(&rules, &dev, view);
            let surest = verdicts.get(..verdicts.len() * 4 / 5).unwrap_or_default();
            let name = match (view, taught_by) {
                (View::Title, View::Both) => format!("{name}, tested by title alone"),
                _ => name.to_owned(),
            };
            writeln!(
                out,
                "  {name:<46} {:<26} {:<26} {:>7} {:>7.1} s {:>6.1} us",
                interval(&verdicts),
                interval(surest),
                lesson.report.phrases,
                took.as_secs_f64(),
                each.as_secs_f64() * 1e6,
            )?;
        }
        let began = Instant::now();
        let learned = RuleSet::compile(&lesson.files).map_err(|problems| anyhow!("{problems:?}"))?;
        let from_text = began.elapsed();
        let cache = learned.learned().map(routing_rules::Learned::to_cache);
        let began = Instant::now();
        RuleSet::compile_with(&lesson.files, cache.as_deref()).map_err(|problems| anyhow!("{problems:?}"))?;
        writeln!(
            out,
            "  {:<46} from text {:.0} ms, from cache {:.0} ms",
            "  loading",
            from_text.as_secs_f64() * 1e3,
            began.elapsed().as_secs_f64() * 1e3
        )?;
        out.flush()?;
    }
    Ok(())
}
