//! What a person wrote now, told from what they quote and sign with.
//!
//! Works line by line on text: a separator or a block of header lines ends the visible part, an attribution
//! ("On ... wrote:", "在 ... 写道：") with its quotation is taken out, trailing quotation and signature fall off.
//! Answers written between quoted lines keep their context. Every line is looked at a bounded number of times.

use std::sync::LazyLock;

use regex::Regex;

/// A text in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// What this person wrote now; never blank where the whole was not.
    pub(crate) visible: String,
    /// Quotation and signature, as they stood.
    pub(crate) quoted: Option<String>,
}

/// Lines longer than this, in bytes, are prose: no marker is looked for in them.
const LONGEST_MARKER: usize = 400;

/// An attribution is wrapped over at most this many lines.
const ATTRIBUTION_LINES: usize = 5;

/// A signature without the standard delimiter is at most this many lines long.
const SIGNATURE_LINES: usize = 8;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this module is not a regular expression")
}

/// "-----Original Message-----" and its kin, in the languages of the mailers seen here.
static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^[\s>*_]*[-_=—－]{2,}\s*(?:",
        r"original\s+(?:message|appointment|e-?mail)|reply message|原始邮件|原始信件|原始郵件|邮件原件|原邮件|原郵件|回复的原邮件|",
        r"ursprüngliche (?:nachricht|mail)|original-?nachricht|message d['’]origine|message original|mensaje original|mensagem original|",
        r"messaggio originale|oorspronkelijk bericht|oprindelig meddelelse|ursprungligt meddelande|opprinnelig melding|",
        r"元のメッセージ|元のメール|original ?message|원본 ?메(?:시지|일)|исходное сообщение|пересылаемое сообщение",
        r")\s*[-_=—－]{2,}[\s*]*$",
    ))
});

/// The rule that Outlook and mobile mailers draw above a header block.
static RULE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:_{10,}|-{10,}|={10,})\s*$"));

/// The rule above the footer of a mailing list.
static FOOTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*_{20,}\s*$"));

/// The first line of a quoted header block.
static HEADER_FROM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^[\s*_]*(?:from|发件人|發件人|寄件者|寄件人|von|de|da|van|från|fra|od|от|差出人|送信者|보낸 ?사람)[*_]*\s*[:：]\s*\S",
    )
});

/// Any line of a quoted header block.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^[\s*_]*(?:from|sent|date|to|cc|subject|importance|reply-to|发件人|發件人|寄件者|寄件人|发送时间|發送時間|寄件日期|日期|时间|",
        r"收件人|收件者|抄送|副本|主题|主旨|主題|von|gesendet|datum|an|betreff|de|envoyé|date|à|objet|da|inviato|oggetto|van|verzonden|",
        r"aan|onderwerp|från|skickat|till|ämne|fra|sendt|til|emne|od|enviado|para|asunto|assunto|от|отправлено|дата|кому|тема|",
        r"差出人|送信者|送信日時|日時|宛先|件名|보낸 ?사람|보낸 ?날짜|받는 ?사람|제목)[*_]*\s*[:：]",
    ))
});

/// How an attribution begins; only then are lines joined to look for its end.
static ATTRIBUTION_BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^\s*(?:[-*]+\s*)?(?:on\b|am\b|le\b|el\b|il\b|op\b|em\b|den\b|w dniu\b|dnia\b|在|于|於|(?:\*|_)?on\b|",
        r"\d{4}[-/年.]\s*\d{1,2}|\d{1,2}[-/.]\s*\d{1,2}[-/.]\s*\d{2,4}|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,|quoting\b|\S.{0,80}(?:于|於|在)\s*\d{4})",
    ))
});

/// An attribution, its lines joined by a space.
static ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)(?:\b(?:wrote|writes|schrieb(?: [^:]{0,80})?|a écrit|escribió|ha scritto|schreef(?: [^:]{0,80})?|escreveu|skrev(?: [^:]{0,80})?|",
        r"napisał(?:\(a\)|a)?|пишет|написал(?:\(а\)|а)?)\s*[:：]?|写道\s*[:：]?|寫道\s*[:：]?|(?:さん)?(?:は|が)?書きました\s*[:：]?|님이 작성\s*[:：]?)\s*$",
    ))
});

/// A date, an address and a colon: how Gmail in Japanese, Yandex, Mail.ru and older mailers attribute.
static ATTRIBUTION_BARE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^\s*(?:\d{4}[-/年.]\s*\d{1,2}[-/月.]\s*\d{1,2}.{0,120}[<＜][^<>＜＞\s]+@[^<>＜＞\s]+[>＞]\s*[:：]?|",
        r"(?:\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\p{L}{2,12}\.?,\s*\d{1,2}).{0,160}[<＜][^<>＜＞\s]+@[^<>＜＞\s]+[>＞]\s*[:：])\s*$",
    ))
});

