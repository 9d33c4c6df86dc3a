//! How good a lesson is, for people: `learned/report.md`.

use std::collections::BTreeMap;
use std::fmt;

use super::Options;
use super::calibrate::{Judged, Verdict};
use super::corpus::Corpus;
use super::example::Rows;
use super::fit::Fit;
use super::random::Random;
use super::search::Choice;
use crate::learned::Confidence;

/// Labels with fewer examples are told of.
const FEW: u64 = 20;
/// Phrases shown of each label.
const SHOWN: usize = 12;
/// Samples drawn for an interval.
const DRAWN: usize = 1000;
/// Mistakes shown.
const MISTAKES: usize = 12;

/// What `model.toml` begins with.
pub(super) const MODEL_HEAD: &str = "\
# Written by `yingda rules learn`; what each setting does stands in the README of routing-rules, \"Learned phrases\".
# You may edit threshold (below this confidence a person decides), items (label = \"item id of the pack\") and phrases.tsv.

";

/// How good what was learned is, judged on examples that the judging model had not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Examples that say something.
    pub rows: usize,
    /// Those learned from: all of them, or a sample where they are very many.
    pub learned: usize,
    /// Examples left out, because they have no label.
    pub unlabelled: usize,
    /// Labels.
    pub labels: usize,
    /// Phrases kept.
    pub phrases: usize,
    /// The share of right ones.
    pub accuracy: f64,
    /// Its 95 % interval (bootstrap).
    pub interval: (f64, f64),
    /// The confidence below which a person decides.
    pub threshold: f64,
    /// The share decided at that threshold, and the share of right ones among it.
    pub decided: Coverage,
    /// Coverage against accuracy, by falling coverage.
    pub coverage: Vec<Coverage>,
    /// Labels with few examples.
    pub few: Vec<Few>,
    chosen: BTreeMap<String, String>,
    mistakes: Vec<(String, String, usize)>,
    strongest: Vec<(String, Vec<(String, f32)>)>,
    aim: f64,
}

/// The surest cases, and how many of them are right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Their share of all.
    pub share: f64,
    /// The least confidence among them.
    pub confidence: f64,
    /// The share of right ones among them.
    pub accuracy: f64,
}

/// A label with few examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few {
    /// The label.
    pub label: String,
    /// Its examples.
    pub examples: u64,
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "they are what is reported on")]
    pub(super) fn new(
        lessons: &Rows<'_>,
        corpus: &Corpus<'_>,
        choice: &Choice,
        fit: &Fit,
        learned: usize,
        judged: &[Judged],
        confidence: &Confidence,
        threshold: f64,
        options: &Options,
    ) -> Self {
        let mut verdicts: Vec<Verdict> = judged.iter().map(|case| case.verdict(confidence)).collect();
        verdicts.sort_by(|one, two| two.confidence.total_cmp(&one.confidence));
        let name = |label: usize| lessons.labels.get(label).cloned().unwrap_or_default();
        let mut mistakes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for verdict in verdicts.iter().filter(|verdict| !verdict.right()) {
            *mistakes.entry((verdict.truth, verdict.label)).or_default() += 1;
        }
        let mut mistakes: Vec<(String, String, usize)> =
            mistakes.into_iter().map(|((truth, said), count)| (name(truth), name(said), count)).collect();
        mistakes.sort_by(|one, two| two.2.cmp(&one.2).then_with(|| one.cmp(two)));
        mistakes.truncate(MISTAKES);
        let sure = verdicts.iter().take_while(|verdict| verdict.confidence >= threshold).count();
        Self {
            rows: lessons.rows.len(),
            learned,
            unlabelled: lessons.unlabelled,
            labels: lessons.labels.len(),
            phrases: fit.len(),
            accuracy: share(&verdicts),
            interval: interval(&verdicts, options.seed),
            threshold,
            decided: surest(&verdicts, sure),
            coverage: (1..=10).rev().map(|tenth| surest(&verdicts, verdicts.len() * tenth / 10)).collect(),
            few: lessons
                .labels
                .iter()
                .zip(&lessons.counts)
                .filter(|(_, count)| **count < FEW)
                .map(|(label, count)| Few { label: label.clone(), examples: *count })
                .collect(),
            chosen: choice.told(options.max_phrases),
            mistakes,
            strongest: (0..lessons.labels.len())
                .map(|label| (name(label), fit.strongest(corpus, label, SHOWN)))
                .collect(),
            aim: options.aim,
        }
    }
}

