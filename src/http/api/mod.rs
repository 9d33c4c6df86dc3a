//! The staff API, `/api/v1`: one file a noun, one table of who may use what, one error envelope.

mod access;
mod calls;
mod catalogue;
mod citizen;
mod conflict;
mod desk;
mod docs;
mod drafts;
mod explain;
mod feed;
mod files;
mod health;
mod history;
mod moves;
mod preview;
mod quarantine;
mod queue;
mod rule_sets;
mod session;
mod suggest;
#[cfg(test)]
mod tests;
mod tickets;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use chrono::DateTime;
use serde::Serialize;
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use conflict::FieldChange;
pub use history::HistoryView;

use super::error::ApiError;
use crate::domain::{Actor, Millis, TicketNumber};
use crate::hub::Hub;
use crate::store::Conn;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; null at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` out of up to one more, whose presence says that there is a next page.
    fn new(mut items: Vec<T>, limit: i64, key: impl Fn(&T) -> String) -> Self {
        let most = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

/// How many to show.
fn limit(wanted: Option<i64>) -> i64 {
    wanted.unwrap_or(50).clamp(1, 500)
}

/// Where a list by id goes on; what no page can have given would look like its end.
fn after_id(after: Option<&str>) -> Result<Option<String>, ApiError> {
    let id = |after: &str| uuid::Uuid::try_parse(after).ok().map(|id| id.hyphenated().to_string());
    given(after).map(|after| id(after).ok_or_else(no_next)).transpose()
}

/// Where a list by ticket number goes on.
fn after_number(after: Option<&str>) -> Result<Option<String>, ApiError> {
    given(after).map(|after| TicketNumber::parse(after).map(TicketNumber::into_string).ok_or_else(no_next)).transpose()
}

/// Where a list by position goes on.
fn after_position(after: Option<&str>) -> Result<Option<i64>, ApiError> {
    given(after).map(|after| after.parse().map_err(|_| no_next())).transpose()
}

fn given(after: Option<&str>) -> Option<&str> {
    after.map(str::trim).filter(|after| !after.is_empty())
}

fn no_next() -> ApiError {
    ApiError::invalid("after must be the next of the page before").with("field", "after")
}

/// A moment in RFC 3339.
fn millis(text: &str) -> Result<Millis, ApiError> {
    // A plus sign in a query string is easily lost to a space.
    let text = text.trim().replace(' ', "+");
    DateTime::parse_from_rfc3339(&text)
        .map(|at| at.timestamp_millis())
        .map_err(|_| ApiError::invalid(format!("{text} is no time in RFC 3339")))
}

/// Refuses tickets outside an actor's reach as if they were not there.
async fn visible(conn: &mut Conn, hub: &Hub, actor: &Actor, number: &TicketNumber) -> Result<(), ApiError> {
    match actor.scope() {
        Some(department)
            if !crate::store::tickets::names_department(conn, &hub.store.city, number, department).await? =>
        {
            Err(ApiError::not_found())
        }
        _ => Ok(()),
    }
}

fn routes() -> OpenApiRouter<Arc<Hub>> {
    OpenApiRouter::with_openapi(docs::Described::openapi())
        .routes(routes!(session::log_in, session::who, session::log_out))
        .routes(routes!(session::change_password))
        .routes(routes!(tickets::ledger))
        .routes(routes!(queue::list, calls::file))
        .routes(routes!(queue::counts))
        .routes(routes!(tickets::get))
        .routes(routes!(queue::find, queue::find_contact))
        .routes(routes!(citizen::related))
        .routes(routes!(citizen::html))
        .routes(routes!(suggest::suggest))
        .routes(routes!(preview::templates))
        .routes(routes!(preview::preview))
        .routes(routes!(health::health))
        .routes(routes!(health::channels))
        .routes(routes!(health::test))
        .routes(routes!(catalogue::districts))
        .routes(routes!(history::events))
        .routes(routes!(drafts::list))
        .routes(routes!(drafts::keep, drafts::discard))
        .routes(routes!(drafts::calls))
        .routes(routes!(drafts::call, drafts::keep_call, drafts::discard_call))
        .routes(routes!(tickets::original))
        .routes(routes!(tickets::unmask))
        .routes(routes!(files::upload))
        .routes(routes!(files::get))
        .routes(routes!(moves::sign))
        .routes(routes!(moves::send_back))
        .routes(routes!(moves::dispatch))
        .routes(routes!(moves::reply))
        .routes(routes!(moves::note))
        .routes(routes!(moves::close))
        .routes(routes!(desk::take))
        .routes(routes!(desk::assign))
        .routes(routes!(desk::assignable))
        .routes(routes!(desk::classify))
        .routes(routes!(desk::prioritise))
        .routes(routes!(desk::ask))
        .routes(routes!(desk::undo_close))
        .routes(routes!(moves::reopen))
        .routes(routes!(moves::answer_address))
        .routes(routes!(moves::move_appeal))
        .routes(routes!(feed::events))
        .routes(routes!(feed::live))
        .routes(routes!(calls::tasks))
        .routes(routes!(calls::done))
        .routes(routes!(calls::failed))
        .routes(routes!(calls::deliveries))
        .routes(routes!(calls::retry))
        .routes(routes!(calls::call_instead))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::get))
        .routes(routes!(quarantine::replay))
        .routes(routes!(quarantine::discard))
        .routes(routes!(quarantine::accept))
        .routes(routes!(catalogue::departments))
        .routes(routes!(catalogue::items))
        .routes(routes!(catalogue::log))
        .routes(routes!(rule_sets::list, rule_sets::draft))
        .routes(routes!(rule_sets::check))
        .routes(routes!(rule_sets::explain))
        .routes(routes!(rule_sets::stats))
        .routes(routes!(rule_sets::history))
        .routes(routes!(rule_sets::replay))
        .routes(routes!(rule_sets::backtest))
        .routes(routes!(rule_sets::get))
        .routes(routes!(rule_sets::publish))
        .routes(routes!(rule_sets::roll_back))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::change))
        .routes(routes!(users::tokens, users::issue))
        .routes(routes!(users::revoke))
}

/// The description of the API, OpenAPI 3.1.
#[must_use]
pub fn description() -> &'static serde_json::Value {
    &docs::DESCRIPTION
}

/// Every route of the staff API and its description.
pub fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    let limit = usize::try_from(hub.config.server.max_body_bytes).unwrap_or(usize::MAX);
    let (router, _) = routes().split_for_parts();
    router
        .route("/api", get(docs::page))
        .route("/api/openapi.json", get(docs::openapi))
        .route_layer(axum::middleware::from_fn_with_state(Arc::clone(hub), access::guard))
        // Outside the guard, which knows no such routes.
        .route("/api/{*rest}", any(|| async { ApiError::not_found() }))
        .layer(DefaultBodyLimit::max(limit))
}
