//! Judging: from facts to a decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::{Finds, Known, PLACE, STREET, SUBJECT, TEXT, Truth};
use crate::decision::{
    AbstainReason, Conflict, DecidedBy, Decision, Effect, Field, Phase, PhraseHit, PlaceHit, Ranked, RuleHit,
    Suggestion, Trace,
};
use crate::facts::Facts;
use crate::fold::Folded;
use crate::phrase::Hit;
use crate::rule::Rule;
use crate::ruleset::RuleSet;

/// Phrases kept of one rule in a trace.
const MOST_PHRASES: usize = 8;
/// Phrases of one rule that raise its weight.
const MOST_COUNTED: usize = 4;
/// Places kept in a trace.
const MOST_PLACES: usize = 8;
/// Candidates kept.
const MOST_RANKED: usize = 5;

/// A rule that fired.
struct Fired<'r> {
    rule: &'r Rule,
    weight: f64,
    finds: Vec<Hit>,
}

/// The items by score.
struct Scores<'r> {
    /// Best first, ties by id.
    ranked: Vec<(&'r str, f64)>,
}

impl<'r> Scores<'r> {
    fn of(fired: &[Fired<'r>]) -> Self {
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for fired in fired {
            for effect in &fired.rule.info.effects {
                if let Effect::Item(item) = effect {
                    *sums.entry(item).or_default() += fired.weight;
                }
            }
        }
        let mut ranked: Vec<(&str, f64)> = sums.into_iter().collect();
        ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(two.0)));
        Self { ranked }
    }

    fn score(&self, rank: usize) -> f64 {
        self.ranked.get(rank).map_or(0.0, |(_, score)| *score)
    }

    /// The chance that the best item is right: that of the rule which added most to it, less where it falls short of
    /// the threshold, and down to the half where the runner-up comes close.
    fn confidence(&self, fired: &[Fired<'_>], threshold: f64, margin: f64) -> f64 {
        let Some((best, score)) = self.ranked.first() else { return 0.0 };
        let speaks = |fired: &&Fired<'_>| {
            fired.rule.info.effects.iter().any(|effect| matches!(effect, Effect::Item(item) if item == best))
        };
        let witness = fired
            .iter()
            .filter(speaks)
            .max_by(|one, two| {
                let order = one.weight.total_cmp(&two.weight);
                order.then(one.rule.info.confidence().total_cmp(&two.rule.info.confidence()))
            })
            .map_or(0.5, |fired| fired.rule.info.confidence());
        let lead = if self.ranked.len() == 1 { 1.0 } else { (self.margin() / margin).min(1.0) };
        witness * (score / threshold).min(1.0) * (0.5 + 0.5 * lead)
    }

    fn margin(&self) -> f64 {
        self.score(0) - self.score(1)
    }

    /// The best item, or why there is none.
    fn best(&self, threshold: f64, margin: f64) -> Result<&'r str, AbstainReason> {
        match self.ranked.first() {
            Some((item, score)) if *score >= threshold => {
                // Sums of decimal weights carry rounding errors far below any weight a person writes.
                if self.margin() + 1e-9 >= margin { Ok(item) } else { Err(AbstainReason::ThinMargin) }
            }
            _ => Err(AbstainReason::NoRule),
        }
    }
}

