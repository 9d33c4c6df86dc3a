//! Pack files as values that know their line, so that every problem can be shown where it stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use chrono::NaiveDate;

use crate::calendar::{self, LocalTime};

/// One file of a pack, as the caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path within the pack, with `/`: `rules/roads.toml`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Something wrong in a pack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path within the pack.
    pub file: String,
    /// Line from 1; 0 when it concerns the file or pack as a whole.
    pub line: usize,
    /// The line itself, trimmed and cut to 120 characters.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} ({})", self.file, self.line, self.message, self.advice)
    }
}

impl std::error::Error for Problem {}

/// A file with the offsets at which its lines begin.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// The file.
    pub(crate) file: &'a SourceFile,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Finds the lines of a file.
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        let starts = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { file, starts }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    source: &'a Source<'a>,
    offset: usize,
}

impl<'a> Place<'a> {
    /// The beginning of a file.
    pub(crate) fn file(source: &'a Source<'a>) -> Self {
        Self { source, offset: 0 }
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &'a str {
        &self.source.file.path
    }

    /// The line, from 1.
    pub(crate) fn line(&self) -> usize {
        1 + self.source.starts.partition_point(|start| *start <= self.offset)
    }

    /// A problem at this place.
    pub(crate) fn problem(&self, message: impl Into<String>, advice: impl Into<String>) -> Problem {
        let line = self.line();
        let start = line.checked_sub(2).and_then(|before| self.source.starts.get(before)).copied().unwrap_or_default();
        let excerpt = self.source.file.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        Problem {
            file: self.source.file.path.clone(),
            line,
            excerpt: excerpt.trim().chars().take(120).collect(),
            message: message.into(),
            advice: advice.into(),
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    value: &'a DeValue<'a>,
    /// Where it stands.
    pub(crate) place: Place<'a>,
}

/// A table whose keys were all checked to be known.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    table: &'a DeTable<'a>,
    /// Where it stands.
    pub(crate) place: Place<'a>,
}

/// Syntax errors told of one file, and unknown keys of one table: what is no pack at all need not be told in full.
const MOST_OF_A_KIND: usize = 100;

/// Parses a file, reporting its syntax errors.
pub(crate) fn parse<'a>(source: &'a Source<'a>, problems: &mut Vec<Problem>) -> Option<Spanned<DeTable<'a>>> {
    let (table, errors) = DeTable::parse_recoverable(&source.file.text);
    for error in errors.iter().take(MOST_OF_A_KIND) {
        let offset = error.span().map_or(0, |span: Range<usize>| span.start);
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        problems
            .push(Place { source, offset }.problem(format!("not TOML: {message}"), "correct the syntax; see toml.io"));
    }
    errors.is_empty().then_some(table)
}

impl<'a> Table<'a> {
    /// The root of a file.
    pub(crate) fn root(
        source: &'a Source<'a>,
        table: &'a DeTable<'a>,
        known: &[&str],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let table = Self { table, place: Place { source, offset: 0 } };
        table.refuse_unknown(known, problems);
        table
    }

    fn refuse_unknown(&self, known: &[&str], problems: &mut Vec<Problem>) {
        let unknown = self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        for key in unknown.take(MOST_OF_A_KIND) {
            let name: &str = key.get_ref();
            let place = Place { source: self.place.source, offset: key.span().start };
            problems.push(place.problem(format!("unknown key `{name}`"), format!("known here: {}", known.join(", "))));
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.table.get(key)?;
        Some(Node { value: value.get_ref(), place: Place { source: self.place.source, offset: value.span().start } })
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            problems.push(self.place.problem(format!("`{key}` is missing"), format!("add `{key} = ...`")));
        }
        node
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required_text(&self, key: &str, problems: &mut Vec<Problem>) -> Option<String> {
        self.required(key, problems)?.text(problems).map(ToOwned::to_owned)
    }

    /// Every key with its value, in order of the key.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        self.table
            .iter()
            .map(|(key, value)| {
                let place = Place { source: self.place.source, offset: value.span().start };
                (key.get_ref().as_ref(), Node { value: value.get_ref(), place })
            })
            .collect()
    }

    /// The tables of `[[key]]`; none if the key is absent.
    pub(crate) fn tables(&self, key: &str, known: &[&str], problems: &mut Vec<Problem>) -> Vec<Table<'a>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Some(nodes) = node.list(problems) else { return Vec::new() };
        nodes.into_iter().filter_map(|node| node.table(known, problems)).collect()
    }
}

impl<'a> Node<'a> {
    fn wrong(&self, wanted: &str, problems: &mut Vec<Problem>) {
        problems.push(self.place.problem(format!("this is {}", self.value.type_str()), format!("write {wanted}")));
    }

