//! The parts of a pack that are not rules: settings, items, departments, districts and the dispatch catalogue.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AppealKind, CitizenKind, Department, District, Group, Item, LawfulRoute, Level, Names, Priority};
use crate::source::{Node, Place, Problem, Table};

/// `pack.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The pack's id.
    pub(crate) id: String,
    /// The city's names.
    pub(crate) names: Names,
    /// The language of citizens of whom nothing is known.
    pub(crate) default_language: String,
    /// The best item must have at least this score.
    pub(crate) threshold: f64,
    /// And lead by at least this.
    pub(crate) margin: f64,
    /// A rule with a phrase in the subject counts this many times its weight.
    pub(crate) subject_factor: f64,
    /// Each further phrase of a rule adds this share of its weight.
    pub(crate) phrase_bonus: f64,
    /// The kind where no rule says.
    pub(crate) default_kind: AppealKind,
    /// The priority where no rule says.
    pub(crate) default_priority: Priority,
    /// Elapsed hours by kind and priority.
    pub(crate) deadlines: BTreeMap<(AppealKind, Priority), u32>,
}

impl Default for Settings {
    /// Stands in when `pack.toml` is missing or broken, so that the other files are checked all the same.
    fn default() -> Self {
        Self {
            id: String::new(),
            names: Names::new(),
            default_language: "zh-Hans".to_owned(),
            threshold: 1.0,
            margin: 1.0,
            subject_factor: 1.0,
            phrase_bonus: 0.0,
            default_kind: AppealKind::Help,
            default_priority: Priority::Normal,
            deadlines: BTreeMap::new(),
        }
    }
}

/// One entry of the dispatch catalogue.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Lead department for every district not named below, and for an unknown one.
    pub(crate) department: Option<String>,
    /// Lead department by district.
    pub(crate) districts: BTreeMap<String, String>,
    /// Assisting departments.
    pub(crate) assisting: Vec<String>,
}

/// Everything but the rules. Lists are sorted by id.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    pub(crate) settings: Settings,
    pub(crate) groups: Vec<Group>,
    pub(crate) items: Vec<Item>,
    pub(crate) departments: Vec<Department>,
    pub(crate) districts: Vec<District>,
    /// By item id or prefix of one.
    pub(crate) catalogue: BTreeMap<String, Route>,
}

impl Pack {
    /// A pack whose items are labels, with nobody to dispatch to.
    pub(crate) fn of_labels<'l>(labels: impl Iterator<Item = &'l str>) -> Self {
        let names = |label: &str| ["zh-Hans", "en"].map(|language| (language.to_owned(), label.to_owned())).into();
        let mut items: Vec<Item> = labels.map(|label| Item { id: label.to_owned(), names: names(label) }).collect();
        items.sort_by(|one, two| one.id.cmp(&two.id));
        items.dedup_by(|one, two| one.id == two.id);
        Self {
            settings: Settings { id: "learned".to_owned(), names: names("learned"), ..Settings::default() },
            groups: Vec::new(),
            items,
            departments: Vec::new(),
            districts: Vec::new(),
            catalogue: BTreeMap::new(),
        }
    }
}

/// Whether an id is made of lower-case words joined by hyphens, in segments joined by dots.
pub(crate) fn is_id(id: &str, dots: bool) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('-')
            && !segment.ends_with('-')
            && segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if dots { id.split('.').all(segment) } else { segment(id) }
}

fn id(table: &Table<'_>, dots: bool, problems: &mut Vec<Problem>) -> Option<String> {
    let node = table.required("id", problems)?;
    let id = node.text(problems)?;
    if is_id(id, dots) {
        return Some(id.to_owned());
    }
    let shape = if dots { "`roads.streetlight`" } else { "`water-bureau`" };
    problems.push(
        node.place
            .problem(format!("`{id}` is not an id"), format!("lower-case letters, digits and hyphens, as in {shape}")),
    );
    None
}

fn names(table: &Table<'_>, problems: &mut Vec<Problem>) -> Names {
    let Some(inner) = table.required("names", problems).and_then(|node| node.any_table(problems)) else {
        return Names::new();
    };
    let names: Names = inner
        .entries()
        .into_iter()
        .filter_map(|(language, node)| Some((language.to_owned(), node.text(problems)?.to_owned())))
        .collect();
    for language in ["zh-Hans", "en"] {
        if !names.contains_key(language) {
            problems.push(inner.place.problem(format!("no name in {language}"), format!("add `{language} = \"...\"`")));
        }
    }
    names
}

/// A value by its word.
pub(crate) fn word<T>(
    node: Node<'_>,
    parse: impl Fn(&str) -> Option<T>,
    words: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let text = node.text(problems)?;
    let value = parse(text);
    if value.is_none() {
        problems
            .push(node.place.problem(format!("`{text}` is not known here"), format!("one of {}", words.join(", "))));
    }
    value
}

