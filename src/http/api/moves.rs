//! What staff do to tickets, over HTTP. Each request names the version it saw; 409 tells what changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use channel_contract::Medium;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{conflict, tickets, visible};
use crate::dispatch::actions::{self, Dispatch, MoveAppeal, Reply, Seen};
use crate::domain::{Actor, TicketNumber};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Number, Staff};
use crate::hub::Hub;
use crate::projection::TicketView;
use crate::store::Error;

/// Checks that the ticket is within reach and makes the command's first part.
pub(super) async fn seen(hub: &Hub, actor: Actor, number: TicketNumber, version: i64) -> Result<Seen, ApiError> {
    visible(&mut hub.store.read().await?, hub, &actor, &number).await?;
    Ok(Seen { number, version, actor })
}

/// The ticket as it is now, or why not: a 409 tells the state, the version, the legal moves and what changed since.
pub(super) async fn outcome<T>(hub: &Hub, seen: &Seen, done: Result<T, Error>) -> Result<Json<TicketView>, ApiError> {
    match done {
        Ok(_) => Ok(Json(tickets::view(hub, &seen.actor, &seen.number).await?)),
        Err(error) => Err(told(hub, seen, error).await),
    }
}

async fn told(hub: &Hub, seen: &Seen, error: Error) -> ApiError {
    let changed = matches!(error, Error::Changed { .. });
    let conflict = changed || matches!(error, Error::Illegal(_));
    let envelope = ApiError::from(error);
    if !conflict {
        return envelope;
    }
    match conflict::since(hub, seen, changed).await {
        Ok(details) => details.into_iter().fold(envelope, |envelope, (key, value)| envelope.with(key, value)),
        Err(_) => envelope,
    }
}

/// A move that needs nothing but the version.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Versioned {
    /// The version that was seen.
    pub version: i64,
    /// Why; kept as an internal note.
    pub reason: Option<String>,
}

/// Sign for a ticket: the department takes it.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/sign", tag = "moves", request_body = Versioned, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Signed", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody))
)]
pub(super) async fn sign(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Versioned>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::sign(&hub, seen.clone()).await).await
}

/// A ticket handed back.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SendBack {
    /// The reason code, such as `wrong_department`.
    pub reason: String,
    /// What the desk should know.
    #[serde(default)]
    pub text: String,
    /// The version that was seen.
    pub version: i64,
}

/// Send a ticket back to the desk.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/send-back", tag = "moves", request_body = SendBack, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "At the desk again", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody), (status = 422, description = "Without a reason", body = ErrorBody))
)]
pub(super) async fn send_back(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<SendBack>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::send_back(&hub, seen.clone(), body.reason, body.text).await).await
}

/// Where a ticket goes.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct DispatchTo {
    /// The department; without one the dispatch catalogue names it.
    pub department: Option<String>,
    /// The service item; without one it stays as it is.
    pub item: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The version that was seen.
    pub version: i64,
}

/// Dispatch a ticket to a department, or to another one.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/dispatch", tag = "moves", request_body = DispatchTo, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Dispatched", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody), (status = 422, description = "Unknown department or item", body = ErrorBody))
)]
pub(super) async fn dispatch(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<DispatchTo>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    let to = Dispatch { department: body.department, item: body.item, reason: body.reason };
    outcome(&hub, &seen, actions::dispatch(&hub, seen.clone(), to).await).await
}

/// A public answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewReply {
    /// What the citizen reads.
    pub text: String,
    /// Ids of files uploaded for this ticket before.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// The version that was seen.
    pub version: i64,
}

/// Answer the citizen, over the channel that the citizen chose.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/replies", tag = "moves", request_body = NewReply, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Answered; the answer is on its way", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody), (status = 422, description = "Without a text, or with unknown files", body = ErrorBody))
)]
pub(super) async fn reply(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<NewReply>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    let reply = Reply { text: body.text, attachments: body.attachments };
    outcome(&hub, &seen, actions::reply(&hub, seen.clone(), reply).await).await
}

