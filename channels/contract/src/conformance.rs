//! The suite that every adapter runs against itself (`channels/README.md` names each MUST it checks).

use crate::{Channel, Content, Receipt, RawRequest};

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

/// Checks the MUSTs that need no network, and returns every violation.
///
/// For each case: the receipt is as expected; the same request gives the same receipt; keys are not empty and
/// differ within a request; a body cut short, doubled or with one byte changed never panics and never
/// yields the same key with the same digest for a different text. Over all cases: text survives
/// (no U+FFFD where the fixture had none), and plans neither lose nor reorder text.
#[must_use]
pub fn violations(channel: &dyn Channel, cases: &[Case]) -> Vec<String> {
    let mut found = Vec::new();
    let descriptor = channel.descriptor();
    if descriptor.account.is_empty() || descriptor.provider.is_empty() {
        found.push("descriptor: account and provider must be named".to_owned());
    }
    if descriptor.credentials.iter().any(|name| name.to_lowercase() != **name) {
        found.push("descriptor: credentials must be in lower case".to_owned());
    }
    for case in cases {
        let receipt = channel.receive(&case.request);
        if class(&receipt) != Some(case.expect) {
            found.push(format!("{}: expected {:?}, got {receipt:?}", case.name, case.expect));
            continue;
        }
        if channel.receive(&case.request) != receipt {
            found.push(format!("{}: the same request gave two different receipts", case.name));
        }
        if let Receipt::Verified(items) = &receipt {
            let mut keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
            keys.sort_unstable();
            if keys.iter().any(|key| key.is_empty()) || keys.windows(2).any(|pair| pair.first() == pair.last()) {
                found.push(format!("{}: keys must be there and differ within a request", case.name));
            }
        }
        mangled(channel, case, &receipt, &mut found);
    }
    for text in ["short", "路灯坏了", &"长文本📱".repeat(900), &"a".repeat(5000)] {
        if let crate::Plan::Parts(parts) = channel.plan(text) {
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            if squeeze(&parts.concat()) != squeeze(text) {
                found.push(format!("plan: the parts of a text of {} characters do not make it up again", text.chars().count()));
            }
        }
    }
    found
}

fn mangled(channel: &dyn Channel, case: &Case, receipt: &Receipt, found: &mut Vec<String>) {
    let body = &case.request.body;
    let mut variants = vec![body.slice(..body.len() / 2), [body.as_ref(), body.as_ref()].concat().into()];
    if let Some(middle) = body.len().checked_div(2).filter(|_| !body.is_empty()) {
        let mut changed = body.to_vec();
        if let Some(byte) = changed.get_mut(middle) {
            *byte ^= 0x55;
        }
        variants.push(changed.into());
    }
    for variant in variants {
        let other = channel.receive(&RawRequest { body: variant, ..case.request.clone() });
        if let (Receipt::Verified(before), Receipt::Verified(after)) = (receipt, &other) {
            for (one, two) in before.iter().zip(after) {
                if let (Content::Message(text), Content::Message(changed)) = (&one.content, &two.content)
                    && one.key == two.key
                    && one.digest == two.digest
                    && text.text != changed.text
                {
                    found.push(format!("{}: another text with the same key and digest", case.name));
                }
            }
        }
    }
}
