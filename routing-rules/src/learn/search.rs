//! Choosing how to learn, by cross-validation of the examples given.

use std::collections::BTreeMap;

use super::Options;
use super::corpus::{Corpus, Form};
use super::folds;
use super::matrix::{Columns, Matrix, View};
use super::parallel;
use super::solver::Weights;
use crate::learned::Norm;

/// How to learn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    /// The most characters of a phrase in scripts without spaces.
    pub(super) characters: u8,
    /// The most words of a phrase.
    pub(super) words: u8,
    /// Whether beginnings and pieces of words are phrases too.
    pub(super) form: Form,
    /// The fewest cases that must have a phrase.
    pub(super) fewest: u32,
    /// Whether phrases may count in the title or the text alone.
    pub(super) own: bool,
    /// The power of rarity.
    pub(super) rarity: f64,
    /// The power of length in the norm.
    pub(super) power: f64,
    /// What is added to a length, as a share of the mean length.
    pub(super) pivot: f64,
    /// What an error costs.
    pub(super) cost: f64,
    /// The power by which rare labels count more.
    pub(super) balance: f64,
    /// What a copy of an example with one of its two fields left out counts: a text without title must be judged as well.
    pub(super) half: f32,
    /// Rows judged right in cross-validation, of so many; before phrases were left out.
    pub(super) right: (usize, usize),
}

impl Choice {
    /// What is tried first.
    pub(super) const fn first() -> Self {
        Self {
            characters: 3,
            words: 2,
            form: Form::Beginning,
            fewest: 2,
            own: false,
            rarity: 1.0,
            power: 0.5,
            pivot: 0.3,
            cost: 0.5,
            balance: 0.0,
            half: 0.5,
            right: (0, 0),
        }
    }

    /// The norm of a field of that mean length.
    pub(super) fn norm(&self, mean_units: f64) -> Norm {
        Norm { pivot: (self.pivot * mean_units).round(), power: self.power }
    }

