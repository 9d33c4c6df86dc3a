//! Logging in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::cookie_name;
use crate::domain::{Actor, Role};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Staff};
use crate::hub::Hub;
use crate::staff::{self, Refused};

/// Who wants in.
#[derive(Deserialize, ToSchema)]
pub(super) struct Login {
    /// The login.
    pub login: String,
    /// The password.
    pub password: String,
}

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// As the audit log names it.
    pub id: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// A handler's department.
    pub department: Option<String>,
    /// Whether identities of citizens are open.
    pub identity: bool,
}

impl From<Actor> for Me {
    fn from(actor: Actor) -> Self {
        Self {
            id: actor.id,
            name: actor.name,
            role: actor.role,
            department: actor.department,
            identity: actor.identity,
        }
    }
}

/// Log in: the session is a cookie.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = Login,
    responses(
        (status = 200, description = "Logged in; the cookie is set", body = Me),
        (status = 401, description = "Login or password is wrong", body = ErrorBody),
        (status = 429, description = "The login is locked after too many wrong passwords; see Retry-After", body = ErrorBody),
    )
)]
pub(super) async fn log_in(State(hub): State<Arc<Hub>>, Body(login): Body<Login>) -> Result<Response, ApiError> {
    let (token, row) = staff::log_in(&hub, &login.login, login.password).await.map_err(not_let_in)?;
    Ok((CookieJar::new().add(cookie(&hub, token)), no_store(Json(Me::from(row.actor())))).into_response())
}

fn not_let_in(refused: Refused) -> ApiError {
    let message = refused.to_string();
    match refused {
        Refused::Wrong => ApiError::new(StatusCode::UNAUTHORIZED, "wrong_login", message),
        Refused::Locked { remaining } => {
            let seconds = u64::try_from(remaining / 1000).unwrap_or_default().max(1);
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "locked", message).retry_after(seconds)
        }
        Refused::Store(error) => error.into(),
    }
}

fn cookie(hub: &Hub, token: String) -> Cookie<'static> {
    Cookie::build((cookie_name(hub), token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(hub.config.server.public_url.scheme() == "https")
        .build()
}

fn no_store(body: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Who am I.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session",
    responses((status = 200, description = "Who asks", body = Me), (status = 401, description = "Nobody", body = ErrorBody))
)]
pub(super) async fn who(Staff(actor): Staff) -> Response {
    no_store(Json(Me::from(actor)))
}

/// Log out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204, description = "The session has ended")))]
pub(super) async fn log_out(State(hub): State<Arc<Hub>>, jar: CookieJar) -> Result<Response, ApiError> {
    let name = cookie_name(&hub);
    if let Some(session) = jar.get(name) {
        staff::log_out(&hub, session.value()).await?;
    }
    let mut gone = cookie(&hub, String::new());
    gone.make_removal();
    Ok((CookieJar::new().add(gone), StatusCode::NO_CONTENT).into_response())
}

/// A new password of one's own.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPassword {
    /// The password so far.
    pub password: String,
    /// The new one, at least ten characters.
    pub new_password: String,
}

/// Change one's own password; every session of this login ends.
#[utoipa::path(
    post, path = "/api/v1/session/password", tag = "session", request_body = NewPassword,
    responses(
        (status = 204, description = "Changed; log in again"),
        (status = 401, description = "The password so far is wrong", body = ErrorBody),
        (status = 403, description = "An API token has no password", body = ErrorBody),
        (status = 422, description = "The new password is too short", body = ErrorBody),
        (status = 429, description = "The login is locked after too many wrong passwords; see Retry-After", body = ErrorBody),
    )
)]
pub(super) async fn change_password(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let Some(id) = actor.id.strip_prefix("staff:") else {
        return Err(ApiError::forbidden("an API token has no password"));
    };
    let row = crate::store::staff::by_id(&mut hub.store.read().await?, &hub.store.city, id)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    // The same way as logging in, so that a stolen session cannot try passwords freely.
    let (token, _) = staff::log_in(&hub, &row.login, new.password).await.map_err(not_let_in)?;
    staff::log_out(&hub, &token).await?;
    let mut row = row;
    row.password_hash = staff::hash_password(new.new_password).await?;
    staff::update_staff(&hub.store, row, &actor.id, hub.clock.millis()).await?;
    Ok(StatusCode::NO_CONTENT)
}
