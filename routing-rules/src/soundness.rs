//! What can be told of rules without any appeal: those that can never fire, and those that change nothing.

use std::collections::BTreeSet;

use crate::automaton::{Automaton, Found};
use crate::condition::{Condition, Fact, FactName, Group, speaks};
use crate::decision::{Effect, Phase};
use crate::fold::is_word;
use crate::model::Priority;
use crate::pack::{Pack, covers};
use crate::phrase::Patterns;
use crate::rule::{Rule, RuleInfo};
use crate::source::Problem;

/// Pairs of rules that are compared at most, so that a pack of equal rules is read in bounded time.
const MOST_PAIRS: usize = 1_000_000;

/// What the rules of a pack can come to, by phase.
struct Reach<'r> {
    patterns: &'r Patterns,
    automaton: &'r Automaton,
    /// Tags set before each phase.
    tags: [BTreeSet<&'r str>; 4],
    priorities: [BTreeSet<Priority>; 4],
    emergency: [bool; 4],
    confidential: [bool; 4],
    departments: BTreeSet<&'r str>,
}

/// Tells every rule that can never fire, and every rule that another one makes useless.
pub(crate) fn check(
    rules: &[Rule],
    pack: &Pack,
    patterns: &Patterns,
    automaton: &Automaton,
    problems: &mut Vec<Problem>,
) {
    let reach = Reach::new(rules, pack, patterns, automaton);
    for rule in rules {
        if let Some(why) = reach.impossible(&rule.condition, rule.info.phase) {
            problems
                .push(rule.info.problem(format!("this rule can never fire: {why}"), "correct or remove the condition"));
        }
    }
    let most = 1.0 + pack.settings.phrase_bonus * 3.0;
    shadows(rules, &reach, most * pack.settings.subject_factor, problems);
}

/// Conditions that must hold, and conditions that must not.
#[derive(Default)]
struct Demands<'c> {
    wanted: Vec<&'c Condition>,
    forbidden: Vec<&'c Condition>,
}

impl<'c> Demands<'c> {
    fn of(condition: &'c Condition) -> Self {
        let mut demands = Self::default();
        demands.add(condition, true);
        demands
    }

    fn add(&mut self, condition: &'c Condition, holds: bool) {
        match (condition, holds) {
            (Condition::All(parts), true) | (Condition::Any(parts), false) => {
                parts.iter().for_each(|part| self.add(part, holds));
            }
            (Condition::Any(parts), true) | (Condition::All(parts), false) if parts.len() == 1 => {
                parts.iter().for_each(|part| self.add(part, holds));
            }
            (Condition::Not(part), _) => self.add(part, !holds),
            (_, true) => self.wanted.push(condition),
            (_, false) => self.forbidden.push(condition),
        }
    }
}

impl<'r> Reach<'r> {
    fn new(rules: &'r [Rule], pack: &'r Pack, patterns: &'r Patterns, automaton: &'r Automaton) -> Self {
        let mut reach = Self {
            patterns,
            automaton,
            tags: Default::default(),
            priorities: std::array::from_fn(|_| BTreeSet::from([pack.settings.default_priority])),
            emergency: [false; 4],
            confidential: [false; 4],
            departments: pack
                .catalogue
                .values()
                .flat_map(|route| route.department.iter().chain(route.districts.values()))
                .map(String::as_str)
                .collect(),
        };
        for info in rules.iter().map(|rule| &rule.info) {
            for (at, _) in Phase::ALL.into_iter().enumerate().filter(|(_, phase)| *phase > info.phase) {
                for effect in &info.effects {
                    match effect {
                        Effect::Tags(tags) => {
                            if let Some(set) = reach.tags.get_mut(at) {
                                set.extend(tags.iter().map(String::as_str));
                            }
                        }
                        Effect::Priority(priority) => {
                            if let Some(set) = reach.priorities.get_mut(at) {
                                set.insert(*priority);
                            }
                        }
                        Effect::Emergency(_) => reach.emergency.iter_mut().skip(at).for_each(|slot| *slot = true),
                        Effect::Confidential => reach.confidential.iter_mut().skip(at).for_each(|slot| *slot = true),
                        _ => {}
                    }
                }
            }
            reach.departments.extend(info.effects.iter().filter_map(|effect| match effect {
                Effect::Department(id) => Some(id.as_str()),
                _ => None,
            }));
        }
        reach
    }

