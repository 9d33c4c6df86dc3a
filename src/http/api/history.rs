//! The history of a ticket: what happened, when, and by whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Page, after_position, limit, visible};
use crate::domain::Millis;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Number, Params, Staff};
use crate::hub::Hub;
use crate::projection::{Person, moment};
use crate::store::feed::EventRow;
use crate::store::{history as store, staff};

/// A line of a ticket's history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HistoryView {
    /// Its place in the feed.
    pub position: i64,
    /// What happened.
    pub kind: String,
    /// When (RFC 3339).
    pub at: String,
    /// Who did it; null for the hub itself and for the citizen.
    pub actor: Option<Person>,
    /// The state afterwards.
    pub state: Option<String>,
    /// The department afterwards.
    pub department: Option<String>,
    /// Ids of what it concerns.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
}

/// The action that the audit log has for an event.
fn action_of(kind: &str) -> &'static str {
    match kind {
        "dispatched" => "ticket.dispatched",
        "reopened" => "ticket.reopened",
        "moved" => "appeal.moved",
        _ => "",
    }
}

/// Events with their actors: named by the event, else by the line of the audit log that its transaction wrote.
pub(super) fn lines(
    events: &[EventRow],
    actors: &[(Millis, String, String)],
    names: &BTreeMap<String, String>,
) -> Vec<HistoryView> {
    let line = |event: &EventRow| {
        let detail: Option<Value> = event.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
        let named = detail.as_ref().and_then(|detail| detail.get("actor")).and_then(Value::as_str);
        let audited = || {
            let action = action_of(&event.kind);
            let line = actors.iter().find(|(at, _, done)| *at == event.at && done == action);
            line.map(|(_, actor, _)| actor.as_str())
        };
        HistoryView {
            position: event.position,
            kind: event.kind.clone(),
            at: moment(event.at),
            actor: named.or_else(audited).map(|actor| Person::of(actor, names)),
            state: event.state.clone(),
            department: event.department.clone(),
            detail,
        }
    };
    events.iter().map(line).collect()
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this: the `next` of the page before.
    after: Option<String>,
}

/// What happened to a ticket, oldest first.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/events", tag = "tickets", params(HistoryParams, ("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "A page", body = Page<HistoryView>), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn events(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Params(params): Params<HistoryParams>,
) -> Result<Json<Page<HistoryView>>, ApiError> {
    let city = &hub.store.city;
    let (limit, after) = (limit(params.limit), after_position(params.after.as_deref())?);
    let mut conn = hub.store.read().await?;
    visible(&mut conn, &hub, &actor, &number).await?;
    let events = store::events(&mut conn, city, &number, after.unwrap_or(0), limit + 1).await?;
    let since = events.first().map_or(0, |first| first.at);
    let actors = store::actors_since(&mut conn, city, &number, since).await?;
    let named: Vec<String> = events
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(event.detail.as_deref()?).ok())
        .filter_map(|detail| detail.get("actor").and_then(Value::as_str).map(str::to_owned))
        .collect();
    let all = actors.iter().map(|(_, actor, _)| actor.as_str()).chain(named.iter().map(String::as_str));
    let names = staff::names(&mut conn, city, all).await?;
    Ok(Json(Page::new(lines(&events, &actors, &names), limit, |last| last.position.to_string())))
}
