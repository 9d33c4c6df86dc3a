//! One mail, taken apart: RFC 5322 headers, MIME parts, text, files.

use std::borrow::Cow;

use bytes::Bytes;
use channel_contract::{Attachment, AttachmentContent, digest};
use chrono::{DateTime, Utc};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::{addresses, charset, file_name, html, nesting, structure, words};

/// More files than this in one mail are an attack; the rest stays in the raw message only.
const MOST_ATTACHMENTS: usize = 256;

/// So many forwarded mails are shown as text.
const MOST_FORWARDED: usize = 20;

/// What [`crate::EmailChannel`]'s fetch is asked for when a file was above the limit.
pub(crate) const TOO_LARGE: &str = "too-large";

/// A mail as the rest of this crate sees it. Texts have `\n` line ends and no NUL.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Mail {
    /// All header fields of the mail itself: name in lower case, value unfolded, not decoded.
    pub(crate) fields: Vec<(String, String)>,
    /// Display name and address of the writer.
    pub(crate) from: Option<(Option<String>, String)>,
    /// Everybody in `To` and `Cc`, then where servers say that they delivered it.
    pub(crate) to: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) date: Option<DateTime<Utc>>,
    pub(crate) message_id: Option<String>,
    /// `In-Reply-To` and `References`, without brackets.
    pub(crate) references: Vec<String>,
    /// The text as written, quotation and all.
    pub(crate) text: String,
    /// What the mails say that this one forwards as files: subject and text of each.
    pub(crate) forwarded: String,
    /// The HTML, made safe.
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<Attachment>,
    /// `report-type` of a `multipart/report` (RFC 6522), in lower case.
    pub(crate) report_type: Option<String>,
    /// SHA-256 over `From`, `Date` and the body, with neither id nor date also the subject: with the Message-ID the identity
    /// of the mail.
    pub(crate) identity: [u8; 32],
    /// SHA-256 over all that decides what becomes of it.
    pub(crate) digest: [u8; 32],
}

impl Mail {
    /// The first value of a header field (lower-case name).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header field, top first.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The writer's address.
    pub(crate) fn writer(&self) -> Option<&str> {
        self.from.as_ref().map(|(_, address)| address.as_str())
    }
}

/// Takes a mail apart. `None` when there is neither a header nor a text in it.
pub(crate) fn parse(raw: &[u8], max_attachment_bytes: u64) -> Option<Mail> {
    let mut prepared = structure::prepare(raw);
    let mut mail = repaired(&prepared, |message| read(message, max_attachment_bytes))?;
    if matches!(prepared, Cow::Owned(_)) {
        // Identity is of what was sent, not of what was repaired: the next version may repair more.
        prepared = nesting::disarm(raw);
        if let Some(header) = MessageParser::default().parse_headers(&prepared) {
            let end = header.headers().last().map_or(0, |field| field.offset_end as usize);
            let rest = prepared.get(end..).unwrap_or_default();
            let body = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
            (mail.identity, mail.digest) = identities(&fields(&header), body);
        }
    }
    let nothing = mail.fields.is_empty() && mail.text.trim().is_empty() && mail.attachments.is_empty();
    (!nothing).then_some(mail)
}

/// Parses the bytes, with header blocks in UTF-8, and reads something of the message.
fn repaired<T>(bytes: &[u8], read: impl FnOnce(&Message<'_>) -> T) -> Option<T> {
    let parser = MessageParser::default();
    let first = parser.parse(bytes)?;
    let repaired = repair_headers(&first, bytes);
    let second = repaired.as_ref().and_then(|bytes| parser.parse(bytes));
    Some(read(second.as_ref().unwrap_or(&first)))
}

/// The mail with its header blocks in UTF-8, if any of them is not.
fn repair_headers(message: &Message<'_>, raw: &[u8]) -> Option<Vec<u8>> {
    let mut regions: Vec<_> = message
        .parts
        .iter()
        .map(|part| part.offset_header as usize..part.offset_body as usize)
        .filter(|region| raw.get(region.clone()).is_some_and(|bytes| std::str::from_utf8(bytes).is_err()))
        .collect();
    if regions.is_empty() {
        return None;
    }
    regions.sort_by_key(|region| region.start);
    let hint = message.parts.iter().find_map(|part| part.content_type()?.attribute("charset"));
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 8);
    let mut at = 0;
    for region in regions.into_iter().filter(|region| region.start <= region.end) {
        if region.start < at {
            continue;
        }
        out.extend_from_slice(raw.get(at..region.start)?);
        out.extend(charset::header_lines(raw.get(region.clone())?, hint));
        at = region.end;
    }
    out.extend_from_slice(raw.get(at..)?);
    Some(out)
}

