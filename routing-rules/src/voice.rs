//! Two voices name an item, rules written by people and learned phrases: how sure each is, and which is followed.

use serde::Serialize;

use crate::course::{Fired, Scores, with_rules};
use crate::decision::{AbstainReason, DecidedBy, Effect, Ranked};
use crate::finds::{Reading, SUBJECT, TEXT};
use crate::learned::{Counter, Learned, LearnedPhrase, LearnedTrace};
use crate::rule::Rule;

/// Phrases kept in a trace.
const MOST_PHRASES: usize = 12;
/// Phrases shown that speak for an item.
const MOST_FOR: usize = 6;
/// Candidates kept.
const MOST_RANKED: usize = 5;

/// What learned phrases say of an appeal.
#[derive(Debug)]
pub(crate) struct Voice<'r> {
    /// Items with their scores, best first.
    pub(crate) ranked: Vec<(&'r str, f64)>,
    /// How it came about.
    pub(crate) trace: LearnedTrace,
    /// The first item, and the chance that it is right.
    item: &'r str,
    confidence: f64,
    /// Whether it is sure enough to decide.
    speaks: bool,
    /// Whether it is sure at all, so that its candidates go before those of silent rules.
    pub(crate) is_surer: bool,
}

/// Rounds to ten-thousandths, so that a number survives JSON unchanged.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

impl<'r> Voice<'r> {
    /// Scores the texts; `None` without any text or label.
    pub(crate) fn hear(learned: &'r Learned, reading: &Reading<'_>) -> Option<Self> {
        let folded = |field: u8| reading.field(field).map(|text| text.folded.text.as_str());
        Counter::lend(|counter| {
            let outcome = learned.score(folded(SUBJECT), folded(TEXT).unwrap_or_default(), counter);
            let mut ranked: Vec<(&'r str, f64)> = Vec::with_capacity(MOST_RANKED);
            for (label, score) in &outcome.ranked {
                let item = learned.item_of(*label);
                if ranked.len() < MOST_RANKED && !ranked.iter().any(|(known, _)| *known == item) {
                    ranked.push((item, *score));
                }
            }
            let (label, score) = outcome.ranked.first().copied()?;
            let item = learned.item_of(label);
            let (phrases, others) = learned.shares(counter, label, MOST_PHRASES);
            let trace = LearnedTrace {
                item: item.to_owned(),
                score: rounded(score),
                runner_up: ranked
                    .get(1)
                    .map(|(item, score)| Ranked { item: (*item).to_owned(), score: rounded(*score) }),
                confidence: rounded(outcome.confidence),
                threshold: learned.threshold(),
                base: learned.base(label),
                subject_norm: rounded(outcome.norms[0]),
                text_norm: rounded(outcome.norms[1]),
                phrases: phrases.into_iter().map(LearnedPhrase::rounded).collect(),
                others: rounded(others),
            };
            let confidence = outcome.confidence;
            let speaks = confidence >= learned.threshold() && confidence > 0.0;
            Some(Self { ranked, trace, item, confidence, speaks, is_surer: confidence > 0.0 })
        })
    }
}

/// What learned phrases say of the items that would lead to a department.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearnedContrast {
    /// The item that they speak for most.
    pub best: String,
    /// Its score.
    pub score: f64,
    /// The chance that it is right.
    pub confidence: f64,
    /// The confidence that they need to decide.
    pub threshold: f64,
    /// The items that would lead there, nearest to the best first.
    pub items: Vec<LearnedShort>,
}

/// How far learned phrases are from an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearnedShort {
    /// Its id.
    pub item: String,
    /// Its score.
    pub score: f64,
    /// How far that is below the best; 0 for the best itself.
    pub behind: f64,
    /// The phrases that speak for it, strongest first, at most six.
    pub phrases: Vec<LearnedPhrase>,
}

