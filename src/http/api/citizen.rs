//! The citizen behind a ticket: other tickets of the same one, and mails as they looked.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::catalogue::Whole;
use super::{queue, visible};
use crate::domain::TicketNumber;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Id, Number, Params, Staff};
use crate::hub::Hub;
use crate::projection::TicketSummary;
use crate::store::quarantine;
use crate::store::search::{self, Whom};
use crate::store::tickets::{self, Filter};

/// Other tickets of the same citizen that are named at most.
const MOST: i64 = 50;

/// A ticket that belongs to another one in some way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Related {
    /// `same_citizen` or `linked`.
    pub relation: String,
    /// The ticket.
    pub ticket: TicketSummary,
}

/// Other tickets of the same citizen, and those that refer to this one or to which it refers; newest first, at most 50 of each.
/// Who the citizen is stays untold. Of a confidential ticket only the linked ones are named to those without the right to identities.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/related", tag = "tickets", params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "What the caller may see of them", body = Whole<Related>), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn related(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
) -> Result<Json<Whole<Related>>, ApiError> {
    let city = &hub.store.city;
    let mut conn = hub.store.read().await?;
    visible(&mut conn, &hub, &actor, &number).await?;
    let ticket = tickets::get(&mut conn, city, &number).await?.ok_or_else(ApiError::not_found)?;
    let filter = Filter { scope: actor.scope().map(str::to_owned), ..Filter::default() };
    let mut linked: Vec<TicketNumber> = ticket.linked_to.iter().map(|to| TicketNumber::stored(to.clone())).collect();
    let referring = tickets::linked(&mut conn, city, &number, ticket.contact_id.as_deref()).await?;
    linked.extend(referring.into_iter().map(|(number, _)| number));
    let linked = tickets::matching(&mut conn, city, &linked, &filter).await?;
    let mut same = Vec::new();
    if actor.identity || !ticket.confidential {
        let appeals = tickets::appeals(&mut conn, city, &number).await?;
        let senders: BTreeSet<&str> =
            appeals.iter().map(|appeal| appeal.sender.as_str()).filter(|sender| !sender.is_empty()).collect();
        let mut spellings: Vec<String> = senders
            .into_iter()
            .take(10)
            .flat_map(|sender| crate::channels::spellings(&hub.config.channels, sender))
            .collect();
        spellings.sort_unstable();
        spellings.dedup();
        if !spellings.is_empty() {
            let whom = Whom::Address(spellings);
            same = search::by_contact(&mut conn, city, &whom, &filter, None, MOST + 1).await?.rows;
        }
    }
    let known: BTreeSet<TicketNumber> = linked.iter().map(|row| row.number.clone()).collect();
    same.retain(|row| row.number != number && !known.contains(&row.number));
    same.truncate(usize::try_from(MOST).unwrap_or_default());
    let mut items = Vec::new();
    for (relation, rows) in [("linked", &linked), ("same_citizen", &same)] {
        for ticket in queue::summaries(&hub, &actor, &mut conn, rows).await? {
            items.push(Related { relation: relation.to_owned(), ticket });
        }
    }
    items.sort_by(|one, other| other.ticket.number.cmp(&one.ticket.number));
    Ok(Json(Whole { items }))
}

/// How to look at a mail.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HtmlParams {
    /// Whether pictures from elsewhere are loaded; whoever holds them learns of the look.
    #[serde(default)]
    images: Option<String>,
}

/// How many pictures from elsewhere a mail has.
const REMOTE_IMAGES: HeaderName = HeaderName::from_static("yingda-remote-images");

/// A mail as it looked, for a sandboxed frame: made safe, with its own pictures; pictures from elsewhere only when asked for.
/// The header `Yingda-Remote-Images` says how many there are. Its own policy lets nothing run.
#[utoipa::path(
    get, path = "/api/v1/tickets/{number}/appeals/{id}/html", tag = "tickets",
    params(HtmlParams, ("number" = String, Path, description = "The ticket's number"), ("id" = String, Path, description = "The appeal's id")),
    responses(
        (status = 200, description = "A page", content_type = "text/html"),
        (status = 403, description = "Without the right to identities", body = ErrorBody),
        (status = 404, description = "No such appeal, or it has no HTML", body = ErrorBody),
    )
)]
pub(super) async fn html(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Id(id): Id,
    Params(params): Params<HtmlParams>,
) -> Result<Response, ApiError> {
    let images = params.images.is_some_and(|images| matches!(images.as_str(), "1" | "true"));
    let (appeal, raw) = {
        let mut conn = hub.store.read().await?;
        visible(&mut conn, &hub, &actor, &number).await?;
        let appeals = tickets::appeals(&mut conn, &hub.store.city, &number).await?;
        let appeal = appeals.into_iter().find(|appeal| appeal.id.as_str() == id).ok_or_else(ApiError::not_found)?;
        let raw = match &appeal.inbound_id {
            Some(inbound) => quarantine::raw(&mut conn, &hub.store.city, inbound).await?.and_then(|raw| raw.body),
            None => None,
        };
        (appeal, raw)
    };
    let stored = appeal.html.ok_or_else(ApiError::not_found)?;
    let view = match raw {
        // Taking a mail apart is work for the processor alone.
        Some(raw) => tokio::task::spawn_blocking(move || crate::channels::mail_view(&raw, images)).await.ok().flatten(),
        None => None,
    };
    // Once the raw mail has expired there are no pictures any more.
    let (body, remote) = view.map_or((stored, 0), |view| (view.html, view.remote_images));
    let language = appeal.language.filter(|tag| tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let page = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{number}</title></head><body>{body}</body></html>",
        language.as_deref().unwrap_or_default()
    );
    let sources = if images { "data: https: http:" } else { "data:" };
    let policy = format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src {sources}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'"
    );
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    headers.insert(REMOTE_IMAGES, HeaderValue::from(remote));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("sandbox; default-src 'none'")),
    );
    Ok(response)
}
