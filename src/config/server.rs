//! `[server]`: where the hub listens and how it is seen from outside.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::network::Network;
use super::problem::Origin;
use super::secret::Secret;
use super::section::Section;

/// How long a hub secret must be at least.
pub(super) const SECRET_CHARACTERS: usize = 32;

/// Address, proxies, secret.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that citizens, staff and providers use, without a trailing slash in its path.
    /// Signatures, links and cookies hang on it.
    pub public_url: Url,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The longest request body taken, bytes.
    pub max_body_bytes: u64,
    /// The secret from which tokens are derived; `None` when it is kept in `DATA/secret.key`.
    pub secret: Option<Secret>,
}

impl Server {
    pub(super) fn read(mut section: Section<'_>, demo: bool) -> Option<Self> {
        let listen_origin = section.origin("listen");
        let listen = section.parsed("listen", "Write ADDRESS:PORT, such as 127.0.0.1:8080", |text| {
            text.parse::<SocketAddr>().map_err(|_| format!("{text:?} is not an address with a port"))
        });
        if let Some(listen) = listen.filter(|listen| demo && !listen.ip().is_loopback()) {
            section.wrong(
                listen_origin,
                "listen",
                format!("the demo with its open logins is refused on {listen}"),
                "Listen on 127.0.0.1 or [::1], or run without --demo",
            );
        }
        let public_url = Self::public_url(&mut section, demo, listen);
        let trusted_proxies = Self::trusted_proxies(&mut section, demo);
        let max_body_bytes = section.number("max_body_bytes", 64 * 1024..=1024 * 1024 * 1024);
        let origin = section.origin("secret");
        let secret: Option<Secret> = section.optional("secret", "Write a random text as a string");
        if secret.as_ref().is_some_and(|secret| secret.expose().chars().count() < SECRET_CHARACTERS) {
            section.wrong(
                origin,
                "secret",
                format!("is shorter than {SECRET_CHARACTERS} characters"),
                "Write a random text, such as the output of: openssl rand -hex 32",
            );
        }
        section.finish();
        Some(Self {
            listen: listen?,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
            max_body_bytes: max_body_bytes?,
            secret,
        })
    }

    fn public_url(section: &mut Section<'_>, demo: bool, listen: Option<SocketAddr>) -> Option<Url> {
        const EXPECTED: &str = "Write the address that citizens use, such as https://12345.example.gov.cn";
        let origin = section.origin("public_url");
        let text: Option<String> = section.optional("public_url", EXPECTED);
        match (text, demo) {
            (None, true) => Url::parse(&format!("http://{}", listen?)).ok(),
            (None, false) => {
                section.wrong(Origin::Missing, "public_url", "is required outside the demo", EXPECTED);
                None
            }
            (Some(text), _) => match Url::parse(&text) {
                Ok(url)
                    if url.has_host()
                        && ["http", "https"].contains(&url.scheme())
                        && url.query().is_none()
                        && url.fragment().is_none() =>
                {
                    Some(url)
                }
                _ => {
                    section.wrong(origin, "public_url", format!("{text:?} is not an http or https address"), EXPECTED);
                    None
                }
            },
        }
    }

    fn trusted_proxies(section: &mut Section<'_>, demo: bool) -> Option<Vec<Network>> {
        const EXPECTED: &str = r#"Write a list of addresses or ranges, such as ["10.0.0.0/8"], or [] when nothing stands in front of the hub"#;
        let origin = section.origin("trusted_proxies");
        let texts: Option<Vec<String>> = section.optional("trusted_proxies", EXPECTED);
        let Some(texts) = texts else {
            if !demo && origin == Origin::Missing {
                section.wrong(origin, "trusted_proxies", "is required outside the demo", EXPECTED);
            }
            return demo.then(Vec::new);
        };
        let mut networks = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(network) => networks.push(network),
                Err(fault) => section.wrong(origin.clone(), "trusted_proxies", fault, EXPECTED),
            }
        }
        Some(networks)
    }

    /// An address below [`Self::public_url`]; `path` begins with a slash.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Whether `peer` is a proxy whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}
