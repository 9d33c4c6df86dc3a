//! What stands below a text and is none of it: signatures, footers, and the lines that devices and apps add.

use std::sync::LazyLock;

use regex::Regex;

use super::line::{Line, has_contact, pattern};
use super::words::{BRANDS, CHINESE_SENT_FROM, CJK_BRANDS, DEVICES, GET, MY, SENT_BY, SENT_FROM, SENT_LAST};

/// A signature without the standard delimiter is at most this many lines long.
const SIGNATURE_LINES: usize = 8;

/// The longest line, in characters, that a device adds.
const LONGEST_DEVICE_LINE: usize = 80;

/// A link within a line.
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"<[^<>]*>|\((?:https?|mailto):[^()]*\)|https?://\S+|[\[\]]"));

/// No sentence mark may stand within: "Sent from my desk, is much easier" is a citizen's.
const FEW: &str = r"[^,;:!?.。，；：！？]{0,40}";

/// Makes and apps, and devices if asked for; as words of their own where there are words.
fn brands(devices: bool) -> String {
    let (words, kinds) = (BRANDS.join("|"), if devices { DEVICES } else { CJK_BRANDS });
    format!(
        r"(?:(?:^|[^\p{{L}}]|\p{{Han}})(?:{words}|{kinds})(?:[^a-zà-ÿа-я,;:!?.。，；：！？]|$)|{CJK_BRANDS}|手机|手機)"
    )
}

static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    let (brand, device) = (brands(false), brands(true));
    let (by, from) = (SENT_BY.join("|"), SENT_FROM.join("|"));
    let any = format!("(?:{}|{CJK_BRANDS}|{DEVICES})", BRANDS.join("|"));
    let last = SENT_LAST.join("|").replace("FEW", FEW).replace("BRAND", &any);
    pattern(&format!(
        r"^(?:(?:{by}) (?:{MY}) {FEW}|(?:{CHINESE_SENT_FROM}) ?{FEW}(?:{any}|我的){FEW}|(?:{by}){FEW}{brand}{FEW}|(?:{from}){FEW}{device}{FEW}|{last}|(?:{GET}) ?outlook{FEW}|(?:{GET}) {FEW}outlook|outlook {FEW}(?:{GET}))$"
    ))
});

/// Chinese lines begin with words that sentences begin with too: here the device itself must come last.
static CHINESE_DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    let words = BRANDS.join("|");
    pattern(&format!(r"^(?:来自|來自) ?.{{0,16}}(?:{words}|{CJK_BRANDS}|手机|手機)[ a-z0-9+-]{{0,20}}$"))
});

/// Whether a device or an app has added this line.
pub(super) fn is_device(line: &Line<'_>) -> bool {
    let plain = LINK.replace_all(&line.plain, "");
    let plain = plain.trim_matches([' ', '.', '。', '！', '*', '-', '_', '(', ')']);
    if plain.is_empty() || plain.chars().count() > LONGEST_DEVICE_LINE {
        return false;
    }
    if plain.starts_with(['来', '來']) { CHINESE_DEVICE.is_match(plain) } else { DEVICE.is_match(plain) }
}

/// How the line begins that NetEase writes below a name card.
const NETEASE: [&str; 2] = ["签名由", "signature is customi"];

/// Where the name card begins that NetEase draws as a table above its line `at`; other lines have none.
pub(super) fn card(lines: &[Line<'_>], at: usize) -> usize {
    let is_border =
        |line: &Line<'_>| line.plain.contains('|') && line.plain.chars().all(|part| matches!(part, '|' | ' '));
    if !lines.get(at).is_some_and(|line| NETEASE.iter().any(|begin| line.plain.starts_with(begin))) {
        return at;
    }
    (at.saturating_sub(SIGNATURE_LINES)..at).find(|above| lines.get(*above).is_some_and(is_border)).unwrap_or(at)
}

/// The rule above the footer of a mailing list.
static FOOTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^_{20,}$"));

/// Where a signature begins in the first `end` lines, of which `own` are the writer's.
pub(super) fn signature(lines: &[Line<'_>], end: usize, own: impl Fn(usize) -> bool) -> Option<usize> {
    let mut below: Vec<&Line<'_>> = Vec::new();
    for at in (1..end).rev() {
        let line = lines.get(at)?;
        if line.is_quoted() || below.len() > SIGNATURE_LINES * 3 {
            return None;
        }
        if delimits(line, &below) {
            return Some(at);
        }
        if !line.is_blank() && own(at) {
            below.insert(0, line);
        }
    }
    None
}

/// Whether the line parts the text from a signature below it. The delimiter of RFC 3676, section 4.3, does; without its
/// space, or as another dash, it may be a divider within the text, so that what follows has to look like a signature.
fn delimits(line: &Line<'_>, below: &[&Line<'_>]) -> bool {
    let raw = line.raw.trim_start();
    let dashes = raw.trim_end();
    let Some(first) = below.first() else { return matches!(dashes, "--" | "---" | "—" | "——" | "__" | "___") };
    match dashes {
        "--" if raw.len() > dashes.len() => true,
        "--" => !is_sentence(first, 6),
        "---" | "—" | "——" | "__" | "___" => {
            below.len() <= SIGNATURE_LINES && signs(first) && !below.iter().any(|line| is_sentence(line, 4))
        }
        _ => {
            FOOTER.is_match(&line.plain)
                && below.len() <= SIGNATURE_LINES
                && below.iter().any(|line| has_contact(&line.plain))
        }
    }
}

/// Whether a line says something, rather than to name and to address somebody: by its marks, or by as many words in lower
/// case as names, titles and addresses do not have.
fn is_sentence(line: &Line<'_>, small_words: usize) -> bool {
    let raw = line.raw.trim();
    let numbered = raw.trim_start_matches(|character: char| character.is_ascii_digit());
    let listed = numbered.len() < raw.len() && numbered.starts_with(['、', '.', ')', '）', ':', '：'])
        || raw.starts_with(['-', '*', '•', '·', '（']);
    let small = raw.split_whitespace().filter(|word| word.chars().all(char::is_lowercase)).count();
    listed
        || raw.ends_with(['。', '！', '？', '!', '?', '…', '；'])
        || raw.contains(['，', '；'])
        || small >= small_words
        || small >= 2 && raw.ends_with('.')
}

/// Whether a line looks like a name or a way to reach somebody.
fn signs(line: &Line<'_>) -> bool {
    let raw = line.raw.trim();
    let name = raw.split_whitespace().count() <= 5
        && raw.split_whitespace().all(|word| word.starts_with(|first: char| first.is_uppercase()));
    let cjk_name = raw.chars().count() <= 4 && raw.chars().all(|character| character.is_alphabetic());
    name || cjk_name || has_contact(&line.plain)
}
