//! Drafts: what somebody is writing survives reloads, log-outs and colleagues. Others see that somebody writes, not what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::catalogue::Whole;
use super::visible;
use crate::dispatch::actions;
use crate::domain::{Actor, Millis, Role, TicketNumber};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Kind, Number, Staff};
use crate::hub::Hub;
use crate::projection::{Person, moment};
use crate::store::drafts::{self as store, DraftRow, Key};
use crate::store::{Error, Event, staff};

/// How long a draft is kept after it was last touched, milliseconds.
const KEPT: Millis = 30 * 86_400_000;

/// The longest text, characters.
const LONGEST: usize = 100_000;

/// What is written about a ticket.
const KINDS: [&str; 6] = ["reply", "question", "note", "send_back", "dispatch", "close"];

/// The kind of a draft that has no ticket.
const CALL: &str = "call";

/// A draft.
#[derive(Serialize, ToSchema)]
pub(super) struct Draft {
    /// The client's id, of a call that has no ticket yet.
    pub id: Option<String>,
    /// What is written: `reply`, `question`, `note`, `send_back`, `dispatch`, `close` or `call`.
    pub kind: String,
    /// The text.
    pub text: String,
    /// Further fields of the form.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
    /// What to name when it is written over.
    pub revision: i64,
    /// The version of the ticket that the writer saw.
    pub version: Option<i64>,
    /// When it was last touched (RFC 3339).
    pub updated_at: String,
    /// When it will be forgotten (RFC 3339).
    pub expires_at: String,
}

impl From<DraftRow> for Draft {
    fn from(row: DraftRow) -> Self {
        Self {
            id: row.ticket.is_none().then_some(row.subject),
            kind: row.kind,
            text: row.text,
            data: row.data.and_then(|data| serde_json::from_str(&data).ok()),
            revision: row.revision,
            version: row.version,
            updated_at: moment(row.updated_at),
            expires_at: moment(row.expires_at),
        }
    }
}

/// A colleague's draft.
#[derive(Serialize, ToSchema)]
pub(super) struct Drafting {
    /// Who writes.
    pub who: Person,
    /// What: as in a draft.
    pub kind: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// When it was last touched (RFC 3339).
    pub updated_at: String,
    /// The text, for supervisors and admins.
    pub text: Option<String>,
}

/// The drafts about a ticket.
#[derive(Serialize, ToSchema)]
pub(super) struct Drafts {
    /// One's own.
    pub mine: Vec<Draft>,
    /// Those of others.
    pub others: Vec<Drafting>,
}

/// What is kept.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewDraft {
    /// The text; at most 100,000 characters.
    #[serde(default)]
    pub text: String,
    /// Further fields of the form.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
    /// The revision that is written over; 0 for a new draft.
    #[serde(default)]
    pub revision: i64,
    /// The version of the ticket that was seen.
    pub version: Option<i64>,
}

/// Drafts about a ticket: one's own with their texts, and who else is writing.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/drafts", tag = "drafts", params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "The drafts", body = Drafts), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn list(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
) -> Result<Json<Drafts>, ApiError> {
    let (city, now) = (&hub.store.city, hub.clock.millis());
    let mut conn = hub.store.read().await?;
    visible(&mut conn, &hub, &actor, &number).await?;
    let rows = store::of_ticket(&mut conn, city, &number, now).await?;
    let names = staff::names(&mut conn, city, rows.iter().map(|row| row.staff.as_str())).await?;
    let (mine, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.staff == actor.id);
    let reads = matches!(actor.role, Role::Supervisor | Role::Admin);
    let drafting = |row: DraftRow| Drafting {
        who: Person::of(&row.staff, &names),
        kind: row.kind,
        since: moment(row.created_at),
        updated_at: moment(row.updated_at),
        text: reads.then_some(row.text),
    };
    Ok(Json(Drafts {
        mine: mine.into_iter().map(Draft::from).collect(),
        others: others.into_iter().map(drafting).collect(),
    }))
}

/// Keep a draft about a ticket.
#[utoipa::path(
    put, path = "/api/v1/tickets/{number}/drafts/{kind}", tag = "drafts", request_body = NewDraft,
    params(("number" = String, Path, description = "The ticket's number"), ("kind" = String, Path, description = "`reply`, `question`, `note`, `send_back`, `dispatch` or `close`")),
    responses((status = 200, description = "Kept", body = Draft), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 409, description = "Another revision is stored; the error holds it as `draft`", body = ErrorBody), (status = 422, description = "Unknown kind, or too long", body = ErrorBody))
)]
pub(super) async fn keep(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Kind(kind): Kind,
    Body(new): Body<NewDraft>,
) -> Result<Json<Draft>, ApiError> {
    if !KINDS.contains(&kind.as_str()) {
        return Err(ApiError::invalid(format!("{kind} is no kind; write one of {}", KINDS.join(", "))));
    }
    visible(&mut hub.store.read().await?, &hub, &actor, &number).await?;
    put(&hub, actor, number.to_string(), kind, Some(number), new).await
}

