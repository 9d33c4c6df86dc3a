//! What the desk sets right without moving a ticket, over HTTP: who works on it, its item, its priority, a question to the
//! citizen, a close taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::catalogue::Whole;
use super::moves::{Versioned, outcome, seen};
use super::visible;
use crate::dispatch::actions::{self, Reply};
use crate::domain::TicketNumber;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Number, Params, Staff};
use crate::hub::Hub;
use crate::projection::{Person, TicketView};
use crate::store::{staff, tickets};

/// Take a ticket: it is mine to work on.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/take", tag = "moves", request_body = Versioned, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Taken", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is closed", body = ErrorBody))
)]
pub(super) async fn take(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Versioned>,
) -> Result<Json<TicketView>, ApiError> {
    let me = actor.id.clone();
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::assign(&hub, seen.clone(), Some(me)).await).await
}

/// Who is to work on a ticket.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct AssignTo {
    /// The person, as `staff:ID`; null for nobody.
    pub assignee: Option<String>,
    /// The version that was seen.
    pub version: i64,
}

/// Give a ticket to a person, or to nobody.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/assign", tag = "moves", request_body = AssignTo, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Assigned", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is closed", body = ErrorBody), (status = 422, description = "Nobody who could work on it", body = ErrorBody))
)]
pub(super) async fn assign(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<AssignTo>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::assign(&hub, seen.clone(), body.assignee).await).await
}

/// For which ticket.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AssignableParams {
    /// The ticket's number.
    number: String,
}

/// Who may work on a ticket, by name: handlers of its departments, and for others than handlers the desk too.
#[utoipa::path(
    get, path = "/api/v1/assignable", tag = "users", params(AssignableParams),
    responses((status = 200, description = "The people", body = Whole<Person>), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn assignable(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<AssignableParams>,
) -> Result<Json<Whole<Person>>, ApiError> {
    let number = TicketNumber::parse(&params.number).ok_or_else(ApiError::not_found)?;
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    visible(&mut conn, &hub, &actor, &number).await?;
    let departments: Vec<String> = tickets::assignments(&mut conn, city, &number)
        .await?
        .into_iter()
        .filter(|assignment| assignment.ended_at.is_none())
        .map(|assignment| assignment.department)
        .collect();
    let mut items: Vec<Person> = staff::all(&mut conn, city)
        .await?
        .into_iter()
        .filter(|row| row.disabled_at.is_none())
        .map(|row| row.actor())
        .filter(|person| match person.scope() {
            Some(department) => departments.iter().any(|known| known == department),
            None => actor.scope().is_none(),
        })
        .map(|person| Person { id: person.id, name: person.name })
        .collect();
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(Whole { items }))
}

/// Another service item.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Classify {
    /// The service item.
    pub item: String,
    /// Why.
    pub reason: String,
    /// The version that was seen.
    pub version: i64,
}

/// Give a ticket another service item; the department keeps it.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/classify", tag = "moves", request_body = Classify, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Classified", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is closed", body = ErrorBody), (status = 422, description = "Unknown item, or without a reason", body = ErrorBody))
)]
pub(super) async fn classify(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Classify>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::classify(&hub, seen.clone(), body.item, body.reason).await).await
}

/// Another priority.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Prioritise {
    /// `low`, `normal`, `high` or `urgent`.
    pub priority: String,
    /// Why; kept as an internal note.
    pub reason: String,
    /// The version that was seen.
    pub version: i64,
}

/// Change how pressing a ticket is; the deadline follows, counted from the dispatch.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/priority", tag = "moves", request_body = Prioritise, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Changed", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is closed", body = ErrorBody), (status = 422, description = "Unknown priority, or without a reason", body = ErrorBody))
)]
pub(super) async fn prioritise(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Prioritise>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::set_priority(&hub, seen.clone(), body.priority, body.reason).await).await
}

/// A question to the citizen.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewQuestion {
    /// What the citizen reads.
    pub text: String,
    /// Ids of files uploaded for this ticket before.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// The version that was seen.
    pub version: i64,
}

/// Ask the citizen something, over the channel that the citizen chose. State and clock stay; what comes back is appended.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/questions", tag = "moves", request_body = NewQuestion, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Asked; the question is on its way", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is closed", body = ErrorBody), (status = 422, description = "Without a text, or with unknown files", body = ErrorBody))
)]
pub(super) async fn ask(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<NewQuestion>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    let question = Reply { text: body.text, attachments: body.attachments };
    outcome(&hub, &seen, actions::ask(&hub, seen.clone(), question).await).await
}

/// Take a close back: for who closed it, within ten seconds.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/undo-close", tag = "moves", request_body = Versioned, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Open as it was", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or is no longer to be taken back", body = ErrorBody))
)]
pub(super) async fn undo_close(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Versioned>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::undo_close(&hub, seen.clone()).await).await
}
