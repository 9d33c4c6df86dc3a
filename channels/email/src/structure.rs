//! Repairs the MIME structure of a mail before it is parsed, where its sender left it open or said it wrongly.
//!
//! A walk along header blocks and boundary lines (RFC 2046, 5.1) that knows no more of a part than the parser tells of its
//! header. It closes what is not closed, finds a boundary that is declared wrongly, and mends transfer encodings
//! ([`crate::transfer`]), so that the parser reads the mail as its writer meant it. A mail in good order is not copied.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use mail_parser::{ContentType, Header, HeaderName, MessageParser, MimeHeaders};

use crate::{nesting, transfer};

/// Multiparts nested deeper than this come from no mailer; such a mail is parsed as it is.
const DEEPEST: usize = 64;

/// So many boundaries of one mail are looked for where the declared one is missing.
const MOST_GUESSES: usize = 8;

/// The bytes of a mail made ready for the parser: hostile nesting disarmed, structure repaired.
pub(crate) fn prepare(raw: &[u8]) -> Cow<'_, [u8]> {
    let raw = beginning(raw);
    if raw.contains(&b'\r') && !raw.contains(&b'\n') {
        // Line ends of a system that has gone, which the parser takes for none.
        let lines: Vec<u8> = raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
        return Cow::Owned(prepare(&lines).into_owned());
    }
    match nesting::disarm(raw) {
        Cow::Borrowed(bytes) => mend(bytes),
        Cow::Owned(bytes) => Cow::Owned(match mend(&bytes) {
            Cow::Owned(mended) => mended,
            Cow::Borrowed(_) => bytes,
        }),
    }
}

/// The mail from its first header field on: a byte order mark or an empty line before it would end the header.
pub(crate) fn beginning(raw: &[u8]) -> &[u8] {
    let bare = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let bare = bare.get(bare.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()..).unwrap_or_default();
    let name: &[u8] = bare.split(|byte| *byte == b':').next().unwrap_or_default();
    let field = name.len() < bare.len() && !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    if field { bare } else { raw }
}

/// Closes and corrects the structure. What names no writer is a fragment, which nobody has sent: it stays as it is.
fn mend(raw: &[u8]) -> Cow<'_, [u8]> {
    let written = MessageParser::default()
        .parse_headers(raw)
        .is_some_and(|header| header.header(HeaderName::From).is_some() || header.header(HeaderName::Sender).is_some());
    let (edits, guesses) = Walk::new(raw).edits();
    // For each boundary that is not there the parser reads to the end of the mail.
    if !written && guesses <= MOST_GUESSES {
        return Cow::Borrowed(raw);
    }
    if edits.is_empty() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 16);
    let mut at = 0;
    for (range, bytes) in edits {
        out.extend_from_slice(raw.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(&bytes);
        at = range.end;
    }
    out.extend_from_slice(raw.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

/// What stands in place of a range of bytes; ranges follow each other.
type Edit = (Range<usize>, Vec<u8>);

/// A line that may be a boundary.
struct Dashes<'a> {
    start: usize,
    end: usize,
    /// The line behind its two dashes, without trailing white space.
    text: &'a [u8],
}

struct Walk<'a> {
    raw: &'a [u8],
    dashes: Vec<Dashes<'a>>,
    /// The last place of each text in `dashes`.
    last: HashMap<&'a [u8], usize>,
    /// The next of `dashes` to be looked at.
    next: usize,
    /// Boundaries of the multiparts that are open, outermost first.
    open: Vec<Vec<u8>>,
    guesses: usize,
    edits: Vec<Edit>,
}

/// What a header block says of the part below it.
enum Part {
    Multipart { boundary: Vec<u8>, digest: bool },
    Message,
    Leaf(Encoding),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Base64,
    QuotedPrintable,
    None,
}

