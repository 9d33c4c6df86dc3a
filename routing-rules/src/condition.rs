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
/// Index of the street field, which only the gazetteer reads.
pub(crate) const STREET: u8 = 3;

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
    Phrases(Group),
    /// One of them holds.
    Any(Vec<Condition>),
    /// All of them hold.
    All(Vec<Condition>),
    /// Of each list of phrases one is found, all close to each other in one field.
    Near {
        /// The lists, each as of [`Condition::Phrases`].
        groups: Vec<Group>,
        /// The most distance units from the beginning of the first find to the end of the last.
        within: u32,
    },
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

/// A list of phrases, one of which must be found.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Any of these patterns, sorted.
    pub(crate) any: Vec<u32>,
    /// A find inside one of these does not count.
    pub(crate) except: Vec<u32>,
    /// Bits of the fields searched.
    pub(crate) mask: u8,
}

/// What is known when a condition is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// What was found.
    pub(crate) finds: &'a Finds,
    pub(crate) has_subject: bool,
    pub(crate) language: Option<&'a str>,
    pub(crate) channel: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) district: Option<&'a str>,
    pub(crate) kind: Option<AppealKind>,
    pub(crate) item: Option<&'a str>,
    pub(crate) attachments: Option<u32>,
}

/// What was found in the texts of an appeal.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    /// Sorted.
    pub(crate) hits: Vec<Hit>,
    /// One bit for each pattern, set if it was found: most questions are answered by it, without a search.
    present: Vec<u64>,
}

impl Finds {
    /// Sorts what was found among so many patterns.
    pub(crate) fn new(mut hits: Vec<Hit>, patterns: usize) -> Self {
        hits.sort_unstable();
        let mut present = vec![0_u64; patterns.div_ceil(64)];
        for hit in &hits {
            if let Some(word) = present.get_mut(hit.pattern as usize / 64) {
                *word |= 1 << (hit.pattern % 64);
            }
        }
        Self { hits, present }
    }

    fn has(&self, pattern: u32) -> bool {
        self.present.get(pattern as usize / 64).is_some_and(|word| word & (1 << (pattern % 64)) != 0)
    }

    fn of(&self, pattern: u32) -> &[Hit] {
        let from = self.hits.partition_point(|hit| hit.pattern < pattern);
        let to = self.hits.partition_point(|hit| hit.pattern <= pattern);
        self.hits.get(from..to).unwrap_or_default()
    }

    /// The finds that count for a list of phrases, in order of pattern and position.
    fn counting<'b>(&'b self, group: &'b Group) -> impl Iterator<Item = &'b Hit> {
        let Group { any, except, mask } = group;
        any.iter()
            .filter(|pattern| self.has(**pattern))
            .flat_map(|pattern| self.of(*pattern))
            .filter(move |hit| hit.field < PLACE && mask & (1 << hit.field) != 0)
            .filter(move |hit| {
                !except.iter().filter(|pattern| self.has(**pattern)).any(|pattern| {
                    // Finds of one pattern end in the order they begin, so the last that begins in time reaches farthest.
                    let covers = self.of(*pattern);
                    let in_time = covers.partition_point(|cover| (cover.field, cover.start) <= (hit.field, hit.start));
                    let last = in_time.checked_sub(1).and_then(|last| covers.get(last));
                    last.is_some_and(|cover| cover.field == hit.field && hit.end <= cover.end)
                })
            })
    }
}

impl Group {
    /// Whether a fact that it needs is missing.
    const fn is_unknown(&self, known: &Known<'_>) -> bool {
        self.mask & (1 << TEXT) == 0 && !known.has_subject
    }
}

/// Finds kept of one `near`: a hostile text repeats itself, and a trace shows only a few.
const MOST_NEAR: usize = 64;

