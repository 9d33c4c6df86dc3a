//! What a person wrote now, told from what they quote and sign with.
//!
//! Works line by line on text: a separator or a block of header lines ends the visible part, an attribution
//! ("On ... wrote:", "在 ... 写道：") with its quotation is taken out, trailing quotation, signature and the lines of devices
//! fall off. Answers written between quoted lines keep their context, and so does a mail that is passed on.
//! Where it is in doubt, a line stays: to show a quotation is better than to lose a citizen's words.
//! Every line is looked at a bounded number of times.

mod attribution;
mod closing;
mod header_block;
mod line;
mod subject;
mod words;

use header_block::Rest;
use line::Line;
pub(crate) use subject::{subject_answers, subject_forwards, subject_is_automatic};

/// A text in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// What this person wrote now; never blank where the whole was not.
    pub(crate) visible: String,
    /// Quotation and signature, as they stood.
    pub(crate) quoted: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Quoted,
    /// Who is quoted: an attribution.
    Attribution,
    /// What a device or an app added.
    Device,
}

/// Splits the text of a mail that answers another one.
pub(crate) fn split(text: &str) -> Split {
    let lines = line::lines(text);
    let (end, mut forwarded) = match header_block::rest(&lines) {
        Some(Rest::Quoted(at)) => (at, lines.len()),
        Some(Rest::Forwarded(at)) => (at, at),
        None => (lines.len(), lines.len()),
    };
    let mut kinds = vec![Kind::Own; end];
    let mut cut = end;
    let mut at = 0;
    while let Some(line) = lines.get(at).filter(|_| at < end) {
        if line.is_quoted() || is_broken_link(&lines, at) {
            set(&mut kinds, at, 1, Kind::Quoted);
            at += 1;
        } else if let Some(count) = attribution::attribution(&lines, at, end) {
            set(&mut kinds, at, count, Kind::Attribution);
            let next = lines.iter().take(end).skip(at + count).find(|line| !line.is_blank());
            if !next.is_some_and(Line::is_quoted) && has_own(&lines, &kinds, at) {
                // Nothing marks where this quotation ends: it goes on to the end of the mail.
                cut = at;
                forwarded = lines.len();
                break;
            }
            at += count;
        } else {
            if closing::is_device(line) && has_own(&lines, &kinds, at) {
                let card = closing::card(&lines, at);
                set(&mut kinds, card, at + 1 - card, Kind::Device);
            }
            at += 1;
        }
    }
    kinds.truncate(cut);
    let mut visible = assemble(&lines, &mut kinds);
    while (1..lines.len()).contains(&forwarded) && lines.get(forwarded - 1).is_some_and(Line::is_blank) {
        forwarded -= 1;
    }
    visible.extend(forwarded..lines.len());
    finish(text, &lines, &visible)
}

fn set(kinds: &mut [Kind], at: usize, count: usize, kind: Kind) {
    for slot in kinds.iter_mut().skip(at).take(count) {
        *slot = kind;
    }
}

/// Whether the line is the rest of a link that a mailer has broken out of the quotation around it.
fn is_broken_link(lines: &[Line<'_>], at: usize) -> bool {
    let (Some(before), Some(line), Some(after)) =
        (at.checked_sub(1).and_then(|before| lines.get(before)), lines.get(at), lines.get(at + 1))
    else {
        return false;
    };
    let opened =
        before.plain.rfind("(http").is_some_and(|open| before.plain.rfind(')').is_none_or(|close| close < open));
    before.is_quoted()
        && after.is_quoted()
        && (line.plain.starts_with("(http") || opened && !line.plain.is_empty() && !line.plain.contains(' '))
}

/// The runs of quoted lines, each with whether an attribution stands above it or is its first line.
fn quotations(lines: &[Line<'_>], kinds: &[Kind]) -> Vec<(std::ops::Range<usize>, bool)> {
    let mut found: Vec<(std::ops::Range<usize>, bool)> = Vec::new();
    let mut above = Kind::Own;
    for (at, kind) in kinds.iter().enumerate().filter(|(at, _)| lines.get(*at).is_some_and(|line| !line.is_blank())) {
        match (kind, found.last_mut()) {
            (Kind::Quoted, Some((run, _))) if above == Kind::Quoted => run.end = at + 1,
            (Kind::Quoted, _) => {
                let attributed = above == Kind::Attribution || attribution::is_quoted_attribution(lines, at);
                found.push((at..at + 1, attributed));
            }
            _ => {}
        }
        above = *kind;
    }
    found
}

fn has_own(lines: &[Line<'_>], kinds: &[Kind], before: usize) -> bool {
    lines.iter().zip(kinds).take(before).any(|(line, kind)| *kind == Kind::Own && !line.is_blank())
}

/// Joins what this person wrote. Quotation at the end and a single one at the beginning go, and so does the only one if it
/// is attributed; otherwise it stays between own lines, which answer it.
fn assemble(lines: &[Line<'_>], kinds: &mut Vec<Kind>) -> Vec<usize> {
    let own = |kinds: &[Kind], at: usize| {
        kinds.get(at) == Some(&Kind::Own) && lines.get(at).is_some_and(|line| !line.is_blank())
    };
    if let [(only, true)] = quotations(lines, kinds).as_slice() {
        set(kinds, only.start, only.len(), Kind::Attribution);
    }
    let mut attributed = false;
    loop {
        let before = kinds.len();
        while let Some(last) = kinds.len().checked_sub(1) {
            // Above the mail that is answered, an unattributed quotation is what the writer cites.
            if own(kinds, last) || attributed && kinds.get(last) == Some(&Kind::Quoted) {
                break;
            }
            attributed |= kinds.pop() == Some(Kind::Attribution);
        }
        if let Some(at) = closing::signature(lines, kinds.len(), |at| own(kinds, at)) {
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
    (start..kinds.len()).filter(|at| matches!(kinds.get(*at), Some(Kind::Own | Kind::Quoted))).collect()
}

fn finish(text: &str, lines: &[Line<'_>], visible: &[usize]) -> Split {
    let kept: Vec<&str> = visible.iter().filter_map(|at| lines.get(*at)).map(|line| line.raw).collect();
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
            rest.push(line.raw);
        }
    }
    let rest = rest.join("\n").trim_matches('\n').trim_end().to_owned();
    Split { visible: joined, quoted: (!rest.trim().is_empty()).then_some(rest) }
}

#[cfg(test)]
mod tests;
