//! Reads one section key by key, so that every wrong key is told at once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;

use super::layer::{Node, dotted};
use super::problem::{Origin, Problem};

/// A table of settings being read. What is left when it is finished is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    nodes: BTreeMap<String, Node>,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    pub(super) fn new(path: String, nodes: BTreeMap<String, Node>, problems: &'a mut Vec<Problem>) -> Self {
        Self { path, nodes, known: Vec::new(), problems }
    }

    /// A table within this one; an empty one if it is missing.
    pub(super) fn child(&mut self, key: &'static str) -> Section<'_> {
        self.known.push(key);
        let path = dotted(&self.path, key);
        let nodes = match self.nodes.remove(key) {
            Some(Node::Table(nodes)) => nodes,
            Some(Node::Value(_, origin)) => {
                self.problems.push(Problem::new(origin, path.clone(), "is not a table", format!("Write [{path}]")));
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        Section::new(path, nodes, self.problems)
    }

    /// All tables within this one, whatever their names.
    pub(super) fn children(&mut self) -> Vec<(String, BTreeMap<String, Node>)> {
        let mut tables = Vec::new();
        for (key, node) in std::mem::take(&mut self.nodes) {
            match node {
                Node::Table(nodes) => tables.push((key, nodes)),
                Node::Value(_, origin) => {
                    let path = dotted(&self.path, &key);
                    self.problems.push(Problem::new(origin, path.clone(), "is not a table", format!("Write [{path}]")));
                }
            }
        }
        tables
    }

    /// A table taken by [`Self::children`], to be read.
    pub(super) fn within(&mut self, key: &str, nodes: BTreeMap<String, Node>) -> Section<'_> {
        Section::new(dotted(&self.path, key), nodes, self.problems)
    }

    /// Every key of this table as one type.
    pub(super) fn map<T: DeserializeOwned>(&mut self, expected: &str) -> BTreeMap<String, T> {
        let keys: Vec<String> = self.nodes.keys().cloned().collect();
        keys.into_iter().filter_map(|key| Some((key.clone(), self.read(&key, expected)??))).collect()
    }

    /// A value that must be there (the defaults have it, unless they cannot).
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        self.known.push(key);
        let origin = self.origin(key);
        let value = self.read(key, expected)?;
        if value.is_none() {
            let fault = if origin == Origin::Missing { "is required" } else { "is empty" };
            self.problems.push(Problem::new(origin, dotted(&self.path, key), fault, expected));
        }
        value
    }

    /// A value that may be left out. `None` if it is; problems are told.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        self.known.push(key);
        self.read(key, expected).flatten()
    }

    /// A text that must be there and pass `parse`, whose error says what is wrong.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let origin = self.origin(key);
        let text: String = self.required(key, expected)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(origin, key, format!("{error}"), expected);
                None
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("Write a whole number from {} to {}", range.start(), range.end());
        let origin = self.origin(key);
        let value: u64 = self.required(key, &expected)?;
        if range.contains(&value) {
            return Some(value);
        }
        self.wrong(origin, key, format!("{value} is out of range"), &expected);
        None
    }

    /// The origin of a key that is still unread.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.nodes.get(key).map_or(Origin::Missing, Node::origin)
    }

    /// Records a problem of a key.
    pub(super) fn wrong(&mut self, origin: Origin, key: &str, fault: impl Into<String>, remedy: &str) {
        self.problems.push(Problem::new(origin, dotted(&self.path, key), fault, remedy));
    }

    /// Tells every key that nobody asked for.
    pub(super) fn finish(self) {
        for (key, node) in &self.nodes {
            self.problems.push(Problem::new(
                node.origin(),
                dotted(&self.path, key),
                "is unknown",
                format!("Known here: {}", self.known.join(", ")),
            ));
        }
    }

    /// `None` for a wrong value (told), `Some(None)` for none.
    #[expect(clippy::option_option, reason = "a wrong value and a missing one are told apart")]
    fn read<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Option<Option<T>> {
        let Some(node) = self.nodes.remove(key) else { return Some(None) };
        let value = node.plain();
        if value.as_str().is_some_and(str::is_empty) {
            return Some(None);
        }
        let origin = node.origin();
        let first = match value.try_into() {
            Ok(value) => return Some(Some(value)),
            Err(error) => error,
        };
        // A text such as +8612345 or a secret of digits is TOML by chance.
        if let Origin::Env { raw, .. } = &origin
            && let Ok(value) = toml::Value::String(raw.clone()).try_into()
        {
            return Some(Some(value));
        }
        let fault = harmless(key, first.message());
        self.problems.push(Problem::new(origin, dotted(&self.path, key), fault, expected));
        None
    }
}

/// A message of the TOML reader, which quotes the value, unless the key holds a secret.
pub(super) fn harmless(key: &str, message: &str) -> String {
    let secret = ["secret", "token", "password", "key"].iter().any(|word| key.contains(word));
    if secret { "has the wrong type".to_owned() } else { message.lines().next().unwrap_or_default().to_owned() }
}
