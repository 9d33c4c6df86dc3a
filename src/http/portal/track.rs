//! `/track`: number and query code open a ticket; there its citizen adds a message, reopens it, confirms an address.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use channel_contract::Outcome;
use subtle::ConstantTimeEq as _;

use super::request::{BodyFault, Visit, read};
use super::views::{Fault, TicketPage, TrackPage, faulty, masked};
use super::{file, see_other, ticket, token};
use crate::channels::webform::{FormInput, compose, parse, validate};
use crate::dispatch::{actions, answer};
use crate::domain::{Millis, Move, TicketNumber, TicketState};
use crate::http::hooks::{peer, raw_request};
use crate::hub::Hub;
use crate::store::{Error, portal as store, tickets};

/// How long tries of a query code are counted together.
const WINDOW: Millis = 3_600_000;

/// How long a confirmation code works.
const CONFIRMATION_AGE: Millis = 24 * 3_600_000;

/// How many codes may be entered for one address.
pub(super) const CONFIRMATION_TRIES: i64 = 10;

/// What a form without photos may weigh, in bytes.
const FORM_BYTES: usize = 256 * 1024;

/// Whom the audit names when a citizen acts on a ticket.
const CITIZEN: &str = "citizen";

/// `GET /track`
pub(super) async fn show(visit: Visit) -> Response {
    visit.page(StatusCode::OK, "track.html", "track", "/track", &TrackPage::default())
}

/// `GET` of an address that only takes forms.
pub(super) async fn home() -> Response {
    see_other("/track")
}

/// `POST /track`: number and code, or a pass.
pub(super) async fn open(visit: Visit, body: Body) -> Response {
    let input = match form(&visit, body, FORM_BYTES).await {
        Ok(input) => input,
        Err(response) => return response,
    };
    if !input.other("pass").is_empty() {
        return match token::pass_opens(&visit.portal.hub, input.other("pass"), visit.now) {
            Some(number) => show_ticket(&visit, &number, |_| StatusCode::OK).await,
            None => expired(&visit),
        };
    }
    let (typed, code) = (input.other("number"), canonical(input.other("code")));
    let words = visit.words();
    let number = TicketNumber::parse(typed);
    let mut errors = Vec::new();
    if typed.is_empty() {
        errors.push(Fault::new("number", "number_empty", words));
    } else if number.is_none() {
        errors.push(Fault::new("number", "number_wrong", words));
    }
    if code.is_empty() {
        errors.push(Fault::new("code", "code_empty", words));
    }
    let Some(number) = number.filter(|_| errors.is_empty()) else {
        return ask(&visit, StatusCode::UNPROCESSABLE_ENTITY, typed, errors);
    };
    match check(&visit, number.clone(), code).await {
        Ok(Checked::Right) => show_ticket(&visit, &number, |_| StatusCode::OK).await,
        Ok(Checked::Wrong) => ask(&visit, StatusCode::NOT_FOUND, typed, vec![Fault::new("number", "no_match", words)]),
        Ok(Checked::TooMany { minutes }) => {
            let helpline = &visit.portal.hub.config.city.helpline;
            let text = words.count("error.throttled", minutes, &[("helpline", helpline)]);
            ask(&visit, StatusCode::TOO_MANY_REQUESTS, typed, vec![Fault { field: "code", anchor: "code", text }])
        }
        Err(_) => visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later"),
    }
}

/// `POST /track/message`
pub(super) async fn add(visit: Visit, uri: Uri, body: Body) -> Response {
    let (input, number) = match passed(&visit, body, most_bytes(&visit)).await {
        Ok(passed) => passed,
        Err(response) => return response,
    };
    if let Err(response) = append(&visit, &uri, &input, &number, "addition").await {
        return response;
    }
    show_ticket(&visit, &number, |page| done(page, visit.words().text("track.added"))).await
}

