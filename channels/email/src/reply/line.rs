//! The lines of a mail, each with a form in which markers can be looked for.

use std::sync::LazyLock;

use regex::Regex;

use super::words::WROTE;

/// Lines longer than this, in bytes, are prose: no marker is looked for in them.
const LONGEST_MARKER: usize = 500;

/// A line, as it stands and as markers are looked for.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// As it stands.
    pub(super) raw: &'a str,
    /// As [`plain`] makes it; empty for a line that is too long to be a marker.
    pub(super) plain: String,
}

impl<'a> Line<'a> {
    pub(super) fn of(raw: &'a str) -> Self {
        Line { raw, plain: if raw.len() > LONGEST_MARKER { String::new() } else { plain(raw) } }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.raw.trim().is_empty()
    }

    /// Whether the mailer marks the line as quotation. A bar does not: tables begin with it.
    pub(super) fn is_quoted(&self) -> bool {
        self.raw.trim_start().starts_with(['>', '＞'])
    }
}

/// Compiles a pattern of this module. A Unicode word boundary would send every Chinese line to the slow engine, so
/// none of them has one.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this module is not a regular expression")
}

/// An attribution as mailers leave it that flatten HTML: it need not begin or end with a line.
static INLINE: LazyLock<Regex> = LazyLock::new(|| {
    let attribution = format!(
        r"(?:(?:on|am|le|el|op|em)\s|在|于|於)\s?(?:\p{{L}}{{2,12}}[.,]{{0,2}}\s){{0,3}}\d{{1,4}}[^<>]{{0,160}}<?\s?[^<>@\s]+@[^<>@\s]+>?\s*(?:{})\s*[:：]$",
        WROTE.join("|")
    );
    pattern(&format!(r"(?i)(?:^|[^\p{{L}}\p{{N}}>-])({attribution})|(-{{2,}}\s*{attribution})"))
});

/// So many places are searched for an attribution within lines, from the first: the pattern is slow, and a hostile mail
/// could hold a hundred thousand of them.
const MOST_SEARCHED: usize = 64;

/// Where an attribution may end.
static WROTE_COLON: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"(?i)(?:{})\s*[:：]", WROTE.join("|"))));

/// The places at which attributions begin and end, if a full date and an address prove them, in rising order.
fn attributions(text: &str) -> Vec<usize> {
    let mut places = Vec::new();
    for end in WROTE_COLON.find_iter(text).map(|found| found.end()).take(MOST_SEARCHED) {
        let start = (end.saturating_sub(LONGEST_MARKER)..end).find(|at| text.is_char_boundary(*at)).unwrap_or(end);
        let window = text.get(start..end).filter(|window| window.contains('@')).unwrap_or_default();
        let found = INLINE.captures(window).and_then(|found| found.get(1).or_else(|| found.get(2)));
        if let Some(found) = found.filter(|found| has_date(&plain(found.as_str()))) {
            places.extend([start + found.start(), end]);
        }
    }
    places.sort_unstable();
    places
}

/// Takes a text apart; an attribution that shares its line with other words gets its own.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut breaks = attributions(text).into_iter().peekable();
    for raw in text.split_inclusive('\n') {
        let mut rest = raw;
        let quoted = raw.trim_start().starts_with(['>', '＞']);
        while let Some(at) = breaks.next_if(|at| *at < start + rest.len()) {
            let (before, after) = rest.split_at_checked(at - start).filter(|_| !quoted).unwrap_or(("", rest));
            if !before.trim().is_empty() && !after.trim().is_empty() {
                lines.push(Line::of(before));
                start = at;
                rest = after;
            }
        }
        lines.push(Line::of(rest.strip_suffix('\n').map_or(rest, |rest| rest.strip_suffix('\r').unwrap_or(rest))));
        start += rest.len();
    }
    lines
}

/// Lower case, with one kind of space, hyphen, colon, bracket and digit, and without invisible marks: mailers mix them.
pub(super) fn plain(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    for character in raw.chars() {
        let character = match character {
            // Soft hyphens, Arabic vowel signs, joiners and marks of direction.
            '\u{ad}'
            | '\u{64b}'..='\u{652}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                continue;
            }
            character if character.is_whitespace() => {
                if !plain.is_empty() && !plain.ends_with(' ') {
                    plain.push(' ');
                }
                continue;
            }
            '\u{2010}'..='\u{2015}' | '－' | '─' | '━' => '-',
            '：' => ':',
            '＜' => '<',
            '＞' => '>',
            '（' => '(',
            '）' => ')',
            '’' => '\'',
            digit @ ('０'..='９' | '٠'..='٩' | '۰'..='۹') => western(digit),
            character => character,
        };
        plain.extend(character.to_lowercase());
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// A digit of another script as one of ours; the three scripts count up from their zero.
fn western(digit: char) -> char {
    let zero = match digit {
        '０'..='９' => '０',
        '٠'..='٩' => '٠',
        _ => '۰',
    };
    char::from_digit(u32::from(digit) - u32::from(zero), 10).unwrap_or(digit)
}

/// Without any space: CJK mailers pad the names of header fields.
pub(super) fn squeezed(plain: &str) -> String {
    plain.chars().filter(|character| *character != ' ').collect()
}

/// A full date: with a year of four digits, or numeric.
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:^|[^0-9])(?:19|20|25)[0-9]{2}(?:[^0-9]|$)|[0-9]{1,2}[-/.] ?[0-9]{1,2}[-/.] ?[0-9]{2,4}")
});

/// A time of day. A dot between hours and minutes counts after a word for "at" only: dates have it too.
static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"[0-9]{1,2}:[0-9]{2}|[0-9]{1,2} ?[h時时点點시] ?[0-9]{2}|klo?\.? [0-9]{1,2}\.[0-9]{2}|[0-9]{1,2} ?[ap]\.?m(?:[^a-z]|$)",
    )
});

/// An address in angle brackets or parentheses, also where the line was wrapped within them.
static BRACKETED_ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[<(\[] ?[^<>()\s]+@[^<>()\s]+ ?[<>)\]]"));

pub(super) fn has_date(plain: &str) -> bool {
    DATE.is_match(plain)
}

pub(super) fn has_clock(plain: &str) -> bool {
    CLOCK.is_match(plain)
}

pub(super) fn has_bracketed_address(plain: &str) -> bool {
    plain.contains('@') && BRACKETED_ADDRESS.is_match(plain)
}

/// Something with which a person can be reached: an address, a link or a telephone number.
pub(super) fn has_contact(plain: &str) -> bool {
    plain.contains('@')
        || plain.contains("://")
        || plain.contains("www.")
        || plain.chars().filter(char::is_ascii_digit).count() >= 7
}