/// Lines that a device or an app adds.
static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^\s*(?:sent (?:from|via) (?:my |mail for |the |yahoo|outlook|samsung|proton|aol|huawei|mobile|e-?mail|iphone|ipad|android|gmail|windows|nine|blackberry)(?:[ \w’'+.()/-]{0,60})|",
        r"get outlook for \w+.{0,60}|sent using .{1,60}|enviado (?:desde|do|de) .{1,60}|envoyé (?:de|depuis|à partir) .{1,60}|inviato da .{1,40}|",
        r"von mein\w* .{1,60}gesendet.{0,30}|gesendet (?:von|mit|aus) .{1,60}|verzonden (?:vanaf|via) .{1,60}|skickat från .{1,60}|",
        r"(?:发|發|寄)自\s*(?:我的|网易|網易|qq|foxmail|outlook|手机|安卓|新浪|iphone|ipad|mail|samsung|华为|小米|vivo|oppo).{0,40}|发送自.{1,40}|(?:从|從)我的.{1,30}(?:发送|發送|傳送)|来自我的.{1,30}|來自我的.{1,30}|",
        r"(?:获取|下载|獲取)\s*outlook.{1,40}|本邮件由.{1,30}发送|.{0,20}(?:iphone|ipad|android).{0,10}(?:から送信|에서 보냄)|отправлено (?:с|из) .{1,40})[.。]?\s*$",
    ))
});

/// The delimiter of RFC 3676, section 4.3, also as it is left when a mailer trims the line.
fn is_delimiter(line: &str) -> bool {
    matches!(line.trim_end(), "--" | "---" | "—" | "——" | "__" | "___")
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with(['>', '＞', '|']) && !line.trim_start().starts_with("||")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Quoted,
    Attribution,
}

/// Splits the text of a mail that answers another one.
pub(crate) fn split(text: &str) -> Split {
    let lines: Vec<&str> = text.lines().collect();
    let end = first_cut(&lines);
    let mut kinds = vec![Kind::Own; end];
    let mut at = 0;
    let mut cut = end;
    while at < end {
        let Some(line) = lines.get(at) else { break };
        if is_quoted(line) {
            set(&mut kinds, at, 1, Kind::Quoted);
            at += 1;
        } else if let Some(count) = attribution(&lines, at, end) {
            set(&mut kinds, at, count, Kind::Attribution);
            let next = (at + count..end).find(|line| lines.get(*line).is_some_and(|line| !line.trim().is_empty()));
            if !next.is_some_and(|next| lines.get(next).is_some_and(|line| is_quoted(line)))
                && has_own(&lines, &kinds, at)
            {
                // Nothing marks where this quotation ends: it goes on to the end of the mail.
                cut = at;
                break;
            }
            at += count;
        } else {
            at += 1;
        }
    }
    kinds.truncate(cut);
    let visible = assemble(&lines, &mut kinds);
    finish(text, &lines, visible)
}

fn set(kinds: &mut [Kind], at: usize, count: usize, kind: Kind) {
    for slot in kinds.iter_mut().skip(at).take(count) {
        *slot = kind;
    }
}

fn has_own(lines: &[&str], kinds: &[Kind], before: usize) -> bool {
    lines.iter().zip(kinds).take(before).any(|(line, kind)| *kind == Kind::Own && !line.trim().is_empty())
}

/// The line at which a separator or a quoted header block begins; everything from there is quotation.
fn first_cut(lines: &[&str]) -> usize {
    for (at, line) in lines.iter().enumerate() {
        if line.len() > LONGEST_MARKER {
            continue;
        }
        if SEPARATOR.is_match(line) {
            return at;
        }
        if RULE.is_match(line) {
            let next = (at + 1..lines.len().min(at + 4))
                .find(|next| lines.get(*next).is_some_and(|line| !line.trim().is_empty()));
            if next.is_some_and(|next| headers_from(lines, next) >= 3) {
                return at;
            }
        } else if HEADER_FROM.is_match(line) && headers_from(lines, at) >= 3 {
            return at;
        }
    }
    lines.len()
}

/// How many of the lines from `start` on are header lines; the first must be one.
fn headers_from(lines: &[&str], start: usize) -> usize {
    let is_header = |line: &&&str| line.len() <= LONGEST_MARKER && HEADER.is_match(line);
    if !lines.get(start).as_ref().is_some_and(is_header) {
        return 0;
    }
    lines.iter().skip(start).take(7).filter(is_header).count()
}

