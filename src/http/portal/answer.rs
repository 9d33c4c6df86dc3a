//! One answer by a link that ends, and the files of answers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::request::Visit;
use super::views::AnswerPage;
use super::{ticket, token};
use crate::store::{Error, portal as store, tickets};

/// `GET /answer/{token}`
pub(super) async fn link(visit: Visit, Path(token): Path<String>) -> Response {
    match page(&visit, &token).await {
        Ok(Some(page)) => visit.page(StatusCode::OK, "answer.html", "", &format!("/answer/{token}"), &page),
        Ok(None) => visit.fault(StatusCode::NOT_FOUND, "gone"),
        Err(_) => visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later"),
    }
}

async fn page(visit: &Visit, token: &str) -> Result<Option<AnswerPage>, Error> {
    let hub = &visit.portal.hub;
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    let Some(link) = store::answer_link(&mut conn, city, crate::secret::hash(token), visit.now).await? else {
        return Ok(None);
    };
    let replies = tickets::replies(&mut conn, city, &link.ticket).await?;
    let files = tickets::attachments(&mut conn, city, &link.ticket).await?;
    let Some(reply) = replies.iter().find(|reply| reply.id == link.reply_id) else { return Ok(None) };
    Ok(Some(AnswerPage {
        spoken: link.ticket.spoken(),
        answer: ticket::answer(visit, reply, &files),
        expires: ticket::moment(hub, link.expires_at, visit.words()).text,
    }))
}

#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    until: i64,
    check: String,
}

/// `GET /files/{id}?until=&check=`: always a download, whatever is inside.
pub(super) async fn download(
    visit: Visit,
    Path(id): Path<String>,
    signed: Result<Query<Signed>, QueryRejection>,
) -> Response {
    let hub = &visit.portal.hub;
    let open = signed.is_ok_and(|Query(signed)| token::file_is_open(hub, &id, signed.until, &signed.check, visit.now));
    if !open {
        return visit.fault(StatusCode::NOT_FOUND, "gone");
    }
    let file = match hub.store.read().await {
        Ok(mut conn) => store::answer_file(&mut conn, &hub.store.city, &id).await,
        Err(error) => Err(error),
    };
    let file = match file {
        Ok(Some(file)) => file,
        Ok(None) => return visit.fault(StatusCode::NOT_FOUND, "gone"),
        Err(_) => return visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later"),
    };
    let Ok(bytes) = hub.objects.get(&file.sha256).await else {
        return visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later");
    };
    let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
    let disposition = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}"));
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    let media_type =
        HeaderValue::from_str(&file.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}
