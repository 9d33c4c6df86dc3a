//! Finding learned phrases in one pass over a folded text, and adding up their weights.

use std::cell::RefCell;

use daachorse::{CharwiseDoubleArrayAhoCorasick, CharwiseDoubleArrayAhoCorasickBuilder};

use super::model::Model;
use super::table::Table;
use super::{LearnedPhrase, PhraseField};
use crate::decision::Field;
use crate::fold::is_word;

/// Finds the words of a table.
pub(crate) struct Matcher {
    pub(super) automaton: CharwiseDoubleArrayAhoCorasick<u32>,
    /// For each different word the phrase past its last; they begin where those of the word before end.
    pub(super) ends: Vec<u32>,
}

impl Matcher {
    /// Builds it; the phrases must be sorted by word.
    ///
    /// # Errors
    /// Why there can be none.
    pub(super) fn build(table: &Table) -> Result<Self, String> {
        let mut words: Vec<&str> = Vec::new();
        let mut ends: Vec<u32> = Vec::new();
        for (phrase, end) in table.phrases.iter().zip(1_u32..) {
            let word = table.word(phrase);
            match ends.last_mut() {
                Some(last) if words.last() == Some(&word) => *last = end,
                _ => {
                    words.push(word);
                    ends.push(end);
                }
            }
        }
        // The automaton cannot be empty; a private-use character is never in a folded text.
        if words.is_empty() {
            words.push("\u{E000}");
            ends.push(0);
        }
        let automaton =
            CharwiseDoubleArrayAhoCorasickBuilder::new().build(&words).map_err(|error| error.to_string())?;
        Ok(Self { automaton, ends })
    }
}

/// What learned phrases say of an appeal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// Label and score, best first, ties in order of the labels.
    pub(crate) ranked: Vec<(usize, f64)>,
    /// The calibrated chance that the first is right.
    pub(crate) confidence: f64,
    /// What the sums of title and text were divided by.
    pub(crate) norms: [f64; 2],
}

/// Buffers for counting, kept between texts.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    /// How often each phrase was found in the field at hand; all zero between fields.
    times: Vec<u32>,
    /// Field, phrase, how often, for both fields.
    found: Vec<(u8, u32, u32)>,
    norms: [f64; 2],
}

thread_local! {
    static COUNTER: RefCell<Counter> = RefCell::new(Counter::default());
}

/// Units of a folded text: a character of a script without spaces is one, a word two.
pub(crate) fn units(folded: &str) -> u32 {
    let (mut units, mut inside) = (0, false);
    for character in folded.chars() {
        let word = is_word(character);
        units += if word { if inside { 0 } else { 2 } } else { u32::from(character.is_alphanumeric()) };
        inside = word;
    }
    units
}

/// What a phrase found so often counts: 1, 1.69, 2.1, 2.39 ...
pub(crate) fn repeated(times: u32) -> f64 {
    if times == 1 { 1.0 } else { 1.0 + f64::from(times.max(1)).ln() }
}

impl Counter {
    /// Lends this thread's buffers.
    pub(crate) fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        COUNTER.with_borrow_mut(work)
    }

    fn count(&mut self, table: &Table, matcher: &Matcher, field: u8, folded: &str) {
        self.times.resize(table.phrases.len(), 0);
        let from = self.found.len();
        let other = if field == 0 { PhraseField::Text } else { PhraseField::Title };
        for hit in matcher.automaton.find_overlapping_iter(folded) {
            let word = hit.value() as usize;
            let first = word.checked_sub(1).and_then(|before| matcher.ends.get(before)).copied().unwrap_or_default();
            let end = matcher.ends.get(word).copied().unwrap_or_default();
            for at in first..end {
                let Some(phrase) = table.phrases.get(at as usize) else { continue };
                if phrase.field == other {
                    continue;
                }
                let before = || folded.get(..hit.start()).and_then(|text| text.chars().next_back());
                let after = || folded.get(hit.end()..).and_then(|text| text.chars().next());
                if (phrase.bound[0] && before().is_some_and(is_word))
                    || (phrase.bound[1] && after().is_some_and(is_word))
                {
                    continue;
                }
                if let Some(times) = self.times.get_mut(at as usize) {
                    if *times == 0 {
                        self.found.push((field, at, 0));
                    }
                    *times += 1;
                }
            }
        }
        for (_, at, times) in self.found.get_mut(from..).unwrap_or_default() {
            if let Some(counted) = self.times.get_mut(*at as usize) {
                *times = std::mem::take(counted);
            }
        }
    }

    /// Scores folded texts.
    pub(super) fn score(
        &mut self,
        model: &Model,
        table: &Table,
        matcher: &Matcher,
        title: &str,
        text: &str,
    ) -> Outcome {
        self.found.clear();
        let units = [units(title), units(text)];
        self.norms = [model.norm.title.of(units[0]), model.norm.text.of(units[1])];
        let mut scores = model.bases.clone();
        scores.resize(table.labels.len(), 0.0);
        for (field, folded) in [(0, title), (1, text)] {
            let from = self.found.len();
            self.count(table, matcher, field, folded);
            let norm = self.norms.get(usize::from(field)).copied().unwrap_or(1.0);
            for (_, at, times) in self.found.get(from..).unwrap_or_default() {
                let factor = repeated(*times) / norm;
                for (label, weight) in table.weights(*at as usize) {
                    if let Some(score) = scores.get_mut(usize::from(*label)) {
                        *score += f64::from(*weight) * factor;
                    }
                }
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().enumerate().collect();
        ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
        let score = |rank: usize| ranked.get(rank).map_or(0.0, |(_, score)| *score);
        let sign = model.confidence.sign(score(0), score(1));
        let confidence = model.confidence.at(units[0] > 0, units[1] > 0, sign);
        Outcome { ranked, confidence, norms: self.norms }
    }

    /// What the strongest phrases of the last text added to a label, and the sum of the others.
    pub(super) fn shares(&self, table: &Table, label: usize, most: usize) -> (Vec<LearnedPhrase>, f64) {
        let weight = |at: u32| {
            table
                .weights(at as usize)
                .iter()
                .find(|(own, _)| usize::from(*own) == label)
                .map_or(0.0, |(_, weight)| f64::from(*weight))
        };
        let mut shares: Vec<(f64, u8, u32, u32)> = self
            .found
            .iter()
            .map(|(field, at, times)| {
                let norm = self.norms.get(usize::from(*field)).copied().unwrap_or(1.0);
                (weight(*at) * repeated(*times) / norm, *field, *at, *times)
            })
            .filter(|(share, ..)| *share != 0.0)
            .collect();
        let order = |one: &(f64, u8, u32, u32), two: &(f64, u8, u32, u32)| {
            two.0.abs().total_cmp(&one.0.abs()).then((one.1, one.2).cmp(&(two.1, two.2)))
        };
        if most > 0 && shares.len() > most {
            shares.select_nth_unstable_by(most, order);
        }
        let count = most.min(shares.len());
        let (kept, rest) = shares.split_at_mut(count);
        kept.sort_by(order);
        let phrases = kept
            .iter()
            .filter_map(|(share, field, at, times)| {
                Some(LearnedPhrase {
                    phrase: table.written(table.phrases.get(*at as usize)?),
                    field: if *field == 0 { Field::Subject } else { Field::Text },
                    times: *times,
                    weight: weight(*at),
                    share: *share,
                })
            })
            .collect();
        (phrases, rest.iter().map(|(share, ..)| share).sum())
    }
}
