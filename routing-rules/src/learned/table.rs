//! `learned/phrases.tsv`: one phrase a line, one column a label; a spreadsheet opens it.

use std::fmt::Write;

use super::PhraseField;
use crate::fold::is_word;
use crate::source::{Problem, SourceFile};

/// The columns before the labels.
const COLUMNS: [&str; 3] = ["phrase", "field", "count"];

/// A phrase, with the range of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// Bytes of [`Table::words`].
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Whether the word may go on before it: `*ole`.
    pub(crate) open_start: bool,
    /// Whether the word may go on after it: `pot*`.
    pub(crate) open_end: bool,
    /// Whether a letter may not stand right before it, and right after it.
    pub(crate) bound: [bool; 2],
    pub(crate) field: PhraseField,
    /// Cases it was found in.
    pub(crate) count: u32,
    /// The end of its weights; they begin where those of the phrase before end.
    pub(crate) weights: u32,
}

/// Every phrase and weight, flat.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) labels: Vec<String>,
    /// The phrases without `*`, one after the other.
    pub(crate) words: String,
    /// Sorted by word.
    pub(crate) phrases: Vec<Phrase>,
    /// Label and weight, in the order of the phrases.
    pub(crate) weights: Vec<(u16, f32)>,
}

/// The first line, without its end.
pub(crate) fn header<'l>(labels: impl Iterator<Item = &'l str>) -> String {
    COLUMNS.into_iter().chain(labels).collect::<Vec<_>>().join("\t")
}

/// Writes the line of a phrase; weights are (place of the label, weight), by place.
pub(crate) fn line(
    text: &mut String,
    (word, open_start, open_end): (&str, bool, bool),
    field: PhraseField,
    count: u32,
    labels: usize,
    weights: &[(usize, f32)],
) {
    let star = |open: bool| if open { "*" } else { "" };
    // Writing to a String cannot fail.
    let _ = write!(text, "{}{word}{}\t{}\t{count}", star(open_start), star(open_end), field.as_str());
    let mut weights = weights.iter().peekable();
    for label in 0..labels {
        text.push('\t');
        if let Some((_, weight)) = weights.next_if(|(at, _)| *at == label) {
            let _ = write!(text, "{weight}");
        }
    }
    text.push('\n');
}

impl Table {
    /// The word of a phrase, without `*`.
    pub(crate) fn word(&self, phrase: &Phrase) -> &str {
        self.words.get(phrase.start as usize..phrase.end as usize).unwrap_or_default()
    }

    /// A phrase as the file has it.
    pub(crate) fn written(&self, phrase: &Phrase) -> String {
        let star = |open: bool| if open { "*" } else { "" };
        format!("{}{}{}", star(phrase.open_start), self.word(phrase), star(phrase.open_end))
    }

    /// The weights of a phrase by its place.
    pub(crate) fn weights(&self, at: usize) -> &[(u16, f32)] {
        let from = at.checked_sub(1).and_then(|before| self.phrases.get(before)).map_or(0, |phrase| phrase.weights);
        let to = self.phrases.get(at).map_or(0, |phrase| phrase.weights);
        self.weights.get(from as usize..to as usize).unwrap_or_default()
    }

    /// Reads the file, every problem at once.
    pub(super) fn read(file: &SourceFile) -> Result<Self, Vec<Problem>> {
        let problem = |number: usize, line: &str, message: String, advice: &str| Problem {
            file: file.path.clone(),
            line: number,
            excerpt: line.trim().chars().take(120).collect(),
            message,
            advice: advice.to_owned(),
        };
        let mut lines = file.text.lines().zip(1..);
        let first = lines.next().map_or("", |(line, _)| line);
        let mut columns = first.split('\t');
        if !COLUMNS.iter().all(|name| columns.next() == Some(*name)) {
            let advice = "the first line names the columns: phrase, field, count and the labels, with tabs between";
            return Err(vec![problem(1, first, "this is no table of phrases".to_owned(), advice)]);
        }
        let mut table = Self { labels: columns.map(ToOwned::to_owned).collect(), ..Self::default() };
        let mut problems = Vec::new();
        if table.labels.len() > usize::from(u16::MAX) {
            problems.push(problem(1, "", "more than 65535 labels".to_owned(), "learn from fewer"));
        }
        if super::places(&table.labels).len() != table.labels.len() {
            problems.push(problem(1, first, "a label is there twice".to_owned(), "remove one of the columns"));
        }
        let mut sorted = true;
        for (line, number) in lines {
            if line.trim().is_empty() {
                continue;
            }
            if let Err((message, advice)) = table.line(line) {
                problems.push(problem(number, line, message, advice));
            }
            if let [.., one, two] = table.phrases.as_slice() {
                sorted &= table.word(one) <= table.word(two);
            }
        }
        if problems.is_empty() { Ok(if sorted { table } else { table.sorted() }) } else { Err(problems) }
    }

