//! Proof before publishing: what a rule set would have done with the past, and what another one did.
//!
//! A [`Case`] is one appeal of which it is known where it belonged. Each is judged and added to a [`Tally`]; tallies of
//! different threads are merged, in any order, and give the same [`Report`].

mod report;

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize};

pub use report::{Confusion, LabelResult, Movement, Part, Period, Point, Rate, Report, RuleResult, Summary};

use crate::calendar;
use crate::decision::{DecidedBy, Decision, Effect};
use crate::facts::{Facts, Inputs};
use crate::learned::Learned;
use crate::ruleset::RuleSet;

/// Examples kept of a confusion or a movement.
const EXAMPLES: usize = 3;
/// Confidences are told apart by thousandths, as decisions round them.
const BINS: usize = 1001;

/// One appeal of a labelled history; a line of JSON Lines. Keys that are not known are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its name in lists of examples: a ticket number, or whatever the file has.
    #[serde(default, deserialize_with = "text_or_number")]
    pub id: String,
    /// The subject.
    #[serde(default)]
    pub title: Option<String>,
    /// The citizen's words.
    #[serde(default)]
    pub text: String,
    /// The service item that it belonged to; `None` when that is not known.
    #[serde(default)]
    pub label: Option<String>,
    /// The department that it belonged to.
    #[serde(default)]
    pub department: Option<String>,
    /// When it came: RFC 3339, or a date, year first, as cities write it (`2026/1/8 15:40`).
    #[serde(default, deserialize_with = "date")]
    pub date: Option<String>,
    /// What it counts, 0 to 1: 1 for a person's decision, less for a weaker sign.
    #[serde(default = "whole")]
    pub weight: f64,
    /// The item that it did not belong to, when that is all that is known: an accepted send-back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<String>,
    /// Whether whoever labelled it had not seen what the rules said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// What else was known when it came.
    #[serde(flatten)]
    pub inputs: Inputs,
}

const fn whole() -> f64 {
    1.0
}

/// Text, or a number as text; nothing is unknown.
fn date<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    text_or_number(input).map(|date| Some(date).filter(|date| !date.is_empty()))
}

fn text_or_number<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(i64),
        Nothing(()),
    }
    Ok(match Id::deserialize(input)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
        Id::Nothing(()) => String::new(),
    })
}

impl Case {
    /// What a rule set is asked.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts::of_inputs(&self.inputs, self.title.as_deref(), &self.text)
    }

    /// The day it came, if its date can be read.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        calendar::day(self.date.as_deref()?)
    }
}

/// Thousandths of a case, so that sums do not depend on their order.
type Weight = u64;

fn weight_of(case: &Case) -> Weight {
    (case.weight.clamp(0.0, 1.0) * 1000.0).round() as Weight
}

/// How often something was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    cases: u64,
    weight: Weight,
    squares: u64,
    right: Weight,
}

impl Counted {
    fn add(&mut self, weight: Weight, right: bool) {
        self.cases += 1;
        self.weight += weight;
        self.squares += weight * weight;
        self.right += if right { weight } else { 0 };
    }

    fn merge(&mut self, other: &Self) {
        self.cases += other.cases;
        self.weight += other.weight;
        self.squares += other.squares;
        self.right += other.right;
    }
}

/// The first cases of a kind, by their place in the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Examples(Vec<(u64, String)>);

impl Examples {
    fn add(&mut self, place: u64, id: &str) {
        if self.0.len() == EXAMPLES && self.0.last().is_some_and(|(last, _)| *last < place) {
            return;
        }
        self.0.push((place, id.to_owned()));
        self.0.sort_unstable();
        self.0.truncate(EXAMPLES);
    }

    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable();
        self.0.truncate(EXAMPLES);
    }
}

/// How often a pair was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pair {
    cases: u64,
    /// Cases that are right afterwards and were not before.
    gained: u64,
    /// Cases that were right before and are not afterwards.
    lost: u64,
    examples: Examples,
}

