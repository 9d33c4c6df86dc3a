//! The one error envelope of the staff API: `{"error": {"code", "message", ...}}`.
//!
//! What went wrong inside is logged here, once, and never shown.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::intake::Refusal;
use crate::store::Error;

/// An answer that is no success.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Map<String, Value>,
    retry_after_secs: Option<u64>,
}

impl ApiError {
    /// An error with a status, a code for programs and a message for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new(), retry_after_secs: None }
    }

    /// 401: nobody, or a session or token that is no longer good.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "log in, or send a valid API token as bearer")
    }

    /// 403: not for this role or right.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404; also for what is outside the caller's reach, so that nobody learns that it is there.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing, or it is not yours to see")
    }

    /// 422: the request cannot be carried out as it stands.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    /// 409 with a code.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// The same error with a further field beside `code` and `message`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// The same error with the header `Retry-After`.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of the staff API failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the hub failed; the operator finds the reason in its log",
        )
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Changed { seen, now } => {
                Self::conflict("changed", error.to_string()).with("seen", seen).with("version", now)
            }
            Error::Illegal(message) => Self::conflict("illegal_move", message),
            Error::Invalid(message) => Self::invalid(message),
            Error::Unavailable(_) | Error::Stopping => {
                tracing::warn!(%error, "a request of the staff API could not be stored");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the hub cannot do this now; nothing was stored",
                )
                .retry_after(5)
            }
            // Nobody is told by the log, which whoever asks too much would fill.
            Error::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string()).retry_after(2),
            Error::Damaged(_) => {
                tracing::error!(%error, "a request of the staff API could not be stored");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the hub cannot do this now; nothing was stored",
                )
                .retry_after(60)
            }
            Error::Database(_) | Error::OtherSchema(_) | Error::Shape(_) => Self::internal(&error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::unauthorized(),
            Refusal::QuarantineFull => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "quarantine_full", refusal.to_string()).retry_after(600)
            }
            Refusal::Unavailable(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::not_found(),
            _ => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = Map::new();
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.into());
        error.extend(self.details);
        let mut body = Map::new();
        body.insert("error".to_owned(), Value::Object(error));
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The body of every answer that is no success.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong. Some codes bring further fields.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// For programs: `unauthorized`, `forbidden`, `not_found`, `invalid`, `changed`, `illegal_move`, `idempotency_conflict`, `unavailable`, ...
    pub code: String,
    /// For people.
    pub message: String,
    /// With `invalid`, where one field is to blame: which.
    pub field: Option<String>,
    /// With `changed` and `illegal_move`: the version now.
    pub version: Option<i64>,
    /// With `changed`: the version that the request saw.
    pub seen: Option<i64>,
    /// With `changed` and `illegal_move`: the state now.
    pub state: Option<crate::domain::TicketState>,
    /// With `changed` and `illegal_move`: the moves that are possible now.
    pub legal: Option<Vec<crate::domain::Move>>,
    /// With `changed`: the newest ten events of the ticket, oldest first.
    pub changes: Option<Vec<crate::projection::EventView>>,
    /// With `changed`: what is not what it was at the version seen, field by field.
    pub fields: Option<Vec<super::api::FieldChange>>,
    /// With `changed`: what happened since the version seen, oldest first; at most 50.
    pub events: Option<Vec<super::api::HistoryView>>,
    /// With `changed`: whether more happened than `events` holds.
    pub more: Option<bool>,
    /// With `changed`: how often the citizen wrote since.
    pub new_messages: Option<i64>,
}
