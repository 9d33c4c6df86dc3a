//! Languages: which one a citizen gets, and the words of the pages in it.
//!
//! The words stand in `locales/{language}.toml`, tables nested as one likes; a key is the dotted path. A message
//! names its variables as `{name}`. A message that depends on a count is a table with the plural categories of
//! Unicode CLDR that the language has (`one`, `other`), and its variable `{count}`.

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

/// The language when a city has named no other: Simplified Chinese.
pub const FALLBACK: &str = "zh-Hans";

/// The languages whose texts a reader of `language` can read too, nearest first.
#[must_use]
pub fn kin(language: &str) -> &'static [&'static str] {
    match language {
        "zh-Hant" => &["zh-Hans"],
        "zh-Hans" => &["zh-Hant"],
        _ => &[],
    }
}

/// The available language nearest to the wanted tag (BCP 47): the same, else the same script, else the same language.
///
/// Chinese regions stand for their script: Taiwan, Hong Kong and Macao for Traditional, all else for Simplified.
#[must_use]
pub fn closest<'tag>(wanted: &str, available: impl Iterator<Item = &'tag str> + Clone) -> Option<&'tag str> {
    let wanted = wanted.trim().replace('_', "-").to_ascii_lowercase();
    let script = scripted(&wanted);
    let primary = script.split('-').next().unwrap_or_default();
    let find = |tag: &str| available.clone().find(|known| known.eq_ignore_ascii_case(tag));
    find(&wanted).or_else(|| find(&script)).or_else(|| {
        available.clone().find(|known| known.split('-').next().is_some_and(|first| first.eq_ignore_ascii_case(primary)))
    })
}

/// A lower-case tag reduced to language and, for Chinese, script.
fn scripted(tag: &str) -> String {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    let rest: Vec<_> = parts.collect();
    let has = |wanted: &[&str]| rest.iter().any(|part| wanted.contains(part));
    match primary {
        "zh" | "cmn" | "yue" if has(&["hans"]) => "zh-hans".to_owned(),
        "yue" => "zh-hant".to_owned(),
        "zh" | "cmn" if has(&["hant", "tw", "hk", "mo"]) => "zh-hant".to_owned(),
        "zh" | "cmn" => "zh-hans".to_owned(),
        other => other.to_owned(),
    }
}

#[derive(RustEmbed)]
#[folder = "locales/"]
#[include = "*.toml"]
struct Embedded;

/// The words of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    tag: String,
    texts: BTreeMap<String, String>,
}

impl Catalogue {
    /// The language (BCP 47), as the attribute `lang` wants it.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Every key with its message.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// Whether there is such a message.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key)
    }

    /// The message as it stands. An unknown key is shown as itself, so that a page never fails for want of a word.
    #[must_use]
    pub fn text<'text>(&'text self, key: &'text str) -> &'text str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    /// The message with its variables filled in. Values are plain text: who shows them escapes them.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.text(key);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                filled.push('{');
                rest = after;
                continue;
            };
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => {
                    filled.push('{');
                    filled.push_str(name);
                    filled.push('}');
                }
            }
            rest = tail;
        }
        filled.push_str(rest);
        filled
    }

    /// The message in the form that a count calls for, with `{count}` and the other variables filled in.
    #[must_use]
    pub fn count(&self, key: &str, count: usize, values: &[(&str, &str)]) -> String {
        let one = format!("{key}.one");
        let form = if count == 1 && self.has(&one) { one } else { format!("{key}.other") };
        let number = count.to_string();
        let mut all = vec![("count", number.as_str())];
        all.extend_from_slice(values);
        self.fill(&form, &all)
    }
}

/// The catalogues of all languages. Cheap to share; looking up is a search in a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogues {
    all: Vec<Catalogue>,
    default: usize,
}

