//! Judging: from facts to a decision.

use std::collections::BTreeSet;

use crate::course::{Course, Fired, Scores, Scratch, field, strongest, with_rules};
use crate::decision::{
    AbstainReason, DecidedBy, Decision, Effect, Phase, PhraseHit, PlaceHit, Ranked, RuleHit, Suggestion, Trace,
};
use crate::facts::Facts;
use crate::finds::{Hit, Reading};
use crate::rule::Rule;
use crate::ruleset::RuleSet;
use crate::voice::Voice;

/// Phrases kept of one rule in a trace.
const MOST_PHRASES: usize = 8;
/// Places kept in a trace.
const MOST_PLACES: usize = 8;
/// Candidates kept.
const MOST_RANKED: usize = 5;

/// Rounds to thousandths, so that a number survives JSON unchanged.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl RuleSet {
    /// Judges an appeal. Never fails: whatever cannot be decided is an abstention with its reason.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let reading = Reading::new(facts);
        Scratch::lend(|scratch| {
            let course = self.run(facts, &reading, scratch, Phase::Decorate);
            self.conclude(facts, &reading, scratch, course)
        })
    }

    fn conclude(&self, facts: &Facts<'_>, reading: &Reading<'_>, scratch: &Scratch, course: Course<'_>) -> Decision {
        let settings = &self.pack.settings;
        let Course {
            chosen,
            district,
            places,
            scores,
            voice,
            item,
            by,
            confidence,
            department,
            kind,
            priority,
            mut conflicts,
        } = course;
        let (rules, fired) = (&self.rules, scratch.fired.as_slice());
        strongest(rules, fired, "priority", &mut conflicts, |effect| match effect {
            Effect::Priority(priority) => Some(*priority),
            _ => None,
        });
        let deadline = strongest(rules, fired, "deadline", &mut conflicts, |effect| match effect {
            Effect::Deadline(hours) => Some(*hours),
            _ => None,
        })
        .unwrap_or_default();
        let refuse = strongest(rules, fired, "refuse", &mut conflicts, |effect| match effect {
            Effect::Refuse(route) => Some(*route),
            _ => None,
        })
        .unwrap_or_default();
        let reply = strongest(rules, fired, "reply", &mut conflicts, |effect| match effect {
            Effect::Reply(template) => Some(template.as_str()),
            _ => None,
        })
        .unwrap_or_default();
        let clear = item.and_then(|item| {
            if self.is_without_departments() {
                return Ok((item, None));
            }
            let department = department
                .unwrap_or_else(|| self.pack.department_for(item, district).ok_or(AbstainReason::NoDepartment))?;
            Ok((item, Some(department)))
        });
        let (mut assisting, mut emergency, mut tags) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut confidential, mut hold, mut refused) = (false, false, false);
        for effect in with_rules(rules, fired).flat_map(|(rule, _)| &rule.info.effects) {
            match effect {
                Effect::Assisting(ids) => assisting.extend(ids.iter().map(String::as_str)),
                Effect::Emergency(numbers) => emergency.extend(numbers.iter().cloned()),
                Effect::Tags(names) => tags.extend(names.iter().cloned()),
                Effect::Confidential => confidential = true,
                Effect::Hold => hold = true,
                Effect::Refuse(_) => refused = true,
                _ => {}
            }
        }
        // A refusal goes before a hold: both want a person, but it says why.
        let person = if refused { Some(AbstainReason::Refuse) } else { hold.then_some(AbstainReason::Hold) };
        let outcome = person.map_or(clear, Err);
        match outcome {
            Ok((item, lead)) => {
                assisting.extend(self.pack.assisting_for(item).iter().map(String::as_str));
                lead.map(|lead| assisting.remove(lead));
            }
            Err(_) => assisting.clear(),
        }
        Decision {
            item: outcome.ok().map(|(item, _)| item.to_owned()),
            department: outcome.ok().and_then(|(_, department)| department).map(ToOwned::to_owned),
            assisting: assisting.into_iter().map(ToOwned::to_owned).collect(),
            kind,
            priority,
            deadline_hours: deadline.unwrap_or_else(|| self.deadline_hours(kind, priority)),
            tags: tags.into_iter().collect(),
            refuse,
            reply_template: reply.map(ToOwned::to_owned),
            suggestion: clear
                .ok()
                .filter(|_| person.is_some())
                .and_then(|(item, department)| Some((item, department?)))
                .map(|(item, department)| Suggestion { item: item.to_owned(), department: department.to_owned() }),
            district: district.map(ToOwned::to_owned),
            confidential,
            emergency: emergency.into_iter().collect(),
            decided_by: if outcome.is_ok() { by } else { DecidedBy::Abstain },
            reason: outcome.err(),
            confidence: rounded(confidence),
            ranked: ranked(&scores, chosen, voice.as_ref(), item, by),
            trace: Trace {
                engine_version: env!("CARGO_PKG_VERSION").to_owned(),
                rule_set: self.version().to_owned(),
                inputs: facts.inputs(),
                chosen: chosen.map(ToOwned::to_owned),
                hits: with_rules(rules, fired)
                    .map(|(rule, fired)| self.rule_hit(rule, fired, scratch.because(fired), reading))
                    .collect(),
                learned: voice.map(|voice| voice.trace),
                margin: rounded(scores.margin()),
                needed_margin: settings.margin,
                threshold: settings.threshold,
                districts: places.iter().take(MOST_PLACES).filter_map(|place| self.place_hit(place, reading)).collect(),
                conflicts,
            },
        }
    }

    fn place_hit(&self, (hit, district): &(Hit, usize), reading: &Reading<'_>) -> Option<PlaceHit> {
        let (start, end) = reading.original(hit);
        Some(PlaceHit {
            district: self.pack.districts.get(*district)?.id.clone(),
            place: self.patterns.get(hit.pattern)?.place.as_ref()?.1.clone(),
            field: field(hit),
            start: start as usize,
            end: end as usize,
        })
    }

    fn rule_hit(&self, rule: &Rule, fired: &Fired, finds: &[Hit], reading: &Reading<'_>) -> RuleHit {
        let info = &rule.info;
        let mut last = None;
        RuleHit {
            rule: info.id.clone(),
            file: info.file.clone(),
            weight: rounded(fired.weight),
            phase: info.phase,
            effects: info.effects.clone(),
            phrases: finds
                .iter()
                .filter(|hit| last.replace(**hit) != Some(**hit))
                .take(MOST_PHRASES)
                .filter_map(|hit| {
                    let (start, end) = reading.original(hit);
                    Some(PhraseHit {
                        phrase: self.written(hit.pattern)?.to_owned(),
                        field: field(hit),
                        start: start as usize,
                        end: end as usize,
                    })
                })
                .collect(),
        }
    }
}