/// All header fields of a message: name in lower case, value unfolded.
fn fields(message: &Message<'_>) -> Vec<(String, String)> {
    let raw: &[u8] = &message.raw_message;
    message
        .headers()
        .iter()
        .map(|header| {
            let value = raw.get(header.offset_start as usize..header.offset_end as usize).unwrap_or_default();
            (header.name.as_str().to_lowercase(), unfold(&String::from_utf8_lossy(value)))
        })
        .collect()
}

/// [`Mail::identity`] and [`Mail::digest`].
fn identities(fields: &[(String, String)], body: &[u8]) -> ([u8; 32], [u8; 32]) {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let deciding = [
        "message-id",
        "from",
        "sender",
        "date",
        "subject",
        "in-reply-to",
        "references",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "mime-version",
    ];
    let whole = digest(deciding.iter().map(|name| field(name).as_bytes()).chain([body]));
    // Scanners send every page as the same words, without id or date: then the subject tells them apart.
    let nameless = field("message-id").is_empty() && field("date").is_empty();
    let subject = if nameless { field("subject") } else { "" };
    let identity = [field("from").as_bytes(), field("date").as_bytes(), body, subject.as_bytes()];
    (digest(identity.into_iter().take(if nameless { 4 } else { 3 })), whole)
}

fn read(message: &Message<'_>, max_attachment_bytes: u64) -> Mail {
    let fields = fields(message);
    let body = message.parts.first().and_then(|part| message.raw_message.get(part.offset_body as usize..));
    let (identity, digest) = identities(&fields, body.unwrap_or_default());
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let mut mail = Mail {
        from: addresses::sender(message, &fields),
        to: addresses::recipients(message, &fields),
        subject: message
            .subject()
            .map(|subject| words::repaired(subject, field("subject")))
            .map(|subject| one_line(&subject)),
        date: message
            .date()
            .filter(|date| date.is_valid())
            .and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0)),
        message_id: ids(field("message-id")).into_iter().next(),
        references: references(&fields),
        report_type: report_type(message),
        identity,
        digest,
        ..Mail::default()
    };
    mail.text = text(message);
    mail.forwarded = joined(message.parts.iter().filter_map(forwarded).take(MOST_FORWARDED));
    mail.html = html_body(message).as_deref().and_then(html::sanitise).filter(|html| !html.trim().is_empty());
    mail.attachments = message
        .attachments()
        .filter(|part| !part.is_multipart())
        .take(MOST_ATTACHMENTS)
        .map(|part| attachment(message, part, max_attachment_bytes))
        .collect();
    mail.fields = fields;
    mail
}

fn report_type(message: &Message<'_>) -> Option<String> {
    let kind = message.content_type()?;
    let report = kind.ctype().eq_ignore_ascii_case("multipart") && kind.subtype()?.eq_ignore_ascii_case("report");
    report.then(|| kind.attribute("report-type").unwrap_or_default().to_lowercase())
}