fn share(verdicts: &[Verdict]) -> f64 {
    verdicts.iter().filter(|verdict| verdict.right()).count() as f64 / verdicts.len().max(1) as f64
}

fn surest(sorted: &[Verdict], count: usize) -> Coverage {
    let own = sorted.get(..count).unwrap_or_default();
    Coverage {
        share: own.len() as f64 / sorted.len().max(1) as f64,
        confidence: own.last().map_or(1.0, |verdict| verdict.confidence),
        accuracy: share(own),
    }
}

/// The middle 95 % of the shares of samples drawn with replacement (Efron 1979).
fn interval(verdicts: &[Verdict], seed: u64) -> (f64, f64) {
    if verdicts.is_empty() {
        return (0.0, 1.0);
    }
    let right: Vec<bool> = verdicts.iter().map(Verdict::right).collect();
    let mut random = Random::new(seed);
    let mut shares: Vec<f64> = (0..DRAWN)
        .map(|_| {
            let hits = (0..right.len()).filter(|_| right.get(random.below(right.len())) == Some(&true)).count();
            hits as f64 / right.len() as f64
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let at = |place: usize| shares.get(place).copied().unwrap_or_default();
    (at(DRAWN / 40), at(DRAWN - 1 - DRAWN / 40))
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        writeln!(out, "# What was learned\n")?;
        writeln!(
            out,
            "{} examples, {} labels, {} phrases. {} of cases that the judging model had not seen are right (95 % \
             interval {} to {}; near-duplicates kept together).",
            self.rows,
            self.labels,
            self.phrases,
            percent(self.accuracy),
            percent(self.interval.0),
            percent(self.interval.1),
        )?;
        if self.learned < self.rows {
            writeln!(out, "\nThey are very many: {} of them, chosen by the seed, were learned from.", self.learned)?;
        }
        if self.unlabelled > 0 {
            writeln!(
                out,
                "\n{} lines say nothing (neither `label` nor a `not` that is the label of another line, or weight 0) and were left out.",
                self.unlabelled
            )?;
        }
        writeln!(
            out,
            "\nBelow the threshold {:.3} a person decides. It aims at {} right; above it are {} of the cases, {} of \
             them right.",
            self.threshold,
            percent(self.aim),
            percent(self.decided.share),
            percent(self.decided.accuracy),
        )?;
        writeln!(out, "\n## Coverage against accuracy\n\n| Surest | Least confidence | Right |\n|---:|---:|---:|")?;
        for step in &self.coverage {
            writeln!(out, "| {} | {:.3} | {} |", percent(step.share), step.confidence, percent(step.accuracy))?;
        }
        writeln!(out, "\n## Labels with fewer than {FEW} examples\n")?;
        if self.few.is_empty() {
            writeln!(out, "None.")?;
        } else {
            writeln!(
                out,
                "Too few to judge them by; leave them to people or find more.\n\n| Label | Examples |\n|---|---:|"
            )?;
            for few in &self.few {
                writeln!(out, "| {} | {} |", cell(&few.label), few.examples)?;
            }
        }
        writeln!(out, "\n## Most frequent mistakes\n\n| Is | Was taken for | Cases |\n|---|---|---:|")?;
        for (truth, said, count) in &self.mistakes {
            writeln!(out, "| {} | {} | {count} |", cell(truth), cell(said))?;
        }
        writeln!(out, "\n## Strongest phrases\n")?;
        for (label, phrases) in &self.strongest {
            let phrases: Vec<String> =
                phrases.iter().map(|(phrase, weight)| format!("{phrase} {weight:+.2}")).collect();
            writeln!(out, "- **{}**: {}", cell(label), phrases.join(" · "))?;
        }
        writeln!(out, "\n## Chosen by cross-validation\n\n| Setting | Value |\n|---|---|")?;
        for (key, value) in &self.chosen {
            writeln!(out, "| {key} | {value} |")?;
        }
        Ok(())
    }
}
