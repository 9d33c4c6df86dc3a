//! Conditions: what must hold for a rule to fire, in three-valued logic.

use chrono::{Datelike as _, NaiveDate, Weekday};

use crate::calendar::LocalTime;
use crate::expression::Expression;
use crate::facts::Facts;
use crate::finds::{Finds, Hit, PLACE, Reading, SUBJECT, TEXT};
use crate::model::{AppealKind, CitizenKind, Priority};
use crate::near::{Within, near};
use crate::pack::covers;

/// Whether a condition holds. Ordered, so that `all` is the least and `any` the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    /// It does not.
    No,
    /// A fact is missing.
    Unknown,
    /// It does.
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// One of these patterns is found.
    Phrases(Group),
    /// A regular expression is found in a field of the mask; by its index, with patterns of which one must be there.
    Expression { index: u32, mask: u8, anchor: Option<Vec<u32>> },
    /// Of each list of phrases one is found, all close to each other in one field.
    Near { groups: Vec<Group>, within: Within },
    /// One of them holds.
    Any(Vec<Condition>),
    /// All of them hold.
    All(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A fact is as wanted.
    Fact(Fact),
    /// These facts are known.
    Known(Vec<FactName>),
}

/// A list of phrases, one of which must be found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// Any of these patterns, sorted.
    pub(crate) any: Vec<u32>,
    /// A find inside one of these does not count.
    pub(crate) except: Vec<u32>,
    /// Bits of the fields searched.
    pub(crate) mask: u8,
}

/// What a fact must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// The language is one of these or more special than one of these (`zh` covers `zh-Hant`).
    Language(Vec<String>),
    Channel(Vec<String>),
    Account(Vec<String>),
    District(Vec<String>),
    /// A gazetteer name of these patterns is named.
    Street(Vec<u32>),
    Kind(Vec<AppealKind>),
    CitizenKind(Vec<CitizenKind>),
    /// Whether files came along.
    Attachments(bool),
    /// The sender has at least so many open tickets.
    OpenTickets(u32),
    /// The sender has appealed at least so often within so many days before.
    Repeats {
        within_days: u32,
        at_least: u32,
    },
    /// The city's clock is in one of these spans of minutes, the end excluded; a span may pass midnight.
    Time(Vec<(u16, u16)>),
    Weekday(Vec<Weekday>),
    /// The city's date is in this span, both ends included.
    Dates {
        from: Option<NaiveDate>,
        until: Option<NaiveDate>,
    },
    /// The item is one of these or below one of these.
    Item(Vec<String>),
    Department(Vec<String>),
    Priority(Vec<Priority>),
    /// A rule of an earlier phase has set one of these.
    Tags(Vec<String>),
    /// Whether a rule of an earlier phase has raised the alarm.
    Emergency(bool),
    /// Whether a rule of an earlier phase keeps the citizen unnamed.
    Confidential(bool),
}

/// What may be known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactName {
    Subject,
    Language,
    Channel,
    Account,
    District,
    Street,
    Kind,
    CitizenKind,
    Attachments,
    Sender,
    Time,
    Item,
    Department,
}

impl FactName {
    /// Every name with its word in packs.
    pub(crate) const WORDS: [(&'static str, Self); 13] = [
        ("subject", Self::Subject),
        ("language", Self::Language),
        ("channel", Self::Channel),
        ("account", Self::Account),
        ("district", Self::District),
        ("street", Self::Street),
        ("kind", Self::Kind),
        ("citizen_kind", Self::CitizenKind),
        ("attachments", Self::Attachments),
        ("sender", Self::Sender),
        ("time", Self::Time),
        ("item", Self::Item),
        ("department", Self::Department),
    ];
}

/// What is known when a condition is asked.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The texts.
    pub(crate) reading: &'a Reading<'a>,
    /// What was found in them.
    pub(crate) finds: &'a Finds,
    /// The expressions of the pack, and how many patterns come before them.
    pub(crate) expressions: &'a [Expression],
    /// What the caller knows.
    pub(crate) facts: &'a Facts<'a>,
    /// The patterns of the places named.
    pub(crate) places: &'a [u32],
    /// Set by earlier phases, from here on.
    pub(crate) district: Option<&'a str>,
    pub(crate) kind: Option<AppealKind>,
    pub(crate) item: Option<&'a str>,
    pub(crate) department: Option<&'a str>,
    pub(crate) priority: Option<Priority>,
    pub(crate) tags: &'a [&'a str],
    pub(crate) emergency: bool,
    pub(crate) confidential: bool,
}

