//! Twilio Programmable Messaging: webhooks as signed forms, REST for sending.
//!
//! Sources: <https://www.twilio.com/docs/usage/security>, `/docs/messaging/guides/webhook-request`,
//! `/docs/messaging/api/message-resource`, `/docs/api/errors`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Attachment, AttachmentContent, Cause, ControlKind, DeliveryError, Fetched, Finding, HttpAnswer,
    Outbound, RawRequest, Receipt, ReportStatus, ReportSubject, Verdict,
};
use phonenumber::country::Id;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

use crate::exchange::{body, broken, later, worth_a_retry};
use crate::inbound::{Received, report, unparsable, unverified};
use crate::provider::{Facts, Gateway};
use crate::settings::{Settings, address, given, given_secret};
use crate::twilio_signature::Validator;

const API_URL: &str = "https://api.twilio.com";

/// The most media that one message may have.
const MAX_MEDIA: usize = 10;

/// Media are answered by a redirect to where the bytes are.
const MAX_REDIRECTS: usize = 3;

/// Error codes with status 400 that the operator has to mend; the address is not to blame.
/// 21212 21603 21606 21659 21660: sender; 21609: callback address; 21655 21656: template; 21705: messaging service.
const OPERATOR_CODES: [u64; 9] = [21212, 21603, 21606, 21659, 21660, 21609, 21655, 21656, 21705];

/// One account at Twilio.
pub(crate) struct Twilio {
    validator: Validator,
    auth_token: String,
    account_sid: Option<String>,
    sender: Option<String>,
    templates: BTreeMap<String, String>,
    api_url: url::Url,
    region: Id,
    timeout: Duration,
    client: reqwest::Client,
}

impl Twilio {
    /// `None` if something is wrong with the settings; what it is, is added to `problems`.
    pub(crate) fn new(
        settings: &Settings,
        region: Id,
        client: reqwest::Client,
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let token = given_secret(settings.auth_token.as_ref());
        if token.is_none() {
            problems.push("auth_token: is not set; webhooks could not be verified".to_owned());
        }
        let api_url = given(settings.api_url.as_ref()).unwrap_or(API_URL).to_owned();
        let api_url = address("api_url", Some(&api_url), problems);
        Some(Self {
            validator: Validator::new(token?)?,
            auth_token: token?.to_owned(),
            account_sid: given(settings.account_sid.as_ref()).map(str::to_owned),
            sender: given(settings.sender.as_ref()).map(str::to_owned),
            templates: settings.templates.clone(),
            api_url: api_url?,
            region,
            timeout: Duration::from_secs(settings.timeout_secs),
            client,
        })
    }

    fn resource(&self, account_sid: &str, tail: &str) -> String {
        let base = self.api_url.as_str().trim_end_matches('/');
        format!("{base}/2010-04-01/Accounts/{account_sid}{tail}.json")
    }

    /// Whether media may be fetched from here: Twilio's own hosts by https, or the configured API.
    fn allowed(&self, url: &url::Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let vendor = host == "api.twilio.com" || host.ends_with(".twiliocdn.com");
        (url.scheme() == "https" && vendor && url.port().is_none()) || url.origin() == self.api_url.origin()
    }

    /// Follows redirects by itself, so that every hop is checked before it is asked.
    async fn media(&self, source: &str) -> Result<Response, DeliveryError> {
        let mut url = url::Url::parse(source)
            .map_err(|_| DeliveryError::Permanent("the media address is no address".to_owned()))?;
        for _ in 0..=MAX_REDIRECTS {
            if !self.allowed(&url) {
                return Err(DeliveryError::Permanent("the media host is not allowed".to_owned()));
            }
            let mut request = self.client.get(url.clone()).timeout(self.timeout);
            // The storage behind the API has the right in its address and must not learn the token.
            if let Some(sid) = self.account_sid.as_ref().filter(|_| !host_of_storage(&url)) {
                request = request.basic_auth(sid, Some(&self.auth_token));
            }
            let response = request.send().await.map_err(|error| broken(&error, true))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            url = url
                .join(location)
                .map_err(|_| DeliveryError::Permanent("the media redirect is no address".to_owned()))?;
        }
        Err(DeliveryError::Permanent("the media address redirects too often".to_owned()))
    }
}

