//! The texts of everything the hub sends: one file per kind, language and medium, each of which a city can change.
//!
//! The files are embedded from `templates/`; `templates/README.md` documents each name and its values. Files of
//! the same name in an override directory take precedence. Everything is compiled and tried out with sample
//! values when loaded, so that a misspelt value is found by `yingda check` and not by a citizen.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use channel_contract::Medium;
use chrono::DateTime;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::locale;

#[derive(RustEmbed)]
#[folder = "templates/"]
#[include = "*.txt"]
#[include = "*.html"]
struct Embedded;

/// The layout that turns the text of a mail into its HTML part.
const MAIL_LAYOUT: &str = "mail.html";

const MEDIA: [Medium; 6] =
    [Medium::Sms, Medium::Email, Medium::Telegram, Medium::Websocket, Medium::Webform, Medium::Phone];

/// Values that every template may use.
const COMMON: &[&str] = &["city", "helpline", "emergency_numbers"];

/// Every template and the values it may use besides [`COMMON`].
const NAMES: &[(&str, &[&str])] = &[
    ("acknowledgement", &["number", "number_spaced", "code", "track_url"]),
    ("acknowledgement_appended", &["number", "number_spaced", "track_url"]),
    ("alarm", &["kind", "account", "count", "since", "reason", "url"]),
    ("answer_ready", &["number", "number_spaced", "track_url"]),
    ("ask", &["number", "number_spaced", "text", "department", "track_url"]),
    ("ask_ready", &["number", "number_spaced", "track_url"]),
    ("button_new_matter", &[]),
    ("call_task", &["number", "number_spaced", "text", "department", "reason"]),
    ("code", &["number", "number_spaced", "code", "hours", "track_url"]),
    ("greeting", &[]),
    ("notice_appended", &["number", "item", "department", "url"]),
    ("notice_dispatched", &["number", "item", "department", "deadline", "url"]),
    ("notice_moved", &["number", "number_spaced", "from_number", "code", "track_url"]),
    ("notice_reopened", &["number", "item", "department", "deadline", "url"]),
    ("notice_withdrawn", &["number", "item", "department"]),
    ("question", &["number", "number_spaced", "options"]),
    ("reply", &["number", "number_spaced", "text", "department", "track_url"]),
    ("reply_too_long", &["number", "number_spaced", "answer_url", "expires"]),
];

/// Alarm kinds that have a text of their own; others are named as they are.
#[cfg(test)]
const ALARM_KINDS: &[&str] = &[
    "quarantine",
    "quarantine_full",
    "delivery_stuck",
    "channel_silent",
    "poll_failing",
    "ledger",
    "call_task",
    "disk_low",
];

/// A message ready for a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The subject, where the template has one (all that go by mail do).
    pub subject: Option<String>,
    /// The text, without white space at either end.
    pub text: String,
    /// The text as HTML; only for mail.
    pub html: Option<String>,
}

/// Which compiled files make up one message.
#[derive(Debug, Clone, Default)]
struct Files {
    text: String,
    subject: Option<String>,
    html: Option<String>,
}

/// All message templates, compiled. Cheap to share; rendering takes a few microseconds.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    languages: Vec<String>,
    default_language: String,
    /// By name, then by language and medium (`index`).
    files: HashMap<&'static str, Vec<Files>>,
}

