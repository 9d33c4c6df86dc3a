//! A compiled pack.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::automaton::Automaton;
use crate::decision::Phase;
use crate::expression::Expression;
use crate::finds::{Hit, PLACE};
use crate::learned::{self, Learned};
use crate::measured;
use crate::model::{AppealKind, Department, District, Group, Item, Names, Priority};
use crate::pack::{Collector, Pack, Settings};
use crate::phrase::Patterns;
use crate::rule::{Reader, Rule, RuleInfo};
use crate::soundness;
use crate::source::{Place, Problem, Source, SourceFile, Table, parse};
use crate::words::Words;

/// A compiled pack: immutable, shared freely between threads.
///
/// Built by [`RuleSet::compile`] only; whatever it holds was checked, so that judging cannot fail.
pub struct RuleSet {
    version: String,
    files: Vec<PackFile>,
    pub(crate) pack: Pack,
    /// Sorted by phase, then id, so that no order of files shows.
    pub(crate) rules: Vec<Rule>,
    pub(crate) patterns: Patterns,
    pub(crate) expressions: Vec<Expression>,
    pub(crate) automaton: Automaton,
    pub(crate) index: Index,
    learned: Option<Learned>,
    sender_days: Option<u32>,
}

/// A file that a rule set was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Path within the pack.
    pub path: String,
    /// Its length.
    pub bytes: usize,
}

/// Which rules a find makes worth asking.
pub(crate) struct Index {
    /// Rules by pattern, as ranges of `rules`.
    ranges: Vec<(u32, u32)>,
    rules: Vec<u32>,
    /// Rules that may fire without any phrase.
    always: Vec<u32>,
    /// For each phase the rule past its last.
    ends: [u32; 4],
    /// How many rules there are.
    count: usize,
}

