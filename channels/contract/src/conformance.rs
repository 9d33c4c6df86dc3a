//! The suite that every adapter runs against itself. The numbers are those of `channels/README.md`.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use chrono::TimeDelta;

use crate::{AttachmentContent, Channel, Content, Inbound, Message, Outcome, Plan, RawRequest, Receipt, Verdict};

/// Longest key that an index of both databases takes beside the account, in bytes.
const MAX_KEY_BYTES: usize = 1000;

/// What a fixture must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Verified, and each item is a message.
    Message,
    /// Verified, and each item is a report.
    Report,
    /// Verified, and each item is a control.
    Control,
    /// Kept aside.
    Quarantine,
    /// Refused with 401.
    Unauthorized,
}

/// One fixture.
#[derive(Debug, Clone)]
pub struct Case {
    /// Shown when it fails.
    pub name: String,
    /// The request.
    pub request: RawRequest,
    /// What it must become.
    pub expect: Expect,
}

/// Checks the MUSTs that need no network, and returns every violation, each with the number of its MUST.
///
/// Of the account: the descriptor (2), the answers (17), the plans (18). Of each case: what it becomes and
/// that it becomes the same again (5); origin (6, 7, 8), identity (9, 10, 11), text (12), attachments (15); and that neither
/// cut, changed and doubled bodies nor damaged addresses and headers make it panic (5) or pass for the same message
/// with another text (10).
#[must_use]
pub fn violations(channel: &dyn Channel, cases: &[Case]) -> Vec<String> {
    let mut found = Vec::new();
    describes(channel, &mut found);
    answers(channel, &mut found);
    plans(channel, &mut found);
    for case in cases {
        let mut told = Vec::new();
        judges(channel, case, &mut told);
        found.extend(told.into_iter().map(|violation| format!("{}: {violation}", case.name)));
    }
    found
}

fn describes(channel: &dyn Channel, found: &mut Vec<String>) {
    let descriptor = channel.descriptor();
    if descriptor.account.is_empty() || descriptor.provider.is_empty() {
        found.push("MUST 2: the descriptor names account and provider".to_owned());
    }
    if descriptor.credentials.iter().any(|name| name.is_empty() || name.to_lowercase() != **name) {
        found.push("MUST 2: the descriptor's credentials are in lower case".to_owned());
    }
    if channel.descriptor() != descriptor {
        found.push("MUST 2: the descriptor is constant".to_owned());
    }
}

fn answers(channel: &dyn Channel, found: &mut Vec<String>) {
    use Outcome::{Appended, Control, Duplicate, New, Quarantined, Report};
    for outcome in [New, Appended, Report, Control, Duplicate, Quarantined] {
        let ticket = matches!(outcome, New | Appended).then(|| "2026112200017".to_owned());
        let verdict = Verdict { outcome, ticket, reason: None };
        let answer = channel.answer(&verdict);
        if !(200..300).contains(&answer.status) {
            found.push(format!("MUST 17: {} is answered {}, not 2xx", outcome.as_str(), answer.status));
        }
        if answer.content_type.is_empty() && !answer.body.is_empty() {
            found.push(format!("MUST 17: the answer to {} has a body of no type", outcome.as_str()));
        }
        if channel.answer(&verdict) != answer {
            found.push(format!("MUST 17: {} is answered in two ways", outcome.as_str()));
        }
    }
}

fn plans(channel: &dyn Channel, found: &mut Vec<String>) {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    for text in [
        "short",
        "路灯坏了",
        "𠮷📱",
        &"长文本📱".repeat(900),
        &"a".repeat(5000),
        &"one word after another ".repeat(300),
    ] {
        let length = text.chars().count();
        match channel.plan(text) {
            Plan::TooLong if length < 10 => {
                found.push(format!("MUST 18: a text of {length} characters is too long"));
            }
            Plan::TooLong => {}
            Plan::Parts(parts) => {
                if squeeze(&parts.concat()) != squeeze(text) {
                    found.push(format!("MUST 18: the parts of a text of {length} characters do not make it up again"));
                }
                if parts.iter().any(|part| part.trim().is_empty()) {
                    found.push(format!("MUST 18: a part of a text of {length} characters is blank"));
                }
            }
        }
    }
}