fn references(fields: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in ["in-reply-to", "references"] {
        for (_, value) in fields.iter().filter(|(key, _)| key == name) {
            for id in ids(value).into_iter().take(100) {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
    }
    found
}

/// The message ids in a header value (RFC 5322, 3.6.4), without brackets; a lone word with `@` counts as one.
pub(crate) fn ids(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((id, after)) = after.split_once('>') else { break };
        let id: String = id.chars().filter(|character| !character.is_whitespace() && !character.is_control()).collect();
        if !id.is_empty() {
            found.push(id);
        }
        rest = after;
    }
    if found.is_empty() {
        let bare = value.trim();
        if !bare.is_empty() && !bare.contains(char::is_whitespace) && bare.len() < 500 {
            found.push(bare.trim_matches(['<', '>']).to_owned());
        }
    }
    found
}

/// The text as written; where an alternative's plain text is blank, or there is none, what else can be shown as text.
fn text(message: &Message<'_>) -> String {
    let mut left_blank = false;
    let text = joined(message.text_bodies().map(|part| {
        let piece = rendered(message, part);
        left_blank |= blank(&piece) && matches!(part.body, PartType::Text(_));
        piece
    }));
    // What names no writer is a fragment, which is read as it stands; `structure` does not repair it either.
    if !left_blank && !text.is_empty() || message.from().or_else(|| message.sender()).is_none() {
        return text;
    }
    let html = joined(message.html_bodies().map(|part| rendered(message, part)));
    if !html.is_empty() {
        return html;
    }
    if !text.is_empty() {
        return text;
    }
    // RFC 2046, 4.1.4: a kind of text that is not known is shown as plain text, where it begins the mail. It stays
    // among the files too.
    let first = message.parts.iter().find(|part| !part.is_multipart());
    let other = first.filter(|part| {
        let inline = part.content_disposition().is_none_or(|disposition| !disposition.is_attachment());
        matches!(part.body, PartType::Text(_))
            && inline
            && part.attachment_name().is_none()
            && part.content_type().is_some_and(of_other_text)
    });
    other.map(|part| rendered(message, part)).filter(|text| !blank(text)).unwrap_or_default()
}

fn forwarded(part: &MessagePart<'_>) -> Option<String> {
    let PartType::Message(inner) = &part.body else { return None };
    Some(joined([one_line(inner.subject().unwrap_or_default()), text(inner)].into_iter()))
}

/// A kind of text beside plain text and HTML that people can read.
fn of_other_text(kind: &mail_parser::ContentType<'_>) -> bool {
    let subtype = kind.subtype().unwrap_or_default().to_lowercase();
    let private = subtype.starts_with("x-") && subtype != "x-markdown";
    kind.ctype().eq_ignore_ascii_case("text")
        && !private
        && !matches!(subtype.as_str(), "plain" | "html" | "css" | "javascript" | "rfc822-headers")
}

fn rendered(message: &Message<'_>, part: &MessagePart<'_>) -> String {
    match &part.body {
        PartType::Text(_) => {
            let text = plain(&part_text(message, part));
            let joins = part.content_type().and_then(|kind| kind.attribute("delsp"));
            if joins.is_some_and(|value| value.eq_ignore_ascii_case("yes")) { unflowed(&text) } else { text }
        }
        PartType::Html(_) => plain(&html::to_text(&part_text(message, part))),
        _ => String::new(),
    }
}

/// Lines that were broken within a word (RFC 3676, `delsp=yes`, as scripts without spaces need) as one line again.
fn unflowed(text: &str) -> String {
    let depth = |line: &str| line.chars().take_while(|character| *character == '>').count();
    let mut out = String::with_capacity(text.len());
    let mut flows: Option<usize> = None;
    for line in text.split('\n') {
        let quotes = depth(line);
        let words = line.trim_start_matches('>');
        if flows == Some(quotes) {
            out.push_str(words.strip_prefix(' ').unwrap_or(words));
        } else {
            if !out.is_empty() || flows.is_some() {
                out.push('\n');
            }
            out.push_str(line);
        }
        flows = (line.ends_with(' ') && words.trim_start() != "-- ").then_some(quotes);
        if flows.is_some() {
            out.pop();
        }
    }
    out
}

/// White space and characters of no width only.
fn blank(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace() || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

fn joined(pieces: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for piece in pieces.filter(|piece| !blank(piece)) {
        if !text.is_empty() {
            text.truncate(text.trim_end_matches('\n').len());
            text.push_str("\n\n");
        }
        text.push_str(&piece);
    }
    text
}

pub(crate) fn html_body(message: &Message<'_>) -> Option<String> {
    let mut html = String::new();
    for part in message.html_bodies().filter(|part| matches!(part.body, PartType::Html(_))) {
        html.push_str(&part_text(message, part));
    }
    (!html.trim().is_empty()).then(|| html.replace('\0', ""))
}

/// The text of a text part. The parser's own decoding is taken unless there is a doubt about the character set.
fn part_text<'a>(message: &Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, str> {
    let parsed = match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.as_ref(),
        _ => return Cow::Borrowed(""),
    };
    let declared = part.content_type().and_then(|kind| kind.attribute("charset"));
    let trusted = declared.is_some_and(|label| label.trim().eq_ignore_ascii_case("utf-8"));
    if parsed.is_ascii() && !parsed.contains('\u{1b}') || trusted && !parsed.contains('\u{fffd}') {
        return Cow::Borrowed(parsed);
    }
    // Where the transfer encoding is broken, the parser saved more of the text than we could.
    if !parsed.contains('\u{fffd}') && transfer_decoded(message, part).is_none() && part.encoding != Encoding::None {
        return Cow::Borrowed(parsed);
    }
    Cow::Owned(charset::decode(&part_bytes(message, part), declared))
}

