//! What the automaton found in the texts of an appeal.

use std::cell::OnceCell;

use crate::automaton::{Automaton, Found, Traits};
use crate::facts::Facts;
use crate::fold::{Folded, is_word};
use crate::phrase::Patterns;

/// Index of the subject among the searched texts, and its bit in a mask.
pub(crate) const SUBJECT: u8 = 0;
/// Index of the text.
pub(crate) const TEXT: u8 = 1;
/// Index of the place, which only the gazetteer reads.
pub(crate) const PLACE: u8 = 2;
/// Index of the street field, which only the gazetteer reads.
pub(crate) const STREET: u8 = 3;
/// How many texts there are.
const FIELDS: usize = 4;

/// The folded texts of an appeal: made once, asked often.
#[derive(Debug)]
pub struct Reading<'a> {
    fields: [Option<Text<'a>>; FIELDS],
}

/// One text, folded.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    original: &'a str,
    pub(crate) folded: Folded,
    /// Characters of the original at which a sentence ends.
    sentences: OnceCell<Vec<u32>>,
}

impl<'a> Reading<'a> {
    /// Folds the texts of an appeal.
    #[must_use]
    pub fn new(facts: &Facts<'a>) -> Self {
        let fields = [facts.subject, Some(facts.text), facts.place, facts.street];
        Self {
            fields: fields.map(|text| {
                text.map(|original| Text { original, folded: Folded::new(original), sentences: OnceCell::new() })
            }),
        }
    }

    /// The folded subject and text, for a scan of one's own.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().take(2).flatten().map(|text| text.folded.text.as_str())
    }

    /// A text by its index.
    pub(crate) fn field(&self, field: u8) -> Option<&Text<'a>> {
        self.fields.get(usize::from(field))?.as_ref()
    }

    /// The original characters of a find, as (first, past the last).
    pub(crate) fn original(&self, hit: &Hit) -> (u32, u32) {
        self.field(hit.field).map_or((0, 0), |text| text.folded.original(hit.start as usize, hit.end as usize))
    }

    /// The distance units at the first and the last character of a find.
    pub(crate) fn units(&self, hit: &Hit) -> (u32, u32) {
        self.field(hit.field).map_or((0, 0), |text| text.folded.units(hit.start as usize, hit.end as usize))
    }

    /// The sentences in which a find begins and ends, counted from 0.
    pub(crate) fn sentences(&self, hit: &Hit) -> (u32, u32) {
        let (start, end) = self.original(hit);
        self.field(hit.field).map_or((0, 0), |text| {
            let ends = text.sentences.get_or_init(|| sentence_ends(text.original));
            let before = |at: u32| ends.partition_point(|mark| *mark < at) as u32;
            (before(start), before(end.saturating_sub(1)))
        })
    }
}

/// Characters at which a sentence ends: 。！？；…!?; and line breaks anywhere, a full stop only before
/// white space or the end, and not before a number ("no. 3").
fn sentence_ends(text: &str) -> Vec<u32> {
    let mut ends = Vec::new();
    let mut characters = (0_u32..).zip(text.chars());
    while let Some((at, character)) = characters.next() {
        let ends_here = match character {
            '。' | '！' | '？' | '；' | '…' | '!' | '?' | ';' | '\n' | '\r' | '．' | '｡' | '؟' | '۔' | '།' => {
                true
            }
            '.' => {
                let mut rest = characters.clone().map(|(_, next)| next);
                match rest.next() {
                    None => true,
                    Some(next) => next.is_whitespace() && !rest.next().is_some_and(|next| next.is_ascii_digit()),
                }
            }
            _ => false,
        };
        if ends_here {
            ends.push(at);
        }
    }
    ends
}

/// A pattern found: ordered by pattern, then field, then position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// Which pattern; from [`Patterns::len`] on, which expression.
    pub(crate) pattern: u32,
    /// In which text, by its index.
    pub(crate) field: u8,
    /// First byte of the folded text.
    pub(crate) start: u32,
    /// Past the last byte.
    pub(crate) end: u32,
}

/// Everything found in the texts of an appeal. Kept between appeals for its buffers.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    /// Sorted.
    pub(crate) hits: Vec<Hit>,
    /// For subject and text one bit for each pattern, set if it was found there: most questions are answered by it,
    /// without a search.
    present: [Vec<u64>; 2],
}

impl Finds {
    /// Forgets what was found, and finds in other texts. A text is read once, however many rules there are.
    pub(crate) fn scan(&mut self, automaton: &Automaton, patterns: &Patterns, reading: &Reading<'_>) {
        for hit in self.hits.drain(..) {
            if let Some(word) =
                self.present.get_mut(usize::from(hit.field)).and_then(|bits| bits.get_mut(hit.pattern as usize / 64))
            {
                *word = 0;
            }
        }
        let words = patterns.len().div_ceil(64);
        for bits in &mut self.present {
            if bits.len() < words {
                bits.resize(words, 0);
            }
        }
        for (field, text) in (0_u8..).zip(&reading.fields) {
            let Some(text) = text else { continue };
            let folded = text.folded.text.as_str();
            let (hits, mut bits) = (&mut self.hits, self.present.get_mut(usize::from(field)));
            automaton.find(folded, |Found { pattern, start, end }| {
                let Traits { bound_start, bound_end, .. } = automaton.traits(pattern);
                if bound_start || bound_end {
                    let before = || folded.get(..start).and_then(|text| text.chars().next_back());
                    let after = || folded.get(end..).and_then(|text| text.chars().next());
                    if (bound_start && before().is_some_and(is_word)) || (bound_end && after().is_some_and(is_word)) {
                        return;
                    }
                }
                hits.push(Hit { pattern, field, start: start as u32, end: end as u32 });
                if let Some(word) = bits.as_mut().and_then(|bits| bits.get_mut(pattern as usize / 64)) {
                    *word |= 1 << (pattern % 64);
                }
            });
        }
        self.hits.sort_unstable();
    }

    /// Whether a pattern was found in a field of the mask.
    pub(crate) fn has(&self, pattern: u32, mask: u8) -> bool {
        let (at, bit) = (pattern as usize / 64, 1_u64 << (pattern % 64));
        let [subject, text] = &self.present;
        let inside = |bits: &Vec<u64>| bits.get(at).is_some_and(|word| word & bit != 0);
        (mask & (1 << TEXT) != 0 && inside(text)) || (mask & (1 << SUBJECT) != 0 && inside(subject))
    }

    /// The finds of a pattern, in order of field and position.
    pub(crate) fn of(&self, pattern: u32) -> &[Hit] {
        let from = self.hits.partition_point(|hit| hit.pattern < pattern);
        let rest = self.hits.get(from..).unwrap_or_default();
        let count = rest.partition_point(|hit| hit.pattern == pattern);
        rest.get(..count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        for (text, expected) in [
            ("路灯坏了。没人修！", vec![4, 8]),
            ("3.5 metres. Then? Yes", vec![10, 16]),
            ("at no. 3", vec![]),
            ("one\ntwo", vec![3]),
            ("end.", vec![3]),
            ("v1.2", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(sentence_ends(text), expected, "{text}");
        }
    }
}
