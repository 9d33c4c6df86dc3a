//! The course of a judgement: what is found, which rules fire in each phase, and what they come to.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::condition::{Known, Truth};
use crate::decision::{AbstainReason, Conflict, DecidedBy, Effect, Field, Phase};
use crate::facts::Facts;
use crate::finds::{Finds, Hit, PLACE, Reading, STREET, SUBJECT};
use crate::model::{AppealKind, Priority};
use crate::rule::{Rule, RuleInfo};
use crate::ruleset::RuleSet;
use crate::voice::{Voice, confidence, settle};

/// Phrases of one rule that raise its weight.
const MOST_COUNTED: usize = 4;

/// Buffers kept between judgements of one thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) finds: Finds,
    candidates: Vec<u32>,
    /// One bit for each rule that is a candidate already.
    seen: Vec<u64>,
    pub(crate) fired: Vec<Fired>,
    /// The finds of all rules that fired.
    pub(crate) hits: Vec<Hit>,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    /// Lends this thread's buffers; whoever panics with them loses them, so that nothing half done is met again.
    pub(crate) fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let result = work(&mut scratch);
        SCRATCH.set(Some(scratch));
        result
    }
}

/// A rule that fired.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fired {
    /// Its place among the rules.
    pub(crate) rule: u32,
    /// The weight it counts with.
    pub(crate) weight: f64,
    from: u32,
    to: u32,
}

impl Scratch {
    /// The finds that made a rule fire.
    pub(crate) fn because(&self, fired: &Fired) -> &[Hit] {
        self.hits.get(fired.from as usize..fired.to as usize).unwrap_or_default()
    }
}

/// The items by score.
#[derive(Debug, Default)]
pub(crate) struct Scores<'r> {
    /// Best first, ties by id.
    pub(crate) ranked: Vec<(&'r str, f64)>,
}

impl<'r> Scores<'r> {
    fn of(rules: &'r [Rule], fired: &[Fired]) -> Self {
        let mut ranked: Vec<(&str, f64)> = Vec::new();
        for (rule, fired) in with_rules(rules, fired) {
            for effect in &rule.info.effects {
                if let Effect::Item(item) = effect {
                    match ranked.iter_mut().find(|(own, _)| own == item) {
                        Some((_, score)) => *score += fired.weight,
                        None => ranked.push((item, fired.weight)),
                    }
                }
            }
        }
        ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(two.0)));
        Self { ranked }
    }

    pub(crate) fn score(&self, rank: usize) -> f64 {
        self.ranked.get(rank).map_or(0.0, |(_, score)| *score)
    }

    pub(crate) fn margin(&self) -> f64 {
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

/// Fired rules with the rules themselves.
pub(crate) fn with_rules<'r, 'f>(
    rules: &'r [Rule],
    fired: &'f [Fired],
) -> impl Iterator<Item = (&'r Rule, &'f Fired)> + Clone + use<'r, 'f> {
    fired.iter().filter_map(|fired| Some((rules.get(fired.rule as usize)?, fired)))
}

/// What the rules came to.
#[derive(Debug)]
pub(crate) struct Course<'r> {
    pub(crate) chosen: Option<&'r str>,
    pub(crate) district: Option<&'r str>,
    /// Place names found, without those inside longer ones, by field and position, with their district's index.
    pub(crate) places: Vec<(Hit, usize)>,
    pub(crate) scores: Scores<'r>,
    /// What learned phrases say.
    pub(crate) voice: Option<Voice<'r>>,
    /// The item by choice, rules or learned phrases.
    pub(crate) item: Result<&'r str, AbstainReason>,
    /// Who named it.
    pub(crate) by: DecidedBy,
    /// The chance that it is right.
    pub(crate) confidence: f64,
    /// The department that route rules say: none, one, or several equally strongly.
    pub(crate) department: Option<Result<&'r str, AbstainReason>>,
    pub(crate) kind: AppealKind,
    pub(crate) priority: Priority,
    pub(crate) conflicts: Vec<Conflict>,
}

