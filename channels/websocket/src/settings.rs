//! The account's section of the configuration, and the Origin allowlist.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// One app or site that talks to the hub. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Origins (`https://www.city.example`) of the pages that may open a connection, besides the hub's own.
    /// Apps send no Origin and need no entry.
    pub allowed_origins: Vec<String>,
    /// Longest text of one message, in characters.
    pub max_text_chars: usize,
    /// How many messages one session may send a minute; as many at once after a pause.
    pub messages_per_minute: u32,
    /// How many connections may be open from one address at once. An IPv6 address counts as its /64 network.
    pub sessions_per_address: u32,
    /// How many connections one session may hold at once, such as several tabs.
    pub connections_per_session: u32,
    /// How many connections this account holds at once.
    pub connections: u32,
    /// How long a connection may stay without a `hello`, in seconds.
    pub hello_timeout_secs: u64,
    /// After how many seconds without any frame of the client the connection is closed; the client pings sooner.
    pub idle_timeout_secs: u64,
    /// How long one frame may take to leave, in seconds; then the slow client is cut off and resumes later.
    pub write_timeout_secs: u64,
    /// The language (BCP 47) of clients that name none.
    pub default_language: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            max_text_chars: 4000,
            messages_per_minute: 30,
            sessions_per_address: 20,
            connections_per_session: 5,
            connections: 10_000,
            hello_timeout_secs: 10,
            idle_timeout_secs: 120,
            write_timeout_secs: 10,
            default_language: None,
        }
    }
}

impl Settings {
    /// The largest frame that can hold a text within the limit, in bytes: JSON may write one character as two
    /// `\uXXXX` (RFC 8259, section 7). To be set as the websocket's message limit.
    #[must_use]
    pub fn max_frame_bytes(&self) -> usize {
        self.max_text_chars.saturating_mul(12).saturating_add(1024)
    }

    /// [`Settings::hello_timeout_secs`] as a duration.
    #[must_use]
    pub fn hello_timeout(&self) -> Duration {
        Duration::from_secs(self.hello_timeout_secs)
    }

    /// [`Settings::idle_timeout_secs`] as a duration.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_secs)
    }

    /// [`Settings::write_timeout_secs`] as a duration.
    #[must_use]
    pub fn write_timeout(&self) -> Duration {
        Duration::from_secs(self.write_timeout_secs)
    }

    /// Every problem at once, each beginning with the key that has it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for origin in &self.allowed_origins {
            if parse_origin(origin).is_none() {
                problems.push(format!(
                    "allowed_origins: \"{origin}\" is no origin; write scheme and host, such as https://www.city.example"
                ));
            }
        }
        let positive = [
            ("max_text_chars", self.max_text_chars == 0),
            ("messages_per_minute", self.messages_per_minute == 0),
            ("sessions_per_address", self.sessions_per_address == 0),
            ("connections_per_session", self.connections_per_session == 0),
            ("connections", self.connections == 0),
            ("hello_timeout_secs", self.hello_timeout_secs == 0),
            ("idle_timeout_secs", self.idle_timeout_secs == 0),
            ("write_timeout_secs", self.write_timeout_secs == 0),
        ];
        problems.extend(positive.iter().filter(|(_, zero)| *zero).map(|(key, _)| format!("{key}: must be at least 1")));
        if self.default_language.as_deref().is_some_and(|language| !is_language(language)) {
            problems.push("default_language: must be a language tag such as zh-Hans or en".to_owned());
        }
        problems
    }
}

/// Whether a page of this `Origin` (RFC 6454) may open a connection.
///
/// No Origin is an app and allowed, since browsers always send one. The hub's own pages (`public_url`) are allowed;
/// anything else, `null` included, only when [`Settings::allowed_origins`] names it.
#[must_use]
pub fn origin_allowed(settings: &Settings, origin: Option<&str>, public_url: &str) -> bool {
    let Some(origin) = origin else { return true };
    let Some(origin) = parse_origin(origin) else { return false };
    let own = Url::parse(public_url).ok().map(|url| url.origin());
    own.as_ref() == Some(&origin)
        || settings.allowed_origins.iter().any(|allowed| parse_origin(allowed).as_ref() == Some(&origin))
}

/// An origin of scheme, host and port, and nothing else.
fn parse_origin(text: &str) -> Option<url::Origin> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    bare.then(|| url.origin())
}

/// Whether a text looks like a language tag (BCP 47): letters, digits and hyphens, not too long.
pub(crate) fn is_language(text: &str) -> bool {
    (2..=35).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let settings = Settings {
            allowed_origins: vec!["https://www.city.example".to_owned(), "http://localhost:8080".to_owned()],
            ..Settings::default()
        };
        let cases = [
            (None, true),
            (Some("https://hub.example"), true),
            (Some("https://HUB.example:443"), true),
            (Some("https://www.city.example"), true),
            (Some("http://localhost:8080"), true),
            (Some("http://hub.example"), false),
            (Some("https://hub.example:8443"), false),
            (Some("https://hub.example.evil.example"), false),
            (Some("https://evil.example/https://hub.example"), false),
            (Some("https://hub.example@evil.example"), false),
            (Some("http://localhost"), false),
            (Some("null"), false),
            (Some(""), false),
            (Some("file://"), false),
        ];
        for (origin, allowed) in cases {
            assert_eq!(origin_allowed(&settings, origin, "https://hub.example/portal"), allowed, "{origin:?}");
        }
    }

    #[test]
    fn problems_name_their_keys() {
        let cases = [
            (Settings::default(), vec![]),
            (Settings { allowed_origins: vec!["*".to_owned()], ..Settings::default() }, vec!["allowed_origins"]),
            (
                Settings { allowed_origins: vec!["https://a.example/path".to_owned()], ..Settings::default() },
                vec!["allowed_origins"],
            ),
            (
                Settings { max_text_chars: 0, idle_timeout_secs: 0, ..Settings::default() },
                vec!["max_text_chars", "idle_timeout_secs"],
            ),
            (
                Settings { default_language: Some("Chinese (simplified)".to_owned()), ..Settings::default() },
                vec!["default_language"],
            ),
        ];
        for (settings, keys) in cases {
            let problems = settings.problems();
            let named: Vec<_> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
            assert_eq!(named, keys, "{settings:?}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(serde_json::from_str::<Settings>(r#"{"allowed_origins":[]}"#).is_ok());
        assert!(serde_json::from_str::<Settings>(r#"{"allowed_origin":[]}"#).is_err());
    }
}
