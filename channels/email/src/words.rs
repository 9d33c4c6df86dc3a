//! Encoded words of header fields (RFC 2047), read as their senders meant them.

use std::sync::LazyLock;

use regex::Regex;

use crate::{charset, transfer};

static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"=\?([^?\s]{1,60})\?([BbQq])\?(.*?)(?:\?=|$)")
        .expect("a pattern of this module is not a regular expression")
});

/// Encoded words of sets in which a wrong declaration or a split character may not show as U+FFFD.
static DOUBTED_WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)=\?(?:gb|hz|x-gb|cp936|big5|shift|euc-|ks_c|iso-2022-kr)")
        .expect("a pattern of this module is not a regular expression")
});

/// Whether the parser's reading of encoded words is to be replaced by our own.
pub(crate) fn doubted(parsed: &str, raw: &str) -> bool {
    raw.contains("=?")
        && (parsed.contains('\u{fffd}') || WORD.is_match(parsed) || DOUBTED_WORD.is_match(raw) || unpadded(raw))
}

/// Whether a word in base64 ends within a quantum, of which the parser drops the rest.
fn unpadded(raw: &str) -> bool {
    WORD.captures_iter(raw)
        .any(|word| word.get(2).is_some_and(|kind| kind.as_str().eq_ignore_ascii_case("b")) && open(payload(&word)))
}

fn payload<'a>(word: &regex::Captures<'a>) -> &'a str {
    word.get(3).map_or("", |payload| payload.as_str())
}

fn open(payload: &str) -> bool {
    !payload.len().is_multiple_of(4) && !payload.contains('=')
}

/// The parser's reading of a field, or our own where it is in doubt. `raw` is the unfolded value.
pub(crate) fn repaired(parsed: &str, raw: &str) -> String {
    if doubted(parsed, raw) { decode(raw) } else { parsed.to_owned() }
}

/// Neighbouring words of one character set, which may share a character or a quantum.
#[derive(Default)]
struct Run<'a> {
    label: String,
    words: Vec<(bool, &'a str)>,
}

impl Run<'_> {
    fn text(&self) -> String {
        let decoded = |base64: bool, payload: &str| {
            if base64 {
                transfer::base64(payload.as_bytes())
            } else {
                transfer::quoted_printable(payload.replace('_', " ").as_bytes())
            }
        };
        let each: Vec<u8> = self.words.iter().flat_map(|(base64, payload)| decoded(*base64, payload)).collect();
        let cut = self.words.len() > 1
            && self.words.iter().all(|(base64, _)| *base64)
            && self.words.iter().any(|(_, payload)| open(payload))
            && !charset::fits(&each, &self.label);
        if cut {
            let joined: String = self.words.iter().map(|(_, payload)| *payload).collect();
            let joined = decoded(true, &joined);
            if charset::fits(&joined, &self.label) {
                return charset::decode(&joined, Some(&self.label));
            }
        }
        charset::decode(&each, Some(&self.label))
    }
}

/// Decodes encoded words whose characters are split between words, whose character set lies, or that are cut:
/// neighbours of one character set are joined as bytes before they are decoded.
pub(crate) fn decode(raw: &str) -> String {
    let mut out = String::new();
    let mut run: Option<Run<'_>> = None;
    let mut at = 0;
    for word in WORD.captures_iter(raw) {
        let (Some(whole), Some(label), Some(kind)) = (word.get(0), word.get(1), word.get(2)) else { continue };
        let base64 = kind.as_str().eq_ignore_ascii_case("b");
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' ');
        if base64 && !payload(&word).bytes().all(letters) {
            // It only looks like an encoded word.
            continue;
        }
        let between = raw.get(at..whole.start()).unwrap_or_default();
        at = whole.end();
        // RFC 2231, 5: a language may follow the set.
        let label = label.as_str().split('*').next().unwrap_or_default().to_lowercase();
        let piece = (base64, payload(&word));
        match &mut run {
            Some(run) if run.label == label && between.trim().is_empty() => run.words.push(piece),
            _ => {
                let first = run.is_none();
                out.push_str(&run.take().map(|run| run.text()).unwrap_or_default());
                if first || !between.trim().is_empty() {
                    out.push_str(between);
                }
                run = Some(Run { label, words: vec![piece] });
            }
        }
    }
    out.push_str(&run.map(|run| run.text()).unwrap_or_default());
    out.push_str(raw.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_split_cut_or_lie() {
        for (raw, text) in [
            ("=?utf-8?B?6Lev54?= =?utf-8?B?Gv5Z2P5LqG?=", "路灯坏了"),
            ("=?utf-8?B?6Lev54Gv5Z2P5LqGYQ?=", "路灯坏了a"),
            ("=?utf-8?Q?=E8=B7=AF=E7=81=AF=E5=9D?=", "路灯\u{fffd}"),
            ("=?utf-8?B?6Lev54Gv5Z0=?=", "路灯\u{fffd}"),
            ("=?gb2312?Q?=C2=B7=B5=C6??=", "路灯?"),
            ("=?gb2312?B?6Lev54Gv?=", "路灯"),
            ("=?utf-8?Q?a=b_=3D?=", "a=b ="),
            ("Re: =?utf-8?B?6Lev?= =?gbk?B?tcY=?= x", "Re: 路灯 x"),
            ("=?utf-8?B?!!!?= x", "=?utf-8?B?!!!?= x"),
            ("plain", "plain"),
        ] {
            assert_eq!(decode(raw), text, "{raw}");
        }
    }
}