impl Pair {
    fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.gained += other.gained;
        self.lost += other.lost;
        self.examples.merge(other.examples);
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Labelled {
    truth: Weight,
    said: Weight,
    right: Weight,
    cases: u64,
}

/// What one rule set did.
#[derive(Debug, Clone, Default, PartialEq)]
struct Side {
    /// All labelled cases by their best candidate, whether it decided or not.
    best: Counted,
    items: Counted,
    departments: Counted,
    labels: BTreeMap<String, Labelled>,
    /// Weight and right weight by the thousandth of confidence; empty before the first case.
    bins: Vec<(Weight, Weight)>,
    /// Cases sent again to where they were sent back from, and such cases.
    repeated: u64,
    sent_back: u64,
}

impl Side {
    fn add(&mut self, case: &Case, weight: Weight, decision: &Decision) {
        if let Some(not) = &case.not {
            self.sent_back += 1;
            self.repeated += u64::from(decision.item.as_ref() == Some(not));
        }
        if let (Some(department), Some(said)) = (&case.department, &decision.department) {
            self.departments.add(weight, department == said);
        }
        let Some(label) = &case.label else { return };
        let decided = decision.item.as_ref().filter(|_| decision.decided_by != DecidedBy::Abstain);
        let best = decided.or(decision.ranked.first().map(|ranked| &ranked.item));
        self.best.add(weight, best == Some(label));
        let truth = self.labels.entry(label.clone()).or_default();
        truth.truth += weight;
        truth.cases += 1;
        if let Some(item) = decided {
            self.items.add(weight, item == label);
            truth.right += if item == label { weight } else { 0 };
            self.labels.entry(item.clone()).or_default().said += weight;
        }
        self.bins.resize(BINS, (0, 0));
        let bin = (decision.confidence.clamp(0.0, 1.0) * 1000.0).round() as usize;
        if let Some((all, right)) = self.bins.get_mut(bin) {
            *all += weight;
            *right += if best == Some(label) { weight } else { 0 };
        }
    }

    fn merge(&mut self, other: Self) {
        self.best.merge(&other.best);
        self.items.merge(&other.items);
        self.departments.merge(&other.departments);
        for (label, more) in other.labels {
            let label = self.labels.entry(label).or_default();
            label.truth += more.truth;
            label.said += more.said;
            label.right += more.right;
            label.cases += more.cases;
        }
        self.bins.resize(self.bins.len().max(other.bins.len()), (0, 0));
        for ((all, right), (more, more_right)) in self.bins.iter_mut().zip(other.bins) {
            *all += more;
            *right += more_right;
        }
        self.repeated += other.repeated;
        self.sent_back += other.sent_back;
    }
}

/// How often a rule fired, in how many of these cases it could be told whether it was right, and in how many it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fired {
    hits: u64,
    told: u64,
    right: u64,
}

/// When a case came, by the days of what the phrases were learned from. A city changes, and near-duplicates of a case cluster
/// around it: only what came later tells how phrases will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first of these days.
    Before,
    /// On one of them, or between.
    During,
    /// After the last.
    After,
    /// Nobody knows.
    Undated,
}

impl When {
    /// Every part, in order.
    pub const ALL: [Self; 4] = [Self::Before, Self::During, Self::After, Self::Undated];

    /// The word that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
            Self::Undated => "undated",
        }
    }

    fn of(day: Option<NaiveDate>, (from, until): (NaiveDate, NaiveDate)) -> Self {
        match day {
            None => Self::Undated,
            Some(day) if day < from => Self::Before,
            Some(day) if day > until => Self::After,
            Some(_) => Self::During,
        }
    }
}

/// What both rule sets did with the cases of a part.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sides {
    cases: u64,
    new: Side,
    old: Option<Side>,
}

impl Sides {
    fn add(&mut self, case: &Case, weight: Weight, new: &Decision, old: Option<&Decision>) {
        self.cases += 1;
        self.new.add(case, weight, new);
        if let Some(old) = old {
            self.old.get_or_insert_default().add(case, weight, old);
        }
    }

    fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.new.merge(other.new);
        if let Some(old) = other.old {
            self.old.get_or_insert_default().merge(old);
        }
    }
}

/// The days of what the learned phrases of one or two rule sets were learned from, if these had dates.
fn taught(new: &RuleSet, old: Option<&RuleSet>) -> Option<(NaiveDate, NaiveDate)> {
    let periods = [Some(new), old].into_iter().flatten().filter_map(|rules| rules.learned().and_then(Learned::period));
    periods.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

type Departments = (Option<String>, Option<String>);

/// What one or two rule sets did with a part of the past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    excluded: u64,
    unlabelled: u64,
    all: Sides,
    /// By when they came; empty where nothing was learned, or of no known days.
    parts: BTreeMap<When, Sides>,
    unseen: Counted,
    periods: BTreeMap<String, Counted>,
    confusion: BTreeMap<(String, String), Pair>,
    moves: BTreeMap<Departments, Pair>,
    rules: BTreeMap<String, Fired>,
}

