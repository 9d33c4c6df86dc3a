//! Calls: filing what a caller says, and calls to make.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use channel_contract::{Channel, Content, Medium, Message, Outcome, RawRequest, Receipt};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Page, after_id, limit, tickets};
use crate::channels::address;
use crate::dispatch::actions::{self, CallOutcome};
use crate::domain::TicketNumber;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Params, Staff};
use crate::hub::Hub;
use crate::intake::phone::{self, Call, PhoneChannel};
use crate::projection::{TicketView, moment};
use crate::store::tickets::{DeliveryFilter, delivery_page};

/// A call that was filed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Filed {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: TicketView,
    /// The number as one says it.
    pub number_spoken: String,
    /// The code with which the caller can follow the ticket.
    pub query_code: String,
}

/// File a call. The same `Idempotency-Key` with the same body answers with the same ticket.
#[utoipa::path(
    post, path = "/api/v1/tickets", tag = "calls", request_body = Call,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request the same call; at most 200 characters")),
    responses(
        (status = 201, description = "Filed", body = Filed),
        (status = 409, description = "The key was used for another call", body = ErrorBody),
        (status = 422, description = "No text, or a wrong field, which is named", body = ErrorBody),
        (status = 503, description = "Not stored; try again with the same key", body = ErrorBody),
    )
)]
pub(super) async fn file(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = body.map_err(|refused| match refused.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(status, "too_large", refused.body_text()),
        status => ApiError::new(status, "malformed", refused.body_text()),
    })?;
    let key = match headers.get(phone::IDEMPOTENCY_KEY) {
        Some(value) => {
            value.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= 200).map(str::to_owned)
        }
        None => Some(crate::secret::token()),
    };
    let key = key.ok_or_else(|| ApiError::invalid("Idempotency-Key must be 1 to 200 visible ASCII characters"))?;
    Body::<Call>::read(&body)?;
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let raw = RawRequest {
        method: method.to_string(),
        url: hub.url(uri.path().trim_start_matches('/')),
        headers: vec![
            header("content-type", "application/json"),
            header(phone::ACTOR, &actor.id),
            header(phone::IDEMPOTENCY_KEY, &key),
        ],
        peer: None,
        body,
        received_at: hub.clock.now(),
    };
    let channel: Arc<dyn Channel> = Arc::new(PhoneChannel);
    let mut receipt = channel.receive(&raw);
    // What a member of staff mistyped is told at once and needs no quarantine.
    if let Receipt::Quarantine { detail, .. } = &receipt {
        return Err(ApiError::invalid(detail.clone()));
    }
    if let Receipt::Verified(items) = &mut receipt
        && let Some(item) = items.first_mut()
    {
        let claimed =
            crate::store::intake::claimed(&mut hub.store.read().await?, &hub.store.city, phone::ACCOUNT, &item.key)
                .await?;
        match claimed {
            Some(digest) if digest != item.digest => return Err(used()),
            // A call that is known is answered with its ticket, whatever was allowed since.
            Some(_) => {}
            None => {
                if let Content::Message(message) = &mut item.content {
                    judge(&hub, message)?;
                }
            }
        }
    }
    let verdict = hub
        .take(&channel, raw, receipt, None)
        .await?
        .pop()
        .ok_or_else(|| ApiError::from(crate::store::Error::Stopping))?;
    let number = match (verdict.outcome, verdict.ticket) {
        (Outcome::Quarantined, _) => return Err(used()),
        (_, Some(number)) => TicketNumber::stored(number),
        (_, None) => return Err(crate::store::Error::Shape("a call without a ticket".to_owned()).into()),
    };
    let ticket = tickets::view(&hub, &actor, &number).await?;
    let filed = Filed { ticket, number_spoken: number.spoken(), query_code: hub.query_code(&number) };
    Ok((StatusCode::CREATED, [(crate::http::hooks::OUTCOME, verdict.outcome.as_str())], Json(filed)).into_response())
}

/// Checks the fields of a call and brings its addresses to their canonical form.
fn judge(hub: &Hub, message: &mut Message) -> Result<(), ApiError> {
    let wrong = |field: &str, what: &str| ApiError::invalid(format!("{field} {what}")).with("field", field);
    let accounts = &hub.config.channels;
    if !message.from.is_empty() {
        message.from = address(accounts, Medium::Phone, &message.from).map_err(|what| wrong("from", what))?;
    }
    let form = message.form.get_or_insert_default();
    let longest = usize::try_from(hub.config.intake.max_text_chars).unwrap_or(usize::MAX);
    for (field, text, most) in [
        ("text", Some(&message.text), longest),
        ("name", message.name.as_ref(), 100),
        ("place", form.place.as_ref(), 500),
        ("street", form.street.as_ref(), 200),
    ] {
        if text.is_some_and(|text| text.chars().nth(most).is_some()) {
            return Err(wrong(field, &format!("has more than {most} characters")));
        }
    }
    form.item = form.item.take().filter(|item| !item.trim().is_empty());
    if let Some(item) = form.item.as_ref().filter(|item| hub.rules().item(item).is_none()) {
        return Err(wrong("item", &format!("names no item of the catalogue: there is no item {item}")));
    }
    if let (Some(medium), Some(typed)) = (form.answer_channel, form.answer_address.as_ref()) {
        form.answer_address = Some(address(accounts, medium, typed).map_err(|what| wrong("answer_address", what))?);
    }
    Ok(())
}