impl Catalogues {
    /// Reads the embedded catalogues and those of the override directory (`{language}.toml`; single messages may be
    /// overridden, and other languages added).
    ///
    /// # Errors
    /// Every problem at once, each with its file: unreadable, no TOML, a value that is no text.
    pub fn load(override_dir: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut texts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut read = |file: &str, source: &str, problems: &mut Vec<String>| {
            let Some(language) = file.strip_suffix(".toml") else { return };
            match toml::from_str::<toml::Table>(source) {
                Ok(table) => flatten(file, "", &table, texts.entry(language.to_owned()).or_default(), problems),
                Err(error) => problems.push(format!("locales/{file}: {error}")),
            }
        };
        for file in Embedded::iter() {
            if let Some(found) = Embedded::get(&file) {
                read(&file, &String::from_utf8_lossy(&found.data), &mut problems);
            }
        }
        if let Some(directory) = override_dir {
            match std::fs::read_dir(directory) {
                Err(error) => problems.push(format!("{}: {error}", directory.display())),
                Ok(entries) => {
                    for entry in entries.filter_map(Result::ok) {
                        match std::fs::read_to_string(entry.path()) {
                            Ok(source) => read(&entry.file_name().to_string_lossy(), &source, &mut problems),
                            Err(error) => problems.push(format!("{}: {error}", entry.path().display())),
                        }
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let all: Vec<_> = texts.into_iter().map(|(tag, texts)| Catalogue { tag, texts }).collect();
        let default = all.iter().position(|known| known.tag == FALLBACK).unwrap_or_default();
        let mut catalogues = Self { all, default };
        catalogues.fill_gaps();
        Ok(catalogues)
    }

    /// The language of the city, for citizens who ask for none that is known.
    #[must_use]
    pub fn with_default_language(mut self, language: &str) -> Self {
        if let Some(position) = self.position(language) {
            self.default = position;
        }
        self
    }

    /// All catalogues, by tag.
    #[must_use]
    pub fn all(&self) -> &[Catalogue] {
        &self.all
    }

    /// The city's own catalogue.
    ///
    /// # Panics
    /// Never: catalogues are embedded.
    #[must_use]
    pub fn default_language(&self) -> &Catalogue {
        &self.all[self.default]
    }

    /// The catalogue nearest to a tag (BCP 47), else the city's own.
    #[must_use]
    pub fn get(&self, language: &str) -> &Catalogue {
        self.position(language).and_then(|position| self.all.get(position)).unwrap_or_else(|| self.default_language())
    }

    /// The catalogue for a reader: what the address asks for, else what an earlier visit chose (cookie), else the
    /// header `Accept-Language` (RFC 9110, 12.5.4), else the city's own.
    #[must_use]
    pub fn negotiate(&self, asked: Option<&str>, chosen: Option<&str>, accept_language: Option<&str>) -> &Catalogue {
        let mut ranges: Vec<(f32, &str)> = accept_language
            .unwrap_or_default()
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let tag = parts.next().filter(|tag| !tag.is_empty() && *tag != "*")?;
                let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse).ok()?;
                (quality > 0.0).then_some((quality, tag))
            })
            .collect();
        ranges.sort_by(|one, other| other.0.total_cmp(&one.0));
        let accepted = ranges.into_iter().map(|(_, tag)| tag);
        asked
            .into_iter()
            .chain(chosen)
            .chain(accepted)
            .find_map(|tag| self.position(tag))
            .and_then(|position| self.all.get(position))
            .unwrap_or_else(|| self.default_language())
    }

    /// The words of a list (a message with commas between them), in every language.
    pub fn words<'text>(&'text self, key: &str) -> impl Iterator<Item = &'text str> {
        let lists: Vec<&String> = self.all.iter().filter_map(|catalogue| catalogue.texts.get(key)).collect();
        lists.into_iter().flat_map(|list| list.split(',').map(str::trim))
    }

    fn position(&self, language: &str) -> Option<usize> {
        let tag = closest(language, self.all.iter().map(|known| known.tag.as_str()))?;
        self.all.iter().position(|known| known.tag == tag)
    }

    /// A language that a city added may lack words; they are shown in the fallback language.
    fn fill_gaps(&mut self) {
        let Some(fallback) = self.all.get(self.default).map(|known| known.texts.clone()) else { return };
        for catalogue in &mut self.all {
            for (key, text) in &fallback {
                catalogue.texts.entry(key.clone()).or_insert_with(|| text.clone());
            }
        }
    }
}

