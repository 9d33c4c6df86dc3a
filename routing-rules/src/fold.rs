//! Folding: what makes 路燈, 路灯 and "Ｓｔｒｅｅｔ－Ｌｉｇｈｔ", "street light" the same to a phrase.
//!
//! A character is taken to its compatibility form (NFKC, so full width becomes half width), lower case, without
//! accents, Traditional to Simplified by itself; runs of white space and hyphens become one space, which vanishes
//! beside scripts that write no spaces. Each folded byte remembers the original character it came from.

use std::cell::OnceCell;
use std::sync::LazyLock;

use ferrous_opencc::{OpenCC, config::BuiltinConfig};
use unicode_normalization::UnicodeNormalization;

/// A folded text with the way back.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The folded text.
    pub(crate) text: String,
    /// For each byte of `text` the index of the original character.
    origin: Vec<u32>,
    /// For each byte of `text` how many units of distance lie before its end: a character of a script without
    /// spaces is one, a word of an alphabetic script two, so that one number means the same in 中文 and English.
    units: OnceCell<Vec<u32>>,
}

impl Folded {
    /// Folds a text.
    pub(crate) fn new(original: &str) -> Self {
        let table = &*TABLE;
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            origin: Vec::with_capacity(original.len()),
            units: OnceCell::new(),
        };
        let mut previous: Option<char> = None;
        let mut gap: Option<u32> = None;
        let mut put = |folded: &mut Self, character: char, at: u32| {
            if character == ' ' {
                gap.get_or_insert(at);
                return;
            }
            if let Some(from) = gap.take()
                && previous.is_some_and(|previous| !is_unspaced(previous))
                && !is_unspaced(character)
            {
                folded.text.push(' ');
                folded.origin.push(from);
            }
            previous = Some(character);
            folded.text.push(character);
            folded.origin.extend(std::iter::repeat_n(at, character.len_utf8()));
        };
        for (at, character) in (0_u32..).zip(original.chars()) {
            match table.get(character as usize).copied() {
                Some(DROP) => {}
                Some(SEVERAL) | None => {
                    for part in fold_char(character) {
                        put(&mut folded, simplified(table, part), at);
                    }
                }
                Some(single) => put(&mut folded, single, at),
            }
        }
        folded
    }

    /// The original characters behind a range of folded bytes, as (first, past the last).
    pub(crate) fn original(&self, start: usize, end: usize) -> (u32, u32) {
        let first = self.origin.get(start).copied().unwrap_or_default();
        let last = end.checked_sub(1).and_then(|last| self.origin.get(last)).copied().unwrap_or_default();
        (first, last + 1)
    }

    /// The distance units at the first and the last of a range of folded bytes.
    pub(crate) fn units(&self, start: usize, end: usize) -> (u32, u32) {
        let all = self.units.get_or_init(|| units(&self.text));
        let first = all.get(start).copied().unwrap_or_default();
        let last = end.checked_sub(1).and_then(|last| all.get(last)).copied().unwrap_or_default();
        (first, last)
    }
}

fn units(folded: &str) -> Vec<u32> {
    let mut all = Vec::with_capacity(folded.len());
    let (mut units, mut inside) = (0, false);
    for character in folded.chars() {
        let word = is_word(character);
        units += if word { if inside { 0 } else { 2 } } else { u32::from(character.is_alphanumeric()) };
        inside = word;
        all.extend(std::iter::repeat_n(units, character.len_utf8()));
    }
    all
}

/// Marks a character that folds to nothing (NUL itself folds to a space before it could be mistaken).
const DROP: char = '\0';
/// Marks a character that folds to several (a private-use character, itself folded to a space).
const SEVERAL: char = '\u{E000}';

/// What each character of the basic plane folds to: made once, since asking OpenCC for every text costs a hundred times more.
static TABLE: LazyLock<Vec<char>> = LazyLock::new(build);

fn build() -> Vec<char> {
    let mut table = Vec::with_capacity(0x1_0000);
    for code in 0..0x1_0000_u32 {
        let entry = char::from_u32(code).map_or(DROP, |character| {
            let mut parts = fold_char(character).into_iter();
            match (parts.next(), parts.next()) {
                (None, _) => DROP,
                (Some(single), None) => single,
                _ => SEVERAL,
            }
        });
        table.push(entry);
    }
    // One character to a line keeps the converter from seeing words: folding must not depend on the neighbours.
    let ideographs: Vec<char> = ('\u{3400}'..='\u{9FFF}').collect();
    let lines: String = ideographs.iter().flat_map(|character| [*character, '\n']).collect();
    if let Ok(converter) = OpenCC::from_config(BuiltinConfig::T2s) {
        for (character, line) in ideographs.iter().zip(converter.convert(&lines).lines()) {
            let mut converted = line.chars();
            if let (Some(simple), None, Some(slot)) =
                (converted.next(), converted.next(), table.get_mut(*character as usize))
            {
                *slot = simple;
            }
        }
    }
    // OpenCC tells 著 (book) from 着 (aspect) by the word; folded apart from words, they must be one.
    if let Some(slot) = table.get_mut('著' as usize) {
        *slot = '着';
    }
    // What folds to an ideograph (compatibility forms, circled ones) must go on to its simplified form.
    let mark = |entry: char| entry == DROP || entry == SEVERAL;
    table.iter().map(|entry| if mark(*entry) { *entry } else { simplified(&table, *entry) }).collect()
}

