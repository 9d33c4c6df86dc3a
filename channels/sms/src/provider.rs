//! The seam between the account and the protocol of its provider.

use async_trait::async_trait;
use channel_contract::{
    Acceptance, DeliveryError, Fetched, Finding, HttpAnswer, Outbound, RawRequest, Receipt, Verdict,
};

/// What a provider contributes to the account's descriptor.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) provider: &'static str,
    pub(crate) idempotent: bool,
    pub(crate) cannot_send: Option<String>,
    pub(crate) credentials: &'static [&'static str],
}

/// One provider's protocol. The meaning of each verb is that of [`channel_contract::Channel`].
#[async_trait]
pub(crate) trait Gateway: Send + Sync + 'static {
    fn facts(&self) -> Facts;

    fn receive(&self, request: &RawRequest) -> Receipt;

    fn answer(&self, verdict: &Verdict) -> HttpAnswer {
        HttpAnswer::json(verdict)
    }

    /// `text` is that of the delivery with the signature before it.
    async fn send(&self, outbound: &Outbound, text: &str) -> Result<Acceptance, DeliveryError>;

    async fn fetch(&self, source: &str, limit_bytes: u64) -> Result<Fetched, DeliveryError> {
        let _ = (source, limit_bytes);
        Err(DeliveryError::Permanent("this provider holds no media".to_owned()))
    }

    async fn probe(&self) -> Vec<Finding>;
}
