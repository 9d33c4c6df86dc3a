//! What loading makes of the texts, as bytes that load faster. They are trusted only after their digests fit.

use daachorse::CharwiseDoubleArrayAhoCorasick;

use super::PhraseField;
use super::matcher::Matcher;
use super::table::{Phrase, Table};

/// What the bytes begin with; the digit changes with their form.
const MARK: &[u8; 8] = b"yglearn1";

/// The bytes.
pub(super) fn write(table: &Table, matcher: &Matcher, trained: &[u64], digest: &[u8; 32]) -> Vec<u8> {
    let mut body = Vec::new();
    let put = |body: &mut Vec<u8>, number: usize| body.extend_from_slice(&(number as u32).to_le_bytes());
    put(&mut body, table.labels.len());
    for label in &table.labels {
        put(&mut body, label.len());
        body.extend_from_slice(label.as_bytes());
    }
    put(&mut body, table.words.len());
    body.extend_from_slice(table.words.as_bytes());
    put(&mut body, table.phrases.len());
    for phrase in &table.phrases {
        let Phrase { start, end, open_start, open_end, bound, field, count, weights } = *phrase;
        let field = PhraseField::ALL.iter().position(|own| *own == field).unwrap_or_default() as u32;
        let bits = [open_start, open_end, bound[0], bound[1]];
        let form = bits.iter().rev().fold(field, |form, bit| form << 1 | u32::from(*bit));
        for number in [start, end, form, count, weights] {
            body.extend_from_slice(&number.to_le_bytes());
        }
    }
    put(&mut body, table.weights.len());
    for (label, weight) in &table.weights {
        body.extend_from_slice(&label.to_le_bytes());
        body.extend_from_slice(&weight.to_le_bytes());
    }
    put(&mut body, matcher.ends.len());
    for end in &matcher.ends {
        body.extend_from_slice(&end.to_le_bytes());
    }
    put(&mut body, trained.len());
    for fingerprint in trained {
        body.extend_from_slice(&fingerprint.to_le_bytes());
    }
    body.extend_from_slice(&matcher.automaton.serialize());
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(digest);
    bytes.extend_from_slice(&sum(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// A checksum against damage (not against malice: whoever can write the cache can write the pack).
fn sum(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = chunks.iter().fold(bytes.len() as u64, |hash, chunk| mix(hash, u64::from_le_bytes(*chunk)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}

/// What is still to be read.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (own, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(own)
    }

    fn number(&mut self) -> Option<u32> {
        let (own, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*own))
    }

    fn text(&mut self) -> Option<&'b str> {
        let count = self.number()?;
        std::str::from_utf8(self.bytes(count as usize)?).ok()
    }

    /// Items of `N` bytes each, after their number.
    fn items<const N: usize>(&mut self) -> Option<&'b [[u8; N]]> {
        let count = self.number()?;
        Some(self.bytes((count as usize).checked_mul(N)?)?.as_chunks::<N>().0)
    }
}

/// Reads the bytes; `None` when they are for other texts or broken.
pub(super) fn read(bytes: &[u8], digest: &[u8; 32]) -> Option<(Table, Matcher, Vec<u64>)> {
    let body = bytes.strip_prefix(MARK.as_slice())?.strip_prefix(digest.as_slice())?;
    let (checksum, body) = body.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*checksum) != sum(body) {
        return None;
    }
    let mut rest = Rest(body);
    let mut table = Table::default();
    for _ in 0..rest.number()? {
        table.labels.push(rest.text()?.to_owned());
    }
    table.words = rest.text()?.to_owned();
    let number = |bytes: &[u8; 20], at: usize| {
        bytes.get(at * 4..).and_then(|bytes| bytes.first_chunk::<4>()).map_or(0, |own| u32::from_le_bytes(*own))
    };
    for bytes in rest.items::<20>()? {
        let form = number(bytes, 2);
        table.phrases.push(Phrase {
            start: number(bytes, 0),
            end: number(bytes, 1),
            open_start: form & 1 != 0,
            open_end: form & 2 != 0,
            bound: [form & 4 != 0, form & 8 != 0],
            field: *PhraseField::ALL.get((form >> 4) as usize)?,
            count: number(bytes, 3),
            weights: number(bytes, 4),
        });
    }
    table.weights = rest
        .items::<6>()?
        .iter()
        .map(|[a, b, c, d, e, f]| (u16::from_le_bytes([*a, *b]), f32::from_le_bytes([*c, *d, *e, *f])))
        .collect();
    let ends = rest.items::<4>()?.iter().map(|own| u32::from_le_bytes(*own)).collect();
    let trained = rest.items::<8>()?.iter().map(|own| u64::from_le_bytes(*own)).collect();
    let (automaton, left) = CharwiseDoubleArrayAhoCorasick::<u32>::deserialize(rest.0).ok()?;
    left.is_empty().then_some((table, Matcher { automaton, ends }, trained))
}
