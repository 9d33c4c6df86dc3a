//! What the prefixes of a subject say.

use std::sync::LazyLock;

use regex::Regex;

use super::line::{pattern, plain};

/// The first prefix of a subject, with a mailing list's or gateway's tag before it.
static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\[[^\[\]]{1,40}\] ?|【[^【】]{1,40}】 ?)?(\p{L}{1,10})\.? ?(?:\[[0-9]+\]|\([0-9]+\)|\^[0-9]+|-[0-9]+)? ?: ?",
    )
});

/// A tag instead of a prefix.
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[\[【](\p{L}{1,10})[\]】] ?"));

const ANSWERS: &[&str] = &[
    "re", "aw", "sv", "antw", "vs", "odp", "r", "res", "ref", "rép", "rif", "回复", "回覆", "答复", "答覆", "回信",
    "返信", "답장", "회신", "ynt", "отв", "ha",
];

const FORWARDS: &[&str] = &[
    "fw",
    "fwd",
    "wg",
    "tr",
    "rv",
    "enc",
    "i",
    "vl",
    "vb",
    "pd",
    "doorst",
    "转发",
    "轉發",
    "轉寄",
    "转寄",
    "転送",
    "전달",
    "пересл",
    "ilt",
    "wtr",
];

/// The words of all prefixes, from the first.
fn prefixes(subject: &str) -> Vec<String> {
    let subject = plain(subject);
    let mut rest = subject.as_str();
    let mut found = Vec::new();
    while let Some(prefix) = PREFIX.captures(rest).or_else(|| TAG.captures(rest)) {
        let (Some(whole), Some(word)) = (prefix.get(0), prefix.get(1)) else { break };
        if !ANSWERS.contains(&word.as_str()) && !FORWARDS.contains(&word.as_str()) {
            break;
        }
        found.push(word.as_str().to_owned());
        rest = rest.get(whole.end()..).unwrap_or_default();
    }
    found
}

/// Whether a subject says that the mail answers another one.
pub(crate) fn subject_answers(subject: &str) -> bool {
    prefixes(subject).first().is_some_and(|word| ANSWERS.contains(&word.as_str()))
}

/// Whether a subject says that the mail, or one that it answers, passes another one on.
pub(crate) fn subject_forwards(subject: &str) -> bool {
    prefixes(subject).iter().any(|word| FORWARDS.contains(&word.as_str()))
}
