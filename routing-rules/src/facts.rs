//! What is known of an appeal when it is judged.

use serde::{Deserialize, Serialize};

use crate::calendar::LocalTime;
use crate::model::{AppealKind, CitizenKind};

/// What is known of an appeal when it is judged. `None` is unknown, and what is unknown fires no rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The subject, for media that have one.
    pub subject: Option<&'a str>,
    /// The citizen's own words.
    pub text: &'a str,
    /// BCP 47: `zh-Hans`, `zh-Hant`, `en`.
    pub language: Option<&'a str>,
    /// The medium: `sms`, `email`, `telegram`, `websocket`, `webform`, `phone`.
    pub channel: Option<&'a str>,
    /// The account within the medium.
    pub account: Option<&'a str>,
    /// The item that the citizen chose on the form; it decides by itself. An id the pack does not have is ignored.
    pub item: Option<&'a str>,
    /// Where, in the citizen's words; searched by the gazetteer before the text.
    pub place: Option<&'a str>,
    /// The street field of a form; searched by the gazetteer before the place.
    pub street: Option<&'a str>,
    /// The district, if already known; beats the gazetteer. An id the pack does not have is ignored.
    pub district: Option<&'a str>,
    /// The kind, if already known; beats the rules.
    pub kind: Option<AppealKind>,
    /// Who the citizen speaks for.
    pub citizen_kind: Option<CitizenKind>,
    /// How many files came along.
    pub attachments: Option<u32>,
    /// What the sender has with this city already.
    pub sender: Option<&'a Sender>,
    /// The city's clock when it is judged.
    pub local_time: Option<LocalTime>,
}

/// What a sender has with this city already, from tickets before this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Tickets that are not closed.
    pub open_tickets: u32,
    /// For each earlier appeal how many whole days ago it came, in any order. A caller may leave out what is older than
    /// any rule of its pack asks about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_days: Vec<u32>,
}

/// Everything of [`Facts`] but the texts, owned: what a decision's trace keeps and a caller stores, so that the same
/// inputs can be judged again. The texts stand with the appeal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields of Facts, where they are explained")]
pub struct Inputs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<AppealKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citizen_kind: Option<CitizenKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_time: Option<LocalTime>,
}

impl<'a> Facts<'a> {
    /// Facts with nothing but a text that came over `channel`.
    #[must_use]
    pub fn of_text(text: &'a str, channel: &'a str) -> Self {
        Self { text, channel: Some(channel), ..Self::default() }
    }

    /// Facts of stored inputs and the texts they were judged with.
    #[must_use]
    pub fn of_inputs(inputs: &'a Inputs, subject: Option<&'a str>, text: &'a str) -> Self {
        Self {
            subject,
            text,
            language: inputs.language.as_deref(),
            channel: inputs.channel.as_deref(),
            account: inputs.account.as_deref(),
            item: inputs.item.as_deref(),
            place: inputs.place.as_deref(),
            street: inputs.street.as_deref(),
            district: inputs.district.as_deref(),
            kind: inputs.kind,
            citizen_kind: inputs.citizen_kind,
            attachments: inputs.attachments,
            sender: inputs.sender.as_ref(),
            local_time: inputs.local_time,
        }
    }

    /// Everything but the texts, owned.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Inputs {
            language: own(self.language),
            channel: own(self.channel),
            account: own(self.account),
            item: own(self.item),
            place: own(self.place),
            street: own(self.street),
            district: own(self.district),
            kind: self.kind,
            citizen_kind: self.citizen_kind,
            attachments: self.attachments,
            sender: self.sender.cloned(),
            local_time: self.local_time,
        }
    }
}
