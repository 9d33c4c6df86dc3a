//! Messages kept aside, and what a supervisor decides about them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use channel_contract::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{Page, after_id, limit};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Params, Staff};
use crate::hub::Hub;
use crate::intake::held::{self, Resolve};
use crate::projection::moment;
use crate::store::quarantine::{self as store, HeldRow};

/// A message kept aside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Held {
    /// Its id in the ledger.
    pub id: String,
    /// The medium.
    pub channel: String,
    /// The account.
    pub account: String,
    /// `unverified`, `unparsable`, `id_reused` or `poisoned`.
    pub reason: String,
    /// What was wrong.
    pub detail: String,
    /// What it takes, bytes.
    pub bytes: i64,
    /// `held`, `replayed`, `accepted` or `discarded`.
    pub state: String,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// When somebody dealt with it (RFC 3339).
    pub resolved_at: Option<String>,
    /// Who did, as the audit log names it.
    pub resolved_by: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// The ticket it led to.
    pub ticket: Option<String>,
}

impl From<HeldRow> for Held {
    fn from(row: HeldRow) -> Self {
        Self {
            id: row.inbound_id.to_string(),
            channel: row.channel,
            account: row.account,
            reason: row.reason,
            detail: row.detail,
            bytes: row.bytes,
            state: row.state,
            received_at: moment(row.received_at),
            resolved_at: row.resolved_at.map(moment),
            resolved_by: row.resolved_by,
            note: row.note,
            ticket: row.ticket,
        }
    }
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HeldParams {
    /// `held` when left out; `replayed`, `accepted`, `discarded` or `all`.
    state: Option<String>,
    /// At most so many, 1 to 500; 50 when left out.
    limit: Option<i64>,
    /// Go on after this id: the `next` of the page before.
    after: Option<String>,
}

/// Messages in quarantine, oldest first.
#[utoipa::path(
    get, path = "/api/v1/quarantine", tag = "quarantine", params(HeldParams),
    responses((status = 200, description = "A page", body = Page<Held>), (status = 422, description = "An unknown state", body = ErrorBody))
)]
pub(super) async fn list(
    State(hub): State<Arc<Hub>>,
    Params(params): Params<HeldParams>,
) -> Result<Json<Page<Held>>, ApiError> {
    let state = match params.state.as_deref() {
        None | Some("") => Some("held"),
        Some("all") => None,
        Some(state @ ("held" | "replayed" | "accepted" | "discarded")) => Some(state),
        Some(other) => {
            return Err(ApiError::invalid(format!(
                "{other} is no state; write held, replayed, accepted, discarded or all"
            )));
        }
    };
    let (limit, after) = (limit(params.limit), after_id(params.after.as_deref())?);
    let rows = store::page(&mut hub.store.read().await?, &hub.store.city, state, after.as_deref(), limit + 1).await?;
    Ok(Json(Page::new(rows.into_iter().map(Held::from).collect(), limit, |last| last.id.clone())))
}

/// A message kept aside with its raw request. Everything but the method is null without the right to identities, and when it has
/// expired.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeldWhole {
    /// What a list shows.
    #[serde(flatten)]
    pub held: Held,
    /// The method or verb of the protocol.
    pub method: Option<String>,
    /// The address with its query; `***` for credentials.
    pub url: Option<String>,
    /// What the query says, decoded; `***` for credentials.
    pub parameters: Option<Vec<Named>>,
    /// The headers in order; `***` for credentials.
    pub headers: Option<Vec<Named>>,
    /// The IP address that it came from, after trusted proxies; null for what was polled.
    pub peer: Option<String>,
    /// The raw body as text, broken bytes replaced.
    pub body: Option<String>,
}

/// A parameter or header.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Named {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Named {
    fn all(pairs: Vec<(String, String)>) -> Vec<Self> {
        pairs.into_iter().map(|(name, value)| Self { name, value }).collect()
    }
}

