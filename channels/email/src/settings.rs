//! The settings of one mailbox, and what is wrong with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use url::Url;

/// Settings of one e-mail account, as they stand in the configuration under `channels.email.ACCOUNT`.
///
/// Everything but `address` may be left out: without `imap_url` the account takes mail by HTTP and pipe only,
/// without `smtp_url` its deliveries wait as queued.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The mailbox's own address: the `From` of what leaves, and with a tag (`mailbox+TAG@host`) its `Reply-To`.
    pub address: String,
    /// Display name of `From` by language (BCP 47 primary subtag); the first entry serves all other languages.
    pub name: BTreeMap<String, String>,
    /// Bearer token of raw mail by HTTP; without it every such request is refused.
    pub token: Option<String>,
    /// `imap://`, `imap+starttls://` or `imaps://`, with `user:password@` or the two settings below.
    pub imap_url: Option<String>,
    /// IMAP user, when it does not stand in the address.
    pub imap_username: Option<String>,
    /// IMAP password, when it does not stand in the address.
    pub imap_password: Option<String>,
    /// Folders to read; the first is the one that is watched by IDLE.
    pub folders: Vec<String>,
    /// What the first start takes: `now`, `all`, or mail that arrived on or after `YYYY-MM-DD`.
    pub start: String,
    /// `smtp://` (plain), `smtp+starttls://` or `smtps://`, with `user:password@` or the two settings below.
    pub smtp_url: Option<String>,
    /// SMTP user, when it does not stand in the address.
    pub smtp_username: Option<String>,
    /// SMTP password, when it does not stand in the address.
    pub smtp_password: Option<String>,
    /// XOAUTH2 for IMAP and SMTP instead of a password.
    pub oauth: Option<OAuth>,
    /// Whether passwords and mail may cross a network in the clear; loopback always may.
    pub allow_plaintext: bool,
    /// A file with further PEM certificates to trust, for a private authority; read once when the channel is made.
    pub tls_ca_file: Option<PathBuf>,
    /// Further addresses that are the hub's own: mail from them gets no automatic answer.
    pub own_addresses: Vec<String>,
    /// Whose `Authentication-Results` are believed (RFC 8601 authserv-id of the border server); none when unset.
    pub trusted_authserv_id: Option<String>,
    /// Files above this many bytes are kept as a name without content.
    pub max_attachment_bytes: u64,
    /// Mails above this many bytes are fetched by IMAP with their header only.
    pub max_message_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: String::new(),
            name: BTreeMap::new(),
            token: None,
            imap_url: None,
            imap_username: None,
            imap_password: None,
            folders: vec!["INBOX".to_owned()],
            start: "now".to_owned(),
            smtp_url: None,
            smtp_username: None,
            smtp_password: None,
            oauth: None,
            allow_plaintext: false,
            tls_ca_file: None,
            own_addresses: Vec::new(),
            trusted_authserv_id: None,
            max_attachment_bytes: 25 * 1024 * 1024,
            max_message_bytes: 50 * 1024 * 1024,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("address", &self.address)
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}

/// Refresh of an access token (RFC 6749, section 6) for XOAUTH2.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// The provider's token endpoint.
    pub token_url: String,
    /// Client id.
    pub client_id: String,
    /// Client secret; empty for public clients.
    #[serde(default)]
    pub client_secret: String,
    /// The long-lived refresh token.
    pub refresh_token: String,
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OAuth").field("token_url", &self.token_url).finish_non_exhaustive()
    }
}

/// What the first start takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    All,
    Since(NaiveDate),
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    StartTls,
    Tls,
}

/// A server with the account on it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

impl Endpoint {
    /// The server as it may be shown, without the account.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The settings after validation.
pub(crate) struct Checked {
    pub(crate) start: Start,
    pub(crate) imap: Option<Endpoint>,
    pub(crate) smtp: Option<Endpoint>,
}

impl Settings {
    /// Finds every fault at once; each names its key and what to do.
    pub(crate) fn check(&self) -> Result<Checked, Vec<String>> {
        let mut faults = Vec::new();
        if !self.address.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty()) {
            faults.push("address: give the mailbox's own address, such as hotline@city.example".to_owned());
        }
        let start = match self.start.as_str() {
            "now" => Start::Now,
            "all" => Start::All,
            date => NaiveDate::parse_from_str(date, "%Y-%m-%d").map(Start::Since).unwrap_or_else(|_| {
                faults.push("start: must be \"now\", \"all\" or a date as YYYY-MM-DD".to_owned());
                Start::Now
            }),
        };
        if self.folders.is_empty() || self.folders.iter().any(|folder| folder.trim().is_empty()) {
            faults.push("folders: name at least one folder, such as INBOX".to_owned());
        }
        if self.token.as_ref().is_some_and(|token| token.len() < 16) {
            faults.push("token: must have at least 16 characters".to_owned());
        }
        let imap = self.endpoint(
            "imap",
            self.imap_url.as_deref(),
            (self.imap_username.as_ref(), self.imap_password.as_ref()),
            &[
                ("imap", Security::Plain, 143),
                ("imap+starttls", Security::StartTls, 143),
                ("imaps", Security::Tls, 993),
            ],
            &mut faults,
        );
        let smtp = self.endpoint(
            "smtp",
            self.smtp_url.as_deref(),
            (self.smtp_username.as_ref(), self.smtp_password.as_ref()),
            &[("smtp", Security::Plain, 25), ("smtp+starttls", Security::StartTls, 587), ("smtps", Security::Tls, 465)],
            &mut faults,
        );
        if let Some(imap) = &imap {
            if imap.username.is_none() {
                faults.push("imap_username: needed to read the mailbox".to_owned());
            }
            if imap.password.is_none() && self.oauth.is_none() {
                faults.push("imap_password: give a password or the section oauth".to_owned());
            }
        }
        if let Some(oauth) = &self.oauth
            && Url::parse(&oauth.token_url).is_err()
        {
            faults.push("oauth.token_url: not an address".to_owned());
        }
        if faults.is_empty() { Ok(Checked { start, imap, smtp }) } else { Err(faults) }
    }

