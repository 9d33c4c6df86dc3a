//! Every phrase that the examples have, counted once for all trainings.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::example::{Row, Rows};
use super::parallel;
use crate::fold::{Folded, is_word};

/// The most characters of a phrase in a script without spaces.
pub(super) const MOST_CHARACTERS: u8 = 4;
/// The most words of a phrase.
pub(super) const MOST_WORDS: u8 = 3;
/// Characters of a word's beginning, and of a piece of a word.
const PIECES: std::ops::RangeInclusive<usize> = 3..=5;
/// Texts of so many units together may keep phrases that only one of them has.
const KEEP_SINGLES: usize = 900_000;

/// How a phrase stands among words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Whole words, or characters of a script without spaces.
    Whole,
    /// The beginning of a word: `pot*`.
    Beginning,
    /// Any piece of a word: `*hol*`.
    Piece,
}

/// What a phrase is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) form: Form,
    /// Characters of scripts without spaces.
    pub(super) characters: u8,
    pub(super) words: u8,
    /// Cases that have it.
    pub(super) cases: u32,
    row: u32,
    field: u8,
    start: u32,
    end: u32,
}

/// A phrase of a field and how often it is there.
pub(super) type Times = (u32, u16);

/// The examples as phrases.
pub(super) struct Corpus<'e> {
    pub(super) rows: &'e [Row<'e>],
    pub(super) labels: usize,
    /// For title and text, for each row its phrases, sorted.
    pub(super) fields: [Vec<Vec<Times>>; 2],
    /// For title and text, the units of each row.
    pub(super) units: [Vec<u32>; 2],
    /// The mean units of title and text, where there is one.
    pub(super) mean_units: [f64; 2],
    /// The phrases, by number.
    pub(super) kinds: Vec<Kind>,
    folded: [Vec<String>; 2],
    /// The share of units that are words.
    pub(super) word_share: f64,
}

/// Hashes are hashed already.
#[derive(Default, Clone, Copy)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0, u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Hashed<V> = HashMap<u64, V, BuildHasherDefault<Plain>>;

pub(super) const fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// The hash of a text.
pub(super) fn hash(text: &str, seed: u64) -> u64 {
    // Seeds are small numbers as bytes are: mixed first, so that no seed stands for another first byte.
    let start = mix(0x243F_6A88_85A3_08D3, seed);
    mix(text.bytes().fold(start, |hash, byte| mix(hash, u64::from(byte) + 1)), 77)
}

/// A character or word of a folded text.
struct Token {
    start: usize,
    end: usize,
    word: bool,
    /// Whether nothing but a space or apostrophe stands before it.
    joined: bool,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut joined = false;
    let mut inside = false;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        let word = is_word(character);
        if word && inside {
            if let Some(last) = tokens.last_mut() {
                last.end = end;
            }
        } else if character.is_alphanumeric() {
            tokens.push(Token { start, end, word, joined });
            joined = true;
        } else if character != ' ' && character != '\'' {
            joined = false;
        }
        inside = word;
    }
    tokens
}

/// Tells every phrase of a text, with every place where it stands.
fn phrases(text: &str, mut tell: impl FnMut(&str, usize, Form, u8, u8)) {
    let tokens = tokens(text);
    for (at, first) in tokens.iter().enumerate() {
        let (mut characters, mut words) = (0_u8, 0_u8);
        for (further, token) in tokens.iter().skip(at).enumerate() {
            if further > 0 && !token.joined {
                break;
            }
            if token.word {
                words += 1;
            } else {
                characters += 1;
            }
            // A word beside characters counts as two of them.
            let fits = if words == 0 {
                characters <= MOST_CHARACTERS
            } else {
                words <= MOST_WORDS && (characters == 0 || characters + 2 * words <= MOST_CHARACTERS + 1)
            };
            if !fits {
                break;
            }
            if let Some(phrase) = text.get(first.start..token.end) {
                tell(phrase, first.start, Form::Whole, characters, words);
            }
        }
        if first.word {
            pieces(text, first, &mut tell);
        }
    }
}

fn pieces(text: &str, token: &Token, tell: &mut impl FnMut(&str, usize, Form, u8, u8)) {
    let Some(word) = text.get(token.start..token.end) else { return };
    // A long run of letters and digits is no word.
    let edges: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).take(40).collect();
    for (from, start) in edges.iter().enumerate() {
        for length in PIECES {
            let Some(piece) = edges.get(from + length).and_then(|end| word.get(*start..*end)) else { break };
            if from == 0 {
                tell(piece, token.start, Form::Beginning, 0, 1);
            }
            tell(piece, token.start + start, Form::Piece, 0, 1);
        }
    }
}

