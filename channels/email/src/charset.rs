//! Bytes to text when the declared character set is wrong, missing or lies.

use chardetng::EncodingDetector;
use encoding_rs::{
    BIG5, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
};
use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes `bytes` as declared, unless that is plainly not what they are.
///
/// A declaration of ASCII, Latin-1 or none says nothing about bytes above 127: those are tried as UTF-8, then guessed.
/// Any other declaration is believed as long as it decodes and is not plainly UTF-8. A text that is damaged in few places
/// keeps its character set and shows U+FFFD there: a single-byte set would decode it all, and wrongly.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>) -> String {
    let escapes = bytes.contains(&0x1b);
    let label = declared.map(str::trim).filter(|label| !label.is_empty());
    let encoding =
        label.and_then(|label| Encoding::for_label(label.as_bytes())).filter(|encoding| *encoding != REPLACEMENT);
    if surely_utf8(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if let Some(text) = label.and_then(|label| shifted(label, bytes)) {
        return text;
    }
    match encoding {
        // Nothing else looks like it, and a cut last character is no reason to doubt.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
            let silent = !label.is_some_and(|label| label.to_ascii_lowercase().ends_with("le"));
            let encoding = if silent && big_endian(bytes) { UTF_16BE } else { encoding };
            let (text, ..) = encoding.decode(bytes);
            return text.trim_end_matches('\u{fffd}').to_owned();
        }
        // Browsers read `us-ascii` and `iso-8859-1` as windows-1252, which decodes anything at all.
        Some(encoding) if encoding != WINDOWS_1252 => {
            let lied = (encoding != UTF_8).then(|| damaged_utf8(bytes, Some(12))).flatten();
            if let Some(text) = lied.or_else(|| believed(encoding, bytes)) {
                return text;
            }
        }
        Some(_) if bytes.is_ascii() && !escapes => return String::from_utf8_lossy(bytes).into_owned(),
        Some(latin) if !escapes => {
            if let Some(text) = clean(UTF_8, bytes).or_else(|| damaged_utf8(bytes, Some(4))) {
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
    if let Some(text) = clean(UTF_8, bytes).or_else(|| damaged_utf8(bytes, Some(4))) {
        return text;
    }
    let mut detector = EncodingDetector::new();
    // Not told that this is the end, the detector forgives a cut last character, which a lone Latin letter looks like.
    detector.feed(bytes, !mostly_multibyte(bytes));
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

/// Whether the bytes are of the named set without a fault.
pub(crate) fn fits(bytes: &[u8], label: &str) -> bool {
    Encoding::for_label(label.as_bytes()).is_some_and(|encoding| clean(encoding, bytes).is_some())
}

/// The text in the declared set, if it has no fault, or if only its end is cut or at most one character in twenty is broken.
/// GBK and Big5 are often told for each other.
fn believed(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    if let Some(text) = clean(encoding, bytes).filter(|text| !text.contains(|c| matches!(c, '\u{e000}'..='\u{f8ff}'))) {
        return Some(text);
    }
    if encoding == UTF_8 {
        return clean(UTF_8, bytes).or_else(|| damaged_utf8(bytes, None));
    }
    let (text, ..) = encoding.decode(bytes);
    let rival = if encoding == BIG5 { Some(GB18030) } else { (encoding == GBK || encoding == GB18030).then_some(BIG5) };
    if let Some(rival) = rival {
        let (other, ..) = rival.decode(bytes);
        if frequent(&other, rival) > frequent(&text, encoding) {
            return Some(other.into_owned());
        }
    }
    let broken = text.matches('\u{fffd}').count();
    let whole = text.chars().filter(|character| !character.is_ascii()).count() - broken;
    let cut = broken == 1 && text.ends_with('\u{fffd}');
    (cut || broken * 20 <= whole).then(|| text.into_owned())
}

/// How many in a hundred characters beyond ASCII are frequent ones: those of the first level of GB 2312 or Big5. Each set
/// decodes the other's bytes, but into rare characters.
fn frequent(text: &str, encoding: &'static Encoding) -> usize {
    let (mut all, mut found) = (0, 0);
    for character in text.chars().filter(|character| !character.is_ascii()).take(4096) {
        let bytes = encoding.encode(character.encode_utf8(&mut [0; 4])).0.into_owned();
        all += 1;
        found += usize::from(match bytes.as_slice() {
            [0xa4..=0xc6, _] if encoding == BIG5 => true,
            [0xb0..=0xd7, 0xa1..=0xfe] if encoding != BIG5 => true,
            [0xa1..=0xa3, _] => true,
            _ => false,
        });
    }
    found * 100 / all.max(1)
}

/// The bytes as UTF-8 with U+FFFD where they are none, if more of them are UTF-8 than not. Where they were not declared so,
/// four times as many must be, and at least `undeclared` bytes.
fn damaged_utf8(bytes: &[u8], undeclared: Option<usize>) -> Option<String> {
    let joined = joined_surrogates(bytes);
    let bytes = joined.as_deref().unwrap_or(bytes);
    let (mut whole, mut broken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().bytes().filter(|byte| !byte.is_ascii()).count();
        broken += chunk.invalid().len();
    }
    // A lone letter of a Latin set at the end looks like the first byte of a cut character; two bytes of it do not.
    let cut = std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none()) && broken >= 2;
    let believed = match undeclared {
        None => whole > broken || cut,
        Some(least) => whole >= least && whole >= 4 * broken,
    };
    believed.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Pairs of surrogates that were each encoded as three bytes (CESU-8, Unicode technical report 26), as UTF-8.
fn joined_surrogates(bytes: &[u8]) -> Option<Vec<u8>> {
    let pair = |bytes: &[u8]| match bytes {
        [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ 0x80..=0xbf, ..] => {
            let high = u32::from(a & 0x0f) << 6 | u32::from(b & 0x3f);
            let low = u32::from(c & 0x0f) << 6 | u32::from(d & 0x3f);
            char::from_u32(0x1_0000 + (high << 10 | low))
        }
        _ => None,
    };
    if !bytes.windows(6).any(|window| pair(window).is_some()) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(character) = pair(rest) {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(6..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    Some(out)
}

/// Seven-bit sets that shift into their second half, which browsers have given up: HZ (RFC 1843) and ISO-2022-KR (RFC 1557).
fn shifted(label: &str, bytes: &[u8]) -> Option<String> {
    let (encoding, hz) = match label.to_ascii_lowercase().as_str() {
        "hz-gb-2312" | "hz" => (GBK, true),
        "iso-2022-kr" | "csiso2022kr" => (EUC_KR, false),
        _ => return None,
    };
    let mut out = Vec::with_capacity(bytes.len());
    let (mut high, mut rest) = (false, bytes);
    loop {
        let (taken, byte) = match rest {
            [b'~', b'~', ..] if hz && !high => (2, Some(b'~')),
            [b'~', b'\n', ..] if hz => (2, None),
            [b'~', shift @ (b'{' | b'}'), ..] if hz => {
                high = *shift == b'{';
                (2, None)
            }
            [shift @ (0x0e | 0x0f), ..] if !hz => {
                high = *shift == 0x0e;
                (1, None)
            }
            [0x1b, b'$', b')', b'C', ..] if !hz => (4, None),
            // A line end shifts back, so that a lost shift spoils one line only.
            [b'\n', ..] => {
                high = false;
                (1, Some(b'\n'))
            }
            [byte @ 0x21..=0x7e, ..] if high => (1, Some(byte | 0x80)),
            [byte, ..] => (1, Some(*byte)),
            [] => break,
        };
        out.extend(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Some(encoding.decode_without_bom_handling(&out).0.into_owned())
}

/// Whether UTF-16 without a byte order mark has its high bytes first: those are zero in Latin scripts, and few in ours.
fn big_endian(bytes: &[u8]) -> bool {
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return false;
    }
    let high = |byte: u8| matches!(byte, 0 | 0x30 | 0x4e..=0x9f | 0xff);
    let (first, second) = bytes.chunks_exact(2).fold((0, 0), |(first, second), pair| match pair {
        [a, b] => (first + usize::from(high(*a)), second + usize::from(high(*b))),
        _ => (first, second),
    });
    first > second
}

/// Text of another character set is valid UTF-8 by chance for a few characters only (the Chinese carrier's two-character
/// name in GBK is the famous case), and hardly ever as the three bytes of each character of East Asia.
fn surely_utf8(bytes: &[u8]) -> bool {
    let eastern = |character: char| matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ffef}');
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let (mut count, mut all_eastern) = (0, true);
        for character in text.chars().filter(|character| !character.is_ascii()) {
            count += 1;
            all_eastern &= eastern(character);
        }
        count >= 5 || count >= 2 && all_eastern
    })
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
        if damaged_utf8(&broken, Some(4)).is_some() {
            return UTF_8;
        }
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
    use encoding_rs::{SHIFT_JIS, WINDOWS_1251};
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
            (BIG5, TRADITIONAL, Some("gb2312")),
            (GBK, CHINESE, Some("big5")),
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

    #[test]
    fn damage_is_shown_in_its_place_and_spares_the_rest() {
        let german = "Die Straße am Bahnhof ist gesperrt, schöne Grüße";
        for (stray, shown) in [
            (&b"\xa0"[..], "\u{fffd}"),
            (b"\xff", "\u{fffd}"),
            (b"\xe5\x9d", "\u{fffd}"),
            (b"\xed\xa0\xbd\xed\xb8\x80", "😀"),
        ] {
            for text in [CHINESE, german] {
                let bytes = [text.as_bytes(), stray, b"\nOk.\n", text.as_bytes()].concat();
                for declared in [Some("utf-8"), None, Some("us-ascii"), Some("gbk")] {
                    assert_eq!(
                        decode(&bytes, declared),
                        format!("{text}{shown}\nOk.\n{text}"),
                        "{stray:?} {declared:?}"
                    );
                }
            }
        }
        let line = GBK.encode("贵局三日内修复").0;
        let mixed = decode(&[CHINESE.as_bytes(), b"\n", &line].concat(), Some("utf-8"));
        assert!(mixed.starts_with(CHINESE) && mixed.contains('\u{fffd}'), "{mixed}");
        for (encoding, text, label) in [
            (GBK, CHINESE, "gbk"),
            (GB18030, CHINESE, "gb18030"),
            (BIG5, TRADITIONAL, "big5"),
            (SHIFT_JIS, JAPANESE, "shift_jis"),
        ] {
            let text = text.trim_end_matches(['。', '！']);
            let bytes = encoding.encode(text).0;
            let mut expected: String = text.to_owned();
            expected.pop();
            expected.push('\u{fffd}');
            assert_eq!(decode(bytes.get(..bytes.len() - 1).expect("bytes"), Some(label)), expected, "{label}");
        }
        let traditional = BIG5.encode(TRADITIONAL).0;
        assert_eq!(
            decode(&[&traditional, &b"\x80\n"[..], &traditional].concat(), Some("big5")),
            format!("{TRADITIONAL}\u{fffd}\n{TRADITIONAL}")
        );
        assert_eq!(decode(b"caf\xe9", Some("utf-8")), "café");
        assert_eq!(decode(b"\xe5\x9d", Some("utf-8")), "\u{fffd}");
        assert_eq!(decode("路灯".as_bytes(), Some("gb2312")), "路灯");
    }

    #[test]
    fn sets_that_browsers_have_given_up() {
        assert_eq!(decode(b"lamp ~{B75F~} ~~ ok\n", Some("HZ-GB-2312")), "lamp 路灯 ~ ok\n");
        assert_eq!(decode(b"\x1b$)C\x0e\x30\x21\x0f ok", Some("iso-2022-kr")), "가 ok");
        for text in ["路灯坏了", "lamp is broken"] {
            let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            for bytes in [units(u16::to_be_bytes), units(u16::to_le_bytes)] {
                assert_eq!(decode(&bytes, Some("utf-16")), text);
            }
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
