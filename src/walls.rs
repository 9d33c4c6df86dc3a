//! The walls of ARCHITECTURE.md, held against the sources: who may import whom, and what is absent.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a source folder").flatten() {
            let path = entry.path();
            // Modules of tests may speak of anything.
            let of_tests = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "walls");
            if of_tests {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// Code lines that contain one of the words; comments and documents may speak of anything.
fn mentions(folder: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        if except.iter().any(|except| name.starts_with(except)) {
            continue;
        }
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in production.lines().enumerate() {
            let code = line.trim();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                found.push(format!("{name}:{}: {code}", number + 1));
            }
        }
    }
    found
}

fn none(found: &[String], wall: &str) {
    assert!(found.is_empty(), "{wall}:\n{}", found.join("\n"));
}

#[test]
fn domain_is_pure() {
    let words = ["tokio::", "sqlx", "axum::", "reqwest", "std::env", "crate::store", "crate::hub", "crate::config"];
    none(&mentions("src/domain", &words, &[]), "the domain knows no runtime, database, network or environment");
}

#[test]
fn rules_are_pure() {
    let words = ["tokio", "sqlx", "axum", "reqwest", "std::env", "std::fs", "Instant::now", "SystemTime", "Utc::now"];
    none(&mentions("routing-rules/src", &words, &[]), "the rule engine has no input, output or clock");
}

#[test]
fn channels_know_neither_database_nor_hub_nor_siblings() {
    for channel in ["sms", "email", "telegram", "websocket", "webform"] {
        let folder = format!("channels/{channel}/src");
        let siblings: Vec<String> = ["sms", "email", "telegram", "websocket", "webform"]
            .into_iter()
            .filter(|other| *other != channel)
            .map(|other| format!("channel_{other}"))
            .collect();
        let mut words = vec!["sqlx", "yingda::", "axum", "routing_rules"];
        words.extend(siblings.iter().map(String::as_str));
        none(&mentions(&folder, &words, &[]), "a channel knows the contract only");
    }
}

#[test]
fn sql_stands_in_the_store() {
    let words = ["sqlx", "\"select ", "\"insert into", "\"update ", "\"delete from"];
    let except = ["src/store/"];
    none(&mentions("src", &words, &except), "SQL stands in src/store only");
}

#[test]
fn concrete_channels_are_named_in_the_registry_only() {
    let words = ["channel_sms", "channel_email", "channel_telegram", "channel_websocket", "channel_webform"];
    none(&mentions("src", &words, &["src/channels.rs"]), "only src/channels.rs names concrete channels");
}

#[test]
fn the_environment_is_read_in_the_configuration_only() {
    none(
        &mentions("src", &["std::env::var", "env::vars", "std::env::args"], &["src/config/", "src/main.rs"]),
        "only src/config reads the environment",
    );
}

#[test]
fn nothing_is_sent_except_by_the_outbox() {
    let words = ["channel.send(", ".send(&outbound"];
    none(&mentions("src", &words, &["src/outbox/"]), "only the outbox sends");
}

#[test]
fn the_intake_stands_below_the_pages() {
    for folder in ["src/store", "src/intake", "src/dispatch", "src/outbox"] {
        none(
            &mentions(folder, &["crate::http", "crate::cli"], &[]),
            "store, intake, dispatch and outbox know no pages",
        );
    }
    none(
        &mentions("src/store", &["crate::intake", "crate::dispatch", "crate::outbox", "crate::hub"], &[]),
        "the store stands below",
    );
}

#[test]
fn people_read_catalogues() {
    let han = |line: &str| line.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in production.lines().enumerate() {
            let code = line.trim();
            // Characters that a reader of input must know (digits, marks, letters of a language) are no text for people.
            let reads_input = path.ends_with("src/intake/language.rs");
            if !reads_input && !code.starts_with("//") && code.contains('"') && han(code) {
                found.push(format!("{}:{}: {code}", path.display(), number + 1));
            }
        }
    }
    none(&found, "text for people stands in locales/ and templates/");
}
