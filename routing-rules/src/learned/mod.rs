//! Learned phrases: what `learned/` of a pack holds, and how it scores a text.
//!
//! A label's score is its base plus, for title and text each, the sum of the weights of the phrases found there, divided
//! by a norm that grows with the length of that field. Nothing else enters, so that every score can be shown as a sum.
//!
//! Map: `model` is `learned/model.toml`, `table` is `learned/phrases.tsv`, `matcher` finds and adds up, `cache` keeps
//! what loading makes of the text, `trained` is `learned/trained.txt`.

mod cache;
mod matcher;
mod model;
mod table;
mod trained;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::calendar;
use crate::decision::{Field, Ranked};
use crate::fold::{Folded, is_word};
use crate::source::{Problem, SourceFile};

pub(crate) use matcher::{Counter, Outcome, repeated, units};
pub(crate) use model::{Base, Confidence, Model, Norm, Norms, Period, Trained};
use table::Table;
pub(crate) use table::{header, line};
pub use trained::fingerprint;
pub(crate) use trained::{listed, summed};

use matcher::Matcher;

/// The settings of learned phrases, within a pack.
pub(crate) const MODEL: &str = "learned/model.toml";
/// The phrases and their weights.
pub(crate) const PHRASES: &str = "learned/phrases.tsv";
/// Fingerprints of what they were learned from.
pub(crate) const TRAINED: &str = "learned/trained.txt";

/// The files that are read.
pub(crate) const FILES: [&str; 3] = [MODEL, PHRASES, TRAINED];

/// Where a learned phrase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhraseField {
    /// In title and text, each divided by its own norm.
    Both,
    /// In the title only.
    Title,
    /// In the text only.
    Text,
}

impl PhraseField {
    /// Every field, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Both, Self::Title, Self::Text];

