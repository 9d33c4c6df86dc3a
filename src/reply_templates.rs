//! Reply templates: texts that staff choose from when they answer or ask back, by language and service item.
//!
//! They stand in `templates/replies/{language}.toml`; a city's own file of the same name adds to them or takes the place of
//! single ones. `templates/README.md` documents shape and values.

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::locale;

#[derive(RustEmbed)]
#[folder = "templates/replies/"]
#[include = "*.toml"]
struct Embedded;

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// An answer.
    Reply,
    /// A question back.
    Question,
}

impl Purpose {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Question => "question",
        }
    }
}

/// A text to choose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyTemplate {
    /// What the list shows.
    pub title: String,
    /// What it is for.
    pub kind: Purpose,
    /// The text with its variables.
    pub text: String,
    /// Only for service items that begin so; for all when empty.
    #[serde(default)]
    pub items: Vec<String>,
}

impl ReplyTemplate {
    /// Whether it is meant for a service item.
    #[must_use]
    pub fn suits(&self, item: Option<&str>) -> bool {
        self.items.is_empty()
            || item.is_some_and(|item| self.items.iter().any(|start| item.starts_with(start.as_str())))
    }
}

/// The texts of every language.
#[derive(Debug, Clone, Default)]
pub struct ReplyTemplates {
    by_language: BTreeMap<String, BTreeMap<String, ReplyTemplate>>,
}

impl ReplyTemplates {
    /// Reads the embedded texts and those of `{override_dir}/replies`.
    ///
    /// # Errors
    /// Every problem at once, each with its file.
    pub fn load(override_dir: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut all = Self::default();
        let mut problems = Vec::new();
        for file in Embedded::iter() {
            if let Some(found) = Embedded::get(&file) {
                all.read(&file, &String::from_utf8_lossy(&found.data), &mut problems);
            }
        }
        let own = override_dir.map(|folder| folder.join("replies")).filter(|folder| folder.is_dir());
        for entry in own.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().filter_map(Result::ok) {
            match std::fs::read_to_string(entry.path()) {
                Ok(source) => all.read(&entry.file_name().to_string_lossy(), &source, &mut problems),
                Err(error) => problems.push(format!("{}: {error}", entry.path().display())),
            }
        }
        if problems.is_empty() { Ok(all) } else { Err(problems) }
    }

    fn read(&mut self, file: &str, source: &str, problems: &mut Vec<String>) {
        let Some(language) = file.strip_suffix(".toml") else { return };
        match toml::from_str::<BTreeMap<String, ReplyTemplate>>(source) {
            Ok(texts) => self.by_language.entry(language.to_owned()).or_default().extend(texts),
            Err(error) => problems.push(format!("templates/replies/{file}: {error}")),
        }
    }

    /// The texts nearest to a language, by id, with the language that they are in.
    #[must_use]
    pub fn of(&self, language: &str) -> Option<(&str, &BTreeMap<String, ReplyTemplate>)> {
        let known = || self.by_language.keys().map(String::as_str);
        let tag = locale::closest(language, known()).or_else(|| locale::closest(locale::FALLBACK, known()))?;
        self.by_language.get_key_value(tag).map(|(tag, texts)| (tag.as_str(), texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::Templates;

    #[test]
    fn every_language_has_the_same_texts_and_all_can_be_filled_in() {
        let all = ReplyTemplates::load(None).expect("sound");
        let templates = Templates::load(None).expect("sound");
        let ids: Vec<&String> = all.of("zh-Hans").expect("texts").1.keys().collect();
        for language in ["en", "zh-Hant"] {
            assert_eq!(all.of(language).expect("texts").1.keys().collect::<Vec<_>>(), ids, "{language}");
        }
        for (language, texts) in &all.by_language {
            for (id, text) in texts {
                let values = serde_json::json!({ "item": "X", "name": "N", "deadline": "2026-11-25T10:00:00+08:00" });
                let filled = templates.fill_text(&text.text, &values).expect("a text");
                assert!(!filled.is_empty() && !filled.contains("{{") && !filled.contains("+08:00"), "{language} {id}");
            }
        }
        assert_eq!(all.of("fr").expect("a fallback").0, "zh-Hans");
    }

    #[test]
    fn a_city_adds_its_own() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("replies")).expect("folder");
        let file = folder.path().join("replies/en.toml");
        std::fs::write(&file, "[done]\ntitle = \"Ours\"\nkind = \"reply\"\ntext = \"x\"\nitems = [\"water.\"]\n")
            .expect("file");
        let all = ReplyTemplates::load(Some(folder.path())).expect("sound");
        let done = &all.of("en").expect("texts").1["done"];
        assert!(
            done.title == "Ours"
                && done.suits(Some("water.leak"))
                && !done.suits(Some("roads.hole"))
                && !done.suits(None)
        );
        std::fs::write(&file, "[done]\ntitel = 1\n").expect("file");
        assert!(ReplyTemplates::load(Some(folder.path())).is_err());
    }
}
