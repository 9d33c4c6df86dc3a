//! What a tally says, in rates and tables.

use serde::{Deserialize, Serialize};

use super::{Counted, Side, Sides, Tally, When, taught};
use crate::ruleset::RuleSet;

/// Lines of a table that are kept.
const MOST_LINES: usize = 50;

/// What a rule set did with the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`RuleSet::version`] of the one that was tried.
    pub rule_set: String,
    /// That of the one it was compared with.
    pub against: Option<String>,
    /// Cases judged.
    pub cases: u64,
    /// Cases left out, because a rule set was trained on them.
    pub excluded: u64,
    /// Cases of which only is known where they did not belong.
    pub unlabelled: u64,
    /// What `tried` and `before` speak of: the cases that came after everything the phrases were learned from, wherever
    /// there are labelled ones; `None` is all cases.
    pub of: Option<When>,
    /// What the one that was tried did.
    pub tried: Summary,
    /// What the one it was compared with did.
    pub before: Option<Summary>,
    /// The first and last day of what the phrases of either were learned from (ISO 8601); `None` where nothing was learned,
    /// or its days are not known.
    pub learned: Option<(String, String)>,
    /// All cases, then those before, during and after these days, and those without a date; empty without these days.
    pub parts: Vec<Part>,
    /// How often its best candidate was right where people decided without seeing it; the one rate without bias.
    pub unseen: Option<Rate>,
    /// Decided cases by month, the oldest first.
    pub periods: Vec<Period>,
    /// Departments taken for one another, the most frequent first, at most fifty.
    pub confusion: Vec<Confusion>,
    /// Tickets that go elsewhere than before, the most frequent first, at most fifty pairs.
    pub moves: Vec<Movement>,
    /// Tickets that go elsewhere than before, all of them.
    pub moved: u64,
    /// Items, by id.
    pub labels: Vec<LabelResult>,
    /// Rules that fired, by id.
    pub rules: Vec<RuleResult>,
    /// Rules that never fired, by id.
    pub dead: Vec<String>,
}

/// A part of the history, by when its cases came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Which; `None` is all cases.
    pub when: Option<When>,
    /// Cases judged.
    pub cases: u64,
    /// What the rule set that was tried did with them.
    pub tried: Summary,
    /// What the one it was compared with did.
    pub before: Option<Summary>,
}

/// A share with its interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Cases.
    pub cases: u64,
    /// The share that was right, by weight, 0 to 1.
    pub share: f64,
    /// Lower end of the interval (Wilson's score, for the effective number of cases).
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What one rule set did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The share of labelled cases that it decided by itself, by weight.
    pub coverage: f64,
    /// Items of what it decided; `None` when it decided nothing that is labelled.
    pub items: Option<Rate>,
    /// Departments of what it decided.
    pub departments: Option<Rate>,
    /// The best candidate of every labelled case, decided or not.
    pub best: Option<Rate>,
    /// The mean of the items' F1, an abstention counting as a miss.
    pub macro_f1: f64,
    /// Accepted send-backs that it would send to the same item again, of so many.
    pub repeated: (u64, u64),
    /// Accuracy of the most certain cases, by tenths of coverage.
    pub curve: Vec<Point>,
}

/// A point of the curve of coverage against accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The share of cases at least this certain.
    pub coverage: f64,
    /// How certain the least of them is.
    pub confidence: f64,
    /// The share of them whose best candidate is right.
    pub accuracy: f64,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// As `2026-11`.
    pub month: String,
    /// Items of what was decided.
    pub items: Rate,
}

/// A department taken for another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Where the cases belonged.
    pub belonged: String,
    /// Where they were sent.
    pub sent: String,
    /// How many.
    pub cases: u64,
    /// The first of them, by id.
    pub examples: Vec<String>,
}

/// Tickets that go elsewhere than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The department before; `None` is the triage desk.
    pub from: Option<String>,
    /// The department now.
    pub to: Option<String>,
    /// How many.
    pub cases: u64,
    /// Those that are now right and were not.
    pub gained: u64,
    /// Those that were right and are not any more.
    pub lost: u64,
    /// The first of them, by id.
    pub examples: Vec<String>,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelResult {
    /// Its id.
    pub item: String,
    /// Cases that belonged to it.
    pub cases: u64,
    /// Of what was decided to be it, the share that was.
    pub precision: Option<f64>,
    /// Of what was it, the share that was decided to be it.
    pub recall: Option<f64>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Its id.
    pub rule: String,
    /// How often it fired.
    pub hits: u64,
    /// In how many of these cases it named an item or a department and could be told to be right or wrong.
    pub told: u64,
    /// In how many it was right.
    pub right: u64,
    /// The share of those; `None` when it could never be told.
    pub precision: Option<f64>,
}

/// To four places, so that reports are read with ease.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

impl Counted {
    /// Wilson's score interval; weighted cases count as many as their weights are worth (Kish's effective sample size).
    fn rate(&self) -> Option<Rate> {
        const Z: f64 = 1.959_964;
        if self.weight == 0 {
            return None;
        }
        let weight = self.weight as f64;
        let count = weight * weight / self.squares as f64;
        let share = self.right as f64 / weight;
        let spread = Z * Z / count;
        let centre = (share + spread / 2.0) / (1.0 + spread);
        let half = Z / (1.0 + spread) * (share * (1.0 - share) / count + spread / (4.0 * count)).sqrt();
        Some(Rate {
            cases: self.cases,
            share: rounded(share),
            low: rounded((centre - half).max(0.0)),
            high: rounded((centre + half).min(1.0)),
        })
    }
}