fn judges(channel: &dyn Channel, case: &Case, found: &mut Vec<String>) {
    let receipt = channel.receive(&case.request);
    if class(&receipt) != Some(case.expect) {
        // Names only: a receipt may show what a citizen wrote.
        found.push(format!("MUST 5: expected {:?}, got {}", case.expect, named(&receipt)));
        return;
    }
    if channel.receive(&case.request) != receipt {
        found.push("MUST 5: the same request gave two different receipts".to_owned());
    }
    origin(channel, case, &receipt, found);
    if let Receipt::Verified(items) = &receipt {
        identity(channel, case, items, found);
        for item in items {
            if let Content::Message(message) = &item.content {
                said(channel, case, message, found);
            }
        }
    }
    for variant in damaged(&case.request) {
        let other = channel.receive(&variant);
        if let (Receipt::Verified(before), Receipt::Verified(after)) = (&receipt, &other)
            && before.iter().any(|one| after.iter().any(|two| passes_for(one, two)))
        {
            found.push("MUST 10: another text has the same key and digest".to_owned());
        }
    }
}

/// What a receipt must be to meet the expectation; `None` if it is empty or mixed.
fn class(receipt: &Receipt) -> Option<Expect> {
    match receipt {
        Receipt::Unauthorized => Some(Expect::Unauthorized),
        Receipt::Quarantine { .. } => Some(Expect::Quarantine),
        Receipt::Verified(items) => {
            let mut classes = items.iter().map(|item| match item.content {
                Content::Message(_) => Expect::Message,
                Content::Report(_) => Expect::Report,
                Content::Control(_) => Expect::Control,
            });
            let first = classes.next()?;
            classes.all(|other| other == first).then_some(first)
        }
    }
}

fn named(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Unauthorized => "Unauthorized".to_owned(),
        Receipt::Quarantine { reason, detail } => format!("Quarantine as {} ({detail})", reason.as_str()),
        Receipt::Verified(items) => format!("Verified with {} items of {:?}", items.len(), class(receipt)),
    }
}

/// The values of the credentials that a request carries, and the request without them; `None` if it carries none.
fn without_credentials(channel: &dyn Channel, request: &RawRequest) -> Option<(Vec<String>, RawRequest)> {
    let names = channel.descriptor().credentials;
    let carries = |name: &str| names.contains(&name.to_lowercase().as_str());
    let mut values = Vec::new();
    let mut bare = request.clone();
    bare.headers.retain(|(name, value)| {
        if carries(name) {
            values.push(String::from_utf8_lossy(value).into_owned());
        }
        !carries(name)
    });
    if let Some((path, query)) = request.url.split_once('?') {
        let mut kept = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some((name, value)) if carries(name) => values.push(value.to_owned()),
                _ => kept.push(pair),
            }
        }
        bare.url = format!("{path}?{}", kept.join("&"));
    }
    if values.is_empty() {
        return None;
    }
    // A scheme such as Bearer stands before some; a short value may be a word of any text by chance.
    let told = values.iter().filter_map(|value| value.split_whitespace().last()).filter(|value| value.len() >= 8);
    Some((told.map(str::to_owned).collect(), bare))
}

fn origin(channel: &dyn Channel, case: &Case, receipt: &Receipt, found: &mut Vec<String>) {
    let Some((values, bare)) = without_credentials(channel, &case.request) else { return };
    if matches!(channel.receive(&bare), Receipt::Verified(_)) {
        found.push("MUST 6: it is verified without its credentials".to_owned());
    }
    if let Receipt::Quarantine { detail, .. } = receipt
        && values.iter().any(|value| detail.contains(value.as_str()))
    {
        found.push("MUST 8: the detail of its quarantine repeats a credential".to_owned());
    }
    if let Receipt::Verified(items) = receipt {
        let messages = items.iter().filter_map(|item| match &item.content {
            Content::Message(message) => Some(message),
            Content::Report(_) | Content::Control(_) => None,
        });
        let shown = messages.flat_map(|message| &message.attachments).any(|file| match &file.content {
            AttachmentContent::Remote { source, .. } => values.iter().any(|value| source.contains(value.as_str())),
            AttachmentContent::Inline(_) => false,
        });
        if shown {
            found.push("MUST 15: the source of an attachment holds a credential".to_owned());
        }
    }
}

