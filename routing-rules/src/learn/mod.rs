//! Learning: from a city's labelled history to the files of `learned/`.
//!
//! A linear support vector machine for each label (squared hinge loss, dual coordinate descent, as in Fan et al.,
//! LIBLINEAR, 2008) over phrases that the texts themselves have: n-grams of characters for scripts without spaces, of
//! words and their beginnings for others. The weakest phrases are left out again and again, each time training anew
//! with what is left. How long phrases may be, how strictly to train and the like is chosen by cross-validation of the
//! examples given; confidence is calibrated on scores of cases that the scoring model had not seen (isotonic steps,
//! Zadrozny & Elkan 2002), near-duplicates kept on one side.
//!
//! Pure: no file, clock or environment; the same examples and options give the same bytes with any number of threads.

mod calibrate;
mod corpus;
mod example;
mod fit;
mod folds;
mod matrix;
mod parallel;
mod random;
mod report;
mod search;
mod solver;

use chrono::NaiveDate;

use crate::calendar;
use crate::learned::{self, Base, Confidence, Model, Norms, Period, Trained};
use crate::source::SourceFile;

pub use example::{Example, Label, Refused};
pub use report::{Coverage, Few, Report};

use calibrate::Judged;
use corpus::Corpus;
use fit::Fit;
use search::Choice;

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The most phrases kept (lines of `phrases.tsv`), from 1.
    pub max_phrases: usize,
    /// What shuffling begins with.
    pub seed: u64,
    /// The share of right ones that the threshold aims at, 0 to 1.
    pub aim: f64,
    /// How many threads work; changes nothing but the time.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_phrases: 30_000, seed: 1, aim: 0.9, threads: 1 }
    }
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// The files of `learned/`, to be written as they are.
    pub files: Vec<SourceFile>,
    /// How good it is.
    pub report: Report,
}

/// Folds of the cross-validation.
const FOLDS: usize = 5;
/// What one training within the cross-validation may cost: phrases of all rows, times labels by eights.
const MOST_SEARCHED: usize = 14_000_000;
/// What the last training may cost, in the same measure.
const MOST_LEARNED: usize = 120_000_000;

/// Learns from examples; `told` hears what is being done.
///
/// # Errors
/// Why nothing can be learned from them.
pub fn learn(examples: &[Example], options: &Options, told: &(dyn Fn(&str) + Sync)) -> Result<Lesson, Refused> {
    let lessons = example::Rows::new(examples)?;
    told(&format!("{} examples of {} labels", lessons.rows.len(), lessons.labels.len()));
    let corpus = Corpus::new(&lessons, options.threads);
    let blocks = lessons.labels.len().div_ceil(solver::LANES);
    let rows: Vec<usize> = (0..lessons.rows.len()).collect();
    let learned = random::sample(&rows, corpus.cost() * blocks, MOST_LEARNED, options.seed);
    let searched = random::sample(&learned, corpus.cost_of(&learned) * blocks, MOST_SEARCHED, options.seed);
    let groups = folds::groups(&lessons, &searched);
    let folds = folds::split(&lessons, &searched, &groups, FOLDS, options.seed);
    told(&format!("{} phrases found; choosing how to learn", corpus.len()));
    let choice = search::search(&corpus, &folds, options, told);
    told("training");
    let (judged, fit) = train(&corpus, &folds, &learned, &choice, options);
    let (confidence, threshold) = calibrate::calibrate(&judged, options);
    let report = Report::new(&lessons, &corpus, &choice, &fit, learned.len(), &judged, &confidence, threshold, options);
    let files = files(&lessons, &corpus, &choice, &fit, &learned, confidence, threshold, options, &report);
    Ok(Lesson { files, report })
}

/// Trains on all but one fold each, to judge that one, and on everything.
fn train(
    corpus: &Corpus<'_>,
    folds: &[Vec<usize>],
    learned: &[usize],
    choice: &Choice,
    options: &Options,
) -> (Vec<Judged>, Fit) {
    let tasks: Vec<Option<usize>> = std::iter::once(None).chain((0..folds.len()).map(Some)).collect();
    let mut fits: Vec<(Option<Fit>, Vec<Judged>)> = parallel::map(options.threads, &tasks, |held| match held {
        None => (Some(Fit::new(corpus, learned, choice, options)), Vec::new()),
        Some(held) => {
            let others = folds::others(folds, *held);
            let fit = Fit::new(corpus, &others, choice, options);
            let own = folds.get(*held).map(Vec::as_slice).unwrap_or_default();
            (None, own.iter().filter_map(|row| Judged::new(corpus, &fit, choice, *row)).collect())
        }
    });
    let judged = fits.iter_mut().flat_map(|(_, judged)| std::mem::take(judged)).collect();
    let fit = fits.into_iter().find_map(|(fit, _)| fit).unwrap_or_default();
    (judged, fit)
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of the files")]
fn files(
    lessons: &example::Rows<'_>,
    corpus: &Corpus<'_>,
    choice: &Choice,
    fit: &Fit,
    rows: &[usize],
    confidence: Confidence,
    threshold: f64,
    options: &Options,
    report: &Report,
) -> Vec<SourceFile> {
    let mut fingerprints: Vec<u64> =
        rows.iter().filter_map(|row| lessons.rows.get(*row)).map(|row| row.fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    let trained = learned::listed(&fingerprints);
    let period = period(lessons, rows);
    let base = lessons
        .labels
        .iter()
        .zip(&fit.bases)
        .zip(&lessons.counts)
        .map(|((label, base), cases)| Base {
            label: label.clone(),
            cases: *cases,
            base: (f64::from(*base) * 1e4).round() / 1e4,
        })
        .collect();
    let model = Model::new(
        (threshold, options.aim),
        Norms { title: choice.norm(corpus.mean_units[0]), text: choice.norm(corpus.mean_units[1]) },
        confidence,
        Trained {
            rows: rows.len() as u64,
            digest: learned::summed(&trained),
            from: period.from,
            to: period.to,
            seed: options.seed,
        },
        choice.told(options.max_phrases),
        base,
    );
    let text = toml::to_string(&model).unwrap_or_default();
    let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
    vec![
        file(learned::MODEL, format!("{}{text}", report::MODEL_HEAD)),
        file(learned::PHRASES, fit.table(corpus, lessons)),
        file(learned::TRAINED, trained),
        file("learned/report.md", report.to_string()),
    ]
}

/// The first and last day of the examples that have a date.
fn period(lessons: &example::Rows<'_>, rows: &[usize]) -> Period {
    let days = || rows.iter().filter_map(|row| calendar::day(lessons.rows.get(*row)?.date?));
    let written = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    Period { from: written(days().min()), to: written(days().max()) }
}

#[cfg(test)]
mod tests;