    /// Why a condition can never hold, if that can be told.
    fn impossible(&self, condition: &Condition, phase: Phase) -> Option<String> {
        let Demands { wanted, forbidden } = Demands::of(condition);
        for (at, one) in wanted.iter().enumerate() {
            if let Condition::Any(parts) = one {
                let mut reasons = parts.iter().map(|part| self.impossible(part, phase));
                if let Some(Some(first)) = reasons.next()
                    && reasons.all(|reason| reason.is_some())
                {
                    return Some(first);
                }
            }
            if let Condition::Fact(fact) = one {
                if let Some(why) = self.unreachable(fact, phase) {
                    return Some(why);
                }
                let others = wanted.get(at + 1..).unwrap_or_default();
                for other in others
                    .iter()
                    .filter_map(|other| if let Condition::Fact(other) = other { Some(other) } else { None })
                {
                    if exclude(fact, other) {
                        return Some(format!("it wants two values of `{}` that exclude each other", name(fact)));
                    }
                }
                for other in &forbidden {
                    match other {
                        Condition::Fact(other) if within(fact, other) => {
                            return Some(format!("what it wants of `{}` is what it forbids", name(fact)));
                        }
                        Condition::Known(names) if names.iter().all(|known| needs(fact) == Some(*known)) => {
                            return Some(format!("it wants a value of `{}` and that it is not known", name(fact)));
                        }
                        _ => {}
                    }
                }
            }
            for wanted in groups(one) {
                for other in forbidden.iter().flat_map(|other| groups_of_phrases(other)) {
                    if self.always_finds(wanted, other) {
                        let phrase = other.any.first().and_then(|index| self.patterns.get(*index));
                        let phrase = phrase.map_or("", |pattern| &pattern.written);
                        return Some(format!("each phrase it wants contains one that it forbids, such as `{phrase}`"));
                    }
                }
            }
        }
        None
    }

    fn unreachable(&self, fact: &Fact, phase: Phase) -> Option<String> {
        let at = Phase::ALL.into_iter().position(|own| own == phase)?;
        match fact {
            Fact::Dates { from: Some(from), until: Some(until) } if until < from => {
                Some("it ends before it begins".to_owned())
            }
            Fact::Tags(tags)
                if !tags.iter().any(|tag| self.tags.get(at).is_some_and(|set| set.contains(tag.as_str()))) =>
            {
                Some(format!("no rule of an earlier phase sets the tag `{}`", tags.join("`, `")))
            }
            Fact::Priority(list)
                if !list.iter().any(|one| self.priorities.get(at).is_some_and(|set| set.contains(one))) =>
            {
                Some("no rule of an earlier phase sets this priority, and it is not the default".to_owned())
            }
            Fact::Emergency(true) if !self.emergency.get(at).copied().unwrap_or_default() => {
                Some("no rule of an earlier phase raises the alarm".to_owned())
            }
            Fact::Confidential(true) if !self.confidential.get(at).copied().unwrap_or_default() => {
                Some("no rule of an earlier phase keeps the citizen unnamed".to_owned())
            }
            Fact::Department(list) if !list.iter().any(|id| self.departments.contains(id.as_str())) => {
                Some(format!("neither the catalogue nor a rule leads to `{}`", list.join("`, `")))
            }
            _ => None,
        }
    }

    /// Whether every find of the one list is, or contains, a find of the other that counts.
    fn always_finds(&self, one: &Group, other: &Group) -> bool {
        let same = other.except.is_empty() || other.except == one.except;
        let exact = !other.except.is_empty();
        same && one.mask & !other.mask == 0
            && one.any.iter().all(|pattern| {
                other.any.binary_search(pattern).is_ok()
                    || !exact && self.inside(*pattern).iter().any(|part| other.any.binary_search(part).is_ok())
            })
    }

