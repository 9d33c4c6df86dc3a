//! Delivery reports that come as mail: RFC 3464, read receipts (RFC 8098), and the bounces of systems that know neither.

use std::sync::LazyLock;

use channel_contract::{Attachment, AttachmentContent, Report, ReportStatus, ReportSubject};
use regex::Regex;

use crate::loops;
use crate::mail::{Mail, ids};

/// What a mail reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bounce {
    /// The fate of a mail of ours.
    Report(Report),
    /// A report that does not say on which mail: of no use to anybody.
    Nameless,
}

/// Reads a mail as a report; `None` when it is none.
pub(crate) fn read(mail: &Mail, envelope_from: Option<&str>) -> Option<Bounce> {
    match mail.report_type.as_deref() {
        Some(_) => delivery_status(mail).or_else(|| receipt(mail)).or_else(|| free_form(mail, envelope_from)),
        None => free_form(mail, envelope_from),
    }
}

fn bounce(id: Option<String>, status: ReportStatus, error: Option<String>) -> Bounce {
    id.map_or(Bounce::Nameless, |id| Bounce::Report(Report { subject: ReportSubject::ProviderId(id), status, error }))
}

/// RFC 3464: the worst action of all recipients counts, with the code of that recipient; relayed and expanded mail is on
/// its way.
fn delivery_status(mail: &Mail) -> Option<Bounce> {
    let groups = groups_of(mail, |media_type| media_type.ends_with("delivery-status"))?;
    let recipients: Vec<_> = groups.iter().filter_map(|group| Some((fate(group)?, group))).collect();
    let worst = [ReportStatus::Failed, ReportStatus::Underway, ReportStatus::Delivered];
    let (status, group) =
        worst.into_iter().find_map(|status| recipients.iter().find(|(fate, _)| *fate == status).copied())?;
    let error = (status == ReportStatus::Failed)
        .then(|| code(values(group, "status").chain(values(group, "diagnostic-code"))))
        .flatten();
    Some(bounce(returned_id(mail).or_else(|| answered_id(mail)), status, error))
}

/// What a group of fields says of its recipient; `None` for the group on the mail as a whole.
fn fate(group: &[Field]) -> Option<ReportStatus> {
    let action = values(group, "action").next().map(str::to_lowercase);
    let says = |word: &str| action.as_deref().is_some_and(|action| action.starts_with(word));
    // `Action` is required, yet some leave it out; the class of the status says the same.
    let class = |digit: char| action.is_none() && values(group, "status").any(|status| status.starts_with(digit));
    if says("fail") || class('5') {
        Some(ReportStatus::Failed)
    } else if says("delayed") || says("relayed") || says("expanded") || class('4') {
        Some(ReportStatus::Underway)
    } else if says("delivered") || class('2') {
        Some(ReportStatus::Delivered)
    } else {
        None
    }
}

/// Some systems return nothing but answer the mail properly.
fn answered_id(mail: &Mail) -> Option<String> {
    mail.references.first().cloned()
}

/// RFC 8098: whatever was done with it, it had arrived.
fn receipt(mail: &Mail) -> Option<Bounce> {
    let fields = fields_of(mail, |media_type| media_type.ends_with("disposition-notification"))?;
    let id = values(&fields, "original-message-id")
        .flat_map(ids)
        .next()
        .or_else(|| returned_id(mail))
        .or_else(|| answered_id(mail));
    Some(bounce(id, ReportStatus::Delivered, None))
}

static BAD_NEWS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)undeliver|delivery (?:status|failure|has failed|failed|notification)|returned (?:mail|to sender)|failure notice|mail delivery|",
        r"could not be delivered|not be delivered|non remis|unzustellbar|退信|退信通知|系统退信|投递失败|无法投递|无法送达|未送达|寄件失敗|無法傳遞|配信(?:不能|失敗)|エラー",
    ))
});

static DELAY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?-u:\b)delay|(?-u:\b)warning(?-u:\b)|will (?:keep|continue) (?:trying|to try)|延迟|延遲|verzögert|retardé",
    )
});

static RETURNED_ID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?im)^[>\s]*(?:original-)?message-id:\s*<([^<>\s]{3,250})>"));

static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?-u:\b)([245]\.\d{1,3}\.\d{1,3})(?-u:\b)"));

static REPLY_CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?-u:\b)([45]\d\d)(?-u:\b)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this module is not a regular expression")
}