/// One message in quarantine, as it came but for its credentials, which are never shown. What it says is shown only with the right to
/// identities, and each look at it is audited.
#[utoipa::path(
    get, path = "/api/v1/quarantine/{id}", tag = "quarantine", params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "The message", body = HeldWhole), (status = 404, description = "No such message", body = ErrorBody))
)]
pub(super) async fn get(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<HeldWhole>, ApiError> {
    let (row, raw) = {
        let mut conn = hub.store.read().await?;
        let row = store::get(&mut conn, &hub.store.city, &id).await?.ok_or_else(ApiError::not_found)?;
        (row, store::raw(&mut conn, &hub.store.city, &id).await?)
    };
    let shown = raw.as_ref().filter(|_| actor.identity).and_then(|raw| held::shown(&hub, raw));
    let mut whole = HeldWhole {
        held: row.into(),
        method: raw.map(|raw| raw.method),
        url: None,
        parameters: None,
        headers: None,
        peer: None,
        body: None,
    };
    if let Some(shown) = shown {
        super::tickets::audit(&hub, &actor, "quarantine.read", Some(&id), json!({})).await?;
        whole.url = Some(shown.url);
        whole.parameters = Some(Named::all(shown.parameters));
        whole.headers = Some(Named::all(shown.headers));
        whole.peer = shown.peer;
        whole.body = Some(shown.body);
    }
    Ok(Json(whole))
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resolved {
    /// Of each of its items: `outcome`, `ticket`, `reason`.
    #[schema(value_type = Vec<Object>)]
    pub verdicts: Vec<Verdict>,
}

/// Judge a message again as it came, against its time of arrival.
#[utoipa::path(
    post, path = "/api/v1/quarantine/{id}/replay", tag = "quarantine", params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "Taken", body = Resolved), (status = 404, description = "No such message", body = ErrorBody), (status = 409, description = "It still cannot be taken, or was dealt with already", body = ErrorBody))
)]
pub(super) async fn replay(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<Resolved>, ApiError> {
    held::resolve(&hub, &id, Resolve::Replay, &actor.id)
        .await
        .map(|verdicts| Json(Resolved { verdicts }))
        .map_err(conflict)
}

/// Why a message is thrown away.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Discard {
    /// Why.
    pub reason: String,
}

/// Throw a message away; the ledger keeps it as quarantined.
#[utoipa::path(
    post, path = "/api/v1/quarantine/{id}/discard", tag = "quarantine", request_body = Discard, params(("id" = String, Path, description = "The message's id")),
    responses((status = 204, description = "Thrown away"), (status = 404, description = "No such message", body = ErrorBody), (status = 409, description = "It was dealt with already", body = ErrorBody), (status = 422, description = "Without a reason", body = ErrorBody))
)]
pub(super) async fn discard(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(body): Body<Discard>,
) -> Result<StatusCode, ApiError> {
    let reason = said(&body.reason)?;
    held::discard(&hub, &id, reason, &actor.id).await.map_err(conflict)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A message accepted by a person.
#[derive(Deserialize, ToSchema)]
pub(super) struct Accept {
    /// Why its origin is believed.
    pub reason: String,
    /// The text, where the hub cannot read it out of the raw message.
    pub text: Option<String>,
    /// The sender's address, likewise.
    pub from: Option<String>,
}

/// Take a message although its origin could not be verified, or its id was used before. It is acknowledged like any other.
#[utoipa::path(
    post, path = "/api/v1/quarantine/{id}/accept", tag = "quarantine", request_body = Accept, params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "Taken", body = Resolved), (status = 404, description = "No such message", body = ErrorBody), (status = 409, description = "It was dealt with already", body = ErrorBody), (status = 422, description = "Without a reason, or with neither sender nor text", body = ErrorBody))
)]
pub(super) async fn accept(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(body): Body<Accept>,
) -> Result<Json<Resolved>, ApiError> {
    let reason = said(&body.reason)?.to_owned();
    let how = Resolve::Accept { reason, text: body.text, from: body.from };
    held::resolve(&hub, &id, how, &actor.id).await.map(|verdicts| Json(Resolved { verdicts })).map_err(conflict)
}

fn said(reason: &str) -> Result<&str, ApiError> {
    let reason = reason.trim();
    if reason.is_empty() { Err(ApiError::invalid("reason must say why")) } else { Ok(reason) }
}

/// A message has no moves of a ticket, so its conflict has a code of its own.
fn conflict(error: crate::store::Error) -> ApiError {
    match error {
        crate::store::Error::Illegal(message) => ApiError::conflict("not_taken", message),
        other => other.into(),
    }
}