/// The candidates as the decision names them: a chosen item first, then by the voice that decided or was surer, then
/// what only the other one named.
fn ranked(
    scores: &Scores<'_>,
    chosen: Option<&str>,
    voice: Option<&Voice<'_>>,
    item: Result<&str, AbstainReason>,
    by: DecidedBy,
) -> Vec<Ranked> {
    let rules = scores.ranked.as_slice();
    let learned = voice.map(|voice| voice.ranked.as_slice()).unwrap_or_default();
    let learned_first = match item {
        Ok(_) => by == DecidedBy::Learned,
        Err(_) => rules.is_empty() || voice.is_some_and(|voice| voice.is_surer),
    };
    let (first, second) = if learned_first { (learned, rules) } else { (rules, learned) };
    let own = |id: &str| first.iter().find(|(item, _)| *item == id).map_or(0.0, |(_, score)| *score);
    let mut ranked: Vec<Ranked> = Vec::with_capacity(MOST_RANKED);
    let all = chosen.map(|id| (id, own(id))).into_iter().chain(first.iter().copied()).chain(second.iter().copied());
    for (item, score) in all {
        if ranked.len() < MOST_RANKED && !ranked.iter().any(|known| known.item == item) {
            ranked.push(Ranked { item: item.to_owned(), score: rounded(score) });
        }
    }
    ranked
}
