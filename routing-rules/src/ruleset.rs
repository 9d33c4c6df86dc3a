//! A compiled pack.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use sha2::{Digest, Sha256};

use crate::condition::Finds;
use crate::fold::Folded;
use crate::measured;
use crate::model::{AppealKind, Department, District, Group, Item, Names, Priority};
use crate::pack::{Collector, Pack, Settings};
use crate::phrase::{Hit, Patterns, scan};
use crate::rule::{self, Rule, RuleInfo};
use crate::source::{Place, Problem, Source, SourceFile, Table, parse};

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
    automaton: AhoCorasick,
    index: Index,
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
struct Index {
    /// Rules by pattern, as ranges of `rules`.
    ranges: Vec<(u32, u32)>,
    rules: Vec<u32>,
    /// Rules that may fire without any phrase.
    always: Vec<u32>,
}

impl Index {
    fn new(rules: &[Rule], patterns: usize) -> Self {
        let mut by_pattern: Vec<Vec<u32>> = vec![Vec::new(); patterns];
        let mut always = Vec::new();
        for (at, rule) in (0_u32..).zip(rules) {
            match rule.condition.anchor() {
                None => always.push(at),
                Some(anchors) => {
                    for pattern in anchors {
                        if let Some(list) = by_pattern.get_mut(pattern as usize) {
                            list.push(at);
                        }
                    }
                }
            }
        }
        let mut index = Self { ranges: Vec::with_capacity(patterns), rules: Vec::new(), always };
        for mut list in by_pattern {
            list.dedup();
            let start = index.rules.len() as u32;
            index.rules.append(&mut list);
            index.ranges.push((start, index.rules.len() as u32));
        }
        index
    }

    /// The rules worth asking after these finds, in their order.
    fn candidates(&self, hits: &[Hit]) -> Vec<u32> {
        let mut candidates = self.always.clone();
        let mut last = None;
        for hit in hits.iter().filter(|hit| hit.field < crate::condition::PLACE) {
            if last.replace(hit.pattern) == Some(hit.pattern) {
                continue;
            }
            if let Some((start, end)) = self.ranges.get(hit.pattern as usize) {
                candidates.extend(self.rules.get(*start as usize..*end as usize).unwrap_or_default());
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
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
    /// Reads and checks a pack. Files other than TOML are ignored; the order of the files changes nothing.
    ///
    /// # Errors
    /// Every problem of every file, sorted by file and line.
    pub fn compile(files: &[SourceFile]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut sorted: Vec<&SourceFile> = files.iter().filter(|file| file.path.ends_with(".toml")).collect();
        sorted.sort_by(|one, two| one.path.cmp(&two.path));
        let sources: Vec<Source<'_>> = sorted.iter().map(|file| Source::new(file)).collect();
        let parsed: Vec<_> = sources.iter().map(|source| (source, parse(source, &mut problems))).collect();
        let mut collector = Collector::default();
        let mut patterns = Patterns::default();
        let mut rules: Vec<Rule> = Vec::new();
        let mut measured = Vec::new();
        for (source, table) in &parsed {
            let Some(table) = table else { continue };
            let root =
                |known: &[&str], problems: &mut Vec<Problem>| Table::root(source, table.get_ref(), known, problems);
            match source.file.path.as_str() {
                "pack.toml" => {
                    let table = root(&Settings::KEYS, &mut problems);
                    collector.settings = Some(Settings::read(&table, &mut problems));
                }
                "departments.toml" => collector.departments(&root(&["department"], &mut problems), &mut problems),
                "districts.toml" => collector.districts(&root(&["district"], &mut problems), &mut problems),
                "catalogue.toml" => collector.catalogue(&root(&["route"], &mut problems), &mut problems),
                "measured.toml" => measured.extend(measured::read(&root(&["rule"], &mut problems), &mut problems)),
                // Learned phrases are read by their own loader.
                path if path.starts_with("learned/") => {}
                path if path.starts_with("items/") => {
                    collector.items(&root(&["group", "item"], &mut problems), &mut problems)
                }
                path if path.starts_with("rules/") => {
                    let table = root(&["rule"], &mut problems);
                    rules.extend(rule::read(&table, &mut patterns, &mut collector, &mut problems));
                }
                _ => problems.push(Place::file(source).problem(
                    "a pack has no such file",
                    "pack.toml, departments.toml, districts.toml, catalogue.toml, measured.toml, items/*.toml, rules/*.toml or learned/*",
                )),
            }
        }
        let whole = SourceFile { path: "pack.toml".to_owned(), text: String::new() };
        let whole = Source::new(&whole);
        if !sources.iter().any(|source| source.file.path == "pack.toml") {
            problems
                .push(Place::file(&whole).problem("there is no pack.toml", "add it; see the README of routing-rules"));
        }
        let pack = collector.finish(Place::file(&whole), &mut problems);
        measured::apply(measured, &mut rules, &mut problems);
        rules.sort_by(|one, two| (one.info.phase, &one.info.id).cmp(&(two.info.phase, &two.info.id)));
        let mut seen: BTreeMap<&str, &RuleInfo> = BTreeMap::new();
        for rule in &rules {
            if let Some(first) = seen.insert(&rule.info.id, &rule.info) {
                problems.push(Problem {
                    file: rule.info.file.clone(),
                    line: rule.info.line,
                    excerpt: format!("id = \"{}\"", rule.info.id),
                    message: format!("rule `{}` is there twice, also in {}:{}", rule.info.id, first.file, first.line),
                    advice: "rename or remove one".to_owned(),
                });
            }
        }
        add_places(&pack, &mut patterns, &mut problems);
        let automaton =
            patterns.automaton().map_err(|error| whole_problem(&error.to_string())).map_err(|problem| vec![problem])?;
        if !problems.is_empty() {
            problems.sort();
            problems.dedup();
            return Err(problems);
        }
        let index = Index::new(&rules, patterns.len());
        let files = sorted.iter().map(|file| PackFile { path: file.path.clone(), bytes: file.text.len() }).collect();
        Ok(Self { version: version(&sorted), files, pack, rules, patterns, automaton, index })
    }

    /// First 16 hexadecimal digits of SHA-256 over the sorted TOML files (paths and texts): the same files, the same version.
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

    /// A rule by its id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleInfo> {
        self.rules().find(|rule| rule.id == id)
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

    /// Everything found in the folded texts.
    pub(crate) fn scan(&self, fields: impl Iterator<Item = (u8, Folded)>) -> Finds {
        let mut hits = Vec::with_capacity(32);
        for (field, folded) in fields {
            scan(&self.automaton, &self.patterns, &folded, field, &mut hits);
        }
        Finds::new(hits, self.patterns.len())
    }

    /// The rules worth asking after these finds.
    pub(crate) fn candidates(&self, hits: &[Hit]) -> Vec<&Rule> {
        self.index.candidates(hits).into_iter().filter_map(|at| self.rules.get(at as usize)).collect()
    }
}

fn find<'l, T>(list: &'l [T], id: &str, key: fn(&T) -> &String) -> Option<&'l T> {
    list.binary_search_by(|entry| key(entry).as_str().cmp(id)).ok().and_then(|at| list.get(at))
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
