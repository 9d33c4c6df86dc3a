//! What handlers of the staff API take out of a request, each refusing in the one envelope.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::domain::{Actor, TicketNumber};

/// Who asks; the guard of the API has let it in.
#[derive(Debug, Clone)]
pub struct Staff(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Actor>().cloned().map(Self).ok_or_else(ApiError::unauthorized)
    }
}

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Json::<T>::from_request(request, state).await.map(|Json(value)| Self(value)).map_err(refused)
    }
}

impl<T: DeserializeOwned> Body<T> {
    /// Reads a JSON body that is already there.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 with the name of the field for JSON of another shape.
    pub fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        Json::<T>::from_bytes(bytes).map(|Json(value)| Self(value)).map_err(refused)
    }
}

fn refused(rejection: JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::JsonDataError(error) => ApiError::invalid(error.body_text()),
        JsonRejection::JsonSyntaxError(error) => ApiError::new(StatusCode::BAD_REQUEST, "malformed", error.body_text()),
        other => {
            let code = if other.status() == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "malformed" };
            ApiError::new(other.status(), code, other.body_text())
        }
    }
}

/// The query string.
#[derive(Debug, Clone)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|rejection| ApiError::invalid(rejection.body_text()))
    }
}

/// The ticket number of the address.
#[derive(Debug, Clone)]
pub struct Number(pub TicketNumber);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(all) =
            Path::<Vec<(String, String)>>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        let number = all.iter().find(|(name, _)| name == "number").and_then(|(_, typed)| TicketNumber::parse(typed));
        number.map(Self).ok_or_else(ApiError::not_found)
    }
}

/// A further segment of the address.
#[derive(Debug, Clone)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(all) =
            Path::<Vec<(String, String)>>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        all.into_iter().find(|(name, _)| name == "id").map(|(_, id)| Self(id)).ok_or_else(ApiError::not_found)
    }
}

/// The segment of the address that says of which kind.
#[derive(Debug, Clone)]
pub struct Kind(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Kind {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(all) =
            Path::<Vec<(String, String)>>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        all.into_iter().find(|(name, _)| name == "kind").map(|(_, kind)| Self(kind)).ok_or_else(ApiError::not_found)
    }
}
