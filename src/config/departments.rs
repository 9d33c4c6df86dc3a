//! `[departments.ID]`: how departments are told of tickets.

use std::collections::BTreeMap;

use url::Url;

use super::operator::mailbox;
use super::secret::Secret;
use super::section::Section;

/// How a department is told of tickets, beside its inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Department {
    /// Its mailbox for notices.
    pub email: Option<String>,
    /// Where signed notices are posted (Standard Webhooks).
    pub webhook_url: Option<Url>,
    /// The webhook's secret, `whsec_` and base64.
    pub webhook_secret: Option<Secret>,
    /// Whether the webhook may stand at a private address.
    pub allow_private: bool,
}

pub(super) fn read(mut section: Section<'_>) -> BTreeMap<String, Department> {
    let tables = section.children();
    // Ids of departments have hyphens, which the name of an environment variable cannot have.
    tables.into_iter().map(|(id, nodes)| (id.replace('_', "-"), one(section.within(&id, nodes)))).collect()
}

fn one(mut section: Section<'_>) -> Department {
    const URL: &str = "Write an http or https address";
    const EMAIL: &str = "Write a mailbox such as water@example.gov.cn";
    let origin = section.origin("email");
    let email: Option<String> = section.optional("email", EMAIL);
    if email.as_ref().is_some_and(|email| !mailbox(email)) {
        section.wrong(origin, "email", "is not a mailbox", EMAIL);
    }
    let origin = section.origin("webhook_url");
    let address: Option<String> = section.optional("webhook_url", URL);
    let webhook_url = address.and_then(|address| {
        let url = Url::parse(&address).ok().filter(|url| url.has_host() && ["http", "https"].contains(&url.scheme()));
        if url.is_none() {
            section.wrong(origin.clone(), "webhook_url", "is not an http or https address", URL);
        }
        url
    });
    let secret_origin = section.origin("webhook_secret");
    let webhook_secret: Option<Secret> = section.optional("webhook_secret", "Write whsec_ and base64");
    if webhook_secret.as_ref().is_some_and(|secret| !standard_secret(secret.expose())) {
        section.wrong(
            secret_origin,
            "webhook_secret",
            "is not whsec_ and base64 of 24 to 64 bytes",
            "Make one with: echo whsec_$(openssl rand -base64 32)",
        );
    }
    if webhook_url.is_some() && webhook_secret.is_none() {
        section.wrong(
            origin,
            "webhook_secret",
            "is required with webhook_url",
            "Make one with: echo whsec_$(openssl rand -base64 32)",
        );
    }
    let allow_private = section.optional("allow_private", "Write true or false").unwrap_or_default();
    section.finish();
    Department { email, webhook_url, webhook_secret, allow_private }
}

/// Whether a text is a Standard Webhooks secret: `whsec_` and base64 of 24 to 64 bytes.
fn standard_secret(text: &str) -> bool {
    use base64::Engine as _;
    text.strip_prefix("whsec_")
        .and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded).ok())
        .is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}
