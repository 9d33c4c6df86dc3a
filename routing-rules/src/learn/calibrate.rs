//! From scores to the chance of being right, on cases that the scoring model had not seen.

use super::Options;
use super::corpus::Corpus;
use super::fit::Fit;
use super::matrix::View;
use super::search::{Choice, best};
use crate::learned::Confidence;

/// What a model that had not seen an example said of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) label: usize,
    /// Whether it has a title, and a text.
    has: [bool; 2],
    /// By title and text, by title alone, by text alone.
    says: [Said; 3],
}

/// The best label, its score and the next.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Said {
    label: usize,
    first: f64,
    second: f64,
}

/// A judgement as the model would make it: was it right, and how confident was it?
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub(super) truth: usize,
    pub(super) label: usize,
    pub(super) confidence: f64,
}

impl Verdict {
    pub(super) const fn right(&self) -> bool {
        self.truth == self.label
    }
}

impl Judged {
    /// Judges an example; `None` when it has no label.
    pub(super) fn new(corpus: &Corpus<'_>, fit: &Fit, choice: &Choice, row: usize) -> Option<Self> {
        let label = corpus.rows.get(row)?.label?;
        let said = |view: View| {
            let scores = fit.scores(corpus, choice, row, view);
            let label = best(&scores).unwrap_or_default();
            let first = scores.get(label).copied().unwrap_or_default();
            let others = scores.iter().enumerate().filter(|(at, _)| *at != label).map(|(_, score)| *score);
            let second = others.fold(f32::NEG_INFINITY, f32::max);
            let second = if second.is_finite() { second } else { 0.0 };
            Said { label, first: f64::from(first), second: f64::from(second) }
        };
        let has = [corpus.units_of(0, row) > 0, corpus.units_of(1, row) > 0];
        Some(Self { label, has, says: [View::All, View::Title, View::Text].map(said) })
    }

    /// What the model would say of it, and how sure it would be.
    pub(super) fn verdict(&self, confidence: &Confidence) -> Verdict {
        let [said, ..] = self.says;
        let sign = confidence.sign(said.first, said.second);
        Verdict { truth: self.label, label: said.label, confidence: confidence.at(self.has[0], self.has[1], sign) }
    }
}

/// Steps at most; each rests on enough cases for its share to mean something.
const MOST_STEPS: usize = 24;
/// The fewest cases of a step.
const FEWEST: usize = 25;

/// The steps of confidence, and the threshold that reaches the aim.
pub(super) fn calibrate(judged: &[Judged], options: &Options) -> (Confidence, f64) {
    let view = |view: usize, best: f64, title: bool, text: bool| -> Vec<(f64, bool)> {
        judged
            .iter()
            .filter(|case| (case.has[0] || !title) && (case.has[1] || !text))
            .filter_map(|case| {
                let said = case.says.get(view)?;
                Some((said.first - said.second + best * said.first, said.label == case.label))
            })
            .collect()
    };
    let (mut chosen, mut sharpest) = (0.0, f64::NEG_INFINITY);
    for best in [0.0, 0.25, 0.5, 1.0] {
        let sharp = sharpness(&mut view(0, best, false, false));
        if sharp > sharpest + 1e-4 {
            (chosen, sharpest) = (best, sharp);
        }
    }
    let all = steps(view(0, chosen, false, false));
    let of = |at: usize, title: bool, text: bool| {
        let own = view(at, chosen, title, text);
        if own.len() < 2 * FEWEST { all.clone() } else { steps(own) }
    };
    let confidence =
        Confidence { best: chosen, both: of(0, true, true), title: of(1, true, false), text: of(2, false, true) };
    let verdicts: Vec<Verdict> = judged.iter().map(|case| case.verdict(&confidence)).collect();
    let threshold = threshold(&verdicts, options.aim);
    (confidence, threshold)
}

/// The chance that a right case has a higher value than a wrong one.
fn sharpness(cases: &mut [(f64, bool)]) -> f64 {
    cases.sort_by(|one, two| one.0.total_cmp(&two.0));
    let (mut wrong, mut pairs) = (0_u64, 0_u64);
    for (_, right) in cases.iter() {
        if *right {
            pairs += wrong;
        } else {
            wrong += 1;
        }
    }
    pairs as f64 / (wrong * (cases.len() as u64 - wrong)).max(1) as f64
}

/// A bin of cases: the mean value, how many, how many right.
#[derive(Debug, Clone, Copy)]
struct Bin {
    value: f64,
    all: f64,
    right: f64,
}