/// `POST /track/reopen`: with a word why, which becomes a message of the citizen, or without.
pub(super) async fn reopen(visit: Visit, uri: Uri, body: Body) -> Response {
    let (input, number) = match passed(&visit, body, most_bytes(&visit)).await {
        Ok(passed) => passed,
        Err(response) => return response,
    };
    let hub = &visit.portal.hub;
    let says = !input.text.is_empty() || !input.photos.is_empty();
    if says && let Err(response) = accepted(&visit, &input, &number, "reopen").await {
        return response;
    }
    let reopened = number.clone();
    let result = actions::write(hub, move |hub, conn, changes| {
        let number = reopened.clone();
        Box::pin(async move {
            let row = tickets::lock_any(conn, &hub.store.city, &number).await?;
            // Sent twice: the ticket is open already.
            if row.state.after(Move::Reopen).is_none() {
                return Ok(());
            }
            actions::reopen_in(hub, conn, changes, &row, CITIZEN).await
        })
    })
    .await;
    if result.is_err() {
        return unavailable(&visit, &number, &input, "reopen").await;
    }
    if says && let Err(response) = append(&visit, &uri, &input, &number, "reopen").await {
        return response;
    }
    show_ticket(&visit, &number, |page| done(page, visit.words().text("track.reopen_done"))).await
}

/// `POST /confirm`: the code that was sent to a typed-in address. An answer that already waits here leaves for it at once.
pub(super) async fn confirm(visit: Visit, body: Body) -> Response {
    let (input, number) = match passed(&visit, body, FORM_BYTES).await {
        Ok(passed) => passed,
        Err(response) => return response,
    };
    let code = canonical(input.other("confirmation"));
    let result =
        if code.is_empty() { Ok(Confirmed::Empty) } else { enter(&visit.portal.hub, number.clone(), code).await };
    let words = visit.words();
    match result {
        Ok(Confirmed::Yes { address }) => {
            let text = words.fill("track.confirm_done", &[("address", &masked(&address))]);
            show_ticket(&visit, &number, |page| done(page, &text)).await
        }
        Ok(other) => {
            let key = match other {
                Confirmed::Empty => "confirmation_empty",
                Confirmed::Wrong => "confirmation_wrong",
                _ => "confirmation_expired",
            };
            let errors = vec![Fault::new("confirmation", key, words)];
            show_ticket(&visit, &number, move |page| {
                page.faulty = faulty(&errors);
                page.errors = errors;
                StatusCode::UNPROCESSABLE_ENTITY
            })
            .await
        }
        Err(_) => visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later"),
    }
}

/// What a number and a code are worth.
enum Checked {
    Right,
    Wrong,
    TooMany { minutes: usize },
}

/// Compares a code, counting the try for the ticket and for the sender's network before anything is compared.
async fn check(visit: &Visit, number: TicketNumber, code: String) -> Result<Checked, Error> {
    let hub = Arc::clone(&visit.portal.hub);
    let now = visit.now;
    let most = i64::try_from(hub.config.intake.query_tries_per_hour).unwrap_or(i64::MAX);
    let mut subjects =
        [format!("peer:{}", network(peer(&hub, visit.connection, &visit.headers))), format!("ticket:{number}")];
    subjects.sort();
    let given = Hub::code_hash(&number, &code);
    let city = hub.store.city.to_string();
    hub.store
        .write(move |conn| {
            let (city, subjects, number) = (city.clone(), subjects.clone(), number.clone());
            Box::pin(async move {
                let mut wait = None;
                for subject in &subjects {
                    let (tries, since) = store::count_try(conn, &city, subject, WINDOW, now).await?;
                    if tries > most {
                        wait = wait.max(Some(since + WINDOW - now));
                    }
                }
                if let Some(wait) = wait {
                    // A refused try prolongs nothing, so that nobody is kept out by somebody else's persistence.
                    for subject in &subjects {
                        store::forgive_try(conn, &city, subject).await?;
                    }
                    let minutes = usize::try_from(wait.max(1)).unwrap_or_default().div_ceil(60_000);
                    return Ok(Checked::TooMany { minutes });
                }
                let known = store::code_hash(conn, &city, &number).await?;
                if !known.is_some_and(|known| bool::from(known.as_slice().ct_eq(given.as_slice()))) {
                    return Ok(Checked::Wrong);
                }
                for subject in &subjects {
                    store::forgive_try(conn, &city, subject).await?;
                }
                Ok(Checked::Right)
            })
        })
        .await
}

/// The network whose tries count together: an IPv4 address, or the /64 that one household has in IPv6 (RFC 6177).
fn network(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            let [one, two, three, four, ..] = address.segments();
            format!("{one:x}:{two:x}:{three:x}:{four:x}::/64")
        }
    }
}

