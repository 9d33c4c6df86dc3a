//! `[rules]`: the rule pack, a folder or the built-in demo city, and how rule sets are published and measured.

use std::path::{Path, PathBuf};

use routing_rules::{RuleSet, SourceFile};
use rust_embed::RustEmbed;

use super::problem::{Origin, Problem, Problems};
use super::section::Section;

#[derive(RustEmbed)]
#[folder = "routing-rules/packs/"]
#[include = "demo-city/*.toml"]
#[include = "demo-city/**/*.toml"]
struct Packs;

/// The rule pack, and how rule sets are published and measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The rule pack's folder; `None` is the built-in demo city.
    pub path: Option<PathBuf>,
    /// Whether whoever drafted a rule set may not publish it.
    pub two_person: bool,
    /// The share of confident tickets that people decide without seeing what the rules say, 0 to 1.
    pub unseen_share: f64,
    /// What a closure that nobody disturbed counts in the history, beside 1 for a person's decision; 0 to 1.
    pub closure_weight: f64,
}

impl Rules {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let path = super::folder(&mut section);
        let two_person = section.required("two_person", "Write true or false");
        let unseen_share = share(&mut section, "unseen_share");
        let closure_weight = share(&mut section, "closure_weight");
        section.finish();
        Some(Self { path, two_person: two_person?, unseen_share: unseen_share?, closure_weight: closure_weight? })
    }
}

/// A number from 0 to 1.
fn share(section: &mut Section<'_>, key: &'static str) -> Option<f64> {
    const EXPECTED: &str = "Write a number from 0 to 1";
    let origin = section.origin(key);
    let value: f64 = section.required(key, EXPECTED)?;
    if (0.0..=1.0).contains(&value) {
        return Some(value);
    }
    section.wrong(origin, key, format!("{value} is out of range"), EXPECTED);
    None
}

/// The files of a pack: every TOML file below `folder` and what its `learned/` holds, or the built-in demo city.
///
/// # Errors
/// The folder or file that cannot be read.
pub fn files(folder: Option<&Path>) -> Result<Vec<SourceFile>, Problem> {
    let Some(folder) = folder else {
        return Ok(Packs::iter()
            .filter_map(|name| {
                let text = String::from_utf8_lossy(&Packs::get(&name)?.data).into_owned();
                Some(SourceFile { path: name.strip_prefix("demo-city/").unwrap_or(&name).to_owned(), text })
            })
            .collect());
    };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let unreadable = |path: &Path, error: &std::io::Error| {
            let (fault, remedy) = match error.kind() {
                std::io::ErrorKind::InvalidData => {
                    ("this is no text in UTF-8".to_owned(), "Convert it, or take it out of the pack")
                }
                _ => (format!("cannot be read: {error}"), "Name a folder that the hub's user may read"),
            };
            Problem::new(Origin::File { path: path.to_owned(), line: 0 }, "", fault, remedy)
        };
        for entry in std::fs::read_dir(&next).map_err(|error| unreadable(&next, &error))? {
            let path = entry.map_err(|error| unreadable(&next, &error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inner = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                if RuleSet::reads(&inner) {
                    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                    files.push(SourceFile { path: inner, text });
                }
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// What loading made of learned phrases, beside them; it names the text it was made of, and is made again by itself.
const CACHE: &str = ".cache";

/// Writes a cache whole or not at all. A folder that may not be written to costs time and is no fault.
pub(crate) fn keep(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension(std::process::id().to_string());
    if std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path)).is_err() {
        drop(std::fs::remove_file(&fresh));
    }
}

/// Reads and compiles a pack; see [`files`].
///
/// # Errors
/// Every problem of every file at once.
pub fn compile(folder: Option<&Path>) -> Result<RuleSet, Problems> {
    let files = files(folder).map_err(|problem| Problems(vec![problem]))?;
    let cache = folder.map(|folder| folder.join("learned").join(CACHE));
    let known = cache.as_ref().and_then(|path| std::fs::read(path).ok());
    let compiled = RuleSet::compile_with(&files, known.as_deref());
    if let (Some(path), Some(learned)) = (cache, compiled.as_ref().ok().and_then(RuleSet::learned))
        && !learned.from_cache()
    {
        keep(&path, &learned.to_cache());
    }
    compiled.map_err(|found| {
        let root = folder.map_or_else(|| PathBuf::from("built-in demo-city"), Path::to_owned);
        let problems = found.into_iter().map(|problem| {
            let origin = Origin::File { path: root.join(&problem.file), line: problem.line };
            let excerpt = if problem.excerpt.is_empty() { String::new() } else { format!(" in `{}`", problem.excerpt) };
            Problem::new(origin, "", format!("{}{excerpt}", problem.message), problem.advice)
        });
        Problems(problems.collect())
    })
}