    /// The patterns that are found wherever this one is.
    fn inside(&self, pattern: u32) -> Vec<u32> {
        let Some(outer) = self.patterns.get(pattern) else { return Vec::new() };
        let text = outer.folded.as_str();
        let mut parts = Vec::new();
        self.automaton.find(text, |Found { pattern, start, end }| {
            let Some(inner) = self.patterns.get(pattern) else { return };
            let before = text.get(..start).and_then(|text| text.chars().next_back());
            let after = text.get(end..).and_then(|text| text.chars().next());
            let starts = !inner.bound_start || before.map_or(outer.bound_start, |character| !is_word(character));
            let ends = !inner.bound_end || after.map_or(outer.bound_end, |character| !is_word(character));
            if starts && ends {
                parts.push(pattern);
            }
        });
        parts
    }

    /// Whether the one condition holds only when the other does.
    fn implies(&self, one: &Condition, other: &Condition) -> bool {
        if one == other {
            return true;
        }
        match (one, other) {
            (_, Condition::Any(parts)) if parts.iter().any(|part| self.implies(one, part)) => true,
            (Condition::Any(parts), _) => parts.iter().all(|part| self.implies(part, other)),
            (_, Condition::Phrases(other)) => groups(one).iter().any(|group| self.always_finds(group, other)),
            (Condition::Fact(one), Condition::Fact(other)) => within(one, other),
            (Condition::Fact(fact), Condition::Known(names)) => names.iter().all(|name| needs(fact) == Some(*name)),
            _ => false,
        }
    }

    /// Whether one rule fires only when the other does.
    fn follows(&self, one: &Demands<'_>, other: &Demands<'_>) -> bool {
        other.wanted.iter().all(|wanted| one.wanted.iter().any(|own| self.implies(own, wanted)))
            && other.forbidden.iter().all(|forbidden| one.forbidden.iter().any(|own| self.implies(forbidden, own)))
    }
}

/// Tells rules that fire only together with another one of which everything they say is said more strongly or as well.
fn shadows(rules: &[Rule], reach: &Reach<'_>, most_factor: f64, problems: &mut Vec<Problem>) {
    let demands: Vec<Demands<'_>> = rules.iter().map(|rule| Demands::of(&rule.condition)).collect();
    let mut by_pattern: Vec<(u32, usize)> = Vec::new();
    let mut without_phrases = Vec::new();
    let mut found = Vec::new();
    for (at, demand) in demands.iter().enumerate() {
        found.clear();
        demand.wanted.iter().for_each(|wanted| wanted.patterns(&mut found));
        if found.is_empty() {
            without_phrases.push(at);
        }
        by_pattern.extend(found.iter().map(|pattern| (*pattern, at)));
    }
    by_pattern.sort_unstable();
    by_pattern.dedup();
    let looking_for = |pattern: u32| {
        let from = by_pattern.partition_point(|(own, _)| *own < pattern);
        by_pattern.iter().skip(from).take_while(move |(own, _)| *own == pattern).map(|(_, at)| at)
    };
    let mut pairs = 0;
    for (at, (rule, demand)) in rules.iter().zip(&demands).enumerate() {
        // One list of phrases that it needs: whoever it follows looks for one of these, or for parts of them.
        let own = demand.wanted.iter().flat_map(|wanted| groups(wanted)).map(|group| &group.any);
        let rare = own.min_by_key(|any| any.len());
        // What speaks for an item adds up and is never useless; only its double is looked for, which has the same phrases.
        let adds_up = rule.info.effects.iter().any(|effect| matches!(effect, Effect::Item(_)));
        let parts: Vec<u32> = match rare {
            Some(any) if adds_up => any.first().copied().into_iter().collect(),
            Some(any) => any.iter().flat_map(|pattern| reach.inside(*pattern)).collect(),
            None => Vec::new(),
        };
        let others = parts.iter().flat_map(|part| looking_for(*part)).chain(&without_phrases);
        for other_at in others.copied().filter(|other| *other != at) {
            let (Some(other), Some(other_demand)) = (rules.get(other_at), demands.get(other_at)) else { continue };
            pairs += 1;
            if pairs > MOST_PAIRS {
                return;
            }
            let same = rule.condition == other.condition && rule.info.effects == other.info.effects;
            if same && rule.info.phase == other.info.phase && at > other_at {
                problems.push(rule.info.problem(
                    format!("it says the same as `{}` on the same condition", other.info.id),
                    "remove one, or give one more weight",
                ));
                break;
            } else if !same && useless(&rule.info, &other.info, most_factor) && reach.follows(demand, other_demand) {
                problems.push(rule.info.problem(
                    format!(
                        "`{}` fires whenever this rule does, and says the same or more strongly otherwise",
                        other.info.id
                    ),
                    "give this rule more weight, or narrow the other one",
                ));
                break;
            }
        }
    }
}

