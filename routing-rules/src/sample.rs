//! Rules held against a sample of texts: which are too broad, which never fire.

use std::collections::HashMap;

use crate::decision::Effect;
use crate::facts::Facts;
use crate::finds::Reading;
use crate::rule::RuleInfo;
use crate::ruleset::RuleSet;
use crate::source::Problem;

/// Fewer texts say nothing about breadth.
const FEWEST_TEXTS: usize = 50;
/// The greatest share of texts on which a rule that sends an appeal somewhere may fire.
const MOST_SENDING: f64 = 0.10;
/// The greatest share for a rule that only says kind, priority or the like.
const MOST_OTHER: f64 = 0.50;

/// What a sample showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleReport {
    /// How many texts there were.
    pub texts: usize,
    /// For each rule, in the order they are asked, on how many texts it fired.
    pub fired: Vec<(String, usize)>,
    /// Rules that fire on too many texts, where there are enough texts to tell.
    pub broad: Vec<Problem>,
    /// Rules that fire on none.
    pub never: Vec<Problem>,
}

impl RuleSet {
    /// Judges a sample and tells which rules are too broad (more than one text in ten for a rule that names an item,
    /// department, emergency, hold or refusal, more than every second for others) or never fire.
    pub fn check_sample<'a>(&self, sample: impl IntoIterator<Item = Facts<'a>>) -> SampleReport {
        let mut report = SampleReport::default();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for facts in sample {
            report.texts += 1;
            for rule in self.firing(&facts, &Reading::new(&facts)) {
                *counts.entry(&rule.id).or_default() += 1;
            }
        }
        for rule in self.rules() {
            let count = counts.get(rule.id.as_str()).copied().unwrap_or_default();
            report.fired.push((rule.id.clone(), count));
            let share = count as f64 / report.texts.max(1) as f64;
            let most = if sends(rule) { MOST_SENDING } else { MOST_OTHER };
            if count == 0 {
                report.never.push(rule.problem(
                    format!("`{}` fires on none of {} texts", rule.id, report.texts),
                    "are these the words that citizens use? a rule for rare matters may stay",
                ));
            } else if share > most && report.texts >= FEWEST_TEXTS {
                report.broad.push(rule.problem(
                    format!("`{}` fires on {:.0} % of {} texts", rule.id, share * 100.0, report.texts),
                    "use longer phrases, `all` with `near`, or `except`",
                ));
            }
        }
        report
    }
}

fn sends(rule: &RuleInfo) -> bool {
    rule.effects.iter().any(|effect| {
        matches!(
            effect,
            Effect::Item(_) | Effect::Department(_) | Effect::Emergency(_) | Effect::Hold | Effect::Refuse(_)
        )
    })
}
