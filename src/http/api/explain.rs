//! Decisions in plain words: one sentence in each language of the catalogue, and the words of the appeals that decided.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::hub::Hub;
use crate::locale::Catalogue;
use crate::projection::{AppealView, DecisionView, Mark, TicketView};
use crate::store::tickets::{AppealRow, Whole};

/// Most phrases that a sentence names.
const MOST_PHRASES: usize = 3;

/// Puts sentences and marks into every decision of a ticket.
pub(super) fn decisions(hub: &Hub, view: &mut TicketView, whole: &Whole) {
    let people = view.people.clone();
    let district = view.summary.district.clone();
    for decision in view.decisions.iter_mut().chain(view.decision.as_mut()) {
        decision.sentences = sentences(hub, decision, district.as_deref(), &people);
    }
    let marks: Vec<Vec<Mark>> = view
        .decisions
        .iter()
        .zip(&whole.decisions)
        .map(|(decision, row)| {
            // Only what had been said by then was judged, and of a message that was edited the last version.
            let said: Vec<&AppealRow> = whole.appeals.iter().filter(|appeal| appeal.received_at <= row.at).collect();
            let last = |appeal: &AppealRow| {
                let later = said.iter().rev().find(|other| other.message_id == appeal.message_id);
                appeal.message_id.is_none() || later.is_none_or(|later| later.id == appeal.id)
            };
            let judged: Vec<&AppealRow> = said.iter().copied().filter(|appeal| last(appeal)).collect();
            marks(&decision.trace, &judged, &view.appeals)
        })
        .collect();
    for (decision, marks) in view.decisions.iter_mut().zip(marks) {
        if let Some(holding) = view.decision.as_mut().filter(|holding| holding.id == decision.id) {
            holding.marks.clone_from(&marks);
        }
        decision.marks = marks;
    }
}

fn list<'value>(value: &'value Value, key: &str) -> impl Iterator<Item = &'value Value> + use<'value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'value>(value: &'value Value, key: &str) -> Option<&'value str> {
    value.get(key).and_then(Value::as_str)
}

/// A decision in one sentence, by language.
pub(super) fn sentences(
    hub: &Hub,
    decision: &DecisionView,
    district: Option<&str>,
    people: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let catalogues = hub.words.all().iter();
    catalogues.map(|words| (words.tag().to_owned(), sentence(hub, words, decision, district, people))).collect()
}

fn sentence(
    hub: &Hub,
    words: &Catalogue,
    decision: &DecisionView,
    district: Option<&str>,
    people: &BTreeMap<String, String>,
) -> String {
    let (rules, language) = (hub.rules(), words.tag());
    let item_name = |id: &str| Hub::name_in(rules.item(id).map(|item| &item.names), id, language);
    let item = decision.item.as_deref().map(item_name);
    let item = item.unwrap_or_else(|| words.text("decision.no_item").to_owned());
    let department = decision
        .department
        .as_deref()
        .map(|id| Hub::name_in(rules.department(id).map(|department| &department.names), id, language));
    let department = department.unwrap_or_else(|| words.text("decision.desk").to_owned());
    let place = district.map(|id| Hub::name_in(rules.district(id).map(|district| &district.names), id, language));
    let mut values = vec![("item", item.as_str()), ("department", department.as_str())];
    match decision.decided_by.as_str() {
        "person" | "citizen" => {
            let who = decision.actor.as_deref().and_then(|actor| people.get(actor));
            let key = match (decision.decided_by.as_str(), who) {
                ("citizen", _) => "decision.citizen",
                (_, Some(_)) => "decision.person",
                (_, None) => "decision.somebody",
            };
            values.push(("person", who.map_or("", String::as_str)));
            let mut told = words.fill(key, &values);
            if let Some(reason) = decision.reason.as_deref().filter(|reason| !reason.trim().is_empty()) {
                told.push_str(&words.fill("decision.reason", &[("reason", reason)]));
            }
            told
        }
        "abstain" => {
            let ranked: Vec<String> = decision
                .ranked
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|candidate| text(candidate, "item"))
                .map(item_name)
                .collect();
            let reason = decision.reason.as_deref().unwrap_or("no_rule");
            let key = format!("decision.abstain_{reason}");
            let key = if words.has(&key) { key.as_str() } else { "decision.abstain_no_rule" };
            values.push(("first", ranked.first().map_or("", String::as_str)));
            values.push(("second", ranked.get(1).map_or("", String::as_str)));
            words.fill(key, &values)
        }
        _ if text(&decision.trace, "chosen").is_some() => words.fill("decision.chosen", &values),
        _ => {
            let mut because = Vec::new();
            let spoke = speaking(&decision.trace, decision.item.as_deref());
            let mut phrases: Vec<&str> =
                spoke.iter().flat_map(|hit| list(hit, "phrases")).filter_map(|hit| text(hit, "phrase")).collect();
            phrases.dedup();
            if !phrases.is_empty() {
                let quoted: Vec<String> = phrases
                    .iter()
                    .take(MOST_PHRASES)
                    .map(|phrase| words.fill("decision.quoted", &[("phrase", phrase)]))
                    .collect();
                let quoted = quoted.join(words.text("site.comma"));
                because.push(words.fill("decision.phrases", &[("phrases", &quoted)]));
            }
            if let Some(place) = &place {
                because.push(words.fill("decision.place", &[("district", place)]));
            }
            if let Some(rule) = spoke.first().and_then(|hit| text(hit, "rule")) {
                because.push(words.fill("decision.rule", &[("rule", rule)]));
            }
            if because.is_empty() {
                return words.fill("decision.sent", &values);
            }
            let because = because.join(words.text("site.comma"));
            values.push(("because", because.as_str()));
            words.fill("decision.sent_because", &values)
        }
    }
}