impl Known<'_> {
    fn is_known(&self, name: FactName) -> bool {
        match name {
            FactName::Subject => self.facts.subject.is_some(),
            FactName::Language => self.facts.language.is_some(),
            FactName::Channel => self.facts.channel.is_some(),
            FactName::Account => self.facts.account.is_some(),
            FactName::District => self.district.is_some(),
            FactName::Street => self.facts.street.is_some() || !self.places.is_empty(),
            FactName::Kind => self.kind.is_some(),
            FactName::CitizenKind => self.facts.citizen_kind.is_some(),
            FactName::Attachments => self.facts.attachments.is_some(),
            FactName::Sender => self.facts.sender.is_some(),
            FactName::Time => self.facts.local_time.is_some(),
            FactName::Item => self.item.is_some(),
            FactName::Department => self.department.is_some(),
        }
    }
}

impl Group {
    /// Whether a fact that it needs is missing.
    fn is_unknown(&self, known: &Known<'_>) -> bool {
        needs_subject(self.mask) && known.facts.subject.is_none()
    }

    fn holds(&self, known: &Known<'_>) -> bool {
        let mut present = self.any.iter().filter(|pattern| known.finds.has(**pattern, self.mask));
        if self.except.is_empty() { present.next().is_some() } else { self.counting(known).next().is_some() }
    }

    /// The finds that count, in order of pattern and position.
    pub(crate) fn counting<'b>(&'b self, known: &'b Known<'_>) -> impl Iterator<Item = &'b Hit> {
        let finds = known.finds;
        self.any
            .iter()
            .filter(|pattern| finds.has(**pattern, self.mask))
            .flat_map(|pattern| finds.of(*pattern))
            .filter(move |hit| hit.field < PLACE && self.mask & (1 << hit.field) != 0)
            .filter(move |hit| {
                !self.except.iter().filter(|pattern| finds.has(**pattern, u8::MAX)).any(|pattern| {
                    // Finds of one pattern end in the order they begin, so the last that begins in time reaches farthest.
                    let covers = finds.of(*pattern);
                    let in_time = covers.partition_point(|cover| (cover.field, cover.start) <= (hit.field, hit.start));
                    let last = in_time.checked_sub(1).and_then(|last| covers.get(last));
                    last.is_some_and(|cover| cover.field == hit.field && hit.end <= cover.end)
                })
            })
    }
}

const fn needs_subject(mask: u8) -> bool {
    mask & (1 << TEXT) == 0
}

/// Finds kept of one `near` or expression: a hostile text repeats itself, and a trace shows only a few.
const MOST_FINDS: usize = 64;

fn one_of(list: &[String], fact: Option<&str>, same: fn(&str, &str) -> bool) -> Truth {
    fact.map_or(Truth::Unknown, |fact| list.iter().any(|entry| same(entry, fact)).into())
}

fn listed<T: PartialEq>(list: &[T], fact: Option<T>) -> Truth {
    fact.map_or(Truth::Unknown, |fact| list.contains(&fact).into())
}

