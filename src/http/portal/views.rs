//! What each page shows.

use std::fmt::Display;

use chrono::{DateTime, TimeZone};
use serde::Serialize;

use crate::channels::webform::{FieldError, FormInput, Settings};
use crate::locale::Catalogue;

/// A moment as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    /// For machines (HTML `datetime`).
    pub(super) iso: String,
    /// In the page's language.
    pub(super) text: String,
}

impl Moment {
    /// A moment in the city's zone.
    pub(super) fn new<Z: TimeZone<Offset: Display>>(at: &DateTime<Z>, catalogue: &Catalogue) -> Self {
        Self { iso: at.to_rfc3339(), text: at.format(catalogue.text("format.moment")).to_string() }
    }
}

/// One thing to change, in words, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// The field's name; empty when it concerns the whole page.
    pub(super) field: &'static str,
    /// The element that the summary leads to.
    pub(super) anchor: &'static str,
    /// The message.
    pub(super) text: String,
}

impl Fault {
    /// A message of the catalogue (`error.{key}`) for a field.
    pub(super) fn new(field: &'static str, key: &str, catalogue: &Catalogue) -> Self {
        Self { field, anchor: field, text: catalogue.text(&format!("error.{key}")).to_owned() }
    }

    /// The errors of the form in words.
    pub(super) fn of_form(errors: &[FieldError], catalogue: &Catalogue) -> Vec<Self> {
        let worded = |error: &FieldError| {
            let values: Vec<_> = error.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Self {
                field: error.field,
                anchor: error.field,
                text: catalogue.fill(&format!("error.{}", error.key), &values),
            }
        };
        errors.iter().map(worded).collect()
    }
}

/// The fields that have a fault.
pub(super) fn faulty(errors: &[Fault]) -> Vec<&'static str> {
    errors.iter().map(|error| error.field).filter(|field| !field.is_empty()).collect()
}

/// A text as paragraphs of lines.
pub(super) fn paragraphs(text: &str) -> Vec<Vec<String>> {
    text.split("\n\n")
        .map(|paragraph| paragraph.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|lines| lines.iter().any(|line| !line.trim().is_empty()))
        .collect()
}

/// What was typed into the form, for showing it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Typed {
    pub(super) text: String,
    pub(super) place: String,
    pub(super) citizen_kind: String,
    pub(super) name: String,
    pub(super) confidential: bool,
    pub(super) answer_channel: String,
    pub(super) answer_address: String,
    pub(super) item: String,
}

impl From<&FormInput> for Typed {
    fn from(input: &FormInput) -> Self {
        Self {
            text: input.text.clone(),
            place: input.place.clone(),
            citizen_kind: input.citizen_kind.clone(),
            name: input.name.clone(),
            confidential: input.confidential,
            answer_channel: input.answer_channel.clone(),
            answer_address: input.answer_address.clone(),
            item: input.item.clone(),
        }
    }
}

/// The limits that the form names.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Limits {
    pub(super) text_chars: usize,
    pub(super) photos: usize,
    pub(super) photo_megabytes: usize,
    pub(super) photo_types: Vec<String>,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            text_chars: settings.max_text_chars,
            photos: settings.max_photos,
            photo_megabytes: settings.max_photo_bytes / (1024 * 1024),
            photo_types: settings.photo_types.clone(),
        }
    }
}

/// A service item to choose from.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Item {
    /// Its id.
    pub(super) id: String,
    /// Its name in the page's language.
    pub(super) name: String,
}

/// Service items under one heading.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ItemGroup {
    /// The heading in the page's language.
    pub(super) name: String,
    /// Its items.
    pub(super) items: Vec<Item>,
}

/// `form.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct FormPage {
    /// The submit token.
    pub(super) form_token: String,
    /// What was typed.
    pub(super) input: Typed,
    /// What has to change.
    pub(super) errors: Vec<Fault>,
    /// Fields with errors.
    pub(super) faulty: Vec<&'static str>,
    /// Whether it could not be saved for the hub's own trouble.
    pub(super) unavailable: bool,
    /// Whether photos have to be chosen again.
    pub(super) photos_lost: bool,
    /// The limits.
    pub(super) limits: Limits,
    /// Service items under their headings; empty hides the choice.
    pub(super) items: Vec<ItemGroup>,
    /// Words of the media for the answer.
    pub(super) answer_channels: Vec<&'static str>,
}

/// `received.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReceivedPage {
    /// The ticket's number.
    pub(super) number: String,
    /// The number in groups.
    pub(super) spoken: String,
    /// The query code.
    pub(super) code: String,
    /// Opens the ticket's page.
    pub(super) pass: String,
    /// By when, in words.
    pub(super) due: Option<String>,
    /// Who handles it.
    pub(super) department: Option<String>,
    /// `code` when one was sent to the typed-in address, `call` when an agent calls, else empty.
    pub(super) confirm: &'static str,
}

/// `track.html`
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct TrackPage {
    /// The number as typed.
    pub(super) number: String,
    /// What has to change.
    pub(super) errors: Vec<Fault>,
    /// Fields with errors.
    pub(super) faulty: Vec<&'static str>,
}

