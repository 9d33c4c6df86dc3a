//! Cutting a long text into messages.
//!
//! Telegram counts UTF-16 code units: 4,096 in a message and 1,024 in a caption (Bot API, `sendMessage` and `sendDocument`).

use unicode_segmentation::UnicodeSegmentation;

/// Longest text of a message, in UTF-16 code units.
pub(crate) const MESSAGE_UNITS: usize = 4096;

/// Longest caption of a file, in UTF-16 code units.
pub(crate) const CAPTION_UNITS: usize = 1024;

/// The length of a text as Telegram counts it.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Cuts `text` into parts of at most `limit` code units; several parts are never blank. Only white space at the ends of
/// parts is dropped.
///
/// A cut falls after a paragraph, else a line, else a sentence, else a word, as long as the part is at least half
/// full; else between two graphemes; inside a grapheme only when it alone is longer than a message.
pub(crate) fn split(text: &str, limit: usize) -> Vec<String> {
    if units(text) <= limit {
        return vec![text.to_owned()];
    }
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((part, tail)) = cut(rest, limit) {
        parts.push(part.trim_end().to_owned());
        rest = tail.trim_start();
    }
    parts.push(rest.to_owned());
    parts
}

/// Where a part may end, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seam {
    Word,
    Sentence,
    Line,
    Paragraph,
}

fn seam(before: Option<&str>, grapheme: &str) -> Option<Seam> {
    let is_break = |text: &str| text.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    if is_break(grapheme) {
        Some(if before.is_some_and(is_break) { Seam::Paragraph } else { Seam::Line })
    } else if grapheme.contains(['。', '！', '？', '；', '…', '!', '?', ';']) {
        Some(Seam::Sentence)
    } else if grapheme.chars().all(char::is_whitespace) {
        // A full stop ends a sentence only before a space: "3.5" and "example.org" stay whole.
        Some(if before.is_some_and(|before| before.ends_with('.')) { Seam::Sentence } else { Seam::Word })
    } else {
        None
    }
}

/// The first part and what follows, or `None` when everything fits.
fn cut(text: &str, limit: usize) -> Option<(&str, &str)> {
    let (mut used, mut before) = (0, None);
    let mut best: Option<(Seam, usize)> = None;
    for (start, grapheme) in text.grapheme_indices(true) {
        let length = units(grapheme);
        if used + length > limit {
            let at = match best {
                Some((_, end)) => end,
                None if start > 0 => start,
                None => inside_grapheme(grapheme, limit),
            };
            return text.split_at_checked(at);
        }
        used += length;
        if let Some(seam) = seam(before, grapheme)
            && used * 2 >= limit
            && best.is_none_or(|(known, _)| seam >= known)
        {
            best = Some((seam, start + grapheme.len()));
        }
        before = Some(grapheme);
    }
    None
}

/// The last character boundary within `limit` units, at least one character in.
fn inside_grapheme(grapheme: &str, limit: usize) -> usize {
    let (mut used, mut end) = (0, 0);
    for character in grapheme.chars() {
        used += character.len_utf16();
        if used > limit && end > 0 {
            break;
        }
        end += character.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_at_the_best_seam() {
        let cases: [(&str, &str, usize, &[&str]); 9] = [
            ("fits", "abc", 3, &["abc"]),
            ("paragraph before sentence", "aaaa.\n\nbb. cc dd", 12, &["aaaa.", "bb. cc dd"]),
            ("line before sentence", "aaaaaa\nb. ccccccc", 12, &["aaaaaa", "b. ccccccc"]),
            ("chinese sentence", "路灯坏了三天。请尽快派人修", 9, &["路灯坏了三天。", "请尽快派人修"]),
            ("full stop needs a space", "at 3.5 percent", 8, &["at 3.5", "percent"]),
            ("word", "alpha beta gamma", 12, &["alpha beta", "gamma"]),
            ("nothing but characters", "路灯路灯路灯", 4, &["路灯路灯", "路灯"]),
            ("an early seam is no seam", "a. bbbbbbbbbbbb", 10, &["a. bbbbbbb", "bbbbb"]),
            ("surrogates count twice and stay whole", "📱📱📱", 3, &["📱", "📱", "📱"]),
        ];
        for (name, text, limit, parts) in cases {
            assert_eq!(split(text, limit), parts, "{name}");
        }
    }

    #[test]
    fn joined_emoji_stay_whole_unless_longer_than_a_message() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(split(&format!("ab{family}"), 12), ["ab", family]);
        assert_eq!(
            split(&format!("e{}", "\u{301}".repeat(5)), 4),
            [format!("e{}", "\u{301}".repeat(3)), "\u{301}".repeat(2)]
        );
    }

    proptest! {
        #[test]
        fn parts_fit_and_make_up_the_text(text in "(\\PC|[\n 。.📱\u{200d}中e\u{301}]){0,300}", limit in 2_usize..60) {
            let parts = split(&text, limit);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(&parts.concat()), squeeze(&text));
            for part in &parts {
                prop_assert!(units(part) <= limit);
                prop_assert!(parts.len() == 1 || !part.trim().is_empty());
            }
        }
    }
}