impl Rate {
    /// So many of so many; `None` of none.
    #[must_use]
    pub fn of(right: u64, cases: u64) -> Option<Self> {
        Counted { cases, weight: cases * 1000, squares: cases * 1_000_000, right: right * 1000 }.rate()
    }
}

impl Sides {
    fn part(&self, when: Option<When>) -> Part {
        Part { when, cases: self.cases, tried: self.new.summary(), before: self.old.as_ref().map(Side::summary) }
    }
}

impl Side {
    fn summary(&self) -> Summary {
        let scores: Vec<f64> = self
            .labels
            .values()
            .filter(|label| label.truth > 0)
            .map(|label| 2.0 * label.right as f64 / (label.truth + label.said) as f64)
            .collect();
        let macro_f1 = if scores.is_empty() { 0.0 } else { scores.iter().sum::<f64>() / scores.len() as f64 };
        Summary {
            coverage: share(self.items.weight, self.best.weight).unwrap_or_default(),
            items: self.items.rate(),
            departments: self.departments.rate(),
            best: self.best.rate(),
            macro_f1: rounded(macro_f1),
            repeated: (self.repeated, self.sent_back),
            curve: self.curve(),
        }
    }

    fn curve(&self) -> Vec<Point> {
        let whole: u64 = self.bins.iter().map(|(all, _)| all).sum();
        let (mut all, mut right, mut tenth) = (0, 0, 1);
        let mut points = Vec::with_capacity(10);
        for (bin, (more, more_right)) in self.bins.iter().enumerate().rev() {
            all += more;
            right += more_right;
            if *more > 0 && all * 10 >= whole * tenth {
                points.push(Point {
                    coverage: rounded(all as f64 / whole as f64),
                    confidence: bin as f64 / 1000.0,
                    accuracy: rounded(right as f64 / all as f64),
                });
                tenth = all * 10 / whole + 1;
            }
        }
        points
    }
}

impl Tally {
    /// What the tally says of the rule set that was tried.
    #[must_use]
    pub fn report(&self, tried: &RuleSet, against: Option<&RuleSet>) -> Report {
        let mut confusion: Vec<Confusion> = self
            .confusion
            .iter()
            .map(|((belonged, sent), pair)| Confusion {
                belonged: belonged.clone(),
                sent: sent.clone(),
                cases: pair.cases,
                examples: pair.examples.0.iter().map(|(_, id)| id.clone()).collect(),
            })
            .collect();
        confusion.sort_by_key(|line| std::cmp::Reverse(line.cases));
        confusion.truncate(MOST_LINES);
        let mut moves: Vec<Movement> = self
            .moves
            .iter()
            .map(|((from, to), pair)| Movement {
                from: from.clone(),
                to: to.clone(),
                cases: pair.cases,
                gained: pair.gained,
                lost: pair.lost,
                examples: pair.examples.0.iter().map(|(_, id)| id.clone()).collect(),
            })
            .collect();
        moves.sort_by_key(|line| std::cmp::Reverse(line.cases));
        moves.truncate(MOST_LINES);
        let later = self.parts.get(&When::After).filter(|later| later.new.best.cases > 0);
        let headline = later.map_or_else(|| self.all.part(None), |later| later.part(Some(When::After)));
        let parts = self.parts.iter().map(|(when, sides)| sides.part(Some(*when)));
        Report {
            rule_set: tried.version().to_owned(),
            against: against.map(|against| against.version().to_owned()),
            cases: self.all.cases,
            excluded: self.excluded,
            unlabelled: self.unlabelled,
            of: headline.when,
            tried: headline.tried,
            before: headline.before,
            learned: taught(tried, against).map(|(from, until)| (from.to_string(), until.to_string())),
            parts: if self.parts.is_empty() {
                vec![]
            } else {
                std::iter::once(self.all.part(None)).chain(parts).collect()
            },
            unseen: self.unseen.rate(),
            periods: self
                .periods
                .iter()
                .filter_map(|(month, counted)| Some(Period { month: month.clone(), items: counted.rate()? }))
                .collect(),
            confusion,
            moves,
            moved: self.moves.values().map(|pair| pair.cases).sum(),
            labels: self
                .all
                .new
                .labels
                .iter()
                .map(|(item, label)| LabelResult {
                    item: item.clone(),
                    cases: label.cases,
                    precision: share(label.right, label.said),
                    recall: share(label.right, label.truth),
                })
                .collect(),
            rules: self
                .rules
                .iter()
                .map(|(rule, fired)| RuleResult {
                    rule: rule.clone(),
                    hits: fired.hits,
                    told: fired.told,
                    right: fired.right,
                    precision: share(fired.right, fired.told),
                })
                .collect(),
            dead: tried.rules().filter(|rule| !self.rules.contains_key(&rule.id)).map(|rule| rule.id.clone()).collect(),
        }
    }
}
