//! One raw mail to one item: origin, identity, loops, reports, visible text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use channel_contract::{
    Attachment, AttachmentContent, Content, Control, ControlKind, Inbound, Message, QuarantineReason, RawRequest,
    Receipt,
};
use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use crate::bounce::{self, Bounce};
use crate::loops::{self, Circumstances};
use crate::mail::{self, Mail};
use crate::reply;
use crate::settings::Settings;

/// Marks a mail fetched again after the mailbox renumbered its messages; set by [`crate::EmailChannel`]'s poll.
pub(crate) const REFETCHED: &str = "yingda-refetched";

/// When the mailbox had the mail (IMAP INTERNALDATE, RFC 3339); set by [`crate::EmailChannel`]'s poll.
pub(crate) const ARRIVED: &str = "yingda-arrived";

/// The size in bytes of a mail of which only the header was fetched; set by [`crate::EmailChannel`]'s poll.
pub(crate) const OVERSIZE: &str = "yingda-oversize";

/// The same for a mail of which `yingda mail-in` hands over the header only.
pub(crate) const MESSAGE_SIZE: &str = "x-message-size";

/// Judges and parses one request.
pub(crate) fn receive(settings: &Settings, request: &RawRequest) -> Receipt {
    // IMAP and the pipe are our own hands; anybody can send a POST.
    if !matches!(request.method.as_str(), "FETCH" | "PIPE") && !bearer_fits(settings, request) {
        return Receipt::Unauthorized;
    }
    // The parser promises not to panic. A mail that proves it wrong must not stop those behind it.
    let parsed = catch_unwind(AssertUnwindSafe(|| mail::parse(&request.body, settings.max_attachment_bytes)));
    match parsed {
        Ok(Some(mail)) if says_nothing(&mail) => quarantine("it has neither text nor subject nor file"),
        Ok(Some(mail)) => Receipt::Verified(vec![item(settings, request, mail)]),
        Ok(None) => quarantine("neither a header nor a text could be found"),
        Err(_) => quarantine("the MIME parser failed on it"),
    }
}

fn says_nothing(mail: &Mail) -> bool {
    mail.text.trim().is_empty() && mail.attachments.is_empty() && mail.subject.as_deref().unwrap_or_default().is_empty()
}

fn quarantine(detail: &str) -> Receipt {
    Receipt::Quarantine { reason: QuarantineReason::Unparsable, detail: detail.to_owned() }
}

/// RFC 6750, section 2.1, compared in constant time.
fn bearer_fits(settings: &Settings, request: &RawRequest) -> bool {
    let Some(token) = settings.token.as_deref().filter(|token| !token.is_empty()) else { return false };
    let given = request.header("authorization").and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
    });
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

fn item(settings: &Settings, request: &RawRequest, mail: Mail) -> Inbound {
    let around = Circumstances {
        envelope_from: request.header("x-envelope-from"),
        arrived: request
            .header(ARRIVED)
            .and_then(|value| DateTime::parse_from_rfc3339(value).ok())
            .map(|time| time.with_timezone(&Utc)),
        refetched: request.header(REFETCHED).is_some(),
    };
    let key = key(&mail);
    let digest = mail.digest;
    let content = match bounce::read(&mail, around.envelope_from) {
        Some(Bounce::Report(report)) => Content::Report(report),
        Some(Bounce::Nameless) => Content::Control(Control {
            from: mail.writer().unwrap_or_default().to_owned(),
            kind: ControlKind::Ignored,
            language_hint: None,
        }),
        None => Content::Message(Box::new(message(settings, request, mail, &around))),
    };
    Inbound { key, digest, content }
}

/// Message-ID and hash, because ids are reused by broken senders and chosen by hostile ones; the hash alone without an id.
fn key(mail: &Mail) -> String {
    let hash: String = mail.identity.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    match mail.message_id.as_deref() {
        Some(id) => format!("{}:{hash}", id.chars().take(200).collect::<String>()),
        None => hash,
    }
}

/// The first tag of `Content-Language` (RFC 3282), which is the language of the sender's mailer as often as of the text.
fn language(mail: &Mail) -> Option<String> {
    let tag = mail.header("content-language")?.split(',').next()?.trim();
    let fine = (2..=35).contains(&tag.len())
        && tag.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    fine.then(|| tag.to_owned())
}

fn message(settings: &Settings, request: &RawRequest, mail: Mail, around: &Circumstances<'_>) -> Message {
    let no_acknowledgement = loops::reason(&mail, settings, around, request.received_at).map(str::to_owned);
    let language_hint = language(&mail);
    let subject = mail.subject.filter(|subject| !subject.is_empty());
    let named = subject.as_deref().unwrap_or_default();
    // "Re: Fwd:" too: what it passes on would be taken for a quotation.
    let answers = !reply::subject_forwards(named) && (reply::subject_answers(named) || !mail.references.is_empty());
    let (text, quoted) = if mail.text.trim().is_empty() {
        // Who only forwards mails as files means what stands in them.
        (mail.forwarded.trim_end().to_owned(), None)
    } else if answers {
        let split = reply::split(&mail.text);
        (split.visible, split.quoted)
    } else {
        (mail.text.trim_end().to_owned(), None)
    };
    let mut to = mail.to;
    if let Some(envelope_to) = request.header("x-envelope-to") {
        for address in envelope_to
            .split(',')
            .map(|address| address.trim().trim_matches(['<', '>']))
            .filter(|address| address.contains('@'))
        {
            if !to.iter().any(|known| known == address) {
                to.push(address.to_owned());
            }
        }
    }
    let mut attachments = mail.attachments;
    let size = request.header(OVERSIZE).or_else(|| request.header(MESSAGE_SIZE)).and_then(|size| size.parse().ok());
    if let Some(size) = size.filter(|size| *size > request.body.len() as u64) {
        attachments.push(Attachment {
            name: "message.eml".to_owned(),
            media_type: "message/rfc822".to_owned(),
            content: AttachmentContent::Remote { source: mail::TOO_LARGE.to_owned(), size: Some(size) },
        });
    }
    let (name, from) = mail.from.unwrap_or_default();
    Message {
        from,
        name,
        to,
        subject,
        text,
        quoted,
        html: mail.html,
        message_id: mail.message_id,
        references: mail.references,
        attachments,
        no_acknowledgement,
        language_hint,
        sent_at: mail.date,
        ..Message::default()
    }
}