impl Index {
    fn new(rules: &[Rule], patterns: &Patterns) -> Self {
        let costs: Vec<f64> = (0..patterns.len() as u32).map(|index| patterns.cost(index)).collect();
        let cost = |pattern: u32| costs.get(pattern as usize).copied().unwrap_or_default();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut always = Vec::new();
        for (at, rule) in (0_u32..).zip(rules) {
            match rule.condition.anchor(&cost) {
                None => always.push(at),
                Some(anchors) => pairs.extend(anchors.into_iter().map(|pattern| (pattern, at))),
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut ranges = vec![(0, 0); patterns.len()];
        for (at, (pattern, _)) in (0_u32..).zip(&pairs) {
            if let Some((start, end)) = ranges.get_mut(*pattern as usize) {
                if start == end {
                    *start = at;
                }
                *end = at + 1;
            }
        }
        let ends = Phase::ALL.map(|phase| rules.partition_point(|rule| rule.info.phase <= phase) as u32);
        Self { ranges, rules: pairs.into_iter().map(|(_, rule)| rule).collect(), always, ends, count: rules.len() }
    }

    /// The rule past the last of a phase.
    pub(crate) const fn end(&self, phase: Phase) -> u32 {
        let [guard, recognise, route, decorate] = self.ends;
        match phase {
            Phase::Guard => guard,
            Phase::Recognise => recognise,
            Phase::Route => route,
            Phase::Decorate => decorate,
        }
    }

    /// Collects the rules worth asking after these finds, in their order. `seen` is a buffer.
    pub(crate) fn candidates(&self, hits: &[Hit], seen: &mut Vec<u64>, candidates: &mut Vec<u32>) {
        seen.clear();
        seen.resize(self.count.div_ceil(64), 0);
        candidates.clear();
        let mut add = |rule: u32| {
            if let Some(word) = seen.get_mut(rule as usize / 64)
                && *word & (1 << (rule % 64)) == 0
            {
                *word |= 1 << (rule % 64);
                candidates.push(rule);
            }
        };
        self.always.iter().copied().for_each(&mut add);
        let mut last = None;
        for hit in hits.iter().filter(|hit| hit.field < PLACE) {
            if last.replace(hit.pattern) == Some(hit.pattern) {
                continue;
            }
            if let Some((start, end)) = self.ranges.get(hit.pattern as usize) {
                let rules = self.rules.get(*start as usize..*end as usize).unwrap_or_default();
                rules.iter().copied().for_each(&mut add);
            }
        }
        candidates.sort_unstable();
    }
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RuleSet")
            .field("id", &self.pack.settings.id)
            .field("version", &self.version)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl RuleSet {
    /// Whether a file belongs to a pack by its path within it; others may lie beside and are not read.
    #[must_use]
    pub fn reads(path: &str) -> bool {
        match Kind::of(path) {
            Some(Kind::Learned) => learned::FILES.contains(&path),
            _ => path.ends_with(".toml"),
        }
    }

    /// Reads and checks a pack: its TOML files and what `learned/` holds. Other files are ignored; the order of the
    /// files changes nothing. Learned phrases alone are a pack too: its items are their labels, without departments.
    ///
    /// # Errors
    /// Every problem of every file, sorted by file and line; the first thousand, should there be more.
    pub fn compile(files: &[SourceFile]) -> Result<Self, Vec<Problem>> {
        Self::compile_with(files, None)
    }

    /// The same, faster with what [`Learned::to_cache`] gave for these files; a cache for other files is ignored.
    ///
    /// # Errors
    /// As [`RuleSet::compile`].
    pub fn compile_with(files: &[SourceFile], cache: Option<&[u8]>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let by_people = |path: &str| Kind::of(path) != Some(Kind::Learned);
        let mut sorted: Vec<&SourceFile> = files.iter().filter(|file| Self::reads(&file.path)).collect();
        sorted.sort_by(|one, two| one.path.cmp(&two.path));
        refuse_monsters(&sorted, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let learned = Learned::read(files, cache).unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        let sources: Vec<Source<'_>> =
            sorted.iter().filter(|file| by_people(&file.path)).map(|file| Source::new(file)).collect();
        let alone = sources.is_empty().then_some(learned.as_ref()).flatten();
        let parsed: Vec<_> = sources.iter().map(|source| (source, parse(source, &mut problems))).collect();
        let mut collector = Collector::default();
        let mut words = Words::default();
        let mut measured = Vec::new();
        let mut rule_files = Vec::new();
        for (source, table) in &parsed {
            let Some(table) = table else { continue };
            let root =
                |known: &[&str], problems: &mut Vec<Problem>| Table::root(source, table.get_ref(), known, problems);
            match Kind::of(&source.file.path) {
                Some(Kind::Pack) => {
                    let table = root(&Settings::KEYS, &mut problems);
                    collector.settings = Some(Settings::read(&table, &mut problems));
                }
                Some(Kind::Departments) => collector.departments(&root(&["department"], &mut problems), &mut problems),
                Some(Kind::Districts) => collector.districts(&root(&["district"], &mut problems), &mut problems),
                Some(Kind::Catalogue) => collector.catalogue(&root(&["route"], &mut problems), &mut problems),
                Some(Kind::Measured) => measured.extend(measured::read(&root(&["rule"], &mut problems), &mut problems)),
                Some(Kind::Items) => collector.items(&root(&["group", "item"], &mut problems), &mut problems),
                Some(Kind::Lists) => words.lists(&root(&["list"], &mut problems), &mut problems),
                Some(Kind::Macros) => words.macros(&root(&["macro"], &mut problems), &mut problems),
                Some(Kind::Rules) => rule_files.push(root(&["rule"], &mut problems)),
                // Learned phrases are read by their own loader.
                Some(Kind::Learned) => {}
                None => problems.push(
                    Place::file(source)
                        .problem("a pack has no such file", format!("a pack has {}", Kind::PATHS.join(", "))),
                ),
            }
        }
        let mut patterns = Patterns::default();
        let mut expressions = Vec::new();
        let mut streets = Vec::new();
        let mut reader = Reader {
            patterns: &mut patterns,
            expressions: &mut expressions,
            collector: &mut collector,
            words: &words,
            problems: &mut problems,
            streets: &mut streets,
            phase: Phase::Recognise,
            expanding: Vec::new(),
            conditions: 0,
        };
        reader.words();
        let mut rules: Vec<Rule> = rule_files.iter().flat_map(|root| reader.rules(root)).collect();
        let whole = SourceFile { path: "pack.toml".to_owned(), text: String::new() };
        let whole = Source::new(&whole);
        if alone.is_none() && !sources.iter().any(|source| source.file.path == "pack.toml") {
            problems
                .push(Place::file(&whole).problem("there is no pack.toml", "add it; see the README of routing-rules"));
        }
        let pack = match alone {
            Some(learned) => Pack::of_labels(learned.items()),
            None => collector.finish(Place::file(&whole), &mut problems),
        };
        if let Some(learned) = &learned {
            learned.check_items(|item| find(&pack.items, item, |own| &own.id).is_some(), &mut problems);
        }
        measured::apply(measured, &mut rules, &mut problems);
        rules.sort_by(|one, two| (one.info.phase, &one.info.id).cmp(&(two.info.phase, &two.info.id)));
        let mut seen: BTreeMap<&str, &RuleInfo> = BTreeMap::new();
        for rule in &rules {
            if let Some(first) = seen.insert(&rule.info.id, &rule.info) {
                problems.push(rule.info.problem(
                    format!("rule `{}` is there twice, also in {}:{}", rule.info.id, first.file, first.line),
                    "rename or remove one",
                ));
            }
        }
        add_places(&pack, &mut patterns, &mut problems);
        for (street, place) in streets {
            if let Some(pattern) = patterns.get(street).filter(|pattern| pattern.place.is_none()) {
                problems.push(place.problem(
                    format!("the gazetteer has no place `{}`", pattern.written),
                    "add it to a district in districts.toml",
                ));
            }
        }
        let automaton = Automaton::new(&patterns).map_err(|error| vec![whole_problem(&error)])?;
        if problems.is_empty() {
            soundness::check(&rules, &pack, &patterns, &automaton, &mut problems);
        }
        if !problems.is_empty() {
            problems.sort();
            problems.dedup();
            problems.truncate(MOST_PROBLEMS);
            return Err(problems);
        }
        for (expression, number) in expressions.iter_mut().zip(patterns.len() as u32..) {
            expression.pattern = number;
        }
        rules.iter_mut().for_each(|rule| rule.condition.order());
        let index = Index::new(&rules, &patterns);
        let sender_days = rules.iter().filter_map(|rule| rule.condition.sender_days()).max();
        let files = sorted.iter().map(|file| PackFile { path: file.path.clone(), bytes: file.text.len() }).collect();
        Ok(Self {
            sender_days,
            version: version(&sorted),
            files,
            pack,
            rules,
            patterns,
            expressions,
            automaton,
            index,
            learned,
        })
    }

    /// A pattern or expression as the pack has it.
    pub(crate) fn written(&self, pattern: u32) -> Option<&str> {
        match self.patterns.get(pattern) {
            Some(pattern) => Some(&pattern.written),
            None => {
                let expression = (pattern as usize).checked_sub(self.patterns.len())?;
                self.expressions.get(expression).map(|expression| expression.written.as_str())
            }
        }
    }

    /// First 16 hexadecimal digits of SHA-256 over the sorted files (paths and texts): the same files, the same version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The files it was made of, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[PackFile] {
        &self.files
    }

    /// The pack's id, from `pack.toml`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.pack.settings.id
    }

    /// The city's names.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.pack.settings.names
    }

    /// BCP 47 language of citizens of whom nothing is known.
    #[must_use]
    pub fn default_language(&self) -> &str {
        &self.pack.settings.default_language
    }

    /// The service items, sorted by id.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.pack.items
    }

