//! Settings as they come in: the embedded defaults, a file, the environment, flags; merged with the origin of each value kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};

/// What every name of an environment variable begins with.
pub const ENV_PREFIX: &str = "YINGDA__";

/// Keys that end in `_file` and mean the path itself.
const PATH_KEYS: [&str; 1] = ["tls_ca_file"];

/// A value with its origin, or a table of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A table; inline tables too.
    Table(BTreeMap<String, Node>),
    /// Anything else.
    Value(toml::Value, Origin),
}

impl Node {
    /// The origin of the first value within.
    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Value(_, origin) => origin.clone(),
            Self::Table(nodes) => nodes.values().next().map_or(Origin::Missing, Self::origin),
        }
    }

    /// The plain value, without origins.
    pub(super) fn plain(&self) -> toml::Value {
        match self {
            Self::Value(value, _) => value.clone(),
            Self::Table(nodes) => {
                toml::Value::Table(nodes.iter().map(|(key, node)| (key.clone(), node.plain())).collect())
            }
        }
    }
}

/// All layers merged so far. Later layers win key by key; `x_file` in a layer counts as `x` of that layer.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    /// Adds TOML text; `file` names it in problems, `None` being the embedded defaults.
    pub fn text(&mut self, text: &str, file: Option<&Path>) {
        let at = |offset: usize| match file {
            None => Origin::Default,
            Some(path) => Origin::File { path: path.to_owned(), line: line_of(text, offset) },
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let origin = at(error.span().map_or(0, |span| span.start));
            self.problems.push(Problem::new(origin, "", format!("not TOML: {}", error.message()), "Correct the line"));
        }
        let mut nodes = spanned(table.get_ref(), &at);
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        read_files(&mut nodes, "", folder, &mut self.problems);
        merge(&mut self.nodes, nodes);
    }

    /// Adds a file.
    pub fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.text(&text, Some(path)),
            Err(error) => self.problems.push(Problem::new(
                Origin::Flag("--config"),
                "",
                format!("cannot read {}: {error}", path.display()),
                "Name a readable TOML file",
            )),
        }
    }

    /// Adds a ready table.
    pub fn table(&mut self, table: &toml::Table, origin: &Origin) {
        let nodes = table.iter().map(|(key, value)| (key.clone(), tagged(value, origin))).collect();
        merge(&mut self.nodes, nodes);
    }

    /// Adds one value, such as a flag.
    pub fn set(&mut self, path: &[&str], value: toml::Value, origin: Origin) {
        let mut node = Node::Value(value, origin);
        for key in path.iter().rev() {
            node = Node::Table(BTreeMap::from([((*key).to_owned(), node)]));
        }
        if let Node::Table(nodes) = node {
            merge(&mut self.nodes, nodes);
        }
    }

    /// Adds `YINGDA__SECTION__KEY` variables; others are passed over.
    ///
    /// Names are taken without regard to case, and `_` also meets `-` in a key that is already there.
    /// Values are read as TOML where they are TOML, otherwise as text.
    pub fn env(&mut self, variables: &[(String, String)]) {
        for (name, raw) in variables {
            let upper = name.to_ascii_uppercase();
            let Some(rest) = upper.strip_prefix(ENV_PREFIX) else { continue };
            let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
            let origin = Origin::Env { name: name.clone(), raw: raw.clone() };
            if keys.len() < 2 || keys.iter().any(String::is_empty) {
                self.problems.push(Problem::new(origin, "", "names no setting", "Write YINGDA__SECTION__KEY"));
                continue;
            }
            let keys = self.known_spelling(&keys);
            let value = toml::from_str::<toml::Table>(&format!("value = {raw}"))
                .ok()
                .filter(|table| table.len() == 1)
                .and_then(|mut table| table.remove("value"))
                .unwrap_or_else(|| toml::Value::String(raw.clone()));
            let mut node = tagged(&value, &origin);
            for key in keys.iter().rev() {
                node = Node::Table(BTreeMap::from([(key.clone(), node)]));
            }
            if let Node::Table(mut nodes) = node {
                read_files(&mut nodes, "", Path::new(""), &mut self.problems);
                merge(&mut self.nodes, nodes);
            }
        }
    }

    /// The text at a path, as far as it is merged; for what must be known before the settings are read as a whole.
    #[must_use]
    pub fn peek(&self, path: &[&str]) -> Option<String> {
        let (last, folders) = path.split_last()?;
        let mut nodes = &self.nodes;
        for key in folders {
            match nodes.get(*key)? {
                Node::Table(inner) => nodes = inner,
                Node::Value(..) => return None,
            }
        }
        match nodes.get(*last)? {
            Node::Value(toml::Value::String(text), _) => Some(text.clone()),
            Node::Value(value, Origin::Env { raw, .. }) if !value.is_table() => Some(raw.clone()),
            _ => None,
        }
    }

    fn known_spelling(&self, keys: &[String]) -> Vec<String> {
        let mut here = Some(&self.nodes);
        keys.iter()
            .map(|key| {
                let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
                let found = here.and_then(|nodes| {
                    nodes.get_key_value(key).or_else(|| nodes.iter().find(|(name, _)| plain(name) == *key))
                });
                here = match found {
                    Some((_, Node::Table(nodes))) => Some(nodes),
                    _ => None,
                };
                found.map_or_else(|| key.clone(), |(name, _)| name.clone())
            })
            .collect()
    }
}