fn flatten(
    file: &str,
    prefix: &str,
    table: &toml::Table,
    into: &mut BTreeMap<String, String>,
    problems: &mut Vec<String>,
) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::String(text) => {
                into.insert(key, text.clone());
            }
            toml::Value::Table(inner) => flatten(file, &key, inner, into, problems),
            _ => problems.push(format!("locales/{file}: {key} is no text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn catalogues() -> Catalogues {
        Catalogues::load(None).expect("the embedded catalogues are sound")
    }

    fn embedded(language: &str) -> BTreeMap<String, String> {
        let file = Embedded::get(&format!("{language}.toml")).expect("embedded");
        let table = toml::from_str(std::str::from_utf8(&file.data).expect("UTF-8")).expect("TOML");
        let mut texts = BTreeMap::new();
        let mut problems = Vec::new();
        flatten(language, "", &table, &mut texts, &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        texts
    }

    fn variables(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn languages_have_the_same_keys_and_variables() {
        let chinese = embedded("zh-Hans");
        for language in ["zh-Hant", "en"] {
            let other = embedded(language);
            let keys = |texts: &BTreeMap<String, String>| -> BTreeSet<String> {
                texts.keys().filter(|key| !key.ends_with(".one")).cloned().collect()
            };
            let (ours, theirs) = (keys(&chinese), keys(&other));
            assert_eq!(ours.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new(), "{language}");
            for (key, text) in &chinese {
                let translated = other.get(key).expect("same keys");
                assert_eq!(variables(text), variables(translated), "{language}: {key}");
                assert!(!translated.is_empty(), "{language}: {key}");
            }
        }
        for (key, text) in &embedded("en") {
            let has_han = text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            assert!(!has_han || key.starts_with("language."), "en: {key} is not translated");
        }
    }

    #[test]
    fn the_nearest_language_is_taken() {
        let available = ["en", "zh-Hans", "zh-Hant"];
        for (wanted, expected) in [
            ("zh-Hans", Some("zh-Hans")),
            ("zh-CN", Some("zh-Hans")),
            ("zh_SG", Some("zh-Hans")),
            ("zh", Some("zh-Hans")),
            ("ZH-hant-CN", Some("zh-Hant")),
            ("zh-TW", Some("zh-Hant")),
            ("zh-HK", Some("zh-Hant")),
            ("zh-Hans-HK", Some("zh-Hans")),
            ("yue", Some("zh-Hant")),
            ("en-GB", Some("en")),
            ("fr", None),
            ("", None),
            ("中文", None),
        ] {
            assert_eq!(closest(wanted, available.into_iter()), expected, "{wanted}");
        }
        assert_eq!(closest("zh-TW", ["zh-Hans"].into_iter()), Some("zh-Hans"));
    }

    #[test]
    fn address_beats_cookie_beats_header() {
        let all = catalogues();
        for (asked, chosen, header, expected) in [
            (None, None, None, "zh-Hans"),
            (Some("en"), Some("zh-Hant"), Some("zh-CN"), "en"),
            (None, Some("zh-Hant"), Some("en"), "zh-Hant"),
            (Some("xx"), None, Some("en"), "en"),
            (None, None, Some("fr;q=0.9, en;q=0.4, zh-TW;q=0.7"), "zh-Hant"),
            (None, None, Some("en;q=0, fr"), "zh-Hans"),
            (None, None, Some(";;,q=,*"), "zh-Hans"),
        ] {
            assert_eq!(all.negotiate(asked, chosen, header).tag(), expected, "{asked:?} {chosen:?} {header:?}");
        }
        assert_eq!(catalogues().with_default_language("en-US").negotiate(None, None, Some("fr")).tag(), "en");
    }

    #[test]
    fn variables_and_counts_are_filled_in() {
        let texts = BTreeMap::from([
            ("hello".to_owned(), "Hello {name}, {name} {unknown} {".to_owned()),
            ("files.one".to_owned(), "{count} file".to_owned()),
            ("files.other".to_owned(), "{count} files of {name}".to_owned()),
        ]);
        let catalogue = Catalogue { tag: "en".to_owned(), texts };
        assert_eq!(catalogue.fill("hello", &[("name", "{x}")]), "Hello {x}, {x} {unknown} {");
        assert_eq!(catalogue.count("files", 1, &[]), "1 file");
        assert_eq!(catalogue.count("files", 3, &[("name", "Li")]), "3 files of Li");
        assert_eq!(catalogue.fill("missing.key", &[]), "missing.key");
    }

    #[test]
    fn a_city_changes_words_and_adds_languages() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("ug.toml"), "[site]\nskip = \"x\"").expect("written");
        let all = Catalogues::load(Some(directory.path())).expect("sound");
        assert_eq!(all.get("ug-CN").text("site.skip"), "x");
        assert_eq!(all.get("ug").text("site.helpline"), all.get("zh-Hans").text("site.helpline"));
        std::fs::write(directory.path().join("en.toml"), "a = 1").expect("written");
        std::fs::write(directory.path().join("zh-Hans.toml"), "a =").expect("written");
        let problems = Catalogues::load(Some(directory.path())).expect_err("two mistakes");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