fn simplified(table: &[char], character: char) -> char {
    match table.get(character as usize).copied() {
        Some(DROP | SEVERAL) | None => character,
        Some(single) => single,
    }
}

/// One letter as texts have it after folding; unchanged if it folds to nothing, to several or to a space.
pub(crate) fn fold_letter(character: char) -> char {
    match TABLE.get(character as usize).copied() {
        Some(DROP | SEVERAL | ' ') | None => character,
        Some(single) => single,
    }
}

/// Everything but Traditional to Simplified, for one character.
fn fold_char(character: char) -> Vec<char> {
    if character.is_whitespace() || character.is_control() || is_hyphen(character) || character == SEVERAL {
        return vec![' '];
    }
    match character {
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' => return Vec::new(),
        '\u{2018}' | '\u{2019}' | '\u{02BC}' => return vec!['\''],
        '\u{201C}' | '\u{201D}' => return vec!['"'],
        _ => {}
    }
    let bare =
        |text: &str| -> String { text.nfkd().filter(|part| !('\u{300}'..='\u{36F}').contains(part)).nfc().collect() };
    let folded = bare(&bare(character.encode_utf8(&mut [0; 4])).to_lowercase());
    folded
        .chars()
        .map(|part| if part.is_whitespace() || is_hyphen(part) { ' ' } else { part })
        .filter(|part| *part != DROP)
        .collect()
}

const fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether a script writes its words without spaces between them.
pub(crate) const fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{20000}'..='\u{3FFFF}')
}

/// Whether a character belongs to a word that a phrase may not cut: letters and digits of alphabetic scripts.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric()
        && !is_unspaced(character)
        // Korean glues particles to words; Thai to Myanmar write no spaces.
        && !matches!(character, '\u{AC00}'..='\u{D7AF}' | '\u{1100}'..='\u{11FF}' | '\u{0E00}'..='\u{0EFF}' | '\u{0F00}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(original: &str, expected: &str) {
        assert_eq!(Folded::new(original).text, expected, "folding {original:?}");
    }

    #[test]
    fn folds_width_case_accents_and_script() {
        check("路燈壞了", "路灯坏了");
        check("ＡＢＣ１２３", "abc123");
        check("Café  Señor\n\tno", "cafe senor no");
        check("Cafe\u{301}", "cafe");
        check("street-light", "street light");
        check("STREET\u{2011}Light", "street light");
        check("路灯 坏了\n没人修", "路灯坏了没人修");
        check("用 APP 退费", "用app退费");
        check("著火了", "着火了");
        check("don\u{2019}t", "don't");
        check("ﬁre", "fire");
        check("한국어", "한국어");
        check("\u{200B}路\u{FEFF}灯", "路灯");
        check("", "");
        check("İ", "i");
        check("\u{F969}㊙", "数秘");
    }

    #[test]
    fn remembers_where_it_came_from() {
        let folded = Folded::new("請看 \u{200B}路燈,ok");
        let start = folded.text.find("路灯").expect("folded");
        assert_eq!(folded.original(start, start + "路灯".len()), (4, 6));
        let start = folded.text.find("ok").expect("folded");
        assert_eq!(folded.original(start, start + 2), (7, 9));
    }

    #[test]
    fn a_word_is_as_far_as_two_characters() {
        let folded = Folded::new("路灯, street lamp坏了");
        let at = |phrase: &str| {
            folded.text.find(phrase).map(|start| folded.units(start, start + phrase.len())).expect("folded")
        };
        assert_eq!(at("路灯"), (1, 2));
        assert_eq!(at("street"), (4, 4));
        assert_eq!(at("street lamp"), (4, 6));
        assert_eq!(at("坏了"), (7, 8));
    }

    proptest::proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".{0,60}") {
            let once = Folded::new(&text).text;
            proptest::prop_assert_eq!(&Folded::new(&once).text, &once);
        }

        #[test]
        fn every_byte_has_an_origin(text in "\\PC{0,60}") {
            let folded = Folded::new(&text);
            proptest::prop_assert_eq!(folded.text.len(), folded.origin.len());
            proptest::prop_assert_eq!(folded.text.len(), units(&folded.text).len());
            let count = text.chars().count() as u32;
            proptest::prop_assert!(folded.origin.iter().all(|at| *at < count));
        }
    }
}
