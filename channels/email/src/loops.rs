//! Why no automatic answer may go out (RFC 3834, section 2; RFC 2076 for `Precedence`).

use chrono::{DateTime, TimeDelta, Utc};

use crate::mail::Mail;
use crate::reply;
use crate::settings::Settings;

/// Mail older than this when it arrives is not acknowledged: the citizen has long stopped waiting for it.
const OLD: TimeDelta = TimeDelta::hours(24);

/// What came with the mail but does not stand in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Circumstances<'a> {
    /// The envelope sender, if it is known; empty for the null sender.
    pub(crate) envelope_from: Option<&'a str>,
    /// When the mailbox had it, if it came from one.
    pub(crate) arrived: Option<DateTime<Utc>>,
    /// Whether it was fetched again because the mailbox renumbered its messages.
    pub(crate) refetched: bool,
}

/// Fields that machines which answer for a person set instead of `Auto-Submitted`.
const AUTOMATIC_FIELDS: [&str; 12] = [
    "x-autoreply",
    "x-autoreply-from",
    "x-autorespond",
    "x-auto-reply",
    "x-autoresponder",
    "x-autoresponse",
    "x-auto-response",
    "x-mail-autoreply",
    "x-qq-autoreply",
    "x-vacation",
    // The absence assistant of Exchange and the mail that its inbox rules send.
    "x-ms-exchange-inbox-rules-loop",
    "x-ms-exchange-generated-message-source",
];

/// The first reason that applies, as a word: `no_sender`, `null_sender`, `own_address`, `mailer_daemon`, `auto_submitted`,
/// `suppressed`, `list`, `precedence`, `dmarc_fail`, `refetched`, `old_mail`.
pub(crate) fn reason(
    mail: &Mail,
    settings: &Settings,
    around: &Circumstances<'_>,
    received_at: DateTime<Utc>,
) -> Option<&'static str> {
    let from = mail.writer().unwrap_or_default();
    if from.is_empty() {
        return Some("no_sender");
    }
    if is_null_sender(mail, around.envelope_from) {
        return Some("null_sender");
    }
    if settings.is_own(from)
        || mail.header("sender").is_some_and(|sender| settings.is_own(sender.trim_matches(['<', '>', ' '])))
    {
        return Some("own_address");
    }
    if is_mailer_daemon(from) {
        return Some("mailer_daemon");
    }
    let value = |name: &str| mail.header(name).map(|value| without_comments(value).trim().to_lowercase());
    if value("auto-submitted").is_some_and(|value| !value.is_empty() && !value.starts_with("no")) {
        return Some("auto_submitted");
    }
    if AUTOMATIC_FIELDS.iter().any(|name| value(name).is_some_and(|value| value != "no"))
        || mail.subject.as_deref().is_some_and(reply::subject_is_automatic)
    {
        return Some("auto_submitted");
    }
    if value("x-auto-response-suppress").is_some_and(|value| {
        value.split([',', ';', ' ']).any(|word| matches!(word.trim(), "all" | "autoreply" | "oof"))
    }) {
        return Some("suppressed");
    }
    if ["list-id", "list-post", "list-unsubscribe", "list-help", "mailing-list", "x-mailing-list"]
        .iter()
        .any(|name| value(name).is_some())
    {
        return Some("list");
    }
    if value("precedence")
        .is_some_and(|value| matches!(value.as_str(), "bulk" | "list" | "junk" | "auto_reply" | "auto-reply"))
    {
        return Some("precedence");
    }
    if settings.trusted_authserv_id.as_ref().is_some_and(|id| dmarc_failed(mail, id)) {
        return Some("dmarc_fail");
    }
    if around.refetched {
        return Some("refetched");
    }
    let written = [mail.date, around.arrived].into_iter().flatten().min();
    if written.is_some_and(|written| received_at - written > OLD) {
        return Some("old_mail");
    }
    None
}

/// Whether the envelope sender is `<>` (RFC 5321, section 4.5.5), as the request or the `Return-Path` says.
pub(crate) fn is_null_sender(mail: &Mail, envelope_from: Option<&str>) -> bool {
    let empty = |address: &str| matches!(address.trim(), "" | "<>");
    match envelope_from {
        Some(address) => empty(address),
        None => mail.header("return-path").is_some_and(empty),
    }
}

/// Whether the sender is a mail system.
pub(crate) fn is_mailer_daemon(address: &str) -> bool {
    let local = address.split_once('@').map_or(address, |(local, _)| local).to_lowercase();
    matches!(local.as_str(), "mailer-daemon" | "mailerdaemon" | "postmaster" | "mail-daemon" | "mdaemon")
}

/// Whether the trusted server found that DMARC fails. Only its first header counts: those below may be the sender's own.
fn dmarc_failed(mail: &Mail, trusted: &str) -> bool {
    mail.headers("authentication-results")
        .find(|value| {
            let id = value.split(';').next().unwrap_or_default();
            id.split_whitespace().next().is_some_and(|id| id.eq_ignore_ascii_case(trusted))
        })
        .is_some_and(|value| {
            without_comments(value)
                .split(';')
                .skip(1)
                .any(|result| result.split_whitespace().collect::<String>().to_lowercase().starts_with("dmarc=fail"))
        })
}

fn without_comments(value: &str) -> String {
    let mut depth = 0_u32;
    value
        .chars()
        .filter(|character| {
            match character {
                '(' => depth += 1,
                ')' if depth > 0 => {
                    depth -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}