    /// Whether it is a string.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// Whether it is a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// Each element of a list, or the single value, as `read` takes it; empty lists are refused.
    pub(crate) fn each<T>(
        self,
        problems: &mut Vec<Problem>,
        read: impl Fn(Node<'a>, &mut Vec<Problem>) -> Option<T>,
    ) -> Vec<T> {
        let DeValue::Array(_) = self.value else { return read(self, problems).into_iter().collect() };
        let nodes = self.list(problems).unwrap_or_default();
        if nodes.is_empty() {
            problems.push(self.place.problem("this list is empty", "fill it in or remove it"));
        }
        nodes.into_iter().filter_map(|node| read(node, problems)).collect()
    }

    /// What a date or time is written as, in quotes or bare.
    fn moment(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Datetime(moment) => Some(moment.to_string()),
            _ => None,
        }
    }

    /// A date.
    pub(crate) fn date(&self, problems: &mut Vec<Problem>) -> Option<NaiveDate> {
        let date = self.moment().and_then(|text| calendar::written(&text));
        if date.is_none() {
            problems.push(self.place.problem("this is not a date", "as in 2026-11-22"));
        }
        date
    }

    /// A date with its time of day.
    pub(crate) fn time(&self, problems: &mut Vec<Problem>) -> Option<LocalTime> {
        let time = self.moment().and_then(|text| LocalTime::parse(&text));
        if time.is_none() {
            problems.push(self.place.problem("this is not a time of a day", "as in 2026-11-22T09:58"));
        }
        time
    }

    /// A string that is not empty.
    pub(crate) fn text(&self, problems: &mut Vec<Problem>) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) if text.trim().is_empty() => {
                problems.push(self.place.problem("this text is empty", "fill it in or remove it"));
                None
            }
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                self.wrong("a text in quotes", problems);
                None
            }
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&self, problems: &mut Vec<Problem>) -> Option<bool> {
        if let DeValue::Boolean(value) = self.value {
            return Some(*value);
        }
        self.wrong("true or false", problems);
        None
    }

    /// A finite number from 0 to a million, whole or not.
    pub(crate) fn number(&self, problems: &mut Vec<Problem>) -> Option<f64> {
        let number = match self.value {
            DeValue::Integer(value) if value.radix() == 10 => value.as_str().parse::<f64>().ok(),
            DeValue::Float(value) => value.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=1_000_000.0).contains(number));
        if number.is_none() {
            self.wrong("a number from 0 to 1000000", problems);
        }
        number
    }

    /// A whole number from 1.
    pub(crate) fn count(&self, problems: &mut Vec<Problem>) -> Option<u32> {
        self.count_from(1, problems)
    }

    /// A whole number of at least `least`.
    pub(crate) fn count_from(&self, least: u32, problems: &mut Vec<Problem>) -> Option<u32> {
        let count = match self.value {
            DeValue::Integer(value) if value.radix() == 10 => {
                value.as_str().parse::<u32>().ok().filter(|count| *count >= least)
            }
            _ => None,
        };
        if count.is_none() {
            self.wrong(&format!("a whole number from {least}"), problems);
        }
        count
    }

    /// A table with known keys only.
    pub(crate) fn table(&self, known: &[&str], problems: &mut Vec<Problem>) -> Option<Table<'a>> {
        let table = self.any_table(problems)?;
        table.refuse_unknown(known, problems);
        Some(table)
    }

    /// A table whose keys are data.
    pub(crate) fn any_table(&self, problems: &mut Vec<Problem>) -> Option<Table<'a>> {
        if let DeValue::Table(table) = self.value {
            return Some(Table { table, place: self.place });
        }
        self.wrong("a table", problems);
        None
    }

    /// The elements of a list.
    pub(crate) fn list(&self, problems: &mut Vec<Problem>) -> Option<Vec<Node<'a>>> {
        if let DeValue::Array(nodes) = self.value {
            return Some(
                nodes
                    .iter()
                    .map(|node| Node {
                        value: node.get_ref(),
                        place: Place { source: self.place.source, offset: node.span().start },
                    })
                    .collect(),
            );
        }
        self.wrong("a list in square brackets", problems);
        None
    }

    /// A list of texts, or a single text; empty lists are refused.
    pub(crate) fn texts(&self, problems: &mut Vec<Problem>) -> Vec<(&'a str, Place<'a>)> {
        if self.is_text() {
            return self.text(problems).map(|text| (text, self.place)).into_iter().collect();
        }
        let Some(nodes) = self.list(problems) else { return Vec::new() };
        if nodes.is_empty() {
            problems.push(self.place.problem("this list is empty", "fill it in or remove it"));
        }
        nodes.into_iter().filter_map(|node| node.text(problems).map(|text| (text, node.place))).collect()
    }
}
