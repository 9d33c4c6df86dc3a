//! "On ... wrote:": the line in which a mailer says whose words follow.

use std::sync::LazyLock;

use regex::Regex;

use super::line::{Line, has_bracketed_address, has_clock, has_date, pattern};
use super::words::{ATTRIBUTION_BEGINS, QUOTING, WROTE, WROTE_BEFORE_NAME};

/// An attribution is wrapped over at most this many lines.
const LONGEST: usize = 5;

/// No mailer wraps a line that is shorter than this, in bytes.
const NARROWEST: usize = 72;

/// Begins with a word before a date, or with a date; only then are lines joined to look for the end.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    let [words, prefixes] = ATTRIBUTION_BEGINS;
    pattern(&format!(
        r"^[-*_ ]*(?:(?:{words}) .*[0-9]|(?:{prefixes}).{{0,60}}[0-9]|(?:\p{{L}}{{1,12}}[.,]{{0,2}} ){{0,2}}[0-9]{{1,4}} ?[-/.년年 ]|.{{1,80}}[于於在] ?[0-9]{{4}})"
    ))
});

static BEGINS_WITH_WORD: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"^[-*_ ]*(?:{}) ", ATTRIBUTION_BEGINS[0])));

static ENDS_WITH_VERB: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(?:^|[^a-zà-ÿа-я])(?:{}) ?:?-*$", WROTE.join("|"))));

static VERB_AND_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r" (?:{WROTE_BEFORE_NAME}) .{{1,200}}:$")));

static ENDS_WITH_ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"@[^<>()\s]+ ?[>)]:$"));

static QUOTES_SOMEBODY: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"^(?:{QUOTING}) .{{1,200}}:$")));

/// How many lines an attribution that begins here takes, if one does.
pub(super) fn attribution(lines: &[Line<'_>], at: usize, end: usize) -> Option<usize> {
    let lines = lines.get(..end)?;
    let first = lines.get(at).filter(|line| !line.plain.is_empty())?;
    let begins = BEGINS.is_match(&first.plain);
    let wraps = begins
        || first.plain.ends_with('<')
        || has_bracketed_address(&first.plain)
        || BEGINS_WITH_WORD.is_match(&first.plain)
        || is_name_above_address(lines, at);
    let mut joined = String::new();
    for count in 1..=if wraps { LONGEST } else { 1 } {
        let line = lines.get(at + count - 1)?;
        if line.plain.is_empty() || line.is_quoted() {
            return None;
        }
        if count > 1 {
            joined.push(' ');
        }
        joined.push_str(&line.plain);
        let next = next_written(lines, at + count);
        if attributes(&joined, begins || BEGINS.is_match(&joined), count == 1, next) {
            return Some(count);
        }
        // A sentence that is over is no part of the attribution below it.
        if line.plain.ends_with(['.', '!', '?', '。', '！', '？'])
            && lines.get(at + count).is_some_and(|next| BEGINS.is_match(&next.plain))
        {
            return None;
        }
    }
    None
}

/// Whether a quoted line attributes those below it, as where a mailer draws its bar beside the attribution too.
pub(super) fn is_quoted_attribution(lines: &[Line<'_>], at: usize) -> bool {
    let unquoted: Vec<Line<'_>> = lines
        .iter()
        .skip(at)
        .take(LONGEST)
        .map(|line| Line::of(line.raw.trim_start_matches(['>', '＞', ' '])))
        .collect();
    attribution(&unquoted, 0, unquoted.len()).is_some()
}

/// The next line with something on it.
fn next_written<'a>(lines: &'a [Line<'a>], from: usize) -> Option<&'a Line<'a>> {
    lines.iter().skip(from).find(|line| !line.is_blank())
}

/// A name that the mailer's wrapping has parted from its address: a line of a paragraph of its own, with which the next one
/// would have been too long.
fn is_name_above_address(lines: &[Line<'_>], at: usize) -> bool {
    let begins_paragraph = at == 0 || lines.get(at - 1).is_some_and(Line::is_blank);
    let (Some(name), Some(next)) = (lines.get(at), lines.get(at + 1)) else { return false };
    begins_paragraph
        && next.plain.starts_with('<')
        && next.plain.contains('@')
        && name.plain.len() + next.plain.len() >= NARROWEST
        && !name.plain.ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '；'])
}

/// Whether the joined lines attribute what follows them. Where the mailer marks the quotation, a verb and a colon are
/// enough. Where nothing does, the whole rest of the mail is at stake: a citizen's own "your officer wrote:" must not hide
/// it, so an address or a full date with a time is wanted besides.
fn attributes(joined: &str, begins: bool, single: bool, next: Option<&Line<'_>>) -> bool {
    let colon = joined.ends_with(':') || joined.ends_with("--");
    let followed = next.is_some_and(Line::is_quoted);
    if !colon && !followed {
        return false;
    }
    let address = has_bracketed_address(joined);
    let date = has_date(joined);
    let clock = has_clock(joined);
    let verb = ENDS_WITH_VERB.is_match(joined) || VERB_AND_NAME.is_match(joined);
    // Whatever the language: nobody else writes a date, an address and at once a colon.
    let mailers =
        colon && address && date && begins && (clock && joined.contains('<') || ENDS_WITH_ADDRESS.is_match(joined));
    if followed {
        let number = joined.contains(|character: char| character.is_ascii_digit());
        return if colon {
            verb && (single || begins && number || address) || address && date || QUOTES_SOMEBODY.is_match(joined)
        } else {
            date && (address && begins || verb && (address || clock))
        };
    }
    // Who cites by hand puts it in quotation marks; a mailer does not.
    let cited_by_hand = next.is_some_and(|line| line.plain.starts_with(['"', '“', '„', '«', '「', '『', '‘', '\'']));
    let angle = address && joined.contains('<');
    let known = verb && (angle || begins && date && (address || clock)) || angle && QUOTES_SOMEBODY.is_match(joined);
    (mailers || known) && !cited_by_hand
}