/// Whether everything that a rule says is said by the other too, or overruled by it, whatever else fires.
fn useless(rule: &RuleInfo, other: &RuleInfo, most_factor: f64) -> bool {
    let stronger = other.weight > rule.weight * most_factor;
    other.phase <= rule.phase
        && rule.effects.iter().all(|effect| match effect {
            Effect::Item(_) => false,
            Effect::Kind(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Kind(_))),
            Effect::Department(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Department(_))),
            Effect::Priority(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Priority(_))),
            Effect::Deadline(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Deadline(_))),
            Effect::Refuse(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Refuse(_))),
            Effect::Reply(_) => stronger && other.effects.iter().any(|it| matches!(it, Effect::Reply(_))),
            Effect::Assisting(own) => {
                said(own, &other.effects, |it| if let Effect::Assisting(list) = it { Some(list) } else { None })
            }
            Effect::Emergency(own) => {
                said(own, &other.effects, |it| if let Effect::Emergency(list) = it { Some(list) } else { None })
            }
            Effect::Tags(own) => {
                said(own, &other.effects, |it| if let Effect::Tags(list) = it { Some(list) } else { None })
            }
            Effect::Confidential | Effect::Hold => other.effects.contains(effect),
        })
}

fn said(own: &[String], effects: &[Effect], list: fn(&Effect) -> Option<&Vec<String>>) -> bool {
    own.iter().all(|entry| effects.iter().filter_map(list).any(|other| other.contains(entry)))
}

/// The lists of phrases of which a condition needs one each.
fn groups(condition: &Condition) -> Vec<&Group> {
    match condition {
        Condition::Phrases(group) => vec![group],
        Condition::Near { groups, .. } => groups.iter().collect(),
        _ => Vec::new(),
    }
}

/// The list of phrases that a condition is, if it is one.
fn groups_of_phrases(condition: &Condition) -> Option<&Group> {
    if let Condition::Phrases(group) = condition { Some(group) } else { None }
}

/// The word for a fact in packs.
const fn name(fact: &Fact) -> &'static str {
    match fact {
        Fact::Language(_) => "language",
        Fact::Channel(_) => "channel",
        Fact::Account(_) => "account",
        Fact::District(_) => "district",
        Fact::Street(_) => "street",
        Fact::Kind(_) => "kind",
        Fact::CitizenKind(_) => "citizen_kind",
        Fact::Attachments(_) => "attachments",
        Fact::OpenTickets(_) => "open_tickets",
        Fact::Repeats { .. } => "repeats",
        Fact::Time(_) => "time",
        Fact::Weekday(_) => "weekday",
        Fact::Dates { .. } => "from` and `until",
        Fact::Item(_) => "item",
        Fact::Department(_) => "department",
        Fact::Priority(_) => "priority",
        Fact::Tags(_) => "tags",
        Fact::Emergency(_) => "emergency",
        Fact::Confidential(_) => "confidential",
    }
}

/// What must be known for a fact to hold or not.
const fn needs(fact: &Fact) -> Option<FactName> {
    Some(match fact {
        Fact::Language(_) => FactName::Language,
        Fact::Channel(_) => FactName::Channel,
        Fact::Account(_) => FactName::Account,
        Fact::District(_) => FactName::District,
        Fact::Street(_) => FactName::Street,
        Fact::Kind(_) => FactName::Kind,
        Fact::CitizenKind(_) => FactName::CitizenKind,
        Fact::Attachments(_) => FactName::Attachments,
        Fact::OpenTickets(_) | Fact::Repeats { .. } => FactName::Sender,
        Fact::Time(_) | Fact::Weekday(_) | Fact::Dates { .. } => FactName::Time,
        Fact::Item(_) => FactName::Item,
        Fact::Department(_) => FactName::Department,
        Fact::Priority(_) | Fact::Tags(_) | Fact::Emergency(_) | Fact::Confidential(_) => return None,
    })
}

