//! Staff and API tokens, as an admin manages them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalogue::Whole;
use super::millis;
use crate::domain::Role;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Id, Staff};
use crate::hub::Hub;
use crate::projection::moment;
use crate::staff::{self, NewStaff};
use crate::store::staff::{self as store, Grant, StaffRow, TokenRow};

/// A member of staff.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StaffView {
    /// Its id.
    pub id: String,
    /// The login.
    pub login: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// A handler's department.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    pub identity: bool,
    /// Until when the login is locked (RFC 3339).
    pub locked_until: Option<String>,
    /// Since when it is disabled (RFC 3339).
    pub disabled_at: Option<String>,
    /// The version to name when changing it.
    pub version: i64,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

impl From<StaffRow> for StaffView {
    fn from(row: StaffRow) -> Self {
        Self {
            id: row.id.to_string(),
            login: row.login,
            name: row.name,
            role: row.role,
            department: row.department,
            identity: row.identity,
            locked_until: row.locked_until.map(moment),
            disabled_at: row.disabled_at.map(moment),
            version: row.version,
            created_at: moment(row.created_at),
        }
    }
}

/// All staff, by login.
#[utoipa::path(get, path = "/api/v1/staff", tag = "users", responses((status = 200, description = "All staff", body = Whole<StaffView>)))]
pub(super) async fn list(State(hub): State<Arc<Hub>>) -> Result<Json<Whole<StaffView>>, ApiError> {
    let rows = store::all(&mut hub.store.read().await?, &hub.store.city).await?;
    Ok(Json(Whole { items: rows.into_iter().map(StaffView::from).collect() }))
}

/// A new member of staff.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewStaffBody {
    /// The login, one word; small letters.
    pub login: String,
    /// The name; the login when left out.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// The department; handlers need one.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    #[serde(default)]
    pub identity: bool,
    /// The password, at least ten characters.
    pub password: String,
}

fn known_department(hub: &Hub, department: Option<&str>) -> Result<(), ApiError> {
    match department.filter(|id| hub.rules().department(id).is_none()) {
        Some(id) => Err(ApiError::invalid(format!("there is no department {id}"))),
        None => Ok(()),
    }
}

/// Add a member of staff.
#[utoipa::path(
    post, path = "/api/v1/staff", tag = "users", request_body = NewStaffBody,
    responses((status = 201, description = "Added", body = StaffView), (status = 422, description = "Login taken, password too short, unknown department", body = ErrorBody))
)]
pub(super) async fn create(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(body): Body<NewStaffBody>,
) -> Result<Response, ApiError> {
    known_department(&hub, body.department.as_deref())?;
    let name = body.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| body.login.clone());
    let grant = Grant { role: body.role, department: body.department, identity: body.identity };
    let new = NewStaff { login: body.login, name, grant, password: body.password };
    let id = staff::create_staff(&hub.store, new, &actor.id, hub.clock.millis()).await?;
    let row = store::by_id(&mut hub.store.read().await?, &hub.store.city, id.as_str())
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok((StatusCode::CREATED, Json(StaffView::from(row))).into_response())
}

/// What changes in a member of staff; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(super) struct StaffPatch {
    /// The name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// The department.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    pub identity: Option<bool>,
    /// A new password, at least ten characters; it also unlocks.
    pub password: Option<String>,
    /// Whether the login is disabled.
    pub disabled: Option<bool>,
    /// The version that was seen.
    pub version: i64,
}