fn transfer_decoded(message: &Message<'_>, part: &MessagePart<'_>) -> Option<Vec<u8>> {
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    match part.encoding {
        Encoding::Base64 => base64_decode(raw),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
        Encoding::None => None,
    }
}

/// The decoded bytes of a part, before any character set.
fn part_bytes<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    match &part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Cow::Borrowed(bytes.as_ref()),
        _ => transfer_decoded(message, part).map_or_else(
            || {
                Cow::Borrowed(
                    message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default(),
                )
            },
            Cow::Owned,
        ),
    }
}

fn attachment(message: &Message<'_>, part: &MessagePart<'_>, limit: u64) -> Attachment {
    let media_type = part.content_type().map_or_else(
        || {
            if part.is_message() {
                "message/rfc822"
            } else if part.is_text() {
                "text/plain"
            } else {
                "application/octet-stream"
            }
            .to_owned()
        },
        |kind| {
            nesting::declared_type(
                &format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")).to_lowercase(),
            )
        },
    );
    let bytes = match &part.body {
        // A message that is none: the parser has cut it out better than its offsets say.
        PartType::Text(text) if part.is_encoding_problem && !text.contains('\u{fffd}') => {
            Cow::Borrowed(text.as_bytes())
        }
        _ => part_bytes(message, part),
    };
    let content = if bytes.len() as u64 > limit {
        AttachmentContent::Remote { source: TOO_LARGE.to_owned(), size: Some(bytes.len() as u64) }
    } else {
        AttachmentContent::Inline(Bytes::copy_from_slice(&bytes))
    };
    let name = file_name::of(message, part).unwrap_or_else(|| made_name(part, &media_type));
    Attachment { name, media_type, content }
}

fn made_name(part: &MessagePart<'_>, media_type: &str) -> String {
    if let PartType::Message(inner) = &part.body {
        let subject: String = inner.subject().map(file_name::safe).unwrap_or_default().chars().take(80).collect();
        return if subject.is_empty() { "message.eml".to_owned() } else { format!("{subject}.eml") };
    }
    let (class, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
    let stem = match class {
        "image" | "audio" | "video" | "text" | "message" => class,
        _ => "file",
    };
    let extension = match subtype {
        "plain" => "txt",
        "jpeg" | "pjpeg" => "jpg",
        "svg+xml" => "svg",
        "rfc822" => "eml",
        "delivery-status" | "disposition-notification" | "rfc822-headers" => "txt",
        "calendar" => "ics",
        "ms-tnef" => return "winmail.dat".to_owned(),
        "octet-stream" | "" => "bin",
        other if other.len() <= 5 && other.chars().all(|character| character.is_ascii_alphanumeric()) => other,
        _ => "bin",
    };
    format!("{stem}.{extension}")
}

fn unfold(value: &str) -> String {
    value.replace(['\r', '\n'], "").replace('\t', " ").trim().to_owned()
}

pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Line ends as `\n`, no NUL (PostgreSQL takes none), no byte order mark.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace(['\0', '\u{feff}'], "")
}
