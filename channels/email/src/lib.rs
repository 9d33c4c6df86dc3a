//! E-mail: in by IMAP, raw HTTP and pipe, out by SMTP.
//!
//! A mail walks: `poll` (IMAP) or a request -> `receive` -> `nesting` disarms hostile structure and `structure` repairs a
//! broken one, with `transfer` -> `mail` takes MIME apart, with `charset`, `words` and `html` -> `bounce` (is it a report?) -> `loops` (may a machine answer?) -> `reply` (what is
//! new in it?). An answer leaves through `compose` and `smtp`.
//!
//! Absent by design: nothing in a mailbox is changed or deleted; no cursor is kept here, the hub commits it with the
//! messages; no mail blocks those behind it; no text, address or secret stands in a log or an error.

mod addresses;
mod bounce;
mod charset;
mod compose;
#[cfg(test)]
mod corpus;
mod file_name;
mod html;
mod imap;
mod loops;
mod mail;
mod nesting;
mod oauth;
mod poll;
mod receive;
mod reply;
mod settings;
mod smtp;
mod structure;
mod transfer;
mod view;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use channel_contract::{
    Acceptance, Cause, Channel, DeliveryError, Descriptor, Fetched, Finding, Medium, Outbound, PollError, Polled,
    RawRequest, Receipt,
};
use chrono::{DateTime, Utc};

pub use settings::{OAuth, Settings};
pub use view::{View, view};

/// One mailbox.
pub struct EmailChannel {
    account: String,
    settings: Settings,
    mailbox: Option<poll::Mailbox>,
    smtp: Option<smtp::Smtp>,
    tokens: Option<oauth::Tokens>,
}

impl EmailChannel {
    /// Makes the channel of one mailbox. `client` is used for the OAuth token endpoint only.
    ///
    /// # Errors
    /// Every fault of the settings, each beginning with its key.
    pub fn new(account: &str, settings: Settings, client: reqwest::Client) -> Result<Self, Vec<String>> {
        let checked = settings.check()?;
        let roots = settings.tls_ca_file.as_ref().map(std::fs::read).transpose();
        let roots = roots.map_err(|error| vec![format!("tls_ca_file: cannot be read: {}", error.kind())])?;
        let smtp = checked.smtp.map(|endpoint| smtp::Smtp::new(endpoint, roots.as_deref())).transpose();
        let smtp = smtp.map_err(|fault| vec![fault])?;
        let door = checked.imap.map(|endpoint| imap::Door::new(endpoint, roots.as_deref())).transpose();
        let mailbox = door.map_err(|fault| vec![fault])?.map(|door| poll::Mailbox::new(door, checked.start));
        let tokens = settings.oauth.clone().map(|oauth| oauth::Tokens::new(client, oauth));
        Ok(Self { account: account.to_owned(), settings, mailbox, smtp, tokens })
    }
}

#[async_trait]
impl Channel for EmailChannel {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            medium: Medium::Email,
            account: self.account.clone(),
            provider: "imap",
            polls: self.mailbox.is_some(),
            // Mail systems report failures only: acceptance counts as delivered until a bounce revokes it.
            reports: false,
            idempotent: false,
            cannot_send: self.smtp.is_none().then(|| "no SMTP configured (smtp_url)".to_owned()),
            credentials: &["authorization"],
        }
    }

    fn receive(&self, request: &RawRequest) -> Receipt {
        receive::receive(&self.settings, request)
    }

    async fn send(&self, outbound: &Outbound) -> Result<Acceptance, DeliveryError> {
        let smtp = self.smtp.as_ref().ok_or_else(|| DeliveryError::transient("no SMTP configured (smtp_url)"))?;
        let composed = compose::compose(&self.settings, outbound)?;
        smtp.send(&composed, self.tokens.as_ref()).await?;
        Ok(Acceptance { provider_id: Some(composed.message_id) })
    }

    async fn poll(&self, cursor: Option<&str>, wait: Duration, now: DateTime<Utc>) -> Result<Polled, PollError> {
        let mailbox =
            self.mailbox.as_ref().ok_or_else(|| PollError::Permanent("no IMAP configured (imap_url)".to_owned()))?;
        mailbox.poll(&self.settings, self.tokens.as_ref(), cursor, wait, now).await
    }

    async fn fetch(&self, _source: &str, _limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        Err(DeliveryError::Permanent("the file is above the limit of this mailbox".to_owned()))
    }

    async fn probe(&self) -> Vec<Finding> {
        let tokens = self.tokens.as_ref();
        let mut findings = match &self.mailbox {
            Some(mailbox) => mailbox.probe(&self.settings, tokens).await,
            None => vec![Finding::good("imap", "not configured: mail comes by HTTP and pipe only")],
        };
        findings.push(match &self.smtp {
            Some(smtp) => smtp.probe(tokens).await,
            None => Finding::bad("smtp", "not configured: answers by mail stay queued; set smtp_url")
                .because(Cause::NotConfigured),
        });
        findings
    }
}