fn identity(channel: &dyn Channel, case: &Case, items: &[Inbound], found: &mut Vec<String>) {
    let mut keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
    keys.sort_unstable();
    if keys.iter().any(|key| key.trim().is_empty()) || keys.windows(2).any(|pair| pair.first() == pair.last()) {
        found.push("MUST 9: keys are there and differ within a request".to_owned());
    }
    if keys.iter().any(|key| key.len() > MAX_KEY_BYTES || key.contains('\0')) {
        found.push(format!("MUST 9: keys have at most {MAX_KEY_BYTES} bytes and no NUL"));
    }
    // A provider's retry comes later and perhaps from another of its machines.
    let retried = RawRequest {
        received_at: case.request.received_at + TimeDelta::days(400),
        peer: Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))),
        ..case.request.clone()
    };
    match channel.receive(&retried) {
        Receipt::Verified(again) => {
            let same = again.len() == items.len()
                && again.iter().zip(items).all(|(one, two)| one.key == two.key && one.digest == two.digest);
            if !same {
                found.push("MUST 11: key or digest depends on when or whence it came".to_owned());
            }
        }
        other => found.push(format!("MUST 7: 400 days later it is {}", named(&other))),
    }
}

fn said(channel: &dyn Channel, case: &Case, message: &Message, found: &mut Vec<String>) {
    let texts = [Some(&message.text), message.subject.as_ref(), message.name.as_ref(), message.quoted.as_ref()];
    if texts.iter().flatten().any(|text| text.contains('\0')) || message.from.contains('\0') {
        found.push("MUST 12: a text holds NUL".to_owned());
    }
    let replaced = texts.iter().flatten().any(|text| text.contains('\u{fffd}'));
    if replaced && !holds_replacement(&case.request) {
        found.push("MUST 12: a character of the text was lost (U+FFFD)".to_owned());
    }
    for file in &message.attachments {
        if file.name.trim().is_empty() {
            found.push("MUST 15: an attachment has no name".to_owned());
        }
    }
    if message.text.trim().is_empty()
        && message.attachments.is_empty()
        && message.location.is_none()
        && message.subject.is_none()
        && message.html.is_none()
        && message.quoted.is_none()
    {
        found.push(format!("MUST 12: a message of {} says nothing at all", channel.descriptor().medium));
    }
}

/// Whether the sender's side had lost a character already: U+FFFD as UTF-8, escaped for JSON, or percent-encoded.
fn holds_replacement(request: &RawRequest) -> bool {
    let body = String::from_utf8_lossy(&request.body).to_lowercase();
    let url = request.url.to_lowercase();
    request.body.windows(3).any(|octets| octets == "\u{fffd}".as_bytes())
        || ["%ef%bf%bd", "%ff%fd", "\\ufffd", "=ef=bf=bd"].iter().any(|mark| body.contains(mark) || url.contains(mark))
}

/// Whether the ledger would take `two` for a repetition of `one` although it says something else.
fn passes_for(one: &Inbound, two: &Inbound) -> bool {
    match (&one.content, &two.content) {
        (Content::Message(said), Content::Message(other)) => {
            one.key == two.key && one.digest == two.digest && (said.text != other.text || said.from != other.from)
        }
        _ => false,
    }
}

/// The request, damaged in many ways.
fn damaged(request: &RawRequest) -> Vec<RawRequest> {
    let body = &request.body;
    let mut bodies =
        vec![Bytes::new(), Bytes::from_static(b"\xff\xfe\x00{[<&=%"), [body.as_ref(), body].concat().into()];
    for eighth in 1..8 {
        let at = body.len() * eighth / 8;
        bodies.push(body.slice(..at));
        for flip in [0x01, 0x20, 0x55, 0x80] {
            let mut changed = body.to_vec();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= flip;
                bodies.push(changed.into());
            }
        }
    }
    let with_body = bodies.into_iter().map(|body| RawRequest { body, ..request.clone() });
    let (path, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
    let half: String = query.chars().take(query.chars().count() / 2).collect();
    let urls = [
        String::new(),
        "?".to_owned(),
        path.to_owned(),
        format!("{path}?{half}"),
        format!("{path}?{query}&{query}"),
        format!("{path}?{query}%&=%zz&%ff=%00&text=%ff%fe"),
    ];
    let with_url = urls.into_iter().map(|url| RawRequest { url, ..request.clone() });
    let with_headers = (0..request.headers.len()).flat_map(|at| {
        let mut dropped = request.clone();
        dropped.headers.remove(at);
        let mut garbled = request.clone();
        if let Some((_, value)) = garbled.headers.get_mut(at) {
            *value = b"\xff\x00 =;,".to_vec();
        }
        [dropped, garbled]
    });
    with_body.chain(with_url).chain(with_headers).collect()
}

#[cfg(test)]
mod tests;