/// The rules that spoke for the item, the weightiest first.
fn speaking<'value>(trace: &'value Value, item: Option<&str>) -> Vec<&'value Value> {
    let mut spoke: Vec<&Value> = list(trace, "hits")
        .filter(|hit| list(hit, "effects").any(|effect| item.is_some() && text(effect, "item") == item))
        .collect();
    let weight = |hit: &Value| hit.get("weight").and_then(Value::as_f64).unwrap_or_default();
    spoke.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    spoke
}

/// Where the phrases and places of a trace stand in the appeals as they are shown.
fn marks(trace: &Value, judged: &[&AppealRow], shown: &[AppealView]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for hit in list(trace, "hits") {
        for phrase in list(hit, "phrases") {
            marks.extend(mark(phrase, "phrase", text(hit, "rule"), judged, shown));
        }
    }
    for place in list(trace, "districts") {
        marks.extend(mark(place, "place", None, judged, shown));
    }
    marks.sort_by(|one, other| (&one.appeal, &one.field, one.start).cmp(&(&other.appeal, &other.field, other.start)));
    marks.dedup();
    marks
}

/// One of them. Positions are those of the texts of all appeals by then, joined by line ends, before anything was masked.
fn mark(hit: &Value, word: &str, rule: Option<&str>, judged: &[&AppealRow], shown: &[AppealView]) -> Option<Mark> {
    let position = |key: &str| hit.get(key).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
    let (start, end, field) = (position("start")?, position("end")?, text(hit, "field")?);
    let mut offset = 0;
    for appeal in judged {
        // The parts of an album are shown in the appeal they are part of.
        let under = appeal.part_of.as_deref().unwrap_or(appeal.id.as_str());
        let view = shown.iter().find(|view| view.id == under)?;
        let (own, seen) = match field {
            "subject" => (appeal.subject.clone().unwrap_or_default(), view.subject.clone().unwrap_or_default()),
            "text" => (appeal.text.clone(), view.text.clone()),
            _ => return None,
        };
        let length = own.chars().count();
        if field == "subject" || (start >= offset && end <= offset + length) {
            let (start, end) = if field == "subject" { (start, end) } else { (start - offset, end - offset) };
            let (start, end) = shifted(&own, &seen, start, end)?;
            return Some(Mark {
                appeal: view.id.clone(),
                field: field.to_owned(),
                start,
                end,
                phrase: text(hit, word)?.to_owned(),
                rule: rule.map(str::to_owned),
            });
        }
        offset += length + 1;
    }
    None
}

/// The place of `start..end` of `own` in `seen`, which differs from it by masked numbers and addresses only.
fn shifted(own: &str, seen: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let (own, seen): (Vec<char>, Vec<char>) = (own.chars().collect(), seen.chars().collect());
    let words = own.get(start..end)?;
    if words.is_empty() {
        return None;
    }
    if seen.get(start..end) == Some(words) {
        return Some((start, end));
    }
    let nth = own.windows(words.len()).take(start).filter(|window| *window == words).count();
    let found = seen.windows(words.len()).enumerate().filter(|(_, window)| *window == words).nth(nth)?.0;
    Some((found, found + words.len()))
}

#[cfg(test)]
mod tests {
    use super::shifted;

    #[test]
    fn marks_follow_a_masked_text() {
        for (own, seen, at, expected) in [
            ("路灯坏了", "路灯坏了", (0, 2), Some((0, 2))),
            ("a@example.org 路灯", "***@*** 路灯", (14, 16), Some((8, 10))),
            ("灯 a@example.org 灯", "灯 ***@*** 灯", (16, 17), Some((10, 11))),
            ("a@example.org", "***@***", (2, 9), None),
            ("灯", "灯", (0, 4), None),
        ] {
            assert_eq!(shifted(own, seen, at.0, at.1), expected, "{own}");
        }
    }
}