/// A kind by its word.
pub(crate) fn kind(node: Node<'_>, problems: &mut Vec<Problem>) -> Option<AppealKind> {
    word(node, AppealKind::parse, &AppealKind::ALL.map(AppealKind::as_str), problems)
}

/// A priority by its word.
pub(crate) fn priority(node: Node<'_>, problems: &mut Vec<Problem>) -> Option<Priority> {
    word(node, Priority::parse, &Priority::ALL.map(Priority::as_str), problems)
}

/// A kind of citizen by its word.
pub(crate) fn citizen_kind(node: Node<'_>, problems: &mut Vec<Problem>) -> Option<CitizenKind> {
    word(node, CitizenKind::parse, &CitizenKind::ALL.map(CitizenKind::as_str), problems)
}

/// A lawful route by its word.
pub(crate) fn lawful_route(node: Node<'_>, problems: &mut Vec<Problem>) -> Option<LawfulRoute> {
    word(node, LawfulRoute::parse, &LawfulRoute::ALL.map(LawfulRoute::as_str), problems)
}

impl Settings {
    /// Keys of `pack.toml`.
    pub(crate) const KEYS: [&'static str; 10] = [
        "id",
        "names",
        "default_language",
        "threshold",
        "margin",
        "subject_factor",
        "phrase_bonus",
        "default_kind",
        "default_priority",
        "deadlines",
    ];

    /// Reads `pack.toml`.
    pub(crate) fn read(table: &Table<'_>, problems: &mut Vec<Problem>) -> Self {
        let fallback = Self::default();
        let mut number = |key: &str, least: f64| {
            let node = table.required(key, problems)?;
            let number = node.number(problems)?;
            if number < least {
                problems.push(
                    node.place.problem(format!("`{key}` is less than {least}"), format!("write at least {least}")),
                );
            }
            Some(number)
        };
        let threshold = number("threshold", 0.01).unwrap_or(fallback.threshold);
        let margin = number("margin", 0.01).unwrap_or(fallback.margin);
        let subject_factor = number("subject_factor", 1.0).unwrap_or(fallback.subject_factor);
        let phrase_bonus = number("phrase_bonus", 0.0).unwrap_or(fallback.phrase_bonus);
        let mut settings = Self {
            id: id(table, false, problems).unwrap_or_default(),
            names: names(table, problems),
            default_language: table.required_text("default_language", problems).unwrap_or_default(),
            threshold,
            margin,
            subject_factor,
            phrase_bonus,
            default_kind: table
                .required("default_kind", problems)
                .and_then(|node| kind(node, problems))
                .unwrap_or(fallback.default_kind),
            default_priority: table
                .required("default_priority", problems)
                .and_then(|node| priority(node, problems))
                .unwrap_or(fallback.default_priority),
            deadlines: BTreeMap::new(),
        };
        let kinds = AppealKind::ALL.map(AppealKind::as_str);
        let priorities = Priority::ALL.map(Priority::as_str);
        if let Some(deadlines) = table.required("deadlines", problems).and_then(|node| node.table(&kinds, problems)) {
            for kind in AppealKind::ALL {
                let Some(row) =
                    deadlines.required(kind.as_str(), problems).and_then(|node| node.table(&priorities, problems))
                else {
                    continue;
                };
                for priority in Priority::ALL {
                    if let Some(hours) = row.required(priority.as_str(), problems).and_then(|node| node.count(problems))
                    {
                        settings.deadlines.insert((kind, priority), hours);
                    }
                }
            }
        }
        settings
    }
}