fn host_of_storage(url: &url::Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(".twiliocdn.com"))
}

#[async_trait]
impl Gateway for Twilio {
    fn facts(&self) -> Facts {
        let missing = [("account_sid", &self.account_sid), ("sender", &self.sender)]
            .into_iter()
            .find_map(|(key, value)| value.is_none().then(|| format!("{key} is not set")));
        // A signature of one request opens no other.
        Facts { provider: "twilio", idempotent: false, cannot_send: missing, credentials: &[] }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        if !self.validator.verify(request) {
            return unverified("the X-Twilio-Signature is missing or wrong");
        }
        let fields: BTreeMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let sid = [field("MessageSid"), field("SmsSid")].into_iter().find(|sid| !sid.is_empty()).unwrap_or_default();
        let word = [field("MessageStatus"), field("SmsStatus")].into_iter().find(|word| !word.is_empty());
        if let Some(word) = word.filter(|word| !matches!(word.as_str(), "received" | "receiving")) {
            let status = match word.as_str() {
                "delivered" | "read" => ReportStatus::Delivered,
                "undelivered" | "failed" | "canceled" => ReportStatus::Failed,
                _ => ReportStatus::Underway,
            };
            let error = Some(field("ErrorCode")).filter(|code| !code.is_empty() && code != "0");
            // The address that we gave along names the attempt, even if Twilio's id never reached us.
            let attempt = form_urlencoded::parse(request.query().as_bytes())
                .find_map(|(name, value)| (name == "attempt" && !value.is_empty()).then(|| value.into_owned()));
            let subject = attempt.map_or(ReportSubject::ProviderId(sid), ReportSubject::Attempt);
            return report(subject, &word, status, error);
        }
        let control = match field("OptOutType").as_str() {
            "STOP" => Some(ControlKind::Stop),
            "START" => Some(ControlKind::Resume),
            // Twilio answers HELP by itself.
            "HELP" => Some(ControlKind::Ignored),
            _ => None,
        };
        let attachments = match media_of(&fields) {
            Ok(attachments) => attachments,
            Err(problem) => return unparsable(problem),
        };
        Received {
            id: sid,
            from: field("From"),
            to: field("To"),
            text: field("Body"),
            sent_at: None,
            attachments,
            control,
        }
        .receipt(self.region)
    }

    /// No reply from here: answers leave by the outbox only.
    fn answer(&self, _verdict: &Verdict) -> HttpAnswer {
        HttpAnswer::fixed("text/xml", "<Response/>")
    }

