//! Kannel: `sms-service` calls us by GET for every message and report, we call `sendsms`.
//!
//! Facts from Kannel's user guide and its sources (`gw/urltrans.c`, `gw/smsbox.c`), release 1.4.5.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use channel_contract::{
    Acceptance, Cause, DeliveryError, Finding, HttpAnswer, Outbound, RawRequest, Receipt, ReportStatus, ReportSubject,
    Verdict,
};
use chrono::DateTime;
use encoding_rs::{Encoding, UTF_16BE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use phonenumber::country::Id;
use reqwest::StatusCode;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::exchange::{body, broken, later, worth_a_retry};
use crate::inbound::{Received, report, unparsable, unverified};
use crate::provider::{Facts, Gateway};
use crate::query::parameters;
use crate::segments::{Encoding as Alphabet, segments};
use crate::settings::{Settings, address, given, given_secret};

/// One account at a Kannel.
pub(crate) struct Kannel {
    secret: String,
    reporting: Hmac<Sha256>,
    login: Result<Login, String>,
    sender: Option<String>,
    region: Id,
    timeout: Duration,
    client: reqwest::Client,
}

/// What `sendsms` needs.
struct Login {
    /// Complete with user name and password.
    sendsms_url: url::Url,
}

impl Kannel {
    /// `None` if something is wrong with the settings; what it is, is added to `problems`.
    pub(crate) fn new(
        settings: &Settings,
        region: Id,
        client: reqwest::Client,
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let secret = given_secret(settings.secret.as_ref());
        if secret.is_none() {
            problems.push("secret: is not set; webhooks could not be verified".to_owned());
        }
        if !settings.templates.is_empty() {
            problems.push("templates: Kannel has none".to_owned());
        }
        let login = match address("sendsms_url", settings.sendsms_url.as_ref(), problems) {
            None => Err("sendsms_url is not set".to_owned()),
            Some(mut sendsms_url) => {
                match (given(settings.username.as_ref()), given_secret(settings.password.as_ref())) {
                    // An address from the gateway's operator may bring the login along.
                    _ if sendsms_url.query_pairs().any(|(name, _)| name == "username" || name == "user") => {
                        Ok(Login { sendsms_url })
                    }
                    (Some(username), Some(password)) => {
                        sendsms_url
                            .query_pairs_mut()
                            .append_pair("username", username)
                            .append_pair("password", password);
                        Ok(Login { sendsms_url })
                    }
                    (None, _) => Err("username is not set".to_owned()),
                    (_, None) => Err("password is not set".to_owned()),
                }
            }
        };
        Some(Self {
            reporting: Hmac::new_from_slice(secret?.as_bytes()).ok()?,
            secret: secret?.to_owned(),
            login,
            sender: given(settings.sender.as_ref()).map(str::to_owned),
            region,
            timeout: Duration::from_secs(settings.timeout_secs),
            client,
        })
    }

    /// Proof that a report address was made by us, so that the secret itself stays out of Kannel's store and log.
    fn reporting_mac(&self, attempt: &[u8]) -> Hmac<Sha256> {
        self.reporting.clone().chain_update(b"report:").chain_update(attempt)
    }

    fn report_address(&self, base: &str, attempt: &str) -> String {
        let token = URL_SAFE_NO_PAD.encode(self.reporting_mac(attempt.as_bytes()).finalize().into_bytes());
        let joint = if base.contains('?') { '&' } else { '?' };
        // Kannel fills `%` codes into the whole address, so a percent sign that is ours is doubled.
        format!("{}{joint}report=1&token={token}&status=%d&answer=%A", base.replace('%', "%%"))
    }

    fn query_of(&self, login: &Login, outbound: &Outbound, text: &str) -> url::Url {
        let mut url = login.sendsms_url.clone();
        let coding = match segments(text).encoding {
            Alphabet::Gsm7 => "0",
            Alphabet::Ucs2 => "2",
        };
        let mut query = url.query_pairs_mut();
        if let Some(sender) = &self.sender {
            query.append_pair("from", sender);
        }
        query
            .append_pair("to", &outbound.to)
            .append_pair("text", text)
            .append_pair("charset", "UTF-8")
            .append_pair("coding", coding);
        if let Some(base) = &outbound.report_url {
            query
                .append_pair("dlr-mask", "31")
                .append_pair("dlr-url", &self.report_address(base, &outbound.attempt_id));
        }
        drop(query);
        url
    }
}

#[async_trait]
impl Gateway for Kannel {
    fn facts(&self) -> Facts {
        Facts {
            provider: "kannel",
            idempotent: false,
            cannot_send: self.login.as_ref().err().cloned(),
            credentials: &["secret", "token"],
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        let parameters = parameters(request.query());
        let bytes = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice());
        let field = |name: &str| String::from_utf8_lossy(bytes(name).unwrap_or_default()).into_owned();
        let by_secret = bytes("secret").is_some_and(|given| given.ct_eq(self.secret.as_bytes()).into());
        let reports = bytes("report").is_some();
        let by_token = || {
            let token = URL_SAFE_NO_PAD.decode(bytes("token").unwrap_or_default()).unwrap_or_default();
            self.reporting_mac(bytes("attempt").unwrap_or_default()).verify_slice(&token).is_ok()
        };
        let verified = by_secret || (reports && by_token());
        if !verified {
            return unverified("the secret is missing or wrong");
        }
        if reports {
            return delivery_report(&field("attempt"), &field("status"), &field("answer"));
        }
        // `%a` squeezes white space, which tears UTF-16 apart; `%b` is byte-true and goes first where both are sent.
        let sent = bytes("bin").filter(|octets| !octets.is_empty()).or_else(|| bytes("text")).unwrap_or_default();
        let text = match decode(sent, field("charset").trim(), field("coding").trim()) {
            Ok(text) => text,
            Err(problem) => return unparsable(problem),
        };
        Received {
            id: field("id"),
            from: field("from"),
            to: field("to"),
            text,
            sent_at: field("ts").parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            ..Received::default()
        }
        .receipt(self.region)
    }

    /// Empty: Kannel sends any text of the answer to the citizen as a message.
    fn answer(&self, _verdict: &Verdict) -> HttpAnswer {
        HttpAnswer::fixed("text/plain", "")
    }

    async fn send(&self, outbound: &Outbound, text: &str) -> Result<Acceptance, DeliveryError> {
        let login = self.login.as_ref().map_err(|missing| DeliveryError::transient(missing.clone()))?;
        let url = self.query_of(login, outbound, text);
        let sent = self.client.get(url).timeout(self.timeout).send().await;
        let response = sent.map_err(|error| broken(&error, false))?;
        let status = response.status();
        if worth_a_retry(status) || status.is_redirection() {
            return Err(later(&response, format!("Kannel answered {status}"), outbound.now));
        }
        // An answer whose text is cut off still has its status.
        let answer = body(response).await.unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer);
        if answer.contains("Authorization failed") {
            return Err(DeliveryError::transient(
                "Kannel refused the login; check username, password and user-allow-ip",
            ));
        }
        if status.is_success() {
            // Kannel names no id; its reports name our attempt.
            return Ok(Acceptance { provider_id: None });
        }
        let of_the_address = match status {
            StatusCode::FORBIDDEN => answer.contains("Not routable") || answer.contains("denied"),
            StatusCode::BAD_REQUEST => !answer.contains("Sender missing"),
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => false,
            _ => true,
        };
        if of_the_address {
            Err(DeliveryError::Permanent(format!("Kannel refused the message: {status}")))
        } else {
            Err(DeliveryError::transient(format!("Kannel answered {status}; check sendsms_url, login and sender")))
        }
    }

    async fn probe(&self) -> Vec<Finding> {
        const CHECK: &str = "kannel sendsms";
        let login = match &self.login {
            Ok(login) => login,
            Err(missing) => {
                return vec![
                    Finding::bad(CHECK, format!("{missing}; nothing can be sent")).because(Cause::NotConfigured),
                ];
            }
        };
        // The login is judged before the receiver is missed, and without a receiver nothing is sent.
        let url = login.sendsms_url.clone();
        let finding = match self.client.get(url).timeout(self.timeout).send().await {
            Err(error) => {
                Finding::bad(CHECK, format!("{}; check sendsms_url", broken(&error, true))).because(Cause::Unreachable)
            }
            Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => Finding::good(CHECK, "the login is taken"),
            Ok(answer) if answer.status() == StatusCode::FORBIDDEN => {
                Finding::bad(CHECK, "the login is refused; check username, password and user-allow-ip")
                    .because(Cause::Refused)
            }
            Ok(answer) => Finding::bad(CHECK, format!("sendsms_url answers {}; is it Kannel's?", answer.status()))
                .because(Cause::Misconfigured),
        };
        vec![finding]
    }
}