    /// An item by its id.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&Item> {
        find(&self.pack.items, id, |item| &item.id)
    }

    /// The headings over the items, sorted by id.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.pack.groups
    }

    /// The departments, sorted by id.
    #[must_use]
    pub fn departments(&self) -> &[Department] {
        &self.pack.departments
    }

    /// A department by its id.
    #[must_use]
    pub fn department(&self, id: &str) -> Option<&Department> {
        find(&self.pack.departments, id, |department| &department.id)
    }

    /// The districts, sorted by id.
    #[must_use]
    pub fn districts(&self) -> &[District] {
        &self.pack.districts
    }

    /// A district by its id.
    #[must_use]
    pub fn district(&self, id: &str) -> Option<&District> {
        find(&self.pack.districts, id, |district| &district.id)
    }

    /// The rules in the order they are asked.
    pub fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.iter().map(|rule| &rule.info)
    }

    /// How many days back the rules look at the sender's appeals ([`crate::Facts::sender`]): 0 when they ask of open
    /// tickets only, `None` when no rule asks of the sender.
    #[must_use]
    pub const fn sender_days(&self) -> Option<u32> {
        self.sender_days
    }

    /// A rule by its id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleInfo> {
        self.rules().find(|rule| rule.id == id)
    }

    /// The phrases learned from a history, if the pack has any.
    #[must_use]
    pub const fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }

    /// Whether there is nobody to dispatch to, as in a pack of learned phrases alone: its decisions name no department.
    #[must_use]
    pub const fn is_without_departments(&self) -> bool {
        self.pack.departments.is_empty()
    }

    /// The lead department by the dispatch catalogue; `None` only for an item the pack does not have.
    #[must_use]
    pub fn department_for(&self, item: &str, district: Option<&str>) -> Option<&str> {
        self.item(item)?;
        self.pack.department_for(item, district)
    }

    /// Elapsed hours for a kind and priority.
    #[must_use]
    pub fn deadline_hours(&self, kind: AppealKind, priority: Priority) -> u32 {
        self.pack.settings.deadlines.get(&(kind, priority)).copied().unwrap_or_default()
    }
}