impl Tally {
    /// Judges a case by one rule set, or by two to compare them, and adds what came of it. `place` is its place in the
    /// history, by which examples are chosen.
    pub fn judge(&mut self, place: u64, case: &Case, new: &RuleSet, old: Option<&RuleSet>) {
        let facts = case.facts();
        let decision = new.decide(&facts);
        let before = old.map(|old| old.decide(&facts));
        self.add(place, case, &decision, before.as_ref());
        if let Some(period) = taught(new, old) {
            let part = self.parts.entry(When::of(case.day(), period)).or_default();
            part.add(case, weight_of(case), &decision, before.as_ref());
        }
    }

    /// Notes a case that is left out, because a rule set was trained on it.
    pub fn exclude(&mut self) {
        self.excluded += 1;
    }

    /// Adds what came of a case.
    pub fn add(&mut self, place: u64, case: &Case, new: &Decision, old: Option<&Decision>) {
        let weight = weight_of(case);
        self.unlabelled += u64::from(case.label.is_none() && case.department.is_none());
        self.all.add(case, weight, new, old);
        if let Some(label) = &case.label {
            let right = new.item.as_ref() == Some(label);
            if case.unseen {
                let best = new.item.as_ref().or(new.ranked.first().map(|ranked| &ranked.item));
                self.unseen.add(weight, best == Some(label));
            }
            if let (Some(day), Some(_)) = (case.day(), &new.item) {
                let month = format!("{:04}-{:02}", day.year(), day.month());
                self.periods.entry(month).or_default().add(weight, right);
            }
        }
        let told = case.department.as_ref();
        if let (Some(truth), Some(said)) = (told, &new.department)
            && truth != said
        {
            let pair = self.confusion.entry((truth.clone(), said.clone())).or_default();
            pair.cases += 1;
            pair.examples.add(place, &case.id);
        }
        if let Some(old) = old
            && old.department != new.department
        {
            let pair = self.moves.entry((old.department.clone(), new.department.clone())).or_default();
            pair.cases += 1;
            pair.gained += u64::from(told.is_some() && told == new.department.as_ref());
            pair.lost += u64::from(told.is_some() && told == old.department.as_ref());
            pair.examples.add(place, &case.id);
        }
        for hit in &new.trace.hits {
            let fired = self.rules.entry(hit.rule.clone()).or_default();
            fired.hits += 1;
            let verdicts = hit.effects.iter().filter_map(|effect| match effect {
                Effect::Item(item) => case.label.as_ref().map(|label| label == item).or_else(|| {
                    // All that is known of it may be that it was not this.
                    case.not.as_ref().filter(|not| *not == item).map(|_| false)
                }),
                Effect::Department(department) => told.map(|told| told == department),
                _ => None,
            });
            for right in verdicts {
                fired.told += 1;
                fired.right += u64::from(right);
            }
        }
    }

    /// Adds what another tally holds.
    pub fn merge(&mut self, other: Self) {
        self.excluded += other.excluded;
        self.unlabelled += other.unlabelled;
        self.all.merge(other.all);
        for (when, more) in other.parts {
            self.parts.entry(when).or_default().merge(more);
        }
        self.unseen.merge(&other.unseen);
        for (period, counted) in other.periods {
            self.periods.entry(period).or_default().merge(&counted);
        }
        for (pair, more) in other.confusion {
            self.confusion.entry(pair).or_default().merge(more);
        }
        for (pair, more) in other.moves {
            self.moves.entry(pair).or_default().merge(more);
        }
        for (rule, more) in other.rules {
            let fired = self.rules.entry(rule).or_default();
            fired.hits += more.hits;
            fired.told += more.told;
            fired.right += more.right;
        }
    }

    /// `measured.toml` of the rule set that was tried: how often each of its rules was right. `None` when nothing was told.
    #[must_use]
    pub fn measured(&self) -> Option<String> {
        use std::fmt::Write as _;
        let mut text = String::from("# Written by `yingda rules backtest`: how often each rule was right.\n");
        let mut any = false;
        for (rule, fired) in self.rules.iter().filter(|(_, fired)| fired.told > 0) {
            any = true;
            // Ids are lower-case letters, digits, hyphens and dots, which TOML takes as they are.
            let _ = write!(text, "\n[[rule]]\nid = \"{rule}\"\nhits = {}\nright = {}\n", fired.told, fired.right);
        }
        any.then_some(text)
    }
}

#[cfg(test)]
mod tests;
