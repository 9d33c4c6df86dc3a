//! Files of tickets: up with answers, down to staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::tickets::download;
use super::visible;
use crate::domain::new_id;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Id, Number, Params, Staff};
use crate::hub::Hub;
use crate::intake::{media_type, refusal};
use crate::projection::{self, AttachmentView, Eyes};
use crate::store::NewAttachment;
use crate::store::tickets::{self, AttachmentRow};

/// A file in a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(super) struct Upload {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    pub file: String,
}

/// Upload a file for an answer; the answer then names it by its id.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/files", tag = "files", params(("number" = String, Path, description = "The ticket's number")),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Stored", body = AttachmentView),
        (status = 404, description = "No such ticket, or not yours", body = ErrorBody),
        (status = 413, description = "Too large", body = ErrorBody),
        (status = 422, description = "No file, or of a type that is not taken", body = ErrorBody),
    )
)]
pub(super) async fn upload(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    let mut form = form.map_err(|refused| ApiError::new(refused.status(), "malformed", refused.body_text()))?;
    visible(&mut hub.store.read().await?, &hub, &actor, &number).await?;
    let broken = |error: axum::extract::multipart::MultipartError| {
        let code = if error.status() == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "malformed" };
        ApiError::new(error.status(), code, error.body_text())
    };
    let (name, declared, bytes) = loop {
        let Some(field) = form.next_field().await.map_err(broken)? else {
            return Err(ApiError::invalid("the form has no file"));
        };
        if let Some(name) = field.file_name().map(str::to_owned) {
            let declared = field.content_type().unwrap_or_default().to_owned();
            break (name, declared, field.bytes().await.map_err(broken)?);
        }
    };
    let media_type = media_type(&name, &declared, &bytes);
    if bytes.len() as u64 > hub.config.storage.max_attachment_bytes {
        let most = hub.config.storage.max_attachment_bytes;
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("larger than {most} bytes")));
    }
    if let Some(reason) = refusal(&hub, bytes.len() as u64, &media_type) {
        return Err(ApiError::invalid(reason));
    }
    let size = i64::try_from(bytes.len()).ok();
    let sha256 = hub.objects.put(bytes).await?;
    let row = AttachmentRow {
        id: new_id(hub.clock.millis()),
        appeal_id: None,
        reply_id: None,
        name: crate::intake::clean_name(&name),
        media_type,
        size,
        sha256: Some(sha256),
        state: "stored".to_owned(),
        reason: None,
    };
    let (file, ticket) = (row.clone(), number);
    crate::dispatch::actions::write(&hub, move |_, _, changes| {
        changes.attachment(NewAttachment {
            id: file.id.clone(),
            ticket: ticket.clone(),
            appeal_id: None,
            reply_id: None,
            account: String::new(),
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
            state: "stored",
            source: None,
            reason: None,
        });
        changes.audit(
            &actor.id,
            "file.uploaded",
            Some(ticket.as_str()),
            Some(serde_json::json!({ "id": file.id }).to_string()),
        );
        Box::pin(async { Ok(()) })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(projection::attachment(Eyes::FULL, &row))).into_response())
}

/// How to look at a file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LookParams {
    /// Whether a picture or PDF may be shown by the browser; everything else is a download all the same.
    #[serde(default)]
    inline: Option<String>,
}

/// The media type under which a file may be shown by the browser: judged by its bytes, whatever it says of itself.
fn shown_as(bytes: &[u8]) -> Option<&'static str> {
    match infer::get(bytes)?.mime_type() {
        "image/png" => Some("image/png"),
        "image/jpeg" => Some("image/jpeg"),
        "image/gif" => Some("image/gif"),
        "image/webp" => Some("image/webp"),
        "application/pdf" => Some("application/pdf"),
        _ => None,
    }
}

/// Download a file, or look at a picture or PDF.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/attachments/{id}", tag = "files",
    params(LookParams, ("number" = String, Path, description = "The ticket's number"), ("id" = String, Path, description = "The file's id")),
    responses((status = 200, description = "The file; a download, but for pictures and PDF that were asked for inline", content_type = "application/octet-stream"), (status = 404, description = "No such file, or it is not here", body = ErrorBody))
)]
pub(super) async fn get(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Id(id): Id,
    Params(look): Params<LookParams>,
) -> Result<Response, ApiError> {
    let row = {
        let mut conn = hub.store.read().await?;
        visible(&mut conn, &hub, &actor, &number).await?;
        tickets::attachments(&mut conn, &hub.store.city, &number).await?.into_iter().find(|file| file.id.as_str() == id)
    };
    let row = row.filter(|file| file.state == "stored").ok_or_else(ApiError::not_found)?;
    let bytes = hub.objects.get(row.sha256.as_deref().unwrap_or_default()).await?;
    let name = Eyes::of(&actor).text(&row.name);
    let shown =
        shown_as(&bytes).filter(|_| look.inline.as_deref().is_some_and(|inline| matches!(inline, "1" | "true")));
    let mut response = download(&name, shown.unwrap_or(&row.media_type), bytes);
    if let Some(media_type) = shown {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        if media_type == "application/pdf" {
            // Browsers open PDF in a viewer of their own, which a sandbox would forbid.
            let policy = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'";
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
    }
    Ok(response)
}
