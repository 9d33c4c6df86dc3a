//! The generic gateway: JSON both ways, signed by Standard Webhooks with one secret.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Cause, DeliveryError, Finding, Outbound, RawRequest, Receipt, ReportStatus, ReportSubject,
};
use chrono::DateTime;
use phonenumber::country::Id;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::exchange::{body, broken, later, worth_a_retry};
use crate::inbound::{Received, report, unparsable, unverified};
use crate::provider::{Facts, Gateway};
use crate::settings::{Settings, address, given, given_secret};
use crate::standard_webhooks::SigningKey;

/// One account at a generic gateway.
pub(crate) struct Generic {
    key: SigningKey,
    outbound_url: Option<url::Url>,
    sender: Option<String>,
    templates: BTreeMap<String, String>,
    region: Id,
    timeout: Duration,
    client: reqwest::Client,
}

/// What is posted to the gateway. The optional fields are there only if configured.
#[derive(Serialize)]
struct Posted<'a> {
    delivery_id: &'a str,
    to: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<&'a str>,
}

impl Generic {
    /// `None` if something is wrong with the settings; what it is, is added to `problems`.
    pub(crate) fn new(
        settings: &Settings,
        region: Id,
        client: reqwest::Client,
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let key = match given_secret(settings.secret.as_ref()).map(SigningKey::parse) {
            Some(Ok(key)) => Some(key),
            Some(Err(problem)) => {
                problems.push(format!("secret: {problem}"));
                None
            }
            None => {
                problems.push("secret: is not set; webhooks could not be verified".to_owned());
                None
            }
        };
        let outbound_url = address("outbound_url", settings.outbound_url.as_ref(), problems);
        Some(Self {
            key: key?,
            outbound_url,
            sender: given(settings.sender.as_ref()).map(str::to_owned),
            templates: settings.templates.clone(),
            region,
            timeout: Duration::from_secs(settings.timeout_secs),
            client,
        })
    }
}

#[async_trait]
impl Gateway for Generic {
    fn facts(&self) -> Facts {
        Facts {
            provider: "generic",
            idempotent: true,
            cannot_send: self.outbound_url.is_none().then(|| "outbound_url is not set".to_owned()),
            // A signature of one message opens no other.
            credentials: &[],
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        if !self.key.verify(request) {
            return unverified("the webhook-signature is missing or wrong");
        }
        let Ok(fields) = serde_json::from_slice::<Value>(&request.body) else {
            return unparsable("the body is no JSON");
        };
        if !fields.is_object() {
            return unparsable("the body is no JSON object");
        }
        let field = |name: &str| text_of(fields.get(name)).unwrap_or_default();
        match fields.get("type").map(|kind| kind.as_str().unwrap_or_default()) {
            None | Some("message") => Received {
                id: field("id"),
                from: field("from"),
                to: field("to"),
                text: field("text"),
                sent_at: DateTime::parse_from_rfc3339(&field("received_at")).ok().map(|time| time.to_utc()),
                ..Received::default()
            }
            .receipt(self.region),
            Some("report") => {
                let word = field("status");
                let status = match word.as_str() {
                    "delivered" => ReportStatus::Delivered,
                    "failed" => ReportStatus::Failed,
                    "underway" => ReportStatus::Underway,
                    _ => return unparsable("`status` of a report must be delivered, failed or underway"),
                };
                let error = text_of(fields.get("error")).filter(|error| !error.is_empty());
                report(ReportSubject::ProviderId(field("id")), &word, status, error)
            }
            Some(_) => unparsable("`type` is neither message nor report"),
        }
    }

    async fn send(&self, outbound: &Outbound, text: &str) -> Result<Acceptance, DeliveryError> {
        let Some(url) = &self.outbound_url else {
            return Err(DeliveryError::transient("outbound_url is not set"));
        };
        let posted = Posted {
            delivery_id: &outbound.delivery_id,
            to: &outbound.to,
            text,
            from: self.sender.as_deref(),
            template_id: self.templates.get(outbound.kind.as_str()).map(String::as_str),
        };
        let payload = serde_json::to_vec(&posted)
            .map_err(|error| DeliveryError::Permanent(format!("the message makes no JSON: {error}")))?;
        let timestamp = outbound.now.timestamp();
        let signature = self.key.sign(&outbound.delivery_id, timestamp, &payload);
        let response = self
            .client
            .post(url.clone())
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("webhook-id", &outbound.delivery_id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature)
            .body(payload)
            .send()
            .await
            .map_err(|error| broken(&error, true))?;
        let status = response.status();
        if status.is_success() {
            let answer = body(response).await.map_err(|error| broken(&error, true))?;
            let id = serde_json::from_slice::<Value>(&answer).ok().and_then(|answer| text_of(answer.get("id")));
            // Without an id no report could ever be matched; asking again is harmless, for the webhook-id is the same.
            return id
                .filter(|id| !id.is_empty())
                .map(|id| Acceptance { provider_id: Some(id) })
                .ok_or_else(|| DeliveryError::transient(format!("the gateway answered {status} without an id")));
        }
        if status.is_client_error() && !worth_a_retry(status) {
            return Err(DeliveryError::Permanent(format!("the gateway refused the message: {status}")));
        }
        Err(later(&response, format!("the gateway answered {status}"), outbound.now))
    }

    async fn probe(&self) -> Vec<Finding> {
        const CHECK: &str = "generic sms gateway";
        let Some(url) = &self.outbound_url else {
            return vec![
                Finding::bad(CHECK, "outbound_url is not set; nothing can be sent").because(Cause::NotConfigured),
            ];
        };
        // HEAD sends nothing. A gateway that takes only POST may answer it with any error, which is an answer too.
        let finding = match self.client.head(url.clone()).timeout(self.timeout).send().await {
            Err(error) => {
                Finding::bad(CHECK, format!("{}; check outbound_url", broken(&error, true))).because(Cause::Unreachable)
            }
            Ok(answer) if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let status = answer.status();
                Finding::bad(
                    CHECK,
                    format!("outbound_url answers HEAD with {status}; check secret and allowed addresses"),
                )
                .because(Cause::Refused)
            }
            Ok(answer) => {
                let status = answer.status();
                Finding::good(
                    CHECK,
                    format!("outbound_url is reached; it answers HEAD with {status}, nothing was sent"),
                )
            }
        };
        vec![finding]
    }
}

/// A text, or a number as text, for gateways that count their ids.
fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