fn used() -> ApiError {
    ApiError::conflict("idempotency_conflict", "this Idempotency-Key was used for another call; take a new one")
}

/// A page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this id: the `next` of the page before.
    after: Option<String>,
}

/// A call to make.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallTask {
    /// The delivery that it is.
    pub id: String,
    /// The ticket.
    pub ticket: Option<String>,
    /// The number to call; empty when the ticket knows none.
    pub to: String,
    /// What to say.
    pub text: String,
    /// The delivery that failed before it.
    pub fallback_of: Option<String>,
    /// Since when it waits (RFC 3339).
    pub created_at: String,
}

/// Calls to make, oldest first.
#[utoipa::path(
    get, path = "/api/v1/call-tasks", tag = "calls", params(PageParams),
    responses((status = 200, description = "A page", body = Page<CallTask>), (status = 403, description = "Without the right to identities", body = ErrorBody))
)]
pub(super) async fn tasks(
    State(hub): State<Arc<Hub>>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<CallTask>>, ApiError> {
    let limit = limit(params.limit);
    let rows = delivery_page(
        &mut hub.store.read().await?,
        &hub.store.city,
        &DeliveryFilter::Calls,
        after_id(params.after.as_deref())?.as_deref(),
        limit + 1,
    )
    .await?;
    let tasks = rows.into_iter().map(|row| CallTask {
        id: row.id.to_string(),
        ticket: row.ticket.map(|ticket| ticket.to_string()),
        to: row.address,
        text: row.text,
        fallback_of: row.fallback_of,
        created_at: moment(row.created_at),
    });
    Ok(Json(Page::new(tasks.collect(), limit, |last| last.id.clone())))
}

/// How a call went.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CallNote {
    /// Kept as an internal note.
    #[serde(default)]
    pub note: String,
}

/// The call was made and the citizen has the answer.
#[utoipa::path(
    post, path = "/api/v1/call-tasks/{id}/done", tag = "calls", request_body = CallNote, params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 204, description = "Recorded"), (status = 404, description = "No such call", body = ErrorBody), (status = 409, description = "No call that waits", body = ErrorBody))
)]
pub(super) async fn done(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(body): Body<CallNote>,
) -> Result<StatusCode, ApiError> {
    actions::finish_call(&hub, actor, id, CallOutcome::Done, body.note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The citizen could not be reached.
#[utoipa::path(
    post, path = "/api/v1/call-tasks/{id}/failed", tag = "calls", request_body = CallNote, params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 204, description = "Recorded"), (status = 404, description = "No such call", body = ErrorBody), (status = 409, description = "No call that waits", body = ErrorBody))
)]
pub(super) async fn failed(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(body): Body<CallNote>,
) -> Result<StatusCode, ApiError> {
    actions::finish_call(&hub, actor, id, CallOutcome::Failed, body.note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryParams {
    /// `stuck` (failed, uncertain, or waiting too long), or one of the states of a delivery; all when left out.
    state: Option<String>,
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this id: the `next` of the page before.
    after: Option<String>,
}

/// Deliveries in order of their making.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "deliveries", params(DeliveryParams),
    responses((status = 200, description = "A page", body = Page<crate::projection::DeliveryView>), (status = 422, description = "An unknown state", body = ErrorBody))
)]
pub(super) async fn deliveries(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<DeliveryParams>,
) -> Result<Json<Page<crate::projection::DeliveryView>>, ApiError> {
    const STATES: [&str; 6] = ["queued", "sending", "sent", "delivered", "failed", "uncertain"];
    let minutes = i64::try_from(hub.config.outbox.stuck_minutes).unwrap_or(i64::MAX / 60_000);
    let filter = match params.state.as_deref() {
        None | Some("") => DeliveryFilter::All,
        Some("stuck") => DeliveryFilter::Stuck { before: hub.clock.millis() - minutes * 60_000 },
        Some(state) if STATES.contains(&state) => DeliveryFilter::State(state.to_owned()),
        Some(state) => {
            return Err(ApiError::invalid(format!("{state} is no state; write stuck or one of {}", STATES.join(", "))));
        }
    };
    let (limit, after) = (limit(params.limit), after_id(params.after.as_deref())?);
    let mut conn = hub.store.read().await?;
    let rows = delivery_page(&mut conn, &hub.store.city, &filter, after.as_deref(), limit + 1).await?;
    let attempts = crate::store::tickets::attempts(&mut conn, &hub.store.city, &rows).await?;
    let eyes = crate::projection::Eyes::of(&actor);
    let views = rows.iter().map(|row| crate::projection::delivery(eyes, row, &attempts)).collect();
    Ok(Json(Page::new(views, limit, |last: &crate::projection::DeliveryView| last.id.clone())))
}

/// Try a delivery again at once.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/retry", tag = "deliveries", params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 204, description = "It leaves again"), (status = 404, description = "No such delivery", body = ErrorBody), (status = 409, description = "Nothing to try again", body = ErrorBody))
)]
pub(super) async fn retry(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    actions::retry_delivery(&hub, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a call task out of an answer that is stuck, failed or uncertain.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/call", tag = "deliveries", params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 204, description = "An agent has to call"), (status = 404, description = "No such delivery", body = ErrorBody), (status = 409, description = "No answer, or it has arrived, or there is a call already", body = ErrorBody))
)]
pub(super) async fn call_instead(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    actions::call_instead(&hub, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