/// What a confirmation code is worth.
enum Confirmed {
    Yes { address: String },
    Wrong,
    Expired,
    Empty,
}

async fn enter(hub: &Arc<Hub>, number: TicketNumber, code: String) -> Result<Confirmed, Error> {
    actions::write(hub, move |hub, conn, changes| {
        let (number, code) = (number.clone(), code.clone());
        Box::pin(async move {
            let city = hub.store.city.to_string();
            let now = changes.now();
            let row = tickets::lock_any(conn, &city, &number).await?;
            let Some(asked) = store::confirmation(conn, &city, &number).await? else { return Ok(Confirmed::Expired) };
            if asked.confirmed_at.is_some() {
                return Ok(Confirmed::Yes { address: asked.address });
            }
            let tries = store::count_confirmation(conn, &city, &number).await?;
            if tries > CONFIRMATION_TRIES || now - asked.created_at > CONFIRMATION_AGE {
                return Ok(Confirmed::Expired);
            }
            let given = Hub::code_hash(&number, &code);
            if !bool::from(asked.code_hash.as_slice().ct_eq(given.as_slice())) {
                return Ok(Confirmed::Wrong);
            }
            store::confirm(conn, &city, &number, &asked.address, now).await?;
            changes.audit(CITIZEN, "address.confirmed", Some(number.as_str()), None);
            if matches!(row.state, TicketState::Replied | TicketState::Delivered) {
                let row = tickets::lock_any(conn, &city, &number).await?;
                let replies = tickets::replies(conn, &city, &number).await?;
                if let Some(reply) = replies.iter().rev().find(|reply| reply.kind == "reply") {
                    let to = answer::first_address(hub, conn, &row).await?;
                    answer::answer_delivery(hub, changes, &row, &answer::Words::of(reply), to, None);
                }
            }
            Ok(Confirmed::Yes { address: asked.address })
        })
    })
    .await
}

/// A code as stored: people type spaces, small letters and full-width signs.
fn canonical(code: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    code.nfkc().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).take(32).collect()
}