/// How many lines an attribution that begins here takes, if one does.
fn attribution(lines: &[&str], at: usize, end: usize) -> Option<usize> {
    let first = lines.get(at).filter(|line| line.len() <= LONGEST_MARKER)?;
    if ATTRIBUTION_BARE.is_match(first) {
        return Some(1);
    }
    let dated = ATTRIBUTION.is_match(first) && first.contains(['@', '<', '/', '年']);
    if !ATTRIBUTION_BEGIN.is_match(first) && !dated {
        // "Somebody writes:" alone is prose unless a quotation follows at once.
        let follows = lines.get(at + 1).is_some_and(|line| at + 1 < end && is_quoted(line));
        return (follows && ATTRIBUTION.is_match(first)).then_some(1);
    }
    let mut joined = String::new();
    for (count, line) in lines.iter().take(end).skip(at).take(ATTRIBUTION_LINES).enumerate() {
        if line.len() > LONGEST_MARKER || line.trim().is_empty() || is_quoted(line) {
            return None;
        }
        if count > 0 {
            joined.push(' ');
        }
        joined.push_str(line.trim());
        if ATTRIBUTION.is_match(&joined) {
            // A date or an address, or at least a digit, tells it from a sentence that begins and ends alike.
            return joined
                .contains(|character: char| character.is_ascii_digit() || character == '@')
                .then_some(count + 1);
        }
    }
    None
}

/// Joins what this person wrote. Quotation at the end and a single one at the beginning go; between own lines it stays.
fn assemble(lines: &[&str], kinds: &mut Vec<Kind>) -> Vec<usize> {
    let own = |kinds: &[Kind], at: usize| {
        kinds.get(at) == Some(&Kind::Own) && lines.get(at).is_some_and(|line| !line.trim().is_empty())
    };
    loop {
        let before = kinds.len();
        while let Some(last) = kinds.len().checked_sub(1) {
            if own(kinds, last) {
                break;
            }
            kinds.pop();
        }
        if let Some(at) = signature(lines, kinds) {
            kinds.truncate(at);
        }
        if kinds.len() == before {
            break;
        }
    }
    let first_own = (0..kinds.len()).find(|at| own(kinds, *at)).unwrap_or(0);
    let later_quotes = kinds.iter().skip(first_own).any(|kind| *kind == Kind::Quoted);
    let start = if later_quotes {
        kinds.iter().take(first_own).position(|kind| *kind == Kind::Quoted).unwrap_or(first_own)
    } else {
        first_own
    };
    (start..kinds.len()).filter(|at| kinds.get(*at) != Some(&Kind::Attribution)).collect()
}

/// Where a signature begins in the lines that are left.
fn signature(lines: &[&str], kinds: &[Kind]) -> Option<usize> {
    let mut seen = 0;
    for at in (0..kinds.len()).rev() {
        let line = lines.get(at)?;
        if kinds.get(at) == Some(&Kind::Quoted) {
            return None;
        }
        if is_delimiter(line) && at > 0 {
            return Some(at);
        }
        if seen < SIGNATURE_LINES && line.len() <= LONGEST_MARKER && DEVICE.is_match(line) && at > 0 {
            return Some(at);
        }
        if seen > 0 && seen < SIGNATURE_LINES && at > 0 && FOOTER.is_match(line) {
            return Some(at);
        }
        if !line.trim().is_empty() {
            seen += 1;
        }
        if seen > SIGNATURE_LINES * 3 {
            return None;
        }
    }
    None
}

fn finish(text: &str, lines: &[&str], visible: Vec<usize>) -> Split {
    let kept: Vec<&str> = visible.iter().filter_map(|at| lines.get(*at).copied()).collect();
    let joined = kept.join("\n");
    let joined = joined.trim_matches('\n').trim_end().to_owned();
    if joined.trim().is_empty() {
        return Split { visible: text.trim_end().to_owned(), quoted: None };
    }
    let mut rest = Vec::new();
    let mut wanted = visible.iter().peekable();
    for (at, line) in lines.iter().enumerate() {
        if wanted.peek() == Some(&&at) {
            wanted.next();
        } else {
            rest.push(*line);
        }
    }
    let rest = rest.join("\n").trim_matches('\n').trim_end().to_owned();
    Split { visible: joined, quoted: (!rest.trim().is_empty()).then_some(rest) }
}

/// Prefixes of a subject that say "this answers another mail".
static ANSWERS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s*(?:\[[^\]]{1,40}\]\s*)?(?:re|aw|sv|antw|vs|odp|回复|回覆|答复|答覆|回信|返信|답장|rép|res|ref|on)\s*(?:\[\d+\]|\(\d+\)|\^\d+|-\d+)?\s*[:：]",
    )
});

/// Prefixes that say "this passes another mail on".
static FORWARDS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|转发|轉發|轉寄|转寄|転送|tr|rv|enc|doorst|전달|i|пересл)\s*[:：]",
    )
});

/// Whether a subject says that the mail answers another one.
pub(crate) fn subject_answers(subject: &str) -> bool {
    ANSWERS.is_match(subject)
}

/// Whether a subject says that the mail passes another one on.
pub(crate) fn subject_forwards(subject: &str) -> bool {
    FORWARDS.is_match(subject)
}
