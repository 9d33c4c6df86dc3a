//! Examples as rows of numbers: what a phrase counts is what it will count in a decision, times how rare it is.

use super::corpus::{Corpus, Kind};
use super::search::Choice;
use crate::learned::{PhraseField, repeated};

/// No column.
const NONE: u32 = u32::MAX;
/// The columns: phrases with the field they count in.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// For each phrase of the corpus its columns for both, title, text.
    places: Vec<[u32; 3]>,
    pub(super) phrases: Vec<(u32, PhraseField)>,
    /// How rare each is: (1 + ln(cases / cases with it)) to the chosen power.
    pub(super) rarity: Vec<f32>,
    /// Cases that have it in that field.
    pub(super) cases: Vec<u32>,
}

impl Columns {
    /// The phrases that the choice allows and enough of the rows have.
    pub(super) fn new(corpus: &Corpus<'_>, rows: &[usize], choice: &Choice) -> Self {
        let mut cases = vec![[0_u32; 3]; corpus.len()];
        let add = |cases: &mut Vec<[u32; 3]>, phrase: u32, at: usize| {
            if let Some(count) = cases.get_mut(phrase as usize).and_then(|counts| counts.get_mut(at)) {
                *count += 1;
            }
        };
        for row in rows {
            let (title, text) = (corpus.field(0, *row), corpus.field(1, *row));
            for (phrase, _) in title {
                add(&mut cases, *phrase, 1);
                add(&mut cases, *phrase, 0);
            }
            for (phrase, _) in text {
                add(&mut cases, *phrase, 2);
                if title.binary_search_by_key(phrase, |(own, _)| *own).is_err() {
                    add(&mut cases, *phrase, 0);
                }
            }
        }
        let mut columns = Self { places: vec![[NONE; 3]; corpus.len()], ..Self::default() };
        let total = rows.len() as f64;
        for ((kind, counts), (places, phrase)) in
            corpus.kinds.iter().zip(&cases).zip(columns.places.iter_mut().zip(0_u32..))
        {
            if !allowed(kind, choice) {
                continue;
            }
            let shared = !choice.own || (counts[1] > 0 && counts[2] > 0);
            for ((place, count), (field, wanted)) in
                places.iter_mut().zip(counts).zip(PhraseField::ALL.into_iter().zip([shared, choice.own, choice.own]))
            {
                if wanted && *count >= choice.fewest {
                    *place = columns.phrases.len() as u32;
                    columns.phrases.push((phrase, field));
                    columns.cases.push(*count);
                    let rarity = ((total + 1.0) / (f64::from(*count) + 1.0)).ln() + 1.0;
                    columns.rarity.push(rarity.powf(choice.rarity) as f32);
                }
            }
        }
        columns
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.phrases.len()
    }

    /// The same with fewer columns, in the same order.
    pub(super) fn keep(&self, kept: &[bool]) -> Self {
        let mut columns = Self { places: vec![[NONE; 3]; self.places.len()], ..Self::default() };
        let all = self.phrases.iter().zip(&self.rarity).zip(&self.cases).zip(kept);
        for (((phrase, rarity), cases), _) in all.filter(|(_, kept)| **kept) {
            let field = PhraseField::ALL.iter().position(|field| *field == phrase.1).unwrap_or_default();
            if let Some(place) = columns.places.get_mut(phrase.0 as usize).and_then(|places| places.get_mut(field)) {
                *place = columns.phrases.len() as u32;
            }
            columns.phrases.push(*phrase);
            columns.rarity.push(*rarity);
            columns.cases.push(*cases);
        }
        columns
    }

    /// Adds the numbers of a field of a row.
    fn fill(&self, corpus: &Corpus<'_>, row: usize, field: usize, choice: &Choice, entries: &mut Vec<(u32, f32)>) {
        let norm = choice.norm(corpus.mean_units.get(field).copied().unwrap_or_default());
        let norm = norm.of(corpus.units_of(field, row)) as f32;
        for (phrase, times) in corpus.field(field, row) {
            let Some(places) = self.places.get(*phrase as usize) else { continue };
            for place in [places[0], places[field + 1]] {
                if let Some(rarity) = self.rarity.get(place as usize) {
                    entries.push((place, rarity * repeated(u32::from(*times)) as f32 / norm));
                }
            }
        }
    }
}

fn allowed(kind: &Kind, choice: &Choice) -> bool {
    kind.characters <= choice.characters && kind.words <= choice.words && kind.form <= choice.form
}

/// Which fields of an example are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    All,
    Title,
    Text,
}

impl View {
    const fn fields(self) -> &'static [usize] {
        match self {
            Self::All => &[0, 1],
            Self::Title => &[0],
            Self::Text => &[1],
        }
    }
}

/// Sparse rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
    /// For each row the example and what it counts.
    pub(super) samples: Vec<(usize, f32)>,
}

impl Matrix {
    /// The examples to train with; with copies that lack a field, where a choice asks for them.
    pub(super) fn new(corpus: &Corpus<'_>, rows: &[usize], columns: &Columns, choice: &Choice, halves: bool) -> Self {
        let mut matrix = Self::default();
        let weight = |row: usize| corpus.rows.get(row).map_or(1.0, |row| row.weight);
        for row in rows {
            matrix.add(corpus, *row, columns, choice, View::All, weight(*row));
        }
        if halves {
            for row in rows.iter().filter(|row| corpus.units_of(0, **row) > 0 && corpus.units_of(1, **row) > 0) {
                matrix.add(corpus, *row, columns, choice, View::Title, weight(*row) * choice.half);
                matrix.add(corpus, *row, columns, choice, View::Text, weight(*row) * choice.half);
            }
        }
        matrix
    }

    /// Adds a row for an example.
    pub(super) fn add(
        &mut self,
        corpus: &Corpus<'_>,
        row: usize,
        columns: &Columns,
        choice: &Choice,
        view: View,
        weight: f32,
    ) {
        for field in view.fields() {
            columns.fill(corpus, row, *field, choice, &mut self.entries);
        }
        self.ends.push(self.entries.len());
        self.samples.push((row, weight));
    }

    /// A row.
    pub(super) fn row(&self, at: usize) -> &[(u32, f32)] {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let to = self.ends.get(at).copied().unwrap_or_default();
        self.entries.get(from..to).unwrap_or_default()
    }

    /// How many rows there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }
}