async fn put(
    hub: &Arc<Hub>,
    actor: Actor,
    subject: String,
    kind: String,
    ticket: Option<TicketNumber>,
    new: NewDraft,
) -> Result<Json<Draft>, ApiError> {
    let data = new.data.map(|data| data.to_string());
    if new.text.chars().count() + data.as_ref().map_or(0, |data| data.chars().count()) > LONGEST {
        return Err(ApiError::invalid(format!("a draft has at most {LONGEST} characters")));
    }
    let key = Key { staff: actor.id, subject, kind };
    let row = DraftRow {
        staff: key.staff.clone(),
        subject: key.subject.clone(),
        kind: key.kind.clone(),
        ticket,
        text: new.text.replace('\0', ""),
        data,
        revision: new.revision,
        version: new.version,
        created_at: 0,
        updated_at: 0,
        expires_at: 0,
    };
    let kept = actions::write(hub, move |hub, conn, changes| {
        let mut row = row.clone();
        Box::pin(async move {
            row.expires_at = changes.now() + KEPT;
            let begun = store::put(conn, &hub.store.city, &row, changes.now()).await?;
            if let Some(ticket) = row.ticket.filter(|_| begun) {
                changes.event(drafting(ticket));
            }
            Ok(())
        })
    })
    .await;
    let stored = store::get(&mut hub.store.read().await?, &hub.store.city, &key, hub.clock.millis()).await?;
    match (kept, stored) {
        (Ok(()), Some(row)) => Ok(Json(row.into())),
        (Ok(()), None) => Err(ApiError::not_found()),
        (Err(Error::Changed { seen, now }), stored) => {
            let message = format!("revision {seen} is not the one that is stored, which is {now}");
            let draft = stored.map(Draft::from);
            Err(ApiError::conflict("draft_changed", message).with("draft", json!(draft)))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Says that somebody began or ended writing about a ticket.
fn drafting(ticket: TicketNumber) -> Event {
    Event { kind: "drafting", ticket: Some(ticket), state: None, department: None, detail: None }
}

async fn gone(hub: &Arc<Hub>, key: Key, ticket: Option<TicketNumber>) -> Result<StatusCode, ApiError> {
    actions::write(hub, move |hub, conn, changes| {
        let (key, ticket) = (key.clone(), ticket.clone());
        Box::pin(async move {
            let was = store::delete(conn, &hub.store.city, &key).await?;
            if let Some(ticket) = ticket.filter(|_| was) {
                changes.event(drafting(ticket));
            }
            Ok(())
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Throw away one's own draft about a ticket.
#[utoipa::path(
    delete, path = "/api/v1/tickets/{number}/drafts/{kind}", tag = "drafts",
    params(("number" = String, Path, description = "The ticket's number"), ("kind" = String, Path, description = "What was written")),
    responses((status = 204, description = "There is none any more"), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn discard(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Kind(kind): Kind,
) -> Result<StatusCode, ApiError> {
    visible(&mut hub.store.read().await?, &hub, &actor, &number).await?;
    gone(&hub, Key { staff: actor.id, subject: number.to_string(), kind }, Some(number)).await
}

/// One's own drafts of calls that have no ticket yet, the one touched last first.
#[utoipa::path(get, path = "/api/v1/call-drafts", tag = "drafts", responses((status = 200, description = "At most 100", body = Whole<Draft>)))]
pub(super) async fn calls(State(hub): State<Arc<Hub>>, Staff(actor): Staff) -> Result<Json<Whole<Draft>>, ApiError> {
    let mut conn = hub.store.read().await?;
    let rows = store::without_ticket(&mut conn, &hub.store.city, &actor.id, hub.clock.millis()).await?;
    Ok(Json(Whole { items: rows.into_iter().map(Draft::from).collect() }))
}

fn call_key(actor: &Actor, id: String) -> Result<Key, ApiError> {
    let fits = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // A number of digits only might be taken for a ticket.
    if !fits || TicketNumber::parse(&id).is_some() {
        return Err(ApiError::invalid("the id must be 1 to 64 letters, digits or hyphens, such as a UUID"));
    }
    Ok(Key { staff: actor.id.clone(), subject: id, kind: CALL.to_owned() })
}

/// One's own draft of a call.
#[utoipa::path(
    get, path = "/api/v1/call-drafts/{id}", tag = "drafts", params(("id" = String, Path, description = "The client's id")),
    responses((status = 200, description = "The draft", body = Draft), (status = 404, description = "No such draft", body = ErrorBody))
)]
pub(super) async fn call(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<Json<Draft>, ApiError> {
    let key = call_key(&actor, id)?;
    let row = store::get(&mut hub.store.read().await?, &hub.store.city, &key, hub.clock.millis()).await?;
    row.map(|row| Json(row.into())).ok_or_else(ApiError::not_found)
}

/// Keep a draft of a call that has no ticket yet, under an id of the client's own.
#[utoipa::path(
    put, path = "/api/v1/call-drafts/{id}", tag = "drafts", request_body = NewDraft, params(("id" = String, Path, description = "The client's id, such as a UUID")),
    responses((status = 200, description = "Kept", body = Draft), (status = 409, description = "Another revision is stored; the error holds it as `draft`", body = ErrorBody), (status = 422, description = "A wrong id, or too long", body = ErrorBody))
)]
pub(super) async fn keep_call(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(new): Body<NewDraft>,
) -> Result<Json<Draft>, ApiError> {
    let key = call_key(&actor, id)?;
    put(&hub, actor, key.subject, key.kind, None, new).await
}

/// Throw away one's own draft of a call.
#[utoipa::path(
    delete, path = "/api/v1/call-drafts/{id}", tag = "drafts", params(("id" = String, Path, description = "The client's id")),
    responses((status = 204, description = "There is none any more"))
)]
pub(super) async fn discard_call(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let key = call_key(&actor, id)?;
    gone(&hub, key, None).await
}
