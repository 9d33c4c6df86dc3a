//! `/`: the form, and what became of it.

use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use channel_contract::{Medium, Outcome};

use super::request::{BodyFault, Visit, read};
use super::views::{Fault, FormPage, Item, ItemGroup, Limits, ReceivedPage, Typed, faulty};
use super::{see_other, ticket, token};
use crate::channels::webform::{FormInput, Settings, parse, validate};
use crate::domain::TicketNumber;
use crate::http::hooks::{peer, raw_request};
use crate::hub::Hub;
use crate::store::{portal as store, tickets};

/// What else than photos a form may weigh, in bytes.
const WORDS_BYTES: usize = 1024 * 1024;

/// `GET /`
pub(super) async fn show(visit: Visit) -> Response {
    let Some(form) = &visit.portal.form else { return see_other("/track") };
    let page = blank(&visit, &form.settings);
    visit.page(StatusCode::OK, "form.html", "start", "/", &page)
}

/// `GET /received`: somebody typed the address in.
pub(super) async fn home() -> Response {
    see_other("/")
}

/// `POST /`
pub(super) async fn send(visit: Visit, uri: Uri, body: Body) -> Response {
    let Some(form) = &visit.portal.form else { return visit.fault(StatusCode::NOT_FOUND, "not_found") };
    let settings = &form.settings;
    let body = match read(body, most_bytes(settings)).await {
        Ok(body) => body,
        Err(BodyFault::TooLarge) => return visit.fault(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Err(BodyFault::Broken) => return visit.fault(StatusCode::BAD_REQUEST, "bad_request"),
    };
    let Ok(input) = parse(visit.content_type(), &body) else {
        return visit.fault(StatusCode::BAD_REQUEST, "bad_request");
    };
    let hub = &visit.portal.hub;
    if visit.sent_by_another_site() || !token::form_is_genuine(hub, &visit.cookie, &input.form_token, visit.now) {
        return again(&visit, settings, &input, StatusCode::FORBIDDEN, whole_page("form_expired", &visit));
    }
    if let Err(errors) = validate(&input, settings, visit.now / 1000) {
        let errors = Fault::of_form(&errors, visit.words());
        return again(&visit, settings, &input, StatusCode::UNPROCESSABLE_ENTITY, errors);
    }
    let raw = raw_request(
        hub,
        &axum::http::Method::POST,
        &uri,
        &visit.headers,
        peer(hub, visit.connection, &visit.headers),
        body,
    );
    let receipt = form.channel.receive(&raw);
    let taken = hub.take(&form.channel, raw, receipt, None).await;
    let verdict = match taken.map(|verdicts| verdicts.into_iter().next()) {
        Ok(Some(verdict)) => verdict,
        Ok(None) | Err(_) => {
            let mut page = typed(&visit, settings, &input, Vec::new());
            page.unavailable = true;
            return visit.page(StatusCode::SERVICE_UNAVAILABLE, "form.html", "start", "/", &page);
        }
    };
    match (verdict.outcome, verdict.ticket) {
        (Outcome::New | Outcome::Duplicate | Outcome::Appended, Some(number)) => {
            confirmation(&visit, &TicketNumber::stored(number)).await
        }
        // Sent once already with other words: a new token makes it a matter of its own.
        _ => again(&visit, settings, &input, StatusCode::CONFLICT, whole_page("form_reused", &visit)),
    }
}

/// What a form with photos may weigh, in bytes.
pub(super) const fn most_bytes(settings: &Settings) -> usize {
    settings.max_photos.saturating_mul(settings.max_photo_bytes).saturating_add(WORDS_BYTES)
}

/// `POST /received`: the confirmation again, in another language.
pub(super) async fn received(visit: Visit, body: Body) -> Response {
    let number = match read(body, WORDS_BYTES).await.ok().and_then(|body| parse(visit.content_type(), &body).ok()) {
        Some(input) => token::pass_opens(&visit.portal.hub, input.other("pass"), visit.now),
        None => None,
    };
    match number {
        Some(number) => confirmation(&visit, &number).await,
        None => see_other("/"),
    }
}

/// Number and query code: the appeal is committed, so this page is shown even when its details cannot be read now.
async fn confirmation(visit: &Visit, number: &TicketNumber) -> Response {
    let hub = &visit.portal.hub;
    let mut due = None;
    let mut department = None;
    let mut confirm = "";
    if let Ok(mut conn) = hub.store.read().await {
        let city = &hub.store.city;
        if let Ok(Some(row)) = tickets::get(&mut conn, city, number).await {
            due = row.due_at.map(|at| ticket::moment(hub, at, visit.words()).text);
            department = row.department.as_deref().map(|id| ticket::department_name(hub, id, visit.language()));
            let asked = store::confirmation(&mut conn, city, number).await.ok().flatten();
            confirm = match row.answer_channel.as_deref() {
                Some(channel) if channel == Medium::Phone.as_str() => "call",
                _ if asked.is_some_and(|asked| asked.confirmed_at.is_none()) => "code",
                _ => "",
            };
        }
    }
    let pass = token::pass(hub, number, visit.now);
    let page = ReceivedPage {
        number: number.to_string(),
        spoken: number.spoken(),
        code: hub.query_code(number),
        pass: pass.clone(),
        due,
        department,
        confirm,
    };
    visit.passed(StatusCode::OK, "received.html", "start", "/received", &pass, &page)
}

fn whole_page(key: &str, visit: &Visit) -> Vec<Fault> {
    let mut fault = Fault::new("", key, visit.words());
    fault.anchor = "";
    vec![fault]
}

fn again(visit: &Visit, settings: &Settings, input: &FormInput, status: StatusCode, errors: Vec<Fault>) -> Response {
    let page = typed(visit, settings, input, errors);
    visit.page(status, "form.html", "start", "/", &page)
}

fn typed(visit: &Visit, settings: &Settings, input: &FormInput, errors: Vec<Fault>) -> FormPage {
    FormPage {
        input: Typed::from(input),
        faulty: faulty(&errors),
        errors,
        // A browser never sends a file twice by itself.
        photos_lost: !input.photos.is_empty(),
        ..blank(visit, settings)
    }
}

fn blank(visit: &Visit, settings: &Settings) -> FormPage {
    let hub = &visit.portal.hub;
    FormPage {
        form_token: token::form(hub, &visit.cookie, visit.now),
        input: Typed::default(),
        errors: Vec::new(),
        faulty: Vec::new(),
        unavailable: false,
        photos_lost: false,
        limits: Limits::from(settings),
        items: items(hub, visit.language()),
        answer_channels: settings.answer_channels.iter().map(|medium| medium.as_str()).collect(),
    }
}

/// The published items under their headings.
fn items(hub: &Hub, language: &str) -> Vec<ItemGroup> {
    let rules = hub.rules();
    rules
        .groups()
        .iter()
        .map(|group| ItemGroup {
            name: Hub::name_in(Some(&group.names), &group.id, language),
            items: rules
                .items()
                .iter()
                .filter(|item| item.group() == group.id)
                .map(|item| Item { id: item.id.clone(), name: Hub::name_in(Some(&item.names), &item.id, language) })
                .collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}
