//! Bytes to text when the declared character set is wrong, missing or lies.

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, GB18030, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes `bytes` as declared, unless that is plainly not what they are.
///
/// A declaration of ASCII, Latin-1 or none says nothing about bytes above 127: those are tried as UTF-8, then guessed.
/// Any other declaration is believed as long as it decodes without a replacement character and is not plainly UTF-8.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>) -> String {
    let escapes = bytes.contains(&0x1b);
    let label = declared.map(str::trim).filter(|label| !label.is_empty());
    let encoding =
        label.and_then(|label| Encoding::for_label(label.as_bytes())).filter(|encoding| *encoding != REPLACEMENT);
    if surely_utf8(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match encoding {
        // Nothing else looks like it, and a cut last character is no reason to doubt.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
            let (text, ..) = encoding.decode(bytes);
            return text.trim_end_matches('\u{fffd}').to_owned();
        }
        // Browsers read `us-ascii` and `iso-8859-1` as windows-1252, which decodes anything at all.
        Some(encoding) if encoding != WINDOWS_1252 => {
            if let Some(text) = clean(encoding, bytes) {
                return text;
            }
        }
        Some(_) if bytes.is_ascii() && !escapes => return String::from_utf8_lossy(bytes).into_owned(),
        Some(latin) if !escapes => {
            if let Some(text) = clean(UTF_8, bytes) {
                return text;
            }
            if label.is_some_and(|label| !label.eq_ignore_ascii_case("us-ascii")) && !mostly_multibyte(bytes) {
                return latin.decode_without_bom_handling(bytes).0.into_owned();
            }
        }
        Some(_) => {}
        None => {
            if let Some(decoder) = label.and_then(|label| charset_decoder(label.as_bytes())) {
                let text = decoder(bytes);
                if !text.contains('\u{fffd}') {
                    return text;
                }
            }
        }
    }
    guess(bytes, encoding.filter(|encoding| *encoding != WINDOWS_1252))
}

/// What the bytes most likely are. The fewest replacement characters win; the declaration breaks a tie.
fn guess(bytes: &[u8], declared: Option<&'static Encoding>) -> String {
    if bytes.contains(&0x1b)
        && let Some(text) = clean(ISO_2022_JP, bytes)
    {
        return text;
    }
    if let Some(text) = clean(UTF_8, bytes) {
        return text;
    }
    let mut detector = EncodingDetector::new();
    detector.feed(bytes, true);
    let guessed = detector.guess(None, true);
    declared
        .into_iter()
        .chain([guessed, GB18030])
        .map(|encoding| encoding.decode_without_bom_handling(bytes).0.into_owned())
        .min_by_key(|text| text.matches('\u{fffd}').count())
        .unwrap_or_default()
}

fn clean(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    let (text, _, broken) = encoding.decode(bytes);
    (!broken).then(|| text.into_owned())
}

/// Text of another character set is valid UTF-8 by chance for a few characters only (the Chinese carrier's two-character
/// name in GBK is the famous case).
fn surely_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().filter(|character| !character.is_ascii()).count() >= 5)
}

/// Western texts have lone bytes above 127 between ASCII letters; multi-byte scripts have long runs of them.
fn mostly_multibyte(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let in_runs: usize = bytes.split(|byte| byte.is_ascii()).map(<[u8]>::len).filter(|run| *run >= 4).sum();
    high >= 4 && in_runs * 2 > high
}

