//! A trained model with no more phrases than were asked for.

use super::Options;
use super::corpus::{Corpus, Form};
use super::example::Rows;
use super::matrix::{Columns, Matrix, View};
use super::search::Choice;
use super::solver::Weights;
use crate::learned::{header, line};

/// The share of phrases kept from one training to the next.
const KEPT: f64 = 0.3;

/// A trained model.
#[derive(Debug, Default)]
pub(super) struct Fit {
    columns: Columns,
    weights: Weights,
    /// What each label's score begins with.
    pub(super) bases: Vec<f32>,
}

impl Fit {
    /// Trains; leaves out the weakest phrases and trains again until they are few enough.
    pub(super) fn new(corpus: &Corpus<'_>, rows: &[usize], choice: &Choice, options: &Options) -> Self {
        let mut columns = Columns::new(corpus, rows, choice);
        loop {
            let matrix = Matrix::new(corpus, rows, &columns, choice, true);
            let weights = Weights::train(corpus, &matrix, columns.len(), (choice.cost, choice.balance), options.seed);
            if columns.len() <= options.max_phrases {
                let bases = weights.bases(corpus.labels);
                return Self { columns, weights, bases };
            }
            let keep = options.max_phrases.max((columns.len() as f64 * KEPT) as usize);
            let strength = weights.strength(&matrix, columns.len(), corpus.labels);
            let mut order: Vec<usize> = (0..columns.len()).collect();
            let own = |at: usize| strength.get(at).copied().unwrap_or_default();
            order.sort_by(|one, two| own(*two).total_cmp(&own(*one)).then(one.cmp(two)));
            let mut kept = vec![false; columns.len()];
            for at in order.into_iter().take(keep) {
                if let Some(kept) = kept.get_mut(at) {
                    *kept = true;
                }
            }
            columns = columns.keep(&kept);
        }
    }

    /// How many phrases it has.
    pub(super) const fn len(&self) -> usize {
        self.columns.len()
    }

    /// The scores of an example for each label.
    pub(super) fn scores(&self, corpus: &Corpus<'_>, choice: &Choice, row: usize, view: View) -> Vec<f32> {
        let mut matrix = Matrix::default();
        matrix.add(corpus, row, &self.columns, choice, view, 1.0);
        self.weights.scores(matrix.row(0), corpus.labels)
    }

    /// The weights of a column as a text has them: rarity is part of them.
    fn weights(&self, column: usize, labels: usize) -> impl Iterator<Item = f32> + '_ {
        let rarity = self.columns.rarity.get(column).copied().unwrap_or_default();
        self.weights.column(column, labels).map(move |weight| weight * rarity)
    }

    /// The strongest phrases of a label, as written, with their weights.
    pub(super) fn strongest(&self, corpus: &Corpus<'_>, label: usize, most: usize) -> Vec<(String, f32)> {
        let mut all: Vec<(f32, usize)> = (0..self.len())
            .map(|column| {
                let cases = self.columns.cases.get(column).copied().unwrap_or_default();
                let weight = self.weights(column, corpus.labels).nth(label).unwrap_or_default();
                (weight * (cases as f32).sqrt(), column)
            })
            .filter(|(strength, _)| *strength > 0.0)
            .collect();
        all.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
        all.into_iter()
            .take(most)
            .filter_map(|(_, column)| {
                let (phrase, _) = self.columns.phrases.get(column)?;
                let (open_start, open_end) = open(corpus.kinds.get(*phrase as usize)?.form);
                let star = |open: bool| if open { "*" } else { "" };
                let written = format!("{}{}{}", star(open_start), corpus.phrase(*phrase), star(open_end));
                Some((written, self.weights(column, corpus.labels).nth(label)?))
            })
            .collect()
    }

    /// `phrases.tsv`, sorted by phrase.
    pub(super) fn table(&self, corpus: &Corpus<'_>, lessons: &Rows<'_>) -> String {
        let labels = lessons.labels.len();
        let squares: f64 =
            (0..self.len()).flat_map(|column| self.weights(column, labels)).map(|w| f64::from(w * w)).sum();
        let mean = (squares / (self.len() * labels).max(1) as f64).sqrt();
        // A fiftieth of a typical weight is below what any decision turns on.
        let digits = if mean > 0.0 { (-(mean * 0.02).log10()).ceil().clamp(1.0, 7.0) as i32 } else { 3 };
        let scale = 10_f64.powi(digits);
        let mut order: Vec<(&str, Form, usize)> = (0..self.len())
            .filter_map(|column| {
                let (phrase, _) = self.columns.phrases.get(column)?;
                Some((corpus.phrase(*phrase), corpus.kinds.get(*phrase as usize)?.form, column))
            })
            .collect();
        order.sort_unstable();
        let mut text = header(lessons.labels.iter().map(String::as_str));
        text.push('\n');
        for (word, form, column) in order {
            let weights: Vec<(usize, f32)> = self
                .weights(column, labels)
                .map(|weight| ((f64::from(weight) * scale).round() / scale) as f32)
                .enumerate()
                .filter(|(_, weight)| *weight != 0.0)
                .collect();
            let Some(((_, field), cases)) = self.columns.phrases.get(column).zip(self.columns.cases.get(column)) else {
                continue;
            };
            let (open_start, open_end) = open(form);
            line(&mut text, (word, open_start, open_end), *field, *cases, labels, &weights);
        }
        text
    }
}

/// Where a word may go on.
const fn open(form: Form) -> (bool, bool) {
    match form {
        Form::Whole => (false, false),
        Form::Beginning => (false, true),
        Form::Piece => (true, true),
    }
}