    /// The word used in `phrases.tsv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Title => "title",
            Self::Text => "text",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

/// Learned phrases, ready to score.
pub struct Learned {
    model: Model,
    table: Table,
    matcher: Matcher,
    /// Sorted.
    trained: Vec<u64>,
    /// SHA-256 of the texts it was made of.
    digest: [u8; 32],
    from_cache: bool,
}

impl std::fmt::Debug for Learned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Learned")
            .field("labels", &self.table.labels)
            .field("phrases", &self.table.phrases.len())
            .finish_non_exhaustive()
    }
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl Learned {
    /// SHA-256 over the files of `learned/`, hexadecimal: what a cache of them is named by. `None` when the pack has none.
    #[must_use]
    pub fn digest_of(files: &[SourceFile]) -> Option<String> {
        let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
        let digest = digest(&[text(MODEL)?, text(PHRASES)?, text(TRAINED).unwrap_or_default()]);
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads the files of `learned/`; `None` when the pack has none. `cache` is what [`Learned::to_cache`] gave for
    /// them; one that is for other texts, or broken, is ignored.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn read(files: &[SourceFile], cache: Option<&[u8]>) -> Result<Option<Self>, Vec<Problem>> {
        let find = |path: &str| files.iter().find(|file| file.path == path);
        let Some(settings) = find(MODEL) else {
            return match find(PHRASES) {
                Some(file) => Err(vec![whole(&file.path, "there is no learned/model.toml beside it")]),
                None => Ok(None),
            };
        };
        let Some(phrases) = find(PHRASES) else {
            return Err(vec![whole(MODEL, "there is no learned/phrases.tsv beside it")]);
        };
        let trained = find(TRAINED).map_or("", |file| file.text.as_str());
        let digest = digest(&[&settings.text, &phrases.text, trained]);
        let model = Model::read(settings).map_err(|problem| vec![problem])?;
        if let Some((table, matcher, trained)) = cache.and_then(|bytes| cache::read(bytes, &digest)) {
            return Ok(Some(Self { model, table, matcher, trained, digest, from_cache: true }));
        }
        let table = Table::read(phrases)?;
        let unknown: Vec<Problem> = model
            .labels()
            .filter(|label| !table.labels.iter().any(|own| own == label))
            .map(|label| whole(MODEL, &format!("`{label}` is no column of phrases.tsv")))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let matcher = Matcher::build(&table).map_err(|message| vec![whole(PHRASES, &message)])?;
        let trained = trained::read(trained).map_err(|line| {
            vec![Problem { line, ..whole(TRAINED, "this is not a fingerprint of 16 hexadecimal digits") }]
        })?;
        Ok(Some(Self { model, table, matcher, trained, digest, from_cache: false }))
    }

    /// What loading made of the texts, to be kept by the caller and handed to [`Learned::read`] the next time. It holds
    /// the SHA-256 of the texts, so that it is used for no others.
    #[must_use]
    pub fn to_cache(&self) -> Vec<u8> {
        cache::write(&self.table, &self.matcher, &self.trained, &self.digest)
    }

    /// Whether it came from the cache; if not, the caller may write [`Learned::to_cache`].
    #[must_use]
    pub const fn from_cache(&self) -> bool {
        self.from_cache
    }

    /// The labels, in the order of the columns.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.table.labels
    }

    /// How many phrases there are.
    #[must_use]
    pub fn phrases(&self) -> usize {
        self.table.phrases.len()
    }

    /// The confidence below which a person decides.
    #[must_use]
    pub const fn threshold(&self) -> f64 {
        self.model.threshold
    }

    /// Whether a case was learned from, by [`fingerprint`] of its id, or of its title and text where it has none.
    #[must_use]
    pub fn trained_on(&self, fingerprint: u64) -> bool {
        self.trained.binary_search(&fingerprint).is_ok()
    }

    /// The first and last day of what was learned from, if it had dates.
    #[must_use]
    pub fn period(&self) -> Option<(NaiveDate, NaiveDate)> {
        let trained = &self.model.trained;
        Some((calendar::day(trained.from.as_deref()?)?, calendar::day(trained.to.as_deref()?)?))
    }

    /// SHA-256 over the sorted fingerprints of what was learned from, hexadecimal.
    #[must_use]
    pub fn trained_digest(&self) -> &str {
        &self.model.trained.digest
    }

    /// The item a label stands for, by the place of the label: `[items]` of the model, else the label itself.
    pub(crate) fn item_of(&self, label: usize) -> &str {
        let label = self.table.labels.get(label).map_or("", String::as_str);
        self.model.items.get(label).map_or(label, String::as_str)
    }

    /// The items of all labels.
    pub(crate) fn items(&self) -> impl Iterator<Item = &str> {
        (0..self.table.labels.len()).map(|label| self.item_of(label))
    }

    /// Tells labels that stand for no item.
    pub(crate) fn check_items(&self, known: impl Fn(&str) -> bool, problems: &mut Vec<Problem>) {
        let model = self.model.items.keys().filter(|label| !self.table.labels.contains(label));
        problems.extend(model.map(|label| whole(MODEL, &format!("[items] names `{label}`, which is no label"))));
        problems.extend(self.items().filter(|item| !known(item)).map(|item| Problem {
            advice: "name the pack's item for this label: [items] \"label\" = \"item id\"".to_owned(),
            ..whole(MODEL, &format!("there is no item `{item}`"))
        }));
    }

    /// Judges by learned phrases alone, without rules: the labels with their scores, best first, and the calibrated
    /// chance that the first is right.
    #[must_use]
    pub fn judge(&self, title: Option<&str>, text: &str) -> (Vec<Ranked>, f64) {
        let folded = [title.unwrap_or_default(), text].map(Folded::new);
        let outcome = Counter::lend(|counter| self.score(Some(&folded[0].text), &folded[1].text, counter));
        let ranked = outcome.ranked.iter().map(|(label, score)| Ranked {
            item: self.labels().get(*label).cloned().unwrap_or_default(),
            score: *score,
        });
        (ranked.collect(), outcome.confidence)
    }

    /// Scores folded texts.
    pub(crate) fn score(&self, title: Option<&str>, text: &str, counter: &mut Counter) -> Outcome {
        counter.score(&self.model, &self.table, &self.matcher, title.unwrap_or_default(), text)
    }

    /// What the strongest phrases added to a label's score, after [`Learned::score`] of the same counter, with the
    /// sum of the others.
    pub(crate) fn shares(&self, counter: &Counter, label: usize, most: usize) -> (Vec<LearnedPhrase>, f64) {
        counter.shares(&self.table, label, most)
    }

    /// Where a phrase, written as in `phrases.tsv`, stands in a text: characters of the original as (first, past the last).
    #[must_use]
    pub fn places(text: &str, phrase: &str) -> Vec<(u32, u32)> {
        let (open_start, open_end) = (phrase.starts_with('*'), phrase.ends_with('*'));
        let (text, phrase) = (Folded::new(text), Folded::new(phrase.trim_matches('*')).text);
        if phrase.is_empty() {
            return Vec::new();
        }
        let words = |one: Option<char>, other: Option<char>| one.is_some_and(is_word) && other.is_some_and(is_word);
        let found = text.text.match_indices(phrase.as_str()).filter(|(start, _)| {
            let before = text.text.get(..*start).and_then(|before| before.chars().next_back());
            let after = text.text.get(start + phrase.len()..).and_then(|after| after.chars().next());
            (open_start || !words(before, phrase.chars().next()))
                && (open_end || !words(phrase.chars().next_back(), after))
        });
        found.map(|(start, own)| text.original(start, start + own.len())).collect()
    }

    /// The base of a label.
    pub(crate) fn base(&self, label: usize) -> f64 {
        self.model.bases.get(label).copied().unwrap_or_default()
    }
}

/// A learned phrase in a decision.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LearnedPhrase {
    /// As `phrases.tsv` has it.
    pub phrase: String,
    /// Where it was found: `subject` or `text`.
    pub field: Field,
    /// How often.
    pub times: u32,
    /// Its weight for the label, as `phrases.tsv` has it.
    pub weight: f64,
    /// What it added to the score: weight x (1 + ln times) / norm of the field.
    pub share: f64,
}

/// How learned phrases judged; `base` + the shares of `phrases` + `others` is the score.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LearnedTrace {
    /// The item they speak for.
    pub item: String,
    /// Its score.
    pub score: f64,
    /// The next item and its score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<Ranked>,
    /// The calibrated chance that the item is right.
    pub confidence: f64,
    /// The confidence below which they leave it to a person.
    pub threshold: f64,
    /// What the item's score begins with.
    pub base: f64,
    /// What sums of the subject are divided by.
    pub subject_norm: f64,
    /// What sums of the text are divided by.
    pub text_norm: f64,
    /// The phrases that added or took most, strongest first.
    pub phrases: Vec<LearnedPhrase>,
    /// The sum of the shares of all other phrases found.
    pub others: f64,
}

fn whole(path: &str, message: &str) -> Problem {
    Problem {
        file: path.to_owned(),
        line: 0,
        excerpt: String::new(),
        message: message.to_owned(),
        advice: "learn again with `yingda rules learn`".to_owned(),
    }
}

/// Labels to their places.
fn places(labels: &[String]) -> BTreeMap<&str, usize> {
    labels.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect()
}
