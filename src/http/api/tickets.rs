//! Reading tickets.

use std::sync::Arc;

use axum::Json;
use axum::body::Body as RawBody;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{explain, visible};
use crate::dispatch::actions::NO_LONGER_YOURS;
use crate::domain::{Actor, TicketNumber};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Number, Staff};
use crate::hub::Hub;
use crate::projection::{self, AppealView, Eyes, TicketView};
use crate::store::intake::Ledger;
use crate::store::quarantine;
use crate::store::tickets;

/// The ledger: what came in and what became of it, each counted from its own rows.
#[utoipa::path(
    get, path = "/api/v1/ledger", tag = "tickets",
    responses((status = 200, description = "The sums; received equals the sum of the others", body = Ledger))
)]
pub(super) async fn ledger(State(hub): State<Arc<Hub>>) -> Result<Json<Ledger>, ApiError> {
    let mut conn = hub.store.read().await?;
    Ok(Json(crate::store::intake::ledger(&mut conn, &hub.store.city).await?))
}

/// A whole ticket.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}", tag = "tickets", params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "The ticket", body = TicketView), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn get(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
) -> Result<Json<TicketView>, ApiError> {
    Ok(Json(view(&hub, &actor, &number).await?))
}

/// A ticket as an actor sees it.
pub(super) async fn view(hub: &Hub, actor: &Actor, number: &TicketNumber) -> Result<TicketView, ApiError> {
    let mut conn = hub.store.read().await?;
    visible(&mut conn, hub, actor, number).await?;
    let city = &hub.store.city;
    let whole = tickets::whole(&mut conn, city, number).await?.ok_or_else(ApiError::not_found)?;
    let mut beside = tickets::beside(&mut conn, city, std::slice::from_ref(number), hub.clock.millis()).await?;
    let beside = beside.remove(number).unwrap_or_default();
    let names = crate::store::staff::names(&mut conn, city, projection::actors(&whole, &beside)).await?;
    let mut view = projection::ticket(Eyes::of(actor), &whole, &beside, &names, &actor.id);
    explain::decisions(hub, &mut view, &whole);
    Ok(view)
}

/// A line in the audit log that hangs on no change.
pub(super) async fn audit(
    hub: &Arc<Hub>,
    actor: &Actor,
    action: &'static str,
    subject: Option<&str>,
    detail: serde_json::Value,
) -> Result<(), ApiError> {
    let (actor, subject) = (actor.id.clone(), subject.map(str::to_owned));
    crate::dispatch::actions::write(hub, move |_, _, changes| {
        changes.audit(&actor, action, subject.as_deref(), Some(detail.to_string()));
        Box::pin(async { Ok(()) })
    })
    .await
    .map_err(ApiError::from)
}

/// The file of a download: never shown by the browser itself, whatever it is.
pub(super) fn download(name: &str, media_type: &str, bytes: Vec<u8>) -> Response {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    // RFC 6266 with the extended notation of RFC 8187.
    let disposition = format!("attachment; filename*=UTF-8''{encoded}");
    let mut response = RawBody::from(bytes).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The raw message of an appeal, such as a mail with all its headers. Audited.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/original/{id}", tag = "tickets",
    params(("number" = String, Path, description = "The ticket's number"), ("id" = String, Path, description = "The appeal's id")),
    responses(
        (status = 200, description = "The raw bytes", content_type = "application/octet-stream"),
        (status = 403, description = "Without the right to identities", body = ErrorBody),
        (status = 404, description = "No such appeal, or its raw bytes have expired", body = ErrorBody),
    )
)]
pub(super) async fn original(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    crate::http::extract::Id(id): crate::http::extract::Id,
) -> Result<Response, ApiError> {
    let raw = {
        let mut conn = hub.store.read().await?;
        visible(&mut conn, &hub, &actor, &number).await?;
        let appeals = tickets::appeals(&mut conn, &hub.store.city, &number).await?;
        let inbound = appeals.into_iter().find(|appeal| appeal.id.as_str() == id).and_then(|appeal| appeal.inbound_id);
        let inbound = inbound.ok_or_else(ApiError::not_found)?;
        quarantine::raw(&mut conn, &hub.store.city, &inbound).await?.ok_or_else(ApiError::not_found)?
    };
    let body = raw.body.ok_or_else(ApiError::not_found)?;
    audit(&hub, &actor, "original.read", Some(number.as_str()), json!({ "appeal": id })).await?;
    let (extension, media_type) =
        if raw.channel == "email" { ("eml", "message/rfc822") } else { ("bin", "application/octet-stream") };
    Ok(download(&format!("{number}-{id}.{extension}"), media_type, body))
}

/// Why somebody must know.
#[derive(Deserialize, ToSchema)]
pub(super) struct Unmask {
    /// The reason, for the audit log.
    pub reason: String,
}

/// A ticket's citizen, unmasked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unmasked {
    /// The ticket.
    pub number: String,
    /// Where it is, in the citizen's words.
    pub place: Option<String>,
    /// The address for the answer.
    pub answer_address: Option<String>,
    /// The appeals with senders, names and whole texts.
    pub appeals: Vec<AppealView>,
}

/// See who the citizen of a ticket is. Each look stands in the audit log with its reason; a confidential ticket is closed to those
/// without the right to identities.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/unmask", tag = "tickets", request_body = Unmask,
    params(("number" = String, Path, description = "The ticket's number")),
    responses(
        (status = 200, description = "The citizen", body = Unmasked),
        (status = 403, description = "The ticket is confidential, or no longer with your department", body = ErrorBody),
        (status = 404, description = "No such ticket, or not yours", body = ErrorBody),
        (status = 422, description = "Without a reason", body = ErrorBody),
    )
)]
pub(super) async fn unmask(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(wanted): Body<Unmask>,
) -> Result<Json<Unmasked>, ApiError> {
    let reason = wanted.reason.trim();
    if reason.is_empty() {
        return Err(ApiError::invalid("reason must say why"));
    }
    let whole = {
        let mut conn = hub.store.read().await?;
        visible(&mut conn, &hub, &actor, &number).await?;
        if let Some(department) = actor.scope()
            && !tickets::with_department(&mut conn, &hub.store.city, &number, department).await?
        {
            return Err(ApiError::forbidden(NO_LONGER_YOURS));
        }
        tickets::whole(&mut conn, &hub.store.city, &number).await?.ok_or_else(ApiError::not_found)?
    };
    if whole.ticket.confidential && !actor.identity {
        return Err(ApiError::forbidden("the citizen asked for confidence; this needs the right to see identities"));
    }
    audit(&hub, &actor, "ticket.unmasked", Some(number.as_str()), json!({ "reason": reason })).await?;
    Ok(Json(Unmasked {
        number: number.to_string(),
        place: whole.ticket.place.clone(),
        answer_address: whole.ticket.answer_address.clone(),
        appeals: projection::appeals(Eyes::FULL, &whole.appeals, &whole.attachments),
    }))
}
