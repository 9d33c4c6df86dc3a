//! Phrases and place names in one automaton, and what it finds in a text.

use std::collections::HashMap;

use crate::fold::{Folded, is_unspaced, is_word};

/// The longest phrase, in characters.
const LONGEST: usize = 200;

/// One thing to look for.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As a pack has it.
    pub(crate) written: String,
    /// As the automaton looks for it.
    pub(crate) folded: String,
    /// Whether a letter may not stand right before it.
    pub(crate) bound_start: bool,
    /// Whether a letter may not stand right after it.
    pub(crate) bound_end: bool,
    /// As a place name: the district's index, and the name as the gazetteer has it.
    pub(crate) place: Option<(usize, String)>,
}

/// The patterns of a pack, each once.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    list: Vec<Pattern>,
    known: HashMap<(String, bool), u32>,
}

impl Patterns {
    /// The index of a phrase, which is added if new. A trailing `*` lets the last word go on.
    ///
    /// # Errors
    /// What is wrong with it, and advice.
    pub(crate) fn add(&mut self, written: &str) -> Result<u32, (String, &'static str)> {
        let (body, open) = written.strip_suffix('*').map_or((written, false), |body| (body, true));
        if body.contains('*') {
            return Err((
                format!("`*` inside `{written}`"),
                "`*` may stand only at the end; write two phrases under `all`",
            ));
        }
        if body.chars().nth(LONGEST).is_some() {
            return Err((format!("a phrase of more than {LONGEST} characters"), "shorten it to what citizens repeat"));
        }
        let folded = Folded::new(body).text;
        if !folded.chars().any(char::is_alphanumeric) {
            return Err((
                format!("`{written}` can never match: nothing of it is left after folding"),
                "use letters or digits",
            ));
        }
        let key = (folded, open);
        if let Some(index) = self.known.get(&key) {
            return Ok(*index);
        }
        let index = u32::try_from(self.list.len()).map_err(|_| ("too many phrases".to_owned(), "split the pack"))?;
        let edge = |character: Option<char>| character.is_some_and(is_word);
        self.list.push(Pattern {
            written: written.to_owned(),
            bound_start: edge(key.0.chars().next()),
            bound_end: !open && edge(key.0.chars().next_back()),
            folded: key.0.clone(),
            place: None,
        });
        self.known.insert(key, index);
        Ok(index)
    }

    /// The index of a text that is looked for as it is, also inside words.
    pub(crate) fn literal(&mut self, folded: &str) -> u32 {
        // A phrase that begins and ends in words of its own is never open at its beginning, so the two do not mix.
        let key = (format!("\u{0}{folded}"), true);
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let index = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let folded = folded.to_owned();
        self.list.push(Pattern { written: folded.clone(), bound_start: false, bound_end: false, folded, place: None });
        self.known.insert(key, index);
        index
    }

    /// How often a pattern is to be expected, roughly: each character of an unspaced script, or three letters, make
    /// it eight times rarer.
    pub(crate) fn cost(&self, index: u32) -> f64 {
        let Some(pattern) = self.get(index) else { return 0.0 };
        let size: u32 = pattern.folded.chars().map(|character| if is_unspaced(character) { 3 } else { 1 }).sum();
        // Two to the power of minus the size, written as its exponent.
        f64::from_bits(u64::from(1023 - size.min(60)) << 52)
    }

    /// The pattern of an index.
    pub(crate) fn get(&self, index: u32) -> Option<&Pattern> {
        self.list.get(index as usize)
    }

    /// The pattern of an index, to be made a place.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Pattern> {
        self.list.get_mut(index as usize)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}
