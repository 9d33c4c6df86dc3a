//! `measured.toml`: how often each rule was right when it was last measured, so that its confidence is part of the rule set.

use std::collections::BTreeMap;

use crate::rule::Rule;
use crate::source::{Place, Problem, Table};

/// Below this many hits a rule counts as unproven.
const FEWEST: u32 = 20;

/// What a backtest found of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Appeals on which it fired and named the item that was then chosen or another one, so that it could be told.
    pub hits: u32,
    /// Those of them on which it was right; never more than `hits`.
    pub right: u32,
}

impl Measured {
    /// The precision, smoothed by one success and one failure (Laplace's rule of succession); a half below twenty hits.
    #[must_use]
    pub fn confidence(self) -> f64 {
        if self.hits < FEWEST { 0.5 } else { (f64::from(self.right) + 1.0) / (f64::from(self.hits) + 2.0) }
    }
}

/// Reads `measured.toml`.
pub(crate) fn read<'a>(root: &Table<'a>, problems: &mut Vec<Problem>) -> Vec<(&'a str, Place<'a>, Measured)> {
    let tables = root.tables("rule", &["id", "hits", "right"], problems);
    let one = |table: &Table<'a>| {
        let id = table.required("id", problems)?.text(problems)?;
        let hits = table.required("hits", problems)?.count_from(0, problems)?;
        let right = table.required("right", problems)?;
        let place = right.place;
        let right = right.count_from(0, problems)?;
        if right > hits {
            problems.push(place.problem("more right than hits", "measure again with `yingda rules backtest`"));
            return None;
        }
        Some((id, table.place, Measured { hits, right }))
    };
    tables.iter().filter_map(one).collect()
}

/// Gives the measurements to their rules.
pub(crate) fn apply(measured: Vec<(&str, Place<'_>, Measured)>, rules: &mut [Rule], problems: &mut Vec<Problem>) {
    if measured.is_empty() {
        return;
    }
    let mut by_id: BTreeMap<String, &mut Rule> = rules.iter_mut().map(|rule| (rule.info.id.clone(), rule)).collect();
    for (id, place, measured) in measured {
        match by_id.get_mut(id) {
            None => problems.push(place.problem(format!("there is no rule `{id}`"), "remove this measurement")),
            Some(rule) if rule.info.measured.is_some() => {
                problems.push(place.problem(format!("rule `{id}` is measured twice"), "remove one"));
            }
            Some(rule) => rule.info.measured = Some(measured),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_hits_prove_nothing() {
        for (hits, right, expected) in
            [(0, 0, 0.5), (19, 19, 0.5), (20, 20, 21.0 / 22.0), (98, 49, 0.5), (998, 0, 0.001)]
        {
            let confidence = Measured { hits, right }.confidence();
            assert!((confidence - expected).abs() < 1e-9, "{hits} {right}: {confidence}");
        }
    }
}
