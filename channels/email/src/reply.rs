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

/// A Unicode word boundary would send every Chinese line to the slow engine: the patterns use `(?-u:\b)`.
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
        r"(?i)^\s*(?:[-*]+\s*)?(?:on(?-u:\b)|am(?-u:\b)|le(?-u:\b)|el(?-u:\b)|il(?-u:\b)|op(?-u:\b)|em(?-u:\b)|den(?-u:\b)|w dniu(?-u:\b)|dnia(?-u:\b)|在|于|於|(?:\*|_)?on(?-u:\b)|",
        r"\d{4}[-/年.]\s*\d{1,2}|\d{1,2}[-/.]\s*\d{1,2}[-/.]\s*\d{2,4}|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,|quoting(?-u:\b)|\S.{0,80}(?:于|於|在)\s*\d{4})",
    ))
});

/// An attribution, its lines joined by a space.
static ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)(?:(?-u:\b)(?:wrote|writes|schrieb(?: [^:]{0,80})?|a écrit|escribió|ha scritto|schreef(?: [^:]{0,80})?|escreveu|skrev(?: [^:]{0,80})?|",
        r"napisał(?:\(a\)|a)?)\s*[:：]?|(?:пишет|написал(?:\(а\)|а)?)\s*[:：]?|写道\s*[:：]?|寫道\s*[:：]?|(?:さん)?(?:は|が)?書きました\s*[:：]?|のメール\s*[:：]|님이 작성\s*[:：]?)\s*$",
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, visible: &str) {
        let split = split(text);
        assert_eq!(split.visible, visible, "of {text:?}");
        let squeezed = |text: &str| text.chars().filter(|character| !character.is_whitespace()).count();
        let quoted = split.quoted.as_deref().map_or(0, squeezed);
        assert_eq!(squeezed(&split.visible) + quoted, squeezed(text), "something was lost of {text:?}");
    }

    #[test]
    fn markers_of_many_mailers() {
        for marker in [
            "On Mon, 2 Nov 2026 at 10:01, City Hotline <hotline@city.example> wrote:\n> Your number is 1",
            "On Mon, 2 Nov 2026 at 10:01, City Hotline\n<hotline@city.example>\nwrote:\n\n> Your number is 1",
            "On 02.11.2026 10:01, City Hotline wrote:\nYour number is 1",
            "在 2026年11月2日，上午10:01，市民热线 <hotline@city.example> 写道：\n\n> 您的工单号是 1",
            "在 2026-11-02 10:01:22，\"市民热线\" <hotline@city.example> 写道：\n您的工单号是 1",
            "市民热线 <hotline@city.example> 于2026年11月2日周一 10:01写道：\n\n> 您的工单号是 1",
            "市民熱線 <hotline@city.example> 於 2026年11月2日 週一 10:01 寫道：\n> 您的編號是 1",
            "------------------ 原始邮件 ------------------\n发件人: \"市民热线\" <hotline@city.example>;\n发送时间: 2026年11月2日(星期一) 上午10:01\n收件人: \"张\"<z@x.example>;\n主题: 工单 1\n\n您的工单号是 1",
            "-----邮件原件-----\n发件人: 市民热线\n您的工单号是 1",
            "发件人：市民热线 <hotline@city.example>\n发送时间：2026年11月2日 10:01\n收件人：z@x.example\n主题：工单 1\n\n您的工单号是 1",
            "---- 回复的原邮件 ----\n发件人 市民热线\n您的工单号是 1",
            "-----Original Message-----\nFrom: City Hotline\nYour number is 1",
            "________________________________\nFrom: City Hotline <hotline@city.example>\nSent: Monday, November 2, 2026 10:01\nTo: z@x.example\nSubject: Ticket 1\n\nYour number is 1",
            "From: City Hotline <hotline@city.example>\nDate: Monday, 2 November 2026 at 10:01\nTo: Z <z@x.example>\nSubject: Ticket 1\nYour number is 1",
            "Am Mo., 2. Nov. 2026 um 10:01 Uhr schrieb Hotline <hotline@city.example>:\n\n> Ihre Nummer ist 1",
            "Von: Hotline <hotline@city.example>\nGesendet: Montag, 2. November 2026 10:01\nAn: Z\nBetreff: Ticket 1\n\nIhre Nummer ist 1",
            "-------- Ursprüngliche Nachricht --------\nVon: Hotline\nIhre Nummer ist 1",
            "Le lun. 2 nov. 2026 à 10:01, Hotline <hotline@city.example> a écrit :\n\n> Votre numéro est 1",
            "De : Hotline <hotline@city.example>\nEnvoyé : lundi 2 novembre 2026 10:01\nÀ : Z\nObjet : Ticket 1\n\nVotre numéro est 1",
            "2026年11月2日(月) 10:01 市民ホットライン <hotline@city.example>:\n\n> 受付番号は 1 です",
            "2026/11/02 10:01、市民ホットライン <hotline@city.example> のメール:\n> 受付番号は 1 です",
            "差出人: 市民ホットライン <hotline@city.example>\n送信日時: 2026年11月2日 10:01\n宛先: z@x.example\n件名: 受付 1\n\n受付番号は 1 です",
            "El lun, 2 nov 2026 a las 10:01, Hotline (<hotline@city.example>) escribió:\n\n> Su número es 1",
            "02.11.2026, 10:01, \"Hotline\" <hotline@city.example>:\n> Ваш номер 1",
            "> Your number is 1\n> Keep it",
        ] {
            for own in ["The lamp is still dark.", "路灯还是不亮。\n\n请尽快处理，谢谢！"] {
                check(&format!("{own}\n\n{marker}"), own);
            }
        }
    }

    #[test]
    fn signatures() {
        for signature in [
            "-- \nZhang Wei\nTel. 000",
            "--\nZhang Wei",
            "Sent from my iPhone",
            "发自我的iPhone",
            "发自我的 iPad",
            "来自我的华为手机",
            "从我的 iPhone 发送",
            "Von meinem iPhone gesendet",
            "Envoyé de mon iPhone",
            "iPhoneから送信",
            "Get Outlook for iOS<https://aka.ms/x>",
            "获取 Outlook for Android",
            "发自网易邮箱大师",
            "Sent from my HUAWEI P50",
            "Sent from Mail for Windows",
        ] {
            check(&format!("还是不亮\n\n{signature}"), "还是不亮");
            check(
                &format!("还是不亮\n\n{signature}\n\n在 2026-11-02 10:01:22，\"热线\" <h@c.example> 写道：\n> 您好"),
                "还是不亮",
            );
        }
    }

    #[test]
    fn answers_between_and_below() {
        check(
            "> Where is it?\n\nAt the east gate.\n\n> Since when?\n\nMonday.",
            "> Where is it?\n\nAt the east gate.\n\n> Since when?\n\nMonday.",
        );
        check("On 2 Nov 2026, Hotline <h@c.example> wrote:\n> Where is it?\n\nAt the east gate.", "At the east gate.");
    }

    #[test]
    fn prose_that_only_looks_like_a_marker() {
        for text in [
            "On the road to the school there is a hole.\nMy neighbour wrote:\nplease repair it",
            "From: the east gate\nto the west gate there is no light.",
            "在学校门口，有人写道“禁止停车”，但是没人管。",
            "Sent from my desk, is much easier than my phone.\nPlease call me.",
            "路灯坏了 -- 已经两周了",
            "收件人: 市长\n你好",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn never_empty() {
        for text in [
            "> only\n> quoted",
            "-----Original Message-----\nFrom: a\nx",
            "-- \nsignature",
            "在 2026-11-02 10:01，a <a@b.example> 写道：\n> x",
            "Sent from my iPhone",
        ] {
            check(text, text);
        }
        check("", "");
    }

    #[test]
    fn subjects() {
        for (subject, answers, forwards) in [
            ("Re: lamp", true, false),
            ("回复：路灯", true, false),
            ("答复: 路灯", true, false),
            ("RE：路灯", true, false),
            ("AW: Lampe", true, false),
            ("Re[2]: lamp", true, false),
            ("[City] Re: lamp", true, false),
            ("转发：路灯", false, true),
            ("Fwd: lamp", false, true),
            ("FW: lamp", false, true),
            ("Repair the lamp", false, false),
            ("路灯", false, false),
            ("Restaurant noise: again", false, false),
        ] {
            assert_eq!((subject_answers(subject), subject_forwards(subject)), (answers, forwards), "{subject}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "((> ?)?(On|在|写道：|wrote:|-- |From:|To:|Subject:|发件人：|\\PC{0,20}|[a-z ]{0,30})\n){0,30}") {
            let split = split(&text);
            let count = |text: &str| text.chars().filter(|character| !character.is_whitespace()).count();
            prop_assert_eq!(count(&split.visible) + split.quoted.as_deref().map_or(0, count), count(&text));
            prop_assert_eq!(split.visible.trim().is_empty(), text.trim().is_empty());
        }
    }
}
