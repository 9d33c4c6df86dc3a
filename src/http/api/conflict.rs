//! What a 409 tells: which fields changed since the version that was seen, by whom, and what else happened.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::history::{HistoryView, lines};
use crate::dispatch::actions::Seen;
use crate::domain::Millis;
use crate::hub::Hub;
use crate::projection::{self, Person, moment};
use crate::store::history::{self as store, ChangeRow};
use crate::store::{Error, feed, staff, tickets};

/// The newest events that every conflict tells.
const NEWEST: i64 = 10;

/// Events since the version seen that are told at most.
const MOST_EVENTS: usize = 50;

/// A field that is not what it was.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldChange {
    /// `state`, `item`, `department`, `kind`, `priority`, `district`, `due_at`, `assignee`, `confidential`, `linked_to`,
    /// `answer_channel` or `answer_address`.
    pub field: String,
    /// What it was at the version seen: a text, for `confidential` a boolean, for `assignee` a person; always null for an address.
    #[schema(value_type = Value)]
    pub from: Value,
    /// What it is, likewise.
    #[schema(value_type = Value)]
    pub to: Value,
    /// Who changed it last; null for the hub itself.
    pub by: Option<Person>,
    /// When it was changed last (RFC 3339).
    pub at: String,
}

/// Everything since the version seen, as the fields of the error.
pub(super) async fn since(hub: &Hub, seen: &Seen, changed: bool) -> Result<Vec<(&'static str, Value)>, Error> {
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let ticket = tickets::get(&mut conn, city, &seen.number).await?.ok_or(Error::NotFound)?;
    let mut details = vec![
        ("version", ticket.version.into()),
        ("state", ticket.state.as_str().into()),
        ("legal", json!(ticket.state.legal())),
    ];
    if !changed {
        return Ok(details);
    }
    let newest = feed::of_ticket(&mut conn, city, &seen.number, NEWEST).await?;
    details.push(("changes", json!(newest.iter().map(projection::event).collect::<Vec<_>>())));
    let changes = store::changes_since(&mut conn, city, &seen.number, seen.version).await?;
    let made = store::made_at(&mut conn, city, &seen.number, seen.version).await?.unwrap_or(ticket.created_at);
    let actors = store::actors_since(&mut conn, city, &seen.number, made).await?;
    let mut events = store::events(&mut conn, city, &seen.number, 0, 10_000).await?;
    let version = |detail: &Option<String>| -> Option<i64> {
        serde_json::from_str::<Value>(detail.as_deref()?).ok()?.get("version")?.as_i64()
    };
    // Where an event names its version, that decides; else its time, of which two versions may share one.
    events.retain(|event| version(&event.detail).map_or(event.at > made, |version| version > seen.version));
    let messages = events.iter().filter(|event| event.kind == "appended").count();
    let more = events.len() > MOST_EVENTS;
    events.truncate(MOST_EVENTS);
    let fields = fields(&changes);
    let assignees = fields.iter().filter(|(field, ..)| *field == "assignee");
    let assignees: Vec<String> =
        assignees.flat_map(|(_, from, to, _)| [from, to]).filter_map(Value::as_str).map(str::to_owned).collect();
    let names = staff::names(
        &mut conn,
        city,
        actors.iter().map(|(_, actor, _)| actor.as_str()).chain(assignees.iter().map(String::as_str)),
    )
    .await?;
    let by = |at: Millis| {
        actors.iter().rev().find(|(when, _, _)| *when == at).map(|(_, actor, _)| Person::of(actor, &names))
    };
    let fields: Vec<FieldChange> = fields
        .into_iter()
        .map(|(field, from, to, at)| {
            let shown = |value: Value| match (field, value) {
                ("due_at", Value::Number(at)) => at.as_i64().map_or(Value::Null, |at| moment(at).into()),
                ("confidential", Value::Number(flag)) => (flag.as_i64() == Some(1)).into(),
                ("assignee", Value::String(id)) => json!(Person::of(&id, &names)),
                ("answer_address", _) => Value::Null,
                (_, other) => other,
            };
            FieldChange { field: field.to_owned(), from: shown(from), to: shown(to), by: by(at), at: moment(at) }
        })
        .collect();
    let lines: Vec<HistoryView> = lines(&events, &actors, &names);
    details.push(("fields", json!(fields)));
    details.push(("events", json!(lines)));
    details.push(("more", more.into()));
    details.push(("new_messages", messages.into()));
    Ok(details)
}

/// What differs between the first and the last of these changes: field, from, to, and when it changed last.
fn fields(changes: &[ChangeRow]) -> Vec<(&str, Value, Value, Millis)> {
    let mut found: BTreeMap<&str, (Value, Value, Millis)> = BTreeMap::new();
    for change in changes {
        // A statement before the one that raised the version bears the old time; its transaction ended with the raise.
        let at = changes.iter().find(|other| other.version > change.seen).map_or(change.at, |raise| raise.at);
        for (field, after) in change.after.as_object().into_iter().flatten() {
            let before = change.before.get(field).unwrap_or(&Value::Null);
            if before == after {
                continue;
            }
            let known = found.entry(field).or_insert_with(|| (before.clone(), Value::Null, at));
            known.1 = after.clone();
            known.2 = at;
        }
    }
    // An address is known as changed only; everything else may have been changed back.
    let differs = |(field, (from, to, _)): &(&str, (Value, Value, Millis))| *field == "answer_address" || from != to;
    found.into_iter().filter(differs).map(|(field, (from, to, at))| (field, from, to, at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(seen: i64, version: i64, at: Millis, before: Value, after: Value) -> ChangeRow {
        ChangeRow { seen, version, at, before, after }
    }

    #[test]
    fn changes_are_folded_field_by_field() {
        let changes = [
            change(3, 3, 10, json!({ "item": "a", "answer_address": 0 }), json!({ "item": "b", "answer_address": 1 })),
            change(3, 4, 20, json!({ "state": "triage" }), json!({ "state": "dispatched" })),
            change(4, 5, 30, json!({ "state": "dispatched", "item": "b" }), json!({ "state": "triage", "item": "c" })),
        ];
        assert_eq!(
            fields(&changes),
            [("answer_address", json!(0), json!(1), 20), ("item", json!("a"), json!("c"), 30)],
            "a state that was changed back is no change"
        );
        assert_eq!(fields(&[]), []);
    }
}
