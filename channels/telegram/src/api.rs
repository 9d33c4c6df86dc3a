//! The Bot API over HTTP.
//!
//! Arguments are teloxide's payload types; the transport is the hub's own HTTP client, because teloxide's sleeps ten
//! seconds on every 5xx, drops the HTTP status, and takes an accepted message for a failure when the answer
//! holds a field that it does not know. An error here never shows an address, since addresses hold the bot token.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use teloxide::{ApiError, requests::Payload};

/// How long a call may take until its answer is whole, beyond the wait of a long poll.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a file may take, up or down.
const FILE_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest description that is passed on, in characters.
const DESCRIPTION_CHARS: usize = 200;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server answered and refused.
    Refused(Refusal),
    /// No connection was made: the server has certainly not seen the request.
    Unreachable,
    /// The request may have left, and no readable answer came.
    Unanswered(&'static str),
}

/// A refusal by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status, or `error_code` of the answer where it has one.
    pub(crate) code: u16,
    /// What the server says, shortened.
    pub(crate) description: String,
    /// The description as teloxide knows it.
    pub(crate) error: ApiError,
    /// When the server wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the token is to blame: 401 for a wrong one, 404 for one that is not even shaped like one.
    pub(crate) fn token_refused(&self) -> bool {
        self.code == 401 || (self.code == 404 && self.error == ApiError::InvalidToken)
    }
}

/// The frame of every answer (Bot API, "Making requests").
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Value>,
    description: Option<String>,
    error_code: Option<u16>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

/// One bot on one server.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    /// `base` is the server's address, with or without a slash at its end.
    pub(crate) fn new(client: reqwest::Client, base: &str, token: &str) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// The address of a method without the token, for the ledger.
    pub(crate) fn public_url(&self, method: &str) -> String {
        format!("{}/{method}", self.base)
    }

    fn method(&self, method: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/bot{}/{method}", self.base, self.token))
    }

    /// Calls the method that `payload` belongs to.
    pub(crate) async fn call<P: Payload + Serialize + Sync>(&self, payload: &P) -> Result<Value, Failure> {
        self.call_json(P::NAME, payload, Duration::ZERO).await
    }

    /// Calls a method with JSON arguments; `wait` is how long the server may hold the answer back.
    pub(crate) async fn call_json<A: Serialize + Sync + ?Sized>(
        &self,
        method: &str,
        arguments: &A,
        wait: Duration,
    ) -> Result<Value, Failure> {
        answer(self.method(method).json(arguments).timeout(CALL_TIMEOUT + wait)).await
    }

    /// Calls a method with files.
    pub(crate) async fn call_form(&self, method: &str, form: reqwest::multipart::Form) -> Result<Value, Failure> {
        answer(self.method(method).multipart(form).timeout(FILE_TIMEOUT)).await
    }

    /// Downloads what `getFile` named. `Ok(None)` when it is larger than `limit_bytes`.
    pub(crate) async fn download(
        &self,
        file_path: &str,
        limit_bytes: u64,
    ) -> Result<Option<(Bytes, Option<String>)>, Failure> {
        let request =
            self.client.get(format!("{}/file/bot{}/{file_path}", self.base, self.token)).timeout(FILE_TIMEOUT);
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(status.as_u16(), None, None));
        }
        // A redirect may not lead the download to another host.
        if host_of(response.url().as_str()) != host_of(&self.base) {
            return Err(Failure::Refused(Refusal {
                code: 400,
                description: "the download was redirected to another host".to_owned(),
                error: ApiError::FailedToGetUrlContent,
                retry_after: None,
            }));
        }
        let media_type = response
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .filter(|value| *value != "application/octet-stream")
            .map(str::to_owned);
        if response.content_length().is_some_and(|length| length > limit_bytes) {
            return Ok(None);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if (body.len() + chunk.len()) as u64 > limit_bytes {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some((body.freeze(), media_type)))
    }
}

fn host_of(address: &str) -> Option<(String, Option<u16>)> {
    let url = url::Url::parse(address).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()))
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let response = request.send().await.map_err(|error| failure(&error))?;
    let status = response.status();
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(_) if !status.is_success() => return Err(refused(status.as_u16(), None, None)),
        Err(_) => return Err(Failure::Unanswered("the answer broke off")),
    };
    match serde_json::from_slice::<Answer>(&body) {
        Ok(Answer { ok: true, result: Some(result), .. }) if status.is_success() => Ok(result),
        Ok(Answer { ok: false, description, error_code, parameters, .. }) => {
            let retry_after = parameters.and_then(|parameters| parameters.retry_after).map(Duration::from_secs);
            Err(refused(error_code.unwrap_or(status.as_u16()), description, retry_after))
        }
        _ if status.is_success() => Err(Failure::Unanswered("the answer is not one of the Bot API")),
        _ => Err(refused(status.as_u16(), None, None)),
    }
}

fn refused(code: u16, description: Option<String>, retry_after: Option<Duration>) -> Failure {
    let description = description.unwrap_or_else(|| format!("HTTP {code}"));
    let error = serde_json::from_value(Value::String(description.clone()))
        .unwrap_or_else(|_| ApiError::Unknown(description.clone()));
    Failure::Refused(Refusal {
        code,
        description: description.chars().take(DESCRIPTION_CHARS).collect(),
        error,
        retry_after,
    })
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() {
        Failure::Unreachable
    } else if error.is_timeout() {
        Failure::Unanswered("no answer in time")
    } else {
        Failure::Unanswered("the connection broke")
    }
}
