//! What the rules did lately: how often they decided, how often each rule and phrase spoke, was right, or was sent back.

use std::collections::BTreeMap;
use std::sync::Arc;

use routing_rules::backtest::Rate;
use routing_rules::{Effect, Phase, Trace};
use serde::Serialize;
use utoipa::ToSchema;

use super::history::{self, Label};
use crate::dispatch::StoredFacts;
use crate::hub::Hub;
use crate::store::Error;
use crate::store::past::Past;

/// Phrases that are shown.
const MOST_PHRASES: usize = 500;

/// What stands for a rule where a phrase was learned.
const LEARNED: &str = "learned";

/// What the rules did.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Stats {
    /// Over so many days.
    pub days: u32,
    /// Tickets that rules judged.
    pub judged: u64,
    /// Those that rules gave to a department.
    pub decided: u64,
    /// Those that went to the triage desk, as a share of all; those that people decide unseen are not counted.
    pub abstention_rate: Option<f64>,
    /// Of those that rules gave to a department, the share that it sent back.
    pub send_back_rate: Option<f64>,
    /// Tickets that people were left to decide unseen.
    pub unseen: u64,
    /// Of those that people have decided, how often the rules had the same item: the accuracy without bias.
    #[schema(value_type = Option<Object>)]
    pub unseen_items: Option<Rate>,
    /// The same for departments.
    #[schema(value_type = Option<Object>)]
    pub unseen_departments: Option<Rate>,
    /// Tickets by the version of the rules that judged them.
    pub rule_sets: BTreeMap<String, u64>,
    /// Every rule that decides now or spoke lately, by id.
    pub rules: Vec<RuleStats>,
    /// Phrases, the most frequent first, at most 500.
    pub phrases: Vec<PhraseStats>,
}

/// How often something spoke, and how it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Counts {
    /// Tickets in which it spoke.
    pub hits: u64,
    /// Those that went where it pointed.
    pub led: u64,
    /// Of those, the share that the department sent back.
    pub send_back_rate: Option<f64>,
    /// Tickets in which it can be told whether it was right.
    pub told: u64,
    /// The share of those in which it was.
    pub precision: Option<f64>,
    #[serde(skip)]
    sent_back: u64,
    #[serde(skip)]
    right: u64,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleStats {
    /// Its id.
    pub rule: String,
    /// The file it stands in.
    pub file: String,
    /// How it went.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A phrase of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PhraseStats {
    /// As the pack has it.
    pub phrase: String,
    /// The rule; `learned` for a phrase that was learned and spoke for what learned phrases named.
    pub rule: String,
    /// How it went.
    #[serde(flatten)]
    pub counts: Counts,
}

fn share(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of tickets are far below 2^53")]
    let share = (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0);
    share
}

impl Counts {
    fn add(&mut self, led: bool, sent_back: bool, right: Option<bool>) {
        self.hits += 1;
        self.led += u64::from(led);
        self.sent_back += u64::from(led && sent_back);
        self.told += u64::from(right.is_some());
        self.right += u64::from(right == Some(true));
    }

    fn done(mut self) -> Self {
        self.send_back_rate = share(self.sent_back, self.led);
        self.precision = share(self.right, self.told);
        self
    }
}

/// Figures while they are counted.
#[derive(Debug, Default)]
struct Counting {
    judged: u64,
    decided: u64,
    sent_back: u64,
    unseen: u64,
    unseen_items: (u64, u64),
    unseen_departments: (u64, u64),
    rule_sets: BTreeMap<String, u64>,
    rules: BTreeMap<String, (String, Counts)>,
    phrases: BTreeMap<(String, String), Counts>,
}

