//! Parts of the examples for cross-validation: every label spread evenly, near-duplicates in one part.

use std::collections::BTreeMap;

use super::corpus::{hash, mix};
use super::example::Rows;
use super::random::Random;
use crate::fold::Folded;

/// Smallest hashes kept of a text (Broder 1997), and how many of them must agree in a row for a closer look.
const HASHES: usize = 16;
const BAND: usize = 4;
/// Characters of a shingle.
const SHINGLE: usize = 5;
/// The share of smallest hashes by which texts count as near-duplicates.
const ALIKE: usize = 11;

fn signature(text: &str) -> [u64; HASHES] {
    let mut least = [u64::MAX; HASHES];
    let characters: Vec<char> = text.chars().filter(|character| character.is_alphanumeric()).collect();
    let mut add = |shingle: u64| {
        for (least, seed) in least.iter_mut().zip(1_u64..) {
            *least = (*least).min(mix(shingle, seed.wrapping_mul(0xD134_2543_DE82_EF95)));
        }
    };
    if characters.len() < SHINGLE {
        add(hash(text, 5));
    }
    for shingle in characters.windows(SHINGLE) {
        add(shingle.iter().fold(3, |hash, character| mix(hash, u64::from(u32::from(*character)))));
    }
    least
}

/// For each of the rows the first row that it nearly repeats, or itself.
pub(super) fn groups(lessons: &Rows<'_>, rows: &[usize]) -> Vec<usize> {
    let signatures: Vec<[u64; HASHES]> = rows
        .iter()
        .map(|row| {
            lessons.rows.get(*row).map_or([0; HASHES], |row| {
                signature(&format!("{}\n{}", Folded::new(row.title).text, Folded::new(row.text).text))
            })
        })
        .collect();
    let mut leaders: Vec<usize> = (0..rows.len()).collect();
    let mut bands: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for (at, own) in signatures.iter().enumerate() {
        for (band, part) in own.chunks(BAND).enumerate() {
            let key = (band, part.iter().fold(9, |hash, least| mix(hash, *least)));
            let first = *bands.entry(key).or_insert(at);
            let alike =
                signatures.get(first).map_or(0, |other| other.iter().zip(own).filter(|(one, two)| one == two).count());
            if first != at && alike >= ALIKE {
                let (one, two) = (leader(&leaders, first), leader(&leaders, at));
                if let Some(slot) = leaders.get_mut(one.max(two)) {
                    *slot = one.min(two);
                }
            }
        }
    }
    (0..rows.len()).map(|at| leader(&leaders, at)).collect()
}

fn leader(leaders: &[usize], mut at: usize) -> usize {
    while let Some(next) = leaders.get(at).filter(|next| **next != at) {
        at = *next;
    }
    at
}

/// Spreads the rows over parts; `groups` is of [`groups`].
pub(super) fn split(lessons: &Rows<'_>, rows: &[usize], groups: &[usize], parts: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, group) in rows.iter().zip(groups) {
        members.entry(*group).or_default().push(*row);
    }
    let mut units: Vec<Vec<usize>> = members.into_values().collect();
    Random::new(seed).shuffle(&mut units);
    let mut folds: Vec<Vec<usize>> = vec![Vec::new(); parts];
    let mut counts = vec![vec![0_usize; lessons.labels.len() + 1]; parts];
    for unit in units {
        let label = |row: &usize| lessons.rows.get(*row).and_then(|row| row.label).unwrap_or(lessons.labels.len());
        let first = unit.first().map_or(0, label);
        let best = folds
            .iter()
            .zip(&counts)
            .enumerate()
            .min_by_key(|(at, (fold, counts))| (counts.get(first).copied().unwrap_or_default(), fold.len(), *at))
            .map_or(0, |(at, _)| at);
        for row in unit {
            if let Some(count) = counts.get_mut(best).and_then(|counts| counts.get_mut(label(&row))) {
                *count += 1;
            }
            if let Some(fold) = folds.get_mut(best) {
                fold.push(row);
            }
        }
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    folds
}

/// The rows of all parts but one, in order.
pub(super) fn others(folds: &[Vec<usize>], held: usize) -> Vec<usize> {
    let mut rows: Vec<usize> =
        folds.iter().enumerate().filter(|(at, _)| *at != held).flat_map(|(_, fold)| fold.iter().copied()).collect();
    rows.sort_unstable();
    rows
}
