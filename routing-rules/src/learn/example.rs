//! The lines that are learned from.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::learned::fingerprint;

/// A line of history: `{"id", "date", "title", "text", "label", "weight", "not"}`; other keys are ignored. `label` is
/// the answer; a line without one counts only with `not`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Example {
    /// Its own name, by which a backtest knows it again.
    pub id: Option<Label>,
    /// When it came: ISO 8601, or a date, year first, as cities write it (`2026/1/8 15:40`); what cannot be read counts as
    /// unknown.
    #[serde(deserialize_with = "written")]
    pub date: Option<String>,
    /// The subject, for media that have one.
    pub title: Option<String>,
    /// The citizen's own words.
    pub text: Option<String>,
    /// The item or other label it belongs to.
    pub label: Option<Label>,
    /// Labels it does not belong to, as one or a list: an accepted send-back says no more.
    #[serde(deserialize_with = "one_or_several")]
    pub not: Vec<Label>,
    /// How much it counts, 0 to 1000; 1 when left out. What nobody disturbed counts less than what a person decided.
    pub weight: Option<f64>,
}

/// A label, which may be written as text or number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// As text.
    Text(String),
    /// As a whole number.
    Number(i64),
}

/// Text, or a number as text.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Label>::deserialize(deserializer)?.map(|label| label.text()))
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Label>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Several {
        Several(Vec<Label>),
        One(Label),
    }
    Ok(match Option::<Several>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Several::One(one)) => vec![one],
        Some(Several::Several(several)) => several,
    })
}

impl Label {
    /// As text, without white space around.
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.trim().to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Why nothing can be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The example, from 1, as the caller handed them over; 0 when it concerns all of them.
    pub example: usize,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// An example, checked.
pub(super) struct Row<'e> {
    pub(super) title: &'e str,
    pub(super) text: &'e str,
    pub(super) date: Option<&'e str>,
    pub(super) label: Option<usize>,
    pub(super) not: Vec<usize>,
    pub(super) weight: f32,
    pub(super) fingerprint: u64,
}

/// All examples that say something.
pub(super) struct Rows<'e> {
    pub(super) rows: Vec<Row<'e>>,
    /// Sorted.
    pub(super) labels: Vec<String>,
    /// Examples of each label.
    pub(super) counts: Vec<u64>,
    /// Examples without a label and without `not`, or of no weight.
    pub(super) unlabelled: usize,
}

impl<'e> Rows<'e> {
    /// Checks the examples.
    pub(super) fn new(examples: &'e [Example]) -> Result<Self, Refused> {
        let refused = |example: usize, message: &str| Refused { example, message: message.to_owned() };
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (example, number) in examples.iter().zip(1..) {
            if let Some(label) = &example.label {
                let label = label.text();
                if label.chars().any(char::is_control) {
                    return Err(refused(number, "a label has a line break, tab or other control character"));
                }
                if !label.is_empty() {
                    known.entry(label).or_default();
                }
            }
        }
        if known.len() < 2 {
            let told = if known.is_empty() { "no case has a label" } else { "all cases have the same label" };
            return Err(refused(0, &format!("{told}: there is nothing to tell apart; `label` names what a case is")));
        }
        if known.len() > usize::from(u16::MAX) {
            return Err(refused(0, "more than 65535 labels"));
        }
        for (place, at) in known.values_mut().zip(0..) {
            *place = at;
        }
        let mut rows = Vec::with_capacity(examples.len());
        let mut counts = vec![0; known.len()];
        let mut unlabelled = 0;
        for (example, number) in examples.iter().zip(1..) {
            let weight = example.weight.unwrap_or(1.0);
            if !(0.0..=1000.0).contains(&weight) {
                return Err(refused(number, "a weight is from 0 to 1000"));
            }
            let label = example.label.as_ref().and_then(|label| known.get(&label.text()).copied());
            // What it is not teaches nothing when no case is it.
            let not: Vec<usize> = example.not.iter().filter_map(|label| known.get(&label.text()).copied()).collect();
            if (label.is_none() && not.is_empty()) || weight == 0.0 {
                unlabelled += 1;
                continue;
            }
            if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
            let (title, text) = (example.title.as_deref(), example.text.as_deref().unwrap_or_default());
            rows.push(Row {
                title: title.unwrap_or_default(),
                text,
                date: example.date.as_deref().filter(|date| !date.is_empty()),
                label,
                not,
                weight: weight as f32,
                fingerprint: fingerprint(example.id.as_ref().map(Label::text).as_deref(), title, text),
            });
        }
        Ok(Self { rows, labels: known.into_keys().collect(), counts, unlabelled })
    }
}