/// Collects the parts of a pack while its files are read, and checks them against each other at the end.
#[derive(Default)]
pub(crate) struct Collector<'a> {
    pub(crate) settings: Option<Settings>,
    groups: BTreeMap<String, (Group, Place<'a>)>,
    items: BTreeMap<String, (Item, Place<'a>)>,
    departments: BTreeMap<String, (Department, Place<'a>)>,
    districts: BTreeMap<String, (District, Place<'a>)>,
    catalogue: BTreeMap<String, (Route, Place<'a>)>,
    references: Vec<(Reference, String, Place<'a>)>,
}

/// What an id in a file must be the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// An item.
    Item,
    /// An item or a prefix of one or more.
    ItemPrefix,
    /// A department.
    Department,
    /// A district.
    District,
}

fn keep<'a, T>(
    map: &mut BTreeMap<String, (T, Place<'a>)>,
    id: &str,
    value: T,
    place: Place<'a>,
    problems: &mut Vec<Problem>,
) {
    if let Some((_, first)) = map.get(id) {
        problems.push(place.problem(
            format!("`{id}` is there twice, first in {}:{}", first.path(), first.line()),
            "rename or remove one",
        ));
        return;
    }
    map.insert(id.to_owned(), (value, place));
}

impl<'a> Collector<'a> {
    /// Notes an id that must exist.
    pub(crate) fn refer(&mut self, to: Reference, id: &str, place: Place<'a>) {
        self.references.push((to, id.to_owned(), place));
    }

    /// Reads `items/*.toml`.
    pub(crate) fn items(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        for table in root.tables("group", &["id", "names"], problems) {
            if let Some(id) = id(&table, false, problems) {
                let group = Group { id: id.clone(), names: names(&table, problems) };
                keep(&mut self.groups, &id, group, table.place, problems);
            }
        }
        for table in root.tables("item", &["id", "names"], problems) {
            if let Some(id) = id(&table, true, problems) {
                let item = Item { id: id.clone(), names: names(&table, problems) };
                keep(&mut self.items, &id, item, table.place, problems);
            }
        }
    }

    /// Reads `departments.toml`.
    pub(crate) fn departments(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        for table in root.tables("department", &["id", "names", "parent", "district", "level"], problems) {
            let Some(id) = id(&table, false, problems) else { continue };
            let mut reference = |key: &str, to: Reference, problems: &mut Vec<Problem>| {
                let node = table.get(key)?;
                let id = node.text(problems)?;
                self.references.push((to, id.to_owned(), node.place));
                Some(id.to_owned())
            };
            let department = Department {
                id: id.clone(),
                names: names(&table, problems),
                parent: reference("parent", Reference::Department, problems),
                district: reference("district", Reference::District, problems),
                level: table
                    .required("level", problems)
                    .and_then(|node| word(node, Level::parse, &["city", "district", "street", "section"], problems))
                    .unwrap_or(Level::City),
            };
            keep(&mut self.departments, &id, department, table.place, problems);
        }
    }

    /// Reads `districts.toml`.
    pub(crate) fn districts(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        for table in root.tables("district", &["id", "names", "places"], problems) {
            let Some(id) = id(&table, false, problems) else { continue };
            let places = table.required("places", problems).map(|node| node.texts(problems)).unwrap_or_default();
            let district = District {
                id: id.clone(),
                names: names(&table, problems),
                places: places.into_iter().map(|(place, _)| place.to_owned()).collect(),
            };
            keep(&mut self.districts, &id, district, table.place, problems);
        }
    }

    /// Reads `catalogue.toml`.
    pub(crate) fn catalogue(&mut self, root: &Table<'a>, problems: &mut Vec<Problem>) {
        for table in root.tables("route", &["item", "department", "districts", "assisting"], problems) {
            let Some(node) = table.required("item", problems) else { continue };
            let Some(prefix) = node.text(problems) else { continue };
            self.refer(Reference::ItemPrefix, prefix, node.place);
            let mut route = Route { department: None, districts: BTreeMap::new(), assisting: Vec::new() };
            if let Some(node) = table.required("department", problems)
                && let Some(id) = node.text(problems)
            {
                self.refer(Reference::Department, id, node.place);
                route.department = Some(id.to_owned());
            }
            if let Some(node) = table.get("assisting") {
                for (id, place) in node.texts(problems) {
                    self.refer(Reference::Department, id, place);
                    route.assisting.push(id.to_owned());
                }
            }
            if let Some(districts) = table.get("districts").and_then(|node| node.any_table(problems)) {
                for (district, node) in districts.entries() {
                    self.refer(Reference::District, district, node.place);
                    if let Some(id) = node.text(problems) {
                        self.refer(Reference::Department, id, node.place);
                        route.districts.insert(district.to_owned(), id.to_owned());
                    }
                }
            }
            keep(&mut self.catalogue, prefix, route, table.place, problems);
        }
    }

    /// Whether there is a district of this id.
    fn known(&self, to: Reference, id: &str) -> bool {
        match to {
            Reference::Item => self.items.contains_key(id),
            Reference::ItemPrefix => self.items.keys().any(|item| covers(id, item)),
            Reference::Department => self.departments.contains_key(id),
            Reference::District => self.districts.contains_key(id),
        }
    }

    /// Checks everything against everything and hands the pack over.
    pub(crate) fn finish(self, whole: Place<'a>, problems: &mut Vec<Problem>) -> Pack {
        for (to, id, place) in &self.references {
            if !self.known(*to, id) {
                let (what, candidates): (_, Vec<&String>) = match to {
                    Reference::Item => ("item", self.items.keys().collect()),
                    Reference::ItemPrefix => ("item or beginning of items", self.items.keys().collect()),
                    Reference::Department => ("department", self.departments.keys().collect()),
                    Reference::District => ("district", self.districts.keys().collect()),
                };
                let advice = nearest(id, &candidates).map_or_else(
                    || format!("add this {what} or correct the id"),
                    |near| format!("did you mean `{near}`?"),
                );
                problems.push(place.problem(format!("there is no {what} `{id}`"), advice));
            }
        }
        for (department, place) in self.departments.values() {
            let mut seen = BTreeSet::from([department.id.as_str()]);
            let mut above = department.parent.as_deref();
            while let Some(parent) = above {
                if !seen.insert(parent) {
                    problems
                        .push(place.problem(format!("`{}` stands above itself", department.id), "correct `parent`"));
                    break;
                }
                above = self.departments.get(parent).and_then(|(parent, _)| parent.parent.as_deref());
            }
        }
        for (item, place) in self.items.values() {
            if !self.groups.contains_key(item.group()) {
                problems.push(place.problem(
                    format!("there is no group `{}`", item.group()),
                    "add a [[group]] with this id and its names",
                ));
            }
        }
        let empty = [("items/*.toml", self.items.is_empty()), ("departments.toml", self.departments.is_empty())];
        for (file, _) in empty.into_iter().filter(|(_, empty)| *empty) {
            problems.push(whole.problem(format!("the pack has nothing in {file}"), "see the README of routing-rules"));
        }
        let pack = Pack {
            settings: self.settings.unwrap_or_default(),
            groups: self.groups.into_values().map(|(group, _)| group).collect(),
            items: self.items.values().map(|(item, _)| item.clone()).collect(),
            departments: self.departments.into_values().map(|(department, _)| department).collect(),
            districts: self.districts.into_values().map(|(district, _)| district).collect(),
            catalogue: self.catalogue.into_iter().map(|(prefix, (route, _))| (prefix, route)).collect(),
        };
        for (item, place) in self.items.values() {
            let districts = pack.districts.iter().map(|district| Some(district.id.as_str()));
            for district in districts.chain([None]) {
                if pack.department_for(&item.id, district).is_none() {
                    problems.push(place.problem(
                        format!("`{}` has no department in {}", item.id, district.unwrap_or("an unknown district")),
                        "add it, or a beginning of it, to catalogue.toml",
                    ));
                }
            }
        }
        pack
    }
}

/// Whether a prefix covers an item: the same id, or whole leading segments of it.
pub(crate) fn covers(prefix: &str, item: &str) -> bool {
    item.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The candidate with the fewest edits, if it is near enough to be meant.
pub(crate) fn nearest<'c>(id: &str, candidates: &[&'c String]) -> Option<&'c str> {
    candidates
        .iter()
        .map(|candidate| (edits(id, candidate), candidate.as_str()))
        .filter(|(edits, _)| *edits <= 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (at, left) in one.chars().enumerate() {
        let mut before = at;
        let mut current = at + 1;
        let mut next = vec![current];
        for (right, above) in two.iter().zip(row.iter().skip(1)) {
            current = (before + usize::from(left != *right)).min(current + 1).min(above + 1);
            before = *above;
            next.push(current);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl Pack {
    /// The catalogue's routes for an item, the longest prefix first.
    fn routes<'p, 'i>(&'p self, item: &'i str) -> impl Iterator<Item = &'p Route> + use<'p, 'i> {
        let mut prefix = Some(item);
        std::iter::from_fn(move || {
            let current = prefix?;
            prefix = current.rsplit_once('.').map(|(shorter, _)| shorter);
            Some(current)
        })
        .filter_map(|prefix| self.catalogue.get(prefix))
    }

    /// Lead department by item and district. A longer prefix wins over a shorter one, and within an entry the district over the default.
    pub(crate) fn department_for(&self, item: &str, district: Option<&str>) -> Option<&str> {
        self.routes(item).find_map(move |route| {
            district
                .and_then(|district| route.districts.get(district))
                .or(route.department.as_ref())
                .map(String::as_str)
        })
    }

    /// Assisting departments of the entry that gives the lead.
    pub(crate) fn assisting_for(&self, item: &str) -> &[String] {
        self.routes(item).next().map_or(&[], |route| &route.assisting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_cover_whole_segments() {
        assert!(covers("roads", "roads.streetlight"));
        assert!(covers("roads.streetlight", "roads.streetlight"));
        assert!(!covers("road", "roads.streetlight"));
        assert!(!covers("roads.street", "roads.streetlight"));
    }

    #[test]
    fn ids_have_one_shape() {
        for good in ["roads.streetlight", "roads", "a.b-c.9"] {
            assert!(is_id(good, true), "{good}");
        }
        for bad in ["", "Roads", "roads.", ".roads", "roads..x", "-a", "a b", "路灯"] {
            assert!(!is_id(bad, true), "{bad}");
        }
        assert!(!is_id("a.b", false));
    }

    #[test]
    fn counts_edits() {
        for (one, two, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("路灯", "路灯", 0)]
        {
            assert_eq!(edits(one, two), expected, "{one} {two}");
        }
    }
}