    fn line(&mut self, line: &str) -> Result<(), (String, &'static str)> {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().map(str::trim).unwrap_or_default();
        let (written, field, count) = (cell(), cell(), cell());
        let field =
            PhraseField::parse(field).ok_or_else(|| (format!("`{field}` is no field"), "write title, text or both"))?;
        let count: u32 = count.parse().map_err(|_| {
            (format!("`{count}` is no count"), "write how many cases have the phrase, or 0 if you added it")
        })?;
        let body = written.strip_prefix('*').unwrap_or(written);
        let (open_start, tail) = (body.len() < written.len(), body.strip_suffix('*').unwrap_or(body));
        let (open_end, body) = (tail.len() < body.len(), tail);
        let folded = crate::fold::Folded::new(body).text;
        if !folded.chars().any(char::is_alphanumeric) || folded.contains('*') {
            return Err((
                format!("`{written}` can never match"),
                "use letters or digits, with `*` only at its beginning or end",
            ));
        }
        let start = self.words.len();
        for (label, cell) in cells.enumerate() {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            let weight: f32 =
                cell.parse().ok().filter(|weight: &f32| weight.abs() <= 1e6).ok_or_else(|| {
                    (format!("`{cell}` is no weight"), "write a number such as 1.25 or -0.3, or nothing")
                })?;
            if label >= self.labels.len() {
                return Err(("more cells than columns".to_owned(), "each weight stands under its label"));
            }
            self.weights.push((label as u16, weight));
        }
        self.words.push_str(&folded);
        self.phrases.push(Phrase {
            start: start as u32,
            end: self.words.len() as u32,
            open_start,
            open_end,
            bound: [
                !open_start && folded.chars().next().is_some_and(is_word),
                !open_end && folded.chars().next_back().is_some_and(is_word),
            ],
            field,
            count,
            weights: self.weights.len() as u32,
        });
        Ok(())
    }

    /// The same in order of the words, for a clerk adds lines where it suits.
    fn sorted(&self) -> Self {
        let mut order: Vec<usize> = (0..self.phrases.len()).collect();
        order.sort_by_key(|at| self.phrases.get(*at).map(|phrase| self.word(phrase)));
        let mut table = Self { labels: self.labels.clone(), ..Self::default() };
        for at in order {
            let Some(phrase) = self.phrases.get(at) else { continue };
            let start = table.words.len() as u32;
            table.words.push_str(self.word(phrase));
            table.weights.extend_from_slice(self.weights(at));
            let (end, weights) = (table.words.len() as u32, table.weights.len() as u32);
            table.phrases.push(Phrase { start, end, weights, ..*phrase });
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile { path: super::super::PHRASES.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut text = header(["路", "水"].into_iter());
        text.push('\n');
        line(&mut text, ("路灯", false, false), PhraseField::Title, 7, 2, &[(0, 1.25)]);
        line(&mut text, ("hole", true, true), PhraseField::Both, 3, 2, &[(0, -0.5), (1, 2.0)]);
        assert_eq!(text, "phrase\tfield\tcount\t路\t水\n路灯\ttitle\t7\t1.25\t\n*hole*\tboth\t3\t-0.5\t2\n");
        let table = Table::read(&file(&text)).expect("reads");
        let written: Vec<String> = table.phrases.iter().map(|phrase| table.written(phrase)).collect();
        assert_eq!(written, ["*hole*", "路灯"]);
        assert_eq!(table.weights(0), [(0, -0.5), (1, 2.0)]);
        assert_eq!(table.weights(1), [(0, 1.25)]);
    }

    #[test]
    fn says_every_line_that_is_wrong() {
        let text = "phrase\tfield\tcount\ta\tb\n灯\tplace\t1\t1\n灯\ttext\tx\t1\n。\ttext\t1\t1\n灯\ttext\t1\tno\n灯\ttext\t1\t1\t2\t3\n";
        let problems = Table::read(&file(text)).expect_err("wrong");
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert_eq!(Table::read(&file("a\tb\n")).expect_err("wrong").len(), 1);
        assert_eq!(Table::read(&file("phrase\tfield\tcount\ta\ta\n")).expect_err("wrong").len(), 1);
    }
}