impl<'a> Walk<'a> {
    fn new(raw: &'a [u8]) -> Self {
        let mut dashes = Vec::new();
        let mut start = 0;
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            if let Some(text) = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end).filter(|text| !text.is_empty()) {
                dashes.push(Dashes { start, end, text });
            }
            start = end;
        }
        let last = dashes.iter().map(|line| (line.text, line.start)).collect();
        Self { raw, dashes, last, next: 0, open: Vec::new(), guesses: 0, edits: Vec::new() }
    }

    /// What is to be changed, and how many boundaries were not where they should be.
    fn edits(mut self) -> (Vec<Edit>, usize) {
        let mut at = 0;
        let mut in_digest = false;
        while let Some(body) = self.header_end(at) {
            let part = self.part(at..body, in_digest);
            let mut encoding = Encoding::None;
            let mut began = true;
            in_digest = false;
            match part {
                Part::Message => {
                    at = body;
                    if at >= self.raw.len() {
                        break;
                    }
                    continue;
                }
                Part::Multipart { boundary, digest } => {
                    if self.open.len() >= DEEPEST {
                        return (Vec::new(), 0);
                    }
                    self.open.push(boundary);
                    in_digest = digest;
                    began = false;
                }
                Part::Leaf(found) => encoding = found,
            }
            let Some(next) = self.next_part(body, encoding, began) else { break };
            in_digest &= next.same;
            at = next.at;
        }
        (self.edits, self.guesses)
    }

    /// Where the body below a header block begins; `None` when a boundary cuts the block off, over which the parser reads.
    fn header_end(&self, at: usize) -> Option<usize> {
        let mut end = at;
        for (place, line) in self.raw.get(at..).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').enumerate() {
            end += line.len();
            // A line of blanks within the block is a fold of the field before it.
            if matches!(line, b"\n" | b"\r\n") || place == 0 && line.trim_ascii().is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end)
                && self.open.iter().any(|open| text.strip_suffix(b"--").unwrap_or(text) == open.as_slice())
            {
                return None;
            }
        }
        Some(end)
    }

    /// Reads a header block, and corrects what it says of type and encoding.
    fn part(&mut self, block: Range<usize>, in_digest: bool) -> Part {
        let offset = block.start;
        let body = block.end;
        let header = MessageParser::default().parse_headers(self.raw.get(block).unwrap_or_default());
        let Some(part) = header.as_ref().and_then(|header| header.parts.first()) else {
            return if in_digest { Part::Message } else { Part::Leaf(Encoding::None) };
        };
        let field = |name: HeaderName<'_>| part.headers.iter().rev().find(|header| header.name == name);
        let value = |header: &Header<'_>| {
            let range = offset + header.offset_start as usize..offset + header.offset_end as usize;
            let length = self.raw.get(range.clone()).unwrap_or_default().trim_ascii_end().len();
            range.start..range.start + length
        };
        let mut edits = Vec::new();
        let encoding = field(HeaderName::ContentTransferEncoding).map_or(Encoding::None, |header| {
            let range = value(header);
            let given = self.raw.get(range.clone()).unwrap_or_default();
            let (encoding, name) = Encoding::of(given);
            if let Some(name) = name {
                edits.push((range, [b" ", name.as_bytes()].concat()));
            }
            encoding
        });
        let declared = field(HeaderName::ContentType);
        let mut plain = false;
        if let Some(header) = declared {
            let range = value(header);
            let given = self.raw.get(range.clone()).unwrap_or_default();
            if let Some((length, kind)) = corrected_type(given) {
                plain = true;
                edits.push((range.start..range.start + length, [b" ", kind.as_bytes()].concat()));
            }
        }
        let kind = part.content_type().filter(|_| !plain);
        let is = |class: &str| kind.is_some_and(|kind| kind.ctype().eq_ignore_ascii_case(class));
        let subtype = kind.and_then(ContentType::subtype).unwrap_or_default().to_ascii_lowercase();
        let found = if is("multipart") {
            let boundary = kind.and_then(|kind| kind.attribute("boundary")).unwrap_or_default().as_bytes();
            if let Some(boundary) = self.boundary(boundary, body) {
                let digest = subtype == "digest";
                if let (Cow::Owned(boundary), Some(kind), Some(header)) = (&boundary, kind, declared) {
                    edits.push((value(header), with_boundary(kind, boundary)));
                }
                Part::Multipart { boundary: boundary.into_owned(), digest }
            } else {
                if let (false, Some(header)) = (plain, declared) {
                    edits.push((value(header), b" text/plain".to_vec()));
                }
                Part::Leaf(encoding)
            }
        } else if encoding == Encoding::None
            && (is("message") && matches!(subtype.as_str(), "rfc822" | "global")
                || kind.is_none() && !plain && in_digest)
        {
            Part::Message
        } else {
            Part::Leaf(encoding)
        };
        edits.sort_by_key(|(range, _)| range.start);
        self.edits.extend(edits);
        found
    }

    /// The boundary of a multipart whose body begins at `body`: as declared (borrowed), or the one it uses (owned).
    fn boundary<'b>(&mut self, declared: &'b [u8], body: usize) -> Option<Cow<'b, [u8]>> {
        let used = |text: &[u8]| self.last.get(text).is_some_and(|place| *place >= body);
        if !declared.is_empty() && (used(declared) || used(&[declared, b"--"].concat())) {
            return Some(Cow::Borrowed(declared));
        }
        self.guesses += 1;
        let rest = self.raw.get(body..).unwrap_or_default();
        let anywhere = [b"--", declared].concat();
        if self.guesses > MOST_GUESSES {
            return None;
        }
        if !declared.is_empty() && rest.windows(anywhere.len()).any(|window| window == anywhere) {
            return Some(Cow::Borrowed(declared));
        }
        let used = |line: &Dashes<'_>| {
            let header = self.raw.get(line.end..).unwrap_or_default();
            let closed = self.last.get([line.text, b"--"].concat().as_slice()).is_some_and(|place| *place > line.start);
            let mine =
                !self.open.iter().any(|open| line.text.strip_suffix(b"--").unwrap_or(line.text) == open.as_slice());
            let fit = line.text.len() <= 200
                && line.text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"' && *byte != b'\\');
            mine && fit && (closed || header.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"content-")))
        };
        let line = self.dashes.iter().skip(self.next).find(|line| line.start >= body && used(line))?;
        Some(Cow::Owned(line.text.to_vec()))
    }

    /// Goes to the boundary that ends what begins at `body`, closing multiparts that it leaves. `began` is whether the
    /// innermost multipart has had its first part. `None` at the end of the mail.
    fn next_part(&mut self, body: usize, encoding: Encoding, mut began: bool) -> Option<Next> {
        let mut at = body;
        let innermost = self.open.len();
        let mut first = true;
        loop {
            let found = self.delimiter(at);
            let end = found.as_ref().map_or(self.raw.len(), |found| found.start);
            if std::mem::take(&mut first) && began {
                self.leaf(body..end, encoding);
            }
            let Some(found) = found else {
                self.close(0, self.raw.len(), began);
                return None;
            };
            self.close(found.level + 1, found.start, began);
            began = true;
            if !found.closes {
                return Some(Next { at: found.end, same: self.open.len() == innermost });
            }
            self.open.pop();
            if self.open.is_empty() {
                return None;
            }
            at = found.end;
        }
    }

    /// The next boundary of an open multipart, the innermost first.
    fn delimiter(&mut self, at: usize) -> Option<Delimiter> {
        while let Some(line) = self.dashes.get(self.next) {
            self.next += 1;
            if line.start < at {
                continue;
            }
            let found = self.open.iter().enumerate().rev().find_map(|(level, boundary)| {
                let closes = line.text.strip_prefix(boundary.as_slice())? == b"--";
                (closes || line.text == boundary.as_slice()).then_some((level, closes))
            });
            if let Some((level, closes)) = found {
                return Some(Delimiter { start: line.start, end: line.end, level, closes });
            }
        }
        None
    }

    /// Closes the multiparts from `level` inwards at `place`, which begins a line or is the end of the mail.
    fn close(&mut self, level: usize, place: usize, began: bool) {
        let mut bytes = Vec::new();
        if self.open.len() > level && place == self.raw.len() && !self.raw.ends_with(b"\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        let innermost = self.open.len().saturating_sub(1);
        while self.open.len() > level {
            let Some(boundary) = self.open.pop() else { break };
            if self.open.len() == innermost && !began {
                for piece in [b"--", boundary.as_slice(), b"\r\n\r\n"] {
                    bytes.extend_from_slice(piece);
                }
            }
            for piece in [b"--", boundary.as_slice(), b"--\r\n"] {
                bytes.extend_from_slice(piece);
            }
        }
        if !bytes.is_empty() {
            self.edits.push((place..place, bytes));
        }
    }

    /// Mends the transfer encoding of a part's body. The line end before a boundary belongs to the boundary.
    fn leaf(&mut self, body: Range<usize>, encoding: Encoding) {
        let bytes = self.raw.get(body.clone()).unwrap_or_default();
        let mut repaired = match encoding {
            Encoding::Base64 => transfer::repaired_base64(bytes),
            Encoding::QuotedPrintable => transfer::repaired_quoted_printable(bytes),
            Encoding::None => None,
        };
        // The parser looks for the boundary anywhere, not only where a line begins.
        if let Some(boundary) = self.open.last().filter(|_| encoding != Encoding::Base64) {
            let quoted = encoding == Encoding::QuotedPrintable;
            if let Some(escaped) = transfer::without(repaired.as_deref().unwrap_or(bytes), boundary, quoted) {
                repaired = Some(escaped);
                if !quoted {
                    let before = self.raw.get(..body.start).unwrap_or_default();
                    let blank = if before.ends_with(b"\r\n") { 2 } else { 1 };
                    let place = body.start.saturating_sub(blank);
                    self.edits.push((place..place, b"Content-Transfer-Encoding: quoted-printable\r\n".to_vec()));
                }
            }
        }
        if let Some(mut repaired) = repaired {
            if !repaired.ends_with(b"\n") {
                repaired.extend_from_slice(b"\r\n");
            }
            self.edits.push((body, repaired));
        }
    }
}

