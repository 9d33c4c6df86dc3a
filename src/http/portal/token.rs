//! Tokens that the pages hand out and take back: submit tokens, passes to a ticket's page, addresses of files.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::domain::{Millis, TicketNumber};
use crate::hub::Hub;

/// For how long a form may stay open before it is sent, in seconds.
const FORM_SECONDS: i64 = 24 * 3600;

/// For how long the page of a ticket may stay open, in seconds.
const PASS_SECONDS: i64 = 30 * 60;

/// For how long the address of a file works, in seconds.
const FILE_SECONDS: i64 = 30 * 60;

fn check(hub: &Hub, purpose: &str, subject: &str) -> String {
    let signed = hub.sign(purpose, subject);
    URL_SAFE_NO_PAD.encode(signed.get(..18).unwrap_or(&signed))
}

fn genuine(hub: &Hub, purpose: &str, subject: &str, given: &str) -> bool {
    check(hub, purpose, subject).as_bytes().ct_eq(given.as_bytes()).into()
}

const fn seconds(now: Millis) -> i64 {
    now / 1000
}

/// A submit token `{seconds}.{random}.{check}`, good for this browser (its cookie) for a day.
pub(super) fn form(hub: &Hub, cookie: &str, now: Millis) -> String {
    let open = format!("{}.{}", seconds(now), URL_SAFE_NO_PAD.encode(crate::secret::random::<12>()));
    let check = check(hub, "portal-form", &format!("{cookie}.{open}"));
    format!("{open}.{check}")
}

/// Whether a submit token was issued to this browser, within a day.
pub(super) fn form_is_genuine(hub: &Hub, cookie: &str, token: &str, now: Millis) -> bool {
    let Some((open, given)) = token.rsplit_once('.') else { return false };
    let issued = open.split('.').next().and_then(|issued| issued.parse::<i64>().ok());
    let fresh = issued.is_some_and(|issued| (0..=FORM_SECONDS).contains(&(seconds(now) - issued)));
    !cookie.is_empty() && fresh && genuine(hub, "portal-form", &format!("{cookie}.{open}"), given)
}

/// A pass `{number}.{until}.{check}` to the page of a ticket, for who has just shown its query code.
pub(super) fn pass(hub: &Hub, number: &TicketNumber, now: Millis) -> String {
    let open = format!("{number}.{}", seconds(now) + PASS_SECONDS);
    let check = check(hub, "portal-pass", &open);
    format!("{open}.{check}")
}

/// The ticket that a genuine and fresh pass opens.
pub(super) fn pass_opens(hub: &Hub, pass: &str, now: Millis) -> Option<TicketNumber> {
    let (open, given) = pass.rsplit_once('.')?;
    let (number, until) = open.split_once('.')?;
    let fresh = until.parse::<i64>().is_ok_and(|until| seconds(now) <= until);
    (fresh && genuine(hub, "portal-pass", open, given)).then(|| TicketNumber::stored(number.to_owned()))
}

/// The address of a file for a while.
pub(super) fn file_url(hub: &Hub, id: &str, now: Millis) -> String {
    let until = seconds(now) + FILE_SECONDS;
    format!("/files/{id}?until={until}&check={}", check(hub, "portal-file", &format!("{id}.{until}")))
}

/// Whether such an address is genuine and fresh.
pub(super) fn file_is_open(hub: &Hub, id: &str, until: i64, given: &str, now: Millis) -> bool {
    seconds(now) <= until && genuine(hub, "portal-file", &format!("{id}.{until}"), given)
}