    async fn send(&self, outbound: &Outbound, text: &str) -> Result<Acceptance, DeliveryError> {
        let (Some(sid), Some(sender)) = (&self.account_sid, &self.sender) else {
            return Err(DeliveryError::transient(self.facts().cannot_send.unwrap_or_default()));
        };
        let mut form = vec![("To", outbound.to.clone())];
        // A messaging service picks the number by itself.
        form.push((if sender.starts_with("MG") { "MessagingServiceSid" } else { "From" }, sender.clone()));
        match self.templates.get(outbound.kind.as_str()) {
            Some(template) => {
                form.push(("ContentSid", template.clone()));
                form.push(("ContentVariables", serde_json::json!({"1": text}).to_string()));
            }
            None => form.push(("Body", text.to_owned())),
        }
        form.extend(outbound.report_url.clone().map(|url| ("StatusCallback", url)));
        let response = self
            .client
            .post(self.resource(sid, "/Messages"))
            .timeout(self.timeout)
            .basic_auth(sid, Some(&self.auth_token))
            .form(&form)
            .send()
            .await
            .map_err(|error| broken(&error, false))?;
        let status = response.status();
        if worth_a_retry(status) || status.is_redirection() {
            return Err(later(&response, format!("Twilio answered {status}"), outbound.now));
        }
        // An answer whose text is cut off still has its status, and reports name our attempt.
        let answer = body(response).await.unwrap_or_default();
        let answer = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(Acceptance { provider_id: answer.get("sid").and_then(Value::as_str).map(str::to_owned) });
        }
        let code = answer.get("code").and_then(Value::as_u64);
        // Twilio's own message names the citizen's number; its code does not.
        let told = code.map_or_else(|| status.to_string(), |code| format!("{status}, error {code}"));
        match (status, code) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => {
                let reason = format!("Twilio refused the account ({told}); check account_sid and auth_token");
                Err(DeliveryError::transient(reason))
            }
            (_, Some(code)) if OPERATOR_CODES.contains(&code) => Err(DeliveryError::transient(format!(
                "Twilio refused the settings ({told}); check sender and templates"
            ))),
            _ => Err(DeliveryError::Permanent(format!("Twilio refused the message: {told}"))),
        }
    }

    async fn fetch(&self, source: &str, limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        let too_large = || DeliveryError::Permanent(format!("the file is larger than {limit_bytes} bytes"));
        let mut response = self.media(source).await?;
        match response.status() {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let reason = format!("the media need another login ({status}); check account_sid and auth_token");
                return Err(DeliveryError::transient(reason));
            }
            status if status.is_client_error() && !worth_a_retry(status) => {
                return Err(DeliveryError::Permanent(format!("the media are not there: {status}")));
            }
            status => return Err(DeliveryError::transient(format!("the media host answered {status}"))),
        }
        if response.content_length().is_some_and(|length| length > limit_bytes) {
            return Err(too_large());
        }
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error, true))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit_bytes {
                return Err(too_large());
            }
        }
        Ok(Fetched { bytes: bytes.into(), media_type, name: None })
    }

    async fn probe(&self) -> Vec<Finding> {
        const CHECK: &str = "twilio account";
        let Some(sid) = &self.account_sid else {
            return vec![
                Finding::bad(CHECK, "account_sid is not set; nothing can be sent").because(Cause::NotConfigured),
            ];
        };
        let asked = self.client.get(self.resource(sid, "")).timeout(self.timeout);
        let mut findings = match asked.basic_auth(sid, Some(&self.auth_token)).send().await {
            Err(error) => vec![
                Finding::bad(CHECK, format!("{}; check api_url", broken(&error, true))).because(Cause::Unreachable),
            ],
            Ok(answer) if answer.status().is_success() => vec![Finding::good(CHECK, "the login is taken")],
            Ok(answer) => {
                let detail = format!("the API answers {}; check account_sid and auth_token", answer.status());
                vec![Finding::bad(CHECK, detail).because(Cause::Refused)]
            }
        };
        if self.sender.is_none() {
            findings.push(
                Finding::bad("twilio sender", "sender is not set; nothing can be sent").because(Cause::NotConfigured),
            );
        }
        findings
    }
}

/// The media of a message, to be fetched later.
fn media_of(fields: &BTreeMap<String, String>) -> Result<Vec<Attachment>, String> {
    let count = match fields.get("NumMedia").map(String::as_str) {
        None | Some("") => 0,
        Some(count) => count.parse::<usize>().map_err(|_| "`NumMedia` is no number".to_owned())?,
    };
    if count > MAX_MEDIA {
        return Err(format!("`NumMedia` is more than {MAX_MEDIA}"));
    }
    (0..count)
        .map(|index| {
            let source = fields
                .get(&format!("MediaUrl{index}"))
                .filter(|url| !url.is_empty())
                .ok_or_else(|| format!("`MediaUrl{index}` is missing"))?;
            let media_type = fields.get(&format!("MediaContentType{index}")).cloned().unwrap_or_default();
            Ok(Attachment {
                name: format!("media-{}.{}", index + 1, extension(&media_type)),
                media_type,
                content: AttachmentContent::Remote { source: source.clone(), size: None },
            })
        })
        .collect()
}

/// A file name's ending for the media types that phones send.
fn extension(media_type: &str) -> &'static str {
    match media_type.split(';').next().unwrap_or_default().trim() {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/heic" => "heic",
        "video/mp4" => "mp4",
        "video/3gpp" => "3gp",
        "audio/amr" => "amr",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "audio/ogg" => "ogg",
        "application/pdf" => "pdf",
        "text/vcard" | "text/x-vcard" => "vcf",
        "text/plain" => "txt",
        _ => "bin",
    }
}