/// Adds the finds of the windows that hold one of each group, until there are `most`; says whether there is such a window.
fn near(groups: &[Group], within: u32, known: &Known<'_>, finds: &mut Vec<Hit>, most: usize) -> bool {
    if !groups.iter().all(|group| group.any.iter().any(|pattern| known.finds.has(*pattern))) {
        return false;
    }
    let mut marks: Vec<(u8, u32, u32, usize, &Hit)> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let before = marks.len();
        marks.extend(known.finds.counting(group).map(|hit| (hit.field, hit.units.0, hit.units.1, at, hit)));
        if marks.len() == before {
            return false;
        }
    }
    marks.sort_unstable();
    let mut found = false;
    for (first, (field, start, ..)) in marks.iter().enumerate() {
        let mut missing: Vec<bool> = vec![true; groups.len()];
        let window = marks.get(first..).unwrap_or_default();
        let inside = || {
            window
                .iter()
                .take_while(|(other, at, ..)| other == field && at - start < within)
                .filter(|(_, _, end, ..)| end - start < within)
        };
        for (.., group, _) in inside() {
            if let Some(slot) = missing.get_mut(*group) {
                *slot = false;
            }
        }
        if !missing.contains(&true) {
            found = true;
            finds.extend(inside().map(|(.., hit)| **hit));
            if finds.len() >= most {
                break;
            }
        }
    }
    found
}

fn one_of(list: &[String], fact: Option<&str>, same: fn(&str, &str) -> bool) -> Truth {
    fact.map_or(Truth::Unknown, |fact| list.iter().any(|entry| same(entry, fact)).into())
}

impl Condition {
    /// Whether it holds.
    pub(crate) fn holds(&self, known: &Known<'_>) -> Truth {
        let equal = |entry: &str, fact: &str| entry == fact;
        match self {
            Self::Phrases(group) => {
                if known.finds.counting(group).next().is_some() {
                    Truth::Yes
                } else if group.is_unknown(known) {
                    Truth::Unknown
                } else {
                    Truth::No
                }
            }
            Self::Near { groups, within } => {
                if near(groups, *within, known, &mut Vec::new(), 1) {
                    Truth::Yes
                } else if groups.iter().any(|group| group.is_unknown(known)) {
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
            Self::Channel(list) => one_of(list, known.channel, equal),
            Self::Account(list) => one_of(list, known.account, equal),
            Self::District(list) => one_of(list, known.district, equal),
            Self::Kind(list) => known.kind.map_or(Truth::Unknown, |kind| list.contains(&kind).into()),
            Self::Item(list) => one_of(list, known.item, covers),
            Self::Attachments(wanted) => {
                known.attachments.map_or(Truth::Unknown, |count| ((count > 0) == *wanted).into())
            }
        }
    }

    /// Adds the finds that made it hold; nothing from under `Not`, for what is absent has no position.
    pub(crate) fn because(&self, known: &Known<'_>, finds: &mut Vec<Hit>) {
        match self {
            Self::Phrases(group) => finds.extend(known.finds.counting(group)),
            Self::Near { groups, within } => {
                near(groups, *within, known, finds, finds.len() + MOST_NEAR);
            }
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
            Self::Phrases(group) => Some(group.any.clone()),
            Self::Near { groups, .. } => groups.iter().map(|group| &group.any).min_by_key(|any| any.len()).cloned(),
            Self::Any(parts) => parts.iter().map(Self::anchor).collect::<Option<Vec<_>>>().map(|lists| lists.concat()),
            Self::All(parts) => parts.iter().filter_map(Self::anchor).min_by_key(Vec::len),
            _ => None,
        }
    }

    /// Adds every pattern that it looks for, positively or not, but for `except`.
    pub(crate) fn patterns(&self, found: &mut Vec<u32>) {
        match self {
            Self::Phrases(group) => found.extend(&group.any),
            Self::Near { groups, .. } => groups.iter().for_each(|group| found.extend(&group.any)),
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.patterns(found)),
            Self::Not(part) => part.patterns(found),
            _ => {}
        }
    }
}