/// Header lines as UTF-8: RFC 6532 allows nothing else, mailers send what they have. `hint` is the body's declaration.
/// Lines are judged together, because one name is too short to tell a character set by.
pub(crate) fn header_lines(bytes: &[u8], hint: Option<&str>) -> Vec<u8> {
    let broken: Vec<u8> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| std::str::from_utf8(line).is_err())
        .collect::<Vec<_>>()
        .concat();
    let hinted = hint
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .filter(|encoding| *encoding != WINDOWS_1252 && clean(encoding, &broken).is_some());
    let encoding = hinted.unwrap_or_else(|| {
        let mut detector = EncodingDetector::new();
        detector.feed(&broken, true);
        detector.guess(None, false)
    });
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| match std::str::from_utf8(line) {
            Ok(_) => line.to_vec(),
            // Bytes within an encoded word are of the set that the word names.
            Err(_) if line.windows(2).any(|pair| pair == b"=?") && line.windows(2).any(|pair| pair == b"?=") => {
                line.to_vec()
            }
            Err(_) => encoding.decode_without_bom_handling(line).0.into_owned().into_bytes(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_KR, GBK, SHIFT_JIS, WINDOWS_1251};
    use proptest::prelude::*;

    use super::*;

    const CHINESE: &str = "您好，幸福路三号院门口的路灯已经坏了两个星期，晚上老人出行很不安全，请尽快派人维修。谢谢！";
    const TRADITIONAL: &str = "您好，我們社區門口的垃圾已經堆積多日，味道很重，請儘快派人清運，謝謝。";
    const JAPANESE: &str = "こんにちは。家の前の街灯が壊れています。早めに修理をお願いします。";

    #[test]
    fn declared_undeclared_and_wrongly_declared() {
        let table: &[(&'static Encoding, &str, Option<&str>)] = &[
            (GBK, CHINESE, Some("gb2312")),
            (GBK, CHINESE, Some("GBK")),
            (GB18030, "㐂𠮷 四字节", Some("gb18030")),
            (GBK, CHINESE, None),
            (GBK, CHINESE, Some("us-ascii")),
            (GBK, CHINESE, Some("iso-8859-1")),
            (GBK, CHINESE, Some("utf-8")),
            (GBK, CHINESE, Some("x-unknown")),
            (BIG5, TRADITIONAL, Some("big5")),
            (BIG5, TRADITIONAL, None),
            (BIG5, TRADITIONAL, Some("utf-8")),
            (ISO_2022_JP, JAPANESE, Some("iso-2022-jp")),
            (ISO_2022_JP, JAPANESE, None),
            (ISO_2022_JP, JAPANESE, Some("us-ascii")),
            (SHIFT_JIS, JAPANESE, Some("shift_jis")),
            (SHIFT_JIS, JAPANESE, Some("utf-8")),
            (EUC_KR, "가로등이 고장났습니다. 빨리 수리해 주세요.", Some("euc-kr")),
            (WINDOWS_1251, "Уличный фонарь не работает уже две недели.", Some("windows-1251")),
            (UTF_8, CHINESE, Some("iso-8859-1")),
            (UTF_8, CHINESE, None),
            (UTF_8, CHINESE, Some("gbk")),
            (UTF_8, TRADITIONAL, Some("big5")),
            (GBK, "联通", Some("gbk")),
            (UTF_8, CHINESE, Some("us-ascii")),
            (WINDOWS_1252, "Die Straßenlaterne ist kaputt, schöne Grüße", Some("iso-8859-1")),
        ];
        for (encoding, text, declared) in table {
            let (bytes, _, lossy) = encoding.encode(text);
            assert!(!lossy, "{} cannot hold the sample", encoding.name());
            assert_eq!(decode(&bytes, *declared), *text, "{} declared as {declared:?}", encoding.name());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_under_any_label(bytes: Vec<u8>, label in "[a-z0-9_-]{0,12}") {
            let _ = decode(&bytes, Some(&label));
            let fixed = header_lines(&bytes, Some(&label));
            let words = bytes.windows(2).any(|pair| pair == b"=?");
            prop_assert!(words || std::str::from_utf8(&fixed).is_ok());
        }

        #[test]
        fn utf8_survives(text in "\\PC{0,200}") {
            prop_assert_eq!(decode(text.as_bytes(), Some("utf-8")), text.trim_start_matches('\u{feff}'));
        }
    }
}
