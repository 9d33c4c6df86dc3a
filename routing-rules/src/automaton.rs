//! All phrases and place names of a pack in one automaton over characters.

use daachorse::{CharwiseDoubleArrayAhoCorasick, CharwiseDoubleArrayAhoCorasickBuilder};

use crate::phrase::Patterns;

/// Finds every pattern in one pass over a text. It goes by characters, since most texts are Chinese, where a step by
/// bytes takes three.
pub(crate) struct Automaton {
    /// Finds words by their number; `None` without any.
    words: Option<CharwiseDoubleArrayAhoCorasick<u32>>,
    /// For each word the pattern past its last among `patterns`; they begin where those of the word before end.
    ends: Vec<u32>,
    /// Patterns by word: the same word may be looked for with and without its end left open.
    patterns: Vec<u32>,
    /// What of each pattern is asked at every find, close together in memory.
    traits: Vec<Traits>,
}

/// What is asked of a pattern at every find.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    /// Whether a letter may not stand right before it.
    pub(crate) bound_start: bool,
    /// Whether a letter may not stand right after it.
    pub(crate) bound_end: bool,
    /// Whether it is a place name.
    pub(crate) is_place: bool,
}

/// A pattern found, with the first byte and the one past the last.
pub(crate) struct Found {
    pub(crate) pattern: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Automaton {
    /// Builds it.
    ///
    /// # Errors
    /// When the patterns are too many for one automaton.
    pub(crate) fn new(all: &Patterns) -> Result<Self, String> {
        let word = |pattern: &u32| all.get(*pattern).map_or("", |pattern| pattern.folded.as_str());
        let mut patterns: Vec<u32> = (0..all.len() as u32).collect();
        patterns.sort_unstable_by(|one, two| word(one).cmp(word(two)).then(one.cmp(two)));
        let mut list: Vec<&str> = Vec::with_capacity(patterns.len());
        let mut ends: Vec<u32> = Vec::with_capacity(patterns.len());
        for (pattern, end) in patterns.iter().zip(1_u32..) {
            match (list.last(), ends.last_mut()) {
                (Some(last), Some(slot)) if *last == word(pattern) => *slot = end,
                _ => {
                    list.push(word(pattern));
                    ends.push(end);
                }
            }
        }
        let words = if list.is_empty() {
            None
        } else {
            Some(CharwiseDoubleArrayAhoCorasickBuilder::new().build(&list).map_err(|error| error.to_string())?)
        };
        let traits = (0..all.len() as u32).filter_map(|pattern| all.get(pattern)).map(|pattern| Traits {
            bound_start: pattern.bound_start,
            bound_end: pattern.bound_end,
            is_place: pattern.place.is_some(),
        });
        Ok(Self { words, ends, patterns, traits: traits.collect() })
    }

    /// What is asked of a pattern at every find.
    pub(crate) fn traits(&self, pattern: u32) -> Traits {
        self.traits.get(pattern as usize).copied().unwrap_or_default()
    }

    /// Tells every find, overlapping ones too, in order of their ends.
    pub(crate) fn find(&self, text: &str, mut tell: impl FnMut(Found)) {
        let Some(words) = &self.words else { return };
        for found in words.find_overlapping_iter(text) {
            let word = found.value() as usize;
            let first = word.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
            let end = self.ends.get(word).copied().unwrap_or_default();
            for pattern in self.patterns.get(first as usize..end as usize).unwrap_or_default() {
                tell(Found { pattern: *pattern, start: found.start(), end: found.end() });
            }
        }
    }
}
