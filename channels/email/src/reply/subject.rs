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

/// How the subjects of absence notes begin; a row for each family of languages.
const AUTOMATIC: &[&str] = &[
    r"auto(?:matic)?[- ]?(?:reply|response|answer)|auto(?:mated)? (?:reply|response)|out of (?:the )?office(?: auto-?reply)?|vacation (?:reply|response)",
    "自动回复|自动回覆|自动答复|自動回覆|自動回復|自動答覆|自动应答|自動応答|自動返信|不在通知|자동 ?회신|자동 ?응답|부재 ?중 ?알림",
    "automatische antwort|abwesenheitsnotiz|abwesenheitsnachricht|automatisch antwoord|afwezigheidsbericht|auto(?:matiskt )?svar|automatisk svar|fravær",
    "réponse automatique|absence du bureau|respuesta automática|fuera de (?:la )?oficina|risposta automatica|fuori ufficio|fuori sede|resposta automática|ausência temporária",
    "автоматический ответ|автоответ|автоматична відповідь|automatyczna odpowiedź|odpowiedź automatyczna|automatická odpověď|automatikus válasz|automaattinen vastaus",
    "otomatik yanıt|رد تلقائي|trả lời tự động|ตอบกลับอัตโนมัติ|balasan otomatis",
];

/// Such a beginning is the whole subject, or a colon or a dash follows: "automatic reply machine is broken" is an appeal.
static AUTOMATIC_SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"^(?:\[[^\[\]]{{1,40}}\] ?)?[\[【(]?(?:{})[\]】)]?(?: ?[:-]| re:|$)", AUTOMATIC.join("|")))
});

/// Whether a subject says that a machine wrote the mail because a person is away. Many such machines say it nowhere else.
pub(crate) fn subject_is_automatic(subject: &str) -> bool {
    AUTOMATIC_SUBJECT.is_match(&plain(subject))
}