    /// In words, for the reader of the model.
    pub(super) fn told(&self, max_phrases: usize) -> BTreeMap<String, String> {
        let form = match self.form {
            Form::Whole => "whole words",
            Form::Beginning => "words and their beginnings",
            Form::Piece => "words and their pieces",
        };
        let fields = if self.own { "both, title, text" } else { "both" };
        [
            ("max_phrases", max_phrases.to_string()),
            ("most_characters", self.characters.to_string()),
            ("most_words", self.words.to_string()),
            ("word_forms", form.to_owned()),
            ("fewest_cases", self.fewest.to_string()),
            ("fields", fields.to_owned()),
            ("rarity_power", self.rarity.to_string()),
            ("pivot_share", self.pivot.to_string()),
            ("cost", self.cost.to_string()),
            ("balance", self.balance.to_string()),
            ("half_cases", self.half.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }
}

/// What cases with a field left out may count, the first unless another one is clearly better.
const HALVES: [f32; 3] = [0.5, 0.2, 1.0];
/// Folds by which that is chosen.
const HALVED_FOLDS: usize = 3;

/// A different way of doing one thing.
type Change = fn(&Choice, f64) -> Choice;

/// Searches one thing after the other, each from the best so far.
pub(super) fn search(
    corpus: &Corpus<'_>,
    folds: &[Vec<usize>],
    options: &Options,
    told: &(dyn Fn(&str) + Sync),
) -> Choice {
    let start = Choice::first();
    let two_fields = corpus.mean_units.iter().all(|mean| *mean > 0.0);
    let singles = corpus.kinds.iter().any(|kind| kind.cases == 1);
    let (words, characters) = (corpus.word_share > 0.2, corpus.word_share < 0.9);
    let steps: [(bool, Change, &[f64]); 11] = [
        (true, |choice, value| Choice { cost: value, ..choice.clone() }, &[0.125, 0.25, 1.0, 2.0]),
        (characters, |choice, value| Choice { characters: value as u8, ..choice.clone() }, &[2.0, 4.0]),
        (
            words,
            |choice, value| Choice { form: if value < 0.5 { Form::Whole } else { Form::Piece }, ..choice.clone() },
            &[0.0, 1.0],
        ),
        (words, |choice, value| Choice { words: value as u8, ..choice.clone() }, &[1.0, 3.0]),
        (singles, |choice, value| Choice { fewest: value as u32, ..choice.clone() }, &[1.0]),
        (true, |choice, value| Choice { fewest: value as u32, ..choice.clone() }, &[3.0]),
        (two_fields, |choice, _| Choice { own: true, ..choice.clone() }, &[1.0]),
        (true, |choice, value| Choice { pivot: value, ..choice.clone() }, &[0.0, 1.0]),
        (true, |choice, value| Choice { power: value, ..choice.clone() }, &[0.4, 0.6]),
        (true, |choice, value| Choice { balance: value, ..choice.clone() }, &[0.2, 0.4]),
        (true, |choice, value| Choice { cost: choice.cost * value, ..choice.clone() }, &[0.7, 1.4]),
    ];
    let mut best = judge(corpus, folds, vec![start.clone()], options, false).pop().unwrap_or(start);
    for (wanted, change, values) in steps {
        if !wanted {
            continue;
        }
        let tried = values.iter().map(|value| change(&best, *value)).collect();
        for choice in judge(corpus, folds, tried, options, false) {
            // A gain of less than one in two thousand is chance, and the simpler way stays.
            if choice.right.0 > best.right.0 + choice.right.1 / 2000 {
                best = choice;
            }
        }
        told(&format!("  {:.2} % right within the examples", percent(best.right)));
    }
    if two_fields {
        best.half = half(corpus, folds, &best, options);
    }
    best
}

/// What cases with one field left out should count, judged by whole cases, titles alone and texts alone, on some of the folds
/// since training with such cases takes twice as long.
fn half(corpus: &Corpus<'_>, folds: &[Vec<usize>], best: &Choice, options: &Options) -> f32 {
    let tried = HALVES.map(|half| Choice { half, ..best.clone() }).to_vec();
    let judged = judge(corpus, folds, tried, options, true);
    let first = judged.first().map_or((best.half, (0, 0)), |choice| (choice.half, choice.right));
    let (half, _) = judged.iter().fold(first, |kept, choice| {
        if choice.right.0 > kept.1.0 + choice.right.1 / 2000 { (choice.half, choice.right) } else { kept }
    });
    half
}

fn percent((right, all): (usize, usize)) -> f64 {
    100.0 * right as f64 / all.max(1) as f64
}

/// Cross-validates each choice; with `halves` also by titles and texts alone, on the first folds.
fn judge(
    corpus: &Corpus<'_>,
    folds: &[Vec<usize>],
    choices: Vec<Choice>,
    options: &Options,
    halves: bool,
) -> Vec<Choice> {
    let views: &[View] = if halves { &[View::All, View::Title, View::Text] } else { &[View::All] };
    let held = if halves { folds.len().min(HALVED_FOLDS) } else { folds.len() };
    let tasks: Vec<(usize, usize)> =
        (0..choices.len()).flat_map(|choice| (0..held).map(move |fold| (choice, fold))).collect();
    let judged = parallel::map(options.threads, &tasks, |(at, held)| {
        let Some(choice) = choices.get(*at) else { return (*at, 0, 0) };
        let rows = folds::others(folds, *held);
        let columns = Columns::new(corpus, &rows, choice);
        let matrix = Matrix::new(corpus, &rows, &columns, choice, halves);
        let weights = Weights::train(corpus, &matrix, columns.len(), (choice.cost, choice.balance), options.seed);
        let own = folds.get(*held).map(Vec::as_slice).unwrap_or_default();
        let mut tests = Matrix::default();
        let asked: Vec<usize> = own.iter().flat_map(|row| std::iter::repeat_n(*row, views.len())).collect();
        for (row, view) in asked.iter().zip(views.iter().cycle()) {
            tests.add(corpus, *row, &columns, choice, *view, 1.0);
        }
        let (mut right, mut all) = (0, 0);
        for (place, row) in asked.iter().enumerate() {
            if let Some(label) = corpus.rows.get(*row).and_then(|row| row.label) {
                all += 1;
                right += usize::from(best(&weights.scores(tests.row(place), corpus.labels)) == Some(label));
            }
        }
        (*at, right, all)
    });
    let mut choices = choices;
    for choice in &mut choices {
        choice.right = (0, 0);
    }
    for (at, right, all) in judged {
        if let Some(choice) = choices.get_mut(at) {
            choice.right = (choice.right.0 + right, choice.right.1 + all);
        }
    }
    choices
}

/// The place of the greatest score, the first of equal ones.
pub(super) fn best(scores: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (at, score) in scores.iter().enumerate() {
        if best.is_none_or(|(_, own)| *score > own) {
            best = Some((at, *score));
        }
    }
    best.map(|(at, _)| at)
}