/// A report by Kannel's `%d`: 1 delivered, 2 failed, 4 buffered, 8 with the operator, 16 refused by the operator.
fn delivery_report(attempt: &str, word: &str, answer: &str) -> Receipt {
    let status = match word.parse::<u32>() {
        Ok(1) => ReportStatus::Delivered,
        Ok(2 | 16) => ReportStatus::Failed,
        Ok(_) => ReportStatus::Underway,
        Err(_) => return unparsable("`status` of a report is no number"),
    };
    // The operator's answer quotes the message; only its error code (SMPP 3.4, appendix B) goes on.
    let code = answer.split_once("err:").map(|(_, rest)| rest.chars().take_while(char::is_ascii_alphanumeric).take(8));
    let error = (status == ReportStatus::Failed)
        .then(|| code.map(String::from_iter).filter(|code| !code.is_empty()).unwrap_or_else(|| format!("dlr {word}")));
    report(ReportSubject::Attempt(attempt.to_owned()), word, status, error)
}

/// The text of octets in `charset`, as Kannel's `%C` names it; without a name by Kannel's `coding`.
fn decode(bytes: &[u8], charset: &str, coding: &str) -> Result<String, String> {
    let charset = match (charset.to_ascii_uppercase().as_str(), coding) {
        ("", "2") | ("UTF-16" | "UCS-2" | "UCS2" | "ISO-10646-UCS-2", _) => "UTF-16BE".to_owned(),
        // Binary as far as Kannel knows; phones put UTF-8 into it, or something that is no text.
        ("", _) | ("8-BIT", _) => "UTF-8".to_owned(),
        (name, _) => name.to_owned(),
    };
    let Some(encoding) = Encoding::for_label(charset.as_bytes()) else {
        return Err("the charset is unknown".to_owned());
    };
    let (text, malformed) = encoding.decode_with_bom_removal(bytes);
    // Some phones cut a surrogate pair at the end of a segment; that one character is lost, not the message.
    if malformed && (encoding != UTF_16BE || bytes.len() % 2 == 1) {
        return Err(format!("the text is no {}", encoding.name()));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn octets_become_text_by_charset() {
        let check = |bytes: &[u8], charset: &str, coding: &str, expected: Result<&str, &str>| {
            let decoded = decode(bytes, charset, coding);
            assert_eq!(decoded.as_deref().map_err(String::as_str), expected, "{charset} {coding}");
        };
        check("路灯".as_bytes(), "UTF-8", "0", Ok("路灯"));
        check("路灯".as_bytes(), "", "", Ok("路灯"));
        check(b"\x8d\xef\x70\x6f", "UTF-16BE", "2", Ok("路灯"));
        check(b"\x8d\xef\x70\x6f", "", "2", Ok("路灯"));
        check(b"\x8d\xef\x70\x6f", "ucs-2", "", Ok("路灯"));
        check(b"\xef\x8d\x6f\x70", "UTF-16LE", "2", Ok("路灯"));
        check(b"\xc2\xb7\xb5\xc6", "GB18030", "0", Ok("路灯"));
        check(b"caf\xe9", "ISO-8859-1", "0", Ok("café"));
        check(b"caf\xe9", "latin1", "0", Ok("café"));
        check(b"\xd8\x3d\xdc\xf1", "UTF-16BE", "2", Ok("📱"));
        check(b"\x8d\xef\xd8\x3d", "UTF-16BE", "2", Ok("路\u{fffd}"));
        check(b"\x8d\xef\x70", "UTF-16BE", "2", Err("the text is no UTF-16BE"));
        check(b"\xff\xff", "UTF-8", "0", Err("the text is no UTF-8"));
        check(b"\x06\x05\x04\xff", "8-BIT", "1", Err("the text is no UTF-8"));
        check(b"a", "KLINGON", "0", Err("the charset is unknown"));
    }
}