impl RuleSet {
    /// Runs the phases up to `last`; what fired is left in the scratch.
    pub(crate) fn run<'r>(
        &'r self,
        facts: &Facts<'_>,
        reading: &Reading<'_>,
        scratch: &mut Scratch,
        last: Phase,
    ) -> Course<'r> {
        let settings = &self.pack.settings;
        let Scratch { finds, candidates, seen, fired, hits } = scratch;
        fired.clear();
        hits.clear();
        finds.scan(&self.automaton, &self.patterns, reading);
        self.index.candidates(&finds.hits, seen, candidates);
        let places = self.places(&finds.hits);
        let named: Vec<u32> = places.iter().map(|(hit, _)| hit.pattern).collect();
        let mut tags: Vec<&str> = Vec::new();
        let mut course = Course {
            chosen: facts.item.and_then(|id| self.item(id)).map(|item| item.id.as_str()),
            district: self.locate(facts, &places),
            places,
            scores: Scores::default(),
            voice: None,
            item: Err(AbstainReason::NoRule),
            by: DecidedBy::Rule,
            confidence: 0.0,
            department: None,
            kind: facts.kind.unwrap_or(settings.default_kind),
            priority: settings.default_priority,
            conflicts: Vec::new(),
        };
        let (mut kind, mut emergency, mut confidential) = (facts.kind, false, false);
        let mut asked = candidates.as_slice();
        for phase in Phase::ALL.into_iter().filter(|phase| *phase <= last) {
            let rest = asked;
            let count = rest.partition_point(|at| *at < self.index.end(phase));
            asked = rest.get(count..).unwrap_or_default();
            let known = Known {
                reading,
                finds,
                expressions: &self.expressions,
                facts,
                places: &named,
                district: course.district,
                kind,
                item: course.item.ok(),
                department: course.item.ok().and_then(|item| match course.department {
                    Some(said) => said.ok(),
                    None if phase == Phase::Decorate => self.pack.department_for(item, course.district),
                    None => None,
                }),
                priority: (phase > Phase::Guard).then_some(course.priority),
                tags: &tags,
                emergency,
                confidential,
            };
            let before = fired.len();
            self.fire(rest.get(..count).unwrap_or_default(), &known, fired, hits);
            let fresh = fired.get(before..).unwrap_or_default();
            if fresh.is_empty() && phase != Phase::Recognise {
                continue;
            }
            for effect in with_rules(&self.rules, fresh).flat_map(|(rule, _)| &rule.info.effects) {
                match effect {
                    Effect::Tags(names) => tags.extend(names.iter().map(String::as_str)),
                    Effect::Emergency(_) => emergency = true,
                    Effect::Confidential => confidential = true,
                    _ => {}
                }
            }
            if phase == Phase::Recognise {
                course.scores = Scores::of(&self.rules, fired);
                let best = course.scores.best(settings.threshold, settings.margin);
                let sure = confidence(&course.scores, &self.rules, fired, settings.threshold, settings.margin);
                course.voice = self.learned().and_then(|learned| Voice::hear(learned, reading));
                (course.item, course.by, course.confidence) = match course.chosen {
                    Some(chosen) => (Ok(chosen), DecidedBy::Rule, 1.0),
                    None => settle(best, sure, course.scores.ranked.first().copied(), course.voice.as_ref()),
                };
            }
            if phase == Phase::Route {
                course.department =
                    strongest(&self.rules, fired, "department", &mut course.conflicts, |effect| match effect {
                        Effect::Department(id) => Some(id.as_str()),
                        _ => None,
                    })
                    .map_or(Some(Err(AbstainReason::ThinMargin)), |wanted| wanted.map(Ok));
            }
            // A conflict is noted once, when no later phase can settle it.
            let ends = |at: Phase| phase == at || phase == last;
            let mut passing = Vec::new();
            if facts.kind.is_none() && phase <= Phase::Recognise {
                let noted = if ends(Phase::Recognise) { &mut course.conflicts } else { &mut passing };
                let said = strongest(&self.rules, fired, "kind", noted, |effect| match effect {
                    Effect::Kind(kind) => Some(*kind),
                    _ => None,
                });
                kind = said.unwrap_or_default();
                course.kind = kind.unwrap_or(settings.default_kind);
                if phase == Phase::Recognise {
                    kind = Some(course.kind);
                }
            }
            let said = strongest(&self.rules, fired, "priority", &mut passing, |effect| match effect {
                Effect::Priority(priority) => Some(*priority),
                _ => None,
            });
            course.priority = said.unwrap_or_default().unwrap_or(settings.default_priority);
        }
        course
    }

    /// The rules that fire, in the order they are asked: what [`RuleSet::decide`] goes by, without the rest of it.
    #[must_use]
    pub fn firing(&self, facts: &Facts<'_>, reading: &Reading<'_>) -> Vec<&RuleInfo> {
        Scratch::lend(|scratch| {
            self.run(facts, reading, scratch, Phase::Decorate);
            with_rules(&self.rules, &scratch.fired).map(|(rule, _)| &rule.info).collect()
        })
    }

    /// The item, if the rules name one clearly (or the citizen chose one): the same as [`crate::Decision::item`] but for
    /// what later phases do, at less cost. Tells whether a message is about something else than the ticket it came to.
    #[must_use]
    pub fn recognise(&self, facts: &Facts<'_>) -> Option<String> {
        if let Some(item) = facts.item.and_then(|id| self.item(id)) {
            return Some(item.id.clone());
        }
        let reading = Reading::new(facts);
        Scratch::lend(|scratch| self.run(facts, &reading, scratch, Phase::Recognise).item.ok().map(ToOwned::to_owned))
    }

    /// Place names found, without those inside longer ones, by field and position, with their district's index.
    fn places(&self, hits: &[Hit]) -> Vec<(Hit, usize)> {
        let mut found: Vec<(Hit, usize)> = hits
            .iter()
            .filter(|hit| self.automaton.traits(hit.pattern).is_place)
            .filter_map(|hit| self.patterns.get(hit.pattern)?.place.as_ref().map(|(district, _)| (*hit, *district)))
            .collect();
        found.sort_by_key(|(hit, _)| (hit.field, hit.start, Reverse(hit.end)));
        let mut covered: Option<Hit> = None;
        found.retain(|(hit, _)| {
            if covered.is_some_and(|cover| cover.field == hit.field && hit.end <= cover.end) {
                return false;
            }
            covered = Some(*hit);
            true
        });
        found
    }

    /// The district by what is known, then by street and place, then by the texts; `None` when they leave it open.
    fn locate<'r>(&'r self, facts: &Facts<'_>, places: &[(Hit, usize)]) -> Option<&'r str> {
        if let Some(known) = facts.district.and_then(|id| self.district(id)) {
            return Some(&known.id);
        }
        let most = |inside: &dyn Fn(u8) -> bool| {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for (_, at) in places.iter().filter(|(hit, _)| inside(hit.field)) {
                *counts.entry(*at).or_default() += 1;
            }
            let best = counts.values().max().copied()?;
            let mut leaders = counts.iter().filter(|(_, count)| **count == best);
            let (leader, _) = leaders.next()?;
            leaders.next().is_none().then_some(*leader)
        };
        most(&|field| field == STREET)
            .or_else(|| most(&|field| field == PLACE))
            .or_else(|| most(&|field| field < PLACE))
            .and_then(|at| self.pack.districts.get(at))
            .map(|district| district.id.as_str())
    }

    fn fire(&self, candidates: &[u32], known: &Known<'_>, fired: &mut Vec<Fired>, hits: &mut Vec<Hit>) {
        for at in candidates {
            let Some(rule) = self.rules.get(*at as usize) else { continue };
            if rule.condition.holds(known) != Truth::Yes {
                continue;
            }
            let from = hits.len();
            rule.condition.because(known, hits);
            let own = hits.get_mut(from..).unwrap_or_default();
            own.sort_unstable_by_key(|hit| (hit.field, hit.start, Reverse(hit.end), hit.pattern));
            let weight = rule.info.weight * self.factor(own);
            fired.push(Fired { rule: *at, weight, from: from as u32, to: hits.len() as u32 });
        }
    }

    /// What a rule's weight is multiplied with: more when it speaks of the subject, more when several of its phrases are there.
    fn factor(&self, finds: &[Hit]) -> f64 {
        let settings = &self.pack.settings;
        let subject = if finds.iter().any(|find| find.field == SUBJECT) { settings.subject_factor } else { 1.0 };
        if settings.phrase_bonus == 0.0 || finds.len() < 2 {
            return subject;
        }
        // A phrase inside another one (公交 in 公交车) says nothing more, and saying the same again says nothing new.
        let mut distinct: Vec<u32> = Vec::new();
        let mut cover: Option<&Hit> = None;
        for find in finds {
            if cover.is_some_and(|cover| cover.field == find.field && find.end <= cover.end) {
                continue;
            }
            cover = Some(find);
            if !distinct.contains(&find.pattern) {
                distinct.push(find.pattern);
                if distinct.len() == MOST_COUNTED {
                    break;
                }
            }
        }
        subject * (1.0 + settings.phrase_bonus * (distinct.len().max(1) - 1) as f64)
    }
}

/// The field of a find, as a trace names it.
pub(crate) const fn field(hit: &Hit) -> Field {
    match hit.field {
        SUBJECT => Field::Subject,
        PLACE => Field::Place,
        STREET => Field::Street,
        _ => Field::Text,
    }
}

/// The value said with the greatest weight: `Some(None)` when nobody said one, `None` (and a conflict) when
/// equally strong rules say different ones.
pub(crate) fn strongest<'r, T: PartialEq + Copy>(
    rules: &'r [Rule],
    fired: &[Fired],
    name: &str,
    conflicts: &mut Vec<Conflict>,
    value: impl Fn(&'r Effect) -> Option<T>,
) -> Option<Option<T>> {
    let said: Vec<(T, f64, &str)> = with_rules(rules, fired)
        .flat_map(|(rule, fired)| rule.info.effects.iter().map(move |effect| (rule, fired, effect)))
        .filter_map(|(rule, fired, effect)| Some((value(effect)?, fired.weight, rule.info.id.as_str())))
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
