//! Phrases and place names in one automaton, and what it finds in a text.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::fold::{Folded, is_word};

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
    bound_start: bool,
    /// Whether a letter may not stand right after it.
    bound_end: bool,
    /// As a place name: the district's index, and the name as the gazetteer has it.
    pub(crate) place: Option<(usize, String)>,
}

/// The patterns of a pack, each once.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    list: Vec<Pattern>,
    known: BTreeMap<(String, bool), u32>,
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

    /// The automaton over all of them.
    ///
    /// # Errors
    /// When they are too many for one automaton.
    pub(crate) fn automaton(&self) -> Result<AhoCorasick, aho_corasick::BuildError> {
        AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(self.list.iter().map(|pattern| pattern.folded.as_bytes()))
    }
}

/// A pattern found: ordered by pattern, then field, then position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// Which pattern.
    pub(crate) pattern: u32,
    /// In which text, by its index.
    pub(crate) field: u8,
    /// First character in the original text.
    pub(crate) start: u32,
    /// Past the last character.
    pub(crate) end: u32,
    /// Distance units at its first and at its last character.
    pub(crate) units: (u32, u32),
}

/// Adds what the automaton finds in one folded text, whole words only where the script has words.
pub(crate) fn scan(automaton: &AhoCorasick, patterns: &Patterns, folded: &Folded, field: u8, hits: &mut Vec<Hit>) {
    for found in automaton.find_overlapping_iter(&folded.text) {
        let pattern = found.pattern().as_u32();
        let Some(Pattern { bound_start, bound_end, .. }) = patterns.get(pattern) else { continue };
        let before = || folded.text.get(..found.start()).and_then(|text| text.chars().next_back());
        let after = || folded.text.get(found.end()..).and_then(|text| text.chars().next());
        if (*bound_start && before().is_some_and(is_word)) || (*bound_end && after().is_some_and(is_word)) {
            continue;
        }
        let (start, end) = folded.original(found.start(), found.end());
        hits.push(Hit { pattern, field, start, end, units: folded.units(found.start(), found.end()) });
    }
}