/// qmail, Exim, Chinese providers and other systems that write bounces for people: from a mail system and in the words of
/// one. Which mail it is about stands in our header below, or the bounce answers it; some do not say it at all.
fn free_form(mail: &Mail, envelope_from: Option<&str>) -> Option<Bounce> {
    let failed_recipients = mail.header("x-failed-recipients").is_some();
    let system = mail.writer().is_some_and(loops::is_mailer_daemon) || failed_recipients;
    let subject = mail.subject.as_deref().unwrap_or_default();
    let titled = failed_recipients || BAD_NEWS.is_match(subject) || DELAY.is_match(subject);
    let told = titled || BAD_NEWS.is_match(head(&mail.text));
    if !(system || loops::is_null_sender(mail, envelope_from)) || !told {
        return None;
    }
    // A citizen's server may send with the null sender too: only what calls itself a bounce is believed without our header.
    let id = returned_id(mail).or_else(|| (system || titled).then(|| answered_id(mail)).flatten());
    if id.is_none() && !(system && titled) {
        return None;
    }
    if DELAY.is_match(subject) {
        return Some(bounce(id, ReportStatus::Underway, None));
    }
    Some(bounce(id, ReportStatus::Failed, code([head(&mail.text)].into_iter())))
}

/// The Message-ID of the mail that came back: from the returned part, else from below the text.
fn returned_id(mail: &Mail) -> Option<String> {
    let returned = mail
        .attachments
        .iter()
        .filter(|file| {
            matches!(
                file.media_type.as_str(),
                "message/rfc822" | "text/rfc822-headers" | "message/global" | "message/global-headers" | "text/plain"
            ) || file.name.to_lowercase().ends_with(".eml")
        })
        .filter_map(bytes_of)
        .find_map(|bytes| {
            found_id(&String::from_utf8_lossy(bytes.get(..bytes.len().min(64 * 1024)).unwrap_or_default()))
        });
    let reported = || {
        let fields = fields_of(mail, |media_type| media_type.ends_with("delivery-status"))?;
        values(&fields, "x-original-message-id").chain(values(&fields, "original-message-id")).flat_map(ids).next()
    };
    returned.or_else(reported).or_else(|| found_id(&mail.text))
}

fn found_id(text: &str) -> Option<String> {
    // A long id is folded onto the next line.
    let text = text.replace("\r\n", "\n").replace(":\n ", ": ").replace(":\n\t", ": ");
    Some(RETURNED_ID.captures(&text)?.get(1)?.as_str().to_owned())
}

/// The first enhanced status code (RFC 3463), else the SMTP reply code; never the text, which names people.
fn code<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let first = |regex: &Regex| texts.clone().find_map(|text| Some(regex.captures(text)?.get(1)?.as_str().to_owned()));
    first(&CODE).or_else(|| first(&REPLY_CODE))
}

fn head(text: &str) -> &str {
    let end = text.char_indices().nth(4000).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

fn bytes_of(file: &Attachment) -> Option<&[u8]> {
    match &file.content {
        AttachmentContent::Inline(bytes) => Some(bytes),
        AttachmentContent::Remote { .. } => None,
    }
}

/// A field of a report: its name in lower case and its value, unfolded.
type Field = (String, String);

/// The fields of all groups of a report part.
fn fields_of(mail: &Mail, wanted: impl Fn(&str) -> bool) -> Option<Vec<Field>> {
    Some(groups_of(mail, wanted)?.concat())
}

/// The groups of fields of a report part: one on the mail, one for each recipient. A blank line parts them, or, where it
/// is missing, the next recipient.
fn groups_of(mail: &Mail, wanted: impl Fn(&str) -> bool) -> Option<Vec<Vec<Field>>> {
    let file = mail.attachments.iter().find(|file| wanted(&file.media_type))?;
    let text = String::from_utf8_lossy(bytes_of(file)?).replace("\r\n", "\n");
    let mut groups = Vec::new();
    let mut group: Vec<Field> = Vec::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t']) && !line.trim().is_empty() {
            if let Some((_, value)) = group.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_lowercase();
            if name == "final-recipient" && values(&group, "final-recipient").next().is_some() {
                groups.push(std::mem::take(&mut group));
            }
            group.push((name, value.trim().to_owned()));
        } else if line.trim().is_empty() && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
        }
    }
    groups.push(group);
    Some(groups)
}

fn values<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a str> + Clone {
    fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}