impl Templates {
    /// Compiles the embedded templates and those of the override directory (`{language}/{name}[.{medium}].txt` ...),
    /// and tries each with sample values. The default language is Simplified Chinese until [`Self::with_default_language`].
    ///
    /// # Errors
    /// Every problem at once, each with its file: unreadable, unknown name, syntax, unknown value.
    pub fn load(override_dir: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut sources = BTreeMap::new();
        for path in Embedded::iter() {
            if let Some(file) = Embedded::get(&path) {
                sources.insert(path.into_owned(), String::from_utf8_lossy(&file.data).into_owned());
            }
        }
        let mut problems = Vec::new();
        if let Some(directory) = override_dir {
            read_overrides(directory, &mut sources, &mut problems);
        }
        let templates = Self::compile(sources, &mut problems);
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// The language for citizens whose own is unknown or has no templates (BCP 47).
    #[must_use]
    pub fn with_default_language(mut self, language: &str) -> Self {
        if let Some(known) = locale::closest(language, self.languages.iter().map(String::as_str)) {
            self.default_language = known.to_owned();
        }
        self
    }

    /// The languages that have templates, in alphabetical order (BCP 47).
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Renders the template `name` for a medium and a citizen's language (BCP 47; `None` is unknown).
    ///
    /// `values` is a map or struct with the values that `templates/README.md` names; times are RFC 3339 with the
    /// city's offset. Falls back from the medium's text to the general one, and from the language to its nearest
    /// kin, then to the city's. Never fails: what cannot be rendered is logged and left empty, which [`Self::load`]
    /// has made as good as impossible.
    #[must_use]
    pub fn render(&self, name: &str, medium: Medium, language: Option<&str>, values: &impl Serialize) -> Rendered {
        let language = language
            .and_then(|wanted| locale::closest(wanted, self.languages.iter().map(String::as_str)))
            .unwrap_or(&self.default_language);
        let in_language = |language: &str| {
            let position = self.languages.iter().position(|known| known == language)?;
            self.files.get(name)?.get(index(position, medium)).filter(|files| !files.text.is_empty())
        };
        let Some(files) = in_language(language).or_else(|| in_language(&self.default_language)) else {
            tracing::error!(template = name, "no such message template");
            return Rendered::default();
        };
        let values = Value::from(Serde(values));
        let text = self.fill(&files.text, values.clone());
        let subject = files.subject.as_ref().map(|file| self.fill(file, values.clone()));
        let html = match &files.html {
            Some(file) => Some(self.fill(file, values)),
            None if medium == Medium::Email => {
                let title = subject.as_deref().unwrap_or_default();
                let layout = context! { language => language, subject => title, paragraphs => Value::from(Serde(paragraphs(&text))) };
                Some(self.fill(MAIL_LAYOUT, layout))
            }
            None => None,
        };
        Rendered { subject, text, html }
    }

    /// Fills in a text that is no file of its own, with the filters of the message templates.
    ///
    /// # Errors
    /// Why it cannot be rendered, without any value.
    pub fn fill_text(&self, source: &str, values: &impl Serialize) -> Result<String, String> {
        self.environment
            .render_str(source, Value::from(Serde(values)))
            .map(|text| text.trim().to_owned())
            .map_err(|error| format!("{:?}", error.kind()))
    }

    fn fill(&self, file: &str, values: Value) -> String {
        match self.environment.get_template(file).and_then(|template| template.render(values)) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => {
                // The error's own text may quote values, so only its kind is logged.
                tracing::error!(template = file, kind = ?error.kind(), "message template cannot be rendered");
                String::new()
            }
        }
    }

