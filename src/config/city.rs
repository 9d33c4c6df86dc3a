//! `[city]`: whom this hub serves.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::section::Section;

/// The city.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct City {
    /// The tenant key of every row: `a-z`, `0-9`, `-`.
    pub id: String,
    /// The hotline's name by language (BCP 47).
    pub names: BTreeMap<String, String>,
    /// The time zone of dates in ticket numbers and texts.
    pub zone: Tz,
    /// Languages that citizens may be taken to write in (BCP 47); whatever is found outside this list is unknown.
    pub languages: Vec<String>,
    /// The language of answers to texts in an unknown one.
    pub default_language: String,
    /// The telephone number shown on every page.
    pub helpline: String,
}

const LANGUAGES: &str = r#"Write a list such as ["zh-Hans", "en"]"#;

impl City {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let id = section.parsed("id", "Write a short name of a-z, 0-9 and -", identifier);
        let mut inner = section.child("names");
        let names = inner.map("Write the name as text");
        inner.finish();
        let zone = section.parsed("zone", "Write an IANA time zone, such as Asia/Shanghai", str::parse::<Tz>);
        let origin = section.origin("languages");
        let languages: Option<Vec<String>> = section.required("languages", LANGUAGES);
        for language in languages.iter().flatten().filter(|language| !language_tag(language)) {
            section.wrong(origin.clone(), "languages", format!("{language:?} is no language"), LANGUAGES);
        }
        let origin = section.origin("default_language");
        let default_language: Option<String> = section.required("default_language", "Write one of city.languages");
        if let (Some(languages), Some(language)) = (&languages, &default_language) {
            if !languages.contains(language) {
                section.wrong(
                    origin.clone(),
                    "default_language",
                    format!("{language} is not in city.languages"),
                    "Write one of them",
                );
            }
            if !names.contains_key(language) {
                section.wrong(
                    origin,
                    "names",
                    format!("no name in the default language {language}"),
                    "Add it to [city.names]",
                );
            }
        }
        let helpline = section.required("helpline", r#"Write a telephone number as text, such as "12345""#);
        section.finish();
        Some(Self {
            id: id?,
            names,
            zone: zone?,
            languages: languages?,
            default_language: default_language?,
            helpline: helpline?,
        })
    }

    /// The hotline's name in a language, or in the default one.
    #[must_use]
    pub fn name(&self, language: &str) -> &str {
        self.names.get(language).or_else(|| self.names.get(&self.default_language)).map_or("", String::as_str)
    }
}

/// Whether this has the shape of a language tag: an ISO 639 code of two or three letters, then script, region and the like
/// (BCP 47, 2.1).
pub(super) fn language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let code = parts.next().unwrap_or_default();
    (2..=3).contains(&code.len())
        && code.bytes().all(|letter| letter.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Ids that stand in addresses and tenant keys.
pub(super) fn identifier(text: &str) -> Result<String, String> {
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-' || character == '_'
    };
    if text.is_empty() || text.len() > 40 || !text.chars().all(fits) {
        return Err(format!("{text:?} is not a short name"));
    }
    Ok(text.to_owned())
}
