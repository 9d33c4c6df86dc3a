//! The separator or the block of header lines above a mail that is quoted whole, or passed on.

use std::sync::LazyLock;

use regex::Regex;

use super::line::{Line, has_clock, has_date, pattern, squeezed};
use super::words::{FORWARD_TITLES, HEADER_NAMES, Role, SEPARATOR_TITLES};

/// A header block is at most this many lines long, wrapped values and blank lines counted.
const LONGEST_BLOCK: usize = 10;

/// A line of dashes and nothing else.
static RULE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[-_=* ]{3,}$"));

/// What the rest of a mail is, from the line at which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// A mail that this one answers.
    Quoted(usize),
    /// A mail that this one passes on: it is what the writer wants to be read.
    Forwarded(usize),
}

/// The first separator or header block.
pub(super) fn rest(lines: &[Line<'_>]) -> Option<Rest> {
    lines.iter().enumerate().find_map(|(at, line)| {
        if line.plain.is_empty() || line.is_quoted() {
            return None;
        }
        if let Some((title, dashed)) = title(&line.plain) {
            if is_among(FORWARD_TITLES, &title) && (dashed || line.plain.ends_with(':')) {
                return Some(Rest::Forwarded(at));
            }
            if is_among(SEPARATOR_TITLES, &title) && (dashed || block_below(lines, at + 1)) {
                return Some(Rest::Quoted(at));
            }
        }
        if RULE.is_match(&line.plain) {
            return block_below(lines, at + 1).then_some(Rest::Quoted(at));
        }
        if is_block(lines, at) {
            return Some(Rest::Quoted(at));
        }
        notes_block(lines, at).map(Rest::Quoted)
    })
}

fn is_among(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// The words of a line between dashes, without spaces, and whether there are dashes on both sides.
fn title(plain: &str) -> Option<(String, bool)> {
    let ornament = ['-', '_', '=', '*', ' '];
    let words = plain.trim_matches(ornament).trim_end_matches(':').trim_end();
    if words.is_empty() || words.chars().count() > 50 {
        return None;
    }
    let dashes = |text: &str| text.chars().filter(|character| matches!(character, '-' | '_' | '=')).count();
    let (before, after) = (plain.find(words)?, plain.rfind(words)? + words.len());
    let dashed = dashes(plain.get(..before)?) >= 2 && dashes(plain.get(after..)?) >= 2;
    Some((squeezed(words), dashed))
}

fn block_below(lines: &[Line<'_>], from: usize) -> bool {
    let next = (from..lines.len().min(from + 4)).find(|at| lines.get(*at).is_some_and(|line| !line.is_blank()));
    next.is_some_and(|at| is_block(lines, at))
}

fn named(name: &str) -> Option<Role> {
    let name = squeezed(name.trim_matches(['*', '_', '|', ' ', '#']));
    if name.is_empty() || name.chars().count() > 24 {
        return None;
    }
    HEADER_NAMES.iter().find(|(_, names)| is_among(names, &name)).map(|(role, _)| *role)
}

/// What a header line names, and its value.
fn header(line: &Line<'_>) -> Option<(Role, String)> {
    let plain = line.plain.trim_start_matches(['*', '_', ' ']);
    let (name, value) = match plain.strip_prefix('|') {
        // Mobile mailers draw the block as a table.
        Some(row) => row.trim().split_once('|')?,
        None => plain.split_once(':')?,
    };
    Some((named(name)?, value.trim_matches(['*', '_', ' ', '|']).to_owned()))
}

/// Whether a quoted header block begins here. A citizen too writes "from: ..., to: ..., date: ..." of a bus. Wanted are four
/// different fields, or three with an address, or three with a full date that have a subject or a paragraph of their own, or
/// two at once with an address and a full date.
fn is_block(lines: &[Line<'_>], start: usize) -> bool {
    if lines.get(start).and_then(header).is_none() {
        return false;
    }
    let mut roles: Vec<Role> = Vec::new();
    let (mut address, mut dated, mut strays, mut adjacent, mut last) = (false, false, 0, 0, start);
    for (place, line) in lines.iter().skip(start).take(LONGEST_BLOCK).enumerate() {
        match header(line) {
            Some((role, value)) => {
                last = start + place;
                if !roles.contains(&role) && role != Role::Other {
                    roles.push(role);
                }
                address |= matches!(role, Role::From | Role::To | Role::Cc) && value.contains('@');
                dated |= role == Role::Date && has_date(&value) && has_clock(&value);
                adjacent += usize::from(place == adjacent);
            }
            None if line.is_blank() => {}
            None => {
                // A field whose name is not known, with a date in it.
                dated |= line.plain.contains(": ") && has_date(&line.plain) && has_clock(&line.plain);
                strays += 1;
            }
        }
        if strays > 3 {
            break;
        }
    }
    let is_paragraph = (start == 0 || lines.get(start - 1).is_some_and(Line::is_blank))
        && lines.get(last + 1).is_none_or(Line::is_blank);
    let has = |role: Role| roles.contains(&role);
    let someone = has(Role::From) || has(Role::Date) && has(Role::To);
    someone
        && (roles.len() >= 4
            || roles.len() == 3 && (address || dated && has(Role::To) && (has(Role::Subject) || is_paragraph))
            || roles.len() == 2 && adjacent >= 2 && address && dated)
}

/// Old Notes clients write name and date, then each field's name on a line of its own. Says where it begins.
fn notes_block(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let bare = |line: &Line<'_>| named(&line.plain).filter(|_| !line.plain.ends_with(':'));
    if bare(lines.get(at)?)? != Role::To {
        return None;
    }
    let below: Vec<Role> = lines.iter().skip(at + 1).take(LONGEST_BLOCK).filter_map(bare).collect();
    if !below.contains(&Role::Subject) {
        return None;
    }
    let start = (at.saturating_sub(4)..at)
        .find(|above| lines.get(*above).is_some_and(|line| has_date(&line.plain) || line.plain.contains('@')))?;
    lines.iter().take(at).skip(start).any(|line| line.plain.contains('@')).then_some(start)
}