struct Next {
    at: usize,
    /// Whether the part is of the multipart that was innermost before.
    same: bool,
}

struct Delimiter {
    start: usize,
    end: usize,
    level: usize,
    closes: bool,
}

impl Encoding {
    /// The encoding a field names, and its right name if it is not written so: mailers append a semicolon or a comment,
    /// or quote it.
    fn of(value: &[u8]) -> (Self, Option<&'static str>) {
        let name: Vec<u8> = value
            .trim_ascii()
            .trim_ascii_start()
            .iter()
            .filter(|byte| !matches!(byte, b'"' | b'\''))
            .take_while(|byte| !matches!(byte, b';' | b'(' | b','))
            .map(u8::to_ascii_lowercase)
            .collect();
        let (encoding, right) = match name.trim_ascii() {
            b"base64" | b"base-64" | b"x-base64" => (Self::Base64, "base64"),
            b"quoted-printable" | b"quoted printable" | b"quotedprintable" | b"quoted_printable" => {
                (Self::QuotedPrintable, "quoted-printable")
            }
            _ => return (Self::None, None),
        };
        (encoding, (!value.trim_ascii().eq_ignore_ascii_case(right.as_bytes())).then_some(right))
    }
}

/// For a `Content-Type` that names no type: how many of its bytes are replaced, and by what (RFC 2045, 5.2: plain text).
fn corrected_type(value: &[u8]) -> Option<(usize, &'static str)> {
    let length = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let given = value.get(..length).unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match given.as_slice() {
        b"" | b"text" | b"text/" | b"plain" => Some((length, "text/plain")),
        b"html" => Some((length, "text/html")),
        _ => None,
    }
}

