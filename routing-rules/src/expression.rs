//! Regular expressions over the folded text: linear time, bounded in size.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;

use crate::fold::fold_letter;

/// The longest expression, in characters.
const LONGEST: usize = 500;
/// The most memory one compiled expression may take, in bytes.
const MOST_BYTES: usize = 512 << 10;
/// How deep groups may nest.
const DEEPEST: u32 = 20;
/// The most literals by which a text is known to be worth asking.
const MOST_LITERALS: usize = 64;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    /// As the pack has it.
    pub(crate) written: String,
    /// Over folded texts.
    pub(crate) regex: Regex,
    /// Texts of which one must be there for it to match; `None` when it cannot be told.
    pub(crate) literals: Option<Vec<String>>,
    /// Its number among patterns, for finds; set when all patterns are known.
    pub(crate) pattern: u32,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, and advice.
    pub(crate) fn new(written: &str) -> Result<Self, (String, &'static str)> {
        if written.chars().nth(LONGEST).is_some() {
            return Err((
                format!("an expression of more than {LONGEST} characters"),
                "use phrases or a word list for alternatives",
            ));
        }
        let folded = fold(written);
        let broken = |message: String| (message, "see https://docs.rs/regex/latest/regex/#syntax");
        let regex = RegexBuilder::new(&folded)
            .size_limit(MOST_BYTES)
            .dfa_size_limit(MOST_BYTES)
            .nest_limit(DEEPEST)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => (
                    format!("this expression needs more than {} KiB", MOST_BYTES >> 10),
                    "use smaller counts of repetition and fewer alternatives",
                ),
                error => broken(format!(
                    "not a regular expression: {}",
                    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")
                )),
            })?;
        if regex.is_match("") {
            return Err(("this expression matches everything".to_owned(), "say what must be there at least once"));
        }
        Ok(Self { written: written.to_owned(), regex, literals: literals(&folded), pattern: u32::MAX })
    }
}

/// The literals with which a match must begin, if they are few.
fn literals(folded: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::parse(folded).ok()?;
    let mut extractor = Extractor::new();
    extractor.limit_total(MOST_LITERALS).limit_class(MOST_LITERALS / 4);
    let found = extractor.extract(&hir);
    let literals: Vec<String> = found
        .literals()?
        .iter()
        .map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok())
        .collect::<Option<_>>()?;
    let telling = |literal: &String| literal.chars().any(char::is_alphanumeric);
    (!literals.is_empty() && literals.iter().all(telling)).then_some(literals)
}

/// Folds the letters of an expression as texts are folded; syntax stays as it is.
fn fold(written: &str) -> String {
    let mut folded = String::with_capacity(written.len());
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        folded.push(if character == '\\' || !character.is_alphabetic() { character } else { fold_letter(character) });
        match (character, characters.peek()) {
            // What follows a backslash is a class or an escaped sign; braces hold names and numbers.
            ('\\', Some(_)) => {
                folded.extend(characters.next());
                if characters.peek() == Some(&'{') {
                    copy_through(&mut characters, &mut folded, &['}']);
                }
            }
            // Flags and names of groups.
            ('(', Some('?')) => copy_through(&mut characters, &mut folded, &[':', ')', '>']),
            _ => {}
        }
    }
    folded
}

fn copy_through(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, folded: &mut String, ends: &[char]) {
    for character in characters.by_ref() {
        folded.push(character);
        if ends.contains(&character) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded_and_syntax_is_not() {
        for (written, folded) in [
            (r"路燈\d+", r"路灯\d+"),
            (r"[A-Z]{2}\D\W", r"[a-z]{2}\D\W"),
            (r"\p{Han}+ÉTÉ", r"\p{Han}+ete"),
            (r"(?P<Name>X)(?i:Y)", r"(?P<Name>x)(?i:y)"),
            (r"\x{41}\\B", r"\x{41}\\b"),
        ] {
            assert_eq!(fold(written), folded, "{written}");
        }
    }

    #[test]
    fn literals_say_when_to_ask() {
        let of = |text: &str| Expression::new(text).expect("compiles").literals;
        assert_eq!(of(r"编号\w{8}"), Some(vec!["编号".to_owned()]));
        assert_eq!(of(r"\d+号楼"), None);
        assert!(of("(路灯|街灯)坏").is_some_and(|list| list.len() == 2));
    }

    #[test]
    fn bombs_are_refused() {
        for bomb in
            ["(a{1000}){1000}", "(((((((((((((((((((((((a)))))))))))))))))))))))", "a*", "", "(", r"\p{L}{1000}"]
        {
            assert!(Expression::new(bomb).is_err(), "{bomb}");
        }
        assert!(Expression::new(&"a|".repeat(1000)).is_err());
    }
}