fn disjoint<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    !one.iter().any(|entry| other.contains(entry))
}

fn subset<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.iter().all(|entry| other.contains(entry))
}

/// The minutes of a day that lie in one of the spans.
fn minutes(spans: &[(u16, u16)]) -> Vec<bool> {
    (0..24 * 60)
        .map(|minute| {
            spans.iter().any(|(from, until)| {
                if from < until { (*from..*until).contains(&minute) } else { minute >= *from || minute < *until }
            })
        })
        .collect()
}

/// Whether two facts can never hold together.
fn exclude(one: &Fact, other: &Fact) -> bool {
    match (one, other) {
        (Fact::Language(one), Fact::Language(other)) => {
            !one.iter().any(|one| other.iter().any(|other| speaks(one, other) || speaks(other, one)))
        }
        (Fact::Item(one), Fact::Item(other)) => {
            !one.iter().any(|one| other.iter().any(|other| covers(one, other) || covers(other, one)))
        }
        (Fact::Channel(one), Fact::Channel(other))
        | (Fact::Account(one), Fact::Account(other))
        | (Fact::District(one), Fact::District(other))
        | (Fact::Department(one), Fact::Department(other)) => disjoint(one, other),
        (Fact::Kind(one), Fact::Kind(other)) => disjoint(one, other),
        (Fact::CitizenKind(one), Fact::CitizenKind(other)) => disjoint(one, other),
        (Fact::Priority(one), Fact::Priority(other)) => disjoint(one, other),
        (Fact::Weekday(one), Fact::Weekday(other)) => disjoint(one, other),
        (Fact::Attachments(one), Fact::Attachments(other))
        | (Fact::Emergency(one), Fact::Emergency(other))
        | (Fact::Confidential(one), Fact::Confidential(other)) => one != other,
        (Fact::Time(one), Fact::Time(other)) => {
            !minutes(one).into_iter().zip(minutes(other)).any(|(one, other)| one && other)
        }
        _ => false,
    }
}

/// Whether the one fact holds only when the other does.
fn within(one: &Fact, other: &Fact) -> bool {
    match (one, other) {
        (Fact::Language(one), Fact::Language(other)) => {
            one.iter().all(|one| other.iter().any(|other| speaks(other, one)))
        }
        (Fact::Item(one), Fact::Item(other)) => one.iter().all(|one| other.iter().any(|other| covers(other, one))),
        (Fact::Channel(one), Fact::Channel(other))
        | (Fact::Account(one), Fact::Account(other))
        | (Fact::District(one), Fact::District(other))
        | (Fact::Department(one), Fact::Department(other))
        | (Fact::Tags(one), Fact::Tags(other)) => subset(one, other),
        (Fact::Street(one), Fact::Street(other)) => subset(one, other),
        (Fact::Kind(one), Fact::Kind(other)) => subset(one, other),
        (Fact::CitizenKind(one), Fact::CitizenKind(other)) => subset(one, other),
        (Fact::Priority(one), Fact::Priority(other)) => subset(one, other),
        (Fact::Weekday(one), Fact::Weekday(other)) => subset(one, other),
        (Fact::OpenTickets(one), Fact::OpenTickets(other)) => one >= other,
        (
            Fact::Repeats { within_days: days, at_least: count },
            Fact::Repeats { within_days: other_days, at_least: other_count },
        ) => days <= other_days && count >= other_count,
        (Fact::Time(one), Fact::Time(other)) => {
            minutes(one).into_iter().zip(minutes(other)).all(|(one, other)| !one || other)
        }
        (Fact::Dates { from, until }, Fact::Dates { from: other_from, until: other_until }) => {
            other_from.is_none_or(|other| from.is_some_and(|from| from >= other))
                && other_until.is_none_or(|other| until.is_some_and(|until| until <= other))
        }
        _ => one == other,
    }
}
