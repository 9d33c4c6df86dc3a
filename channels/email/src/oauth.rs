//! Access tokens for XOAUTH2, refreshed as RFC 6749, section 6 says.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::settings::OAuth;

/// A token is renewed this long before it ends, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// How long a token is kept when the provider does not say.
const USUAL_LIFE: Duration = Duration::from_secs(10 * 60);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// The token endpoint cannot be reached or is out of order.
    Transient(String),
    /// The refresh token or the client is refused: somebody must grant access anew.
    Refused(String),
}

/// The tokens of one account.
pub(crate) struct Tokens {
    client: reqwest::Client,
    settings: OAuth,
    held: Mutex<Option<(String, Instant)>>,
}

#[derive(serde::Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(crate) fn new(client: reqwest::Client, settings: OAuth) -> Self {
        Self { client, settings, held: Mutex::new(None) }
    }

    /// A token that still lives, fetched when needed.
    pub(crate) async fn access(&self) -> Result<String, TokenError> {
        let mut held = self.held.lock().await;
        if let Some((token, ends)) = held.as_ref()
            && Instant::now() < *ends
        {
            return Ok(token.clone());
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.settings.refresh_token.as_str()),
            ("client_id", self.settings.client_id.as_str()),
            ("client_secret", self.settings.client_secret.as_str()),
        ];
        let form: Vec<_> = form.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let request = self.client.post(&self.settings.token_url).timeout(Duration::from_secs(30)).form(&form);
        let response = request
            .send()
            .await
            .map_err(|_| TokenError::Transient("the token endpoint cannot be reached".to_owned()))?;
        let status = response.status();
        if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
            return Err(TokenError::Refused(format!(
                "the token endpoint refused the refresh token with {}",
                status.as_u16()
            )));
        }
        if !status.is_success() {
            return Err(TokenError::Transient(format!("the token endpoint answered {}", status.as_u16())));
        }
        let answer: Answer = response
            .json()
            .await
            .map_err(|_| TokenError::Transient("the token endpoint's answer holds no token".to_owned()))?;
        let life = answer.expires_in.map_or(USUAL_LIFE, Duration::from_secs).saturating_sub(MARGIN);
        *held = Some((answer.access_token.clone(), Instant::now() + life));
        Ok(answer.access_token)
    }

    /// Forgets a token that a server has refused.
    pub(crate) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}