/// Whether a language is the one wanted, or more special: `zh` covers `zh-Hant`.
pub(crate) fn speaks(wanted: &str, language: &str) -> bool {
    language.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl Fact {
    fn holds(&self, known: &Known<'_>) -> Truth {
        let equal = |entry: &str, fact: &str| entry == fact;
        let facts = known.facts;
        let time = |test: &dyn Fn(LocalTime) -> bool| facts.local_time.map_or(Truth::Unknown, |time| test(time).into());
        match self {
            Self::Language(list) => one_of(list, facts.language, speaks),
            Self::Channel(list) => one_of(list, facts.channel, equal),
            Self::Account(list) => one_of(list, facts.account, equal),
            Self::District(list) => one_of(list, known.district, equal),
            Self::Street(list) if known.is_known(FactName::Street) => {
                known.places.iter().any(|place| list.contains(place)).into()
            }
            Self::Street(_) => Truth::Unknown,
            Self::Kind(list) => listed(list, known.kind),
            Self::CitizenKind(list) => listed(list, facts.citizen_kind),
            Self::Attachments(wanted) => listed(&[*wanted], facts.attachments.map(|count| count > 0)),
            Self::OpenTickets(least) => {
                facts.sender.map_or(Truth::Unknown, |sender| (sender.open_tickets >= *least).into())
            }
            Self::Repeats { within_days, at_least } => facts.sender.map_or(Truth::Unknown, |sender| {
                let recent = sender.earlier_days.iter().filter(|days| **days < *within_days).count();
                (recent >= *at_least as usize).into()
            }),
            Self::Time(spans) => time(&|now| {
                let minute = now.minute_of_day();
                spans.iter().any(|(from, until)| {
                    if from < until { (*from..*until).contains(&minute) } else { minute >= *from || minute < *until }
                })
            }),
            Self::Weekday(days) => time(&|now| days.contains(&now.date().weekday())),
            Self::Dates { from, until } => {
                time(&|now| from.is_none_or(|from| from <= now.date()) && until.is_none_or(|until| now.date() <= until))
            }
            Self::Item(list) => one_of(list, known.item, covers),
            Self::Department(list) => one_of(list, known.department, equal),
            Self::Priority(list) => listed(list, known.priority),
            Self::Tags(list) => list.iter().any(|tag| known.tags.contains(&tag.as_str())).into(),
            Self::Emergency(wanted) => (known.emergency == *wanted).into(),
            Self::Confidential(wanted) => (known.confidential == *wanted).into(),
        }
    }
}

impl Condition {
    /// Whether it holds.
    pub(crate) fn holds(&self, known: &Known<'_>) -> Truth {
        let or_unknown = |holds: bool, unknown: bool| match (holds, unknown) {
            (true, _) => Truth::Yes,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::No,
        };
        match self {
            Self::Phrases(group) => or_unknown(group.holds(known), group.is_unknown(known)),
            Self::Expression { index, mask, .. } => {
                let holds = expression(*index, known)
                    .is_some_and(|expression| searched(*mask, known).any(|(_, text)| expression.regex.is_match(text)));
                or_unknown(holds, needs_subject(*mask) && known.facts.subject.is_none())
            }
            Self::Near { groups, within } => or_unknown(
                near(groups, *within, known, &mut Vec::new(), 1),
                groups.iter().any(|group| group.is_unknown(known)),
            ),
            Self::Any(parts) => {
                let mut most = Truth::No;
                for part in parts {
                    most = most.max(part.holds(known));
                    if most == Truth::Yes {
                        break;
                    }
                }
                most
            }
            Self::All(parts) => {
                let mut least = Truth::Yes;
                for part in parts {
                    least = least.min(part.holds(known));
                    if least == Truth::No {
                        break;
                    }
                }
                least
            }
            Self::Not(part) => match part.holds(known) {
                Truth::Yes => Truth::No,
                Truth::Unknown => Truth::Unknown,
                Truth::No => Truth::Yes,
            },
            Self::Fact(fact) => fact.holds(known),
            Self::Known(names) => names.iter().all(|name| known.is_known(*name)).into(),
        }
    }

    /// Adds the finds that made it hold; nothing from under `Not`, for what is absent has no position.
    pub(crate) fn because(&self, known: &Known<'_>, finds: &mut Vec<Hit>) {
        match self {
            Self::Phrases(group) => finds.extend(group.counting(known)),
            Self::Expression { index, mask, .. } => {
                let Some(expression) = expression(*index, known) else { return };
                for (field, text) in searched(*mask, known) {
                    finds.extend(expression.regex.find_iter(text).take(MOST_FINDS).map(|found| Hit {
                        pattern: expression.pattern,
                        field,
                        start: found.start() as u32,
                        end: found.end() as u32,
                    }));
                }
            }
            Self::Near { groups, within } => {
                near(groups, *within, known, finds, finds.len() + MOST_FINDS);
            }
            Self::Any(parts) => {
                for part in parts.iter().filter(|part| part.holds(known) == Truth::Yes) {
                    part.because(known, finds);
                }
            }
            Self::All(parts) => parts.iter().for_each(|part| part.because(known, finds)),
            Self::Not(_) | Self::Fact(_) | Self::Known(_) => {}
        }
    }

    /// Patterns of which at least one must be found for it to hold; `None` when it can hold without any.
    /// A rule is looked at only when one of them is there, which keeps silent rules free of cost. `cost` tells how
    /// often a pattern is to be expected, so that of several lists the rarest is watched.
    pub(crate) fn anchor(&self, cost: &impl Fn(u32) -> f64) -> Option<Vec<u32>> {
        let total = |list: &Vec<u32>| list.iter().map(|pattern| cost(*pattern)).sum::<f64>();
        let rarest = |one: &Vec<u32>, two: &Vec<u32>| total(one).total_cmp(&total(two));
        match self {
            Self::Phrases(group) => Some(group.any.clone()),
            Self::Expression { anchor, .. } => anchor.clone(),
            Self::Near { groups, .. } => {
                groups.iter().map(|group| &group.any).min_by(|one, two| rarest(one, two)).cloned()
            }
            Self::Any(parts) => {
                parts.iter().map(|part| part.anchor(cost)).collect::<Option<Vec<_>>>().map(|lists| lists.concat())
            }
            Self::All(parts) => parts.iter().filter_map(|part| part.anchor(cost)).min_by(rarest),
            Self::Not(_) | Self::Fact(_) | Self::Known(_) => None,
        }
    }

    /// Puts what is cheap to ask before what is dear; what holds stays the same.
    pub(crate) fn order(&mut self) {
        match self {
            Self::Any(parts) | Self::All(parts) => {
                parts.iter_mut().for_each(Self::order);
                parts.sort_by_key(Self::price);
            }
            Self::Not(part) => part.order(),
            _ => {}
        }
    }

    fn price(&self) -> u32 {
        match self {
            Self::Fact(_) | Self::Known(_) => 1,
            Self::Phrases(group) => 2 + u32::try_from(group.except.len()).unwrap_or(u32::MAX / 2),
            Self::Any(parts) | Self::All(parts) => parts.iter().map(Self::price).fold(2, u32::saturating_add),
            Self::Not(part) => part.price().saturating_add(1),
            Self::Near { .. } => 10_000,
            Self::Expression { .. } => 100_000,
        }
    }

    /// How many days back it looks at the sender's appeals: 0 when it asks of open tickets only, `None` when of neither.
    pub(crate) fn sender_days(&self) -> Option<u32> {
        match self {
            Self::Fact(Fact::OpenTickets(_)) => Some(0),
            Self::Fact(Fact::Repeats { within_days, .. }) => Some(*within_days),
            Self::Known(names) => names.contains(&FactName::Sender).then_some(0),
            Self::Any(parts) | Self::All(parts) => parts.iter().filter_map(Self::sender_days).max(),
            Self::Not(part) => part.sender_days(),
            Self::Phrases(_) | Self::Expression { .. } | Self::Near { .. } | Self::Fact(_) => None,
        }
    }

    /// Adds every pattern that it looks for, positively or not, but for `except`.
    pub(crate) fn patterns(&self, found: &mut Vec<u32>) {
        match self {
            Self::Phrases(group) => found.extend(&group.any),
            Self::Near { groups, .. } => groups.iter().for_each(|group| found.extend(&group.any)),
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.patterns(found)),
            Self::Not(part) => part.patterns(found),
            Self::Expression { .. } | Self::Fact(_) | Self::Known(_) => {}
        }
    }
}

fn expression<'k>(index: u32, known: &Known<'k>) -> Option<&'k Expression> {
    known.expressions.get(index as usize)
}

/// The folded texts of the fields of a mask.
fn searched<'k>(mask: u8, known: &Known<'k>) -> impl Iterator<Item = (u8, &'k str)> {
    let reading = known.reading;
    [SUBJECT, TEXT]
        .into_iter()
        .filter(move |field| mask & (1 << field) != 0)
        .filter_map(move |field| Some((field, reading.field(field)?.folded.text.as_str())))
}