/// The variables of this process that are settings. The only place where the environment is read.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.to_ascii_uppercase().starts_with(ENV_PREFIX))
        .collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn spanned(table: &DeTable<'_>, at: &dyn Fn(usize) -> Origin) -> BTreeMap<String, Node> {
    table
        .iter()
        .filter_map(|(key, value)| {
            let node = match value.get_ref() {
                DeValue::Table(inner) => Node::Table(spanned(inner, at)),
                other => Node::Value(plain(other)?, at(key.span().start)),
            };
            Some((key.get_ref().to_string(), node))
        })
        .collect()
}

/// A parsed value as a plain one; `None` for numbers out of range, which the parser has reported.
fn plain(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => toml::Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Float(number) => toml::Value::Float(number.as_str().parse().ok()?),
        DeValue::Boolean(truth) => toml::Value::Boolean(*truth),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => toml::Value::Array(items.iter().filter_map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .filter_map(|(key, value)| Some((key.get_ref().to_string(), plain(value.get_ref())?)))
                .collect(),
        ),
    })
}

fn tagged(value: &toml::Value, origin: &Origin) -> Node {
    match value {
        toml::Value::Table(table) => {
            Node::Table(table.iter().map(|(key, value)| (key.clone(), tagged(value, origin))).collect())
        }
        other => Node::Value(other.clone(), origin.clone()),
    }
}

fn merge(below: &mut BTreeMap<String, Node>, above: BTreeMap<String, Node>) {
    for (key, node) in above {
        match (below.get_mut(&key), node) {
            (Some(Node::Table(old)), Node::Table(new)) => merge(old, new),
            (_, node) => {
                below.insert(key, node);
            }
        }
    }
}

/// Turns each `x_file = PATH` into `x = CONTENT`, trimmed.
fn read_files(nodes: &mut BTreeMap<String, Node>, path: &str, folder: &Path, problems: &mut Vec<Problem>) {
    for (key, node) in nodes.iter_mut() {
        if let Node::Table(inner) = node {
            read_files(inner, &dotted(path, key), folder, problems);
        }
    }
    let named: Vec<String> =
        nodes.keys().filter(|key| key.ends_with("_file") && !PATH_KEYS.contains(&key.as_str())).cloned().collect();
    for key in named {
        let Some(Node::Value(value, origin)) = nodes.remove(&key) else { continue };
        let full = dotted(path, &key);
        let target = key.strip_suffix("_file").unwrap_or(&key).to_owned();
        let Some(file) = value.as_str().filter(|file| !file.is_empty()) else {
            problems.push(Problem::new(origin, full, "names no file", "Write the path of a file that holds the value"));
            continue;
        };
        if nodes.contains_key(&target) {
            problems.push(Problem::new(origin, full, format!("{target} is given as well"), "Keep one of the two"));
            continue;
        }
        let file: PathBuf = folder.join(file);
        match std::fs::read_to_string(&file) {
            Ok(text) if text.trim().is_empty() => problems.push(Problem::new(
                origin,
                full,
                format!("{} is empty", file.display()),
                "Write the value into it, or remove the key",
            )),
            Ok(text) => {
                nodes.insert(target, Node::Value(toml::Value::String(text.trim().to_owned()), origin));
            }
            Err(error) => problems.push(Problem::new(
                origin,
                full,
                format!("cannot read {}: {error}", file.display()),
                "Name a file that the hub's user may read",
            )),
        }
    }
}

pub(super) fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