impl Counting {
    fn add(&mut self, past: &Past, closure_weight: f64) {
        let Some(judged) = history::judged(past) else { return };
        let Ok(trace) = serde_json::from_str::<Trace>(&judged.trace) else { return };
        let facts: StoredFacts = serde_json::from_str(&judged.facts).unwrap_or_default();
        let label = history::label(past, closure_weight);
        let sent_back = history::sent_back(past);
        self.judged += 1;
        self.decided += u64::from(judged.department.is_some());
        self.sent_back += u64::from(sent_back);
        *self.rule_sets.entry(judged.rule_set.clone().unwrap_or_default()).or_default() += 1;
        if let Some(unseen) = &facts.unseen {
            self.unseen += 1;
            let person = past.decisions.iter().find(|decision| decision.decided_by == "person");
            let count = |(all, right): &mut (u64, u64), truth: Option<&String>, said: &String| {
                *all += u64::from(truth.is_some());
                *right += u64::from(truth == Some(said));
            };
            count(&mut self.unseen_items, person.and_then(|person| person.item.as_ref()), &unseen.item);
            count(
                &mut self.unseen_departments,
                person.and_then(|person| person.department.as_ref()),
                &unseen.department,
            );
        }
        for hit in &trace.hits {
            let led = hit.effects.iter().any(|effect| match effect {
                Effect::Item(item) => judged.item.as_ref() == Some(item),
                Effect::Department(department) => judged.department.as_ref() == Some(department),
                _ => false,
            });
            let right = hit.effects.iter().find_map(|effect| right(effect, label.as_ref()));
            let (file, counts) = self.rules.entry(hit.rule.clone()).or_default();
            file.clone_from(&hit.file);
            counts.add(led, sent_back, right);
            if hit.phase != Phase::Recognise {
                continue;
            }
            let mut phrases: Vec<&str> = hit.phrases.iter().map(|phrase| phrase.phrase.as_str()).collect();
            phrases.sort_unstable();
            phrases.dedup();
            for phrase in phrases {
                let counts = self.phrases.entry((hit.rule.clone(), phrase.to_owned())).or_default();
                counts.add(led, sent_back, right);
            }
        }
        if let Some(learned) = &trace.learned {
            let led = judged.item.as_ref() == Some(&learned.item);
            let right = right(&Effect::Item(learned.item.clone()), label.as_ref());
            for phrase in learned.phrases.iter().filter(|phrase| phrase.share > 0.0) {
                let counts = self.phrases.entry((LEARNED.to_owned(), phrase.phrase.clone())).or_default();
                counts.add(led, sent_back, right);
            }
        }
    }
}

/// Whether what a rule said was right, if it can be told.
fn right(effect: &Effect, label: Option<&Label>) -> Option<bool> {
    let label = label?;
    match effect {
        Effect::Item(item) => match (&label.item, &label.not) {
            (Some(truth), _) => Some(truth == item),
            (None, Some(not)) if not == item => Some(false),
            _ => None,
        },
        Effect::Department(department) => label.department.as_ref().map(|truth| truth == department),
        _ => None,
    }
}

/// Counts what the rules did with the tickets of the last so many days.
///
/// # Errors
/// [`Error`] of the store.
pub async fn stats(hub: &Arc<Hub>, days: u32) -> Result<Stats, Error> {
    let mut counting = Counting::default();
    let mut after = history::since(hub, days);
    loop {
        let (page, next) = history::page(hub, &after).await?;
        for past in &page {
            counting.add(past, hub.config.rules.closure_weight);
        }
        match next {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    for rule in hub.rules().rules() {
        counting.rules.entry(rule.id.clone()).or_insert_with(|| (rule.file.clone(), Counts::default()));
    }
    let mut phrases: Vec<PhraseStats> = counting
        .phrases
        .into_iter()
        .map(|((rule, phrase), counts)| PhraseStats { phrase, rule, counts: counts.done() })
        .collect();
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.counts.hits));
    phrases.truncate(MOST_PHRASES);
    let rate = |(all, right)| Rate::of(right, all);
    Ok(Stats {
        days,
        judged: counting.judged,
        decided: counting.decided,
        abstention_rate: share(counting.judged - counting.decided - counting.unseen, counting.judged - counting.unseen),
        send_back_rate: share(counting.sent_back, counting.decided),
        unseen: counting.unseen,
        unseen_items: rate(counting.unseen_items),
        unseen_departments: rate(counting.unseen_departments),
        rule_sets: counting.rule_sets,
        rules: counting
            .rules
            .into_iter()
            .map(|(rule, (file, counts))| RuleStats { rule, file, counts: counts.done() })
            .collect(),
        phrases,
    })
}