/// Rounds to thousandths, so that a number survives JSON unchanged.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl RuleSet {
    /// Everything found in the texts of an appeal.
    fn read(&self, facts: &Facts<'_>) -> Finds {
        let texts = [(SUBJECT, facts.subject), (TEXT, Some(facts.text)), (PLACE, facts.place), (STREET, facts.street)];
        self.scan(texts.into_iter().filter_map(|(field, text)| Some((field, Folded::new(text?)))))
    }

    /// Place names found, without those inside longer ones, by field and position.
    fn places(&self, hits: &[Hit]) -> Vec<(usize, PlaceHit)> {
        let mut found: Vec<(Hit, usize, &str)> = hits
            .iter()
            .filter_map(|hit| {
                self.patterns.get(hit.pattern)?.place.as_ref().map(|(district, name)| (*hit, *district, name.as_str()))
            })
            .collect();
        found.sort_by_key(|(hit, ..)| (hit.field, hit.start, std::cmp::Reverse(hit.end)));
        let mut kept = Vec::new();
        let mut covered: Option<Hit> = None;
        for (hit, at, name) in found {
            if covered.is_some_and(|cover| cover.field == hit.field && hit.end <= cover.end) {
                continue;
            }
            covered = Some(hit);
            let Some(district) = self.pack.districts.get(at) else { continue };
            let (start, end) = (hit.start as usize, hit.end as usize);
            kept.push((
                at,
                PlaceHit { district: district.id.clone(), place: name.to_owned(), field: field(&hit), start, end },
            ));
        }
        kept
    }

    /// The district by what is known, then by the place, then by the texts; `None` when they leave it open.
    fn locate<'r>(&'r self, facts: &Facts<'_>, places: &[(usize, PlaceHit)]) -> Option<&'r str> {
        if let Some(known) = facts.district.and_then(|id| self.district(id)) {
            return Some(&known.id);
        }
        let most = |inside: fn(Field) -> bool| {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for (at, _) in places.iter().filter(|(_, hit)| inside(hit.field)) {
                *counts.entry(*at).or_default() += 1;
            }
            let best = counts.values().max().copied()?;
            let mut leaders = counts.iter().filter(|(_, count)| **count == best);
            let (leader, _) = leaders.next()?;
            leaders.next().is_none().then_some(*leader)
        };
        most(|field| field == Field::Street)
            .or_else(|| most(|field| field == Field::Place))
            .or_else(|| most(|field| matches!(field, Field::Subject | Field::Text)))
            .and_then(|at| self.pack.districts.get(at))
            .map(|district| district.id.as_str())
    }

    fn fire<'r>(&self, rules: &[&'r Rule], known: &Known<'_>, fired: &mut Vec<Fired<'r>>) {
        for rule in rules {
            if rule.condition.holds(known) != Truth::Yes {
                continue;
            }
            let mut finds = Vec::new();
            rule.condition.because(known, &mut finds);
            finds.sort_unstable_by_key(|hit| (hit.field, hit.start, std::cmp::Reverse(hit.end), hit.pattern));
            finds.dedup();
            let weight = rule.info.weight * self.factor(&finds);
            fired.push(Fired { rule, weight, finds });
        }
    }

    /// What a rule's weight is multiplied with: more when it speaks of the subject, more when several of its phrases are there.
    fn factor(&self, finds: &[Hit]) -> f64 {
        let settings = &self.pack.settings;
        let subject = if finds.iter().any(|find| find.field == SUBJECT) { settings.subject_factor } else { 1.0 };
        if settings.phrase_bonus == 0.0 {
            return subject;
        }
        // A phrase inside another one (公交 in 公交车) says nothing more, and saying the same again says nothing new.
        let mut distinct: Vec<u32> = Vec::with_capacity(finds.len());
        let mut cover: Option<&Hit> = None;
        for find in finds {
            if cover.is_some_and(|cover| cover.field == find.field && find.end <= cover.end) {
                continue;
            }
            cover = Some(find);
            if !distinct.contains(&find.pattern) {
                distinct.push(find.pattern);
            }
        }
        let further = distinct.len().clamp(1, MOST_COUNTED) - 1;
        subject * (1.0 + settings.phrase_bonus * further as f64)
    }

    /// Judges an appeal. Never fails: whatever cannot be decided is an abstention with its reason.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let settings = &self.pack.settings;
        let finds = self.read(facts);
        let places = self.places(&finds.hits);
        let district = self.locate(facts, &places);
        let candidates = self.candidates(&finds.hits);
        let chosen = facts.item.and_then(|id| self.item(id)).map(|item| item.id.as_str());
        let mut known = Known {
            finds: &finds,
            has_subject: facts.subject.is_some(),
            language: facts.language,
            channel: facts.channel,
            account: facts.account,
            district,
            kind: facts.kind,
            item: None,
            attachments: facts.attachments,
        };
        let mut fired: Vec<Fired<'_>> = Vec::new();
        let mut conflicts = Vec::new();
        let mut scores = Scores { ranked: Vec::new() };
        let mut item = Err(AbstainReason::NoRule);
        let mut department = None;
        for phase in Phase::ALL {
            let from = candidates.partition_point(|rule| rule.info.phase < phase);
            let to = candidates.partition_point(|rule| rule.info.phase <= phase);
            self.fire(candidates.get(from..to).unwrap_or_default(), &known, &mut fired);
            if phase == Phase::Recognise {
                scores = Scores::of(&fired);
                item = chosen.map_or_else(|| scores.best(settings.threshold, settings.margin), Ok);
                known.item = item.ok();
                if known.kind.is_none() {
                    known.kind = strongest(&fired, "kind", &mut conflicts, |effect| match effect {
                        Effect::Kind(kind) => Some(*kind),
                        _ => None,
                    })
                    .unwrap_or_default()
                    .or(Some(settings.default_kind));
                }
            }
            if phase == Phase::Route {
                department = strongest(&fired, "department", &mut conflicts, |effect| match effect {
                    Effect::Department(id) => Some(id.as_str()),
                    _ => None,
                })
                .map_or(Some(Err(AbstainReason::ThinMargin)), |wanted| wanted.map(Ok));
            }
        }
        let kind = known.kind.unwrap_or(settings.default_kind);
        let priority = strongest(&fired, "priority", &mut conflicts, |effect| match effect {
            Effect::Priority(priority) => Some(*priority),
            _ => None,
        })
        .unwrap_or_default()
        .unwrap_or(settings.default_priority);
        let deadline = strongest(&fired, "deadline", &mut conflicts, |effect| match effect {
            Effect::Deadline(hours) => Some(*hours),
            _ => None,
        })
        .unwrap_or_default();
        let refuse = strongest(&fired, "refuse", &mut conflicts, |effect| match effect {
            Effect::Refuse(route) => Some(*route),
            _ => None,
        })
        .unwrap_or_default();
        let reply = strongest(&fired, "reply", &mut conflicts, |effect| match effect {
            Effect::Reply(template) => Some(template.as_str()),
            _ => None,
        })
        .unwrap_or_default();
        let clear = item.and_then(|item| {
            let department = department
                .unwrap_or_else(|| self.pack.department_for(item, district).ok_or(AbstainReason::NoDepartment))?;
            Ok((item, department))
        });
        let person = needs_person(&fired);
        let outcome = person.map_or(clear, Err);
        let effects = || fired.iter().flat_map(|fired| &fired.rule.info.effects);
        let mut assisting: BTreeSet<&str> = BTreeSet::new();
        let mut emergency: BTreeSet<&str> = BTreeSet::new();
        let mut tags: BTreeSet<&str> = BTreeSet::new();
        if let Ok((item, _)) = outcome {
            assisting.extend(self.pack.assisting_for(item).iter().map(String::as_str));
        }
        for effect in effects() {
            match effect {
                Effect::Assisting(ids) if outcome.is_ok() => assisting.extend(ids.iter().map(String::as_str)),
                Effect::Emergency(numbers) => emergency.extend(numbers.iter().map(String::as_str)),
                Effect::Tags(names) => tags.extend(names.iter().map(String::as_str)),
                _ => {}
            }
        }
        if let Ok((_, lead)) = outcome {
            assisting.remove(lead);
        }
        let confidence = match chosen {
            Some(_) => 1.0,
            None => scores.confidence(&fired, settings.threshold, settings.margin),
        };
        Decision {
            item: outcome.ok().map(|(item, _)| item.to_owned()),
            department: outcome.ok().map(|(_, department)| department.to_owned()),
            assisting: assisting.into_iter().map(ToOwned::to_owned).collect(),
            kind,
            priority,
            deadline_hours: deadline.unwrap_or_else(|| self.deadline_hours(kind, priority)),
            tags: tags.into_iter().map(ToOwned::to_owned).collect(),
            refuse,
            reply_template: reply.map(ToOwned::to_owned),
            suggestion: clear
                .ok()
                .filter(|_| person.is_some())
                .map(|(item, department)| Suggestion { item: item.to_owned(), department: department.to_owned() }),
            district: district.map(ToOwned::to_owned),
            confidential: effects().any(|effect| *effect == Effect::Confidential),
            emergency: emergency.into_iter().map(ToOwned::to_owned).collect(),
            decided_by: if outcome.is_ok() { DecidedBy::Rule } else { DecidedBy::Abstain },
            reason: outcome.err(),
            confidence: rounded(confidence),
            ranked: ranked(&scores, chosen),
            trace: Trace {
                engine_version: env!("CARGO_PKG_VERSION").to_owned(),
                rule_set: self.version().to_owned(),
                inputs: facts.inputs(),
                chosen: chosen.map(ToOwned::to_owned),
                hits: fired.iter().map(|fired| self.rule_hit(fired)).collect(),
                margin: rounded(scores.margin()),
                needed_margin: settings.margin,
                threshold: settings.threshold,
                districts: places.into_iter().map(|(_, hit)| hit).take(MOST_PLACES).collect(),
                conflicts,
            },
        }
    }

    /// The item, if the texts name one clearly (or the citizen chose one): the same as [`Decision::item`] but for
    /// what later phases do, at less cost. Tells whether a message is about something else than the ticket it came to.
    #[must_use]
    pub fn recognise(&self, facts: &Facts<'_>) -> Option<String> {
        if let Some(item) = facts.item.and_then(|id| self.item(id)) {
            return Some(item.id.clone());
        }
        let finds = self.read(facts);
        let places = self.places(&finds.hits);
        let known = Known {
            finds: &finds,
            has_subject: facts.subject.is_some(),
            language: facts.language,
            channel: facts.channel,
            account: facts.account,
            district: self.locate(facts, &places),
            kind: facts.kind,
            item: None,
            attachments: facts.attachments,
        };
        let speaks = |rule: &&Rule| rule.info.effects.iter().any(|effect| matches!(effect, Effect::Item(_)));
        let candidates: Vec<&Rule> = self.candidates(&finds.hits).into_iter().filter(speaks).collect();
        let mut fired = Vec::new();
        self.fire(&candidates, &known, &mut fired);
        let settings = &self.pack.settings;
        Scores::of(&fired).best(settings.threshold, settings.margin).ok().map(ToOwned::to_owned)
    }

    fn rule_hit(&self, fired: &Fired<'_>) -> RuleHit {
        let info = &fired.rule.info;
        RuleHit {
            rule: info.id.clone(),
            file: info.file.clone(),
            weight: rounded(fired.weight),
            phase: info.phase,
            effects: info.effects.clone(),
            phrases: fired
                .finds
                .iter()
                .take(MOST_PHRASES)
                .filter_map(|hit| {
                    let phrase = self.patterns.get(hit.pattern)?.written.clone();
                    Some(PhraseHit { phrase, field: field(hit), start: hit.start as usize, end: hit.end as usize })
                })
                .collect(),
        }
    }
}

