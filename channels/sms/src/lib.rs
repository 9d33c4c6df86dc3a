//! SMS by Twilio, Kannel or a generic gateway, behind one [`SmsChannel`].
//!
//! - `settings`: what an operator configures; `provider`: the seam; `generic`, `kannel`, `twilio` (with
//!   `twilio_signature`): one protocol each
//! - `inbound`: from fields to items, control words; `exchange`: what failed calls mean; `query`: byte-true queries
//! - [`standard_webhooks`], [`segments`], [`phone`]: signatures, lengths on the air, numbers
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod exchange;
mod generic;
mod inbound;
mod kannel;
pub mod phone;
mod provider;
mod query;
mod segments;
mod settings;
pub mod standard_webhooks;
mod twilio;
mod twilio_signature;

use std::borrow::Cow;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Channel, DeliveryError, DeliveryKind, Descriptor, Fetched, Finding, HttpAnswer, Medium, Outbound, Plan,
    RawRequest, Receipt, Verdict,
};
use phonenumber::country::Id;

use generic::Generic;
use kannel::Kannel;
use provider::Gateway;
use settings::given;
use twilio::Twilio;

pub use segments::{Encoding, Segments, segments, split};
pub use settings::{Provider, Secret, Settings};

/// One SMS account.
pub struct SmsChannel {
    account: String,
    gateway: Box<dyn Gateway>,
    /// `【...】` with its brackets, or nothing.
    prefix: String,
    max_segments: usize,
    reports: bool,
}

impl std::fmt::Debug for SmsChannel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SmsChannel")
            .field("account", &self.account)
            .field("provider", &self.gateway.facts().provider)
            .finish_non_exhaustive()
    }
}

impl SmsChannel {
    /// Checks the settings and makes the account. `client` should not follow redirects by itself, so that
    /// media are fetched from allowed hosts only.
    ///
    /// # Errors
    /// Every problem of the settings at once, each as `key: what is wrong`, without the values of secrets.
    pub fn new(account: &str, settings: Settings, client: reqwest::Client) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let region = settings.default_region.parse::<Id>().unwrap_or_else(|_| {
            problems.push("default_region: is no region such as CN".to_owned());
            Id::CN
        });
        if !(1..=10).contains(&settings.max_segments) {
            problems.push("max_segments: must be from 1 to 10".to_owned());
        }
        if !(1..=120).contains(&settings.timeout_secs) {
            problems.push("timeout_secs: must be from 1 to 120".to_owned());
        }
        for kind in settings.templates.keys().filter(|kind| DeliveryKind::parse(kind).is_none()) {
            problems.push(format!("templates.{kind}: is no kind of delivery"));
        }
        let gateway: Option<Box<dyn Gateway>> = match settings.provider {
            Provider::Generic => {
                Generic::new(&settings, region, client, &mut problems).map(|gateway| Box::new(gateway) as _)
            }
            Provider::Kannel => {
                Kannel::new(&settings, region, client, &mut problems).map(|gateway| Box::new(gateway) as _)
            }
            Provider::Twilio => {
                Twilio::new(&settings, region, client, &mut problems).map(|gateway| Box::new(gateway) as _)
            }
        };
        match gateway {
            Some(gateway) if problems.is_empty() => Ok(Self {
                account: account.to_owned(),
                gateway,
                prefix: given(settings.signature.as_ref()).map_or_else(String::new, |name| format!("【{name}】")),
                max_segments: settings.max_segments,
                reports: settings.reports,
            }),
            _ => Err(problems),
        }
    }

    /// The text as it goes on the air, with the signature before it unless it is there already.
    fn rendered<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.prefix.is_empty() || text.starts_with(&self.prefix) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("{}{text}", self.prefix))
        }
    }
}

#[async_trait]
impl Channel for SmsChannel {
    fn descriptor(&self) -> Descriptor {
        let facts = self.gateway.facts();
        Descriptor {
            medium: Medium::Sms,
            account: self.account.clone(),
            provider: facts.provider,
            polls: false,
            reports: self.reports,
            idempotent: facts.idempotent,
            cannot_send: facts.cannot_send,
            credentials: facts.credentials,
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        self.gateway.receive(request)
    }

    fn answer(&self, verdict: &Verdict) -> HttpAnswer {
        self.gateway.answer(verdict)
    }

    /// One part: every provider splits and joins segments on the air by itself.
    fn plan(&self, text: &str) -> Plan {
        if segments(&self.rendered(text)).count > self.max_segments {
            Plan::TooLong
        } else {
            Plan::Parts(vec![text.to_owned()])
        }
    }

    async fn send(&self, outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        self.gateway.send(outbound, &self.rendered(&outbound.text)).await
    }

    async fn fetch(&self, source: &str, limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        self.gateway.fetch(source, limit_bytes).await
    }

    async fn probe(&self) -> Vec<Finding> {
        self.gateway.probe().await
    }
}