/// The value of a multipart's `Content-Type` with another boundary.
fn with_boundary(kind: &ContentType<'_>, boundary: &[u8]) -> Vec<u8> {
    let mut out = format!(" {}/{}", kind.ctype(), kind.subtype().unwrap_or("mixed")).into_bytes();
    let others = kind.attributes().unwrap_or_default().iter().filter(|attribute| attribute.name != "boundary");
    for attribute in others.filter(|attribute| !attribute.value.contains(['"', '\\', '\r', '\n'])) {
        out.extend_from_slice(format!("; {}=\"{}\"", attribute.name, attribute.value).as_bytes());
    }
    for piece in [b"; boundary=\"", boundary, b"\""] {
        out.extend_from_slice(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use channel_contract::AttachmentContent;
    use proptest::prelude::*;

    use super::*;
    use crate::mail;

    /// Text, then name, type and content of each file.
    fn read(top: &str, body: &str) -> (String, Vec<(String, String, String)>) {
        let raw = format!("From: li@example.org\r\nSubject: lamp\r\n{top}\r\n\r\n{body}");
        let mail = mail::parse(raw.as_bytes(), u64::MAX).expect("a mail");
        let files = mail.attachments.iter().map(|file| {
            let AttachmentContent::Inline(bytes) = &file.content else { panic!("no content") };
            (file.name.clone(), file.media_type.clone(), String::from_utf8_lossy(bytes).into_owned())
        });
        (mail.text.trim().to_owned(), files.collect())
    }

    fn pdf() -> Vec<(String, String, String)> {
        vec![("a.pdf".to_owned(), "application/pdf".to_owned(), "%PDF-1.4 abc".to_owned())]
    }

    const MIXED: &str = "Content-Type: multipart/mixed; boundary=outer";
    const TEXT: &str = "--outer\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n路灯坏了\r\n";
    const FILE: &str = "--outer\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQgYWJj";

    #[test]
    fn what_is_not_closed_is_closed() {
        assert_eq!(read(MIXED, &format!("{TEXT}{FILE}")), ("路灯坏了".to_owned(), pdf()));
        let html = "--outer\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>路灯<b>坏了</b></p>";
        assert_eq!(read(MIXED, html), ("路灯坏了".to_owned(), Vec::new()));
        let inner = "--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\r\n路灯坏了\r\n";
        assert_eq!(read(MIXED, &format!("{inner}{FILE}\r\n--outer--\r\n")), ("路灯坏了".to_owned(), pdf()));
        let begun = "--outer\r\nContent-Type: multipart/related; boundary=inner\r\n\r\nnothing\r\n";
        let (text, files) = read(MIXED, &format!("{TEXT}{begun}{FILE}\r\n--outer--\r\n\r\n--inner\r\n\r\nx"));
        assert_eq!((text.as_str(), files), ("路灯坏了", pdf()));
    }

    #[test]
    fn many_boundaries_that_are_not_there_are_plain_text() {
        let part = |number: usize| format!("--outer\r\nContent-Type: multipart/mixed; boundary=b{number}\r\n\r\n");
        let body: String = (0..MOST_GUESSES + 3).map(part).collect();
        let raw = format!("{MIXED}\r\n\r\n{body}");
        assert_eq!(String::from_utf8_lossy(&prepare(raw.as_bytes())).matches("text/plain").count(), MOST_GUESSES + 3);
    }

    #[test]
    fn a_boundary_within_a_line_is_text() {
        let body = "--outer\r\nContent-Type: text/plain; charset=utf-8\r\n\r\na=b see --outer here \r\n路灯\r\n";
        let (text, files) = read(MIXED, &format!("{body}{FILE}\r\n--outer--\r\n"));
        assert_eq!((text.as_str(), files), ("a=b see --outer here \n路灯", pdf()));
    }

    #[test]
    fn types_and_boundaries_that_are_said_wrongly() {
        for kind in ["text", "text/", "", "plain; charset=utf-8"] {
            assert_eq!(read(&format!("Content-Type: {kind}"), "路灯坏了").0, "路灯坏了", "{kind}");
        }
        assert_eq!(read("Content-Type: multipart/mixed", "路灯坏了").0, "路灯坏了");
        for declared in ["multipart/mixed", "multipart/mixed; boundary=\"\"", "multipart/mixed; boundary=other"] {
            let body = format!("{TEXT}{FILE}\r\n--outer--\r\n");
            assert_eq!(read(&format!("Content-Type: {declared}"), &body), ("路灯坏了".to_owned(), pdf()), "{declared}");
        }
    }

    #[test]
    fn transfer_encodings_that_are_not_quite_kept() {
        let plain = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding:";
        for (encoding, body, text) in [
            ("quoted-printable", "=E8=B7=AF == =E7=81=AF", "路 == 灯"),
            ("quoted-printable", "a = b\r\nb = c", "a = b\nb = c"),
            ("base64", "6Lev54Gv\r\n\r\n______\r\nList mailing list\r\n", "路灯"),
            ("base64", "6Lev54GvYQ", "路灯a"),
            ("base64;", "6Lev54Gv", "路灯"),
            ("\"base64\"", "6Lev54Gv", "路灯"),
            ("base64 (x)", "6Lev54Gv", "路灯"),
            ("quoted printable", "=E8=B7=AF", "路"),
        ] {
            assert_eq!(read(&format!("{plain} {encoding}"), body).0, text, "{encoding}");
        }
    }

    #[test]
    fn what_stands_before_the_header() {
        for before in ["\u{feff}", "\r\n", "\n\n"] {
            let mail = mail::parse(format!("{before}From: li@example.org\nSubject: lamp\n\nx").as_bytes(), u64::MAX);
            let mail = mail.expect("a mail");
            assert_eq!((mail.writer(), mail.text.as_str()), (Some("li@example.org"), "x"), "{before:?}");
        }
        let old = mail::parse(b"From: li@example.org\rSubject: lamp\r\rx\ry", u64::MAX).expect("a mail");
        assert_eq!(old.text, "x\ny");
    }

    #[test]
    fn a_repair_leaves_the_identity_alone() {
        let raw = format!("From: li@example.org\r\n{MIXED}\r\n\r\n{TEXT}{FILE}");
        let prepared = prepare(raw.as_bytes());
        assert!(matches!(prepared, Cow::Owned(_)));
        let repaired = mail::parse(&prepared, u64::MAX).expect("a mail");
        let mail = mail::parse(raw.as_bytes(), u64::MAX).expect("a mail");
        assert_ne!(mail.identity, repaired.identity);
        let body = format!("{TEXT}{FILE}");
        assert_eq!(mail.identity, channel_contract::digest([&b"li@example.org"[..], b"", body.as_bytes(), b""]));
        assert_eq!(mail.attachments, repaired.attachments);
    }

    proptest! {
        #[test]
        fn closing_adds_and_takes_nothing_away(body in "(\n--a\n|\n--b\n|\r\n--a--\r\n|\r\n|\n|x|Content-Type: multipart/mixed; boundary=(a|b)\n|Content-Type: message/rfc822\n){0,40}") {
            let raw = format!("From: li@example.org\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n{body}\r\n--a\r\n--b\r\n");
            let prepared = prepare(raw.as_bytes());
            let mut rest = prepared.iter();
            prop_assert!(raw.bytes().all(|byte| rest.any(|kept| *kept == byte)), "{}", String::from_utf8_lossy(&prepared));
        }
    }
}