fn find<'l, T>(list: &'l [T], id: &str, key: fn(&T) -> &String) -> Option<&'l T> {
    list.binary_search_by(|entry| key(entry).as_str().cmp(id)).ok().and_then(|at| list.get(at))
}

/// The most problems told at once.
const MOST_PROBLEMS: usize = 1_000;
/// The most bytes of one file; what people write is far smaller, and a larger one would be slow to refuse.
const MOST_FILE_BYTES: usize = 4 << 20;
/// The most bytes of a pack.
const MOST_PACK_BYTES: usize = 64 << 20;

/// Refuses what is too large to be looked at.
fn refuse_monsters(files: &[&SourceFile], problems: &mut Vec<Problem>) {
    let mut total = 0_usize;
    for file in files {
        let most = if Kind::of(&file.path) == Some(Kind::Learned) { MOST_PACK_BYTES } else { MOST_FILE_BYTES };
        let refuse = |message: String, advice: &str| Problem {
            file: file.path.clone(),
            line: 0,
            excerpt: String::new(),
            message,
            advice: advice.to_owned(),
        };
        if file.text.len() > most {
            problems.push(refuse(format!("a file of more than {} MiB", most >> 20), "split it"));
        }
        if file.text.contains('\0') {
            problems.push(refuse("this is not a text file".to_owned(), "a pack is made of TOML files in UTF-8"));
        }
        total = total.saturating_add(file.text.len());
        if total > MOST_PACK_BYTES && total - file.text.len() <= MOST_PACK_BYTES {
            problems.push(refuse(format!("a pack of more than {} MiB", MOST_PACK_BYTES >> 20), "split the pack"));
        }
    }
}

/// What a file of a pack holds, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pack,
    Departments,
    Districts,
    Catalogue,
    Measured,
    Items,
    Lists,
    Macros,
    Rules,
    Learned,
}

impl Kind {
    /// The paths a pack may have.
    const PATHS: [&str; 10] = [
        "pack.toml",
        "departments.toml",
        "districts.toml",
        "catalogue.toml",
        "measured.toml",
        "items/*.toml",
        "lists.toml or lists/*.toml",
        "macros.toml or macros/*.toml",
        "rules/*.toml",
        "learned/*",
    ];

    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "pack.toml" => Self::Pack,
            "departments.toml" => Self::Departments,
            "districts.toml" => Self::Districts,
            "catalogue.toml" => Self::Catalogue,
            "measured.toml" => Self::Measured,
            "lists.toml" => Self::Lists,
            "macros.toml" => Self::Macros,
            _ => match path.split_once('/')?.0 {
                "items" => Self::Items,
                "lists" => Self::Lists,
                "macros" => Self::Macros,
                "rules" => Self::Rules,
                "learned" => Self::Learned,
                _ => return None,
            },
        })
    }
}

fn whole_problem(message: &str) -> Problem {
    Problem {
        file: "districts.toml".to_owned(),
        line: 0,
        excerpt: String::new(),
        message: message.to_owned(),
        advice: "correct the pack".to_owned(),
    }
}

/// Makes every name of a district, and every place in it, something to look for.
fn add_places(pack: &Pack, patterns: &mut Patterns, problems: &mut Vec<Problem>) {
    for (at, district) in pack.districts.iter().enumerate() {
        for place in district.names.values().chain(&district.places) {
            let index = match patterns.add(place) {
                Ok(index) => index,
                Err((message, advice)) => {
                    problems.push(Problem { advice: advice.to_owned(), ..whole_problem(&message) });
                    continue;
                }
            };
            let Some(pattern) = patterns.get_mut(index) else { continue };
            match &pattern.place {
                Some((other, _)) if *other != at => {
                    problems.push(Problem {
                        advice: "keep it in one district, or make it longer".to_owned(),
                        ..whole_problem(&format!("the place `{place}` stands in two districts"))
                    });
                }
                Some(_) => {}
                None => pattern.place = Some((at, place.clone())),
            }
        }
    }
}

fn version(files: &[&SourceFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        for part in [&file.path, &file.text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