/// The field of a find, as a trace names it.
const fn field(hit: &Hit) -> Field {
    match hit.field {
        SUBJECT => Field::Subject,
        PLACE => Field::Place,
        STREET => Field::Street,
        _ => Field::Text,
    }
}

/// Why a person must see it, if a rule says so; a refusal goes before a hold.
fn needs_person(fired: &[Fired<'_>]) -> Option<AbstainReason> {
    let says = |wanted: fn(&Effect) -> bool| fired.iter().flat_map(|fired| &fired.rule.info.effects).any(wanted);
    if says(|effect| matches!(effect, Effect::Refuse(_))) {
        return Some(AbstainReason::Refuse);
    }
    says(|effect| *effect == Effect::Hold).then_some(AbstainReason::Hold)
}

/// The value said with the greatest weight: `Some(None)` when nobody said one, `None` (and a conflict) when
/// equally strong rules say different ones.
fn strongest<'r, T: PartialEq + Copy>(
    fired: &[Fired<'r>],
    name: &str,
    conflicts: &mut Vec<Conflict>,
    value: impl Fn(&'r Effect) -> Option<T>,
) -> Option<Option<T>> {
    let said: Vec<(T, f64, &str)> = fired
        .iter()
        .flat_map(|fired| fired.rule.info.effects.iter().map(move |effect| (fired, effect)))
        .filter_map(|(fired, effect)| Some((value(effect)?, fired.weight, fired.rule.info.id.as_str())))
        .collect();
    let Some(greatest) = said.iter().map(|(_, weight, _)| *weight).max_by(f64::total_cmp) else { return Some(None) };
    let mut leaders = said.iter().filter(|(_, weight, _)| weight.total_cmp(&greatest).is_eq());
    let first = leaders.next().map(|(value, ..)| *value);
    if leaders.all(|(value, ..)| Some(*value) == first) {
        return Some(first);
    }
    let mut rules: Vec<String> = said
        .iter()
        .filter(|(_, weight, _)| weight.total_cmp(&greatest).is_eq())
        .map(|(.., rule)| (*rule).to_owned())
        .collect();
    rules.sort();
    conflicts.push(Conflict { value: name.to_owned(), rules });
    None
}

/// The candidates as the decision names them, a chosen item first.
fn ranked(scores: &Scores<'_>, chosen: Option<&str>) -> Vec<Ranked> {
    let own = |id: &str| scores.ranked.iter().find(|(item, _)| *item == id).map_or(0.0, |(_, score)| *score);
    chosen
        .map(|id| (id, own(id)))
        .into_iter()
        .chain(scores.ranked.iter().copied().filter(|(item, _)| Some(*item) != chosen))
        .take(MOST_RANKED)
        .map(|(item, score)| Ranked { item: item.to_owned(), score: rounded(score) })
        .collect()
}