impl<'e> Corpus<'e> {
    /// Finds the phrases of all examples.
    pub(super) fn new(lessons: &'e Rows<'e>, threads: usize) -> Self {
        let rows = lessons.rows.as_slice();
        let fold = |original: fn(&Row<'e>) -> &'e str| {
            parallel::map(threads, rows, move |row| Folded::new(original(row)).text)
        };
        let folded = [fold(|row| row.title), fold(|row| row.text)];
        let count = |texts: &[String]| parallel::map(threads, texts, |text| crate::learned::units(text));
        let units = [count(&folded[0]), count(&folded[1])];
        let total: usize = units.iter().flatten().map(|units| *units as usize).sum();
        let known = Counters::new(&folded, threads, total > KEEP_SINGLES);
        let (mut numbers, mut kinds): (Hashed<u32>, Vec<Kind>) = (Hashed::default(), Vec::new());
        let fields: Vec<Vec<Vec<Times>>> = (0_u8..)
            .zip(&folded)
            .map(|(field, texts)| number(field, texts, threads, &known, &mut numbers, &mut kinds))
            .collect();
        let [title, text] = <[_; 2]>::try_from(fields).unwrap_or_default();
        for (title, text) in title.iter().zip(&text) {
            let mut both: Vec<u32> = title.iter().chain(text).map(|(phrase, _)| *phrase).collect();
            both.sort_unstable();
            both.dedup();
            for phrase in both {
                if let Some(kind) = kinds.get_mut(phrase as usize) {
                    kind.cases += 1;
                }
            }
        }
        let mean = |units: &[u32]| {
            let there: Vec<f64> = units.iter().filter(|units| **units > 0).map(|units| f64::from(*units)).collect();
            if there.is_empty() { 0.0 } else { there.iter().sum::<f64>() / there.len() as f64 }
        };
        let words: usize =
            folded.iter().flatten().map(|text| tokens(text).iter().filter(|token| token.word).count()).sum();
        Self {
            rows,
            labels: lessons.labels.len(),
            mean_units: [mean(&units[0]), mean(&units[1])],
            units,
            fields: [title, text],
            kinds,
            folded,
            word_share: 2.0 * words as f64 / total.max(1) as f64,
        }
    }

    /// How many phrases there are.
    pub(super) const fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The words of a phrase.
    pub(super) fn phrase(&self, number: u32) -> &str {
        let Some(kind) = self.kinds.get(number as usize) else { return "" };
        self.folded
            .get(usize::from(kind.field))
            .and_then(|texts| texts.get(kind.row as usize))
            .and_then(|text| text.get(kind.start as usize..kind.end as usize))
            .unwrap_or_default()
    }

    /// A folded field of a row.
    pub(super) fn field(&self, field: usize, row: usize) -> &[Times] {
        self.fields.get(field).and_then(|rows| rows.get(row)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Units of a field of a row.
    pub(super) fn units_of(&self, field: usize, row: usize) -> u32 {
        self.units.get(field).and_then(|rows| rows.get(row)).copied().unwrap_or_default()
    }

    /// Phrases of all rows.
    pub(super) fn cost(&self) -> usize {
        self.fields.iter().flatten().map(Vec::len).sum()
    }

    /// Phrases of some rows.
    pub(super) fn cost_of(&self, rows: &[usize]) -> usize {
        rows.iter().map(|row| self.field(0, *row).len() + self.field(1, *row).len()).sum()
    }
}

/// Roughly how many cases have a phrase, without remembering the phrases: what only one has needs no number.
struct Counters(Option<Vec<u8>>);

impl Counters {
    fn new(folded: &[Vec<String>; 2], threads: usize, many: bool) -> Self {
        if !many {
            return Self(None);
        }
        let [titles, texts] = folded;
        let rows: Vec<(&String, &String)> = titles.iter().zip(texts).collect();
        let parts: Vec<&[(&String, &String)]> = rows.chunks(rows.len().div_ceil(threads.max(1)).max(1)).collect();
        let counted = parallel::map(threads, &parts, |part| {
            let mut counters = vec![0_u8; 1 << 26];
            let mut own: Vec<u64> = Vec::new();
            for (title, text) in *part {
                own.clear();
                for field in [title, text] {
                    phrases(field, |phrase, _, form, _, _| own.push(hash(phrase, form as u64)));
                }
                own.sort_unstable();
                own.dedup();
                for hash in &own {
                    if let Some(counter) = counters.get_mut((hash >> 38) as usize) {
                        *counter = counter.saturating_add(1);
                    }
                }
            }
            counters
        });
        let mut parts = counted.into_iter();
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            for (sum, own) in all.iter_mut().zip(part) {
                *sum = sum.saturating_add(own);
            }
        }
        Self(Some(all))
    }

    fn worth(&self, hash: u64) -> bool {
        self.0.as_ref().is_none_or(|counters| counters.get((hash >> 38) as usize).is_some_and(|count| *count > 1))
    }
}

/// A phrase of a text before it has a number.
struct Found {
    hash: u64,
    times: u16,
    kind: Kind,
}

/// Gives numbers to the phrases of one field, in the order of the rows and of the hashes within.
fn number(
    field: u8,
    texts: &[String],
    threads: usize,
    known: &Counters,
    numbers: &mut Hashed<u32>,
    kinds: &mut Vec<Kind>,
) -> Vec<Vec<Times>> {
    let rows: Vec<(u32, &String)> = (0..).zip(texts).collect();
    let mut all = Vec::with_capacity(texts.len());
    for part in rows.chunks(2048) {
        let found = parallel::map(threads, part, |(row, text)| {
            let mut found: Vec<Found> = Vec::new();
            phrases(text, |phrase, start, form, characters, words| {
                let hash = hash(phrase, form as u64);
                if known.worth(hash) {
                    let (start, end) = (start as u32, (start + phrase.len()) as u32);
                    let kind = Kind { form, characters, words, cases: 0, row: *row, field, start, end };
                    found.push(Found { hash, times: 1, kind });
                }
            });
            found.sort_unstable_by_key(|found| (found.hash, found.kind.start));
            found.dedup_by(|next, first| {
                let same = next.hash == first.hash;
                first.times = if same { first.times.saturating_add(1) } else { first.times };
                same
            });
            found
        });
        for found in found {
            let mut own: Vec<Times> = found
                .into_iter()
                .map(|found| {
                    let number = *numbers.entry(found.hash).or_insert_with(|| {
                        kinds.push(found.kind);
                        (kinds.len() - 1) as u32
                    });
                    (number, found.times)
                })
                .collect();
            own.sort_unstable();
            all.push(own);
        }
    }
    all
}
