//! The running hub, as commands on the same machine reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Exit, Failure};
use crate::config::{Config, Storage};

/// A hub that is, or should be, running.
#[derive(Debug)]
pub(super) struct Remote {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Remote {
    /// The hub of a data folder, where its lock file says, else at `server.listen`.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        Self::at(announced(&config.storage).unwrap_or(config.server.listen), &config.storage)
    }

    /// The same hub, asked as the holder of another token.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn with_token(mut self, token_file: &std::path::Path) -> Result<Self, Failure> {
        let token = std::fs::read_to_string(token_file).map_err(Failure::of(Exit::Io, token_file.display()))?;
        self.token = Some(token.trim().to_owned());
        Ok(self)
    }

    /// As [`Self::call`], for what takes as long as it takes.
    pub(super) async fn call_patiently(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        const PATIENCE: Duration = Duration::from_secs(6 * 3600);
        self.answered(self.request(method, path).timeout(PATIENCE), body).await
    }

    /// The hub at an address.
    pub(super) fn at(address: SocketAddr, storage: &Storage) -> Result<Self, Failure> {
        crate::channels::install_tls();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(Failure::of(Exit::Software, "HTTP client"))?;
        let token = std::fs::read_to_string(storage.admin_token_file()).ok().map(|token| token.trim().to_owned());
        Ok(Self { base: format!("http://{}", reachable(address)), token, client })
    }

    /// A request without credentials.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Calls the staff API as this machine's admin.
    ///
    /// # Errors
    /// The API's own error text; [`Exit::TempFail`] when the hub cannot be reached or is busy.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.answered(self.request(method, path), body).await
    }

    async fn answered(&self, mut request: reqwest::RequestBuilder, body: Option<&Value>) -> Result<Value, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| {
            Failure::new(Exit::TempFail, format!("the hub at {} cannot be reached: {}", self.base, error.without_url()))
        })?;
        let status = answer.status();
        let bytes =
            answer.bytes().await.map_err(|error| Failure::new(Exit::TempFail, error.without_url().to_string()))?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let message = value.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let exit = match status.as_u16() {
            429 | 500..=599 => Exit::TempFail,
            401 | 403 => Exit::Config,
            _ => Exit::Data,
        };
        // What is wrong with the input is wrong whoever found it, and mostly no hub was running before.
        let text = match exit {
            Exit::Data if !message.is_empty() => message.to_owned(),
            _ => format!("the hub answered {status}: {message}"),
        };
        Err(Failure::new(exit, text))
    }
}

/// Where the hub that holds the lock said it listens.
fn announced(storage: &Storage) -> Option<SocketAddr> {
    std::fs::read_to_string(storage.lock_file()).ok()?.trim().parse().ok()
}

/// An address to connect to: a hub that listens everywhere is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}