impl Bin {
    /// The share of right ones, smoothed.
    fn share(&self) -> f64 {
        (self.right + 0.5) / (self.all + 1.0)
    }
}

/// Rising steps through the cases: bins of equal size, neighbours pooled until the shares rise (pool adjacent
/// violators, Ayer et al. 1955), with ends that go on rising, so that no two cases need be equally sure.
fn steps(mut cases: Vec<(f64, bool)>) -> Vec<[f64; 2]> {
    let (Some(low), Some(high)) = (
        cases.iter().map(|(value, _)| *value).min_by(f64::total_cmp),
        cases.iter().map(|(value, _)| *value).max_by(f64::total_cmp),
    ) else {
        return vec![[0.0, 0.0]];
    };
    cases.sort_by(|one, two| one.0.total_cmp(&two.0));
    let bins = (cases.len() / FEWEST).clamp(1, MOST_STEPS);
    let mut pooled: Vec<Bin> = Vec::new();
    for part in cases.chunks(cases.len().div_ceil(bins)) {
        let all = part.len() as f64;
        let value = part.iter().map(|(value, _)| value).sum::<f64>() / all;
        let right = part.iter().filter(|(_, right)| *right).count() as f64;
        let mut bin = Bin { value, all, right };
        while let Some(last) = pooled.last().filter(|last| last.share() >= bin.share()) {
            let total = last.all + bin.all;
            bin = Bin {
                value: (last.value * last.all + bin.value * bin.all) / total,
                all: total,
                right: last.right + bin.right,
            };
            pooled.pop();
        }
        pooled.push(bin);
    }
    let mut steps: Vec<[f64; 2]> = pooled.iter().map(|bin| [bin.value, bin.share()]).collect();
    let span = (high - low).max(0.1);
    if let (Some(first), Some(last)) = (steps.first().copied(), steps.last().copied()) {
        steps.insert(0, [low.min(first[0]) - span / 4.0, first[1] * 0.5]);
        steps.push([high.max(last[0]) + span / 2.0, 1.0 - (1.0 - last[1]) * 0.25]);
    }
    for step in &mut steps {
        *step = step.map(|number| (number * 1e4).round() / 1e4);
    }
    steps.dedup_by(|next, first| next[0] <= first[0]);
    steps
}

/// The lowest confidence above which the share of right ones reaches the aim; where none does, that above which it is
/// greatest.
fn threshold(verdicts: &[Verdict], aim: f64) -> f64 {
    let mut sorted = verdicts.to_vec();
    sorted.sort_by(|one, two| two.confidence.total_cmp(&one.confidence));
    let fewest = (sorted.len() / 50).clamp(10.min(sorted.len()), 200);
    let (mut right, mut lowest, mut greatest) = (0_usize, None, (0.0, 1.0));
    for (verdict, all) in sorted.iter().zip(1_usize..) {
        right += usize::from(verdict.right());
        let share = right as f64 / all as f64;
        if all < fewest {
            continue;
        }
        if share >= aim {
            lowest = Some(verdict.confidence);
        }
        if share > greatest.0 {
            greatest = (share, verdict.confidence);
        }
    }
    (lowest.unwrap_or(greatest.1) * 1e3).floor() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_and_meet_the_shares() {
        let cases: Vec<(f64, bool)> = (0..1000).map(|at| (f64::from(at) / 1000.0, at % 10 < at / 100)).collect();
        let steps = steps(cases);
        assert!(steps.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1]), "{steps:?}");
        let confidence = Confidence { best: 0.0, both: steps, title: vec![], text: vec![] };
        for (value, expected) in [(0.25, 0.2), (0.55, 0.5), (0.95, 0.9)] {
            let own = confidence.at(true, true, value);
            assert!((own - expected).abs() < 0.1, "{value}: {own}");
        }
    }

    #[test]
    fn the_threshold_reaches_the_aim() {
        let verdict =
            |at: usize| Verdict { truth: 0, label: usize::from(at % 100 >= at / 10), confidence: at as f64 / 1e3 };
        let verdicts: Vec<Verdict> = (0..1000).map(verdict).collect();
        let threshold = threshold(&verdicts, 0.8);
        let sure: Vec<&Verdict> = verdicts.iter().filter(|own| own.confidence >= threshold).collect();
        let share = sure.iter().filter(|own| own.right()).count() as f64 / sure.len() as f64;
        assert!((0.78..0.85).contains(&share), "{share} at {threshold}");
    }
}
