//! Conditions: what must hold for a rule to fire, in three-valued logic.

use crate::model::AppealKind;
use crate::pack::covers;
use crate::phrase::Hit;

/// Index of the subject among the searched texts, and its bit in a mask.
pub(crate) const SUBJECT: u8 = 0;
/// Index of the text.
pub(crate) const TEXT: u8 = 1;
/// Index of the place, which only the gazetteer reads.
pub(crate) const PLACE: u8 = 2;

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
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// One of these patterns (sorted) is found in a field of the mask, and not inside one of `except`.
    Phrases {
        /// Any of these.
        any: Vec<u32>,
        /// A find inside one of these does not count.
        except: Vec<u32>,
        /// Bits of the fields searched.
        mask: u8,
    },
    /// One of them holds.
    Any(Vec<Condition>),
    /// All of them hold.
    All(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The language is one of these or more special than one of these (`zh` covers `zh-Hant`).
    Language(Vec<String>),
    /// The channel is one of these.
    Channel(Vec<String>),
    /// The account is one of these.
    Account(Vec<String>),
    /// The district is one of these.
    District(Vec<String>),
    /// The kind is one of these.
    Kind(Vec<AppealKind>),
    /// The item is one of these or below one of these.
    Item(Vec<String>),
    /// Whether files came along.
    Attachments(bool),
}

/// What is known when a condition is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Sorted.
    pub(crate) hits: &'a [Hit],
    pub(crate) has_subject: bool,
    pub(crate) language: Option<&'a str>,
    pub(crate) channel: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) district: Option<&'a str>,
    pub(crate) kind: Option<AppealKind>,
    pub(crate) item: Option<&'a str>,
    pub(crate) attachments: usize,
}

impl<'a> Known<'a> {
    fn of(&self, pattern: u32) -> &'a [Hit] {
        let from = self.hits.partition_point(|hit| hit.pattern < pattern);
        let rest = self.hits.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|hit| hit.pattern == pattern).count();
        rest.get(..count).unwrap_or_default()
    }

    /// The finds that count for a list of phrases, in order of pattern and position.
    fn finds<'b>(&'b self, any: &'b [u32], except: &'b [u32], mask: u8) -> impl Iterator<Item = &'b Hit> {
        self.hits
            .iter()
            .filter(move |hit| hit.field != PLACE && mask & (1 << hit.field) != 0 && any.binary_search(&hit.pattern).is_ok())
            .filter(move |hit| {
                !except.iter().any(|pattern| {
                    self.of(*pattern)
                        .iter()
                        .any(|cover| cover.field == hit.field && cover.start <= hit.start && hit.end <= cover.end)
                })
            })
    }
}

fn one_of(list: &[String], fact: Option<&str>, same: fn(&str, &str) -> bool) -> Truth {
    fact.map_or(Truth::Unknown, |fact| list.iter().any(|entry| same(entry, fact)).into())
}

impl Condition {
    /// Whether it holds.
    pub(crate) fn holds(&self, known: &Known<'_>) -> Truth {
        let equal = |entry: &str, fact: &str| entry == fact;
        match self {
            Self::Phrases { any, except, mask } => {
                if known.finds(any, except, *mask).next().is_some() {
                    Truth::Yes
                } else if mask & (1 << TEXT) == 0 && !known.has_subject {
                    Truth::Unknown
                } else {
                    Truth::No
                }
            }
            Self::Any(parts) => parts.iter().map(|part| part.holds(known)).max().unwrap_or(Truth::No),
            Self::All(parts) => parts.iter().map(|part| part.holds(known)).min().unwrap_or(Truth::Yes),
            Self::Not(part) => match part.holds(known) {
                Truth::Yes => Truth::No,
                Truth::Unknown => Truth::Unknown,
                Truth::No => Truth::Yes,
            },
            Self::Language(list) => one_of(list, known.language, |entry, fact| {
                fact.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            }),
            Self::Channel(list) => one_of(list, Some(known.channel), equal),
            Self::Account(list) => one_of(list, known.account, equal),
            Self::District(list) => one_of(list, known.district, equal),
            Self::Kind(list) => known.kind.map_or(Truth::Unknown, |kind| list.contains(&kind).into()),
            Self::Item(list) => one_of(list, known.item, covers),
            Self::Attachments(wanted) => ((known.attachments > 0) == *wanted).into(),
        }
    }

    /// Adds the finds that made it hold; nothing from under `Not`, for what is absent has no position.
    pub(crate) fn because(&self, known: &Known<'_>, finds: &mut Vec<Hit>) {
        match self {
            Self::Phrases { any, except, mask } => finds.extend(known.finds(any, except, *mask)),
            Self::Any(parts) | Self::All(parts) => {
                for part in parts.iter().filter(|part| part.holds(known) == Truth::Yes) {
                    part.because(known, finds);
                }
            }
            _ => {}
        }
    }

    /// Patterns of which at least one must be found for it to hold; `None` when it can hold without any.
    /// A rule is looked at only when one of them is there, which keeps silent rules free of cost.
    pub(crate) fn anchor(&self) -> Option<Vec<u32>> {
        match self {
            Self::Phrases { any, .. } => Some(any.clone()),
            Self::Any(parts) => parts.iter().map(Self::anchor).collect::<Option<Vec<_>>>().map(|lists| lists.concat()),
            Self::All(parts) => parts.iter().filter_map(Self::anchor).min_by_key(Vec::len),
            _ => None,
        }
    }

    /// Adds every pattern that it looks for, positively or not, but for `except`.
    pub(crate) fn patterns(&self, found: &mut Vec<u32>) {
        match self {
            Self::Phrases { any, .. } => found.extend(any),
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.patterns(found)),
            Self::Not(part) => part.patterns(found),
            _ => {}
        }
    }
}
