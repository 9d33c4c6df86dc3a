//! `learned/model.toml`: everything of learned phrases but the phrases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::source::{Problem, SourceFile};

/// The settings by which phrases are added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// The version of this file's form.
    format: u32,
    /// The confidence below which a person decides.
    pub(crate) threshold: f64,
    /// The share of right ones that the threshold was chosen for.
    pub(crate) aim: f64,
    /// What the sums of each field are divided by.
    pub(crate) norm: Norms,
    /// How a score becomes a confidence.
    pub(crate) confidence: Confidence,
    /// What it was learned from.
    pub(crate) trained: Trained,
    /// How it was learned, for the reader.
    #[serde(default)]
    pub(crate) chosen: BTreeMap<String, String>,
    /// Label to item id of the pack, where they differ.
    #[serde(default)]
    pub(crate) items: BTreeMap<String, String>,
    /// What each label's score begins with.
    base: Vec<Base>,
    /// `base` as numbers alone, in the order of the labels.
    #[serde(skip)]
    pub(crate) bases: Vec<f64>,
}

/// What a label's score begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Base {
    pub(crate) label: String,
    /// Cases of this label learned from.
    pub(crate) cases: u64,
    pub(crate) base: f64,
}

/// What the sums of each field are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Norms {
    pub(crate) title: Norm,
    pub(crate) text: Norm,
}

/// (units of the field + pivot) to a power; a unit is a character of a script without spaces, a word counts two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Norm {
    pub(crate) pivot: f64,
    pub(crate) power: f64,
}

impl Norm {
    /// The norm of a field of so many units; never less than 1.
    pub(crate) fn of(self, units: u32) -> f64 {
        let length = f64::from(units) + self.pivot;
        let norm = if (self.power - 0.5).abs() < 1e-9 { length.sqrt() } else { length.powf(self.power) };
        norm.max(1.0)
    }
}

/// How lead and score become a confidence: `lead + best x score` is looked up among steps, with straight lines between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confidence {
    pub(crate) best: f64,
    /// With title and text: pairs of a value and the confidence there, both rising.
    pub(crate) both: Vec<[f64; 2]>,
    /// With nothing but a title.
    pub(crate) title: Vec<[f64; 2]>,
    /// With nothing but a text.
    pub(crate) text: Vec<[f64; 2]>,
}

impl Confidence {
    /// The value that is looked up.
    pub(crate) fn sign(&self, first: f64, second: f64) -> f64 {
        first - second + self.best * first
    }

    /// The confidence for a value, by which fields there were; 0 without any.
    pub(crate) fn at(&self, title: bool, text: bool, sign: f64) -> f64 {
        match (title, text) {
            (true, true) => along(&self.both, sign),
            (true, false) => along(&self.title, sign),
            (false, true) => along(&self.text, sign),
            (false, false) => 0.0,
        }
    }
}

/// The line through the steps at `x`, level before the first and after the last.
fn along(steps: &[[f64; 2]], x: f64) -> f64 {
    let after = steps.partition_point(|[at, _]| *at <= x);
    let before = after.checked_sub(1).and_then(|before| steps.get(before));
    match (before, steps.get(after)) {
        (Some([x0, y0]), Some([x1, y1])) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (Some([_, y]), None) | (None, Some([_, y])) => *y,
        (None, None) => 0.0,
    }
}

/// What was learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trained {
    pub(crate) rows: u64,
    /// SHA-256 over `trained.txt`.
    pub(crate) digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    pub(crate) seed: u64,
}

/// Dates of what was learned from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Period {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Model {
    /// Puts one together.
    pub(crate) fn new(
        (threshold, aim): (f64, f64),
        norm: Norms,
        confidence: Confidence,
        trained: Trained,
        chosen: BTreeMap<String, String>,
        base: Vec<Base>,
    ) -> Self {
        let bases = base.iter().map(|base| base.base).collect();
        Self { format: 1, threshold, aim, norm, confidence, trained, chosen, items: BTreeMap::new(), base, bases }
    }

    /// The labels in order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.base.iter().map(|base| base.label.as_str())
    }

    /// Reads the file.
    pub(super) fn read(file: &SourceFile) -> Result<Self, Problem> {
        let problem = |line: usize, message: String| Problem {
            file: file.path.clone(),
            line,
            excerpt: line
                .checked_sub(1)
                .and_then(|at| file.text.lines().nth(at))
                .map(|line| line.trim().chars().take(120).collect())
                .unwrap_or_default(),
            message,
            advice: "correct it, or learn again with `yingda rules learn`".to_owned(),
        };
        let mut model: Self = toml::from_str(&file.text).map_err(|error| {
            let before = error.span().and_then(|span| file.text.get(..span.start)).unwrap_or_default();
            problem(before.matches('\n').count() + 1, error.message().to_owned())
        })?;
        let finite = |number: f64| number.is_finite() && number.abs() <= 1e6;
        let rising = |steps: &[[f64; 2]]| {
            let pairs = steps.iter().zip(steps.iter().skip(1));
            steps.iter().all(|[x, y]| finite(*x) && (0.0..=1.0).contains(y))
                && pairs.into_iter().all(|([x0, y0], [x1, y1])| x0 < x1 && y0 <= y1)
        };
        let Confidence { best, both, title, text } = &model.confidence;
        let norms = [model.norm.title, model.norm.text];
        let wrong = if model.format != 1 {
            Some("this form of learned phrases is not known here")
        } else if !(0.0..=1.0).contains(&model.threshold) || !(0.0..=1.0).contains(&model.aim) {
            Some("threshold and aim are from 0 to 1")
        } else if !norms.iter().all(|norm| (0.0..=1e6).contains(&norm.pivot) && (0.0..=1.0).contains(&norm.power)) {
            Some("a norm has a pivot from 0 and a power from 0 to 1")
        } else if !finite(*best) || *best < 0.0 || ![both, title, text].into_iter().all(|steps| rising(steps)) {
            Some("the steps of confidence must rise, from 0 to 1")
        } else if !model.base.iter().all(|base| finite(base.base)) {
            Some("a base is a number")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Err(problem(0, wrong.to_owned()));
        }
        model.bases = model.base.iter().map(|base| base.base).collect();
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_steps() {
        let steps = [[0.0, 0.2], [1.0, 0.6], [2.0, 0.9]];
        for (x, expected) in [(-1.0, 0.2), (0.0, 0.2), (0.5, 0.4), (1.5, 0.75), (9.0, 0.9)] {
            assert!((along(&steps, x) - expected).abs() < 1e-9, "{x}");
        }
        assert!(along(&[], 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_norm_is_never_below_one() {
        let norm = Norm { pivot: 0.0, power: 0.5 };
        assert!((norm.of(0) - 1.0).abs() < 1e-9);
        assert!((norm.of(16) - 4.0).abs() < 1e-9);
        assert!((Norm { pivot: 11.0, power: 1.0 }.of(16) - 27.0).abs() < 1e-9);
    }
}
