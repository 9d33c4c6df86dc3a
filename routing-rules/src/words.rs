//! Word lists and named conditions (macros) that rules share.

use std::collections::BTreeMap;

use crate::pack::{is_id, nearest};
use crate::source::{Node, Place, Problem, Table};

/// Keys of a list.
pub(crate) const LIST_KEYS: [&str; 3] = ["id", "reason", "phrases"];
/// Keys of a macro.
pub(crate) const MACRO_KEYS: [&str; 3] = ["id", "reason", "when"];

/// What rules share, by id.
#[derive(Default)]
pub(crate) struct Words<'a> {
    lists: BTreeMap<&'a str, (Node<'a>, Place<'a>)>,
    macros: BTreeMap<&'a str, (Node<'a>, Place<'a>)>,
}

impl<'a> Words<'a> {
    /// Reads `lists.toml`, `lists/*.toml`.
    pub(crate) fn lists(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        keep(&mut self.lists, root.tables("list", &LIST_KEYS, problems), "phrases", problems);
    }

    /// Reads `macros.toml`, `macros/*.toml`.
    pub(crate) fn macros(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        keep(&mut self.macros, root.tables("macro", &MACRO_KEYS, problems), "when", problems);
    }

    /// The phrases of a list, or a problem.
    pub(crate) fn list(&self, id: &str, place: Place<'a>, problems: &mut Vec<Problem>) -> Option<Node<'a>> {
        find(&self.lists, "list", id, place, problems)
    }

    /// The condition of a macro, or a problem.
    pub(crate) fn condition(&self, id: &str, place: Place<'a>, problems: &mut Vec<Problem>) -> Option<Node<'a>> {
        find(&self.macros, "macro", id, place, problems)
    }

    /// Every list's phrases.
    pub(crate) fn all_lists(&self) -> Vec<Node<'a>> {
        self.lists.values().map(|(node, _)| *node).collect()
    }

    /// Every macro with its condition.
    pub(crate) fn all_macros(&self) -> Vec<(&'a str, Node<'a>)> {
        self.macros.iter().map(|(id, (node, _))| (*id, *node)).collect()
    }
}

fn keep<'a>(
    map: &mut BTreeMap<&'a str, (Node<'a>, Place<'a>)>,
    tables: Vec<Table<'a>>,
    key: &str,
    problems: &mut Vec<Problem>,
) {
    for table in tables {
        let node = table.required(key, problems);
        if let Some(reason) = table.get("reason") {
            reason.text(problems);
        }
        let Some(id) = table.required("id", problems).and_then(|id| id.text(problems)) else { continue };
        if !is_id(id, true) {
            problems
                .push(table.place.problem(format!("`{id}` is not an id"), "lower-case letters, digits and hyphens"));
        }
        if let Some((_, first)) = map.get(id) {
            problems.push(table.place.problem(
                format!("`{id}` is there twice, first in {}:{}", first.path(), first.line()),
                "rename or remove one",
            ));
        } else if let Some(node) = node {
            map.insert(id, (node, table.place));
        }
    }
}

fn find<'a>(
    map: &BTreeMap<&'a str, (Node<'a>, Place<'a>)>,
    what: &str,
    id: &str,
    place: Place<'a>,
    problems: &mut Vec<Problem>,
) -> Option<Node<'a>> {
    let found = map.get(id).map(|(node, _)| *node);
    if found.is_none() {
        let ids: Vec<String> = map.keys().map(|id| (*id).to_owned()).collect();
        let advice = nearest(id, &ids.iter().collect::<Vec<_>>())
            .map_or_else(|| format!("add this {what} or correct the id"), |near| format!("did you mean `{near}`?"));
        problems.push(place.problem(format!("there is no {what} `{id}`"), advice));
    }
    found
}