async fn form(visit: &Visit, body: Body, most_bytes: usize) -> Result<FormInput, Response> {
    let body = read(body, most_bytes).await.map_err(|fault| match fault {
        BodyFault::TooLarge => visit.fault(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        BodyFault::Broken => visit.fault(StatusCode::BAD_REQUEST, "bad_request"),
    })?;
    parse(visit.content_type(), &body).map_err(|_| visit.fault(StatusCode::BAD_REQUEST, "bad_request"))
}

/// What a form with photos may weigh, in bytes.
fn most_bytes(visit: &Visit) -> usize {
    visit.portal.form.as_ref().map_or(FORM_BYTES, |form| file::most_bytes(&form.settings))
}

/// A form of the ticket's page with a pass that opens it.
async fn passed(visit: &Visit, body: Body, most_bytes: usize) -> Result<(FormInput, TicketNumber), Response> {
    let input = form(visit, body, most_bytes).await?;
    let number =
        token::pass_opens(&visit.portal.hub, input.other("pass"), visit.now).filter(|_| !visit.sent_by_another_site());
    number.map(|number| (input, number)).ok_or_else(|| expired(visit))
}

fn ask(visit: &Visit, status: StatusCode, number: &str, errors: Vec<Fault>) -> Response {
    let page = TrackPage { number: number.chars().take(40).collect(), faulty: faulty(&errors), errors };
    visit.page(status, "track.html", "track", "/track", &page)
}

fn expired(visit: &Visit) -> Response {
    ask(visit, StatusCode::FORBIDDEN, "", vec![Fault::new("number", "pass_expired", visit.words())])
}

fn done(page: &mut TicketPage, text: &str) -> StatusCode {
    page.done = Some(text.to_owned());
    StatusCode::OK
}

async fn show_ticket(
    visit: &Visit,
    number: &TicketNumber,
    change: impl FnOnce(&mut TicketPage) -> StatusCode,
) -> Response {
    match ticket::page(visit, number).await {
        Ok(Some(mut page)) => {
            let status = change(&mut page);
            let pass = page.pass.clone();
            visit.passed(status, "ticket.html", "track", "/track", &pass, &page)
        }
        Ok(None) => ask(visit, StatusCode::NOT_FOUND, "", vec![Fault::new("number", "no_match", visit.words())]),
        Err(_) => visit.fault(StatusCode::SERVICE_UNAVAILABLE, "try_later"),
    }
}

/// The page again with what was typed and what has to change.
async fn refuse(
    visit: &Visit,
    number: &TicketNumber,
    input: &FormInput,
    typed_in: &'static str,
    errors: Vec<Fault>,
) -> Response {
    show_ticket(visit, number, move |page| {
        page.faulty = faulty(&errors);
        page.errors = errors;
        keep(page, input, typed_in);
        StatusCode::UNPROCESSABLE_ENTITY
    })
    .await
}

/// Shows again what was typed; a browser never sends a file twice by itself.
fn keep(page: &mut TicketPage, input: &FormInput, typed_in: &'static str) {
    page.typed.clone_from(&input.text);
    page.typed_in = typed_in;
    page.photos_lost = !input.photos.is_empty();
}

async fn unavailable(visit: &Visit, number: &TicketNumber, input: &FormInput, typed_in: &'static str) -> Response {
    show_ticket(visit, number, move |page| {
        page.unavailable = true;
        keep(page, input, typed_in);
        StatusCode::SERVICE_UNAVAILABLE
    })
    .await
}

/// Whether a text may be taken: its submit token is genuine and it is neither empty nor too long.
async fn accepted(
    visit: &Visit,
    input: &FormInput,
    number: &TicketNumber,
    typed_in: &'static str,
) -> Result<(), Response> {
    let Some(form) = &visit.portal.form else { return Err(visit.fault(StatusCode::NOT_FOUND, "not_found")) };
    let words = visit.words();
    if !token::form_is_genuine(&visit.portal.hub, &visit.cookie, &input.form_token, visit.now) {
        return Err(refuse(visit, number, input, typed_in, vec![Fault::new(typed_in, "form_expired", words)]).await);
    }
    if let Err(errors) = validate(input, &form.settings, visit.now / 1000) {
        let mut errors = Fault::of_form(&errors, words);
        errors.retain(|error| matches!(error.field, "text" | "photos"));
        for error in &mut errors {
            error.field = match (error.field, typed_in) {
                ("photos", "reopen") => "reopen-photos",
                ("photos", _) => "addition-photos",
                _ => typed_in,
            };
            error.anchor = error.field;
        }
        return Err(refuse(visit, number, input, typed_in, errors).await);
    }
    Ok(())
}

/// Takes what the citizen adds through the intake, into this ticket.
async fn append(
    visit: &Visit,
    uri: &Uri,
    input: &FormInput,
    number: &TicketNumber,
    typed_in: &'static str,
) -> Result<(), Response> {
    accepted(visit, input, number, typed_in).await?;
    let Some(form) = &visit.portal.form else { return Err(visit.fault(StatusCode::NOT_FOUND, "not_found")) };
    let hub = &visit.portal.hub;
    // The ledger gets the words and the token, but not the pass that opens the page.
    let fields = [("text", input.text.as_str()), ("form_token", &input.form_token), ("language", visit.language())];
    let (media_type, body) = compose(&fields, &input.photos);
    let mut headers: HeaderMap = visit.headers.clone();
    headers.remove(header::CONTENT_LENGTH);
    if let Ok(media_type) = HeaderValue::from_str(&media_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    let raw = raw_request(hub, &Method::POST, uri, &headers, peer(hub, visit.connection, &visit.headers), body);
    let receipt = form.channel.receive(&raw);
    match hub.take(&form.channel, raw, receipt, Some(number.clone())).await {
        Ok(verdicts) if verdicts.iter().all(|verdict| verdict.outcome != Outcome::Quarantined) => Ok(()),
        Ok(_) => {
            Err(refuse(visit, number, input, typed_in, vec![Fault::new(typed_in, "form_reused", visit.words())]).await)
        }
        Err(_) => Err(unavailable(visit, number, input, typed_in).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        for (typed, expected) in
            [("k7mw px4r", "K7MWPX4R"), ("Ｋ７ＭＷ－ＰＸ４Ｒ", "K7MWPX4R"), (" ", ""), ("<script>", "SCRIPT")]
        {
            assert_eq!(canonical(typed), expected, "{typed}");
        }
    }

    #[test]
    fn a_household_counts_as_one() {
        let of = |address: &str| network(address.parse().expect("an address"));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
