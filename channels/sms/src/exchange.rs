//! What all providers make of HTTP exchanges that go wrong.

use std::time::Duration;

use channel_contract::DeliveryError;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

/// No provider's answer to a send is longer; the rest of a longer one is not read.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// What an exchange without an answer means. `repeatable` says whether the far end ignores a second send of
/// the same delivery. The library's own text is left out, since it may show addresses with passwords in them.
pub(crate) fn broken(error: &reqwest::Error, repeatable: bool) -> DeliveryError {
    if error.is_connect() {
        return DeliveryError::transient("could not connect to the gateway");
    }
    if error.is_builder() {
        return DeliveryError::transient("the request could not be made; check the gateway's settings");
    }
    let reason = if error.is_timeout() {
        "the gateway did not answer in time"
    } else {
        "the connection broke before the gateway had answered"
    };
    if repeatable { DeliveryError::transient(reason) } else { DeliveryError::Uncertain(reason.to_owned()) }
}

/// A transient error of an answer, with the far end's wish when to be asked again.
pub(crate) fn later(response: &Response, reason: impl Into<String>, now: DateTime<Utc>) -> DeliveryError {
    DeliveryError::Transient { reason: reason.into(), retry_after: retry_after(response.headers(), now) }
}

/// Whether this status asks for another try by itself.
pub(crate) fn worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// The value of `Retry-After` (RFC 9110, 10.2.3): seconds, or a date that `now` is subtracted from.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or(Duration::ZERO))
}

/// The body of an answer, up to 64 KiB.
///
/// # Errors
/// As the connection breaks.
pub(crate) async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = ANSWER_LIMIT_BYTES - bytes.len();
        bytes.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeZone as _, Utc};
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::retry_after;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Utc.with_ymd_and_hms(2026, 11, 22, 7, 0, 0).single().expect("a time");
        for (value, expected) in [
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("Sun, 22 Nov 2026 07:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 06:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers: HeaderMap = [(RETRY_AFTER, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