/// Change a member of staff; its sessions end.
#[utoipa::path(
    patch, path = "/api/v1/staff/{id}", tag = "users", request_body = StaffPatch, params(("id" = String, Path, description = "The id")),
    responses((status = 200, description = "Changed", body = StaffView), (status = 404, description = "Nobody of this id", body = ErrorBody), (status = 409, description = "Changed since that version", body = ErrorBody), (status = 422, description = "Password too short, unknown department", body = ErrorBody))
)]
pub(super) async fn change(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
    Body(patch): Body<StaffPatch>,
) -> Result<Json<StaffView>, ApiError> {
    known_department(&hub, patch.department.as_deref())?;
    let now = hub.clock.millis();
    let mut row =
        store::by_id(&mut hub.store.read().await?, &hub.store.city, &id).await?.ok_or_else(ApiError::not_found)?;
    row.version = patch.version;
    row.name = patch.name.unwrap_or(row.name);
    row.role = patch.role.unwrap_or(row.role);
    row.department = patch.department.or(row.department);
    row.identity = patch.identity.unwrap_or(row.identity);
    row.disabled_at = match patch.disabled {
        Some(true) => row.disabled_at.or(Some(now)),
        Some(false) => None,
        None => row.disabled_at,
    };
    if let Some(password) = patch.password {
        row.password_hash = staff::hash_password(password).await?;
    }
    staff::update_staff(&hub.store, row, &actor.id, now).await?;
    let row =
        store::by_id(&mut hub.store.read().await?, &hub.store.city, &id).await?.ok_or_else(ApiError::not_found)?;
    Ok(Json(row.into()))
}

/// An API token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its department.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    pub identity: bool,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Who made it, as the audit log names it.
    pub created_by: String,
    /// When it was last used (RFC 3339), to the minute.
    pub last_used_at: Option<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            role: row.role,
            department: row.department,
            identity: row.identity,
            created_at: moment(row.created_at),
            created_by: row.created_by,
            last_used_at: row.last_used_at.map(moment),
            expires_at: row.expires_at.map(moment),
            revoked_at: row.revoked_at.map(moment),
        }
    }
}

/// All API tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "users", responses((status = 200, description = "All tokens, without their secrets", body = Whole<TokenView>)))]
pub(super) async fn tokens(State(hub): State<Arc<Hub>>) -> Result<Json<Whole<TokenView>>, ApiError> {
    let rows = store::tokens(&mut hub.store.read().await?, &hub.store.city).await?;
    Ok(Json(Whole { items: rows.into_iter().map(TokenView::from).collect() }))
}

/// A new API token.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewToken {
    /// What it is for.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The department; handlers need one.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    #[serde(default)]
    pub identity: bool,
    /// When it ends (RFC 3339); never when left out.
    pub expires_at: Option<String>,
}

/// A new API token with its secret, which is shown only now.
#[derive(Serialize, ToSchema)]
pub(super) struct Issued {
    /// Its id.
    pub id: String,
    /// The secret: the bearer token.
    pub token: String,
}

/// Make an API token. Its secret is shown this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "users", request_body = NewToken,
    responses((status = 201, description = "Made", body = Issued), (status = 422, description = "Unknown department, or a wrong time", body = ErrorBody))
)]
pub(super) async fn issue(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(body): Body<NewToken>,
) -> Result<Response, ApiError> {
    known_department(&hub, body.department.as_deref())?;
    if body.name.trim().is_empty() {
        return Err(ApiError::invalid("name must say what the token is for"));
    }
    let token = staff::new_token();
    let grant = Grant { role: body.role, department: body.department, identity: body.identity };
    let expires_at = body.expires_at.as_deref().map(millis).transpose()?;
    let id =
        staff::create_token(&hub.store, &token, body.name.trim(), grant, expires_at, &actor.id, hub.clock.millis())
            .await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(Issued { id: id.to_string(), token }))
        .into_response())
}

/// Revoke an API token.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "users", params(("id" = String, Path, description = "The id")),
    responses((status = 204, description = "Revoked"), (status = 404, description = "No such token that is still good", body = ErrorBody))
)]
pub(super) async fn revoke(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    crate::dispatch::actions::write(&hub, move |hub, conn, changes| {
        let (id, actor) = (id.clone(), actor.id.clone());
        Box::pin(async move {
            store::revoke_token(conn, &hub.store.city, &id, changes.now()).await?;
            changes.audit(&actor, "token.revoked", Some(&id), None);
            Ok(())
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