impl LearnedContrast {
    /// Scores the texts once more and looks at the items that lead there, at most so many.
    pub(crate) fn of(
        learned: &Learned,
        reading: &Reading<'_>,
        leads: &dyn Fn(&str) -> bool,
        most: usize,
    ) -> Option<Self> {
        let folded = |field: u8| reading.field(field).map(|text| text.folded.text.as_str());
        Counter::lend(|counter| {
            let outcome = learned.score(folded(SUBJECT), folded(TEXT).unwrap_or_default(), counter);
            let (best, highest) = outcome.ranked.first().copied()?;
            let mut items: Vec<LearnedShort> = Vec::new();
            for (label, score) in &outcome.ranked {
                let item = learned.item_of(*label);
                if items.len() == most || !leads(item) || items.iter().any(|known| known.item == item) {
                    continue;
                }
                let (shares, _) = learned.shares(counter, *label, usize::MAX);
                let phrases =
                    shares.into_iter().filter(|phrase| phrase.share > 0.0).take(MOST_FOR).map(LearnedPhrase::rounded);
                items.push(LearnedShort {
                    item: item.to_owned(),
                    score: rounded(*score),
                    behind: rounded(highest - score),
                    phrases: phrases.collect(),
                });
            }
            Some(Self {
                best: learned.item_of(best).to_owned(),
                score: rounded(highest),
                confidence: rounded(outcome.confidence),
                threshold: learned.threshold(),
                items,
            })
        })
    }
}

impl LearnedPhrase {
    fn rounded(self) -> Self {
        Self { share: rounded(self.share), weight: rounded(self.weight), ..self }
    }
}

/// Whom to follow: the item, who named it, and the chance that it is right.
///
/// Agreeing voices strengthen each other as independent witnesses do, 1 - (1 - a)(1 - b); of disagreeing ones the
/// surer is followed, rules when both are equally sure; where rules are silent, learned phrases decide from their
/// threshold on.
pub(crate) fn settle<'r>(
    rules: Result<&'r str, AbstainReason>,
    sure: f64,
    best: Option<(&'r str, f64)>,
    voice: Option<&Voice<'r>>,
) -> (Result<&'r str, AbstainReason>, DecidedBy, f64) {
    let Some(voice) = voice else { return (rules, DecidedBy::Rule, sure) };
    let agrees = best.is_some_and(|(item, _)| item == voice.item);
    let together = 1.0 - (1.0 - sure) * (1.0 - voice.confidence);
    match rules {
        Ok(_) if agrees => (rules, DecidedBy::Rule, together),
        Ok(_) if voice.speaks && voice.confidence > sure => (Ok(voice.item), DecidedBy::Learned, voice.confidence),
        Ok(_) => (rules, DecidedBy::Rule, sure),
        Err(_) if voice.speaks => {
            (Ok(voice.item), DecidedBy::Learned, if agrees { together } else { voice.confidence })
        }
        Err(_) => (rules, DecidedBy::Rule, if agrees { together } else { sure.max(voice.confidence) }),
    }
}

/// The chance that the best item is right: that of the rule which added most to it, less where it falls short of
/// the threshold, and down to the half where the runner-up comes close.
pub(crate) fn confidence(scores: &Scores<'_>, rules: &[Rule], fired: &[Fired], threshold: f64, margin: f64) -> f64 {
    let Some((best, score)) = scores.ranked.first() else { return 0.0 };
    let witness = with_rules(rules, fired)
        .filter(|(rule, _)| rule.info.effects.iter().any(|effect| matches!(effect, Effect::Item(item) if item == best)))
        .map(|(rule, fired)| (fired.weight, rule.info.confidence()))
        .max_by(|one, two| one.0.total_cmp(&two.0).then(one.1.total_cmp(&two.1)))
        .map_or(0.5, |(_, confidence)| confidence);
    let lead = if scores.ranked.len() == 1 { 1.0 } else { (scores.margin() / margin).min(1.0) };
    witness * (score / threshold).min(1.0) * (0.5 + 0.5 * lead)
}
