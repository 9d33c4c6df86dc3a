//! Before an answer leaves: texts to choose from, and how the text will leave.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use channel_contract::{DeliveryKind, Medium, Plan};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::catalogue::Whole;
use super::visible;
use crate::channels::{Encoding, segments};
use crate::dispatch::answer::{dress, first_address};
use crate::domain::{Actor, TicketNumber, mask};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Body, Number, Params, Staff};
use crate::hub::Hub;
use crate::projection::Eyes;
use crate::store::Conn;
use crate::store::tickets::{self, TicketRow};

/// For what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TemplateParams {
    /// The ticket whose values are filled in.
    number: Option<String>,
    /// The service item, when there is no ticket.
    item: Option<String>,
    /// The language (BCP 47); the citizen's when left out.
    language: Option<String>,
}

/// A text to choose.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplyTemplateView {
    /// Its id.
    pub id: String,
    /// `reply` or `question`.
    pub kind: String,
    /// What the list shows.
    pub title: String,
    /// Its language (BCP 47).
    pub language: String,
    /// The text; with a ticket its values are filled in.
    pub text: String,
}

/// Texts to choose from when answering or asking back.
#[utoipa::path(
    get, path = "/api/v1/reply-templates", tag = "catalogue", params(TemplateParams),
    responses((status = 200, description = "The texts", body = Whole<ReplyTemplateView>), (status = 404, description = "No such ticket, or not yours", body = ErrorBody))
)]
pub(super) async fn templates(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Params(params): Params<TemplateParams>,
) -> Result<Json<Whole<ReplyTemplateView>>, ApiError> {
    let mut ticket = None;
    let mut name = None;
    if let Some(typed) = params.number.as_deref().filter(|typed| !typed.trim().is_empty()) {
        let number = TicketNumber::parse(typed).ok_or_else(ApiError::not_found)?;
        let mut conn = hub.store.read().await?;
        let row = reached(&hub, &mut conn, &actor, &number).await?;
        let appeals = tickets::appeals(&mut conn, &hub.store.city, &number).await?;
        let named = appeals.into_iter().find_map(|appeal| appeal.name.filter(|name| !name.is_empty()));
        name = named.and_then(|name| Eyes::of(&actor).who(&name));
        ticket = Some(row);
    }
    let item = ticket.as_ref().and_then(|ticket| ticket.item.clone()).or(params.item);
    let wanted = params
        .language
        .or_else(|| ticket.as_ref().and_then(|ticket| ticket.language.clone()))
        .unwrap_or_else(|| hub.config.city.default_language.clone());
    let Some((language, texts)) = hub.replies.of(&wanted) else { return Ok(Json(Whole { items: Vec::new() })) };
    let values = ticket.as_ref().map(|ticket| values(&hub, ticket, language, name.as_deref()));
    let items = texts
        .iter()
        .filter(|(_, text)| text.suits(item.as_deref()))
        .map(|(id, text)| {
            let filled = values.as_ref().and_then(|values| hub.templates.fill_text(&text.text, values).ok());
            ReplyTemplateView {
                id: id.clone(),
                kind: text.kind.as_str().to_owned(),
                title: text.title.clone(),
                language: language.to_owned(),
                text: filled.unwrap_or_else(|| text.text.trim().to_owned()),
            }
        })
        .collect();
    Ok(Json(Whole { items }))
}

fn values(hub: &Hub, ticket: &TicketRow, language: &str, name: Option<&str>) -> serde_json::Value {
    let rules = hub.rules();
    let item = ticket.item.as_deref().map(|id| Hub::name_in(rules.item(id).map(|item| &item.names), id, language));
    let department = ticket
        .department
        .as_deref()
        .map(|id| Hub::name_in(rules.department(id).map(|department| &department.names), id, language));
    let names = &hub.config.city.names;
    json!({
        "number": ticket.number,
        "number_spaced": ticket.number.spoken(),
        "item": item.unwrap_or_else(|| ticket.subject.clone()),
        "department": department,
        "name": name,
        "deadline": ticket.due_at.map(|at| hub.local(at)),
        "city": names.get(language).or_else(|| names.values().next()),
        "helpline": hub.config.city.helpline,
    })
}

async fn reached(hub: &Hub, conn: &mut Conn, actor: &Actor, number: &TicketNumber) -> Result<TicketRow, ApiError> {
    visible(conn, hub, actor, number).await?;
    tickets::get(conn, &hub.store.city, number).await?.ok_or_else(ApiError::not_found)
}

/// What is about to be sent.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PreviewOf {
    /// The text.
    #[serde(default)]
    pub text: String,
    /// `reply` (when left out) or `question`.
    pub kind: Option<String>,
}