    fn compile(sources: BTreeMap<String, String>, problems: &mut Vec<String>) -> Self {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(
            |file| {
                if file.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        environment.add_filter("time", time);
        let mut languages: Vec<String> =
            sources.keys().filter_map(|path| path.split_once('/')).map(|(language, _)| language.to_owned()).collect();
        languages.dedup();
        for (path, source) in sources {
            if let Err(error) = environment.add_template_owned(path.clone(), source) {
                problems.push(format!("templates/{path}:{}: {error}", error.line().unwrap_or_default()));
            }
        }
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        for (path, template) in environment.templates() {
            let Some((name, _)) = path.split_once('/').and_then(|(_, file)| file.split_once('.')) else { continue };
            match NAMES.iter().find(|(known, _)| *known == name) {
                None => problems.push(format!("templates/{path}: no message is called {name}")),
                Some((_, names)) => {
                    if let Err(error) = template.render(sample(names)) {
                        problems.push(format!("templates/{path}:{}: {error}", error.line().unwrap_or_default()));
                    }
                }
            }
        }
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);

        let default_language =
            locale::closest(locale::FALLBACK, languages.iter().map(String::as_str)).unwrap_or_default().to_owned();
        let mut files = HashMap::new();
        for (name, _) in NAMES {
            let mut all = Vec::new();
            for language in &languages {
                for medium in MEDIA {
                    all.push(find(&environment, name, medium, language));
                }
            }
            files.insert(*name, all);
        }
        Self { environment, languages, default_language, files }
    }
}

/// Where the files of a language and medium stand within a template's list.
fn index(language: usize, medium: Medium) -> usize {
    let medium = MEDIA.iter().position(|known| *known == medium).unwrap_or_default();
    language * MEDIA.len() + medium
}

fn find(environment: &Environment<'static>, name: &str, medium: Medium, language: &str) -> Files {
    for language in [language].into_iter().chain(locale::kin(language).iter().copied()) {
        let existing = |ending: &str| {
            [format!("{language}/{name}.{medium}{ending}"), format!("{language}/{name}{ending}")]
                .into_iter()
                .find(|path| environment.get_template(path).is_ok())
        };
        if let Some(text) = existing(".txt") {
            let html = if medium == Medium::Email { existing(".html") } else { None };
            return Files { text, subject: existing(".subject.txt"), html };
        }
    }
    Files::default()
}

fn read_overrides(directory: &Path, sources: &mut BTreeMap<String, String>, problems: &mut Vec<String>) {
    let mut read = |path: &Path, key: String| match std::fs::read_to_string(path) {
        Ok(text) => {
            sources.insert(key, text);
        }
        Err(error) => problems.push(format!("{}: {error}", path.display())),
    };
    let mut unreadable = Vec::new();
    let list = |path: &Path, unreadable: &mut Vec<String>| match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).collect(),
        Err(error) => {
            unreadable.push(format!("{}: {error}", path.display()));
            Vec::new()
        }
    };
    for entry in list(directory, &mut unreadable) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            for file in list(&path, &mut unreadable) {
                let key = format!("{name}/{}", file.file_name().to_string_lossy());
                if key.ends_with(".txt") || key.ends_with(".html") {
                    read(&file.path(), key);
                }
            }
        } else if name == MAIL_LAYOUT {
            read(&path, name);
        }
    }
    problems.append(&mut unreadable);
}

/// The filter `{{ deadline|time("%-d %B %H:%M") }}`: an RFC 3339 time in its own offset, by a strftime format.
/// What is no time, or no format, stays as it is.
fn time(value: &str, format: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    match DateTime::parse_from_rfc3339(value) {
        Ok(at) if write!(text, "{}", at.format(format)).is_ok() => text,
        _ => value.to_owned(),
    }
}

/// A run of text or a link within a line.
#[derive(Serialize, Debug, PartialEq, Eq)]
struct Piece<'text> {
    text: Option<&'text str>,
    link: Option<&'text str>,
}

/// The text as paragraphs (parted by empty lines) of lines of pieces, with web addresses told from words.
fn paragraphs(text: &str) -> Vec<Vec<Vec<Piece<'_>>>> {
    text.split("\n\n").map(|paragraph| paragraph.trim().lines().map(pieces).collect()).collect()
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let (before, from) = rest.split_at(start);
        // Chinese text follows an address without a space, so the address ends where ASCII ends.
        let end = from.find(|letter: char| !letter.is_ascii_graphic()).unwrap_or(from.len());
        let (candidate, _) = from.split_at(end);
        let link = candidate.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '>', '"', '\'']);
        if !before.is_empty() {
            found.push(Piece { text: Some(before), link: None });
        }
        found.push(Piece { text: None, link: Some(link) });
        rest = from.split_at(link.len()).1;
    }
    if !rest.is_empty() || found.is_empty() {
        found.push(Piece { text: Some(rest), link: None });
    }
    found
}