    fn endpoint(
        &self,
        protocol: &str,
        url: Option<&str>,
        (username, password): (Option<&String>, Option<&String>),
        schemes: &[(&str, Security, u16)],
        faults: &mut Vec<String>,
    ) -> Option<Endpoint> {
        let url = url.filter(|url| !url.trim().is_empty())?;
        let key = format!("{protocol}_url");
        let Ok(parsed) = Url::parse(url) else {
            faults.push(format!("{key}: not an address"));
            return None;
        };
        let Some((_, security, port)) = schemes.iter().find(|(scheme, ..)| *scheme == parsed.scheme()) else {
            let known: Vec<_> = schemes.iter().map(|(scheme, ..)| format!("{scheme}://")).collect();
            faults.push(format!("{key}: must begin with {}", known.join(", ")));
            return None;
        };
        let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
            faults.push(format!("{key}: names no host"));
            return None;
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if *security == Security::Plain && !loopback && !self.allow_plaintext {
            faults.push(format!("{key}: plain text leaves this machine; use TLS, or set allow_plaintext = true"));
        }
        let decoded = |text: &str| percent_decoded(text).filter(|text| !text.is_empty());
        Some(Endpoint {
            port: parsed.port().unwrap_or(*port),
            security: *security,
            username: username.cloned().or_else(|| decoded(parsed.username())),
            password: password.cloned().or_else(|| parsed.password().and_then(decoded)),
            host,
        })
    }

    /// Whether an address is the hub's own, a reply tag after `+` left aside.
    pub(crate) fn is_own(&self, address: &str) -> bool {
        let bare = |address: &str| {
            let (local, host) = address.rsplit_once('@').unwrap_or((address, ""));
            let local = local.split_once('+').map_or(local, |(local, _)| local);
            format!("{local}@{host}").to_lowercase()
        };
        let address = bare(address);
        std::iter::once(&self.address).chain(&self.own_addresses).any(|own| bare(own) == address)
    }

    /// The display name for a language.
    pub(crate) fn display_name(&self, language: Option<&str>) -> Option<&str> {
        let primary = language.and_then(|language| language.split('-').next());
        language
            .and_then(|language| self.name.get(language))
            .or_else(|| primary.and_then(|primary| self.name.get(primary)))
            .or_else(|| self.name.values().next())
            .map(String::as_str)
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings { address: "hotline@city.example".to_owned(), ..Settings::default() };
        change(&mut settings);
        settings
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let broken = settings(|settings| {
            settings.address = "nobody".to_owned();
            settings.start = "yesterday".to_owned();
            settings.folders.clear();
            settings.token = Some("short".to_owned());
            settings.imap_url = Some("http://host".to_owned());
            settings.smtp_url = Some("smtp://mail.example".to_owned());
        });
        let faults = broken.check().err().expect("faults");
        for key in ["address:", "start:", "folders:", "token:", "imap_url:", "smtp_url:"] {
            assert!(faults.iter().any(|fault| fault.starts_with(key)), "{key} is missing in {faults:?}");
        }
    }

    #[test]
    fn addresses_of_servers() {
        let fine = settings(|settings| {
            settings.imap_url = Some("imaps://me%40city.example:s%3Acret@imap.example".to_owned());
            settings.smtp_url = Some("smtp://127.0.0.1:2525".to_owned());
        });
        let checked = fine.check().expect("no faults");
        let imap = checked.imap.expect("imap");
        assert_eq!((imap.host.as_str(), imap.port, imap.security), ("imap.example", 993, Security::Tls));
        assert_eq!((imap.username.as_deref(), imap.password.as_deref()), (Some("me@city.example"), Some("s:cret")));
        let smtp = checked.smtp.expect("smtp");
        assert_eq!((smtp.port, smtp.security, smtp.username), (2525, Security::Plain, None));
    }

    #[test]
    fn own_addresses_with_and_without_tag() {
        let settings = settings(|settings| settings.own_addresses = vec!["desk@city.example".to_owned()]);
        for (address, own) in [
            ("Hotline@City.example", true),
            ("hotline+t12@city.example", true),
            ("desk@city.example", true),
            ("citizen@city.example", false),
            ("hotline@other.example", false),
        ] {
            assert_eq!(settings.is_own(address), own, "{address}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(serde_json::from_str::<Settings>(r#"{"address": "a@b", "adress": "c"}"#).is_err());
    }
}
