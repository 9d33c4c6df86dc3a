//! The name of a file in a mail (RFC 2183, 2.3), as RFC 2231, RFC 2047 and mailers that mix both write it.

use std::sync::LazyLock;

use mail_parser::{HeaderName, Message, MessagePart, MimeHeaders};
use regex::Regex;

use crate::{charset, words};

static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)[;\s](file)?name(?:\*(\d{1,3}))?(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))"#)
        .expect("a pattern of this module is not a regular expression")
});

/// The name of a part, fit to be shown and stored; `None` when it has none.
pub(crate) fn of(message: &Message<'_>, part: &MessagePart<'_>) -> Option<String> {
    let parsed = part.attachment_name();
    let raw = [HeaderName::ContentDisposition, HeaderName::ContentType].into_iter().filter_map(|name| {
        let header = part.headers.iter().rev().find(|header| header.name == name)?;
        let value = message.raw_message.get(header.offset_start as usize..header.offset_end as usize)?;
        Some(charset::decode(value, Some("utf-8")).replace(['\r', '\n'], ""))
    });
    let raw: Vec<String> = raw.collect();
    // The parser decodes each piece by itself, and takes the first of several forms.
    let doubted = raw.iter().any(|value| value.contains("name*") || value.contains("=?"))
        || parsed.is_some_and(|name| name.contains('\u{fffd}'));
    let own = if doubted { raw.iter().find_map(|value| parameter(value)) } else { None };
    own.or_else(|| parsed.map(words::decode)).map(|name| safe(&name)).filter(|name| !name.is_empty())
}

/// `filename` or `name` of an unfolded header value: the extended form before pieces, pieces before the plain one.
fn parameter(value: &str) -> Option<String> {
    let mut extended = None;
    let mut plain = None;
    let mut pieces: Vec<(u16, bool, String)> = Vec::new();
    for found in PARAMETER.captures_iter(value) {
        let text = match (found.get(4), found.get(5)) {
            (Some(quoted), _) => unescaped(quoted.as_str()),
            (None, Some(bare)) => bare.as_str().trim().to_owned(),
            (None, None) => continue,
        };
        let coded = found.get(3).is_some();
        match found.get(2).and_then(|number| number.as_str().parse().ok()) {
            Some(number) => pieces.push((number, coded, text)),
            None if coded => extended = extended.or(Some(text)),
            None => plain = plain.or(Some(text)),
        }
    }
    pieces.sort_by_key(|(number, ..)| *number);
    if let Some(text) = extended {
        pieces = vec![(0, true, text)];
    }
    let Some((_, true, first)) = pieces.first_mut() else {
        // Pieces without a character set are plain text, or encoded words that were cut.
        let joined: String = pieces.iter().map(|(_, _, text)| text.as_str()).collect();
        return Some(joined).filter(|name| !name.is_empty()).or(plain).map(|name| words::decode(&name));
    };
    let mut label = None;
    let cut: Vec<_> = first.splitn(3, '\'').collect();
    // Some leave the language out with its apostrophe.
    if let [set, text] | [set, _, text] = cut.as_slice() {
        label = Some((*set).to_owned());
        *first = (*text).to_owned();
    }
    let bytes: Vec<u8> = pieces
        .iter()
        .flat_map(|(_, coded, text)| {
            if *coded {
                percent_encoding::percent_decode_str(text).collect::<Vec<u8>>()
            } else {
                text.clone().into_bytes()
            }
        })
        .collect();
    Some(charset::decode(&bytes, label.as_deref().or(Some("utf-8"))))
}

fn unescaped(quoted: &str) -> String {
    // Windows paths are written with single backslashes: only what must be escaped is unescaped.
    quoted.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// A name without folders, controls and marks that turn the direction of writing around.
pub(crate) fn safe(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|character| {
            !character.is_control() && !matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .map(|character| if matches!(character, '/' | '\\' | ':') { '_' } else { character })
        .collect();
    name.trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use crate::mail;

    #[test]
    fn names_as_mailers_write_them() {
        for (parameters, name) in [
            ("filename=\"lamp.pdf\"", "lamp.pdf"),
            ("filename*0*=utf-8''%E8%B7%AF%E7;\r\n filename*1*=%81%AF.pdf", "路灯.pdf"),
            ("filename*0*=gbk''%C2%B7%B5; filename*1*=%C6.pdf", "路灯.pdf"),
            ("filename*0=\"long \"; filename*1=\"name.pdf\"", "long name.pdf"),
            ("filename*1*=.pdf; filename*0*=utf-8''%E8%B7%AF", "路.pdf"),
            ("filename=\"fallback.pdf\"; filename*=utf-8''%E8%B7%AF%E7%81%AF.pdf", "路灯.pdf"),
            ("filename*=utf-8''%E8%B7%AF%E7%81%AF.pdf; filename=\"fallback.pdf\"", "路灯.pdf"),
            ("filename=\"=?gbk?B?wre1?=\r\n =?gbk?B?xru1wcsucGRm?=\"", "路灯坏了.pdf"),
            ("filename=\"=?gb2312?B?6Lev54Gv?=.pdf\"", "路灯.pdf"),
            ("filename==?utf-8?Q?=E8=B7=AF.pdf?=", "路.pdf"),
            ("filename*=utf-8'%E8%B7%AF.pdf", "路.pdf"),
            ("filename*=utf-8''a%2Fb%5Cc.pdf", "a_b_c.pdf"),
        ] {
            let raw = format!(
                "From: li@example.org\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; {parameters}\r\n\r\n%PDF"
            );
            let mail = mail::parse(raw.as_bytes(), u64::MAX).expect("a mail");
            let names: Vec<_> = mail.attachments.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, [name], "{parameters}");
        }
    }
}