/// An answer of a department.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Answer {
    /// When.
    pub(super) at: Moment,
    /// Who, by name.
    pub(super) department: Option<String>,
    /// Its language (BCP 47), if known.
    pub(super) language: Option<String>,
    /// The text.
    pub(super) paragraphs: Vec<Vec<String>>,
    /// Its files.
    pub(super) files: Vec<Download>,
}

/// A file to download.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Download {
    /// File name.
    pub(super) name: String,
    /// Size in words.
    pub(super) size: String,
    /// Signed address.
    pub(super) url: String,
}

/// A step of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// `received`, `assigned`, `progress`, `answered`, `closed`, `reopened`.
    pub(super) key: &'static str,
    /// The sign of that state.
    pub(super) shape: &'static str,
    /// When.
    pub(super) at: Moment,
    /// Who, by name.
    pub(super) department: Option<String>,
}

/// What the citizen said.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Said {
    /// When.
    pub(super) at: Moment,
    /// Word of the medium.
    pub(super) channel: String,
    /// Its language (BCP 47), if known.
    pub(super) language: Option<String>,
    /// The text.
    pub(super) paragraphs: Vec<Vec<String>>,
    /// Names of the files that came along.
    pub(super) files: Vec<String>,
}

/// The typed-in address for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Confirmation {
    /// The address, masked.
    pub(super) address: String,
    /// `waiting`, `confirmed`, `unsent`.
    pub(super) state: &'static str,
}

/// `ticket.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct TicketPage {
    /// The number.
    pub(super) number: String,
    /// The number in groups.
    pub(super) spoken: String,
    /// Opens this page again for a while.
    pub(super) pass: String,
    /// Submit token for what is added.
    pub(super) form_token: String,
    /// The step it stands at.
    pub(super) state: &'static str,
    /// The sign of that state.
    pub(super) shape: &'static str,
    /// By when, in words.
    pub(super) due: Option<String>,
    /// How much time is left, in words.
    pub(super) left: Option<String>,
    /// Whether that has passed without an answer.
    pub(super) late: bool,
    /// Who handles it.
    pub(super) department: Option<String>,
    /// Where everything that was said here has gone.
    pub(super) moved: Option<Moved>,
    /// Newest first.
    pub(super) answers: Vec<Answer>,
    /// Newest first.
    pub(super) steps: Vec<Step>,
    /// Oldest first.
    pub(super) messages: Vec<Said>,
    /// The typed-in address, if there is one.
    pub(super) confirmation: Option<Confirmation>,
    /// Whether a message may be added.
    pub(super) can_add: bool,
    /// Whether it may be reopened.
    pub(super) can_reopen: bool,
    /// Which form has the filled button: `reopen` or `addition`.
    pub(super) primary: &'static str,
    /// What may be added; the form that takes it, if there is one.
    pub(super) limits: Option<Limits>,
    /// Whether photos have to be chosen again.
    pub(super) photos_lost: bool,
    /// What was just done, in words.
    pub(super) done: Option<String>,
    /// What was typed before an error.
    pub(super) typed: String,
    /// In which form: `reopen` or `addition`.
    pub(super) typed_in: &'static str,
    /// What has to change.
    pub(super) errors: Vec<Fault>,
    /// Fields with errors.
    pub(super) faulty: Vec<&'static str>,
    /// Whether it could not be saved for the hub's own trouble.
    pub(super) unavailable: bool,
}

/// The ticket that another one has gone into.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Moved {
    /// Its number in groups.
    pub(super) spoken: String,
    /// Opens its page, where it is the same citizen's.
    pub(super) pass: Option<String>,
}

/// `answer.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct AnswerPage {
    /// The number in groups.
    pub(super) spoken: String,
    /// The answer.
    pub(super) answer: Answer,
    /// When the link ends, in words.
    pub(super) expires: String,
}

/// `fault.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct FaultPage {
    /// `not_found`, `too_large`, `bad_request`, `try_later`, or `gone` of an answer link.
    pub(super) kind: &'static str,
    /// Where to go from here.
    pub(super) way_out: &'static str,
    /// Key of that link's words.
    pub(super) way_out_words: &'static str,
}

/// `widget.html`
#[derive(Debug, Clone, Serialize)]
pub(super) struct WidgetPage {
    /// The websocket account that the widget speaks to.
    pub(super) account: String,
}

/// The sign of a step.
pub(super) const fn shape(key: &str) -> &'static str {
    match key.as_bytes() {
        b"assigned" | b"progress" | b"reopened" => "◐",
        b"answered" => "✓",
        b"closed" => "■",
        _ => "○",
    }
}

/// A size in words.
pub(super) fn size(bytes: u64) -> String {
    const KILO: u64 = 1024;
    if bytes < KILO * KILO {
        format!("{} kB", bytes.div_ceil(KILO))
    } else {
        format!("{:.1} MB", bytes as f64 / (KILO * KILO) as f64)
    }
}

/// An address of which only so much is shown that its owner knows it again.
pub(super) fn masked(address: &str) -> String {
    if let Some((local, domain)) = address.split_once('@') {
        let first: String = local.chars().take(1).collect();
        return format!("{first}…@{domain}");
    }
    let letters: Vec<char> = address.chars().collect();
    let tail: String = letters.iter().skip(letters.len().saturating_sub(4)).collect();
    format!("…{tail}")
}