/// Sample values for trying a template out: exactly those it may use.
fn sample(names: &[&str]) -> Value {
    let value = |name: &str| match name {
        "emergency_numbers" => Value::from(Serde(["110", "119", "120"])),
        "options" => Value::from(vec![context! { index => 1, title => "t", number => "2026112200017" }]),
        "hours" | "count" => Value::from(15),
        "deadline" | "expires" | "since" => Value::from("2026-11-24T15:04:00+08:00"),
        "number" | "from_number" => Value::from("2026112200017"),
        "number_spaced" => Value::from("2026 1122 0001 7"),
        "code" => Value::from("K7MWPX4R"),
        "url" | "track_url" | "answer_url" => Value::from("https://12345.example.gov.cn/track"),
        other => Value::from(other),
    };
    let values: BTreeMap<String, Value> =
        COMMON.iter().chain(names).map(|name| ((*name).to_owned(), value(name))).collect();
    Value::from(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates() -> Templates {
        Templates::load(None).expect("the embedded templates are sound")
    }

    #[test]
    fn every_message_exists_in_every_language_and_by_mail_has_subject_and_html() {
        let templates = templates();
        assert_eq!(templates.languages(), ["en", "zh-Hans", "zh-Hant"]);
        for (name, names) in NAMES {
            for language in ["en", "zh-Hans", "zh-Hant"] {
                for medium in MEDIA {
                    let rendered = templates.render(name, medium, Some(language), &sample(names));
                    assert!(!rendered.text.is_empty(), "{language}/{name} for {medium}");
                    assert!(!rendered.text.contains("{{"), "{language}/{name} for {medium}");
                    assert_eq!(rendered.html.is_some(), medium == Medium::Email, "{language}/{name} for {medium}");
                }
                let path = format!("{language}/{name}.txt");
                assert!(Embedded::get(&path).is_some(), "{path} has to exist");
            }
        }
        for name in ["acknowledgement", "reply", "code", "notice_dispatched", "alarm", "answer_ready"] {
            let rendered = templates.render(name, Medium::Email, Some("en"), &sample(&["number", "code", "item"]));
            assert!(rendered.subject.is_some_and(|subject| !subject.is_empty()), "{name}");
        }
    }

    #[test]
    fn values_of_each_template_are_documented() {
        let readme = include_str!("../templates/README.md");
        for (name, values) in NAMES {
            let row = readme
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` ")))
                .unwrap_or_else(|| panic!("{name} is missing in templates/README.md"));
            for value in *values {
                assert!(row.contains(&format!("`{value}`")), "{name}: {value} is missing in templates/README.md");
            }
        }
        for value in COMMON {
            assert!(readme.contains(&format!("`{value}`")), "{value}");
        }
    }

    #[test]
    fn acknowledgement_names_number_code_and_link_within_two_short_messages() {
        let values = serde_json::json!({
            "city": "映达市", "helpline": "12345", "emergency_numbers": ["110", "119", "120"],
            "number": "2026112200017", "number_spaced": "2026 1122 0001 7", "code": "K7MWPX4R",
            "track_url": "https://12345.yingda.example.gov.cn/track",
        });
        for (language, limit) in [("zh-Hans", 2 * 67), ("zh-Hant", 2 * 67), ("en", 2 * 153)] {
            let rendered = templates().render("acknowledgement", Medium::Sms, Some(language), &values);
            // The signature that the gateway puts in front counts too.
            let length = rendered.text.encode_utf16().count() + "【映达市12345热线】".encode_utf16().count();
            assert!(length <= limit, "{language}: {length} units in {}", rendered.text);
            for part in ["2026112200017", "K7MWPX4R", "https://12345.yingda.example.gov.cn/track", "119"] {
                assert!(rendered.text.contains(part), "{language}: {part} in {}", rendered.text);
            }
        }
        let calm = serde_json::json!({"number": "1", "code": "C", "emergency_numbers": []});
        assert!(!templates().render("acknowledgement", Medium::Sms, Some("zh-CN"), &calm).text.contains("危险"));
    }

    #[test]
    fn falls_back_to_kin_then_to_the_city() {
        let templates = templates();
        let text = |language| templates.render("button_new_matter", Medium::Telegram, language, &()).text;
        for (language, expected) in [
            (Some("zh-TW"), "是新的問題"),
            (Some("zh-CN"), "是新的问题"),
            (Some("zh"), "是新的问题"),
            (Some("en-GB"), "A new matter"),
            (Some("ug"), "是新的问题"),
            (None, "是新的问题"),
        ] {
            assert_eq!(text(language), expected, "{language:?}");
        }
        let english = Templates::load(None).expect("sound").with_default_language("en-US");
        assert_eq!(english.render("button_new_matter", Medium::Sms, None, &()).text, "A new matter");
        assert_eq!(english.render("nonsense", Medium::Sms, None, &()), Rendered::default());
    }

    #[test]
    fn a_city_changes_texts_and_mistakes_are_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write("zh-Hans/button_new_matter.telegram.txt", "好的");
        let changed = Templates::load(Some(directory.path())).expect("sound");
        assert_eq!(changed.render("button_new_matter", Medium::Telegram, None, &()).text, "好的");
        assert_eq!(changed.render("button_new_matter", Medium::Sms, None, &()).text, "是新的问题");

        write("en/reply.txt", "Answer to {{ nubmer }}");
        write("en/code.txt", "\n{{ code ");
        write("en/repply.txt", "x");
        let problems = Templates::load(Some(directory.path())).expect_err("three mistakes");
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (file, problem) in ["en/code.txt:2", "en/reply.txt:1", "en/repply.txt"].iter().zip({
            let mut sorted = problems;
            sorted.sort();
            sorted
        }) {
            assert!(problem.contains(file), "{problem}");
        }
        assert!(Templates::load(Some(Path::new("/nonexistent"))).is_err());
    }

    #[test]
    fn mail_html_escapes_and_links() {
        let values = serde_json::json!({
            "number": "1", "number_spaced": "1", "department": "水务局", "track_url": "https://a.example/track",
            "text": "<b>见https://b.example/x?y=1&z=2。</b>\n下一行\n\n第二段",
        });
        let html = templates().render("reply", Medium::Email, Some("zh-Hans"), &values).html.expect("mail has HTML");
        assert!(html.contains("&lt;b&gt;见<a href=\"https:&#x2f;&#x2f;b.example&#x2f;x?y=1&amp;z=2\""), "{html}");
        assert!(html.contains("<br>下一行</p>"), "{html}");
        assert!(html.contains(">第二段</p>"), "{html}");
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn every_kind_of_alarm_has_words() {
        for kind in ALARM_KINDS {
            for language in ["en", "zh-Hans"] {
                let values = serde_json::json!({"kind": kind, "account": "demo", "count": 3, "reason": "r",
                    "since": "2026-11-22T15:04:00+08:00", "url": "https://a.example"});
                let rendered = templates().render("alarm", Medium::Email, Some(language), &values);
                assert!(rendered.text.lines().count() == 4, "{language} {kind}: {}", rendered.text);
                assert!(rendered.subject.is_some_and(|subject| subject.contains("demo")), "{language} {kind}");
            }
        }
    }

    #[test]
    fn times_follow_the_format_of_the_template() {
        assert_eq!(time("2026-11-24T15:04:00+08:00", "%-m月%-d日%H:%M"), "11月24日15:04");
        assert_eq!(time("2026-11-24T15:04:00+08:00", "%-d %B"), "24 November");
        assert_eq!(time("tomorrow", "%H"), "tomorrow");
        assert_eq!(time("2026-11-24T15:04:00+08:00", "%Q"), "2026-11-24T15:04:00+08:00");
    }
}