/// An internal note.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewNote {
    /// The note; the citizen never sees it.
    pub text: String,
    /// The version that was seen.
    pub version: i64,
}

/// Add an internal note.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/notes", tag = "moves", request_body = NewNote, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Noted", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed", body = ErrorBody), (status = 422, description = "Without a text", body = ErrorBody))
)]
pub(super) async fn note(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<NewNote>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::note(&hub, seen.clone(), body.text).await).await
}

/// Close a ticket.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/close", tag = "moves", request_body = Versioned, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Closed", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody))
)]
pub(super) async fn close(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Versioned>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::close(&hub, seen.clone(), body.reason).await).await
}

/// Reopen a ticket.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/reopen", tag = "moves", request_body = Versioned, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Open again", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed, or this move is not possible now", body = ErrorBody))
)]
pub(super) async fn reopen(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<Versioned>,
) -> Result<Json<TicketView>, ApiError> {
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::reopen(&hub, seen.clone(), body.reason).await).await
}

/// Where the answer is to go.
#[derive(Deserialize, ToSchema)]
pub(super) struct AnswerAddress {
    /// `sms`, `email`, `telegram`, `websocket`, `webform` (the progress page) or `phone`.
    pub channel: String,
    /// The address, which must fit the channel: a telephone number, a mail address, a Telegram chat id, a websocket session; left out
    /// for `webform`. It is brought to its canonical form.
    #[serde(default)]
    pub address: String,
    /// The version that was seen.
    pub version: i64,
}

/// Set where the answer goes, as the citizen said.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/answer-address", tag = "moves", request_body = AnswerAddress, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "Set", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "It changed", body = ErrorBody), (status = 422, description = "An unknown channel, or an address that does not fit it", body = ErrorBody))
)]
pub(super) async fn answer_address(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(body): Body<AnswerAddress>,
) -> Result<Json<TicketView>, ApiError> {
    let medium =
        Medium::parse(&body.channel).ok_or_else(|| ApiError::invalid(format!("{} is no channel", body.channel)))?;
    let address = if medium == Medium::Webform {
        String::new()
    } else {
        crate::channels::address(&hub.config.channels, medium, &body.address)
            .map_err(|what| ApiError::invalid(format!("address {what}")).with("field", "address"))?
    };
    let seen = seen(&hub, actor, number, body.version).await?;
    outcome(&hub, &seen, actions::set_answer_address(&hub, seen.clone(), medium, address).await).await
}

/// Where an appeal belongs.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct MoveTo {
    /// The ticket it belongs to; null for a new one.
    pub to: Option<String>,
    /// The version of the ticket it stands in now.
    pub version: i64,
}

/// What a moved appeal led to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Moved {
    /// The ticket that has the appeal now.
    pub to: String,
    /// The ticket it stood in.
    pub ticket: TicketView,
}

/// Move an appeal to another or to a new ticket.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/appeals/{id}/move", tag = "moves", request_body = MoveTo,
    params(("number" = String, Path, description = "The ticket's number"), ("id" = String, Path, description = "The appeal's id")),
    responses((status = 200, description = "Moved", body = Moved), (status = 404, description = "No such ticket or appeal, or not yours", body = ErrorBody), (status = 409, description = "It changed, or the other ticket is closed", body = ErrorBody), (status = 422, description = "A wrong number", body = ErrorBody))
)]
pub(super) async fn move_appeal(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Id(id): Id,
    Body(body): Body<MoveTo>,
) -> Result<Json<Moved>, ApiError> {
    let to = match body.to.as_deref() {
        Some(typed) => {
            Some(TicketNumber::parse(typed).ok_or_else(|| ApiError::invalid(format!("{typed} is no ticket number")))?)
        }
        None => None,
    };
    let seen = seen(&hub, actor, number, body.version).await?;
    match actions::move_appeal(&hub, seen.clone(), MoveAppeal { appeal: id, to }).await {
        Ok(to) => Ok(Json(Moved { to: to.to_string(), ticket: tickets::view(&hub, &seen.actor, &seen.number).await? })),
        Err(error) => Err(told(&hub, &seen, error).await),
    }
}