/// A part of the message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Part {
    /// Its text.
    pub text: String,
    /// Its length: in units of the encoding for SMS, else in characters.
    pub units: usize,
    /// How many SMS segments it takes; 1 on other channels.
    pub segments: usize,
}

/// How a text would leave.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    /// The medium.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The address; null without the right to identities.
    pub to: Option<String>,
    /// The address with most of it hidden, for everybody.
    pub to_masked: String,
    /// The subject, where the channel has one.
    pub subject: Option<String>,
    /// The whole text as it leaves.
    pub text: String,
    /// The parts in which it leaves.
    pub parts: Vec<Part>,
    /// For SMS `gsm7` or `ucs2` (3GPP TS 23.038).
    pub encoding: Option<String>,
    /// SMS segments of all parts together; 0 on other channels.
    pub segments: usize,
    /// Whether it is too long for the channel, so that a link to it leaves instead.
    pub too_long: bool,
    /// Whether only a word that something waits leaves, because the citizen asked for confidence.
    pub only_notice: bool,
    /// The language of the words around the text (BCP 47).
    pub language: String,
    /// Why it will wait instead of leaving at once.
    pub waits: Option<String>,
}

/// Show how an answer or a question would leave, over the channel that the citizen chose. Nothing is stored.
#[utoipa::path(
    post, path = "/api/v1/tickets/{number}/replies/preview", tag = "moves", request_body = PreviewOf, params(("number" = String, Path, description = "The ticket's number")),
    responses((status = 200, description = "How it would leave", body = Preview), (status = 404, description = "No such ticket, or not yours", body = ErrorBody), (status = 422, description = "An unknown kind", body = ErrorBody))
)]
pub(super) async fn preview(
    State(hub): State<Arc<Hub>>,
    Staff(actor): Staff,
    Number(number): Number,
    Body(wanted): Body<PreviewOf>,
) -> Result<Json<Preview>, ApiError> {
    let kind = match wanted.kind.as_deref() {
        None | Some("" | "reply") => DeliveryKind::Reply,
        Some("question") => DeliveryKind::Question,
        Some(other) => return Err(ApiError::invalid(format!("{other} is no kind; write reply or question"))),
    };
    let mut conn = hub.store.read().await?;
    let ticket = reached(&hub, &mut conn, &actor, &number).await?;
    let to = first_address(&hub, &mut conn, &ticket).await?;
    drop(conn);
    let department = actor.department.as_deref().or(ticket.department.as_deref());
    let dressed = dress(&hub, &ticket, (kind, wanted.text.trim(), department), &to);
    let text = dressed.rendered.text;
    let planned = hub.channels.get(&to.account).map(|channel| channel.plan(&text));
    let too_long = planned == Some(Plan::TooLong);
    let texts = match planned {
        Some(Plan::Parts(parts)) if !parts.is_empty() => parts,
        _ => vec![text.clone()],
    };
    let sms = to.medium == Medium::Sms;
    let parts: Vec<Part> = texts
        .into_iter()
        .map(|text| {
            let counted = segments(&text);
            let units = if sms { counted.units } else { text.chars().count() };
            Part { units, segments: if sms { counted.count } else { 1 }, text }
        })
        .collect();
    let token = hub.reference(&number);
    let subject = match (dressed.rendered.subject, to.medium) {
        (Some(subject), Medium::Email) => Some(format!("{subject} [{token}]")),
        (subject, _) => subject,
    };
    let waits = match to.medium {
        Medium::Phone | Medium::Webform => None,
        _ => hub.cannot_send(&to.account),
    };
    let encoding = sms.then(|| if Encoding::of(&text) == Encoding::Gsm7 { "gsm7" } else { "ucs2" }.to_owned());
    Ok(Json(Preview {
        channel: to.medium.as_str().to_owned(),
        to: Eyes::of(&actor).who(&to.address),
        to_masked: hidden(&to.address),
        account: to.account,
        subject,
        segments: if sms { parts.iter().map(|part| part.segments).sum() } else { 0 },
        text,
        parts,
        encoding,
        too_long,
        only_notice: dressed.only_notice,
        language: dressed.language,
        waits,
    }))
}

/// An address with most of it hidden; ids of chats and sessions say nothing to anybody and are hidden whole.
fn hidden(address: &str) -> String {
    let masked = mask(address);
    if masked == address && TicketNumber::parse(address).is_none() { "***".to_owned() } else { masked }
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn no_address_is_shown_whole() {
        for address in ["+8613800138000", "a@example.org", "session-1", "12345"] {
            assert_ne!(hidden(address), address);
        }
    }
}
